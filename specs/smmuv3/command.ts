/**
 * Commands: two 64-bit words each. Bits that no field names are RES0: an implementation ignores them, or refuses the
 * command (CERROR_ILL). Left out: Stride and NS of PREFETCH_ADDR, the operands of DPTI_PA, NS of TLBI_S_S2_IPA.
 * Source: IHI 0070 G.b chapter 4 "Commands"; Linux arm-smmu-v3.h CMDQ_*.
 */
import { layout } from "../../src/base/layout.ts";

/**
 * Opcodes, word 0 bits 7:0. `needs`: the feature without which the command is illegal (CERROR_ILL); "secure": illegal on
 * the Non-secure queue whatever is implemented.
 */
export const opcodes = {
  PREFETCH_CONFIG: { code: 0x01 },
  PREFETCH_ADDR: { code: 0x02 },
  CFGI_STE: { code: 0x03 },
  CFGI_STE_RANGE: { code: 0x04 },
  CFGI_CD: { code: 0x05, needs: "S1P" },
  CFGI_CD_ALL: { code: 0x06, needs: "S1P" },
  CFGI_VMS_PIDM: { code: 0x07, needs: "MPAM" },
  TLBI_NH_ALL: { code: 0x10, needs: "S1P" },
  TLBI_NH_ASID: { code: 0x11, needs: "S1P" },
  TLBI_NH_VA: { code: 0x12, needs: "S1P" },
  TLBI_NH_VAA: { code: 0x13, needs: "S1P" },
  TLBI_EL3_ALL: { code: 0x18, needs: "secure" },
  TLBI_EL3_VA: { code: 0x1a, needs: "secure" },
  TLBI_EL2_ALL: { code: 0x20, needs: "HYP" },
  TLBI_EL2_ASID: { code: 0x21, needs: "HYP" },
  TLBI_EL2_VA: { code: 0x22, needs: "HYP" },
  TLBI_EL2_VAA: { code: 0x23, needs: "HYP" },
  TLBI_S12_VMALL: { code: 0x28, needs: "S2P" },
  TLBI_S2_IPA: { code: 0x2a, needs: "S2P" },
  TLBI_NSNH_ALL: { code: 0x30 },
  ATC_INV: { code: 0x40, needs: "ATS" },
  PRI_RESP: { code: 0x41, needs: "PRI" },
  RESUME: { code: 0x44, needs: "stall" },
  STALL_TERM: { code: 0x45, needs: "stall" },
  SYNC: { code: 0x46 },
  TLBI_S_EL2_ALL: { code: 0x50, needs: "secure" },
  TLBI_S_EL2_ASID: { code: 0x51, needs: "secure" },
  TLBI_S_EL2_VA: { code: 0x52, needs: "secure" },
  TLBI_S_EL2_VAA: { code: 0x53, needs: "secure" },
  TLBI_S_S12_VMALL: { code: 0x58, needs: "secure" },
  TLBI_S_S2_IPA: { code: 0x5a, needs: "secure" },
  TLBI_SNH_ALL: { code: 0x60, needs: "secure" },
  DPTI_ALL: { code: 0x70, needs: "DPT" },
  DPTI_PA: { code: 0x73, needs: "DPT" },
} as const satisfies Readonly<Record<string, { readonly code: number; readonly needs?: string }>>;
export type CommandName = keyof typeof opcodes;

const SOURCE = 'IHI 0070 "Commands"';
const op = { at: [7, 0], doc: "opcode" } as const;
const ssec = { at: [10, 10], doc: "for a Secure stream; illegal on the Non-secure queue" } as const;

/** What commands have in common. SSec is where a StreamID is Secure or not: TLBI, SYNC, ATC_INV and PRI_RESP have none. */
export const Command = layout("Command", 2, SOURCE, { Op: op, SSec: ssec });

/** CFGI_STE. */
export const CommandCfgi = layout("CMD_CFGI_STE", 2, SOURCE, {
  Op: op,
  SSec: ssec,
  SID: { at: [63, 32], doc: "StreamID" },
  Leaf: { word: 1, at: [0, 0], doc: "the level-1 descriptor stays" },
});

/** CFGI_STE_RANGE; Range=31 is CFGI_ALL. */
export const CommandCfgiRange = layout("CMD_CFGI_STE_RANGE", 2, SOURCE, {
  Op: op,
  SSec: ssec,
  SID: { at: [63, 32], doc: "first StreamID; its low Range+1 bits are ignored" },
  Range: { word: 1, at: [4, 0], doc: "2^(Range+1) entries; 31 is all of them, and SID is ignored (CFGI_ALL)" },
});

