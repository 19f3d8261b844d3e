/**
 * States on their way from one thread to another: a ring in shared memory with one writer and one reader. Source of the
 * form: Lamport, "Proving the Correctness of Multiprocess Programs" (1977), the bounded buffer.
 */

/** Bytes before the entries: how many were written, and how many were read, a cache line each. */
const HEAD = 128;
const WRITTEN = 0;
const READ = 16;

/** What goes with a state: its hash, and how it was found. */
export interface Passage {
  sum: number;
  /** Which of the sender's states it was found from, and where that is in path order. */
  parent: number;
  rank: number;
  ordinal: number;
  /** Of the whole path. */
  steps: number;
}
const PASSAGE_WORDS = 5;

const MOST_ENTRIES = 1 << 14;
const LEAST_ENTRIES = 1 << 8;
/** For the rings of all threads together. */
const MOST_BYTES = 2 ** 30;
const ringBytes = (entries: number, words: number): number => HEAD + entries * (words + PASSAGE_WORDS) * 4;

/** `rings[from][to]`, of states of so many words; the more threads, the shorter. */
export const ringsFor = (members: number, words: number, most = MOST_ENTRIES): SharedArrayBuffer[][] => {
  let entries = most;
  while (entries > LEAST_ENTRIES && members * members * ringBytes(entries, words) > MOST_BYTES) entries /= 2;
  const each = Array.from({ length: members }, (_, member) => member);
  return each.map((from) => each.map((to) => new SharedArrayBuffer(from === to ? 0 : ringBytes(entries, words))));
};

export interface Ring {
  /** False when there is no room. */
  readonly push: (state: Uint32Array, passage: Passage) => boolean;
  /** Calls `take` with every entry that is there; both are valid during the call only. How many there were. */
  readonly drain: (take: (state: Uint32Array, passage: Passage) => void) => number;
}

/** A ring of states of so many words; it holds a power of two of them. */
export const ringOver = (buffer: SharedArrayBuffer, words: number): Ring => {
  const counts = new Int32Array(buffer, 0, HEAD / 4);
  const data = new Uint32Array(buffer, HEAD);
  const stride = words + PASSAGE_WORDS;
  const entries = data.length / stride;
  const state = new Uint32Array(words);
  const passage: Passage = { sum: 0, parent: 0, rank: 0, ordinal: 0, steps: 0 };
  let written = 0;
  let read = 0;
  /** Where the other side was when it was last looked at. */
  let readSeen = 0;
  return {
    push: (sent, { sum, parent, rank, ordinal, steps }) => {
      if (((written - readSeen) | 0) >= entries) {
        readSeen = Atomics.load(counts, READ);
        if (((written - readSeen) | 0) >= entries) return false;
      }
      const at = (written & (entries - 1)) * stride;
      for (let word = 0; word < words; word++) data[at + word] = sent[word]!;
      data[at + words] = sum;
      data[at + words + 1] = parent;
      data[at + words + 2] = rank;
      data[at + words + 3] = ordinal;
      data[at + words + 4] = steps;
      written = (written + 1) | 0;
      Atomics.store(counts, WRITTEN, written);
      return true;
    },
    drain: (take) => {
      const until = Atomics.load(counts, WRITTEN);
      const taken = (until - read) | 0;
      while (read !== until) {
        const at = (read & (entries - 1)) * stride;
        for (let word = 0; word < words; word++) state[word] = data[at + word]!;
        passage.sum = data[at + words]! | 0;
        passage.parent = data[at + words + 1]!;
        passage.rank = data[at + words + 2]!;
        passage.ordinal = data[at + words + 3]!;
        passage.steps = data[at + words + 4]!;
        take(state, passage);
        read = (read + 1) | 0;
      }
      if (taken !== 0) Atomics.store(counts, READ, read);
      return taken;
    },
  };
};
