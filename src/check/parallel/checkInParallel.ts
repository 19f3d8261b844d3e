/** The main job of the checker with several threads: the same verdict as with one. */
import { cofferdam } from "../../kernel/profile.ts";
import type { Layout } from "../../system/layout.ts";
import { defaultScope } from "../../system/scale.ts";
import { askedProfile } from "../askedProfile.ts";
import { bootAt, type CheckOptions, defaultBounds, reachedBy, signatureIn, told, verdictOf, violationOf } from "../check.ts";
import { reachedTogether } from "../coverage.ts";
import { keepingOf } from "../keeping.ts";
import { createModel } from "../model.ts";
import { properties } from "../properties.ts";
import { traceModel } from "../trace.ts";
import { loadProperties } from "../userProperty.ts";
import type { Verdict } from "../verdict.ts";
import { exploreWithCrew } from "./crew.ts";
import { sharedMachineIds, sharedMachineIdsBuffer } from "./sharedMachineIds.ts";

/** `properties` are ours; those of the user's own are loaded by each thread from their files. */
export interface ParallelOptions extends CheckOptions {
  readonly propertyFiles?: readonly string[];
}

export const checkInParallel = async (layout: Layout, options: ParallelOptions): Promise<Verdict> => {
  const { scope = defaultScope, profile = cofferdam, caches = "may", workers: members = 1, traces = 1, unreduced = [], propertyFiles = [] } = options;
  const judged = [...(options.properties ?? properties), ...(await loadProperties(propertyFiles))];
  const asked = askedProfile(profile);
  const machineIds = sharedMachineIdsBuffer();
  const model = createModel(bootAt(layout, asked.profile, { scope, unreduced }), judged, caches, sharedMachineIds(machineIds));
  const head = traceModel({ ...model.booted, profile }, scope, caches);
  const keeping = keepingOf(model, head, traces, asked, options);
  const before = model.coverage.reached(layout.dma);
  try {
    const { explored, ...since } = await exploreWithCrew({
      layout,
      scope,
      profile,
      caches,
      unreduced,
      properties: judged.map(({ name }) => name),
      propertyFiles,
      words: model.words,
      machineIds,
      members,
      bounds: { ...defaultBounds, ...options.bounds },
      ...(options.watch === undefined ? {} : { watch: options.watch }),
      ...(traces === 1 ? {} : { wanted: { traces, signature: signatureIn(model) } }),
      ...(keeping?.from === undefined ? {} : { from: keeping.from }),
      due: () => keeping?.due() === true,
      keep: (kept, fields) => {
        asked.also(fields);
        keeping?.keepPieces({ ...kept, reached: reachedTogether([before, kept.reached]) });
      },
    });
    asked.also(since.asked);
    asked.stop();
    model.coverage.resume(since.reached, layout.dma);
    const reached = { ...reachedBy(model), profileFields: { asked: asked.asked(), never: asked.never() } };
    const broken = explored.found.map((found) => violationOf(layout, model, scope, caches, found));
    const { end, states, edges, depth } = explored;
    return verdictOf(model, head, { end, states, transitions: edges, depth }, reached, broken);
  } catch (error) {
    throw told(error, model, options);
  }
};
