/**
 * The stage-2 walk over the bits in memory, 4 KiB granule (DDI 0487 "VMSAv8-64"; IHI 0070 for which fault comes first:
 * Translation, then Address size, then Access flag, then Permission, level by level).
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

/** What a descriptor at a level says, before access rights are asked. */
export type Meaning =
  | { readonly is: "invalid" }
  | { readonly is: "table"; readonly next: bigint }
  | { readonly is: "leaf"; readonly pa: bigint; readonly size: bigint; readonly read: boolean; readonly write: boolean }
  | { readonly is: "fault"; readonly fault: "F_ADDR_SIZE" | "F_ACCESS" };

const beyond = (address: bigint, bits: number): boolean => address >> BigInt(bits) !== 0n;

export const descriptorAt = (value: bigint, level: number, regime: Stage2): Meaning => {
  const type = value & 3n;
  if ((type & 1n) === 0n || (type === 1n && (level === 0 || level === 3))) return { is: "invalid" };
  if (type === 3n && level < 3) {
    const next = TableDescriptor.get([value], "NextTable");
    return beyond(next, regime.outputBits) ? { is: "fault", fault: "F_ADDR_SIZE" } : { is: "table", next };
  }
  const size = 1n << levelShift(level);
  // A block's address bits below its size are RES0, and ignored.
  const pa = LeafDescriptor.get([value], "OutputAddress") & ~(size - 1n);
  if (beyond(pa, regime.outputBits)) return { is: "fault", fault: "F_ADDR_SIZE" };
  if (LeafDescriptor.get([value], "AF") === 0n && !regime.ignoreAccessFlag) return { is: "fault", fault: "F_ACCESS" };
  const rights = Number((value >> 6n) & 3n);
  return { is: "leaf", pa, size, read: (rights & 1) !== 0, write: (rights & 2) !== 0 };
};

/** Index of an address in a table at `level`; the root may be several tables side by side. */
export const entryAddress = (regime: Stage2, table: bigint, level: number, address: bigint): bigint => {
  const index = address >> levelShift(level);
  return table + 8n * (level === regime.startLevel ? index : index & 511n);
};

export type Walk =
  | { readonly result: "ok"; readonly pa: bigint; readonly via: readonly Via[] }
  | { readonly result: "fault"; readonly fault: "F_TRANSLATION" | "F_ADDR_SIZE" | "F_ACCESS" | "F_PERMISSION"; readonly via: readonly Via[] }
  /** A table fetch met a bus abort. */
  | { readonly result: "external"; readonly fetch: bigint; readonly via: readonly Via[] };

/** Translates one address. `read` answers undefined where memory does not answer. */
export const walk = (read: (address: bigint) => bigint | undefined, regime: Stage2, address: bigint, access: Access): Walk => {
  const via: Via[] = [];
  if (beyond(address, regime.inputBits)) return { result: "fault", fault: "F_TRANSLATION", via };
  let table = regime.root;
  for (let level = regime.startLevel; level <= 3; level++) {
    const at = entryAddress(regime, table, level, address);
    const value = read(at);
    if (value === undefined) return { result: "external", fetch: at, via };
    via.push({ what: `stage-2 level ${level} descriptor`, addr: at, value });
    const step = descriptorAt(value, level, regime);
    if (step.is === "invalid") return { result: "fault", fault: "F_TRANSLATION", via };
    if (step.is === "fault") return { result: "fault", fault: step.fault, via };
    if (step.is === "leaf") return step[access] ? { result: "ok", pa: step.pa | (address & (step.size - 1n)), via } : { result: "fault", fault: "F_PERMISSION", via };
    table = step.next;
  }
  return { result: "fault", fault: "F_TRANSLATION", via };
};
