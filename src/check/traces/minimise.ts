/**
 * Traces made short and alike: whatever way a violation was found, what is left are the moves that it needs, and two
 * traces that differ only in the order of moves that have nothing to do with each other become one.
 *
 * Deleting is ddmin (Zeller and Hildebrandt, Simplifying and Isolating Failure-Inducing Input, 2002), after loops have
 * been cut out, and then pairs of moves: a Map and its Unmap can only go together. Two neighbours commute where they
 * stand if both orders are answered without an error and give the same state. The normal form is the lexicographic one
 * of trace theory (Anisimov and Knuth 1979), but as moves may commute in one state and not in another it is not unique
 * for certain: two traces with the same normal form are reorderings of each other, and the reverse may fail.
 */
import { invocations } from "../../kernel/invocations.ts";
import type { Model } from "../model.ts";
import { type Move, moveIn, subjectOf } from "./moves.ts";
import type { Property } from "../properties/property.ts";

export interface Minimised {
  readonly moves: readonly Move[];
  /** False when the budget was spent first: the moves still break the property, and fewer may do so, too. */
  readonly complete: boolean;
}

/** Invocations that may be run in all: some seconds. */
export const DEFAULT_BUDGET = 200_000;
/** The longest list from which every pair is taken out by way of trial. */
const MOST_FOR_PAIRS = 48;

/** Runs moves until the budget is spent, and then refuses everything. */
interface Runner {
  readonly model: Model;
  readonly step: (state: Uint32Array, move: Move) => Uint32Array | undefined;
  readonly spent: () => boolean;
}
const runnerOf = (model: Model, budget: number): Runner => {
  let left = budget;
  return {
    model,
    spent: () => left <= 0,
    step: (state, move) => {
      if (left <= 0) return undefined;
      left -= 1;
      const moved = moveIn(model, state, move);
      return "state" in moved ? moved.state : undefined;
    },
  };
};

const equal = (a: Uint32Array | undefined, b: Uint32Array | undefined): boolean => a !== undefined && b !== undefined && a.every((word, index) => word === b[index]);

/** The state after all moves, or undefined when one is refused. */
const endOf = (runner: Runner, moves: readonly Move[], from = runner.model.initial): Uint32Array | undefined => {
  let state: Uint32Array | undefined = from;
  for (const move of moves) if (state !== undefined) state = runner.step(state, move);
  return state;
};

/** Moves that are answered without an error, up to the first violation, with every loop cut out; undefined if nothing is violated. */
const straightened = (runner: Runner, moves: readonly Move[], fails: (state: Uint32Array) => boolean): readonly Move[] | undefined => {
  let state = runner.model.initial;
  const path: { readonly move: Move; readonly key: string }[] = [];
  const visited = new Map([[state.join(), 0]]);
  if (fails(state)) return [];
  for (const move of moves) {
    const next = runner.step(state, move);
    if (next === undefined) continue;
    state = next;
    const key = state.join();
    const before = visited.get(key);
    if (before === undefined) {
      path.push({ move, key });
      visited.set(key, path.length);
    } else for (const { key: left } of path.splice(before)) if (left !== key) visited.delete(left);
    if (fails(state)) return path.map(({ move: kept }) => kept);
  }
  return undefined;
};

/** No single move, and no run of moves that was tried on the way, can be left out of the result. */
const ddmin = (moves: readonly Move[], still: (candidate: readonly Move[]) => boolean): readonly Move[] => {
  let kept = moves;
  let pieces = 2;
  while (kept.length > 0) {
    const size = Math.ceil(kept.length / pieces);
    const starts = Array.from({ length: Math.ceil(kept.length / size) }, (_, piece) => piece * size);
    const rest = starts.map((at) => () => kept.toSpliced(at, size)).find((candidate) => still(candidate()))?.();
    if (rest !== undefined) {
      kept = rest;
      pieces = Math.max(pieces - 1, 2);
    } else if (size === 1) return kept;
    else pieces = Math.min(pieces * 2, kept.length);
  }
  return kept;
};

