/**
 * VMSAv8-64 stage-1 descriptors, as of the 4 KiB granule. Addresses lie as in stage 2 (see stage2.ts): 16 KiB leaves bits
 * 13:12 zero, 64 KiB leaves bits 15:12 zero or, with 52-bit addresses, holds address bits 51:48 there; with CD.DS, 4 and
 * 16 KiB hold address bits 49:48 in place and bits 51:50 in bits 9:8, in place of SH. Bit 16 of a block is nT. What bits
 * 1:0 say is the same, too. Permissions are those of the direct scheme; CD.PIE gives bits 6, 51, 53 and 54 another meaning.
 * Source: DDI 0487 M.a.a section D8.3 "Translation table descriptor formats"; Linux io-pgtable-arm.c ARM_LPAE_PTE_*.
 */
import { layout } from "../../src/base/layout.ts";

const SOURCE = 'DDI 0487 "VMSAv8-64 translation table format descriptors"';

/** Bits 63:59 limit everything below the table, unless CD.HAD0 or HAD1 says that they do not. */
export const Stage1Table = layout("Stage-1 table descriptor", 1, SOURCE, {
  Type: { at: [1, 0], doc: "3", is: { table: 3 } },
  AF: { at: [10, 10], doc: "access flag, where hardware manages that of tables (HAFT)" },
  NextTable: { at: [47, 12], unit: 4096, doc: "address of the next-level table; an IPA when stage 2 translates" },
  Protected: { at: [52, 52], doc: "protected, where CD.PnCH says so" },
  PXNTable: { at: [59, 59], doc: "no privileged execution below; RES0 with one privilege level" },
  UXNTable: { at: [60, 60], doc: "no unprivileged execution below; no execution (XNTable) with one privilege level" },
  APTable: { at: [62, 61], doc: "no unprivileged access below, no writes below; the low bit is RES0 with one privilege level", is: { noEffect: 0, noUnprivileged: 1, noWrites: 2, privilegedReadsOnly: 3 } },
  NSTable: { at: [63, 63], doc: "Secure streams: what lies below is Non-secure" },
});

/** A page (level 3) or block. Output address bits below the block size are RES0 and ignored, but for nT. */
export const Stage1Leaf = layout("Stage-1 leaf descriptor", 1, SOURCE, {
  Type: { at: [1, 0], doc: "1 block, 3 page", is: { block: 1, page: 3 } },
  AttrIdx: { at: [4, 2], doc: "which byte of MAIR is the memory type" },
  NS: { at: [5, 5], doc: "Secure streams: the output address is Non-secure" },
  AP: { at: [7, 6], doc: "access; the low bit is RES1 with one privilege level", is: { privilegedReadWrite: 0, readWrite: 1, privilegedReadOnly: 2, readOnly: 3 } },
  SH: { at: [9, 8], doc: "shareability", is: { nonShareable: 0, outer: 2, inner: 3 } },
  AF: { at: [10, 10], doc: "access flag" },
  nG: { at: [11, 11], doc: "not global: a translation of this ASID alone" },
  OutputAddress: { at: [47, 12], unit: 4096, doc: "output address; an IPA when stage 2 translates" },
  GP: { at: [50, 50], doc: "guarded page: nothing to an SMMU" },
  DBM: { at: [51, 51], doc: "dirty-bit modifier: hardware may clear AP[1] where it manages the dirty state (CD.HD)" },
  Contiguous: { at: [52, 52], doc: "one of several entries that may share a TLB entry" },
  PXN: { at: [53, 53], doc: "no privileged execution; RES0 with one privilege level" },
  UXN: { at: [54, 54], doc: "no unprivileged execution; no execution (XN) with one privilege level" },
  PBHA: { at: [62, 59], doc: "page-based hardware attributes, where HAD and HWU give them meaning; bit 59 is AttrIdx[3] with CD.AIE" },
});
