/** How a check goes through the states: in slices where it can, otherwise in one search, with as much taken for alike as turns out to be. */
import type { Reduction } from "../kernel/reductions.ts";
import { type Bounds, breadthFirst, type Keeping } from "./search/breadth.ts";
import { type CheckOptions, defaultBounds } from "./checkOptions.ts";
import { createModel, type Model } from "./model.ts";
import { minimised } from "./traces/minimise.ts";
import { moveOf } from "./traces/moves.ts";
import { apart } from "./slices/apart.ts";
import { exploreSlices, type FoundIn } from "./slices/exploreSlices.ts";
import { StateStore } from "./search/stateStore.ts";
import { type Group, symmetryOf } from "./symmetry/group.ts";
import { NotAlike } from "./symmetry/orbits.ts";
import { messagesOf } from "./traces/trace.ts";
import type { Verdict } from "./verdict.ts";

/** What a run says of itself, however it went through the states. */
export type Run = Pick<Verdict, "end" | "states" | "transitions" | "depth" | "sampled" | "symmetry" | "slices" | "uncertified" | "unsliced" | "search">;

/**
 * Who invoked what, of the moves that the break needs and in normal form: traces that differ only in arguments, in the
 * order of moves that commute, or by moves that might as well be left out, are the same.
 */
export const signatureIn = (model: Model) => (ordinals: readonly number[], property: number): string => {
  const moves = messagesOf(model, ordinals).flatMap((message) => moveOf(message) ?? []);
  const needed = minimised(model, model.properties[property]!, moves);
  return (needed?.moves ?? moves).map(({ actor, message }) => `${actor} ${message.label}`).join("\n");
};

/** Everything that a check explored: in slices where it can be, otherwise in one search. `model` tells what was reached. */
export interface Explored {
  readonly model: Model;
  readonly run: Run;
  readonly found: readonly FoundIn[];
}

/**
 * What is taken for alike: nothing where a property may read anything, or where a run is kept, since the images of machine
 * states are not kept with it.
 */
export const groupFor = ({ booted, properties: judged, subjects }: Model, kept: boolean, unreduced: readonly Reduction[]): Group | undefined =>
  kept || judged.some(({ plain }) => plain === true) || unreduced.includes("symmetry") ? undefined : symmetryOf(booted, subjects);

/** How many states the representatives in these pieces stand for. */
export const representedBy = ({ symmetry, words }: Model, pieces: Iterable<Uint32Array>): number => {
  let sum = 0;
  for (const piece of pieces) for (let at = 0; at < piece.length; at += words) sum += symmetry?.size(piece, at) ?? 1;
  return sum;
};

/** What a verdict says of the things that were taken for alike; `states` were met, and stand for `represented`. */
export const alikeTold = (group: Group | undefined, notAlike: readonly string[], states: number, represented: number): Pick<Run, "symmetry"> =>
  group === undefined && notAlike.length === 0 ? {} : { symmetry: { renamings: group?.renamings.length ?? 1, states: group === undefined ? states : represented, ...(notAlike.length === 0 ? {} : { notAlike }) } };

/** One search. */
export const exploreWhole = (plain: Model, keeping: Keeping | undefined, caches: "may" | "none", bounds: Bounds, { traces = 1, watch, unreduced = [] }: CheckOptions): Explored => {
  const notAlike: string[] = [];
  for (let group = groupFor(plain, keeping !== undefined, unreduced); ; group = group?.smaller()) {
    const model = group === undefined ? plain : createModel(plain.booted, plain.properties, caches, undefined, { group });
    try {
      const store = new StateStore(model.collapsed.words);
      const { found, end, states, edges, depth } = breadthFirst(model.collapsed, bounds, watch, traces === 1 ? undefined : { traces, signature: signatureIn(model) }, keeping, store);
      const alike = alikeTold(group, notAlike, states, group === undefined ? states : representedBy(model, model.collapse.wholes(store.pieces())));
      return { model, run: { end, states, transitions: edges, depth, ...alike }, found: found.map((one) => ({ model, found: one })) };
    } catch (error) {
      if (!(error instanceof NotAlike) || group === undefined) throw error;
      notAlike.push(error.message);
    }
  }
};

/** What came of looking at slices first: everything, or why not, and what of the bounds is left. */
export interface SlicesFirst {
  readonly explored?: Explored;
  readonly bounds: Bounds;
  readonly told: Pick<Run, "unsliced">;
}
/** Explores groups of components apart where there are several. `kept`: the run is kept in a file, or goes on from one. */
export const inSlices = (model: Model, caches: "may" | "none", kept: boolean, { traces = 1, unreduced = [], watch, bounds: asked }: CheckOptions): SlicesFirst => {
  const bounds = { ...defaultBounds, ...asked };
  const { groups, unsliced } = apart(model, unreduced, { traces, kept });
  const started = performance.now();
  const sliced = groups.length === 0 ? undefined : exploreSlices(model.booted, groups, (booted) => createModel(booted, model.properties, caches), bounds, watch);
  const why = [...(sliced?.joined ?? []), ...(unsliced === undefined ? [] : [unsliced])];
  const told = why.length === 0 ? {} : { unsliced: why };
  const left = { ...bounds, seconds: bounds.seconds - (performance.now() - started) / 1000 };
  if (sliced?.slices === undefined) return { bounds: left, told };
  for (const { coverage } of sliced.models) model.coverage.resume(coverage.reached(model.booted.layout.dma), model.booted.layout.dma);
  const { explored: { end, states, edges, depth }, slices, found, uncertified } = sliced;
  return { bounds: left, told, explored: { model, run: { end, states, transitions: edges, depth, slices, ...(uncertified ? { uncertified } : {}) }, found } };
};
