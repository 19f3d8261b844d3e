import { describe, expect, it } from "vitest";
import { isAllowed, missingPaths, reachOf, unsharedGrants, unsharedReach } from "../../src/generate/authority.ts";
import type { Layout } from "../../src/system/layout.ts";
import { example } from "./fixture.ts";

const sharing = (layout: Layout, region: number, share: Layout["regions"][number]["shares"][number]): Layout => ({
  ...layout,
  regions: layout.regions.with(region, { ...layout.regions[region]!, shares: [share] }),
});

describe("isAllowed", () => {
  it("lets an owner do everything, and a share what it says", () => {
    const layout = example();
    expect(isAllowed(layout, 0, 0, "rw")).toBe(true);
    expect(isAllowed(layout, 0, 2, "r")).toBe(true);
    expect(isAllowed(layout, 0, 2, "rw")).toBe(false);
    expect(isAllowed(layout, 0, 1, "r")).toBe(false);
  });
  it("gives the kernel's own memory to nobody", () => {
    expect(isAllowed(example(), 2, 0, "r")).toBe(false);
  });
});

describe("beyond policy", () => {
  it("finds the frame that is held without a share, and not once it is shared", () => {
    expect(unsharedGrants(example())).toEqual([{ component: 2, region: 1, rights: "r" }]);
    expect(unsharedGrants(sharing(example(), 1, { with: 2, access: "r" }))).toEqual([]);
  });
  it("finds an untyped in foreign hands", () => {
    const layout = example();
    const heap = layout.regions.findIndex(({ kind }) => kind === "untyped");
    const moved = { ...layout, regions: layout.regions.with(heap, { ...layout.regions[heap]!, owner: 0 }) };
    expect(unsharedGrants(moved)).toContainEqual({ component: 2, region: heap, rights: "rw" });
  });
  it("finds a stream bound to an address space that reaches another's memory", () => {
    const layout = example();
    expect(unsharedReach(layout)).toEqual([]);
    const crossed = { ...layout, bindings: [...layout.bindings, { sid: 1, cb: 0, vspace: 0 }] };
    expect(unsharedReach(crossed)).toEqual([{ sid: 1, region: 0, rights: "rw" }]);
    expect(unsharedReach(sharing(crossed, 0, { with: 1, access: "rw" }))).toEqual([]);
  });
});

describe("missingPaths", () => {
  it("is empty when every intended path is mapped and bound", () => expect(missingPaths(example())).toEqual([]));
  it("finds a path of an unbound stream, and of a page mapped read only", () => {
    const layout = example();
    expect(missingPaths({ ...layout, bindings: [] })).toHaveLength(2);
    const readOnly = layout.components[1]!.slots.map((slot) => (slot.cap.kind === "frame" ? { ...slot, cap: { ...slot.cap, rights: "r" } as const } : slot));
    expect(missingPaths({ ...layout, components: layout.components.with(1, { ...layout.components[1]!, slots: readOnly }) })).toEqual([{ sid: 1, region: 1, access: "write" }]);
  });
  it("reaches nothing without a binding", () => expect(reachOf({ ...example(), bindings: [] })).toEqual([]));
});
