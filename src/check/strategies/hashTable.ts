/**
 * States known by their hash alone: 64 bits, in an open-addressed table of typed arrays. Two states with one hash pass
 * for one, and what only the second leads to is lost; so a run that keeps hashes proves nothing (SPIN's hash compaction
 * lost a tenth of the states of a small model and said nothing), and says how likely that is.
 */
const rotated = (value: number, by: number): number => (value << by) | (value >>> (32 - by));
const finished = (value: number): number => {
  let mix = value ^ (value >>> 16);
  mix = Math.imul(mix, 0x7feb352d);
  mix ^= mix >>> 15;
  mix = Math.imul(mix, 0x846ca68b);
  return mix ^ (mix >>> 16);
};

/** Writes the hash of the first `words` words of `state` into `into`: two numbers of 32 bits. */
export type StateHash = (state: Uint32Array, words: number, into: Int32Array) => void;

/**
 * Two chains over the words with constants of their own, each word mixed with what came before it: short states of low
 * entropy, where a sum over the words would do badly, are what is hashed here.
 */
export const hash64: StateHash = (state, words, into) => {
  let low = 0x243f6a88;
  let high = 0x85a308d3 | 0;
  for (let word = 0; word < words; word++) {
    const value = state[word]!;
    low = Math.imul(rotated(low ^ Math.imul(rotated(Math.imul(value, 0x9e3779b1), 15), 0x85ebca77), 13), 5) + 0x52dce729;
    high = Math.imul(rotated(high + Math.imul(value ^ 0x2545f491, 0xc2b2ae3d), 17), 0x27d4eb2f) ^ 0x165667b1;
  }
  low = finished((low ^ words) | 0);
  high = finished((high + low) | 0);
  into[0] = (low + high) | 0;
  into[1] = high;
};

/**
 * How many of `states` states are expected to have been taken for another one, if hashes of 64 bits are uniform: n(n-1)/2
 * pairs, each alike with 2^-64. It is no less than the probability that any was.
 */
export const expectedOmissions = (states: number): number => (states * (states - 1)) / 2 ** 65;

const NUMBERS = 3;
const FIRST_PLACES = 1 << 12;
/** The table is doubled when more of it than this is used. */
const LOAD = 0.7;

/** A number that is no less than 0 for each hash. */
export class HashTable {
  count = 0;
  /** The hash, then the number + 1, or 0 where there is none. */
  private table = new Int32Array(NUMBERS * FIRST_PLACES);
  private room = Math.floor(FIRST_PLACES * LOAD);

  /** Where a hash stands, or is to stand; until the next call. */
  placeOf(low: number, high: number): number {
    if (this.count >= this.room) this.grow();
    const { table } = this;
    const places = table.length / NUMBERS;
    let place = (low & (places - 1)) * NUMBERS;
    while (table[place + 2] !== 0 && (table[place] !== low || table[place + 1] !== high)) place = place + NUMBERS === table.length ? 0 : place + NUMBERS;
    return place;
  }
  /** -1 where the hash was never met. */
  get(place: number): number {
    return this.table[place + 2]! - 1;
  }
  set(place: number, low: number, high: number, number: number): void {
    const { table } = this;
    if (table[place + 2] === 0) this.count += 1;
    table[place] = low;
    table[place + 1] = high;
    table[place + 2] = number + 1;
  }
  get bytes(): number {
    return this.table.byteLength;
  }

  private grow(): void {
    const old = this.table;
    this.table = new Int32Array(2 * old.length);
    this.room = Math.floor((this.table.length / NUMBERS) * LOAD);
    this.count = 0;
    for (let at = 0; at < old.length; at += NUMBERS) if (old[at + 2] !== 0) this.set(this.placeOf(old[at]!, old[at + 1]!), old[at]!, old[at + 1]!, old[at + 2]! - 1);
  }
}
