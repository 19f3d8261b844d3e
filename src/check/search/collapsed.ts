/** The model over collapsed states (collapse.ts): what breadth-first search goes through. */
import type { Explorable } from "./breadth.ts";
import type { Collapse } from "./collapse.ts";
import type { Outcomes } from "../outcomes/outcomes.ts";
import { HEAD } from "../outcomes/performed.ts";
import { mixed } from "./stateStore.ts";

/** What it takes of the model; states here are whole ones. */
interface Whole {
  readonly collapse: Collapse;
  readonly initial: Uint32Array;
  readonly outcomes: Outcomes;
  /** The machine's number after a numbered list of steps. */
  readonly execute: (before: number, given: number) => number;
  /** Judges the state in a window of ours. It differs from the one that was judged in there before in so many words. */
  readonly judge: (window: Uint32Array, differing: Int32Array, count: number) => number;
}

/** Over collapsed states, by a model over whole ones: for a model that does not change states part by part. */
export const collapsedPlainly = (collapse: Collapse, { initial, expand, judge }: Pick<Explorable, "initial" | "expand" | "judge">): Explorable => {
  const whole = new Uint32Array(collapse.words);
  const successor = new Uint32Array(collapse.numbers);
  const initially = new Uint32Array(collapse.numbers);
  collapse.collapse(initial, 0, initially);
  return {
    words: collapse.numbers,
    initial: initially,
    expand: (states, at, visit) => {
      collapse.restore(states, at, whole);
      expand(whole, 0, (state, ordinal, steps) => {
        collapse.collapse(state, 0, successor);
        visit(successor, ordinal, steps);
      });
    },
    judge: (states, at) => {
      collapse.restore(states, at, whole);
      return judge(whole, 0);
    },
  };
};

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
  const initially = new Uint32Array(numbers);
  collapse.collapse(initial, 0, initially);
  /** The state that was judged last, mostly a sibling of the next: its words, and its numbers. */
  const window = initial.slice();
  const held = initially.slice();
  const differing = new Int32Array(words);

  return {
    words: numbers,
    initial: initially,
    expand: (states, at, visit) => {
      const all = load(states, at);
      const before = own[machine]!;
      outcomes.forEachNumbered(whole, 0, (performed, from, to, first) => {
        for (let begin = from; begin < to; ) {
          const steps = performed[begin + 2]!;
          const end = begin + HEAD + 2 * performed[begin + 3]!;
          let sum = all;
          let stays = true;
          for (let change = begin + HEAD; change < end; change += 2) {
            const part = performed[change]!;
            const next = collapse.after(part, own[part]!, performed[change + 1]!);
            if (next === own[part]) continue;
            stays = false;
            successor[part] = next;
            sum = (sum - shares[part]! + mixed(part, next)) | 0;
          }
          const next = steps === 0 ? before : execute(before, performed[begin + 1]!);
          if (next !== before) {
            stays = false;
            successor[machine] = next;
            sum = (sum - shares[machine]! + mixed(machine, next)) | 0;
          }
          visit(successor, first + performed[begin]!, steps, sum, stays);
          for (let change = begin + HEAD; change < end; change += 2) successor[performed[change]!] = own[performed[change]!]!;
          successor[machine] = before;
          begin = end;
        }
      });
    },
    judge: (states, at) => judge(window, differing, collapse.restoreOver(states, at, held, window, differing)),
  };
};
