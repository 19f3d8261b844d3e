/**
 * All states that were met: whole states, kept and compared, never only hashes. States lie in chunks, so growing copies
 * none of them; the table of open addresses keeps each state's hash beside its index, so growing it reads no state.
 *
 * The hash is a sum over the words, each mixed with its place: who changes a few words of a state can bring its sum up to
 * date with those alone.
 */

/** What word `word` adds to the sum. */
export const mixed = (word: number, value: number): number => {
  let mix = Math.imul(value + Math.imul(word + 1, 0x9e3779b1), 0x85ebca6b);
  mix ^= mix >>> 15;
  mix = Math.imul(mix, 0xc2b2ae35);
  return mix ^ (mix >>> 13);
};
/** The sum of the `words` words at `at`, 32 bits. */
export const sumOf = (states: Uint32Array, at: number, words: number): number => {
  let sum = 0;
  for (let word = 0; word < words; word++) sum = (sum + mixed(word, states[at + word]!)) | 0;
  return sum;
};

/** States in a chunk, as a power of two. */
const CHUNK_BITS = 14;
const CHUNK = 1 << CHUNK_BITS;
const FIRST_TABLE = 1 << 13;
/** The table is doubled when more of it than this is used. */
const LOAD = 0.6;

export class StateStore {
  readonly words: number;
  count = 0;
  private readonly chunks: Uint32Array[] = [];
  /** Pairs: index + 1 of a state, or 0, and its hash. */
  private table = new Int32Array(2 * FIRST_TABLE);
  private room = Math.floor(FIRST_TABLE * LOAD);

  constructor(words: number) {
    this.words = words;
  }

  /** The chunk that holds a state. */
  chunkOf(index: number): Uint32Array {
    return this.chunks[index >>> CHUNK_BITS]!;
  }
  /** Where in its chunk a state begins. */
  offsetOf(index: number): number {
    return (index & (CHUNK - 1)) * this.words;
  }

  /** Index of the state in the first `words` words of `state`; negative (-1 - index) when it was there before. */
  add(state: Uint32Array, sum = sumOf(state, 0, this.words)): number {
    if (this.count >= this.room) this.grow();
    const { table } = this;
    const mask = table.length / 2 - 1;
    let probe = (sum ^ (sum >>> 16)) & mask;
    for (let entry = table[2 * probe]!; entry !== 0; entry = table[2 * probe]!) {
      if (table[2 * probe + 1] === sum && this.equal(state, entry - 1)) return -entry;
      probe = (probe + 1) & mask;
    }
    const index = this.count++;
    if ((index & (CHUNK - 1)) === 0) this.chunks.push(new Uint32Array(CHUNK * this.words));
    const chunk = this.chunkOf(index);
    const offset = this.offsetOf(index);
    for (let word = 0; word < this.words; word++) chunk[offset + word] = state[word]!;
    table[2 * probe] = index + 1;
    table[2 * probe + 1] = sum;
    return index;
  }

  /** Index of the state, or -1. */
  find(state: Uint32Array, sum: number): number {
    const { table } = this;
    const mask = table.length / 2 - 1;
    for (let probe = (sum ^ (sum >>> 16)) & mask; table[2 * probe] !== 0; probe = (probe + 1) & mask)
      if (table[2 * probe + 1] === sum && this.equal(state, table[2 * probe]! - 1)) return table[2 * probe]! - 1;
    return -1;
  }

  /** The words of all states in order, a chunk at a time. */
  *pieces(): Generator<Uint32Array> {
    for (const [index, chunk] of this.chunks.entries()) yield chunk.subarray(0, Math.min(CHUNK, this.count - index * CHUNK) * this.words);
  }

  private equal(state: Uint32Array, index: number): boolean {
    const chunk = this.chunkOf(index);
    const offset = this.offsetOf(index);
    for (let word = 0; word < this.words; word++) if (state[word] !== chunk[offset + word]) return false;
    return true;
  }

  private grow(): void {
    const old = this.table;
    const table = new Int32Array(old.length * 2);
    const mask = table.length / 2 - 1;
    for (let at = 0; at < old.length; at += 2) {
      if (old[at] === 0) continue;
      const sum = old[at + 1]!;
      let probe = (sum ^ (sum >>> 16)) & mask;
      while (table[2 * probe] !== 0) probe = (probe + 1) & mask;
      table[2 * probe] = old[at]!;
      table[2 * probe + 1] = sum;
    }
    this.table = table;
    this.room = Math.floor((table.length / 2) * LOAD);
  }
}
