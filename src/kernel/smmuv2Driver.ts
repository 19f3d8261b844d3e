/**
 * The SMMUv2 driver of upstream seL4 as data: the register writes that src/drivers/smmu/smmuv2.c makes, in its order, hazards
 * included (seL4 1326364b). Reads are left out: where the driver writes what it has just read, changed in a few bits, the
 * value is computed from what the register must then hold; that is said at each place. Equal arguments give the very same
 * array of the very same step objects, so that an explorer can tell step lists apart by identity.
 */
import type { RegisterWrite, Step } from "../base/step.ts";
import { type Pa, streamId } from "../base/words.ts";
import { Fsr, Mair, SctlrStage1, Tcr2, TcrStage1, TcrStage2, Tlbiasid, Tlbiipas2, Tlbiva, Ttbr } from "../../specs/smmuv2/contextBank.ts";
import { Acr, Cba2r, CbarStage1, CbarStage2, Cr0, Gfsr, type RegisterName, type RegisterPlace, registers, S2cr, Smr, Tlbivmid } from "../../specs/smmuv2/registers.ts";
import { streamIds } from "./plan.ts";

/** Stage-2 VSpaces of 44 or 40 bits (CONFIG_ARM_HYPERVISOR_SUPPORT, CONFIG_ARM_PA_SIZE_BITS_40), or stage-1 ones. */
export type VspaceKind = "hyp44" | "hyp40" | "el1";

/** What the driver is built for, and what `smmu_config_prob` finds. */
export interface Smmuv2Parameters {
  readonly smmu: number;
  readonly vspaces: VspaceKind;
  /** IDR0.SMS, NUMSMRG, NUMSIDB. */
  readonly matching: boolean;
  readonly groups: number;
  readonly streamBits: number;
  /** IDR1.NUMCB, PAGESIZE, NUMPAGE. */
  readonly banks: number;
  readonly pageBytes: 0x1000 | 0x10000;
  readonly pages: number;
  /** IDR2.VMID16S. The driver then puts VMIDs in CBA2R alone, but never sets CR0.VMID16EN. */
  readonly vmid16: boolean;
  /** IDR0.CTTW, and IDR2.IAS, which the driver takes for the size of physical addresses; stage 1 only. */
  readonly coherent: boolean;
  readonly intermediateBits: 32 | 36 | 40 | 42 | 44 | 48;
  /** `smmu_tlb_sync` reads the status 1000 times and then goes on; true where that is not enough, so nothing is waited for. */
  readonly syncGivesUp: boolean;
}

/** The Tegra X2, the one platform that seL4 turns the driver on for. */
export const tegraX2Driver: Smmuv2Parameters = {
  smmu: 0,
  vspaces: "hyp44",
  matching: true,
  groups: 128,
  streamBits: 7,
  banks: 64,
  pageBytes: 0x10000,
  pages: 64,
  vmid16: false,
  coherent: true,
  intermediateBits: 48,
  syncGivesUp: false,
};

export interface Smmuv2Driver {
  readonly reset: () => readonly Step[];
  /** `mask`: bits of the StreamID that do not count; upstream knows none. */
  readonly bindStream: (sid: number, bank: number, mask?: number) => readonly Step[];
  readonly unbindStream: (sid: number, mask?: number) => readonly Step[];
  readonly assignBank: (bank: number, root: Pa, asid: number) => readonly Step[];
  readonly disableBank: (bank: number, asid: number) => readonly Step[];
  readonly invalidateBank: (bank: number, asid: number) => readonly Step[];
  readonly invalidateAddress: (bank: number, asid: number, address: bigint) => readonly Step[];
  readonly invalidateAll: () => readonly Step[];
  readonly clearGlobalFault: () => readonly Step[];
  readonly clearBankFault: (bank: number) => readonly Step[];
}

