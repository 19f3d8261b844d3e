/** Several threads against one: counts, verdicts, coverage and traces. */
import { describe, expect, it } from "vitest";
import { checkLayout, type CheckOptions } from "../../../src/check/check.ts";
import { checkInParallel } from "../../../src/check/parallel/checkInParallel.ts";
import { cofferdam, mutantOf, profileNamed, type Safeguard } from "../../../src/kernel/profile.ts";
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

  it("a break in the first state has no invocations", async () => {
    const [many, one] = await both("one-driver", { scope: small, profile: profileNamed("sel4-smmuv2-indexing")! }, 2);
    expect(many).toEqual(one);
    expect(many.violations[0]).toMatchObject({ length: 0 });
  });

  it("stop at bounds and at an interrupt, and then say that nothing was shown", async () => {
    const layout = layoutOf("one-driver");
    expect(await checkInParallel(layout, { scope: small, workers: 2, bounds: { states: 1000 } })).toMatchObject({ result: "inconclusive", end: "states" });
    expect(await checkInParallel(layout, { scope: small, workers: 2, bounds: { depth: 3 } })).toEqual(checkLayout(layout, { scope: small, bounds: { depth: 3 } }));
    expect(await checkInParallel(layout, { workers: 2, watch: () => false })).toMatchObject({ result: "inconclusive", end: "interrupted" });
  });
});
