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

/** Where the memory of states comes from: of one thread alone, or such that others can read it. */
export type Allocate = (bytes: number) => ArrayBufferLike;
export const privately: Allocate = (bytes) => new ArrayBuffer(bytes);
export const shared: Allocate = (bytes) => new SharedArrayBuffer(bytes);

/** States in a chunk, as a power of two. */
const CHUNK_BITS = 14;
const CHUNK = 1 << CHUNK_BITS;
const FIRST_TABLE = 1 << 13;
/** The table is doubled when more of it than this is used. */
const LOAD = 0.6;

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
  private readonly chunks: Uint32Array[] = [];
  /** Pairs: index + 1 of a state, or 0, and its hash. */
  private table = new Int32Array(2 * FIRST_TABLE);
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
    if ((index & (CHUNK - 1)) === 0) this.chunks.push(new Uint32Array(this.allocate(CHUNK * this.words * 4)));
    const chunk = this.chunkOf(index);
    const offset = this.offsetOf(index);
    for (let word = 0; word < this.words; word++) chunk[offset + word] = state[word]!;
    table[2 * probe] = index + 1;
    table[2 * probe + 1] = sum;
    return index;
  }

  /** The memory of all states, for another thread to read or go on with. */
  buffers(): readonly ArrayBufferLike[] {
    return this.chunks.map(({ buffer }) => buffer);
  }
  /** Takes over `count` different states, as another store left them; this one must be empty. */
  adopt(buffers: readonly ArrayBufferLike[], count: number): void {
    for (const buffer of buffers) this.chunks.push(new Uint32Array(buffer));
    while (this.count < count) {
      if (this.count >= this.room) this.grow();
      const sum = sumOf(this.chunkOf(this.count), this.offsetOf(this.count), this.words);
      const mask = this.table.length / 2 - 1;
      let probe = (sum ^ (sum >>> 16)) & mask;
      while (this.table[2 * probe] !== 0) probe = (probe + 1) & mask;
      this.count += 1;
      this.table[2 * probe] = this.count;
      this.table[2 * probe + 1] = sum;
    }
  }

  /** The words of all states in order, a chunk at a time; each chunk is let go once the next is asked for, so the store is of no more use. */
  *emptied(): Generator<Uint32Array> {
    this.table = new Int32Array(2);
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