const ALL = 0xffff_ffffn;
const EVERY_FAULT = Fsr.encode({ TF: 1n, AFF: 1n, PF: 1n, EF: 1n, TLBMCF: 1n, TLBLKF: 1n, ASF: 1n, UUT: 1n, SS: 1n, MULTI: 1n })[0]!;
/** The value that is read and written back clears what is set; so does a one in every bit. */
const EVERY_GLOBAL_FAULT = Gfsr.masks[0]!;
const BANK_ON = SctlrStage1.encode({ CFIE: 1n, CFRE: 1n, AFE: 1n, TRE: 1n, M: 1n })[0]!;
/** Only assigned banks are disabled, so what is read is what `smmu_cb_assign_vspace` wrote. */
const BANK_OFF = SctlrStage1.encode({ CFIE: 1n, CFRE: 1n, AFE: 1n, TRE: 1n })[0]!;
/** After reset CLIENTPD is 1 and the bits that are not written here are taken as 0. BSU stays: the driver's mask for it is 0. */
const CLIENTS_ON = Cr0.encode({ GFRE: 1n, GFIE: 1n, GCFGFRE: 1n, GCFGFIE: 1n, USFCFG: "fault", SMCFCFG: "fault", VMIDPNE: 1n, FB: 1n })[0]!;
/** The AArch32 form's EAE, which the driver sets although bit 31 is RES0 in this form; Linux does, too. */
const BIT_31 = 1n << 31n;

const offsetOf = ({ pageBytes, pages }: Smmuv2Parameters, name: RegisterName, n: number): number => {
  const { space, at, bytes, each }: RegisterPlace = registers[name];
  const page = space === "CB" ? pages + n : space === "GR1" ? 1 : 0;
  return page * pageBytes + at + (each === undefined ? 0 : n * bytes);
};

/** `SMMU_CB3_SCTLR`, `SMMU_S2CR16`, `SMMU_sCR0` without the s: as src/smmuv2 prints them. */
const nameOf = (name: RegisterName, n: number): string => {
  const { space, each }: RegisterPlace = registers[name];
  return space === "CB" ? `SMMU_CB${n}_${name}` : `SMMU_${name}${each === undefined ? "" : n}`;
};

/** Computed once for each combination of arguments. */
const remember = <A extends readonly (number | bigint)[]>(make: (...args: A) => Step[]): ((...args: A) => readonly Step[]) => {
  const known = new Map<string, readonly Step[]>();
  return (...args) => {
    const key = args.join(" ");
    let steps = known.get(key);
    if (steps === undefined) known.set(key, (steps = Object.freeze(make(...args))));
    return steps;
  };
};

type Write = (name: RegisterName, n: number, value: bigint) => RegisterWrite;
type Sync = (name: "TLBGSYNC" | "TLBSYNC", n: number) => Step[];

/** `smmu_dev_reset`, after which every S2CR names bank 0; the boot code runs it twice, which changes nothing. */
const resetSteps = (parameters: Smmuv2Parameters, write: Write, sync: Sync): Step[] => {
  const { matching, groups, streamBits, banks } = parameters;
  const bank0 = S2cr.encode({ TYPE: "bank", PRIVCFG: "incoming" })[0]!;
  // One less than there are StreamIDs: the last S2CR keeps what it had.
  const count = matching ? groups : 2 ** streamBits - 1;
  const each = (length: number, make: (n: number) => Step[]): Step[] => Array.from({ length }, (_, n) => make(n)).flat();
  return [
    write("GFSYNR0", 0, 0n),
    write("GFSYNR1", 0, 0n),
    write("GFSR", 0, EVERY_GLOBAL_FAULT),
    ...each(count, (group) => [write("S2CR", group, bank0)]),
    ...(matching ? each(groups, (group) => [write("SMR", group, 0n)]) : []),
    // As if it had read 0 before.
    write("ACR", 0, Acr.encode({ S2CRB_TLBEN: 1n, SMTNMB_TLBEN: 1n })[0]!),
    ...each(banks, (bank) => [write("SCTLR", bank, 0n), write("FAR", bank, 0n), write("FSR", bank, EVERY_FAULT), write("ACTLR", bank, 0n)]),
    write("TLBIALLH", 0, ALL),
    write("TLBIALLNSNH", 0, ALL),
    ...sync("TLBGSYNC", 0),
    write("CR0", 0, CLIENTS_ON),
  ];
};

