/** Stream table entries, made from the layout's own fields. */
import fc from "fast-check";
import { Ste } from "../../../specs/smmuv3/ste.ts";
import { always, bitsOf, flag, oneOf, often, put, spoiling, weighted } from "./choosing.ts";
import { awayFromDevices, HOLES } from "./places.ts";
import type { Regime } from "./tables.ts";

/** S2TG, S2SL0, S2T0SZ: legal ones of each granule, with and without concatenated roots, and any. */
type InputSize = readonly [granule: bigint, start: bigint, size: bigint];
const sizes = (granule: bigint, start: bigint, least: bigint, most: bigint): fc.Arbitrary<InputSize> => fc.bigInt(least, most).map((size): InputSize => [granule, start, size]);
const inputSizes: fc.Arbitrary<InputSize> = weighted(
  [3, sizes(0n, 0n, 34n, 39n)],
  [6, sizes(0n, 1n, 25n, 33n)],
  [5, sizes(0n, 2n, 20n, 24n)],
  [2, sizes(0n, 0n, 30n, 33n)],
  [2, sizes(0n, 1n, 21n, 24n)],
  [2, sizes(2n, 1n, 28n, 38n)],
  [2, sizes(2n, 2n, 20n, 27n)],
  [1, oneOf<InputSize>([2n, 0n, 39n], [2n, 0n, 35n], [2n, 1n, 24n], [2n, 1n, 27n])],
  [2, sizes(1n, 1n, 22n, 34n)],
  [1, sizes(1n, 0n, 31n, 39n)],
  [1, sizes(1n, 1n, 20n, 21n)],
  [1, fc.tuple(fc.bigInt(0n, 3n), fc.bigInt(0n, 3n), fc.bigInt(15n, 40n))],
);

/** Whether an entry has stage 1, stage 2, or both. */
export type Stages = "s1" | "s2" | "nested" | "neither";
const CONFIG: Readonly<Record<Stages, readonly bigint[]>> = { s1: [5n], s2: [6n], nested: [7n], neither: [0n, 1n, 2n, 3n, 4n] };

export const entryChoice = fc.record({
  valid: flag(40, true),
  stages: weighted<Stages>([8, always("s1")], [5, always("s2")], [8, always("nested")], [1, always("neither")]),
  neither: fc.nat(4),
  inputSize: inputSizes,
  outputSize: often(8, always(4n), fc.bigInt(0n, 7n)),
  vmid: weighted([4, fc.bigInt(0n, 2n)], [1, fc.bigInt(0n, 0xffffn)]),
  records: flag(6, true),
  accessFlagOff: flag(6),
  protectedWalk: flag(4),
  /** What the entry's pointers are besides what they are for. */
  root: weighted<(root: bigint) => bigint>(
    [60, always((root) => root)],
    [2, fc.bigInt(1n, 0xffn).map((at) => (root: bigint) => root | (at << 4n))],
    [1, oneOf(...HOLES).map((hole) => () => hole)],
    [1, fc.bigInt(0n, 3n).map((at) => (root: bigint) => root | (1n << (48n + at)))],
  ),
  pointer: weighted<(pointer: bigint) => bigint>(
    [60, always((pointer) => pointer)],
    [1, oneOf(...HOLES).map((hole) => () => hole)],
    [1, fc.bigInt(42n, 55n).map((at) => (pointer: bigint) => pointer | (1n << at))],
  ),
  spoil: spoiling(Ste),
});
export type EntryChoice = typeof entryChoice extends fc.Arbitrary<infer E> ? E : never;

const pointerField = (name: "S2TTB" | "S1ContextPtr", words: bigint[]): void => {
  const low = BigInt(Ste.fields[name].at[1]);
  put(Ste, words, name, awayFromDevices(bitsOf(Ste, words, name) << low) >> low);
};

/** QEMU 10.0 ends itself on S2AA64=0 with stage 2 on. No scene has that. */
export const survivable = (words: bigint[]): void => {
  if ((bitsOf(Ste, words, "Config") & 2n) !== 0n) put(Ste, words, "S2AA64", 1n);
};

/** The words of an entry with these pointers: a physical root of stage 2, and where the CD is. */
export const entryWords = (choice: EntryChoice, root: bigint, pointer: bigint): bigint[] => {
  const words = Array.from({ length: Ste.words }, () => 0n);
  const [granule, start, size] = choice.inputSize;
  const configs = CONFIG[choice.stages];
  const fields = {
    V: BigInt(choice.valid),
    Config: configs[choice.neither % configs.length]!,
    S1ContextPtr: choice.pointer(pointer) >> 6n,
    S2VMID: choice.vmid,
    S2T0SZ: size,
    S2SL0: start,
    S2TG: granule,
    S2PS: choice.outputSize,
    S2AA64: 1n,
    S2R: BigInt(choice.records),
    S2AFFD: BigInt(choice.accessFlagOff),
    S2PTW: BigInt(choice.protectedWalk),
    S2TTB: choice.root(root) >> 4n,
  } as const;
  for (const [name, value] of Object.entries(fields)) put(Ste, words, name, value);
  choice.spoil(words);
  pointerField("S2TTB", words);
  pointerField("S1ContextPtr", words);
  survivable(words);
  return words;
};

const GRANULES = [12, 16, 14, 12] as const;
/** The tables that an entry's stage 2 walks, as near as it makes sense. */
export const secondRegime = (words: readonly bigint[]): Regime => {
  const granule = GRANULES[Number(bitsOf(Ste, words, "S2TG"))]!;
  const start = (granule === 12 ? 2 : 3) - Number(bitsOf(Ste, words, "S2SL0"));
  return { granule, start: Math.max(start, 0), inputBits: 64 - Number(bitsOf(Ste, words, "S2T0SZ")), root: (bitsOf(Ste, words, "S2TTB") << 4n) & ((1n << 48n) - 1n), concatenated: true };
};
/** What a decoded entry asks for; `undefined` where it translates nothing. */
export const stagesOf = (words: readonly bigint[]): { readonly first: boolean; readonly second: boolean } => {
  const config = bitsOf(Ste, words, "Config");
  return { first: config === 5n || config === 7n, second: config === 6n || config === 7n };
};
export const contextPointer = (words: readonly bigint[]): bigint => (bitsOf(Ste, words, "S1ContextPtr") << 6n) & ((1n << 48n) - 1n);
