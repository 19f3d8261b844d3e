/**
 * Breadth-first exploration over packed states: exact (whole states are kept and compared, never only hashes), with the
 * shortest trace as design §6 defines it: fewest invocations, then fewest steps, then least in declared order.
 */
import { impossible } from "../../base/diagnostic.ts";
import { Batch } from "./batch.ts";
import { Collected, type Violating } from "./collected.ts";
import { Arrivals, isBetter, Origins, pathKey } from "./origins.ts";
import { PropertyFailed } from "../properties/property.ts";
import { StateStore, sumOf } from "./stateStore.ts";

/** What a strategy needs of a model. States are windows of `words` 32-bit words. */
export interface Explorable {
  readonly words: number;
  readonly initial: Uint32Array;
  /**
   * Calls `visit` with every successor of the state at `at`, in declared order. `ordinal` counts the instances of this
   * state, refused ones too; `steps` is what the invocation gave the SMMU. `successor` is valid during the call only;
   * `sum` is its hash (stateStore.ts), where the model has it at hand; `stays` says that it is the state itself.
   */
  readonly expand: (states: Uint32Array, at: number, visit: (successor: Uint32Array, ordinal: number, steps: number, sum?: number, stays?: boolean) => void) => void;
  /** Bit mask of the properties that the state at `at` violates. */
  readonly judge: (states: Uint32Array, at: number) => number;
}

/** What a search by levels keeps of states that it met, numbered in that order. */
export interface LevelStates {
  readonly count: number;
  readonly chunkOf: (index: number) => Uint32Array;
  readonly offsetOf: (index: number) => number;
  /** Index of the state at `at`; negative (-1 - index) when it was there before. */
  readonly add: (state: Uint32Array, sum?: number, at?: number) => number;
  /** States with so many hashes are about to be added. */
  readonly touch?: (sums: Int32Array, count: number) => void;
  /** States before this one are not looked at any more. */
  readonly forget?: (before: number) => void;
}

export interface Bounds {
  readonly states: number;
  readonly depth: number;
  readonly seconds: number;
  /** Bytes of this process, all its threads together; as many as there are when left out. */
  readonly memory?: number;
}
/** Which of the bounds that are no count a run is beyond, `seconds` after it began. */
export const beyond = ({ seconds, memory = Infinity }: Pick<Bounds, "seconds" | "memory">, passed: number): "seconds" | "memory" | undefined => {
  if (passed > seconds) return "seconds";
  return memory !== Infinity && process.memoryUsage.rss() > memory ? "memory" : undefined;
};

export interface Progress {
  readonly states: number;
  readonly edges: number;
  /** Invocations on the longest shortest path so far. */
  readonly depth: number;
  /** States found but not yet expanded. */
  readonly frontier: number;
  readonly seconds: number;
}

/** Path to a state: the ordinal of each step's instance in the state before it. */
export interface Found {
  /** Bit mask of the properties violated in the last state. */
  readonly violated: number;
  readonly ordinals: readonly number[];
  readonly steps: number;
}

export interface Exploration extends Progress {
  /** `exhausted`: every reachable state was expanded. Otherwise the first bound that was hit. */
  readonly end: "exhausted" | "violated" | "states" | "depth" | "seconds" | "memory" | "interrupted";
  readonly found: readonly Found[];
}

/** How many paths to each property are wanted, when more than one, and what tells two of them apart. */
export interface Wanted {
  readonly traces: number;
  /** Equal for paths that are the same to a reader. */
  readonly signature: (ordinals: readonly number[], property: number) => string;
}

/**
 * Where a search stands between two expansions: all that it needs to go on as if it had never stopped. What it holds
 * changes as the search goes on.
 */
export interface Standing {
  readonly store: StateStore;
  readonly origins: Origins;
  /** Of the states from `firstNew` on. */
  readonly arrivals: Arrivals;
  /** What is left to expand of a level that was judged, in path order. */
  readonly level: readonly number[];
  /** Of each of them, how many of its level came before it in path order. */
  readonly ranks: readonly number[];
  /** What was found of the next level, from state `firstNew` on. */
  readonly next: readonly number[];
  readonly firstNew: number;
  /** What was found of the next level is not in path order. */
  readonly improved: boolean;
  readonly edges: number;
  readonly depth: number;
  readonly expanded: number;
  readonly found: readonly Found[];
  /** By property: what tells its paths apart. */
  readonly signatures: readonly (readonly [number, readonly string[]])[];
}

/** How a search is kept, to be gone on with later. */
export interface Keeping {
  /** Where an earlier search stood. */
  readonly from?: Standing;
  /** Is it time to keep? Asked as often as `watch` is. */
  readonly due: () => boolean;
  /** Called when it is due, and when the search stops before its end. */
  readonly keep: (standing: Standing) => void;
}

/** Answers true to go on. Called every few thousand expansions, so that the caller may show progress or stop. */
export type Watch = (progress: Progress) => boolean;

const WATCH_EVERY = 2048;

/**
 * Ends with the level on which a property is first violated. Where several paths are wanted it goes on, but not from
 * violating states, until every property that is violated has as many. The states that are met go `into` an empty store;
 * only a run that is kept by hash alone can't be gone on with.
 */
