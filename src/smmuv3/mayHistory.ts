/**
 * A history before an SMMU that may have kept anything (design D6): each transaction gives every outcome that the
 * architecture allows. Whatever could have been fetched since the last completed invalidation that matches it may be used;
 * a command completes with the SYNC behind it, and what was fetched in between may survive.
 *
 * Only what the transactions of the history could meet is kept: their addresses, through every stream whose entry
 * translates, since streams that share a VMID and ASID share translations.
 */
import { Cr0, offsets } from "../../specs/smmuv3/registers.ts";
import type { Transaction } from "../base/transaction.ts";
import type { Begin, Kept, Structure, Tag, Trail, Walker } from "./caches.ts";
import { type Choose, everyWay } from "./choices.ts";
import type { Stage2 } from "./configuration.ts";
import type { Context } from "./context.ts";
import { byteSwapped, contiguousRun, leafFlags, levelShift, shapeOf, stage1Leaf, type Stage2Rights, stage2Rights } from "./descriptor.ts";
import { createDevice, type HistoryOutcome } from "./device.ts";
import type { History, HistoryStep } from "./history.ts";
import { nameOf } from "./invalidate.ts";
import { keyOf, type KeptTable, type KeptTranslation, type Leaves, leavesAfter, type MayKeep } from "./mayKept.ts";
import type { Quirks } from "./quirks.ts";
import { type RegisterFile, type Settings, settingsOf } from "./registers.ts";
import type { Retained } from "./retained.ts";
import { l1stdAddress, type Read, readWords, secondLevel, STE_BYTES, STE_WORDS, steAddress } from "./streamTable.ts";
import { translate, type Translation } from "./transaction.ts";
import { formOf, type Regime1, rightsUnder, walkStage2 } from "./walk.ts";

/** Outcomes of a step: each of one transaction that the architecture allows, or those of a command. */
export type MayOutcome = { readonly results: readonly Translation[] } | HistoryOutcome;

export interface MayOptions {
  readonly registers: RegisterFile;
  readonly read: Read;
  readonly quirks?: Quirks;
}

/** Entries by what they say. */
type Kit = Map<string, MayKeep>;

const MOST_ENTRIES = 1 << 17;
const MOST_MIXTURES = 256;
const V_AND_TRANSLATES = (dw0: bigint): boolean => (dw0 & 1n) === 1n && (dw0 & 8n) !== 0n && (dw0 & 6n) !== 0n;

/** Streams whose entries translate, one for each content; also where those entries lie. Throws RangeError past 2^17 entries. */
const translatingStreams = (read: Read, settings: Settings): { readonly sids: number[]; readonly regions: (readonly [bigint, bigint])[] } => {
  const streams = 2 ** settings.log2Size;
  const regions: (readonly [bigint, bigint])[] = [];
  const sids = new Map<string, number>();
  let seen = 0;
  const scan = (base: bigint, count: number, first: number): void => {
    if ((seen += count) > MOST_ENTRIES) throw new RangeError(`the stream table has more than ${MOST_ENTRIES} entries; \`--caches may\` looks at no more`);
    regions.push([base, base + BigInt(count) * STE_BYTES]);
    for (let at = 0; at < count; at++) {
      const addr = base + BigInt(at) * STE_BYTES;
      if (!V_AND_TRANSLATES(read(addr) ?? 0n)) continue;
      const key = readWords(read, addr, STE_WORDS)?.join(",");
      if (key !== undefined && !sids.has(key)) sids.set(key, first + at);
    }
  };
  if (settings.linear) scan(steAddress(settings, 0), streams, 0);
  else {
    const perEntry = 2 ** settings.split;
    const base = l1stdAddress(settings, 0);
    regions.push([base, base + 8n * BigInt(Math.ceil(streams / perEntry))]);
    for (let first = 0; first < streams; first += perEntry) {
      const { base: second, entries } = secondLevel(read(l1stdAddress(settings, first)) ?? 0n, settings);
      if (entries > 0) scan(second, Math.min(entries, perEntry), first);
    }
  }
  return { sids: [...sids.values()], regions };
};

