/**
 * The may-cache set (design D6): everything the SMMU could have fetched and kept since the last invalidation that matches
 * it. No fill and evict transitions: for safety, what may be cached is enough, and it is a function of history.
 *
 * Entries are stream table entries, stage-2 leaves tagged by VMID, and stage-2 table descriptors tagged by VMID, level and
 * address. Invalid descriptors are never cached; abort and illegal stream table entries are (IHI 0070 "Caching").
 */
import { type Configuration, configurationOf, type Stage2 } from "./configuration.ts";
import type { Image } from "./image.ts";
import type { Settings } from "./registers.ts";
import { STE_BYTES, STE_WORDS } from "./streamTable.ts";
import { descriptorAt, levelShift, type Via } from "./walk.ts";

export interface CachedSte {
  readonly kind: "ste";
  readonly sid: number;
  readonly words: readonly bigint[];
  readonly addr: bigint;
}
export interface CachedLeaf {
  readonly kind: "leaf";
  readonly vmid: number;
  readonly ipa: bigint;
  readonly size: bigint;
  readonly pa: bigint;
  readonly read: boolean;
  readonly write: boolean;
  /** Where it was fetched from. */
  readonly via: Via;
}
export interface CachedTable {
  readonly kind: "table";
  readonly vmid: number;
  /** Level of the descriptor: the table it points at is one level further. */
  readonly level: number;
  /** First IPA that the descriptor translates. */
  readonly ipa: bigint;
  readonly next: bigint;
  readonly via: Via;
}
export type Cached = CachedSte | CachedLeaf | CachedTable;

/** Immutable; equal sets are the same object within a run. */
export interface MayCache {
  readonly id: number;
  readonly entries: ReadonlyMap<string, Cached>;
}

const keyOf = (entry: Cached): string => {
  switch (entry.kind) {
    case "ste":
      return `s ${entry.sid} ${entry.words.join(" ")}`;
    case "leaf":
      return `l ${entry.vmid} ${entry.ipa} ${entry.size} ${entry.pa} ${entry.read} ${entry.write}`;
    default:
      return `t ${entry.vmid} ${entry.level} ${entry.ipa} ${entry.next}`;
  }
};

export interface MayCaches {
  readonly empty: MayCache;
  readonly add: (cache: MayCache, entries: readonly Cached[]) => MayCache;
  readonly filter: (cache: MayCache, keep: (entry: Cached) => boolean) => MayCache;
}

/** The interning table of one run. */
export const createMayCaches = (): MayCaches => {
  const byKey = new Map<string, MayCache>();
  const intern = (entries: ReadonlyMap<string, Cached>): MayCache => {
    const sorted = [...entries].toSorted(([a], [b]) => (a < b ? -1 : 1));
    const key = sorted.map(([name]) => name).join("|");
    let cache = byKey.get(key);
    if (cache === undefined) byKey.set(key, (cache = { id: byKey.size, entries: new Map(sorted) }));
    return cache;
  };
  return {
    empty: intern(new Map()),
    add: (cache, entries) => {
      const fresh = entries.map((entry) => [keyOf(entry), entry] as const).filter(([key]) => !cache.entries.has(key));
      return fresh.length === 0 ? cache : intern(new Map([...cache.entries, ...fresh]));
    },
    filter: (cache, keep) => {
      const kept = [...cache.entries].filter(([, entry]) => keep(entry));
      return kept.length === cache.entries.size ? cache : intern(new Map(kept));
    },
  };
};

/** A stream's possible configuration: from memory, or kept from an earlier fetch. */
export interface Possible {
  /** -1 stands for every stream whose entry was never stored: the table's background. */
  readonly sid: number;
  readonly cached: boolean;
  readonly configuration: Configuration;
  readonly ste: CachedSte;
}

/** Streams with an entry of their own in memory, and the background entry as stream -1. */
const storedEntries = (image: Image, settings: Settings): CachedSte[] => {
  const bytes = STE_BYTES << BigInt(settings.log2Size);
  const inTable = image.pages.filter((page) => page + 4096n > settings.streamTable && page < settings.streamTable + bytes);
  const background = image.backgrounds.findLast(({ addr, size }) => settings.streamTable >= addr && settings.streamTable < addr + size);
  const blank = Array.from({ length: STE_WORDS }, (_, word) => background?.pattern[word % background.pattern.length] ?? 0n);
  const entries: CachedSte[] = [{ kind: "ste", sid: -1, words: blank, addr: settings.streamTable }];
  for (const page of inTable)
    for (let at = page < settings.streamTable ? settings.streamTable : page; at < page + 4096n && at < settings.streamTable + bytes; at += STE_BYTES) {
      const words = Array.from({ length: STE_WORDS }, (_, word) => image.read(at + BigInt(word * 8)));
      if (words.some((value, word) => value !== blank[word])) entries.push({ kind: "ste", sid: Number((at - settings.streamTable) / STE_BYTES), words, addr: at });
    }
  return entries;
};

