/** Whether a check explores groups of components apart, and if not, why: then everything is explored together, as ever. */
import { placesOf } from "../../base/state.ts";
import type { Reduction } from "../../kernel/reductions.ts";
import type { Model } from "../model.ts";
import { startOf } from "./certificate.ts";
import { objectionToStart } from "./footprint.ts";
import { type Group, groupsOf } from "./groups.ts";

/** What a check asks for that is about the whole system at once. */
export interface Asked {
  readonly traces: number;
  readonly kept: boolean;
}

export interface Apart {
  /** More than one, or none. */
  readonly groups: readonly Group[];
  readonly unsliced?: string;
}

const hindrance = (model: Model, { traces, kept }: Asked): string | undefined => {
  if (model.properties.some(({ plain }) => plain === true)) return "a property of your own may read anything";
  if (traces > 1) return "several traces to each property are wanted, which may take turns of all components";
  if (kept) return "a checkpoint holds one search";
  if (model.booted.profile.machine !== "smmuv3") return "the SMMU of this profile is not told apart by stream";
  // Rows of more than a word are asked about field by field, which tells too little of what a question depends on.
  if (placesOf(model.booted.shape).tables.some(({ name, stride }) => name === "slot" && stride !== 1)) return "the system is so large that a capability takes more than one word";
  const { initial, machine } = model;
  const start = startOf(model);
  return objectionToStart(start, machine.reach(model.machineAt(initial, 0)), model.booted.plan);
};

/** `model` is of the whole system. */
export const apart = (model: Model, unreduced: readonly Reduction[], asked: Asked): Apart => {
  const groups = unreduced.includes("slices") ? [] : groupsOf(model.booted);
  if (groups.length < 2) return { groups: [] };
  const unsliced = hindrance(model, asked);
  return unsliced === undefined ? { groups } : { groups: [], unsliced };
};
