import { describe, expect, it } from "vitest";
import { blob } from "../firmware/blob.ts";
import { AWKWARD, ids, layoutOf, planText } from "./fixture.ts";

const components = "components: { a: { kind: service }, b: { kind: service } }";
const regions = (...lines: readonly string[]): string => ["regions:", ...lines.map((line) => `  ${line}`), components].join("\n");
const placed = (text: string, board?: string | Uint8Array) => Object.fromEntries(layoutOf(planText(text, board)).regions.map(({ name, base }) => [name, base]));
const ram = (...reg: readonly number[]): Uint8Array => blob({ "#address-cells": [2], "#size-cells": [2], "memory@0": { device_type: "memory", reg } });

describe("regions and memory", () => {
  it("puts what has no base into the upper half of the largest RAM range", () => {
    expect(placed(regions("r: { size: 4KiB, owner: a }"))).toEqual({ r: 0x6000_0000n, objects: 0x6000_1000n });
    expect(placed(components, AWKWARD)).toEqual({ objects: 0x8800_0000n });
    expect(placed(components, ram(0, 0, 0, 0x10_0000, 0x10, 0, 0, 0x800_0000))).toEqual({ objects: 0x10_0400_0000n });
  });

  it("uses whole pages only, and a small range as it is", () => {
    expect(placed(components, ram(0, 0x800, 0, 0x2000))).toEqual({ objects: 0x1000n });
    expect(ids(planText(components, ram(0, 0x800, 0, 0x1000)))).toEqual(["no-ram"]);
  });

  it("stays below the 44 bits of the output of stage 2", () => {
    expect(ids(planText(components, ram(0x1000, 0, 0, 0x1000_0000)))).toEqual(["no-ram"]);
    expect(placed(components, ram(0xfff, 0xffff_0000, 0, 0x1000_0000))).toEqual({ objects: 0xfff_ffff_0000n });
  });

  it("keeps a base that is given, also outside `memory`, and places the rest around it", () => {
    const text = regions("fixed: { size: 4KiB, owner: a, base: 0x48001000 }", "low: { size: 4KiB, owner: a, base: 0x41000000 }", "free: { size: 8KiB, owner: b }");
    expect(placed(`memory: { base: 0x48000000, size: 1MiB }\n${text}`)).toEqual({ fixed: 0x4800_1000n, low: 0x4100_0000n, free: 0x4800_2000n, objects: 0x4800_0000n });
  });

  it("aligns an untyped to its size", () => {
    expect(placed(`memory: { base: 0x48001000, size: 1MiB }\n${regions("pad: { size: 4KiB, owner: a }", "heap: { size: 64KiB, owner: a, kind: untyped }")}`)["heap"]).toBe(0x4801_0000n);
    expect(ids(planText(regions("heap: { size: 8KiB, owner: a, kind: untyped, base: 0x48001000 }")))).toEqual(["region-misaligned"]);
  });

  it.each([
    ["r: { size: 0, owner: a }", "region-misaligned"],
    ["r: { size: 6000, owner: a }", "region-misaligned"],
    ["r: { size: 4KiB, owner: a, base: 0x7ffff000 }", undefined],
    ["r: { size: 8KiB, owner: a, base: 0x7ffff000 }", "region-outside-ram"],
    ["r: { size: 4KiB, owner: a, base: 0x80000000 }", "region-outside-ram"],
    ['r: { size: 4KiB, owner: a, base: "0xfffffffffffff000" }', "region-outside-ram"],
    ["objects: { size: 4KiB, owner: a }", "reserved-name"],
    ["stream-table-3: { size: 4KiB, owner: a }", "reserved-name"],
    ["tables: { size: 4KiB, owner: a }", "reserved-name"],
  ])("checks %s", (line, id) => expect(ids(planText(regions(line)))).toEqual(id === undefined ? [] : [id]));

  it.each([
    ["r: { size: 2MiB, owner: a, frames: 4KiB, base: 0x48001000 }", []],
    ["r: { size: 2MiB, owner: a, frames: 2MiB, base: 0x48200000 }", []],
    ["r: { size: 2MiB, owner: a, frames: 2MiB, base: 0x48001000 }", ["the base of `r`, 0x48001000, is not a multiple of 2 MiB", "the next one is 0x48200000"]],
    ["r: { size: 3MiB, owner: a, frames: 2MiB }", ["the size of `r`, 0x300000, is not a whole number of 2 MiB frames", "the next one is 4 MiB"]],
    ["r: { size: 0, owner: a, frames: 2MiB }", ["the size of `r`, 0x0, is not a whole number of 2 MiB frames", "the next one is 2 MiB"]],
    ["r: { size: 2MiB, owner: a, frames: 1GiB }", ["the size of `r`, 0x200000, is not a whole number of 1 GiB frames", "the next one is 1 GiB"]],
  ])("checks frames: %s", (line, expected) => expect(planText(regions(line)).diagnostics.flatMap(({ message, hint }) => [message, hint])).toEqual(expected));

  it("aligns large frames where it places them", () => {
    const text = regions("pad: { size: 4KiB, owner: a, base: 0x60000000 }", "r: { size: 4MiB, owner: a, frames: 2MiB }");
    expect(placed(text)).toMatchObject({ r: 0x6020_0000n });
    const huge = ram(0, 0x4000_0000, 1, 0);
    expect(placed(regions("r: { size: 1GiB, owner: a, frames: 1GiB }", "s: { size: 4KiB, owner: a }"), huge)).toMatchObject({ r: 0xc000_0000n });
  });

  it("does not use what the board reserves", () => {
    const text = (base: string) => `regions: { r: { size: 8KiB, owner: a, base: ${base} } }\n${components}`;
    expect(ids(planText(text("0x8fffe000"), AWKWARD))).toEqual([]);
    expect(ids(planText(text("0x8ffff000"), AWKWARD))).toEqual(["region-outside-ram"]);
    expect(ids(planText(text("0x900ff000"), AWKWARD))).toEqual(["region-outside-ram"]);
    expect(ids(planText(text("0x90100000"), AWKWARD))).toEqual([]);
  });

  it("finds an overlap behind a region in between", () => {
    const text = regions("a: { size: 64KiB, owner: a, base: 0x48000000 }", "b: { size: 4KiB, owner: b, base: 0x48001000 }", "c: { size: 4KiB, owner: b, base: 0x48008000 }");
    expect(planText(text).diagnostics.map(({ message }) => message)).toEqual([
      "`a` [0x48000000, 0x48010000) and `b` [0x48001000, 0x48002000) overlap",
      "`a` [0x48000000, 0x48010000) and `c` [0x48008000, 0x48009000) overlap",
    ]);
    expect(ids(planText(regions("a: { size: 4KiB, owner: a, base: 0x48000000 }", "b: { size: 4KiB, owner: b, base: 0x48001000 }")))).toEqual([]);
  });

  it("says what is missing when memory is too small, and which memory would do", () => {
    const device = 'components: { a: { kind: vm, devices: { d: { pci: "00:01.0" } } } }';
    const [found] = planText(`memory: { base: 0x48000000, size: 1MiB }\n${device}`).diagnostics;
    expect(found).toMatchObject({ id: "no-space", hint: expect.stringContaining("memory: { base: 0x40000000, size: 0x800000 }") });
    expect(ids(planText(`memory: { base: 0x40000000, size: 0x800000 }\n${device}`))).toEqual([]);
    const huge = planText(regions("r: { size: 128MiB, owner: a }", "s: { size: 1GiB, owner: a, kind: untyped }"));
    expect(huge.diagnostics.map(({ id, hint }) => [id, hint?.split(",")[1]])).toContainEqual(["no-space", " and usable RAM has no such piece"]);
  });

  it("knows owners and shares by name", () => {
    const layout = layoutOf(planText(regions("r: { size: 4KiB, owner: b, share: [{ with: a, access: r }] }")));
    expect(layout.regions[0]).toMatchObject({ owner: 1, shares: [{ with: 0, access: "r" }] });
    expect(ids(planText(regions("r: { size: 4KiB, owner: b, share: [{ with: c, access: r }] }")))).toEqual(["unknown-component"]);
  });
});
