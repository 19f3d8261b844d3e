import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Step } from "../../src/base/step.ts";
import type { MachineState } from "../../src/smmuv3/machineState.ts";
import { close, createMayCaches } from "../../src/smmuv3/mayCache.ts";
import type { Reach } from "../../src/smmuv3/reach.ts";
import { ask, cfgiAll, machineOf, sync, tlbiAll } from "./fixture.ts";
import { program, SIDS, scopePages } from "./scope.ts";

const targetLines = (reach: Reach): string[] =>
  reach.streams.flatMap(({ sid, targets }) => targets.map(({ iova, size, pa, read, write }) => `${sid} ${iova} ${size} ${pa} ${read} ${write}`));
/** Everything but the words that led there. */
const withoutVia = (reach: Reach): string[] =>
  reach.streams.flatMap(({ sid, configurations, targets }) => [
    `${sid}: ${configurations.map((one) => `${one.class} ${one.recorded} ${one.cached}`).join(", ")}`,
    ...targets.map((target) => `${sid} ${target.iova} ${target.size} ${target.pa} ${target.read} ${target.write} ${target.cached}`),
  ]);

/** Runs the steps in both cache modes. */
const states = (steps: readonly Step[]) => {
  const may = machineOf();
  const none = machineOf({ cacheMode: "none" });
  return { may, none, warm: may.executeAll(may.start, steps), cold: none.executeAll(none.start, steps) };
};

/** Whether the enumeration says that a page is reached; streams that are not listed are as stream -1. */
const reached = (reach: Reach, sid: number, iova: bigint, access: "read" | "write"): bigint | undefined => {
  const stream = reach.streams.find((one) => one.sid === sid) ?? reach.streams.find((one) => one.sid === -1);
  const target = stream?.targets.find((one) => one[access] && iova >= one.iova && iova < one.iova + one.size);
  return target === undefined ? undefined : target.pa + (iova - target.iova);
};

describe("laws of reach", () => {
  it("without caches, reach is cold reach; with them it is no less", () => {
    fc.assert(
      fc.property(program(30), (steps) => {
        const { may, none, warm, cold } = states(steps);
        expect(withoutVia(none.reach(cold))).toEqual(withoutVia(may.coldReach(warm)));
        const wide = new Set(targetLines(may.reach(warm)));
        for (const { sid, targets } of may.coldReach(warm).streams)
          // A stream of the common entry may be listed by itself once it has a kept entry of its own.
          for (const { iova, size, pa, read, write } of targets) expect(wide).toContain(`${sid} ${iova} ${size} ${pa} ${read} ${write}`);
      }),
      { numRuns: 60 },
    );
  });
  it("enumerating tables and walking single addresses agree", () => {
    fc.assert(
      fc.property(program(30), (steps) => {
        const { none, cold } = states(steps);
        const reach = none.reach(cold);
        for (const sid of SIDS)
          for (const iova of scopePages)
            for (const op of ["read", "write"] as const) {
              // A page may be read as data or, where that is not allowed, as an instruction.
              const ways = op === "write" ? [{ op }] : [{ op }, { op, instr: true }, { op, instr: true, priv: true }];
              const outcome = ways.map((way) => ask(cold, sid, iova, way)).find(({ result }) => result === "ok");
              expect(outcome?.result === "ok" ? outcome.pa : undefined).toBe(reached(reach, sid, iova, op));
            }
      }),
      { numRuns: 60 },
    );
  });
  it("after CFGI_ALL, SYNC, TLBI_NSNH_ALL and SYNC the caches are those of an SMMU that has just begun", () => {
    // With one SYNC behind both, a descriptor may be fetched anew by a configuration that CFGI_ALL has not taken yet.
    fc.assert(
      fc.property(program(30), (steps) => {
        const may = machineOf();
        const state: MachineState = may.executeAll(may.start, [...steps, sync, cfgiAll, sync, tlbiAll, sync]);
        const { cache, settings, wedged } = state.smmus[0]!;
        if (wedged !== undefined) return;
        const caches = createMayCaches();
        expect([...cache.entries.keys()].toSorted()).toEqual([...close(caches, state.image, settings, caches.empty).entries.keys()].toSorted());
      }),
      { numRuns: 60 },
    );
  });
  it("the order in which equal memory was written does not show", () => {
    fc.assert(
      fc.property(program(20), (steps) => {
        const stores = [...new Map(steps.filter((step) => step.kind === "store").map((step) => [step.addr, step])).values()];
        const run = machineOf({ cacheMode: "none" });
        expect(run.executeAll(run.start, stores.toReversed())).toBe(run.executeAll(run.start, stores));
      }),
      { numRuns: 40 },
    );
  });
});
