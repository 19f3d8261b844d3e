/** Which device reaches memory through which SMMU, as which stream: everything a board's tree says about DMA. */
import type { Diagnostic } from "../base/diagnostic.ts";
import type { DeviceNode, DeviceTree } from "./deviceTree.ts";
import { finding } from "./finding.ts";
import { type Iommu, iommuKind, iommusOf } from "./iommu.ts";
import { type IommuMap, iommuMapsOf, RID_LIMIT } from "./iommuMap.ts";
import { type ArmStream, type Master, mastersOf, nodesWith, streamOf } from "./masters.ts";
import { phandlesOf } from "./phandles.ts";
import { compatibleOf } from "./properties.ts";
import { mapOverlaps, maskOverlaps, type SharedStream, sharedFindings, sharedStreams } from "./sharing.ts";

/** Lists are in tree order; `diagnostics` sorted by node, those about the tree as a whole first. */
export interface Topology {
  readonly smmus: readonly Iommu[];
  readonly masters: readonly Master[];
  readonly maps: readonly IommuMap[];
  readonly shared: readonly SharedStream[];
  readonly diagnostics: readonly Diagnostic[];
}

/** Trees that are not a whole board, and bindings that are not read. */
const formFindings = (tree: DeviceTree): Diagnostic[] => {
  const found: Diagnostic[] = [];
  const overlay = tree.root.children.find((node) => node.name === "__fixups__" || node.children.some((child) => child.name === "__overlay__"));
  if (overlay !== undefined) {
    found.push(finding("unapplied-overlay", "error", overlay, "the tree is an overlay that was not applied to a board", "apply it first: fdtoverlay -i board.dtb -o out.dtb overlay.dtbo"));
  }
  for (const node of nodesWith(tree, "mmu-masters")) {
    found.push(finding("legacy-mmu-masters", "warning", node, "its masters are listed in mmu-masters, the binding before iommus, which is not read"));
  }
  for (const node of nodesWith(tree, "compatible")) {
    if (node.properties.has("#iommu-cells") || node.properties.has("mmu-masters") || iommuKind(compatibleOf(node)) === "other") continue;
    found.push(finding("smmu-without-cells", "warning", node, "an SMMU without #iommu-cells: no device can refer to it"));
  }
  return found;
};

/** StreamIDs below this can be named by a SID capability of seL4's MMU-500 driver (`src/plat/tx2/config.cmake`, MAX_SID). */
const SEL4_MAX_SID = 128;

const sel4Finding = (smmu: Iommu, streams: readonly ArmStream[]): Diagnostic[] => {
  const distinct = new Map(streams.map((stream) => [`${stream.sid} ${stream.mask}`, stream]));
  const beyond = [...distinct.values()].filter((stream) => stream.sid >= SEL4_MAX_SID || stream.mask !== 0);
  if (smmu.kind !== "smmuv2" || beyond.length === 0) return [];
  const message = `${smmu.path}: ${beyond.length} of ${distinct.size} streams cannot be one SID capability of seL4's MMU-500 driver, which takes StreamIDs below ${SEL4_MAX_SID} without a mask`;
  return [{ id: "sid-not-representable", severity: "info", message, place: { path: smmu.path } }];
};

/** SMMUs that confine nothing: none there, switched off, or nobody refers to them. */
const idleFindings = (root: DeviceNode, smmus: readonly Iommu[], masters: readonly Master[], maps: readonly IommuMap[]): Diagnostic[] => {
  const used = new Set([...masters.flatMap((master) => master.streams), ...maps.flatMap((map) => map.entries)].map(({ smmu }) => smmu));
  const found: Diagnostic[] = [];
  const say = (id: string, smmu: Iommu, message: string): void => {
    found.push({ id, severity: "info", message: `${smmu.path}: ${message}`, place: { path: smmu.path } });
  };
  if (smmus.length === 0) found.push(finding("no-iommu", "info", root, "no node has #iommu-cells: the tree has no IOMMU that a device can refer to, so nothing confines DMA"));
  for (const smmu of smmus.filter(({ kind }) => kind !== "other")) {
    if (!smmu.enabled) say("smmu-disabled", smmu, "the SMMU is disabled");
    if (!used.has(smmu.path)) say("no-masters", smmu, "no device in this tree refers to the SMMU");
  }
  return found;
};

