/**
 * From a layout to a verdict by depth-first search. What it finds is as long as the path that it was on, so it is
 * minimised, and looked for again with the depth bounded below it until nothing shorter turns up.
 */
import { cofferdam } from "../../kernel/profile.ts";
import { boot } from "../../system/boot.ts";
import type { Layout } from "../../system/layout.ts";
import { defaultScope, unscaled } from "../../system/scale.ts";
import { askedProfile } from "../askedProfile.ts";
import type { Found } from "../search/breadth.ts";
import { bootAt, reachedBy, told, verdictOf } from "../check.ts";
import { type CheckOptions, defaultBounds } from "../checkOptions.ts";
import { minimised } from "../traces/minimise.ts";
import { createModel, type Model } from "../model.ts";
import { type Move, moveOf, traceOfMoves } from "../traces/moves.ts";
import { properties } from "../properties/properties.ts";
import { replay } from "../traces/replay.ts";
import { messagesOf, type TraceModel, traceModel } from "../traces/trace.ts";
import type { Verdict, VerdictViolation } from "../verdict.ts";
import { depthFirst, shorterThan } from "./depthFirst.ts";
import { searchOf } from "./search.ts";
import { visitedHashes, visitedStates } from "./visited.ts";

/** The moves that each property needs to break, by its number: the fewest that were found. */
class Shortest {
  readonly moves = new Map<number, readonly Move[]>();
  private readonly model: Model;

  constructor(model: Model) {
    this.model = model;
  }
  /** The length of the shortest list for any property that the end of the path violates. */
  take({ violated, ordinals }: Found): number {
    const path = messagesOf(this.model, ordinals).flatMap((message) => moveOf(message) ?? []);
    const lengths = this.model.properties.flatMap((property, bit) => {
      if (((violated >>> bit) & 1) === 0) return [];
      const moves = minimised(this.model, property, path)?.moves ?? path;
      const known = this.moves.get(bit);
      if (known === undefined || moves.length < known.length) this.moves.set(bit, moves);
      return [this.moves.get(bit)!.length];
    });
    return Math.min(...lengths);
  }
}

const violationOf = (layout: Layout, model: Model, head: TraceModel, bit: number, moves: readonly Move[], shortest: boolean): VerdictViolation => {
  const property = model.properties[bit]!;
  const { trace, violation } = traceOfMoves(model, { model: head, spec: { hash: layout.spec.sha256 } }, bit, moves);
  const whole = boot(unscaled(layout, model.booted.plan.addresses, head.scope.slots), model.booted.profile);
  return { property: property.name, sentence: property.sentence, message: violation.message, length: trace.steps.length, ...(shortest ? {} : { shortest }), trace, unscaled: replay(whole, property, trace) };
};

/** As `checkLayout`, depth first. Several traces, checkpoints and threads are not for it. */
export const checkDepthFirst = (layout: Layout, options: CheckOptions = {}): Verdict => {
  const { scope = defaultScope, profile = cofferdam, caches = "may", properties: judged = properties, unreduced = [], visited = "states", watch } = options;
  const asked = askedProfile(profile);
  const model = createModel(bootAt(layout, asked.profile, { scope, unreduced }), judged, caches);
  const head = traceModel({ ...model.booted, profile }, scope, caches);
  const bounds = { ...defaultBounds, ...options.bounds };
  const started = performance.now();
  const search = (depth: number) =>
    depthFirst(model, { ...bounds, depth, seconds: bounds.seconds - (performance.now() - started) / 1000 }, () => (visited === "states" ? visitedStates : visitedHashes)(model.words), watch);
  try {
    const explored = search(bounds.depth);
    asked.stop();
    const reached = { ...reachedBy(model), profileFields: { asked: asked.asked(), never: asked.never() } };
    const shortest = new Shortest(model);
    const [first] = explored.found;
    const looked = first === undefined ? undefined : shorterThan(shortest.take(first), search, (found) => shortest.take(found));
    const broken = [...shortest.moves].map(([bit, moves]) => violationOf(layout, model, head, bit, moves, looked!.shown && visited === "states" && moves.length === looked!.length));
    const { end, states, edges, depth, bytes } = explored;
    return verdictOf(model, head, { states, transitions: edges, depth, ...searchOf("depth", visited, end, states, bytes) }, reached, broken);
  } catch (error) {
    throw told(error, model, options);
  }
};
