/** From a layout to a verdict by random walks. What they find is a break; what they do not find is not excluded. */
import { bootAt, reachedBy, verdictOf } from "../check/check.ts";
import { createModel, type Model } from "../check/model.ts";
import { properties } from "../check/properties/properties.ts";
import { ordinalsOf } from "../check/random.ts";
import { replay } from "../check/traces/replay.ts";
import { type TraceModel, traceModel, traceOf } from "../check/traces/trace.ts";
import type { Verdict, VerdictViolation } from "../check/verdict.ts";
import { cofferdam, type Profile } from "../kernel/profile.ts";
import type { Layout } from "../system/layout.ts";
import { defaultScope, type Scope } from "../system/scale.ts";
import { DEFAULT_LENGTH } from "./commands.ts";
import type { WalkReplay } from "./replayText.ts";
import { again, type Batch, type FailedWalk, nextBatch } from "./sample.ts";
import { Tally } from "./tally.ts";

export interface RandomOptions {
  readonly scope?: Scope;
  readonly profile?: Profile;
  readonly caches?: "may" | "none";
  /** Walks the whole layout instead of the scaled one. */
  readonly whole?: boolean;
  readonly runs?: number;
  /** Invocations of the longest walk. */
  readonly length?: number;
  readonly seed?: number;
  readonly seconds?: number;
  /** One walk again, and no other. */
  readonly replay?: WalkReplay;
}
export interface RandomProgress {
  readonly walks: number;
  readonly runs: number;
  readonly invocations: number;
  readonly states: number;
  readonly seconds: number;
}
export const DEFAULT_RUNS = 400;

/** Answers true to go on; asked between batches. */
export type RandomWatch = (progress: RandomProgress) => boolean | Promise<boolean>;

/** Every property that the last state of a walk violates, each with the walk as a trace. */
const violationsOf = (layout: Layout, model: Model, head: TraceModel, failed: FailedWalk): VerdictViolation[] => {
  const ordinals = ordinalsOf(model, failed.performed);
  const whole = head.whole === true ? undefined : bootAt(layout, model.booted.profile, { scope: head.scope, whole: true });
  const state = Uint32Array.from(model.initial);
  for (const { definition, request } of failed.performed) {
    model.run(definition, request, model.machineAt(state, 0));
    state.set(model.packed.window);
  }
  const violated = model.judge(state, 0);
  return model.properties.flatMap(({ name, sentence }, bit, all) => {
    if (((violated >>> bit) & 1) === 0) return [];
    const { trace: found, violation } = traceOf(model, { model: head, spec: { hash: layout.spec.sha256 } }, bit, ordinals);
    const trace = { ...found, seed: failed.replay };
    return [{ property: name, sentence, message: violation.message, length: trace.steps.length, trace, ...(whole === undefined ? {} : { unscaled: replay(whole, all[bit]!, trace) }) }];
  });
};

/** Walks until a property fails, all walks are made, or a bound is hit. */
export const checkRandomly = async (layout: Layout, options: RandomOptions = {}, watch: RandomWatch = () => true): Promise<Verdict> => {
  const { scope = defaultScope, profile = cofferdam, caches = "may", whole = false, seconds = Infinity } = options;
  const { seed = 1, length = DEFAULT_LENGTH, runs = DEFAULT_RUNS } = options.replay === undefined ? options : { ...options.replay, runs: 1 };
  const model = createModel(bootAt(layout, profile, { scope, whole }), properties, caches);
  const tally = new Tally(model);
  tally.see(model.initial);
  const started = performance.now();
  const elapsed = () => (performance.now() - started) / 1000;
  let last: Batch = { walks: 0 };
  let walks = 0;
  let end = "sampled";
  while (walks < runs && last.failed === undefined) {
    if (!(await watch({ walks, runs, invocations: tally.performed + tally.refused, states: tally.states, seconds: elapsed() }))) end = "interrupted";
    else if (elapsed() > seconds) end = "seconds";
    if (end !== "sampled") break;
    last = options.replay === undefined ? nextBatch(model, tally, seed, length, walks, runs) : again(model, options.replay, tally);
    walks += last.walks;
  }
  const { failed } = last;
  const reached = reachedBy(model);
  const head: TraceModel = { ...traceModel(model.booted, scope, caches), ...(whole ? { whole: true } : {}) };
  const sampled = {
    seed,
    walks,
    runs,
    length,
    whole,
    refused: tally.refused,
    refusalPairs: tally.refusalPairs,
    ...(failed === undefined ? {} : { failed: { drawn: failed.drawn, replay: failed.replay } }),
  };
  const run = { end: failed === undefined ? end : "violated", states: tally.states, transitions: tally.performed, depth: tally.longest, sampled };
  return verdictOf(model, head, run, reached, failed === undefined ? [] : violationsOf(layout, model, head, failed));
};
