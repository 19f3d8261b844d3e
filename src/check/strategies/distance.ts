/**
 * How far a state seems to be from a goal: 0 where it is reached, otherwise what is missing, counted in refusals that stand
 * in the way or in links of a DMA path. A guess that only orders the search.
 */
import { NONE } from "../../base/state.ts";
import { boundBank, cbNode, sidNode } from "../../kernel/binding.ts";
import { READ_WRITE, VSPACE } from "../../kernel/capability.ts";
import { forEachInstance } from "../../kernel/instances.ts";
import type { Invocation, Request } from "../../kernel/invocation.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { ENTRY_PAGE } from "../../kernel/state.ts";
import { leafLevel, walkEnd } from "../../kernel/vspace.ts";
import type { LayoutDmaPath } from "../../system/layout.ts";
import type { View } from "../properties.ts";
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

/** How many refusals hold before `end`, which stand in the way of what comes then. */
const before = (kernel: Kernel, definition: Invocation, request: Request, end: number): number => {
  let count = 0;
  for (let index = 0; index < end; index++) count += Number(holds(kernel, definition, request, index));
  return count;
};

/** What an instance lacks to be performed, or to be refused for one of the reasons. */
export const lacking = (kernel: Kernel, goal: InvocationGoal, request: Request): number => {
  const { definition } = goal;
  if (goal.is === "performed") return before(kernel, definition, request, definition.refusals.length);
  return Math.min(...goal.reasons.map((reason) => before(kernel, definition, request, reason) + (holds(kernel, definition, request, reason) ? 0 : NOT_HOLDING)));
};

/** The instance that lacks least, the first of equals. */
export const nearest = (kernel: Kernel, subjects: readonly number[], goal: InvocationGoal): { readonly instance: Instance | undefined; readonly lacks: number } => {
  let instance: Instance | undefined;
  let lacks = NO_INSTANCE;
  const only = [goal.definition];
  forEachInstance(
    kernel,
    subjects,
    (subject, definition, request) => {
      if (lacks === 0) return;
      const found = lacking(kernel, goal, request);
      if (found >= lacks) return;
      lacks = found;
      instance = { subject, definition, request };
    },
    (kind) => (kind === goal.definition.object ? only : []),
  );
  return { instance, lacks };
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
      return nearest(view.kernel, subjects, goal).lacks;
  }
};
