/**
 * From a path through representatives to invocations that can be made one after another: each step of such a path is made
 * in the representative of the state that the step before led to, so everything in it is given its name in that state.
 */
import type { Invocation, Request } from "../../kernel/invocation.ts";
import type { Group } from "./group.ts";

/** One invocation of a path. */
export interface Performed {
  readonly subject: number;
  readonly definition: Invocation;
  readonly request: Request;
}
/** A step of a path through representatives. */
export interface RepresentedStep extends Performed {
  /** The CNode that a slot's capability names in the state before, or NONE. */
  readonly cnodeOf: (row: number) => number;
  /** Number of the renaming from the state that the step leads to, to its representative. */
  readonly used: number;
}

/** `walk` makes the step with an ordinal in the representative that it stands at, and goes on to the next. */
export const lifted = ({ renamings, product, inverse }: Group, ordinals: readonly number[], walk: (ordinal: number) => RepresentedStep): Performed[] => {
  // From the representative to the state that the invocations made so far lead to.
  let names = 0;
  return ordinals.map((ordinal) => {
    const { subject, definition, request, cnodeOf, used } = walk(ordinal);
    const renaming = renamings[names]!;
    names = product[names]![inverse[used]!]!;
    return { subject: renaming.names.subject[subject]!, definition, request: renaming.request(definition, request, cnodeOf) };
  });
};
