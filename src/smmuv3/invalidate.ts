/**
 * Which command removes which cached entry (IHI 0070 "Commands" and "Caching"). A command takes effect when a later SYNC
 * completes. A command that is illegal on this SMMU stops the queue (CERROR_ILL): nothing after it is consumed.
 */
import { Command, CommandCfgi, CommandCfgiRange, type CommandName, CommandPriResp, CommandSync, CommandTlbi, opcodes } from "../../specs/smmuv3/command.ts";
import type { Cached } from "./mayCache.ts";
import { type Granule, levelShift } from "./descriptor.ts";
import type { Settings } from "./registers.ts";


/** Whether the command leaves an entry in the caches. */
export type Keep = (entry: Cached) => boolean;

const names = new Map((Object.keys(opcodes) as CommandName[]).map((name) => [BigInt(opcodes[name].code), name]));
/** The name of a command's opcode. */
export const nameOf = (words: readonly bigint[]): CommandName | undefined => names.get(Command.get(words, "Op"));

const has = (settings: Settings, feature: string): boolean => {
  switch (feature) {
    case "S1P":
      return settings.stage1;
    case "S2P":
      return settings.stage2;
    case "HYP":
      return settings.hyp;
    case "ATS":
      return settings.ats;
    case "PRI":
      return settings.pri;
    case "MPAM":
      return settings.vmStructure;
    case "DPT":
      return settings.devicePermissionTable;
    case "stall":
      return settings.stallModel !== 1;
    default:
      return false;
  }
};

/** Features whose absence QEMU's command queue does not mind. */
const UNMINDED = new Set(["HYP", "ATS", "PRI", "stall"]);
const featureFault = (name: CommandName, settings: Settings): string | undefined => {
  const { needs }: { readonly code: number; readonly needs?: string } = opcodes[name];
  if (needs === undefined || has(settings, needs)) return undefined;
  const unminded = UNMINDED.has(needs) || name.startsWith("TLBI_EL3") || (needs === "S1P" && name.startsWith("CFGI"));
  return settings.quirks.illegalCommandsAccepted && unminded ? undefined : `${name} needs ${needs}, which is not implemented`;
};

/** Commands with an SSec field; in others its bit is reserved. */
const secured = (name: CommandName, { quirks }: Settings): boolean =>
  name.startsWith("CFGI") || (!quirks.illegalCommandsAccepted && (name.startsWith("PREFETCH") || name === "RESUME" || name === "STALL_TERM"));

/** The level that TTL names; 0 is any, and so is 1 at 16 KiB without 52-bit addresses (IHI 0070 section 4.4.1.1). */
const levelHint = (words: readonly bigint[], { wideSmallGranules }: Settings): number => {
  const { TG, TTL } = CommandTlbi.decode(words);
  return TG === "16K" && TTL === 1n && !wideSmallGranules ? 0 : Number(TTL);
};

/** What a range may not be: one granule without a level hint (IHI 0070 section 4.4.1.1). */
const rangeFault = (words: readonly bigint[], settings: Settings): string | undefined => {
  const { TG, Num, Scale } = CommandTlbi.decode(words);
  return settings.rangeInvalidation && TG !== "none" && Num === 0n && Scale === 0n && levelHint(words, settings) === 0 ? "a range of one granule without a level hint" : undefined;
};
const RANGED = new Set<CommandName>(["TLBI_NH_VA", "TLBI_NH_VAA", "TLBI_EL2_VA", "TLBI_EL2_VAA", "TLBI_S2_IPA"]);

/** Why the command queue would stop at this command, or undefined. Reserved bits are ignored (IHI 0070 sections 4.1.3, 4.1.5). */
export const illegalCommand = (words: readonly bigint[], settings: Settings): string | undefined => {
  const name = nameOf(words);
  if (name === undefined) return `unknown opcode 0x${Command.get(words, "Op").toString(16)}`;
  if (secured(name, settings) && Command.get(words, "SSec") === 1n) return `${name} with SSec=1 on the Non-secure queue`;
  const fault = featureFault(name, settings);
  if (fault !== undefined || settings.quirks.illegalCommandsAccepted) return fault;
  if (name === "SYNC" && CommandSync.get(words, "CS") === 3n) return "SYNC with reserved CS=3";
  if (name === "PRI_RESP" && CommandPriResp.get(words, "Resp") === 3n) return "PRI_RESP with reserved Resp=3";
  return RANGED.has(name) ? rangeFault(words, settings) : undefined;
};

