/** The main job of the checker with several threads: the same verdict as with one. */
import { cofferdam } from "../../kernel/profile.ts";
import type { Layout } from "../../system/layout.ts";
import { defaultScope } from "../../system/scale.ts";
import { heeded } from "../answering.ts";
import { askedProfile } from "../askedProfile.ts";
import type { Bounds } from "../search/breadth.ts";
import { bootAt, concluded, told } from "../check.ts";
import type { CheckOptions } from "../checkOptions.ts";
import { alikeTold, type Explored, groupFor, inSlices, signatureIn } from "../explore.ts";
import { reachedTogether } from "../coverage.ts";
import { keepingOf } from "../kept/keeping.ts";
import { partSizes } from "../search/collapse.ts";
import { createModel, machineWord } from "../model.ts";
import type { Group } from "../symmetry/group.ts";
import { NotAlike } from "../symmetry/orbits.ts";
import { properties } from "../properties/properties.ts";
import { traceModel } from "../traces/trace.ts";
import { loadProperties } from "../properties/userProperty.ts";
import type { Verdict } from "../verdict.ts";
import { exploreWithCrew } from "./crew.ts";
import { sharedImages, sharedImagesBuffer } from "./sharedImages.ts";
import { sharedMachineIds, sharedMachineIdsBuffer } from "./sharedMachineIds.ts";
import { sharedValues, sharedValuesBuffer } from "./sharedValues.ts";

/** `properties` are ours; those of the user's own are loaded by each thread from their files. */
export interface ParallelOptions extends CheckOptions {
  readonly propertyFiles?: readonly string[];
  readonly answering?: SharedArrayBuffer | undefined;
}

export const checkInParallel = async (layout: Layout, options: ParallelOptions): Promise<Verdict> => {
  const { scope = defaultScope, profile = cofferdam, caches = "may", workers: members = 1, traces = 1, unreduced = [], propertyFiles = [], answering } = options;
  const judged = [...(options.properties ?? properties), ...(await loadProperties(propertyFiles, heeded(answering)))];
  const asked = askedProfile(profile);
  const machineIds = sharedMachineIdsBuffer();
  const booted = bootAt(layout, asked.profile, { scope, unreduced });
  const sizes = partSizes(machineWord(booted.shape));
  const values = sharedValuesBuffer(sizes);
  const numbering = { machines: sharedMachineIds(machineIds), values: sharedValues(values, sizes) };
  const model = createModel(booted, judged, caches, numbering);
  const head = traceModel({ ...model.booted, profile }, scope, caches);
  const keeping = keepingOf(model, head, traces, asked, options);
  const before = model.coverage.reached(layout.dma);

  /** One search, with what is taken for alike. */
  const search = async (bounds: Bounds, group: Group | undefined, notAlike: readonly string[]): Promise<Explored> => {
    const images = group === undefined ? undefined : sharedImagesBuffer(group.renamings.length);
    const own = group === undefined || images === undefined ? model : createModel(model.booted, judged, caches, numbering, { group, images: sharedImages(images, group.renamings.length) });
    const { explored, represented, ...since } = await exploreWithCrew({
      layout,
      scope,
      profile,
      caches,
      unreduced,
      properties: judged.map(({ name }) => name),
      propertyFiles,
      answering,
      words: model.collapsed.words,
      machineIds,
      values,
      symmetry: images === undefined ? undefined : { smaller: notAlike.length, images },
      members,
      bounds,
      ...(options.watch === undefined ? {} : { watch: options.watch }),
      ...(traces === 1 ? {} : { wanted: { traces, signature: signatureIn(own) } }),
      ...(keeping?.from === undefined ? {} : { from: keeping.from }),
      due: () => keeping?.due() === true,
      keep: (kept, fields) => {
        asked.also(fields);
        keeping?.keepPieces({ ...kept, states: () => model.collapse.wholes(kept.states()), reached: reachedTogether([before, kept.reached]) });
      },
    });
    asked.also(since.asked);
    own.coverage.resume(since.reached, layout.dma);
    const { found, end, states, edges, depth } = explored;
    return { model: own, run: { end, states, transitions: edges, depth, ...alikeTold(group, notAlike, states, represented) }, found: found.map((one) => ({ model: own, found: one })) };
  };
  const whole = async (bounds: Bounds): Promise<Explored> => {
    const notAlike: string[] = [];
    for (let group = groupFor(model, keeping !== undefined, unreduced); ; group = group?.smaller()) {
      try {
        return await search(bounds, group, notAlike);
      } catch (error) {
        if (!(error instanceof NotAlike) || group === undefined) throw error;
        notAlike.push(error.message);
      }
    }
  };

  try {
    const sliced = inSlices(model, caches, keeping !== undefined, options);
    const explored = sliced.explored ?? (await whole(sliced.bounds));
    return concluded(layout, model, head, scope, asked, { ...explored, run: { ...explored.run, ...sliced.told } });
  } catch (error) {
    throw told(error, model, options);
  }
};
