/**
 * The register file: 32-bit values by byte offset, and typed readings of the fields that decide about transactions.
 * Source: IHI 0070 "Register formats".
 */
import { Cr0, Cr2, Gbpa, Idr0, Idr1, Idr3, Idr5, offsets, qemuVirtIdentification, StrtabBase, StrtabBaseCfg } from "../../specs/smmuv3/registers.ts";

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

const READ_ONLY = new Set<number>([offsets.IDR0, offsets.IDR1, offsets.IDR2, offsets.IDR3, offsets.IDR4, offsets.IDR5, offsets.IIDR, offsets.AIDR, offsets.CR0ACK, offsets.IRQ_CTRLACK]);
/**
 * Writable only while SMMUEN=0. What a write does otherwise is `unspecified` (IHI 0070: ignored or CONSTRAINED
 * UNPREDICTABLE); here it is ignored.
 */
const WHILE_DISABLED = new Set<number>([offsets.STRTAB_BASE, offsets.STRTAB_BASE + 4, offsets.STRTAB_BASE_CFG, offsets.CR2]);
const UPDATE = 1n << 31n;

const word = (registers: RegisterFile, offset: number): bigint => BigInt((registers.get(offset) ?? 0) >>> 0);
const pair = (registers: RegisterFile, offset: number): bigint => word(registers, offset) | (word(registers, offset + 4) << 32n);
const enabled = (registers: RegisterFile): boolean => Cr0.get([word(registers, offsets.CR0)], "SMMUEN") === 1n;

/** One 32-bit write. GBPA changes only by a write with Update=1, and reads Update=0 once that has taken effect. */
const put = (registers: RegisterFile, offset: number, value: bigint): RegisterFile => {
  if (READ_ONLY.has(offset) || (WHILE_DISABLED.has(offset) && enabled(registers)) || (offset === offsets.GBPA && (value & UPDATE) === 0n)) return registers;
  const next = new Map(registers);
  next.set(offset, Number(offset === offsets.GBPA ? value & ~UPDATE : value));
  if (offset === offsets.CR0) next.set(offsets.CR0ACK, Number(value));
  return next;
};

/** A write of 4 or 8 bytes as the SMMU takes it; an 8-byte write is of two registers side by side. */
export const writeRegister = (registers: RegisterFile, offset: number, value: bigint, size: 4 | 8): RegisterFile => {
  const low = put(registers, offset, value & 0xffffffffn);
  return size === 4 ? low : put(low, offset + 4, (value >> 32n) & 0xffffffffn);
};

/** A text that is equal exactly when the registers read equal. */
export const registersKey = (registers: RegisterFile): string =>
  [...registers]
    .filter(([, value]) => value !== 0)
    .toSorted(([a], [b]) => a - b)
    .map(([offset, value]) => `${offset}=${value}`)
    .join(" ");

const OUTPUT_BITS = [32, 36, 40, 42, 44, 48, 52];
/** Bits of an address by the encoding that IDR5.OAS and STE.S2PS share; 7 is reserved and capped. */
export const addressBits = (encoding: number): number => OUTPUT_BITS[encoding] ?? 52;

