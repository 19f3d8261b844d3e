/**
 * The register file: 32-bit values by byte offset, and typed readings of the fields that decide about transactions.
 * Source: IHI 0070 "Register formats".
 */
import { Cr0, Cr2, Gbpa, Idr0, Idr1, Idr3, Idr5, IrqCtrl, offsets, qemuVirtIdentification, StrtabBase, StrtabBaseCfg } from "../../specs/smmuv3/registers.ts";
import { type Replacement, replacementOf } from "./attributes.ts";
import type { Granule } from "./descriptor.ts";
import type { Quirks } from "./quirks.ts";

export type RegisterFile = ReadonlyMap<number, number>;

/** What an implementation says of itself; read-only to software. */
export interface Identification {
  readonly IDR0: number;
  readonly IDR1: number;
  readonly IDR3: number;
  readonly IDR5: number;
  readonly AIDR: number;
}

/** Registers after reset: identification as given, GBPA passing traffic as QEMU resets it, everything else 0. */
export const resetRegisters = (identification: Partial<Identification> = {}): RegisterFile => {
  const values = { ...qemuVirtIdentification, ...identification };
  return new Map([...Object.entries(values).map(([name, value]) => [offsets[name as keyof typeof offsets], value] as const), [offsets.GBPA, 0x1000]]);
};

const READ_ONLY = new Set<number>([
  offsets.IDR0,
  offsets.IDR1,
  offsets.IDR2,
  offsets.IDR3,
  offsets.IDR4,
  offsets.IDR5,
  offsets.IIDR,
  offsets.AIDR,
  offsets.CR0ACK,
  offsets.IRQ_CTRLACK,
  offsets.STATUSR,
  offsets.GERROR,
]);
/** 64-bit registers; the high half is at the offset plus 4. */
const WIDE = new Set<number>([offsets.STRTAB_BASE, offsets.CMDQ_BASE, offsets.EVENTQ_BASE, offsets.PRIQ_BASE, offsets.GERROR_IRQ_CFG0, offsets.EVENTQ_IRQ_CFG0, offsets.PRIQ_IRQ_CFG0]);
const both = (...registers: readonly number[]): number[] => registers.flatMap((offset) => [offset, offset + 4]);
type Enable = "SMMUEN" | "CMDQEN" | "EVENTQEN" | "PRIQEN";
/**
 * Writable only while a bit of CR0 is 0. What a write does otherwise is `unspecified` (IHI 0070 section 6.3: ignored or
 * CONSTRAINED UNPREDICTABLE); here it is ignored.
 */
const LOCKED_BY: readonly (readonly [enable: Enable, registers: ReadonlySet<number>])[] = [
  ["SMMUEN", new Set([...both(offsets.STRTAB_BASE), offsets.STRTAB_BASE_CFG, offsets.CR1, offsets.CR2])],
  ["CMDQEN", new Set([...both(offsets.CMDQ_BASE), offsets.CMDQ_CONS, offsets.CR1])],
  ["EVENTQEN", new Set([...both(offsets.EVENTQ_BASE), offsets.EVENTQ_PROD, offsets.CR1])],
  ["PRIQEN", new Set([...both(offsets.PRIQ_BASE), offsets.PRIQ_PROD, offsets.CR1])],
];
/** Where interrupts go; writable only while they are off (IRQ_CTRL). */
const LOCKED_BY_INTERRUPTS: readonly (readonly [enable: keyof typeof IrqCtrl.fields, registers: ReadonlySet<number>])[] = [
  ["GERROR_IRQEN", new Set([...both(offsets.GERROR_IRQ_CFG0), offsets.GERROR_IRQ_CFG1, offsets.GERROR_IRQ_CFG2])],
  ["EVENTQ_IRQEN", new Set([...both(offsets.EVENTQ_IRQ_CFG0), offsets.EVENTQ_IRQ_CFG1, offsets.EVENTQ_IRQ_CFG2])],
  ["PRIQ_IRQEN", new Set([...both(offsets.PRIQ_IRQ_CFG0), offsets.PRIQ_IRQ_CFG1, offsets.PRIQ_IRQ_CFG2])],
];
const UPDATE = 1n << 31n;
const PAGE_1 = 0x10000;
/** The indices that page 1 holds copies of. */
const ON_PAGE_1 = new Set<number>([offsets.EVENTQ_PROD, offsets.EVENTQ_CONS, offsets.PRIQ_PROD, offsets.PRIQ_CONS]);
/** Not a register: STRTAB_BASE_CFG as it was when FMT was last two-level, for the quirk that keeps it. */
const TWO_LEVEL_ONCE = -4;

