/**
 * From requester IDs to streams: the `iommu-map` property of PCI host bridges and similar buses (Linux
 * `pci-iommu.txt`; `of_map_id` in `drivers/of/base.c`, which since 2026 sizes each entry by its target's cells).
 */
import type { Diagnostic } from "../base/diagnostic.ts";
import { hex } from "../base/words.ts";
import type { DeviceNode, DeviceTree } from "./deviceTree.ts";
import { finding } from "./finding.ts";
import { type Iommu, type Iommus, MAX_SPECIFIER_CELLS } from "./iommu.ts";
import { nodesWith, SMMUV2_ID_LIMIT } from "./masters.ts";
import type { Phandles } from "./phandles.ts";
import { cell, cellsOf, isEnabled, isPciBus } from "./properties.ts";

/** RIDs [ridBase, ridBase + length) go to streams from `sidBase` on; values as written. */
export interface MapEntry {
  readonly ridBase: number;
  /** Path of the IOMMU. */
  readonly smmu: string;
  /** Absent where the IOMMU has no specifier cells. */
  readonly sidBase?: number;
  /** The second output cell, where there are two. */
  readonly sidMask?: number;
  readonly length: number;
}

export interface IommuMap {
  /** Path of the bridge or bus. */
  readonly path: string;
  readonly enabled: boolean;
  /** A PCI bus, whose RIDs are bus << 8 | device << 3 | function. */
  readonly pci: boolean;
  /** `iommu-map-mask`: the bits of a RID that count; 0xffffffff where the property is absent. */
  readonly mask: number;
  readonly entries: readonly MapEntry[];
}

/** RIDs of one PCI segment. */
export const RID_LIMIT = 0x1_0000;

/**
 * Many boards write one output cell for an IOMMU that takes two. Linux reads a map so when its first target has two
 * cells and the whole map is 4-cell entries of one target and length 1 (`of_check_bad_map`); so does this.
 */
const isOneCellMap = (cells: readonly number[], iommus: Iommus): boolean => {
  const phandle = cells[1];
  if (phandle === undefined || iommus.byPhandle.get(phandle)?.cells !== 2 || cells.length % 4 !== 0) return false;
  for (let i = 0; i < cells.length; i += 4) if (cells[i + 1] !== phandle || cells[i + 3] !== 1) return false;
  return true;
};

const entryFindings = (node: DeviceNode, mask: number, iommu: Iommu, entry: MapEntry): Diagnostic[] => {
  const { ridBase, sidBase = 0, sidMask, length } = entry;
  const what = `entry for RID ${hex(ridBase)}`;
  const found: Diagnostic[] = [];
  const say = (id: string, severity: "error" | "warning", message: string): void => void found.push(finding(id, severity, node, `iommu-map ${what} ${message}`));
  if ((ridBase & ~mask) !== 0) say("map-mask-drops-base", "error", `can never match: iommu-map-mask ${hex(mask)} clears bits of it`);
  if (length === 0) say("map-placeholder", "warning", "has length 0: a placeholder that the boot loader fills; use the tree that the running system has");
  if (isPciBus(node) && ridBase + length > RID_LIMIT) say("map-rid-overflow", "warning", `has length ${hex(length)}, past the last RID 0xffff`);
  if (sidBase + length > 2 ** 32) say("map-sid-wrap", "error", `has streams past 2^32: ${hex(sidBase)} + ${hex(length)}`);
  if (sidMask !== undefined && length > 1) say("map-length", "error", `has two output cells and length ${hex(length)}; only length 1 has a meaning`);
  if (iommu.kind === "smmuv2" && length > 0 && reachOf(entry, mask) + sidBase > SMMUV2_ID_LIMIT) {
    say("sid-exceeds-sidsize", "warning", "has streams past the 16 bits of an SMMUv2 match register");
  }
  return found;
};

/** How many RIDs, counted from `ridBase`, can ever use the entry. */
export const reachOf = ({ ridBase, length }: MapEntry, mask: number): number =>
  Math.max(0, Math.min(length, RID_LIMIT - ridBase, mask + 1 - ridBase));

interface MapReader {
  readonly node: DeviceNode;
  readonly cells: readonly number[];
  readonly mask: number;
  readonly oneCell: boolean;
  readonly iommus: Iommus;
  readonly phandles: Phandles;
  readonly found: Diagnostic[];
  readonly entries: MapEntry[];
  /** Entries that may still be read. */
  readonly room: number;
  readonly disabled: Set<string>;
}

/** Map entries of one tree that are read; the largest board has fewer than a hundred. */
export const MAX_MAP_ENTRIES = 1 << 16;

const fault = (reader: MapReader, id: string, message: string): undefined => {
  reader.found.push(finding(id, "error", reader.node, message));
};

