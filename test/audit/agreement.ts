/** Whether a decoding says what another decoder read in the same memory: every difference in words. */
import type { AddressSpace, Decoding, Entry, SidRange } from "../../src/audit/decoding.ts";
import type { Independent, IndependentStream } from "./independent.ts";

const PAGE_BITS: Readonly<Record<string, bigint>> = { "4K": 12n, "16K": 14n, "64K": 16n };
const within = (ranges: readonly SidRange[], sid: number): boolean => ranges.some(({ first, last }) => sid >= Number(first) && sid <= Number(last));
/** A record as text, whatever the order of its keys. */
const sorted = (counts: readonly (readonly [string, number])[]): string => counts.map(([name, count]) => `${name} ${count}`).toSorted((a, b) => (a < b ? -1 : 1)).join(", ");
const text = (words: readonly (bigint | string)[]): string => words.map((word) => BigInt(word).toString(16)).join(" ");

/** What each page or block of a listing of leaves maps, as `input output size rights`. */
const leavesOf = ({ leaves }: IndependentStream, { roots }: AddressSpace): string[] => {
  const { granule, part } = roots[0]!;
  const bits = PAGE_BITS[granule]!;
  return leaves.map(({ input, descriptor, level }) => {
    const size = 1n << (bits + BigInt(3 - level) * (bits - 3n));
    const output = descriptor & 0xffff_ffff_f000n & ~(size - 1n);
    const [bit6, bit7] = [((descriptor >> 6n) & 1n) === 1n, ((descriptor >> 7n) & 1n) === 1n];
    const rights = part === "S2TTB" ? `${bit6 ? "r" : "-"}${bit7 ? "w" : "-"}` : `${bit6 ? "r" : "-"}${bit6 && !bit7 ? "w" : "-"}`;
    return `${input.toString(16)} ${output.toString(16)} ${size.toString(16)} ${rights}`;
  });
};
/** Ranges cut into the pages or blocks that they are made of. */
const piecesOf = ({ ranges }: AddressSpace): string[] =>
  ranges.flatMap(({ input, size, output, unprivileged, stage1, stage2 }) => {
    const block = BigInt((stage1 ?? stage2)!.block);
    const count = Number(BigInt(size) / block);
    return Array.from({ length: count }, (_, at) => `${(BigInt(input) + BigInt(at) * block).toString(16)} ${(BigInt(output!) + BigInt(at) * block).toString(16)} ${block.toString(16)} ${unprivileged.slice(0, 2)}`);
  });

const OPCODES: Readonly<Record<string, string>> = {
  CFGI_ALL: "0x4",
  CFGI_CD: "0x5",
  CFGI_STE: "0x3",
  PREFETCH_CONFIG: "0x1",
  SYNC: "0x46",
  TLBI_NH_ASID: "0x11",
  TLBI_NH_VA: "0x12",
  TLBI_NSNH_ALL: "0x30",
  TLBI_S12_VMALL: "0x28",
  TLBI_S2_IPA: "0x2a",
};

const streamDifferences = (decoding: Decoding, stream: IndependentStream): string[] => {
  const differences: string[] = [];
  const differ = (what: string, ours: unknown, theirs: unknown): void => {
    if (JSON.stringify(ours) !== JSON.stringify(theirs)) differences.push(`stream ${stream.sid}: ${what} is ${JSON.stringify(ours)}, not ${JSON.stringify(theirs)}`);
  };
  const entry = decoding.entries.find(({ sids }) => within(sids, stream.sid)) as Entry;
  differ("entry", text(entry.words), text(stream.words));
  const context = entry.contexts?.descriptors[0];
  differ("context descriptor", context === undefined ? undefined : `${context.address} ${text(context.words)}`, stream.context === undefined ? undefined : `0x${stream.context.address.toString(16)} ${text(stream.context.words)}`);
  const id = context?.addressSpace ?? entry.addressSpace;
  const space = id === undefined ? undefined : decoding.addressSpaces[id];
  differ("number of pages", space?.leaves ?? 0, stream.leaves.length);
  if (space !== undefined) {
    differ("pages", piecesOf(space), leavesOf(stream, space));
    differ("among the users", space.users.some(({ sids }) => within(sids, stream.sid)), true);
    differ("problems", space.problems, []);
  }
  return differences;
};

export const differencesOf = (decoding: Decoding, independent: Independent): string[] => {
  const differences: string[] = [];
  const differ = (what: string, ours: unknown, theirs: unknown): void => {
    if (JSON.stringify(ours) !== JSON.stringify(theirs)) differences.push(`${what} is ${JSON.stringify(ours)}, not ${JSON.stringify(theirs)}`);
  };
  const { streamTable } = decoding;
  const { table, level1, commands, events } = independent;
  differ("stream table", [streamTable.base, streamTable.kind, streamTable.split, streamTable.log2Size], [`0x${table.base.toString(16)}`, table.twoLevel ? "twoLevel" : "linear", table.split, table.log2Size]);
  differ("level 1", streamTable.level1?.map(({ index, value, span }) => `${index} ${value} ${span}`), level1.map(({ index, value, span }) => `${index} 0x${value.toString(16)} ${span}`));
  differ("histogram", sorted(streamTable.histogram.map(({ entry, streams }) => [entry.replace(/ \(.*/, ""), streams] as const)), sorted(Object.entries(independent.histogram)));
  const [ours, theirs] = [decoding.queues.find(({ name }) => name === "CMDQ")!, decoding.queues.find(({ name }) => name === "EVENTQ")!];
  const at = (index: number, wrap: number, size: number): number => index + wrap * size;
  differ("CMDQ", [ours.entries, at(ours.prod.index, ours.prod.wrap, ours.entries), at(ours.cons.index, ours.cons.wrap, ours.entries)], [commands.entries, commands.produced, commands.consumed]);
  differ("EVENTQ", [at(theirs.prod.index, theirs.prod.wrap, theirs.entries), at(theirs.cons.index, theirs.cons.wrap, theirs.entries)], [events.produced, events.consumed]);
  differ("opcodes", sorted(Object.entries(ours.counts).map(([name, count]) => [OPCODES[name] ?? name, count] as const)), sorted(Object.entries(commands.opcodes)));
  const listed = new Map(ours.records.map(({ index, words }) => [index, text(words)]));
  for (const { index, words } of commands.listed) if (listed.size === Object.values(ours.counts).reduce((sum, count) => sum + count, 0)) differ(`command ${index}`, listed.get(index), text(words));
  const told = new Map(theirs.records.map(({ index, words }) => [index, text(words)]));
  for (const { index, words } of events.listed) differ(`event ${index}`, told.get(index), text(words));
  const its = decoding.its;
  differ("ITS devices", its?.devices.map(({ deviceId, table: itt, eventIdBits }) => `${deviceId} ${itt} ${eventIdBits}`), independent.devices.map(({ deviceId, entry }) => `0x${deviceId.toString(16)} 0x${((((entry >> 6n) & 0xfff_ffff_ffffn) << 8n)).toString(16)} ${Number((entry >> 1n) & 31n) + 1}`));
  differ("ITS events", its?.devices.flatMap(({ events: mapped }) => mapped), independent.mapped);
  differ("ITS commands", its?.commands.slice(0, independent.itsCommands.length).map(({ words }) => text(words)), independent.itsCommands.map(text));
  return [...differences, ...independent.streams.flatMap((stream) => streamDifferences(decoding, stream))];
};
