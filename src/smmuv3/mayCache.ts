/**
 * The may-cache set (design D6): everything the SMMU could have fetched and kept since the last completed invalidation
 * that matches it. No fill and evict transitions: for safety, what may be cached is enough, and it is a function of history.
 *
 * Entries are stage-2 leaves tagged by VMID, stage-2 table descriptors tagged by VMID, level and address, and stream table
 * entries. Invalid descriptors are never cached; abort and illegal stream table entries are (IHI 0070 "Caching").
 * While SMMUEN=1 every entry of the stream table in memory may be cached, too; the set then holds only those that memory
 * no longer has, so that a table of 65536 streams costs nothing.
 */
import { PAGE_BYTES } from "../base/words.ts";
import { type Configuration, meaningOf, rootBytes, type Stage2 } from "./configuration.ts";
import { byteSwapped, contiguousRun, decodeDescriptor, type Granule, levelShift } from "./descriptor.ts";
import { type Image, pageAt } from "./image.ts";
import type { Via } from "./memory.ts";
import type { Settings } from "./registers.ts";
import { distinctEntries, entryIn, type SteWords, sidsIn, steAddress, steWords, streamEntries } from "./streamTable.ts";
import { descriptorFault, descriptorName, formOf, readable2 } from "./walk.ts";

export interface CachedSte {
  readonly kind: "ste";
  readonly sid: number;
  readonly entry: SteWords;
}
export interface CachedLeaf {
  readonly kind: "leaf";
  readonly vmid: number;
  readonly ipa: bigint;
  readonly size: bigint;
  readonly pa: bigint;
  readonly read: boolean;
  readonly write: boolean;
  /** Level and granule of its descriptor, for invalidation with a level hint. */
  readonly level: number;
  readonly granule: Granule;
  /** Where it was fetched from; part of what makes two leaves the same. */
  readonly via: Via;
}
export interface CachedTable {
  readonly kind: "table";
  readonly vmid: number;
  /** Level of the descriptor: the table it points at is one level further. */
  readonly level: number;
  readonly granule: Granule;
  /** First IPA that the descriptor translates. */
  readonly ipa: bigint;
  readonly next: bigint;
  readonly via: Via;
}
export type Cached = CachedSte | CachedLeaf | CachedTable;

/** Immutable; equal sets are the same object within a run. */
export interface MayCache {
  readonly id: number;
  /** By content: the key says everything about an entry. */
  readonly entries: ReadonlyMap<string, Cached>;
  readonly stes: readonly CachedSte[];
  readonly leaves: readonly CachedLeaf[];
  readonly tables: readonly CachedTable[];
}

/** What one page of a table says in a regime. */
interface Met {
  readonly leaves: readonly CachedLeaf[];
  readonly tables: readonly CachedTable[];
  /** Neighbours marked contiguous, kept as one leaf. */
  readonly merged: readonly CachedLeaf[];
}

export interface MayCaches {
  readonly empty: MayCache;
  readonly of: (entries: Iterable<Cached>) => MayCache;
  /** Unique objects for equal entries. */
  readonly entry: <E extends Cached>(entry: E) => E;
  /** What the `bytes` of a table from `addr`, all in one page, say; `first` is the IPA of the first entry. */
  readonly met: (image: Image, regime: Stage2, addr: bigint, bytes: number, level: number, first: bigint) => Met;
}

const keyOf = (entry: Cached): string => {
  switch (entry.kind) {
    case "ste":
      return `s ${entry.sid} ${entry.entry.key}`;
    case "leaf":
      return `l ${entry.vmid} ${entry.granule} ${entry.ipa.toString(16)} ${entry.size.toString(16)} ${entry.pa.toString(16)} ${entry.read ? "r" : ""}${entry.write ? "w" : ""} ${entry.via.addr.toString(16)} ${entry.via.value.toString(16)}`;
    default:
      return `t ${entry.vmid} ${entry.granule} ${entry.level} ${entry.ipa.toString(16)} ${entry.next.toString(16)} ${entry.via.addr.toString(16)} ${entry.via.value.toString(16)}`;
  }
};

/** What of a regime decides which descriptors it can keep. */
const tagOf = ({ vmid, granule, outputBits, ignoreAccessFlag, setsAccessFlag, setsDirtyState, bigEndian }: Stage2): string =>
  `${vmid} ${granule} ${outputBits} ${ignoreAccessFlag} ${setsAccessFlag} ${setsDirtyState} ${bigEndian}`;
