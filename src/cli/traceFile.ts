/** Reads a trace file: untrusted JSON, decoded strictly before anything acts on it. */
import * as Schema from "effect/Schema";
import * as Result from "effect/Result";
import type { Checked, Diagnostic } from "../base/diagnostic.ts";
import { printable } from "../base/diagnostic.ts";
import { profileNames } from "../kernel/profile.ts";
import { reductionNames } from "../kernel/reductions.ts";
import { TRACE_FORMAT, TRACE_VERSION, type Trace } from "../check/traces/trace.ts";

const number = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0), Schema.isLessThanOrEqualTo(999));
const word = Schema.String.check(Schema.isPattern(/^0x[0-9a-f]{1,16}$/));
const short = Schema.String.check(Schema.isMaxLength(400));

const scope = Schema.Struct({ pages: number, slots: number, children: number, addresses: number });
const model = Schema.Struct({
  hash: short,
  profile: Schema.Literals(profileNames),
  mutant: Schema.optionalKey(short),
  machine: Schema.Literals(["smmuv3", "smmuv2"]),
  grain: Schema.Literal("coarse"),
  caches: Schema.Literals(["may", "none"]),
  scope,
  whole: Schema.optionalKey(Schema.Literal(true)),
  unreduced: Schema.optionalKey(Schema.Array(Schema.Literals(reductionNames))),
});
const changed = Schema.Struct({ table: Schema.optionalKey(short), what: short, field: short, old: Schema.Union([short, Schema.Int]), new: Schema.Union([short, Schema.Int]) });
const given = Schema.Struct({
  kind: Schema.Literals(["store", "fill", "barrier", "register", "command", "sync"]),
  addr: Schema.optionalKey(word),
  size: Schema.optionalKey(word),
  old: Schema.optionalKey(word),
  new: Schema.optionalKey(word),
  command: Schema.optionalKey(Schema.Array(word)),
  what: Schema.optionalKey(short),
});
const step = Schema.Struct({ actor: short, op: short, args: Schema.Record(short, word), sent: Schema.optionalKey(Schema.Struct({ words: number, caps: number })), result: short, changed: Schema.Array(changed), steps: Schema.Array(given) });
const witness = Schema.Struct({
  smmu: number,
  sid: Schema.String.check(Schema.isPattern(/^-?0x[0-9a-f]{1,8}$/)),
  iova: Schema.optionalKey(word),
  op: Schema.Literals(["read", "write"]),
  pa: Schema.optionalKey(word),
  via: Schema.Array(Schema.Struct({ what: short, addr: word, value: word })),
});

export const traceSchema = Schema.Struct({
  format: Schema.Literal(TRACE_FORMAT),
  version: Schema.Literal(TRACE_VERSION),
  model,
  spec: Schema.Struct({ hash: short }),
  property: short,
  seed: Schema.optionalKey(Schema.String.check(Schema.isMaxLength(20_000))),
  message: short,
  steps: Schema.Array(step).check(Schema.isMaxLength(10_000)),
  witness,
  final: short,
});

const fault = (file: string, message: string): Diagnostic => ({ id: "bad-trace", severity: "error", message, place: { file }, hint: "give a trace that `cofferdam check --out` wrote" });

export const readTrace = (text: string, file: string): Checked<Trace> => {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return { value: undefined, diagnostics: [fault(file, "the file is not JSON")] };
  }
  const format: unknown = (json as { format?: unknown } | null)?.format;
  if (format !== TRACE_FORMAT) return { value: undefined, diagnostics: [fault(file, typeof format === "string" ? `the file is no trace but a \`${printable(format).slice(0, 60)}\`` : "the file is no trace: it has no `format`")] };
  const decoded = Schema.decodeUnknownResult(traceSchema)(json, { onExcessProperty: "error" });
  if (Result.isFailure(decoded)) return { value: undefined, diagnostics: [fault(file, printable(String(decoded.failure).split("\n").slice(0, 3).join(" ")))] };
  return { value: decoded.success, diagnostics: [] };
};
