/**
 * Registers of the Non-secure programming interface: byte offsets and fields.
 * Source: IHI 0070 G.b sections 6.2 "Register overview" and 6.3 "Register formats"; identification values of QEMU 10.0 hw/arm/smmuv3.c as read from a running machine.
 */
import { layout } from "../../src/base/layout.ts";

const SOURCE = 'IHI 0070 "Register formats"';

/**
 * Register page 0. 64-bit registers take two places: the high half is at the offset plus 4. The architectural place of
 * the event and PRI indices is page 1; here, their alias is optional.
 */
export const offsets = {
  IDR0: 0x00,
  IDR1: 0x04,
  IDR2: 0x08,
  IDR3: 0x0c,
  IDR4: 0x10,
  IDR5: 0x14,
  IIDR: 0x18,
  AIDR: 0x1c,
  CR0: 0x20,
  CR0ACK: 0x24,
  CR1: 0x28,
  CR2: 0x2c,
  S2PII: 0x30,
  STATUSR: 0x40,
  GBPA: 0x44,
  AGBPA: 0x48,
  IRQ_CTRL: 0x50,
  IRQ_CTRLACK: 0x54,
  GERROR: 0x60,
  GERRORN: 0x64,
  GERROR_IRQ_CFG0: 0x68,
  GERROR_IRQ_CFG1: 0x70,
  GERROR_IRQ_CFG2: 0x74,
  STRTAB_BASE: 0x80,
  STRTAB_BASE_CFG: 0x88,
  CMDQ_BASE: 0x90,
  CMDQ_PROD: 0x98,
  CMDQ_CONS: 0x9c,
  EVENTQ_BASE: 0xa0,
  EVENTQ_PROD: 0xa8,
  EVENTQ_CONS: 0xac,
  EVENTQ_IRQ_CFG0: 0xb0,
  EVENTQ_IRQ_CFG1: 0xb8,
  EVENTQ_IRQ_CFG2: 0xbc,
  PRIQ_BASE: 0xc0,
  PRIQ_PROD: 0xc8,
  PRIQ_CONS: 0xcc,
  PRIQ_IRQ_CFG0: 0xd0,
  PRIQ_IRQ_CFG1: 0xd8,
  PRIQ_IRQ_CFG2: 0xdc,
  GATOS_CTRL: 0x100,
  GATOS_SID: 0x108,
  GATOS_ADDR: 0x110,
  GATOS_PAR: 0x118,
  MPAMIDR: 0x130,
  GMPAM: 0x138,
  GBPMPAM: 0x13c,
  VATOS_SEL: 0x180,
  IDR6: 0x190,
  DPT_BASE: 0x200,
  DPT_BASE_CFG: 0x208,
  DPT_CFG_FAR: 0x210,
} as const;

/** Register page 1, from the base of page 0. */
export const page1Offsets = {
  EVENTQ_PROD: 0x100a8,
  EVENTQ_CONS: 0x100ac,
  PRIQ_PROD: 0x100c8,
  PRIQ_CONS: 0x100cc,
} as const;

export const Idr0 = layout("SMMU_IDR0", 1, SOURCE, {
  S2P: { at: [0, 0], doc: "stage 2 is there" },
  S1P: { at: [1, 1], doc: "stage 1 is there" },
  TTF: { at: [3, 2], doc: "table formats", is: { aarch32: 1, aarch64: 2, both: 3 } },
  COHACC: { at: [4, 4], doc: "coherent walks and queues" },
  BTM: { at: [5, 5], doc: "broadcast TLB maintenance" },
  HTTU: { at: [7, 6], doc: "hardware update: 1 of the access flag, 2 of the dirty state, too, 3 of the access flag of tables, too" },
  DORMHINT: { at: [8, 8], doc: "dormant hint" },
  HYP: { at: [9, 9], doc: "EL2 StreamWorlds" },
  ATS: { at: [10, 10], doc: "PCIe ATS" },
  NS1ATS: { at: [11, 11], doc: "split-stage ATS is not there" },
  ASID16: { at: [12, 12], doc: "16-bit ASIDs" },
  MSI: { at: [13, 13], doc: "message-signalled interrupts" },
  SEV: { at: [14, 14], doc: "SYNC can signal an event" },
  ATOS: { at: [15, 15], doc: "address translation operations" },
  PRI: { at: [16, 16], doc: "page request interface" },
  VMW: { at: [17, 17], doc: "VMID wildcards" },
  VMID16: { at: [18, 18], doc: "16-bit VMIDs" },
  CD2L: { at: [19, 19], doc: "two-level CD tables" },
  VATOS: { at: [20, 20], doc: "virtual ATOS page" },
  TTENDIAN: { at: [22, 21], doc: "table endianness", is: { mixed: 0, little: 2, big: 3 } },
  ATSRECERR: { at: [23, 23], doc: "ATS errors are recorded" },
  STALL_MODEL: { at: [25, 24], doc: "stalling", is: { stallOrTerminate: 0, terminate: 1, stall: 2 } },
  TERM_MODEL: { at: [26, 26], doc: "CD.A must be 1" },
  ST_LEVEL: { at: [28, 27], doc: "stream tables", is: { linear: 0, twoLevel: 1 } },
  RME: { at: [30, 30], doc: "realm management" },
});

