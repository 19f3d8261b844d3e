/**
 * Fields of the registers of a context bank, in the stage 1 and the stage 2 form. Where they lie: registers.ts.
 * Source: IHI 0062 D.c, chapters 16 (stage 1) and 17 (stage 2). ACTLR is IMPLEMENTATION DEFINED: its fields are those of
 * the MMU-500 as seL4 include/drivers/smmu/smmuv2.h names them (assumed, the MMU-500's own manual was not at hand).
 */
import { layout } from "../../src/base/layout.ts";

const STAGE_1 = "IHI 0062 D.c section 16.5";
const STAGE_2 = "IHI 0062 D.c section 17.3";

const cacheability = { nonCacheable: 0, writeBackAllocate: 1, writeThrough: 2, writeBackNoAllocate: 3 } as const;
const shareability = { nonShareable: 0, outer: 2, inner: 3 } as const;
const addressSize = { "32": 0, "36": 1, "40": 2, "42": 3, "44": 4, "48": 5 } as const;
const granule0 = { "4K": 0, "64K": 1, "16K": 2 } as const;

const sctlr = {
  M: { at: [0, 0], doc: "the bank translates; at 0 addresses pass as they are" },
  TRE: { at: [1, 1], doc: "AArch32 short descriptors only" },
  AFE: { at: [2, 2], doc: "AArch32 short descriptors only" },
  AFFD: { at: [3, 3], doc: "no access flag faults" },
  E: { at: [4, 4], doc: "tables are big-endian" },
  CFRE: { at: [5, 5], doc: "a context fault is reported to the device" },
  CFIE: { at: [6, 6], doc: "a context fault raises an interrupt" },
  CFCFG: { at: [7, 7], doc: "a context fault", is: { terminate: 0, stall: 1 } },
  HUPCF: { at: [8, 8], doc: "transactions go on while a fault is recorded" },
  MemAttr: { at: [19, 16], doc: "memory type where M=0" },
  SHCFG: { at: [23, 22], doc: "shareability where M=0" },
  RACFG: { at: [25, 24], doc: "read allocation where M=0" },
  WACFG: { at: [27, 26], doc: "write allocation where M=0" },
} as const;
export const SctlrStage1 = layout("SMMU_CBn_SCTLR, stage 1", 1, `${STAGE_1}.29`, {
  ...sctlr,
  WXN: { at: [9, 9], doc: "what is writable is never executed" },
  UWXN: { at: [10, 10], doc: "AArch32 only" },
  ASIDPNE: { at: [12, 12], doc: "ASIDs are the SMMU's own" },
  TRANSIENTCFG: { at: [15, 14], doc: "transient hint where M=0" },
  MTCFG: { at: [20, 20], doc: "MemAttr applies" },
  NSCFG: { at: [29, 28], doc: "Secure banks only" },
  UCI: { at: [30, 30], doc: "unprivileged cache maintenance" },
});
export const SctlrStage2 = layout("SMMU_CBn_SCTLR, stage 2", 1, `${STAGE_2}.3`, {
  ...sctlr,
  PTW: { at: [13, 13], doc: "nested only: stage-1 tables in Device memory fault" },
  BSU: { at: [15, 14], doc: "barrier shareability" },
  FB: { at: [21, 21], doc: "maintenance operations are broadcast" },
});
export const Actlr = layout("SMMU_CBn_ACTLR", 1, `MMU-500, seL4 smmuv2.h CBn_ACTLR_*; IHI 0062 leaves it open (${STAGE_1}.1)`, {
  CMTLB: { at: [0, 0], doc: "the macro TLB may keep translations" },
  CPRE: { at: [1, 1], doc: "the next page is fetched ahead" },
});

