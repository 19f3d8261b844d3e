/**
 * A second transcription of the SMMUv2's registers, as masks: written apart from specs/smmuv2, so that a slip of one hand
 * shows. The layouts follow the field descriptions of IHI 0062 D.c. The masks and offsets follow other hands where those
 * have a field: Linux arm-smmu.h and seL4 smmuv2.h, by their bit numbers. The rest was taken a second time from the manual,
 * from the drawings of the registers and not from the descriptions.
 */
import { describe, expect, it } from "vitest";
import * as bank from "../../specs/smmuv2/contextBank.ts";
import * as global from "../../specs/smmuv2/registers.ts";
import type { Fields, Layout } from "../../src/base/layout.ts";
import { offsetOf, tegraX2 } from "../../src/smmuv2/identification.ts";

type Masks = Readonly<Record<string, bigint>>;
const sctlr = { M: 0x1n, TRE: 0x2n, AFE: 0x4n, AFFD: 0x8n, E: 0x10n, CFRE: 0x20n, CFIE: 0x40n, CFCFG: 0x80n, HUPCF: 0x100n, MemAttr: 0xf_0000n, SHCFG: 0xc0_0000n, RACFG: 0x300_0000n, WACFG: 0xc00_0000n } as const;
const walks = { IRGN0: 0x300n, ORGN0: 0xc00n, SH0: 0x3000n, TG0: 0xc000n, T0SZ: 0x3fn } as const;

