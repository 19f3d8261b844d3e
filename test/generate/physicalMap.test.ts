import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { impossible } from "../../src/base/diagnostic.ts";
import { physicalMap } from "../../src/generate/physicalMap.ts";
import { frameBytes, type Layout } from "../../src/system/layout.ts";
import { arbitraryLayout } from "./arbitrary.ts";
import { example } from "./fixture.ts";

/** What reaches one frame, by going through every capability and binding. */
const reachOfFrame = (layout: Layout, frame: bigint): readonly string[] =>
  layout.bindings
    .flatMap(({ sid, vspace }) =>
      layout.components.flatMap(({ slots }) =>
        slots.flatMap(({ cap }) => (cap.kind === "frame" && cap.pa === frame && cap.mapped?.vspace === vspace ? [`${sid} ${cap.rights} ${cap.mapped.iova}`] : [])),
      ),
    )
    .toSorted();

/** Takes the mapping of some frames away and makes others read only, so that runs break. */
const torn = (layout: Layout, seed: number): Layout => ({
  ...layout,
  components: layout.components.map((component) => ({
    ...component,
    slots: component.slots.map((slot, index) => {
      const { cap } = slot;
      if (cap.kind !== "frame" || cap.mapped === undefined) return slot;
      const choice = (seed >> index % 16) & 3;
      if (choice === 0) return { ...slot, cap: { kind: "frame", region: cap.region, pa: cap.pa, rights: cap.rights } as const };
      return choice === 1 ? { ...slot, cap: { ...cap, rights: "r" } as const } : slot;
    }),
  })),
});

describe("physicalMap", () => {
  it("makes one range of a region that is mapped in one piece", () => {
    const ring = physicalMap(example()).filter(({ region }) => region === 0);
    expect(ring).toEqual([{ base: 0x5000_0000n, size: 0x3000n, region: 0, reach: [{ sid: 0, rights: "rw", iova: 0x1000_0000n }] }]);
  });
  it("splits it where a page is not mapped", () => {
    const layout = example();
    const slots = layout.components[0]!.slots.filter(({ name }) => name !== "ring_1");
    const holed = { ...layout, components: layout.components.with(0, { ...layout.components[0]!, slots }) };
    const ring = physicalMap(holed).filter(({ region }) => region === 0);
    expect(ring.map(({ base, reach }) => [base, reach.length])).toEqual([
      [0x5000_0000n, 1],
      [0x5000_1000n, 0],
      [0x5000_2000n, 1],
    ]);
  });
  it("splits it where the IOVA does not go on, and not where only the order of slots differs", () => {
    const layout = example();
    const nic = layout.components[0]!;
    const rings = nic.slots.filter(({ cap }) => cap.kind === "frame");
    const iovas = rings.map(({ cap }) => (cap.kind === "frame" ? cap.mapped!.iova : impossible("no frame")));
    const remapped = (order: readonly number[]) => {
      const slots = rings.map((slot, index) => (slot.cap.kind === "frame" ? { ...slot, cap: { ...slot.cap, mapped: { vspace: 0, iova: iovas[order[index]!]! } } } : slot));
      return physicalMap({ ...layout, components: layout.components.with(0, { ...nic, slots }) }).filter(({ region }) => region === 0);
    };
    expect(remapped([2, 1, 0]).map(({ base, reach }) => [base, reach[0]?.iova])).toEqual([
      [0x5000_0000n, 0x1000_2000n],
      [0x5000_1000n, 0x1000_1000n],
      [0x5000_2000n, 0x1000_0000n],
    ]);
    expect(physicalMap({ ...layout, components: layout.components.with(0, { ...nic, slots: nic.slots.toReversed() }) })).toEqual(physicalMap(layout));
  });
  it("keeps regions apart that touch", () => {
    const layout = example();
    const touching = { ...layout, regions: layout.regions.map((region) => (region.name === "heap" ? { ...region, base: 0x6000_1000n as never } : region)) };
    expect(physicalMap(touching).filter(({ base }) => base >= 0x6000_0000n)).toHaveLength(2);
  });
  it("lists a shared page with every stream that reaches it", () => {
    const layout = example();
    const shared = { ...layout, bindings: [...layout.bindings, { sid: 1, cb: 0, vspace: 0 }] };
    expect(physicalMap(shared)[2]?.reach.map(({ sid }) => sid)).toEqual([0, 1]);
  });
  it("law: ranges ascend, cover every region exactly, and each frame has just the reach that its capabilities give", () => {
    fc.assert(
      fc.property(arbitraryLayout, fc.integer({ min: 0, max: 0xffff }), (whole, seed) => {
        const layout = torn(whole, seed);
        const ranges = physicalMap(layout);
        for (const [index, range] of ranges.entries()) expect(index === 0 || ranges[index - 1]!.base + ranges[index - 1]!.size <= range.base).toBe(true);
        for (const [index, { size }] of layout.regions.entries()) expect(ranges.filter(({ region }) => region === index).reduce((sum, range) => sum + range.size, 0n)).toBe(size);
        for (const { base, size, region, reach } of ranges) {
          expect(layout.regions[region]!.base <= base && base + size <= layout.regions[region]!.base + layout.regions[region]!.size).toBe(true);
          if (layout.regions[region]!.kind !== "memory") continue;
          for (let at = base; at < base + size; at += frameBytes(layout, region)) expect(reach.map(({ sid, rights, iova }) => `${sid} ${rights} ${iova + (at - base)}`).toSorted()).toEqual(reachOfFrame(layout, at));
        }
      }),
    );
  });
});
