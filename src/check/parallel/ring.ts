/**
 * States on their way from one thread to another: a ring in shared memory with one writer and one reader. Source of the
 * form: Lamport, "Proving the Correctness of Multiprocess Programs" (1977), the bounded buffer.
 */

/** Bytes before the entries: how many were written, and how many were read, a cache line each. */
const HEAD = 128;
const WRITTEN = 0;
const READ = 16;

export const ringBytes = (entries: number, words: number): number => HEAD + entries * (words + 1) * 4;

export interface Ring {
  /** False when there is no room. */
  readonly push: (state: Uint32Array, sum: number) => boolean;
  /** Calls `take` with every entry that is there: where its words are, and its sum. */
  readonly drain: (take: (data: Uint32Array, at: number, sum: number) => void) => void;
}

/** `entries` is a power of two. */
export const ringOver = (buffer: SharedArrayBuffer, entries: number, words: number): Ring => {
  const counts = new Int32Array(buffer, 0, HEAD / 4);
  const data = new Uint32Array(buffer, HEAD);
  const stride = words + 1;
  let written = 0;
  let read = 0;
  /** Where the other side was when it was last looked at. */
  let readSeen = 0;
  return {
    push: (state, sum) => {
      if (((written - readSeen) | 0) >= entries) {
        readSeen = Atomics.load(counts, READ);
        if (((written - readSeen) | 0) >= entries) return false;
      }
      const at = (written & (entries - 1)) * stride;
      for (let word = 0; word < words; word++) data[at + word] = state[word]!;
      data[at + words] = sum;
      written = (written + 1) | 0;
      Atomics.store(counts, WRITTEN, written);
      return true;
    },
    drain: (take) => {
      const until = Atomics.load(counts, WRITTEN);
      while (read !== until) {
        const at = (read & (entries - 1)) * stride;
        take(data, at, data[at + words]! | 0);
        read = (read + 1) | 0;
      }
      Atomics.store(counts, READ, read);
    },
  };
};
