/**
 * A second transcription of the records, as masks: written apart from specs/smmuv3, so that a slip of one hand shows.
 * The layouts follow the field descriptions of IHI 0070 G.b and DDI 0487 M.a.a. The masks follow other hands: registers,
 * those of Linux arm-smmu-v3.h, FreeBSD smmureg.h and Marvell's generated register header of the Odyssey SMMU; STE and CD,
 * Linux and gem5 smmu_v3_defs.hh; commands and events, Linux and QEMU smmuv3-internal.h; descriptors, Linux
 * io-pgtable-arm.c and pgtable-hwdef.h. What those lack (SMMUv3.3 and later, addresses above bit 51, events that QEMU does
 * not write) was taken a second time from the manual, by the bit numbers of the whole record (STE bit 88 is dw1[24]).
 */
import { describe, expect, it } from "vitest";
import { Cd, L1Cd } from "../../specs/smmuv3/cd.ts";
import { Command, CommandAtcInv, CommandCfgi, CommandCfgiCd, CommandCfgiRange, CommandPrefetch, CommandPriResp, CommandResume, CommandSync, CommandTlbi, opcodes } from "../../specs/smmuv3/command.ts";
import { Event, EventAtsRequest, EventConfigurationConflict, EventFetch, eventFields, EventPageRequest, EventTlbConflict, eventTypes, EventUut, EventWalkAbort } from "../../specs/smmuv3/event.ts";
import { L1Std } from "../../specs/smmuv3/l1std.ts";
import { PageRequest } from "../../specs/smmuv3/pri.ts";
import {
  Aidr,
  CmdqCons,
  CmdqProd,
  Cr0,
  Cr1,
  Cr2,
  EventqCons,
  EventqProd,
  Gbpa,
  Gerror,
  Idr0,
  Idr1,
  Idr2,
  Idr3,
  Idr4,
  Idr5,
  Idr6,
  Iidr,
  IrqCfg0,
  IrqCfg1,
  IrqCfg2,
  IrqCtrl,
  offsets,
  page1Offsets,
  PriqIrqCfg2,
  QueueBase,
  Statusr,
  StrtabBase,
  StrtabBaseCfg,
} from "../../specs/smmuv3/registers.ts";
import { Stage1Leaf, Stage1Table } from "../../specs/smmuv3/stage1.ts";
import { DescriptorType, LeafDescriptor, TableDescriptor } from "../../specs/smmuv3/stage2.ts";
import { Ste } from "../../specs/smmuv3/ste.ts";
import type { Fields, Layout } from "../../src/base/layout.ts";
import { allLayouts } from "./layouts.ts";

type Masks = Readonly<Record<string, readonly [word: number, mask: bigint]>>;
/** Bits of a whole record, as manuals number them that do not split it into words. */
const bits = (hi: number, lo: number): readonly [number, bigint] => [Math.floor(lo / 64), ((1n << BigInt(hi - lo + 1)) - 1n) << BigInt(lo % 64)];
const op = { Op: [0, 0xffn] } as const;
const command = { ...op, SSec: [0, 0x400n] } as const;
const sid = [0, 0xffff_ffff_0000_0000n] as const;
const ssid = [0, 0xffff_f000n] as const;
const ssv = [0, 0x800n] as const;
const page = [1, 0xffff_ffff_ffff_f000n] as const;
const event = { Type: [0, 0xffn], SSV: ssv, SSID: ssid, SID: sid } as const;
const attributes = { PnU: bits(97, 97), InD: bits(98, 98), RnW: bits(99, 99) } as const;
const inputAddr = [2, 0xffff_ffff_ffff_ffffn] as const;

