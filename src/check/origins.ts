/**
 * How a breadth-first search came to its states: the path to each, and the order in which the paths to one level were
 * found. In chunks, as states are, so that growing copies nothing and a checkpoint can be written piece by piece.
 */

const CHUNK_BITS = 16;
const CHUNK_MASK = (1 << CHUNK_BITS) - 1;
/** Parent, ordinal, steps. */
export const ORIGIN_NUMBERS = 3;

/** How each state was first reached, or reached again at the same depth with fewer steps. */
export class Origins {
  private readonly chunks: Int32Array[] = [];

  set(index: number, parent: number, ordinal: number, steps: number): void {
    if (index >>> CHUNK_BITS === this.chunks.length) this.chunks.push(new Int32Array(ORIGIN_NUMBERS << CHUNK_BITS));
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

/** When the path to each state of a level was found: path order, since parents are expanded in path order. */
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
