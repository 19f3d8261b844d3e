/**
 * Level-1 stream table descriptor: one 64-bit word of a two-level stream table.
 * Source: IHI 0070 "Level 1 Stream Table Descriptor"; Linux arm-smmu-v3.h STRTAB_L1_DESC_*.
 */
import { layout } from "../../src/base/layout.ts";

export const L1Std = layout("L1STD", 1, 'IHI 0070 "Level 1 Stream Table Descriptor"', {
  Span: { at: [4, 0], doc: "the second level has 2^(Span-1) entries; 0: no second level" },
  L2Ptr: { at: [51, 6], unit: 64, doc: "physical address of the second level, aligned to its size" },
});
