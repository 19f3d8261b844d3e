/** The three queues: where they stand, and what is in their rings, consumed records too, since they are still in memory. */
import { CmdqCons, Cr0, EventqCons, EventqProd, Gerror, offsets } from "../../specs/smmuv3/registers.ts";
import { hex } from "../base/words.ts";
import { ENTRY_BYTES, queueOf, type QueueName } from "../smmuv3/queue.ts";
import type { RegisterFile, Settings } from "../smmuv3/registers.ts";
import { readWords } from "../smmuv3/memory.ts";
import type { Queue, QueueRecord } from "./decoding.ts";
import { type Cuts, limits } from "./limits.ts";
import type { Memory } from "./memory.ts";
import { commandName, commandOf, eventName, eventOf, requestName, requestOf, type Said } from "./records.ts";

/** LOG2SIZE is 19 at most: an index has 20 bits with its wrap bit. */
const MOST_LOG2 = 19;

const valueAt = (registers: RegisterFile, offset: number): bigint => BigInt((registers.get(offset) ?? 0) >>> 0);

interface Ring {
  readonly name: QueueName;
  readonly base: bigint;
  readonly log2Size: number;
  readonly size: number;
  readonly words: number;
  /** With their wrap bits. */
  readonly produced: number;
  readonly consumed: number;
  readonly pending: number;
}
const ringOf = (name: QueueName, registers: RegisterFile): Ring => {
  const { base, log2Size: said } = queueOf(name, registers);
  const log2Size = Math.min(said, MOST_LOG2);
  const size = 2 ** log2Size;
  const index = (offset: number): number => Number(valueAt(registers, offset)) & (2 * size - 1);
  const [produced, consumed] = [index(offsets[`${name}_PROD`]), index(offsets[`${name}_CONS`])];
  return { name, base, log2Size, size, words: Number(ENTRY_BYTES[name]) / 8, produced, consumed, pending: (produced - consumed) & (2 * size - 1) };
};

const readers: Readonly<Record<QueueName, { readonly nameOf: (words: readonly bigint[]) => string; readonly say: (words: readonly bigint[], settings: Settings) => Said }>> = {
  CMDQ: { nameOf: commandName, say: commandOf },
  EVENTQ: { nameOf: eventName, say: eventOf },
  PRIQ: { nameOf: requestName, say: requestOf },
};
const ENABLES = { CMDQ: "CMDQEN", EVENTQ: "EVENTQEN", PRIQ: "PRIQEN" } as const;

/** Slots of the ring in order of time: the old ones, as far as they were ever written, then those that are pending. */
const slotsOf = (memory: Memory, ring: Ring): { readonly old: number[]; readonly pending: number[] } => {
  const { size, consumed, produced } = ring;
  const waiting = Math.min(ring.pending, size);
  const [read, write] = [consumed % size, produced % size];
  const last = readWords(memory.read, ring.base + BigInt((size - 1) * ring.words * 8), ring.words);
  // No record is all zero. Slots from the write index on are of the round before, if there was one.
  const wentRound = last !== undefined && last.some((word) => word !== 0n);
  const old = Array.from({ length: size - waiting }, (_, at) => (write + at) % size).filter((slot) => wentRound || slot < read);
  return { old, pending: Array.from({ length: waiting }, (_, at) => (read + at) % size) };
};

interface Found {
  readonly records: readonly QueueRecord[];
  readonly counts: Readonly<Record<string, number>>;
  readonly total: number;
  readonly unread: number;
}
/** What is in the ring, from the newest record back. */
const recordsOf = (memory: Memory, ring: Ring, settings: Settings): Found => {
  const { nameOf, say } = readers[ring.name];
  const { old, pending } = slotsOf(memory, ring);
  const counts = new Map<string, number>();
  const records: QueueRecord[] = [];
  let [total, unread] = [0, 0];
  for (let at = old.length + pending.length - 1; at >= 0; at--) {
    const state = at < old.length ? "old" : "pending";
    const index = state === "old" ? old[at]! : pending[at - old.length]!;
    const words = readWords(memory.read, ring.base + BigInt(index * ring.words * 8), ring.words);
    if (words === undefined) {
      unread++;
      continue;
    }
    if (state === "old" && words.every((word) => word === 0n)) continue;
    total++;
    const name = nameOf(words);
    counts.set(name, (counts.get(name) ?? 0) + 1);
    if (records.length < limits.records) records.push({ index, state, words: words.map(hex), ...say(words, settings) });
  }
  return { records: records.toReversed(), counts: Object.fromEntries([...counts].toSorted(([a], [b]) => (a < b ? -1 : 1))), total, unread };
};

const errorsOf = (ring: Ring, registers: RegisterFile): string[] => {
  const errors: string[] = [];
  if (ring.pending > ring.size) errors.push("the indices make no sense: more is pending than there is room for");
  if (ring.name === "CMDQ") {
    const reason = CmdqCons.get([valueAt(registers, offsets.CMDQ_CONS)], "ERR");
    const active = (valueAt(registers, offsets.GERROR) ^ valueAt(registers, offsets.GERRORN)) & 1n;
    if (active === 1n) errors.push(`stopped at entry ${ring.consumed % ring.size}: ${typeof reason === "string" ? reason : `reserved error ${reason}`}`);
    return errors;
  }
  const prod = valueAt(registers, offsets[`${ring.name}_PROD`]);
  const cons = valueAt(registers, offsets[`${ring.name}_CONS`]);
  if (EventqProd.get([prod], "OVFLG") !== EventqCons.get([cons], "OVACKFLG")) errors.push("overflow that software has not acknowledged: records were lost");
  return errors;
};

const readQueue = (memory: Memory, registers: RegisterFile, settings: Settings, name: QueueName, cuts: Cuts): Queue => {
  const ring = ringOf(name, registers);
  const { size, produced, consumed } = ring;
  const { records, counts, total, unread } = recordsOf(memory, ring, settings);
  const errors = errorsOf(ring, registers);
  if (unread > 0) errors.push(`no memory answers for ${unread} of its entries`);
  if (total > limits.records) cuts.say(`${name}: the newest ${limits.records} of ${total} records are listed; the counts are of all.`);
  return {
    name,
    enabled: Cr0.get([valueAt(registers, offsets.CR0)], ENABLES[name]) === 1n,
    base: hex(ring.base),
    log2Size: ring.log2Size,
    entries: size,
    prod: { index: produced % size, wrap: Math.floor(produced / size) },
    cons: { index: consumed % size, wrap: Math.floor(consumed / size) },
    pending: Math.min(ring.pending, size),
    errors,
    counts,
    records,
  };
};

/** Global errors that are active: GERROR differs from GERRORN. */
export const globalErrors = (registers: RegisterFile): string[] => {
  const active = valueAt(registers, offsets.GERROR) ^ valueAt(registers, offsets.GERRORN);
  return Object.entries(Gerror.decode([active])).flatMap(([name, value]) => (value === 1n ? [`GERROR.${name}: ${Gerror.fields[name as keyof typeof Gerror.fields].doc}`] : []));
};

/** The command and event queues, and that of page requests where PRI is there. */
export const readQueues = (memory: Memory, registers: RegisterFile, settings: Settings, cuts: Cuts): Queue[] =>
  (settings.pri ? (["CMDQ", "EVENTQ", "PRIQ"] as const) : (["CMDQ", "EVENTQ"] as const)).map((name) => readQueue(memory, registers, settings, name, cuts));
