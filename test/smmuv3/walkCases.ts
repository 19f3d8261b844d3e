/** Random walks for two walkers to agree on: regimes, tables that map something and are then spoiled, and what is asked. */
import fc from "fast-check";
import { rootBytes, type Stage2, type StreamWorld } from "../../src/smmuv3/configuration.ts";
import type { Context, Half } from "../../src/smmuv3/context.ts";
import { type Granule, levelShift } from "../../src/smmuv3/descriptor.ts";
import type { MemoryRange } from "../../src/smmuv3/snapshot.ts";
import type { Asked } from "../../src/smmuv3/walk.ts";
import type { Regime } from "./bigintWalk.ts";
import { below, type Entry, inPlace, mapAddress, type Rooted, type Where, type Words } from "./laneTables.ts";

const granules: fc.Arbitrary<Granule> = fc.constantFrom(12, 14, 16);
const outputs = (granule: Granule): fc.Arbitrary<number> => fc.constantFrom(...(granule === 16 ? [32, 40, 44, 48, 52, 52] : [32, 36, 40, 42, 44, 48]));
/** Bits of output that stage 1 may have so that stage 2 has something to translate. */
const widest = (granule: Granule): number => (granule === 16 ? 52 : 48);
const rarely = fc.nat({ max: 7 }).map((n) => n === 0);
const often = rarely.map((no) => !no);
/** What this walker leaves to the other one. */
const seldom = fc.nat({ max: 19 }).map((n) => n === 0);
/** Where tables lie: low, across a multiple of 2^32, or as high as the output reaches. */
const bases = fc.constantFrom(0x4000_0000n, 0xffff_0000n, 0x1_8000_0000n, 0xffff_c000_0000n, 0xf_8000_0001_0000n);

const halves = (most: number): fc.Arbitrary<Half> =>
  granules.chain((granule) =>
    fc
      .record({ inputBits: fc.oneof(fc.constantFrom(32, 39, 40, 42, 48, widest(granule)), fc.integer({ min: granule === 16 ? 17 : 16, max: widest(granule) })), outputBits: outputs(granule), implemented: fc.boolean(), base: bases, hierarchyIgnored: rarely, unprivilegedDenied: rarely })
      .map(({ inputBits, outputBits, implemented, base, ...rest }) => {
        const startLevel = 3 - Math.floor((inputBits - 1 - granule) / (granule - 3));
        const bytes = 8n << (BigInt(inputBits) - levelShift(startLevel, granule));
        const root = base & below(Math.min(outputBits, most)) & ~((bytes < 64n ? 64n : bytes) - 1n);
        return { granule, inputBits, outputBits, wide: implemented || outputBits === 52, startLevel, root, base: root, ...rest };
      }),
  );
const contexts = (most: number): fc.Arbitrary<Context> =>
  fc
    .record({
      world: fc.constantFrom<StreamWorld>("EL1", "EL1", "EL2", "EL2-E2H"),
      lower: halves(most),
      upper: halves(most),
      without: fc.constantFrom("neither", "neither", "neither", "lower", "upper"),
      tagged: fc.tuple(fc.boolean(), fc.boolean()),
      ignoreAccessFlag: fc.boolean(),
      writableNeverExecutes: rarely,
      privilegedNever: rarely,
      setsAccessFlag: seldom,
      setsDirtyState: seldom,
      bigEndian: seldom,
    })
    .map(({ lower, upper, without, ...rest }) => ({
      ...rest,
      asid: 1,
      halves: [without === "lower" ? undefined : lower, without === "upper" || rest.world === "EL2" ? undefined : upper],
      recorded: true,
      stalls: false,
      aborts: true,
      memoryTypes: 0n,
      wideIndex: false,
    }));

