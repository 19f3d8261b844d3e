import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readBoard } from "../../src/firmware/board.ts";
import { hostBridges, sidOfPci, sidsOfMaster } from "../../src/firmware/topology.ts";
import { topologyJson, unreadableJson } from "../../src/firmware/topologyJson.ts";
import { blob, type NodeSpec } from "./blob.ts";

const room = join(import.meta.dirname, "../../src/firmware");
const board = (root: NodeSpec) => readBoard(blob({ "#address-cells": [2], "#size-cells": [2], ...root })).value!;
const document = (root: NodeSpec) => topologyJson(board(root).topology, "board");
const ids = (root: NodeSpec): string[] => document(root).diagnostics.map((each) => each.id);

const [V2, V3, OTHER] = [0x10, 0x20, 0x30];
const smmuv2 = (more: NodeSpec = {}): NodeSpec => ({ compatible: ["arm,mmu-500"], "#iommu-cells": [2], phandle: [V2], ...more });
const smmuv3 = (more: NodeSpec = {}): NodeSpec => ({ compatible: ["arm,smmu-v3"], "#iommu-cells": [1], phandle: [V3], ...more });
const other = (more: NodeSpec = {}): NodeSpec => ({ compatible: ["rockchip,iommu"], "#iommu-cells": [0], phandle: [OTHER], ...more });
const streamsOf = (iommus: number[], more: NodeSpec = {}) =>
  document({ "smmu@1": smmuv2(), "smmu@2": smmuv3(), "smmu@3": other(), dma: { iommus }, ...more }).masters[0]!.streams;
const pci = (map: number[], more: NodeSpec = {}): NodeSpec => ({ device_type: "pci", "#address-cells": [3], "#size-cells": [2], "iommu-map": map, ...more });

describe("an IOMMU is a node with #iommu-cells", () => {
  it.each([
    ["arm,smmu-v3", "smmuv3"],
    ["arm,smmu-v1", "smmuv2"],
    ["arm,smmu-v2", "smmuv2"],
    ["arm,mmu-400", "smmuv2"],
    ["arm,mmu-401", "smmuv2"],
    ["arm,mmu-500", "smmuv2"],
    ["cavium,smmu-v2", "smmuv2"],
    ["qcom,smmu-v2", "smmuv2"],
    ["qcom,smmu-500", "smmuv2"],
    ["qcom,msm8996-smmu-v2", "smmuv2"],
    ["qcom,x1e80100-smmu-500", "smmuv2"],
    ["qcom,adreno-smmu", "smmuv2"],
    ["marvell,ap806-smmu-500", "smmuv2"],
    ["nvidia,smmu-500", "smmuv2"],
    ["nvidia,tegra234-smmu", "smmuv2"],
    ["qcom,msm-iommu-v1", "other"],
    ["nvidia,tegra124-mc", "other"],
    ["renesas,ipmmu-vmsa", "other"],
    ["virtio,pci-iommu", "other"],
  ])("%s is %s", (compatible, kind) => {
    expect(document({ iommu: { compatible, "#iommu-cells": [1] } }).smmus[0]).toMatchObject({ compatible: [compatible], kind });
  });

  it("SMMUv3 counts before the names that stand beside it", () => {
    expect(document({ iommu: { compatible: ["nvidia,tegra264-smmu", "arm,smmu-v3"], "#iommu-cells": [1] } }).smmus[0]?.kind).toBe("smmuv3");
  });

  it("lists all in tree order, disabled ones and those without compatible too", () => {
    const { smmus } = document({ b: smmuv3({ status: "disabled" }), a: { "#iommu-cells": [1] }, c: smmuv2({ "dma-coherent": true }) });
    expect(smmus.map((smmu) => [smmu.path, smmu.kind, smmu.enabled, smmu.coherent])).toEqual([
      ["/b", "smmuv3", false, false],
      ["/a", "other", true, false],
      ["/c", "smmuv2", true, true],
    ]);
  });

  it.each([
    ["okay", true],
    ["ok", true],
    ["disabled", false],
    ["disable", false],
    ["fail", false],
    ["reserved", false],
    ["Okay", false],
    ["", false],
  ])('status "%s" means enabled: %s, for the node and for all below it', (status, enabled) => {
    expect(document({ iommu: smmuv3({ status }) }).smmus[0]?.enabled).toBe(enabled);
    expect(document({ soc: { status, bus: { iommu: smmuv3() } } }).smmus[0]?.enabled).toBe(enabled);
    expect(document({ smmu: smmuv3(), soc: { status, dma: { iommus: [V3, 1] } } }).masters[0]?.enabled).toBe(enabled);
  });

  it("an empty status property disables", () => {
    expect(document({ iommu: smmuv3({ status: true }) }).smmus[0]?.enabled).toBe(false);
  });
});

