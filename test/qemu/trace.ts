/** Where transactions went, as QEMU traces them into a file. */
import { closeSync, openSync, readSync } from "node:fs";
import type { Transaction } from "../../src/base/transaction.ts";

export interface Trace {
  /** What was added since the last time. */
  readonly text: () => string;
  readonly close: () => void;
}

export const openTrace = (path: string): Trace => {
  const file = openSync(path, "r");
  const buffer = Buffer.alloc(1 << 16);
  let from = 0;
  return {
    text: () => {
      const length = readSync(file, buffer, 0, buffer.length, from);
      from += length;
      return buffer.toString("latin1", 0, length);
    },
    close: () => closeSync(file),
  };
};

const READ = 1;
const WRITE = 2;

/** The physical address of a 4-byte transaction. A translation without the right for it comes to nothing. */
export const wentTo = (traced: string, { iova, op }: Pick<Transaction, "iova" | "op">): bigint | undefined => {
  const line = traced.trimEnd().split("\n").at(-1)!;
  const success = /smmuv3_translate_success .* translated=(0x[0-9a-f]+) perm=(0x[0-9a-f]+)/.exec(line);
  if (success !== null) return (Number(success[2]) & (op === "read" ? READ : WRITE)) === 0 ? undefined : BigInt(success[1]!);
  return line.includes("smmuv3_translate_bypass") || line.includes("smmuv3_translate_disable") ? iova : undefined;
};