/** The streams that a structure is for. */
const streamsOf = ({ kind, sid, index }: Structure, { split }: Settings): readonly [number, number] => (kind === "L1STD" ? [index * 2 ** split, (index + 1) * 2 ** split - 1] : [sid, sid]);
const sameStructure = (a: Structure, b: Structure): boolean => a.kind === b.kind && a.index === b.index && (a.kind === "L1STD" || a.sid === b.sid);

const covers = ({ input, size }: { readonly input: bigint; readonly size: bigint }, address: bigint): boolean => address >= input && address < input + size;
const sameTag = (entry: Tag, asked: Tag): boolean =>
  entry.world === asked.world && (entry.world !== undefined || entry.vmid === asked.vmid) && (entry.asid === undefined) === (asked.asid === undefined) && (entry.global === true || entry.asid === asked.asid);

/** What fetches between stores to a structure may have got: any mixture of the words it has had (design D5). */
const mixtures = (kept: readonly (readonly bigint[])[], before: readonly bigint[], now: readonly bigint[]): readonly (readonly bigint[])[] => {
  let seen = new Map([before, ...kept].map((words) => [words.join(","), words]));
  for (const [at, word] of now.entries()) {
    if (word === before[at]) continue;
    const mixed = [...seen.values()].map((words) => words.with(at, word));
    seen = new Map([...seen, ...mixed.map((words) => [words.join(","), words] as const)]);
    if (seen.size > MOST_MIXTURES) throw new RangeError(`a structure was changed so often without an invalidation that a fetch could give more than ${MOST_MIXTURES} mixtures of it`);
  }
  return [...seen.values()];
};

interface Probe {
  readonly transaction: Transaction;
  readonly read: Set<bigint>;
}
/** Bits of an address below an ignored top byte. */
const TAGLESS = (1n << 56n) - 1n;

/** One of the answers of stage 2: how the walk begins, or a kept leaf instead of a walk. */
type Answer2 = { readonly begin: Begin | "root" } | { readonly kept: Kept };
const translationKey = (pa: bigint, { read, write, executeNever, memoryType }: Stage2Rights): string => `${pa} ${read} ${write} ${executeNever} ${memoryType}`;
const regimeKey = ({ vmid, granule, root, inputBits, startLevel, outputBits, ignoreAccessFlag, setsAccessFlag, setsDirtyState, bigEndian }: Stage2): string =>
  [vmid, granule, root, inputBits, startLevel, outputBits, ignoreAccessFlag, setsAccessFlag, setsDirtyState, bigEndian].join(" ");
const judgedBy = ({ world, writableNeverExecutes, privilegedNever }: Context): Regime1 => ({ world, writableNeverExecutes, privilegedNever });

/** A transaction that every leaf lets through: the SMMU fetches for itself, whatever the rights. */
const probeOf = (sid: Transaction["sid"], ssid: number | undefined, iova: Transaction["iova"]): Transaction & { readonly probe: true } => ({
  sid,
  ...(ssid === undefined ? {} : { ssid }),
  op: "read",
  iova,
  size: 1,
  priv: true,
  probe: true,
});

/** An outcome without its event: the event queue is off. */
const unrecorded = (result: Translation): Translation => {
  if (result.result !== "abort") return result;
  const { event: _, ...rest } = result;
  return rest;
};

