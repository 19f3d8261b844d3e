import { describe, expect, it } from "vitest";
import { blob } from "../firmware/blob.ts";
import { AWKWARD, ids, layoutOf, planText } from "./fixture.ts";

const smmuAt = (address: number, phandle: number) => ({ compatible: "arm,smmu-v3", "dma-coherent": [], reg: [address, 0x20000], "#iommu-cells": [1], phandle: [phandle] });
const memory = { device_type: "memory", reg: [0x8000_0000, 0x2000_0000] };
/** A board with two SMMUs and masters by name, each with its `iommus` cells. */
const board = (masters: Readonly<Record<string, readonly number[]>>): Uint8Array =>
  blob({
    "#address-cells": [1],
    "#size-cells": [1],
    "memory@80000000": memory,
    "iommu@1000000": smmuAt(0x100_0000, 1),
    "iommu@2000000": smmuAt(0x200_0000, 2),
    ...Object.fromEntries(Object.entries(masters).map(([name, iommus]) => [name, { iommus }])),
  });
const component = (name: string, devices: readonly string[], more = ""): string =>
  `  ${name}: { kind: driver, devices: { ${devices.map((device) => `${device}: { path: /${device} }`).join(", ")} }${more} }`;
const plan = (bytes: Uint8Array | string, ...components: readonly string[]) => planText(["components:", ...components].join("\n"), bytes);

