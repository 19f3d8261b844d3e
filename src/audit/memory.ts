/** The memory of a snapshot as tables are read from it: page by page, only the words that are not zero. */
import { PAGE_BYTES } from "../base/words.ts";
import { type Page, runsBetween, pageAt } from "../smmuv3/image.ts";
import type { MemoryRange, Snapshot } from "../smmuv3/snapshot.ts";
import type { Read } from "../smmuv3/memory.ts";

/** A 64-bit word that is not zero: its index in the piece it was read from. */
export type Words = readonly (readonly [index: number, value: bigint])[];

/** Pages side by side with the same content, or without any: memory does not answer there. */
export interface Stretch {
  readonly address: bigint;
  readonly pages: number;
  readonly page: Page | undefined;
}

export interface Memory {
  /** The 64-bit word at an 8-byte aligned address, or undefined where memory does not answer. */
  readonly read: Read;
  /** Words of [address, address+bytes), which lies in one 4 KiB page; undefined where memory does not answer for all of it. */
  readonly piece: (address: bigint, bytes: number) => Words | undefined;
  /** The 4 KiB pages of [address, address+bytes), as stretches; both are multiples of 4 KiB. */
  readonly stretches: (address: bigint, bytes: bigint) => Stretch[];
}

const PAGE = Number(PAGE_BYTES);
const numberOf = (address: bigint): number => Number(address / PAGE_BYTES);

/** Ranges by address, each with how far it or one before it reaches. */
interface Reaching {
  readonly from: bigint;
  readonly end: bigint;
}
const byAddress = (ram: readonly MemoryRange[]): Reaching[] => {
  let end = 0n;
  return ram
    .toSorted((a, b) => (a.addr < b.addr ? -1 : Number(a.addr > b.addr)))
    .map(({ addr, size }) => ({ from: addr, end: (end = addr + size > end ? addr + size : end) }));
};
/** How many of them begin at or before an address. */
const begun = (ranges: readonly Reaching[], address: bigint): number => {
  let low = 0;
  let high = ranges.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (ranges[middle]!.from <= address) low = middle + 1;
    else high = middle;
  }
  return low;
};

/** Whole pages that answer, ascending and apart. */
const answeringPages = (ranges: readonly Reaching[]): { readonly first: number; readonly end: number }[] => {
  const apart: { first: number; end: number }[] = [];
  for (const { from, end } of ranges) {
    const [first, last] = [numberOf(from + PAGE_BYTES - 1n), numberOf(end)];
    const before = apart.at(-1);
    if (before !== undefined && first <= before.end) before.end = Math.max(before.end, last);
    else if (first < last) apart.push({ first, end: last });
  }
  return apart;
};

export const memoryOf = ({ image, ram }: Pick<Snapshot, "image" | "ram">): Memory => {
  const ranges = ram === undefined ? undefined : byAddress(ram);
  const pages = ranges === undefined ? undefined : answeringPages(ranges);
  const answers = (address: bigint, bytes: bigint): boolean => {
    if (ranges === undefined) return true;
    const before = begun(ranges, address);
    return before > 0 && ranges[before - 1]!.end >= address + bytes;
  };
  const within = (first: number, end: number): Stretch[] => runsBetween(image, first, end).map((run) => ({ address: BigInt(run.first) * PAGE_BYTES, pages: run.end - run.first, page: run.page }));
  const silent = (first: number, end: number): Stretch[] => (first < end ? [{ address: BigInt(first) * PAGE_BYTES, pages: end - first, page: undefined }] : []);
  return {
    read: (address) => (answers(address, 8n) ? image.read(address) : undefined),
    piece: (address, bytes) => {
      if (!answers(address, BigInt(bytes))) return undefined;
      const { words } = pageAt(image, numberOf(address));
      const from = Number(address % PAGE_BYTES) / 8;
      return bytes === PAGE ? words : words.filter(([index]) => index >= from && index < from + bytes / 8).map(([index, value]) => [index - from, value] as const);
    },
    stretches: (address, bytes) => {
      const [first, end] = [numberOf(address), numberOf(address + bytes)];
      if (pages === undefined) return within(first, end);
      let at = first;
      const found: Stretch[] = [];
      for (const there of pages) {
        if (there.end <= at) continue;
        if (there.first >= end) break;
        found.push(...silent(at, there.first), ...within(Math.max(at, there.first), Math.min(end, there.end)));
        at = Math.min(end, there.end);
      }
      return [...found, ...silent(at, end)];
    },
  };
};
