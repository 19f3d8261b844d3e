/** Collapsed states lose nothing, and what is remembered of a change is what the change does. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { breadthFirst } from "../../src/check/search/breadth.ts";
import { Collapse, PairMemory } from "../../src/check/search/collapse.ts";
import { createModel } from "../../src/check/model.ts";
import { properties } from "../../src/check/properties/properties.ts";
import { cofferdam, mutantOf } from "../../src/kernel/profile.ts";
import { defaultScope } from "../../src/system/scale.ts";
import { bootAt } from "../../src/check/check.ts";
import { layoutOf } from "../kernel/fixture.ts";

const WORDS = 23;
// Few values, so that parts of different states are often equal.
const word = fc.oneof(fc.constantFrom(0, 1, 0xffffffff), fc.nat(0xffffffff));
const state = fc.array(word, { minLength: WORDS, maxLength: WORDS }).map((words) => Uint32Array.from(words));
const change = fc
  .uniqueArray(fc.record({ word: fc.nat(WORDS - 2), keep: word, bits: word }), { selector: ({ word: at }) => at, maxLength: 4 })
  .map((words) => ({ words: words.map(({ word: at }) => at), keep: words.map(({ keep }) => keep), bits: words.map(({ keep, bits }) => bits & ~keep) }));

describe("a collapsed state", () => {
  it("is equal to another one exactly where the whole states are, and both come back", () => {
    fc.assert(
      fc.property(fc.array(state, { minLength: 1, maxLength: 300 }), (states) => {
        const collapse = new Collapse(WORDS, WORDS - 1);
        const byWords = new Map<string, string>();
        const byNumbers = new Map<string, string>();
        const numbers = new Uint32Array(collapse.numbers);
        const again = new Uint32Array(WORDS);
        for (const whole of states) {
          collapse.collapse(whole, 0, numbers);
          collapse.restore(numbers, 0, again);
          expect(again).toEqual(whole);
          expect(byWords.get(whole.join(" ")) ?? numbers.join(" ")).toBe(numbers.join(" "));
          expect(byNumbers.get(numbers.join(" ")) ?? whole.join(" ")).toBe(whole.join(" "));
          byWords.set(whole.join(" "), numbers.join(" "));
          byNumbers.set(numbers.join(" "), whole.join(" "));
        }
      }),
      { numRuns: 50 },
    );
  });

  it("changes as the whole one does, whether the change is remembered or not", () => {
    const collapse = new Collapse(WORDS, WORDS - 1);
    fc.assert(
      fc.property(state, change, ({ ...whole }, { words, keep, bits }) => {
        const before = Uint32Array.from(Object.values(whole));
        const numbers = new Uint32Array(collapse.numbers);
        const again = new Uint32Array(WORDS);
        collapse.collapse(before, 0, numbers);
        const changed = Uint32Array.from(before);
        for (const [index, at] of words.entries()) changed[at] = (changed[at]! & keep[index]!) | bits[index]!;
        const changes = collapse.changesOf(words, keep, bits);
        for (let round = 0; round < 2; round++) {
          const after = Uint32Array.from(numbers);
          for (const { part, id } of changes) after[part] = collapse.after(part, numbers[part]!, id);
          collapse.restore(after, 0, again);
          expect(again).toEqual(changed);
        }
      }),
      { numRuns: 500 },
    );
  });
});

it("a memory of pairs forgets, but what it answers is right", () => {
  const memory = new PairMemory();
  const answer = (first: number, second: number): number => first * 1000 + second;
  let known = 0;
  for (let round = 0; round < 2; round++)
    for (let first = 0; first < 400; first++)
      for (let second = 0; second < 100; second++) {
        const told = memory.get(first, second);
        if (told >= 0) known += 1;
        if (told >= 0 && told !== answer(first, second)) expect(told).toBe(answer(first, second));
        memory.set(first, second, answer(first, second));
      }
  expect(known).toBeGreaterThan(100);
  expect(known).toBeLessThan(40_000);
});

describe.each([
  ["cofferdam", cofferdam],
  ["frame-delete-invalidates", mutantOf(cofferdam, "frame-delete-invalidates")],
] as const)("a search through collapsed states under %s", (_, profile) => {
  it("is the one through whole states: counts, paths and coverage", () => {
    const searched = (which: "whole" | "collapsed") => {
      const model = createModel(bootAt(layoutOf("one-driver"), profile, { scope: { ...defaultScope, slots: 0, children: 1 } }), properties);
      const { seconds: __, ...rest } = breadthFirst(which === "whole" ? model : model.collapsed, { states: 100_000, depth: 1000, seconds: 600 });
      return { ...rest, operations: model.coverage.operations() };
    };
    const whole = searched("whole");
    expect(whole.states).toBeGreaterThan(200);
    expect(searched("collapsed")).toEqual(whole);
  });
});