export const Idr1 = layout("SMMU_IDR1", 1, SOURCE, {
  SIDSIZE: { at: [5, 0], doc: "bits of a StreamID" },
  SSIDSIZE: { at: [10, 6], doc: "bits of a SubstreamID" },
  PRIQS: { at: [15, 11], doc: "log2 of the longest PRI queue" },
  EVENTQS: { at: [20, 16], doc: "log2 of the longest event queue" },
  CMDQS: { at: [25, 21], doc: "log2 of the longest command queue" },
  ATTR_PERMS_OVR: { at: [26, 26], doc: "permission overrides" },
  ATTR_TYPES_OVR: { at: [27, 27], doc: "attribute overrides" },
  REL: { at: [28, 28], doc: "preset bases are relative" },
  QUEUES_PRESET: { at: [29, 29], doc: "queue bases are fixed" },
  TABLES_PRESET: { at: [30, 30], doc: "table bases are fixed" },
  ECMDQ: { at: [31, 31], doc: "enhanced command queues" },
});

export const Idr2 = layout("SMMU_IDR2", 1, SOURCE, {
  BA_VATOS: { at: [9, 0], doc: "where the VATOS page is: in 64 KiB after 0x20000" },
});

export const Idr3 = layout("SMMU_IDR3", 1, SOURCE, {
  HAD: { at: [2, 2], doc: "hierarchical attributes can be disabled" },
  PBHA: { at: [3, 3], doc: "page-based hardware attributes" },
  XNX: { at: [4, 4], doc: "stage 2 can deny execution by privilege" },
  PPS: { at: [5, 5], doc: "PRI auto-responses carry a PASID as asked" },
  MPAM: { at: [7, 7], doc: "memory partitioning" },
  FWB: { at: [8, 8], doc: "stage 2 can force write-back" },
  STT: { at: [9, 9], doc: "small translation tables" },
  RIL: { at: [10, 10], doc: "range invalidation and level hints" },
  BBML: { at: [12, 11], doc: "break-before-make level" },
  E0PD: { at: [13, 13], doc: "unprivileged access can be denied to a half" },
  PTWNNC: { at: [14, 14], doc: "table walks to Device memory are Normal non-cacheable" },
  DPT: { at: [15, 15], doc: "device permission tables" },
  PASIDTT: { at: [16, 16], doc: "ATS translated requests carry a PASID" },
  EPAN: { at: [17, 17], doc: "PAN can count execute permission as access" },
  S1PI: { at: [18, 18], doc: "stage-1 permission indirection" },
  S2PI: { at: [19, 19], doc: "stage-2 permission indirection" },
  S2PO: { at: [20, 20], doc: "stage-2 permission overlay" },
  THE: { at: [21, 21], doc: "translation hardening" },
  MTEPERM: { at: [22, 22], doc: "memory tagging permission of stage 2" },
  AIE: { at: [23, 23], doc: "stage-1 attribute index extension" },
});

export const Idr4 = layout("SMMU_IDR4", 1, SOURCE, {
  IMPDEF: { at: [31, 0], doc: "implementation defined" },
});

export const Idr5 = layout("SMMU_IDR5", 1, SOURCE, {
  OAS: { at: [2, 0], doc: "output address size", is: { "32": 0, "36": 1, "40": 2, "42": 3, "44": 4, "48": 5, "52": 6, "56": 7 } },
  GRAN4K: { at: [4, 4], doc: "4 KiB granule" },
  GRAN16K: { at: [5, 5], doc: "16 KiB granule" },
  GRAN64K: { at: [6, 6], doc: "64 KiB granule" },
  DS: { at: [7, 7], doc: "52-bit addresses at the 4 and 16 KiB granules" },
  D128: { at: [8, 8], doc: "VMSAv9-128 tables" },
  VAX: { at: [11, 10], doc: "virtual address size", is: { "48": 0, "52": 1, "56": 2 } },
  STALL_MAX: { at: [31, 16], doc: "most outstanding stalls" },
});

export const Idr6 = layout("SMMU_IDR6", 1, SOURCE, {
  CMDQ_CONTROL_PAGE_LOG2NUMQ: { at: [19, 16], doc: "log2 of the enhanced command queues of a page" },
  CMDQ_CONTROL_PAGE_LOG2NUMP: { at: [27, 24], doc: "log2 of the pages of enhanced command queues" },
});

