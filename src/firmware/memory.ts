/** Which physical memory a system may use: what the memory nodes give, less what the board keeps for itself. */
import type { AddressRange, DeviceNode, DeviceTree } from "./deviceTree.ts";
import { busRanges } from "./addresses.ts";
import { isEnabled, strings } from "./properties.ts";

const TOP = 1n << 64n;

/** Sorted, without empty ranges, those that touch or overlap joined; ends are clipped at 2^64. */
const merged = (ranges: readonly AddressRange[]): AddressRange[] => {
  const joined: { base: bigint; size: bigint }[] = [];
  const sorted = ranges.filter((range) => range.size > 0n).toSorted((a, b) => (a.base < b.base ? -1 : a.base > b.base ? 1 : 0));
  for (const { base, size } of sorted) {
    const end = base + size > TOP ? TOP : base + size;
    const last = joined.at(-1);
    if (last === undefined || base > last.base + last.size) joined.push({ base, size: end - base });
    else if (end > last.base + last.size) last.size = end - last.base;
  }
  return joined;
};

/** The parts of `ranges` outside `holes`; both merged. */
const without = (ranges: readonly AddressRange[], holes: readonly AddressRange[]): AddressRange[] => {
  const rest: AddressRange[] = [];
  let next = 0;
  for (const range of ranges) {
    const end = range.base + range.size;
    let at = range.base;
    while (next < holes.length && holes[next]!.base + holes[next]!.size <= at) next += 1;
    for (let i = next; i < holes.length && holes[i]!.base < end; i += 1) {
      const hole = holes[i]!;
      if (hole.base > at) rest.push({ base: at, size: hole.base - at });
      at = hole.base + hole.size;
    }
    if (at < end) rest.push({ base: at, size: end - at });
  }
  return rest;
};

/** Memory nodes as Linux finds them (`early_init_dt_scan_memory`): enabled children of the root of that device_type. */
const isMemory = (node: DeviceNode): boolean => strings(node, "device_type")[0] === "memory" && isEnabled(node);

/**
 * What the tree keeps from general use: /reserved-memory with fixed addresses, and the memory reservation block. Both
 * are addresses of the root bus (reserved-memory.yaml: `ranges` is empty), and are kept even where `ranges` is missing.
 */
export const reservedRanges = (tree: DeviceTree): AddressRange[] => {
  const reserved = tree.root.children.find((node) => node.name === "reserved-memory")?.children ?? [];
  const fixed = reserved.filter(isEnabled).flatMap((node) => busRanges(node));
  return merged([...tree.reservations, ...fixed]);
};

/**
 * RAM that the tree leaves free, sorted and disjoint, in bytes (not rounded to pages). Reservations without an address
 * (`size` alone) are for an operating system to place and are not taken out.
 */
export const memoryRanges = (tree: DeviceTree): AddressRange[] =>
  without(merged(tree.root.children.filter(isMemory).flatMap((node) => busRanges(node))), reservedRanges(tree));
