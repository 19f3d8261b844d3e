import { describe, expect, it } from "vitest";
import { type Bounds, breadthFirst, type Explorable } from "../../src/check/search/breadth.ts";

const bounds: Bounds = { states: 1e6, depth: 1e3, seconds: 60 };

/** x, y in 0..size-1; operations: x+1 (1 step), y+1 (1 step), both+1 (5 steps), reset (0 steps, self-loop at the origin). */
const grid = (size: number, bad: (x: number, y: number) => boolean): Explorable => ({
  words: 2,
  initial: Uint32Array.of(0, 0),
  expand: (states, at, visit) => {
    const [x, y] = [states[at]!, states[at + 1]!];
    if (x + 1 < size) visit(Uint32Array.of(x + 1, y), 0, 1);
    if (y + 1 < size) visit(Uint32Array.of(x, y + 1), 1, 1);
    if (x + 1 < size && y + 1 < size) visit(Uint32Array.of(x + 1, y + 1), 2, 5);
    visit(Uint32Array.of(0, 0), 3, 0);
  },
  judge: (states, at) => Number(bad(states[at]!, states[at + 1]!)),
});

describe("breadth-first search", () => {
  it("covers the whole space and counts it exactly", () => {
    const { end, states, edges, depth } = breadthFirst(grid(40, () => false), bounds);
    expect({ end, states, edges, depth }).toEqual({ end: "exhausted", states: 1600, edges: 2 * 40 * 39 + 39 * 39 + 1600, depth: 39 });
  });

  it("agrees with a plain reference on a random graph", () => {
    const next = (n: number) => [(n * 7 + 1) % 5003, (n * n + 3) % 5003, (n ^ 0x2a) % 5003];
    const seen = new Map([[1, 0]]);
    for (const [n, depth] of seen) for (const m of next(n)) if (!seen.has(m)) seen.set(m, depth + 1);
    const model: Explorable = {
      words: 1,
      initial: Uint32Array.of(1),
      expand: (states, at, visit) => next(states[at]!).forEach((m, ordinal) => visit(Uint32Array.of(m), ordinal, 1)),
      judge: () => 0,
    };
    const explored = breadthFirst(model, bounds);
    expect(explored.states).toBe(seen.size);
    expect(explored.edges).toBe(3 * seen.size);
    expect(explored.depth).toBe(Math.max(...seen.values()));
  });

  it("gives the trace with the fewest operations, then the fewest steps, then the least in declared order", () => {
    // (3,3) is three diagonal operations away.
    expect(breadthFirst(grid(10, (x, y) => x === 3 && y === 3), bounds).found).toEqual([{ violated: 1, ordinals: [2, 2, 2], steps: 15 }]);
    // (2,1): x then diagonal, or diagonal then x: two operations, six steps each; the declared order prefers x first.
    expect(breadthFirst(grid(10, (x, y) => x === 2 && y === 1), bounds).found).toEqual([{ violated: 1, ordinals: [0, 2], steps: 6 }]);
    // Either of two states at one depth: the one with fewer steps, although the other is found first.
    const cheaper: Explorable = {
      words: 1,
      initial: Uint32Array.of(0),
      expand: (states, at, visit) => {
        if (states[at] !== 0) return;
        visit(Uint32Array.of(1), 0, 9);
        visit(Uint32Array.of(2), 1, 3);
        visit(Uint32Array.of(1), 2, 2);
      },
      judge: (states, at) => Number(states[at] !== 0),
    };
    expect(breadthFirst(cheaper, bounds).found).toEqual([{ violated: 1, ordinals: [2], steps: 2 }]);
  });

  it("a bound is named, and what was found before it is judged", () => {
    expect(breadthFirst(grid(40, () => false), { ...bounds, states: 100 }).end).toBe("states");
    expect(breadthFirst(grid(40, () => false), { ...bounds, depth: 5 }).end).toBe("depth");
    expect(breadthFirst(grid(400, () => false), bounds, () => false).end).toBe("interrupted");
    expect(breadthFirst(grid(40, (x, y) => x + y === 1), { ...bounds, states: 2 }).found).toHaveLength(1);
  });
});
