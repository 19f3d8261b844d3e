/** Reads a transaction list: JSON lines, untrusted, decoded strictly before the first is judged. */
import * as Result from "effect/Result";
import * as Schema from "effect/Schema";
import type { Checked, Diagnostic } from "../base/diagnostic.ts";
import type { Transaction } from "../base/transaction.ts";
import { wrongIn } from "./lineSchema.ts";
import { hex, iova, PAGE_BYTES, streamId } from "../base/words.ts";

const line = Schema.Struct({
  sid: Schema.String.check(Schema.isPattern(/^0x0*[0-9a-fA-F]{1,8}$/)),
  ssid: Schema.optionalKey(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 0xf_ffff }))),
  op: Schema.Literals(["read", "write"]),
  iova: Schema.String.check(Schema.isPattern(/^0x0*[0-9a-fA-F]{1,16}$/)),
  size: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: Number(PAGE_BYTES) })),
  priv: Schema.optionalKey(Schema.Boolean),
  instr: Schema.optionalKey(Schema.Boolean),
  ats: Schema.optionalKey(Schema.Literals(["request", "translated"])),
});
const decode = Schema.decodeUnknownResult(line);

const HINT = 'a line is {"sid": "0x10", "op": "read", "iova": "0x1000", "size": 4}, with "ssid", "priv", "instr" and "ats" where the device sends them';
const fault = (message: string, file: string, at: number, hint = HINT): Diagnostic => ({ id: "bad-transaction", severity: "error", message, place: { file, line: at }, hint });

/** A value as a transaction, or what is wrong with it; `at` is its line. */
export const readTransaction = (json: unknown, file: string, at: number): Transaction | Diagnostic => {
  const decoded = decode(json, { onExcessProperty: "error" });
  if (Result.isFailure(decoded)) return fault(wrongIn(decoded.failure), file, at);
  const { sid, iova: address, ...rest } = decoded.success;
  const first = BigInt(address);
  if ((first % PAGE_BYTES) + BigInt(rest.size) > PAGE_BYTES) return fault(`${rest.size} bytes at ${hex(first)} cross a 4 KiB boundary`, file, at, "a transaction lies within one page: split it");
  return { sid: streamId(Number(sid)), iova: iova(first), ...rest };
};

/** One line as a transaction, or what is wrong with it. */
const transactionOf = (text: string, file: string, at: number): Transaction | Diagnostic => {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return fault("the line is not JSON", file, at);
  }
  return readTransaction(json, file, at);
};

/** All transactions of a list, or the first line that is wrong. Blank lines are skipped. */
export const readTransactions = (text: string, file: string): Checked<readonly Transaction[]> => {
  const transactions: Transaction[] = [];
  for (const [index, content] of text.split("\n").entries()) {
    if (content.trim() === "") continue;
    const read = transactionOf(content, file, index + 1);
    if ("id" in read) return { value: undefined, diagnostics: [read] };
    transactions.push(read);
  }
  return { value: transactions, diagnostics: [] };
};
