/**
 * What the registers of a context bank mean (IHI 0062 D.c section 2.6 "Translation context"; the order of checks is that of
 * section 3.8.4 "Invalid context checking pseudocode"; sizes are those of tables 2-9 and 3-1 to 3-4). 4 KiB granule,
 * AArch64, little-endian, TTBR0 alone: what a bank asks for beyond that is told as unsupported, never guessed.
 */
import { SctlrStage1, SctlrStage2, Tcr2, TcrStage1, TcrStage2, Ttbr } from "../../specs/smmuv2/contextBank.ts";
import { Cba2r, CbarStage1, Cr0 } from "../../specs/smmuv2/registers.ts";
import type { Identification } from "./identification.ts";
import { type RegisterFile, valueOf } from "./registerFile.ts";

/** What kept translations are found by: stage 2 alone by VMID, stage 1 by VMID and ASID (table 2-5). */
export interface Tag {
  readonly stage: 1 | 2;
  readonly vmid: number;
  /** Stage 1 only. */
  readonly asid?: number;
}
/** A way to walk tables. */
export interface Regime {
  readonly tag: Tag;
  /** Address of the root table, aligned to its own size; concatenated tables count as one. */
  readonly root: bigint;
  readonly rootBytes: bigint;
  readonly inputBits: number;
  readonly startLevel: number;
  /** Bits that no output address, and no address of a table, may go beyond. */
  readonly outputBits: number;
  readonly accessFlagIgnored: boolean;
  readonly writableNeverExecutes: boolean;
  /** No walk is made, though what was kept is used: TCR.EPD0, or a root beyond the output size. */
  readonly noWalk?: "TF" | "ASF";
}
/** What the bank does about faults. */
export interface Behaviour {
  /** The device is told (SCTLR.CFRE). Otherwise reads give zero and writes are ignored. */
  readonly reported: boolean;
  /** Transactions go on while a fault is recorded (SCTLR.HUPCF). */
  readonly goesOn: boolean;
}
export type Context =
  /** A global fault for whatever comes. */
  | { readonly is: "illegal"; readonly fault: "UCBF" | "ICF"; readonly why: string }
  | { readonly is: "unsupported"; readonly why: string }
  /** SCTLR.M=0: addresses below 2^limit pass as they are. */
  | (Behaviour & { readonly is: "off"; readonly stage: 1 | 2; readonly limit: number; readonly beyond: "ASF" | "TF" })
  | (Behaviour & { readonly is: "on"; readonly regime: Regime });

const bits = (word: bigint, [hi, lo]: readonly [number, number]): number => Number((word >> BigInt(lo)) & ((1n << BigInt(hi - lo + 1)) - 1n));
const MOST_BITS = 48;
const SIZES = [32, 36, 40, 42, 44, MOST_BITS] as const;
/** PASize; reserved values are taken as 48 bits. */
const sizeOf = (code: number): number => SIZES[code] ?? MOST_BITS;

/** Bits of an address below the index into a table of a level. */
export const levelShift = (level: number): bigint => BigInt(12 + 9 * (3 - level));

/** Where the walk of a stage 1 bank begins: every level of a 4 KiB walk resolves nine bits. */
const stage1Start = (t0sz: number): number | undefined => {
  if (t0sz < 16 || t0sz > 39) return undefined;
  if (t0sz < 25) return 0;
  return t0sz < 34 ? 1 : 2;
};
/** T0SZ that goes with each start level: up to 16 root tables lie side by side (table 2-9). */
const STAGE_2_SIZES: Readonly<Record<number, readonly [least: number, most: number]>> = { 0: [16, 24], 1: [21, 33], 2: [30, 39] };
const stage2Start = (sl0: number, t0sz: number): number | undefined => {
  const start = 2 - sl0;
  const sizes = STAGE_2_SIZES[start];
  return sizes !== undefined && t0sz >= sizes[0] && t0sz <= sizes[1] ? start : undefined;
};

const rooted = (ttbr: bigint, startLevel: number, inputBits: number): Pick<Regime, "root" | "rootBytes"> => {
  const rootBytes = 1n << (BigInt(inputBits) - levelShift(startLevel) + 3n);
  return { rootBytes, root: Ttbr.get([ttbr], "Base") & ~(rootBytes - 1n) };
};

/** The VMID in use (section 1.6.6). CBA2R.VMID16 counts only once CR0.VMID16EN is set. */
export const vmidOf = (file: RegisterFile, bank: number): number =>
  Number(Cr0.get([valueOf(file, "CR0")], "VMID16EN") === 1n ? Cba2r.get([valueOf(file, "CBA2R", bank)], "VMID16") : CbarStage1.get([valueOf(file, "CBAR", bank)], "VMID"));

const asidOf = (file: RegisterFile, bank: number): number => {
  const second = bits(valueOf(file, "TCR", bank), TcrStage1.fields.A1.at) === 1;
  const asid = Number(Ttbr.get([valueOf(file, second ? "TTBR1" : "TTBR0", bank)], "ASID"));
  return bits(valueOf(file, "TCR2", bank), Tcr2.fields.AS.at) === 1 ? asid : asid & 0xff;
};

