/** The stream table as groups of equal entries (IHI 0070 section 3.3.1 "Stream table lookup"). */
import { L1Std } from "../../specs/smmuv3/l1std.ts";
import { Ste } from "../../specs/smmuv3/ste.ts";
import { hex, PAGE_BYTES, pageOf } from "../base/words.ts";
import type { Page } from "../smmuv3/image.ts";
import type { Settings } from "../smmuv3/registers.ts";
import { secondLevel, STE_BYTES, STE_WORDS } from "../smmuv3/streamTable.ts";
import type { Level1Entry, SidRange, StreamTable } from "./decoding.ts";
import { reservedIn } from "./fields.ts";
import { type Budget, type Cuts, limits } from "./limits.ts";
import type { Memory, Stretch } from "./memory.ts";

/** StreamIDs as ranges, ascending; `count` goes on where the ranges were cut. */
export interface Sids {
  readonly ranges: (readonly [first: number, last: number])[];
  count: number;
}
export interface Group {
  readonly words: readonly bigint[];
  readonly address: bigint;
  readonly sids: Sids;
}
export interface Streams {
  readonly table: StreamTable;
  readonly groups: readonly Group[];
  /** Streams without an entry that can be read. */
  readonly none: number;
}

/** StreamIDs have 32 bits, whatever the registers say. */
const SID_BITS = 32;
const ENTRIES_IN_PAGE = Number(PAGE_BYTES / STE_BYTES);

const noSids = (): Sids => ({ ranges: [], count: 0 });
const addSids = (sids: Sids, first: number, count: number): void => {
  sids.count += count;
  const last = sids.ranges.at(-1);
  if (last !== undefined && last[1] + 1 === first) sids.ranges[sids.ranges.length - 1] = [last[0], first + count - 1];
  else if (sids.ranges.length < limits.sidRanges) sids.ranges.push([first, first + count - 1]);
};
const isCut = ({ ranges, count }: Sids): boolean => ranges.reduce((sum, [first, last]) => sum + last - first + 1, 0) < count;
export const sidRanges = ({ ranges }: Sids): SidRange[] => ranges.map(([first, last]) => ({ first: hex(first), last: hex(last) }));

interface Counted {
  readonly groups: Map<string, Group>;
  readonly unreadable: Sids;
  /** Streams whose entries were not looked at. */
  unseen: number;
  readonly entries: Budget;
  /** Entries of a page, read once. */
  readonly pages: Map<Page, readonly { readonly key: string; readonly words: readonly bigint[] }[]>;
}

const ZERO = Array.from({ length: STE_WORDS }, () => 0n);
const keyOf = (words: readonly bigint[]): string => words.map((word) => word.toString(36)).join(" ");
const BLANK = { key: keyOf(ZERO), words: ZERO };

const entriesOf = (counted: Counted, page: Page): readonly { readonly key: string; readonly words: readonly bigint[] }[] => {
  const known = counted.pages.get(page);
  if (known !== undefined) return known;
  const filled = new Map<number, bigint[]>();
  for (const [index, value] of page.words) {
    const words = filled.get(index >> 3) ?? [...ZERO];
    words[index & 7] = value;
    filled.set(index >> 3, words);
  }
  const entries = Array.from({ length: ENTRIES_IN_PAGE }, (_, at) => {
    const words = filled.get(at);
    return words === undefined ? BLANK : { key: keyOf(words), words };
  });
  counted.pages.set(page, entries);
  return entries;
};

const addEntry = ({ groups }: Counted, { key, words }: { readonly key: string; readonly words: readonly bigint[] }, address: bigint, first: number, count: number): void => {
  let group = groups.get(key);
  if (group === undefined) groups.set(key, (group = { words, address, sids: noSids() }));
  addSids(group.sids, first, count);
};

/** Pages of 64 entries, the first of which is that of stream `sid`. */
const addStretch = (counted: Counted, { address, pages, page }: Stretch, sid: number): void => {
  if (page === undefined) return addSids(counted.unreadable, sid, pages * ENTRIES_IN_PAGE);
  const entries = entriesOf(counted, page);
  const first = entries[0]!;
  if (entries.every(({ key }) => key === first.key)) {
    counted.entries.left--;
    return addEntry(counted, first, address, sid, pages * ENTRIES_IN_PAGE);
  }
  for (let at = 0; at < pages; at++) {
    if (counted.entries.left <= 0) {
      counted.unseen += (pages - at) * ENTRIES_IN_PAGE;
      return;
    }
    counted.entries.left -= ENTRIES_IN_PAGE;
    for (const [index, entry] of entries.entries()) addEntry(counted, entry, address + BigInt(at) * PAGE_BYTES + BigInt(index) * STE_BYTES, sid + at * ENTRIES_IN_PAGE + index, 1);
  }
};

/** `count` entries from `base`, of streams from `sid` on. */
const addEntries = (counted: Counted, memory: Memory, base: bigint, count: number, sid: number): void => {
  if (count >= ENTRIES_IN_PAGE) {
    let at = sid;
    for (const stretch of memory.stretches(base, BigInt(count) * STE_BYTES)) {
      if (counted.entries.left <= 0) counted.unseen += stretch.pages * ENTRIES_IN_PAGE;
      else addStretch(counted, stretch, at);
      at += stretch.pages * ENTRIES_IN_PAGE;
    }
    return;
  }
  // A table smaller than a page lies within one.
  const page = memory.stretches(pageOf(base), PAGE_BYTES)[0]!.page;
  if (page === undefined) return addSids(counted.unreadable, sid, count);
  const from = Number((base - pageOf(base)) / STE_BYTES);
  counted.entries.left -= count;
  for (const [index, entry] of entriesOf(counted, page).slice(from, from + count).entries()) addEntry(counted, entry, base + BigInt(index) * STE_BYTES, sid + index, 1);
};