describe("iommus", () => {
  it("one cell on SMMUv3 is the StreamID, all 32 bits of it", () => {
    expect(streamsOf([V3, 0x8000_0001])).toEqual([{ smmu: "/smmu@2", sid: "0x80000001", mask: "0x0" }]);
  });

  it("two cells on SMMUv2 are id and mask; the sid is id & ~mask", () => {
    expect(streamsOf([V2, 0x4a0, 0x20])).toEqual([{ smmu: "/smmu@1", sid: "0x480", mask: "0x20" }]);
    expect(ids({ smmu: smmuv2(), dma: { iommus: [V2, 0x4a0, 0x20] } })).toContain("id-in-mask");
  });

  it("one cell on SMMUv2 takes the provider's stream-match-mask, two cells do not", () => {
    const streams = (cells: number, iommus: number[]) =>
      document({ smmu: smmuv2({ "#iommu-cells": [cells], "stream-match-mask": [0x7c00] }), dma: { iommus } }).masters[0]?.streams;
    expect(streams(1, [V2, 0x7c05])).toEqual([{ smmu: "/smmu", sid: "0x5", mask: "0x7c00" }]);
    expect(streams(2, [V2, 0x7c05, 0])).toEqual([{ smmu: "/smmu", sid: "0x7c05", mask: "0x0" }]);
  });

  it("an SMMUv3 has no masks", () => {
    const root = { smmu: smmuv3({ "#iommu-cells": [2], "stream-match-mask": [0xff] }), dma: { iommus: [V3, 0x123, 0xf] } };
    expect(document(root).masters[0]?.streams).toEqual([{ smmu: "/smmu", sid: "0x123", mask: "0x0" }]);
    expect(ids(root)).toContain("smmuv3-mask");
  });

  it("keeps the property's order and repeated streams, across IOMMUs", () => {
    expect(streamsOf([V3, 2, V2, 1, 0, OTHER, V3, 2])).toEqual([
      { smmu: "/smmu@2", sid: "0x2", mask: "0x0" },
      { smmu: "/smmu@1", sid: "0x1", mask: "0x0" },
      { smmu: "/smmu@3" },
      { smmu: "/smmu@2", sid: "0x2", mask: "0x0" },
    ]);
  });

  it.each([
    ["a phandle that no node has", "iommus-dangling", [V3, 1, 0x99, 2, V3, 3]],
    ["phandle 0", "iommus-dangling", [V3, 1, 0, V3, 3]],
    ["phandle 0xffffffff", "iommus-dangling", [V3, 1, 0xffff_ffff, 5]],
    ["a node that is no IOMMU", "iommus-dangling", [V3, 1, 0x40, 5]],
    ["an end inside a specifier", "iommus-short", [V3, 1, V2, 5]],
  ])("%s gives %s, no stream from there on, and the board stays readable", (_, id, iommus) => {
    const root = { "smmu@1": smmuv2(), "smmu@2": smmuv3(), uart: { phandle: [0x40] }, dma: { iommus } };
    const { masters, diagnostics } = document(root);
    expect(masters[0]?.streams).toEqual([{ smmu: "/smmu@2", sid: "0x1", mask: "0x0" }]);
    expect(diagnostics.filter((each) => each.severity === "error")).toMatchObject([{ id, path: "/dma" }]);
  });

  it("a length that is no multiple of 4 is said", () => {
    expect(ids({ smmu: smmuv3(), dma: { iommus: new Uint8Array([0, 0, 0, V3, 0, 0, 0, 1, 0]) } })).toContain("iommus-short");
  });

  it.each([[[17]], [[0xffff_ffff]], [[]], [[1, 1]]])("#iommu-cells %j cannot be followed: no stream, and no loop", (cells) => {
    const { masters, diagnostics } = document({ smmu: smmuv3({ "#iommu-cells": cells }), dma: { iommus: [V3, 1] } });
    expect(masters[0]?.streams).toEqual([]);
    expect(diagnostics.map((each) => each.id)).toEqual(expect.arrayContaining(["iommu-cells-invalid", "iommus-cells"]));
  });

  it("a phandle of two nodes resolves to neither, and both are named", () => {
    const { masters, diagnostics } = document({ a: smmuv3(), b: smmuv3(), dma: { iommus: [V3, 1] } });
    expect(masters[0]?.streams).toEqual([]);
    expect(diagnostics).toContainEqual(expect.objectContaining({ id: "phandle-duplicate", message: expect.stringMatching(/\/a .*\/b/) }));
  });

  it("linux,phandle counts where phandle is absent", () => {
    expect(document({ smmu: { compatible: "arm,smmu-v3", "#iommu-cells": [1], "linux,phandle": [7] }, dma: { iommus: [7, 3] } }).masters[0]?.streams).toHaveLength(1);
  });

  it("an id that the match register cannot hold is said", () => {
    expect(ids({ smmu: smmuv2(), dma: { iommus: [V2, 0x1_0000, 0] } })).toContain("sid-exceeds-sidsize");
  });

  it("dtc's bookkeeping nodes are no masters", () => {
    expect(document({ smmu: smmuv3(), __local_fixups__: { dma: { iommus: [0] } } }).masters).toEqual([]);
  });

  it("an enabled master behind a disabled SMMU is warned of, a disabled one is not", () => {
    expect(ids({ smmu: smmuv3({ status: "disabled" }), dma: { iommus: [V3, 1] } })).toContain("master-behind-disabled-smmu");
    expect(ids({ smmu: smmuv3({ status: "disabled" }), dma: { status: "disabled", iommus: [V3, 1] } })).not.toContain("master-behind-disabled-smmu");
  });
});

