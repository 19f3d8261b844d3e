/** From a device as the spec names it (PCI function, node path, alias) to the streams that its DMA carries. */
import { printable } from "../base/diagnostic.ts";
import { hex } from "../base/words.ts";
import type { Board } from "../firmware/board.ts";
import type { DeviceNode } from "../firmware/deviceTree.ts";
import type { Iommu } from "../firmware/iommu.ts";
import type { ArmStream, Stream } from "../firmware/masters.ts";
import { cellsOf, isEnabled, isPciBus } from "../firmware/properties.ts";
import { sidOfPci } from "../firmware/topology.ts";
import type { Findings } from "./findings.ts";
import type { KeyPath } from "./place.ts";
import type { SpecDevice } from "./spec.ts";
import { didYouMean } from "./suggestion.ts";

/** A board and the file it came from (name and hash only, for printing). */
export interface BoardFile {
  readonly file: string;
  readonly sha256: string;
  readonly board: Board;
}

/** A device found on the board. */
export interface FoundDevice {
  /** Node path, or `bridge path + BDF`. */
  readonly at: string;
  /** Path of the node (of the bridge, for a PCI function). */
  readonly node: string;
  /** Streams on SMMUs that are there and enabled; none only for a device that the spec accepts unprotected. */
  readonly streams: readonly ArmStream[];
}

/** What the look-up of one device has at hand. */
interface Lookup {
  readonly file: string;
  readonly board: Board;
  readonly findings: Findings;
  /** Enabled PCI host bridges, in tree order. */
  readonly bridges: readonly DeviceNode[];
}

export type FindDevice = (device: SpecDevice, path: KeyPath) => FoundDevice | undefined;

/** The enabled node that a path or alias names; an error otherwise. */
const nodeNamed = ({ file, board, findings }: Lookup, written: string, path: KeyPath): DeviceNode | undefined => {
  const target = written.startsWith("/") ? written : board.aliases.get(written);
  const node = target === undefined ? undefined : board.nodes.get(target);
  if (node === undefined) {
    const known = written.startsWith("/") ? board.topology.masters.map((master) => master.path) : board.aliases.keys();
    const what = written.startsWith("/") ? "node" : "alias";
    findings.error("unknown-device", path, `${file} has no ${what} \`${printable(written)}\`${didYouMean(written, known)}`, "`cofferdam topology` lists a board's devices");
  } else if (!isEnabled(node)) {
    findings.error("device-disabled", path, `${printable(node.path)} is disabled in ${file}`, 'its `status`, or that of a node above it, is not "okay"');
  } else return node;
  return undefined;
};

const isHostBridge = (node: DeviceNode): boolean => isPciBus(node) && !(node.parent !== undefined && isPciBus(node.parent));

/** The host bridge meant by a device without `bridge`: the only one, or the only one with an iommu-map. */
const onlyBridge = ({ file, bridges, findings }: Lookup, path: KeyPath): DeviceNode | undefined => {
  const mapped = bridges.filter((node) => node.properties.has("iommu-map"));
  const candidates = mapped.length > 0 ? mapped : bridges;
  if (candidates.length === 1) return candidates[0];
  if (candidates.length === 0) findings.error("unknown-device", path, `${file} has no enabled PCI host bridge`);
  else {
    const list = candidates.slice(0, 8).map((node) => printable(node.path));
    findings.error("ambiguous-bridge", path, `${file} has ${candidates.length} PCI host bridges`, `add \`bridge:\`, one of ${list.join(", ")}`);
  }
  return undefined;
};

/** Requester ID of `bus:device.function`: bus[15:8], device[7:3], function[2:0] (PCIe Base, "Requester ID"). */
const requesterId = (function_: string): number => {
  const [bus = "", rest = ""] = function_.split(":");
  const [slot = "", number = ""] = rest.split(".");
  return (Number.parseInt(bus, 16) << 8) | (Number.parseInt(slot, 16) << 3) | Number(number);
};

const onBus = (bridge: DeviceNode, rid: number): boolean => {
  const range = bridge.properties.get("bus-range");
  const [first = 0, last = 0xff] = range === undefined ? [] : cellsOf(range);
  return rid >> 8 >= first && rid >> 8 <= last;
};

/** An iommu-map-mask that drops bits gives one stream to every function that differs only in them. */
const warnOfCollapsedRids = ({ board, findings }: Lookup, bridge: DeviceNode, at: string, path: KeyPath): void => {
  const mask = board.topology.maps.find((map) => map.path === bridge.path)?.mask ?? 0xffff_ffff;
  const dropped = ~mask & 0xffff;
  if (dropped !== 0) {
    findings.warning(
      "shared-stream",
      path,
      `${printable(at)} shares its stream with every function whose requester ID differs only in bits ${hex(dropped)}`,
      "the board's iommu-map-mask drops those bits; give all such functions to one component",
    );
  }
};

