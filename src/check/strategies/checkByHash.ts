/** From a layout to a verdict by breadth-first search that keeps hashes: it takes nothing for alike, and proves nothing. */
import { cofferdam } from "../../kernel/profile.ts";
import type { Layout } from "../../system/layout.ts";
import { defaultScope } from "../../system/scale.ts";
import { askedProfile } from "../askedProfile.ts";
import { breadthFirst } from "../search/breadth.ts";
import { bootAt, reachedBy, told, verdictOf, violationOf } from "../check.ts";
import { type CheckOptions, defaultBounds } from "../checkOptions.ts";
import { signatureIn } from "../explore.ts";
import { createModel } from "../model.ts";
import { ORIGIN_BYTES } from "../search/origins.ts";
import { properties } from "../properties/properties.ts";
import { traceModel } from "../traces/trace.ts";
import type { Verdict } from "../verdict.ts";
import { HashedStates } from "./hashedStates.ts";
import { searchOf } from "./search.ts";

/** As `checkLayout`, with 64 bits of each state. Checkpoints and threads are not for it. */
export const checkByHash = (layout: Layout, options: CheckOptions = {}): Verdict => {
  const { scope = defaultScope, profile = cofferdam, caches = "may", properties: judged = properties, traces = 1, unreduced = [], watch } = options;
  const asked = askedProfile(profile);
  const model = createModel(bootAt(layout, asked.profile, { scope, unreduced }), judged, caches);
  const hashed = new HashedStates(model.words);
  try {
    const { found, end, states, edges, depth } = breadthFirst(model, { ...defaultBounds, ...options.bounds }, watch, traces === 1 ? undefined : { traces, signature: signatureIn(model) }, undefined, hashed);
    asked.stop();
    const reached = { ...reachedBy(model), profileFields: { asked: asked.asked(), never: asked.never() } };
    // A shorter one may lie behind a state that was omitted.
    const broken = found.map((one) => ({ ...violationOf(layout, model, scope, caches, one), shortest: false as const }));
    const run = { states, transitions: edges, depth, ...searchOf("breadth", "hashes", end, states, hashed.mostBytes + states * ORIGIN_BYTES) };
    return verdictOf(model, traceModel({ ...model.booted, profile }, scope, caches), run, reached, broken);
  } catch (error) {
    throw told(error, model, options);
  }
};
