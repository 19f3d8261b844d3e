/**
 * Depth-first search: it keeps the path that it is on, what is left to try beside it, and of each state that it met one
 * number: the least depth at which it was reached. Of the successors of a state the last in declared order is followed
 * first.
 *
 * Where the depth is bounded, a state that was first reached far down must be gone on from again when a shorter path
 * reaches it, or what lies behind it is lost. That costs much, so a first pass expands each state once; if the bound cut
 * nothing off, it has seen everything. Otherwise a second pass goes on wherever a state is reached by a shorter path.
 */
import { beyond, type Bounds, type Explorable, type Exploration, type Found, type Progress, type Watch } from "../search/breadth.ts";
import { PropertyFailed } from "../properties/property.ts";
import type { Visited } from "./visited.ts";

/** What is noted of a state: its depth, and these bits. */
const JUDGED = 1;
const EXPANDED = 2;
const FLAGS = 2;
const depthOf = (note: number): number => note >>> FLAGS;

/** States to be expanded, each with its depth and what led to it. */
class Pending {
  size = 0;
  private records: Uint32Array;
  private readonly words: number;

  constructor(words: number) {
    this.words = words + 3;
    this.records = new Uint32Array(64 * this.words);
  }
  push(state: Uint32Array, depth: number, ordinal: number, steps: number): void {
    const at = this.size * this.words;
    if (at === this.records.length) {
      const more = new Uint32Array(2 * at);
      more.set(this.records);
      this.records = more;
    }
    const { records } = this;
    records[at] = depth;
    records[at + 1] = ordinal;
    records[at + 2] = steps;
    for (let word = 3; word < this.words; word++) records[at + word] = state[word - 3]!;
    this.size += 1;
  }
  /** The record that was pushed last, and takes it away; the state goes into `state`. */
  pop(state: Uint32Array): { readonly depth: number; readonly ordinal: number; readonly steps: number } {
    this.size -= 1;
    const at = this.size * this.words;
    const { records } = this;
    for (let word = 3; word < this.words; word++) state[word - 3] = records[at + word]!;
    return { depth: records[at]!, ordinal: records[at + 1]!, steps: records[at + 2]! };
  }
  get bytes(): number {
    return this.records.byteLength;
  }
}

export interface DepthExploration extends Omit<Exploration, "store"> {
  /** What states that were met, and those to be expanded, took at most. */
  readonly bytes: number;
}
type End = DepthExploration["end"];

const WATCH_EVERY = 2048;

/** One pass. `again`: also from states that were expanded, where a shorter path reaches them. */
class Pass {
  private readonly path: { readonly ordinal: number; readonly steps: number }[] = [];
  private readonly pending: Pending;
  private readonly state: Uint32Array;
  private edges = 0;
  private expanded = 0;
  private deepest = 0;
  /** States that were looked at and not expanded, as they are as deep as the bound allows. */
  private cut = 0;
  /** Why nothing is expanded any more; what is pending is judged. */
  private stopped: End | undefined;

  private readonly model: Explorable;
  private readonly bounds: Bounds;
  private readonly visited: Visited;
  private readonly again: boolean;
  private readonly watch: Watch;
  private readonly started: number;

  constructor(model: Explorable, bounds: Bounds, visited: Visited, again: boolean, watch: Watch, started: number) {
    this.model = model;
    this.bounds = bounds;
    this.visited = visited;
    this.again = again;
    this.watch = watch;
    this.started = started;
    this.pending = new Pending(model.words);
    this.state = new Uint32Array(model.words);
  }