const written: readonly (readonly [Pick<Layout<Fields>, "name" | "fields">, Masks])[] = [
  [
    global.Cr0,
    {
      CLIENTPD: 1n << 0n,
      GFRE: 1n << 1n,
      GFIE: 1n << 2n,
      EXIDENABLE: 1n << 3n,
      GCFGFRE: 1n << 4n,
      GCFGFIE: 1n << 5n,
      TRANSIENTCFG: 3n << 6n,
      STALLD: 1n << 8n,
      GSE: 1n << 9n,
      USFCFG: 1n << 10n,
      VMIDPNE: 1n << 11n,
      PTM: 1n << 12n,
      FB: 1n << 13n,
      BSU: 3n << 14n,
      MemAttr: 0xfn << 16n,
      MTCFG: 1n << 20n,
      SMCFCFG: 1n << 21n,
      SHCFG: 3n << 22n,
      RACFG: 3n << 24n,
      WACFG: 3n << 26n,
      HYPMODE: 1n << 30n,
      VMID16EN: 1n << 31n,
    },
  ],
  [global.Acr, { SMTNMB_TLBEN: 0x100n, S2CRB_TLBEN: 0x400n, CACHE_LOCK: 0x400_0000n }],
  [
    global.Idr0,
    {
      SES: 1n << 31n,
      S1TS: 1n << 30n,
      S2TS: 1n << 29n,
      NTS: 1n << 28n,
      SMS: 1n << 27n,
      ATOSNS: 1n << 26n,
      PTFS: 3n << 24n,
      NUMIRPT: 0xffn << 16n,
      EXSMRGS: 1n << 15n,
      CTTW: 1n << 14n,
      BTM: 1n << 13n,
      NUMSIDB: 0xfn << 9n,
      EXIDS: 1n << 8n,
      NUMSMRG: 0xffn,
    },
  ],
  [global.Idr1, { PAGESIZE: 1n << 31n, NUMPAGENDXB: 7n << 28n, HAFDBS: 3n << 24n, NUMS2CB: 0xffn << 16n, SMCD: 1n << 15n, SSDTP: 3n << 12n, NUMSSDNDXB: 0xfn << 8n, NUMCB: 0xffn }],
  [
    global.Idr2,
    {
      DIPANS: 0x4000_0000n,
      COMPINDEXS: 0x2000_0000n,
      HADS: 0x1000_0000n,
      E2HS: 0x800_0000n,
      EXNUMSMRG: 0x7ff_0000n,
      VMID16S: 1n << 15n,
      PTFSv8_64kB: 1n << 14n,
      PTFSv8_16kB: 1n << 13n,
      PTFSv8_4kB: 1n << 12n,
      UBS: 0xfn << 8n,
      OAS: 0xfn << 4n,
      IAS: 0xfn,
    },
  ],
  [global.Idr7, { MAJOR: 0xfn << 4n, MINOR: 0xfn }],
  [global.Gfsr, { MULTI: 1n << 31n, UUT: 1n << 8n, PF: 1n << 7n, EF: 1n << 6n, CAF: 1n << 5n, UCIF: 1n << 4n, UCBF: 1n << 3n, SMCF: 1n << 2n, USF: 1n << 1n, ICF: 1n }],
  [global.Gfsynr0, { Nested: 0x1n, WNR: 0x2n, PNU: 0x4n, IND: 0x8n, ATS: 0x40n }],
  [global.Gfsynr1, { StreamID: 0xffffn, SSD_Index: 0xffff_0000n }],
  [global.FaultAddress, { FADDR: 0x1_ffff_ffff_ffffn }],
  [global.Smr, { VALID: 1n << 31n, MASK: 0x7fffn << 16n, ID: 0x7fffn }],
  [
    global.S2cr,
    {
      TRANSIENTCFG: 3n << 28n,
      INSTCFG: 3n << 26n,
      PRIVCFG: 3n << 24n,
      WACFG: 3n << 22n,
      RACFG: 3n << 20n,
      NSCFG: 3n << 18n,
      TYPE: 3n << 16n,
      MemAttr: 0xfn << 12n,
      MTCFG: 1n << 11n,
      EXIDVALID: 1n << 10n,
      SHCFG: 3n << 8n,
      CBNDX: 0xffn,
    },
  ],
  [global.Tlbivmid, { VMID: 0xffffn }],
  [global.TlbStatus, { ACTIVE: 1n }],
  [global.CbarStage2, { IRPTNDX: 0xff00_0000n, TYPE: 0x3_0000n, VMID: 0xffn }],
  [
    global.CbarStage1,
    { IRPTNDX: 0xff00_0000n, WACFG: 0xc0_0000n, RACFG: 0x30_0000n, BSU: 0xc_0000n, TYPE: 0x3_0000n, MemAttr: 0xf000n, FB: 0x800n, HYPC: 0x400n, BPSHCFG: 0x300n, VMID: 0xffn },
  ],
  [global.Cba2r, { VMID16: 0xffff_0000n, MONC: 0x2n, VA64: 0x1n }],
  [global.Cbfrsynra, { SSD_Index: 0xffff_0000n, StreamID: 0xffffn }],
  [bank.SctlrStage1, { ...sctlr, WXN: 0x200n, UWXN: 0x400n, ASIDPNE: 0x1000n, TRANSIENTCFG: 0xc000n, MTCFG: 0x10_0000n, NSCFG: 0x3000_0000n, UCI: 0x4000_0000n }],
  [bank.SctlrStage2, { ...sctlr, PTW: 0x2000n, BSU: 0xc000n, FB: 0x20_0000n }],
  [bank.Actlr, { CMTLB: 0x1n, CPRE: 0x2n }],
  [bank.TcrStage1, { ...walks, EPD0: 0x80n, T1SZ: 0x3f_0000n, A1: 0x40_0000n, EPD1: 0x80_0000n, IRGN1: 0x300_0000n, ORGN1: 0xc00_0000n, SH1: 0x3000_0000n, TG1: 0xc000_0000n }],
  [bank.TcrStage2, { ...walks, SL0: 0xc0n, PASize: 0x7_0000n, HA: 0x20_0000n, HD: 0x40_0000n }],
  [
    bank.Tcr2,
    { PASize: 0x7n, AS: 0x10n, TBI0: 0x20n, TBI1: 0x40n, HAD0: 0x100n, HAD1: 0x200n, HA: 0x400n, HD: 0x800n, NSCFG0: 0x4000n, SEP: 0x3_8000n, NSCFG1: 0x4000_0000n },
  ],
  [bank.Ttbr, { ASID: 0xffff_0000_0000_0000n, Base: 0xffff_ffff_fff0n }],
  [bank.Mair, { Attr0: 0xffn, Attr1: 0xff00n, Attr2: 0xff_0000n, Attr3: 0xff00_0000n }],
  [bank.Fsr, { MULTI: 1n << 31n, SS: 1n << 30n, Format: 3n << 9n, UUT: 1n << 8n, ASF: 1n << 7n, TLBLKF: 1n << 6n, TLBMCF: 1n << 5n, EF: 1n << 4n, PF: 1n << 3n, AFF: 1n << 2n, TF: 1n << 1n }],
  [
    bank.Fsynr0,
    { PLVL: 0x3n, NESTED: 0x4n, S1PTWF: 0x8n, WNR: 0x10n, PNU: 0x20n, IND: 0x40n, NSATTR: 0x100n, ATOF: 0x200n, PTWF: 0x400n, AFR: 0x800n, S1CBNDX: 0xff_0000n },
  ],
  [bank.Tlbiasid, { ASID: 0xffffn }],
  [bank.Tlbiva, { ASID: 0xffffn << 48n, Address: 0xfff_ffff_ffffn }],
  [bank.Tlbiipas2, { Address: 0xf_ffff_ffffn }],
];

const isLayout = (value: unknown): value is Layout<Fields> => typeof value === "object" && value !== null && "masks" in value;
const all = [...Object.values(global as Record<string, unknown>), ...Object.values(bank as Record<string, unknown>)].filter(isLayout);

