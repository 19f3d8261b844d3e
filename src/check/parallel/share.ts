/** One thread's share of the states: what belongs to it, and what it does with it (see protocol.ts). */
import { Batch } from "../search/batch.ts";
import type { Model } from "../model.ts";
import { Arrivals, isBetter, Origins, pathKey } from "../search/origins.ts";
import { PropertyFailed } from "../properties/property.ts";
import { shared, StateStore, sumOf } from "../search/stateStore.ts";
import { representedBy } from "../explore.ts";
import type { Holdings } from "./holdings.ts";
import { codeOf, control as places, type Enlistment, FAILED, type JudgedBad, ownerOf, type Report, type Unjudged } from "./protocol.ts";
import { type Passage, type Ring, ringOver } from "./ring.ts";

/** Another thread failed; it is the one that says why. */
export class Abandoned extends Error {
  override readonly name = "Abandoned";
}

/** Expansions between two looks at what others sent, and at whether to stop. */
const LOOK_EVERY = 32;
/** Milliseconds that a thread sleeps for want of anything to do, unless it is woken. */
const IDLE = 1;
const NO_ROOM = 0.2;

/** Where a number stands in a list that ascends. */
const placeIn = (ascending: Float64Array, number: number): number => {
  let [from, until] = [0, ascending.length];
  while (until - from > 1) {
    const middle = (from + until) >>> 1;
    if (ascending[middle]! <= number) from = middle;
    else until = middle;
  }
  return from;
};

export class Share {
  private readonly model: Model;
  private readonly enlisted: Enlistment;
  private readonly control: Int32Array;
  private readonly store: StateStore;
  private readonly batch: Batch;
  private readonly origins = new Origins(shared);
  /** Of what was found of the next level. */
  private readonly arrivals = new Arrivals();
  private readonly outgoing: readonly (Ring | undefined)[];
  private readonly incoming: readonly { readonly from: number; readonly ring: Ring }[];
  /** Where each level begins among these states; the last is the one that is being found. */
  private readonly starts: number[] = [0];
  /** What of the level is expanded, in path order, and how many of all threads come before each. */
  private todo: number[] = [];
  private ranks: number[] = [];
  private position = 0;
  /** What was found, in path order, once that was asked for. */
  private sorted: number[] = [];

  constructor(model: Model, enlisted: Enlistment) {
    const { member, members, words, rings } = enlisted;
    this.model = model;
    this.enlisted = enlisted;
    this.control = new Int32Array(enlisted.control);
    this.store = new StateStore(words, shared);
    this.batch = new Batch(words);
    this.outgoing = rings[member]!.map((buffer, to) => (to === member ? undefined : ringOver(buffer, words)));
    this.incoming = rings.flatMap((row, from) => (from === member ? [] : [{ from, ring: ringOver(row[member]!, words) }]));
    if (enlisted.inherited !== undefined) this.inherit(enlisted.inherited);
    else if (ownerOf(sumOf(model.collapsed.initial, 0, words), members) === member) {
      this.store.add(model.collapsed.initial);
      this.origins.set(0, -1, -1, 0);
      this.arrivals.set(0, 0);
    }
  }

  private inherit({ states, origins, count, starts, todo, ranks, keys }: Holdings): void {
    this.store.adopt(states, count);
    this.origins.adopt(origins);
    this.starts.splice(0, 1, ...starts);
    this.todo = [...todo];
    this.ranks = [...ranks];
    const first = starts.at(-1)!;
    this.arrivals.begin(first);
    for (const [at, key] of keys.entries()) this.arrivals.set(first + at, key);
  }
  /** How many states ours stand for. */
  represented(): number {
    return this.model.symmetry === undefined ? this.store.count : representedBy(this.model, this.model.collapse.wholes(this.store.pieces()));
  }

  holdings(): Holdings {
    return {
      states: this.store.buffers(),
      origins: this.origins.buffers(),
      count: this.store.count,
      starts: this.starts,
      todo: Int32Array.from(this.todo.slice(this.position)),
      ranks: Int32Array.from(this.ranks.slice(this.position)),
      keys: this.arrivals.until(this.store.count).slice(),
    };
  }

  /** A state of ours was found, from a state of another, or of ours. */
  private meet(states: Uint32Array, at: number, { sum, rank, ordinal, steps }: Passage, parent: number): void {
    const added = this.store.add(states, sum, at);
    const index = added >= 0 ? added : -1 - added;
    const key = pathKey(rank, ordinal);
    if (added >= 0) Atomics.add(this.control, places.states, 1);
    else if (index < this.starts.at(-1)! || !isBetter(this.origins, this.arrivals, index, steps, key)) return;
    this.origins.set(index, parent, ordinal, steps);
    this.arrivals.set(index, key);
  }
  private receive(): number {
    const { members } = this.enlisted;
    let taken = 0;
    for (const { from, ring } of this.incoming) taken += ring.drain((state, passage) => this.meet(state, 0, passage, codeOf(from, passage.parent, members)));
    return taken;
  }
  private send(state: Uint32Array, passage: Passage, owner: number): void {
    // While the other has no room, it may be waiting for room itself.
    while (!this.outgoing[owner]!.push(state, passage)) {
      if (this.abandoned()) throw new Abandoned();
      if (this.receive() === 0) Atomics.wait(this.control, places.nothing, 0, NO_ROOM);
    }
  }
  private abandoned(): boolean {
    return Atomics.load(this.control, places.stop) === FAILED;
  }