/** With CBA2R.VA64=1. TG1 has other values than TG0. */
export const TcrStage1 = layout("SMMU_CBn_TCR, stage 1, AArch64", 1, `${STAGE_1}.38`, {
  T0SZ: { at: [5, 0], doc: "2^(64 - this) bytes are translated by TTBR0" },
  EPD0: { at: [7, 7], doc: "no walks by TTBR0" },
  IRGN0: { at: [9, 8], doc: "inner cacheability of walks", is: cacheability },
  ORGN0: { at: [11, 10], doc: "outer cacheability of walks", is: cacheability },
  SH0: { at: [13, 12], doc: "shareability of walks", is: shareability },
  TG0: { at: [15, 14], doc: "granule", is: granule0 },
  T1SZ: { at: [21, 16], doc: "as T0SZ, of TTBR1" },
  A1: { at: [22, 22], doc: "the ASID is that of TTBR1" },
  EPD1: { at: [23, 23], doc: "no walks by TTBR1" },
  IRGN1: { at: [25, 24], doc: "as IRGN0", is: cacheability },
  ORGN1: { at: [27, 26], doc: "as ORGN0", is: cacheability },
  SH1: { at: [29, 28], doc: "as SH0", is: shareability },
  TG1: { at: [31, 30], doc: "granule of TTBR1", is: { "16K": 1, "4K": 2, "64K": 3 } },
});
/** With CBA2R.VA64=1. Bits 31:23 are RES0; in the AArch32 form bit 31 is EAE and reads 1. */
export const TcrStage2 = layout("SMMU_CBn_TCR, stage 2, AArch64", 1, `${STAGE_2}.8`, {
  T0SZ: { at: [5, 0], doc: "2^(64 - this) bytes are translated" },
  SL0: { at: [7, 6], doc: "level of the root at 4 KiB", is: { level2: 0, level1: 1, level0: 2 } },
  IRGN0: { at: [9, 8], doc: "inner cacheability of walks", is: cacheability },
  ORGN0: { at: [11, 10], doc: "outer cacheability of walks", is: cacheability },
  SH0: { at: [13, 12], doc: "shareability of walks", is: shareability },
  TG0: { at: [15, 14], doc: "granule", is: granule0 },
  PASize: { at: [18, 16], doc: "bits of an output address; 6 and 7 are taken as 48", is: addressSize },
  HA: { at: [21, 21], doc: "hardware sets access flags (IDR1.HAFDBS)" },
  HD: { at: [22, 22], doc: "hardware sets dirty states (IDR1.HAFDBS)" },
});
export const Tcr2 = layout("SMMU_CBn_TCR2", 1, `${STAGE_1}.39`, {
  PASize: { at: [2, 0], doc: "bits of an output address; 6 and 7 are taken as 48", is: addressSize },
  AS: { at: [4, 4], doc: "bits of an ASID", is: { "8": 0, "16": 1 } },
  TBI0: { at: [5, 5], doc: "address translation operations only" },
  TBI1: { at: [6, 6], doc: "address translation operations only" },
  HAD0: { at: [8, 8], doc: "no hierarchical attributes below TTBR0 (IDR2.HADS)" },
  HAD1: { at: [9, 9], doc: "no hierarchical attributes below TTBR1 (IDR2.HADS)" },
  HA: { at: [10, 10], doc: "hardware sets access flags (IDR1.HAFDBS)" },
  HD: { at: [11, 11], doc: "hardware sets dirty states (IDR1.HAFDBS)" },
  NSCFG0: { at: [14, 14], doc: "Secure banks only" },
  SEP: { at: [17, 15], doc: "bit that the address is sign-extended from", is: { "31": 0, "35": 1, "39": 2, "41": 3, "43": 4, "47": 5, upstream: 7 } },
  NSCFG1: { at: [30, 30], doc: "Secure banks only" },
});
/** The table is aligned to its own size; lower bits of the base are reserved. In a stage 2 bank there is no ASID. */
export const Ttbr = layout("SMMU_CBn_TTBR0, SMMU_CBn_TTBR1", 1, `${STAGE_1}.40, ${STAGE_2}.9`, {
  Base: { at: [47, 4], unit: 16, doc: "address of the root table" },
  ASID: { at: [63, 48], doc: "ASID; TCR.A1 says which register's counts" },
});
export const Mair = layout("SMMU_CBn_MAIR0, SMMU_CBn_MAIR1", 1, "IHI 0062 D.c section 16.3", {
  Attr0: { at: [7, 0], doc: "memory type of AttrIdx 0, in MAIR1 of 4" },
  Attr1: { at: [15, 8], doc: "memory type of AttrIdx 1 or 5" },
  Attr2: { at: [23, 16], doc: "memory type of AttrIdx 2 or 6" },
  Attr3: { at: [31, 24], doc: "memory type of AttrIdx 3 or 7" },
});

/** A bit that is written 1 is cleared, but for SS and Format. */
export const Fsr = layout("SMMU_CBn_FSR", 1, `${STAGE_1}.9`, {
  TF: { at: [1, 1], doc: "translation" },
  AFF: { at: [2, 2], doc: "access flag" },
  PF: { at: [3, 3], doc: "permission" },
  EF: { at: [4, 4], doc: "external" },
  TLBMCF: { at: [5, 5], doc: "several TLB entries match" },
  TLBLKF: { at: [6, 6], doc: "TLB lock" },
  ASF: { at: [7, 7], doc: "address size" },
  UUT: { at: [8, 8], doc: "unsupported upstream transaction" },
  Format: { at: [10, 9], doc: "table format; read-only, from CBA2R.VA64 and TCR.EAE", is: { short: 0, long: 1, aarch64: 2 } },
  SS: { at: [30, 30], doc: "a transaction is stalled; read-only" },
  MULTI: { at: [31, 31], doc: "another fault came while one was recorded" },
});
export const Fsynr0 = layout("SMMU_CBn_FSYNR0", 1, `${STAGE_2}.1`, {
  PLVL: { at: [1, 0], doc: "level of the walk" },
  NESTED: { at: [2, 2], doc: "stage 1 followed by stage 2" },
  S1PTWF: { at: [3, 3], doc: "stage 2 of a stage-1 walk" },
  WNR: { at: [4, 4], doc: "a write" },
  PNU: { at: [5, 5], doc: "privileged" },
  IND: { at: [6, 6], doc: "an instruction fetch" },
  NSATTR: { at: [8, 8], doc: "Non-secure" },
  ATOF: { at: [9, 9], doc: "by an address translation operation" },
  PTWF: { at: [10, 10], doc: "external, at a table" },
  AFR: { at: [11, 11], doc: "recorded asynchronously" },
  S1CBNDX: { at: [23, 16], doc: "nested: the stage-1 bank" },
});

export const Tlbiasid = layout("SMMU_CBn_TLBIASID", 1, `${STAGE_1}.31`, {
  ASID: { at: [15, 0], doc: "ASID" },
});
/** AArch64 form. */
export const Tlbiva = layout("SMMU_CBn_TLBIVA, TLBIVAL, TLBIVAA, TLBIVAAL", 1, `${STAGE_1}.32`, {
  Address: { at: [43, 0], doc: "bits 55:12 of the address" },
  ASID: { at: [63, 48], doc: "ASID; reserved in TLBIVAA and TLBIVAAL" },
});
export const Tlbiipas2 = layout("SMMU_CBn_TLBIIPAS2, TLBIIPAS2L", 1, `${STAGE_2}.4`, {
  Address: { at: [35, 0], doc: "bits 47:12 of the intermediate physical address" },
});
