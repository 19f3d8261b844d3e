/**
 * Address spaces: what one set of stage-1 roots and one stage-2 root map together, and who uses it. Streams whose tables
 * and rights are the same share one.
 */
import { hex } from "../base/words.ts";
import type { Stage2 } from "../smmuv3/configuration.ts";
import type { Context, Half } from "../smmuv3/context.ts";
import type { Granule } from "../smmuv3/descriptor.ts";
import { pieces } from "./contexts.ts";
import type { AddressRange, AddressSpace, StageAttributes, TableProblem, TreeRoot, User } from "./decoding.ts";
import { type Budget, type Cuts, limits } from "./limits.ts";
import { type Attributes, type Budgets, type Mapped, type Mapping, mappingsOf, type Rights, stage1Attributes, stage1Tree, stage2Attributes, stage2Tree } from "./mapping.ts";
import type { Memory } from "./memory.ts";
import type { Problem } from "./tables.ts";

/** Tables of one or both stages. */
export interface Tables {
  readonly stage1?: Context;
  readonly stage2?: Stage2;
}
interface Space {
  readonly tables: Tables;
  readonly users: User[];
}
export interface Spaces {
  /** The number of the address space that somebody uses; undefined past the limit. */
  readonly use: (tables: Tables, user: User) => number | undefined;
  readonly all: () => AddressSpace[];
}

const stage2Key = ({ granule, root, inputBits, startLevel, outputBits, wide, ignoreAccessFlag, executeByPrivilege, protectedWalk, bigEndian, setsAccessFlag, setsDirtyState, forcesWriteBack }: Stage2): string =>
  [granule, root, inputBits, startLevel, outputBits, wide, ignoreAccessFlag, executeByPrivilege, protectedWalk, bigEndian, setsAccessFlag, setsDirtyState, forcesWriteBack].join(" ");
const halfKey = (half: Half | undefined): string =>
  half === undefined ? "none" : [half.granule, half.inputBits, half.startLevel, half.root, half.outputBits, half.wide, half.hierarchyIgnored, half.unprivilegedDenied].join(" ");
const stage1Key = ({ world, halves, tagged, ignoreAccessFlag, writableNeverExecutes, privilegedNever, bigEndian, setsAccessFlag, setsDirtyState, memoryTypes, wideIndex }: Context): string =>
  [world, ...halves.map(halfKey), ...tagged, ignoreAccessFlag, writableNeverExecutes, privilegedNever, bigEndian, setsAccessFlag, setsDirtyState, memoryTypes, wideIndex].join(" ");
const keyOf = ({ stage1, stage2 }: Tables): string => [stage1 === undefined ? "" : stage1Key(stage1), stage2 === undefined ? "" : stage2Key(stage2)].join(" / ");

// Ranges.

const stageOf = ({ memory, shareability, level, block, flags }: Attributes): StageAttributes => ({ memory, shareability, level, block: hex(block), flags });
const stageKnown = new WeakMap<Attributes, StageAttributes>();
const stageAttributes = (attributes: Attributes): StageAttributes => {
  const known = stageKnown.get(attributes) ?? stageOf(attributes);
  stageKnown.set(attributes, known);
  return known;
};
const faultAt = (attributes: Attributes, stage: 1 | 2): Pick<AddressRange, "fault"> => (attributes.fault === undefined ? {} : { fault: { type: attributes.fault, stage } });
const both = (a: Rights, b: Rights): Rights => Array.from(a, (right, at) => (b[at] === right ? right : "-")).join("");

const single = ({ input, size, output, attributes }: Mapping, stage: 1 | 2): AddressRange => ({
  input: hex(input),
  size: hex(size),
  output: hex(output),
  privileged: attributes.privileged,
  unprivileged: attributes.unprivileged,
  ...faultAt(attributes, stage),
  [`stage${stage}`]: stageAttributes(attributes),
});
/** A piece of a stage-1 mapping, with the piece of stage 2 that its addresses go through, if there is one. */
const nested = (first: Mapping, from: bigint, size: bigint, second: Mapping | undefined): AddressRange => {
  const ipa = first.output + (from - first.input);
  const { attributes } = first;
  const there = { input: hex(from), size: hex(size), ipa: hex(ipa), stage1: stageAttributes(attributes) };
  if (second === undefined) return { ...there, privileged: attributes.privileged, unprivileged: attributes.unprivileged, fault: attributes.fault === undefined ? { type: "F_TRANSLATION", stage: 2 } : { type: attributes.fault, stage: 1 } };
  return {
    ...there,
    output: hex(second.output + (ipa - second.input)),
    privileged: both(attributes.privileged, second.attributes.privileged),
    unprivileged: both(attributes.unprivileged, second.attributes.unprivileged),
    ...(attributes.fault === undefined ? faultAt(second.attributes, 2) : faultAt(attributes, 1)),
    stage2: stageAttributes(second.attributes),
  };
};

