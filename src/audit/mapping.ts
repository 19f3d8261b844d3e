/**
 * What a tree of tables maps, as ranges that are as long as they can be: neighbours join where their outputs do and
 * everything else about them is equal.
 */
import { stage1Memory, stage2Memory } from "../smmuv3/attributes.ts";
import type { Context, Half } from "../smmuv3/context.ts";
import type { Stage2 } from "../smmuv3/configuration.ts";
import { NO_HIERARCHY, type Stage1Leaf, stage1Leaf, leafFlags, stage2Rights, type Hierarchy } from "../smmuv3/descriptor.ts";
import { type Asked, permits1, permits2, type Stage1Rights } from "../smmuv3/walk.ts";
import { contiguousGroups } from "./contiguous.ts";
import { type Budget, limits } from "./limits.ts";
import { mairType, shareability, stage2Type } from "./memoryType.ts";
import { type Leaf, type Piece, type Problem, type Tree, visitLeaves } from "./tables.ts";

/** `r`, `w` and `x` where they are allowed, `-` where not. */
export type Rights = string;

/** Everything about a leaf but its addresses; one object for equal ones of a tree. */
export interface Attributes {
  readonly privileged: Rights;
  readonly unprivileged: Rights;
  readonly memory: string;
  readonly shareability: string;
  readonly level: number;
  /** Bytes of a page or block. */
  readonly block: bigint;
  /** What is unusual: `contiguous`, `nG` (not global), `AF=0`, `DBM`. */
  readonly flags: readonly string[];
  /** Every access faults, whatever the rights. */
  readonly fault?: "F_ACCESS";
}
export interface Mapping {
  readonly input: bigint;
  readonly size: bigint;
  readonly output: bigint;
  readonly attributes: Attributes;
}
export interface Mapped {
  readonly mappings: readonly Mapping[];
  /** Leaves that were met. */
  readonly leaves: number;
  readonly problems: readonly Problem[];
  /** Problems beyond the limit. */
  readonly untold: number;
  /** Input address from where on nothing was looked at. */
  readonly cutAt?: bigint;
}

/** The rights of somebody by asking for each. */
export const rightsBy = (permits: (asked: Asked) => boolean, priv: boolean): Rights =>
  [permits({ op: "read", priv }) ? "r" : "-", permits({ op: "write", priv }) ? "w" : "-", permits({ op: "read", priv, instr: true }) ? "x" : "-"].join("");
const NONE: Rights = "---";

const flagsOf = (value: bigint, notGlobal: boolean): string[] => {
  const { accessed, contiguous, dirtyModifier } = leafFlags(value);
  return [...(contiguous ? ["contiguous"] : []), ...(notGlobal ? ["nG"] : []), ...(accessed ? [] : ["AF=0"]), ...(dirtyModifier ? ["DBM"] : [])];
};

/** `writableClean`: hardware makes it writable when it is written. */
const limited = (leaf: Stage1Leaf, above: Hierarchy, writableClean: boolean): Stage1Rights => ({
  writableClean,
  readOnly: leaf.readOnly || above.readOnly,
  unprivileged: leaf.unprivileged && !above.noUnprivileged,
  privilegedExecuteNever: leaf.privilegedExecuteNever || above.privilegedExecuteNever,
  unprivilegedExecuteNever: leaf.unprivilegedExecuteNever || above.unprivilegedExecuteNever,
});

/** What a stage-1 leaf means in its context. A clean page that hardware makes dirty is writable. */
export const stage1Attributes =
  (context: Context, half: Half) =>
  ({ value, level, size, above }: Leaf): Attributes => {
    const leaf = stage1Leaf(value);
    const memory = stage1Memory(value, context);
    const dirties = leaf.dirtyModifier && context.setsDirtyState && !above.readOnly;
    const rights = limited(leaf, above, dirties);
    const permits = (asked: Asked): boolean => permits1(asked.op === "write" && dirties ? { ...rights, readOnly: false } : rights, context, asked);
    return {
      privileged: rightsBy(permits, true),
      unprivileged: half.unprivilegedDenied ? NONE : rightsBy(permits, false),
      memory: mairType(memory.mair),
      shareability: shareability(memory.shareability),
      level,
      block: size,
      flags: flagsOf(value, leaf.notGlobal),
      ...(leaf.accessed || context.ignoreAccessFlag || context.setsAccessFlag ? {} : { fault: "F_ACCESS" as const }),
    };
  };