describe("iommu-map", () => {
  const entries = (map: number[], more: NodeSpec = {}, smmu: NodeSpec = smmuv3()) => document({ smmu, pcie: pci(map, more) }).maps[0];

  it("is listed as written, its mask 0xffffffff when absent", () => {
    expect(entries([0, V3, 0x100, 0x80, 0x80, V3, 0, 0x10])).toEqual({
      path: "/pcie",
      mask: "0xffffffff",
      entries: [
        { ridBase: "0x0", smmu: "/smmu", sidBase: "0x100", length: "0x80" },
        { ridBase: "0x80", smmu: "/smmu", sidBase: "0x0", length: "0x10" },
      ],
    });
    expect(entries([0, V3, 0, 1], { "iommu-map-mask": [0] })?.mask).toBe("0x0");
  });

  it("keeps entries of length 0 and says that they are placeholders", () => {
    expect(entries([0, V3, 0, 0])?.entries).toHaveLength(1);
    expect(ids({ smmu: smmuv3(), pcie: pci([0, V3, 0, 0]) })).toContain("map-placeholder");
  });

  it("keeps entries to another kind of IOMMU; without cells they have no sidBase", () => {
    expect(entries([0, OTHER, 9, 1], {}, other({ "#iommu-cells": [1] }))?.entries).toEqual([{ ridBase: "0x0", smmu: "/smmu", sidBase: "0x9", length: "0x1" }]);
    expect(entries([0, OTHER, 1], {}, other())?.entries).toEqual([{ ridBase: "0x0", smmu: "/smmu", length: "0x1" }]);
  });

  it("two output cells are sidBase and sidMask", () => {
    const map = [0, V2, 0x400, 0x3f, 1, 1, V2, 0x500, 0, 1];
    expect(entries(map, {}, smmuv2())?.entries).toEqual([
      { ridBase: "0x0", smmu: "/smmu", sidBase: "0x400", sidMask: "0x3f", length: "0x1" },
      { ridBase: "0x1", smmu: "/smmu", sidBase: "0x500", sidMask: "0x0", length: "0x1" },
    ]);
  });

  it("4-cell entries of length 1 to one two-cell IOMMU are one-cell entries, as Linux reads them", () => {
    const root = { smmu: smmuv2(), pcie: pci([0, V2, 0x1400, 1, 0x100, V2, 0x1401, 1]) };
    expect(document(root).maps[0]?.entries).toEqual([
      { ridBase: "0x0", smmu: "/smmu", sidBase: "0x1400", length: "0x1" },
      { ridBase: "0x100", smmu: "/smmu", sidBase: "0x1401", length: "0x1" },
    ]);
    expect(ids(root)).toContain("map-2cell-ambiguous");
  });

  it("without all of that, entries have five cells and 4-cell ones run short", () => {
    expect(ids({ smmu: smmuv2(), pcie: pci([0, V2, 0x1400, 2]) })).toContain("map-length");
    expect(entries([0, V2, 0x1400, 2], {}, smmuv2())?.entries).toEqual([]);
  });

  it("4-cell entries of two IOMMUs are no such map", () => {
    const root = { a: smmuv2(), b: smmuv2({ phandle: [0x11] }), pcie: pci([0, V2, 5, 1, 1, 0x11, 6, 1]) };
    expect(document(root).maps[0]?.entries).toEqual([{ ridBase: "0x0", smmu: "/a", sidBase: "0x5", sidMask: "0x1", length: "0x1" }]);
    expect(ids(root)).toContain("map-dangling");
  });

  it("entries of different size may follow one another", () => {
    const root = { a: smmuv2(), b: smmuv3(), pcie: pci([0, V2, 5, 0, 1, 1, V3, 6, 1]) };
    expect(document(root).maps[0]?.entries.map((each) => [each.smmu, each.sidBase])).toEqual([["/a", "0x5"], ["/b", "0x6"]]);
  });

  it.each([
    ["a phandle that no node has", "map-dangling", [0, V3, 0, 1, 1, 0x99, 1, 1, 2, V3, 2, 1]],
    ["an end inside an entry", "map-length", [0, V3, 0, 1, 1, V3, 1]],
    ["an end before the phandle", "map-length", [0, V3, 0, 1, 1]],
  ])("%s gives %s and no entry from there on", (_, id, map) => {
    const { maps, diagnostics } = document({ smmu: smmuv3(), pcie: pci(map) });
    expect(maps[0]?.entries).toHaveLength(1);
    expect(diagnostics.filter((each) => each.severity === "error")).toMatchObject([{ id, path: "/pcie" }]);
  });

  it.each([
    ["map-mask-drops-base", [0x100, V3, 0, 1], { "iommu-map-mask": [0xff] }],
    ["map-rid-overflow", [0xff00, V3, 0, 0x200], {}],
    ["map-sid-wrap", [0, V3, 0xffff_fff0, 0x20], {}],
    ["map-overlap", [0, V3, 0, 0x10, 8, V3, 0x100, 0x10], {}],
    ["map-mask-invalid", [0, V3, 0, 1], { "iommu-map-mask": [1, 2] }],
    ["map-cells", [0, OTHER, 0, 1], {}],
  ])("%s", (id, map, more) => {
    expect(ids({ smmu: smmuv3(), bad: other({ "#iommu-cells": [99] }), pcie: pci(map, more) })).toContain(id);
  });

  it("two buses, or a bus and a master, on one stream are warned of", () => {
    expect(ids({ smmu: smmuv3(), "pcie@1": pci([0, V3, 0, 0x100]), "pcie@2": pci([0, V3, 0x80, 0x100]) })).toContain("map-overlap");
    expect(ids({ smmu: smmuv3(), "pcie@1": pci([0, V3, 0, 0x100]), dma: { iommus: [V3, 0x42] } })).toContain("map-overlap");
    expect(ids({ smmu: smmuv3(), "pcie@1": pci([0, V3, 0, 0x100]), "pcie@2": pci([0, V3, 0x100, 0x100]), dma: { iommus: [V3, 0x200] } })).not.toContain("map-overlap");
  });
});

