/**
 * Stream mapping: what the global registers say of a StreamID before any bank is looked at (IHI 0062 D.c section 2.3
 * "Context determination", figure 2-3). This SMMU detects every match conflict (IDR1.SMCD=1).
 */
import { Cr0, S2cr, Smr } from "../../specs/smmuv2/registers.ts";
import { type Identification, offsetOf } from "./identification.ts";
import type { Via } from "./memory.ts";
import { type RegisterFile, valueOf } from "./registerFile.ts";

/** Which kinds of access S2CR leaves possible. A device may mark an access as it likes unless S2CR overrides the mark. */
export interface Marks {
  readonly privileged: readonly boolean[];
  readonly instruction: readonly boolean[];
}
export type Mapped = (
  | { readonly is: "bypass" }
  | { readonly is: "fault"; readonly fault: "USF" | "SMCF" | "ICF" }
  | { readonly is: "bank"; readonly bank: number; readonly marks: Marks }
) & { readonly via: readonly Via[] };

export const clientsBypass = (file: RegisterFile): boolean => Cr0.get([valueOf(file, "CR0")], "CLIENTPD") === 1n;
/** Whether the device is told of a global fault. */
export const globalReported = (file: RegisterFile): boolean => Cr0.get([valueOf(file, "CR0")], "GFRE") === 1n;

export const registerVia = (identification: Identification, file: RegisterFile, name: "CR0" | "SMR" | "S2CR" | "CBAR" | "SCTLR" | "TTBR0", n = 0): Via => ({
  what: `SMMU_${name === "SCTLR" || name === "TTBR0" ? `CB${n}_${name}` : name === "CR0" ? name : `${name}${n}`}`,
  addr: BigInt(offsetOf(identification, name, n)),
  value: valueOf(file, name, n),
});

const matches = (smr: bigint, sid: number): boolean => {
  if (smr === 0n) return false;
  const { VALID, MASK, ID } = Smr.decode([smr]);
  return VALID === 1n && ((BigInt(sid) ^ ID) & ~MASK) === 0n;
};
/** Numbers of the groups that a stream's transactions go by. */
export const groupsFor = (identification: Identification, file: RegisterFile, sid: number): number[] => {
  if (!identification.matching) return sid < identification.groups ? [sid] : [];
  const found: number[] = [];
  for (let group = 0; group < identification.groups; group++) if (matches(valueOf(file, "SMR", group), sid)) found.push(group);
  return found;
};

const EITHER = [false, true];
/** Reserved values are taken as their neighbours: PRIVCFG 1 as unprivileged, INSTCFG 1 as instruction (table 2-4). */
const marksOf = (s2cr: bigint): Marks => {
  const { PRIVCFG, INSTCFG } = S2cr.decode([s2cr]);
  return {
    privileged: PRIVCFG === "incoming" ? EITHER : [PRIVCFG === "privileged"],
    instruction: INSTCFG === "incoming" ? EITHER : [INSTCFG !== "data"],
  };
};

/** What CR0 says of streams that no entry, or more than one, is for. */
const unmapped = (identification: Identification, file: RegisterFile, fault: "USF" | "SMCF", groups: readonly number[]): Mapped => {
  const via = [registerVia(identification, file, "CR0"), ...groups.map((group) => registerVia(identification, file, "SMR", group))];
  const cr0 = Cr0.decode([valueOf(file, "CR0")]);
  const action = fault === "USF" ? cr0.USFCFG : cr0.SMCFCFG;
  return action === "fault" ? { is: "fault", fault, via } : { is: "bypass", via };
};

/** Where a stream goes. A StreamID beyond the last S2CR, where it is an index, is `unspecified`: an unidentified stream here. */
export const mapStream = (identification: Identification, file: RegisterFile, sid: number): Mapped => {
  const groups = groupsFor(identification, file, sid);
  const [group] = groups;
  if (group === undefined) return unmapped(identification, file, "USF", []);
  if (groups.length > 1) return unmapped(identification, file, "SMCF", groups);
  const s2cr = valueOf(file, "S2CR", group);
  const via = [...(identification.matching ? [registerVia(identification, file, "SMR", group)] : []), registerVia(identification, file, "S2CR", group)];
  switch (S2cr.get([s2cr], "TYPE")) {
    case "bank":
      return { is: "bank", bank: Number(S2cr.get([s2cr], "CBNDX")), marks: marksOf(s2cr), via };
    case "bypass":
      return { is: "bypass", via };
    default:
      return { is: "fault", fault: "ICF", via };
  }
};
