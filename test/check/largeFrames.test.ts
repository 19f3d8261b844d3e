/** A system whose driver has a block of 2 MiB: the checker, from the plan to the trace. */
import { describe, expect, it } from "vitest";
import { breadthFirst } from "../../src/check/search/breadth.ts";
import { checkLayout } from "../../src/check/check.ts";
import { defaultBounds } from "../../src/check/checkOptions.ts";
import { createModel } from "../../src/check/model.ts";
import { properties, type PropertyName } from "../../src/check/properties/properties.ts";
import { traceModel, traceOf } from "../../src/check/traces/trace.ts";
import { cofferdam, mutantOf } from "../../src/kernel/profile.ts";
import { iova, pa } from "../../src/base/words.ts";
import { boot, type Booted } from "../../src/system/boot.ts";
import { frameBytes, type Layout } from "../../src/system/layout.ts";
import { defaultScope, scale, unmappedAddresses } from "../../src/system/scale.ts";
import { bootOf, layoutOf } from "../kernel/fixture.ts";

const small = { ...defaultScope, slots: 0 };
const twoFrames = (spec: string) => spec.replace("ring: { size: 2MiB", "ring: { size: 4MiB");

/** The same system with a ring of 1 GiB in one frame, which the example's board has no room for. */
const huge = (layout: Layout): Layout => {
  const at = { pa: pa(0x8000_0000n), iova: iova(0x4000_0000n) };
  const isRing = (region: number) => layout.regions[region]!.name === "ring";
  return {
    ...layout,
    regions: layout.regions.map((region, index) => (isRing(index) ? { ...region, base: at.pa, size: 1n << 30n, frames: 1n << 30n } : region)),
    components: layout.components.map((component) => ({
      ...component,
      slots: component.slots.map((slot) => (slot.cap.kind === "frame" && isRing(slot.cap.region) ? { ...slot, cap: { ...slot.cap, pa: at.pa, mapped: { vspace: 0, iova: at.iova } } } : slot)),
    })),
    dma: layout.dma.map((path) => (isRing(path.region) ? { ...path, ...at } : path)),
  };
};

/** What breaks the property first. */
const messageOf = (booted: Booted, name: PropertyName): string => {
  const model = createModel(booted, properties.filter((property) => property.name === name));
  const [first] = breadthFirst(model, defaultBounds).found;
  return traceOf(model, { model: traceModel(booted, small, "may"), spec: { hash: "" } }, 0, first!.ordinals).violation.message;
};

describe("a system with 2 MiB frames", () => {
  it("holds: the walker finds the blocks that the kernel believes in", () => {
    const verdict = checkLayout(layoutOf("large-frames"), { scope: small });
    expect(verdict).toMatchObject({ result: "holds", end: "exhausted", intendedPaths: { judged: 4, unreached: [] } });
  });

  it("has frames of their size in the plan, in scaled systems whole ones", () => {
    const pages = (scope: object) => bootOf("large-frames", scope, cofferdam, twoFrames).plan.pages.filter(({ name }) => /^(?:ring|mailbox)/.test(name)).map(({ name, bits }) => [name, bits]);
    expect(pages({})).toEqual([["ring", 21], ["mailbox", 12]]);
    expect(pages({ pages: 2 })).toEqual([["ring+0x0", 21], ["ring+0x200000", 21], ["mailbox", 12]]);
  });

  it("leaves the free address above the whole of what is mapped, and aligned for its largest frame", () => {
    const layout = layoutOf("large-frames");
    expect(unmappedAddresses(layout, 2)).toEqual([0x1040_0000n, 0x1060_0000n]);
    expect(unmappedAddresses(huge(layout), 1)).toEqual([0x8000_0000n]);
  });

  it("holds with a block of level 1, too, which is judged in no time", () => {
    const layout = huge(layoutOf("large-frames"));
    expect(frameBytes(layout, 0)).toBe(1n << 30n);
    expect(checkLayout(layout, { scope: small })).toMatchObject({ result: "holds", end: "exhausted", intendedPaths: { judged: 4, unreached: [] } });
    const { violations } = checkLayout(layout, { profile: mutantOf(cofferdam, "unmap-invalidates") });
    expect(violations[0]!.trace!.witness).toMatchObject({ iova: "0x40000000", pa: "0x80000000" });
    expect(violations[0]!.trace!.witness.via.at(-1)?.what).toBe("cached stage-2 level 1 descriptor");
  });

  it("a forgotten invalidation leaves a whole block in the caches, and the trace replays on the whole layout", () => {
    const { result, violations } = checkLayout(layoutOf("large-frames", twoFrames), { profile: mutantOf(cofferdam, "unmap-invalidates") });
    expect(result).toBe("violated");
    expect(violations[0]).toMatchObject({ property: "dma-integrity", unscaled: { result: "violated" } });
    expect(violations[0]!.trace!.witness.via.at(-1)?.what).toBe("cached stage-2 level 2 descriptor");
  });

  it("another's block without a share breaks confinement", () => {
    const stolen = (spec: string) => spec.replace("holds: [ring, mailbox]", "holds: [mailbox, archive]");
    const { violations } = checkLayout(layoutOf("large-frames", stolen), { scope: small });
    expect(violations[0]).toMatchObject({ property: "dma-confinement", length: 2 });
    expect(violations[0]!.message).toContain("archive of vault");
  });

  it("a block that reaches past its region is found at the first page beyond", () => {
    const layout = layoutOf("large-frames");
    const short = { ...layout, regions: layout.regions.map((region) => (region.name === "ring" ? { ...region, size: 0x5000n } : region)) };
    const ring = layout.regions.find(({ name }) => name === "ring")!;
    const booted = { ...boot(scale(layout, small), cofferdam), layout: short };
    expect(messageOf(booted, "dma-confinement")).toContain(`can read 0x${(ring.base + 0x5000n).toString(16)}, in memory of no region`);
  });

  it.each([
    ["another frame", 0x20_0000n],
    ["other rights", 0x80n],
    ["a table", 0x2n],
  ])("bits that say %s where the kernel says block are no refinement", (_, change) => {
    const booted = boot(scale(layoutOf("large-frames"), small), cofferdam);
    const isBlock = (what: string) => what.startsWith("L2[128] of");
    expect(booted.steps.filter((step) => step.kind === "store" && isBlock(step.what))).toHaveLength(1);
    const steps = booted.steps.map((step) => (step.kind === "store" && isBlock(step.what) ? { ...step, value: step.value ^ change } : step));
    expect(messageOf({ ...booted, steps }, "refinement")).toMatch(/says? 0x10000000 -> 0x[0-9a-f]+ \w+, 0x200000 bytes/);
  });
});
