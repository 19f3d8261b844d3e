/**
 * Plays whole histories on QEMU's SMMUv3: stores and register writes are made as they come, commands go through the
 * player's own command queue and are consumed at once, transactions are 4-byte DMA of four `edu` devices.
 *
 * QEMU is spoken to in batches: everything up to a transaction's trigger is one, each look at the device another.
 */
import { offsets, StrtabBaseCfg } from "../../specs/smmuv3/registers.ts";
import type { Transaction } from "../../src/base/transaction.ts";
import { hex, pageOf } from "../../src/base/words.ts";
import type { History, HistoryStep } from "../../src/smmuv3/history.ts";
import { between, createBatch, placeOf, readl, readq, register, register64, SMMU, writel, writeq } from "./batch.ts";
import { CMDQEN, createCommandQueue } from "./commandQueue.ts";
import type { EventWords, LinedOutcome } from "./outcomeLine.ts";
import { connectQmp } from "./qmp.ts";
import { QemuDied, startQemu } from "./qtest.ts";
import { openTrace, wentTo } from "./trace.ts";

export const RAM = { addr: 0x4000_0000n, size: 0x1000_0000n };
/** The end of RAM is the player's: its queues and a buffer. A history that stores there is refused. */
export const PLAYERS_OWN = { addr: 0x4ff0_0000n, size: 0x10_0000n };
/** The devices: PCI 00:01.0 to 00:04.0. */
export const SIDS = [0x08, 0x10, 0x18, 0x20] as const;

export interface PlayerOptions {
  /** An SMMU of one stage (machine `virt-9.1`); both, nested, when left out. */
  readonly stage?: "1" | "2";
}
/** What is not as usual until the next reset. */
export interface ResetOptions {
  /** Events stay in the queue until the history writes EVENTQ_CONS; an outcome still has those that its transaction added. */
  readonly pileUp?: boolean;
  /** log2 of the event queue's entries, at most 12; 5 when left out. */
  readonly eventQueueLog2?: number;
  /** Where CMDQ_BASE points, if it shall point where no queue is. */
  readonly commandQueue?: bigint;
}

/** Of a transaction, or of a command that was not accepted; a command that was consumed has no outcome. */
export type PlayedOutcome = LinedOutcome;

export type Readable = "IDR0" | "IDR1" | "IDR3" | "IDR5" | "CR0" | "CR0ACK" | "GBPA" | "GERROR" | "GERRORN" | "CMDQ_PROD" | "CMDQ_CONS" | "EVENTQ_PROD" | "EVENTQ_CONS";

export interface Player {
  /**
   * Memory that was stored to reads 0, nothing is cached, both queues are empty and on (CR0=0xc), GBPA=0x1000, the other
   * registers read 0. Throws QemuDied.
   */
  readonly reset: (options?: ResetOptions) => Promise<void>;
  /**
   * Goes on from where the last history left. Outcomes are in the order of the history: one a transaction, and one a
   * command that was not consumed. After a CERROR the player rewrites the command as SYNC, as a driver does, and those
   * behind it; they are never executed. Data that a transaction writes to RAM is taken back once it was seen there.
   * Writes that reach a device or flash are real: the caller sees to it that none do harm.
   * Throws RangeError for what can't be played (nothing is, then), and QemuDied.
   */
  readonly play: (history: History) => Promise<PlayedOutcome[]>;
  /** GERROR and GERRORN are given as if GERROR had been 0 at the reset. */
  readonly registers: <R extends Readable>(...names: readonly R[]) => Promise<Readonly<Record<R, bigint>>>;
  readonly end: () => void;
}

const CMDQ = PLAYERS_OWN.addr;
const EVENTQ = CMDQ + 0x2_0000n;
const EVENTQ_LOG2 = 5;
const EVENTQ_MAX_LOG2 = 12;
const BUFFER = EVENTQ + 0x2_0000n;
/** QEMU leaves its device tree at the start of RAM, in at most this many bytes. */
const DEVICE_TREE_BYTES = 0x20_0000n;
const EVENTQEN = 4n;
const GBPA_UPDATE = 0x8000_0000n;
const GBPA_RESET = 0x1000n;
/** What a device writes; its low byte leaves flash as it was. */
const TOKEN = 0xc0ff_eeffn;
/** Bytes. A longer access that faults is seen piece by piece. */
const MOST_READ = 64;
/** Lines of one batch, about; fewer than the commands that the queue has room for. */
const MOST_LINES = 1000;
/** An edu device is done after a few. */
const MOST_TRIES = 10_000;