/** `least` bits of input: what stage-1 tables behind it need. Every start level, and up to 16 root tables side by side. */
const stages2 = (least: number): fc.Arbitrary<Stage2> =>
  granules.chain((granule) =>
    fc
      .record({ inputBits: fc.integer({ min: Math.max(least, granule + 1), max: widest(granule) }), up: fc.nat({ max: 3 }), outputBits: outputs(granule), implemented: fc.boolean(), base: bases, ignoreAccessFlag: fc.boolean(), executeByPrivilege: fc.boolean(), protectedWalk: rarely, forcesWriteBack: rarely, bigEndian: seldom, setsAccessFlag: seldom, setsDirtyState: seldom })
      .map(({ inputBits, up, outputBits, implemented, base, ...rest }) => {
        const stride = granule - 3;
        const fits = [0, 1, 2, 3].filter((level) => {
          const indexed = inputBits - Number(levelShift(level, granule));
          return indexed >= 1 && indexed <= stride + 4;
        });
        const startLevel = fits[up % fits.length]!;
        const bytes = rootBytes({ inputBits, startLevel, granule });
        const root = base & below(outputBits) & ~((bytes < 64n ? 64n : bytes) - 1n);
        return { class: "stage2", vmid: 1, granule, inputBits, outputBits, wide: implemented || outputBits === 52, startLevel, root, base: root, recorded: true, stalls: false, tagPermission: false, ...rest };
      }),
  );

/** Regimes of each kind, all that descriptors of a stream could ask for. */
export const regimes: Readonly<Record<"stage1" | "stage2" | "nested", fc.Arbitrary<Regime>>> = {
  stage1: contexts(52).map((context) => ({ context })),
  stage2: stages2(13).map((stage2) => ({ stage2 })),
  nested: fc.tuple(fc.integer({ min: 33, max: 48 }), fc.integer()).chain(([least]) => fc.record({ context: contexts(least), stage2: stages2(least) })),
};

// Tables: some addresses mapped, then some bits of what was written turned over.

interface Mapping {
  readonly address: bigint;
  readonly upper: boolean;
  readonly level: number;
  readonly target: bigint;
  readonly leafBits: bigint;
  readonly tableBits: bigint;
}
const bit = (at: number, set: fc.Arbitrary<boolean>): fc.Arbitrary<bigint> => set.map((is) => (is ? 1n << BigInt(at) : 0n));
const bits = (...each: readonly (readonly [at: number, set: fc.Arbitrary<boolean>])[]): fc.Arbitrary<bigint> => fc.tuple(...each.map(([at, set]) => bit(at, set))).map((all) => all.reduce((sum, one) => sum | one, 0n));
const leafBits = bits([2, fc.boolean()], [4, fc.boolean()], [6, often], [7, fc.boolean()], [10, often], [51, fc.boolean()], [53, rarely], [54, rarely]);
const tableBits = bits([59, rarely], [60, rarely], [61, rarely], [62, rarely]);
const addresses = fc.oneof(fc.constantFrom(0n, 0x1234_5678n, 0xffff_ffff_ffff_f000n, 0x8000_0000n, 0x1_0000_0000n), fc.bigInt({ min: 0n, max: below(64) }));
export const mappings: fc.Arbitrary<Mapping> = fc.record({ address: addresses, upper: fc.boolean(), level: fc.constantFrom(0, 1, 2, 3, 3, 3), target: addresses, leafBits, tableBits });
/** The half that a mapping is in: the one that it wants, if walks are not disabled there. */
const halfOf = ({ context }: Regime, { upper }: Mapping): 0 | 1 => {
  const wanted = upper ? 1 : 0;
  return context?.halves[wanted] === undefined ? (upper ? 0 : 1) : wanted;
};
interface Turned {
  readonly which: number;
  readonly at: number;
}
export const turned: fc.Arbitrary<Turned> = fc.record({ which: fc.nat(), at: fc.oneof(fc.nat({ max: 63 }), fc.constantFrom(0, 1, 6, 7, 10, 12, 15, 32, 36, 40, 44, 47, 51, 59, 61, 62)) });

