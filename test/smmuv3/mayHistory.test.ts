/** Histories before an SMMU that may have kept anything: all outcomes that the architecture allows, and no others. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { offsets } from "../../specs/smmuv3/registers.ts";
import { createDevice } from "../../src/smmuv3/device.ts";
import type { History, HistoryStep } from "../../src/smmuv3/history.ts";
import { playMay } from "../../src/smmuv3/mayHistory.ts";
import { DeviceRead, lineOf, type Machine, memoryWith, registersWith } from "../qemu/generator/answers.ts";
import { settle, warmScene } from "../qemu/generator/warm.ts";
import { outcomeLine } from "../qemu/outcomeLine.ts";
import { scenarios } from "../qemu/scenarios/all.ts";
import { identificationOf, type Scenario } from "../qemu/scenarios/scenario.ts";

const memory = (address: bigint): bigint | undefined => (address < 0x800_0000n || (address >= 0x4000_0000n && address < 0x5000_0000n) ? 0n : undefined);
const registersOf = (scenario: Scenario) =>
  new Map(Object.entries({ ...identificationOf(scenario), CR0: 0xc, GBPA: 0x1000, CMDQ_BASE: 0x4ff0_0005, EVENTQ_BASE: 0x4ff2_000c }).map(([name, value]) => [offsets[name as keyof typeof offsets], value]));

/**
 * CFGI_ALL, TLBI_NSNH_ALL, SYNC, twice: what the set-up left in the caches is gone. Once is not enough: between the first
 * two commands a descriptor may be fetched anew by a translation that is still kept.
 */
const forgetting: History = ([[4n, 31n], [0x30n, 0n], [0x46n, 0n], [4n, 31n], [0x30n, 0n], [0x46n, 0n]] as const).map((words) => ({ kind: "command", words }));
const settled = (history: History): History => {
  const first = history.findIndex(({ kind }) => kind === "transaction" || kind === "command");
  return [...history.slice(0, first), ...forgetting, ...history.slice(first)];
};

const line = (outcome: ReturnType<typeof createDevice>["step"] extends (step: HistoryStep) => readonly (infer O)[] ? O : never): string => {
  if (outcome.result === "abort") return outcomeLine({ result: "abort", events: outcome.event === undefined ? [] : [outcome.event.raw] });
  return outcome.result === "ok" || outcome.result === "cerror" || outcome.result === "not-consumed" ? outcomeLine(outcome) : outcome.result;
};
const possible = (scenario: Scenario): string[][] =>
  playMay({ registers: registersOf(scenario), read: memory }, settled(scenario.history)).map((outcome) => ("results" in outcome ? [...new Set(outcome.results.map(line))] : [line(outcome)]).toSorted());

/** Choices that are none of caches: what a locked register or page 1 does, and where an illegal pointer is found out. */
const CHOSEN = /is locked while SMMUEN|a write of 8 bytes to registers|page 1 may or may not|a CD beyond OAS is/;
/** Here more is possible than the scenario says, and why. */
const MORE: Readonly<Record<string, string>> = {
  "what stage 2 no longer maps may be used until TLBI_S2_IPA and TLBI_NH_ALL": "its commands have no SYNC behind them",
  "CFGI_CD invalidates a descriptor": "between the stores to the CD the new ASID stood beside the old root, and translations of that pair outlive CFGI_CD",
  "streams of different VMIDs share no translations": "the second stream's translation could be fetched before it was used",
};
const plain = scenarios.filter(({ reset, player, name }) => reset === undefined && player === undefined && !CHOSEN.test(name));

describe("of every scenario, set up and settled", () => {
  it.each(plain.map((scenario) => [scenario.name, scenario] as const))("%s", (name, scenario) => {
    const allowed = scenario.architecture.map((outcome) => (typeof outcome === "string" ? [outcome] : [...outcome]).toSorted());
    const found = possible(scenario);
    if (!(name in MORE)) return expect(found).toEqual(allowed);
    for (const [at, outcomes] of allowed.entries()) expect(found[at]).toEqual(expect.arrayContaining(outcomes));
    return expect(found).not.toEqual(allowed);
  });
  it("an SMMU that keeps everything and one that keeps nothing are two of the possible ones", () => {
    for (const scenario of plain)
      for (const caches of ["qemu", "none"] as const) {
        const certain = createDevice({ registers: registersOf(scenario), read: memory, caches }).play(settled(scenario.history)).map(line);
        const found = possible(scenario);
        for (const [at, outcome] of certain.entries()) expect(found[at], scenario.name).toContain(outcome);
      }
  });
});

/** Undefined where a table leads to a device, which some fetch out of order may do. */
const mayOf = (machine: Machine, history: History): ReturnType<typeof playMay> | undefined => {
  try {
    return playMay({ registers: registersWith(machine), read: memoryWith(new Map()) }, history);
  } catch (error) {
    if (error instanceof DeviceRead) return undefined;
    throw error;
  }
};

describe("law", () => {
  it("an SMMU that keeps all it can in QEMU's way answers a generated history as one that may keep anything could", () => {
    let several = 0;
    const law = fc.property(warmScene, (scene) => {
      const { history, outcomes } = settle(scene, {});
      fc.pre(!scene.machine.pileUp && outcomes.length <= 60);
      const found = mayOf(scene.machine, history);
      fc.pre(found !== undefined);
      for (const [at, outcome] of outcomes.entries()) {
        const possibleHere = found[at]!;
        const all = "results" in possibleHere ? possibleHere.results : [possibleHere];
        if (all.length > 1) several++;
        // The event queue of one that may keep anything always takes events; of the other it may have an error.
        if (lineOf(outcome) === "abort") expect(all.some(({ result }) => result === "abort")).toBe(true);
        else expect(all.map(lineOf)).toContain(lineOf(outcome));
      }
    });
    fc.assert(law, { numRuns: 60 });
    expect(several).toBeGreaterThan(0);
  });
});
