/**
 * Context descriptor: the stage-1 translation of one (stream, substream). Eight 64-bit words.
 * Source: IHI 0070 G.b sections 5.3 and 5.4 "CD, Context Descriptor"; Linux arm-smmu-v3.h CTXDESC_*.
 */
import { layout } from "../../src/base/layout.ts";

const cacheability = { nonCacheable: 0, writeBackAllocate: 1, writeThrough: 2, writeBack: 3 } as const;
const shareability = { nonShareable: 0, outer: 2, inner: 3 } as const;

/** Word 0 of a level-1 CD table entry, where the CD table has two levels. */
export const L1Cd = layout("L1CD", 1, 'IHI 0070 "Level 1 Context Descriptor"', {
  V: { at: [0, 0], doc: "the entry is valid" },
  L2Ptr: { at: [55, 12], unit: 4096, doc: "address of the second level; an IPA when stage 2 translates" },
});

export const Cd = layout("CD", 8, 'IHI 0070 "Context Descriptor"', {
  T0SZ: { at: [5, 0], doc: "64 minus the bits of the lower half's input address" },
  TG0: { at: [7, 6], doc: "granule of the lower half", is: { "4K": 0, "64K": 1, "16K": 2 } },
  IR0: { at: [9, 8], doc: "inner cacheability of the lower half's walks", is: cacheability },
  OR0: { at: [11, 10], doc: "outer cacheability of the lower half's walks", is: cacheability },
  SH0: { at: [13, 12], doc: "shareability of the lower half's walks", is: shareability },
  EPD0: { at: [14, 14], doc: "no walks in the lower half: F_TRANSLATION" },
  ENDI: { at: [15, 15], doc: "tables are big-endian" },
  T1SZ: { at: [21, 16], doc: "64 minus the bits of the upper half's input address" },
  TG1: { at: [23, 22], doc: "granule of the upper half; not encoded as TG0", is: { "16K": 1, "4K": 2, "64K": 3 } },
  IR1: { at: [25, 24], doc: "inner cacheability of the upper half's walks", is: cacheability },
  OR1: { at: [27, 26], doc: "outer cacheability of the upper half's walks", is: cacheability },
  SH1: { at: [29, 28], doc: "shareability of the upper half's walks", is: shareability },
  EPD1: { at: [30, 30], doc: "no walks in the upper half: F_TRANSLATION" },
  V: { at: [31, 31], doc: "the descriptor is valid" },
  IPS: { at: [34, 32], doc: "size of stage-1 output addresses", is: { "32": 0, "36": 1, "40": 2, "42": 3, "44": 4, "48": 5, "52": 6, "56": 7 } },
  AFFD: { at: [35, 35], doc: "an access flag of 0 is no fault" },
  WXN: { at: [36, 36], doc: "writable is execute-never" },
  UWXN: { at: [37, 37], doc: "AArch32 tables: unprivileged writable is privileged execute-never" },
  TBI0: { at: [38, 38], doc: "the top byte is ignored in the lower half" },
  TBI1: { at: [39, 39], doc: "the top byte is ignored in the upper half" },
  PAN: { at: [40, 40], doc: "privileged data accesses to what is accessible unprivileged fault" },
  AA64: { at: [41, 41], doc: "tables are VMSAv8-64; 0: VMSAv8-32 LPAE, or VMSAv9-128 where IDR5.D128 says so" },
  HD: { at: [42, 42], doc: "hardware manages the dirty state" },
  HA: { at: [43, 43], doc: "hardware manages the access flag" },
  S: { at: [44, 44], doc: "faults stall" },
  R: { at: [45, 45], doc: "faults are recorded" },
  A: { at: [46, 46], doc: "a terminated transaction aborts; 0: reads zero, ignores writes" },
  ASET: { at: [47, 47], doc: "the ASID is not shared with the CPUs" },
  ASID: { at: [63, 48], doc: "tag of the stage-1 translations" },

  NSCFG0: { word: 1, at: [0, 0], doc: "Secure streams: first level of the lower half is Non-secure" },
  HAD0: { word: 1, at: [1, 1], doc: "hierarchical attributes of the lower half are ignored; VMSAv9-128: the contiguous bit of the lower half is (DisCH0)" },
  E0PD0: { word: 1, at: [2, 2], doc: "unprivileged access to the lower half faults" },
  HAFT: { word: 1, at: [3, 3], doc: "hardware manages the access flag of tables" },
  TTB0: { word: 1, at: [55, 4], unit: 16, doc: "root table of the lower half; an IPA when stage 2 translates" },
  PnCH: { word: 1, at: [58, 58], doc: "descriptor bit 52 is the Protected attribute" },
  EPAN: { word: 1, at: [59, 59], doc: "PAN counts execute permission as access, too" },
  HWU0: { word: 1, at: [63, 60], doc: "page-based hardware attributes of the lower half; VMSAv9-128: bits 63:62 are the levels that its walk skips (SKL0)" },

  NSCFG1: { word: 2, at: [0, 0], doc: "Secure streams: first level of the upper half is Non-secure" },
  HAD1: { word: 2, at: [1, 1], doc: "hierarchical attributes of the upper half are ignored; VMSAv9-128: the contiguous bit of the upper half is (DisCH1)" },
  E0PD1: { word: 2, at: [2, 2], doc: "unprivileged access to the upper half faults" },
  AIE: { word: 2, at: [3, 3], doc: "AttrIndx has 4 bits; indices 8 to 15 are memory type 7" },
  TTB1: { word: 2, at: [55, 4], unit: 16, doc: "root table of the upper half; an IPA when stage 2 translates" },
  DS: { word: 2, at: [58, 58], doc: "52-bit addresses at the 4 and 16 KiB granules" },
  PIE: { word: 2, at: [59, 59], doc: "stage-1 permission indirection" },
  HWU1: { word: 2, at: [63, 60], doc: "page-based hardware attributes of the upper half; VMSAv9-128: bits 63:62 are the levels that its walk skips (SKL1)" },

  MAIR_ATTR0: { word: 3, at: [7, 0], doc: "memory type 0" },
  MAIR_ATTR1: { word: 3, at: [15, 8], doc: "memory type 1" },
  MAIR_ATTR2: { word: 3, at: [23, 16], doc: "memory type 2" },
  MAIR_ATTR3: { word: 3, at: [31, 24], doc: "memory type 3" },
  MAIR_ATTR4: { word: 3, at: [39, 32], doc: "memory type 4" },
  MAIR_ATTR5: { word: 3, at: [47, 40], doc: "memory type 5" },
  MAIR_ATTR6: { word: 3, at: [55, 48], doc: "memory type 6" },
  MAIR_ATTR7: { word: 3, at: [63, 56], doc: "memory type 7" },

  AMAIR0: { word: 4, at: [31, 0], doc: "auxiliary memory types 0 to 3, implementation defined" },
  AMAIR1: { word: 4, at: [63, 32], doc: "auxiliary memory types 4 to 7, implementation defined" },

  IMPDEF: { word: 5, at: [31, 0], doc: "implementation defined" },
  PARTID: { word: 5, at: [47, 32], doc: "MPAM partition, where the STE leaves it to the CD" },
  PMG: { word: 5, at: [55, 48], doc: "MPAM performance monitoring group, as PARTID" },

  PIIU: { word: 6, at: [47, 0], doc: "unprivileged permission indirection: 16 values of 3 bits" },
  PIIP: { word: 7, at: [47, 0], doc: "privileged permission indirection: 16 values of 3 bits" },
});