export const stage2Attributes =
  (regime: Stage2) =>
  ({ value, level, size }: Leaf): Attributes => {
    const { accessed, dirtyModifier } = leafFlags(value);
    const rights = stage2Rights(value);
    const memory = stage2Memory(value, regime);
    const permits = (asked: Asked): boolean => permits2(asked.op === "write" && dirtyModifier && regime.setsDirtyState ? { ...rights, write: true } : rights, regime.executeByPrivilege, asked);
    return {
      privileged: rightsBy(permits, true),
      unprivileged: rightsBy(permits, false),
      memory: stage2Type(memory.memAttr, memory.forced),
      shareability: shareability(memory.shareability),
      level,
      block: size,
      flags: flagsOf(value, false),
      ...(accessed || regime.ignoreAccessFlag || regime.setsAccessFlag ? {} : { fault: "F_ACCESS" as const }),
    };
  };

export const stage1Tree = (half: Half, context: Context, upper: boolean): Tree => ({
  ...half,
  stage: 1,
  bigEndian: context.bigEndian,
  first: upper ? (1n << 64n) - (1n << BigInt(half.inputBits)) : 0n,
  hierarchical: !half.hierarchyIgnored,
});
export const stage2Tree = (regime: Stage2): Tree => ({ ...regime, stage: 2, first: 0n, hierarchical: false });

/** Bits of a descriptor that are no address at any granule. */
const NO_ADDRESS = ~0xffff_ffff_f000n & ((1n << 64n) - 1n);
const aboveKey = (above: Hierarchy): string => (above === NO_HIERARCHY ? "" : Object.values(above).map(Number).join(""));

/** Equal attributes as one object. */
const interned = (attributesOf: (leaf: Leaf) => Attributes): ((leaf: Leaf) => Attributes) => {
  const byBits = new Map<string, Attributes>();
  const byContent = new Map<string, Attributes>();
  return (leaf) => {
    const key = `${(leaf.value & NO_ADDRESS).toString(36)} ${leaf.level} ${aboveKey(leaf.above)}`;
    const known = byBits.get(key);
    if (known !== undefined) return known;
    const attributes = attributesOf(leaf);
    const content = JSON.stringify({ ...attributes, block: leaf.level });
    const one = byContent.get(content) ?? attributes;
    byContent.set(content, one);
    byBits.set(key, one);
    return one;
  };
};

const continues = (last: Mapping, leaf: Leaf, attributes: Attributes): boolean => last.attributes === attributes && last.input + last.size === leaf.input && last.output + last.size === leaf.output;

/** What is read and kept at most. */
export interface Budgets {
  readonly descriptors: Budget;
  readonly ranges: Budget;
}

/** Everything that a tree maps. */
export const mappingsOf = (tree: Tree, piece: Piece, attributesOf: (leaf: Leaf) => Attributes, budgets: Budgets): Mapped => {
  const mappings: { -readonly [K in keyof Mapping]: Mapping[K] }[] = [];
  const problems: Problem[] = [];
  const attributesAt = interned(attributesOf);
  let untold = 0;
  let leaves = 0;
  const problem = (found: Problem): void => {
    if (problems.length < limits.problems) problems.push(found);
    else untold++;
  };
  const groups = contiguousGroups(tree.granule, ({ leaf: { input, level, address, value }, why }) => problem({ what: `neighbours with the contiguous bit do not agree: ${why}`, input, level, address, value }));
  const cutAt = visitLeaves(tree, piece, budgets.descriptors, {
    leaf: (leaf) => {
      const attributes = attributesAt(leaf);
      const last = mappings.at(-1);
      leaves++;
      groups.leaf(leaf);
      if (last !== undefined && continues(last, leaf, attributes)) {
        last.size += leaf.size;
        return true;
      }
      if (budgets.ranges.left <= 0) return false;
      budgets.ranges.left--;
      mappings.push({ input: leaf.input, size: leaf.size, output: leaf.output, attributes });
      return true;
    },
    problem,
  });
  // A group that was cut through is not judged.
  if (cutAt === undefined) groups.end();
  return { mappings, leaves, problems, untold, ...(cutAt === undefined ? {} : { cutAt }) };
};
