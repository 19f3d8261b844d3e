/**
 * VMSAv8-64 descriptors at the 4 KiB granule, of both stages, and what they let a device do (DDI 0487 "VMSAv8-64 translation
 * table format descriptors", "Memory access control"; IHI 0062 D.c section 2.7.1: an SMMU walks the processor's formats).
 */
import type { Access } from "../base/transaction.ts";
import { Stage1Leaf, Stage1Table } from "../../specs/smmuv3/stage1.ts";
import { LeafDescriptor } from "../../specs/smmuv3/stage2.ts";
import { levelShift, type Regime } from "./contextBank.ts";

/** Rights as bits: what a privileged access may do, and what an unprivileged one may. */
export type Rights = number;
const READ = 1;
const WRITE = 2;
const EXECUTE = 4;
const UNPRIVILEGED = 3;

/** What is asked of a translation. An instruction read asks for execution alone. */
export interface Asked {
  readonly op: Access;
  readonly priv: boolean;
  readonly instr: boolean;
}
export const allows = (rights: Rights, { op, priv, instr }: Asked): boolean => {
  const wanted = op === "write" ? WRITE : instr ? EXECUTE : READ;
  return ((rights >> (priv ? 0 : UNPRIVILEGED)) & wanted) !== 0;
};

const flag = (value: bigint, [, lo]: readonly [number, number]): boolean => ((value >> BigInt(lo)) & 1n) === 1n;
const ADDRESS = LeafDescriptor.masks[0]! & ((1n << 48n) - 1n) & ~0xfffn;
const { AF, nG, Contiguous, AP, PXN, UXN } = Stage1Leaf.fields;
const READ_ONLY = [AP.at[0], AP.at[0]] as const;
const UNPRIVILEGED_TOO = [AP.at[1], AP.at[1]] as const;

/** What stage-1 table descriptors take from everything below them; bits 62:59 as they stand. */
export type Limits = bigint;
export const NO_LIMITS: Limits = 0n;
const LIMITS = 0b1111n << BigInt(Stage1Table.fields.PXNTable.at[1]);
const { APTable, UXNTable, PXNTable } = Stage1Table.fields;
const NO_WRITES = [APTable.at[0], APTable.at[0]] as const;
const NO_UNPRIVILEGED = [APTable.at[1], APTable.at[1]] as const;

const stage1Rights = (value: bigint, limits: Limits, writableNeverExecutes: boolean): Rights => {
  const writable = !flag(value, READ_ONLY) && !flag(limits, NO_WRITES);
  const unprivileged = flag(value, UNPRIVILEGED_TOO) && !flag(limits, NO_UNPRIVILEGED);
  const forbidden = writableNeverExecutes && writable;
  // What unprivileged code can write is never executed with privilege.
  const privilegedExecutes = !flag(value, PXN.at) && !flag(limits, PXNTable.at) && !(unprivileged && writable) && !forbidden;
  const unprivilegedExecutes = !flag(value, UXN.at) && !flag(limits, UXNTable.at) && !(forbidden && unprivileged);
  const privilegedRights = READ | (writable ? WRITE : 0) | (privilegedExecutes ? EXECUTE : 0);
  const unprivilegedRights = (unprivileged ? READ | (writable ? WRITE : 0) : 0) | (unprivilegedExecutes ? EXECUTE : 0);
  return privilegedRights | (unprivilegedRights << UNPRIVILEGED);
};

const READABLE = [LeafDescriptor.fields.S2AP.at[1], LeafDescriptor.fields.S2AP.at[1]] as const;
const WRITABLE = [LeafDescriptor.fields.S2AP.at[0], LeafDescriptor.fields.S2AP.at[0]] as const;
/** XN is bit 54 alone: an SMMUv2 has no execute-never by privilege. */
const NEVER_EXECUTED = [LeafDescriptor.fields.XN.at[0], LeafDescriptor.fields.XN.at[0]] as const;
const stage2Rights = (value: bigint): Rights => {
  const rights = (flag(value, READABLE) ? READ : 0) | (flag(value, WRITABLE) ? WRITE : 0) | (flag(value, NEVER_EXECUTED) ? 0 : EXECUTE);
  return rights | (rights << UNPRIVILEGED);
};

export type FaultName = "TF" | "AFF" | "PF" | "ASF";
export type Descriptor =
  /** A fault, whatever is asked. */
  | { readonly is: "fault"; readonly fault: Exclude<FaultName, "PF"> }
  | { readonly is: "table"; readonly next: bigint; readonly limits: Limits }
  | {
      readonly is: "leaf";
      readonly output: bigint;
      readonly size: bigint;
      readonly rights: Rights;
      /** Holds for every ASID: stage 1 with nG=0. */
      readonly global: boolean;
      /** One of 16 neighbours that may be kept as one. */
      readonly contiguous: boolean;
    };

const TABLE_OR_PAGE = 3n;
/** A descriptor at a level, below tables that impose limits. Level by level: translation, address size; then access flag. */
export const decodeDescriptor = (value: bigint, level: number, regime: Regime, limits: Limits): Descriptor => {
  const type = value & 3n;
  const beyond = (address: bigint): boolean => address >> BigInt(regime.outputBits) !== 0n;
  if (type === TABLE_OR_PAGE && level < 3) {
    const next = value & ADDRESS;
    return beyond(next) ? { is: "fault", fault: "ASF" } : { is: "table", next, limits: regime.tag.stage === 1 ? limits | (value & LIMITS) : NO_LIMITS };
  }
  // Blocks are at levels 1 and 2; at level 3 there are pages alone.
  if ((type & 1n) === 0n || (type === 1n && (level === 0 || level === 3))) return { is: "fault", fault: "TF" };
  const size = 1n << levelShift(level);
  const output = value & ADDRESS & ~(size - 1n);
  if (beyond(output)) return { is: "fault", fault: "ASF" };
  if (!flag(value, AF.at) && !regime.accessFlagIgnored) return { is: "fault", fault: "AFF" };
  const rights = regime.tag.stage === 1 ? stage1Rights(value, limits, regime.writableNeverExecutes) : stage2Rights(value);
  return { is: "leaf", output, size, rights, global: regime.tag.stage === 1 && !flag(value, nG.at), contiguous: flag(value, Contiguous.at) };
};

export const descriptorName = (level: number, stage: 1 | 2): string => `stage-${stage} level ${level} descriptor`;
