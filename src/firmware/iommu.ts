/** The IOMMUs of a tree: every node with `#iommu-cells`, and which driver's rules its specifiers follow. */
import type { Diagnostic } from "../base/diagnostic.ts";
import { hex } from "../base/words.ts";
import { type RegisterRanges, registerRanges } from "./addresses.ts";
import type { AddressRange, DeviceNode, DeviceTree } from "./deviceTree.ts";
import { finding } from "./finding.ts";
import type { Phandles } from "./phandles.ts";
import { cell, compatibleOf, isEnabled } from "./properties.ts";

export type IommuKind = "smmuv3" | "smmuv2" | "other";

export interface Iommu {
  readonly path: string;
  readonly compatible: readonly string[];
  readonly kind: IommuKind;
  /** The node and all its ancestors have status absent, "okay" or "ok". */
  readonly enabled: boolean;
  /** Register ranges as CPU addresses; two or more where one node stands for several identical instances. */
  readonly reg: readonly AddressRange[];
  /** Its own table walks are coherent with the CPU (`dma-coherent` on the node). */
  readonly coherent: boolean;
  /** `#iommu-cells`, or undefined where that is not a number that can be followed. */
  readonly cells: number | undefined;
  /** Bits of every StreamID that it ignores when the specifier has no mask (`stream-match-mask`, SMMUv1/v2 only). */
  readonly streamMatchMask: number;
}

/** Cells of one specifier; Linux's MAX_PHANDLE_ARGS. Checked before any sum or loop uses the number. */
export const MAX_SPECIFIER_CELLS = 16;

/**
 * The SMMUv1/v2/MMU-500 family (Linux `arm,smmu.yaml`, and `arm-smmu.c`'s match table): Arm's own names, and vendors'
 * names for it. Qualcomm and Marvell put the SoC in front, as in `qcom,sdm845-smmu-500`.
 */
const SMMUV2_NAMES: ReadonlySet<string> = new Set([
  "arm,smmu-v1",
  "arm,smmu-v2",
  "arm,mmu-400",
  "arm,mmu-401",
  "arm,mmu-500",
  "cavium,smmu-v2",
  "nvidia,smmu-500",
  "nvidia,tegra186-smmu",
  "nvidia,tegra194-smmu",
  "nvidia,tegra234-smmu",
  "qcom,adreno-smmu",
]);
const SMMUV2_VENDOR = /^(qcom|marvell),([a-z0-9]+-)?smmu-(v2|500)$/;

export const iommuKind = (compatible: readonly string[]): IommuKind => {
  if (compatible.includes("arm,smmu-v3")) return "smmuv3";
  return compatible.some((name) => SMMUV2_NAMES.has(name) || SMMUV2_VENDOR.test(name)) ? "smmuv2" : "other";
};

const specifierCells = (node: DeviceNode): number | undefined => {
  const count = node.properties.get("#iommu-cells")?.length === 4 ? cell(node, "#iommu-cells") : undefined;
  return count !== undefined && count <= MAX_SPECIFIER_CELLS ? count : undefined;
};

const iommuOf = (node: DeviceNode, reg: RegisterRanges): Iommu => {
  const compatible = compatibleOf(node);
  const kind = iommuKind(compatible);
  return {
    path: node.path,
    compatible,
    kind,
    enabled: isEnabled(node),
    reg: reg.ranges,
    coherent: node.properties.has("dma-coherent"),
    cells: specifierCells(node),
    streamMatchMask: kind === "smmuv2" ? (cell(node, "stream-match-mask") ?? 0) : 0,
  };
};

const cellsFault = (node: DeviceNode): Diagnostic => {
  const bytes = node.properties.get("#iommu-cells")!.length;
  const what = bytes === 4 ? `is ${hex(cell(node, "#iommu-cells")!)}, more than ${MAX_SPECIFIER_CELLS}` : `has ${bytes} bytes, not 4`;
  return finding("iommu-cells-invalid", "error", node, `#iommu-cells ${what}; no reference to it can be read`);
};

const nodeFindings = (node: DeviceNode, reg: RegisterRanges, iommu: Iommu): Diagnostic[] => {
  const found: Diagnostic[] = [];
  if (iommu.cells === undefined) found.push(cellsFault(node));
  const severity = iommu.kind === "other" ? "info" : "warning";
  for (const fault of reg.faults) found.push(finding("reg-untranslatable", severity, node, fault));
  if (iommu.kind !== "other" && iommu.reg.length > 1) {
    found.push(finding("multi-instance-smmu", "info", node, `${iommu.reg.length} register ranges: instances that must be programmed alike`));
  }
  return found;
};

export interface Iommus {
  /** In tree order, disabled ones too. */
  readonly list: readonly Iommu[];
  readonly byPhandle: ReadonlyMap<number, Iommu>;
  readonly diagnostics: readonly Diagnostic[];
}

/** IOMMUs of one tree that are read; the most on any of 1600 known boards is 12. */
export const MAX_IOMMUS = 256;

export const iommusOf = (tree: DeviceTree, phandles: Phandles): Iommus => {
  const all = tree.nodes.filter((node) => node.properties.has("#iommu-cells"));
  const byNode = new Map<DeviceNode, Iommu>();
  const diagnostics: Diagnostic[] = [];
  for (const node of all.slice(0, MAX_IOMMUS)) {
    const reg = registerRanges(node);
    const iommu = iommuOf(node, reg);
    byNode.set(node, iommu);
    diagnostics.push(...nodeFindings(node, reg, iommu));
  }
  if (all.length > MAX_IOMMUS) {
    diagnostics.push(finding("too-many-iommus", "error", tree.root, `${all.length} IOMMUs; the first ${MAX_IOMMUS} are read, the limit of this reader`));
  }
  const byPhandle = new Map<number, Iommu>();
  for (const [phandle, node] of phandles.nodes) {
    const iommu = byNode.get(node);
    if (iommu !== undefined) byPhandle.set(phandle, iommu);
  }
  return { list: [...byNode.values()], byPhandle, diagnostics };
};
