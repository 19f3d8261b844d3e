/** What a depth-first search knows of states that it met: a number for each, by the state itself or by its hash alone. */
import { StateStore } from "../search/stateStore.ts";
import { hash64, HashTable, type StateHash } from "./hashTable.ts";

export interface Visited {
  readonly count: number;
  readonly bytes: number;
  /** Where a state stands, which holds until the next call. What was never met is noted behind it. */
  readonly placeOf: (state: Uint32Array, sum?: number) => number;
  /** -1 of a state that was never met. */
  readonly noted: (place: number) => number;
  readonly note: (place: number, number: number) => void;
}

/** Whole states, kept and compared. */
export const visitedStates = (words: number): Visited => {
  const store = new StateStore(words);
  // The number + 1 of each state, or 0.
  let notes = new Int32Array(1024);
  return {
    get count() {
      return store.count;
    },
    get bytes() {
      return store.bytes + notes.byteLength;
    },
    placeOf: (state, sum) => {
      const at = store.add(state, sum);
      return at >= 0 ? at : -1 - at;
    },
    noted: (place) => (place < notes.length ? notes[place]! - 1 : -1),
    note: (place, number) => {
      if (place >= notes.length) {
        const more = new Int32Array(2 * notes.length);
        more.set(notes);
        notes = more;
      }
      notes[place] = number + 1;
    },
  };
};

export const visitedHashes = (words: number, hash: StateHash = hash64): Visited => {
  const hashes = new HashTable();
  const hashed = new Int32Array(2);
  return {
    get count() {
      return hashes.count;
    },
    get bytes() {
      return hashes.bytes;
    },
    placeOf: (state) => {
      hash(state, words, hashed);
      return hashes.placeOf(hashed[0]!, hashed[1]!);
    },
    noted: (place) => hashes.get(place),
    note: (place, number) => hashes.set(place, hashed[0]!, hashed[1]!, number),
  };
};
