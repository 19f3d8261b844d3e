import { describe, expect, it } from "vitest";
import { hex } from "../../src/base/words.ts";
import { AWKWARD, ids, layoutOf, planText } from "./fixture.ts";

const driver = (device: string): string => `components: { a: { kind: driver, devices: { d: { ${device} } } } }`;
const streams = (device: string, board?: string): readonly string[] => layoutOf(planText(driver(device), board)).sids.map(({ sid }) => hex(sid));
const refusal = (device: string, board?: string) => {
  const { value, diagnostics } = planText(driver(device), board);
  expect(value).toBeUndefined();
  expect(diagnostics).toHaveLength(1);
  return diagnostics[0]!;
};

describe("finding devices on a board", () => {
  it("numbers PCI functions by bus, device and function, through the iommu-map", () => {
    expect(streams('pci: "00:02.0"')).toEqual(["0x10"]);
    expect(streams('pci: "01:1f.7"')).toEqual(["0x1ff"]);
    expect(streams('pci: "ff:1f.7"')).toEqual(["0xffff"]);
    expect(streams('pci: "02:00.1", bridge: /pcie@30000000', AWKWARD)).toEqual(["0x1201"]);
  });

  it("finds nodes by path and by alias", () => {
    expect(streams("path: /dma@20000000", AWKWARD)).toEqual(["0x1"]);
    expect(streams("alias: dma0", AWKWARD)).toEqual(["0x1"]);
  });

  it.each([
    ["alias: dma1", "board.dtb has no alias `dma1` (did you mean `dma0`?)"],
    ["path: /nowhere", "board.dtb has no node `/nowhere`"],
    ['pci: "04:00.0", bridge: /pcie@30000000', "bus 0x4 is outside the bus-range of /pcie@30000000"],
    ['pci: "00:00.0", bridge: /dma@20000000', "/dma@20000000 is not a PCI host bridge"],
  ])("does not know %s", (device, message) => {
    expect(refusal(device, AWKWARD)).toMatchObject({ id: "unknown-device", message });
  });

  it("says why a device is not protected, and accepts it for a reason only", () => {
    for (const [node, id] of [
      ["/dma@20040000", "device-behind-disabled-smmu"],
      ["/dma@20050000", "smmu-kind-unsupported"],
      ["/dma@20080000", "device-without-smmu"],
    ] as const) {
      expect(refusal(`path: ${node}`, AWKWARD).id).toBe(id);
      const accepted = planText(driver(`path: ${node}, unprotected: bench only`), AWKWARD);
      expect(ids(accepted)[0]).toBe("unprotected-device");
      expect(layoutOf(accepted).devices[0]).toMatchObject({ at: node, sids: [], unprotected: "bench only" });
      expect(layoutOf(accepted).vspaces).toEqual([]);
    }
  });

  it("uses the SMMU although the spec would do without", () => {
    const plan = planText(driver('pci: "00:02.0", unprotected: not needed'));
    expect(ids(plan)).toEqual(["needless-unprotected"]);
    expect(layoutOf(plan).devices[0]).toEqual({ name: "a.d", owner: 0, at: "/pcie@10000000 00:02.0", sids: [0] });
  });

  it("warns that an iommu-map-mask gives many functions one stream", () => {
    const plan = planText(driver('pci: "01:00.0", bridge: /pcie@31000000'), AWKWARD);
    expect(ids(plan)).toEqual(["shared-stream"]);
    expect(layoutOf(plan).sids.map(({ sid }) => sid)).toEqual([0x2000]);
  });

  it("does not repeat a refused device as missing capabilities", () => {
    const plan = planText(
      [
        "regions: { r: { size: 4KiB, owner: a } }",
        "components:",
        "  a: { kind: driver, devices: { d: { path: /dma@20040000 } }, holds: [{ region: r, iova: 0x1000 }, tables] }",
        "  b: { kind: service, holds: [{ sid: a.d }, { cb: a }, { vspace: a }] }",
      ].join("\n"),
      AWKWARD,
    );
    expect(ids(plan)).toEqual(["device-behind-disabled-smmu"]);
  });
});