const findPci = (lookup: Lookup, device: SpecDevice & { readonly pci: string }, path: KeyPath): { at: string; node: DeviceNode; streams: readonly Stream[] } | undefined => {
  const bridge = device.bridge === undefined ? onlyBridge(lookup, path) : nodeNamed(lookup, device.bridge, [...path, "bridge"]);
  if (bridge === undefined) return undefined;
  const { findings, board } = lookup;
  if (!isHostBridge(bridge)) {
    findings.error("unknown-device", [...path, "bridge"], `${printable(bridge.path)} is not a PCI host bridge`);
    return undefined;
  }
  const rid = requesterId(device.pci);
  if (!onBus(bridge, rid)) {
    findings.error("unknown-device", [...path, "pci"], `bus ${hex(rid >> 8)} is outside the bus-range of ${printable(bridge.path)}`);
    return undefined;
  }
  const at = `${bridge.path} ${device.pci.toLowerCase()}`;
  const stream = sidOfPci(board.topology, bridge.path, rid);
  if (stream !== undefined) warnOfCollapsedRids(lookup, bridge, at, path);
  return { at, node: bridge, streams: stream === undefined ? [] : [stream] };
};

const findNode = (lookup: Lookup, written: string, path: KeyPath): { at: string; node: DeviceNode; streams: readonly Stream[] } | undefined => {
  const node = nodeNamed(lookup, written, path);
  if (node === undefined) return undefined;
  if (!node.properties.has("iommu-map")) return { at: node.path, node, streams: lookup.board.topology.masters.find((master) => master.path === node.path)?.streams ?? [] };
  lookup.findings.error("device-is-bridge", path, `${printable(node.path)} is a bridge whose devices have streams of their own`, "name one of its functions with `pci` and `bridge`");
  return undefined;
};

/** Why a stream protects nothing that this version can lay out: id, message and hint, or undefined when it does. */
const objection = (iommu: Iommu | undefined, stream: Stream): { id: string; message: string; hint: string } | undefined => {
  const path = printable(stream.smmu);
  if (iommu === undefined || iommu.kind !== "smmuv3") {
    const kind = iommu?.kind === "smmuv2" ? "an SMMUv1/v2" : `an IOMMU of another kind${iommu === undefined ? "" : ` (${printable(iommu.compatible.join(", "))})`}`;
    return { id: "smmu-kind-unsupported", message: `is behind ${path}, ${kind}`, hint: "a layout can be made for `arm,smmu-v3` only, for now" };
  }
  if (!iommu.enabled) return { id: "device-behind-disabled-smmu", message: `is behind ${path}, which is disabled: nothing would confine its DMA`, hint: "enable the SMMU in the board" };
  if (iommu.reg.length === 0) return { id: "smmu-without-registers", message: `is behind ${path}, whose registers have no CPU address`, hint: "repair `reg` of the SMMU in the board" };
  return undefined;
};

/** The streams that protect; an error, or a warning when the spec accepts it, for each reason why one does not. */
const protectedStreams = (lookup: Lookup, at: string, streams: readonly Stream[], device: SpecDevice, path: KeyPath): readonly ArmStream[] => {
  const { board, findings } = lookup;
  const objections = streams.flatMap((stream) => objection(board.topology.smmus.find((iommu) => iommu.path === stream.smmu), stream) ?? []);
  if (streams.length === 0) objections.push({ id: "device-without-smmu", message: "is behind no SMMU: nothing would confine its DMA", hint: "choose another device" });
  const [first] = objections;
  if (first === undefined) {
    if (device.unprotected !== undefined) findings.warning("needless-unprotected", [...path, "unprotected"], `${printable(at)} is behind an SMMU, and it is used`, "remove `unprotected`");
    return streams as readonly ArmStream[];
  }
  if (device.unprotected === undefined) findings.error(first.id, path, `${printable(at)} ${first.message}`, `${first.hint}; or accept it with \`unprotected: reason\``);
  else findings.warning("unprotected-device", path, `${printable(at)} ${first.message}; accepted: ${printable(device.unprotected)}`, "no verdict about DMA covers this device");
  return [];
};

/** A look-up for devices on a board; what is wrong goes to `findings`, and the answer is then undefined or has no streams. */
export const deviceFinder = ({ file, board }: BoardFile, findings: Findings): FindDevice => {
  const bridges = board.tree.nodes.filter((node) => isHostBridge(node) && isEnabled(node));
  const lookup: Lookup = { file: printable(file), board, findings, bridges };
  return (device, path) => {
    const found =
      device.pci !== undefined
        ? findPci(lookup, { ...device, pci: device.pci }, path)
        : findNode(lookup, device.path ?? device.alias ?? "", [...path, device.path === undefined ? "alias" : "path"]);
    if (found === undefined) return undefined;
    return { at: found.at, node: found.node.path, streams: protectedStreams(lookup, found.at, found.streams, device, path) };
  };
};
