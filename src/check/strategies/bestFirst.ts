/**
 * Best-first search for states that one or several questions want: each state that is met gets a distance from every
 * question that is still open, and the open questions take turns at expanding the state that is nearest to them, as the
 * queues of a satisficing planner do (Helmert, The Fast Downward Planning System, 2006). Between them comes the state that
 * was met first, so that a misleading distance only halves the speed, and everything is expanded in the end. Among
 * equally near states the one on the shorter path comes first, and then the one that was met first.
 */
import { beyond, type Bounds, type Explorable, type Progress } from "../search/breadth.ts";
import { Origins } from "../search/origins.ts";
import { StateStore } from "../search/stateStore.ts";

/** 0 in a state that is wanted; otherwise more, the more seems to be missing. Below `FAR`. */
export type Distance = (states: Uint32Array, at: number) => number;
export const FAR = 256;

export interface Wish {
  readonly distance: Distance;
  /** Whether distances tell states apart; where they do not, states come first that have a word which was never seen before. */
  readonly guided: boolean;
}

export interface Wishes extends Progress {
  /** `reached`: every wish was. `exhausted`: every state was looked at that can be reached. Otherwise the bound that was hit. */
  readonly end: "reached" | "exhausted" | "states" | "depth" | "seconds" | "memory" | "interrupted";
  /** Of each wish that was reached: the ordinals of a path there. */
  readonly paths: readonly (readonly number[] | undefined)[];
}

/** Asked between expansions; answers true to go on. */
export type WishWatch = (progress: Progress & { readonly open: number }) => boolean | Promise<boolean>;

const WATCH_EVERY = 512;
const MOST_DEPTH = 1023;
/** A depth in the key of a queue; states come behind it. */
const STATE_SPAN = 2 ** 32;

/** States by what comes first: a binary heap of keys. */
class Queue {
  private readonly keys: number[] = [];

  push(distance: number, depth: number, index: number): void {
    const { keys } = this;
    const key = (distance * (MOST_DEPTH + 1) + Math.min(depth, MOST_DEPTH)) * STATE_SPAN + index;
    let at = keys.length;
    keys.push(key);
    while (at > 0) {
      const above = (at - 1) >> 1;
      if (keys[above]! <= key) break;
      keys[at] = keys[above]!;
      at = above;
    }
    keys[at] = key;
  }
  /** The state that comes first, or -1. */
  pop(): number {
    const { keys } = this;
    const first = keys[0];
    const last = keys.pop();
    if (first === undefined || last === undefined) return -1;
    if (keys.length > 0) this.sink(last);
    return first % STATE_SPAN;
  }
  private sink(key: number): void {
    const { keys } = this;
    let at = 0;
    for (let below = 1; below < keys.length; below = 2 * at + 1) {
      if (below + 1 < keys.length && keys[below + 1]! < keys[below]!) below += 1;
      if (keys[below]! >= key) break;
      keys[at] = keys[below]!;
      at = below;
    }
    keys[at] = key;
  }
}

/** Which values each word was seen to have (novelty of width 1: Lipovetzky and Geffner, ECAI 2012). */
class Novelty {
  private readonly seen = new Set<number>();

  /** Has some word of the state a value that it never had? */
  shows(states: Uint32Array, at: number, words: number): boolean {
    const before = this.seen.size;
    for (let word = 0; word < words; word++) this.seen.add(word * STATE_SPAN + states[at + word]!);
    return this.seen.size > before;
  }
}

interface Open {
  readonly wish: Wish;
  readonly number: number;
  readonly queue: Queue;
}

class BestFirst {
  private readonly store: StateStore;
  private readonly origins = new Origins();
  private readonly novelty = new Novelty();
  private readonly expanded = new Set<number>();
  private readonly paths: (readonly number[] | undefined)[];
  private open: readonly Open[];
  private oldest = 0;
  private looked = 0;
  private edges = 0;
  private deepest = 0;
  private cut = false;
  private readonly started = performance.now();

