/** The circular queues between software and an SMMU (IHI 0070 section 3.5 "Command and Event queues"). */
import { Idr1, offsets, QueueBase } from "../../specs/smmuv3/registers.ts";
import type { Quirks } from "./quirks.ts";
import { register64, type RegisterFile, withinOutput } from "./registers.ts";

export type QueueName = "CMDQ" | "EVENTQ" | "PRIQ";
/** Bytes of an entry. */
export const ENTRY_BYTES = { CMDQ: 16n, EVENTQ: 32n, PRIQ: 16n } as const;
const SIZES = { CMDQ: "CMDQS", EVENTQ: "EVENTQS", PRIQ: "PRIQS" } as const;

/** A queue as its registers say: where it lies, and both indices with their wrap bits above LOG2SIZE. */
export interface Queue {
  readonly name: QueueName;
  readonly base: bigint;
  readonly log2Size: number;
  readonly produced: number;
  readonly consumed: number;
}

const valueAt = (registers: RegisterFile, offset: number): number => (registers.get(offset) ?? 0) >>> 0;
export const queueOf = (name: QueueName, registers: RegisterFile, quirks: Quirks = {}): Queue => {
  const base = [register64(registers, offsets[`${name}_BASE`])];
  const { at } = Idr1.fields[SIZES[name]];
  const most = (valueAt(registers, offsets.IDR1) >>> at[1]) & (2 ** (at[0] - at[1] + 1) - 1);
  const log2Size = Math.min(Number(QueueBase.get(base, "LOG2SIZE")), most);
  const bytes = ENTRY_BYTES[name] << BigInt(log2Size);
  const indices = 2 ** (log2Size + 1) - 1;
  return {
    name,
    // Aligned to its own size, to 32 bytes at least; lower bits are taken as 0 (section 6.3.26).
    base: withinOutput(QueueBase.get(base, "ADDR"), registers, quirks) & ~((bytes > 32n ? bytes : 32n) - 1n),
    log2Size,
    produced: valueAt(registers, offsets[`${name}_PROD`]) & indices,
    consumed: valueAt(registers, offsets[`${name}_CONS`]) & indices,
  };
};

const slot = ({ log2Size }: Queue, index: number): number => index & (2 ** log2Size - 1);
export const isEmpty = ({ produced, consumed }: Queue): boolean => produced === consumed;
/** Equal indices, different wrap bits. */
export const isFull = (queue: Queue): boolean => slot(queue, queue.produced) === slot(queue, queue.consumed) && queue.produced !== queue.consumed;
/** An index moved on by one, wrap bit and all. */
export const next = ({ log2Size }: Queue, index: number): number => (index + 1) & (2 ** (log2Size + 1) - 1);
/** Physical address of the entry at an index. */
export const entryAddress = (queue: Queue, index: number): bigint => queue.base + BigInt(slot(queue, index)) * ENTRY_BYTES[queue.name];
/** Entries between the indices, as far as they make sense. */
export const pending = (queue: Queue): number => (queue.produced - queue.consumed) & (2 ** (queue.log2Size + 1) - 1);