export const Iidr = layout("SMMU_IIDR", 1, SOURCE, {
  Implementer: { at: [11, 0], doc: "JEP106 code of who designed it" },
  Revision: { at: [15, 12], doc: "minor revision" },
  Variant: { at: [19, 16], doc: "major revision" },
  ProductID: { at: [31, 20], doc: "part" },
});

export const Aidr = layout("SMMU_AIDR", 1, SOURCE, {
  ArchMinorRev: { at: [3, 0], doc: "n of SMMUv3.n" },
  ArchMajorRev: { at: [7, 4], doc: "0: SMMUv3" },
});

export const Cr0 = layout("SMMU_CR0", 1, SOURCE, {
  SMMUEN: { at: [0, 0], doc: "translate; otherwise GBPA decides" },
  PRIQEN: { at: [1, 1], doc: "PRI queue" },
  EVENTQEN: { at: [2, 2], doc: "event queue" },
  CMDQEN: { at: [3, 3], doc: "command queue" },
  ATSCHK: { at: [4, 4], doc: "check translated requests" },
  VMW: { at: [8, 6], doc: "VMID wildcard" },
  DPT_WALK_EN: { at: [10, 10], doc: "device permission tables are walked" },
});

export const Cr1 = layout("SMMU_CR1", 1, SOURCE, {
  QUEUE_IC: { at: [1, 0], doc: "inner cacheability of the queues" },
  QUEUE_OC: { at: [3, 2], doc: "outer cacheability of the queues" },
  QUEUE_SH: { at: [5, 4], doc: "shareability of the queues" },
  TABLE_IC: { at: [7, 6], doc: "inner cacheability of the stream table" },
  TABLE_OC: { at: [9, 8], doc: "outer cacheability of the stream table" },
  TABLE_SH: { at: [11, 10], doc: "shareability of the stream table" },
});

export const Cr2 = layout("SMMU_CR2", 1, SOURCE, {
  E2H: { at: [0, 0], doc: "EL2 StreamWorlds use E2H" },
  RECINVSID: { at: [1, 1], doc: "record C_BAD_STREAMID" },
  PTM: { at: [2, 2], doc: "do not take part in broadcast TLB maintenance" },
  REC_CFG_ATS: { at: [3, 3], doc: "record configuration errors of ATS requests" },
});

export const Statusr = layout("SMMU_STATUSR", 1, SOURCE, {
  DORMANT: { at: [0, 0], doc: "nothing is cached or under way, so invalidations are not needed" },
});

/** IRQ_CTRL and IRQ_CTRLACK: one shape. */
export const IrqCtrl = layout("SMMU_IRQ_CTRL", 1, SOURCE, {
  GERROR_IRQEN: { at: [0, 0], doc: "interrupts of global errors" },
  PRIQ_IRQEN: { at: [1, 1], doc: "interrupts of the PRI queue" },
  EVENTQ_IRQEN: { at: [2, 2], doc: "interrupts of the event queue" },
});

/** GERROR_IRQ_CFG0, EVENTQ_IRQ_CFG0 and PRIQ_IRQ_CFG0: one shape. */
export const IrqCfg0 = layout("SMMU_GERROR_IRQ_CFG0", 1, SOURCE, {
  ADDR: { at: [55, 2], unit: 4, doc: "physical address of the MSI; 0: none is sent" },
});

/** GERROR_IRQ_CFG1, EVENTQ_IRQ_CFG1 and PRIQ_IRQ_CFG1: one shape. */
export const IrqCfg1 = layout("SMMU_GERROR_IRQ_CFG1", 1, SOURCE, {
  DATA: { at: [31, 0], doc: "MSI payload" },
});

/** GERROR_IRQ_CFG2 and EVENTQ_IRQ_CFG2: one shape. */
export const IrqCfg2 = layout("SMMU_GERROR_IRQ_CFG2", 1, SOURCE, {
  MemAttr: { at: [3, 0], doc: "memory type of the MSI" },
  SH: { at: [5, 4], doc: "shareability of the MSI" },
});

export const PriqIrqCfg2 = layout("SMMU_PRIQ_IRQ_CFG2", 1, SOURCE, {
  MemAttr: { at: [3, 0], doc: "memory type of the MSI" },
  SH: { at: [5, 4], doc: "shareability of the MSI" },
  LO: { at: [31, 31], doc: "interrupt for the last request of a group, rather than when the queue is no longer empty" },
});

