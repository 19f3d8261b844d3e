/** Each scenario on the model: the architecture's column without quirks, QEMU's with all of them. */
import { describe, expect, it } from "vitest";
import { offsets } from "../../specs/smmuv3/registers.ts";
import { createDevice, type Device, type HistoryOutcome } from "../../src/smmuv3/device.ts";
import { type Quirks, quirkSets } from "../../src/smmuv3/quirks.ts";
import type { RegisterFile } from "../../src/smmuv3/registers.ts";
import { outcomeLine } from "../qemu/outcomeLine.ts";
import type { Readable } from "../qemu/player.ts";
import { scenarios } from "../qemu/scenarios/all.ts";
import { type ExpectedOutcome, identificationOf, type Registers, type Scenario } from "../qemu/scenarios/scenario.ts";

const QUEUE = 0x4ff0_0000;
const EVENT_QUEUE = 0x4ff2_0000;
const SMALL_QUEUE = 5;
const memory = (address: bigint): bigint | undefined => (address < 0x800_0000n || (address >= 0x4000_0000n && address < 0x5000_0000n) ? 0n : undefined);

const registersOf = (scenario: Scenario): RegisterFile => {
  const { commandQueue = BigInt(QUEUE), eventQueueLog2 = SMALL_QUEUE } = scenario.reset ?? {};
  const values = { ...identificationOf(scenario), CR0: 0xc, GBPA: 0x1000, CMDQ_BASE: Number(commandQueue & 0xffff_ffffn) | SMALL_QUEUE, EVENTQ_BASE: EVENT_QUEUE | eventQueueLog2 };
  return new Map([...Object.entries(values).map(([name, value]) => [offsets[name as keyof typeof offsets], value] as const), [offsets.CMDQ_BASE + 4, Number(commandQueue >> 32n)]]);
};

const line = (outcome: HistoryOutcome): string => {
  switch (outcome.result) {
    case "abort":
      return outcomeLine({ result: "abort", events: outcome.event === undefined ? [] : [outcome.event.raw] });
    case "ok":
    case "cerror":
    case "not-consumed":
      return outcomeLine(outcome);
    default:
      return outcome.result;
  }
};

/** Plays a scenario; events are taken from the queue after each transaction unless they shall pile up. */
const played = (scenario: Scenario, quirks: Quirks): { readonly lines: readonly string[]; readonly device: Device } => {
  const device = createDevice({ registers: registersOf(scenario), read: memory, quirks, caches: "qemu" });
  const value = (offset: number): bigint => BigInt((device.registers().get(offset) ?? 0) >>> 0);
  const lines = scenario.history.flatMap((step) => {
    // Where the queue itself is the matter, a command is put into it.
    const asked = step.kind === "command" && scenario.reset?.commandQueue !== undefined ? ({ kind: "register", offset: offsets.CMDQ_PROD, value: 1n, size: 4 } as const) : step;
    const outcomes = device.step(asked).map(line);
    if (step.kind === "transaction" && scenario.reset?.pileUp !== true) device.step({ kind: "register", offset: offsets.EVENTQ_CONS, value: value(offsets.EVENTQ_PROD), size: 4 });
    return outcomes;
  });
  return { lines, device };
};
const read = ({ registers }: Device, names: readonly Readable[]): Registers => Object.fromEntries(names.map((name) => [name, BigInt((registers().get(offsets[name]) ?? 0) >>> 0)]));
/** CMDQ_PROD and CMDQ_CONS are those of the player's own queue. */
const compared = (registers: Registers): Readable[] => (Object.keys(registers) as Readable[]).filter((name) => !name.startsWith("CMDQ"));

const first = (outcome: ExpectedOutcome): string => (typeof outcome === "string" ? outcome : outcome[0]);

describe("the architecture", () => {
  it.each(scenarios.map((scenario) => [scenario.name, scenario] as const))("%s", (_, scenario) => {
    const { lines, device } = played(scenario, {});
    expect(lines).toHaveLength(scenario.architecture.length);
    // Where the architecture leaves a choice, the model makes one of them.
    for (const [at, allowed] of scenario.architecture.entries()) expect(typeof allowed === "string" ? [allowed] : allowed).toContain(lines[at]);
    const wanted = scenario.registers?.architecture ?? {};
    expect(read(device, compared(wanted))).toEqual(Object.fromEntries(compared(wanted).map((name) => [name, wanted[name]])));
  });
});

describe("QEMU 10.0, by its quirks", () => {
  it.each(scenarios.map((scenario) => [scenario.name, scenario] as const))("%s", (_, scenario) => {
    const { lines, device } = played(scenario, quirkSets["qemu-10.0"]);
    if (scenario.qemu === "dies") return expect(lines.at(-1)).toBe("unsupported");
    expect(lines).toEqual(scenario.qemu);
    const wanted = scenario.registers?.qemu ?? {};
    return expect(read(device, compared(wanted))).toEqual(Object.fromEntries(compared(wanted).map((name) => [name, wanted[name]])));
  });
});

it("scenarios are more than the 148 rows that they began with, and reach every kind of outcome", () => {
  expect(scenarios.length).toBeGreaterThan(148);
  const kinds = new Set(scenarios.flatMap(({ architecture }) => architecture.map((outcome) => first(outcome).split(" ")[0]!)));
  const faults = ["C_BAD_STREAMID", "F_STE_FETCH", "C_BAD_STE", "F_CD_FETCH", "C_BAD_CD", "F_WALK_EABT", "F_TRANSLATION", "F_ADDR_SIZE", "F_ACCESS", "F_PERMISSION"];
  expect([...kinds]).toEqual(expect.arrayContaining(["pa", "abort", "cerror", ...faults]));
});
