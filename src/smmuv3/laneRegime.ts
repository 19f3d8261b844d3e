/**
 * Translation regimes as 32-bit lanes, compiled once for many walks: where the tables are, masks and shifts, and the rules
 * of access as a table. Positions in descriptors come from the layouts' lane plans; the rules are those of walk.ts, asked
 * here for every combination of rights.
 */
import { eventTypes } from "../../specs/smmuv3/event.ts";
import { Stage1Leaf, Stage1Table } from "../../specs/smmuv3/stage1.ts";
import { DescriptorType, LeafDescriptor } from "../../specs/smmuv3/stage2.ts";
import type { LanePlan } from "../base/layout.ts";
import { normalBits } from "./attributes.ts";
import { rootBytes, type Stage2 } from "./configuration.ts";
import type { Context, Half } from "./context.ts";
import { type Granule, levelShift, shapeOf } from "./descriptor.ts";
import { type Asked, formOf, permits1, permits2 } from "./walk.ts";

/** What a walk answers besides faults, which are told as the numbers of their events. NOT_HERE: ask the other walker. */
export const answers = { TRANSLATED: 0, NOT_HERE: -1 } as const;
const { TRANSLATED, NOT_HERE } = answers;
const { F_ACCESS } = eventTypes;

// What is asked.

const WRITE = 1;
const PRIVILEGED = 2;
const INSTRUCTION = 4;
/** The SMMU reads a table of stage 1. */
const TABLES = 8;
const TABLE_READ = TABLES | PRIVILEGED;
/** What is asked of a walk, as a number for `walkLanes`. */
export const askedLanes = ({ op, priv, instr }: Asked): number => (op === "write" ? WRITE : 0) | (priv === true ? PRIVILEGED : 0) | (instr === true ? INSTRUCTION : 0);
const askedOf = (bits: number): Asked => ({ op: (bits & WRITE) === 0 ? "read" : "write", priv: (bits & PRIVILEGED) !== 0, instr: (bits & INSTRUCTION) !== 0 });

// Fields of descriptors, by their lane plans.

interface Lanes {
  readonly high: number;
  readonly low: number;
}
const signed = ([low, high]: Uint32Array): Lanes => ({ high: high! | 0, low: low! | 0 });
const field = (plan: LanePlan, value: number): Lanes => {
  const lanes = new Uint32Array(2);
  plan.write(lanes, 0, value);
  return signed(lanes);
};
const lanesOf = (word: bigint): Lanes => ({ high: Number(BigInt.asIntN(32, word >> 32n)), low: Number(BigInt.asIntN(32, word)) });
const below = (bits: number): bigint => (1n << BigInt(Math.max(bits, 0))) - 1n;
/** The lowest bit of a field within its lane. */
const lowest = ({ at: [, lo] }: { readonly at: readonly [number, number] }): number => lo % 32;

const { block, tableOrPage } = DescriptorType.fields.Type.is;
const TYPE = tableOrPage;
const ADDRESS = field(LeafDescriptor.lanes("OutputAddress"), 2 ** 48 - 2 ** 12);
const AF = field(LeafDescriptor.lanes("AF"), 1).low;
const DIRTY_MODIFIER = field(LeafDescriptor.lanes("DBM"), 1).high;
/** Address bits 51:48 at 64 KiB lie in bits 15:12. */
const WIDE = 0xf000;
const WIDE_UP = 4;

/**
 * Rights of a leaf as bits. Stage 1: unprivileged, read-only, no privileged execution, no unprivileged execution; stage 2:
 * read, write, and the two bits of XN, which lie at the same places. One more: writable as soon as it is written.
 */
