/**
 * An SMMU in time: memory, registers, queues and caches change as a history says, and each transaction is judged in the
 * state that all before it left. Commands take effect when they are executed: a history has no time between a command
 * and its SYNC. What an SMMU may do in between is `mayHistory.ts`'s.
 */
import { CmdqCons, Cr0, EventqCons, EventqProd, Gerror, offsets } from "../../specs/smmuv3/registers.ts";
import type { EventRecord, Transaction } from "../base/transaction.ts";
import { iova } from "../base/words.ts";
import { type Caches, noCaches } from "./caches.ts";
import type { History, HistoryStep } from "./history.ts";
import { illegalCommand, nameOf } from "./invalidate.ts";
import { discarded, entryOf, type PageRequest, type PageRequestOutcome } from "./pageRequests.ts";
import { entryAddress, isEmpty, isFull, next, queueOf } from "./queue.ts";
import type { Read } from "./memory.ts";
import type { Quirks } from "./quirks.ts";
import { type RegisterFile, type Settings, setRegister, settingsOf, writeRegister, writtenBy } from "./registers.ts";
import { createRetained, type Retained } from "./retained.ts";
import { createStalls, type Resumed } from "./stalls.ts";
import { translate, type Translation } from "./transaction.ts";

/** What a step of a history comes to, where it comes to anything. */
export type HistoryOutcome =
  | Translation
  /** The command queue stopped at a command: 1 illegal, 2 it could not be fetched. */
  | { readonly result: "cerror"; readonly code: number; readonly why: string }
  /** A command that was not executed, since the queue had stopped. */
  | { readonly result: "not-consumed" }
  /** A stalled transaction went on, by RESUME or STALL_TERM. */
  | Resumed
  | PageRequestOutcome;

export interface DeviceOptions {
  readonly registers: RegisterFile;
  /** Memory before the history; undefined where it does not answer. */
  readonly read: Read;
  readonly quirks?: Quirks;
  /** What is kept between transactions; nothing when left out. `qemu` keeps everything until it is invalidated. */
  readonly caches?: "qemu" | "none" | Retained;
}
export interface Device {
  readonly step: (step: HistoryStep) => HistoryOutcome[];
  readonly play: (history: History) => HistoryOutcome[];
  readonly registers: () => RegisterFile;
  readonly read: Read;
}

const CERROR_ILL = 1;
const CERROR_ABT = 2;
const bitOf = (field: { readonly at: readonly [number, number] }): number => (1 << field.at[1]) >>> 0;
const CMDQ_ERR = bitOf(Gerror.fields.CMDQ_ERR);
const EVENTQ_ABT_ERR = bitOf(Gerror.fields.EVENTQ_ABT_ERR);
const PRIQ_ABT_ERR = bitOf(Gerror.fields.PRIQ_ABT_ERR);
const OVFLG = bitOf(EventqProd.fields.OVFLG);
/** Bytes of an access that the quirk `eventPerWord` records one by one. */
const PIECE = 4;
/** What there are commands to consume after: more of them, a queue enabled, an error acknowledged. */
const STARTS_COMMANDS = new Set<number>([offsets.CMDQ_PROD, offsets.CR0, offsets.GERRORN]);

