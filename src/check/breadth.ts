/**
 * Breadth-first exploration over packed states: exact (whole states are kept and compared, never only hashes), with the
 * shortest trace as design §6 defines it: fewest invocations, then fewest steps, then least in declared order.
 */
import { Batch } from "./batch.ts";
import { Arrivals, Origins } from "./origins.ts";
import { PropertyFailed } from "./properties.ts";
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

export interface Bounds {
  readonly states: number;
  readonly depth: number;
  readonly seconds: number;
}

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
  readonly end: "exhausted" | "violated" | "states" | "depth" | "seconds" | "interrupted";
  readonly found: readonly Found[];
}
/** A search that kept every state that it met. */
export interface KeptExploration extends Exploration {
  readonly store: StateStore;
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
  /** What was found of the next level, from state `firstNew` on. */
  readonly next: readonly number[];
  readonly firstNew: number;
  readonly arrival: number;
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
 * violating states, until every property that is violated has as many.
 */
export const breadthFirst = (model: Explorable, bounds: Bounds, watch: Watch = () => true, wanted?: Wanted, keeping?: Keeping): KeptExploration => {
  const started = performance.now();
  const from = keeping?.from;
  const { store, origins, arrivals } = from ?? { store: new StateStore(model.words), origins: new Origins(), arrivals: new Arrivals() };
  let { edges, depth, expanded, firstNew, arrival, improved } = from ?? { edges: 0, depth: 0, expanded: 0, firstNew: 0, arrival: 0, improved: false };
  let level = [...(from?.level ?? [0])];
  let next = [...(from?.next ?? [])];
  let position = 0;
  const batch = new Batch(model.words);
  const progress = (): Progress => ({ states: store.count, edges, depth, frontier: store.count - expanded, seconds: (performance.now() - started) / 1000 });
  const collected = new Collected(wanted, from);
  const late = () => (performance.now() - started) / 1000 > bounds.seconds;
  const end = (reason: Exploration["end"]): KeptExploration => ({ ...progress(), end: collected.found.length > 0 ? "violated" : reason, found: collected.found, store });
  const keep = (): void => keeping?.keep({ store, origins, arrivals, level: level.slice(position), next, firstNew, arrival, improved, edges, depth, expanded, ...collected.standing() });
  // What was found when a bound is hit is still judged: no state is counted that was not looked at. Whoever goes on judges it again.
  const stop = (reason: Exploration["end"]): KeptExploration => {
    keep();
    collected.take(model, store, origins, next, late);
    return end(reason);
  };

  if (from === undefined) {
    store.add(model.initial);
    origins.set(0, -1, -1, 0);
  }
  const begun = expanded;
  for (let resumed = from !== undefined; ; resumed = false) {
    if (!resumed) {
      level = collected.take(model, store, origins, level, late);
      if (collected.enough()) return end("violated");
      next = [];
      position = 0;
      firstNew = store.count;
      arrivals.begin(firstNew);
      arrival = 0;
      improved = false;
    }
    if (depth >= bounds.depth) return stop("depth");
    while (position < level.length) {
      // Whoever goes on from a checkpoint gets further, however soon it is stopped again.
      if (expanded % WATCH_EVERY === 0 && (expanded > begun || !resumed)) {
        if (!watch(progress())) return stop("interrupted");
        if (late()) return stop("seconds");
        if (keeping?.due() === true) keep();
      }
      const index = level[position]!;
      const spent = origins.steps(index);
      batch.count = 0;
      let met = 0;
      model.expand(store.chunkOf(index), store.offsetOf(index), (successor, ordinal, steps, sum, stays) => {
        met += 1;
        // What stays was found before this level, so nothing new is learnt of it.
        if (stays !== true) batch.add(successor, sum ?? sumOf(successor, 0, model.words), ordinal, steps, met);
      });
      store.touch(batch.sums, batch.count);
      const { states, sums, ordinals, steps, places } = batch;
      for (let of = 0; of < batch.count; of++) {
        const at = store.add(states, sums[of], of * model.words);
        if (at >= 0) next.push(at);
        else if (-1 - at < firstNew || origins.steps(-1 - at) <= spent + steps[of]!) continue;
        else improved = true;
        const found = at >= 0 ? at : -1 - at;
        origins.set(found, index, ordinals[of]!, spent + steps[of]!);
        arrivals.set(found, arrival + places[of]!);
      }
      edges += met;
      arrival += met;
      expanded += 1;
      position += 1;
      if (store.count >= bounds.states) return stop("states");
    }
    if (next.length === 0) return end("exhausted");
    depth += 1;
    // Expanding a level in path order makes arrival order path order on the next one.
    level = improved ? next.toSorted((a, b) => arrivals.of(a) - arrivals.of(b)) : next;
  }
};

const append = (lists: Map<number, number[]>, key: number, index: number): void => {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [index]);
  else list.push(index);
};

/** Who judges badly is told in which state. */
const judged = (model: Explorable, store: StateStore, origins: Origins, index: number): number => {
  try {
    return model.judge(store.chunkOf(index), store.offsetOf(index));
  } catch (error) {
    if (error instanceof PropertyFailed) error.ordinals ??= origins.path(index);
    throw error;
  }
};

/** Paths to violations, level by level: for each property those with the fewest steps, then the first in path order. */
class Collected {
  readonly found: Found[] = [];
  private readonly signatures = new Map<number, Set<string>>();
  private readonly wanted: Wanted;

  constructor(wanted: Wanted = { traces: 1, signature: () => "" }, from?: Standing) {
    this.wanted = wanted;
    this.found.push(...(from?.found ?? []));
    for (const [bit, signatures] of from?.signatures ?? []) this.signatures.set(bit, new Set(signatures));
  }

  standing(): Pick<Standing, "found" | "signatures"> {
    return { found: [...this.found], signatures: [...this.signatures].map(([bit, signatures]) => [bit, [...signatures]]) };
  }

  /** Judges a level; what of it violates nothing is left. */
  take(model: Explorable, store: StateStore, origins: Origins, level: readonly number[], late: () => boolean): number[] {
    const violating = new Map<number, number[]>();
    const rest = level.filter((index) => {
      const violated = judged(model, store, origins, index);
      for (let bit = 0; violated >>> bit !== 0; bit++) if (((violated >>> bit) & 1) !== 0) append(violating, bit, index);
      return violated === 0;
    });
    for (const [bit, indices] of violating) {
      const signatures = this.signatures.get(bit) ?? new Set();
      this.signatures.set(bit, signatures);
      // Sorting is stable, so path order decides among equals.
      for (const index of indices.toSorted((a, b) => origins.steps(a) - origins.steps(b))) {
        if (signatures.size >= this.wanted.traces || (signatures.size > 0 && late())) break;
        const ordinals = origins.path(index);
        const signature = this.wanted.signature(ordinals, bit);
        if (signatures.has(signature)) continue;
        signatures.add(signature);
        this.found.push({ violated: 1 << bit, ordinals, steps: origins.steps(index) });
      }
    }
    return rest;
  }

  /** Something is violated, and every property that is has as many paths as are wanted. */
  enough(): boolean {
    return this.signatures.size > 0 && [...this.signatures.values()].every(({ size }) => size >= this.wanted.traces);
  }
}
