/** Several threads against one: counts, verdicts, coverage and traces. */
import { describe, expect, it } from "vitest";
import type { Bounds } from "../../../src/check/search/breadth.ts";
import { bootAt, checkLayout } from "../../../src/check/check.ts";
import type { CheckOptions } from "../../../src/check/checkOptions.ts";
import { partSizes } from "../../../src/check/search/collapse.ts";
import { createModel, machineWord } from "../../../src/check/model.ts";
import { checkInParallel } from "../../../src/check/parallel/checkInParallel.ts";
import { exploreWithCrew } from "../../../src/check/parallel/crew.ts";
import { sharedMachineIds, sharedMachineIdsBuffer } from "../../../src/check/parallel/sharedMachineIds.ts";
import { sharedValues, sharedValuesBuffer } from "../../../src/check/parallel/sharedValues.ts";
import { properties } from "../../../src/check/properties/properties.ts";
import { cofferdam, mutantOf, type Profile, profileNamed, type Safeguard, sel4Smmuv2 } from "../../../src/kernel/profile.ts";
import { layoutOf } from "../../kernel/fixture.ts";

const small = { pages: 1, slots: 1, children: 0, addresses: 0 };
const both = async (system: string, options: CheckOptions, workers: number) => {
  const layout = layoutOf(system);
  return [await checkInParallel(layout, { ...options, workers }, ), checkLayout(layout, options)] as const;
};

describe("several threads", () => {
  it.each([1, 2, 3])("%i exhaust the same states, with the same counts, coverage and paths", async (workers) => {
    const [many, one] = await both("one-driver", { scope: small }, workers);
    expect(many).toEqual(one);
    expect(many).toMatchObject({ result: "holds", end: "exhausted" });
    expect(many.states).toBeGreaterThan(5000);
  });

  it.each<[string, string, Safeguard]>([
    ["one-driver", "two", "unmap-invalidates"],
    ["one-driver", "two", "unbind-clears-ste"],
    ["one-driver", "two", "revoke-finalises-kernel-copies"],
    ["shared-config", "three", "table-delete-invalidates"],
  ])("of a broken kernel on %s, %s find the same shortest traces: %s", async (system, count, without) => {
    const [many, one] = await both(system, { profile: mutantOf(cofferdam, without), scope: { pages: 1, slots: 1, children: 1, addresses: 1 }, bounds: { states: 60_000 } }, count === "two" ? 2 : 3);
    expect(many.violations).toEqual(one.violations);
    expect(many).toEqual(one);
    expect(one.result).toBe("violated");
  });

  it.each<[string, string, Profile, number, Partial<Bounds>]>([
    ["one-driver", "a kernel that keeps the entry of an unbound stream", mutantOf(cofferdam, "unbind-clears-ste"), 8, {}],
    ["one-driver", "a kernel that forgets to invalidate, to a depth", mutantOf(cofferdam, "unmap-invalidates"), 100, { depth: 5 }],
    ["shared-config", "seL4 on an SMMUv2", sel4Smmuv2, 3, {}],
  ])("of %s, three find the same several traces: %s", async (system, _, profile, traces, bounds) => {
    const [many, one] = await both(system, { profile, traces, bounds: { states: 60_000, ...bounds } }, 3);
    expect(many).toEqual(one);
    expect(one.violations.length).toBeGreaterThan(1);
  });

  it("a break in the first state has no invocations", async () => {
    const [many, one] = await both("one-driver", { scope: small, profile: profileNamed("sel4-smmuv2-indexing")! }, 2);
    expect(many).toEqual(one);
    expect(many.violations[0]).toMatchObject({ length: 0 });
  });

  it("stop at bounds and at an interrupt, and then say that nothing was shown", async () => {
    const layout = layoutOf("one-driver");
    const bounded = await checkInParallel(layout, { scope: small, workers: 2, bounds: { states: 1000 } });
    expect(bounded).toMatchObject({ result: "inconclusive", end: "states", violations: [] });
    expect(bounded.states).toBeGreaterThanOrEqual(1000);
    expect(new Set(bounded.properties.map(({ result }) => result))).toEqual(new Set(["undecided"]));
    expect(await checkInParallel(layout, { scope: small, workers: 2, bounds: { depth: 3 } })).toEqual(checkLayout(layout, { scope: small, bounds: { depth: 3 } }));
    expect(await checkInParallel(layout, { workers: 2, watch: () => false })).toMatchObject({ result: "inconclusive", end: "interrupted" });
  });

  it("one state is enough for three of them", async () => {
    const trusted = layoutOf("one-driver", (spec) => spec.replace("kind: driver", "kind: driver\n    trusted: true"));
    const many = await checkInParallel(trusted, { workers: 3 });
    expect(many).toEqual(checkLayout(trusted));
    expect(many.states).toBe(1);
  });

  it("with hardly any room for states between them, they wait for each other and get to the same end", async () => {
    const scope = { ...small, slots: 0, children: 1 };
    const layout = layoutOf("one-driver");
    const machineIds = sharedMachineIdsBuffer();
    const booted = bootAt(layout, cofferdam, { scope });
    const sizes = partSizes(machineWord(booted.shape));
    const values = sharedValuesBuffer(sizes);
    const model = createModel(booted, properties, "may", { machines: sharedMachineIds(machineIds), values: sharedValues(values, sizes) });
    const enlisted = { layout, scope, profile: cofferdam, caches: "may", unreduced: [], properties: properties.map(({ name }) => name), propertyFiles: [], words: model.collapsed.words, machineIds, values } as const;
    const { explored } = await exploreWithCrew({ ...enlisted, members: 3, between: 2, bounds: { states: 1e6, depth: 1e3, seconds: 600 }, due: () => false, keep: () => {} });
    const { states, transitions: edges, depth, end } = checkLayout(layout, { scope });
    expect(explored).toMatchObject({ states, edges, depth, end, found: [] });
  });

  it("that share as many states of the SMMU as they can say what to do", () => {
    const buffer = sharedMachineIdsBuffer();
    // How many there are.
    new Int32Array(buffer)[1] = 2 ** 18;
    expect(() => createModel(bootAt(layoutOf("one-driver"), cofferdam, { scope: small }), properties, "may", { machines: sharedMachineIds(buffer) })).toThrow(expect.objectContaining({ name: "Refusal", message: expect.stringMatching(/share at most 262144 states of the SMMU/) as string }) as Error);
  });

  it("that share as many values of a part of a state as they can say what to do", () => {
    const sizes = [3, 4];
    const buffer = sharedValuesBuffer(sizes);
    const [one, other] = [sharedValues(buffer, sizes), sharedValues(buffer, sizes)];
    const value = Uint32Array.of(0, 1, 2, 3, 4);
    // Numbers are those of whoever came first, in each part by itself.
    expect([one(0).number(value, 0), other(0).number(value, 1), one(0).number(value, 1), other(0).number(value, 0), other(1).number(value, 1)]).toEqual([0, 1, 1, 0, 0]);
    expect([...other(1).values.subarray(0, 4)]).toEqual([1, 2, 3, 4]);
    // How many there are.
    new Int32Array(buffer)[1] = 2 ** 20;
    expect(one(0).number(value, 0)).toBe(0);
    expect(() => one(0).number(value, 2)).toThrow(expect.objectContaining({ name: "Refusal", message: expect.stringMatching(/share at most 1048576 values of a part/) as string }) as Error);
  });
});
