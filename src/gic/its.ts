/**
 * A GICv3 Interrupt Translation Service as its commands define it (IHI 0069 "The Interrupt Translation Service"): which
 * DeviceIDs have an interrupt translation table (ITT), which EventIDs each maps, and where each collection goes. From
 * (DeviceID, EventID) it gives an LPI and a Redistributor, or drops the interrupt.
 *
 * States are immutable. An interrupt here is one that becomes pending at its Redistributor: whether the LPI is enabled
 * there, and its priority, is in tables of the Redistributor's. Virtual LPIs (GICv4) are not modelled, nor is an ITS that
 * names Redistributors by address (GITS_TYPER.PTA=1).
 */
import { FIRST_LPI } from "../../specs/gic/its.ts";
import { hex } from "../base/words.ts";

/** Half-open. */
export interface Range<N extends bigint | number> {
  readonly first: N;
  readonly end: N;
}

/** What an implementation has room for. */
export interface ItsLimits {
  /** DeviceIDs that the device table has room for. */
  readonly deviceIds: readonly Range<number>[];
  /** Most bits of an EventID that a device can be given. */
  readonly eventIdBits: number;
  /** Collections are 0 to this minus one. */
  readonly collections: number;
  /** Processor numbers are 0 to this minus one. */
  readonly redistributors: number;
  /** INTIDs are below 2^intidBits; LPIs begin at 8192. */
  readonly intidBits: number;
  /** Bytes of an interrupt translation entry. */
  readonly ittEntryBytes: number;
}

/** An interrupt translation entry. */
export interface Mapping {
  readonly intid: number;
  readonly icid: number;
}
export interface Device {
  /** Physical address of the ITT. */
  readonly itt: bigint;
  readonly eventIdBits: number;
  readonly events: ReadonlyMap<number, Mapping>;
  /** The ITT was not zero when it was given: what it holds beside `events` is unknown. */
  readonly unclean?: true;
}
export interface ItsState {
  /** GITS_CTLR.Enabled. */
  readonly enabled: boolean;
  readonly limits: ItsLimits;
  readonly devices: ReadonlyMap<number, Device>;
  /** Processor number of each mapped collection. */
  readonly collections: ReadonlyMap<number, number>;
  /** Memory that served as an ITT and was not zeroed since. */
  readonly usedMemory: readonly Range<bigint>[];
}

/** A device's signal: DeviceID from the bus, EventID from the data. */
export interface Signal {
  readonly deviceId: number;
  readonly eventId: number;
}
export type Delivery =
  | { readonly result: "interrupt"; readonly intid: number; /** Processor number. */ readonly target: number }
  | { readonly result: "dropped"; readonly why: string }
  /** The architecture says nothing: software broke a rule that it had to keep. */
  | { readonly result: "unspecified"; readonly why: string };

/** What QEMU's `virt` has room for, with all of its tables there. */
export const qemuVirtLimits: ItsLimits = {
  deviceIds: [{ first: 0, end: 2 ** 16 }],
  eventIdBits: 16,
  collections: 2 ** 16,
  redistributors: 1,
  intidBits: 16,
  ittEntryBytes: 12,
};

/** After reset, with tables of zeros given. */
export const emptyIts = (limits: ItsLimits, enabled = true): ItsState => ({ enabled, limits, devices: new Map(), collections: new Map(), usedMemory: [] });

export const isLpi = ({ intidBits }: ItsLimits, intid: number): boolean => intid >= FIRST_LPI && intid < 2 ** intidBits;
export const hasRoomFor = ({ deviceIds }: ItsLimits, deviceId: number): boolean => deviceIds.some(({ first, end }) => deviceId >= first && deviceId < end);

/** The memory of an ITT: 2^eventIdBits entries. */
export const ittRange = ({ ittEntryBytes }: ItsLimits, { itt, eventIdBits }: Pick<Device, "itt" | "eventIdBits">): Range<bigint> => ({
  first: itt,
  end: itt + (BigInt(ittEntryBytes) << BigInt(eventIdBits)),
});
export const overlap = (a: Range<bigint>, b: Range<bigint>): boolean => a.first < b.end && b.first < a.end;

