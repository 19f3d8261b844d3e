/**
 * VMSAv8-64 stage-2 descriptors, 4 KiB granule.
 * Source: DDI 0487 "VMSAv8-64 translation table format descriptors"; Linux io-pgtable-arm.c.
 */
import { layout } from "../../src/base/layout.ts";

const SOURCE = 'DDI 0487 "VMSAv8-64 translation table format descriptors"';

/** Bits that say what a descriptor is. Below level 3, 1 is a block and 3 a table; at level 3, 3 is a page and 1 invalid. */
export const DescriptorType = layout("Descriptor type", 1, SOURCE, {
  Type: { at: [1, 0], doc: "bit 0 clear: invalid", is: { block: 1, tableOrPage: 3 } },
});

export const TableDescriptor = layout("Stage-2 table descriptor", 1, SOURCE, {
  Type: { at: [1, 0], doc: "3", is: { table: 3 } },
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
  Contiguous: { at: [52, 52], doc: "one of 16 entries that may share a TLB entry" },
  XN: { at: [54, 53], doc: "execute never" },
});