const regimeKey = (regime: Stage2): string => `${tagOf(regime)} ${regime.root.toString(16)} ${regime.inputBits} ${regime.startLevel}`;

/** The interning table of one run. */
export const createMayCaches = (): MayCaches => {
  const entriesByKey = new Map<string, { readonly id: number; readonly key: string; readonly entry: Cached }>();
  const records = new Map<Cached, { readonly id: number; readonly key: string }>();
  const caches = new Map<string, MayCache>();
  const pages = new Map<string, Met>();

  const entry = <E extends Cached>(wanted: E): E => {
    const key = keyOf(wanted);
    let known = entriesByKey.get(key);
    if (known === undefined) {
      entriesByKey.set(key, (known = { id: entriesByKey.size, key, entry: wanted }));
      records.set(wanted, known);
    }
    return known.entry as E;
  };
  const make = (id: number, members: readonly Cached[]): MayCache => ({
    id,
    entries: new Map(members.map((member) => [records.get(member)!.key, member])),
    stes: members.filter((member) => member.kind === "ste"),
    leaves: members.filter((member) => member.kind === "leaf"),
    tables: members.filter((member) => member.kind === "table"),
  });
  const of: MayCaches["of"] = (entries) => {
    const ids = new Map<number, Cached>();
    for (const member of entries) ids.set(records.get(member)!.id, member);
    const sorted = [...ids.keys()].toSorted((a, b) => a - b);
    const key = sorted.join(" ");
    let cache = caches.get(key);
    if (cache === undefined) caches.set(key, (cache = make(caches.size, sorted.map((id) => ids.get(id)!))));
    return cache;
  };

  const read = (image: Image, regime: Stage2, addr: bigint, bytes: number, level: number, first: bigint): Met => {
    const from = Number((addr % PAGE_BYTES) >> 3n);
    const leaves: CachedLeaf[] = [];
    const tables: CachedTable[] = [];
    const merged: CachedLeaf[] = [];
    const { vmid, granule } = regime;
    const form = formOf(regime);
    for (const [index, stored] of pageAt(image, Number(addr / PAGE_BYTES)).words) {
      if (index < from || index >= from + bytes / 8) continue;
      const value = regime.bigEndian ? byteSwapped(stored) : stored;
      const descriptor = decodeDescriptor(value, level, form);
      if (descriptor.is === "invalid" || descriptorFault(descriptor, regime) !== undefined) continue;
      const via: Via = { what: descriptorName(level), addr: addr + BigInt((index - from) * 8), value };
      const ipa = first + (BigInt(index - from) << levelShift(level, granule));
      if (descriptor.is === "table") {
        tables.push(entry({ kind: "table", vmid, granule, level, ipa, next: descriptor.next, via }));
        continue;
      }
      const { size, pa, contiguous } = descriptor;
      // A page that hardware may make dirty is writable to whoever writes first.
      const write = descriptor.write || (descriptor.dirtyModifier && regime.setsDirtyState);
      const leaf = { kind: "leaf", vmid, granule, level, ipa, size, pa, read: readable2(descriptor, regime.executeByPrivilege), write, via } as const;
      leaves.push(entry(leaf));
      const all = size * contiguousRun(level, granule);
      if (contiguous) merged.push(entry({ ...leaf, ipa: ipa - (ipa % all), size: all, pa: pa - (pa % all) }));
    }
    return { leaves, tables, merged };
  };
  return {
    empty: of([]),
    of,
    entry,
    met: (image, regime, addr, bytes, level, first) => {
      const key = `${pageAt(image, Number(addr / PAGE_BYTES)).id} ${tagOf(regime)} ${addr} ${bytes} ${level} ${first}`;
      let met = pages.get(key);
      if (met === undefined) pages.set(key, (met = read(image, regime, addr, bytes, level, first)));
      return met;
    },
  };
};

/** A stream's possible configuration: from memory, or kept from an earlier fetch. */
export interface Possible {
  /** OTHERS stands for every stream that is not listed by itself: they all have this entry. */
  readonly sid: number;
  readonly cached: boolean;
  readonly configuration: Configuration;
  readonly entry: SteWords;
  readonly addr: bigint;
}
export const OTHERS = -1;

