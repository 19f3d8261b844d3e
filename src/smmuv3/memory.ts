/**
 * Physical memory as the SMMU sees it: an immutable image of 64-bit words in which absent words are zero. Images and
 * their pages are interned by content, so that equal contents are the same object and an explorer can compare ids. An
 * image is a list of runs of equal pages: a stream table of 65536 equal entries is one run, however large it is.
 */
import { impossible } from "../base/diagnostic.ts";
import { PAGE_BYTES } from "../base/words.ts";

export const PAGE_WORDS = 512;
const WORD_MASK = (1n << 64n) - 1n;

/** The content of one 4 KiB page: its non-zero words by index (0..511), ascending. */
export interface Page {
  readonly id: number;
  readonly words: ReadonlyMap<number, bigint>;
}

/** Pages `first` up to, not including, `end` (numbers of 4 KiB pages) all hold `page`. */
export interface Run {
  readonly first: number;
  readonly end: number;
  readonly page: Page;
}

/** Memory contents: runs ascending, disjoint, not zero, and as long as they can be, so that equal contents look equal. */
export interface Image {
  readonly id: number;
  readonly runs: readonly Run[];
}

/** An image and where RAM is; a fetch outside it is a bus abort. Without `ram` every address answers. */
export interface Memory {
  readonly image: Image;
  readonly ram?: readonly { readonly addr: bigint; readonly size: bigint }[];
}

/** The interning table of one run. Ids are private to it: nothing is ordered by them or printed. */
export interface Images {
  readonly empty: Image;
  /** `addr` is a multiple of 8. */
  readonly store: (image: Image, addr: bigint, value: bigint) => Image;
  /** Every word of [addr, addr+size) becomes the matching word of the repeated pattern, whose length is a power of two up to 512. */
  readonly fill: (image: Image, addr: bigint, size: bigint, pattern: readonly bigint[]) => Image;
}

export const pageNumber = (addr: bigint): number => Number(addr / PAGE_BYTES);
const wordIndex = (addr: bigint): number => Number((addr % PAGE_BYTES) / 8n);

const zeroPage: Page = { id: 0, words: new Map() };

/** Index of the first run that ends after page `number`. */
const runAfter = (image: Image, number: number): number => {
  let low = 0;
  let high = image.runs.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (image.runs[middle]!.end <= number) low = middle + 1;
    else high = middle;
  }
  return low;
};

/** The content of page `number`. */
export const pageAt = (image: Image, number: number): Page => {
  const run = image.runs[runAfter(image, number)];
  return run !== undefined && run.first <= number ? run.page : zeroPage;
};

/** The 64-bit word at `addr`, a multiple of 8. */
export const wordAt = (image: Image, addr: bigint): bigint => pageAt(image, pageNumber(addr)).words.get(wordIndex(addr)) ?? 0n;

/** The runs that meet pages `first` up to `end`, cut to them; zero pages are left out. */
export const runsIn = (image: Image, first: number, end: number): Run[] => {
  const found: Run[] = [];
  for (let at = runAfter(image, first); at < image.runs.length && image.runs[at]!.first < end; at++) {
    const run = image.runs[at]!;
    found.push({ first: Math.max(run.first, first), end: Math.min(run.end, end), page: run.page });
  }
  return found;
};

/** The non-zero words of [addr, addr + bytes), which lies in one page, ascending. */
export const wordsIn = (image: Image, addr: bigint, bytes: number): { readonly addr: bigint; readonly index: number; readonly value: bigint }[] => {
  const from = wordIndex(addr);
  const found: { addr: bigint; index: number; value: bigint }[] = [];
  for (const [word, value] of pageAt(image, pageNumber(addr)).words)
    if (word >= from && word < from + bytes / 8) found.push({ addr: addr + BigInt((word - from) * 8), index: word - from, value });
  return found;
};

/** The word at `addr` as fetched over the bus; undefined is a bus abort. */
export const fetchWord = (memory: Memory, addr: bigint): bigint | undefined => {
  const answers = memory.ram === undefined || memory.ram.some((range) => addr >= range.addr && addr + 8n <= range.addr + range.size);
  return answers ? wordAt(memory.image, addr) : undefined;
};