/** Whether an entry has the VMID of a command, its low bits open as CR0.VMW says (IHI 0070 section 3.17.6). */
export const sameVmid = (entry: number, command: number, { vmidWildcard }: Settings): boolean => entry >>> vmidWildcard === command >>> vmidWildcard;

/** What a TLBI names: [first, end) of addresses, and the only leaf level it must reach, if it gives a hint. */
interface Named {
  readonly first: bigint;
  readonly end: bigint;
  readonly level?: number;
  /** Entries of another granule need not go. */
  readonly granule?: Granule;
}

const GRANULES: Readonly<Record<string, Granule>> = { "4K": 12, "16K": 14, "64K": 16 };
/**
 * TG=0: the page at Address, whatever the size of the entry that holds it; Num, Scale and TTL are ignored. Otherwise
 * (Num+1) * 2^Scale pages of that granule (IHI 0070 section 4.4.1.1).
 */
export const namedBy = (words: readonly bigint[], settings: Settings): Named => {
  const { Address, TG, Num, Scale } = CommandTlbi.decode(words);
  if (TG === "none" || !settings.rangeInvalidation) return { first: Address, end: Address + 4096n };
  const level = levelHint(words, settings);
  const granule = GRANULES[TG as string]!;
  return { first: Address, end: Address + ((Num + 1n) << (Scale + BigInt(granule))), granule, ...(level === 0 ? {} : { level }) };
};

/**
 * TLBI_S2_IPA reaches the entries used to translate the addresses it names, of whatever size, and no others: a leaf of
 * another page below the same table stays. Leaf=1 leaves table descriptors alone.
 */
const keepAfterIpa = (words: readonly bigint[], settings: Settings): Keep => {
  const named = namedBy(words, settings);
  const vmid = Number(CommandTlbi.get(words, "VMID"));
  const leafOnly = CommandTlbi.get(words, "Leaf") === 1n;
  const overlaps = (at: bigint, size: bigint) => at < named.end && named.first < at + size;
  return (entry) => {
    if (entry.kind === "ste" || !sameVmid(entry.vmid, vmid, settings) || (named.granule !== undefined && named.granule !== entry.granule)) return true;
    if (entry.kind === "leaf") return (named.level !== undefined && entry.level !== named.level) || !overlaps(entry.ipa, entry.size);
    return leafOnly || !overlaps(entry.ipa, 1n << levelShift(entry.level, entry.granule));
  };
};

/** 2^(Range+1) streams, aligned; 31 is all of them. */
const keepAfterSteRange = (words: readonly bigint[]): Keep => {
  const { SID, Range } = CommandCfgiRange.decode(words);
  if (Range === 31n) return (entry) => entry.kind !== "ste";
  return (entry) => entry.kind !== "ste" || BigInt(entry.sid) >> (Range + 1n) !== SID >> (Range + 1n);
};

/** What a legal command leaves. Stage-1 invalidations touch nothing here: a stage-2-only stream has no stage-1 entry. */
export const keepAfter = (words: readonly bigint[], settings: Settings): Keep => {
  switch (nameOf(words)) {
    case "CFGI_STE": {
      const sid = Number(CommandCfgi.get(words, "SID"));
      return (entry) => entry.kind !== "ste" || entry.sid !== sid;
    }
    case "CFGI_STE_RANGE":
      return keepAfterSteRange(words);
    case "TLBI_S12_VMALL": {
      const vmid = Number(CommandTlbi.get(words, "VMID"));
      return (entry) => entry.kind === "ste" || !sameVmid(entry.vmid, vmid, settings);
    }
    case "TLBI_S2_IPA":
      return keepAfterIpa(words, settings);
    case "TLBI_NSNH_ALL":
      return (entry) => entry.kind === "ste";
    default:
      return () => true;
  }
};
