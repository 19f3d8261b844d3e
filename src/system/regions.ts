/** Regions of a spec, and the physical memory that they may lie in. */
import { printable } from "../base/diagnostic.ts";
import { hex, PAGE_BYTES } from "../base/words.ts";
import type { BoardFile } from "./devices.ts";
import { frameSizeBytes } from "./frameSize.ts";
import type { FrameRights } from "./layout.ts";
import { componentNamed, type Naming } from "./naming.ts";
import type { KeyPath } from "./place.ts";
import { alignUp, byBase, contains, endOf, isPowerOfTwo, overlaps, rangeText, sizeText, wholePages, type Range } from "./ranges.ts";
import type { SpecRegion } from "./spec.ts";

export interface ResolvedRegion {
  readonly name: string;
  readonly kind: "memory" | "untyped";
  readonly owner: number;
  /** Absent: allocate places it. */
  readonly base: bigint | undefined;
  readonly size: bigint;
  /** Bytes of one frame of `memory`. */
  readonly frames: bigint;
  readonly shares: readonly { readonly with: number; readonly access: FrameRights }[];
  readonly path: KeyPath;
}

/** Output of a 44-bit stage 2. */
export const PA_LIMIT = 1n << 44n;
/** The default memory starts at a multiple of this, where a 2 MiB block could be mapped. */
const BLOCK_BYTES = 1n << 21n;

/** Names that the layout gives to regions of its own, and words that `holds` gives a meaning. */
const isReserved = (name: string): boolean => /^(objects|stream-table(-\d+)?|tables|sid-control|cb-control)$/u.test(name);

const ramText = (ram: readonly Range[]): string => {
  const listed = ram.slice(0, 6).map(rangeText).join(", ");
  return ram.length === 0 ? "none" : `${listed}${ram.length > 6 ? `, and ${ram.length - 6} more` : ""}`;
};

/** The upper half of the largest usable range: kernels and boot loaders of small boards sit at the bottom. */
const defaultMemory = (ram: readonly Range[]): Range | undefined => {
  const largest = ram.toSorted((a, b) => (b.size > a.size ? 1 : b.size < a.size ? -1 : 0))[0];
  if (largest === undefined) return undefined;
  const middle = alignUp(largest.base + largest.size / 2n, BLOCK_BYTES);
  const base = middle < endOf(largest) ? middle : largest.base;
  return { base, size: endOf(largest) - base };
};

const misaligned = (value: bigint): boolean => value % PAGE_BYTES !== 0n;
const piecesText = (frames: bigint): string => (frames === PAGE_BYTES ? "4 KiB pages" : `${sizeText(frames)} frames`);

const checkMemory = ({ findings }: Naming, memory: Range, ram: readonly Range[]): void => {
  const path: KeyPath = ["memory"];
  if (misaligned(memory.base) || misaligned(memory.size) || memory.size === 0n) {
    findings.error("memory-misaligned", path, `\`memory\` ${rangeText(memory)} is not a whole number of 4 KiB pages`, "align `base` and `size` to 4KiB");
  } else if (!ram.some((range) => contains(range, memory))) {
    findings.error("memory-outside-ram", path, `\`memory\` ${rangeText(memory)} is not inside usable RAM`, `usable RAM of the board, without its reservations: ${ramText(ram)}`);
  }
};

/** Usable RAM of the board in whole pages, and the part of it that the layout may fill. */
export const resolveMemory = (naming: Naming, { file, board }: BoardFile): { readonly ram: readonly Range[]; readonly memory: Range | undefined } => {
  const ram = board.memory.flatMap((range) => wholePages(range, PA_LIMIT) ?? []).toSorted(byBase);
  const memory = naming.spec.memory ?? defaultMemory(ram);
  if (memory === undefined) naming.findings.error("no-ram", ["board"], `${printable(file)} has no usable RAM below ${hex(PA_LIMIT)}`, "its /memory nodes are absent, or reserved as a whole");
  else if (naming.spec.memory !== undefined) checkMemory(naming, memory, ram);
  return { ram, memory };
};