const word = (registers: RegisterFile, offset: number): bigint => BigInt((registers.get(offset) ?? 0) >>> 0);
export const register64 = (registers: RegisterFile, offset: number): bigint => word(registers, offset) | (word(registers, offset + 4) << 32n);
const cr0 = (registers: RegisterFile, bit: Enable | "ATSCHK"): boolean => Cr0.get([word(registers, offsets.CR0)], bit) === 1n;
const locked = (registers: RegisterFile, offset: number): boolean =>
  LOCKED_BY.some(([enable, which]) => which.has(offset) && cr0(registers, enable)) ||
  LOCKED_BY_INTERRUPTS.some(([enable, which]) => which.has(offset) && IrqCtrl.get([word(registers, offsets.IRQ_CTRL)], enable) === 1n);

/** CR0 as it is acknowledged: what is not implemented is reserved, and reads 0 (IHI 0070 section 6.3.9). */
const acknowledged = (registers: RegisterFile, value: bigint, quirks: Quirks): bigint => {
  if (quirks.reservedAcknowledged) return value & QEMU_CR0;
  const idr0 = [word(registers, offsets.IDR0)];
  const { VMW, ATSCHK, PRIQEN, DPT_WALK_EN, ...always } = Cr0.decode([value]);
  const implemented = {
    ...always,
    ...(Idr0.get(idr0, "VMW") === 1n ? { VMW } : {}),
    ...(Idr0.get(idr0, "ATS") === 1n ? { ATSCHK } : {}),
    ...(Idr0.get(idr0, "PRI") === 1n ? { PRIQEN } : {}),
    ...(Idr3.get([word(registers, offsets.IDR3)], "DPT") === 1n ? { DPT_WALK_EN } : {}),
  };
  return Cr0.encode(implemented)[0]!;
};
/** Bits 4:0 and 9:6. */
const QEMU_CR0 = 0x3dfn;

/** One 32-bit write. GBPA changes only by a write with Update=1, and reads Update=0 once that has taken effect. */
const put = (registers: RegisterFile, offset: number, value: bigint, quirks: Quirks): RegisterFile => {
  if (READ_ONLY.has(offset) || (!quirks.registersAlwaysWritable && locked(registers, offset)) || (offset === offsets.GBPA && (value & UPDATE) === 0n)) return registers;
  const next = new Map(registers);
  next.set(offset, Number(offset === offsets.GBPA ? value & ~UPDATE : value));
  if (offset === offsets.CR0) next.set(offsets.CR0ACK, Number(acknowledged(registers, value, quirks)));
  if (offset === offsets.IRQ_CTRL) next.set(offsets.IRQ_CTRLACK, Number(value & IrqCtrl.masks[0]!));
  if (offset === offsets.STRTAB_BASE_CFG) {
    // Whatever was two-level before this write was so once, a snapshot's first value too.
    const before = word(registers, offset);
    for (const each of [before, value]) if (StrtabBaseCfg.get([each], "FMT") === "twoLevel") next.set(TWO_LEVEL_ONCE, Number(each));
  }
  return next;
};

/** The offset on page 0 that an offset names; undefined where page 1 has no register. */
const onPage0 = (offset: number, quirks: Quirks): number | undefined => {
  if ((offset & PAGE_1) === 0) return offset;
  const low = offset & ~PAGE_1;
  return quirks.pagesAliased || ON_PAGE_1.has(low) ? low : undefined;
};

/** The registers, as offsets on page 0, that a write of 4 or 8 bytes is of; an 8-byte write is of two side by side. */
export const writtenBy = (offset: number, size: 4 | 8, quirks: Quirks = {}): readonly number[] => {
  const at = onPage0(offset, quirks);
  if (at === undefined || (size === 8 && quirks.wideWritesOfBasesOnly && !WIDE.has(at))) return [];
  return size === 4 ? [at] : [at, at + 4];
};

