/** The stream table: where the entry of a StreamID lies, and its eight words (IHI 0070 "Stream table lookup"). */
import { L1Std } from "../../specs/smmuv3/l1std.ts";
import { PAGE_BYTES } from "../base/words.ts";
import { type Image, type Page, runsBetween, wordOf } from "./image.ts";
import { type Read, readWords, type Via, viaWords } from "./memory.ts";
import type { Settings } from "./registers.ts";

export const STE_BYTES = 64n;
export const STE_WORDS = 8;
const STES_IN_PAGE = 64;

export type Entry =
  | { readonly result: "ok"; readonly addr: bigint; readonly words: readonly bigint[]; readonly via: readonly Via[] }
  /** The StreamID is beyond the table, or its second level is not there. */
  | { readonly result: "bad stream"; readonly via: readonly Via[] }
  /** A quirk's: beyond the second level, told as an illegal entry. */
  | { readonly result: "bad entry"; readonly via: readonly Via[] }
  | { readonly result: "external"; readonly fetch: bigint; readonly via: readonly Via[] };

/** Where the entry of a stream lies: an address, or why there is none. */
export type Place = { readonly result: "at"; readonly addr: bigint; readonly via: readonly Via[] } | Exclude<Entry, { result: "ok" }>;

export const TWO_LEVEL = "the explorer does not walk two-level stream tables";
export const steAddress = (settings: Settings, sid: number): bigint => settings.streamTable + BigInt(sid) * STE_BYTES;
/** Address of the level-1 descriptor of a two-level table. */
export const l1stdAddress = (settings: Settings, sid: number): bigint => settings.streamTable + 8n * BigInt(Math.floor(sid / 2 ** settings.split));

const MOST_SPAN = 11;
/** The second level that a level-1 descriptor names: its base and number of entries, 0 where it names none. */
export const secondLevel = (word: bigint, { split, quirks }: Settings): { readonly base: bigint; readonly entries: number } => {
  const span = Number(L1Std.get([word], "Span"));
  // Spans above 11 are reserved and behave as 0; one beyond SPLIT+1 is C_BAD_STREAMID, too (IHI 0070 sections 5.1.1, 7.3.3).
  if (span === 0 || (!quirks.spanDoubled && (span > MOST_SPAN || span > split + 1))) return { base: 0n, entries: 0 };
  const entries = 2 ** (quirks.spanDoubled ? span : span - 1);
  return { base: quirks.level2Unaligned ? word & ~0x1fn : L1Std.get([word], "L2Ptr") & ~(BigInt(entries) * STE_BYTES - 1n), entries };
};

/** A configuration structure that is fetched. */
export interface Structure {
  readonly kind: "L1STD" | "STE" | "L1CD" | "CD";
  readonly sid: number;
  /** Of a CD its SubstreamID, of first levels the index into them; 0 of an STE. */
  readonly index: number;
}
/** The words of a structure, and where they lie. */
export interface Located {
  readonly addr: bigint;
  readonly words: readonly bigint[];
}
/**
 * What a structure says: what a fetch gives now, or something that was kept. What is kept of a stream is found by the
 * stream alone, so it is used whatever leads to its memory now; `fetch` finds the way, and may fail on it.
 */
export type Fetched = (structure: Structure, fetch: () => Located | undefined) => Located | undefined;
export const fetchNow: Fetched = (_structure, fetch) => fetch();

/** Finds the entry of one stream (IHI 0070 section 3.3.1). */
const placeOf = (read: Read, settings: Settings, sid: number, fetched: Fetched): Place => {
  if (settings.linear) return { result: "at", addr: steAddress(settings, sid), via: [] };
  const addr = l1stdAddress(settings, sid);
  const found = fetched({ kind: "L1STD", sid, index: Math.floor(sid / 2 ** settings.split) }, () => wordsAt(read, addr, 1));
  const value = found?.words[0];
  if (value === undefined) return { result: "external", fetch: addr, via: [] };
  const via: Via[] = [{ what: "L1STD", addr, value }];
  const { base, entries } = secondLevel(value, settings);
  const index = sid % 2 ** settings.split;
  if (index < entries) return { result: "at", addr: base + BigInt(index) * STE_BYTES, via };
  return { result: settings.quirks.spanDoubled && entries > 0 ? "bad entry" : "bad stream", via };
};
/** Words of memory with their place, or undefined where it does not answer. */
export const wordsAt = (read: Read, addr: bigint, count: number): Located | undefined => {
  const words = readWords(read, addr, count);
  return words === undefined ? undefined : { addr, words };
};

/** The entry of one stream. */
export const entryOf = (read: Read, settings: Settings, sid: number, fetched: Fetched = fetchNow): Entry => {
  if (sid >= 2 ** settings.log2Size) return { result: "bad stream", via: [] };
  let failure: Exclude<Entry, { result: "ok" }> = { result: "bad stream", via: [] };
  let via: readonly Via[] = [];
  const found = fetched({ kind: "STE", sid, index: 0 }, () => {
    const place = placeOf(read, settings, sid, fetched);
    if (place.result !== "at") {
      failure = place;
      return undefined;
    }
    via = place.via;
    failure = { result: "external", fetch: place.addr, via };
    return wordsAt(read, place.addr, STE_WORDS);
  });
  if (found === undefined) return failure;
  return { result: "ok", ...found, via: [...via, ...viaWords("STE", found.addr, found.words)] };
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