/** CFGI_CD, CFGI_CD_ALL. */
export const CommandCfgiCd = layout("CMD_CFGI_CD", 2, SOURCE, {
  Op: op,
  SSec: ssec,
  SSID: { at: [31, 12], doc: "SubstreamID (CFGI_CD)" },
  SID: { at: [63, 32], doc: "StreamID" },
  Leaf: { word: 1, at: [0, 0], doc: "the level-1 descriptor stays" },
});

/** PREFETCH_CONFIG, PREFETCH_ADDR. */
export const CommandPrefetch = layout("CMD_PREFETCH", 2, SOURCE, {
  Op: op,
  SSec: ssec,
  SSV: { at: [11, 11], doc: "SSID is given" },
  SSID: { at: [31, 12], doc: "SubstreamID" },
  SID: { at: [63, 32], doc: "StreamID" },
  Size: { word: 1, at: [4, 0], doc: "PREFETCH_ADDR: log2 of the pages" },
  Address: { word: 1, at: [63, 12], unit: 4096, doc: "PREFETCH_ADDR: first address" },
});

export const CommandAtcInv = layout("CMD_ATC_INV", 2, SOURCE, {
  Op: op,
  Global: { at: [9, 9], doc: "for all SubstreamIDs; ignored where SSV is 0" },
  SSV: { at: [11, 11], doc: "SSID is given" },
  SSID: { at: [31, 12], doc: "SubstreamID" },
  SID: { at: [63, 32], doc: "StreamID" },
  Size: { word: 1, at: [5, 0], doc: "log2 of the pages; 52 is everything; more may be refused" },
  Address: { word: 1, at: [63, 12], unit: 4096, doc: "first address" },
});

export const CommandPriResp = layout("CMD_PRI_RESP", 2, SOURCE, {
  Op: op,
  SSV: { at: [11, 11], doc: "SSID is given" },
  SSID: { at: [31, 12], doc: "SubstreamID" },
  SID: { at: [63, 32], doc: "StreamID" },
  PRGIndex: { word: 1, at: [8, 0], doc: "page request group" },
  Resp: { word: 1, at: [13, 12], doc: "answer: ResponseFailure, InvalidRequest, Success; 3 is illegal", is: { deny: 0, fail: 1, success: 2 } },
});

/** RESUME, STALL_TERM (SID only). */
export const CommandResume = layout("CMD_RESUME", 2, SOURCE, {
  Op: op,
  SSec: ssec,
  Ac: { at: [12, 12], doc: "retry; Ab is ignored then" },
  Ab: { at: [13, 13], doc: "abort; with neither, read zero and ignore writes (TERM_MODEL=1: abort)" },
  SID: { at: [63, 32], doc: "StreamID" },
  STAG: { word: 1, at: [15, 0], doc: "tag of the stalled transaction" },
});

/**
 * TLBI_S12_VMALL, TLBI_S2_IPA and the stage-1 invalidations. A range is (Num+1) * 2^Scale granules from Address. TG=0 is
 * one address, and the other range fields are RES0 then; so are all of them where IDR3.RIL is 0.
 */
export const CommandTlbi = layout("CMD_TLBI", 2, SOURCE, {
  Op: op,
  Num: { at: [16, 12], doc: "range: number of units minus one" },
  Scale: { at: [24, 20], doc: "range: log2 of the unit in granules" },
  Scale_5: { at: [25, 25], doc: "bit 5 of Scale, where IDR5.DS is 1" },
  VMID: { at: [47, 32], doc: "VMID" },
  ASID: { at: [63, 48], doc: "ASID (stage-1 commands)" },
  Leaf: { word: 1, at: [0, 0], doc: "only last-level entries" },
  TTL128: { word: 1, at: [7, 7], doc: "TTL is of VMSAv9-128 tables" },
  TTL: { word: 1, at: [9, 8], doc: "level of the leaf entries; 0: any" },
  TG: { word: 1, at: [11, 10], doc: "granule of a range; 0: one address", is: { none: 0, "4K": 1, "16K": 2, "64K": 3 } },
  Address: { word: 1, at: [63, 12], unit: 4096, doc: "IPA or VA" },
});

export const CommandSync = layout("CMD_SYNC", 2, SOURCE, {
  Op: op,
  CS: { at: [13, 12], doc: "completion signal; 3 is illegal", is: { none: 0, irq: 1, sev: 2 } },
  MSH: { at: [23, 22], doc: "shareability of the MSI" },
  MSIAttr: { at: [27, 24], doc: "memory type of the MSI" },
  MSIData: { at: [63, 32], doc: "MSI payload" },
  MSIAddress: { word: 1, at: [55, 2], unit: 4, doc: "physical address of the MSI; 0: none is sent" },
});
