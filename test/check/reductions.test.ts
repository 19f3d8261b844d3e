/** What exploration takes for alike changes no verdict and no length of a shortest trace. */
import { describe, expect, it } from "vitest";
import { checkLayout } from "../../src/check/check.ts";
import { checkInParallel } from "../../src/check/parallel/checkInParallel.ts";
import { cofferdam, mutantOf } from "../../src/kernel/profile.ts";
import { type Reduction, reductionNames } from "../../src/kernel/reductions.ts";
import { layoutOf } from "../kernel/fixture.ts";

const subsets: readonly (readonly Reduction[])[] = [[], ["slots"], ["watermarks"], ["slots", "watermarks"]];
const scope = { pages: 1, slots: 1, children: 1, addresses: 0 };
// The systems here are of one group each and nothing in them is alike, so slices and symmetry have nothing to do
// (test/check/slices, test/check/symmetry).
const told = (unreduced: readonly Reduction[]) => reductionNames.filter((name) => name !== "slices" && name !== "symmetry" && !unreduced.includes(name));

describe("reductions", () => {
  it("a verdict that holds, holds without them, and says which there were", () => {
    const verdicts = subsets.map((unreduced) => checkLayout(layoutOf("large-frames"), { scope: { ...scope, children: 0 }, unreduced }));
    for (const [at, verdict] of verdicts.entries()) {
      expect(verdict).toMatchObject({ result: "holds", end: "exhausted" });
      expect(verdict.reductions.map(({ name }) => name)).toEqual(told(subsets[at]!));
      expect(verdict.states).toBeGreaterThanOrEqual(verdicts[0]!.states);
    }
  });

  it("watermarks that are kept make more states of the same behaviour", () => {
    const [reduced, whole] = [checkLayout(layoutOf("one-driver"), { scope: { ...scope, slots: 1 }, bounds: { depth: 8 } }), checkLayout(layoutOf("one-driver"), { scope, unreduced: ["watermarks"], bounds: { depth: 8 } })];
    expect(whole.states).toBeGreaterThan(reduced.states);
    expect(whole.depth).toBe(reduced.depth);
  });

  it.each(["unmap-invalidates", "frame-delete-invalidates", "unbind-clears-ste"] as const)("the broken kernel without %s is caught in as many invocations, and its trace replays", async (without) => {
    const lengths = await Promise.all(
      subsets.map(async (unreduced) => {
        const options = { scope: { ...scope, slots: 2 }, profile: mutantOf(cofferdam, without), unreduced, bounds: { states: 400_000 } };
        const one = checkLayout(layoutOf("one-driver"), options);
        if (unreduced.length === 2) expect(await checkInParallel(layoutOf("one-driver"), { ...options, workers: 2 })).toEqual(one);
        return one.violations.map(({ property, length, unscaled }) => [property, length, unscaled?.result]);
      }),
    );
    expect(lengths[0]!.length).toBeGreaterThan(0);
    for (const each of lengths) expect(each).toEqual(lengths[0]);
    expect(lengths[0]!.every(([, , result]) => result === "violated")).toBe(true);
  });
});
