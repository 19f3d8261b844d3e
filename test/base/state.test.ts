import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { below, change, flag, leastState, mutableCopy, NONE, optional, packed, type Plain, type Tables, viewOf } from "../../src/base/state.ts";

const shape = {
  node: { rows: 4, fields: { next: optional(4), colour: below(5), marked: flag } },
  wide: { rows: 2, fields: { a: below(2 ** 20), b: below(2 ** 20), id: { least: 0, size: 2 ** 32, interned: true } } },
} as const;
type Toy = typeof shape;

/** Recipes in the allowed form, drawn at random: each writes from what it reads. */
const recipe = fc.oneof(
  fc.record({ row: fc.nat(3), colour: fc.nat(4) }).map(({ row, colour }) => (t: Tables<Toy>) => void (t.node.at(row).colour = colour)),
  fc.record({ row: fc.nat(3), next: fc.integer({ min: -1, max: 3 }) }).map(({ row, next }) => (t: Tables<Toy>) => void (t.node.at(row).next = next)),
  fc.nat(4).map((colour) => (t: Tables<Toy>) => t.node.forEach((row) => void (row.marked = Number(row.colour === colour)))),
  fc.record({ row: fc.nat(1), value: fc.nat(2 ** 20 - 1) }).map(({ row, value }) => (t: Tables<Toy>) => {
    t.wide.at(row).b = value;
    t.wide.at(row).id = 2 ** 32 - 1 - value;
  }),
  fc.constant((t: Tables<Toy>) => {
    if (t.node.some((row) => row.marked === 1)) t.wide.at(0).a = t.node.every((row) => row.colour > 0) ? 7 : 9;
  }),
);

describe("state tables", () => {
  it("a field outside its domain is refused when packed", () => {
    const view = packed(shape);
    const state = mutableCopy(leastState(shape)) as { node: { colour: number }[] } & Plain<Toy>;
    (state.node[0] as { colour: number }).colour = 5;
    expect(() => view.pack(state, new Uint32Array(view.words), 0)).toThrow(/node\[0\]\.colour = 5/);
  });

  it("walk follows a chain, answers the last row, and stops at a cycle", () => {
    const state = mutableCopy(leastState(shape));
    const { node } = viewOf(state);
    node.at(0).next = 2;
    node.at(2).next = 3;
    const seen: number[] = [];
    expect(node.walk(0, (row, index) => (seen.push(index), row.next))).toBe(3);
    expect(seen).toEqual([0, 2, 3]);
    expect(node.walk(NONE, () => NONE)).toBe(NONE);
    node.at(3).next = 0;
    expect(() => node.walk(0, (row) => row.next)).toThrow(/cycle/);
  });

  it("change leaves the given state as it was", () => {
    const before = leastState(shape);
    const after = change(before, (t) => void (t.node.at(1).colour = 3));
    expect(before.node[1]!.colour).toBe(0);
    expect(after.node[1]!.colour).toBe(3);
    expect(after.node[0]).toBe(before.node[0]);
  });

  it("refuses an out-of-range row", () => {
    expect(() => packed(shape).tables.node.at(4)).toThrow(/row 4 of 4/);
  });
});

describe("laws", () => {
  it("plain, immer and packed views run every recipe to the same state", () => {
    fc.assert(
      fc.property(fc.array(recipe, { maxLength: 30 }), (recipes) => {
        const plain = mutableCopy(leastState(shape));
        const view = packed(shape);
        const words = new Uint32Array(view.words);
        view.pack(leastState(shape), words, 0);
        view.window.set(words);
        let drafted = leastState(shape);
        for (const run of recipes) {
          run(viewOf(plain));
          run(view.tables);
          drafted = change(drafted, run);
        }
        expect(drafted).toEqual(plain);
        expect(view.unpack(Uint32Array.from(view.window), 0)).toEqual(plain);
      }),
    );
  });

  it("unpack inverts pack", () => {
    const view = packed(shape);
    const row = fc.record({ next: fc.integer({ min: -1, max: 3 }), colour: fc.nat(4), marked: fc.nat(1) });
    const wide = fc.record({ a: fc.nat(2 ** 20 - 1), b: fc.nat(2 ** 20 - 1), id: fc.nat(2 ** 32 - 1) });
    fc.assert(
      fc.property(fc.array(row, { minLength: 4, maxLength: 4 }), fc.array(wide, { minLength: 2, maxLength: 2 }), (node, wides) => {
        const state = { node, wide: wides };
        const words = new Uint32Array(view.words + 3);
        view.pack(state, words, 3);
        expect(view.unpack(words, 3)).toEqual(state);
      }),
    );
  });
});