describe("sidOfPci", () => {
  const sid = (map: number[], rid: number, more: NodeSpec = {}, smmu: NodeSpec = smmuv3()) => sidOfPci(board({ smmu, pcie: pci(map, more) }).topology, "/pcie", rid);

  it("adds the RID's place in the entry to its base", () => {
    expect(sid([0x100, V3, 0x1000, 0x100], 0x110)).toEqual({ smmu: "/smmu", sid: 0x1010, mask: 0 });
  });
  it("the first entry that has the RID wins", () => {
    expect(sid([0, V3, 0x100, 0x10, 0, V3, 0x200, 0x100], 5)?.sid).toBe(0x105);
    expect(sid([0, V3, 0x100, 0x10, 0, V3, 0x200, 0x100], 0x15)?.sid).toBe(0x215);
  });
  it("a RID in no entry, or a placeholder, has no stream", () => {
    expect(sid([0, V3, 0, 0x10, 0x11, V3, 0x11, 0xffef], 0x10)).toBeUndefined();
    expect(sid([0, V3, 0, 0], 0)).toBeUndefined();
  });
  it("the mask is applied first: with 0 every RID is one stream", () => {
    expect(sid([0, V3, 0x40, 1], 0xabcd, { "iommu-map-mask": [0] })?.sid).toBe(0x40);
  });
  it("an entry that the mask can never produce ends the search", () => {
    expect(sid([0x100, V3, 0, 1, 0, V3, 7, 1], 0, { "iommu-map-mask": [0xff] })).toBeUndefined();
  });
  it("the SMMUv2's own mask, or the second output cell, normalises the stream", () => {
    expect(sid([0, V2, 0x7c00, 0x100], 3, {}, smmuv2({ "#iommu-cells": [1], "stream-match-mask": [0x7c00] }))).toEqual({ smmu: "/smmu", sid: 3, mask: 0x7c00 });
    expect(sid([0, V2, 0x4a0, 0x20, 1], 0, {}, smmuv2())).toEqual({ smmu: "/smmu", sid: 0x480, mask: 0x20 });
  });
  it("what has no defined meaning has no stream", () => {
    expect(sid([0, V3, 0xffff_fff0, 0x20], 0x10)).toBeUndefined();
    expect(sid([0, V2, 0x4a0, 0x20, 4], 0, {}, smmuv2())).toBeUndefined();
    expect(sid([0, OTHER, 0, 1], 0, {}, other({ "#iommu-cells": [1] }))).toBeUndefined();
  });
  it.each([-1, 0x1_0000, 1.5, Number.NaN])("%d is no RID", (rid) => {
    expect(sid([0, V3, 0, 0x10_0000], rid)).toBeUndefined();
  });
});

