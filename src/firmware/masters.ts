/** Who does DMA through which IOMMU: the `iommus` properties (Linux `iommu.txt`, `of_iommu_configure_dev`). */
import type { Diagnostic } from "../base/diagnostic.ts";
import { hex } from "../base/words.ts";
import type { DeviceNode, DeviceTree } from "./deviceTree.ts";
import { finding } from "./finding.ts";
import type { Iommu, Iommus } from "./iommu.ts";
import { cellsOf, compatibleOf, isEnabled } from "./properties.ts";

/** A set of StreamIDs on an Arm SMMU: every `id` with `id & ~mask` equal to `sid`. */
export interface ArmStream {
  /** Path of the SMMU. */
  readonly smmu: string;
  /** Normalised: no bit of `mask` is set in it. */
  readonly sid: number;
  /** Bits that the SMMU ignores; 0 on SMMUv3. */
  readonly mask: number;
}
/** A connection to another kind of IOMMU, whose specifiers are not read. */
export interface OtherStream {
  readonly smmu: string;
  readonly sid?: undefined;
  readonly mask?: undefined;
}
export type Stream = ArmStream | OtherStream;

export interface Master {
  readonly path: string;
  readonly compatible: readonly string[];
  readonly enabled: boolean;
  /** In the property's order, repeated ones kept. */
  readonly streams: readonly Stream[];
}

/** SMR.ID and SMR.MASK have 16 bits at most (IHI 0062 "SMMU_SMRn", with EXIDS). */
export const SMMUV2_ID_LIMIT = 0x1_0000;

export const streamOf = (iommu: Iommu, id: number, specifierMask: number | undefined): ArmStream => {
  const mask = iommu.kind === "smmuv2" ? (specifierMask ?? iommu.streamMatchMask) : 0;
  return { smmu: iommu.path, sid: (id & ~mask) >>> 0, mask };
};

/** What one specifier of at least one cell means, and what is odd about it. */
const decode = (node: DeviceNode, iommu: Iommu, cells: readonly number[], found: Diagnostic[]): Stream => {
  if (iommu.kind === "other") return { smmu: iommu.path };
  const [id = 0, mask] = cells;
  if (iommu.kind === "smmuv3" && cells.slice(1).some((extra) => extra !== 0)) {
    found.push(finding("smmuv3-mask", "warning", node, `an SMMUv3 has no stream masks; only the first cell, ${hex(id)}, counts`));
  }
  const stream = streamOf(iommu, id, mask);
  if (stream.sid !== id) {
    found.push(finding("id-in-mask", "info", node, `stream ${hex(id)} has bits of its mask ${hex(stream.mask)} set; it means ${hex(stream.sid)}`));
  }
  if (iommu.kind === "smmuv2" && Math.max(id, stream.mask) >= SMMUV2_ID_LIMIT) {
    found.push(finding("sid-exceeds-sidsize", "error", node, `stream ${hex(id)} with mask ${hex(stream.mask)} does not fit the 16 bits of an SMMUv2 match register`));
  }
  return stream;
};

/** Why the specifier that begins with `phandle` cannot be read, and so none after it either. */
const obstacle = (node: DeviceNode, iommu: Iommu | undefined, phandle: number, left: number): Diagnostic | undefined => {
  if (iommu === undefined) {
    return finding("iommus-dangling", "error", node, `iommus refers to phandle ${hex(phandle)}, which is no IOMMU's; nothing from there on is read`);
  }
  if (iommu.cells === undefined || (iommu.cells === 0 && iommu.kind !== "other")) {
    return finding("iommus-cells", "error", node, `${iommu.path} has an unusable #iommu-cells; nothing from its specifier on is read`);
  }
  if (iommu.cells <= left) return undefined;
  return finding("iommus-short", "error", node, `iommus ends inside a specifier of ${iommu.path}: ${left} of ${iommu.cells} cells`);
};

const behindDisabled = (node: DeviceNode, path: string): Diagnostic =>
  finding("master-behind-disabled-smmu", "warning", node, `its IOMMU ${path} is disabled, so its DMA is not translated and nothing confines it`);

const disabledProviders = (node: DeviceNode, used: ReadonlySet<Iommu>): Diagnostic[] =>
  isEnabled(node) ? [...used].filter((iommu) => !iommu.enabled).map((iommu) => behindDisabled(node, iommu.path)) : [];

/** Streams of one tree that are read; the largest board has fewer than 300. */
export const MAX_STREAMS = 1 << 16;

/** Reads one `iommus`; at most `room` streams of it. */
const masterOf = (node: DeviceNode, iommus: Iommus, room: number, found: Diagnostic[]): Master => {
  const value = node.properties.get("iommus")!;
  const cells = cellsOf(value);
  const streams: Stream[] = [];
  const used = new Set<Iommu>();
  let at = 0;
  while (at < cells.length && streams.length < room) {
    const iommu = iommus.byPhandle.get(cells[at]!);
    const fault = obstacle(node, iommu, cells[at]!, cells.length - at - 1);
    if (fault !== undefined) found.push(fault);
    if (fault !== undefined || iommu?.cells === undefined) break;
    streams.push(decode(node, iommu, cells.slice(at + 1, at + 1 + iommu.cells), found));
    used.add(iommu);
    at += 1 + iommu.cells;
  }
  if (streams.length === room && at < cells.length) {
    found.push(finding("too-many-streams", "error", node, `the tree has more than ${MAX_STREAMS} streams, the limit of this reader; the rest here is not read`));
  }
  if (value.length % 4 !== 0) found.push(finding("iommus-short", "error", node, `iommus has ${value.length} bytes, not a multiple of 4`));
  found.push(...disabledProviders(node, used));
  return { path: node.path, compatible: compatibleOf(node), enabled: isEnabled(node), streams };
};

/** dtc's own bookkeeping mirrors property names below these root nodes; nothing there is a device. */
const isBookkeeping = (node: DeviceNode): boolean => /^\/__(local_fixups|fixups|symbols)__(\/|$)/.test(node.path);

/** The nodes that describe devices and have the property `name`. */
export const nodesWith = (tree: DeviceTree, name: string): DeviceNode[] =>
  tree.nodes.filter((node) => node.properties.has(name) && !isBookkeeping(node));

/** Every node with `iommus`, in tree order; what is wrong is added to `found`. */
export const mastersOf = (tree: DeviceTree, iommus: Iommus, found: Diagnostic[]): Master[] => {
  let room = MAX_STREAMS;
  return nodesWith(tree, "iommus").map((node) => {
    const master = masterOf(node, iommus, room, found);
    room -= master.streams.length;
    return master;
  });
};