/** `smmu_config_stage2`: as the CPU's VTCR; 40 bits begin at level 1 with two tables side by side. */
const stage2Tcr = (vspaces: VspaceKind): bigint => {
  const size = vspaces === "hyp40" ? ({ T0SZ: 24n, PASize: "40", SL0: "level1" } as const) : ({ T0SZ: 20n, PASize: "44", SL0: "level0" } as const);
  return TcrStage2.encode({ SH0: "inner", ORGN0: "writeBackAllocate", IRGN0: "writeBackAllocate", TG0: "4K", ...size })[0]! | BIT_31;
};
/** `smmu_config_stage1`: 48 bits by TTBR0. */
const stage1Tcr = (coherent: boolean): bigint => {
  const walks = coherent ? ({ SH0: "inner", ORGN0: "writeBackAllocate", IRGN0: "writeBackAllocate" } as const) : ({ SH0: "outer", ORGN0: "nonCacheable", IRGN0: "nonCacheable" } as const);
  return TcrStage1.encode({ ...walks, TG0: "4K", T0SZ: 16n, EPD1: 1n })[0]!;
};

/** `smmu_cb_assign_vspace` where the kernel is a hypervisor: the VMID is the bank's number. */
const assignStage2 = ({ vspaces, vmid16 }: Smmuv2Parameters, write: Write, bank: number, root: bigint): Step[] => {
  const vmid = BigInt(bank);
  return [
    write("CBA2R", bank, Cba2r.encode({ VA64: 1n, ...(vmid16 ? { VMID16: vmid } : {}) })[0]!),
    write("CBAR", bank, CbarStage2.encode({ TYPE: "stage2", ...(vmid16 ? {} : { VMID: vmid }) })[0]!),
    write("TCR", bank, stage2Tcr(vspaces)),
    write("TTBR0", bank, Ttbr.encode({ Base: root })[0]!),
    write("SCTLR", bank, BANK_ON),
  ];
};
/** `smmu_cb_assign_vspace` at EL1: VMID 0, the VSpace's own ASID. */
const assignStage1 = ({ vmid16, coherent, intermediateBits }: Smmuv2Parameters, write: Write, bank: number, root: bigint, asid: number): Step[] => [
  write("CBA2R", bank, Cba2r.encode({ VA64: 1n, ...(vmid16 ? { VMID16: BigInt(bank) } : {}) })[0]!),
  write("CBAR", bank, CbarStage1.encode({ TYPE: "stage1", BPSHCFG: "nonShareable", MemAttr: 15n })[0]!),
  write("TCR", bank, stage1Tcr(coherent)),
  write("TCR2", bank, Tcr2.encode({ PASize: `${intermediateBits}`, SEP: "upstream", AS: "16" })[0]!),
  write("TTBR1", bank, 0n),
  write("TTBR0", bank, Ttbr.encode({ Base: root, ASID: BigInt(asid) })[0]!),
  write("MAIR0", bank, Mair.encode({ Attr0: 0x00n, Attr1: 0x04n, Attr2: 0x0cn, Attr3: 0x44n })[0]!),
  write("MAIR1", bank, Mair.encode({ Attr0: 0xffn })[0]!),
  write("SCTLR", bank, BANK_ON),
];

const PAGE_BITS = 12n;
const pageBits = (address: bigint, [hi]: readonly [number, number]): bigint => (address >> PAGE_BITS) & ((1n << BigInt(hi + 1)) - 1n);

