import { describe, expect, it } from "vitest";
import type { ModelSource } from "../../../src/check/engine/recipeModel.ts";
import { explore } from "../../../src/check/engine/search.ts";
import type { SearchOptions } from "../../../src/check/engine/searchOptions.ts";
import { counts, type Mutant, type SizeName, sizes, smmuCap, type SmmuCapOptions } from "../../../tools/bench/smmuCap.ts";

const source = (size: SizeName, options: SmmuCapOptions = {}): ModelSource => ({ module: new URL("../../../tools/bench/smmuCap.ts", import.meta.url).href, name: "smmuCap", args: [sizes[size], options] });
const run = (size: SizeName, options: SearchOptions = {}, model: SmmuCapOptions = {}) =>
  explore(smmuCap(sizes[size], model), { ...options, source: source(size, model), together: (options.threads ?? 1) > 1 });

describe("the common benchmark", () => {
  it.each(["T", "T2", "S"] as const)("has the known counts at size %s on one thread and on two", (size) => {
    const [one, two] = [run(size), run(size, { threads: 2 })];
    for (const { end, states, edges, depth } of [one, two]) expect({ end, states, edges, depth }).toEqual({ end: "exhausted", ...counts[size] });
    expect(two.widths).toEqual(one.widths);
    expect(two.edgesByOperation).toEqual(one.edgesByOperation);
    expect(one.widths.reduce((sum, width) => sum + width, 0)).toBe(one.states);
  });

  it("has the known edges of each operation at size T", () => {
    expect(run("T").edgesByOperation).toEqual({
      BindCB: 8208,
      UnbindCB: 8208,
      AssignVSpace: 9608,
      UnassignVSpace: 9608,
      Map: 11816,
      Unmap: 11816,
      InvalidateTLB: 11936,
      Access: 944,
      Grant: 5968,
      Revoke: 13248,
      MoveCB: 2080,
    });
  });

  // Each trace is the least in declared order of all shortest ones, so it is known to the last argument.
  it.each<[Mutant, string[]]>([
    ["M1", ["BindCB s=0 b=0", "AssignVSpace b=0 v=0", "Grant f=1 c=0", "Map v=0 l=0 f=1", "Access s=0 l=0", "Revoke f=1 c=0"]],
    ["M2", ["BindCB s=0 b=0", "AssignVSpace b=0 v=0", "Map v=0 l=0 f=0", "Access s=0 l=0", "UnbindCB s=0", "UnassignVSpace b=0", "MoveCB b=0 c=1", "BindCB s=1 b=0"]],
    ["M3", ["BindCB s=0 b=0", "AssignVSpace b=0 v=0", "Map v=0 l=0 f=1"]],
  ])("finds the mutant %s by its least shortest trace, on one thread and on two", (mutant, trace) => {
    const found = [run("T", {}, { mutant }), run("T", { threads: 2, chunk: 8 }, { mutant }), run("T", { compile: { accessors: () => true } }, { mutant })];
    for (const { end, depth, states, edges, violations } of found) {
      expect({ end, depth, states, edges }).toEqual({ end: "violated", depth: trace.length, states: found[0]!.states, edges: found[0]!.edges });
      expect(violations.map(({ property }) => property)).toEqual(["isolation"]);
      expect(violations[0]!.trace.map(({ label, args }) => [label, ...Object.entries(args).map(([name, value]) => `${name}=${value}`)].join(" "))).toEqual(trace);
    }
  });

  it.each([0, 4, 12, 24])("keeps its counts with %s rows of padding, which make the state several words", (padding) => {
    for (const threads of [1, 2]) {
      const { states, edges, depth, edgesByOperation, compiled } = run("T", { threads }, { padding });
      expect({ states, edges, depth }).toEqual(counts.T);
      expect(edgesByOperation["Access"]).toBe(944);
      expect(compiled.words).toBe(Math.ceil(compiled.bits / 32));
    }
    expect(run("T", {}, { padding, mutant: "M2" }).depth).toBe(8);
  });

  it("keeps its counts when instances stay on accessors, some or all, and on two threads", () => {
    for (const threads of [1, 2]) {
      const some = run("T", { threads, compile: { accessors: (_, index) => index % 3 === 0 } });
      expect({ states: some.states, edges: some.edges, depth: some.depth }).toEqual(counts.T);
    }
    const cheap = run("T", { compile: { budgets: { runs: 20 } } });
    expect(cheap.compiled.instances.filter(({ emitted }) => !emitted).map(({ label }) => label)).toContain("Access");
    expect(cheap.compiled.instances.find(({ label }) => label === "BindCB")!.emitted).toBe(true);
    expect(cheap.compiled.propertiesEmitted).toEqual([false]);
    expect({ states: cheap.states, edges: cheap.edges, depth: cheap.depth }).toEqual(counts.T);
  });

  it("says so when threads lack the model that accessors need", () => {
    expect(() => explore(smmuCap(sizes.T), { threads: 2, together: true, compile: { accessors: () => true } })).toThrow(/source/);
  });
});

describe("bounds", () => {
  it("ends where a bound is hit, with what was found", () => {
    const deep = run("T2", { bounds: { depth: 5 } });
    expect({ end: deep.end, depth: deep.depth, widths: deep.widths }).toEqual({ end: "depth", depth: 5, widths: run("T2").widths.slice(0, 6) });
    const many = run("S", { bounds: { states: 20_000 } });
    expect(many.end).toBe("states");
    expect(many.states).toBeGreaterThanOrEqual(20_000);
    expect(many.states).toBeLessThan(30_000);
    expect(run("S", { bounds: { memory: 1_000_000 } }).end).toBe("memory");
    expect(run("S", { bounds: { seconds: 0 } }).end).toBe("seconds");
    expect(run("S", { interrupt: Int32Array.of(1) }).end).toBe("interrupted");
  });

  it("judges what it had found when it was stopped", () => {
    // The violating states are of the last level that was begun; they were found, and never taken to be expanded.
    const stopped = run("T", { bounds: { states: 250 }, chunk: 8 }, { mutant: "M3" });
    expect(stopped.end).toBe("violated");
    expect(stopped.violations[0]!.trace).toHaveLength(3);
  });

  it("tells how far it is", () => {
    const seen: number[] = [];
    const { end, states } = run("S", {
      watchMilliseconds: 0,
      watch: (progress) => {
        expect(progress.frontier).toBeGreaterThanOrEqual(0);
        expect(progress.load).toBeLessThanOrEqual(0.6);
        seen.push(progress.states);
        return progress.states < 100_000;
      },
    });
    expect(end).toBe("interrupted");
    expect(states).toBeGreaterThanOrEqual(100_000);
    expect(seen).toEqual(seen.toSorted((a, b) => a - b));
  });
});
