/**
 * How far a state seems to be from a goal: 0 where it is reached, otherwise what is missing, counted in refusals that stand
 * in the way or in links of a DMA path. A guess that only orders the search.
 */
import { impossible } from "../../base/diagnostic.ts";
import { NONE } from "../../base/state.ts";
import { boundBank, cbNode, sidNode } from "../../kernel/binding.ts";
import { READ_WRITE, VSPACE } from "../../kernel/capability.ts";
import { forEachInstance } from "../../kernel/instances.ts";
import type { Invocation, Request } from "../../kernel/invocation.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { ENTRY_PAGE } from "../../kernel/state.ts";
import { leafLevel, walkEnd } from "../../kernel/vspace.ts";
import type { LayoutDmaPath } from "../../system/layout.ts";
import type { View } from "../properties/property.ts";
import { FAR } from "./bestFirst.ts";
import type { Goal, InvocationGoal } from "./goals.ts";

/** An invocation of some subject. */
export interface Instance {
  readonly subject: number;
  readonly definition: Invocation;
  readonly request: Request;
}

/** Nobody has a capability to invoke. */
const NO_INSTANCE = FAR - 1;
/** A reason that does not hold weighs as much as this many that hold before it. */
const NOT_HOLDING = 3;

/** Does a refusal hold, asked out of turn? It may ask what only an earlier one makes certain, and then it does not. */
const holds = (kernel: Kernel, { refusals }: Invocation, request: Request, index: number): boolean => {
  try {
    return refusals[index]!.words(kernel, request) !== undefined;
  } catch {
    return false;
  }
};

/** Which refusals of a definition hold of a request: bit by bit. */
const holding = (kernel: Kernel, definition: Invocation, request: Request): number => {
  let mask = 0;
  for (let index = 0; index < definition.refusals.length; index++) if (holds(kernel, definition, request, index)) mask |= 1 << index;
  return mask;
};
const MOST_REFUSALS = 31;

/** Calls `visit` with every instance of a definition, and which refusals hold of it. */
const forEachHolding = (kernel: Kernel, subjects: readonly number[], definition: Invocation, visit: (mask: number, instance: Instance) => void): void => {
  if (definition.refusals.length > MOST_REFUSALS) impossible(`${definition.label} has more refusals than a number has bits`);
  const only = [definition];
  forEachInstance(
    kernel,
    subjects,
    (subject, _, request) => visit(holding(kernel, definition, request), { subject, definition, request }),
    (kind) => (kind === definition.object ? only : []),
  );
};

/** What holds of the instances in a state, without duplicates: all that distances to goals of one definition need. */
export const holdingsIn = (kernel: Kernel, subjects: readonly number[], definition: Invocation): readonly number[] => {
  const masks = new Set<number>();
  forEachHolding(kernel, subjects, definition, (mask) => masks.add(mask));
  return [...masks];
};

const bits = (mask: number): number => {
  let count = 0;
  for (let left = mask; left !== 0; left &= left - 1) count += 1;
  return count;
};

/** What an instance lacks to be performed, or to be refused for one of the reasons: refusals that stand before it. */
const lacking = (goal: InvocationGoal, mask: number): number => {
  if (goal.is === "performed") return bits(mask);
  return Math.min(...goal.reasons.map((reason) => bits(mask & ((1 << reason) - 1)) + (((mask >>> reason) & 1) === 1 ? 0 : NOT_HOLDING)));
};

/** The distance of a state in which instances have these refusals. */
export const distanceBy = (goal: InvocationGoal, holdings: readonly number[]): number => holdings.reduce((least, mask) => Math.min(least, lacking(goal, mask)), NO_INSTANCE);

/** The first instance that a goal can end with, in declared order. */
export const lastInstance = (kernel: Kernel, subjects: readonly number[], goal: InvocationGoal): Instance | undefined => {
  let found: Instance | undefined;
  forEachHolding(kernel, subjects, goal.definition, (mask, instance) => {
    if (found === undefined && lacking(goal, mask) === 0) found = instance;
  });
  return found;
};

const vspaceOfBank = (kernel: Kernel, cb: number): number => {
  const node = kernel.tables.slot.at(cbNode(kernel, cb));
  return node.kind === VSPACE ? node.object : NONE;
};

/** Links of stream, bank, address space, page tables and page that are not there, by way of one address space. */
const missingBy = (kernel: Kernel, { sid, iova, pa, access }: LayoutDmaPath, vspace: number): number => {
  const { plan } = kernel;
  const bank = boundBank(kernel, sidNode(kernel, sid));
  const assigned = bank === NONE ? plan.cbs.some((cb, index) => cb.smmu === plan.sids[sid]!.smmu && vspaceOfBank(kernel, index) === vspace) : vspaceOfBank(kernel, bank) === vspace;
  const address = plan.addresses.findIndex((candidate) => candidate === iova);
  const page = plan.pages.findIndex((candidate) => candidate.pa === pa);
  const links = Number(bank === NONE) + Number(!assigned);
  if (address < 0 || page < 0) return links;
  const level = walkEnd(kernel, vspace, address);
  const entry = kernel.tables.entry.at(plan.entryAt(vspace, level, address));
  const mapped = entry.kind === ENTRY_PAGE && entry.page === page && (access === "read" || entry.rights === READ_WRITE);
  return links + Math.max(leafLevel(plan.pages[page]!.bits) - level, 0) + Number(!mapped);
};

const toPath = (view: View, path: LayoutDmaPath): number =>
  view.reaches(path) ? 0 : 1 + Math.min(...view.kernel.plan.vspaces.map((_, vspace) => missingBy(view.kernel, path, vspace)));

/** The distance of the state that a view shows. */
export const distanceTo = (goal: Goal, view: View, subjects: readonly number[]): number => {
  switch (goal.is) {
    case "path":
      return Math.min(...goal.paths.map((path) => toPath(view, path)));
    case "violates":
      return goal.property.violation(view) === undefined ? 1 : 0;
    default:
      return distanceBy(goal, holdingsIn(view.kernel, subjects, goal.definition));
  }
};
