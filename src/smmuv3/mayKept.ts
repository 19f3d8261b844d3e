/**
 * What an SMMU may keep, entry by entry, and which command removes which (IHI 0070 chapter 4; section 3.17 "TLB tagging",
 * section 3.21 "Structure access rules and update procedures").
 */
import { CommandCfgi, CommandCfgiCd, CommandCfgiRange, CommandTlbi } from "../../specs/smmuv3/command.ts";
import type { Kept, Tag } from "./caches.ts";
import type { Granule, Hierarchy } from "./descriptor.ts";
import { namedBy, nameOf, sameVmid } from "./invalidate.ts";
import type { Via } from "./memory.ts";
import type { Settings } from "./registers.ts";
import type { Structure } from "./streamTable.ts";

/** The words of a configuration structure. `first` and `last`: the streams that a first-level entry is for. */
export interface KeptWords {
  readonly kind: "words";
  readonly structure: Structure;
  readonly first: number;
  readonly last: number;
  readonly addr: bigint;
  readonly words: readonly bigint[];
}
export interface KeptTranslation {
  readonly kind: "translation";
  readonly tag: Tag;
  readonly kept: Kept;
}
/** A table descriptor, by what its table translates. */
export interface KeptTable {
  readonly kind: "table";
  readonly tag: Tag;
  readonly granule: Granule;
  readonly level: number;
  /** First input address, and bytes. */
  readonly input: bigint;
  readonly size: bigint;
  readonly next: bigint;
  readonly above: Hierarchy;
  readonly via: Via;
}
export type MayKeep = KeptWords | KeptTranslation | KeptTable;

/** Entries, each once by what it says, and found by what they are looked up with. */
export interface Kit {
  readonly entries: Map<string, MayKeep>;
  readonly words: Map<string, KeptWords[]>;
  readonly translations: Map<string, KeptTranslation[]>;
  readonly tables: Map<string, KeptTable[]>;
}
const put = <T>(index: Map<string, T[]>, key: string, item: T): void => {
  const items = index.get(key);
  if (items === undefined) index.set(key, [item]);
  else items.push(item);
};
const structureKey = ({ kind, sid, index }: Structure): string => `${kind} ${kind === "L1STD" ? "" : sid} ${index}`;

/** Adds an entry; false where the kit has one that says the same. */
export const addTo = (kit: Kit, entry: MayKeep): boolean => {
  const key = keyOf(entry);
  if (kit.entries.has(key)) return false;
  kit.entries.set(key, entry);
  if (entry.kind === "words") put(kit.words, structureKey(entry.structure), entry);
  else if (entry.kind === "table") put(kit.tables, tagKey(entry.tag), entry);
  else put(kit.translations, tagKey(entry.tag), entry);
  return true;
};
export const kitOf = (entries: Iterable<MayKeep>): Kit => {
  const kit: Kit = { entries: new Map(), words: new Map(), translations: new Map(), tables: new Map() };
  for (const entry of entries) addTo(kit, entry);
  return kit;
};
export const wordsIn = (kit: Kit, structure: Structure): readonly KeptWords[] => kit.words.get(structureKey(structure)) ?? [];
const under = <T>(index: ReadonlyMap<string, readonly T[]>, tag: Tag): readonly T[] => {
  const own = index.get(tagKey(tag)) ?? [];
  const global = tag.asid === undefined ? undefined : index.get(tagKey({ ...tag, global: true }));
  return global === undefined ? own : [...own, ...global];
};
/** Translations that a look-up under a tag may hit for an address; those for every ASID, too. */
export const translationsIn = (kit: Kit, tag: Tag, address: bigint): readonly KeptTranslation[] => under(kit.translations, tag).filter(({ kept }) => covers(kept, address));
export const tablesIn = (kit: Kit, tag: Tag, address: bigint): readonly KeptTable[] => under(kit.tables, tag).filter((entry) => covers(entry, address));

/** The streams that a structure is for. */
export const streamsOf = ({ kind, sid, index }: Structure, { split }: Settings): readonly [number, number] => (kind === "L1STD" ? [index * 2 ** split, (index + 1) * 2 ** split - 1] : [sid, sid]);
export const covers = ({ input, size }: { readonly input: bigint; readonly size: bigint }, address: bigint): boolean => address >= input && address < input + size;
const tagKey = ({ vmid, asid, global, world }: Tag): string => `${world ?? vmid}/${global ? "g" : (asid ?? "s2")}`;
const viaKey = (via: readonly Via[]): string => via.map(({ addr, value }) => `${addr}=${value}`).join(",");
/** Equal for entries that say the same. */
const keyOf = (entry: MayKeep): string => {
  if (entry.kind === "words") return `w ${entry.structure.kind} ${entry.structure.sid} ${entry.structure.index} ${entry.addr} ${entry.words.join(",")}`;
  if (entry.kind === "table") return `t ${tagKey(entry.tag)} ${entry.granule} ${entry.level} ${entry.input} ${entry.next} ${JSON.stringify(entry.above)} ${viaKey([entry.via])}`;
  const { input, size, pa, stage1, stage2, ipa, via } = entry.kept;
  return `l ${tagKey(entry.tag)} ${input} ${size} ${pa} ${ipa ?? ""} ${JSON.stringify([stage1, stage2])} ${viaKey(via)}`;
};

export type Leaves = (entry: MayKeep) => boolean;
const everything: Leaves = () => true;