describe("shared streams", () => {
  it("two or more enabled masters with equal SMMU, sid and mask, each named once", () => {
    const root = {
      smmu: smmuv2(),
      a: { iommus: [V2, 0x586, 0x11, V2, 0x586, 0x11] },
      b: { iommus: [V2, 0x596, 0x11] },
      c: { iommus: [V2, 0x586, 0x11], status: "disabled" },
    };
    expect(document(root).shared).toEqual([{ smmu: "/smmu", sid: "0x586", mask: "0x11", masters: ["/a", "/b"] }]);
    expect(ids(root)).toContain("shared-stream");
  });

  it("one master twice, or equal numbers on two SMMUs, are not shared", () => {
    expect(document({ smmu: smmuv3(), a: { iommus: [V3, 1, V3, 1] } }).shared).toEqual([]);
    expect(document({ x: smmuv3(), y: smmuv3({ phandle: [9] }), a: { iommus: [V3, 1] }, b: { iommus: [9, 1] } }).shared).toEqual([]);
  });

  it("another kind of IOMMU shares nothing that can be compared", () => {
    expect(document({ x: other(), a: { iommus: [OTHER] }, b: { iommus: [OTHER] } }).shared).toEqual([]);
  });

  it("unequal streams that match a common StreamID are warned of", () => {
    expect(ids({ smmu: smmuv2(), a: { iommus: [V2, 0x10, 0xf] }, b: { iommus: [V2, 0x13, 0] } })).toContain("mask-overlap");
    expect(ids({ smmu: smmuv2(), a: { iommus: [V2, 0x10, 0xf] }, b: { iommus: [V2, 0x23, 0] } })).not.toContain("mask-overlap");
  });
});

describe("a tree that is not what it should be", () => {
  it.each([
    ["unapplied-overlay", { "fragment@0": { __overlay__: {} } }],
    ["unapplied-overlay", { __fixups__: {} }],
    ["legacy-mmu-masters", { smmu: { compatible: "arm,mmu-500", "mmu-masters": [1, 2] } }],
    ["smmu-without-cells", { smmu: { compatible: "arm,mmu-500" } }],
    ["no-iommu", {}],
    ["no-masters", { smmu: smmuv3() }],
    ["smmu-disabled", { smmu: smmuv3({ status: "disabled" }) }],
    ["multi-instance-smmu", { smmu: smmuv2({ reg: [0, 0x1000, 0, 0x1000, 0, 0x2000, 0, 0x1000] }) }],
    ["reg-untranslatable", { soc: { smmu: smmuv2({ reg: [0, 0x1000, 0, 0x1000] }) } }],
    ["phandle-invalid", { smmu: smmuv3({ "linux,phandle": [5] }) }],
    ["sid-not-representable", { smmu: smmuv2(), dma: { iommus: [V2, 0x80, 0] } }],
  ])("%s", (id, root) => {
    expect(ids(root)).toContain(id);
  });

  it("a board that cannot be read is one error with its place", () => {
    const { value, diagnostics } = readBoard(blob({ "a b": {} }));
    expect(value).toBeUndefined();
    expect(unreadableJson(diagnostics, "x.dtb")).toEqual({ board: "x.dtb", error: { id: "dtb-node-name", severity: "error", path: "/", message: expect.stringContaining('"a b"') } });
  });

  it("compatible strings are printable in the document", () => {
    expect(document({ smmu: { compatible: "\x1b[2J\x9b", "#iommu-cells": [1] } }).smmus[0]?.compatible).toEqual(["\\x1b[2J\\x9b"]);
  });

  it("great numbers of streams, entries and overlapping masks neither crash nor hang", () => {
    const many = (count: number, of: (i: number) => number[]): number[] => Array.from({ length: count }, (_, i) => of(i)).flat();
    const started = performance.now();
    const { topology } = board({
      a: smmuv2(),
      b: smmuv3(),
      pcie: pci(many(100_000, (i) => [i, V3, 0xffff_ffff, 0x100])),
      masked: { iommus: many(60_000, (i) => [V2, i, 0x8000]) },
      plain: { iommus: many(100_000, (i) => [V3, i]) },
    });
    const found = new Set(topology.diagnostics.map((each) => each.id));
    expect([...found]).toEqual(expect.arrayContaining(["too-many-streams", "too-many-map-entries", "mask-overlap-unchecked"]));
    expect(performance.now() - started).toBeLessThan(5000);
  });
});

