/**
 * Physical memory as the SMMU reads it: an immutable image of 64-bit words, absent words zero, interned by content, so
 * that two memories that say the same are one value with one id. Only executed steps make new ones. An image is a list of
 * runs of equal pages: a stream table of 65536 equal entries is one run and is never written out.
 */
import { impossible } from "../base/diagnostic.ts";
import { hex, PAGE_BYTES } from "../base/words.ts";

const PAGE_WORDS = 512;
const WORD = (1n << 64n) - 1n;

/** The content of one 4 KiB page: its words that are not zero as [index, value], ascending. Interned, so compare by identity. */
export interface Page {
  readonly id: number;
  readonly words: readonly (readonly [index: number, value: bigint])[];
}
/** Pages numbered `first` up to, not including, `end` all hold `page`. */
export interface Run {
  readonly first: number;
  readonly end: number;
  readonly page: Page;
}

export interface Image {
  /** Private to a run of the program: nothing is ordered by it or printed (design D6). */
  readonly id: number;
  /** Ascending, disjoint, without zero pages, and as long as they can be. */
  readonly runs: readonly Run[];
  /** The 64-bit word at an 8-byte aligned address; 0 where nothing was stored. */
  readonly read: (address: bigint) => bigint;
  /** Words of a 4 KiB page that are not zero, as [index, value], ascending. */
  readonly wordsOf: (page: bigint) => Page["words"];
  /** Address of the first page of each run, ascending. */
  readonly pages: readonly bigint[];
}

/** The interning table of one run of the program. */
export interface Images {
  readonly empty: Image;
  /** An image of whole pages at once, by page number: their words that are not zero, ascending. */
  readonly ofPages: (pages: ReadonlyMap<number, Page["words"]>) => Image;
  /** `address` is a multiple of 8. */
  readonly store: (image: Image, address: bigint, value: bigint) => Image;
  /** Every word of [address, address+size) becomes the matching word of the repeated pattern, whose length divides 512. */
  readonly fill: (image: Image, address: bigint, size: bigint, pattern: readonly bigint[]) => Image;
}

const zeroPage: Page = { id: 0, words: [] };
const pageNumber = (address: bigint): number => Number(address / PAGE_BYTES);
const wordIndex = (address: bigint): number => Number((address % PAGE_BYTES) >> 3n);

/** Place of the first run that ends after page `number`. */
const runAfter = (runs: readonly Run[], number: number): number => {
  let low = 0;
  let high = runs.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (runs[middle]!.end <= number) low = middle + 1;
    else high = middle;
  }
  return low;
};

/** The content of page `number`. */
export const pageAt = ({ runs }: Image, number: number): Page => {
  const run = runs[runAfter(runs, number)];
  return run !== undefined && run.first <= number ? run.page : zeroPage;
};

/** The runs that meet pages `first` up to `end`, cut to them, and the zero pages between as runs of their own. */
export const runsBetween = ({ runs }: Image, first: number, end: number): Run[] => {
  const found: Run[] = [];
  let at = first;
  for (let next = runAfter(runs, first); next < runs.length && runs[next]!.first < end; next++) {
    const run = runs[next]!;
    if (run.first > at) found.push({ first: at, end: run.first, page: zeroPage });
    found.push({ first: Math.max(run.first, at), end: Math.min(run.end, end), page: run.page });
    at = run.end;
  }
  if (at < end) found.push({ first: at, end, page: zeroPage });
  return found;
};

/** The word at `index` of a page. */
export const wordOf = (page: Page, index: number): bigint => {
  let low = 0;
  let high = page.words.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (page.words[middle]![0] < index) low = middle + 1;
    else high = middle;
  }
  const found = page.words[low];
  return found?.[0] === index ? found[1] : 0n;
};

const makeImage = (id: number, runs: readonly Run[]): Image => {
  const image: Image = {
    id,
    runs,
    read: (address) => wordOf(pageAt(image, pageNumber(address)), wordIndex(address)),
    wordsOf: (page) => pageAt(image, pageNumber(page)).words,
    pages: runs.map(({ first }) => BigInt(first) * PAGE_BYTES),
  };
  return image;
};

