/**
 * What breadth-first search keeps where states are known by hash alone: the hash of each, and the states themselves of
 * the two levels that it is at work on.
 */
import { hash64, HashTable, type StateHash } from "./hashTable.ts";
import type { LevelStates } from "../search/breadth.ts";

/** States in a chunk, as a power of two. */
const CHUNK_BITS = 12;
const CHUNK = 1 << CHUNK_BITS;

export class HashedStates implements LevelStates {
  count = 0;
  /** The most bytes that hashes and states took at one time. */
  mostBytes = 0;
  private readonly words: number;
  private readonly hash: StateHash;
  private readonly hashes = new HashTable();
  private readonly hashed = new Int32Array(2);
  /** The state that is being added. */
  private readonly state: Uint32Array;
  private readonly chunks: (Uint32Array | undefined)[] = [];
  /** The first state that is still there. */
  private kept = 0;
  private keptChunks = 0;

  constructor(words: number, hash: StateHash = hash64) {
    this.words = words;
    this.hash = hash;
    this.state = new Uint32Array(words);
  }

  chunkOf(index: number): Uint32Array {
    return this.chunks[index >>> CHUNK_BITS]!;
  }
  offsetOf(index: number): number {
    return (index & (CHUNK - 1)) * this.words;
  }

  /** As the exact store does; what has the hash of a state and is another one passes for the first state, which is as good as any that is done with. */
  add(states: Uint32Array, _sum?: number, at = 0): number {
    const { hashed, hashes, state } = this;
    for (let word = 0; word < this.words; word++) state[word] = states[at + word]!;
    this.hash(state, this.words, hashed);
    const place = hashes.placeOf(hashed[0]!, hashed[1]!);
    const known = hashes.get(place);
    if (known >= 0) return known < this.kept || this.equal(state, known) ? -1 - known : -1;
    const index = this.count++;
    hashes.set(place, hashed[0]!, hashed[1]!, index);
    this.keep(state, index);
    return index;
  }

  forget(before: number): void {
    this.kept = before;
    for (let chunk = this.chunks.length - this.keptChunks; chunk < before >>> CHUNK_BITS; chunk++) {
      this.chunks[chunk] = undefined;
      this.keptChunks -= 1;
    }
  }

  private keep(state: Uint32Array, index: number): void {
    if ((index & (CHUNK - 1)) === 0) {
      this.chunks.push(new Uint32Array(CHUNK * this.words));
      this.keptChunks += 1;
      this.mostBytes = Math.max(this.mostBytes, this.hashes.bytes + this.keptChunks * CHUNK * this.words * 4);
    }
    const chunk = this.chunkOf(index);
    const offset = this.offsetOf(index);
    for (let word = 0; word < this.words; word++) chunk[offset + word] = state[word]!;
  }
  private equal(state: Uint32Array, index: number): boolean {
    const chunk = this.chunkOf(index);
    const offset = this.offsetOf(index);
    for (let word = 0; word < this.words; word++) if (state[word] !== chunk[offset + word]) return false;
    return true;
  }
}
