/** A bound on memory: whoever searches stops there, and claims nothing. */
import { describe, expect, it } from "vitest";
import { checkLayout } from "../../src/check/check.ts";
import type { CheckOptions } from "../../src/check/checkOptions.ts";
import { checkInParallel } from "../../src/check/parallel/checkInParallel.ts";
import { checkByHash } from "../../src/check/strategies/checkByHash.ts";
import { checkDepthFirst } from "../../src/check/strategies/checkDepthFirst.ts";
import { type Goal, parseGoal } from "../../src/check/strategies/goals.ts";
import { findWitnesses, goalNames } from "../../src/check/strategies/witness.ts";
import type { Verdict } from "../../src/check/verdict.ts";
import type { Layout } from "../../src/system/layout.ts";
import { layoutOf } from "../kernel/fixture.ts";

// No process is as small as the one, or as large as the other.
const [NOTHING, PLENTY] = [1, 2 ** 50];
const scope = { pages: 1, slots: 0, children: 0, addresses: 0 };

describe("a bound on memory", () => {
  it.each<[string, string, (layout: Layout, options: CheckOptions) => Verdict | Promise<Verdict>]>([
    ["breadth first", "one-driver", checkLayout],
    ["in slices", "three-drivers", checkLayout],
    ["depth first", "one-driver", checkDepthFirst],
    ["by hash", "one-driver", checkByHash],
    ["in threads", "one-driver", (layout, options) => checkInParallel(layout, { ...options, workers: 2 })],
  ])("stops a search %s, which is then inconclusive", async (_, system, check) => {
    const layout = layoutOf(system);
    expect(await check(layout, { scope, bounds: { memory: NOTHING } })).toMatchObject({ result: "inconclusive", end: "memory", violations: [] });
    expect((await check(layout, { scope, bounds: { memory: PLENTY } })).end).toMatch(/^exhausted/);
  });

  it("stops the search for a witness", async () => {
    const layout = layoutOf("one-driver");
    const goal = parseGoal("performed ARMSIDUnbindCB", goalNames(layout, { scope })) as Goal;
    expect(await findWitnesses(layout, [goal], { scope, bounds: { memory: NOTHING } })).toMatchObject({ end: "memory", states: 1 });
    expect(await findWitnesses(layout, [goal], { scope, bounds: { memory: PLENTY } })).toMatchObject({ end: "reached" });
  });
});
