/**
 * Which untrusted components could influence each other, guessed from the first state: two that hold capabilities to one
 * object, or to objects of which one leads to the other, are in one group. A guess is enough: whether groups really keep to
 * themselves is certified by what their runs read and wrote (certificate.ts), and those that do not are joined.
 */
import { NONE } from "../../base/state.ts";
import { CB_CONTROL, CNODE, FRAME, kinds, NULL, PAGE_TABLE, SID_CONTROL, UNTYPED, VSPACE } from "../../kernel/capability.ts";
import type { Plan, Slice } from "../../kernel/plan.ts";
import { ENTRY_INVALID } from "../../kernel/state.ts";
import type { Booted } from "../../system/boot.ts";

/** Names of objects, such as `page 3`. */
type Reached = Set<string>;

const rowsOf = ({ cnodes }: Plan, cnode: number): number[] => cnodes[cnode]!.indices.map((_, position) => cnodes[cnode]!.firstRow + position);

const reachVspace = ({ plan, state }: Booted, vspace: number, reached: Reached): void => {
  reached.add(`vspace ${vspace}`).add(`page ${plan.vspaces[vspace]!.page}`);
  for (const [row, { kind, page }] of state.entry.entries()) if (plan.entries[row]!.vspace === vspace && kind !== ENTRY_INVALID) reached.add(`page ${page}`);
};
const reachUntyped = ({ plan }: Booted, untyped: number, reached: Reached): void => {
  reached.add(`untyped ${untyped}`);
  for (const [page, made] of plan.pages.entries()) if (made.untyped === untyped) reached.add(`page ${page}`);
};

const isUntrusted = ({ slots, subjects }: Plan, row: number): boolean => {
  const place = slots[row]!;
  return place.in === "cnode" && subjects.some(({ cnode, trusted }) => cnode === place.cnode && !trusted);
};

/** What the capability in a slot leads to. */
const reachSlot = (booted: Booted, row: number, reached: Reached): void => {
  const { plan, state } = booted;
  const { kind, object, asid, parent } = state.slot[row]!;
  reached.add(`slot ${row}`);
  // Who holds what a capability was derived from can take it away; trusted holders do not.
  if (parent !== NONE && isUntrusted(plan, parent)) reached.add(`slot ${parent}`);
  switch (kind) {
    case NULL:
      return;
    case UNTYPED:
      return reachUntyped(booted, object, reached);
    case CNODE:
      return reachCnode(booted, object, reached);
    case VSPACE:
      return reachVspace(booted, object, reached);
    case FRAME:
    case PAGE_TABLE:
      reached.add(`page ${object}`);
      return asid === NONE ? undefined : reachVspace(booted, state.asid[asid]!.vspace, reached);
    case SID_CONTROL:
      for (const sid of plan.sids.keys()) reached.add(`sid ${sid}`);
      return void reached.add("sidControl");
    case CB_CONTROL:
      for (const cb of plan.cbs.keys()) reached.add(`cb ${cb}`);
      return void reached.add("cbControl");
    default:
      return void reached.add(`${kinds[kind]} ${object}`);
  }
};
const reachCnode = (booted: Booted, cnode: number, reached: Reached): void => {
  if (reached.has(`cnode ${cnode}`)) return;
  reached.add(`cnode ${cnode}`);
  for (const row of rowsOf(booted.plan, cnode)) reachSlot(booted, row, reached);
};

/** What a component's capabilities lead to, in the first state. */
const reachedBy = (booted: Booted, subject: number): Reached => {
  const reached: Reached = new Set();
  reachCnode(booted, booted.plan.subjects[subject]!.cnode, reached);
  return reached;
};

/** Components that are explored together, ascending. */
export type Group = readonly number[];

/** One group out of those that share a member with one of the lists, and the others as they were; by first member. */
export const joined = (groups: readonly Group[], together: readonly (readonly number[])[]): readonly Group[] =>
  together
    .reduce<readonly Group[]>((left, members) => {
      const touched = left.filter((group) => group.some((member) => members.includes(member)));
      return [...left.filter((group) => !touched.includes(group)), touched.flat().toSorted((a, b) => a - b)];
    }, groups)
    .toSorted((a, b) => a[0]! - b[0]!);

/** The untrusted components of a system, in groups that share nothing in the first state. */
export const groupsOf = (booted: Booted): readonly Group[] => {
  const subjects = booted.plan.subjects.flatMap(({ trusted }, subject) => (trusted ? [] : [subject]));
  const holders = new Map<string, number[]>();
  for (const subject of subjects) for (const name of reachedBy(booted, subject)) holders.set(name, [...(holders.get(name) ?? []), subject]);
  return joined(subjects.map((subject) => [subject]), [...holders.values()].filter(({ length }) => length > 1));
};

/** Indices of the objects of a kind, ascending. */
const indicesOf = (reached: Reached, kind: "sid" | "untyped", length: number): number[] => Array.from({ length }, (_, index) => index).filter((index) => reached.has(`${kind} ${index}`));

/** For each group the slice in which it acts alone. */
export const slicesOf = (booted: Booted, groups: readonly Group[]): readonly Slice[] => {
  const { sids, untypeds } = booted.plan;
  const reached = groups.map((group) => new Set(group.flatMap((subject) => [...reachedBy(booted, subject)])));
  const streams = reached.map((names) => indicesOf(names, "sid", sids.length));
  return groups.map((subjects, at) => ({
    subjects,
    streams: streams[at]!,
    untypeds: indicesOf(reached[at]!, "untyped", untypeds.length),
    foreign: [...new Set(streams.flat())].filter((sid) => !streams[at]!.includes(sid)).toSorted((a, b) => a - b),
  }));
};