const stage1Regime = (identification: Identification, file: RegisterFile, bank: number): Regime | string => {
  const tcr = (field: keyof typeof TcrStage1.fields): number => bits(valueOf(file, "TCR", bank), TcrStage1.fields[field].at);
  const tcr2 = (field: keyof typeof Tcr2.fields): number => bits(valueOf(file, "TCR2", bank), Tcr2.fields[field].at);
  const startLevel = stage1Start(tcr("T0SZ"));
  if (tcr("TG0") !== 0) return "a granule other than 4 KiB";
  if (tcr("EPD1") !== 1) return "walks by TTBR1";
  if (tcr2("SEP") < Tcr2.fields.SEP.is.upstream - 1) return "sign extension below the bus width";
  if (startLevel === undefined) return `T0SZ=${tcr("T0SZ")}`;
  const inputBits = 64 - tcr("T0SZ");
  const outputBits = Math.min(identification.outputBits, identification.intermediateBits, sizeOf(tcr2("PASize")));
  const sctlr = valueOf(file, "SCTLR", bank);
  const { root, rootBytes } = rooted(valueOf(file, "TTBR0", bank), startLevel, inputBits);
  const noWalk = tcr("EPD0") === 1 ? "TF" : root >> BigInt(outputBits) === 0n ? undefined : "ASF";
  return {
    tag: { stage: 1, vmid: vmidOf(file, bank), asid: asidOf(file, bank) },
    root,
    rootBytes,
    inputBits,
    startLevel,
    outputBits,
    accessFlagIgnored: bits(sctlr, SctlrStage1.fields.AFFD.at) === 1,
    writableNeverExecutes: bits(sctlr, SctlrStage1.fields.WXN.at) === 1,
    ...(noWalk === undefined ? {} : { noWalk }),
  };
};
const stage2Regime = (identification: Identification, file: RegisterFile, bank: number): Regime | string => {
  const tcr = (field: keyof typeof TcrStage2.fields): number => bits(valueOf(file, "TCR", bank), TcrStage2.fields[field].at);
  const startLevel = stage2Start(tcr("SL0"), tcr("T0SZ"));
  if (tcr("TG0") !== 0) return "a granule other than 4 KiB";
  if (startLevel === undefined) return `SL0=${tcr("SL0")} with T0SZ=${tcr("T0SZ")}`;
  const inputBits = 64 - tcr("T0SZ");
  const outputBits = Math.min(identification.outputBits, sizeOf(tcr("PASize")));
  const { root, rootBytes } = rooted(valueOf(file, "TTBR0", bank), startLevel, inputBits);
  return {
    tag: { stage: 2, vmid: vmidOf(file, bank) },
    root,
    rootBytes,
    inputBits: Math.min(inputBits, identification.intermediateBits),
    startLevel,
    outputBits,
    accessFlagIgnored: bits(valueOf(file, "SCTLR", bank), SctlrStage2.fields.AFFD.at) === 1,
    writableNeverExecutes: false,
    ...(root >> BigInt(outputBits) === 0n ? {} : { noWalk: "ASF" as const }),
  };
};

/** What an untranslated address is checked against (tables 3-1 to 3-4; for 32-bit banks, the pseudocode). */
const offLimit = ({ outputBits, intermediateBits }: Identification, stage: 1 | 2, va64: boolean): { readonly limit: number; readonly beyond: "ASF" | "TF" } => {
  if (stage === 2) return { limit: va64 ? outputBits : Math.min(outputBits, 40), beyond: "ASF" };
  return va64 ? { limit: Math.min(outputBits, intermediateBits), beyond: "ASF" } : { limit: 32, beyond: "TF" };
};

/** The stage that a bank's CBAR gives it; undefined for the types that no transaction gets through here. */
export const stageOf = (file: RegisterFile, bank: number): 1 | 2 | undefined => {
  const type = CbarStage1.get([valueOf(file, "CBAR", bank)], "TYPE");
  if (type === "stage2") return 2;
  return type === "stage1" ? 1 : undefined;
};

/** What becomes of a transaction that S2CR sends to a bank. */
export const contextOf = (identification: Identification, file: RegisterFile, bank: number): Context => {
  if (bank >= identification.banks) return { is: "illegal", fault: "UCBF", why: `context bank ${bank} is not implemented` };
  const stage = stageOf(file, bank);
  if (stage === undefined) return { is: "illegal", fault: "ICF", why: "the bank's CBAR is of a type that faults" };
  const cbar = valueOf(file, "CBAR", bank);
  if (stage === 1 && CbarStage1.get([cbar], "HYPC") === 1n) return { is: "unsupported", why: "hypervisor contexts" };
  const sctlr = valueOf(file, "SCTLR", bank);
  const is = (field: keyof typeof SctlrStage2.fields): boolean => bits(sctlr, SctlrStage2.fields[field].at) === 1;
  const behaviour: Behaviour = { reported: is("CFRE"), goesOn: is("HUPCF") };
  const va64 = Cba2r.get([valueOf(file, "CBA2R", bank)], "VA64") === 1n;
  if (!is("M")) return { is: "off", stage, ...offLimit(identification, stage, va64), ...behaviour };
  if (!va64) return { is: "unsupported", why: "AArch32 tables" };
  if (is("E")) return { is: "unsupported", why: "big-endian tables" };
  const regime = stage === 1 ? stage1Regime(identification, file, bank) : stage2Regime(identification, file, bank);
  return typeof regime === "string" ? { is: "unsupported", why: regime } : { is: "on", regime, ...behaviour };
};
