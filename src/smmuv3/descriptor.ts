/**
 * VMSAv8-64 descriptors at every granule, whatever a regime makes of them (DDI 0487 "VMSAv8-64 translation table format
 * descriptors").
 */
import type { Quirks } from "./quirks.ts";

/** log2 of a granule's bytes: 4, 16 or 64 KiB. */
export type Granule = 12 | 14 | 16;

/** Bits of an address below the index into a table of a level. */
export const levelShift = (level: number, granule: Granule = 12): bigint => BigInt(granule + (3 - level) * (granule - 3));

/** How descriptors are read. */
export interface Form {
  readonly granule: Granule;
  /** 52-bit output addresses: at 64 KiB, bits 15:12 hold address bits 51:48. */
  readonly wide: boolean;
}

interface Table {
  readonly is: "table";
  readonly next: bigint;
}
interface Leaf {
  readonly is: "leaf";
  readonly pa: bigint;
  /** Bytes. */
  readonly size: bigint;
}
/** What a descriptor says of addresses. */
export type Shape = { readonly is: "invalid" } | Table | Leaf;

export const INVALID = { is: "invalid" } as const;
const ADDRESS = (1n << 48n) - 1n;

const addressIn = (value: bigint, low: bigint, { granule, wide }: Form): bigint => {
  const address = value & ADDRESS & ~((1n << low) - 1n);
  return wide && granule === 16 ? (address & ~0xf000n) | (((value >> 12n) & 0xfn) << 48n) : address;
};

/** Blocks: 1 GiB and 2 MiB, 32 MiB, 512 MiB; 4 TiB with 52-bit addresses. Bits of the address below the size are RES0. */
const blockAllowed = (level: number, { granule, wide }: Form): boolean => (granule === 12 ? level === 1 || level === 2 : level === 2 || (granule === 16 && wide && level === 1));

/** A descriptor at a level 0 to 3. What is neither table, block nor page there is invalid. */
export const shapeOf = (value: bigint, level: number, form: Form, quirks: Quirks = {}): Shape => {
  const type = Number(value & 3n);
  if ((type & 1) === 0) return INVALID;
  if (type === 3 && level < 3) return { is: "table", next: addressIn(value, BigInt(form.granule), form) };
  if (type === 1 && (level === 3 || !(blockAllowed(level, form) || quirks.blockAnywhere))) return INVALID;
  const shift = levelShift(level, form.granule);
  return { is: "leaf", pa: addressIn(value, shift, form), size: 1n << shift };
};

const bit = (value: bigint, at: number): boolean => ((value >> BigInt(at)) & 1n) === 1n;
const bits = (value: bigint, hi: number, lo: number): number => Number((value >> BigInt(lo)) & ((1n << BigInt(hi - lo + 1)) - 1n));

/** What a stage-2 leaf says of access. */
export interface Stage2Rights {
  readonly read: boolean;
  readonly write: boolean;
  /** XN[1:0]. */
  readonly executeNever: number;
}
export interface LeafFlags {
  readonly accessed: boolean;
  /** One of 16, 32 or 128 neighbours that may be kept as one translation. */
  readonly contiguous: boolean;
  /** Writable, but not written yet, where hardware manages that (DBM). */
  readonly dirtyModifier: boolean;
}
export const leafFlags = (value: bigint): LeafFlags => ({ accessed: bit(value, 10), contiguous: bit(value, 52), dirtyModifier: bit(value, 51) });
export const stage2Rights = (value: bigint): Stage2Rights => ({ read: bit(value, 6), write: bit(value, 7), executeNever: bits(value, 54, 53) });

/** A stage-2 descriptor as one value. */
export type Descriptor = { readonly is: "invalid" } | Table | (Leaf & Stage2Rights & LeafFlags);
export const decodeDescriptor = (value: bigint, level: number, form: Form, quirks: Quirks = {}): Descriptor => {
  const shape = shapeOf(value, level, form, quirks);
  return shape.is === "leaf" ? { ...shape, ...stage2Rights(value), ...leafFlags(value) } : shape;
};

/** What a stage-1 table descriptor takes from everything below it, each bit of the table's own (DDI 0487 "hierarchical control"). */
export interface Hierarchy {
  readonly readOnly: boolean;
  readonly noUnprivileged: boolean;
  readonly unprivilegedExecuteNever: boolean;
  readonly privilegedExecuteNever: boolean;
}
export const NO_HIERARCHY: Hierarchy = { readOnly: false, noUnprivileged: false, unprivilegedExecuteNever: false, privilegedExecuteNever: false };
export const hierarchyOf = (value: bigint): Hierarchy => ({
  readOnly: bit(value, 62),
  noUnprivileged: bit(value, 61),
  unprivilegedExecuteNever: bit(value, 60),
  privilegedExecuteNever: bit(value, 59),
});
export const under = (above: Hierarchy, table: Hierarchy): Hierarchy => ({
  readOnly: above.readOnly || table.readOnly,
  noUnprivileged: above.noUnprivileged || table.noUnprivileged,
  unprivilegedExecuteNever: above.unprivilegedExecuteNever || table.unprivilegedExecuteNever,
  privilegedExecuteNever: above.privilegedExecuteNever || table.privilegedExecuteNever,
});

/** What a stage-1 leaf says by itself. */
export interface Stage1Leaf extends LeafFlags {
  readonly readOnly: boolean;
  readonly unprivileged: boolean;
  readonly privilegedExecuteNever: boolean;
  readonly unprivilegedExecuteNever: boolean;
  /** Translations of one ASID only. */
  readonly notGlobal: boolean;
}
export const stage1Leaf = (value: bigint): Stage1Leaf => ({
  ...leafFlags(value),
  readOnly: bit(value, 7),
  unprivileged: bit(value, 6),
  privilegedExecuteNever: bit(value, 53),
  unprivilegedExecuteNever: bit(value, 54),
  notGlobal: bit(value, 11),
});

/** Neighbours that a contiguous hint joins (DDI 0487 "The Contiguous bit"). */
export const contiguousRun = (level: number, granule: Granule): bigint => {
  if (granule === 12) return 16n;
  if (granule === 16) return 32n;
  return level === 3 ? 128n : 32n;
};

/** The bytes of a word the other way round: a table walk of a big-endian table. */
export const byteSwapped = (value: bigint): bigint => {
  let swapped = 0n;
  for (let at = 0n; at < 64n; at += 8n) swapped = (swapped << 8n) | ((value >> at) & 0xffn);
  return swapped;
};
