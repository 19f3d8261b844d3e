/** The player's command queue: each command is consumed at once, or known not to be. */
import { CommandCfgiRange, CommandSync, CommandTlbi, opcodes } from "../../specs/smmuv3/command.ts";
import { QueueBase } from "../../specs/smmuv3/registers.ts";
import { type Batch, between, placeOf, readl, register, register64, writeq } from "./batch.ts";

export const CMDQ_LOG2 = 12;
const COMMANDS = 1 << CMDQ_LOG2;
const INDICES = 2 * COMMANDS;
export const CMDQEN = 8n;
const CMDQ_ERR = 1n;

const SYNC = CommandSync.encode({ Op: BigInt(opcodes.SYNC.code) });
const invalidation = [CommandCfgiRange.encode({ Op: BigInt(opcodes.CFGI_STE_RANGE.code), Range: 31n }), CommandTlbi.encode({ Op: BigInt(opcodes.TLBI_NSNH_ALL.code) }), SYNC];

export type Unconsumed = { readonly result: "cerror"; readonly code: number } | { readonly result: "not-consumed" };

export interface CommandQueue {
  /** `told` hears if the command was not consumed, when the batch is read. */
  readonly put: (words: readonly bigint[], told: (outcome: Unconsumed) => void) => void;
  /**
   * Writes a register after which the queue may run on. What waits in it is made SYNC first, as a driver does, so that it
   * is never executed.
   */
  readonly writeAndRun: (name: "CR0" | "GERRORN", value: bigint) => Promise<void>;
  /** Commands that wait, as of the last `flush`. */
  readonly waiting: () => number;
  readonly isFull: () => boolean;
  /** Empties the queue, acknowledges `gerror`, invalidates all caches, and points CMDQ_BASE to `base`. Leaves CR0=0. */
  readonly reset: (gerror: bigint, base: bigint | undefined) => void;
}

/** A queue in memory at `home`. */
export const createCommandQueue = ({ send, sendAll, flush }: Batch, home: bigint): CommandQueue => {
  let base = home;
  /** Indices with their wrap bits. */
  let [produced, consumed] = [0, 0];
  /** CR0.CMDQEN, and whether CMDQ_ERR is active. */
  let [on, stopped] = [true, false];

  const pointTo = (address: bigint): void => {
    base = address;
    send(register64("CMDQ_BASE", QueueBase.encode({ ADDR: address, LOG2SIZE: BigInt(CMDQ_LOG2) })[0]!));
  };
  const store = (index: number, words: readonly bigint[]): void => words.forEach((word, which) => send(writeq(base + BigInt(index % COMMANDS) * 16n + BigInt(which * 8), word)));
  const waiting = (): number => between(consumed, produced, COMMANDS);
  return {
    put: (words, told) => {
      store(produced, words);
      const next = (produced = (produced + 1) % INDICES);
      send(register("CMDQ_PROD", BigInt(next)));
      send(readl(placeOf("CMDQ_CONS")), (answer) => {
        const consumer = Number(answer);
        consumed = consumer % INDICES;
        if (consumed === next) return;
        told(stopped || !on ? { result: "not-consumed" } : { result: "cerror", code: (consumer >> 24) & 0x7f });
        stopped ||= on;
      });
    },
    writeAndRun: async (name, value) => {
      await flush();
      for (let each = 0; each < waiting(); each++) store(consumed + each, SYNC);
      if (name === "CR0") on = (value & CMDQEN) !== 0n;
      let errors = 0n;
      send(register(name, value));
      send(readl(placeOf("CMDQ_CONS")), (answer) => (consumed = Number(answer) % INDICES));
      send(readl(placeOf("GERROR")), (answer) => (errors = BigInt(answer)));
      send(readl(placeOf("GERRORN")), (answer) => (stopped = ((errors ^ BigInt(answer)) & CMDQ_ERR) !== 0n));
    },
    waiting,
    isFull: () => waiting() > COMMANDS / 2,
    reset: (gerror, elsewhere) => {
      const empty = [register("CR0", 0n), register("CMDQ_PROD", 0n), register("CMDQ_CONS", 0n)];
      pointTo(home);
      sendAll([...empty, register("GERRORN", gerror)]);
      invalidation.forEach((words, index) => store(index, words));
      sendAll([register("CR0", CMDQEN), register("CMDQ_PROD", BigInt(invalidation.length))]);
      send(readl(placeOf("CMDQ_CONS")), (answer) => {
        if (Number(answer) !== invalidation.length) throw new Error(`QEMU did not consume the invalidation at a reset: CONS ${answer}`);
      });
      sendAll(empty);
      pointTo(elsewhere ?? home);
      [produced, consumed, on, stopped] = [0, 0, true, false];
    },
  };
};