/** A write of 4 or 8 bytes as the SMMU takes it. */
export const writeRegister = (registers: RegisterFile, offset: number, value: bigint, size: 4 | 8, quirks: Quirks = {}): RegisterFile =>
  writtenBy(offset, size, quirks).reduce((file, at, half) => put(file, at, (value >> BigInt(32 * half)) & 0xffffffffn, quirks), registers);

/** A write by the SMMU itself: queue indices, errors. */
export const setRegister = (registers: RegisterFile, offset: number, value: number): RegisterFile => new Map(registers).set(offset, value >>> 0);

/** A text that is equal exactly when the registers read equal. */
export const registersKey = (registers: RegisterFile): string =>
  [...registers]
    .filter(([, value]) => value !== 0)
    .toSorted(([a], [b]) => a - b)
    .map(([offset, value]) => `${offset}=${value}`)
    .join(" ");

const OUTPUT_BITS = [32, 36, 40, 42, 44, 48, 52];
/** Bits of an address by the encoding that IDR5.OAS, STE.S2PS and CD.IPS share; 7 is reserved and capped. */
export const addressBits = (encoding: number): number => OUTPUT_BITS[encoding] ?? 52;

/** Everything a transaction or a command asks of the registers, decoded once. */
export interface Settings {
  readonly quirks: Quirks;
  readonly enabled: boolean;
  /** While disabled: abort, or pass untranslated. */
  readonly abortWhileDisabled: boolean;
  /** STE and GBPA can replace memory attributes; what GBPA makes of them while disabled. */
  readonly typeOverride: boolean;
  readonly memoryWhileDisabled: Replacement;
  readonly recordBadStream: boolean;
  /** Aligned to the table's own size, as the SMMU takes it. */
  readonly streamTable: bigint;
  /** log2 of the number of streams, at most SIDSIZE. */
  readonly log2Size: number;
  readonly linear: boolean;
  /** StreamID bits of the second level. */
  readonly split: number;
  /** Output address size in bits (OAS). */
  readonly outputBits: number;
  /** Intermediate address size in bits (IAS). */
  readonly intermediateBits: number;
  readonly substreamBits: number;
  readonly stage1: boolean;
  readonly stage2: boolean;
  readonly aarch32: boolean;
  readonly aarch64: boolean;
  readonly asid16: boolean;
  readonly vmid16: boolean;
  readonly twoLevelCd: boolean;
  /** IDR0.TTENDIAN: 0 mixed, 2 little, 3 big. */
  readonly tableEndian: number;
  /** IDR0.STALL_MODEL: 0 stall or terminate, 1 terminate, 2 stall. */
  readonly stallModel: number;
  /** How many transactions may be stalled at once (IDR5.STALL_MAX). */
  readonly mostStalled: number;
  /** A terminated transaction always aborts (IDR0.TERM_MODEL). */
  readonly alwaysAborts: boolean;
  /** IDR0.HTTU: 0 none, 1 access flag, 2 dirty state, too. */
  readonly hardwareUpdate: number;
  readonly granules: ReadonlySet<Granule>;
  /** Tables of up to 52 bits of input at 64 KiB (IDR5.VAX). */
  readonly wideInput: boolean;
  /** 52-bit addresses at the smaller granules (IDR5.DS). */
  readonly wideSmallGranules: boolean;
  /** Permissions by indirection or overlay (IDR3.S1PI, S2PI, S2PO). */
  readonly indirection: { readonly stage1: boolean; readonly stage2: boolean; readonly overlay: boolean };
  /** Small translation tables (IDR3.STT). */
  readonly smallTables: boolean;
  /** Stage 2 can deny execution by privilege (IDR3.XNX). */
  readonly executeByPrivilege: boolean;
  /** Hierarchical attributes can be turned off (IDR3.HAD). */
  readonly hierarchyOff: boolean;
  /** STE.S2FWB is there (IDR3.FWB). */
  readonly forcedWriteBack: boolean;
  /** Stage-2 MemAttr has the encodings of tag permission (IDR3.MTEPERM). */
  readonly tagPermission: boolean;
  /** CD.AIE is there (IDR3.AIE). */
  readonly attributeIndexExtension: boolean;
  readonly unprivilegedDenied: boolean;
  readonly rangeInvalidation: boolean;
  /** Low bits of a VMID that invalidations leave open (CR0.VMW). */
  readonly vmidWildcard: number;
  readonly permissionOverride: boolean;
  readonly hyp: boolean;
  /** EL2 StreamWorlds have two halves and ASIDs (CR2.E2H). */
  readonly hypHost: boolean;
  readonly ats: boolean;
  readonly atsChecked: boolean;
  readonly splitAts: boolean;
  readonly pri: boolean;
  readonly mpam: boolean;
  /** There are VM structures for CFGI_VMS_PIDM to invalidate: MPAM with both stages. */
  readonly vmStructure: boolean;
  readonly devicePermissionTable: boolean;
}

