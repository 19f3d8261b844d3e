/**
 * What each device could reach now: DMA as a predicate over a machine state (design D6). Every possible configuration of
 * a stream is paired with every walk and every cached entry that its VMID allows.
 */
import type { MachineState, Smmu } from "./machine.ts";
import { descriptorsOf, possibleConfigurations, type Possible } from "./mayCache.ts";
import type { Image } from "./image.ts";
import type { Via } from "./walk.ts";

export type { Via } from "./walk.ts";

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
  /** Faults of this configuration leave an event. */
  readonly recorded: boolean;
  readonly cached: boolean;
  readonly via: readonly Via[];
}
export interface ReachStream {
  readonly smmu: number;
  /** -1 stands for every stream whose entry was never stored. */
  readonly sid: number;
  readonly configurations: readonly StreamConfiguration[];
  readonly targets: readonly Target[];
}
/** A page that the SMMU may read as a translation table. */
export interface ReachTable {
  readonly smmu: number;
  readonly sid: number;
  readonly pa: bigint;
  readonly via: readonly Via[];
}
/** Sorted by SMMU, StreamID, IOVA, physical address. */
export interface Reach {
  readonly streams: readonly ReachStream[];
  readonly tables: readonly ReachTable[];
}

const steVia = ({ ste, cached }: Possible): Via[] =>
  ste.words.slice(0, 4).map((value, word) => ({ what: `${cached ? "cached " : ""}STE dw${word}`, addr: ste.addr + BigInt(word * 8), value }));

const configurationSeen = (possible: Possible): StreamConfiguration => {
  const { configuration } = possible;
  const recorded = configuration.class === "illegal" || (configuration.class === "stage2" && configuration.recorded);
  return { class: configuration.class, recorded, cached: possible.cached, via: steVia(possible) };
};

/** Everything below one configuration: by walks in memory first, then by what only the cache holds. */
const targetsOf = (image: Image, smmu: Smmu, possible: Possible): Target[] => {
  const { configuration } = possible;
  if (configuration.class === "bypass") return [{ iova: 0n, size: 1n << BigInt(smmu.settings.outputBits), pa: 0n, read: true, write: true, cached: possible.cached, via: steVia(possible) }];
  if (configuration.class !== "stage2") return [];
  const cold = descriptorsOf(image, configuration, undefined).flatMap(({ entry, path }): Target[] =>
    entry.kind === "leaf" ? [{ iova: entry.ipa, size: entry.size, pa: entry.pa, read: entry.read, write: entry.write, cached: possible.cached, via: [...steVia(possible), ...path] }] : [],
  );
  const kept = [...smmu.cache.entries.values()].flatMap((entry): Target[] => {
    if (entry.kind !== "leaf" || entry.vmid !== configuration.vmid || entry.ipa >> BigInt(configuration.inputBits) !== 0n) return [];
    if (cold.some(({ iova, pa, size, read, write }) => iova === entry.ipa && pa === entry.pa && size === entry.size && read === entry.read && write === entry.write)) return [];
    return [{ iova: entry.ipa, size: entry.size, pa: entry.pa, read: entry.read, write: entry.write, cached: true, via: [...steVia(possible), { ...entry.via, what: `cached ${entry.via.what}` }] }];
  });
  return [...cold, ...kept].filter(({ read, write }) => read || write);
};

const tablesOf = (image: Image, smmu: Smmu, which: number, possible: Possible): ReachTable[] => {
  const { configuration, sid } = possible;
  if (configuration.class !== "stage2") return [];
  const rootBytes = 8n << BigInt(configuration.inputBits - (12 + 9 * (3 - configuration.startLevel)));
  const tables: ReachTable[] = [];
  for (let page = configuration.root; page < configuration.root + rootBytes; page += 4096n) tables.push({ smmu: which, sid, pa: page, via: steVia(possible) });
  for (const { entry, path } of descriptorsOf(image, configuration, smmu.cache))
    if (entry.kind === "table") tables.push({ smmu: which, sid, pa: entry.next, via: [...steVia(possible), ...path] });
  for (const entry of smmu.cache.entries.values())
    if (entry.kind === "table" && entry.vmid === configuration.vmid) tables.push({ smmu: which, sid, pa: entry.next, via: [...steVia(possible), { ...entry.via, what: `cached ${entry.via.what}` }] });
  return tables;
};

const byAddress = (a: Target, b: Target): number => {
  if (a.iova !== b.iova) return a.iova < b.iova ? -1 : 1;
  return a.pa < b.pa ? -1 : Number(a.pa > b.pa);
};

const firstOfEach = <T>(items: readonly T[], key: (item: T) => string): T[] => {
  const seen = new Map<string, T>();
  for (const item of items) if (!seen.has(key(item))) seen.set(key(item), item);
  return [...seen.values()];
};

/** While SMMUEN=0 the GBPA register decides for every stream. */
const disabledReach = (smmu: Smmu, which: number): ReachStream => {
  const { abortWhileDisabled, outputBits } = smmu.settings;
  const everything: Target = { iova: 0n, size: 1n << BigInt(outputBits), pa: 0n, read: true, write: true, cached: false, via: [] };
  return { smmu: which, sid: -1, configurations: [{ class: abortWhileDisabled ? "abort" : "bypass", recorded: false, cached: false, via: [] }], targets: abortWhileDisabled ? [] : [everything] };
};

/** `warm`: with the may-cache sets; otherwise what cold walks of memory give. */
export const reachOf = (state: MachineState, warm: boolean): Reach => {
  const streams: ReachStream[] = [];
  const tables: ReachTable[] = [];
  for (const [which, full] of state.smmus.entries()) {
    const smmu: Smmu = warm ? full : { ...full, cache: { id: -1, entries: new Map() } };
    if (!smmu.settings.enabled) {
      streams.push(disabledReach(smmu, which));
      continue;
    }
    const possible = possibleConfigurations(state.image, smmu.settings, smmu.cache);
    for (const sid of [...new Set(possible.map((one) => one.sid))].toSorted((a, b) => a - b)) {
      const own = possible.filter((one) => one.sid === sid);
      const targets = own.flatMap((one) => targetsOf(state.image, smmu, one)).toSorted(byAddress);
      streams.push({
        smmu: which,
        sid,
        configurations: own.map(configurationSeen),
        targets: firstOfEach(targets, ({ iova, pa, size, read, write }) => `${iova} ${pa} ${size} ${read} ${write}`),
      });
      tables.push(...firstOfEach(own.flatMap((one) => tablesOf(state.image, smmu, which, one)), ({ pa }) => `${pa}`));
    }
  }
  return { streams, tables };
};
