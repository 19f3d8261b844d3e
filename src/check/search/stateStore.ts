/**
 * All states that were met: whole states, kept and compared, never only hashes. States lie in chunks, so growing copies
 * none of them. An entry of the table of open addresses is one word: a state's index, and above it those bits of its hash
 * that do not say where the entry belongs; so a state is read only where it is likely to be the one.
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

/** All bits of the sum, those that name a place in a table below. */
const spread = (sum: number): number => sum ^ (sum >>> 16);

/** Where the memory of states comes from: of one thread alone, or such that others can read it. */
export type Allocate = (bytes: number) => ArrayBufferLike;
export const privately: Allocate = (bytes) => new ArrayBuffer(bytes);
export const shared: Allocate = (bytes) => new SharedArrayBuffer(bytes);

/** States in a chunk, as a power of two. */
const CHUNK_BITS = 14;
const CHUNK = 1 << CHUNK_BITS;
const FIRST_TABLE = 1 << 13;
/** The table is doubled when more of it than this is used. */
const LOAD = 0.65;

/** The words of the states from one to before another, a chunk at a time. */
export function* statesBetween(chunks: readonly Uint32Array[], words: number, from: number, until: number): Generator<Uint32Array> {
  for (let index = from; index < until; ) {
    const end = Math.min(until, ((index >>> CHUNK_BITS) + 1) << CHUNK_BITS);
    const at = (index & (CHUNK - 1)) * words;
    yield chunks[index >>> CHUNK_BITS]!.subarray(at, at + (end - index) * words);
    index = end;
  }
}

export class StateStore {
  readonly words: number;
  count = 0;
  /** Of no meaning: it keeps the reads of `touch` from being left out. */
  touched = 0;
  private readonly chunks: Uint32Array[] = [];
  /** Index + 1 of a state in the bits of the mask, and bits of its hash above them; or 0. */
  private table = new Int32Array(FIRST_TABLE);
  private mask = FIRST_TABLE - 1;
  private room = Math.floor(FIRST_TABLE * LOAD);
  private readonly allocate: Allocate;

  constructor(words: number, allocate: Allocate = privately) {
    this.words = words;
    this.allocate = allocate;
  }

  /** The chunk that holds a state. */
  chunkOf(index: number): Uint32Array {
    return this.chunks[index >>> CHUNK_BITS]!;
  }
  /** Where in its chunk a state begins. */
  offsetOf(index: number): number {
    return (index & (CHUNK - 1)) * this.words;
  }

  /** Index of the state at `at` in `state`; negative (-1 - index) when it was there before. */
  add(state: Uint32Array, sum = sumOf(state, 0, this.words), at = 0): number {
    if (this.count >= this.room) this.grow();
    const { table, mask } = this;
    const hash = spread(sum);
    let probe = hash & mask;
    for (let entry = table[probe]!; entry !== 0; entry = table[probe]!) {
      if (((entry ^ hash) & ~mask) === 0 && this.equal(state, at, (entry & mask) - 1)) return -(entry & mask);
      probe = (probe + 1) & mask;
    }
    const index = this.count++;
    if ((index & (CHUNK - 1)) === 0) this.chunks.push(new Uint32Array(this.allocate(CHUNK * this.words * 4)));
    const chunk = this.chunkOf(index);
    const offset = this.offsetOf(index);
    for (let word = 0; word < this.words; word++) chunk[offset + word] = state[at + word]!;
    table[probe] = (hash & ~mask) | (index + 1);
    return index;
  }

  /** Reads where states with these hashes would be found, so that whoever adds them soon need not wait. */
  touch(sums: Int32Array, count: number): void {
    const { table, mask } = this;
    let seen = 0;
    for (let index = 0; index < count; index++) seen ^= table[spread(sums[index]!) & mask]!;
    for (let index = 0; index < count; index++) {
      const found = (table[spread(sums[index]!) & mask]! & mask) - 1;
      if (found >= 0) seen ^= this.chunkOf(found)[this.offsetOf(found)]!;
    }
    this.touched = seen;
  }

  /** The memory of all states, for another thread to read or go on with. */
  buffers(): readonly ArrayBufferLike[] {
    return this.chunks.map(({ buffer }) => buffer);
  }
  /** Takes over `count` different states, as another store left them; this one must be empty. */
  adopt(buffers: readonly ArrayBufferLike[], count: number): void {
    for (const buffer of buffers) this.chunks.push(new Uint32Array(buffer));
    this.count = count;
    let places = this.table.length;
    while (count > places * LOAD) places *= 2;
    this.fill(places);
  }

  /** The words of all states in order, a chunk at a time; each chunk is let go once the next is asked for, so the store is of no more use. */
  *emptied(): Generator<Uint32Array> {
    this.table = new Int32Array(1);
    for (const [index, chunk] of this.chunks.entries()) {
      yield chunk.subarray(0, Math.min(CHUNK, this.count - index * CHUNK) * this.words);
      this.chunks[index] = new Uint32Array();
    }
  }

  get bytes(): number {
    return this.table.byteLength + this.chunks.length * CHUNK * this.words * 4;
  }

  /** The words of all states in order, a chunk at a time. */
  pieces(): Generator<Uint32Array> {
    return statesBetween(this.chunks, this.words, 0, this.count);
  }

  private equal(state: Uint32Array, at: number, index: number): boolean {
    const chunk = this.chunkOf(index);
    const offset = this.offsetOf(index);
    for (let word = 0; word < this.words; word++) if (state[at + word] !== chunk[offset + word]) return false;
    return true;
  }

  private grow(): void {
    this.fill(this.table.length * 4);
  }
  /** Makes the table anew. States are read in order, so this is as fast as keeping their hashes would be. */
  private fill(places: number): void {
    const table = new Int32Array(places);
    const mask = places - 1;
    for (let index = 0; index < this.count; index++) {
      const hash = spread(sumOf(this.chunkOf(index), this.offsetOf(index), this.words));
      let probe = hash & mask;
      while (table[probe] !== 0) probe = (probe + 1) & mask;
      table[probe] = (hash & ~mask) | (index + 1);
    }
    this.table = table;
    this.mask = mask;
    this.room = Math.floor(places * LOAD);
  }
}