/** Every configuration that some stream could be given now. Nothing is fetched while SMMUEN=0. */
export const possibleConfigurations = (image: Image, settings: Settings, cache: MayCache): Possible[] => {
  if (!settings.enabled) return [];
  const stored = storedEntries(image, settings).map((ste): Possible => ({ sid: ste.sid, cached: false, configuration: configurationOf(ste.words, settings), ste }));
  const present = new Set(stored.map(({ ste }) => keyOf(ste)));
  const own = new Set(stored.map(({ sid }) => sid));
  const blank = stored[0]!.ste.words.join(" ");
  const kept = [...cache.entries].flatMap(([key, entry]): Possible[] => {
    if (entry.kind !== "ste" || entry.sid < 0 || present.has(key) || (!own.has(entry.sid) && entry.words.join(" ") === blank)) return [];
    return [{ sid: entry.sid, cached: true, configuration: configurationOf(entry.words, settings), ste: entry }];
  });
  return [...stored, ...kept];
};

/** A leaf or table descriptor that a walk can meet, with the words that lead to it. */
export interface Reached {
  readonly entry: CachedLeaf | CachedTable;
  readonly path: readonly Via[];
}

/**
 * Every descriptor that walks of one regime can meet, at every level in memory or, with `cache`, as kept from earlier.
 * Tables are enumerated by their words, so no address is guessed.
 */
export const descriptorsOf = (image: Image, regime: Stage2, cache: MayCache | undefined): Reached[] => {
  const found: Reached[] = [];
  const tables = cache === undefined ? [] : [...cache.entries.values()].filter((entry): entry is CachedTable => entry.kind === "table" && entry.vmid === regime.vmid);
  const visited = new Set<string>();
  const enter = (table: bigint, level: number, first: bigint, path: readonly Via[]): void => {
    const name = `${table} ${level} ${first}`;
    if (visited.has(name)) return;
    visited.add(name);
    const bytes = level === regime.startLevel ? 8n << (BigInt(regime.inputBits) - levelShift(level)) : 4096n;
    for (let page = table; page < table + bytes; page += 4096n)
      for (const [index, value] of image.wordsOf(page)) {
        const at = page + BigInt(index * 8);
        if (at >= table + bytes) break;
        meet(value, at, level, first + (((at - table) / 8n) << levelShift(level)), path);
      }
    const span = bytes / 8n << levelShift(level);
    for (const entry of tables) if (entry.level === level && entry.ipa >= first && entry.ipa < first + span) enter(entry.next, level + 1, entry.ipa, [...path, { ...entry.via, what: `cached ${entry.via.what}` }]);
  };
  const meet = (value: bigint, at: bigint, level: number, address: bigint, path: readonly Via[]): void => {
    const meaning = descriptorAt(value, level, regime);
    const via: Via = { what: `stage-2 level ${level} descriptor`, addr: at, value };
    if (meaning.is === "leaf") found.push({ entry: { kind: "leaf", vmid: regime.vmid, ipa: address, size: meaning.size, pa: meaning.pa, read: meaning.read, write: meaning.write, via }, path: [...path, via] });
    if (meaning.is !== "table") return;
    found.push({ entry: { kind: "table", vmid: regime.vmid, level, ipa: address, next: meaning.next, via }, path: [...path, via] });
    enter(meaning.next, level + 1, address, [...path, via]);
  };
  enter(regime.root, regime.startLevel, 0n, []);
  return found;
};

/** Adds everything that could be fetched now. */
export const close = (caches: MayCaches, image: Image, settings: Settings, cache: MayCache): MayCache => {
  const fetched: Cached[] = [];
  for (const { sid, configuration, ste } of possibleConfigurations(image, settings, cache)) {
    if (sid >= 0) fetched.push(ste);
    if (configuration.class === "stage2") fetched.push(...descriptorsOf(image, configuration, cache).map(({ entry }) => entry));
  }
  return caches.add(cache, fetched);
};