const devices = new Map(SIDS.map((sid, at) => [sid as number, { config: 0x40_1000_0000n + (BigInt(sid) << 12n), bar: 0x1000_0000n + BigInt(at) * 0x10_0000n }]));
const edu = { source: 0x80n, target: 0x88n, count: 0x90n, command: 0x98n, token: 0x4_0000n, read: 0x4_0100n } as const;

/** Registers that a history starts from, besides the queues and CR0. */
const zeroed = ["CR1", "CR2", "IRQ_CTRL", "STRTAB_BASE_CFG", "GERROR_IRQ_CFG1", "GERROR_IRQ_CFG2", "EVENTQ_IRQ_CFG1", "EVENTQ_IRQ_CFG2"] as const;
const zeroed64 = ["STRTAB_BASE", "GERROR_IRQ_CFG0", "EVENTQ_IRQ_CFG0"] as const;

const within = ({ addr, size }: { addr: bigint; size: bigint }, address: bigint): boolean => address >= addr && address < addr + size;
const PAGE_1 = 0x1_0000;

/** Why a step can't be played, or undefined. */
const refusal = (step: HistoryStep, pileUp: boolean): string | undefined => {
  switch (step.kind) {
    case "store":
      if ((step.addr & 7n) !== 0n) return `a store to ${hex(step.addr)} is not aligned`;
      return within(RAM, step.addr) && !within(PLAYERS_OWN, step.addr) ? undefined : `a store to ${hex(step.addr)} is outside the memory of histories`;
    case "register": {
      const offset = step.offset & ~PAGE_1;
      if (step.offset % step.size !== 0 || offset < 0 || offset >= PAGE_1) return `a write of ${step.size} bytes at register offset ${hex(step.offset)} is not aligned, or outside the SMMU`;
      if (pileUp && offset === offsets.EVENTQ_CONS) return undefined;
      return offset >= offsets.CMDQ_BASE && offset < offsets.EVENTQ_IRQ_CFG0 ? `register ${hex(step.offset)} belongs to the player's queues` : undefined;
    }
    case "pageRequest":
      return "QEMU has no page requests";
    case "transaction": {
      const { sid, ssid, op, size, iova, priv, instr } = step.transaction;
      if (!devices.has(sid)) return `there is no device of stream ${hex(sid)}: ${SIDS.map(hex).join(", ")}`;
      if (ssid !== undefined || priv === true || instr === true) return "the devices send no SubstreamID, privileged or instruction accesses";
      if ((iova & 0xfffn) + BigInt(size) > 0x1000n) return "a transaction lies within a page";
      return size === 4 || (op === "read" && size % 4 === 0 && size >= 4 && size <= MOST_READ) ? undefined : `a transaction is of 4 bytes, or a read of a multiple of 4 up to ${MOST_READ}`;
    }
    case "command":
      return undefined;
  }
};

const eventWords = (answer: string): EventWords => {
  const bytes = Buffer.from(answer.slice(2), "hex");
  return [bytes.readBigUInt64LE(0), bytes.readBigUInt64LE(8), bytes.readBigUInt64LE(16), bytes.readBigUInt64LE(24)];
};

