/**
 * Physical memory as 32-bit lanes, for the walker that allocates nothing. A copy of an image, made once: what is stored
 * later is not in it.
 */
import { PAGE_BYTES } from "../base/words.ts";
import { type Image, type Page, runsBetween } from "./image.ts";
import { merged, type MemoryRange, type Snapshot } from "./snapshot.ts";

const PAGE_LANES = 1024;
/** In place of a page: memory does not answer there. */
export const ABSENT = -1;
/** In place of a page: only a part of it answers, and this reading does not say which. */
export const PARTLY = -2;

export interface LaneMemory {
  /** Pages one after another, the low lane of a word first; the first page is all zero. Pages that are equal are here once. */
  readonly lanes: Int32Array;
  /** Lane at which the page of an address below 2^63 begins, `ABSENT` or `PARTLY`. Allocates nothing. */
  readonly pageLane: (high: number, low: number) => number;
}

/** Runs of equal pages. */
interface Runs {
  /** The first page of each run, ascending from 0: high lane of its address, low lane over 4096. The last run does not end. */
  readonly firstHigh: Int32Array;
  readonly firstLow: Int32Array;
  /** Lane at which the page of each run begins, or why there is none. */
  readonly bases: Int32Array;
}

/** Pages below 2^32. */
const PAGES_OF_HIGH = 2 ** 20;
const SLOTS_LOG2 = 10;
const SLOT = 4;
/** 2^32 over the golden ratio, odd: neighbours fall far apart. */
const SPREAD = 0x9e3779b1 | 0;

type Start = readonly [first: number, base: number];
const pageBelow = (address: bigint): number => Number(address / PAGE_BYTES);
const pageAbove = (address: bigint): number => Number((address + PAGE_BYTES - 1n) / PAGE_BYTES);

/** Ranges of whole words, ascending and apart. Ranges are joined first: a word may lie in two that touch. */
const wholeWords = (ram: readonly MemoryRange[]): { readonly from: bigint; readonly end: bigint }[] =>
  merged(ram)
    .map(({ addr, size }) => ({ from: (addr + 7n) & ~7n, end: (addr + size) & ~7n }))
    .filter(({ from, end }) => from < end);

/** Where runs begin if only `ram` answers. Of two that begin at one page the later one counts. */
const answering = (image: Image, ram: readonly MemoryRange[], place: (page: Page) => number): Start[] => {
  const starts: Start[] = [[0, ABSENT]];
  for (const { from, end } of wholeWords(ram)) {
    const [first, last] = [pageAbove(from), pageBelow(end)];
    if (pageBelow(from) < first) starts.push([pageBelow(from), PARTLY]);
    if (first < last) for (const run of runsBetween(image, first, last)) starts.push([run.first, place(run.page)]);
    if (last >= first && last < pageAbove(end)) starts.push([last, PARTLY]);
    starts.push([pageAbove(end), ABSENT]);
  }
  return starts;
};

const everywhere = (image: Image, place: (page: Page) => number): Start[] => runsBetween(image, 0, Infinity).map(({ first, page }) => [first, place(page)]);

/** Lane of a page, by halving. */
const search = ({ firstHigh, firstLow, bases }: Runs, high: number, low: number): number => {
  let from = 0;
  let end = bases.length;
  while (end - from > 1) {
    const middle = (from + end) >>> 1;
    const begins = firstHigh[middle]!;
    if (begins < high || (begins === high && firstLow[middle]! <= low)) from = middle;
    else end = middle;
  }
  return bases[from]!;
};

/** Finds pages in the runs that begin so, and keeps those that it found by a hash. */
const finderIn = (starts: ReadonlyMap<number, number>): LaneMemory["pageLane"] => {
  const runs: Runs = {
    firstHigh: Int32Array.from(starts.keys(), (page) => Math.floor(page / PAGES_OF_HIGH)),
    firstLow: Int32Array.from(starts.keys(), (page) => page % PAGES_OF_HIGH),
    bases: Int32Array.from(starts.values()),
  };
  // High lane, page within it, and lane. No address has a high lane of -1.
  const found = new Int32Array(SLOT << SLOTS_LOG2).fill(-1);
  return (high, low) => {
    const page = low >>> 12;
    const slot = (Math.imul(page ^ (high << 20), SPREAD) >>> (32 - SLOTS_LOG2)) * SLOT;
    if (found[slot] === high && found[slot + 1] === page) return found[slot + 2]!;
    const base = search(runs, high, page);
    found[slot] = high;
    found[slot + 1] = page;
    found[slot + 2] = base;
    return base;
  };
};

/** The lanes of an image; every address answers, or only those in `ram`. */
export const laneMemory = ({ image, ram }: Pick<Snapshot, "image" | "ram">): LaneMemory => {
  const places = new Map<Page, number>();
  const place = (page: Page): number => {
    if (page.words.length === 0) return 0;
    const known = places.get(page) ?? (places.size + 1) * PAGE_LANES;
    places.set(page, known);
    return known;
  };
  const starts = new Map(ram === undefined ? everywhere(image, place) : answering(image, ram, place));
  const lanes = new Int32Array((places.size + 1) * PAGE_LANES);
  for (const [page, base] of places)
    for (const [index, value] of page.words) {
      lanes[base + 2 * index] = Number(BigInt.asIntN(32, value));
      lanes[base + 2 * index + 1] = Number(BigInt.asIntN(32, value >> 32n));
    }
  return { lanes, pageLane: finderIn(starts) };
};
