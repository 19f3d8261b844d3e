/** The SMMU's stream table and what each entry leads to: context descriptor, tables, queues (IHI 0070). */
import type { NotedMemory } from "./memory.ts";
import { bit, bits, granules0, granules1, isSound, type Leaf, leavesOf, number, outputBits, startLevel1, startLevel2, type Table } from "./tables.ts";

export interface StreamEntry {
  readonly sid: number;
  readonly at: bigint;
  /** The eight 64-bit words. */
  readonly words: readonly bigint[];
  readonly valid: boolean;
  readonly config: number;
}
export interface ContextDescriptor {
  readonly at: bigint;
  readonly words: readonly bigint[];
}
/** What a stream's accesses go through. */
export interface Stream {
  readonly entry: StreamEntry;
  readonly context?: ContextDescriptor;
  readonly leaves: readonly Leaf[];
  /** What this decoder leaves out, in words. */
  readonly notes: readonly string[];
}
export interface StreamTable {
  readonly base: bigint;
  readonly twoLevel: boolean;
  readonly split: number;
  readonly log2size: number;
  /** Level-1 descriptors that are not zero. */
  readonly level1: readonly { readonly index: number; readonly value: bigint; readonly span: number }[];
  readonly entries: readonly StreamEntry[];
}
export interface Queue {
  readonly base: bigint;
  readonly log2size: number;
  readonly producer: number;
  readonly consumer: number;
  /** Records by index, those that are not all zero; each is a list of 64-bit words. */
  readonly records: readonly { readonly index: number; readonly words: readonly bigint[] }[];
}
/** The value of a 32-bit register, 0 where a snapshot has none. */
export type Registers = (offset: number) => number;

const wide = (registers: Registers, offset: number): bigint => BigInt(registers(offset)) | (BigInt(registers(offset + 4)) << 32n);
/** Address bits 51:6 of STRTAB_BASE; the table is aligned to its size. */
const aligned = (address: bigint, bytes: bigint): bigint => address - (address % bytes);
const words = (memory: NotedMemory, at: bigint, count: number, tag: string): bigint[] => Array.from({ length: count }, (_, index) => memory.word(at + BigInt(index * 8), tag) ?? 0n);

const STE_BYTES = 64n;
const MOST_SIDS = 2 ** 20;
/** SPLIT is 6, 8 or 10; a wrong one must not make a list without end. */
const MOST_SPLIT = 16;

const entryAt = (memory: NotedMemory, at: bigint, sid: number): StreamEntry => {
  const ste = words(memory, at, 8, "STE");
  return { sid, at, words: ste, valid: bit(ste[0]!, 0), config: number(ste[0]!, 3, 1) };
};

/** Reads every stream table entry that exists. */
export const streamTable = (memory: NotedMemory, registers: Registers): StreamTable => {
  const configuration = BigInt(registers(0x88));
  const log2size = number(configuration, 5, 0);
  const split = number(configuration, 10, 6);
  const twoLevel = number(configuration, 17, 16) === 1;
  const slots = Math.min(2 ** (twoLevel ? Math.max(0, log2size - split) : log2size), MOST_SIDS);
  const raw = bits(wide(registers, 0x80), 51, 6) << 6n;
  const base = aligned(raw, twoLevel ? BigInt(Math.max(slots * 8, 64)) : BigInt(slots) * STE_BYTES);
  if (!twoLevel) return { base, twoLevel, split, log2size, level1: [], entries: Array.from({ length: slots }, (_, sid) => entryAt(memory, base + BigInt(sid) * STE_BYTES, sid)) };
  const level1 = words(memory, base, slots, "L1STD").flatMap((value, index) => (value === 0n ? [] : [{ index, value, span: number(value, 4, 0) }]));
  const entries = level1.flatMap(({ index, value, span }) => {
    // Span n stands for 2^(n-1) entries; 0 for none.
    const count = span === 0 ? 0 : 2 ** Math.min(span - 1, split, MOST_SPLIT);
    const array = aligned(bits(value, 51, 6) << 6n, BigInt(count || 1) * STE_BYTES);
    return Array.from({ length: count }, (_, within) => entryAt(memory, array + BigInt(within) * STE_BYTES, index * 2 ** split + within));
  });
  return { base, twoLevel, split, log2size, level1, entries };
};

