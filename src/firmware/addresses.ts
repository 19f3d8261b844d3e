/** From `reg` to CPU addresses, bus by bus, as Linux does it (`drivers/of/address.c`; Devicetree Specification §2.3). */
import { hex } from "../base/words.ts";
import type { AddressRange, DeviceNode } from "./deviceTree.ts";
import { cell, cellsOf, isPciBus, wideNumber } from "./properties.ts";

/** Linux's OF_MAX_ADDR_CELLS: a wider address is refused. */
const MAX_CELLS = 4;
/** `reg` entries of one node that are carried to CPU addresses; IOMMUs of known boards have one or two. */
const MAX_REGISTERS = 16;
/** `ranges` entries of one bus that are looked at; the largest known property has 1176 bytes. */
const MAX_WINDOWS = 256;

/**
 * Cells of an address (or size) on the bus that `bus` is. Linux climbs to the nearest ancestor that says it and ends
 * at 1 (`of_bus_n_addr_cells`); the specification would not climb, and end at 2 and 1.
 */
const busCells = (bus: DeviceNode, name: "#address-cells" | "#size-cells"): number => {
  for (let at: DeviceNode | undefined = bus; at !== undefined; at = at.parent) {
    const count = cell(at, name);
    if (count !== undefined) return count;
  }
  return 1;
};

export const addressCells = (bus: DeviceNode): number => busCells(bus, "#address-cells");
export const sizeCells = (bus: DeviceNode): number => busCells(bus, "#size-cells");

const fits = (count: number): boolean => count >= 1 && count <= MAX_CELLS;

/** What a PCI address's first cell says it is in: configuration space, I/O or memory (`of_bus_pci_get_flags`). */
const pciSpace = (firstCell: number): "config" | "io" | "memory" => {
  const code = (firstCell >>> 24) & 3;
  return code === 0 ? "config" : code === 1 ? "io" : "memory";
};

/** An address on some bus: its number, and on PCI which space it is in. */
interface BusAddress {
  readonly value: bigint;
  readonly space: string;
}

const busAddress = (bus: DeviceNode, cells: readonly number[], from: number, count: number): BusAddress =>
  isPciBus(bus) && count === 3
    ? { value: wideNumber(cells, from + 1, 2), space: pciSpace(cells[from]!) }
    : { value: BigInt.asUintN(64, wideNumber(cells, from, count)), space: "" };

/** One entry of `ranges`: addresses [from, from + size) of the bus are [to, to + size) of the bus above. */
interface Window {
  readonly from: BusAddress;
  readonly to: BusAddress;
  readonly size: bigint;
}

const readWindows = (bus: DeviceNode, above: DeviceNode, ranges: Uint8Array): Window[] => {
  const [child, parent, size] = [addressCells(bus), addressCells(above), sizeCells(bus)];
  if (!fits(child) || !fits(parent) || size > MAX_CELLS) return [];
  const stride = child + parent + size;
  const cells = cellsOf(ranges.subarray(0, MAX_WINDOWS * stride * 4));
  return Array.from({ length: Math.floor(cells.length / stride) }, (_, i) => ({
    from: busAddress(bus, cells, i * stride, child),
    to: busAddress(above, cells, i * stride + child, parent),
    size: wideNumber(cells, i * stride + child + parent, size),
  }));
};

/** Read once a bus: a tree may send many registers through the same deep chain of buses. */
const windowsOfBus = new WeakMap<DeviceNode, Window[]>();
const windowsOf = (bus: DeviceNode, above: DeviceNode, ranges: Uint8Array): Window[] => {
  const known = windowsOfBus.get(bus);
  if (known !== undefined) return known;
  const windows = readWindows(bus, above, ranges);
  windowsOfBus.set(bus, windows);
  return windows;
};

/** `address` of the bus that `bus` is, as an address of the bus above it; undefined when no range of `bus` has it. */
const throughRanges = (bus: DeviceNode, above: DeviceNode, address: BusAddress): BusAddress | undefined => {
  const ranges = bus.properties.get("ranges");
  if (ranges === undefined) return undefined;
  if (ranges.length === 0) return { value: address.value, space: isPciBus(above) ? address.space : "" };
  const has = ({ from, size }: Window): boolean => from.space === address.space && address.value >= from.value && address.value - from.value < size;
  const window = windowsOf(bus, above, ranges).find(has);
  return window && { value: BigInt.asUintN(64, window.to.value + address.value - window.from.value), space: window.to.space };
};

const toCpu = (node: DeviceNode, address: BusAddress): bigint | undefined => {
  let at: BusAddress | undefined = address;
  for (let bus = node.parent; bus?.parent !== undefined; bus = bus.parent) {
    at = throughRanges(bus, bus.parent, at);
    if (at === undefined) return undefined;
  }
  return at.value;
};

interface RegisterEntry {
  readonly address: BusAddress;
  readonly size: bigint;
}
interface RegisterEntries {
  readonly entries: readonly RegisterEntry[];
  /** One sentence a fault. */
  readonly faults: readonly string[];
}

const registerEntries = (node: DeviceNode): RegisterEntries => {
  const reg = node.properties.get("reg");
  const bus = node.parent;
  if (reg === undefined || bus === undefined) return { entries: [], faults: [] };
  const [na, ns] = [addressCells(bus), sizeCells(bus)];
  if (!fits(na) || !fits(ns)) return { entries: [], faults: [`its bus has ${na} address and ${ns} size cells, so reg is no memory range`] };
  const stride = na + ns;
  const cells = cellsOf(reg);
  const entries = Array.from({ length: Math.floor(cells.length / stride) }, (_, i) => ({
    address: busAddress(bus, cells, i * stride, na),
    size: BigInt.asUintN(64, wideNumber(cells, i * stride + na, ns)),
  }));
  return { entries, faults: reg.length % (stride * 4) === 0 ? [] : [`reg has ${reg.length} bytes, not a multiple of ${stride * 4}`] };
};

/** The node's `reg` as addresses of its own bus, untranslated. */
export const busRanges = (node: DeviceNode): AddressRange[] =>
  registerEntries(node).entries.map(({ address, size }) => ({ base: address.value, size }));

export interface RegisterRanges {
  /** CPU addresses, in the property's order; entries that the CPU cannot address are left out. */
  readonly ranges: readonly AddressRange[];
  /** One sentence a fault. */
  readonly faults: readonly string[];
}

/** The node's `reg`, each entry carried through every `ranges` above it to a CPU address. */
export const registerRanges = (node: DeviceNode): RegisterRanges => {
  const { entries, faults: found } = registerEntries(node);
  const faults = [...found];
  if (entries.length > MAX_REGISTERS) faults.push(`reg has ${entries.length} entries; the first ${MAX_REGISTERS} are read, the limit of this reader`);
  const ranges: AddressRange[] = [];
  for (const { address, size } of entries.slice(0, MAX_REGISTERS)) {
    const base = toCpu(node, address);
    if (base !== undefined) ranges.push({ base, size });
    else faults.push(`reg address ${hex(address.value)} has no CPU address: one of the buses above has no range for it`);
  }
  return { ranges, faults };
};