/** Everything a transaction or a command asks of the registers, decoded once. */
export interface Settings {
  readonly enabled: boolean;
  /** While disabled: abort, or pass untranslated. */
  readonly abortWhileDisabled: boolean;
  readonly recordBadStream: boolean;
  /** Aligned to the table's own size, as the SMMU takes it. */
  readonly streamTable: bigint;
  /** log2 of the number of streams, at most SIDSIZE. */
  readonly log2Size: number;
  readonly linear: boolean;
  /** Output address size in bits. */
  readonly outputBits: number;
  readonly substreamBits: number;
  readonly stage1: boolean;
  readonly stage2: boolean;
  readonly aarch32: boolean;
  readonly vmid16: boolean;
  readonly twoLevelCd: boolean;
  /** IDR0.TTENDIAN: 0 mixed, 2 little, 3 big. */
  readonly tableEndian: number;
  /** IDR0.STALL_MODEL: 0 stall or terminate, 1 terminate, 2 stall. */
  readonly stallModel: number;
  /** IDR0.HTTU: 0 none, 1 access flag, 2 dirty state, too. */
  readonly hardwareUpdate: number;
  /** Stage-2 granules that can be walked, by their S2TG encoding: 4 KiB, 64 KiB, 16 KiB. */
  readonly granules: readonly [boolean, boolean, boolean];
  /** Stage 2 can deny execution by privilege (IDR3.XNX). */
  readonly executeByPrivilege: boolean;
  readonly rangeInvalidation: boolean;
  readonly hyp: boolean;
  readonly ats: boolean;
  readonly splitAts: boolean;
  readonly pri: boolean;
  readonly mpam: boolean;
  readonly devicePermissionTable: boolean;
}

/** Fields as numbers, enumerators too. */
const bits = (value: bigint, [hi, lo]: readonly [number, number]): number => Number((value >> BigInt(lo)) & ((1n << BigInt(hi - lo + 1)) - 1n));
const reader =
  (registers: RegisterFile, offset: number) =>
  (field: { readonly at: readonly [number, number] }): number =>
    bits(word(registers, offset), field.at);

export const settingsOf = (registers: RegisterFile): Settings => {
  const idr0 = reader(registers, offsets.IDR0);
  const idr1 = reader(registers, offsets.IDR1);
  const idr3 = reader(registers, offsets.IDR3);
  const idr5 = reader(registers, offsets.IDR5);
  const table = reader(registers, offsets.STRTAB_BASE_CFG);
  const log2Size = Math.min(table(StrtabBaseCfg.fields.LOG2SIZE), idr1(Idr1.fields.SIDSIZE));
  const is = (field: keyof typeof Idr0.fields): boolean => idr0(Idr0.fields[field]) === 1;
  return {
    enabled: enabled(registers),
    abortWhileDisabled: Gbpa.get([word(registers, offsets.GBPA)], "ABORT") === 1n,
    recordBadStream: Cr2.get([word(registers, offsets.CR2)], "RECINVSID") === 1n,
    // The table is aligned to its own size: lower bits of the base are taken as 0 (IHI 0070 SMMU_STRTAB_BASE).
    streamTable: StrtabBase.get([pair(registers, offsets.STRTAB_BASE)], "ADDR") & ~((64n << BigInt(log2Size)) - 1n),
    log2Size,
    linear: table(StrtabBaseCfg.fields.FMT) === 0,
    outputBits: addressBits(idr5(Idr5.fields.OAS)),
    substreamBits: idr1(Idr1.fields.SSIDSIZE),
    stage1: is("S1P"),
    stage2: is("S2P"),
    aarch32: (idr0(Idr0.fields.TTF) & 1) !== 0,
    vmid16: is("VMID16"),
    twoLevelCd: is("CD2L"),
    tableEndian: idr0(Idr0.fields.TTENDIAN),
    stallModel: idr0(Idr0.fields.STALL_MODEL),
    hardwareUpdate: idr0(Idr0.fields.HTTU),
    granules: [idr5(Idr5.fields.GRAN4K) === 1, idr5(Idr5.fields.GRAN64K) === 1, idr5(Idr5.fields.GRAN16K) === 1],
    executeByPrivilege: idr3(Idr3.fields.XNX) === 1,
    rangeInvalidation: idr3(Idr3.fields.RIL) === 1,
    hyp: is("HYP"),
    ats: is("ATS"),
    splitAts: !is("NS1ATS"),
    pri: is("PRI"),
    mpam: idr3(Idr3.fields.MPAM) === 1,
    devicePermissionTable: idr3(Idr3.fields.DPT) === 1,
  };
};