const checkSize = ({ findings }: Naming, region: ResolvedRegion): boolean => {
  const at = [...region.path, "size"];
  if (region.size === 0n || region.size % region.frames !== 0n) {
    findings.error("region-misaligned", at, `the size of \`${region.name}\`, ${hex(region.size)}, is not a whole number of ${piecesText(region.frames)}`, `the next one is ${sizeText(alignUp(region.size + (region.size === 0n ? 1n : 0n), region.frames))}`);
    return false;
  }
  if (region.kind === "untyped" && !isPowerOfTwo(region.size)) {
    findings.error("untyped-size", at, `an untyped is a power of two in size; \`${region.name}\` has ${sizeText(region.size)}`, `use ${sizeText(1n << BigInt(region.size.toString(2).length))}, or split it into two regions`);
    return false;
  }
  return true;
};

/** What a region's base is a multiple of: an untyped is aligned to its size, memory to its frames. */
export const alignmentOf = ({ kind, size, frames }: ResolvedRegion): bigint => (kind === "untyped" ? size : frames);

/** Whether a region with a base lies where it may. */
const checkBase = ({ findings }: Naming, region: ResolvedRegion, base: bigint, ram: readonly Range[]): boolean => {
  const alignment = alignmentOf(region);
  const at = [...region.path, "base"];
  if (base % alignment !== 0n) {
    findings.error("region-misaligned", at, `the base of \`${region.name}\`, ${hex(base)}, is not a multiple of ${sizeText(alignment)}`, `the next one is ${hex(alignUp(base, alignment))}`);
    return false;
  }
  if (ram.some((range) => contains(range, { base, size: region.size }))) return true;
  findings.error("region-outside-ram", at, `\`${region.name}\` ${rangeText({ base, size: region.size })} is not inside usable RAM`, `usable RAM of the board, without its reservations: ${ramText(ram)}`);
  return false;
};

const sharesOf = (naming: Naming, { owner, share = [] }: SpecRegion, path: KeyPath): ResolvedRegion["shares"] => {
  const seen = new Set<string>();
  return share.flatMap(({ with: name, access }, index) => {
    const at = [...path, "share", index, "with"];
    const component = componentNamed(naming, name, at);
    if (name === owner) naming.findings.error("share-with-self", at, `\`${name}\` owns the region already`, "a share names another component");
    else if (seen.has(name)) naming.findings.error("duplicate-share", at, `the region is shared with \`${name}\` twice`, "keep one");
    seen.add(name);
    return component === undefined ? [] : [{ with: component, access }];
  });
};

const resolveRegion = (naming: Naming, name: string, written: SpecRegion, ram: readonly Range[]): ResolvedRegion => {
  const path: KeyPath = ["regions", name];
  if (isReserved(name)) naming.findings.errorAtKey("reserved-name", path, `\`${name}\` has a meaning of its own in a layout`, "choose another name");
  const owner = componentNamed(naming, written.owner, [...path, "owner"]) ?? 0;
  const frames = frameSizeBytes(written.frames ?? "4KiB");
  const region: ResolvedRegion = { name, kind: written.kind ?? "memory", owner, base: written.base, size: written.size, frames, shares: sharesOf(naming, written, path), path };
  if (checkSize(naming, region) && written.base !== undefined) checkBase(naming, region, written.base, ram);
  return region;
};

/** Regions with a base must not overlap; each is compared with the one before it that reaches furthest. */
const checkOverlaps = ({ findings }: Naming, regions: readonly ResolvedRegion[]): void => {
  const placed = regions.flatMap((region) => (region.base === undefined ? [] : [{ region, base: region.base, size: region.size }])).toSorted(byBase);
  let furthest = placed[0];
  for (const next of placed.slice(1)) {
    if (furthest !== undefined && overlaps(furthest, next)) {
      const [a, b] = [furthest, next].map(({ region, base, size }) => `\`${region.name}\` ${rangeText({ base, size })}`);
      findings.error("region-overlap", [...next.region.path, "base"], `${a} and ${b} overlap`, "move one, or leave out its base");
    }
    if (furthest === undefined || endOf(next) > endOf(furthest)) furthest = next;
  }
};

/** All regions of the spec, checked against each other and against `ram`. */
export const resolveRegions = (naming: Naming, ram: readonly Range[]): readonly ResolvedRegion[] => {
  const regions = Object.entries(naming.spec.regions ?? {}).map(([name, written]) => resolveRegion(naming, name, written, ram));
  checkOverlaps(naming, regions);
  return regions;
};
