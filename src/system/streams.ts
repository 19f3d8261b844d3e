/** The devices of a spec, their streams with one owner each, the SMMUs these stand behind, and the context banks. */
import { printable } from "../base/diagnostic.ts";
import { hex, pa, streamId, type Pa, type StreamId } from "../base/words.ts";
import type { Board } from "../firmware/board.ts";
import { reachOf } from "../firmware/iommuMap.ts";
import type { ArmStream } from "../firmware/masters.ts";
import type { Topology } from "../firmware/topology.ts";
import type { FindDevice, FoundDevice } from "./devices.ts";
import type { Naming } from "./naming.ts";
import { keyPathText, type KeyPath } from "./place.ts";

export interface ResolvedSmmu {
  readonly path: string;
  /** CPU address of its first register range. */
  readonly base: Pa;
  /** Bits of the largest StreamID that any device of the board presents to it. */
  readonly log2Size: number;
}

export interface ResolvedDevice {
  /** `component.device`. */
  readonly name: string;
  readonly owner: number;
  readonly at: string;
  /** Path of its node, or of its bridge. */
  readonly node: string;
  readonly sids: readonly number[];
  readonly unprotected?: string;
  readonly path: KeyPath;
}

export interface ResolvedSid {
  /** `component.device`, with `.number` when the device has several streams. */
  readonly name: string;
  readonly smmu: number;
  readonly sid: StreamId;
  readonly owner: number;
  readonly devices: readonly number[];
}

export interface ResolvedCb {
  readonly name: string;
  readonly smmu: number;
  /** From 0 on each SMMU. */
  readonly number: number;
  readonly owner: number;
  /** Streams that are meant to be bound to it. */
  readonly sids: readonly number[];
}

export interface ResolvedStreams {
  readonly smmus: readonly ResolvedSmmu[];
  readonly devices: readonly ResolvedDevice[];
  readonly sids: readonly ResolvedSid[];
  readonly cbs: readonly ResolvedCb[];
  /** Components with a device that was refused: what they lack because of that is not reported again. */
  readonly refused: ReadonlySet<number>;
}

/** VMID = context bank + 1 in 8 bits, which every SMMUv3 has (IHI 0070 "SMMU_IDR0.VMID16"). */
export const CONTEXT_BANKS_LIMIT = 255;
/** Largest linear stream table: 2^20 entries of 64 bytes are 64 MiB. */
export const LOG2SIZE_LIMIT = 20;
/** StreamID bits of QEMU's SMMUv3 and of many others (IHI 0070 "SMMU_IDR1.SIDSIZE"). */
const COMMON_SIDSIZE = 16;

/** A stream while its users are collected. */
interface Claim {
  readonly stream: ArmStream;
  readonly owner: number;
  readonly devices: number[];
  readonly name: string;
}

const streamKey = ({ smmu, sid }: ArmStream): string => `${sid} ${smmu}`;

/** Distinct streams of a device; a board may list one twice. */
const distinct = (streams: readonly ArmStream[]): readonly ArmStream[] => [...new Map(streams.map((stream) => [streamKey(stream), stream])).values()];

interface Collected {
  readonly devices: (Omit<ResolvedDevice, "sids"> & { readonly streams: readonly ArmStream[] })[];
  /** In the order of first use; an index into it is a sid's index. */
  readonly claims: Map<string, Claim>;
}

/** Gives each stream of `device` to `owner`; a stream that another component has is an error that names both. */
const claim = ({ findings }: Naming, { devices, claims }: Collected, index: number): void => {
  const device = devices[index]!;
  const several = device.streams.length > 1;
  for (const [position, stream] of device.streams.entries()) {
    const key = streamKey(stream);
    const taken = claims.get(key);
    if (taken === undefined) {
      claims.set(key, { stream, owner: device.owner, devices: [index], name: several ? `${device.name}.${position}` : device.name });
    } else if (taken.owner === device.owner) taken.devices.push(index);
    else {
      const other = devices[taken.devices[0]!]!;
      const same = other.at === device.at ? ` (both are ${printable(device.at)})` : "";
      findings.error(
        "stream-two-owners",
        device.path,
        `\`${other.name}\` and \`${device.name}\` both use stream ${hex(stream.sid)} of ${printable(stream.smmu)}${same}, and an SMMU cannot tell them apart`,
        `give both to one component, or remove one (the other is at ${keyPathText(other.path)})`,
      );
    }
  }
};

const collectDevice = (naming: Naming, collected: Collected, found: FoundDevice, path: KeyPath, owner: number, unprotected: string | undefined): void => {
  const name = `${path[1]}.${path[3]}`;
  const twin = collected.devices.find((other) => other.at === found.at);
  if (twin !== undefined && (twin.owner === owner || found.streams.length === 0)) {
    return naming.findings.error("duplicate-device", path, `\`${twin.name}\` and \`${name}\` are the same device, ${printable(found.at)}`, "remove one");
  }
  const reason = found.streams.length === 0 && unprotected !== undefined ? { unprotected } : {};
  collected.devices.push({ name, owner, at: found.at, node: found.node, path, streams: distinct(found.streams), ...reason });
  claim(naming, collected, collected.devices.length - 1);
};