const written: readonly (readonly [Pick<Layout<Fields>, "name" | "fields">, Masks])[] = [
  [
    Ste,
    {
      V: [0, 0x1n],
      Config: [0, 0xen],
      S1Fmt: [0, 0x30n],
      S1ContextPtr: [0, 0x00ff_ffff_ffff_ffc0n],
      S1CDMax: [0, 0xf800_0000_0000_0000n],
      S1DSS: [1, 0x3n],
      S1CIR: [1, 0xcn],
      S1COR: [1, 0x30n],
      S1CSH: [1, 0xc0n],
      S2HWU: [1, 0xf00n],
      DRE: [1, 0x1000n],
      CONT: [1, 0x1_e000n],
      DCP: [1, 0x2_0000n],
      PPAR: [1, 0x4_0000n],
      MEV: [1, 0x8_0000n],
      SW: [1, 0xf0_0000n],
      S1PIE: [1, 0x100_0000n],
      S2FWB: [1, 0x200_0000n],
      S1MPAM: [1, 0x400_0000n],
      S1STALLD: [1, 0x800_0000n],
      EATS: [1, 0x3000_0000n],
      STRW: [1, 0xc000_0000n],
      MemAttr: [1, 0xf_0000_0000n],
      MTCFG: [1, 0x10_0000_0000n],
      ALLOCCFG: [1, 0x1e0_0000_0000n],
      SHCFG: [1, 0x3000_0000_0000n],
      NSCFG: [1, 0xc000_0000_0000n],
      PRIVCFG: [1, 0x3_0000_0000_0000n],
      INSTCFG: [1, 0xc_0000_0000_0000n],
      IMPDEF1: bits(127, 116),
      S2VMID: [2, 0xffffn],
      IMPDEF2: bits(159, 144),
      S2T0SZ: [2, 0x3f_0000_0000n],
      S2SL0: [2, 0xc0_0000_0000n],
      S2IR0: [2, 0x300_0000_0000n],
      S2OR0: [2, 0xc00_0000_0000n],
      S2SH0: [2, 0x3000_0000_0000n],
      S2TG: [2, 0xc000_0000_0000n],
      S2PS: [2, 0x7_0000_0000_0000n],
      S2AA64: [2, 0x8_0000_0000_0000n],
      S2ENDI: [2, 0x10_0000_0000_0000n],
      S2AFFD: [2, 0x20_0000_0000_0000n],
      S2PTW: [2, 0x40_0000_0000_0000n],
      S2HD: [2, 0x80_0000_0000_0000n],
      S2HA: [2, 0x100_0000_0000_0000n],
      S2S: [2, 0x200_0000_0000_0000n],
      S2R: [2, 0x400_0000_0000_0000n],
      S2HAFT: bits(187, 187),
      S2PIE: bits(188, 188),
      S2POE: bits(189, 189),
      DPT_VMATCH: bits(191, 190),
      S2SL0_2: bits(194, 194),
      S2DS: bits(195, 195),
      S2TTB: [3, 0xff_ffff_ffff_fff0n],
      S2SKL: bits(254, 253),
      IMPDEF4: bits(271, 256),
      PARTID: bits(287, 272),
      MECID: bits(319, 304),
      PMG: bits(327, 320),
      MPAM_NS: bits(328, 328),
      AssuredOnly: bits(329, 329),
      TL0: bits(330, 330),
      TL1: bits(331, 331),
      VMSPtr: [5, 0xff_ffff_ffff_f000n],
      S2POI: bits(511, 448),
    },
  ],
  [L1Std, { Span: [0, 0x1fn], L2Ptr: [0, 0xff_ffff_ffff_ffc0n] }],
  [L1Cd, { V: [0, 0x1n], L2Ptr: [0, 0xff_ffff_ffff_f000n] }],
  [
    Cd,
    {
      T0SZ: [0, 0x3fn],
      TG0: [0, 0xc0n],
      IR0: [0, 0x300n],
      OR0: [0, 0xc00n],
      SH0: [0, 0x3000n],
      EPD0: [0, 0x4000n],
      ENDI: [0, 0x8000n],
      T1SZ: [0, 0x3f_0000n],
      TG1: [0, 0xc0_0000n],
      IR1: [0, 0x300_0000n],
      OR1: [0, 0xc00_0000n],
      SH1: [0, 0x3000_0000n],
      EPD1: [0, 0x4000_0000n],
      V: [0, 0x8000_0000n],
      IPS: [0, 0x7_0000_0000n],
      AFFD: [0, 0x8_0000_0000n],
      WXN: [0, 0x10_0000_0000n],
      UWXN: [0, 0x20_0000_0000n],
      TBI0: [0, 0x40_0000_0000n],
      TBI1: [0, 0x80_0000_0000n],
      PAN: [0, 0x100_0000_0000n],
      AA64: [0, 0x200_0000_0000n],
      HD: [0, 0x400_0000_0000n],
      HA: [0, 0x800_0000_0000n],
      S: [0, 0x1000_0000_0000n],
      R: [0, 0x2000_0000_0000n],
      A: [0, 0x4000_0000_0000n],
      ASET: [0, 0x8000_0000_0000n],
      ASID: [0, 0xffff_0000_0000_0000n],
      NSCFG0: [1, 0x1n],
      HAD0: [1, 0x2n],
      E0PD0: [1, 0x4n],
      HAFT: [1, 0x8n],
      TTB0: [1, 0xff_ffff_ffff_fff0n],
      PnCH: bits(122, 122),
      EPAN: bits(123, 123),
      HWU0: [1, 0xf000_0000_0000_0000n],
      NSCFG1: [2, 0x1n],
      HAD1: [2, 0x2n],
      E0PD1: [2, 0x4n],
      AIE: bits(131, 131),
      TTB1: [2, 0xff_ffff_ffff_fff0n],
      DS: bits(186, 186),
      PIE: bits(187, 187),
      HWU1: [2, 0xf000_0000_0000_0000n],
      MAIR_ATTR0: [3, 0xffn],
      MAIR_ATTR1: [3, 0xff00n],
      MAIR_ATTR2: [3, 0xff_0000n],
      MAIR_ATTR3: [3, 0xff00_0000n],
      MAIR_ATTR4: [3, 0xff_0000_0000n],
      MAIR_ATTR5: [3, 0xff00_0000_0000n],
      MAIR_ATTR6: [3, 0xff_0000_0000_0000n],
      MAIR_ATTR7: [3, 0xff00_0000_0000_0000n],
      AMAIR0: [4, 0xffff_ffffn],
      AMAIR1: [4, 0xffff_ffff_0000_0000n],
      IMPDEF: [5, 0xffff_ffffn],
      PARTID: [5, 0xffff_0000_0000n],
      PMG: [5, 0xff_0000_0000_0000n],
      PIIU: bits(431, 384),
      PIIP: bits(495, 448),
    },
  ],
  [DescriptorType, { Type: [0, 0x3n] }],
  [TableDescriptor, { Type: [0, 0x3n], AF: [0, 0x400n], NextTable: [0, 0xffff_ffff_f000n] }],
  [
    LeafDescriptor,
    {
      Type: [0, 0x3n],
      MemAttr: [0, 0x3cn],
      S2AP: [0, 0xc0n],
      SH: [0, 0x300n],
      AF: [0, 0x400n],
      OutputAddress: [0, 0xffff_ffff_f000n],
      DBM: [0, 0x8_0000_0000_0000n],
      Contiguous: [0, 0x10_0000_0000_0000n],
      XN: [0, 0x60_0000_0000_0000n],
      PBHA: [0, 0x7800_0000_0000_0000n],
    },
  ],
  [
    Stage1Table,
    {
      Type: [0, 0x3n],
      AF: [0, 0x400n],
      NextTable: [0, 0xffff_ffff_f000n],
      Protected: [0, 1n << 52n],
      PXNTable: [0, 1n << 59n],
      UXNTable: [0, 1n << 60n],
      APTable: [0, (1n << 61n) | (1n << 62n)],
      NSTable: [0, 1n << 63n],
    },
  ],
  [
    Stage1Leaf,
    {
      Type: [0, 0x3n],
      AttrIdx: [0, 7n << 2n],
      NS: [0, 1n << 5n],
      AP: [0, (1n << 6n) | (1n << 7n)],
      SH: [0, 3n << 8n],
      AF: [0, 1n << 10n],
      nG: [0, 1n << 11n],
      OutputAddress: [0, 0xffff_ffff_f000n],
      GP: [0, 1n << 50n],
      DBM: [0, 1n << 51n],
      Contiguous: [0, 1n << 52n],
      PXN: [0, 1n << 53n],
      UXN: [0, 1n << 54n],
      PBHA: [0, 0xfn << 59n],
    },
  ],
  [Command, command],
  [CommandCfgi, { ...command, SID: sid, Leaf: [1, 0x1n] }],
  [CommandCfgiRange, { ...command, SID: sid, Range: [1, 0x1fn] }],
  [CommandCfgiCd, { ...command, SSID: ssid, SID: sid, Leaf: [1, 0x1n] }],
  [CommandPrefetch, { ...command, SSV: ssv, SSID: ssid, SID: sid, Size: [1, 0x1fn], Address: page }],
  [CommandAtcInv, { ...op, Global: [0, 0x200n], SSV: ssv, SSID: ssid, SID: sid, Size: [1, 0x3fn], Address: page }],
  [CommandPriResp, { ...op, SSV: ssv, SSID: ssid, SID: sid, PRGIndex: [1, 0x1ffn], Resp: [1, 0x3000n] }],
  [CommandResume, { ...command, Ac: [0, 0x1000n], Ab: [0, 0x2000n], SID: sid, STAG: [1, 0xffffn] }],
  [
    CommandTlbi,
    {
      ...op,
      Num: [0, 0x1_f000n],
      Scale: [0, 0x1f0_0000n],
      Scale_5: bits(25, 25),
      VMID: [0, 0xffff_0000_0000n],
      ASID: [0, 0xffff_0000_0000_0000n],
      Leaf: [1, 0x1n],
      TTL128: bits(71, 71),
      TTL: [1, 0x300n],
      TG: [1, 0xc00n],
      Address: page,
    },
  ],
  [
    CommandSync,
    { ...op, CS: [0, 0x3000n], MSH: [0, 0xc0_0000n], MSIAttr: [0, 0xf00_0000n], MSIData: [0, 0xffff_ffff_0000_0000n], MSIAddress: [1, 0xff_ffff_ffff_fffcn] },
  ],
  [
    Event,
    {
      ...event,
      STAG: [1, 0xffffn],
      STALL: [1, 0x8000_0000n],
      PnU: [1, 0x2_0000_0000n],
      InD: [1, 0x4_0000_0000n],
      RnW: [1, 0x8_0000_0000n],
      NSIPA: [1, 0x10_0000_0000n],
      S2: [1, 0x80_0000_0000n],
      CLASS: [1, 0x300_0000_0000n],
      TTRnW: bits(108, 108),
      InputAddr: inputAddr,
      IPA: [3, 0xff_ffff_ffff_fff8n],
    },
  ],
  [EventUut, { ...event, Reason: [1, 0xffffn], ...attributes, InputAddr: inputAddr }],
  [EventFetch, { ...event, Reason: [1, 0xffffn], GPCF: bits(80, 80), FetchAddr: bits(247, 195) }],
  [EventWalkAbort, { ...event, Reason: [1, 0xffffn], GPCF: bits(80, 80), ...attributes, S2: bits(103, 103), CLASS: bits(105, 104), InputAddr: inputAddr, FetchAddr: bits(247, 195) }],
  [EventAtsRequest, { ...event, Span: bits(67, 64), P: bits(92, 92), X: bits(93, 93), W: bits(94, 94), R: bits(95, 95), InputAddr: bits(191, 140) }],
  [EventTlbConflict, { ...event, Reason: [1, 0xffffn], ...attributes, NSIPA: bits(100, 100), S2: bits(103, 103), InputAddr: inputAddr, IPA: bits(247, 204) }],
  [EventConfigurationConflict, { ...event, Reason: bits(95, 64) }],
  [
    EventPageRequest,
    { ...event, uX: bits(98, 98), uW: bits(99, 99), uR: bits(100, 100), pX: bits(101, 101), pW: bits(102, 102), pR: bits(103, 103), Span: bits(115, 108), InputAddr: bits(191, 140) },
  ],
  [
    PageRequest,
    {
      SID: [0, 0xffff_ffffn],
      SSID: [0, 0xf_ffff_0000_0000n],
      Priv: [0, 1n << 58n],
      X: [0, 1n << 59n],
      R: [0, 1n << 60n],
      W: [0, 1n << 61n],
      Last: [0, 1n << 62n],
      SSV: [0, 1n << 63n],
      PRGIndex: [1, 0x1ffn],
      Address: page,
    },
  ],
  [
    Idr0,
    {
      S2P: [0, 0x1n],
      S1P: [0, 0x2n],
      TTF: [0, 0xcn],
      COHACC: [0, 0x10n],
      BTM: [0, 0x20n],
      HTTU: [0, 0xc0n],
      DORMHINT: [0, 0x100n],
      HYP: [0, 0x200n],
      ATS: [0, 0x400n],
      NS1ATS: [0, 0x800n],
      ASID16: [0, 0x1000n],
      MSI: [0, 0x2000n],
      SEV: [0, 0x4000n],
      ATOS: [0, 0x8000n],
      PRI: [0, 0x1_0000n],
      VMW: [0, 0x2_0000n],
      VMID16: [0, 0x4_0000n],
      CD2L: [0, 0x8_0000n],
      VATOS: [0, 0x10_0000n],
      TTENDIAN: [0, 0x60_0000n],
      ATSRECERR: [0, 0x80_0000n],
      STALL_MODEL: [0, 0x300_0000n],
      TERM_MODEL: [0, 0x400_0000n],
      ST_LEVEL: [0, 0x1800_0000n],
      RME: [0, 0x4000_0000n],
    },
  ],
  [
    Idr1,
    {
      SIDSIZE: [0, 0x3fn],
      SSIDSIZE: [0, 0x7c0n],
      PRIQS: [0, 0xf800n],
      EVENTQS: [0, 0x1f_0000n],
      CMDQS: [0, 0x3e0_0000n],
      ATTR_PERMS_OVR: [0, 0x400_0000n],
      ATTR_TYPES_OVR: [0, 0x800_0000n],
      REL: [0, 0x1000_0000n],
      QUEUES_PRESET: [0, 0x2000_0000n],
      TABLES_PRESET: [0, 0x4000_0000n],
      ECMDQ: [0, 0x8000_0000n],
    },
  ],
  [
    Idr3,
    {
      HAD: [0, 0x4n],
      PBHA: [0, 0x8n],
      XNX: [0, 0x10n],
      PPS: [0, 0x20n],
      MPAM: [0, 0x80n],
      FWB: [0, 0x100n],
      STT: [0, 0x200n],
      RIL: [0, 0x400n],
      BBML: [0, 0x1800n],
      E0PD: [0, 0x2000n],
      PTWNNC: [0, 0x4000n],
      DPT: [0, 0x8000n],
      PASIDTT: [0, 0x1_0000n],
      EPAN: [0, 0x2_0000n],
      S1PI: [0, 0x4_0000n],
      S2PI: [0, 0x8_0000n],
      S2PO: [0, 0x10_0000n],
      THE: [0, 0x20_0000n],
      MTEPERM: [0, 0x40_0000n],
      AIE: [0, 0x80_0000n],
    },
  ],
  [Idr2, { BA_VATOS: [0, 0x3ffn] }],
  [Idr4, { IMPDEF: [0, 0xffff_ffffn] }],
  [Idr6, { CMDQ_CONTROL_PAGE_LOG2NUMQ: [0, 0xf_0000n], CMDQ_CONTROL_PAGE_LOG2NUMP: [0, 0xf00_0000n] }],
  [Iidr, { Implementer: [0, 0xfffn], Revision: [0, 0xf000n], Variant: [0, 0xf_0000n], ProductID: [0, 0xfff0_0000n] }],
  [Aidr, { ArchMinorRev: [0, 0xfn], ArchMajorRev: [0, 0xf0n] }],
  [Statusr, { DORMANT: [0, 0x1n] }],
  [IrqCtrl, { GERROR_IRQEN: [0, 0x1n], PRIQ_IRQEN: [0, 0x2n], EVENTQ_IRQEN: [0, 0x4n] }],
  [IrqCfg0, { ADDR: [0, 0xff_ffff_ffff_fffcn] }],
  [IrqCfg1, { DATA: [0, 0xffff_ffffn] }],
  [IrqCfg2, { MemAttr: [0, 0xfn], SH: [0, 0x30n] }],
  [PriqIrqCfg2, { MemAttr: [0, 0xfn], SH: [0, 0x30n], LO: [0, 0x8000_0000n] }],
  [Idr5, { OAS: [0, 0x7n], GRAN4K: [0, 0x10n], GRAN16K: [0, 0x20n], GRAN64K: [0, 0x40n], DS: [0, 0x80n], D128: [0, 0x100n], VAX: [0, 0xc00n], STALL_MAX: [0, 0xffff_0000n] }],
  [Cr0, { SMMUEN: [0, 0x1n], PRIQEN: [0, 0x2n], EVENTQEN: [0, 0x4n], CMDQEN: [0, 0x8n], ATSCHK: [0, 0x10n], VMW: [0, 0x1c0n], DPT_WALK_EN: [0, 0x400n] }],
  [Cr1, { QUEUE_IC: [0, 0x3n], QUEUE_OC: [0, 0xcn], QUEUE_SH: [0, 0x30n], TABLE_IC: [0, 0xc0n], TABLE_OC: [0, 0x300n], TABLE_SH: [0, 0xc00n] }],
  [Cr2, { E2H: [0, 0x1n], RECINVSID: [0, 0x2n], PTM: [0, 0x4n], REC_CFG_ATS: [0, 0x8n] }],
  [
    Gbpa,
    { MemAttr: [0, 0xfn], MTCFG: [0, 0x10n], ALLOCCFG: [0, 0xf00n], SHCFG: [0, 0x3000n], PRIVCFG: [0, 0x3_0000n], INSTCFG: [0, 0xc_0000n], ABORT: [0, 0x10_0000n], Update: [0, 0x8000_0000n] },
  ],
  [
    Gerror,
    {
      CMDQ_ERR: [0, 0x1n],
      EVENTQ_ABT_ERR: [0, 0x4n],
      PRIQ_ABT_ERR: [0, 0x8n],
      MSI_CMDQ_ABT_ERR: [0, 0x10n],
      MSI_EVENTQ_ABT_ERR: [0, 0x20n],
      MSI_PRIQ_ABT_ERR: [0, 0x40n],
      MSI_GERROR_ABT_ERR: [0, 0x80n],
      SFM_ERR: [0, 0x100n],
      CMDQP_ERR: [0, 0x200n],
      DPT_ERR: [0, 0x400n],
    },
  ],
  [StrtabBase, { ADDR: [0, 0xff_ffff_ffff_ffc0n], RA: [0, 0x4000_0000_0000_0000n] }],
  [StrtabBaseCfg, { LOG2SIZE: [0, 0x3fn], SPLIT: [0, 0x7c0n], FMT: [0, 0x3_0000n] }],
  [QueueBase, { LOG2SIZE: [0, 0x1fn], ADDR: [0, 0xff_ffff_ffff_ffe0n], HINT: [0, 0x4000_0000_0000_0000n] }],
  [CmdqProd, { WR: [0, 0xf_ffffn] }],
  [EventqProd, { WR: [0, 0xf_ffffn], OVFLG: [0, 0x8000_0000n] }],
  [EventqCons, { RD: [0, 0xf_ffffn], OVACKFLG: [0, 0x8000_0000n] }],
  [CmdqCons, { RD: [0, 0xf_ffffn], ERR: [0, 0x7f00_0000n] }],
];

