/**
 * Which command removes which cached entry (IHI 0070 "Commands" and "Caching"). A command takes effect when a later SYNC
 * completes. A command that this SMMU does not know stops the queue (CERROR_ILL): nothing after it is consumed.
 */
import { Command, type CommandName, CommandCfgi, CommandSync, CommandTlbi, opcodes } from "../../specs/smmuv3/command.ts";
import type { Cached } from "./mayCache.ts";
import type { Settings } from "./registers.ts";

/** Keeps what the command leaves in the caches. */
export type Keep = (entry: Cached) => boolean;

const nameOf = (words: readonly bigint[]): CommandName | undefined => {
  const code = Number(Command.get(words, "Op"));
  return (Object.keys(opcodes) as CommandName[]).find((name) => opcodes[name].code === code);
};

/** Why the command queue would stop at this command, or undefined. */
export const illegalCommand = (words: readonly bigint[], settings: Settings): string | undefined => {
  const name = nameOf(words);
  if (name === undefined) return `unknown opcode 0x${Command.get(words, "Op").toString(16)}`;
  if (Command.get(words, "SSec") === 1n) return `${name} with SSec=1 on the Non-secure queue`;
  if (name === "SYNC") return CommandSync.get(words, "CS") === 3n ? "SYNC with reserved CS=3" : undefined;
  const definition: { readonly code: number; readonly needs?: string } = opcodes[name];
  const present: Readonly<Record<string, boolean>> = { S1P: settings.stage1, S2P: settings.stage2, stall: settings.stallModel !== 1 };
  return definition.needs === undefined || present[definition.needs] === true ? undefined : `${name} needs ${definition.needs}, which is not implemented`;
};

/** Bytes from the address that a TLBI names: one 4 KiB page, or the range of its RIL fields. */
const rangeOf = (words: readonly bigint[]): readonly [first: bigint, end: bigint] => {
  const { Address, TG, Num, Scale } = CommandTlbi.decode(words);
  const granule: bigint = { none: 4096n, "4K": 4096n, "16K": 16384n, "64K": 65536n }[TG as "none"];
  return [Address, Address + (TG === "none" ? granule : (((Num as bigint) + 1n) << (Scale as bigint)) * granule)];
};

/**
 * TLBI_S2_IPA reaches the entries used to translate the addresses it names, of whatever size, and no others: a leaf of
 * another page below the same table stays. Leaf=1 leaves table descriptors alone.
 */
const keepAfterIpa = (words: readonly bigint[]): Keep => {
  const [first, end] = rangeOf(words);
  const vmid = Number(CommandTlbi.get(words, "VMID"));
  const leafOnly = CommandTlbi.get(words, "Leaf") === 1n;
  const overlaps = (at: bigint, size: bigint) => at < end && first < at + size;
  return (entry) => {
    if (entry.kind === "ste" || entry.vmid !== vmid) return true;
    if (entry.kind === "leaf") return !overlaps(entry.ipa, entry.size);
    return leafOnly || !overlaps(entry.ipa, 1n << BigInt(12 + 9 * (3 - entry.level)));
  };
};

const keepAfterSteRange = (words: readonly bigint[]): Keep => {
  const { SID, Leaf, RangeHigh } = CommandCfgi.decode(words);
  const range = (RangeHigh << 1n) | Leaf;
  if (range === 31n) return (entry) => entry.kind !== "ste";
  const first = SID & ~((2n << range) - 1n);
  return (entry) => entry.kind !== "ste" || BigInt(entry.sid) < first || BigInt(entry.sid) >= first + (2n << range);
};

/** What a legal command leaves. Stage-1 invalidations touch nothing here: a stage-2-only stream has no stage-1 entry. */
export const keepAfter = (words: readonly bigint[]): Keep => {
  switch (nameOf(words)) {
    case "CFGI_STE": {
      const sid = Number(CommandCfgi.get(words, "SID"));
      return (entry) => entry.kind !== "ste" || entry.sid !== sid;
    }
    case "CFGI_STE_RANGE":
      return keepAfterSteRange(words);
    case "TLBI_S12_VMALL": {
      const vmid = Number(CommandTlbi.get(words, "VMID"));
      return (entry) => entry.kind === "ste" || entry.vmid !== vmid;
    }
    case "TLBI_S2_IPA":
      return keepAfterIpa(words);
    case "TLBI_NSNH_ALL":
      return (entry) => entry.kind === "ste";
    default:
      return () => true;
  }
};
