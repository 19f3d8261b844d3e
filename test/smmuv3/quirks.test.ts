import { describe, expect, it } from "vitest";
import { offsets } from "../../specs/smmuv3/registers.ts";
import type { HistoryOutcome } from "../../src/smmuv3/device.ts";
import { type Quirk, quirks, quirkSets, type Quirks } from "../../src/smmuv3/quirks.ts";
import { playMay } from "../../src/smmuv3/mayHistory.ts";
import { deviceWith, lineOf, memoryWith, registersWith, USUAL } from "../qemu/generator/answers.ts";
import { type QuirkCase, quirkCases } from "../qemu/quirkCases.ts";
import { settled } from "../qemu/settled.ts";

const line = (outcome: HistoryOutcome): string => (outcome.result === "unsupported" ? "unsupported" : lineOf(outcome));
const LOG2 = 5;

/** Everything that each outcome may be. */
const possible = ({ history }: QuirkCase, set: Quirks): string[] =>
  playMay({ registers: registersWith({ log2: LOG2, pileUp: true }), read: memoryWith(new Map()), quirks: set }, history).map((outcome) => ("results" in outcome ? [...new Set(outcome.results.map(line))].toSorted().join(" or ") : line(outcome)));

/** Outcomes of a case, and the registers that it names. */
const played = (each: QuirkCase, set: Quirks) => {
  const { history, eventQueue = LOG2, registers } = each;
  if (each.may) return { lines: possible(each, set), registers: {} };
  const device = deviceWith({ log2: eventQueue, pileUp: true }, set);
  const lines = device.play(history).map(line);
  const names = Object.keys(registers?.architecture ?? {}) as (keyof typeof offsets)[];
  return { lines, registers: Object.fromEntries(names.map((name) => [name, BigInt((device.registers().get(offsets[name]) ?? 0) >>> 0)])) };
};

describe("differences from QEMU that were ours", () => {
  it.each(settled.map((each) => [each.name, each] as const))("%s", (_, { history, lines }) => {
    expect(deviceWith(USUAL, quirkSets["qemu-10.0"]).play(history).map(line)).toEqual(lines);
  });
});

describe("quirks", () => {
  for (const [name, each] of Object.entries(quirkCases) as [Quirk, QuirkCase][])
    it(`${name}: ${quirks[name]}`, () => {
      expect(played(each, {})).toEqual({ lines: each.architecture, registers: each.registers?.architecture ?? {} });
      expect(played(each, { [name]: true })).toEqual({ lines: each.quirky, registers: each.registers?.quirky ?? {} });
      // Nor do all of them together hide one.
      expect(played(each, quirkSets["qemu-10.0"])).toEqual({ lines: each.quirky, registers: each.registers?.quirky ?? {} });
    });

  it("QEMU 10.0 has all of them", () => {
    expect(Object.keys(quirkSets["qemu-10.0"])).toEqual(Object.keys(quirks));
  });
});
