/**
 * Level-1 stream table descriptor: one 64-bit word of a two-level stream table.
 * Source: IHI 0070 G.b section 5.1.1 "General properties of the L1STD"; Linux arm-smmu-v3.h STRTAB_L1_DESC_*.
 */
import { layout } from "../../src/base/layout.ts";

export const L1Std = layout("L1STD", 1, 'IHI 0070 "Level 1 Stream Table Descriptor"', {
  Span: { at: [4, 0], doc: "the second level has 2^(Span-1) entries, within SPLIT+1; 0: no second level; 12 to 31 are reserved and behave as 0" },
  L2Ptr: { at: [55, 6], unit: 64, doc: "physical address of the second level, aligned to its size; lower bits are taken as 0" },
});