const AP_AT = lowest(Stage1Leaf.fields.AP);
const XN_AT = lowest(Stage1Leaf.fields.PXN);
const UNPRIVILEGED = 1;
const READ_ONLY = 2;
const WRITABLE_CLEAN = 16;
const ALL_RIGHTS = 32;
const WRITES = READ_ONLY << AP_AT;
const APTABLE = Stage1Table.fields.APTable.is;
const NO_UNPRIVILEGED = field(Stage1Table.lanes("APTable"), APTABLE.noUnprivileged).high;
const NO_WRITES = field(Stage1Table.lanes("APTable"), APTABLE.noWrites).high;
const PXN_TABLE = field(Stage1Table.lanes("PXNTable"), 1).high;
const UXN_TABLE = field(Stage1Table.lanes("UXNTable"), 1).high;
const XN_TABLE_AT = lowest(Stage1Table.fields.PXNTable);

/** What the walker looks for in descriptors and in what is asked; masks of lanes, and shifts. */
export const lanePositions = { TYPE, block, ADDRESS, AF, WIDE_UP, AP_AT, XN_AT, UNPRIVILEGED, READ_ONLY, WRITABLE_CLEAN, WRITES, NO_UNPRIVILEGED, NO_WRITES, XN_TABLE_AT, WRITE, PRIVILEGED, TABLES, TABLE_READ } as const;

// Regimes.

/** One stage, or one half of stage 1. Masks and addresses are signed 32-bit lanes. */
export interface LaneStage {
  readonly stage: 1 | 2;
  readonly root: Lanes;
  readonly granule: Granule;
  readonly startLevel: number;
  /** Of the start level: address bits below the index, and bits of an entry's offset in the root. */
  readonly startShift: number;
  readonly startMask: number;
  /** Bits of an index, and of an entry's offset, at the other levels. */
  readonly stride: number;
  readonly indexMask: number;
  /** Input address bits that must be as in `sign`. */
  readonly outside: Lanes;
  readonly sign: Lanes;
  /** Bits of an output's high lane beyond the output size, which is 32 bits at least. */
  readonly beyondHigh: number;
  /** Bits of a table descriptor's low lane that are an address in place, and those that are not. */
  readonly tableLow: number;
  readonly wide: number;
  /** Bit n: level n may hold blocks. */
  readonly blocks: number;
  /** Bits of a table descriptor's high lane that limit what is below. */
  readonly hierarchy: number;
  /** By what is asked: bit n says that a leaf with rights n allows it. */
  readonly allowed: Int32Array;
  readonly unprivilegedDenied: boolean;
  /** What an access flag of 0 is. */
  readonly unaccessed: typeof TRANSLATED | typeof F_ACCESS | typeof NOT_HERE;
  /** DBM where hardware manages the dirty state, and the right of a page that it makes dirty. */
  readonly dirtyModifier: number;
  readonly clean: number;
  /** Bits that tables must have one of: S2PTW forbids Device memory. 0 where it does not. */
  readonly tableMemory: number;
}

/** A translation regime for `walkLanes`. */
export interface LaneRegime {
  /** Whether this walker walks such tables at all. */
  readonly here: boolean;
  readonly hasStage1: boolean;
  /** Stage 1 of TTB0 and TTB1; undefined where walks are disabled. */
  readonly lower: LaneStage | undefined;
  readonly upper: LaneStage | undefined;
  readonly stage2: LaneStage | undefined;
}

const rightsTable = (allows: (rights: number, asked: Asked) => boolean): Int32Array =>
  Int32Array.from({ length: 2 * TABLES }, (_, asked) => {
    let allowed = 0;
    for (let rights = 0; rights < ALL_RIGHTS; rights++) if (allows(rights, askedOf(asked))) allowed |= 1 << rights;
    return allowed;
  });
const allowed1 = (context: Context): Int32Array =>
  rightsTable((bits, asked) => {
    const is = (bit: number): boolean => (bits & bit) !== 0;
    return permits1({ readOnly: is(READ_ONLY), unprivileged: is(UNPRIVILEGED), privilegedExecuteNever: is(4), unprivilegedExecuteNever: is(8), writableClean: is(WRITABLE_CLEAN) }, context, asked);
  });