/** Another device whose ITT shares memory with this range. */
export const neighbourIn = ({ devices, limits }: ItsState, deviceId: number, range: Range<bigint>): number | undefined => {
  for (const [other, device] of devices) if (other !== deviceId && overlap(range, ittRange(limits, device))) return other;
  return undefined;
};

const dropped = (why: string): Delivery => ({ result: "dropped", why });
const unspecified = (why: string): Delivery => ({ result: "unspecified", why });

/** What becomes of a signal, by the checks in their order: device, EventID, mapping, collection. */
export const deliver = (state: ItsState, { deviceId, eventId }: Signal): Delivery => {
  if (!state.enabled) return dropped("the ITS is not enabled");
  const device = state.devices.get(deviceId);
  if (device === undefined) return dropped(`DeviceID ${hex(deviceId)} has no interrupt translation table`);
  if (eventId >= 2 ** device.eventIdBits) return dropped(`EventID ${eventId} is beyond the ${2 ** device.eventIdBits} of DeviceID ${hex(deviceId)}`);
  const neighbour = neighbourIn(state, deviceId, ittRange(state.limits, device));
  if (neighbour !== undefined) return unspecified(`the interrupt translation tables of DeviceIDs ${hex(deviceId)} and ${hex(neighbour)} overlap`);
  const mapping = device.events.get(eventId);
  if (mapping === undefined && device.unclean) return unspecified(`the interrupt translation table of DeviceID ${hex(deviceId)} was not zero when it was given`);
  if (mapping === undefined) return dropped(`EventID ${eventId} of DeviceID ${hex(deviceId)} is not mapped`);
  const target = state.collections.get(mapping.icid);
  return target === undefined ? dropped(`collection ${mapping.icid} has no Redistributor`) : { result: "interrupt", intid: mapping.intid, target };
};

/** What is left of ranges when `cut` is taken out of them. */
export const without = (ranges: readonly Range<bigint>[], cut: Range<bigint>): Range<bigint>[] =>
  ranges.flatMap((range) => (overlap(range, cut) ? [{ first: range.first, end: cut.first }, { first: cut.end, end: range.end }].filter(({ first, end }) => first < end) : [range]));

/** Software zeroed memory. What a device still uses as its ITT stays used. */
export const zeroed = (state: ItsState, range: Range<bigint>): ItsState => {
  const inUse = [...state.devices.values()].map((device) => ittRange(state.limits, device));
  return { ...state, usedMemory: [...without(state.usedMemory, range), ...inUse.filter((itt) => overlap(itt, range))] };
};

/**
 * Devices whose ITT overlaps one that begins before it, each with such a device: a rule that software must keep, for
 * either could change what the other maps.
 */
export const overlappingTables = (state: ItsState): (readonly [number, number])[] => {
  const tables = [...state.devices].map(([deviceId, device]) => ({ deviceId, ...ittRange(state.limits, device) }));
  const pairs: (readonly [number, number])[] = [];
  let longest: (typeof tables)[number] | undefined;
  for (const table of tables.toSorted((a, b) => (a.first < b.first ? -1 : a.first > b.first ? 1 : a.deviceId - b.deviceId))) {
    if (longest !== undefined && table.first < longest.end) pairs.push([longest.deviceId, table.deviceId]);
    if (longest === undefined || table.end > longest.end) longest = table;
  }
  return pairs;
};

/** LPIs that more than one device can signal, and which devices: through the ITS each can pose as the other. */
export const sharedInterrupts = ({ devices }: ItsState): ReadonlyMap<number, readonly number[]> => {
  const signalledBy = new Map<number, Set<number>>();
  for (const [deviceId, { events }] of devices)
    for (const { intid } of events.values()) signalledBy.set(intid, (signalledBy.get(intid) ?? new Set()).add(deviceId));
  return new Map([...signalledBy].filter(([, by]) => by.size > 1).map(([intid, by]) => [intid, [...by]]));
};