const streamFindings = (smmus: readonly Iommu[], masters: readonly Master[]): Diagnostic[] => {
  const streams = masters.flatMap((master) => master.streams).filter((stream) => stream.sid !== undefined);
  const bySmmu = Map.groupBy(streams, (stream) => stream.smmu);
  return smmus.flatMap((smmu) => sel4Finding(smmu, bySmmu.get(smmu.path) ?? []));
};

const inTreeOrder = (tree: DeviceTree, diagnostics: readonly Diagnostic[]): Diagnostic[] => {
  const order = new Map(tree.nodes.map((node, i) => [node.path, i]));
  const rank = (diagnostic: Diagnostic): number => order.get(diagnostic.place?.path ?? "") ?? -1;
  return diagnostics.toSorted((a, b) => rank(a) - rank(b));
};

/**
 * The topology of a tree. What cannot be understood gives a diagnostic and no stream: no StreamID is ever guessed.
 * @param found what reading the tree already had to say; it becomes part of the diagnostics
 */
export const topologyOf = (tree: DeviceTree, found: readonly Diagnostic[] = []): Topology => {
  const phandles = phandlesOf(tree);
  const iommus = iommusOf(tree, phandles);
  const references: Diagnostic[] = [];
  const masters = mastersOf(tree, iommus, references);
  const maps = iommuMapsOf(tree, iommus, phandles, references);
  const shared = sharedStreams(masters);
  const diagnostics = [
    ...found,
    ...phandles.diagnostics,
    ...iommus.diagnostics,
    ...formFindings(tree),
    ...references,
    ...sharedFindings(shared),
    ...maskOverlaps(masters),
    ...mapOverlaps(maps, masters),
    ...streamFindings(iommus.list, masters),
    ...idleFindings(tree.root, iommus.list, masters, maps),
  ];
  return { smmus: iommus.list, masters, maps, shared, diagnostics: inTreeOrder(tree, diagnostics) };
};

/** The Arm SMMU streams of the master at `path`, in the property's order; undefined where it is no master. */
export const sidsOfMaster = (topology: Topology, path: string): readonly ArmStream[] | undefined =>
  topology.masters.find((master) => master.path === path)?.streams.filter((stream) => stream.sid !== undefined);

/** Buses whose functions are named by a RID: the enabled and disabled PCI buses that have an `iommu-map`. */
export const hostBridges = (topology: Topology): readonly IommuMap[] => topology.maps.filter((map) => map.pci);

/**
 * The stream of requester ID `rid` under the bus at `bridgePath`, found as Linux's `of_map_id` does: the RID is masked
 * and the first entry that has it wins. Undefined where there is no such map, no entry has it (Linux lets such a device
 * pass untranslated), the IOMMU is no Arm SMMU, or the entry has no defined meaning.
 */
export const sidOfPci = (topology: Topology, bridgePath: string, rid: number): ArmStream | undefined => {
  const map = topology.maps.find((each) => each.path === bridgePath);
  if (map === undefined || !Number.isInteger(rid) || rid < 0 || rid >= RID_LIMIT) return undefined;
  const masked = (rid & map.mask) >>> 0;
  for (const { ridBase, smmu: path, sidBase, sidMask, length } of map.entries) {
    // Linux gives up at an entry that the mask can never produce, and so does this.
    if ((ridBase & ~map.mask) !== 0) return undefined;
    if (masked < ridBase || masked - ridBase >= length) continue;
    const smmu = topology.smmus.find((each) => each.path === path);
    const id = (sidBase ?? Number.NaN) + masked - ridBase;
    const meaningful = id < 2 ** 32 && (sidMask === undefined || length === 1);
    return smmu === undefined || smmu.kind === "other" || !meaningful ? undefined : streamOf(smmu, id, sidMask);
  }
  return undefined;
};
