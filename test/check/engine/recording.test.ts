import { describe, expect, it } from "vitest";
import { below, leastState, NONE, optional, type Tables } from "../../../src/base/state.ts";
import { accessorsOf, compile, link } from "../../../src/check/engine/compiled.ts";
import { place } from "../../../src/check/engine/placement.ts";
import type { RecipeModel } from "../../../src/check/engine/recipeModel.ts";
import { Recorder } from "../../../src/check/engine/recording.ts";
import { explore } from "../../../src/check/engine/search.ts";

const shape = { row: { rows: 6, fields: { a: below(4), b: below(4), next: optional(6) } }, one: { rows: 1, fields: { fixed: below(1), x: below(4), big: below(100_000) } } };
type S = typeof shape;
type T = Tables<S>;
const record = (recipe: (tables: T) => number, budget = 5000, question = false) => {
  const recorder = new Recorder<S>(place(shape));
  return { node: recorder.record(recipe, budget, question), recorder };
};
const model = (effect: (tables: T) => void, holds: (tables: T) => boolean = () => true): RecipeModel<S> => ({
  name: "one operation",
  parameters: {},
  shape,
  initial: leastState(shape),
  operations: [{ label: "Do", args: {}, refusals: [], effect }],
  properties: [{ name: "it holds", sentence: "It holds.", holds }],
});

describe("recording", () => {
  it("merges branches that come to the same thing", () => {
    expect(record(({ row }) => (row.at(0).a >= 0 ? 7 : 8)).node).toMatchObject({ kind: "leaf", result: 7 });
    const { node } = record(({ row }) => (row.at(0).a > 1 ? 1 : 0));
    expect(node).toMatchObject({ kind: "test", groups: [{ values: [0, 1] }, { values: [2, 3] }] });
  });

  it("turns a value that is read and written elsewhere into one copy", () => {
    const { node } = record(({ row }) => {
      row.at(1).b = row.at(0).a;
      return 0;
    });
    expect(node).toMatchObject({ kind: "set", targets: [[place(shape).cellOf.get("row")![1]!["b"]!.index, { is: "copy" }]] });
  });

  it("records bulk work as a sum over rows, not a product", () => {
    const { recorder, node } = record(({ row }) => {
      row.forEach((each) => {
        if (each.a === each.b) each.a = 0;
      });
      return 0;
    });
    expect(node.kind).toBe("each");
    expect(recorder.runs).toBeLessThan(3 * (6 * 17 + 3));
    expect(record(({ row }) => Number(row.every((each) => each.a === each.b)), 200, true).node.kind).toBe("ask");
    const loop = (tables: T): number => {
      for (let at = 0; at < 6; at++) if (tables.row.at(at).a === tables.row.at(at).b) tables.row.at(at).a = 0;
      return 0;
    };
    expect(() => record(loop)).toThrow(/budget/);
  });

  it("runs a body that reads and only hands on as an ordinary loop", () => {
    const { node } = record(({ row }) => {
      let most = 0;
      row.forEach((each, at) => {
        if (at < 2) most = Math.max(most, each.a);
      });
      return most;
    });
    expect(node.kind).toBe("test");
  });

  it("refuses a question that writes, and a recipe that depends on more than the state", () => {
    expect(() => record(({ row }) => Number(row.some((each) => (each.a = 1) === 1)))).toThrow(/a question writes a/);
    let count = 0;
    expect(() =>
      record(({ row }) => {
        count += 1;
        return count % 2 === 0 ? row.at(0).a : row.at(1).a;
      }),
    ).toThrow(/did not repeat itself/);
  });

  it("gives up on domains too large to fork over, and takes a constant field as known", () => {
    expect(() => record(({ one }) => one.at(0).big)).toThrow(/too large/);
    expect(record(({ one }) => one.at(0).fixed).recorder.runs).toBe(1);
    expect(compile(model(({ one }) => void (one.at(0).big += 1))).instances[0]).toMatchObject({ emitted: false, why: "a domain is too large to fork over" });
  });
});

describe("what cannot be", () => {
  /** Runs the one instance both ways on the first state. */
  const both = (effect: (tables: T) => void) => {
    const made = model(effect);
    const accessors = accessorsOf(made);
    const compiled = compile(made);
    expect(compiled.instances[0]!.emitted).toBe(true);
    const b = new Int32Array(64);
    return [() => accessors.run(0, compiled.initial, 0, b, 0), () => link(compiled).parts[0]!(compiled.initial, 0, 1, b, 0)];
  };

  it("throws in emitted code where the recipe throws, and only there", () => {
    for (const run of both(({ row }) => void (row.at(row.at(0).next).a = 1))) expect(run).toThrow(/row -1 of 6/);
    for (const run of both(({ row }) => void (row.at(0).a -= 1))) expect(run).toThrow(/a = -1 is outside its domain/);
    for (const run of both(({ row }) => void (row.at(0).a += 3))) expect(run).not.toThrow();
    for (const run of both(({ row }) => void row.walk(0, (each) => (each.a === 0 ? 0 : NONE)))) expect(run).toThrow(/cycle/);
  });

  it("is told by the search as what it is", () => {
    expect(() => explore(model(({ row }) => void (row.at(0).a += 1)))).toThrow(/a = 4 is outside its domain/);
  });
});

describe("every way to write", () => {
  it("swaps two rows, through several words, in one assignment", () => {
    const wide = {
      ...model(({ row }) => {
        const [p, q] = [row.at(0), row.at(5)];
        const { a } = p;
        p.a = q.a;
        q.a = a;
        p.next = q.next;
        q.next = NONE;
      }),
      initial: { ...leastState(shape), row: leastState(shape).row.map((row, at) => ({ ...row, a: at % 4, next: 3 })) },
    };
    const compiled = compile(wide);
    expect(compiled.instances[0]!.emitted).toBe(true);
    const [one, two] = [new Int32Array(64), new Int32Array(64)];
    accessorsOf(wide).run(0, compiled.initial, 0, one, 0);
    link(compiled).parts[0]!(compiled.initial, 0, 1, two, 0);
    expect(two).toEqual(one);
    expect(two.subarray(0, compiled.words)).not.toEqual(compiled.initial);
  });
});