/** Devices of the board that the spec does not name, and that use a stream which it hands out. */
const warnOfUnnamedUsers = ({ findings }: Naming, { devices, claims }: Collected, { shared }: Topology): void => {
  const named = new Set(devices.map((device) => device.node));
  for (const { sid, smmu, masters } of shared) {
    const taken = claims.get(streamKey({ sid, smmu, mask: 0 }));
    const others = masters.filter((path) => !named.has(path));
    if (taken === undefined || others.length === 0) continue;
    const device = devices[taken.devices[0]!]!;
    findings.warning("shared-stream", device.path, `stream ${hex(sid)} of \`${device.name}\` is also used by ${others.map(printable).join(", ")}`, "whoever controls that device does DMA as this one");
  }
};

/** The largest StreamID that any master or bus of the board presents to the SMMU. */
const largestStream = ({ masters, maps }: Topology, smmu: string): number => {
  let largest = 0;
  for (const { streams } of masters) for (const stream of streams) if (stream.smmu === smmu) largest = Math.max(largest, stream.sid ?? 0);
  for (const { mask, entries } of maps) {
    for (const entry of entries) {
      const reach = reachOf(entry, mask);
      if (entry.smmu === smmu && reach > 0) largest = Math.max(largest, (entry.sidBase ?? 0) + reach - 1);
    }
  }
  return largest;
};

const resolveSmmu = ({ findings }: Naming, { topology }: Board, path: string, device: KeyPath): ResolvedSmmu => {
  const largest = largestStream(topology, path);
  const log2Size = largest.toString(2).length;
  const streams = `streams of ${printable(path)} go up to ${hex(largest)}, which takes ${log2Size} bits`;
  if (log2Size > LOG2SIZE_LIMIT) {
    findings.error("stream-table-too-large", device, `${streams}; a linear stream table of at most 2^${LOG2SIZE_LIMIT} entries can be laid out, for now`);
  } else if (log2Size > COMMON_SIDSIZE) {
    findings.warning("sid-exceeds-sidsize", device, `${streams}; many SMMUs, QEMU's among them, have ${COMMON_SIDSIZE}`, "compare with SMMU_IDR1.SIDSIZE of the machine");
  }
  const register = topology.smmus.find((smmu) => smmu.path === path)?.reg[0];
  return { path, base: pa(register?.base ?? 0n), log2Size };
};

/** Context banks of one component: one for each SMMU that its streams are behind, or one for each stream. */
const banksOf = (sids: readonly ResolvedSid[], owner: number, name: string, perStream: boolean): readonly Omit<ResolvedCb, "number">[] => {
  const own = [...sids.entries()].filter(([, sid]) => sid.owner === owner);
  if (perStream) return own.map(([index, sid]) => ({ name: `${sid.name}.cb`, smmu: sid.smmu, owner, sids: [index] }));
  const bySmmu = [...Map.groupBy(own, ([, sid]) => sid.smmu)];
  return bySmmu.map(([smmu, list], position) => ({
    name: bySmmu.length > 1 ? `${name}.cb.${position}` : `${name}.cb`,
    smmu,
    owner,
    sids: list.map(([index]) => index),
  }));
};

const numberBanks = (naming: Naming, banks: readonly Omit<ResolvedCb, "number">[], smmus: readonly ResolvedSmmu[]): readonly ResolvedCb[] => {
  const next = smmus.map(() => 0);
  const numbered = banks.map((bank): ResolvedCb => {
    const number = next[bank.smmu]!;
    next[bank.smmu] = number + 1;
    return { ...bank, number };
  });
  for (const [smmu, count] of next.entries()) {
    if (count > CONTEXT_BANKS_LIMIT) {
      naming.findings.errorAtKey(
        "too-many-context-banks",
        ["components"],
        `${count} context banks are needed on ${printable(smmus[smmu]!.path)}; at most ${CONTEXT_BANKS_LIMIT} have a VMID of 8 bits`,
        "use `cb: shared`, or fewer components",
      );
    }
  }
  return numbered;
};

/** Devices, streams, SMMUs and context banks of the whole spec, in the spec's order. */
export const resolveStreams = (naming: Naming, board: Board, find: FindDevice): ResolvedStreams => {
  const collected: Collected = { devices: [], claims: new Map() };
  const refused = new Set<number>();
  const components = Object.entries(naming.spec.components);
  for (const [owner, [component, { devices = {} }]] of components.entries()) {
    for (const [device, written] of Object.entries(devices)) {
      const path: KeyPath = ["components", component, "devices", device];
      const found = find(written, path);
      if (found === undefined || (found.streams.length === 0 && written.unprotected === undefined)) refused.add(owner);
      if (found !== undefined) collectDevice(naming, collected, found, path, owner, written.unprotected);
    }
  }
  warnOfUnnamedUsers(naming, collected, board.topology);
  const claims = [...collected.claims.values()];
  const paths = [...new Set(claims.map(({ stream }) => stream.smmu))];
  const smmus = paths.map((path) => resolveSmmu(naming, board, path, collected.devices[claims.find(({ stream }) => stream.smmu === path)!.devices[0]!]!.path));
  const sids = claims.map(({ stream, owner, devices, name }): ResolvedSid => ({ name, smmu: paths.indexOf(stream.smmu), sid: streamId(stream.sid), owner, devices }));
  const banks = components.flatMap(([name, { cb }], owner) => banksOf(sids, owner, name, cb === "per-stream"));
  const devices = collected.devices.map(({ streams, ...device }, index): ResolvedDevice => ({ ...device, sids: [...sids.keys()].filter((sid) => sids[sid]!.devices.includes(index) && streams.length > 0) }));
  return { smmus, devices, sids, cbs: numberBanks(naming, banks, smmus), refused };
};