export const breadthFirst = (model: Explorable, bounds: Bounds, watch: Watch = () => true, wanted?: Wanted, keeping?: Keeping, into: LevelStates = new StateStore(model.words)): Exploration => {
  const started = performance.now();
  const from = keeping?.from;
  const store: LevelStates = from?.store ?? into;
  const { origins, arrivals } = from ?? { origins: new Origins(), arrivals: new Arrivals() };
  let { edges, depth, expanded, firstNew, improved } = from ?? { edges: 0, depth: 0, expanded: 0, firstNew: 0, improved: false };
  let level = [...(from?.level ?? [0])];
  let ranks = from?.ranks;
  let next = [...(from?.next ?? [])];
  let position = 0;
  const batch = new Batch(model.words);
  const progress = (): Progress => ({ states: store.count, edges, depth, frontier: store.count - expanded, seconds: (performance.now() - started) / 1000 });
  const rankAt = (at: number): number => (ranks === undefined ? at : ranks[at]!);
  const collected = new Collected(wanted, from);
  const late = () => (performance.now() - started) / 1000 > bounds.seconds;
  const end = (reason: Exploration["end"]): Exploration => ({ ...progress(), end: collected.found.length > 0 ? "violated" : reason, found: collected.found });
  // Expanding a level in path order finds the next one in path order, but for what is found again with fewer steps.
  const inOrder = (): number[] => (improved ? next.toSorted((a, b) => arrivals.of(a) - arrivals.of(b)) : next);
  const keep = (): void => keeping?.keep({ store: store instanceof StateStore ? store : impossible("a run is kept without its states"), origins, arrivals, level: level.slice(position), ranks: level.slice(position).map((_, at) => rankAt(position + at)), next, firstNew, improved, edges, depth, expanded, ...collected.standing() });
  // What was found when a bound is hit is still judged: no state is counted that was not looked at. Whoever goes on judges it again.
  const stop = (reason: Exploration["end"]): Exploration => {
    keep();
    take(collected, model, store, origins, inOrder(), late);
    return end(reason);
  };

  if (from === undefined) {
    store.add(model.initial);
    origins.set(0, -1, -1, 0);
  }
  const begun = expanded;
  for (let resumed = from !== undefined; ; resumed = false) {
    if (!resumed) {
      level = take(collected, model, store, origins, level, late);
      ranks = undefined;
      if (collected.enough()) return end("violated");
      next = [];
      position = 0;
      store.forget?.(firstNew);
      firstNew = store.count;
      arrivals.begin(firstNew);
      improved = false;
    }
    if (depth >= bounds.depth) return stop("depth");
    while (position < level.length) {
      // Whoever goes on from a checkpoint gets further, however soon it is stopped again.
      if (expanded % WATCH_EVERY === 0 && (expanded > begun || !resumed)) {
        if (!watch(progress())) return stop("interrupted");
        const spent = beyond(bounds, progress().seconds);
        if (spent !== undefined) return stop(spent);
        if (keeping?.due() === true) keep();
      }
      const index = level[position]!;
      const spent = origins.steps(index);
      const rank = rankAt(position);
      batch.count = 0;
      model.expand(store.chunkOf(index), store.offsetOf(index), (successor, ordinal, steps, sum, stays) => {
        edges += 1;
        // What stays was found before this level, so nothing new is learnt of it.
        if (stays !== true) batch.add(successor, sum ?? sumOf(successor, 0, model.words), ordinal, steps);
      });
      store.touch?.(batch.sums, batch.count);
      const { states, sums, ordinals, steps } = batch;
      for (let of = 0; of < batch.count; of++) {
        const at = store.add(states, sums[of], of * model.words);
        const found = at >= 0 ? at : -1 - at;
        const key = pathKey(rank, ordinals[of]!);
        if (at >= 0) next.push(at);
        else if (found < firstNew || !isBetter(origins, arrivals, found, spent + steps[of]!, key)) continue;
        else improved = true;
        origins.set(found, index, ordinals[of]!, spent + steps[of]!);
        arrivals.set(found, key);
      }
      expanded += 1;
      position += 1;
      if (store.count >= bounds.states) return stop("states");
    }
    if (next.length === 0) return end("exhausted");
    depth += 1;
    level = inOrder();
  }
};

/** Who judges badly is told in which state. */
const judged = (model: Explorable, store: LevelStates, origins: Origins, index: number): number => {
  try {
    return model.judge(store.chunkOf(index), store.offsetOf(index));
  } catch (error) {
    if (error instanceof PropertyFailed) error.ordinals ??= origins.path(index);
    throw error;
  }
};

/** Judges a level, in path order; what of it violates nothing is left. */
const take = (collected: Collected, model: Explorable, store: LevelStates, origins: Origins, level: readonly number[], late: () => boolean): number[] => {
  const violating: Violating[] = [];
  const rest = level.filter((index) => {
    const violated = judged(model, store, origins, index);
    if (violated !== 0) violating.push({ violated, steps: origins.steps(index), path: () => origins.path(index) });
    return violated === 0;
  });
  collected.take(violating, late);
  return rest;
};