  run(): DepthExploration {
    const { pending, visited, state } = this;
    visited.note(visited.placeOf(this.model.initial), 0);
    pending.push(this.model.initial, 0, 0, 0);
    while (pending.size > 0) {
      const { depth, ordinal, steps } = pending.pop(state);
      const place = visited.placeOf(state);
      const note = visited.noted(place);
      // A shorter path has reached it since, and it was looked at there.
      if (depthOf(note) < depth) continue;
      this.path.length = Math.max(depth - 1, 0);
      if (depth > 0) this.path.push({ ordinal, steps });
      this.deepest = Math.max(this.deepest, depth);
      if ((note & JUDGED) === 0) {
        visited.note(place, note | JUDGED);
        const violated = this.judged();
        if (violated !== 0) return this.end("violated", [this.found(violated)]);
      }
      if (this.stopped !== undefined) continue;
      if (depth < this.bounds.depth) this.expand(depth, note);
      else this.cut += 1;
    }
    return this.end(this.stopped ?? (this.cut === 0 ? "exhausted" : "depth"), []);
  }

  private judged(): number {
    try {
      return this.model.judge(this.state, 0);
    } catch (error) {
      if (error instanceof PropertyFailed) error.ordinals ??= this.path.map(({ ordinal }) => ordinal);
      throw error;
    }
  }

  private expand(depth: number, note: number): void {
    const { visited, pending, bounds } = this;
    const first = (note & EXPANDED) === 0;
    if (this.expanded % WATCH_EVERY === 0) {
      if (!this.watch(this.progress())) this.stopped = "interrupted";
      else this.stopped = beyond(bounds, this.seconds());
      if (this.stopped !== undefined) return;
    }
    visited.note(visited.placeOf(this.state), note | JUDGED | EXPANDED);
    this.expanded += 1;
    const below = depth + 1;
    this.model.expand(this.state, 0, (successor, ordinal, steps, sum) => {
      if (first) this.edges += 1;
      const place = visited.placeOf(successor, sum);
      const known = visited.noted(place);
      if (known >= 0 && !this.nearer(known, below)) return;
      visited.note(place, (below << FLAGS) | (known < 0 ? 0 : known & (JUDGED | EXPANDED)));
      pending.push(successor, below, ordinal, steps);
    });
    if (visited.count >= bounds.states) this.stopped = "states";
  }

  /** Is a state that was met to be gone on from at this depth? */
  private nearer(known: number, depth: number): boolean {
    const before = depthOf(known);
    if (depth >= before || !(this.again || before === this.bounds.depth)) return false;
    if (before === this.bounds.depth && (known & JUDGED) !== 0) this.cut -= 1;
    return true;
  }

  private seconds(): number {
    return (performance.now() - this.started) / 1000;
  }
  private progress(): Progress {
    return { states: this.visited.count, edges: this.edges, depth: this.deepest, frontier: this.pending.size, seconds: this.seconds() };
  }
  private found(violated: number): Found {
    return { violated, ordinals: this.path.map(({ ordinal }) => ordinal), steps: this.path.reduce((sum, { steps }) => sum + steps, 0) };
  }
  private end(end: End, found: readonly Found[]): DepthExploration {
    return { ...this.progress(), end, found, bytes: this.visited.bytes + this.pending.bytes };
  }
}

/** Stops at the first state that violates something; `found` has the path that it was on, which may be anything but short. */
export const depthFirst = (model: Explorable, bounds: Bounds, visited: () => Visited, watch: Watch = () => true): DepthExploration => {
  const started = performance.now();
  const once = new Pass(model, bounds, visited(), false, watch, started).run();
  return once.end === "depth" ? new Pass(model, bounds, visited(), true, watch, started).run() : once;
};

/**
 * Looks for something shorter than a path of `length` invocations, with the depth bounded below it, until nothing is found.
 * `shorten` may know a way to make what was found shorter still, and says how long it is then.
 */
export const shorterThan = (
  length: number,
  search: (depth: number) => Pick<Exploration, "end" | "found">,
  shorten: (found: Found) => number,
): { readonly length: number; readonly shown: boolean } => {
  let least = length;
  while (least > 0) {
    const { end, found } = search(least - 1);
    if (end !== "violated") return { length: least, shown: end === "exhausted" || end === "depth" };
    least = Math.min(least - 1, shorten(found[0]!));
  }
  return { length: 0, shown: true };
};
