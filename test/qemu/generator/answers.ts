/** What the model answers to a scene, as lines to compare with QEMU's. */
import { offsets, qemuVirtIdentification } from "../../../specs/smmuv3/registers.ts";
import { hex } from "../../../src/base/words.ts";
import type { Transaction } from "../../../src/base/transaction.ts";
import { createDevice, type Device, type HistoryOutcome } from "../../../src/smmuv3/device.ts";
import type { History } from "../../../src/smmuv3/history.ts";
import type { Quirks } from "../../../src/smmuv3/quirks.ts";
import { type RegisterFile, resetRegisters, settingsOf, writeRegister } from "../../../src/smmuv3/registers.ts";
import type { Read } from "../../../src/smmuv3/memory.ts";
import { translate, type Translation } from "../../../src/smmuv3/transaction.ts";
import { outcomeLine } from "../outcomeLine.ts";
import { EVENT_QUEUE, harmless, isDevices, MEMORY } from "./places.ts";

/** What a history is played on. */
export interface Machine {
  /** Entries of the event queue, log2. */
  readonly log2: number;
  /** Events stay until a drain; otherwise they are taken out after each transaction. */
  readonly pileUp: boolean;
  /** An SMMU of one stage; of both when left out. */
  readonly stage?: "1" | "2";
}
/** Both stages, and events taken out. */
export const USUAL: Machine = { log2: 5, pileUp: false };

const S2P = 1;
const S1P = 2;
const XNX = 0x10;
/** What identification says: one stage is not there, and XNX comes with stage 2. */
export const identificationOf = ({ stage }: Machine): Readonly<Record<keyof typeof qemuVirtIdentification, number>> => {
  const { IDR0, IDR3 } = qemuVirtIdentification;
  if (stage === "1") return { ...qemuVirtIdentification, IDR0: IDR0 & ~S2P, IDR3: IDR3 & ~XNX };
  return stage === "2" ? { ...qemuVirtIdentification, IDR0: IDR0 & ~S1P } : qemuVirtIdentification;
};
/** Registers where a history begins: the player's queues are on. */
export const registersWith = (machine: Machine): RegisterFile =>
  new Map([...resetRegisters(identificationOf(machine)), [offsets.CR0, 0xc], [offsets.CR0ACK, 0xc], [offsets.EVENTQ_BASE, Number(EVENT_QUEUE) + machine.log2]]);

const answers = (address: bigint): boolean => MEMORY.some(({ addr, size }) => address >= addr && address < addr + size);
/** Thrown where a table leads to a device: what that answers is not known here. */
export class DeviceRead extends Error {
  override readonly name = "DeviceRead";
}
/** Memory with these stores and 0 elsewhere; undefined where nothing answers. */
export const memoryWith =
  (stores: ReadonlyMap<bigint, bigint>): Read =>
  (address) => {
    if (isDevices(address)) throw new DeviceRead(hex(address));
    return answers(address) ? (stores.get(address) ?? 0n) : undefined;
  };

/** The state that a history of stores and registers leaves. */
const stateAfter = (history: History, quirks: Quirks, machine: Machine): { readonly registers: RegisterFile; readonly read: Read } => {
  const stores = new Map<bigint, bigint>();
  let registers = registersWith(machine);
  for (const step of history) {
    if (step.kind === "store") stores.set(step.addr, step.value);
    if (step.kind === "register") registers = writeRegister(registers, step.offset, step.value, step.size, quirks);
  }
  return { registers, read: memoryWith(stores) };
};

/** What the model says to one cold transaction after a history of stores and registers; undefined where a table leads to a device. */
export const coldModel = (boot: History, quirks: Quirks, machine = USUAL): ((transaction: Transaction) => Translation | undefined) => {
  const { registers, read } = stateAfter(boot, quirks, machine);
  const settings = settingsOf(registers, quirks);
  return (transaction) => {
    try {
      return translate(read, settings, transaction);
    } catch (error) {
      if (error instanceof DeviceRead) return undefined;
      throw error;
    }
  };
};

/** The model with warm caches. */
export const deviceWith = (machine: Machine, quirks: Quirks, caches: "qemu" | "none" = "qemu"): Device => createDevice({ registers: registersWith(machine), read: memoryWith(new Map()), quirks, caches });

/** One line, equal for equal answers: nothing of a record's four words is left out. */
export const lineOf = (outcome: HistoryOutcome): string => {
  switch (outcome.result) {
    case "ok":
    case "cerror":
    case "not-consumed":
      return outcomeLine(outcome);
    case "abort":
      return outcomeLine({ result: "abort", events: outcome.event === undefined ? [] : [outcome.event.raw] });
    default:
      return JSON.stringify(outcome, (_, value: unknown) => (typeof value === "bigint" ? value.toString(16) : value));
  }
};

/** Whether a transaction that comes to this may be carried out: what ends QEMU itself is unsupported. */
export const carriedOut = (outcome: HistoryOutcome): boolean => outcome.result !== "unsupported" && (outcome.result !== "ok" || harmless(outcome.pa));
