/** Registers, and stream tables of one and two levels. */
import fc from "fast-check";
import { offsets } from "../../../specs/smmuv3/registers.ts";
import type { HistoryStep } from "../../../src/smmuv3/history.ts";
import { always, flag, often, oneOf, weighted } from "./choosing.ts";
import { STREAM_TABLE, STREAM_TABLE_2 } from "./places.ts";
import type { Memory, Stream } from "./streams.ts";

const secondLevel = fc.record({
  split: weighted([5, oneOf(6, 8, 10)], [2, fc.nat(31)]),
  /** SPLIT+1 is every stream; few are enough for the first ones. */
  span: weighted<number | "whole">([4, always("whole")], [3, fc.integer({ min: 3, max: 7 })], [1, fc.nat(31)]),
  /** Units of 32 bytes by which L2Ptr is off. */
  misaligned: weighted([8, always(0n)], [1, fc.bigInt(1n, 63n)]),
  reachable: flag(15, true),
  /** Bits of the level-1 descriptors that have no meaning. */
  noise: often(4, always(0n), oneOf(1n << 5n, 1n << 56n, 1n << 63n, 1n << 52n, 1n << 48n)),
  /** FMT goes back to linear. */
  andBack: flag(8),
});
export const registersChoice = fc.record({
  enabled: flag(40, true),
  gbpa: oneOf(0x1000n, 0x10_1000n),
  cr2: oneOf(0n, 2n),
  log2Size: weighted([30, fc.integer({ min: 6, max: 16 })], [1, oneOf(0, 3, 4, 5, 17, 18, 31, 40, 58)]),
  /** Bytes, in table sizes over 16, by which the base is off its alignment. */
  misaligned: weighted([20, always(0n)], [1, fc.bigInt(1n, 15n)]),
  reachable: flag(40, true),
  /** Bits of STRTAB_BASE besides its address. */
  noise: often(25, always(0n), oneOf(0x3fn, 1n << 62n, 1n << 45n, 1n << 51n, 1n << 52n, 1n << 63n)),
  twoLevel: weighted<SecondLevel | undefined>([6, always(undefined)], [1, secondLevel]),
});
export type RegistersChoice = typeof registersChoice extends fc.Arbitrary<infer R> ? R : never;

const UPDATE = 0x8000_0000n;
const UNREACHABLE = 1n << 43n;
const MOST_LINEAR = 16;
/** A table's size as it matters here: no table is larger than 2^16 entries. */
const bounded = (log2Size: number): bigint => 64n << BigInt(Math.min(log2Size, MOST_LINEAR));

/** Entries for every reading of a base that is not aligned: only that of the base as given is valid, or only that is not. */
const storeLinear = (memory: Memory, base: bigint, log2Size: number, streams: readonly Stream[]): void => {
  const size = bounded(log2Size);
  const bases = [base, base & ~(size - 1n), base & ~(size / 2n - 1n), base & ~((64n << 16n) - 1n)];
  for (const { sid, entry } of streams)
    for (const [reading, from] of [...new Set(bases)].entries()) for (const [index, value] of entry.entries()) memory.store(from + BigInt(sid * 64 + index * 8), index === 0 && reading > 0 ? value ^ 1n : value);
};

type SecondLevel = typeof secondLevel extends fc.Arbitrary<infer L> ? L : never;
const LEGAL_SPLITS: readonly number[] = [6, 8, 10];
const storeTwoLevel = (memory: Memory, base: bigint, { split, span, misaligned, reachable, noise }: SecondLevel, streams: readonly Stream[]): void => {
  const table = STREAM_TABLE_2 + misaligned * 32n;
  const descriptor = (reachable ? table : UNREACHABLE) | BigInt(span === "whole" ? Math.min(split + 1, 31) : span) | noise;
  const readings = LEGAL_SPLITS.includes(split) ? [split] : [split, 6];
  for (const { sid, entry } of streams)
    for (const bits of readings) {
      memory.store(base + 8n * BigInt(Math.floor(sid / 2 ** bits)), descriptor);
      const index = BigInt(sid % 2 ** bits);
      for (const from of new Set([table, table & ~0x3fn, table & ~(bounded(bits) - 1n)])) for (const [at, value] of entry.entries()) memory.store(from + index * 64n + BigInt(at * 8), value);
    }
};

const register = (name: keyof typeof offsets, value: bigint, size: 4 | 8 = 4): HistoryStep => ({ kind: "register", offset: offsets[name], value, size });
/** Stores the streams' entries, and gives the writes to registers that lead there and enable the SMMU. */
export const makeStreamTable = (memory: Memory, choice: RegistersChoice, streams: readonly Stream[]): HistoryStep[] => {
  const { log2Size, twoLevel, misaligned } = choice;
  const off = ((bounded(log2Size) / 16n) * misaligned) & ~63n;
  const base = choice.reachable ? STREAM_TABLE + off : UNREACHABLE;
  if (twoLevel === undefined || twoLevel.andBack) storeLinear(memory, base, log2Size, streams);
  if (twoLevel !== undefined) storeTwoLevel(memory, base, twoLevel, streams);
  const format = twoLevel === undefined ? 0n : (1n << 16n) | (BigInt(twoLevel.split) << 6n);
  const configs = [BigInt(log2Size) | format, ...(twoLevel?.andBack === true ? [BigInt(log2Size)] : [])];
  return [
    register("CR2", choice.cr2),
    register("GBPA", UPDATE | choice.gbpa),
    register("STRTAB_BASE", base | choice.noise, 8),
    ...configs.map((config) => register("STRTAB_BASE_CFG", config)),
    register("CR0", choice.enabled ? 0xdn : 0xcn),
  ];
};