const overlaps = (from: bigint, end: bigint, at: bigint, size: bigint): boolean => at < end && from < at + size;

/** CFGI_STE and its ranges: entries of the streams, all that was fetched of their context descriptors, and first levels. */
const afterStreams =
  (first: number, last: number, leaf: boolean): Leaves =>
  (entry) => {
    if (entry.kind !== "words" || entry.last < first || entry.first > last) return true;
    return entry.structure.kind === "L1STD" && leaf;
  };
const afterContext =
  (sid: number, ssid: number | undefined, leaf: boolean): Leaves =>
  (entry) => {
    if (entry.kind !== "words" || entry.structure.sid !== sid) return true;
    const { kind, index } = entry.structure;
    if (kind === "CD") return ssid !== undefined && index !== ssid;
    // A first-level entry goes with any of its descriptors.
    return kind !== "L1CD" || leaf;
  };

/** Which tags a stage-1 invalidation is about. */
const about =
  (vmid: number, world: Tag["world"], settings: Settings) =>
  (tag: Tag): boolean =>
    tag.asid !== undefined && tag.world === world && (world !== undefined || sameVmid(tag.vmid, vmid, settings));

const tagOf = (entry: MayKeep): Tag | undefined => (entry.kind === "words" ? undefined : entry.tag);
const unless =
  (goes: (entry: KeptTranslation | KeptTable, tag: Tag) => boolean): Leaves =>
  (entry) =>
    entry.kind === "words" || !goes(entry, tagOf(entry)!);

/** What a TLBI by address names. Table descriptors go unless Leaf=1, and only those above a level hint. */
const namedGoes = (words: readonly bigint[], settings: Settings): ((entry: KeptTranslation | KeptTable) => boolean) => {
  const { first, end, level, granule } = namedBy(words, settings);
  const leafOnly = CommandTlbi.get(words, "Leaf") === 1n;
  return (entry) => {
    const shape = entry.kind === "table" ? entry : entry.kept;
    if ((granule !== undefined && granule !== shape.granule) || !overlaps(first, end, shape.input, shape.size)) return false;
    if (entry.kind === "table") return !leafOnly && (level === undefined || entry.level < level);
    return level === undefined || entry.kept.level === level;
  };
};

/** Which stage-1 entries an invalidation by ASID reaches: global ones only where an address is named, too. */
const ofAsid = (asid: number, globals: boolean) => (tag: Tag): boolean => (tag.global === true ? globals : tag.asid === asid);

/** What a legal command leaves once it has completed. */
export const leavesAfter = (words: readonly bigint[], settings: Settings): Leaves => {
  const vmid = settings.stage2 ? Number(CommandTlbi.get(words, "VMID")) : 0;
  const asid = Number(CommandTlbi.get(words, "ASID"));
  const el1 = about(vmid, undefined, settings);
  const el2 = about(0, settings.hypHost ? "EL2-E2H" : "EL2", settings);
  const name = nameOf(words);
  switch (name) {
    case "CFGI_STE": {
      const sid = Number(CommandCfgi.get(words, "SID"));
      return afterStreams(sid, sid, CommandCfgi.get(words, "Leaf") === 1n);
    }
    case "CFGI_STE_RANGE": {
      const { SID, Range } = CommandCfgiRange.decode(words);
      const size = 2 ** (Number(Range) + 1);
      const first = Math.floor(Number(SID) / size) * size;
      return afterStreams(first, first + size - 1, false);
    }
    case "CFGI_CD":
      return afterContext(Number(CommandCfgiCd.get(words, "SID")), Number(CommandCfgiCd.get(words, "SSID")), CommandCfgiCd.get(words, "Leaf") === 1n);
    case "CFGI_CD_ALL":
      return afterContext(Number(CommandCfgiCd.get(words, "SID")), undefined, false);
    case "TLBI_NH_ALL":
      return unless((_, tag) => el1(tag));
    case "TLBI_NH_ASID":
      return unless((_, tag) => el1(tag) && ofAsid(asid, false)(tag));
    case "TLBI_NH_VA":
    case "TLBI_NH_VAA": {
      const named = namedGoes(words, settings);
      const any = name === "TLBI_NH_VAA";
      return unless((entry, tag) => el1(tag) && (any || ofAsid(asid, true)(tag)) && named(entry));
    }
    case "TLBI_EL2_ALL":
      return unless((_, tag) => tag.world !== undefined);
    case "TLBI_EL2_ASID":
      return unless((_, tag) => el2(tag) && ofAsid(asid, false)(tag));
    case "TLBI_EL2_VA":
    case "TLBI_EL2_VAA": {
      const named = namedGoes(words, settings);
      const any = name === "TLBI_EL2_VAA" || !settings.hypHost;
      return unless((entry, tag) => el2(tag) && (any || ofAsid(asid, true)(tag)) && named(entry));
    }
    case "TLBI_S2_IPA": {
      const named = namedGoes(words, settings);
      return unless((entry, tag) => tag.asid === undefined && sameVmid(tag.vmid, vmid, settings) && named(entry));
    }
    case "TLBI_S12_VMALL":
      return unless((_, tag) => tag.world === undefined && sameVmid(tag.vmid, vmid, settings));
    case "TLBI_NSNH_ALL":
      return unless((_, tag) => tag.world === undefined);
    default:
      return everything;
  }
};
