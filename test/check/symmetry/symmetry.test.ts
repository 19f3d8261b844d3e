/** One state for all that differ in what nothing tells apart: the same verdicts, and orbits that add up to every state. */
import { describe, expect, it } from "vitest";
import { checkLayout } from "../../../src/check/check.ts";
import type { CheckOptions } from "../../../src/check/checkOptions.ts";
import { checkInParallel } from "../../../src/check/parallel/checkInParallel.ts";
import { properties } from "../../../src/check/properties/properties.ts";
import type { Property } from "../../../src/check/properties/property.ts";
import type { Verdict } from "../../../src/check/verdict.ts";
import { verdictText } from "../../../src/cli/verdictText.ts";
import { cofferdam, mutantOf, profileNamed, type Safeguard } from "../../../src/kernel/profile.ts";
import type { Layout } from "../../../src/system/layout.ts";
import { layoutOf } from "../../kernel/fixture.ts";

const scope = { pages: 1, slots: 0, children: 2, addresses: 1 };
const spec = (text: string): Layout => layoutOf("twins", () => text);
const head = "board: ../qemu-virt/board.dtb\n";
const pages = spec(`system: pages\n${head}
regions:
  ring: { size: 12KiB, owner: left }
components:
  left: { kind: driver, devices: { nic: { pci: "00:02.0" } }, holds: [ring] }
`);
const triplets = spec(`system: triplets\n${head}
components:
  left: { kind: driver, devices: { nic: { pci: "00:02.0" } } }
  middle: { kind: driver, devices: { nic: { pci: "00:03.0" } } }
  right: { kind: driver, devices: { nic: { pci: "00:04.0" } } }
`);
const twins = layoutOf("twins");

/** With and without, in one group of components. */
const both = (layout: Layout, options: CheckOptions): readonly [Verdict, Verdict] => [checkLayout(layout, { ...options, unreduced: ["slices"] }), checkLayout(layout, { ...options, unreduced: ["slices", "symmetry"] })];
const stepsOf = ({ violations }: Verdict) => violations.map(({ property, length, trace, unscaled }) => [property, length, trace!.steps.flatMap(({ steps }) => steps).length, unscaled?.result]);
/** What a verdict says that must not depend on what was taken for alike. */
const said = ({ result, end, depth, unreachedOperations, unreachedRefusals, intendedPaths, profileFields, vacuous }: Verdict) => ({ result, end, depth, unreachedOperations, unreachedRefusals, intendedPaths, profileFields, vacuous });

describe("symmetry", () => {
  it.each<[string, Layout, CheckOptions["scope"] & {}, number]>([
    ["two drivers that share a page", twins, scope, 2],
    ["two drivers, no address of its own", twins, { ...scope, addresses: 0 }, 2],
    ["two pages of a region", pages, { ...scope, pages: 2 }, 2],
    ["three pages of a region", pages, { ...scope, pages: 3, addresses: 0 }, 6],
    ["a page and a free slot", pages, { ...scope, slots: 1 }, 1],
    ["three drivers with nothing but a card", triplets, { ...scope, addresses: 0 }, 6],
  ])("orbits add up to every state: %s", (_, layout, at, renamings) => {
    const [alike, plain] = both(layout, { scope: at });
    expect(alike).toMatchObject({ result: "holds", end: "exhausted" });
    expect(said(alike)).toEqual(said(plain));
    expect(plain.symmetry).toBeUndefined();
    if (renamings === 1) return expect(alike).toEqual(plain);
    expect(alike.symmetry).toEqual({ renamings, states: plain.states });
    expect(alike.states).toBeLessThan(plain.states * (1 / renamings + 0.2));
    expect(alike.reductions.map(({ name }) => name)).toContain("symmetry");
    return expect(verdictText(alike)).toContain(`They stand for ${plain.states.toLocaleString("en-US")} states`);
  });

  it.each<Safeguard>(["unmap-invalidates", "unbind-clears-ste", "revoke-finalises-kernel-copies", "unassign-aborts-streams", "frame-delete-invalidates", "vmid-cleared-between-vspaces", "delete-hands-children-on"])("a broken kernel without %s is caught in as many invocations and steps, by a trace that replays unscaled", (without) => {
    for (const layout of [twins, pages]) {
      const [alike, plain] = both(layout, { scope: { ...scope, pages: 2 }, profile: mutantOf(cofferdam, without), bounds: { states: 60_000 } });
      expect(stepsOf(alike)).toEqual(stepsOf(plain));
      expect(alike.symmetry!.renamings).toBeGreaterThan(1);
      if (layout === pages) continue;
      expect(alike.result).toBe("violated");
      for (const { unscaled } of alike.violations) expect(unscaled?.result).toBe("violated");
    }
  });

  it("several traces of one property are different ones, and each replays", () => {
    const verdict = checkLayout(twins, { scope, profile: mutantOf(cofferdam, "unbind-clears-ste"), unreduced: ["slices"], traces: 3 });
    expect(verdict.symmetry?.renamings).toBe(2);
    const ofOne = verdict.violations.filter(({ property }) => property === "refinement");
    expect(ofOne).toHaveLength(3);
    expect(new Set(ofOne.map(({ trace }) => JSON.stringify(trace!.steps))).size).toBe(3);
    for (const { unscaled } of verdict.violations) expect(unscaled?.result).toBe("violated");
  });

  it("threads take the same for alike, and say the same", async () => {
    for (const profile of [cofferdam, mutantOf(cofferdam, "unmap-invalidates"), profileNamed("sel4-smmuv2")!]) {
      const options = { scope: { ...scope, addresses: 0 }, profile, bounds: { depth: 6 } };
      const one = checkLayout(twins, options);
      expect(one.symmetry?.renamings).toBe(2);
      for (const workers of [2, 3]) expect(await checkInParallel(twins, { ...options, workers })).toEqual(one);
    }
  });

  /** Speaks of one of the two alone, so that they are not alike. */
  const leftAlone: Property = {
    name: "left-alone",
    sentence: "The first stream reaches nothing.",
    violation: ({ reach }) => (reach.streams.some(({ sid, targets }) => sid === 0x10 && targets.length > 0) ? { message: "the first stream reaches memory", witness: { smmu: 0, sid: 0x10, op: "read", via: [] } } : undefined),
  };
  it("what a property tells apart is explored again without, and the verdict says so", () => {
    const [alike, plain] = both(twins, { scope, properties: [...properties, leftAlone] });
    expect(plain.result).toBe("violated");
    expect(stepsOf(alike)).toEqual(stepsOf(plain));
    expect({ ...alike, symmetry: undefined, reductions: [] }).toEqual({ ...plain, symmetry: undefined, reductions: [] });
    expect(alike.symmetry).toEqual({ renamings: 1, states: plain.states, notAlike: ["a property tells two states apart that were taken for alike"] });
    expect(verdictText(alike)).toContain("Taken for alike and then not: a property tells two states apart that were taken for alike.");
  });

  it("a property of the user's own may read anything, so nothing is taken for alike beside it", () => {
    const [alike, plain] = both(twins, { scope, properties: [{ ...leftAlone, plain: true }] });
    expect(alike).toEqual(plain);
  });
});
