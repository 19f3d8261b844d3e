/**
 * The registers of an SMMUv2 that seL4's driver reads or writes, and those in which it leaves faults: where they lie, and
 * the fields of those in the two global register spaces, as Non-secure software sees them. Those of a context bank:
 * contextBank.ts.
 * Source: IHI 0062 D.c, chapters 9 (global space 0) and 10 (global space 1); seL4 include/drivers/smmu/smmuv2.h for which
 * ones. sACR is IMPLEMENTATION DEFINED: its fields are those of the MMU-500 as seL4 names them (assumed, the MMU-500's own
 * manual was not at hand).
 */
import { layout } from "../../src/base/layout.ts";

const GLOBAL_0 = "IHI 0062 D.c section 9.6";
const GLOBAL_1 = "IHI 0062 D.c section 10.2";

const addressSize = { "32": 0, "36": 1, "40": 2, "42": 3, "44": 4, "48": 5 } as const;
const busSize = { "32": 0, "36": 1, "40": 2, "42": 3, "44": 4, "49": 5, "64": 15 } as const;

// Global register space 0.

export const Cr0 = layout("SMMU_CR0", 1, `${GLOBAL_0}.3`, {
  CLIENTPD: { at: [0, 0], doc: "client port disable: every transaction bypasses; 1 after reset" },
  GFRE: { at: [1, 1], doc: "a global fault is reported to the device" },
  GFIE: { at: [2, 2], doc: "a global fault raises an interrupt" },
  EXIDENABLE: { at: [3, 3], doc: "SMRs hold 16-bit StreamIDs" },
  GCFGFRE: { at: [4, 4], doc: "a configuration access fault is reported" },
  GCFGFIE: { at: [5, 5], doc: "a configuration access fault raises an interrupt" },
  TRANSIENTCFG: { at: [7, 6], doc: "transient hint of what bypasses" },
  STALLD: { at: [8, 8], doc: "stalling is off" },
  GSE: { at: [9, 9], doc: "a stall stalls everything" },
  USFCFG: { at: [10, 10], doc: "a stream that no entry matches", is: { bypass: 0, fault: 1 } },
  VMIDPNE: { at: [11, 11], doc: "VMIDs are the SMMU's own: broadcast invalidations need not apply" },
  PTM: { at: [12, 12], doc: "TLBs are privately managed" },
  FB: { at: [13, 13], doc: "maintenance operations of what bypasses are broadcast" },
  BSU: { at: [15, 14], doc: "barrier shareability of what bypasses" },
  MemAttr: { at: [19, 16], doc: "memory type of what bypasses" },
  MTCFG: { at: [20, 20], doc: "MemAttr applies" },
  SMCFCFG: { at: [21, 21], doc: "a stream that several entries match", is: { bypass: 0, fault: 1 } },
  SHCFG: { at: [23, 22], doc: "shareability of what bypasses" },
  RACFG: { at: [25, 24], doc: "read allocation of what bypasses" },
  WACFG: { at: [27, 26], doc: "write allocation of what bypasses" },
  HYPMODE: { at: [30, 30], doc: "hypervisor contexts are of the Virtualization Host Extensions" },
  VMID16EN: { at: [31, 31], doc: "VMIDs are 16 bits, in CBA2R; otherwise 8 bits, in CBAR" },
});

export const Acr = layout("SMMU_ACR", 1, `MMU-500, seL4 smmuv2.h ACR_*; IHI 0062 leaves it open (${GLOBAL_0}.2)`, {
  SMTNMB_TLBEN: { at: [8, 8], doc: "the TLB may keep that no stream mapping entry matched" },
  S2CRB_TLBEN: { at: [10, 10], doc: "the TLB may keep that an S2CR bypasses" },
  CACHE_LOCK: { at: [26, 26], doc: "ACTLR of the banks takes no writes" },
});

export const Idr0 = layout("SMMU_IDR0", 1, `${GLOBAL_0}.1`, {
  NUMSMRG: { at: [7, 0], doc: "stream mapping register groups" },
  EXIDS: { at: [8, 8], doc: "16-bit StreamIDs" },
  NUMSIDB: { at: [12, 9], doc: "bits of a StreamID" },
  BTM: { at: [13, 13], doc: "broadcast TLB maintenance" },
  CTTW: { at: [14, 14], doc: "coherent table walks" },
  EXSMRGS: { at: [15, 15], doc: "extended stream matching" },
  NUMIRPT: { at: [23, 16], doc: "context interrupts; 1: each bank has its own" },
  PTFS: { at: [25, 24], doc: "AArch32 table formats", is: { shortAndLong: 0, long: 1, none: 2 } },
  ATOSNS: { at: [26, 26], doc: "address translation operations are not there" },
  SMS: { at: [27, 27], doc: "streams are matched (SMR); otherwise they index S2CR" },
  NTS: { at: [28, 28], doc: "stage 1 followed by stage 2" },
  S2TS: { at: [29, 29], doc: "stage 2" },
  S1TS: { at: [30, 30], doc: "stage 1" },
  SES: { at: [31, 31], doc: "two Security states; reads 0 for Non-secure software" },
});

