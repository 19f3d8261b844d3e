/** Whole scenes: what memory and registers are, and the transactions of one to three streams. */
import fc from "fast-check";
import type { History } from "../../../src/smmuv3/history.ts";
import { makeStreamTable, registersChoice } from "./streamTable.ts";
import { createMemory, makeStream, makeTransaction, type Meant, type Stream, streamChoice, transactionChoice } from "./streams.ts";

export interface Scene {
  /** Stores, then registers. */
  readonly boot: History;
  readonly streams: readonly Stream[];
  readonly transactions: readonly Meant[];
}

export const scene: fc.Arbitrary<Scene> = fc
  .record({
    registers: registersChoice,
    streams: fc.array(streamChoice, { minLength: 1, maxLength: 3 }),
    transactions: fc.array(transactionChoice, { minLength: 1, maxLength: 6 }),
  })
  .map(({ registers, streams: choices, transactions: asked }) => {
    const memory = createMemory();
    const streams: Stream[] = [];
    for (const [at, choice] of choices.entries()) streams.push(makeStream(memory, choice, at, streams[0]));
    const transactions = asked.map((choice) => makeTransaction(memory, streams, choice));
    const writes = makeStreamTable(memory, registers, streams);
    const stores = [...memory.words].map(([addr, value]) => ({ kind: "store", addr, value }) as const);
    return { boot: [...stores, ...writes], streams, transactions };
  });
