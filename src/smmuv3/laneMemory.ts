/**
 * Physical memory as 32-bit lanes, for the walker that allocates nothing. A copy of an image, made once: what is stored
 * later is not in it.
 */
import { PAGE_BYTES } from "../base/words.ts";
import type { Image, Page, Run } from "./image.ts";
import type { MemoryRange } from "./snapshot.ts";

const PAGE_LANES = 1024;
/** In place of a page: memory does not answer there. */
export const ABSENT = -1;
/** In place of a page: only a part of it answers, and this reading does not say which. */
export const PARTLY = -2;

export interface LaneMemory {
  /** Pages one after another, the low lane of a word first; the first page is all zero. Pages that are equal are here once. */
  readonly lanes: Uint32Array;
  /** Number of the first page of each run of equal pages, ascending from 0. The last run goes on for ever. */
  readonly firsts: Float64Array;
  /** Lane at which the page of each run begins, or why there is none. */
  readonly bases: Int32Array;
  /** Pages that were found before, by a hash: the number's low and high bits, and the lane. Filled as they are asked for. */
  readonly found: Int32Array;
}

const SLOTS_LOG2 = 10;
const SLOT = 4;
/** 2^32 over the golden ratio, odd: neighbours fall far apart. */
const SPREAD = 0x9e3779b1;

/** The runs of an image with the gaps between them, as far as they lie in [from, end) of page numbers. */
const runsIn = (runs: readonly Run[], from: number, end: number, place: (page: Page) => number): (readonly [first: number, base: number])[] => {
  const found: (readonly [number, number])[] = [[from, 0]];
  for (const { first, end: last, page } of runs) {
    if (last <= from || first >= end) continue;
    found.push([Math.max(first, from), place(page)], [last, 0]);
  }
  return found.filter(([first]) => first < end);
};

const pageBelow = (address: bigint): number => Number(address / PAGE_BYTES);
const pageAbove = (address: bigint): number => Number((address + PAGE_BYTES - 1n) / PAGE_BYTES);

/** Where runs begin if only `ram` answers: ranges that overlap or meet within a page are left to the other walker. */
const answering = (runs: readonly Run[], ram: readonly MemoryRange[], place: (page: Page) => number): (readonly [first: number, base: number])[] => {
  const starts: (readonly [number, number])[] = [[0, ABSENT]];
  let done = 0;
  for (const { addr, size } of ram.filter((range) => range.size > 0n).toSorted((a, b) => (a.addr < b.addr ? -1 : 1))) {
    const [outer, end] = [pageBelow(addr), pageAbove(addr + size)];
    const from = Math.max(pageAbove(addr), done);
    const whole = Math.max(pageBelow(addr + size), from);
    // A page that an earlier range answers for as a whole, it answers for.
    if (outer < from && outer >= done) starts.push([outer, PARTLY]);
    if (from < whole) starts.push(...runsIn(runs, from, whole, place));
    if (whole < end && end > done) starts.push([whole, PARTLY]);
    starts.push([Math.max(end, done), ABSENT]);
    done = Math.max(end, done);
  }
  return starts;
};

/** The lanes of an image; all addresses answer, or only those in `ram`. */
export const laneMemory = ({ image, ram }: { readonly image: Image; readonly ram?: readonly MemoryRange[] }): LaneMemory => {
  const places = new Map<Page, number>();
  const place = (page: Page): number => {
    const known = places.get(page) ?? (places.size + 1) * PAGE_LANES;
    places.set(page, known);
    return known;
  };
  const starts = ram === undefined ? runsIn(image.runs, 0, Infinity, place) : answering(image.runs, ram, place);
  // Of several runs that begin at one page the last one counts.
  const last = new Map(starts);
  const lanes = new Uint32Array((places.size + 1) * PAGE_LANES);
  for (const [page, base] of places)
    for (const [index, value] of page.words) {
      lanes[base + 2 * index] = Number(value & 0xffffffffn);
      lanes[base + 2 * index + 1] = Number(value >> 32n);
    }
  return { lanes, firsts: Float64Array.from(last.keys()), bases: Int32Array.from(last.values()), found: new Int32Array(SLOT << SLOTS_LOG2).fill(-1) };
};

/** Lane of a page by its number, by halving. */
const search = ({ firsts, bases }: LaneMemory, page: number): number => {
  let low = 0;
  let high = firsts.length;
  while (high - low > 1) {
    const middle = (low + high) >>> 1;
    if (firsts[middle]! <= page) low = middle;
    else high = middle;
  }
  return bases[low]!;
};

/** Lane at which the page of an address begins, `ABSENT` or `PARTLY`. */
export const pageLane = (memory: LaneMemory, high: number, low: number): number => {
  const { found } = memory;
  const pageLow = (high << 20) | (low >>> 12);
  const pageHigh = high >>> 12;
  const slot = (Math.imul(pageLow ^ pageHigh, SPREAD) >>> (32 - SLOTS_LOG2)) * SLOT;
  if (found[slot] === pageLow && found[slot + 1] === pageHigh) return found[slot + 2]!;
  const base = search(memory, pageHigh * 2 ** 32 + (pageLow >>> 0));
  found[slot] = pageLow;
  found[slot + 1] = pageHigh;
  found[slot + 2] = base;
  return base;
};
