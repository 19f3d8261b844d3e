/**
 * Caches that keep everything until it is invalidated, exactly as QEMU 10.0 does: decoded configurations by stream, and a
 * TLB of 256 translations that is emptied whole when it is full. No table descriptor and no fault is kept.
 * Source: QEMU 10.0.2 hw/arm/smmu-common.c (smmu_iotlb_*, smmu_configs_inv_sid_range) and hw/arm/smmuv3.c (smmuv3_cmdq_consume).
 */
import { CommandCfgi, CommandCfgiRange, CommandTlbi } from "../../specs/smmuv3/command.ts";
import type { Caches, Configured, Kept, Sought, Tag } from "./caches.ts";
import { type Granule, levelShift } from "./descriptor.ts";
import { nameOf, sameVmid } from "./invalidate.ts";
import { leavesAfter } from "./mayKept.ts";
import type { Settings } from "./registers.ts";

const MOST_TRANSLATIONS = 256;
const MASK = (1n << 64n) - 1n;

/** A kept translation with what it is found by; `asid` is undefined for those of stage 2 alone. */
interface Entry {
  readonly tag: Tag;
  readonly kept: Kept;
}
const keyOf = ({ vmid, asid, global, world }: Tag, input: bigint, granule: Granule, level: number): string => `${world ?? vmid} ${global ? "global" : (asid ?? "")} ${input} ${granule} ${level}`;

export interface Retained extends Caches {
  /** What a legal command removes, at once. */
  readonly execute: (words: readonly bigint[], settings: Settings) => void;
}

/** A TLBI's addresses as QEMU compares them: the bits that the command leaves open. */
interface Named {
  readonly address: bigint;
  readonly open: bigint;
}
const holds = ({ input, size }: Kept, { address, open }: Named): boolean => (address & ~(size - 1n) & MASK) === input || (input & ~open & MASK) === address;

const GRANULES: Readonly<Record<string, Granule>> = { "4K": 12, "16K": 14, "64K": 16 };

/** The largest aligned power of two from `first` that ends no later than `last`, minus one. */
const alignedMask = (first: bigint, last: bigint): bigint => {
  const room = last - first + 1n;
  let size = 1n;
  while (size << 1n <= room && (first & ((size << 1n) - 1n)) === 0n) size <<= 1n;
  return size - 1n;
};

/** The pieces in which a range is invalidated; one, of 4 KiB, where there is no range. */
const piecesOf = (words: readonly bigint[]): { readonly named: Named; readonly pages: bigint; readonly granule?: Granule }[] => {
  const { Address, TG, Num, Scale } = CommandTlbi.decode(words);
  const granule = GRANULES[TG as string];
  if (granule === undefined) return [{ named: { address: Address, open: 0xfffn }, pages: 1n }];
  const pieces = [];
  const end = Address + ((Num + 1n) << (Scale + BigInt(granule)));
  for (let at = Address; at < end; ) {
    const mask = alignedMask(at, end - 1n);
    const pages = (mask + 1n) >> BigInt(granule);
    pieces.push({ named: { address: at & MASK, open: ((pages << BigInt(granule)) - 1n) & MASK }, pages, granule });
    at += mask + 1n;
  }
  return pieces;
};

const vmidOf = (words: readonly bigint[], { stage2 }: Settings): number => (stage2 ? Number(CommandTlbi.get(words, "VMID")) : 0);