describe("limits", () => {
  it("many IOMMUs behind a deep chain of buses with many ranges each", () => {
    const windows = Array.from({ length: 256 }, (_, i) => (i < 255 ? [0xffff_0000 + i, 0, 1] : [0, 0, 0xf000_0000])).flat();
    const reg = Array.from({ length: 20 }, (_, i) => [i * 16, 4]).flat();
    let node: NodeSpec = Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`iommu@${i}`, { "#iommu-cells": [1], reg }]));
    for (let depth = 0; depth < 50; depth += 1) node = { bus: { "#address-cells": [1], "#size-cells": [1], ranges: windows, ...node } };
    const started = performance.now();
    const { smmus, diagnostics } = board({ "#address-cells": [1], "#size-cells": [1], ...node }).topology;
    expect(performance.now() - started).toBeLessThan(5000);
    expect(smmus).toHaveLength(256);
    expect(smmus[0]?.reg).toHaveLength(16);
    expect(diagnostics.map((each) => each.id)).toEqual(expect.arrayContaining(["too-many-iommus", "reg-untranslatable"]));
  });

  it("every finding has a test that meets it", () => {
    const source = globSync("*.ts", { cwd: room }).filter((file) => !file.startsWith("fdt")).map((file) => readFileSync(join(room, file), "utf8"));
    const findings = new Set([...source.join().matchAll(/(?:finding|say|fault)\((?:reader, )?"([a-z0-9-]+)"|id: "([a-z0-9-]+)"/g)].map((match) => match[1] ?? match[2]!));
    const here = readFileSync(import.meta.filename, "utf8");
    expect([...findings].filter((id) => !here.includes(`"${id}"`))).toEqual([]);
    expect(findings.size).toBeGreaterThan(25);
  });
});

describe("the shipped board", () => {
  const shipped = readBoard(readFileSync(join(import.meta.dirname, "../../specs/systems/qemu-virt/board.dtb"))).value!;

  it("has one SMMUv3 and a PCI host bridge whose RIDs are its StreamIDs", () => {
    expect(topologyJson(shipped.topology, "board.dtb")).toEqual({
      board: "board.dtb",
      smmus: [{ path: "/smmuv3@9050000", compatible: ["arm,smmu-v3"], kind: "smmuv3", enabled: true, reg: [{ addr: "0x9050000", size: "0x20000" }], coherent: true }],
      masters: [],
      maps: [{ path: "/pcie@10000000", mask: "0xffffffff", entries: [{ ridBase: "0x0", smmu: "/smmuv3@9050000", sidBase: "0x0", length: "0x10000" }] }],
      shared: [],
      diagnostics: [],
    });
    expect(hostBridges(shipped.topology).map((map) => map.path)).toEqual(["/pcie@10000000"]);
    expect(sidOfPci(shipped.topology, "/pcie@10000000", 0x10)?.sid).toBe(0x10);
    expect(sidsOfMaster(shipped.topology, "/pcie@10000000")).toBeUndefined();
  });

  it("has a gibibyte of RAM and a serial port", () => {
    expect(shipped.memory).toEqual([{ base: 0x4000_0000n, size: 0x4000_0000n }]);
    expect([...shipped.aliases]).toEqual([["serial0", "/pl011@9000000"]]);
    expect(shipped.model).toBe("linux,dummy-virt");
  });
});
