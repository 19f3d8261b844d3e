/**
 * Breadth-first exploration over packed states: exact (whole states are kept and compared, never only hashes), with the
 * shortest trace as design §6 defines it: fewest invocations, then fewest steps, then least in declared order.
 */

/** What a strategy needs of a model. States are windows of `words` 32-bit words. */
export interface Explorable {
  readonly words: number;
  readonly initial: Uint32Array;
  /**
   * Calls `visit` with every successor of the state at `at`, in declared order. `ordinal` counts the instances of this
   * state, refused ones too; `steps` is what the invocation gave the SMMU. `successor` is valid during the call only.
   */
  readonly expand: (states: Uint32Array, at: number, visit: (successor: Uint32Array, ordinal: number, steps: number) => void) => void;
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

/** Growing store of whole states with an open-addressing index. */
class StateStore {
  readonly words: number;
  count = 0;
  data: Uint32Array;
  private table = new Int32Array(1 << 12);

  constructor(words: number) {
    this.words = words;
    this.data = new Uint32Array(words * 1024);
  }

  /** Index of the state, negative (-1 - index) when it was there before. */
  add(state: Uint32Array): number {
    if (this.count * 2 >= this.table.length) this.rehash();
    const mask = this.table.length - 1;
    let probe = this.hash(state, 0) & mask;
    for (let entry = this.table[probe]!; entry !== 0; entry = this.table[probe]!) {
      if (this.equal(state, (entry - 1) * this.words)) return -entry;
      probe = (probe + 1) & mask;
    }
    const index = this.count++;
    if (this.count * this.words > this.data.length) {
      const larger = new Uint32Array(this.data.length * 2);
      larger.set(this.data);
      this.data = larger;
    }
    this.data.set(state, index * this.words);
    this.table[probe] = index + 1;
    return index;
  }

  private hash(state: Uint32Array, at: number): number {
    let hash = 0x9e3779b9;
    for (let word = 0; word < this.words; word++) {
      hash = Math.imul(hash ^ state[at + word]!, 0x85ebca6b);
      hash ^= hash >>> 15;
    }
    hash = Math.imul(hash, 0xc2b2ae35);
    return (hash ^ (hash >>> 13)) >>> 0;
  }

  private equal(state: Uint32Array, at: number): boolean {
    for (let word = 0; word < this.words; word++) if (state[word] !== this.data[at + word]) return false;
    return true;
  }

  private rehash(): void {
    this.table = new Int32Array(this.table.length * 2);
    const mask = this.table.length - 1;
    for (let index = 0; index < this.count; index++) {
      let probe = this.hash(this.data, index * this.words) & mask;
      while (this.table[probe] !== 0) probe = (probe + 1) & mask;
      this.table[probe] = index + 1;
    }
  }
}

/** How each state was first reached, or reached again at the same depth with fewer steps. */
class Origins {
  parent = new Int32Array(1024);
  ordinal = new Int32Array(1024);
  steps = new Int32Array(1024);
  /** When the path was found, within its level: path order, since parents are expanded in path order. */
  arrival = new Float64Array(1024);

  set(index: number, parent: number, ordinal: number, steps: number, arrival: number): void {
    if (index >= this.parent.length) this.grow();
    this.parent[index] = parent;
    this.ordinal[index] = ordinal;
    this.steps[index] = steps;
    this.arrival[index] = arrival;
  }

  private grow(): void {
    const larger = <A extends Int32Array | Float64Array>(old: A, fresh: A): A => {
      fresh.set(old);
      return fresh;
    };
    const size = this.parent.length * 2;
    this.parent = larger(this.parent, new Int32Array(size));
    this.ordinal = larger(this.ordinal, new Int32Array(size));
    this.steps = larger(this.steps, new Int32Array(size));
    this.arrival = larger(this.arrival, new Float64Array(size));
  }

  path(index: number): number[] {
    const ordinals: number[] = [];
    for (let at = index; this.parent[at]! >= 0; at = this.parent[at]!) ordinals.push(this.ordinal[at]!);
    return ordinals.toReversed();
  }
}

/** Answers true to go on. Called every few thousand expansions, so that the caller may show progress or stop. */
export type Watch = (progress: Progress) => boolean;

const WATCH_EVERY = 2048;

export const breadthFirst = (model: Explorable, bounds: Bounds, watch: Watch = () => true): Exploration => {
  const started = performance.now();
  const store = new StateStore(model.words);
  const origins = new Origins();
  let edges = 0;
  let depth = 0;
  let expanded = 0;
  const progress = (): Progress => ({ states: store.count, edges, depth, frontier: store.count - expanded, seconds: (performance.now() - started) / 1000 });
  const end = (reason: Exploration["end"], found: readonly Found[] = []): Exploration => ({ ...progress(), end: reason, found });

  store.add(model.initial);
  origins.set(0, -1, -1, 0, 0);
  let level = [0];
  for (;;) {
    const found = violations(model, store, origins, level);
    if (found.length > 0) return end("violated", found);
    if (depth >= bounds.depth) return end("depth");
    const next: number[] = [];
    // What was found when a bound is hit is still judged: no state is counted that was not looked at.
    const stop = (reason: Exploration["end"]): Exploration => {
      const late = violations(model, store, origins, next);
      return late.length > 0 ? end("violated", late) : end(reason);
    };
    const firstNew = store.count;
    let arrival = 0;
    let improved = false;
    for (const index of level) {
      if (expanded % WATCH_EVERY === 0) {
        if (!watch(progress())) return stop("interrupted");
        if ((performance.now() - started) / 1000 > bounds.seconds) return stop("seconds");
      }
      const spent = origins.steps[index]!;
      model.expand(store.data, index * model.words, (successor, ordinal, steps) => {
        edges += 1;
        arrival += 1;
        const at = store.add(successor);
        if (at >= 0) {
          next.push(at);
          origins.set(at, index, ordinal, spent + steps, arrival);
        } else if (-1 - at >= firstNew && origins.steps[-1 - at]! > spent + steps) {
          origins.set(-1 - at, index, ordinal, spent + steps, arrival);
          improved = true;
        }
      });
      expanded += 1;
      if (store.count >= bounds.states) return stop("states");
    }
    if (next.length === 0) return end("exhausted");
    depth += 1;
    // Expanding a level in path order makes arrival order path order on the next one.
    level = improved ? next.toSorted((a, b) => origins.arrival[a]! - origins.arrival[b]!) : next;
  }
};

/** For each property violated on this level, the least path: fewest steps, then first in path order. */
const violations = (model: Explorable, store: StateStore, origins: Origins, level: readonly number[]): Found[] => {
  const best = new Map<number, number>();
  for (const index of level) {
    const violated = model.judge(store.data, index * model.words);
    for (let bit = 0; violated >>> bit !== 0; bit++) {
      if (((violated >>> bit) & 1) === 0) continue;
      const known = best.get(bit);
      if (known === undefined || origins.steps[index]! < origins.steps[known]!) best.set(bit, index);
    }
  }
  return [...best].map(([bit, index]) => ({ violated: 1 << bit, ordinals: origins.path(index), steps: origins.steps[index]! }));
};