export const createRetained = (): Retained => {
  const configurations = new Map<string, { readonly sid: number; readonly configured: Configured }>();
  const translations = new Map<string, Entry>();

  const at = (tag: Tag, granule: Granule, inputBits: number, address: bigint): Kept | undefined => {
    const everyAsid = { ...tag, global: true } as const;
    for (let level = 4 - Math.floor((inputBits - 4) / (granule - 3)); level <= 3; level++) {
      const input = address & ~((1n << levelShift(level, granule)) - 1n);
      const found = translations.get(keyOf(tag, input, granule, level)) ?? (tag.asid === undefined ? undefined : translations.get(keyOf(everyAsid, input, granule, level)));
      if (found !== undefined) return found.kept;
    }
    return undefined;
  };
  const removeWhere = (goes: (entry: Entry) => boolean): void => {
    for (const [key, entry] of translations) if (goes(entry)) translations.delete(key);
  };
  const removeEl1 = (goes: (entry: Entry) => boolean): void => removeWhere((entry) => entry.tag.world === undefined && goes(entry));
  /** `asid` undefined: any. */
  const invalidateAddress = (words: readonly bigint[], settings: Settings, stage: 1 | 2, asid: number | undefined): void => {
    const vmid = vmidOf(words, settings);
    const { TTL } = CommandTlbi.decode(words);
    for (const { named, pages, granule } of piecesOf(words)) {
      const exact = TTL !== 0n && pages === 1n && granule !== undefined && (stage === 2 || asid !== undefined);
      if (exact && translations.delete(keyOf({ vmid, asid: stage === 2 ? undefined : asid }, named.address, granule, Number(TTL)))) continue;
      if (stage === 2) removeEl1(({ tag, kept }) => tag.asid === undefined && sameVmid(tag.vmid, vmid, settings) && holds(kept, named));
      else removeEl1(({ tag, kept }) => (asid === undefined || tag.asid === asid || tag.global === true) && sameVmid(tag.vmid, vmid, settings) && holds(kept, named));
    }
  };
  const removeConfigurations = (goes: (sid: number) => boolean): void => {
    for (const [key, { sid }] of configurations) if (goes(sid)) configurations.delete(key);
  };
  const removeRange = (words: readonly bigint[]): void => {
    const { SID, Range } = CommandCfgiRange.decode(words);
    const bits = Range + 1n;
    removeConfigurations((sid) => BigInt(sid) >> bits === SID >> bits);
  };

  return {
    configured: (sid, ssid, decode) => {
      const key = `${sid} ${ssid ?? ""}`;
      const known = configurations.get(key);
      if (known !== undefined) return known.configured;
      const configured = decode();
      if (configured !== undefined) configurations.set(key, { sid, configured });
      return configured;
    },
    lookUp: (tag: Tag, { granule, inputBits, stage2Granule }: Sought, address: bigint) =>
      at(tag, granule, inputBits, address) ?? (stage2Granule === undefined || stage2Granule === granule ? undefined : at(tag, stage2Granule, inputBits, address)),
    keep: (tag, kept) => {
      if (translations.size >= MOST_TRANSLATIONS) translations.clear();
      translations.set(keyOf(tag, kept.input, kept.granule, kept.level), { tag, kept });
    },
    execute: (words, settings) => {
      const vmid = vmidOf(words, settings);
      const asid = Number(CommandTlbi.get(words, "ASID"));
      // QEMU has no other StreamWorld than EL1; what is kept of one goes as the architecture says.
      const leaves = leavesAfter(words, settings);
      removeWhere(({ tag, kept }) => tag.world !== undefined && !leaves({ kind: "translation", tag, kept }));
      switch (nameOf(words)) {
        case "CFGI_STE":
        case "CFGI_CD":
        case "CFGI_CD_ALL": {
          // The device is found by its bus and number: 16 bits.
          const named = Number(CommandCfgi.get(words, "SID")) & 0xffff;
          removeConfigurations((sid) => sid === named);
          break;
        }
        case "CFGI_STE_RANGE":
          removeRange(words);
          break;
        case "TLBI_NH_ALL":
          removeEl1(({ tag }) => !settings.stage2 || (sameVmid(tag.vmid, vmid, settings) && tag.asid !== undefined));
          break;
        case "TLBI_NH_ASID":
          removeEl1(({ tag }) => sameVmid(tag.vmid, vmid, settings) && tag.asid === asid && tag.global !== true);
          break;
        case "TLBI_NH_VA":
          invalidateAddress(words, settings, 1, asid);
          break;
        case "TLBI_NH_VAA":
          invalidateAddress(words, settings, 1, undefined);
          break;
        case "TLBI_S12_VMALL":
          removeEl1(({ tag }) => sameVmid(tag.vmid, vmid, settings));
          break;
        case "TLBI_S2_IPA":
          invalidateAddress(words, settings, 2, undefined);
          break;
        case "TLBI_NSNH_ALL":
          removeEl1(() => true);
          break;
        default:
      }
    },
  };
};
