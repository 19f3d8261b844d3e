/** Facts of a `decoded.txt`: what another decoder read in the memory of a snapshot. */

export interface IndependentStream {
  readonly sid: number;
  readonly address: bigint;
  readonly words: readonly bigint[];
  /** `V=1 Config=101`. */
  readonly title: string;
  readonly context?: { readonly address: bigint; readonly words: readonly bigint[] };
  readonly leaves: readonly { readonly input: bigint; readonly descriptor: bigint; readonly level: number }[];
}
export interface Independent {
  readonly table: { readonly base: bigint; readonly twoLevel: boolean; readonly split: number; readonly log2Size: number };
  readonly level1: readonly { readonly index: number; readonly value: bigint; readonly span: number }[];
  readonly streams: readonly IndependentStream[];
  /** Entries by title. */
  readonly histogram: Readonly<Record<string, number>>;
  readonly commands: { readonly produced: number; readonly consumed: number; readonly entries: number; readonly listed: readonly { readonly index: number; readonly words: readonly bigint[] }[]; readonly opcodes: Readonly<Record<string, number>> };
  readonly events: { readonly produced: number; readonly consumed: number; readonly listed: readonly { readonly index: number; readonly words: readonly bigint[] }[] };
  readonly devices: readonly { readonly deviceId: number; readonly entry: bigint }[];
  /** Events of all devices, in order. */
  readonly mapped: readonly { readonly eventId: number; readonly intid: number; readonly collection: number }[];
  readonly itsCommands: readonly (readonly bigint[])[];
}

const words = (text: string): bigint[] => text.trim().split(/\s+/).map(BigInt);
const all = (text: string, pattern: RegExp): string[][] => [...text.matchAll(pattern)].map((match) => match.slice(1).map((part) => part ?? ""));
const only = (text: string, pattern: RegExp): string[] => {
  const match = pattern.exec(text);
  if (match === null) throw new Error(`nothing like ${pattern.source}`);
  return match.slice(1);
};

const streamOf = (block: string): IndependentStream => {
  const [sid, address, content, title] = only(block, /^STE sid=(0x\w+) @(0x\w+): ((?:0x\w+ )+) *(V=\d Config=\d+)/);
  const context = /^ {2}CD @(0x\w+): (.*)$/m.exec(block);
  return {
    sid: Number(sid),
    address: BigInt(address!),
    words: words(content!),
    title: title!,
    ...(context === null ? {} : { context: { address: BigInt(context[1]!), words: words(context[2]!) } }),
    leaves: all(block, /^ {4}IOVA (0x\w+) -> (0x\w+) L(\d)$/gm).map(([input, descriptor, level]) => ({ input: BigInt(input!), descriptor: BigInt(descriptor!), level: Number(level) })),
  };
};

export const readIndependent = (text: string): Independent => {
  const [base, format, split, log2Size] = only(text, /^STRTAB_BASE (0x\w+) fmt (\d) split (\d+) log2size (\d+)$/m);
  const [entries, produced, consumed] = only(text, /^CMDQ base 0x\w+ entries (\d+) prod (0x\w+) cons (0x\w+)$/m);
  const [eventsProduced, eventsConsumed] = only(text, /^EVTQ base 0x\w+ prod (0x\w+) cons (0x\w+)$/m);
  const listed = (what: string) => all(text, new RegExp(`^ {2}${what} (\\d+) (0x.*)$`, "gm")).map(([index, content]) => ({ index: Number(index), words: words(content!) }));
  return {
    table: { base: BigInt(base!), twoLevel: format === "1", split: Number(split), log2Size: Number(log2Size) },
    level1: all(text, /^L1STD\[(\d+)\]=(0x\w+) span (\d+)$/gm).map(([index, value, span]) => ({ index: Number(index), value: BigInt(value!), span: Number(span) })),
    streams: text
      .split(/^(?=STE sid)/m)
      .slice(1)
      .map(streamOf),
    histogram: JSON.parse(only(text, /^STE histogram (\{.*\})$/m)[0]!) as Record<string, number>,
    commands: { entries: Number(entries), produced: Number(produced), consumed: Number(consumed), listed: listed("cmd"), opcodes: JSON.parse(only(text, /^cmd opcode counts (\{.*\})$/m)[0]!) as Record<string, number> },
    events: { produced: Number(eventsProduced), consumed: Number(eventsConsumed), listed: listed("event") },
    devices: all(text, /DTE\[(0x\w+)\]=(0x\w+)/g).map(([deviceId, entry]) => ({ deviceId: Number(deviceId), entry: BigInt(entry!) })),
    mapped: all(text, /^ {5}event (0x\w+) -> INTID (\d+) collection (\d+)$/gm).map(([eventId, intid, collection]) => ({ eventId: Number(eventId), intid: Number(intid), collection: Number(collection) })),
    itsCommands: listed("its cmd").map((command) => command.words),
  };
};