/** Place of the first mapping that ends after an address. */
const placeAfter = (mappings: readonly Mapping[], address: bigint): number => {
  let low = 0;
  let high = mappings.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const { input, size } = mappings[middle]!;
    if (input + size <= address) low = middle + 1;
    else high = middle;
  }
  return low;
};

/** Stage-1 mappings through those of stage 2; the input address from where on there is no more room, if any. */
const compose = (firsts: readonly Mapping[], second: Mapped, budget: Budget, push: (range: AddressRange) => void): bigint | undefined => {
  for (const first of firsts) {
    const end = first.output + first.size;
    let next = placeAfter(second.mappings, first.output);
    for (let ipa = first.output; ipa < end; ) {
      const from = first.input + (ipa - first.output);
      // Beyond the part of stage 2 that was looked at nothing can be said.
      if (budget.left <= 0 || (second.cutAt !== undefined && ipa >= second.cutAt)) return from;
      budget.left--;
      const there = second.mappings[next];
      const inside = there !== undefined && there.input <= ipa;
      const stop = there === undefined ? end : inside ? there.input + there.size : there.input;
      const until = stop < end ? stop : end;
      push(nested(first, from, until - ipa, inside ? there : undefined));
      if (inside && stop <= end) next++;
      ipa = until;
    }
  }
  return undefined;
};

// Spaces.

const GRANULES: Readonly<Record<Granule, TreeRoot["granule"]>> = { 12: "4K", 14: "16K", 16: "64K" };
const rootOf = (part: TreeRoot["part"], { root, granule, startLevel, inputBits, outputBits }: Pick<Half, "root" | "granule" | "startLevel" | "inputBits" | "outputBits">): TreeRoot => ({
  part,
  root: hex(root),
  granule: GRANULES[granule],
  startLevel,
  inputBits,
  outputBits,
});
const problemOf = (part: TreeRoot["part"], { what, fault, input, level, address, value }: Problem): TableProblem => ({
  part,
  what,
  ...(fault === undefined ? {} : { fault }),
  input: hex(input),
  level,
  address: hex(address),
  ...(value === undefined ? {} : { value: hex(value) }),
});

/** What is left of all, and what one address space may take of it. */
const shareOf = (all: Budgets): Budgets => ({ descriptors: { left: Math.min(all.descriptors.left, limits.descriptors) }, ranges: { left: Math.min(all.ranges.left, limits.ranges) } });
const taken = (all: Budgets, before: Budgets, after: Budgets): void => {
  all.descriptors.left -= before.descriptors.left - after.descriptors.left;
  all.ranges.left -= before.ranges.left - after.ranges.left;
};

interface Reader {
  readonly memory: Memory;
  readonly budgets: Budgets;
  readonly cuts: Cuts;
  /** Stage-2 trees that were read. */
  readonly second: Map<string, Mapped>;
}

const limitWords = `at most ${limits.descriptors} descriptors and ${limits.ranges} ranges are read for one address space, ${limits.allDescriptors} and ${limits.allRanges} for all`;
const sayCut = (cuts: Cuts, id: number, at: bigint): void => cuts.say(`Address space ${id} is not listed from input address ${hex(at)} on: ${limitWords}.`);

const stage2Mapped = ({ memory, budgets, second }: Reader, { stage2 }: Tables & { readonly stage2: Stage2 }): Mapped => {
  const key = stage2Key(stage2);
  const known = second.get(key);
  if (known !== undefined) return known;
  const share = shareOf(budgets);
  const before = shareOf(budgets);
  const mapped = mappingsOf(stage2Tree(stage2), pieces(memory, undefined), stage2Attributes(stage2), share);
  taken(budgets, before, share);
  second.set(key, mapped);
  return mapped;
};

