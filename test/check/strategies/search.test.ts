import { readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import fc from "fast-check";
import { type Bounds, breadthFirst, type Explorable } from "../../../src/check/search/breadth.ts";
import { bootAt, checkLayout } from "../../../src/check/check.ts";
import { createModel } from "../../../src/check/model.ts";
import { mutants } from "../../../src/check/mutants.ts";
import { properties } from "../../../src/check/properties/properties.ts";
import { replay } from "../../../src/check/traces/replay.ts";
import { checkByHash } from "../../../src/check/strategies/checkByHash.ts";
import { checkDepthFirst } from "../../../src/check/strategies/checkDepthFirst.ts";
import { depthFirst, shorterThan } from "../../../src/check/strategies/depthFirst.ts";
import { HashedStates } from "../../../src/check/strategies/hashedStates.ts";
import { expectedOmissions, hash64, HashTable, type StateHash } from "../../../src/check/strategies/hashTable.ts";
import { searchOf } from "../../../src/check/strategies/search.ts";
import { visitedHashes, visitedStates } from "../../../src/check/strategies/visited.ts";
import { StateStore } from "../../../src/check/search/stateStore.ts";
import { cofferdam, mutantOf } from "../../../src/kernel/profile.ts";
import { planSystem } from "../../../src/system/plan.ts";
import { defaultScope } from "../../../src/system/scale.ts";
import { verdictText } from "../../../src/cli/verdictText.ts";

const bounds: Bounds = { states: 1e6, depth: 1e6, seconds: 60 };
const file = join(import.meta.dirname, "../../../specs/systems/one-driver/system.yaml");
const { layout } = planSystem({ specText: readFileSync(file, "utf8"), specFile: file, readBoard: (board) => readFileSync(resolve(dirname(file), board)) }).value!;
const small = { ...defaultScope, slots: 0, children: 1 };

/** A graph by its list of successors; state 0 is the first. */
const graph = (next: readonly (readonly number[])[], bad: ReadonlySet<number> = new Set()): Explorable => ({
  words: 2,
  // The second word has no more to say than the first, as words of real states often have not.
  initial: Uint32Array.of(0, 7),
  expand: (states, at, visit) => next[states[at]!]!.forEach((to, ordinal) => visit(Uint32Array.of(to, to ^ 7), ordinal, 1)),
  judge: (states, at) => Number(bad.has(states[at]!)),
});
const graphs = fc
  .integer({ min: 1, max: 40 })
  .chain((size) => fc.array(fc.array(fc.nat(size - 1), { maxLength: 3 }), { minLength: size, maxLength: size }));

/** Least number of steps to each state that can be reached. */
const distances = (next: readonly (readonly number[])[]): Map<number, number> => {
  const seen = new Map([[0, 0]]);
  for (const [state, depth] of seen) for (const to of next[state]!) if (!seen.has(to)) seen.set(to, depth + 1);
  return seen;
};
const depthFirstBy = { states: (model: Explorable, within: Bounds) => depthFirst(model, within, () => visitedStates(model.words)), hashes: (model: Explorable, within: Bounds) => depthFirst(model, within, () => visitedHashes(model.words)) };

describe("depth-first search", () => {
  it.each(["states", "hashes"] as const)("sees what a plain reference does, to any depth, however it gets there first (%s)", (visited) => {
    fc.assert(
      fc.property(graphs, fc.nat(12), (next, depth) => {
        const all = distances(next);
        const near = [...all].filter(([, at]) => at <= depth);
        const inner = near.filter(([, at]) => at < depth);
        const edges = (states: readonly (readonly [number, number])[]) => states.reduce((sum, [state]) => sum + next[state]!.length, 0);
        const whole = depthFirstBy[visited](graph(next), bounds);
        expect({ end: whole.end, states: whole.states, edges: whole.edges }).toEqual({ end: "exhausted", states: all.size, edges: edges([...all]) });
        const bounded = depthFirstBy[visited](graph(next), { ...bounds, depth });
        // A path may stay within the bound and still see everything: then nothing was cut off.
        if (bounded.end === "exhausted") expect(bounded.states).toBe(all.size);
        else expect({ states: bounded.states, edges: bounded.edges }).toEqual({ states: near.length, edges: edges(inner) });
        expect(bounded.end === "exhausted" || near.length < all.size || near.length > inner.length).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  it("finds what violates wherever it is within the bound, and nothing shorter is left when it says so", () => {
    fc.assert(
      fc.property(graphs, fc.nat(39), (next, bad) => {
        const all = distances(next);
        const model = graph(next, new Set([bad]));
        const first = depthFirstBy.states(model, bounds);
        expect(first.end).toBe(all.has(bad) ? "violated" : "exhausted");
        if (first.end !== "violated") return;
        // The path is one: walking it ends in the bad state.
        expect(first.found[0]!.ordinals.reduce((state, ordinal) => next[state]![ordinal]!, 0)).toBe(bad);
        const shortest = shorterThan(first.found[0]!.ordinals.length, (depth) => depthFirstBy.states(model, { ...bounds, depth }), ({ ordinals }) => ordinals.length);
        expect(shortest).toEqual({ length: all.get(bad), shown: true });
      }),
    );
  });

  it("goes on from a state that a shorter path reaches: depth 3 is enough, and the first path to state 3 has 3", () => {
    // 0 -> 1 (tried last) and 0 -> 2 -> 4 -> 1 (tried first); 5 is two behind 1.
    const next = [[1, 2], [3], [4], [5], [1], []];
    const { end, states, found } = depthFirstBy.states(graph(next, new Set([5])), { ...bounds, depth: 3 });
    expect({ end, states, ordinals: found[0]?.ordinals }).toEqual({ end: "violated", states: 6, ordinals: [0, 0, 0] });
  });

  it("names a bound, and judges what was found before it", () => {
    const line = Array.from({ length: 5000 }, (_, state) => (state + 1 < 5000 ? [state + 1] : []));
    expect(depthFirstBy.states(graph(line), { ...bounds, depth: 10 }).end).toBe("depth");
    expect(depthFirstBy.states(graph(line), { ...bounds, states: 100 }).end).toBe("states");
    expect(depthFirst(graph(line), bounds, () => visitedStates(2), () => false).end).toBe("interrupted");
    expect(depthFirstBy.states(graph(line, new Set([99])), { ...bounds, states: 100 }).end).toBe("violated");
    const unshown = shorterThan(50, () => depthFirst(graph(line), bounds, () => visitedStates(2), () => false), () => 0);
    expect(unshown).toEqual({ length: 50, shown: false });
  });

  it("counts the states and transitions of a system as breadth-first search does", () => {
    const model = createModel(bootAt(layout, cofferdam, { scope: small }), properties);
    const whole = breadthFirst(model, bounds);
    expect(whole.end).toBe("exhausted");
    for (const visited of ["states", "hashes"] as const) expect(depthFirstBy[visited](model, bounds)).toMatchObject({ end: "exhausted", states: whole.states, edges: whole.edges });
    for (const depth of [3, 6]) {
      const near = breadthFirst(model, { ...bounds, depth });
      expect(depthFirstBy.states(model, { ...bounds, depth })).toMatchObject({ end: "depth", states: near.states, edges: near.edges });
    }
  });
});

describe("hashes of states", () => {
  it("collide no more often than chance, each half by itself, on the states of a system, which differ in few bits", () => {
    const model = createModel(bootAt(layout, cofferdam, { scope: { ...defaultScope, children: 1, addresses: 0 } }), properties);
    const store = new StateStore(model.words);
    breadthFirst(model, { ...bounds, states: 120_000 }, undefined, undefined, undefined, store);
    const hashed = new Int32Array(2);
    const halves = [new Set<number>(), new Set<number>(), new Set<number>()];
    for (let index = 0; index < store.count; index++) {
      hash64(store.chunkOf(index).subarray(store.offsetOf(index)), model.words, hashed);
      halves[0]!.add(hashed[0]!);
      halves[1]!.add(hashed[1]!);
      halves[2]!.add((hashed[0]! & 0xffff) | (hashed[1]! << 16));
    }
    const expected = (store.count * (store.count - 1)) / 2 ** 33;
    expect(expected).toBeGreaterThan(1.5);
    // Five deviations of a Poisson number.
    for (const half of halves) expect(store.count - half.size).toBeLessThan(expected + 5 * Math.sqrt(expected));
  });

  it("are found again after the table has grown, whatever they are", () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.tuple(fc.integer({ min: -3, max: 3 }), fc.integer()), { minLength: 1, maxLength: 200, selector: String }), fc.nat(50), (hashes, factor) => {
        const table = new HashTable();
        for (const [number, [low, high]] of hashes.entries()) {
          expect(table.get(table.placeOf(low, high))).toBe(-1);
          table.set(table.placeOf(low, high), low, high, number);
        }
        for (let filler = 0; filler < factor * 100; filler++) table.set(table.placeOf(filler * 4096 + 100, 5), filler * 4096 + 100, 5, 0);
        for (const [number, [low, high]] of hashes.entries()) expect(table.get(table.placeOf(low, high))).toBe(number);
      }),
      { numRuns: 30 },
    );
  });

  it("the expected number of omissions is that of pairs over hashes", () => {
    expect(expectedOmissions(1)).toBe(0);
    expect(expectedOmissions(2)).toBe(2 ** -64);
    expect(expectedOmissions(1_000_000)).toBeCloseTo(2.71e-8, 10);
  });

  /** Forgets all but a few bits. */
  const weak = (bits: number): StateHash => (state, words, into) => {
    hash64(state, words, into);
    into[0] = into[0]! & ((1 << bits) - 1);
    into[1] = 0;
  };

  it("that collide lose states, and no run that kept hashes ends as one that proves", () => {
    const line = Array.from({ length: 300 }, (_, state) => (state + 1 < 300 ? [state + 1] : []));
    const byLevels = breadthFirst(graph(line), bounds, undefined, undefined, undefined, new HashedStates(2, weak(6)));
    const byDepth = depthFirst(graph(line), bounds, () => visitedHashes(2, weak(6)));
    for (const { end, states } of [byLevels, byDepth]) {
      expect(states).toBeLessThan(65);
      expect(searchOf("depth", "hashes", end, states, 1000)).toMatchObject({ end: "exhausted-by-hash", search: { omissions: expectedOmissions(states) } });
    }
    expect(searchOf("depth", "states", "exhausted", 10, 1000)).toEqual({ end: "exhausted", search: { strategy: "depth", visited: "states", bytesPerState: 100 } });
  });

  it("that collide within a level never mend the path to one state with that to another", () => {
    // 1 and 2 have one hash, and 2 is reached with fewer steps: what is kept of it must still lead to 1.
    const model: Explorable = {
      words: 1,
      initial: Uint32Array.of(0),
      expand: (states, at, visit) => {
        if (states[at] !== 0) return;
        visit(Uint32Array.of(1), 0, 9);
        visit(Uint32Array.of(2), 1, 3);
      },
      judge: (states, at) => Number(states[at] === 1),
    };
    const same: StateHash = (state, _, into) => into.set([Math.min(state[0]!, 1), 0]);
    expect(breadthFirst(model, bounds, undefined, undefined, undefined, new HashedStates(1, same)).found).toEqual([{ violated: 1, ordinals: [0], steps: 9 }]);
  });

  it("do for breadth-first search what whole states do, in fewer bytes", () => {
    fc.assert(
      fc.property(graphs, fc.nat(39), (next, bad) => {
        const model = graph(next, new Set([bad]));
        const { seconds: _, ...whole } = breadthFirst(model, bounds);
        expect(breadthFirst(model, bounds, undefined, undefined, undefined, new HashedStates(2))).toMatchObject(whole);
      }),
    );
    const model = createModel(bootAt(layout, cofferdam, { scope: { ...defaultScope, children: 1, addresses: 0 } }), properties);
    const store = new StateStore(model.words);
    const hashed = new HashedStates(model.words);
    // Deep enough that what is done with is more than the two levels at work.
    const within = { ...bounds, depth: 8 };
    const { seconds: _, ...whole } = breadthFirst(model, within, undefined, undefined, undefined, store);
    expect(breadthFirst(model, within, undefined, undefined, undefined, hashed)).toMatchObject(whole);
    expect(hashed.mostBytes).toBeLessThan(store.bytes);
  });
});

describe("verdicts", () => {
  it("of a search by hashes never say that anything holds", () => {
    for (const verdict of [checkByHash(layout, { scope: small }), checkDepthFirst(layout, { scope: small, visited: "hashes" })]) {
      expect(verdict).toMatchObject({ result: "inconclusive", end: "exhausted-by-hash", search: { visited: "hashes", omissions: expectedOmissions(verdict.states) } });
      expect(verdict.properties.map(({ result }) => result)).toEqual(properties.map(() => "undecided"));
      const text = verdictText(verdict);
      expect(text).toMatch(/^INCONCLUSIVE/);
      expect(text).toMatch(/if hashes are uniform, [\d.e-]+ such states are expected/);
      expect(text).not.toContain("HOLDS");
    }
  });

  it("of depth-first search over whole states say what those of breadth-first search do, and how they came to it", () => {
    const whole = checkLayout(layout, { scope: small });
    const deep = checkDepthFirst(layout, { scope: small });
    expect(deep).toMatchObject({ result: whole.result, end: "exhausted", states: whole.states, transitions: whole.transitions, search: { strategy: "depth", visited: "states" } });
    expect(deep.properties).toEqual(whole.properties);
    expect(verdictText(deep)).toContain("Searched depth first");
    expect(whole.search).toBeUndefined();
  });

  it.each(mutants.filter(({ length, system }) => length <= 4 && system === "one-driver"))("catches the kernel without $without depth first, as shortly, and says whether that was shown", ({ without, length, caughtBy }) => {
    const profile = mutantOf(cofferdam, without);
    const { violations, result } = checkDepthFirst(layout, { profile, scope: { ...defaultScope, ...small, slots: 1 } });
    expect(result).toBe("violated");
    const shortest = violations.filter((violation) => violation.shortest === undefined);
    expect(shortest.map((violation) => violation.length)).toEqual(shortest.map(() => length));
    expect(shortest.length).toBeGreaterThan(0);
    expect(caughtBy).toEqual(expect.arrayContaining(shortest.map(({ property }) => property)));
    for (const { property, trace } of violations) {
      const judged = properties.find(({ name }) => name === property)!;
      expect(replay(bootAt(layout, profile, { scope: trace!.model.scope }), judged, trace!, trace!.final).result).toBe("violated");
    }
    // By hashes a state may be missing, so nothing is shown to be shortest.
    const hashed = checkDepthFirst(layout, { profile, scope: { ...defaultScope, ...small, slots: 1 }, visited: "hashes" });
    expect(hashed.violations.every((violation) => violation.shortest === false)).toBe(true);
    expect(verdictText(hashed)).toContain("not claimed to be the shortest");
  });
});