/** Access flag, readable, normal memory. */
const READABLE = 0x450n;
/** Tables of stage 1 in the place of their IPAs, and of stage 2 behind them. */
export const tablesOf = (regime: Regime, mapped: readonly Mapping[]): Words => {
  const { context, stage2 } = regime;
  const words: Words = new Map();
  const pool = (tables: Rooted, most: number) => {
    let last = tables.root;
    return () => (last = (last + 0x10_0000n) & below(Math.min(tables.outputBits, most)) & ~0xffffn);
  };
  const fresh2 = stage2 === undefined ? () => 0n : pool(stage2, 52);
  const through = (address: bigint, mapping: Mapping, readable: boolean): bigint | undefined => {
    if (stage2 === undefined) return address;
    const always = readable && mapping.target % 16n !== 1n ? READABLE : 0n;
    const entry: Entry = { freshTable: fresh2, tableBits: 0n, leafBits: mapping.leafBits | always, leafLevel: mapping.level, target: (address ^ mapping.target) & below(stage2.outputBits) };
    return address >> BigInt(stage2.inputBits) === 0n ? mapAddress(words, stage2, address, entry) : undefined;
  };
  const pools = context?.halves.map((half) => (half === undefined ? () => 0n : pool(half, stage2?.inputBits ?? 52)));
  for (const mapping of mapped) {
    const which = halfOf(regime, mapping);
    const half = context?.halves[which];
    if (context === undefined) through(mapping.address & below(stage2.inputBits), mapping, false);
    if (half === undefined) continue;
    const where: Where = stage2 === undefined ? inPlace : (address) => through(address, mapping, true);
    const target = mapping.target & below(Math.min(half.outputBits, stage2?.inputBits ?? 52));
    const output = mapAddress(words, half, mapping.address, { freshTable: pools![which]!, tableBits: mapping.tableBits, leafBits: mapping.leafBits, leafLevel: mapping.level, target }, where);
    if (output !== undefined) through(output, mapping, false);
  }
  return words;
};
export const perturb = (words: Words, turns: readonly Turned[]): void => {
  const written = [...words.keys()];
  for (const { which, at } of written.length === 0 ? [] : turns) {
    const address = written[which % written.length]!;
    words.set(address, words.get(address)! ^ (1n << BigInt(at)));
  }
};

/** A mapped address as its half takes it: the sign above the input size, and a tag where those are ignored. */
export const sought = (regime: Regime, mapping: Mapping, spoiled: number): bigint => {
  const { context, stage2 } = regime;
  const { address } = mapping;
  const which = halfOf(regime, mapping);
  const bitsOfInput = context?.halves[which]?.inputBits ?? stage2?.inputBits ?? 48;
  const within = address & below(bitsOfInput);
  const top = context?.tagged[which] === true ? 56 : 64;
  const tag = top === 56 ? (address >> 3n) & (0xffn << 56n) : 0n;
  const whole = within | tag | (context !== undefined && which === 1 ? below(top) & ~below(bitsOfInput) : 0n);
  if (spoiled === 0) return whole ^ (1n << (address % 64n));
  return spoiled === 1 ? whole ^ (1n << 55n) : whole;
};

interface Ask {
  readonly which: number;
  readonly offset: bigint;
  readonly spoiled: number;
  readonly asked: Asked;
}
export const asks: fc.Arbitrary<Ask> = fc.record({
  which: fc.nat(),
  offset: fc.oneof({ weight: 4, arbitrary: fc.bigInt({ min: 0n, max: 0xfffn }) }, { weight: 1, arbitrary: fc.bigInt({ min: 0n, max: 0xf_ffffn }) }),
  spoiled: fc.nat({ max: 31 }),
  asked: fc.record({ op: fc.constantFrom("read", "write"), priv: fc.boolean(), instr: rarely }),
});
/** RAM that ends and begins again in some page that was written: at its edges, or within. */
export const ramAround = (words: Words, which: number): MemoryRange[] => {
  const at = [...words.keys()][which % Math.max(words.size, 1)] ?? 0n;
  const hole = which % 2 === 0 ? at & ~0xfffn : at & ~0x3fn;
  const end = which % 2 === 0 ? hole + 0x1000n : hole + 0x40n;
  return [{ addr: 0n, size: hole }, { addr: end, size: (1n << 56n) - end }];
};

export const bigEndian = ({ context, stage2 }: Regime): boolean => context?.bigEndian === true || stage2?.bigEndian === true;
export const updating = ({ context, stage2 }: Regime): boolean => [context, stage2].some((one) => one !== undefined && (one.setsAccessFlag || one.setsDirtyState));
