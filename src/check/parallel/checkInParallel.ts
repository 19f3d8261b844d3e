/** The main job of the checker with several threads: the same verdict as with one. */
import { cofferdam, profileFields } from "../../kernel/profile.ts";
import type { Layout } from "../../system/layout.ts";
import { defaultScope } from "../../system/scale.ts";
import { bootAt, type CheckOptions, defaultBounds, reachedBy, verdictOf, violationOf } from "../check.ts";
import { createModel } from "../model.ts";
import { apart } from "../slices/apart.ts";
import { properties } from "../properties.ts";
import { traceModel } from "../trace.ts";
import type { Verdict } from "../verdict.ts";
import { exploreWithCrew } from "./crew.ts";

export const checkInParallel = async (layout: Layout, options: CheckOptions): Promise<Verdict> => {
  const { scope = defaultScope, profile = cofferdam, caches = "may", properties: judged = properties, workers: members = 1, unreduced = [] } = options;
  const model = createModel(bootAt(layout, profile, { scope, unreduced }), judged, caches);
  const { explored, reached, asked } = await exploreWithCrew({
    layout,
    scope,
    profile,
    caches,
    unreduced,
    properties: judged.map(({ name }) => name),
    words: model.words,
    members,
    bounds: { ...defaultBounds, ...options.bounds },
    ...(options.watch === undefined ? {} : { watch: options.watch }),
  });
  for (const part of reached) model.coverage.resume(part, layout.dma);
  const fields = Object.keys(profileFields);
  const whole = { ...reachedBy(model), profileFields: { asked: fields.filter((field) => asked.has(field)), never: fields.filter((field) => !asked.has(field)) } };
  const broken = explored.found.map((found) => violationOf(layout, model, scope, caches, found));
  const { end, states, edges, depth } = explored;
  const { unsliced } = apart(model, unreduced, { traces: 1, kept: false, workers: members });
  return verdictOf(model, traceModel(model.booted, scope, caches), { end, states, transitions: edges, depth, ...(unsliced === undefined ? {} : { unsliced: [unsliced] }) }, whole, broken);
};
