/** Reads an invocation list: JSON lines, untrusted, decoded strictly before the first one is made. */
import * as Result from "effect/Result";
import * as Schema from "effect/Schema";
import { type Checked, type Diagnostic, printable } from "../base/diagnostic.ts";
import type { Message } from "../kernel/api.ts";
import { wrongIn } from "./lineSchema.ts";

const word = Schema.String.check(Schema.isPattern(/^0x0*[0-9a-fA-F]{1,16}$/u)).annotate({ expected: "a hex number of at most 64 bits such as `0x1f`" });
/** seL4_MsgMaxLength and seL4_MsgMaxExtraCaps. */
const line = Schema.Struct({
  actor: Schema.String,
  cptr: word,
  label: Schema.String,
  words: Schema.optionalKey(Schema.Array(word).check(Schema.isMaxLength(120))),
  caps: Schema.optionalKey(Schema.Array(word).check(Schema.isMaxLength(3))),
  /** An interrupt is pending after so many preemption points of this call. */
  preempt: Schema.optionalKey(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 1_000_000 }))),
});

export interface InvocationLine extends Message {
  readonly actor: string;
  readonly at: number;
}

const HINT = 'a line is {"actor", "cptr": "0x…", "label": "ARMSIDBindCB", "words": ["0x…"], "caps": ["0x…"]}';
const fault = (message: string, file: string, at: number): Diagnostic => ({ id: "bad-invocation-list", severity: "error", message, place: { file, line: at }, hint: HINT });

const lineOf = (text: string, file: string, at: number, actors: readonly string[]): InvocationLine | Diagnostic => {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return fault("the line is not JSON", file, at);
  }
  const decoded = Schema.decodeUnknownResult(line)(json, { onExcessProperty: "error" });
  if (Result.isFailure(decoded)) return fault(wrongIn(decoded.failure), file, at);
  const { actor, cptr, label, words = [], caps = [], preempt } = decoded.success;
  if (!actors.includes(actor)) return fault(`there is no component \`${printable(actor.slice(0, 60))}\`; there are ${actors.slice(0, 20).join(", ")}`, file, at);
  return { actor, cptr: BigInt(cptr), label, words: words.map(BigInt), caps: caps.map(BigInt), ...(preempt === undefined ? {} : { preempt }), at };
};

/** All lines, or the first that is wrong. Blank lines are skipped. */
export const readInvocations = (text: string, file: string, actors: readonly string[]): Checked<readonly InvocationLine[]> => {
  const lines: InvocationLine[] = [];
  for (const [index, content] of text.split("\n").entries()) {
    if (content.trim() === "") continue;
    const read = lineOf(content, file, index + 1, actors);
    if ("id" in read) return { value: undefined, diagnostics: [read] };
    lines.push(read);
  }
  return { value: lines, diagnostics: [] };
};
