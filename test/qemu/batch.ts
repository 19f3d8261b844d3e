/** Batches of qtest commands: lines to send at once, with what is to be done with each answer. */
import { offsets } from "../../specs/smmuv3/registers.ts";
import { hex } from "../../src/base/words.ts";
import type { Qtest } from "./qtest.ts";

export const readl = (address: bigint): string => `readl ${hex(address)}`;
export const readq = (address: bigint): string => `readq ${hex(address)}`;
export const writel = (address: bigint, value: bigint): string => `writel ${hex(address)} ${hex(value)}`;
export const writeq = (address: bigint, value: bigint): string => `writeq ${hex(address)} ${hex(value)}`;

/** Base of the SMMU's registers. */
export const SMMU = 0x0905_0000n;
export type RegisterName = keyof typeof offsets;
export const placeOf = (name: RegisterName): bigint => SMMU + BigInt(offsets[name]);
export const register = (name: RegisterName, value: bigint): string => writel(placeOf(name), value);
export const register64 = (name: RegisterName, value: bigint): string => writeq(placeOf(name), value);

export interface Batch {
  readonly send: (line: string, read?: (answer: string) => void) => void;
  readonly sendAll: (lines: readonly string[]) => void;
  /** Lines that wait for `flush`. */
  readonly size: () => number;
  /** Sends what waits; done when every answer was read. Throws QemuDied, and what a reader throws. */
  readonly flush: () => Promise<void>;
}

export const createBatch = ({ ask }: Pick<Qtest, "ask">): Batch => {
  let lines: string[] = [];
  let readers: (((answer: string) => void) | undefined)[] = [];
  const send = (line: string, read?: (answer: string) => void): void => {
    lines.push(line);
    readers.push(read);
  };
  return {
    send,
    sendAll: (all) => all.forEach((line) => send(line)),
    size: () => lines.length,
    flush: async () => {
      const [sent, reading] = [lines, readers];
      [lines, readers] = [[], []];
      if (sent.length > 0) (await ask(sent)).forEach((answer, index) => reading[index]?.(answer));
    },
  };
};

/** From one index of a queue to another, both with their wrap bits. */
export const between = (from: number, to: number, entries: number): number => (to - from + 2 * entries) % (2 * entries);
