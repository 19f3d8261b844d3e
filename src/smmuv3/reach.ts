/**
 * What each device could reach now: DMA as a predicate over a machine state (design D6). Every possible configuration of
 * a stream is paired with every walk and every cached entry that its VMID allows.
 */
import { PAGE_BYTES } from "../base/words.ts";
import { rootBytes, type Stage2 } from "./configuration.ts";
import type { Image } from "./image.ts";
import type { MachineState, Smmu } from "./machineState.ts";
import { type CachedLeaf, descriptorsOf, type MayCache, type MayCaches, OTHERS, type Possible, possibleConfigurations, type Reached } from "./mayCache.ts";
import { TWO_LEVEL } from "./streamTable.ts";
import type { Via } from "./memory.ts";

export type { Via } from "./memory.ts";

/** A range that a stream can access: `size` bytes from `iova` go to `size` bytes from `pa`. */
export interface Target {
  readonly iova: bigint;
  readonly size: bigint;
  readonly pa: bigint;
  readonly read: boolean;
  readonly write: boolean;
  /** Only by something that was cached: memory no longer says so. */
  readonly cached: boolean;
  readonly via: readonly Via[];
}
export interface StreamConfiguration {
  readonly class: "abort" | "illegal" | "bypass" | "stage2" | "unsupported";
  /** Of `illegal` and `unsupported`: what is wrong with the entry, or not modelled. */
  readonly why?: string;
  /** Faults of this configuration leave an event. */
  readonly recorded: boolean;
  readonly cached: boolean;
  readonly via: readonly Via[];
}
export interface ReachStream {
  readonly smmu: number;
  /** -1 stands for every stream that is not listed by itself: they all have the same entry. */
  readonly sid: number;
  readonly configurations: readonly StreamConfiguration[];
  readonly targets: readonly Target[];
}
/** A page that the SMMU may read as a translation table. */
export interface ReachTable {
  readonly smmu: number;
  /** The first stream that the SMMU may read it for. */
  readonly sid: number;
  readonly pa: bigint;
  readonly via: readonly Via[];
}
/** Memory that the SMMU reads stream table entries from. */
export interface ReachStreamTable {
  readonly smmu: number;
  readonly pa: bigint;
  readonly size: bigint;
}
/** Streams by SMMU and StreamID, their targets by IOVA and physical address; tables by SMMU, stream and physical address. */
export interface Reach {
  readonly streams: readonly ReachStream[];
  readonly tables: readonly ReachTable[];
  readonly streamTables: readonly ReachStreamTable[];
}

const STAGE_1 = "the explorer does not walk stage 1";

const asCached = (via: Via): Via => ({ ...via, what: `cached ${via.what}` });

const steVia = ({ entry, cached, addr }: Possible): Via[] => {
  const via = entry.words.slice(0, 4).map((value, word): Via => ({ what: `STE dw${word}`, addr: addr + BigInt(word * 8), value }));
  return cached ? via.map(asCached) : via;
};

/** The descriptors from the root, or from the kept one that the walk began with, down to this one. */
const pathTo = (reached: Reached): Via[] => {
  const path: Via[] = [];
  for (let at: Reached | undefined = reached; at !== undefined; at = at.under) path.unshift(at.cached && at.under === undefined && at.entry.kind === "table" ? asCached(at.entry.via) : at.entry.via);
  return path;
};

const configurationSeen = (possible: Possible): StreamConfiguration => {
  const { configuration, cached } = possible;
  if (configuration.class === "stage1") return { class: "unsupported", why: STAGE_1, recorded: false, cached, via: steVia(possible) };
  const recorded = configuration.class === "illegal" || (configuration.class === "stage2" && configuration.recorded);
  return { class: configuration.class, ...("why" in configuration ? { why: configuration.why } : {}), recorded, cached, via: steVia(possible) };
};

const byAddress = (a: { readonly iova: bigint; readonly pa: bigint; readonly size: bigint }, b: typeof a): number => {
  if (a.iova !== b.iova) return a.iova < b.iova ? -1 : 1;
  if (a.pa !== b.pa) return a.pa < b.pa ? -1 : 1;
  return a.size < b.size ? -1 : Number(a.size > b.size);
};

/** The first item with each key, in order. */
const firstOfEach = <T>(items: readonly T[], key: (item: T) => string): T[] => {
  const seen = new Map<string, T>();
  for (const item of items) {
    const name = key(item);
    if (!seen.has(name)) seen.set(name, item);
  }
  return [...seen.values()];
};
const targetKey = ({ iova, pa, size, read, write }: Omit<Target, "cached" | "via">): string => `${iova} ${pa} ${size} ${read} ${write}`;

const everything = (outputBits: number, cached: boolean, via: readonly Via[]): Target => ({ iova: 0n, size: 1n << BigInt(outputBits), pa: 0n, read: true, write: true, cached, via });

