/** The stream table: where the entry of a StreamID lies, and its eight words (IHI 0070 "Stream table lookup"). */
import { PAGE_BYTES } from "../base/words.ts";
import { type Image, type Page, runsBetween, wordOf } from "./image.ts";
import type { Settings } from "./registers.ts";

export const STE_BYTES = 64n;
export const STE_WORDS = 8;
const STES_IN_PAGE = 64;

export type Entry =
  | { readonly result: "ok"; readonly addr: bigint; readonly words: readonly bigint[] }
  /** The StreamID is beyond the table. */
  | { readonly result: "bad stream" }
  | { readonly result: "external"; readonly fetch: bigint }
  | { readonly result: "unsupported"; readonly why: string };

export const TWO_LEVEL = "two-level stream tables are not modelled yet";
export const steAddress = (settings: Settings, sid: number): bigint => settings.streamTable + BigInt(sid) * STE_BYTES;

/** The entry of one stream. `read` answers undefined where memory does not answer. */
export const entryOf = (read: (address: bigint) => bigint | undefined, settings: Settings, sid: number): Entry => {
  if (!settings.linear) return { result: "unsupported", why: TWO_LEVEL };
  if (sid >= 2 ** settings.log2Size) return { result: "bad stream" };
  const addr = steAddress(settings, sid);
  const words: bigint[] = [];
  for (let word = 0; word < STE_WORDS; word++) {
    const value = read(addr + BigInt(word * 8));
    if (value === undefined) return { result: "external", fetch: addr };
    words.push(value);
  }
  return { result: "ok", addr, words };
};

/** The words of a stream table entry; `key` is equal exactly for equal words. */
export interface SteWords {
  readonly key: string;
  readonly words: readonly bigint[];
}
export const steWords = (words: readonly bigint[]): SteWords => ({ key: words.map((word) => word.toString(16)).join(" "), words });
const blank = steWords(Array.from({ length: STE_WORDS }, () => 0n));

const known = new WeakMap<Page, readonly SteWords[]>();
/** The 64 entries of a page of stream table, decoded once for each content. */
const entriesIn = (page: Page): readonly SteWords[] => {
  let entries = known.get(page);
  if (entries === undefined) {
    const filled = new Map<number, bigint[]>();
    for (const [index, value] of page.words) {
      const at = index >> 3;
      let words = filled.get(at);
      if (words === undefined) filled.set(at, (words = Array.from({ length: STE_WORDS }, () => 0n)));
      words[index & 7] = value;
    }
    entries = Array.from({ length: STES_IN_PAGE }, (_, at) => (filled.has(at) ? steWords(filled.get(at)!) : blank));
    known.set(page, entries);
  }
  return entries;
};

/** `count` neighbouring streams from `sid` have these entries, page by page, again and again. */
interface Stretch {
  readonly sid: number;
  readonly pages: number;
  readonly entries: readonly SteWords[];
}
const stretches = (image: Image, settings: Settings): Stretch[] => {
  const streams = 2 ** settings.log2Size;
  const first = Number(settings.streamTable / PAGE_BYTES);
  if (streams < STES_IN_PAGE) {
    const from = Number((settings.streamTable % PAGE_BYTES) / STE_BYTES);
    return runsBetween(image, first, first + 1).map(({ page }) => ({ sid: 0, pages: 1, entries: entriesIn(page).slice(from, from + streams) }));
  }
  return runsBetween(image, first, first + streams / STES_IN_PAGE).map((run) => ({ sid: (run.first - first) * STES_IN_PAGE, pages: run.end - run.first, entries: entriesIn(run.page) }));
};

/** A linear stream table: the entry that most streams share, where one may stand for many, and the streams that differ. */
export interface StreamEntries {
  /** Undefined when every stream is in `own`. */
  readonly common: SteWords | undefined;
  /** Ascending by StreamID. */
  readonly own: readonly (readonly [sid: number, entry: SteWords])[];
}

/** `mayStand`: whether an entry may stand for many streams unlisted; the commonest that may is `common`. */
export const streamEntries = (image: Image, settings: Settings, mayStand: (entry: SteWords) => boolean): StreamEntries => {
  const table = stretches(image, settings);
  const counts = new Map<string, { count: number; readonly entry: SteWords }>();
  for (const { pages, entries } of table)
    for (const entry of entries) {
      const counted = counts.get(entry.key);
      if (counted === undefined) counts.set(entry.key, { count: pages, entry });
      else counted.count += pages;
    }
  const common = [...counts.values()].filter(({ entry }) => mayStand(entry)).toSorted((a, b) => b.count - a.count)[0]?.entry;
  const own: [number, SteWords][] = [];
  for (const { sid, pages, entries } of table) {
    if (entries.every(({ key }) => key === common?.key)) continue;
    for (let page = 0; page < pages; page++) for (const [at, entry] of entries.entries()) if (entry.key !== common?.key) own.push([sid + page * entries.length + at, entry]);
  }
  return { common, own };
};

/** Each distinct entry of the table once. */
export const distinctEntries = (image: Image, settings: Settings): SteWords[] => {
  const seen = new Map<string, SteWords>();
  for (const { entries } of stretches(image, settings)) for (const entry of entries) seen.set(entry.key, entry);
  return [...seen.values()];
};

/** StreamIDs whose entries meet [from, end), ascending. */
export const sidsIn = (settings: Settings, from: bigint, end: bigint): number[] => {
  const tableEnd = settings.streamTable + (STE_BYTES << BigInt(settings.log2Size));
  if (end <= settings.streamTable || from >= tableEnd) return [];
  const first = from <= settings.streamTable ? 0 : Number((from - settings.streamTable) / STE_BYTES);
  const last = Number(((end < tableEnd ? end : tableEnd) - settings.streamTable - 1n) / STE_BYTES);
  return Array.from({ length: last - first + 1 }, (_, at) => first + at);
};

/** The entry of one stream of a linear table, as it stands in an image. */
export const entryIn = (image: Image, settings: Settings, sid: number): SteWords => {
  const addr = steAddress(settings, sid);
  const page = runsBetween(image, Number(addr / PAGE_BYTES), Number(addr / PAGE_BYTES) + 1)[0]!.page;
  const from = Number((addr % PAGE_BYTES) / 8n);
  return steWords(Array.from({ length: STE_WORDS }, (_, word) => wordOf(page, from + word)));
};
