/**
 * Which kept entries an invalidation must remove (IHI 0062 D.c sections 9.6.27 to 9.6.36, 16.5.30 to 16.5.35, 17.3.4 and
 * 17.3.5). One may always remove more; what must go is what counts here. Those of a stage do not exist in banks of the
 * other one (section 17.1), where a write does nothing.
 */
import { Tcr2, Tlbiasid, Tlbiipas2, Tlbiva } from "../../specs/smmuv2/contextBank.ts";
import { Tlbivmid } from "../../specs/smmuv2/registers.ts";
import { levelShift, stageOf, vmidOf } from "./contextBank.ts";
import type { Identification } from "./identification.ts";
import type { Kept } from "./mayCache.ts";
import { type RegisterFile, type Told, valueOf } from "./registerFile.ts";

/** What an invalidation is about; what is absent is any. */
export interface Invalidation {
  readonly stage?: 1 | 2;
  readonly vmid?: number;
  readonly asid?: number;
  /** With an ASID: translations that hold for every ASID go, too. */
  readonly globals?: boolean;
  /** An address in the page that is meant. */
  readonly address?: bigint;
  /** Table descriptors may stay. */
  readonly lastLevel?: boolean;
}
/** SYNC of the whole SMMU, or of one bank. */
export type Scope = "global" | number;

export const invalidationKey = ({ stage, vmid, asid, globals, address, lastLevel }: Invalidation): string => `${stage ?? ""} ${vmid ?? ""} ${asid ?? ""} ${globals ?? ""} ${address ?? ""} ${lastLevel ?? ""}`;

const addressIn = (value: bigint, most: bigint): bigint => (value & ((1n << most) - 1n)) << 12n;
const VA_BITS = BigInt(Tlbiva.fields.Address.at[0] + 1);
const IPA_BITS = BigInt(Tlbiipas2.fields.Address.at[0] + 1);

const ofStage1 = ({ name, n, value }: Told, file: RegisterFile): Invalidation | undefined => {
  const common = { stage: 1, vmid: vmidOf(file, n) } as const;
  // Without TCR2.AS the upper half of an ASID is taken as 0.
  const narrow = Tcr2.get([valueOf(file, "TCR2", n)], "AS") === "8" ? 0xffn : 0xffffn;
  const asid = Number(Tlbiva.get([value], "ASID") & narrow);
  const address = addressIn(value, VA_BITS);
  switch (name) {
    case "TLBIALL":
      return common;
    case "TLBIASID":
      return { ...common, asid: Number(Tlbiasid.get([value], "ASID") & narrow), globals: false };
    case "TLBIVA":
      return { ...common, asid, globals: true, address };
    case "TLBIVAL":
      return { ...common, asid, globals: true, address, lastLevel: true };
    case "TLBIVAA":
      return { ...common, address };
    case "TLBIVAAL":
      return { ...common, address, lastLevel: true };
    default:
      return undefined;
  }
};
const ofStage2 = ({ name, n, value }: Told, file: RegisterFile): Invalidation | undefined => {
  const common = { stage: 2, vmid: vmidOf(file, n), address: addressIn(value, IPA_BITS) } as const;
  if (name === "TLBIIPAS2") return common;
  return name === "TLBIIPAS2L" ? { ...common, lastLevel: true } : undefined;
};

/** What a write asks to be invalidated. TLBIALLH is about Hyp-tagged entries, which this SMMU never has. */
export const invalidationOf = ({ vmid16 }: Identification, told: Told, file: RegisterFile): Invalidation | undefined => {
  const vmid = Number(Tlbivmid.get([told.value], "VMID")) & (vmid16 ? 0xffff : 0xff);
  switch (told.name) {
    case "TLBIALLNSNH":
      return {};
    case "TLBIVMID":
      return { vmid };
    case "TLBIVMIDS1":
      return { stage: 1, vmid };
    default: {
      const stage = stageOf(file, told.n);
      if (stage === undefined) return undefined;
      return stage === 1 ? ofStage1(told, file) : ofStage2(told, file);
    }
  }
};
/** What a SYNC covers: one in a bank only what that bank was told (section 5.4.2). */
export const syncScope = ({ name, n }: Told): Scope | undefined => {
  if (name === "TLBGSYNC") return "global";
  return name === "TLBSYNC" ? n : undefined;
};
/** Where an invalidation was accepted. */
export const acceptedIn = ({ name, n }: Told): Scope => (name === "TLBIALLNSNH" || name === "TLBIVMID" || name === "TLBIVMIDS1" ? "global" : n);

/** Whether an entry must be gone once the invalidation is complete. */
export const removes = ({ stage, vmid, asid, globals, address, lastLevel }: Invalidation, entry: Kept): boolean => {
  if (stage !== undefined && entry.tag.stage !== stage) return false;
  if (vmid !== undefined && entry.tag.vmid !== vmid) return false;
  if (asid !== undefined && !(entry.kind === "leaf" && entry.global ? globals === true : entry.tag.asid === asid)) return false;
  if (lastLevel === true && entry.kind === "table") return false;
  if (address === undefined) return true;
  const size = entry.kind === "leaf" ? entry.size : 1n << levelShift(entry.level);
  return address >= entry.input && address < entry.input + size;
};