describe("records, against a second transcription", () => {
  it("leaves none out", () => {
    expect(written.map(([record]) => record.name).toSorted()).toEqual(allLayouts.map(({ name }) => name).toSorted());
  });
  it.each(written.map(([record, masks]) => [record.name, record, masks] as const))("%s has exactly these fields and bits", (_, record, masks) => {
    const declared = Object.entries(record.fields).map(([field, { word = 0, at: [hi, lo] }]) => [field, [word, ((1n << BigInt(hi - lo + 1)) - 1n) << BigInt(lo)]]);
    expect(Object.fromEntries(declared)).toEqual(masks);
  });
  it("opcodes", () => {
    const codes = Object.entries(opcodes).map(([name, { code }]) => `${code.toString(16).padStart(2, "0")} ${name}`);
    expect(codes.toSorted().join(", ")).toBe(
      "01 PREFETCH_CONFIG, 02 PREFETCH_ADDR, 03 CFGI_STE, 04 CFGI_STE_RANGE, 05 CFGI_CD, 06 CFGI_CD_ALL, 07 CFGI_VMS_PIDM, 10 TLBI_NH_ALL, 11 TLBI_NH_ASID, 12 TLBI_NH_VA, 13 TLBI_NH_VAA, " +
        "18 TLBI_EL3_ALL, 1a TLBI_EL3_VA, 20 TLBI_EL2_ALL, 21 TLBI_EL2_ASID, 22 TLBI_EL2_VA, 23 TLBI_EL2_VAA, 28 TLBI_S12_VMALL, 2a TLBI_S2_IPA, 30 TLBI_NSNH_ALL, 40 ATC_INV, 41 PRI_RESP, 44 RESUME, 45 STALL_TERM, 46 SYNC, " +
        "50 TLBI_S_EL2_ALL, 51 TLBI_S_EL2_ASID, 52 TLBI_S_EL2_VA, 53 TLBI_S_EL2_VAA, 58 TLBI_S_S12_VMALL, 5a TLBI_S_S2_IPA, 60 TLBI_SNH_ALL, 70 DPTI_ALL, 73 DPTI_PA",
    );
  });
  it("event types", () => {
    const codes = Object.entries(eventTypes).map(([name, code]) => `${code.toString(16).padStart(2, "0")} ${name}`);
    expect(codes.join(", ")).toBe(
      "01 F_UUT, 02 C_BAD_STREAMID, 03 F_STE_FETCH, 04 C_BAD_STE, 05 F_BAD_ATS_TREQ, 06 F_STREAM_DISABLED, 07 F_TRANSL_FORBIDDEN, 08 C_BAD_SUBSTREAMID, 09 F_CD_FETCH, 0a C_BAD_CD, 0b F_WALK_EABT, " +
        "10 F_TRANSLATION, 11 F_ADDR_SIZE, 12 F_ACCESS, 13 F_PERMISSION, 20 F_TLB_CONFLICT, 21 F_CFG_CONFLICT, 24 E_PAGE_REQUEST, 25 F_VMS_FETCH",
    );
  });
  it("event fields are bits of the layout that holds the type's record", () => {
    const own: Readonly<Record<string, { readonly fields: object }>> = { F_UUT: EventUut, F_STE_FETCH: EventFetch, F_CD_FETCH: EventFetch, F_VMS_FETCH: EventFetch, F_WALK_EABT: EventWalkAbort, F_BAD_ATS_TREQ: EventAtsRequest, F_TLB_CONFLICT: EventTlbConflict, F_CFG_CONFLICT: EventConfigurationConflict, E_PAGE_REQUEST: EventPageRequest };
    const names = { ssid: "SSID", ssv: "SSV", iova: "InputAddr", s2: "S2", class: "CLASS", rnw: "RnW", pnu: "PnU", ind: "InD", ttrnw: "TTRnW", nsipa: "NSIPA", ipa: "IPA", stall: "STAG STALL", reason: "Reason", gpcf: "GPCF", span: "Span", fetch: "FetchAddr" } as const;
    for (const [type, record] of Object.entries(own)) {
      const asked = type === "F_BAD_ATS_TREQ" ? "P R W X" : "pR pW pX uR uW uX";
      const said = eventFields[type as keyof typeof eventFields]!.flatMap((field) => (field === "asked" ? asked : names[field]).split(" "));
      expect([...said, "SID", "Type"].toSorted(), type).toEqual(Object.keys(record.fields).toSorted());
    }
    const named = new Set(Object.keys(Event.fields));
    const others = Object.keys(eventTypes).filter((type) => !(type in own));
    for (const type of others) for (const field of eventFields[type as keyof typeof eventFields]!) expect(field === "stall" || (field !== "asked" && named.has(names[field])), `${type} ${field}`).toBe(true);
  });
  // QEMU 10.0 hw/arm/smmuv3.c smmuv3_record_event.
  it("event types without a SubstreamID, and with one that is always valid", () => {
    const without = Object.keys(eventTypes).filter((type) => !eventFields[type as keyof typeof eventFields]!.includes("ssv"));
    expect(without).toEqual(["F_STREAM_DISABLED", "F_TRANSL_FORBIDDEN", "C_BAD_SUBSTREAMID"]);
    expect(eventFields.C_BAD_SUBSTREAMID).toEqual(["ssid"]);
  });
  it("register offsets", () => {
    expect(offsets).toMatchObject({ IDR0: 0, IDR1: 4, IDR3: 0xc, IDR5: 0x14, CR0: 0x20, CR0ACK: 0x24, CR1: 0x28, CR2: 0x2c, GBPA: 0x44, GERROR: 0x60, GERRORN: 0x64, STRTAB_BASE: 0x80, STRTAB_BASE_CFG: 0x88, CMDQ_BASE: 0x90, CMDQ_PROD: 0x98, CMDQ_CONS: 0x9c, EVENTQ_BASE: 0xa0, EVENTQ_PROD: 0xa8, EVENTQ_CONS: 0xac, PRIQ_BASE: 0xc0, PRIQ_PROD: 0xc8, PRIQ_CONS: 0xcc });
    expect(offsets).toMatchObject({ S2PII: 0x30, AGBPA: 0x48, GATOS_CTRL: 0x100, GATOS_SID: 0x108, GATOS_ADDR: 0x110, GATOS_PAR: 0x118, MPAMIDR: 0x130, GMPAM: 0x138, GBPMPAM: 0x13c, VATOS_SEL: 0x180, IDR6: 0x190, DPT_BASE: 0x200, DPT_BASE_CFG: 0x208, DPT_CFG_FAR: 0x210 });
    expect(page1Offsets).toEqual({ EVENTQ_PROD: 0x1_0000 + offsets.EVENTQ_PROD, EVENTQ_CONS: 0x1_0000 + offsets.EVENTQ_CONS, PRIQ_PROD: 0x1_0000 + offsets.PRIQ_PROD, PRIQ_CONS: 0x1_0000 + offsets.PRIQ_CONS });
  });
});

