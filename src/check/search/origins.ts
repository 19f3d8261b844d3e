/**
 * How a breadth-first search came to its states: the path to each, and the order in which the paths to one level were
 * found. In chunks, as states are, so that growing copies nothing and a checkpoint can be written piece by piece.
 */

import { type Allocate, privately } from "./stateStore.ts";

const CHUNK_BITS = 16;
const CHUNK_MASK = (1 << CHUNK_BITS) - 1;
/** Parent, ordinal, steps. */
export const ORIGIN_NUMBERS = 3;
export const ORIGIN_BYTES = 4 * ORIGIN_NUMBERS;

/** How each state was first reached, or reached again at the same depth with fewer steps. */
export class Origins {
  private readonly chunks: Int32Array[] = [];
  private readonly allocate: Allocate;

  constructor(allocate: Allocate = privately) {
    this.allocate = allocate;
  }

  set(index: number, parent: number, ordinal: number, steps: number): void {
    if (index >>> CHUNK_BITS === this.chunks.length) this.chunks.push(new Int32Array(this.allocate(ORIGIN_NUMBERS * 4 << CHUNK_BITS)));
    const chunk = this.chunks[index >>> CHUNK_BITS]!;
    const at = ORIGIN_NUMBERS * (index & CHUNK_MASK);
    chunk[at] = parent;
    chunk[at + 1] = ordinal;
    chunk[at + 2] = steps;
  }
  parent(index: number): number {
    return this.chunks[index >>> CHUNK_BITS]![ORIGIN_NUMBERS * (index & CHUNK_MASK)]!;
  }
  ordinal(index: number): number {
    return this.chunks[index >>> CHUNK_BITS]![ORIGIN_NUMBERS * (index & CHUNK_MASK) + 1]!;
  }
  steps(index: number): number {
    return this.chunks[index >>> CHUNK_BITS]![ORIGIN_NUMBERS * (index & CHUNK_MASK) + 2]!;
  }

  /** The memory of all of them, for another thread to read or go on with. */
  buffers(): readonly ArrayBufferLike[] {
    return this.chunks.map(({ buffer }) => buffer);
  }
  adopt(buffers: readonly ArrayBufferLike[]): void {
    for (const buffer of buffers) this.chunks.push(new Int32Array(buffer));
  }

  path(index: number): number[] {
    const ordinals: number[] = [];
    for (let at = index; this.parent(at) >= 0; at = this.parent(at)) ordinals.push(this.ordinal(at));
    return ordinals.toReversed();
  }

  /** The numbers of the first `count` states, in order, a piece at a time. */
  *pieces(count: number): Generator<Int32Array> {
    for (const [index, chunk] of this.chunks.entries()) {
      const left = count - (index << CHUNK_BITS);
      if (left > 0) yield chunk.subarray(0, ORIGIN_NUMBERS * Math.min(left, 1 << CHUNK_BITS));
    }
  }
}

/** More than the instances of any state; times a rank, exact in a float. */
const ORDINALS = 2 ** 22;

/** Where a path comes in path order among those of its length: after its parent's `rank` in the level before, then by its last invocation. */
export const pathKey = (rank: number, ordinal: number): number => rank * ORDINALS + ordinal;
/** Is this a key of a state whose parent is one of `parents`? */
export const isPathKey = (key: number, parents: number): boolean => Number.isSafeInteger(key) && key >= 0 && key < parents * ORDINALS;

/** The key of the path to each state of a level that is being found. */
export class Arrivals {
  private first = 0;
  private times = new Float64Array(1024);

  begin(first: number): void {
    this.first = first;
  }
  set(index: number, time: number): void {
    const at = index - this.first;
    if (at >= this.times.length) {
      const larger = new Float64Array(Math.max(2 * this.times.length, at + 1));
      larger.set(this.times);
      this.times = larger;
    }
    this.times[at] = time;
  }
  of(index: number): number {
    return this.times[index - this.first]!;
  }
  /** The times of the states before `end`. */
  until(end: number): Float64Array {
    return this.times.subarray(0, end - this.first);
  }
}

/** Does a path with so many steps, of this key, come before the one that is known to a state of the level that is being found? */
export const isBetter = (origins: Origins, arrivals: Arrivals, index: number, steps: number, key: number): boolean => {
  const known = origins.steps(index);
  return steps < known || (steps === known && key < arrivals.of(index));
};