/** Every configuration that some stream could be given now, ascending by stream. Nothing is fetched while SMMUEN=0. */
export const possibleConfigurations = (image: Image, settings: Settings, cache: MayCache): Possible[] => {
  if (!settings.enabled || !settings.linear) return [];
  const possible = (sid: number, entry: SteWords, cached: boolean): Possible => ({
    sid,
    cached,
    configuration: meaningOf(entry, settings),
    entry,
    addr: steAddress(settings, Math.max(sid, 0)),
  });
  const { common, own } = streamEntries(image, settings, (entry) => meaningOf(entry, settings).class !== "stage2");
  const stored = new Map(own);
  for (const { sid } of cache.stes) if (!stored.has(sid) && common !== undefined && sid < 2 ** settings.log2Size) stored.set(sid, common);
  return [
    ...(common === undefined ? [] : [possible(OTHERS, common, false)]),
    ...[...stored].map(([sid, entry]) => possible(sid, entry, false)),
    ...cache.stes.filter(({ sid }) => stored.has(sid)).map(({ sid, entry }) => possible(sid, entry, true)),
  ].toSorted((a, b) => a.sid - b.sid || Number(a.cached) - Number(b.cached) || (a.entry.key < b.entry.key ? -1 : 1));
};

/** A leaf or table descriptor that a walk can meet, and the table that it was met in. */
export interface Reached {
  readonly entry: CachedLeaf | CachedTable;
  readonly under: Reached | undefined;
  /** The walk took a table descriptor that only the cache holds. */
  readonly cached: boolean;
}

/** Table pages and descriptors that one regime may hold here; past it, a table that points at itself is the likely reason. */
const MOST_TABLES = 1 << 14;
const MOST_DESCRIPTORS = 1 << 20;

/**
 * Every descriptor that walks of one regime can meet, in memory and below the kept table descriptors: a walk may start at
 * any table that a kept descriptor names. Tables are enumerated by their words, so no address is guessed.
 * Throws RangeError past 2^14 table pages or 2^20 descriptors.
 */
export const descriptorsOf = (caches: MayCaches, image: Image, regime: Stage2, kept: readonly CachedTable[], merged?: (leaf: CachedLeaf) => void): Reached[] => {
  const found: Reached[] = [];
  const visited = new Set<string>();
  const enter = (table: bigint, bytes: bigint, level: number, first: bigint, under: Reached | undefined): void => {
    const name = `${table} ${level} ${first}`;
    if (visited.has(name)) return;
    visited.add(name);
    for (let at = table; at < table + bytes; at += PAGE_BYTES) {
      const piece = table + bytes - at < PAGE_BYTES ? table + bytes - at : PAGE_BYTES;
      const met = caches.met(image, regime, at, Number(piece), level, first + (((at - table) >> 3n) << levelShift(level, regime.granule)));
      for (const entry of met.leaves) found.push({ entry, under, cached: under?.cached === true });
      for (const entry of met.tables) found.push({ entry, under, cached: under?.cached === true });
      if (merged !== undefined) for (const leaf of met.merged) merged(leaf);
    }
    if (visited.size > MOST_TABLES || found.length > MOST_DESCRIPTORS)
      throw new RangeError(`the tables at 0x${regime.root.toString(16)} are more than ${MOST_TABLES} pages or ${MOST_DESCRIPTORS} descriptors; does one point at itself?`);
  };
  let next = 0;
  const walkFound = (): void => {
    for (; next < found.length; next++) {
      const reached = found[next]!;
      if (reached.entry.kind === "table") enter(reached.entry.next, 1n << BigInt(regime.granule), reached.entry.level + 1, reached.entry.ipa, reached);
    }
  };
  enter(regime.root, rootBytes(regime), regime.startLevel, 0n, undefined);
  walkFound();
  for (const entry of kept) {
    if (entry.vmid !== regime.vmid || entry.granule !== regime.granule || entry.level < regime.startLevel || entry.ipa >> BigInt(regime.inputBits) !== 0n) continue;
    const name = `${entry.next} ${entry.level + 1} ${entry.ipa}`;
    if (!visited.has(name)) found.push({ entry, under: undefined, cached: true });
    walkFound();
  }
  return found;
};

/** Distinct stage-2 regimes that some stream could be given now. */
const regimesOf = (image: Image, settings: Settings, cache: MayCache): Stage2[] => {
  const regimes = new Map<string, Stage2>();
  const add = (entry: SteWords): void => {
    const configuration = meaningOf(entry, settings);
    if (configuration.class === "stage2") regimes.set(regimeKey(configuration), configuration);
  };
  for (const entry of distinctEntries(image, settings)) add(entry);
  for (const { sid, entry } of cache.stes) if (sid < 2 ** settings.log2Size) add(entry);
  return [...regimes.values()];
};