/** Appends a run, joined to the last one where they meet and are equal. */
const push = (runs: Run[], first: number, end: number, page: Page): void => {
  if (first >= end || page === zeroPage) return;
  const last = runs.at(-1);
  if (last !== undefined && last.end === first && last.page === page) runs[runs.length - 1] = { ...last, end };
  else runs.push({ first, end, page });
};
/** `runs` with pages `first` up to `end` replaced by `page`. */
const splice = (runs: readonly Run[], first: number, end: number, page: Page): Run[] => {
  const out: Run[] = [];
  for (const run of runs) if (run.first < first) push(out, run.first, Math.min(run.end, first), run.page);
  push(out, first, end, page);
  for (const run of runs) if (run.end > end) push(out, Math.max(run.first, end), run.end, run.page);
  return out;
};

const checkRange = (address: bigint, size: bigint): void => {
  if (address < 0n || address % 8n !== 0n || size % 8n !== 0n || address + size > 1n << 56n) impossible(`stores at ${hex(address)} must be of aligned 64-bit words below 2^56`);
};

export const createImages = (): Images => {
  const pages = new Map<string, Page>([["", zeroPage]]);
  const images = new Map<string, Image>();
  const internPage = (words: Page["words"]): Page => {
    const kept = words.filter(([, value]) => value !== 0n);
    const key = kept.map(([index, value]) => `${index}:${value.toString(36)}`).join(" ");
    let page = pages.get(key);
    if (page === undefined) pages.set(key, (page = { id: pages.size, words: kept }));
    return page;
  };
  const intern = (runs: readonly Run[]): Image => {
    const key = runs.map(({ first, end, page }) => `${first}-${end}:${page.id}`).join(" ");
    let image = images.get(key);
    if (image === undefined) images.set(key, (image = makeImage(images.size, runs)));
    return image;
  };

  /** `count` words from `address`, all in one page. */
  const write = (image: Image, address: bigint, count: number, value: (word: number) => bigint): Image => {
    const number = pageNumber(address);
    const from = wordIndex(address);
    const old = pageAt(image, number).words;
    const fresh = Array.from({ length: count }, (_, word) => [from + word, value(word)] as const);
    const words = [...old.filter(([index]) => index < from), ...fresh, ...old.filter(([index]) => index >= from + count)];
    return intern(splice(image.runs, number, number + 1, internPage(words)));
  };
  const fill: Images["fill"] = (image, address, size, pattern) => {
    checkRange(address, size);
    if (pattern.length === 0 || PAGE_WORDS % pattern.length !== 0) impossible(`a fill pattern of ${pattern.length} words does not repeat within a page`);
    const end = address + size;
    const valueFrom = (at: bigint) => (word: number) => pattern[(Number((at - address) >> 3n) + word) % pattern.length]! & WORD;
    let filled = image;
    for (let at = address; at < end; ) {
      const wholePages = at % PAGE_BYTES === 0n ? pageNumber(end) - pageNumber(at) : 0;
      const rest = Number((end - at) >> 3n);
      const count = wholePages > 0 ? PAGE_WORDS : Math.min(rest, PAGE_WORDS - wordIndex(at));
      const value = valueFrom(at);
      if (wholePages === 0) filled = write(filled, at, count, value);
      else {
        // The pattern divides a page, so every whole page has the same content.
        const page = internPage(Array.from({ length: count }, (_, word) => [word, value(word)] as const));
        filled = intern(splice(filled.runs, pageNumber(at), pageNumber(at) + wholePages, page));
      }
      at += BigInt(Math.max(wholePages, 1) * (wholePages > 0 ? Number(PAGE_BYTES) : count * 8));
    }
    return filled;
  };
  return {
    empty: intern([]),
    ofPages: (content) => {
      const runs: Run[] = [];
      for (const [number, words] of [...content].toSorted(([a], [b]) => a - b)) push(runs, number, number + 1, internPage(words));
      return intern(runs);
    },
    store: (image, address, value) => {
      checkRange(address, 8n);
      return image.read(address) === (value & WORD) ? image : write(image, address, 1, () => value & WORD);
    },
    fill,
  };
};
