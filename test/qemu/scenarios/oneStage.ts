/** SMMUs of one stage: the other one's configurations and invalidations are illegal. */
import { bare, read, stage1, stage2, sync, VA } from "./building.ts";
import { agreed, differing, type Scenario } from "./scenario.ts";

const [first, second] = [{ player: { stage: "1" } }, { player: { stage: "2" } }] as const;
const ILLEGAL = ["cerror 0x1", "not consumed"] as const;

export const oneStage: readonly Scenario[] = [
  agreed("without stage 2, Config=S2 is C_BAD_STE", [...stage2(), read(VA)], ["C_BAD_STE sid 0x18"], first),
  agreed("without stage 2, stage 1 translates", [...stage1(), read(VA)], ["pa 0x41003000"], first),
  agreed("without stage 2, TLBI_S12_VMALL is CERROR_ILL", [bare("TLBI_S12_VMALL"), sync], ILLEGAL, first),
  agreed("without stage 1, Config=S1 is C_BAD_STE", [...stage1(), read(VA)], ["C_BAD_STE sid 0x18"], second),
  agreed("without stage 1, stage 2 translates", [...stage2(), read(VA)], ["pa 0x41003000"], second),
  differing("without stage 1, CFGI_CD is CERROR_ILL", [bare("CFGI_CD"), sync], ILLEGAL, [], second),
  agreed("without stage 1, TLBI_NH_ASID is CERROR_ILL", [bare("TLBI_NH_ASID"), sync], ILLEGAL, second),
];
