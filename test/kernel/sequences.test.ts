/**
 * The kernel against answers of real seL4: every sequence of test/kernel/sequences (its README tells what they are and
 * how they came about), from the first state `boot`, under the profile that is upstream seL4.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { errors } from "../../specs/sel4/error.ts";
import { methods } from "../../specs/sel4/interface.ts";
import { invocations } from "../../src/kernel/invocations.ts";
import { openSystem } from "./openSystem.ts";

const folder = join(import.meta.dirname, "sequences");

interface Sequence {
  readonly name: string;
  readonly lines: readonly (readonly [call: string, answer: string, note?: string])[];
}
const areas = readdirSync(folder)
  .filter((file) => file.endsWith(".jsonl"))
  .map((file) => ({
    area: file.replace(".jsonl", ""),
    sequences: readFileSync(join(folder, file), "utf8")
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as Sequence),
  }));
const all = areas.flatMap(({ sequences }) => sequences);
const lines = all.flatMap((sequence) => sequence.lines);

/** What a profile answers, line by line. */
const answersOf = (sequence: Sequence, profile?: string): string[] => {
  const { say } = openSystem(profile);
  return sequence.lines.map(([call]) => say(call));
};
const recorded = (sequence: Sequence): string[] => sequence.lines.map(([, answer]) => answer);

describe.each(areas)("$area: every answer is the one that real seL4 gave", ({ sequences }) => {
  it.each(sequences)("$name", (sequence) => {
    expect(answersOf(sequence)).toEqual(recorded(sequence));
  });
});

describe("the sequences", () => {
  it("are all there, and no two have one name", () => {
    expect(all).toHaveLength(668);
    expect(new Set(all.map(({ name }) => name)).size).toBe(all.length);
    expect(lines.length).toBeGreaterThan(7500);
  });

  it("make every invocation of seL4 that the kernel knows, and have it accepted", () => {
    const accepted = new Set(lines.filter(([, answer]) => answer.startsWith("NoError")).map(([call]) => call.split(" ")[2]));
    const known = new Set(invocations.map(({ label }) => label));
    // A page's address depends on where the other kernel had its memory; the two others are only refused here.
    expect(methods.map(({ label }) => label).filter((label) => known.has(label) && !accepted.has(label))).toEqual(["ARMVSpaceInvalidate_Data", "ARMPageGetAddress", "ARMVCPUInjectIRQ"]);
  });

  it("meet every error", () => {
    const met = new Set(lines.map(([, answer]) => answer.split(" ")[0]));
    expect(met).toEqual(new Set([...Object.keys(errors).map((name) => name.replace("seL4_", "")), "CapFault", "blocked", "suspended", "halted"]));
  });

  it("tell upstream from the profile that deviates, and that one from nothing else of the kernel", () => {
    const differs = (sequence: Sequence) => JSON.stringify(answersOf(sequence, "cofferdam")) !== JSON.stringify(recorded(sequence));
    const count = Object.fromEntries(areas.map(({ area, sequences }) => [area, sequences.filter(differs).length]));
    expect(count).toMatchObject({ interrupt: 0, ipc: 0, thread: 0, untyped: 0 });
    expect(count["smmu"]).toBeGreaterThan(8);
  });
});