/** The list without some pair of moves, where it then still fails. */
const withoutPair = (moves: readonly Move[], still: (candidate: readonly Move[]) => boolean): readonly Move[] | undefined => {
  for (let first = 0; first < moves.length; first++)
    for (let second = first + 1; second < moves.length; second++) {
      const rest = moves.filter((_, at) => at !== first && at !== second);
      if (still(rest)) return rest;
    }
  return undefined;
};

const shortened = (moves: readonly Move[], still: (candidate: readonly Move[]) => boolean): readonly Move[] => {
  const kept = ddmin(moves, still);
  const rest = kept.length > MOST_FOR_PAIRS ? undefined : withoutPair(kept, still);
  return rest === undefined ? kept : shortened(rest, still);
};

const compared = (a: string | number | bigint, b: string | number | bigint): number => (a < b ? -1 : Number(a > b));

/** Actors as in the plan, invocations as declared, then the numbers of the message. */
const order = (model: Model, a: Move, b: Move): number => {
  const actors = compared(subjectOf(model, a), subjectOf(model, b));
  if (actors !== 0) return actors;
  const declared = ({ message: { label } }: Move) => invocations.findIndex((definition) => definition.label === label);
  const labels = compared(declared(a), declared(b));
  if (labels !== 0) return labels;
  const numbers = ({ message: { cptr, words, caps } }: Move) => [cptr, ...words, ...caps];
  const others = numbers(b);
  return numbers(a).map((number, index) => compared(number, others[index] ?? 0n)).find((difference) => difference !== 0) ?? 0;
};

/** Can the move at `from` be brought forward to `to`, one commuting neighbour after another? `states[n]` is the one before move n. */
const canLead = (runner: Runner, moves: readonly Move[], states: readonly Uint32Array[], from: number, to: number): boolean => {
  const move = moves[from]!;
  let after: Uint32Array | undefined = states[from + 1];
  for (let at = from - 1; at >= to; at--) {
    const before = runner.step(states[at]!, move);
    if (before === undefined || !equal(runner.step(before, moves[at]!), after)) return false;
    after = before;
  }
  return true;
};

/** The moves in normal form: always the least of those that can come next. All of them must be answered without an error. */
const ordered = (runner: Runner, moves: readonly Move[]): readonly Move[] => {
  let list = [...moves];
  const states = [runner.model.initial];
  for (let at = 0; at < list.length; at++) {
    for (let later = at; later < list.length; later++) {
      const next = runner.step(states[later]!, list[later]!);
      if (next === undefined) return list;
      states[later + 1] = next;
    }
    let least = at;
    for (let later = at + 1; later < list.length; later++) if (order(runner.model, list[later]!, list[least]!) < 0 && canLead(runner, list, states, later, at)) least = later;
    if (least === at) continue;
    list = [...list.slice(0, at), list[least]!, ...list.slice(at, least), ...list.slice(least + 1)];
    states[at + 1] = runner.step(states[at]!, list[at]!) ?? states[at + 1]!;
  }
  return list;
};

/** The normal form of moves that are all answered without an error. The final state is the same. */
export const normalised = (model: Model, moves: readonly Move[], budget = DEFAULT_BUDGET): readonly Move[] => ordered(runnerOf(model, budget), moves);

/** The shortest list that deleting finds and that breaks the property at its end, in normal form; undefined if the moves break nothing. */
export const minimised = (model: Model, property: Property, moves: readonly Move[], budget = DEFAULT_BUDGET): Minimised | undefined => {
  const runner = runnerOf(model, budget);
  const fails = (state: Uint32Array): boolean => property.violation(model.viewAt(state, 0)) !== undefined;
  const path = straightened(runner, moves, fails);
  if (path === undefined) return undefined;
  const still = (candidate: readonly Move[]): boolean => {
    const end = endOf(runner, candidate);
    return end !== undefined && fails(end);
  };
  const kept = ordered(runner, shortened(path, still));
  return { moves: kept, complete: !runner.spent() };
};