interface Collected {
  readonly ranges: AddressRange[];
  readonly problems: TableProblem[];
  untold: number;
  leaves: number;
}
const collectProblems = (collected: Collected, part: TreeRoot["part"], mapped: Mapped): void => {
  collected.problems.push(...mapped.problems.map((problem) => problemOf(part, problem)));
  collected.untold += mapped.untold;
};

const collectStage1 = (reader: Reader, tables: Tables & { readonly stage1: Context }, id: number, collected: Collected): void => {
  const { stage1: context, stage2 } = tables;
  const second = stage2 === undefined ? undefined : stage2Mapped(reader, { ...tables, stage2 });
  if (second !== undefined) collectProblems(collected, "S2TTB", second);
  const piece = pieces(reader.memory, stage2);
  const share = shareOf(reader.budgets);
  const before = shareOf(reader.budgets);
  // Where stage 2 follows, what is listed are the ranges through both; those of stage 1 alone are counted apart.
  const alone = second === undefined ? share : { descriptors: share.descriptors, ranges: { left: limits.ranges } };
  for (const [which, half] of context.halves.entries()) {
    if (half === undefined) continue;
    const mapped = mappingsOf(stage1Tree(half, context, which === 1), piece, stage1Attributes(context, half), alone);
    collectProblems(collected, which === 0 ? "TTB0" : "TTB1", mapped);
    collected.leaves += mapped.leaves;
    if (second === undefined) for (const mapping of mapped.mappings) collected.ranges.push(single(mapping, 1));
    const cutAt = second === undefined ? undefined : compose(mapped.mappings, second, share.ranges, (range) => collected.ranges.push(range));
    const cut = cutAt ?? mapped.cutAt;
    if (cut !== undefined) sayCut(reader.cuts, id, cut);
  }
  taken(reader.budgets, before, share);
};

const collectStage2 = (reader: Reader, tables: Tables & { readonly stage2: Stage2 }, id: number, collected: Collected): void => {
  const mapped = stage2Mapped(reader, tables);
  collectProblems(collected, "S2TTB", mapped);
  collected.leaves += mapped.leaves;
  for (const mapping of mapped.mappings) collected.ranges.push(single(mapping, 2));
  if (mapped.cutAt !== undefined) sayCut(reader.cuts, id, mapped.cutAt);
};

const spaceOf = (reader: Reader, { tables, users }: Space, id: number): AddressSpace => {
  const { stage1, stage2 } = tables;
  const collected: Collected = { ranges: [], problems: [], untold: 0, leaves: 0 };
  if (stage1 !== undefined) collectStage1(reader, { ...tables, stage1 }, id, collected);
  else if (stage2 !== undefined) collectStage2(reader, { ...tables, stage2 }, id, collected);
  if (collected.untold > 0) reader.cuts.say(`${collected.untold} more faults of the tables of address space ${id} are not listed, ${limits.problems} of each tree are.`);
  const halves = (stage1?.halves ?? []).flatMap((half, which) => (half === undefined ? [] : [rootOf(which === 0 ? "TTB0" : "TTB1", half)]));
  const reachable = collected.ranges.reduce((sum, { output, fault, size }) => (output === undefined || fault !== undefined ? sum : sum + BigInt(size)), 0n);
  return {
    id,
    roots: [...halves, ...(stage2 === undefined ? [] : [rootOf("S2TTB", stage2)])],
    users,
    leaves: collected.leaves,
    reachable: hex(reachable),
    ranges: collected.ranges,
    problems: collected.problems,
  };
};

export const createSpaces = (memory: Memory, cuts: Cuts): Spaces => {
  const spaces = new Map<string, Space & { readonly id: number }>();
  return {
    use: (tables, user) => {
      const key = keyOf(tables);
      let space = spaces.get(key);
      if (space === undefined) {
        if (spaces.size >= limits.addressSpaces) {
          cuts.say(`More than ${limits.addressSpaces} address spaces are there; the rest is not listed.`);
          return undefined;
        }
        spaces.set(key, (space = { id: spaces.size, tables, users: [] }));
      }
      if (space.users.length < limits.users) space.users.push(user);
      else cuts.say(`Of the users of an address space, at most ${limits.users} are listed.`);
      return space.id;
    },
    all: () => {
      const reader: Reader = { memory, budgets: { descriptors: { left: limits.allDescriptors }, ranges: { left: limits.allRanges } }, cuts, second: new Map() };
      return [...spaces.values()].map((space) => spaceOf(reader, space, space.id));
    },
  };
};
