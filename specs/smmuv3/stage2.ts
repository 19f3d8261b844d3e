/**
 * VMSAv8-64 stage-2 descriptors, as of the 4 KiB granule. The other granules differ in the address alone:
 *  - 16 KiB: tables and pages lie at multiples of 16 KiB, so bits 13:12 are RES0;
 *  - 64 KiB: tables and pages lie at multiples of 64 KiB, so bits 15:12 are RES0; with 52-bit addresses they hold address
 *    bits 51:48 instead, in tables, blocks and pages;
 *  - 4 and 16 KiB with 52-bit addresses (S2DS): bits 49:48 are address bits 49:48, and bits 9:8 address bits 51:50, in
 *    place of SH.
 * Address bits below the size of a block are RES0, but for bit 16, which is nT: it may keep a block out of the TLB.
 * The contiguous bit joins 16 entries at 4 KiB; 128 pages or 32 blocks at 16 KiB; 32 entries at 64 KiB.
 * Source: DDI 0487 M.a.a section D8.3 "Translation table descriptor formats", tables D8-48 to D8-53 and D8-104; Linux io-pgtable-arm.c.
 */
import { layout } from "../../src/base/layout.ts";

const SOURCE = 'DDI 0487 "VMSAv8-64 translation table format descriptors"';

/** Bits that say what a descriptor is. Below level 3, 1 is a block and 3 a table; at level 3, 3 is a page and 1 invalid. */
export const DescriptorType = layout("Descriptor type", 1, SOURCE, {
  Type: { at: [1, 0], doc: "bit 0 clear: invalid", is: { block: 1, tableOrPage: 3 } },
});

export const TableDescriptor = layout("Stage-2 table descriptor", 1, SOURCE, {
  Type: { at: [1, 0], doc: "3", is: { table: 3 } },
  AF: { at: [10, 10], doc: "access flag, where hardware manages that of tables (S2HAFT)" },
  NextTable: { at: [47, 12], unit: 4096, doc: "physical address of the next-level table" },
});

/** A page (level 3) or block (levels 1, 2). Output address bits below the block size are RES0 and ignored. */
export const LeafDescriptor = layout("Stage-2 leaf descriptor", 1, SOURCE, {
  Type: { at: [1, 0], doc: "1 block, 3 page", is: { block: 1, page: 3 } },
  MemAttr: { at: [5, 2], doc: "memory type", is: { deviceNGnRnE: 0, normalNonCacheable: 5, normalWriteBack: 15 } },
  S2AP: { at: [7, 6], doc: "access", is: { none: 0, readOnly: 1, writeOnly: 2, readWrite: 3 } },
  SH: { at: [9, 8], doc: "shareability", is: { nonShareable: 0, outer: 2, inner: 3 } },
  AF: { at: [10, 10], doc: "access flag" },
  OutputAddress: { at: [47, 12], unit: 4096, doc: "physical address" },
  DBM: { at: [51, 51], doc: "dirty-bit modifier" },
  Contiguous: { at: [52, 52], doc: "one of several entries that may share a TLB entry" },
  XN: { at: [54, 53], doc: "execute never; bit 0 counts where privilege does (IDR3.XNX)" },
  PBHA: { at: [62, 59], doc: "page-based hardware attributes, where S2HWU gives them meaning" },
});