/** The tables that a context descriptor names: TTB0 below, TTB1 above, each unless EPD switches it off. */
const stage1Tables = (cd: readonly bigint[], idr5: number): Table[] => {
  const control = cd[0]!;
  const half = (upper: boolean): Table[] => {
    const granule = upper ? granules1[number(control, 23, 22)] : granules0[number(control, 7, 6)];
    if (bit(control, upper ? 30 : 14) || granule === undefined) return [];
    const inputBits = 64 - (upper ? number(control, 21, 16) : number(control, 5, 0));
    const pointer = cd[upper ? 2 : 1]!;
    const startLevel = startLevel1(granule, inputBits);
    return [
      {
        stage: 1,
        root: bits(pointer, 51, 4) << 4n,
        granule,
        inputBits,
        startLevel,
        inputBase: upper ? (1n << 64n) - (1n << BigInt(inputBits)) : 0n,
        outputBits: outputBits(number(control, 34, 32), idr5),
        accessFlagOff: bit(control, 35) || bit(control, 43),
        hierarchyOff: bit(pointer, 1),
      },
    ];
  };
  return [...half(false), ...half(true)];
};

const stage2Table = (ste: readonly bigint[], idr5: number): Table | undefined => {
  const control = ste[2]!;
  const granule = granules0[number(control, 47, 46)];
  const startLevel = granule === undefined ? undefined : startLevel2(granule, number(control, 39, 38));
  if (granule === undefined || startLevel === undefined) return undefined;
  return {
    stage: 2,
    root: bits(ste[3]!, 51, 4) << 4n,
    granule,
    inputBits: 64 - number(control, 37, 32),
    startLevel,
    inputBase: 0n,
    outputBits: outputBits(number(control, 50, 48), idr5),
    accessFlagOff: bit(control, 53) || bit(control, 56),
    hierarchyOff: true,
  };
};

export const ABORTS = 0b000;
export const BYPASS = 0b100;
export const STAGE1 = 0b101;
export const STAGE2 = 0b110;
export const NESTED = 0b111;

/** The leaves of all tables that are sound, and a note for the others. */
const through = (memory: NotedMemory, tables: readonly (Table | undefined)[]): Pick<Stream, "leaves" | "notes"> => {
  const sound = tables.filter((table) => table !== undefined && isSound(table)) as Table[];
  return { leaves: sound.flatMap((table) => leavesOf(memory, table)), notes: sound.length === tables.length ? [] : ["a table whose size, granule and first level do not fit together is not decoded"] };
};

/** Follows one stream table entry. */
export const streamOf = (memory: NotedMemory, entry: StreamEntry, registers: Registers): Stream => {
  const ste = entry.words;
  const idr5 = registers(0x14);
  const nothing = { entry, leaves: [], notes: [] };
  if (!entry.valid || entry.config < STAGE1) return nothing;
  if (entry.config === NESTED) return { ...nothing, notes: ["stage 1 over stage 2 is not decoded"] };
  if (entry.config === STAGE2) return { entry, ...through(memory, [stage2Table(ste, idr5)]) };
  const substreams = number(ste[0]!, 63, 59);
  const at = bits(ste[0]!, 51, 6) << 6n;
  if (substreams !== 0 && number(ste[0]!, 5, 4) !== 0) return { ...nothing, notes: ["a two-level table of context descriptors is not decoded"] };
  const cd = words(memory, at, 8, "CD");
  const context = { at, words: cd };
  if (!bit(cd[0]!, 31)) return { ...nothing, context, notes: ["the context descriptor is not valid"] };
  const { leaves, notes } = through(memory, stage1Tables(cd, idr5));
  return { entry, context, leaves, notes: substreams === 0 ? notes : [...notes, `only the first of ${2 ** substreams} context descriptors is decoded`] };
};

const queue = (memory: NotedMemory, registers: Registers, [baseAt, producerAt, consumerAt]: readonly [number, number, number], recordBytes: number, tag: string): Queue => {
  const base = wide(registers, baseAt);
  const log2size = Math.min(number(base, 4, 0), 19);
  const bytes = 2 ** log2size * recordBytes;
  const first = aligned(bits(base, 51, 5) << 5n, BigInt(bytes));
  const content = Buffer.from(memory.range(first, bytes, tag));
  const records = Array.from({ length: 2 ** log2size }, (_, index) => ({ index, words: Array.from({ length: recordBytes / 8 }, (__, word) => content.readBigUInt64LE(index * recordBytes + word * 8)) }));
  return { base, log2size, producer: registers(producerAt), consumer: registers(consumerAt), records: records.filter((record) => record.words.some((word) => word !== 0n)) };
};

export const commandQueue = (memory: NotedMemory, registers: Registers): Queue => queue(memory, registers, [0x90, 0x98, 0x9c], 16, "CMDQ");
export const eventQueue = (memory: NotedMemory, registers: Registers): Queue => queue(memory, registers, [0xa0, 0xa8, 0xac], 32, "EVTQ");
