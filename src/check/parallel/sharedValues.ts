/**
 * The values of parts of states (collapse.ts) by numbers that all threads of a run share, so that a collapsed state means
 * the same to each of them. A thread asks here only for what it has not met; then one asks at a time.
 */
import { type Ledger, type Ledgers } from "../search/collapse.ts";
import { Refusal } from "../refusal.ts";
import { sumOf } from "../search/stateStore.ts";

/** How many values a part has at most: as many as there is room for, and not more than this. */
const MOST_VALUES = 2 ** 20;
/** For all parts together. Memory that nobody writes to is taken from nobody. */
const MOST_BYTES = 2 ** 30;
const CONTROL = 16;
/** Words of control: the lock, and how many values there are. */
const [LOCK, COUNT] = [0, 1];
/** Places of the table for each value that there may be. */
const PLACES = 2;

const bytesOf = (size: number, most: number): number => CONTROL + most * 4 * (PLACES + size);
const mostOf = (sizes: readonly number[]): number => {
  let most = MOST_VALUES;
  while (sizes.reduce((sum, size) => sum + bytesOf(size, most), 0) > MOST_BYTES) most /= 2;
  return most;
};

/** Memory for parts of these sizes, in words. */
export const sharedValuesBuffer = (sizes: readonly number[]): SharedArrayBuffer => new SharedArrayBuffer(sizes.reduce((sum, size) => sum + bytesOf(size, mostOf(sizes)), 0));

export const sharedValues = (buffer: SharedArrayBuffer, sizes: readonly number[]): Ledgers => {
  const most = mostOf(sizes);
  const begin = (part: number): number => sizes.slice(0, part).reduce((sum, size) => sum + bytesOf(size, most), 0);
  return (part) => ledgerAt(buffer, begin(part), sizes[part]!, most);
};

const ledgerAt = (buffer: SharedArrayBuffer, begin: number, size: number, most: number): Ledger => {
  const control = new Int32Array(buffer, begin, CONTROL / 4);
  const table = new Int32Array(buffer, begin + CONTROL, PLACES * most);
  const values = new Uint32Array(buffer, begin + CONTROL + 4 * PLACES * most, most * size);
  const mask = table.length - 1;
  const equal = (words: Uint32Array, at: number, number: number): boolean => {
    for (let word = 0; word < size; word++) if (words[at + word] !== values[number * size + word]) return false;
    return true;
  };
  const found = (words: Uint32Array, at: number): number => {
    const sum = sumOf(words, at, size);
    let probe = (sum ^ (sum >>> 16)) & mask;
    for (; table[probe] !== 0; probe = (probe + 1) & mask) if (equal(words, at, table[probe]! - 1)) return table[probe]! - 1;
    const number = control[COUNT]!;
    if (number >= most) throw new Refusal({ id: "too-many-for-threads", severity: "error", message: `several threads share at most ${most} values of a part of a state, and the run needs more`, hint: "give --workers 1, which also goes on with a checkpoint of several" });
    for (let word = 0; word < size; word++) values[number * size + word] = words[at + word]!;
    table[probe] = number + 1;
    control[COUNT] = number + 1;
    return number;
  };
  return {
    values,
    number: (words, at) => {
      while (Atomics.compareExchange(control, LOCK, 0, 1) !== 0) Atomics.wait(control, LOCK, 1, 1);
      try {
        return found(words, at);
      } finally {
        Atomics.store(control, LOCK, 0);
        Atomics.notify(control, LOCK, 1);
      }
    },
  };
};