  private readonly model: Explorable;
  private readonly bounds: Bounds;
  private readonly watch: WishWatch;

  constructor(model: Explorable, wishes: readonly Wish[], bounds: Bounds, watch: WishWatch) {
    this.model = model;
    this.bounds = bounds;
    this.watch = watch;
    this.store = new StateStore(model.words);
    this.paths = wishes.map(() => undefined);
    this.open = wishes.map((wish, number) => ({ wish, number, queue: new Queue() }));
  }

  async run(): Promise<Wishes> {
    this.store.add(this.model.initial);
    this.origins.set(0, -1, -1, 0);
    this.look();
    while (this.open.length > 0) {
      const stop = await this.round();
      if (stop !== undefined) return this.end(stop);
    }
    return this.end("reached");
  }

  /** One state for each open wish, and the oldest one. */
  private async round(): Promise<Wishes["end"] | undefined> {
    for (const { queue } of [...this.open, { queue: undefined }]) {
      const index = queue === undefined ? this.nextOldest() : this.nextOf(queue);
      if (index < 0 && queue === undefined) return this.cut ? "depth" : "exhausted";
      if (index < 0) continue;
      if (this.expanded.size % WATCH_EVERY === 0) {
        if (!(await this.watch({ ...this.progress(), open: this.open.length }))) return "interrupted";
        const spent = beyond(this.bounds, this.seconds());
        if (spent !== undefined) return spent;
      }
      this.expand(index);
      this.look();
      if (this.open.length === 0) return undefined;
      if (this.store.count >= this.bounds.states) return "states";
    }
    return undefined;
  }

  private nextOf(queue: Queue): number {
    let index = queue.pop();
    while (index >= 0 && this.expanded.has(index)) index = queue.pop();
    return index;
  }
  private nextOldest(): number {
    while (this.oldest < this.store.count && this.expanded.has(this.oldest)) this.oldest += 1;
    return this.oldest < this.store.count ? this.oldest : -1;
  }

  private expand(index: number): void {
    const { store, origins } = this;
    this.expanded.add(index);
    const depth = origins.steps(index);
    this.deepest = Math.max(this.deepest, depth);
    if (depth >= this.bounds.depth) {
      this.cut = true;
      return;
    }
    this.model.expand(store.chunkOf(index), store.offsetOf(index), (successor, ordinal, _steps, sum) => {
      this.edges += 1;
      const at = store.add(successor, sum);
      if (at >= 0) origins.set(at, index, ordinal, depth + 1);
    });
  }

  /** Asks the open wishes about every state that is new. */
  private look(): void {
    const { store, origins } = this;
    for (; this.looked < store.count && this.open.length > 0; this.looked++) {
      const states = store.chunkOf(this.looked);
      const at = store.offsetOf(this.looked);
      const depth = origins.steps(this.looked);
      this.deepest = Math.max(this.deepest, depth);
      const novel = this.open.some(({ wish }) => !wish.guided) && this.novelty.shows(states, at, store.words);
      for (const { wish, number, queue } of this.open) {
        const distance = wish.distance(states, at);
        if (distance === 0) this.paths[number] = origins.path(this.looked);
        else if (wish.guided) queue.push(Math.min(distance, FAR - 1), depth, this.looked);
        else if (novel) queue.push(1, depth, this.looked);
      }
      this.open = this.open.filter(({ number }) => this.paths[number] === undefined);
    }
  }

  private seconds(): number {
    return (performance.now() - this.started) / 1000;
  }
  private progress(): Progress {
    return { states: this.store.count, edges: this.edges, depth: this.deepest, frontier: this.store.count - this.expanded.size, seconds: this.seconds() };
  }
  private end(end: Wishes["end"]): Wishes {
    return { ...this.progress(), end, paths: this.paths };
  }
}

/** Paths to states that are wanted, one for each wish; deterministic, and not the shortest. */
export const bestFirst = (model: Explorable, wishes: readonly Wish[], bounds: Bounds, watch: WishWatch = () => true): Promise<Wishes> => new BestFirst(model, wishes, bounds, watch).run();
