/**
 * What faults leave in the fault registers (IHI 0062 D.c sections 3.7.2 and 3.8.1; "Context fault model pseudocode"), and
 * what the device sees of them. A fault is recorded in full only while none is; otherwise MULTI is set and no more.
 */
import type { EventRecord, Outcome, Transaction } from "../base/transaction.ts";
import { Fsr, Fsynr0 } from "../../specs/smmuv2/contextBank.ts";
import { Cbfrsynra, FaultAddress, Gfsr, Gfsynr0, Gfsynr1, type RegisterName } from "../../specs/smmuv2/registers.ts";
import type { Behaviour } from "./contextBank.ts";
import type { FaultName } from "./descriptor.ts";
import { type RegisterFile, valueOf, withValue } from "./registerFile.ts";

export type GlobalFault = "ICF" | "USF" | "SMCF" | "UCBF";
export interface Faulted {
  readonly outcome: Outcome;
  readonly file: RegisterFile;
}

/** Whether a bank has a fault outstanding: any bit but those of Format. */
export const outstanding = (file: RegisterFile, bank: number): boolean => valueOf(file, "FSR", bank) !== 0n;

const mark = (set: boolean | undefined): bigint => BigInt(set === true);
const address = ({ iova }: Transaction): bigint => FaultAddress.encode({ FADDR: iova & FaultAddress.masks[0]! })[0]!;
const stream = ({ sid }: Transaction): bigint => BigInt(sid & 0xffff);
/** An instruction write is told as data: SMMUv2 forces writes to data (section 2.4). */
const fetches = ({ op, instr }: Transaction): boolean => instr === true && op === "read";

const stored = (file: RegisterFile, n: number, values: Readonly<Partial<Record<RegisterName, bigint>>>): RegisterFile => {
  let next = file;
  for (const [name, value] of Object.entries(values)) next = withValue(next, name as RegisterName, n, value);
  return next;
};
const terminated = (reported: boolean, event?: EventRecord): Outcome => ({ result: "abort", ...(event === undefined ? {} : { event }), ...(reported ? {} : { raz: true as const }) });

/** A fault with no bank to record it in. `nested`: by the bank's CBAR, not by the stream mapping. */
export const globalFault = (file: RegisterFile, transaction: Transaction, fault: GlobalFault, nested: boolean, reported: boolean): Faulted => {
  const status = valueOf(file, "GFSR");
  if (status !== 0n) return { outcome: terminated(reported), file: withValue(file, "GFSR", 0, status | Gfsr.encode({ MULTI: 1n })[0]!) };
  const syndrome = Gfsynr0.encode({ WNR: mark(transaction.op === "write"), PNU: mark(transaction.priv), IND: mark(fetches(transaction)), Nested: mark(nested) })[0]!;
  const values = { GFSR: Gfsr.encode({ [fault]: 1n })[0]!, GFAR: address(transaction), GFSYNR0: syndrome, GFSYNR1: Gfsynr1.encode({ StreamID: stream(transaction) })[0]! };
  const { sid, iova, op } = transaction;
  const event: EventRecord = { type: fault, sid, iova, rnw: op === "read", raw: [values.GFSR, values.GFAR, values.GFSYNR0, values.GFSYNR1] };
  return { outcome: terminated(reported, event), file: stored(file, 0, values) };
};

/** A fault of a bank. The marks are those that S2CR left (section 3.4). */
export const contextFault = (file: RegisterFile, transaction: Transaction, bank: number, stage: 1 | 2, { fault, level }: { readonly fault: FaultName; readonly level: number }, { reported }: Behaviour): Faulted => {
  const status = valueOf(file, "FSR", bank);
  if (status !== 0n) return { outcome: terminated(reported), file: withValue(file, "FSR", bank, status | Fsr.encode({ MULTI: 1n })[0]!) };
  const syndrome = Fsynr0.encode({ PLVL: BigInt(level), WNR: mark(transaction.op === "write"), PNU: mark(transaction.priv), IND: mark(fetches(transaction)), NSATTR: 1n })[0]!;
  const values = { FSR: Fsr.encode({ [fault]: 1n })[0]!, FAR: address(transaction), FSYNR0: syndrome, CBFRSYNRA: Cbfrsynra.encode({ StreamID: stream(transaction) })[0]! };
  const { sid, iova, op } = transaction;
  const event: EventRecord = { type: fault, sid, iova, s2: stage === 2, class: "IN", rnw: op === "read", raw: [values.FSR, values.FAR, values.FSYNR0, values.CBFRSYNRA] };
  return { outcome: terminated(reported, event), file: stored(file, bank, values) };
};

/** With a fault outstanding and HUPCF=0, every later transaction of the bank ends, and nothing is recorded. */
export const blocked = (file: RegisterFile, { reported }: Behaviour): Faulted => ({ outcome: terminated(reported), file });
