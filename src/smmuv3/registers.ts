/** The register file: 32-bit values by byte offset, and typed readings of the fields that decide about transactions. */
import { Cr0, Cr2, Gbpa, Idr0, Idr1, Idr5, offsets, qemuVirtIdentification, StrtabBase, StrtabBaseCfg } from "../../specs/smmuv3/registers.ts";

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

/** A write as the SMMU takes it: 8-byte writes fill two registers; CR0ACK follows CR0; GBPA.Update reads 0 once done. */
export const writeRegister = (registers: RegisterFile, offset: number, value: bigint, size: 4 | 8): RegisterFile => {
  const next = new Map(registers);
  const put = (at: number, word: bigint): void => void next.set(at, Number(word & 0xffffffffn));
  put(offset, offset === offsets.GBPA ? value & 0x7fffffffn : value);
  if (size === 8) put(offset + 4, value >> 32n);
  if (offset === offsets.CR0) put(offsets.CR0ACK, value);
  return next;
};

const word = (registers: RegisterFile, offset: number): bigint => BigInt((registers.get(offset) ?? 0) >>> 0);
const pair = (registers: RegisterFile, offset: number): bigint => word(registers, offset) | (word(registers, offset + 4) << 32n);

const OUTPUT_BITS = [32, 36, 40, 42, 44, 48, 52];
/** Bits of an address by the encoding that IDR5.OAS and STE.S2PS share; 7 is reserved and capped. */
export const addressBits = (encoding: number): number => OUTPUT_BITS[encoding] ?? 52;

/** Everything a transaction asks of the registers, decoded once. */
export interface Settings {
  readonly enabled: boolean;
  /** While disabled: abort, or pass untranslated. */
  readonly abortWhileDisabled: boolean;
  readonly recordBadStream: boolean;
  readonly streamTable: bigint;
  readonly log2Size: number;
  readonly linear: boolean;
  /** Output address size in bits. */
  readonly outputBits: number;
  readonly stage1: boolean;
  readonly stage2: boolean;
  readonly vmid16: boolean;
  readonly littleEndianOnly: boolean;
  readonly stallModel: number;
  readonly hardwareUpdate: number;
  readonly streamBits: number;
}

export const settingsOf = (registers: RegisterFile): Settings => {
  const idr0 = [word(registers, offsets.IDR0)];
  const base = StrtabBase.get([pair(registers, offsets.STRTAB_BASE)], "ADDR");
  const shape = [word(registers, offsets.STRTAB_BASE_CFG)];
  const log2Size = Number(StrtabBaseCfg.get(shape, "LOG2SIZE"));
  const raw = (field: bigint | string, names: Readonly<Record<string, number>>): number => (typeof field === "string" ? names[field]! : Number(field));
  return {
    enabled: Cr0.get([word(registers, offsets.CR0)], "SMMUEN") === 1n,
    abortWhileDisabled: Gbpa.get([word(registers, offsets.GBPA)], "ABORT") === 1n,
    recordBadStream: Cr2.get([word(registers, offsets.CR2)], "RECINVSID") === 1n,
    // The table is aligned to its own size: lower bits of the base read as 0 (IHI 0070 SMMU_STRTAB_BASE).
    streamTable: base & ~((64n << BigInt(log2Size)) - 1n),
    log2Size,
    linear: StrtabBaseCfg.get(shape, "FMT") === "linear",
    outputBits: addressBits(raw(Idr5.get([word(registers, offsets.IDR5)], "OAS"), Idr5.fields.OAS.is)),
    stage1: Idr0.get(idr0, "S1P") === 1n,
    stage2: Idr0.get(idr0, "S2P") === 1n,
    vmid16: Idr0.get(idr0, "VMID16") === 1n,
    littleEndianOnly: Idr0.get(idr0, "TTENDIAN") === "little",
    stallModel: raw(Idr0.get(idr0, "STALL_MODEL"), Idr0.fields.STALL_MODEL.is),
    hardwareUpdate: Number(Idr0.get(idr0, "HTTU")),
    streamBits: Number(Idr1.get([word(registers, offsets.IDR1)], "SIDSIZE")),
  };
};