const allowed2 = ({ executeByPrivilege }: Stage2): Int32Array =>
  rightsTable((bits, asked) => permits2({ read: (bits & 1) !== 0, write: (bits & 2) !== 0, executeNever: (bits >>> 2) & 3 }, executeByPrivilege, asked));

/** What the stages have in common. `sign` is that of the addresses of the half. */
const tablesOf = (tables: Half | Stage2, width: bigint, sign: bigint) => {
  const { granule, inputBits, startLevel, outputBits, root } = tables;
  const startShift = Number(levelShift(startLevel, granule));
  const form = formOf(tables);
  const outside = ((1n << width) - 1n) & ~below(inputBits);
  return {
    root: lanesOf(root),
    granule,
    startLevel,
    startShift,
    startMask: lanesOf(below(inputBits - startShift) << 3n).low,
    stride: granule - 3,
    indexMask: lanesOf(below(granule - 3) << 3n).low,
    outside: lanesOf(outside),
    sign: lanesOf(sign & outside),
    beyondHigh: lanesOf(~below(outputBits)).high,
    tableLow: ADDRESS.low & lanesOf(~below(granule)).low,
    wide: form.wide && granule === 16 ? WIDE : 0,
    blocks: [0, 1, 2].reduce((levels, level) => (shapeOf(BigInt(block), level, form).is === "leaf" ? levels | (1 << level) : levels), 0),
  };
};

const unaccessedOf = ({ ignoreAccessFlag, setsAccessFlag }: Context | Stage2) => {
  if (setsAccessFlag) return NOT_HERE;
  return ignoreAccessFlag ? TRANSLATED : F_ACCESS;
};
const halfLanes = (context: Context, half: Half, upper: boolean): LaneStage => ({
  stage: 1,
  ...tablesOf(half, context.tagged[upper ? 1 : 0] ? 56n : 64n, upper ? -1n : 0n),
  hierarchy: half.hierarchyIgnored ? 0 : NO_UNPRIVILEGED | NO_WRITES | PXN_TABLE | UXN_TABLE,
  allowed: allowed1(context),
  unprivilegedDenied: half.unprivilegedDenied,
  unaccessed: unaccessedOf(context),
  dirtyModifier: context.setsDirtyState ? DIRTY_MODIFIER : 0,
  clean: WRITES,
  tableMemory: 0,
});
const stage2Lanes = (regime: Stage2): LaneStage => ({
  stage: 2,
  ...tablesOf(regime, 64n, 0n),
  hierarchy: 0,
  allowed: allowed2(regime),
  unprivilegedDenied: false,
  unaccessed: unaccessedOf(regime),
  dirtyModifier: regime.setsDirtyState ? DIRTY_MODIFIER : 0,
  clean: 0,
  tableMemory: regime.protectedWalk ? field(LeafDescriptor.lanes("MemAttr"), normalBits(regime)).low : 0,
});

/** Whether a root is aligned to its size, so that an entry's offset can be joined to it. */
const aligned = (half: Half | Stage2 | undefined): boolean => half === undefined || (half.root & ((rootBytes(half) || 1n) - 1n)) === 0n;

/** Compiles stage 1, stage 2, or both. The regimes are the architecture's: what quirks do to a walk is not in them. */
export const compileRegime = ({ context, stage2 }: { readonly context: Context; readonly stage2?: Stage2 | undefined } | { readonly context?: undefined; readonly stage2: Stage2 }): LaneRegime => {
  const [lower, upper] = context?.halves ?? [undefined, undefined];
  return {
    here: context?.bigEndian !== true && stage2?.bigEndian !== true && [lower, upper, stage2].every(aligned),
    hasStage1: context !== undefined,
    lower: context === undefined || lower === undefined ? undefined : halfLanes(context, lower, false),
    upper: context === undefined || upper === undefined ? undefined : halfLanes(context, upper, true),
    stage2: stage2 === undefined ? undefined : stage2Lanes(stage2),
  };
};
