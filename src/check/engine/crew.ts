/**
 * The threads of a search. The calling thread is one of them and leads: it starts rounds, takes part in them, and alone
 * changes anything between rounds. The others sleep on a word of their own. A thread joins when it has started, so a
 * small search is over before any does.
 */
import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from "node:worker_threads";
import { PAUSE, type Shared, STATES } from "./chunks.ts";
import type { Compiled } from "./compiled.ts";
import type { ModelSource } from "./recipeModel.ts";
import type { Memory } from "./visited.ts";

/** What a thread's word says. */
export const STARTING = 0;
export const PARKED = 1;
export const RUNNING = 2;
export const QUIT = 3;
export const FAILED = 4;

export const stateWord = (thread: number): number => STATES + thread * 16;

export interface CrewOrder {
  readonly compiled: Compiled;
  readonly source: ModelSource | undefined;
  readonly shared: Shared;
  readonly thread: number;
  readonly port: MessagePort;
}
/** `failed` comes from a thread; memory goes to it. */
export type CrewMessage = { readonly kind: "memory"; readonly memory: Memory } | { readonly kind: "failed"; readonly message: string };

export interface Crew {
  /** Runs `lead` here and the work on every thread that has started, and waits for all. */
  readonly round: (lead: () => void) => void;
  /** Hands out new memory; between rounds only. */
  readonly share: (memory: Memory) => void;
  /** Threads of the round that runs, the leader among them. */
  readonly working: () => number;
  /** True when a thread has started that this round was without. */
  readonly newcomers: () => boolean;
  /** Blocks until every thread has started. */
  readonly gather: () => void;
  readonly quit: () => void;
}

const START_SECONDS = 30;

export const createCrew = (compiled: Compiled, source: ModelSource | undefined, shared: Shared): Crew => {
  const { control } = shared;
  const members = Array.from({ length: shared.threads - 1 }, (_, index) => {
    const { port1, port2 } = new MessageChannel();
    const order: CrewOrder = { compiled, source, shared, thread: index + 1, port: port2 };
    const worker = new Worker(new URL(`./crewThread.${import.meta.url.endsWith(".ts") ? "ts" : "js"}`, import.meta.url), { workerData: order, transferList: [port2] });
    worker.unref();
    port1.unref();
    return { worker, port: port1, word: stateWord(index + 1) };
  });
  type Member = (typeof members)[number];
  const fail = ({ port, worker }: Member): never => {
    const said: { message: CrewMessage } | undefined = receiveMessageOnPort(port);
    throw new Error(`a search thread (${worker.threadId}) failed: ${said?.message.kind === "failed" ? said.message.message : "no reason given"}`);
  };
  const sleep = (member: Member, during: number, milliseconds?: number): number => {
    if (Atomics.load(control, member.word) === during) Atomics.wait(control, member.word, during, milliseconds);
    return Atomics.load(control, member.word);
  };
  let taking: readonly Member[] = [];
  return {
    round: (lead) => {
      taking = members.filter(({ word }) => Atomics.compareExchange(control, word, PARKED, RUNNING) === PARKED);
      for (const { word } of taking) Atomics.notify(control, word);
      try {
        lead();
      } catch (error) {
        Atomics.store(control, PAUSE, 1);
        throw error;
      } finally {
        for (const member of taking) while (Atomics.load(control, member.word) === RUNNING) sleep(member, RUNNING);
      }
      for (const member of members) if (Atomics.load(control, member.word) === FAILED) fail(member);
    },
    share: (memory) => {
      for (const { port } of members) port.postMessage({ kind: "memory", memory } satisfies CrewMessage);
    },
    working: () => 1 + taking.length,
    newcomers: () => taking.length < members.length && members.some((member) => !taking.includes(member) && Atomics.load(control, member.word) === PARKED),
    gather: () => {
      for (const member of members) {
        const state = sleep(member, STARTING, START_SECONDS * 1000);
        if (state === FAILED) fail(member);
        if (state === STARTING) throw new Error("a search thread did not start");
      }
    },
    quit: () => {
      for (const { word, port, worker } of members) {
        Atomics.store(control, word, QUIT);
        Atomics.notify(control, word);
        port.close();
        void worker.terminate();
      }
    },
  };
};
