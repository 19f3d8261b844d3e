/**
 * The law that keeps one semantics (design D4): in every state, every instance gives the same verdict and the same
 * successor as a plain recipe on plain rows, on accessors, and as emitted code.
 */
import { describe, expect, it } from "vitest";
import { change, NONE, type Plain, type Shape, viewOf } from "../../../src/base/state.ts";
import { accessorsOf, compile, link } from "../../../src/check/engine/compiled.ts";
import { pack, place, unpack } from "../../../src/check/engine/placement.ts";
import { instancesOf, type Operation, type RecipeModel } from "../../../src/check/engine/recipeModel.ts";
import { explore } from "../../../src/check/engine/search.ts";
import { sizes, smmuCap } from "../../../tools/bench/smmuCap.ts";
import { chainModel, type ChainShape } from "./chainModel.ts";

/** Every reachable state with its successors by instance, found by plain recipes and string keys only. */
const plainly = <S extends Shape>(model: RecipeModel<S>, visit: (state: Plain<S>, successors: readonly (Plain<S> | undefined)[]) => void): number => {
  const instances = instancesOf(model);
  const queue: Plain<S>[] = [model.initial];
  const seen = new Set([JSON.stringify(model.initial)]);
  for (const state of queue) {
    const tables = viewOf(state);
    const successors = instances.map(({ operation, args }) => {
      const { refusals, effect } = model.operations[operation]!;
      if (refusals.some(({ when }) => when(tables, args))) return undefined;
      return change(state, (draft) => effect(draft, args));
    });
    visit(state, successors);
    for (const successor of successors) {
      if (successor === undefined) continue;
      const key = JSON.stringify(successor);
      if (seen.has(key)) continue;
      seen.add(key);
      queue.push(successor);
    }
  }
  return seen.size;
};

/** Compares the three executors everywhere; answers how many states and how many edges there were. */
const holdLaw = <S extends Shape>(model: RecipeModel<S>, budgets = {}): { states: number; edges: number } => {
  const placement = place(model.shape);
  const { words } = placement;
  const compiled = compile(model, { apart: true, budgets });
  const accessors = accessorsOf(model);
  const emitted = link(compiled, accessors);
  const batch = new Int32Array(words * 2);
  let edges = 0;
  const states = plainly(model, (state, successors) => {
    const packed = pack(placement, state);
    if (JSON.stringify(unpack(placement, packed)) !== JSON.stringify(state)) throw new Error("packing loses something");
    const violated = model.properties.reduce((mask, { holds }, bit) => (holds(viewOf(state)) ? mask : mask | (1 << bit)), 0);
    if (emitted.judge(packed, 0, 1) !== violated) throw new Error(`the emitted judgement differs in ${JSON.stringify(state)}`);
    if (model.properties.some((_, bit) => accessors.holds(bit, packed, 0) !== (((violated >>> bit) & 1) === 0))) throw new Error("the judgement on accessors differs");
    for (const [index, successor] of successors.entries()) {
      const wanted = successor === undefined ? "refused" : pack(placement, successor).join();
      const told = (length: number): string => (length === 0 ? "refused" : batch.subarray(0, words).join());
      const [byAccessors, byText] = [told(accessors.run(index, packed, 0, batch, 0)), told(emitted.parts[index]!(packed, 0, 1, batch, 0))];
      if (byAccessors !== wanted || byText !== wanted) throw new Error(`${JSON.stringify(compiled.instances[index])}: plain ${wanted}, accessors ${byAccessors}, emitted ${byText} in ${JSON.stringify(state)}`);
      if (successor !== undefined) edges += 1;
    }
  });
  return { states, edges };
};

