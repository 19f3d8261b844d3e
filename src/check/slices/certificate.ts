/**
 * The certificate of slices, made when their runs are over: that a state of the whole system is one state of each slice,
 * side by side, and that what is judged of it is judged of those. By induction over the invocations of all components in
 * any order: the tables tell each invocation what its own slice would (tables.ts), so it does what it did there; and the
 * machine's memory, caches and commands are those of the slices beside each other (footprint.ts), so that each stream
 * reaches what it reaches in its slice. Nothing is assumed of how groups were chosen. Where a certificate cannot be made,
 * the slices that stand in its way are explored together.
 *
 * It is as good for runs that all went to one depth: then it is about invocation sequences of that length.
 */
import { impossible } from "../../base/diagnostic.ts";
import { placesOf } from "../../base/state.ts";
import type { MachineState } from "../../smmuv3/machineState.ts";
import type { Model } from "../model.ts";
import { machineWord } from "../model.ts";
import type { StateStore } from "../search/stateStore.ts";
import { evidenceOf } from "./evidence.ts";
import { footprintOf, meeting } from "./footprint.ts";
import type { Group } from "./groups.ts";
import { disturbance, judgedByNone, touchesUntyped } from "./tables.ts";

/** A run to be certified. */
export interface Shown {
  readonly group: Group;
  readonly model: Model;
  readonly store: StateStore;
}
/** Components that have to be explored together after all. */
export interface Obstacle {
  readonly together: Group;
  readonly why: string;
}

/** The SMMUv3's state that a run begins in; only that machine is told apart by stream. */
export const startOf = (model: Model): MachineState => model.machineAt(model.initial, 0) as MachineState;

/** What one run alone shows to be in the way of every other. */
const inspected = (run: Shown) => {
  const { model, store } = run;
  const { plan, shape } = model.booted;
  const evidence = evidenceOf(model, store);
  const slots = placesOf(shape).tables.find(({ name }) => name === "slot") ?? impossible("a state has no slots");
  const foreign = touchesUntyped(evidence, slots, plan.slice?.untypeds ?? [], plan.untypeds.length) ? "one may change a capability to another's untyped memory" : undefined;
  const footprint = footprintOf(startOf(model), plan, plan.slice?.streams ?? [], evidence.given);
  return { run, evidence, footprint, objection: foreign ?? (typeof footprint === "string" ? footprint : undefined) };
};

/** What keeps runs from being slices of one system; none is the certificate. */
export const obstaclesTo = (runs: readonly Shown[]): readonly Obstacle[] => {
  const [first] = runs;
  if (first === undefined || runs.length === 1) return [];
  const { tables } = placesOf(first.model.booted.shape);
  const machine = machineWord(first.model.booted.shape);
  const all = runs.map(inspected);
  const everybody = runs.flatMap(({ group }) => group);
  const pairs = all.flatMap((one, at) => {
    if (one.objection !== undefined) return [{ together: everybody, why: one.objection }];
    return all.slice(at + 1).flatMap((other) => {
      const byMachine = typeof one.footprint === "string" || typeof other.footprint === "string" ? undefined : meeting(one.footprint, other.footprint, startOf(one.run.model));
      const why = byMachine ?? disturbance(one.evidence, other.evidence, tables, machine) ?? disturbance(other.evidence, one.evidence, tables, machine);
      return why === undefined ? [] : [{ together: [...one.run.group, ...other.run.group], why }];
    });
  });
  if (pairs.length > 0) return pairs;
  const parts = runs.map(({ model }) => model.askedByParts());
  return (parts[0] ?? []).flatMap((_, part) => {
    const joined = judgedByNone(all.map(({ evidence }, run) => ({ evidence, asked: parts[run]![part]! })), machine);
    return joined === undefined ? [] : [{ together: joined.flatMap((run) => runs[run]!.group), why: "a property reads of both what each changes" }];
  });
};