const pushRun = (runs: Run[], run: Run): void => {
  if (run.first >= run.end || run.page === zeroPage) return;
  const last = runs.at(-1);
  if (last !== undefined && last.end === run.first && last.page === run.page) runs[runs.length - 1] = { ...last, end: run.end };
  else runs.push(run);
};

/** `runs` with pages `first` up to `end` replaced. */
const spliceRuns = (runs: readonly Run[], first: number, end: number, page: Page): Run[] => {
  const out: Run[] = [];
  for (const run of runs) if (run.first < first) pushRun(out, { ...run, end: Math.min(run.end, first) });
  pushRun(out, { first, end, page });
  for (const run of runs) if (run.end > end) pushRun(out, { ...run, first: Math.max(run.first, end) });
  return out;
};

const checkAddress = (addr: bigint, bytes: bigint): void => {
  if (addr < 0n || addr % 8n !== 0n || bytes % 8n !== 0n || addr + bytes > 1n << 56n) impossible(`a store at 0x${addr.toString(16)} is not of 64-bit words in physical memory`);
};

export const createImages = (): Images => {
  const pages = new Map<string, Page>([["", zeroPage]]);
  const images = new Map<string, Image>();

  const internPage = (words: Iterable<readonly [number, bigint]>): Page => {
    const kept = [...words].filter(([, value]) => value !== 0n).toSorted(([a], [b]) => a - b);
    const key = kept.map(([word, value]) => `${word}:${value.toString(36)}`).join(" ");
    let page = pages.get(key);
    if (page === undefined) pages.set(key, (page = { id: pages.size, words: new Map(kept) }));
    return page;
  };
  const internImage = (runs: readonly Run[]): Image => {
    const key = runs.map(({ first, end, page }) => `${first}-${end}:${page.id}`).join(" ");
    let image = images.get(key);
    if (image === undefined) images.set(key, (image = { id: images.size, runs }));
    return image;
  };
  const replace = (image: Image, first: number, end: number, page: Page): Image => internImage(spliceRuns(image.runs, first, end, page));

  /** Fills within one page. */
  const fillWords = (image: Image, addr: bigint, words: number, value: (word: number) => bigint): Image => {
    const number = pageNumber(addr);
    const content = new Map(pageAt(image, number).words);
    for (let word = 0; word < words; word++) content.set(wordIndex(addr) + word, value(word));
    return replace(image, number, number + 1, internPage(content));
  };
  const fill: Images["fill"] = (image, addr, size, pattern) => {
    checkAddress(addr, size);
    const period = pattern.length;
    if (period === 0 || PAGE_WORDS % period !== 0) impossible(`a fill pattern of ${period} words does not repeat within a page`);
    const end = addr + size;
    let result = image;
    let at = addr;
    while (at < end) {
      const phase = Number((at - addr) / 8n);
      const value = (word: number): bigint => pattern[(phase + word) % period]! & WORD_MASK;
      const whole = pageNumber(end) - pageNumber(at);
      if (at % PAGE_BYTES === 0n && whole > 0) {
        // The period divides a page, so every whole page has the same content.
        const page = internPage(Array.from({ length: PAGE_WORDS }, (_, word) => [word, value(word)] as const));
        result = replace(result, pageNumber(at), pageNumber(at) + whole, page);
        at += BigInt(whole) * PAGE_BYTES;
      } else {
        const upTo = (at / PAGE_BYTES + 1n) * PAGE_BYTES;
        const words = Number(((upTo < end ? upTo : end) - at) / 8n);
        result = fillWords(result, at, words, value);
        at += BigInt(words * 8);
      }
    }
    return result;
  };
  return {
    empty: internImage([]),
    store: (image, addr, value) => {
      checkAddress(addr, 8n);
      return wordAt(image, addr) === (value & WORD_MASK) ? image : fillWords(image, addr, 1, () => value & WORD_MASK);
    },
    fill,
  };
};
