/**
 * Machine states by number, as packed states hold them. A run numbers them in the order in which it meets them, and keeps
 * how each came about: from which other one, by which steps. So another thread, or a later run, can make them again.
 */
import { impossible } from "../base/diagnostic.ts";
import type { Step } from "../base/step.ts";
import type { Machine, MachineState } from "./machine.ts";

/** How a machine state came about; the first one of a run has no `from`. */
export interface Derivation {
  readonly from: number;
  readonly steps: readonly Step[];
}

export interface MachineIds {
  /** The number of a state that `steps` lead to from the state numbered `from`. */
  readonly idOf: (state: MachineState, from: number, steps: readonly Step[]) => number;
  readonly at: (id: number) => MachineState;
  readonly derivations: () => readonly Derivation[];
}

/** No state comes before the first. */
export const FIRST = -1;

/** The numbers of one run alone. */
export const createMachineIds = (): MachineIds => {
  const states: MachineState[] = [];
  const derived: Derivation[] = [];
  const ids = new Map<MachineState, number>();
  return {
    idOf: (state, from, steps) => {
      let id = ids.get(state);
      if (id === undefined) {
        id = states.length;
        ids.set(state, id);
        states.push(state);
        derived.push({ from, steps });
      }
      return id;
    },
    at: (id) => states[id] ?? impossible(`machine state ${id} was never met`),
    derivations: () => derived,
  };
};

/** Makes the states of an earlier run again, with their numbers. */
export const derive = (ids: MachineIds, machine: Machine, derivations: readonly Derivation[]): void => {
  for (const [id, { from, steps }] of derivations.entries()) {
    const state = machine.executeAll(from === FIRST ? machine.start : ids.at(from), steps);
    if (ids.idOf(state, from, steps) !== id) impossible("two numbers name one machine state");
  }
};