/** Starts QEMU, and resets. Throws QemuDied. */
export const startPlayer = async (program: string, { stage }: PlayerOptions = {}): Promise<Player> => {
  const others = SIDS.filter((sid) => sid !== 0x20).flatMap((sid) => ["-device", `edu,addr=${(sid >> 3).toString(16)}.0,dma_mask=0xffffffffffffffff`]);
  const qemu = await startQemu(program, { qmp: true, ...(stage === undefined ? { extra: others } : { machine: "virt-9.1", extra: [...others, "-global", `arm-smmuv3.stage=${stage}`] }) });
  const qmp = connectQmp(qemu.qmp!);
  const trace = openTrace(qemu.trace);
  const batch = createBatch(qemu);
  const { send, sendAll, flush } = batch;
  const commands = createCommandQueue(batch, CMDQ);

  /** What histories stored, to take back and to restore. */
  const stored = new Map<bigint, bigint>();
  /** Whether FMT=1 was written, which QEMU remembers until it is reset whole. */
  let twoLevel = false;
  let pileUp = false;
  let eventLog2 = EVENTQ_LOG2;
  /** EVENTQ_PROD as last seen, with its wrap bit. */
  let eventsProduced = 0;
  /** GERROR at the last reset: QEMU's only ever toggles. */
  let gerrorBase = 0n;

  const trigger = (bar: bigint, source: bigint, target: bigint, command: bigint): void => sendAll([writeq(bar + edu.source, source), writeq(bar + edu.target, target), writeq(bar + edu.command, command)]);
  /** Asks until the device is done: it moves data when its timer fires. `look` adds to each question. */
  const wait = async (bar: bigint, look: () => void): Promise<void> => {
    await flush();
    for (let tries = 0, busy = true; busy; tries++) {
      if (tries > MOST_TRIES) throw new QemuDied("the edu device did not finish");
      send(readq(bar + edu.command), (answer) => (busy = (BigInt(answer) & 1n) === 1n));
      look();
      await flush();
    }
  };
  const enableDevices = async (): Promise<void> => {
    sendAll([`memset ${hex(RAM.addr)} ${hex(DEVICE_TREE_BYTES)} 0x0`, register("CR0", 0n), register("GBPA", GBPA_UPDATE | GBPA_RESET), writel(BUFFER, TOKEN)]);
    for (const { config, bar } of devices.values()) {
      sendAll([writel(config + 0x10n, bar), writel(config + 4n, 6n), writeq(bar + edu.count, 4n)]);
      trigger(bar, BUFFER, edu.token, 1n);
      await wait(bar, () => {});
    }
    trace.text();
  };

  const readSlot = (index: number, then: (words: EventWords) => void): void => send(`read ${hex(EVENTQ + BigInt(index % (1 << eventLog2)) * 32n)} 0x20`, (answer) => then(eventWords(answer)));
  /** The records up to `produced`, of which the first was read already; as a rule there is one at most. */
  const eventsUpTo = async (produced: number, first: EventWords): Promise<EventWords[]> => {
    const count = between(eventsProduced, produced, 1 << eventLog2);
    const events = count === 0 ? [] : [first];
    for (let next = 1; next < count; next++) readSlot(eventsProduced + next, (words) => events.push(words));
    if (count > 1) await flush();
    eventsProduced = produced;
    if (count > 0 && !pileUp) send(register("EVENTQ_CONS", BigInt(produced)));
    return events;
  };
  /** Data that landed in RAM is looked for, and what was there before comes back. */
  const takeBack = (pa: bigint): void => {
    if (!within(RAM, pa)) return;
    send(readl(pa), (answer) => {
      if (BigInt(answer) !== TOKEN) throw new Error(`QEMU says that it wrote to ${hex(pa)}, but the data is not there`);
    });
    const word = pa & ~7n;
    for (const each of (pa & 7n) > 4n ? [word, word + 8n] : [word]) send(writeq(each, stored.get(each) ?? 0n));
  };
  const transact = async (transaction: Transaction): Promise<PlayedOutcome> => {
    const { bar } = devices.get(transaction.sid)!;
    if (transaction.size !== 4) send(writeq(bar + edu.count, BigInt(transaction.size)));
    if (transaction.op === "read") trigger(bar, transaction.iova, edu.read, 1n);
    else trigger(bar, edu.token, transaction.iova, 3n);
    let produced = 0;
    let first: EventWords = [0n, 0n, 0n, 0n];
    await wait(bar, () => {
      send(readl(placeOf("EVENTQ_PROD")), (answer) => (produced = Number(answer) % (2 << eventLog2)));
      readSlot(eventsProduced, (words) => (first = words));
    });
    if (transaction.size !== 4) send(writeq(bar + edu.count, 4n));
    const pa = wentTo(trace.text(), transaction);
    const events = await eventsUpTo(produced, first);
    if (pa === undefined) return { result: "abort", events };
    if (events.length > 0) throw new Error(`QEMU recorded an event for a transaction that went to ${hex(pa)}`);
    if (transaction.op === "write") takeBack(pa);
    return { result: "ok", pa };
  };

  const writeRegister = async (offset: number, value: bigint, bytes: 4 | 8): Promise<void> => {
    if (bytes === 4 && offset === offsets.STRTAB_BASE_CFG && StrtabBaseCfg.get([value], "FMT") === "twoLevel") twoLevel = true;
    if (bytes === 4 && offset === offsets.CR0) await commands.writeAndRun("CR0", value);
    else if (bytes === 4 && offset === offsets.GERRORN) await commands.writeAndRun("GERRORN", value ^ gerrorBase);
    else send((bytes === 4 ? writel : writeq)(SMMU + BigInt(offset), value));
  };

  const reset = async (options: ResetOptions = {}): Promise<void> => {
    await flush();
    if (twoLevel) {
      await qmp.reset();
      await enableDevices();
      twoLevel = false;
    }
    send(readl(placeOf("GERROR")), (answer) => (gerrorBase = BigInt(answer)));
    await flush();
    commands.reset(gerrorBase, options.commandQueue);
    eventsProduced = 0;
    pileUp = options.pileUp === true;
    eventLog2 = options.eventQueueLog2 ?? EVENTQ_LOG2;
    if (!(eventLog2 >= 0 && eventLog2 <= EVENTQ_MAX_LOG2)) throw new RangeError(`an event queue of 2^${eventLog2} entries: 2^${EVENTQ_MAX_LOG2} at most`);
    sendAll([register64("EVENTQ_BASE", EVENTQ | BigInt(eventLog2)), register("EVENTQ_PROD", 0n), register("EVENTQ_CONS", 0n)]);
    sendAll([...zeroed.map((name) => register(name, 0n)), ...zeroed64.map((name) => register64(name, 0n)), register("GBPA", GBPA_UPDATE | GBPA_RESET)]);
    for (const page of new Set([...stored.keys()].map(pageOf))) send(`memset ${hex(page)} 0x1000 0x0`);
    stored.clear();
    send(register("CR0", CMDQEN | EVENTQEN));
    await flush();
  };

  const play = async (history: History): Promise<PlayedOutcome[]> => {
    for (const step of history) {
      const why = refusal(step, pileUp);
      if (why !== undefined) throw new RangeError(why);
    }
    const outcomes: PlayedOutcome[] = [];
    for (const step of history) {
      if (batch.size() > MOST_LINES) await flush();
      if (commands.isFull()) throw new RangeError(`${commands.waiting()} commands wait in a queue that stands still`);
      if (step.kind === "store") {
        stored.set(step.addr, step.value);
        send(writeq(step.addr, step.value));
      } else if (step.kind === "command") commands.put(step.words, (outcome) => outcomes.push(outcome));
      else if (step.kind === "register") await writeRegister(step.offset & ~PAGE_1, step.value, step.size);
      else if (step.kind === "transaction") outcomes.push(await transact(step.transaction));
    }
    await flush();
    return outcomes;
  };

  const end = (): void => {
    qmp.end();
    trace.close();
    qemu.end();
  };
  try {
    await enableDevices();
    await reset();
  } catch (error) {
    end();
    throw error;
  }
  return {
    reset,
    play,
    registers: async <R extends Readable>(...names: readonly R[]) => {
      await flush();
      const values = await qemu.ask(names.map((name) => readl(placeOf(name))));
      return Object.fromEntries(names.map((name, index) => [name, BigInt(values[index]!) ^ (name === "GERROR" || name === "GERRORN" ? gerrorBase : 0n)])) as Record<R, bigint>;
    },
    end,
  };
};