export const createDevice = ({ registers: initial, read: memory, quirks = {}, caches: mode = "none" }: DeviceOptions): Device => {
  const stored = new Map<bigint, bigint>();
  const read: Read = (address) => {
    const before = memory(address);
    return before === undefined ? undefined : (stored.get(address) ?? before);
  };
  const retained = mode === "qemu" ? createRetained() : mode === "none" ? undefined : mode;
  const caches: Caches = retained ?? noCaches;
  let registers = initial;
  let settings: Settings = settingsOf(registers, quirks);
  const stalls = createStalls();
  /** Records of stalled transactions that found no room: they are never lost. */
  const waiting: EventRecord[] = [];

  const set = (offset: number, value: number): void => {
    registers = setRegister(registers, offset, value);
    settings = settingsOf(registers, quirks);
  };
  const value = (offset: number): number => (registers.get(offset) ?? 0) >>> 0;
  const on = (bit: keyof typeof Cr0.fields): boolean => Cr0.get([BigInt(value(offsets.CR0))], bit) === 1n;
  const active = (error: number): boolean => ((value(offsets.GERROR) ^ value(offsets.GERRORN)) & error) !== 0;
  /** An error that is active already is not told again (IHI 0070 section 7.5). */
  const raise = (error: number): void => {
    if (!active(error)) set(offsets.GERROR, value(offsets.GERROR) ^ error);
  };

  // Events.

  /** Registers that say nothing of an event queue have one that always has room. */
  const endless = (): boolean => !registers.has(offsets.EVENTQ_BASE);

  /** The memory of a queue answers, and takes the words. */
  const storeWords = (at: bigint, words: readonly bigint[]): boolean => {
    if (words.some((_, word) => read(at + BigInt(word * 8)) === undefined)) return false;
    for (const [word, content] of words.entries()) stored.set(at + BigInt(word * 8), content);
    return true;
  };
  const overflow = (): void => {
    if (quirks.overflowAsAbort) return raise(EVENTQ_ABT_ERR);
    const produced = value(offsets.EVENTQ_PROD);
    const acknowledged = EventqCons.get([BigInt(value(offsets.EVENTQ_CONS))], "OVACKFLG") === EventqProd.get([BigInt(produced)], "OVFLG");
    if (acknowledged) set(offsets.EVENTQ_PROD, produced ^ OVFLG);
  };
  /** Whether a record is in the queue now. One of a stalled transaction waits for room, and is no overflow. */
  const record = (event: EventRecord): boolean => {
    if (!on("EVENTQEN") || (active(EVENTQ_ABT_ERR) && !quirks.overflowAsAbort)) return false;
    if (endless()) return true;
    const queue = queueOf("EVENTQ", registers, quirks);
    if (isFull(queue)) {
      if (event.stag === undefined) overflow();
      return false;
    }
    if (!storeWords(entryAddress(queue, queue.produced), event.raw)) {
      raise(EVENTQ_ABT_ERR);
      return false;
    }
    set(offsets.EVENTQ_PROD, ((value(offsets.EVENTQ_PROD) & OVFLG) | next(queue, queue.produced)) >>> 0);
    return true;
  };
  const recordWaiting = (): void => {
    while (waiting.length > 0 && record(waiting[0]!)) waiting.shift();
  };
  /** The rest of an access that an implementation takes in pieces, each of which records its own event. */
  const recordPieces = (transaction: Transaction): void => {
    for (let offset = PIECE; offset < transaction.size; offset += PIECE) {
      const piece = translate(read, settings, { ...transaction, iova: iova(transaction.iova + BigInt(offset)) }, caches);
      if (piece.result === "abort" && piece.event !== undefined) record(piece.event);
    }
  };

  // Transactions.

  const commit = (translation: Translation): void => {
    for (const { addr, value: content } of translation.updates ?? []) stored.set(addr, content);
  };
  const transact = (transaction: Transaction): Translation => {
    const translation = translate(read, settings, transaction, caches);
    commit(translation);
    if (translation.result === "stall") {
      const held = stalls.hold(transaction, translation, settings);
      if (held.result === "stall" && !record(held.event)) waiting.push(held.event);
      return held;
    }
    if ((translation.result !== "abort" && translation.result !== "completion") || translation.event === undefined) return translation;
    const { event, ...silent } = translation;
    const recorded = record(event);
    if (quirks.eventPerWord) recordPieces(transaction);
    return recorded ? translation : silent;
  };

  // Page requests.

  /** A request goes into the queue, or is answered at once (IHI 0070 sections 8.1, 8.2). */
  const request = (asked: PageRequest): PageRequestOutcome => {
    if (!settings.pri || !on("PRIQEN") || !settings.enabled || active(PRIQ_ABT_ERR)) return discarded(asked, "failure");
    const produced = value(offsets.PRIQ_PROD);
    // Unlike an event queue's, an overflow keeps everything out until it is acknowledged.
    if (((produced ^ value(offsets.PRIQ_CONS)) & OVFLG) !== 0) return discarded(asked, "success");
    const queue = queueOf("PRIQ", registers, quirks);
    if (isFull(queue)) {
      set(offsets.PRIQ_PROD, produced ^ OVFLG);
      return discarded(asked, "success");
    }
    const raw = entryOf(asked);
    if (!storeWords(entryAddress(queue, queue.produced), raw)) {
      raise(PRIQ_ABT_ERR);
      return discarded(asked, "failure");
    }
    set(offsets.PRIQ_PROD, ((produced & OVFLG) | next(queue, queue.produced)) >>> 0);
    return { result: "queued", raw };
  };

  // Commands.

  const stop = (code: number, why: string): HistoryOutcome => {
    const at = CmdqCons.fields.ERR.at[1];
    set(offsets.CMDQ_CONS, ((value(offsets.CMDQ_CONS) & ~(0x7f << at)) | (code << at)) >>> 0);
    raise(CMDQ_ERR);
    return { result: "cerror", code, why };
  };
  const execute = (words: readonly [bigint, bigint]): HistoryOutcome[] => {
    const why = illegalCommand(words, settings);
    if (why !== undefined) return [stop(CERROR_ILL, why)];
    retained?.execute(words, settings);
    const name = nameOf(words);
    return name === "RESUME" || name === "STALL_TERM" ? stalls.command(name, words, transact) : [];
  };
  /** The queue in memory, as far as it goes (IHI 0070 section 4.1.2). */
  const consume = (): HistoryOutcome[] => {
    const outcomes: HistoryOutcome[] = [];
    for (let queue = queueOf("CMDQ", registers, quirks); on("CMDQEN") && !active(CMDQ_ERR) && !isEmpty(queue); queue = queueOf("CMDQ", registers, quirks)) {
      const at = entryAddress(queue, queue.consumed);
      const [low, high] = [read(at), read(at + 8n)];
      if (low === undefined || high === undefined) outcomes.push(stop(CERROR_ABT, `the command at 0x${at.toString(16)} could not be fetched`));
      else outcomes.push(...execute([low, high]));
      if (!active(CMDQ_ERR)) set(offsets.CMDQ_CONS, ((value(offsets.CMDQ_CONS) & ~(2 ** 20 - 1)) | next(queue, queue.consumed)) >>> 0);
    }
    return outcomes;
  };

  const step = (happens: HistoryStep): HistoryOutcome[] => {
    switch (happens.kind) {
      case "store":
        stored.set(happens.addr, happens.value & ((1n << 64n) - 1n));
        return [];
      case "register": {
        const wasEnabled = settings.enabled;
        registers = writeRegister(registers, happens.offset, happens.value, happens.size, quirks);
        settings = settingsOf(registers, quirks);
        // Disabling terminates what is stalled (IHI 0070 section 6.3.9.6).
        const terminated = wasEnabled && !settings.enabled ? stalls.terminateAll() : [];
        if (terminated.length > 0) waiting.length = 0;
        recordWaiting();
        return writtenBy(happens.offset, happens.size, quirks).some((offset) => STARTS_COMMANDS.has(offset)) ? [...terminated, ...consume()] : terminated;
      }
      case "command":
        return active(CMDQ_ERR) ? [{ result: "not-consumed" }] : execute(happens.words);
      case "pageRequest":
        return [request(happens.request)];
      default:
        return [transact(happens.transaction)];
    }
  };
  return { step, play: (history) => history.flatMap(step), registers: () => registers, read };
};
