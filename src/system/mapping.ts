/** Where devices see memory: the IOVA of every mapped region, and the page tables that those addresses need. */
import { iova, type Iova } from "../base/words.ts";
import { frameLevel } from "./frameSize.ts";
import type { FrameRights } from "./layout.ts";
import { alignUp, byBase, endOf, overlaps, type Range } from "./ranges.ts";
import type { Resolved, ResolvedComponent } from "./resolve.ts";

/** A region in an address space: its frames follow each other from `base`. */
export interface Mapping {
  readonly region: number;
  readonly base: Iova;
  readonly access: FrameRights;
}

/** A table of a 44-bit, four-level, 4 KiB stage 2 below the root: `base` is the first IOVA that it covers. */
export interface Table {
  readonly level: 1 | 2 | 3;
  readonly base: Iova;
}

export interface AddressSpace {
  /** In the order of the owner's `holds`. */
  readonly mappings: readonly Mapping[];
  /** By level, then by address. */
  readonly tables: readonly Table[];
}

/** First IOVA given out: past the low addresses where a null pointer of a device would land. */
const DRIVER_BASE = 0x1000_0000n;
/** A guest finds its RAM where QEMU's `virt` machine has it. */
const VM_BASE = 0x4000_0000n;

/** Bytes that a whole table covers, by its level (IHI 0070 stage 2; DDI 0487 "VMSAv8-64 translation", 4 KiB granule). */
const COVERAGE = [
  [1, 1n << 39n],
  [2, 1n << 30n],
  [3, 1n << 21n],
] as const;

/** The lowest multiple of `alignment` from `start` on where `size` bytes meet none of `taken`. */
const nextFree = (taken: readonly Range[], start: bigint, size: bigint, alignment: bigint): bigint => {
  let base = alignUp(start, alignment);
  for (const range of taken.toSorted(byBase)) if (overlaps({ base, size }, range)) base = alignUp(endOf(range), alignment);
  return base;
};

/** Tables below the root that map `size` bytes at `base` in frames of `frames` bytes: none below the level of the frame. */
export const tablesFor = (base: bigint, size: bigint, frames: bigint): readonly Table[] =>
  COVERAGE.flatMap(([level, bytes]) => {
    const tables: Table[] = [];
    if (level > frameLevel(frames)) return tables;
    for (let at = base - (base % bytes); at < base + size; at += bytes) tables.push({ level, base: iova(at) });
    return tables;
  });

const mappingsOf = ({ regions }: Resolved, component: ResolvedComponent): readonly Mapping[] => {
  const mapped = component.holds.filter((hold) => hold.kind === "region" && hold.map).filter((hold) => hold.kind === "region");
  const taken: Range[] = mapped.flatMap((hold) => (hold.iova === undefined ? [] : [{ base: hold.iova, size: regions[hold.region]!.size }]));
  return mapped.map(({ region, access, iova: written }) => {
    const { size, frames } = regions[region]!;
    const base = written ?? nextFree(taken, component.kind === "vm" ? VM_BASE : DRIVER_BASE, size, frames);
    if (written === undefined) taken.push({ base, size });
    return { region, base: iova(base), access };
  });
};

const compare = (a: bigint, b: bigint): number => (a < b ? -1 : Number(a > b));

const tablesOf = ({ regions }: Resolved, mappings: readonly Mapping[]): readonly Table[] => {
  const tables = new Map<string, Table>();
  for (const { base, region } of mappings) {
    for (const table of tablesFor(base, regions[region]!.size, regions[region]!.frames)) tables.set(`${table.level} ${table.base}`, table);
  }
  return [...tables.values()].toSorted((a, b) => a.level - b.level || compare(a.base, b.base));
};

/** One address space for each entry of `resolved.vspaces`. */
export const mapAddressSpaces = (resolved: Resolved): readonly AddressSpace[] =>
  resolved.vspaces.map((owner) => {
    const mappings = mappingsOf(resolved, resolved.components[owner]!);
    return { mappings, tables: tablesOf(resolved, mappings) };
  });
