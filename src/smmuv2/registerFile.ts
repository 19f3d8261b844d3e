/**
 * The registers as stored values, and what a write to one does (IHI 0062 D.c chapters 9, 10, 16, 17). Fields that this
 * SMMU does not implement read as zero and take no writes (section 3.9): those of the stall model and, with 8-bit VMIDs,
 * CR0.VMID16EN; stream match registers where streams are indexed; whatever lies beyond the last group or bank.
 */
import { impossible } from "../base/diagnostic.ts";
import { hex } from "../base/words.ts";
import { Cba2r, Cr0, type RegisterName, type RegisterPlace, registers } from "../../specs/smmuv2/registers.ts";
import { Fsr, SctlrStage2 } from "../../specs/smmuv2/contextBank.ts";
import { type Identification, identificationValue, locate, type Located } from "./identification.ts";

/** Values that are not zero, by name and number; interned by `key`. */
export interface RegisterFile {
  readonly key: string;
  readonly values: ReadonlyMap<string, bigint>;
}
const place = (name: RegisterName, n: number): string => `${name} ${n}`;
const fileOf = (values: ReadonlyMap<string, bigint>): RegisterFile => ({
  values,
  key: [...values].map(([at, value]) => `${at} ${value.toString(36)}`).toSorted().join(" "),
});

/** What is stored in register number `n` of that name. */
export const valueOf = ({ values }: RegisterFile, name: RegisterName, n = 0): bigint => values.get(place(name, n)) ?? 0n;
export const withValue = (file: RegisterFile, name: RegisterName, n: number, value: bigint): RegisterFile => {
  if (valueOf(file, name, n) === value) return file;
  const values = new Map(file.values);
  if (value === 0n) values.delete(place(name, n));
  else values.set(place(name, n), value);
  return fileOf(values);
};

/** After reset clients bypass. Most other registers are then UNKNOWN: `unspecified`, and 0 here. */
export const resetRegisters = (): RegisterFile => withValue(fileOf(new Map()), "CR0", 0, Cr0.encode({ CLIENTPD: 1n })[0]!);

const LOW = 0xffff_ffffn;
const FAULTS = ~(Fsr.encode({ Format: 3n, SS: 1n })[0]!) & LOW;
const STALL = SctlrStage2.encode({ CFCFG: "stall" })[0]!;
const WIDE_VMID = Cr0.encode({ VMID16EN: 1n })[0]!;

/** The bits of a register that this SMMU has. */
const implemented = ({ matching, vmid16 }: Identification, name: RegisterName): bigint => {
  if (name === "SCTLR") return LOW & ~STALL;
  if (name === "CR0" && !vmid16) return LOW & ~WIDE_VMID;
  if (name === "SMR" && !matching) return 0n;
  return registers[name].bytes === 8 ? (1n << 64n) - 1n : LOW;
};

/** A write that asks for something instead of being stored. */
export interface Told {
  readonly name: RegisterName;
  /** The bank it is made in; 0 in the global spaces. */
  readonly n: number;
  readonly value: bigint;
}
export interface Written {
  readonly file: RegisterFile;
  readonly told?: Told;
}

/** The whole value that a write leaves to be stored, with the half that it does not touch. */
const whole = (file: RegisterFile, { name, n, upper }: Located, value: bigint, size: 4 | 8): bigint => {
  if (size === registers[name].bytes) return value;
  if (size === 8) return impossible(`a 64-bit write of ${name}, which has 32 bits`);
  const old = valueOf(file, name, n);
  return upper ? (old & LOW) | ((value & LOW) << 32n) : (old & ~LOW) | (value & LOW);
};

/** Executes a register write. */
export const writeRegister = (identification: Identification, file: RegisterFile, offset: number, value: bigint, size: 4 | 8): Written => {
  const located = locate(identification, offset);
  if (located === undefined) return { file };
  const { name, n, upper } = located;
  const { writes }: RegisterPlace = registers[name];
  if (size === 8 && upper) return impossible(`a 64-bit write at ${hex(offset)}, which is not a multiple of 8`);
  switch (writes) {
    case "ignored":
      return { file };
    case "told":
      // A 32-bit write of a 64-bit operation is zero-extended, and ignored in its upper half.
      return upper ? { file } : { file, told: { name, n, value } };
    case "cleared":
      return { file: withValue(file, name, n, valueOf(file, name, n) & ~(name === "FSR" ? value & FAULTS : value)) };
    default:
      return { file: withValue(file, name, n, whole(file, located, value, size) & implemented(identification, name)) };
  }
};

const AARCH64 = Fsr.encode({ Format: "aarch64" })[0]!;
const LONG = Fsr.encode({ Format: "long" })[0]!;
/** What a read gives, but for the TLB status registers, which the machine answers. Commands and gaps read as zero. */
export const readRegister = (identification: Identification, file: RegisterFile, offset: number, size: 4 | 8): bigint => {
  const located = locate(identification, offset);
  if (located === undefined) return 0n;
  const { name, n, upper } = located;
  const fixed = identificationValue(identification, name);
  if (fixed !== undefined) return fixed;
  const stored = valueOf(file, name, n);
  if (name === "FSR") return stored | (Cba2r.get([valueOf(file, "CBA2R", n)], "VA64") === 1n ? AARCH64 : LONG);
  if (size === registers[name].bytes) return stored;
  return upper ? stored >> 32n : stored & LOW;
};