export const Idr1 = layout("SMMU_IDR1", 1, `${GLOBAL_0}.1`, {
  NUMCB: { at: [7, 0], doc: "context banks" },
  NUMSSDNDXB: { at: [11, 8], doc: "bits of an SSD_Index" },
  SSDTP: { at: [13, 12], doc: "the SSD table is there" },
  SMCD: { at: [15, 15], doc: "every stream match conflict is detected" },
  NUMS2CB: { at: [23, 16], doc: "context banks of stage 2 only, from number 0 on" },
  HAFDBS: { at: [25, 24], doc: "hardware update of descriptors" },
  NUMPAGENDXB: { at: [30, 28], doc: "each half of the address space has 2^(this + 1) pages" },
  PAGESIZE: { at: [31, 31], doc: "pages of the register map", is: { "4K": 0, "64K": 1 } },
});

export const Idr2 = layout("SMMU_IDR2", 1, `${GLOBAL_0}.1`, {
  IAS: { at: [3, 0], doc: "bits of an intermediate physical address", is: addressSize },
  OAS: { at: [7, 4], doc: "bits of a physical address", is: addressSize },
  UBS: { at: [11, 8], doc: "bits of an incoming address", is: busSize },
  PTFSv8_4kB: { at: [12, 12], doc: "4 KiB granule" },
  PTFSv8_16kB: { at: [13, 13], doc: "16 KiB granule" },
  PTFSv8_64kB: { at: [14, 14], doc: "64 KiB granule" },
  VMID16S: { at: [15, 15], doc: "16-bit VMIDs, once CR0.VMID16EN is set" },
  EXNUMSMRG: { at: [26, 16], doc: "extended stream match register groups" },
  E2HS: { at: [27, 27], doc: "contexts of the Virtualization Host Extensions" },
  HADS: { at: [28, 28], doc: "hierarchical attributes can be disabled" },
  COMPINDEXS: { at: [29, 29], doc: "compressed stream indexing" },
  DIPANS: { at: [30, 30], doc: "privileged access never" },
});

export const Idr7 = layout("SMMU_IDR7", 1, `${GLOBAL_0}.1`, {
  MINOR: { at: [3, 0], doc: "minor version" },
  MAJOR: { at: [7, 4], doc: "major version" },
});

/** A bit that is written 1 is cleared. The manual prints the meanings of ICF's two values the wrong way round. */
export const Gfsr = layout("SMMU_GFSR", 1, `${GLOBAL_0}.15`, {
  ICF: { at: [0, 0], doc: "invalid context: S2CR says fault, or the bank's CBAR makes no sense" },
  USF: { at: [1, 1], doc: "unidentified stream" },
  SMCF: { at: [2, 2], doc: "several entries match" },
  UCBF: { at: [3, 3], doc: "unimplemented context bank" },
  UCIF: { at: [4, 4], doc: "unimplemented context interrupt" },
  CAF: { at: [5, 5], doc: "configuration access" },
  EF: { at: [6, 6], doc: "external" },
  PF: { at: [7, 7], doc: "permission; Secure copy only" },
  UUT: { at: [8, 8], doc: "unsupported upstream transaction" },
  MULTI: { at: [31, 31], doc: "another fault came while one was recorded" },
});

export const Gfsynr0 = layout("SMMU_GFSYNR0", 1, `${GLOBAL_0}.17`, {
  Nested: { at: [0, 0], doc: "by the context that CBAR names, not by S2CR" },
  WNR: { at: [1, 1], doc: "a write" },
  PNU: { at: [2, 2], doc: "privileged" },
  IND: { at: [3, 3], doc: "an instruction fetch" },
  ATS: { at: [6, 6], doc: "by an address translation operation" },
});
export const Gfsynr1 = layout("SMMU_GFSYNR1", 1, `${GLOBAL_0}.18`, {
  StreamID: { at: [15, 0], doc: "stream of the transaction" },
  SSD_Index: { at: [31, 16], doc: "Secure software only" },
});
export const FaultAddress = layout("SMMU_GFAR, SMMU_CBn_FAR", 1, `${GLOBAL_0}.14, section 16.5.8`, {
  FADDR: { at: [48, 0], doc: "input address of the access, as it came" },
});