describe("plain recipes, accessors and emitted code agree", () => {
  it("on every state and instance of the benchmark at size T", () => {
    expect(compile(smmuCap(sizes.T)).instances.every(({ emitted }) => emitted)).toBe(true);
    expect(holdLaw(smmuCap(sizes.T))).toEqual({ states: 9608, edges: 93_440 });
  });

  it("with fields scattered over several words", () => {
    const model = smmuCap({ ...sizes.T, streams: 1 }, { padding: 21 });
    const { cells } = place(model.shape);
    expect(new Set(cells.filter(({ table }) => !table.startsWith("pad")).map(({ word }) => word)).size).toBeGreaterThan(2);
    const { states, edges } = explore(model);
    expect(holdLaw(model)).toEqual({ states, edges });
  });

  it("where violations exist, so that judging both ways is compared", () => {
    const model = smmuCap({ ...sizes.T, streams: 1 }, { mutant: "M3" });
    const judged = new Set<number>();
    const { judge } = link(compile(model));
    plainly(model, (state) => judged.add(judge(pack(place(model.shape), state), 0, 1)));
    expect(judged).toEqual(new Set([0, 1]));
    holdLaw(model);
  });

  it("on chains, bulk work and a count that a loop hands out", () => {
    const model = chainModel(4);
    const compiled = compile(model);
    expect(compiled.instances.filter(({ emitted }) => !emitted)).toEqual([]);
    expect(compiled.propertiesEmitted).toEqual([true, true]);
    const { states, edges, violations } = explore(model);
    expect(violations).toEqual([]);
    expect(states).toBeGreaterThan(60);
    expect(holdLaw(model)).toEqual({ states, edges });
  });

  it("also for bodies that hand on what they read: they are noticed and run on accessors, or as ordinary loops", () => {
    const chain = chainModel(3);
    const initial = { slot: [1, 2, 3].map((depth, at) => ({ depth, next: at === 2 ? NONE : at + 1, prev: at - 1 })), count: [{ full: 3 }] };
    const onAccessors: Record<string, Operation<ChainShape>["effect"]> = {
      Count: ({ slot, count }) => {
        let full = 0;
        slot.forEach((row, at) => {
          if (row.depth !== 0) full += 1;
          if (at !== 0) row.depth = 0;
        });
        count.at(0).full = Math.min(full, 2);
      },
      Last: ({ slot, count }) => {
        let last = 0;
        slot.forEach((row, at) => {
          if (row.depth === 2) {
            last = at;
            row.depth = 1;
          }
        });
        count.at(0).full = last;
      },
      Found: ({ slot }) => {
        let found = 0;
        if (slot.some((row, at) => row.depth === 2 && (found = at) === at)) slot.at(found).depth = 3;
      },
      Length: ({ slot, count }) => {
        let length = 0;
        slot.walk(0, (row) => {
          length += 1;
          return row.next;
        });
        count.at(0).full = Math.min(length, 3) - 1;
      },
    };
    const asLoops: typeof onAccessors = {
      Any: ({ slot, count }) => {
        let deep = false;
        slot.forEach((row) => {
          deep ||= row.depth === 3;
          if (row.next === NONE) row.prev = NONE;
        });
        if (deep) count.at(0).full = 0;
      },
      Most: ({ slot, count }) => {
        let most = 0;
        slot.forEach((row) => (most = Math.max(most, row.depth)));
        count.at(0).full = most;
      },
    };
    for (const [label, effect] of Object.entries({ ...onAccessors, ...asLoops })) {
      const handing = { ...chain, initial, operations: [{ label, args: {}, refusals: [], effect }] };
      expect(compile(handing).instances[0]).toMatchObject({ label, emitted: label in asLoops });
      holdLaw(handing);
    }
    expect(compile({ ...chain, operations: [{ label: "Count", args: {}, refusals: [], effect: onAccessors["Count"]! }] }).instances[0]!.why).toBe("the body of a cut hands something on to the code after it");
  });

  it("when budgets leave some instances on accessors", () => {
    const model = chainModel(4);
    const kinds = new Set(compile(model, { budgets: { runs: 60 } }).instances.map(({ emitted }) => emitted));
    expect(kinds).toEqual(new Set([true, false]));
    expect(holdLaw(model, { runs: 60 })).toEqual(holdLaw(model));
  });
});