export const Gbpa = layout("SMMU_GBPA", 1, SOURCE, {
  MemAttr: { at: [3, 0], doc: "memory type" },
  MTCFG: { at: [4, 4], doc: "override the memory type" },
  ALLOCCFG: { at: [11, 8], doc: "allocation hints" },
  SHCFG: { at: [13, 12], doc: "shareability" },
  PRIVCFG: { at: [17, 16], doc: "privilege" },
  INSTCFG: { at: [19, 18], doc: "instruction/data" },
  ABORT: { at: [20, 20], doc: "abort what comes while SMMUEN=0" },
  Update: { at: [31, 31], doc: "write 1 to change the register; reads 0 once done" },
});

export const StrtabBase = layout("SMMU_STRTAB_BASE", 1, SOURCE, {
  ADDR: { at: [55, 6], unit: 64, doc: "physical address of the stream table, aligned to its size; bits beyond OAS are RES0" },
  RA: { at: [62, 62], doc: "read-allocate hint" },
});

export const StrtabBaseCfg = layout("SMMU_STRTAB_BASE_CFG", 1, SOURCE, {
  LOG2SIZE: { at: [5, 0], doc: "log2 of the number of streams, up to SIDSIZE" },
  SPLIT: { at: [10, 6], doc: "StreamID bits of the second level: 6, 8 or 10; anything else behaves as 6" },
  FMT: { at: [17, 16], doc: "table shape", is: { linear: 0, twoLevel: 1 } },
});

/** Errors that are active where the bit differs from GERRORN's; software acknowledges by copying. */
export const Gerror = layout("SMMU_GERROR", 1, SOURCE, {
  CMDQ_ERR: { at: [0, 0], doc: "the command queue stopped at a command" },
  EVENTQ_ABT_ERR: { at: [2, 2], doc: "an event could not be written" },
  PRIQ_ABT_ERR: { at: [3, 3], doc: "a page request could not be written" },
  MSI_CMDQ_ABT_ERR: { at: [4, 4], doc: "the SYNC MSI aborted" },
  MSI_EVENTQ_ABT_ERR: { at: [5, 5], doc: "the event MSI aborted" },
  MSI_PRIQ_ABT_ERR: { at: [6, 6], doc: "the PRI MSI aborted" },
  MSI_GERROR_ABT_ERR: { at: [7, 7], doc: "the error MSI aborted" },
  SFM_ERR: { at: [8, 8], doc: "service failure mode" },
  CMDQP_ERR: { at: [9, 9], doc: "an enhanced command queue stopped" },
  DPT_ERR: { at: [10, 10], doc: "a device permission table walk failed" },
});

/** CMDQ_BASE and EVENTQ_BASE, PRIQ_BASE: one shape. */
export const QueueBase = layout("SMMU_CMDQ_BASE", 1, SOURCE, {
  LOG2SIZE: { at: [4, 0], doc: "log2 of the number of entries" },
  ADDR: { at: [55, 5], unit: 32, doc: "physical address of the queue, aligned to its size; bits beyond OAS are RES0" },
  HINT: { at: [62, 62], doc: "allocate hint (RA for commands, WA for events and page requests)" },
});

export const CmdqProd = layout("SMMU_CMDQ_PROD", 1, SOURCE, {
  WR: { at: [19, 0], doc: "write index and, above it (at bit LOG2SIZE), the wrap bit" },
});

export const CmdqCons = layout("SMMU_CMDQ_CONS", 1, SOURCE, {
  RD: { at: [19, 0], doc: "read index and, above it (at bit LOG2SIZE), the wrap bit" },
  ERR: { at: [30, 24], doc: "why consumption stopped", is: { CERROR_NONE: 0, CERROR_ILL: 1, CERROR_ABT: 2, CERROR_ATC_INV_SYNC: 3 } },
});

/** EVENTQ_PROD and PRIQ_PROD: one shape. */
export const EventqProd = layout("SMMU_EVENTQ_PROD", 1, SOURCE, {
  WR: { at: [19, 0], doc: "write index and, above it (at bit LOG2SIZE), the wrap bit" },
  OVFLG: { at: [31, 31], doc: "the queue overflowed, where it differs from OVACKFLG" },
});

/** EVENTQ_CONS and PRIQ_CONS: one shape. */
export const EventqCons = layout("SMMU_EVENTQ_CONS", 1, SOURCE, {
  RD: { at: [19, 0], doc: "read index and, above it (at bit LOG2SIZE), the wrap bit" },
  OVACKFLG: { at: [31, 31], doc: "software copies OVFLG here to acknowledge an overflow" },
});

/** QEMU 10.0 `virt`, nested: what the identification registers read. */
export const qemuVirtIdentification = { IDR0: 0x0d44101b, IDR1: 0x02730010, IDR3: 0x1414, IDR5: 0x74, AIDR: 1 } as const;
