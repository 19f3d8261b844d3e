/** Reads a history: JSON lines in order of time, untrusted, decoded strictly before the first step is taken. */
import * as Result from "effect/Result";
import * as Schema from "effect/Schema";
import type { Checked, Diagnostic } from "../base/diagnostic.ts";
import { hex, PAGE_BYTES } from "../base/words.ts";
import type { HistoryStep } from "../smmuv3/history.ts";
import { wrongIn } from "./lineSchema.ts";
import { readTransaction } from "./transactionList.ts";

const hexText = (bits: number) => Schema.String.check(Schema.isPattern(new RegExp(`^0x0*[0-9a-fA-F]{1,${bits / 4}}$`)));
const number = (text: string): bigint => BigInt(text);

const store = Schema.Struct({ addr: hexText(64), value64: hexText(64) });
const command = Schema.Tuple([hexText(64), hexText(64)]);
const register = Schema.Struct({ offset: hexText(20), value: hexText(64), size: Schema.Literals([4, 8]) });
const pageRequest = Schema.Struct({
  sid: hexText(32),
  ssid: Schema.optionalKey(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 0xf_ffff }))),
  address: hexText(64),
  read: Schema.Boolean,
  write: Schema.Boolean,
  execute: Schema.optionalKey(Schema.Boolean),
  priv: Schema.optionalKey(Schema.Boolean),
  last: Schema.Boolean,
  group: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 511 })),
});

const HINT = 'a line is {"store": {"addr", "value64"}}, {"command": ["0xdw0", "0xdw1"]}, {"register": {"offset", "value", "size": 4 or 8}}, {"transaction": {…}} or {"pageRequest": {…}}';
const fault = (message: string, file: string, at: number, hint = HINT): Diagnostic => ({ id: "bad-history", severity: "error", message, place: { file, line: at }, hint });

type Read<T> = { readonly value: T } | { readonly wrong: string };
const reads =
  <T>(schema: Schema.Codec<T>) =>
  (json: unknown): Read<T> => {
    const decoded = Schema.decodeUnknownResult(schema)(json, { onExcessProperty: "error" });
    return Result.isFailure(decoded) ? { wrong: wrongIn(decoded.failure) } : { value: decoded.success };
  };
/** What a step is made of, by its one key: a step, or what is wrong with it. */
const kinds: Readonly<Record<string, (content: unknown, file: string, at: number) => HistoryStep | Diagnostic | string>> = {
  store: (content) => {
    const read = reads(store)(content);
    if ("wrong" in read) return read.wrong;
    const addr = number(read.value.addr);
    if (addr % 8n !== 0n || addr >> 56n !== 0n) return `${hex(addr)} is not the address of a 64-bit word below 2^56`;
    return { kind: "store", addr, value: number(read.value.value64) };
  },
  command: (content) => {
    const read = reads(command)(content);
    return "wrong" in read ? read.wrong : { kind: "command", words: [number(read.value[0]), number(read.value[1])] };
  },
  register: (content) => {
    const read = reads(register)(content);
    if ("wrong" in read) return read.wrong;
    const { size } = read.value;
    const [offset, value] = [Number(read.value.offset), number(read.value.value)];
    if (offset % size !== 0) return `${hex(offset)} is not a multiple of ${size}`;
    return value >> BigInt(size * 8) === 0n ? { kind: "register", offset, value, size } : `${hex(value)} has more than ${size} bytes`;
  },
  transaction: (content, file, at) => {
    const read = readTransaction(content, file, at);
    return "id" in read ? read : { kind: "transaction", transaction: read };
  },
  pageRequest: (content) => {
    const read = reads(pageRequest)(content);
    if ("wrong" in read) return read.wrong;
    const { sid, address, ...rest } = read.value;
    return number(address) % PAGE_BYTES === 0n ? { kind: "pageRequest", request: { sid: Number(sid), address: number(address), ...rest } } : `${address} is not the address of a page`;
  },
};

/** One line as a step, or what is wrong with it. */
const stepOf = (text: string, file: string, at: number): HistoryStep | Diagnostic => {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return fault("the line is not JSON", file, at);
  }
  const keys = typeof json === "object" && json !== null && !Array.isArray(json) ? Object.keys(json) : [];
  const [key] = keys;
  if (key === undefined || keys.length !== 1 || !Object.hasOwn(kinds, key)) return fault("a line has exactly one key, and it says what happens", file, at);
  const step = kinds[key]!((json as Readonly<Record<string, unknown>>)[key], file, at);
  return typeof step === "string" ? fault(`${key}: ${step}`, file, at) : step;
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