/** Fields as numbers, enumerators too. */
const bits = (value: bigint, [hi, lo]: readonly [number, number]): number => Number((value >> BigInt(lo)) & ((1n << BigInt(hi - lo + 1)) - 1n));
const reader =
  (registers: RegisterFile, offset: number) =>
  (field: { readonly at: readonly [number, number] }): number =>
    bits(word(registers, offset), field.at);

const MOST_BASE_BITS = 52;
/** The address of a base register: bits beyond OAS are RES0 (IHI 0070 section 6.3.24). */
export const withinOutput = (base: bigint, registers: RegisterFile, quirks: Quirks): bigint => {
  const width = quirks.basesBeyondOutput ? MOST_BASE_BITS : addressBits(reader(registers, offsets.IDR5)(Idr5.fields.OAS));
  return base & ((1n << BigInt(width)) - 1n);
};

/** CR0.VMW above 4 is reserved, and behaves as 0. */
const wildcard = (vmw: number): number => (vmw > 4 ? 0 : vmw);
const LEGAL_SPLITS = new Set([6, 8, 10]);
/** The shape of the stream table, and its base: aligned to its own size, lower bits taken as 0 (IHI 0070 section 6.3.24). */
const streamTableOf = (registers: RegisterFile, quirks: Quirks): Pick<Settings, "streamTable" | "log2Size" | "linear" | "split"> => {
  const table = reader(registers, offsets.STRTAB_BASE_CFG);
  const idr0 = reader(registers, offsets.IDR0);
  const given = table(StrtabBaseCfg.fields.LOG2SIZE);
  const log2Size = Math.min(given, reader(registers, offsets.IDR1)(Idr1.fields.SIDSIZE));
  const now = table(StrtabBaseCfg.fields.FMT) === 1;
  // What a snapshot was before it is not known: only a history makes a format stick.
  const sticky = quirks.formatSticks && !now ? reader(registers, TWO_LEVEL_ONCE) : table;
  const twoLevel = idr0(Idr0.fields.ST_LEVEL) !== 0 && sticky(StrtabBaseCfg.fields.FMT) === 1;
  const said = twoLevel ? sticky(StrtabBaseCfg.fields.SPLIT) : 0;
  const split = quirks.splitUnchecked || LEGAL_SPLITS.has(said) ? said : 6;
  // The literal LOG2SIZE, even beyond SIDSIZE.
  const bytes = twoLevel ? Math.max(given - split, 0) + 3 : given + 6;
  const quirky = twoLevel ? Math.max(5, given - split + 2) : given + 5;
  const aligned = quirks.streamTableHalfAligned ? quirky : bytes;
  const base = withinOutput(StrtabBase.get([register64(registers, offsets.STRTAB_BASE)], "ADDR"), registers, quirks);
  return { streamTable: base & ~((1n << BigInt(aligned)) - 1n), log2Size, linear: !twoLevel, split };
};

const granulesOf = (registers: RegisterFile): ReadonlySet<Granule> => {
  const idr5 = reader(registers, offsets.IDR5);
  const there: readonly (readonly [Granule, number])[] = [
    [12, idr5(Idr5.fields.GRAN4K)],
    [14, idr5(Idr5.fields.GRAN16K)],
    [16, idr5(Idr5.fields.GRAN64K)],
  ];
  return new Set(there.filter(([, is]) => is === 1).map(([granule]) => granule));
};

