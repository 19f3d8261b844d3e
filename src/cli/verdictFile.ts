/** Reads what a report needs of a verdict file: untrusted JSON. What else a verdict holds is not looked at. */
import * as Schema from "effect/Schema";
import * as Result from "effect/Result";
import { type Checked, printable } from "../base/diagnostic.ts";
import type { ReportedVerdict } from "../check/export/report.ts";
import { traceSchema } from "./traceFile.ts";

const text = Schema.String.check(Schema.isMaxLength(2000));
const verdictSchema = Schema.Struct({
  format: Schema.Literal("cofferdam-verdict"),
  version: Schema.Literal(1),
  system: text,
  properties: Schema.Array(Schema.Struct({ name: text, sentence: text, result: Schema.Literals(["holds", "violated", "undecided"]) })),
  violations: Schema.Array(Schema.Struct({ property: text, sentence: text, message: text, trace: Schema.optionalKey(traceSchema) })),
});

/** Is this the JSON of a verdict, right or wrong? */
export const isVerdict = (json: unknown): boolean => typeof json === "object" && json !== null && "format" in json && json.format === "cofferdam-verdict";

export const readVerdict = (json: unknown, file: string): Checked<ReportedVerdict> => {
  const decoded = Schema.decodeUnknownResult(verdictSchema)(json);
  if (Result.isSuccess(decoded)) return { value: decoded.success, diagnostics: [] };
  const message = printable(String(decoded.failure).split("\n").slice(0, 3).join(" "));
  return { value: undefined, diagnostics: [{ id: "bad-verdict", severity: "error", message, place: { file }, hint: "give a verdict.json that `cofferdam check --out` wrote" }] };
};