describe("SMMUv2 registers, against a second transcription", () => {
  it("leaves none out", () => {
    expect(written.map(([record]) => record.name).toSorted()).toEqual(all.map(({ name }) => name).toSorted());
  });
  it.each(written.map(([record, masks]) => [record.name, record, masks] as const))("%s has exactly these fields and bits", (_, record, masks) => {
    const fields = Object.fromEntries(Object.entries(record.fields).map(([name, { at: [hi, lo] }]) => [name, ((1n << BigInt(hi - lo + 1)) - 1n) << BigInt(lo)]));
    expect(fields).toEqual(masks);
  });
  it("no register but those of 64 bits has a field above bit 31", () => {
    const wide = new Set(["SMMU_GFAR, SMMU_CBn_FAR", "SMMU_CBn_TTBR0, SMMU_CBn_TTBR1", "SMMU_CBn_TLBIVA, TLBIVAL, TLBIVAA, TLBIVAAL", "SMMU_CBn_TLBIIPAS2, TLBIIPAS2L"]);
    for (const { name, masks } of all) expect(masks[0]! >> 32n !== 0n, name).toBe(wide.has(name));
  });
});

describe("where registers lie", () => {
  it("offsets within their pages, as Linux and seL4 have them", () => {
    const at = Object.fromEntries(Object.entries(global.registers).map(([name, { at: offset }]) => [name, offset]));
    expect(at).toEqual({
      CR0: 0, ACR: 0x10, IDR0: 0x20, IDR1: 0x24, IDR2: 0x28, IDR7: 0x3c, GFAR: 0x40, GFSR: 0x48, GFSYNR0: 0x50, GFSYNR1: 0x54,
      TLBIVMID: 0x64, TLBIALLNSNH: 0x68, TLBIALLH: 0x6c, TLBGSYNC: 0x70, TLBGSTATUS: 0x74, TLBIVMIDS1: 0xb8, SMR: 0x800, S2CR: 0xc00,
      CBAR: 0, CBFRSYNRA: 0x400, CBA2R: 0x800,
      SCTLR: 0, ACTLR: 4, TCR2: 0x10, TTBR0: 0x20, TTBR1: 0x28, TCR: 0x30, MAIR0: 0x38, MAIR1: 0x3c, FSR: 0x58, FAR: 0x60, FSYNR0: 0x68,
      TLBIVA: 0x600, TLBIVAA: 0x608, TLBIASID: 0x610, TLBIALL: 0x618, TLBIVAL: 0x620, TLBIVAAL: 0x628, TLBIIPAS2: 0x630, TLBIIPAS2L: 0x638, TLBSYNC: 0x7f0, TLBSTATUS: 0x7f4,
    });
  });
  it("64-bit registers are those that the manual's tables say are", () => {
    const wide = Object.entries(global.registers).filter(([, { bytes }]) => bytes === 8).map(([name]) => name);
    expect(wide).toEqual(["GFAR", "TTBR0", "TTBR1", "FAR", "TLBIVA", "TLBIVAA", "TLBIVAL", "TLBIVAAL", "TLBIIPAS2", "TLBIIPAS2L"]);
  });
  it("pages: two global ones, and the banks from the middle of the 8 MiB of a Tegra X2", () => {
    expect(offsetOf(tegraX2, "S2CR", 5)).toBe(0xc14);
    expect(offsetOf(tegraX2, "CBAR", 5)).toBe(0x1_0014);
    expect(offsetOf(tegraX2, "SCTLR", 0)).toBe(0x40_0000);
    expect(offsetOf(tegraX2, "TTBR0", 63)).toBe(0x7f_0020);
    expect(offsetOf({ ...tegraX2, pageBytes: 0x1000, pages: 16 }, "FSR", 3)).toBe(0x1_3058);
  });
  // IDR1 and IDR2 of an MMU-500, as a model of it that software runs on answers (Semihalf's SMMUv2 for QEMU).
  it("identification of an MMU-500", () => {
    expect(global.Idr2.decode([0x5555n])).toMatchObject({ IAS: "48", OAS: "48", UBS: "49", PTFSv8_4kB: 1n, PTFSv8_16kB: 0n, PTFSv8_64kB: 1n, VMID16S: 0n });
    expect(global.Idr1.decode([0x3000_0f10n])).toMatchObject({ NUMCB: 16n, NUMPAGENDXB: 3n, PAGESIZE: "4K", NUMS2CB: 0n });
    expect(global.Idr0.decode([0xfc01_3e30n])).toMatchObject({ NUMSMRG: 48n, NUMSIDB: 15n, SMS: 1n, S1TS: 1n, S2TS: 1n, NTS: 1n, CTTW: 0n });
  });
});
