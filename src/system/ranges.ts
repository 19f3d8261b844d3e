/** Ranges of addresses in bytes, half open: what is RAM, what is free of it, and where something fits. */
import { hex, PAGE_BYTES } from "../base/words.ts";

export interface Range {
  readonly base: bigint;
  readonly size: bigint;
}

export const endOf = (range: Range): bigint => range.base + range.size;
export const contains = (outer: Range, inner: Range): boolean => inner.base >= outer.base && endOf(inner) <= endOf(outer);
export const overlaps = (a: Range, b: Range): boolean => a.base < endOf(b) && b.base < endOf(a);

/** `address` rounded up to a multiple of `alignment`, a power of two. */
export const alignUp = (address: bigint, alignment: bigint): bigint => (address + alignment - 1n) & ~(alignment - 1n);
export const isPowerOfTwo = (size: bigint): boolean => size > 0n && (size & (size - 1n)) === 0n;

export const byBase = (a: Range, b: Range): number => (a.base < b.base ? -1 : a.base > b.base ? 1 : 0);

/** The whole pages of a range that lie below `limit`, or undefined when there is none. */
export const wholePages = (range: Range, limit: bigint): Range | undefined => {
  const base = alignUp(range.base, PAGE_BYTES);
  const end = (endOf(range) < limit ? endOf(range) : limit) & ~(PAGE_BYTES - 1n);
  return end > base ? { base, size: end - base } : undefined;
};

export const intersection = (a: Range, b: Range): Range | undefined => {
  const base = a.base > b.base ? a.base : b.base;
  const end = endOf(a) < endOf(b) ? endOf(a) : endOf(b);
  return end > base ? { base, size: end - base } : undefined;
};

/** What is left of `ranges` without `hole`. */
export const minus = (ranges: readonly Range[], hole: Range): readonly Range[] =>
  ranges.flatMap((range) => {
    const cut = intersection(range, hole);
    if (cut === undefined) return [range];
    return [
      { base: range.base, size: cut.base - range.base },
      { base: endOf(cut), size: endOf(range) - endOf(cut) },
    ].filter((rest) => rest.size > 0n);
  });

/** The lowest address in `free` where `size` bytes fit at `alignment`, or undefined. `free` is sorted. */
export const firstFit = (free: readonly Range[], size: bigint, alignment: bigint): bigint | undefined => {
  for (const range of free) {
    const base = alignUp(range.base, alignment);
    if (base + size <= endOf(range)) return base;
  }
  return undefined;
};

/** `[0x48000000, 0x48001000)`. */
export const rangeText = (range: Range): string => `[${hex(range.base)}, ${hex(endOf(range))})`;

const UNITS = ["bytes", "KiB", "MiB", "GiB", "TiB"] as const;

/** Bytes in the largest unit that divides them: `64 KiB`. */
export const sizeText = (size: bigint): string => {
  let [value, unit] = [size, 0];
  while (value !== 0n && value % 1024n === 0n && unit < UNITS.length - 1) {
    value /= 1024n;
    unit += 1;
  }
  return `${value} ${UNITS[unit]}`;
};