const bypassReplacement = (registers: RegisterFile): Replacement => {
  const gbpa = reader(registers, offsets.GBPA);
  const { MTCFG, MemAttr, ALLOCCFG, SHCFG } = Gbpa.fields;
  return replacementOf({ MTCFG: gbpa(MTCFG), MemAttr: gbpa(MemAttr), ALLOCCFG: gbpa(ALLOCCFG), SHCFG: gbpa(SHCFG) });
};

export const settingsOf = (registers: RegisterFile, quirks: Quirks = {}): Settings => {
  const idr0 = reader(registers, offsets.IDR0);
  const idr1 = reader(registers, offsets.IDR1);
  const idr3 = reader(registers, offsets.IDR3);
  const idr5 = reader(registers, offsets.IDR5);
  const is = (field: keyof typeof Idr0.fields): boolean => idr0(Idr0.fields[field]) === 1;
  const has = (field: keyof typeof Idr3.fields): boolean => idr3(Idr3.fields[field]) === 1;
  const outputBits = addressBits(idr5(Idr5.fields.OAS));
  const aarch32 = (idr0(Idr0.fields.TTF) & 1) !== 0;
  return {
    quirks,
    enabled: cr0(registers, "SMMUEN"),
    abortWhileDisabled: Gbpa.get([word(registers, offsets.GBPA)], "ABORT") === 1n,
    typeOverride: idr1(Idr1.fields.ATTR_TYPES_OVR) === 1,
    memoryWhileDisabled: idr1(Idr1.fields.ATTR_TYPES_OVR) === 1 ? bypassReplacement(registers) : {},
    recordBadStream: quirks.badStreamRecorded === true || Cr2.get([word(registers, offsets.CR2)], "RECINVSID") === 1n,
    ...streamTableOf(registers, quirks),
    outputBits,
    intermediateBits: aarch32 ? Math.max(40, outputBits) : outputBits,
    substreamBits: idr1(Idr1.fields.SSIDSIZE),
    stage1: is("S1P"),
    stage2: is("S2P"),
    aarch32,
    aarch64: (idr0(Idr0.fields.TTF) & 2) !== 0,
    asid16: is("ASID16"),
    vmid16: is("VMID16"),
    twoLevelCd: is("CD2L"),
    tableEndian: idr0(Idr0.fields.TTENDIAN),
    stallModel: idr0(Idr0.fields.STALL_MODEL),
    mostStalled: idr5(Idr5.fields.STALL_MAX),
    alwaysAborts: is("TERM_MODEL"),
    hardwareUpdate: idr0(Idr0.fields.HTTU),
    granules: granulesOf(registers),
    wideInput: idr5(Idr5.fields.VAX) !== 0,
    wideSmallGranules: idr5(Idr5.fields.DS) === 1,
    indirection: { stage1: has("S1PI"), stage2: has("S2PI"), overlay: has("S2PO") },
    smallTables: has("STT"),
    executeByPrivilege: has("XNX"),
    hierarchyOff: has("HAD"),
    forcedWriteBack: has("FWB"),
    tagPermission: has("MTEPERM"),
    attributeIndexExtension: has("AIE"),
    unprivilegedDenied: has("E0PD"),
    rangeInvalidation: has("RIL"),
    vmidWildcard: is("VMW") ? wildcard(Number(Cr0.get([word(registers, offsets.CR0)], "VMW"))) : 0,
    permissionOverride: idr1(Idr1.fields.ATTR_PERMS_OVR) === 1,
    hyp: is("HYP"),
    hypHost: Cr2.get([word(registers, offsets.CR2)], "E2H") === 1n,
    ats: is("ATS"),
    atsChecked: cr0(registers, "ATSCHK"),
    splitAts: !is("NS1ATS"),
    pri: is("PRI"),
    mpam: has("MPAM"),
    vmStructure: has("MPAM") && is("S1P") && is("S2P") && (registers.get(offsets.MPAMIDR) ?? 0) !== 0,
    devicePermissionTable: has("DPT"),
  };
};
