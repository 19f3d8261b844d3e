/** The model over collapsed states (collapse.ts): what breadth-first search goes through. */
import type { Explorable } from "./breadth.ts";
import type { Collapse } from "./collapse.ts";
import type { Outcomes, StepList } from "./outcomes/outcomes.ts";
import { mixed } from "./stateStore.ts";

/** What it takes of the model; states here are whole ones. */
interface Whole {
  readonly collapse: Collapse;
  readonly initial: Uint32Array;
  readonly outcomes: Outcomes;
  /** The machine's number after a list of steps. */
  readonly execute: (before: number, given: StepList) => number;
  readonly judge: Explorable["judge"];
}

/** The last number of a state is the machine's, as it is the last word of a whole one. */
export const collapsedOf = ({ collapse, initial, outcomes, execute, judge }: Whole): Explorable => {
  const { numbers, words } = collapse;
  const whole = new Uint32Array(words);
  const machine = numbers - 1;
  const own = new Uint32Array(numbers);
  const successor = new Uint32Array(numbers);
  /** What each number adds to the sum. */
  const shares = new Int32Array(numbers);
  /** Loads a state: its sum. */
  const load = (states: Uint32Array, at: number): number => {
    collapse.restore(states, at, whole);
    let sum = 0;
    for (let index = 0; index < numbers; index++) {
      const number = states[at + index]!;
      own[index] = number;
      successor[index] = number;
      shares[index] = mixed(index, number);
      sum = (sum + shares[index]!) | 0;
    }
    return sum;
  };
  const first = new Uint32Array(numbers);
  collapse.collapse(initial, 0, first);

  return {
    words: numbers,
    initial: first,
    expand: (states, at, visit) => {
      const all = load(states, at);
      const before = own[machine]!;
      outcomes.forEach(whole, 0, ({ changes, given }, ordinal) => {
        let sum = all;
        let stays = true;
        for (let index = 0; index < changes.length; index++) {
          const change = changes[index]!;
          const { part } = change;
          const next = collapse.after(own[part]!, change);
          if (next === own[part]) continue;
          stays = false;
          successor[part] = next;
          sum = (sum - shares[part]! + mixed(part, next)) | 0;
        }
        const steps = given.steps.length;
        const next = steps === 0 ? before : execute(before, given);
        if (next !== before) {
          stays = false;
          successor[machine] = next;
          sum = (sum - shares[machine]! + mixed(machine, next)) | 0;
        }
        visit(successor, ordinal, steps, sum, stays);
        for (let index = 0; index < changes.length; index++) successor[changes[index]!.part] = own[changes[index]!.part]!;
        successor[machine] = before;
      });
    },
    judge: (states, at) => {
      collapse.restore(states, at, whole);
      return judge(whole, 0);
    },
  };
};
