/** Reads a history: JSON lines in order of time, untrusted, decoded strictly before the first step is taken. */
import * as Result from "effect/Result";
import * as Schema from "effect/Schema";
import type { Checked, Diagnostic } from "../base/diagnostic.ts";
import { hex, PAGE_BYTES } from "../base/words.ts";
import type { HistoryStep } from "../smmuv3/history.ts";
import { readTransaction } from "./transactionList.ts";

const hexText = (bits: number) => Schema.String.check(Schema.isPattern(new RegExp(`^0x0*[0-9a-fA-F]{1,${bits / 4}}$`)));
const number = (text: string): bigint => BigInt(text);

const store = Schema.Struct({ store: Schema.Struct({ addr: hexText(64), value64: hexText(64) }) });
const command = Schema.Struct({ command: Schema.Tuple([hexText(64), hexText(64)]) });
const register = Schema.Struct({ register: Schema.Struct({ offset: hexText(20), value: hexText(64), size: Schema.Literals([4, 8]) }) });
const transaction = Schema.Struct({ transaction: Schema.Unknown });
const pageRequest = Schema.Struct({
  pageRequest: Schema.Struct({
    sid: hexText(32),
    ssid: Schema.optionalKey(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 0xf_ffff }))),
    address: hexText(64),
    read: Schema.Boolean,
    write: Schema.Boolean,
    execute: Schema.optionalKey(Schema.Boolean),
    priv: Schema.optionalKey(Schema.Boolean),
    last: Schema.Boolean,
    group: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 511 })),
  }),
});
const line = Schema.Union([store, command, register, transaction, pageRequest]);
const decode = Schema.decodeUnknownResult(line);

/** What is wrong with a line is shown up to here. */
const SHOWN = 300;
const HINT = 'a line is {"store": {"addr", "value64"}}, {"command": ["0xdw0", "0xdw1"]}, {"register": {"offset", "value", "size": 4 or 8}} {"transaction": {…}} or {"pageRequest": {…}}';
const fault = (message: string, file: string, at: number, hint = HINT): Diagnostic => ({ id: "bad-history", severity: "error", message, place: { file, line: at }, hint });
const told = (error: unknown): string =>
  String(error)
    .split("\n")
    .map((part) => part.trim())
    .join(" ")
    .slice(0, SHOWN);

/** One line as a step, or what is wrong with it. */
const stepOf = (text: string, file: string, at: number): HistoryStep | Diagnostic => {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return fault("the line is not JSON", file, at);
  }
  const decoded = decode(json, { onExcessProperty: "error" });
  if (Result.isFailure(decoded)) return fault(told(decoded.failure), file, at);
  const step = decoded.success;
  if ("store" in step) {
    const addr = number(step.store.addr);
    if (addr % 8n !== 0n || addr >> 56n !== 0n) return fault(`${hex(addr)} is not the address of a 64-bit word below 2^56`, file, at);
    return { kind: "store", addr, value: number(step.store.value64) };
  }
  if ("command" in step) return { kind: "command", words: [number(step.command[0]), number(step.command[1])] };
  if ("transaction" in step) {
    const read = readTransaction(step.transaction, file, at);
    return "id" in read ? read : { kind: "transaction", transaction: read };
  }
  if ("pageRequest" in step) {
    const { sid, address, ...rest } = step.pageRequest;
    return number(address) % PAGE_BYTES === 0n ? { kind: "pageRequest", request: { sid: Number(sid), address: number(address), ...rest } } : fault(`${address} is not the address of a page`, file, at);
  }
  const { size } = step.register;
  const [offset, value] = [Number(step.register.offset), number(step.register.value)];
  if (offset % size !== 0) return fault(`${hex(offset)} is not a multiple of ${size}`, file, at);
  return value >> BigInt(size * 8) === 0n ? { kind: "register", offset, value, size } : fault(`${hex(value)} has more than ${size} bytes`, file, at);
};

/** All steps of a history, or the first line that is wrong. Blank lines are skipped. */
export const readHistory = (text: string, file: string): Checked<readonly HistoryStep[]> => {
  const steps: HistoryStep[] = [];
  for (const [index, content] of text.split("\n").entries()) {
    if (content.trim() === "") continue;
    const read = stepOf(content, file, index + 1);
    if ("id" in read) return { value: undefined, diagnostics: [read] };
    steps.push(read);
  }
  return { value: steps, diagnostics: [] };
};
