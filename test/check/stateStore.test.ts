/** The store of states against a plain set of texts, through several growths of its table. */
import { expect, it } from "vitest";
import { mixed, StateStore, sumOf } from "../../src/check/search/stateStore.ts";

const WORDS = 3;

it.each([1, 40_000])("numbers each state once, finds it again, and gives all of them away, when there are %s different first words", (most) => {
  const store = new StateStore(WORDS);
  const known = new Map<string, number>();
  // A batch with states before the one that is added, as searches have it.
  const batch = new Uint32Array(3 * WORDS);
  const sums = new Int32Array(1);
  for (let round = 0; round < 60_000; round++) {
    const at = WORDS * (round % 3);
    const of = round % 45_000;
    batch.set([(mixed(1, of) >>> 0) % most, (mixed(2, of) >>> 0) % 300, (mixed(3, of) >>> 0) % 200], at);
    const text = batch.subarray(at, at + WORDS).join(" ");
    sums[0] = sumOf(batch, at, WORDS);
    if (round % 7 === 0) store.touch(sums, 1);
    const before = known.get(text);
    const answer = store.add(batch, sums[0], at);
    if (answer !== (before === undefined ? known.size : -1 - before)) expect(answer).toBe(before === undefined ? known.size : -1 - before);
    if (before === undefined) known.set(text, known.size);
  }
  expect(store.count).toBe(known.size);
  // More than the first table holds; and some were there before.
  expect(known.size).toBeGreaterThan(20_000);
  expect(known.size).toBeLessThan(45_001);
  // Another store goes on with the same memory.
  const other = new StateStore(WORDS);
  other.adopt(store.buffers(), store.count);
  for (const [text, index] of known) {
    const state = Uint32Array.from(text.split(" ").map(Number));
    const found = [store.add(state), other.add(state)];
    if (found.some((one) => one !== -1 - index)) expect(found).toEqual([-1 - index, -1 - index]);
  }
  expect(other.add(Uint32Array.of(50_000, 0, 0))).toBe(known.size);
});