export const playMay = ({ registers, read: memory, quirks = {} }: MayOptions, history: History): MayOutcome[] => {
  let kit: Kit = new Map();
  /** The kit if each command since the last SYNC took effect the moment it was given. */
  let early: Kit | undefined;
  const pending: Leaves[] = [];
  /** Structures that were fetched, and the words they had last. */
  const structures = new Map<string, { readonly structure: Structure; words: readonly bigint[] }>();
  let settings = settingsOf(registers, quirks);

  // What a run asks and leaves; both change from run to run.
  let from: Kit = kit;
  let choose: Choose = () => 0;
  let left: MayKeep[] = [];

  /** Distinct answers of stage 2 to an address, while nothing changes. */
  const answers = new Map<string, readonly Answer2[]>();
  /** The kept table descriptor that the next walk begins with, once it was chosen. */
  let chosen: Begin | "root" | undefined;

  const pick = <T>(options: readonly T[]): T => options[choose(options.length)]!;
  const translationsFor = (tag: Tag, address: bigint): Kept[] =>
    [...from.values()].filter((entry): entry is KeptTranslation => entry.kind === "translation" && sameTag(entry.tag, tag) && covers(entry.kept, address)).map(({ kept }) => kept);
  const tablesFor = (tag: Tag, walker: Walker, address: bigint): KeptTable[] => {
    const { granule, startLevel } = walker.stage === 1 ? walker.half : walker.regime;
    return [...from.values()].filter((entry): entry is KeptTable => entry.kind === "table" && entry.granule === granule && entry.level >= startLevel && sameTag(entry.tag, tag) && covers(entry, address));
  };

  /** Neighbours of a last descriptor that are marked contiguous: any of them may be kept for all. */
  const neighbours = (walker: Walker, address: bigint, level: number, at: bigint, above: Parameters<Trail["last"]>[2]): void => {
    if (quirks.contiguousIgnored) return;
    const regime = walker.stage === 1 ? walker.half : walker.regime;
    const { granule, outputBits } = regime;
    const run = contiguousRun(level, granule);
    const group = at & ~(run * 8n - 1n);
    for (let each = group; each < group + run * 8n; each += 8n) {
      const stored = seeing(each);
      if (stored === undefined) continue;
      const value = (walker.stage === 1 ? walker.context.bigEndian : walker.regime.bigEndian) ? byteSwapped(stored) : stored;
      const shape = shapeOf(value, level, formOf(regime), quirks);
      const flags = leafFlags(value);
      const ignoresFlag = walker.stage === 1 ? walker.context.ignoreAccessFlag || walker.context.setsAccessFlag : walker.regime.ignoreAccessFlag || walker.regime.setsAccessFlag;
      if (shape.is !== "leaf" || !flags.contiguous || shape.pa >> BigInt(outputBits) !== 0n || !(flags.accessed || ignoresFlag)) continue;
      const size = shape.size * run;
      const common = { input: address & ~(size - 1n), size, pa: shape.pa & ~(size - 1n), level, granule, via: [{ what: "contiguous descriptor", addr: each, value }] };
      if (walker.stage === 2) left.push({ kind: "translation", tag: walker.tag, kept: { ...common, stage2: { rights: stage2Rights(value), executeByPrivilege: walker.regime.executeByPrivilege } } });
      else {
        const leaf = stage1Leaf(value);
        const kept: Kept = { ...common, stage1: { rights: rightsUnder(leaf, above, walker.context, quirks), regime: judgedBy(walker.context) }, ...(leaf.notGlobal ? {} : { global: true }) };
        left.push({ kind: "translation", tag: leaf.notGlobal || quirks.globalsTagged ? walker.tag : { ...walker.tag, global: true }, kept });
      }
    }
  };

  const recording = (walker: Walker, address: bigint): Omit<Trail, "begin"> => {
    const { granule } = walker.stage === 1 ? walker.half : walker.regime;
    return {
      table: (level, next, above, via) => {
        const size = 1n << levelShift(level, granule);
        left.push({ kind: "table", tag: walker.tag, granule, level, input: address & ~(size - 1n), size, next, above, via });
      },
      last: (level, at, above) => neighbours(walker, address, level, at, above),
    };
  };
  const beginsFor = (walker: Walker, address: bigint): Begin[] => tablesFor(walker.tag, walker, address).map(({ level, next, above, via }) => ({ level: level + 1, table: next, above, via }));

  /**
   * All answers of stage 2 to an address, each once: by a walk from the root, from a kept table, or by a kept leaf. Most
   * agree, and ways that agree are one.
   */
  const stage2Answers = (tag: Tag, regime: Stage2, address: bigint): readonly Answer2[] => {
    const key = `${regimeKey(regime)} ${address}`;
    const known = answers.get(key);
    if (known !== undefined) return known;
    const walker: Walker = { stage: 2, tag, regime };
    const found = new Map<string, Answer2>();
    for (const begin of [undefined, ...beginsFor(walker, address)]) {
      const walked = walkStage2(seeing, regime, address, { op: "read", probe: true }, quirks, { ...recording(walker, address), ...(begin === undefined ? {} : { begin }) });
      const name = walked.result === "ok" ? translationKey(walked.leaf.pa + (address - walked.leaf.ipa), walked.leaf.rights) : walked.result === "fault" ? walked.fault : `external ${walked.fetch}`;
      if (!found.has(name)) found.set(name, { begin: begin ?? "root" });
    }
    for (const kept of translationsFor(tag, address)) {
      const name = translationKey(kept.pa + (address - kept.input), kept.stage2!.rights);
      if (!found.has(name)) found.set(name, { kept });
    }
    const all = [...found.values()];
    answers.set(key, all);
    return all;
  };

  const hooks: Retained = {
    configured: (_sid, _ssid, decode) => decode(),
    fetched: (structure, words) => {
      const [first, last] = streamsOf(structure, settings);
      if (words !== undefined) {
        structures.set(`${structure.kind} ${structure.sid} ${structure.index} ${structure.addr}`, { structure, words });
        left.push({ kind: "words", structure, first, last, words });
      }
      const now = words?.join(",");
      const kept = [...from.values()].flatMap((entry) => (entry.kind === "words" && sameStructure(entry.structure, structure) && entry.words.join(",") !== now ? [entry.words] : []));
      return pick([words, ...kept]);
    },
    lookUp: (tag, sought, address) => {
      if (tag.asid !== undefined) return pick([undefined, ...translationsFor(tag, address)]);
      // Stage 2 is looked up by its whole regime.
      const answer = pick(stage2Answers(tag, sought as Stage2, address));
      if ("kept" in answer) return answer.kept;
      chosen = answer.begin;
      return undefined;
    },
    keep: (tag, kept) => void left.push({ kind: "translation", tag, kept }),
    trail: (walker, address) => {
      const begin = walker.stage === 2 ? chosen : (pick([undefined, ...beginsFor(walker, address)]) ?? "root");
      if (walker.stage === 2) chosen = undefined;
      return { ...recording(walker, address), ...(begin === undefined || begin === "root" ? {} : { begin }) };
    },
    execute: (words, now) => {
      if (nameOf(words) === "SYNC") return complete();
      const leaves = leavesAfter(words, now);
      pending.push(leaves);
      early = new Map([...(early ?? kit)].filter(([, entry]) => leaves(entry)));
      return undefined;
    },
  };
  const complete = (): void => {
    if (early !== undefined) kit = new Map([...early, ...[...kit].filter(([, entry]) => pending.every((leaves) => leaves(entry)))]);
    early = undefined;
    pending.length = 0;
  };
  const device = createDevice({ registers, read: memory, quirks, caches: hooks });

  /** Words that decided about something: a store elsewhere changes nothing. Those of the probe that runs are `its`. */
  let its = new Set<bigint>();
  const seeing: Read = (address) => {
    its.add(address);
    return device.read(address);
  };
  const judge = (transaction: Transaction, with_: Kit): Translation[] => {
    if (from !== with_) answers.clear();
    from = with_;
    return everyWay((asked) => {
      choose = asked;
      return translate(seeing, settings, transaction, hooks);
    });
  };

  const asked = history.flatMap((step) => (step.kind === "transaction" ? [step.transaction] : []));
  const addresses = [...new Map(asked.map((transaction) => [transaction.iova, transaction.iova])).values()];
  const substreams = [...new Set([undefined, ...asked.map(({ ssid }) => ssid)])];
  let scanned = translatingStreams(device.read, settings);
  /** Each address that is asked about, by each stream that may ask, and the words that its probe has read so far. */
  const probes = new Map<string, Probe>();
  const addProbes = (): void => {
    const sids = new Set([...asked.map(({ sid }) => sid), ...(scanned.sids as Transaction["sid"][])]);
    for (const sid of sids)
      for (const ssid of substreams)
        for (const iova of addresses) {
          const key = `${sid} ${ssid ?? ""} ${iova}`;
          if (!probes.has(key)) probes.set(key, { transaction: probeOf(sid, ssid, iova), read: new Set() });
        }
  };
  /** Probes that an entry can make a difference to; an entry of stage 2 or of configuration may to all. */
  const touchedBy = (entry: MayKeep): Probe[] => {
    if (entry.kind === "words" || entry.tag.asid === undefined) return [...probes.values()];
    const shape = entry.kind === "table" ? entry : entry.kept;
    return [...probes.values()].filter(({ transaction }) => covers(shape, transaction.iova & TAGLESS) || covers({ ...shape, input: shape.input & TAGLESS }, transaction.iova & TAGLESS));
  };
  /** Adds what could be fetched now, until nothing more can; only probes that something changed for are run. */
  const saturate = (target: Kit, changed: Iterable<Probe>): void => {
    for (let next = new Set(changed); next.size > 0; ) {
      const dirty = next;
      next = new Set();
      answers.clear();
      for (const probe of dirty) {
        left = [];
        its = probe.read;
        judge(probe.transaction, target);
        for (const entry of left) {
          const key = keyOf(entry);
          if (target.has(key)) continue;
          target.set(key, entry);
          for (const touched of touchedBy(entry)) next.add(touched);
        }
      }
      if (target.size > MOST_ENTRIES) throw new RangeError(`the caches could hold more than ${MOST_ENTRIES} entries`);
    }
  };
  /** Structures whose memory changed: what they were, and mixtures, may have been fetched. */
  const keepOverwritten = (): void => {
    for (const record of structures.values()) {
      const { structure, words: before } = record;
      const now = readWords(device.read, structure.addr, before.length);
      if (now === undefined || now.join(",") === before.join(",")) continue;
      const [first, last] = streamsOf(structure, settings);
      for (const target of early === undefined ? [kit] : [kit, early]) {
        const kept = [...target.values()].flatMap((entry) => (entry.kind === "words" && sameStructure(entry.structure, structure) && entry.structure.addr === structure.addr ? [entry.words] : []));
        for (const words of mixtures(kept, before, now)) {
          const entry: MayKeep = { kind: "words", structure, first, last, words };
          target.set(keyOf(entry), entry);
        }
      }
      record.words = now;
    }
  };
  const fill = (changed: Iterable<Probe> = probes.values()): void => {
    if (!settings.enabled) return;
    saturate(kit, changed);
    if (early !== undefined) saturate(early, changed);
  };

  const outcomesOf = (transaction: Transaction): MayOutcome => {
    left = [];
    its = new Set();
    answers.clear();
    const recorded = Cr0.get([BigInt(device.registers().get(offsets.CR0) ?? 0)], "EVENTQEN") === 1n;
    const results = judge(transaction, kit).map((result) => (recorded ? result : unrecorded(result)));
    const updating = results.find((result) => (result.updates?.length ?? 0) > 0);
    return { results: updating === undefined ? results : [{ result: "unsupported", why: "hardware updates of tables are not modelled where caches may hold anything", via: updating.via }] };
  };
  const step = (happens: HistoryStep): MayOutcome[] => {
    if (happens.kind === "transaction") return [outcomesOf(happens.transaction)];
    const wasEnabled = settings.enabled;
    const outcomes = device.step(happens);
    settings = settingsOf(device.registers(), quirks);
    const touchesTable = happens.kind === "register" || (happens.kind === "store" && scanned.regions.some(([start, end]) => happens.addr >= start && happens.addr < end));
    if (touchesTable) {
      scanned = translatingStreams(device.read, settings);
      addProbes();
    }
    if (wasEnabled) keepOverwritten();
    fill(happens.kind === "store" && !touchesTable ? [...probes.values()].filter(({ read }) => read.has(happens.addr)) : probes.values());
    return outcomes;
  };
  addProbes();
  fill();
  return history.flatMap(step);
};
