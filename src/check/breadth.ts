/**
 * Breadth-first exploration over packed states: exact (whole states are kept and compared, never only hashes), with the
 * shortest trace as design §6 defines it: fewest invocations, then fewest steps, then least in declared order.
 */
import { StateStore } from "./stateStore.ts";

/** What a strategy needs of a model. States are windows of `words` 32-bit words. */
export interface Explorable {
  readonly words: number;
  readonly initial: Uint32Array;
  /**
   * Calls `visit` with every successor of the state at `at`, in declared order. `ordinal` counts the instances of this
   * state, refused ones too; `steps` is what the invocation gave the SMMU. `successor` is valid during the call only;
   * `sum` is its hash (stateStore.ts), where the model has it at hand.
   */
  readonly expand: (states: Uint32Array, at: number, visit: (successor: Uint32Array, ordinal: number, steps: number, sum?: number) => void) => void;
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

/** How many paths to each property are wanted, when more than one, and what tells two of them apart. */
export interface Wanted {
  readonly traces: number;
  /** Equal for paths that are the same to a reader. */
  readonly signature: (ordinals: readonly number[], property: number) => string;
}

/** How each state was first reached, or reached again at the same depth with fewer steps. In chunks, as states are. */
class Origins {
  private readonly chunks: Int32Array[] = [];

  set(index: number, parent: number, ordinal: number, steps: number): void {
    if (index >>> ORIGIN_BITS === this.chunks.length) this.chunks.push(new Int32Array(3 << ORIGIN_BITS));
    const chunk = this.chunks[index >>> ORIGIN_BITS]!;
    const at = 3 * (index & ORIGIN_MASK);
    chunk[at] = parent;
    chunk[at + 1] = ordinal;
    chunk[at + 2] = steps;
  }
  parent(index: number): number {
    return this.chunks[index >>> ORIGIN_BITS]![3 * (index & ORIGIN_MASK)]!;
  }
  ordinal(index: number): number {
    return this.chunks[index >>> ORIGIN_BITS]![3 * (index & ORIGIN_MASK) + 1]!;
  }
  steps(index: number): number {
    return this.chunks[index >>> ORIGIN_BITS]![3 * (index & ORIGIN_MASK) + 2]!;
  }

  path(index: number): number[] {
    const ordinals: number[] = [];
    for (let at = index; this.parent(at) >= 0; at = this.parent(at)) ordinals.push(this.ordinal(at));
    return ordinals.toReversed();
  }
}
const ORIGIN_BITS = 16;
const ORIGIN_MASK = (1 << ORIGIN_BITS) - 1;

/** When the path to each state of a level was found: path order, since parents are expanded in path order. */
class Arrivals {
  private first = 0;
  private times = new Float64Array(1024);

  begin(first: number): void {
    this.first = first;
  }
  set(index: number, time: number): void {
    const at = index - this.first;
    if (at >= this.times.length) {
      const larger = new Float64Array(2 * this.times.length);
      larger.set(this.times);
      this.times = larger;
    }
    this.times[at] = time;
  }
  of(index: number): number {
    return this.times[index - this.first]!;
  }
}

/** Answers true to go on. Called every few thousand expansions, so that the caller may show progress or stop. */
export type Watch = (progress: Progress) => boolean;

const WATCH_EVERY = 2048;

/**
 * Ends with the level on which a property is first violated. Where several paths are wanted it goes on, but not from
 * violating states, until every property that is violated has as many.
 */
export const breadthFirst = (model: Explorable, bounds: Bounds, watch: Watch = () => true, wanted?: Wanted): Exploration => {
  const started = performance.now();
  const store = new StateStore(model.words);
  const origins = new Origins();
  const arrivals = new Arrivals();
  let edges = 0;
  let depth = 0;
  let expanded = 0;
  const progress = (): Progress => ({ states: store.count, edges, depth, frontier: store.count - expanded, seconds: (performance.now() - started) / 1000 });
  const collected = new Collected(wanted);
  const late = () => (performance.now() - started) / 1000 > bounds.seconds;
  const end = (reason: Exploration["end"]): Exploration => ({ ...progress(), end: collected.found.length > 0 ? "violated" : reason, found: collected.found });

  store.add(model.initial);
  origins.set(0, -1, -1, 0);
  let level = [0];
  for (;;) {
    level = collected.take(model, store, origins, level, late);
    if (collected.enough()) return end("violated");
    if (depth >= bounds.depth) return end("depth");
    const next: number[] = [];
    // What was found when a bound is hit is still judged: no state is counted that was not looked at.
    const stop = (reason: Exploration["end"]): Exploration => {
      collected.take(model, store, origins, next, late);
      return end(reason);
    };
    const firstNew = store.count;
    arrivals.begin(firstNew);
    let arrival = 0;
    let improved = false;
    for (const index of level) {
      if (expanded % WATCH_EVERY === 0) {
        if (!watch(progress())) return stop("interrupted");
        if (late()) return stop("seconds");
      }
      const spent = origins.steps(index);
      model.expand(store.chunkOf(index), store.offsetOf(index), (successor, ordinal, steps, sum) => {
        edges += 1;
        arrival += 1;
        const at = store.add(successor, sum);
        if (at >= 0) next.push(at);
        else if (-1 - at < firstNew || origins.steps(-1 - at) <= spent + steps) return;
        else improved = true;
        const found = at >= 0 ? at : -1 - at;
        origins.set(found, index, ordinal, spent + steps);
        arrivals.set(found, arrival);
      });
      expanded += 1;
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

/** Paths to violations, level by level: for each property those with the fewest steps, then the first in path order. */
class Collected {
  readonly found: Found[] = [];
  private readonly signatures = new Map<number, Set<string>>();
  private readonly wanted: Wanted;

  constructor(wanted: Wanted = { traces: 1, signature: () => "" }) {
    this.wanted = wanted;
  }

  /** Judges a level; what of it violates nothing is left. */
  take(model: Explorable, store: StateStore, origins: Origins, level: readonly number[], late: () => boolean): number[] {
    const violating = new Map<number, number[]>();
    const rest = level.filter((index) => {
      const violated = model.judge(store.chunkOf(index), store.offsetOf(index));
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
