/**
 * What instances come to, as numbers that lie one after the other: the search goes through a few dozen of them in every
 * state, and objects would be all over memory. Of each: ordinal, number and length of the list of steps, how many parts
 * change, and of each of these the part and the number of the change (collapse.ts).
 */
import type { Outcome } from "./known.ts";

/** Numbers before the changes. */
export const HEAD = 4;

export class Performed {
  numbers = new Int32Array(1024);
  end = 0;

  /** Adds what is performed; it lies from the answer on, up to `end`. */
  add(performed: readonly { readonly outcome: Outcome; readonly ordinal: number }[]): number {
    const begin = this.end;
    for (const { outcome: { changes, given }, ordinal } of performed) {
      this.append(ordinal, given.id, given.steps.length, changes.length);
      for (const { part, id } of changes) this.append(part, id);
    }
    return begin;
  }
  private append(...numbers: readonly number[]): void {
    if (this.end + numbers.length > this.numbers.length) {
      const larger = new Int32Array(2 * this.numbers.length);
      larger.set(this.numbers);
      this.numbers = larger;
    }
    this.numbers.set(numbers, this.end);
    this.end += numbers.length;
  }
}