describe("words that real drivers wrote", () => {
  it("the stage-2 STE of a Linux 6.12 guest", () => {
    const ste = Ste.decode([0xdn, 0n, 0x044c_3594_0000_0001n, 0x4318_a000n, 0n, 0n, 0n, 0n]);
    expect(ste).toMatchObject({ V: 1n, Config: "s2", S2VMID: 1n, S2T0SZ: 20n, S2SL0: 2n, S2IR0: 1n, S2OR0: 1n, S2SH0: 3n, S2TG: "4K", S2PS: "44", S2AA64: 1n, S2PTW: 1n, S2R: 1n, S2S: 0n, S2TTB: 0x4318_a000n });
    expect(Ste.reserved([0xdn, 0n, 0x044c_3594_0000_0001n, 0x4318_a000n, 0n, 0n, 0n, 0n])).toEqual([]);
  });
  it("the stage-1 STE and CD of a Linux 6.12 guest", () => {
    expect(Ste.decode([0x4318_300bn, 0xd6n, 0n, 0n, 0n, 0n, 0n, 0n])).toMatchObject({ V: 1n, Config: "s1", S1ContextPtr: 0x4318_3000n, S1CDMax: 0n, S1DSS: "substream0", S1CIR: 1n, S1COR: 1n, S1CSH: 3n });
    expect(Cd.decode([0x0001_e204_c000_3510n, 0x4318_2000n, 0n, 0xffff_ffff_f404_ff44n, 0n, 0n, 0n, 0n])).toMatchObject({
      T0SZ: 16n, TG0: "4K", IR0: "writeBackAllocate", OR0: "writeBackAllocate", SH0: "inner", EPD0: 0n, EPD1: 1n, V: 1n, IPS: "44", AA64: 1n, R: 1n, A: 1n, S: 0n, ASET: 1n, ASID: 1n, TTB0: 0x4318_2000n, MAIR_ATTR0: 0x44n, MAIR_ATTR1: 0xffn,
    });
  });
  it("a level-1 stream table descriptor, a SYNC and a range invalidation", () => {
    expect(L1Std.decode([0x4ba6_0009n])).toEqual({ Span: 9n, L2Ptr: 0x4ba6_0000n });
    expect(CommandSync.decode([0x0fc0_2046n, 0n])).toMatchObject({ Op: 0x46n, CS: "sev", MSH: 3n, MSIAttr: 15n });
    expect(CommandTlbi.decode([0x0001_0000_0000_0012n, 0x1234_5701n])).toMatchObject({ Op: 0x12n, ASID: 1n, VMID: 0n, Leaf: 1n, TTL: 3n, TG: "4K", Address: 0x1234_5000n });
  });
  it("identification of QEMU's virt board", () => {
    expect(Idr0.decode([0x0d44_101bn])).toMatchObject({ S1P: 1n, S2P: 1n, TTF: "aarch64", COHACC: 1n, ASID16: 1n, VMID16: 1n, TTENDIAN: "little", STALL_MODEL: "terminate", TERM_MODEL: 1n, ST_LEVEL: "twoLevel", ATS: 0n, HYP: 0n, CD2L: 0n });
    expect(Idr1.decode([0x0273_0010n])).toMatchObject({ SIDSIZE: 16n, SSIDSIZE: 0n, EVENTQS: 19n, CMDQS: 19n });
    expect(Idr3.decode([0x1414n])).toMatchObject({ HAD: 1n, XNX: 1n, RIL: 1n, BBML: 2n });
    expect(Idr5.decode([0x74n])).toMatchObject({ OAS: "44", GRAN4K: 1n, GRAN16K: 1n, GRAN64K: 1n });
  });
});