const leafTarget = ({ ipa, size, pa, read, write }: CachedLeaf, cached: boolean, via: readonly Via[]): Target => ({ iova: ipa, size, pa, read, write, cached, via });

/** Everything below one configuration: by walks first, then by leaves that only the cache holds. */
const stage2Reach = (caches: MayCaches, image: Image, cache: MayCache, possible: Possible, regime: Stage2): { targets: Target[]; tables: Omit<ReachTable, "smmu">[] } => {
  const ste = steVia(possible);
  const targets: Target[] = [];
  const tables: Omit<ReachTable, "smmu">[] = [];
  const { sid } = possible;
  for (let page = regime.root & ~(PAGE_BYTES - 1n); page < regime.root + rootBytes(regime); page += PAGE_BYTES) tables.push({ sid, pa: page, via: ste });
  for (const reached of descriptorsOf(caches, image, regime, cache.tables)) {
    const via = [...ste, ...pathTo(reached)];
    if (reached.entry.kind === "table") for (let page = 0n; page < 1n << BigInt(regime.granule); page += PAGE_BYTES) tables.push({ sid, pa: reached.entry.next + page, via });
    else targets.push(leafTarget(reached.entry, possible.cached || reached.cached, via));
  }
  // A kept leaf is used whatever the entry's input size says: `unspecified`, since the tag alone selects it.
  for (const leaf of cache.leaves) if (leaf.vmid === regime.vmid) targets.push(leafTarget(leaf, true, [...ste, asCached(leaf.via)]));
  return { targets, tables };
};

/** One stream: targets that memory gives come before equal ones that only a cache gives. */
const streamReach = (caches: MayCaches, image: Image, smmu: Smmu, which: number, sid: number, possible: readonly Possible[]): { stream: ReachStream; tables: ReachTable[] } => {
  const below = possible.map((one) => {
    const { configuration } = one;
    if (configuration.class === "bypass") return { targets: [everything(smmu.settings.outputBits, one.cached, steVia(one))], tables: [] };
    return configuration.class === "stage2" ? stage2Reach(caches, image, smmu.cache, one, configuration) : { targets: [], tables: [] };
  });
  const targets = below.flatMap((one) => one.targets).filter(({ read, write }) => read || write);
  const fromMemoryFirst = targets.toSorted((a, b) => Number(a.cached) - Number(b.cached));
  return {
    stream: { smmu: which, sid, configurations: possible.map(configurationSeen), targets: firstOfEach(fromMemoryFirst, targetKey).toSorted(byAddress) },
    tables: firstOfEach(
      below.flatMap((one) => one.tables.map((table) => ({ smmu: which, ...table }))),
      ({ pa }) => `${pa}`,
    ).toSorted((a, b) => (a.pa < b.pa ? -1 : Number(a.pa > b.pa))),
  };
};

/** While SMMUEN=0 the GBPA register decides for every stream. */
const disabledReach = (smmu: Smmu, which: number): ReachStream => {
  const { abortWhileDisabled, outputBits } = smmu.settings;
  return {
    smmu: which,
    sid: OTHERS,
    configurations: [{ class: abortWhileDisabled ? "abort" : "bypass", recorded: false, cached: false, via: [] }],
    targets: abortWhileDisabled ? [] : [everything(outputBits, false, [])],
  };
};

const smmuReach = (caches: MayCaches, image: Image, smmu: Smmu, which: number): Reach => {
  const { settings } = smmu;
  if (!settings.enabled) return { streams: [disabledReach(smmu, which)], tables: [], streamTables: [] };
  const streamTables = [{ smmu: which, pa: settings.streamTable, size: 64n << BigInt(settings.log2Size) }];
  if (!settings.linear) {
    const unsupported: StreamConfiguration = { class: "unsupported", why: TWO_LEVEL, recorded: false, cached: false, via: [] };
    return { streams: [{ smmu: which, sid: OTHERS, configurations: [unsupported], targets: [] }], tables: [], streamTables };
  }
  const bySid = Map.groupBy(possibleConfigurations(image, settings, smmu.cache), ({ sid }) => sid);
  const all = [...bySid].map(([sid, possible]) => streamReach(caches, image, smmu, which, sid, possible));
  return { streams: all.map(({ stream }) => stream), tables: firstOfEach(all.flatMap(({ tables }) => tables), ({ pa }) => `${pa}`), streamTables };
};

/** What every stream reaches through memory and the caches of the state. */
export const reachOf = (caches: MayCaches, { image, smmus }: MachineState): Reach => {
  const each = smmus.map((smmu, which) => smmuReach(caches, image, smmu, which));
  return { streams: each.flatMap(({ streams }) => streams), tables: each.flatMap(({ tables }) => tables), streamTables: each.flatMap(({ streamTables }) => streamTables) };
};
