/**
 * The stage-2 walk over the bits in memory, 4 KiB granule (DDI 0487 "VMSAv8-64"; IHI 0070 for which fault comes first:
 * Translation, then Address size, then Access flag, level by level, then Permission).
 */
import type { Access } from "../base/transaction.ts";
import { LeafDescriptor, TableDescriptor } from "../../specs/smmuv3/stage2.ts";
import type { Stage2 } from "./configuration.ts";

/** One word that was read on the way, for people and for traces. */
export interface Via {
  readonly what: string;
  readonly addr: bigint;
  readonly value: bigint;
}

export const levelShift = (level: number): bigint => BigInt(12 + 9 * (3 - level));

/** What a descriptor at a level says, whatever the regime makes of it. */
export type Descriptor =
  | { readonly is: "invalid" }
  | { readonly is: "table"; readonly next: bigint }
  | {
      readonly is: "leaf";
      readonly pa: bigint;
      readonly size: bigint;
      readonly read: boolean;
      readonly write: boolean;
      readonly accessed: boolean;
      /** One of 16 neighbours that may be kept as one translation. */
      readonly contiguous: boolean;
      readonly executeNever: number;
    };

const INVALID: Descriptor = { is: "invalid" };

/** Blocks exist at levels 1 and 2, pages at 3; what is anything else is invalid. */
export const decodeDescriptor = (value: bigint, level: number): Descriptor => {
  const type = Number(value & 3n);
  if ((type & 1) === 0 || (type === 1 && (level === 0 || level === 3))) return INVALID;
  if (type === 3 && level < 3) return { is: "table", next: TableDescriptor.get([value], "NextTable") };
  const size = 1n << levelShift(level);
  const rights = Number((value >> 6n) & 3n);
  return {
    is: "leaf",
    // A block's address bits below its size are RES0, and ignored.
    pa: LeafDescriptor.get([value], "OutputAddress") & ~(size - 1n),
    size,
    read: (rights & 1) !== 0,
    write: (rights & 2) !== 0,
    accessed: LeafDescriptor.get([value], "AF") === 1n,
    contiguous: LeafDescriptor.get([value], "Contiguous") === 1n,
    executeNever: Number(LeafDescriptor.get([value], "XN")),
  };
};

/** The fault that a valid descriptor is in a regime, before access rights are asked. */
export const descriptorFault = (descriptor: Descriptor, regime: Stage2): "F_TRANSLATION" | "F_ADDR_SIZE" | "F_ACCESS" | undefined => {
  if (descriptor.is === "invalid") return "F_TRANSLATION";
  const address = descriptor.is === "table" ? descriptor.next : descriptor.pa;
  if (address >> BigInt(regime.outputBits) !== 0n) return "F_ADDR_SIZE";
  return descriptor.is === "leaf" && !descriptor.accessed && !regime.ignoreAccessFlag ? "F_ACCESS" : undefined;
};

/** Bytes of all root tables of a regime together. */
export const rootBytes = (regime: Stage2): bigint => 8n << (BigInt(regime.inputBits) - levelShift(regime.startLevel));

/** Address of the entry for `address` in a table at `level`; the root may be several tables side by side. */
const entryAddress = (regime: Stage2, table: bigint, level: number, address: bigint): bigint => {
  const index = address >> levelShift(level);
  return table + 8n * (level === regime.startLevel ? index : index & 511n);
};

/** What is asked of the walk: a read or a write, and for reads whether it fetches instructions, and for whom. */
export interface Asked {
  readonly op: Access;
  readonly priv?: boolean;
  readonly instr?: boolean;
}

/** XN[1:0] with XNX: 0 all may execute, 1 only unprivileged, 2 none, 3 only privileged; without XNX bit 1 alone forbids. */
const mayExecute = (executeNever: number, privileged: boolean, byPrivilege: boolean): boolean => {
  if (!byPrivilege) return executeNever < 2;
  return executeNever === 0 || (executeNever === 1 && !privileged) || (executeNever === 3 && privileged);
};
const permits = (leaf: Descriptor & { is: "leaf" }, regime: Stage2, { op, priv, instr }: Asked): boolean =>
  leaf[op] && (op === "write" || instr !== true || mayExecute(leaf.executeNever, priv === true, regime.executeByPrivilege));

export type Walk =
  | { readonly result: "ok"; readonly pa: bigint; readonly via: readonly Via[] }
  | { readonly result: "fault"; readonly fault: "F_TRANSLATION" | "F_ADDR_SIZE" | "F_ACCESS" | "F_PERMISSION"; readonly via: readonly Via[] }
  /** A table fetch met a bus abort. */
  | { readonly result: "external"; readonly fetch: bigint; readonly via: readonly Via[] };

export const descriptorName = (level: number): string => `stage-2 level ${level} descriptor`;

/** Translates one address. `read` answers undefined where memory does not answer. */
export const walk = (read: (address: bigint) => bigint | undefined, regime: Stage2, address: bigint, asked: Asked): Walk => {
  const via: Via[] = [];
  if (address >> BigInt(regime.inputBits) !== 0n) return { result: "fault", fault: "F_TRANSLATION", via };
  let table = regime.root;
  for (let level = regime.startLevel; ; level++) {
    const at = entryAddress(regime, table, level, address);
    const value = read(at);
    if (value === undefined) return { result: "external", fetch: at, via };
    via.push({ what: descriptorName(level), addr: at, value });
    const descriptor = decodeDescriptor(value, level);
    const fault = descriptorFault(descriptor, regime);
    if (fault !== undefined || descriptor.is === "invalid") return { result: "fault", fault: fault ?? "F_TRANSLATION", via };
    if (descriptor.is === "leaf") return permits(descriptor, regime, asked) ? { result: "ok", pa: descriptor.pa | (address & (descriptor.size - 1n)), via } : { result: "fault", fault: "F_PERMISSION", via };
    table = descriptor.next;
  }
};