/** Adds every descriptor that could be fetched now. */
export const close = (caches: MayCaches, image: Image, settings: Settings, cache: MayCache): MayCache => {
  if (!settings.enabled || !settings.linear) return cache;
  const held = new Set<Cached>([...cache.leaves, ...cache.tables]);
  const before = held.size;
  const regimes = regimesOf(image, settings, cache);
  const shared = new Set(regimes.map(({ vmid }) => vmid)).size < regimes.length;
  let size: number;
  do {
    size = held.size;
    const kept = [...held].filter((entry) => entry.kind === "table");
    for (const regime of regimes) for (const { entry } of descriptorsOf(caches, image, regime, kept, (leaf) => held.add(leaf))) held.add(entry);
    // Regimes that share a VMID may use each other's table descriptors.
  } while (shared && held.size > size);
  return held.size === before ? cache : caches.of([...cache.stes, ...held]);
};

/** How a fetch of eight words may fall between stores to them. */
export type SteFetch =
  /** All eight at once. */
  | "whole"
  /** Word by word: any mixture of the values each word has had since the last completed invalidation (design D5). */
  | "torn";

/** What a fetch may have got of one stream's entry before it became `now`, beside `now` itself. */
const earlierEntries = (kept: readonly SteWords[], old: SteWords, now: SteWords, fetch: SteFetch): SteWords[] => {
  let seen = new Map([old, ...kept].map((entry) => [entry.key, entry]));
  if (fetch === "torn")
    for (const [word, value] of now.words.entries()) {
      if (value === old.words[word]) continue;
      const mixed = [...seen.values()].map(({ words }) => steWords(words.with(word, value)));
      seen = new Map([...seen, ...mixed.map((entry) => [entry.key, entry] as const)]);
    }
  seen.delete(now.key);
  return [...seen.values()];
};

/** Stores changed [from, end): the entries that were there may have been kept. */
export const keepOverwritten = (caches: MayCaches, cache: MayCache, settings: Settings, before: Image, after: Image, from: bigint, end: bigint, fetch: SteFetch): MayCache => {
  if (!settings.enabled || !settings.linear || before === after) return cache;
  const replaced = new Map<number, SteWords[]>();
  for (const sid of sidsIn(settings, from, end)) {
    const old = entryIn(before, settings, sid);
    const now = entryIn(after, settings, sid);
    if (old.key === now.key) continue;
    const kept = cache.stes.filter((ste) => ste.sid === sid).map(({ entry }) => entry);
    replaced.set(sid, earlierEntries(kept, old, now, fetch));
  }
  if (replaced.size === 0) return cache;
  const stes = [...replaced].flatMap(([sid, entries]) => entries.map((entry) => caches.entry<CachedSte>({ kind: "ste", sid, entry })));
  return caches.of([...cache.leaves, ...cache.tables, ...cache.stes.filter(({ sid }) => !replaced.has(sid)), ...stes]);
};

const MOST_STREAMS = 2 ** 20;

/** SMMUEN goes to 0: nothing more is fetched, but what was may stay, so every stream's entry is now held in the set itself. */
export const holdStreamTable = (caches: MayCaches, cache: MayCache, settings: Settings, image: Image): MayCache => {
  if (!settings.linear) return cache;
  if (2 ** settings.log2Size > MOST_STREAMS) throw new RangeError(`clearing SMMUEN with a stream table of 2^${settings.log2Size} entries is not modelled; at most 2^20`);
  const present = Array.from({ length: 2 ** settings.log2Size }, (_, sid) => caches.entry<CachedSte>({ kind: "ste", sid, entry: entryIn(image, settings, sid) }));
  return caches.of([...cache.entries.values(), ...present]);
};

/** SMMUEN goes to 1: entries that memory has, too, need not be held any more. */
export const releaseStreamTable = (caches: MayCaches, cache: MayCache, settings: Settings, image: Image): MayCache => {
  if (!settings.linear || cache.stes.length === 0) return cache;
  const differs = ({ sid, entry }: CachedSte): boolean => sid >= 2 ** settings.log2Size || entryIn(image, settings, sid).key !== entry.key;
  return caches.of([...cache.leaves, ...cache.tables, ...cache.stes.filter(differs)]);
};