/** With CR0.EXIDENABLE=0. */
export const Smr = layout("SMMU_SMRn", 1, `${GLOBAL_0}.25`, {
  ID: { at: [14, 0], doc: "StreamID to match" },
  MASK: { at: [30, 16], doc: "bits of the StreamID that are ignored" },
  VALID: { at: [31, 31], doc: "the entry takes part" },
});

/** The form for a context bank. With TYPE bypass or fault, nothing but TYPE matters here. */
export const S2cr = layout("SMMU_S2CRn", 1, `${GLOBAL_0}.23`, {
  CBNDX: { at: [7, 0], doc: "context bank" },
  SHCFG: { at: [9, 8], doc: "shareability" },
  EXIDVALID: { at: [10, 10], doc: "the entry takes part, with EXIDENABLE" },
  MTCFG: { at: [11, 11], doc: "MemAttr applies" },
  MemAttr: { at: [15, 12], doc: "memory type" },
  TYPE: { at: [17, 16], doc: "what becomes of the stream; 3 is taken as fault", is: { bank: 0, bypass: 1, fault: 2 } },
  NSCFG: { at: [19, 18], doc: "Secure groups only" },
  RACFG: { at: [21, 20], doc: "read allocation" },
  WACFG: { at: [23, 22], doc: "write allocation" },
  PRIVCFG: { at: [25, 24], doc: "privilege; 1 is taken as 2 without DIPANS", is: { incoming: 0, unprivileged: 2, privileged: 3 } },
  INSTCFG: { at: [27, 26], doc: "of reads; 1 is taken as 3", is: { incoming: 0, data: 2, instruction: 3 } },
  TRANSIENTCFG: { at: [29, 28], doc: "transient hint" },
});

export const Tlbivmid = layout("SMMU_TLBIVMID, SMMU_TLBIVMIDS1", 1, `${GLOBAL_0}.35`, {
  VMID: { at: [15, 0], doc: "VMID; bits 15:8 are reserved with 8-bit VMIDs" },
});
export const TlbStatus = layout("SMMU_TLBGSTATUS, SMMU_CBn_TLBSTATUS", 1, `${GLOBAL_0}.21, section 16.5.36`, {
  ACTIVE: { at: [0, 0], doc: "an invalidation from before the last SYNC is not complete" },
});

// Global register space 1.

const cbarTypes = { stage2: 0, stage1: 1, stage1Fault: 2, nested: 3 } as const;
export const CbarStage2 = layout("SMMU_CBARn, stage 2", 1, `${GLOBAL_1}.1`, {
  VMID: { at: [7, 0], doc: "VMID, unless CR0.VMID16EN" },
  TYPE: { at: [17, 16], doc: "what the bank translates", is: cbarTypes },
  IRPTNDX: { at: [31, 24], doc: "context interrupt; 0 where each bank has its own" },
});
export const CbarStage1 = layout("SMMU_CBARn, stage 1 with stage 2 bypass", 1, `${GLOBAL_1}.1`, {
  VMID: { at: [7, 0], doc: "VMID, unless CR0.VMID16EN" },
  BPSHCFG: { at: [9, 8], doc: "shareability that stage 2 would give", is: { outer: 1, inner: 2, nonShareable: 3 } },
  HYPC: { at: [10, 10], doc: "hypervisor context: Hyp-tagged, no ASID or VMID" },
  FB: { at: [11, 11], doc: "maintenance operations are broadcast" },
  MemAttr: { at: [15, 12], doc: "memory type that stage 2 would give" },
  TYPE: { at: [17, 16], doc: "what the bank translates", is: cbarTypes },
  BSU: { at: [19, 18], doc: "barrier shareability" },
  RACFG: { at: [21, 20], doc: "read allocation" },
  WACFG: { at: [23, 22], doc: "write allocation" },
  IRPTNDX: { at: [31, 24], doc: "context interrupt; 0 where each bank has its own" },
});
export const Cba2r = layout("SMMU_CBA2Rn", 1, `${GLOBAL_1}.2`, {
  VA64: { at: [0, 0], doc: "AArch64 tables; 0 after reset where AArch32 is there" },
  MONC: { at: [1, 1], doc: "Secure banks only: monitor context" },
  VMID16: { at: [31, 16], doc: "VMID where CR0.VMID16EN; otherwise RES0" },
});
export const Cbfrsynra = layout("SMMU_CBFRSYNRAn", 1, `${GLOBAL_1}.3`, {
  StreamID: { at: [15, 0], doc: "stream of the fault that FSR records" },
  SSD_Index: { at: [31, 16], doc: "Secure software only" },
});