  private expandOne(at: number, passage: Passage): number {
    const { model, batch, store, enlisted: { member, members, words } } = this;
    const index = this.todo[at]!;
    const spent = this.origins.steps(index);
    let edges = 0;
    passage.parent = index;
    passage.rank = this.ranks[at]!;
    batch.count = 0;
    model.collapsed.expand(store.chunkOf(index), store.offsetOf(index), (successor, ordinal, steps, known, stays) => {
      edges += 1;
      // What stays was found before this level.
      if (stays === true) return;
      const sum = known ?? sumOf(successor, 0, words);
      const owner = ownerOf(sum, members);
      if (owner === member) return batch.add(successor, sum, ordinal, spent + steps);
      passage.sum = sum;
      passage.ordinal = ordinal;
      passage.steps = spent + steps;
      this.send(successor, passage, owner);
    });
    store.touch(batch.sums, batch.count);
    const parent = codeOf(member, index, members);
    for (let of = 0; of < batch.count; of++) {
      passage.sum = batch.sums[of]!;
      passage.ordinal = batch.ordinals[of]!;
      passage.steps = batch.steps[of]!;
      this.meet(batch.states, of * words, passage, parent);
    }
    return edges;
  }
  private count(edges: number, expanded: number): void {
    Atomics.add(this.control, places.edges, edges);
    Atomics.add(this.control, places.expanded, expanded);
  }

  /** Until the level is expanded, or it is time to stop; then until all are there. */
  expand(): Report {
    const passage: Passage = { sum: 0, parent: 0, rank: 0, ordinal: 0, steps: 0 };
    let stopped = false;
    while (this.position < this.todo.length && !stopped) {
      const until = Math.min(this.position + LOOK_EVERY, this.todo.length);
      let edges = 0;
      const before = this.position;
      for (; this.position < until; this.position++) edges += this.expandOne(this.position, passage);
      this.receive();
      this.count(edges, until - before);
      stopped = this.position < this.todo.length && (Atomics.load(this.control, places.stop) !== 0 || Atomics.load(this.control, places.states) >= this.enlisted.most);
    }
    this.awaitOthers();
    return { report: "expanded", found: this.store.count - this.starts.at(-1)!, stopped };
  }
  /** When all have finished, nothing more is sent; what was is in the rings. */
  private awaitOthers(): void {
    const { members } = this.enlisted;
    Atomics.add(this.control, places.finished, 1);
    Atomics.notify(this.control, places.finished);
    for (let seen = Atomics.load(this.control, places.finished); seen < members; seen = Atomics.load(this.control, places.finished)) {
      if (this.abandoned()) throw new Abandoned();
      if (this.receive() === 0) Atomics.wait(this.control, places.finished, seen, IDLE);
    }
    this.receive();
  }

  /** In path order; of what was found when a level is not whole, too. */
  sort(): Report {
    const first = this.starts.at(-1)!;
    const keys = this.arrivals.until(this.store.count);
    // No two are equal, so each says where it belongs; that is faster than sorting by them.
    const ascending = keys.slice().sort();
    this.sorted = Array.from(keys, () => 0);
    for (const [at, key] of keys.entries()) this.sorted[placeIn(ascending, key)] = first + at;
    return { report: "sorted", keys: ascending };
  }

  /** What was found becomes the level; what of it violates nothing is to be expanded. */
  judge(ranks: Int32Array): Report {
    const bad: JudgedBad[] = [];
    let unjudged: Unjudged | undefined;
    this.todo = [];
    this.ranks = [];
    this.position = 0;
    for (const [at, index] of this.sorted.entries()) {
      const rank = ranks[at]!;
      const violated = this.violatedIn(index);
      if (typeof violated !== "number") {
        // In path order, so it is the first of ours.
        unjudged = { index, rank, property: violated.property, message: violated.message };
        break;
      }
      if (violated !== 0) bad.push({ index, rank, steps: this.origins.steps(index), violated });
      else {
        this.todo.push(index);
        this.ranks.push(rank);
      }
    }
    this.sorted = [];
    this.starts.push(this.store.count);
    this.arrivals.begin(this.store.count);
    return { report: "judged", bad, unjudged };
  }
  private violatedIn(index: number): number | PropertyFailed {
    try {
      return this.model.collapsed.judge(this.store.chunkOf(index), this.store.offsetOf(index));
    } catch (error) {
      if (error instanceof PropertyFailed) return error;
      throw error;
    }
  }
}