const whyNoTable = (span: number, split: number): string => {
  if (span === 0) return "Span=0: there is no second level, but other bits are set";
  return span > 11 ? `reserved Span=${span} behaves as 0: there is no second level` : `Span=${span} is beyond SPLIT+1=${split + 1}: every stream below is C_BAD_STREAMID`;
};

/** Level-1 descriptors that are not zero, each followed. The number of streams whose level-1 descriptor is read and names no entry. */
const addSecondLevels = (counted: Counted, memory: Memory, settings: Settings, log2Size: number, level1: Level1Entry[], cuts: Cuts): number => {
  const { split, streamTable } = settings;
  const [count, width] = [2 ** Math.max(0, log2Size - split), 2 ** Math.min(split, log2Size)];
  // Streams with an entry, or whose level-1 descriptor cannot be read.
  let accounted = 0;
  let left = limits.level1;
  const follow = (index: number, value: bigint): void => {
    const { base, entries } = secondLevel(value, settings);
    const used = Math.min(entries, width);
    const firstSid = index * width;
    const span = Number(L1Std.get([value], "Span"));
    accounted += used;
    if (used > 0) addEntries(counted, memory, base, used, firstSid);
    const table = used > 0 ? { table: hex(base) } : { why: whyNoTable(span, split) };
    level1.push({ index, address: hex(streamTable + BigInt(index * 8)), value: hex(value), span, firstSid: hex(firstSid), ...table, entries: used, reserved: reservedIn(L1Std, [value]) });
  };
  const bytes = BigInt(count * 8);
  const first = pageOf(streamTable);
  for (const { address, pages, page } of memory.stretches(first, ((bytes > PAGE_BYTES ? bytes : PAGE_BYTES) + PAGE_BYTES - 1n) & ~(PAGE_BYTES - 1n))) {
    const from = Number((address - streamTable) / 8n);
    if (page === undefined) {
      const silent = Math.min(pages * 512, count - Math.max(from, 0)) * width;
      addSids(counted.unreadable, Math.max(from, 0) * width, silent);
      accounted += silent;
      continue;
    }
    for (let at = 0; at < (page.words.length === 0 ? 0 : pages); at++)
      for (const [word, value] of page.words) {
        const index = from + at * 512 + word;
        if (index < 0 || index >= count) continue;
        if (left-- <= 0) {
          cuts.say(`Only the first ${limits.level1} level-1 stream table descriptors that are not zero were followed, up to stream ${hex(index * width)}.`);
          return count * width - accounted;
        }
        follow(index, value);
      }
  }
  return count * width - accounted;
};

const title = (words: readonly bigint[]): string => {
  const [v, config] = [Number(words[0]! & 1n), Number((words[0]! >> 1n) & 7n)];
  const name = Ste.get(words, "Config");
  return `V=${v} Config=${config.toString(2)}${typeof name === "string" && v === 1 ? ` (${name})` : ""}`;
};
const histogramOf = (groups: Iterable<Group>): StreamTable["histogram"] => {
  const counts = new Map<string, number>();
  for (const { words, sids } of groups) counts.set(title(words), (counts.get(title(words)) ?? 0) + sids.count);
  return [...counts].map(([entry, streams]) => ({ entry, streams }));
};

/** Reads the whole table. */
export const readStreams = (memory: Memory, settings: Settings, cuts: Cuts): Streams => {
  const log2Size = Math.min(settings.log2Size, SID_BITS);
  const streams = 2 ** log2Size;
  const counted: Counted = { groups: new Map(), unreadable: noSids(), unseen: 0, entries: { left: limits.entries }, pages: new Map() };
  const level1: Level1Entry[] = [];
  const withoutEntry = settings.linear ? 0 : addSecondLevels(counted, memory, settings, log2Size, level1, cuts);
  if (settings.linear) addEntries(counted, memory, settings.streamTable, streams, 0);
  if (counted.unseen > 0) cuts.say(`More than ${limits.entries} stream table entries would have to be read: the entries of ${counted.unseen} streams were not.`);
  const groups = [...counted.groups.values()].toSorted((a, b) => a.sids.ranges[0]![0] - b.sids.ranges[0]![0]);
  if ([...groups.map(({ sids }) => sids), counted.unreadable].some(isCut)) cuts.say(`Of streams with equal entries, at most ${limits.sidRanges} ranges of StreamIDs are listed; the counts are of all.`);
  const seen = groups.reduce((sum, { sids }) => sum + sids.count, 0);
  return {
    table: {
      kind: settings.linear ? "linear" : "twoLevel",
      base: hex(settings.streamTable),
      log2Size: settings.log2Size,
      streams,
      ...(settings.linear ? {} : { split: settings.split, level1 }),
      histogram: histogramOf(groups),
      withoutEntry,
      unreadable: sidRanges(counted.unreadable),
    },
    groups,
    none: streams - seen - counted.unseen,
  };
};
