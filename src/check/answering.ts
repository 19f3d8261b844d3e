/**
 * Whether code of the user's own still answers. Each thread that runs such code counts up when it begins and when it is
 * back, in one Int32 of shared memory: an odd number that stays the same is a call that has not come back.
 */
const THREADS = 65;

export const answeringBuffer = (): SharedArrayBuffer => new SharedArrayBuffer(THREADS * 4);

/** Runs code of the user's own in a thread; the first one leads, the others are its members. */
export type Heeded = <T>(act: () => T) => T;

export const heeded = (buffer: SharedArrayBuffer | undefined, thread = 0): Heeded => {
  if (buffer === undefined) return (act) => act();
  const counts = new Int32Array(buffer);
  return (act) => {
    Atomics.add(counts, thread, 1);
    try {
      return act();
    } finally {
      Atomics.add(counts, thread, 1);
    }
  };
};

/** Answers, each time it is asked, for how many milliseconds the slowest call has been running; 0 without any. */
export const silence = (buffer: SharedArrayBuffer): ((now: number) => number) => {
  const counts = new Int32Array(buffer);
  const seen = new Int32Array(THREADS);
  const since = new Float64Array(THREADS);
  return (now) => {
    let longest = 0;
    for (const thread of counts.keys()) {
      const count = Atomics.load(counts, thread);
      if (count !== seen[thread]) [seen[thread], since[thread]] = [count, now];
      if (count % 2 !== 0) longest = Math.max(longest, now - since[thread]!);
    }
    return longest;
  };
};