/**
 * Where registers lie, by place in their space. `GR0` and `GR1` are pages 0 and 1 of the SMMU; the pages of the banks, `CB`,
 * begin in the middle of its address space: that of bank n is page NUMPAGE + n (IHI 0062 chapter 8). A page is 4 or 64 KiB
 * (IDR1.PAGESIZE). `each`: one for every group or bank, side by side.
 * What a write does: `stored` keeps it, `cleared` clears the bits that are written 1, `told` does something and keeps
 * nothing, `ignored` nothing.
 */
export const registers = {
  CR0: { space: "GR0", at: 0x000, bytes: 4, writes: "stored" },
  ACR: { space: "GR0", at: 0x010, bytes: 4, writes: "stored" },
  IDR0: { space: "GR0", at: 0x020, bytes: 4, writes: "ignored" },
  IDR1: { space: "GR0", at: 0x024, bytes: 4, writes: "ignored" },
  IDR2: { space: "GR0", at: 0x028, bytes: 4, writes: "ignored" },
  IDR7: { space: "GR0", at: 0x03c, bytes: 4, writes: "ignored" },
  GFAR: { space: "GR0", at: 0x040, bytes: 8, writes: "stored" },
  GFSR: { space: "GR0", at: 0x048, bytes: 4, writes: "cleared" },
  GFSYNR0: { space: "GR0", at: 0x050, bytes: 4, writes: "stored" },
  GFSYNR1: { space: "GR0", at: 0x054, bytes: 4, writes: "stored" },
  TLBIVMID: { space: "GR0", at: 0x064, bytes: 4, writes: "told" },
  TLBIALLNSNH: { space: "GR0", at: 0x068, bytes: 4, writes: "told" },
  TLBIALLH: { space: "GR0", at: 0x06c, bytes: 4, writes: "told" },
  TLBGSYNC: { space: "GR0", at: 0x070, bytes: 4, writes: "told" },
  TLBGSTATUS: { space: "GR0", at: 0x074, bytes: 4, writes: "ignored" },
  TLBIVMIDS1: { space: "GR0", at: 0x0b8, bytes: 4, writes: "told" },
  SMR: { space: "GR0", at: 0x800, bytes: 4, each: "group", writes: "stored" },
  S2CR: { space: "GR0", at: 0xc00, bytes: 4, each: "group", writes: "stored" },
  CBAR: { space: "GR1", at: 0x000, bytes: 4, each: "bank", writes: "stored" },
  CBFRSYNRA: { space: "GR1", at: 0x400, bytes: 4, each: "bank", writes: "stored" },
  CBA2R: { space: "GR1", at: 0x800, bytes: 4, each: "bank", writes: "stored" },
  SCTLR: { space: "CB", at: 0x000, bytes: 4, writes: "stored" },
  ACTLR: { space: "CB", at: 0x004, bytes: 4, writes: "stored" },
  TCR2: { space: "CB", at: 0x010, bytes: 4, writes: "stored" },
  TTBR0: { space: "CB", at: 0x020, bytes: 8, writes: "stored" },
  TTBR1: { space: "CB", at: 0x028, bytes: 8, writes: "stored" },
  TCR: { space: "CB", at: 0x030, bytes: 4, writes: "stored" },
  MAIR0: { space: "CB", at: 0x038, bytes: 4, writes: "stored" },
  MAIR1: { space: "CB", at: 0x03c, bytes: 4, writes: "stored" },
  FSR: { space: "CB", at: 0x058, bytes: 4, writes: "cleared" },
  FAR: { space: "CB", at: 0x060, bytes: 8, writes: "stored" },
  FSYNR0: { space: "CB", at: 0x068, bytes: 4, writes: "stored" },
  TLBIVA: { space: "CB", at: 0x600, bytes: 8, writes: "told" },
  TLBIVAA: { space: "CB", at: 0x608, bytes: 8, writes: "told" },
  TLBIASID: { space: "CB", at: 0x610, bytes: 4, writes: "told" },
  TLBIALL: { space: "CB", at: 0x618, bytes: 4, writes: "told" },
  TLBIVAL: { space: "CB", at: 0x620, bytes: 8, writes: "told" },
  TLBIVAAL: { space: "CB", at: 0x628, bytes: 8, writes: "told" },
  TLBIIPAS2: { space: "CB", at: 0x630, bytes: 8, writes: "told" },
  TLBIIPAS2L: { space: "CB", at: 0x638, bytes: 8, writes: "told" },
  TLBSYNC: { space: "CB", at: 0x7f0, bytes: 4, writes: "told" },
  TLBSTATUS: { space: "CB", at: 0x7f4, bytes: 4, writes: "ignored" },
} as const;
export type RegisterName = keyof typeof registers;
export interface RegisterPlace {
  readonly space: "GR0" | "GR1" | "CB";
  readonly at: number;
  readonly bytes: 4 | 8;
  readonly each?: "group" | "bank";
  readonly writes: "stored" | "cleared" | "told" | "ignored";
}