describe("streams and their owners", () => {
  it("warns that a verdict assumes coherent walks, where the board says otherwise", () => {
    const incoherent = blob({
      "#address-cells": [1],
      "#size-cells": [1],
      "memory@80000000": memory,
      "iommu@1000000": { compatible: "arm,smmu-v3", reg: [0x100_0000, 0x20000], "#iommu-cells": [1], phandle: [1] },
      one: { iommus: [1, 7] },
    });
    expect(ids(plan(incoherent, component("a", ["one"])))).toEqual(["smmu-not-coherent"]);
    expect(ids(plan(board({ one: [1, 7] }), component("a", ["one"])))).toEqual([]);
  });

  it("names both users of a stream with two owners", () => {
    const refused = plan(board({ one: [1, 7], two: [1, 7] }), component("a", ["one"]), component("b", ["two"]));
    expect(refused.diagnostics).toMatchObject([{ id: "stream-two-owners", message: "`a.one` and `b.two` both use stream 0x7 of /iommu@1000000, and an SMMU cannot tell them apart" }]);
  });

  it("takes one PCI function given to two components for one stream with two owners", () => {
    const nic = 'devices: { nic: { pci: "00:02.0" } }';
    const refused = planText(`components: { a: { kind: vm, ${nic} }, b: { kind: vm, ${nic} } }`);
    expect(refused.diagnostics).toMatchObject([{ id: "stream-two-owners", message: expect.stringMatching(/`a.nic` and `b.nic` .*0x10 .*\(both are \/pcie@10000000 00:02.0\)/u) }]);
  });

  it("finds two owners behind an iommu-map-mask", () => {
    const device = (pci: string) => `devices: { d: { pci: "${pci}", bridge: /pcie@31000000 } }`;
    const refused = planText(`components: { a: { kind: vm, ${device("00:01.0")} }, b: { kind: vm, ${device("02:03.4")} } }`, AWKWARD);
    expect(ids(refused)).toEqual(["shared-stream", "shared-stream", "stream-two-owners"]);
    expect(refused.value).toBeUndefined();
  });

  it("gives two devices of one owner on one stream one capability", () => {
    const layout = layoutOf(plan(board({ one: [1, 7], two: [1, 7] }), component("a", ["one", "two"])));
    expect(layout.sids).toMatchObject([{ name: "a.one", sid: 7, devices: [0, 1] }]);
    expect(layout.devices.map(({ sids }) => sids)).toEqual([[0], [0]]);
  });

  it("keeps equal numbers on different SMMUs apart", () => {
    const layout = layoutOf(plan(board({ one: [1, 7], two: [2, 7] }), component("a", ["one"]), component("b", ["two"])));
    expect(layout.sids.map(({ smmu, sid, owner }) => [smmu, sid, owner])).toEqual([[0, 7, 0], [1, 7, 1]]);
    expect(layout.cbs.map(({ smmu, number, vmid }) => [smmu, number, vmid])).toEqual([[0, 0, 1], [1, 0, 1]]);
    expect(layout.regions.filter(({ kind }) => kind === "stream-table").map(({ name }) => name)).toEqual(["stream-table-0", "stream-table-1"]);
  });

  it("names each stream of a device with several, once", () => {
    const layout = layoutOf(plan(board({ dma: [1, 3, 1, 5, 1, 3, 2, 3] }), component("a", ["dma"])));
    expect(layout.sids.map(({ name, smmu, sid }) => [name, smmu, sid])).toEqual([["a.dma.0", 0, 3], ["a.dma.1", 0, 5], ["a.dma.2", 1, 3]]);
    expect(layout.cbs.map(({ name }) => name)).toEqual(["a.cb.0", "a.cb.1"]);
    expect(layout.bindings).toEqual([{ sid: 0, cb: 0, vspace: 0 }, { sid: 1, cb: 0, vspace: 0 }, { sid: 2, cb: 1, vspace: 0 }]);
  });

  it("makes one context bank for each stream on request", () => {
    const layout = layoutOf(plan(board({ dma: [1, 3, 1, 5] }), component("a", ["dma"], ", cb: per-stream")));
    expect(layout.cbs).toMatchObject([{ name: "a.dma.0.cb", number: 0, vmid: 1 }, { name: "a.dma.1.cb", number: 1, vmid: 2 }]);
    expect(layout.bindings.map(({ cb }) => cb)).toEqual([0, 1]);
  });

  it("warns of a device that the spec does not name on a stream that it hands out", () => {
    const planned = plan(board({ one: [1, 7], two: [1, 7] }), component("a", ["one"]));
    expect(planned.diagnostics).toMatchObject([{ id: "shared-stream", severity: "warning", message: "stream 0x7 of `a.one` is also used by /two" }]);
  });

  it("makes the stream table as large as what the board can present", () => {
    const sized = (sid: number) => layoutOf(plan(board({ one: [1, 0], two: [1, sid] }), component("a", ["one"]))).smmus[0]!.log2Size;
    expect([0, 1, 2, 0x7f, 0x80, 0xffff].map(sized)).toEqual([1, 1, 2, 7, 8, 16]);
    expect(ids(plan(board({ one: [1, 0x1_0000] }), component("a", ["one"])))).toEqual(["sid-exceeds-sidsize"]);
    expect(ids(plan(board({ one: [1, 0x10_0000] }), component("a", ["one"])))).toEqual(["stream-table-too-large"]);
    expect(layoutOf(planText('components: { a: { kind: vm, devices: { d: { pci: "00:01.0" } } } }')).smmus[0]!.log2Size).toBe(16);
  });

  it("has a VMID of eight bits for each context bank, and no more banks", () => {
    const streams = (count: number) => Array.from({ length: count }, (_, sid) => [1, sid]).flat();
    const per = (count: number) => plan(board({ dma: streams(count) }), component("a", ["dma"], ", cb: per-stream"));
    expect(layoutOf(per(255)).cbs.at(-1)).toMatchObject({ number: 254, vmid: 255 });
    expect(ids(per(256))).toEqual(["too-many-context-banks"]);
  });

  it("keeps to itself what the board's reader only remarks on", () => {
    const twin = { ...smmuAt(0x100_0000, 1), reg: [0x100_0000, 0x20000, 0x300_0000, 0x20000] };
    const bytes = blob({ "#address-cells": [1], "#size-cells": [1], "memory@80000000": memory, "iommu@1000000": twin, one: { iommus: [1, 7] } });
    const planned = plan(bytes, component("a", ["one"]));
    expect(planned.value?.topology.diagnostics.map(({ id, severity }) => `${severity} ${id}`)).toContain("info multi-instance-smmu");
    expect(planned.diagnostics).toEqual([]);
  });
});