const addEntry = (reader: MapReader, at: number, outputs: number, iommu: Iommu): void => {
  const { cells, mask, node, found } = reader;
  const entry: MapEntry = {
    ridBase: cells[at]!,
    smmu: iommu.path,
    ...(outputs >= 1 ? { sidBase: cells[at + 2]! } : {}),
    ...(outputs === 2 ? { sidMask: cells[at + 3]! } : {}),
    length: cells[at + 2 + outputs]!,
  };
  reader.entries.push(entry);
  found.push(...entryFindings(node, mask, iommu, entry));
  if (!iommu.enabled) reader.disabled.add(iommu.path);
};

/** Reads the entry at cell `at`; the cell after it, or undefined where the rest cannot be read. */
const readEntry = (reader: MapReader, at: number): number | undefined => {
  const { cells, iommus, phandles } = reader;
  const left = cells.length - at;
  if (reader.entries.length >= reader.room) {
    return fault(reader, "too-many-map-entries", `the tree has more than ${MAX_MAP_ENTRIES} iommu-map entries, the limit of this reader; the rest here is not read`);
  }
  if (left < 2) return fault(reader, "map-length", `iommu-map ends inside an entry: ${left} cell`);
  const phandle = cells[at + 1]!;
  const entry = `iommu-map entry for RID ${hex(cells[at]!)}`;
  if (!phandles.nodes.has(phandle)) {
    return fault(reader, "map-dangling", `${entry} refers to phandle ${hex(phandle)}, which is no node's; nothing from there on is read`);
  }
  const iommu = iommus.byPhandle.get(phandle);
  if (iommu !== undefined && iommu.cells === undefined) {
    return fault(reader, "map-cells", `${entry}: ${iommu.path} has an unusable #iommu-cells, above ${MAX_SPECIFIER_CELLS} or no number; nothing from there on is read`);
  }
  const outputs = reader.oneCell ? 1 : (iommu?.cells ?? 1);
  if (left < 3 + outputs) return fault(reader, "map-length", `iommu-map ends inside an entry: ${left} of ${3 + outputs} cells`);
  if (iommu === undefined) fault(reader, "map-dangling", `${entry} refers to ${phandles.nodes.get(phandle)!.path}, which is no IOMMU`);
  else addEntry(reader, at, outputs, iommu);
  return at + 3 + outputs;
};

const mapMask = (node: DeviceNode, found: Diagnostic[]): number => {
  const value = node.properties.get("iommu-map-mask");
  if (value !== undefined && value.length !== 4) {
    found.push(finding("map-mask-invalid", "error", node, `iommu-map-mask has ${value.length} bytes, not 4`));
  }
  return cell(node, "iommu-map-mask") ?? 0xffff_ffff;
};

/** Two entries of one map that the same RID fits: the first wins, so the second is not what its author meant. */
const ridOverlap = (node: DeviceNode, entries: readonly MapEntry[]): Diagnostic[] => {
  const sorted = entries.filter((entry) => entry.length > 0).toSorted((a, b) => a.ridBase - b.ridBase);
  const second = sorted.findIndex((entry, i) => i > 0 && sorted[i - 1]!.ridBase + sorted[i - 1]!.length > entry.ridBase);
  if (second < 0) return [];
  const [a, b] = [sorted[second - 1]!, sorted[second]!];
  return [finding("map-overlap", "warning", node, `iommu-map entries for RIDs ${hex(a.ridBase)} and ${hex(b.ridBase)} overlap; the one written first wins`)];
};

const mapOf = (node: DeviceNode, iommus: Iommus, phandles: Phandles, room: number, found: Diagnostic[]): IommuMap => {
  const value = node.properties.get("iommu-map")!;
  const cells = cellsOf(value);
  const mask = mapMask(node, found);
  const oneCell = isOneCellMap(cells, iommus);
  const reader: MapReader = { node, cells, mask, oneCell, iommus, phandles, found, entries: [], room, disabled: new Set() };
  for (let at: number | undefined = 0; at !== undefined && at < cells.length; ) at = readEntry(reader, at);
  if (value.length % 4 !== 0) fault(reader, "map-length", `iommu-map has ${value.length} bytes, not a multiple of 4`);
  if (oneCell) found.push(finding("map-2cell-ambiguous", "info", node, "iommu-map has one output cell where the IOMMU takes two; read as one, as Linux does"));
  found.push(...ridOverlap(node, reader.entries));
  if (isEnabled(node)) {
    for (const path of reader.disabled) {
      found.push(finding("master-behind-disabled-smmu", "warning", node, `its IOMMU ${path} is disabled, so DMA from this bus is not translated and nothing confines it`));
    }
  }
  return { path: node.path, enabled: isEnabled(node), pci: isPciBus(node), mask, entries: reader.entries };
};

/** Every node with `iommu-map`, in tree order; what is wrong is added to `found`. */
export const iommuMapsOf = (tree: DeviceTree, iommus: Iommus, phandles: Phandles, found: Diagnostic[]): IommuMap[] => {
  let room = MAX_MAP_ENTRIES;
  return nodesWith(tree, "iommu-map").map((node) => {
    const map = mapOf(node, iommus, phandles, room, found);
    room -= map.entries.length;
    return map;
  });
};
