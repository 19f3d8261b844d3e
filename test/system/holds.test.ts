import { describe, expect, it } from "vitest";
import { capsOf, component, ids, layoutOf, planText, slot } from "./fixture.ts";

const nic = 'devices: { nic: { pci: "00:02.0" } }';
const text = (regions: readonly string[], components: readonly string[]): string =>
  [...(regions.length === 0 ? [] : ["regions:", ...regions.map((line) => `  ${line}`)]), "components:", ...components.map((line) => `  ${line}`)].join("\n");

describe("what components hold", () => {
  it("gives a component its CNode and the capabilities of its devices without being told", () => {
    const layout = layoutOf(planText(text([], [`a: { kind: driver, ${nic} }`, "b: { kind: service }"])));
    expect(component(layout, "a").slots.map(({ name }) => name)).toEqual(["cnode", "nic_sid", "cb", "vspace"]);
    expect(component(layout, "b").slots.map(({ name }) => name)).toEqual(["cnode"]);
  });

  it("gives the initialiser what nobody else holds", () => {
    const layout = layoutOf(planText(text(["r: { size: 8KiB, owner: a }", "u: { size: 4KiB, owner: a, kind: untyped }"], [`a: { kind: driver, ${nic} }`])));
    expect(component(layout, "initialiser").slots.map(({ name }) => name)).toEqual(["cnode", "sid_control", "cb_control", "r_0", "r_1", "u_untyped"]);
    expect(component(layout, "initialiser")).toMatchObject({ kind: "initialiser", trusted: true });
    expect(layout.components.at(-1)!.name).toBe("initialiser");
  });

  it("issues SIDs and CBs from the control capabilities, wherever those are", () => {
    const layout = layoutOf(planText(text([], [`a: { kind: driver, ${nic} }`, "b: { kind: service, holds: [cb-control, sid-control] }"])));
    expect(component(layout, "b").slots.map(({ name }) => name)).toEqual(["cnode", "sid_control", "cb_control"]);
    expect(slot(layout, "a", "nic_sid")?.parent).toEqual({ component: 1, slot: 2 });
    expect(slot(layout, "a", "cb")?.parent).toEqual({ component: 1, slot: 3 });
    expect(component(layout, "initialiser").slots.map(({ name }) => name)).toEqual(["cnode"]);
  });

  it("copies the device capabilities of another, as children of the originals", () => {
    const layout = layoutOf(planText(text([], [`a: { kind: driver, ${nic} }`, "b: { kind: service, holds: [{ vspace: a }, { cb: a }, { sid: a.nic }] }"])));
    expect(component(layout, "b").slots.slice(1)).toEqual([
      { slot: 2, name: "a_nic_sid", cap: { kind: "sid", sid: 0 }, parent: { component: 0, slot: 2 } },
      { slot: 3, name: "a_cb", cap: { kind: "cb", cb: 0 }, parent: { component: 0, slot: 3 } },
      { slot: 4, name: "a_vspace", cap: { kind: "vspace", vspace: 0 }, parent: { component: 0, slot: 4 } },
    ]);
  });

  it("takes `component` for all its devices and `component.device` for one", () => {
    const two = 'devices: { nic: { pci: "00:02.0" }, disk: { pci: "00:03.0" } }';
    const sids = (reference: string) => capsOf(layoutOf(planText(text([], [`a: { kind: driver, ${two}, cb: per-stream }`, `b: { kind: service, holds: [{ sid: ${reference} }, { cb: ${reference} }] }`]))), "b", "sid").map(({ sid }) => sid);
    expect(sids("a")).toEqual([0, 1]);
    expect(sids("a.disk")).toEqual([1]);
    expect(ids(planText(text([], [`a: { kind: driver, ${two} }`, "b: { kind: service, holds: [{ sid: a.disc }] }"])))).toEqual(["unknown-device"]);
  });

  it("leaves page tables to a component that asks for them", () => {
    const tables = (holds: string) => layoutOf(planText(text(["r: { size: 4KiB, owner: a }"], [`a: { kind: driver, ${nic}, holds: ${holds} }`])));
    expect(capsOf(tables("[r, tables]"), "a", "pageTable").map(({ mapped }) => mapped.level)).toEqual([1, 2, 3]);
    expect(capsOf(tables("[r, tables]"), "initialiser", "pageTable")).toEqual([]);
    expect(capsOf(tables("[r]"), "initialiser", "pageTable").map(({ mapped }) => mapped.level)).toEqual([1, 2, 3]);
  });

  it("makes the owner's frames the originals, or the first holder's", () => {
    const shared = "r: { size: 4KiB, owner: c, share: [{ with: a, access: rw }, { with: b, access: r }] }";
    const holders = (a: string, b: string, c: string) =>
      layoutOf(planText(text([shared], [`a: { kind: service, holds: ${a} }`, `b: { kind: service, holds: ${b} }`, `c: { kind: service, holds: ${c} }`])));
    const parents = (layout: ReturnType<typeof holders>) => ["a", "b", "c"].map((name) => slot(layout, name, "r_0")?.parent);
    expect(parents(holders("[r]", "[{ region: r, access: r }]", "[r]"))).toEqual([{ component: 2, slot: 2 }, { component: 2, slot: 2 }, undefined]);
    expect(parents(holders("[r]", "[{ region: r, access: r }]", "[]"))).toEqual([undefined, { component: 0, slot: 2 }, undefined]);
    // No copy has more rights than its original, so a reading owner does not come before a writer.
    expect(parents(holders("[r]", "[]", "[{ region: r, access: r }]"))).toEqual([undefined, undefined, { component: 0, slot: 2 }]);
  });

  it.each([
    ["", "rw", ["unshared-grant"]],
    ["", "r", ["unshared-grant"]],
    ["share: [{ with: b, access: r }]", "r", []],
    ["share: [{ with: b, access: r }]", "rw", ["unshared-grant"]],
    ["share: [{ with: b, access: rw }]", "r", []],
    ["share: [{ with: b, access: rw }]", "rw", []],
  ])("compares a grant with the policy: %s for %s", (share, access, expected) => {
    const plan = planText(text([`r: { size: 4KiB, owner: a, ${share} }`], ["a: { kind: service }", `b: { kind: service, holds: [{ region: r, access: ${access} }] }`]));
    expect(ids(plan)).toEqual(expected);
    expect(slot(layoutOf(plan), "b", "r_0")?.cap).toMatchObject({ rights: access });
  });

  it("warns of an untyped of another as of a region", () => {
    const plan = (share: string) => planText(text([`u: { size: 4KiB, owner: a, kind: untyped, ${share} }`], ["a: { kind: service }", "b: { kind: service, holds: [u] }"]));
    expect(ids(plan(""))).toEqual(["unshared-grant"]);
    expect(ids(plan("share: [{ with: b, access: r }]"))).toEqual(["unshared-grant"]);
    expect(ids(plan("share: [{ with: b, access: rw }]"))).toEqual([]);
  });

  it.each([
    ["[{ sid: a }]", "duplicate-hold"],
    ["[{ cb: a.nic }]", "duplicate-hold"],
    ["[{ vspace: a }]", "duplicate-hold"],
    ["[r, r]", "duplicate-hold"],
    ["[sid-control, sid-control]", "duplicate-hold"],
    ["[{ vspace: b }]", "nothing-to-hold"],
    ["[{ sid: b }]", "nothing-to-hold"],
    ["[{ sid: c }]", "unknown-component"],
    ["[tabels]", "unknown-region"],
    ["[{ region: tables }]", "unknown-region"],
  ])("refuses %s", (holds, id) => {
    expect(ids(planText(text(["r: { size: 4KiB, owner: a }"], [`a: { kind: driver, ${nic}, holds: ${holds} }`, "b: { kind: service }"])))).toEqual([id]);
  });

  it("refuses `tables` and mappings without an address space", () => {
    for (const holds of ["[tables]", "[{ region: r, map: true }]", "[{ region: r, iova: 0x1000 }]"]) {
      expect(ids(planText(text(["r: { size: 4KiB, owner: a }"], [`a: { kind: service, holds: ${holds} }`])))).toEqual(["no-address-space"]);
    }
    expect(ids(planText(text(["r: { size: 4KiB, owner: a }"], ["a: { kind: service, holds: [{ region: r, map: false }] }"])))).toEqual([]);
  });

  it("bounds the frame capabilities of a system, copies counted", () => {
    const plan = (size: string) =>
      planText(text([`r: { size: ${size}, owner: a, share: [{ with: b, access: rw }] }`], ["a: { kind: service, holds: [r] }", "b: { kind: service, holds: [r] }"]));
    expect(ids(plan("129MiB"))).toEqual(["too-many-frames"]);
    expect(capsOf(layoutOf(plan("16MiB")), "b", "frame")).toHaveLength(4096);
  });
});
