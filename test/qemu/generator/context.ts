/** Context descriptors, made from the layout's own fields. */
import fc from "fast-check";
import { Cd } from "../../../specs/smmuv3/cd.ts";
import { always, bitsOf, flag, often, oneOf, put, spoiling, weighted } from "./choosing.ts";
import { awayFromDevices, HOLES } from "./places.ts";
import type { Regime } from "./tables.ts";

/** T0SZ or T1SZ: each start level, its ends, and what is just illegal. */
const inputSize = weighted([24, fc.bigInt(16n, 39n)], [12, oneOf(16n, 17n, 24n, 25n, 28n, 33n, 34n, 39n)], [1, oneOf(15n, 40n)]);
const half = fc.record({
  off: flag(3),
  size: inputSize,
  /** Of 4, 64, 16 KiB, or reserved; not encoded alike in both halves. */
  granule: weighted([40, always(0)], [16, always(1)], [16, always(2)], [1, always(3)]),
  hierarchyIgnored: flag(5),
  root: weighted<(root: bigint) => bigint>(
    [60, always((root) => root)],
    [2, fc.bigInt(1n, 0xfffn).map((at) => (root: bigint) => root | ((at << 4n) & 0xffffn))],
    [1, oneOf(...HOLES).map((hole) => () => hole)],
    [1, fc.bigInt(33n, 51n).map((at) => (root: bigint) => root | (1n << at))],
  ),
});
export const contextChoice = fc.record({
  valid: flag(40, true),
  lower: half,
  upper: half,
  outputSize: often(8, always(4n), fc.bigInt(0n, 5n)),
  asid: weighted([4, fc.bigInt(0n, 2n)], [1, fc.bigInt(0n, 0xffffn)]),
  records: flag(6, true),
  accessFlagOff: flag(6),
  tagged: weighted([4, always(0n)], [3, fc.bigInt(0n, 3n)]),
  other: flag(4),
  spoil: spoiling(Cd),
});
export type ContextChoice = typeof contextChoice extends fc.Arbitrary<infer C> ? C : never;

const TG0 = [0n, 1n, 2n, 3n] as const;
const TG1 = [2n, 3n, 1n, 0n] as const;

/** QEMU 10.0 ends itself on an IPS of 6 or 7. No scene has that. */
export const survivable = (words: bigint[]): void => {
  const size = bitsOf(Cd, words, "IPS");
  if (size > 5n) put(Cd, words, "IPS", size - 4n);
};

/** The words of a context descriptor whose roots are these, as its stage 1 sees them. */
export const contextWords = (choice: ContextChoice, roots: readonly [bigint, bigint]): bigint[] => {
  const words = Array.from({ length: Cd.words }, () => 0n);
  const { lower, upper } = choice;
  const fields = {
    V: BigInt(choice.valid),
    AA64: 1n,
    A: 1n,
    R: BigInt(choice.records),
    AFFD: BigInt(choice.accessFlagOff),
    IPS: choice.outputSize,
    ASID: choice.asid,
    TBI0: choice.tagged & 1n,
    TBI1: choice.tagged >> 1n,
    WXN: BigInt(choice.other),
    PAN: BigInt(choice.other),
    T0SZ: lower.size,
    TG0: TG0[lower.granule]!,
    EPD0: BigInt(lower.off),
    HAD0: BigInt(lower.hierarchyIgnored),
    TTB0: lower.root(roots[0]) >> 4n,
    T1SZ: upper.size,
    TG1: TG1[upper.granule]!,
    EPD1: BigInt(upper.off),
    HAD1: BigInt(upper.hierarchyIgnored),
    TTB1: upper.root(roots[1]) >> 4n,
    MAIR_ATTR0: 0xffn,
  } as const;
  for (const [name, value] of Object.entries(fields)) put(Cd, words, name, value);
  choice.spoil(words);
  for (const name of ["TTB0", "TTB1"]) put(Cd, words, name, awayFromDevices(bitsOf(Cd, words, name) << 4n) >> 4n);
  survivable(words);
  return words;
};

const GRANULES = [
  [12, 16, 14, 12],
  [12, 14, 12, 16],
] as const;
/** The tables that a half of a context walks, as near as it makes sense; the root as stage 1 sees it. */
export const firstRegime = (words: readonly bigint[], which: 0 | 1): Regime => {
  const granule = GRANULES[which][Number(bitsOf(Cd, words, `TG${which}`))]!;
  const inputBits = Math.min(Math.max(64 - Number(bitsOf(Cd, words, `T${which}SZ`)), granule + 1), 52);
  const start = Math.max(3 - Math.floor((inputBits - 1 - granule) / (granule - 3)), 0);
  return { granule, start, inputBits, root: (bitsOf(Cd, words, `TTB${which}`) << 4n) & ((1n << 48n) - 1n), concatenated: false };
};