export const createSmmuv2Driver = (parameters: Smmuv2Parameters = tegraX2Driver): Smmuv2Driver => {
  const { smmu, vspaces, matching, syncGivesUp } = parameters;
  const hypervisor = vspaces !== "el1";
  const write: Write = (name, n, value) => ({ kind: "register", smmu, offset: offsetOf(parameters, name, n), value, size: registers[name].bytes, what: nameOf(name, n) });
  /** `smmu_tlb_sync`. */
  const sync: Sync = (name, n) => [write(name, n, ALL), ...(syncGivesUp ? [] : [{ kind: "sync", smmu } as const])];

  /** `smmu_tlb_invalidate_cb`. */
  const invalidateBank = (bank: number, asid: number): Step[] =>
    hypervisor
      ? [write("TLBIVMID", 0, Tlbivmid.encode({ VMID: BigInt(bank) })[0]!), ...sync("TLBGSYNC", 0)]
      : [write("TLBIASID", bank, Tlbiasid.encode({ ASID: BigInt(asid & 0xffff) })[0]!), ...sync("TLBSYNC", bank)];
  /** `smmu_tlb_invalidate_cb_va`. */
  const invalidateAddress = (bank: number, asid: number, address: bigint): Step[] =>
    hypervisor
      ? [write("TLBIIPAS2", bank, Tlbiipas2.encode({ Address: pageBits(address, Tlbiipas2.fields.Address.at) })[0]!), ...sync("TLBSYNC", bank)]
      : [write("TLBIVA", bank, Tlbiva.encode({ ASID: BigInt(asid & 0xffff), Address: pageBits(address, Tlbiva.fields.Address.at) })[0]!), ...sync("TLBSYNC", bank)];
  /** One entry matches all StreamIDs of a mask; where they are indices, each has its own. */
  const entriesOf = (sid: number, mask: number): readonly number[] => (matching ? [sid] : streamIds({ smmu, sid: streamId(sid), mask }));
  /** `smmu_sid_bind_cb`. The stream's number is the group's, too: one beyond the groups binds nothing. */
  const bindStream = remember((sid: number, bank: number, mask: number) => [
    ...entriesOf(sid, mask).map((entry) => write("S2CR", entry, S2cr.encode({ TYPE: "bank", PRIVCFG: "incoming", CBNDX: BigInt(bank & 0xff) })[0]!)),
    ...(matching ? [write("SMR", sid, Smr.encode({ VALID: 1n, ID: BigInt(sid & 0x7fff), MASK: BigInt(mask & 0x7fff) })[0]!)] : []),
  ]);
  /** `smmu_sid_unbind`. */
  const unbindStream = remember((sid: number, mask: number) => [
    ...entriesOf(sid, mask).map((entry) => write("S2CR", entry, S2cr.encode({ TYPE: "fault" })[0]!)),
    ...(matching ? [write("SMR", sid, 0n)] : []),
  ]);
  return {
    reset: remember(() => resetSteps(parameters, write, sync)),
    bindStream: (sid, bank, mask = 0) => bindStream(sid, bank, mask),
    unbindStream: (sid, mask = 0) => unbindStream(sid, mask),
    assignBank: remember((bank: number, root: Pa, asid: number) => (hypervisor ? assignStage2(parameters, write, bank, root) : assignStage1(parameters, write, bank, root, asid))),
    /** `smmu_cb_disable`: translation is off, and streams that are bound then pass untranslated. */
    disableBank: remember((bank: number, asid: number) => [write("SCTLR", bank, BANK_OFF), ...invalidateBank(bank, asid)]),
    invalidateBank: remember(invalidateBank),
    invalidateAddress: remember(invalidateAddress),
    /** `smmu_tlb_invalidate_all`: for a hypervisor, Hyp-tagged entries alone, which its banks do not make. */
    invalidateAll: remember(() => [write(hypervisor ? "TLBIALLH" : "TLBIALLNSNH", 0, ALL), ...sync("TLBGSYNC", 0)]),
    /** `smmu_clear_fault_state`. */
    clearGlobalFault: remember(() => [write("GFSR", 0, EVERY_GLOBAL_FAULT)]),
    /** `smmu_cb_clear_fault_state`. */
    clearBankFault: remember((bank: number) => [write("FSR", bank, EVERY_FAULT)]),
  };
};
