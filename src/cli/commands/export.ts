/** `cofferdam export FILE --as FORMAT`: a counterexample as a test, a diagram, another tool's trace, or a report. */
import { basename, dirname, relative, sep } from "node:path";
import type { Checked, Diagnostic } from "../../base/diagnostic.ts";
import type { ExportFormat } from "../../check/export/formats.ts";
import { itfOf } from "../../check/export/itf.ts";
import { junitOf } from "../../check/export/junit.ts";
import { mermaidOf } from "../../check/export/mermaid.ts";
import { type Report, reportOfTrace, reportOfVerdict } from "../../check/export/report.ts";
import { sarifOf } from "../../check/export/sarif.ts";
import { vitestOf } from "../../check/export/vitest.ts";
import { isGoalName } from "../../check/strategies/goals.ts";
import type { Trace } from "../../check/traces/trace.ts";
import { showDiagnostics } from "../diagnostics.ts";
import { BAD_INPUT, exitWith } from "../exit.ts";
import { readBytes, unreadable } from "../files.ts";
import { programVersion } from "../system.ts";
import { readTrace } from "../traceFile.ts";
import { isVerdict, readVerdict } from "../verdictFile.ts";
import { write } from "./generate.ts";

export interface ExportFlags {
  readonly as: ExportFormat;
  readonly spec: string | undefined;
  readonly out: string | undefined;
}

interface Input {
  readonly report: Report;
  readonly trace?: Trace;
}

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

const readInput = (text: string, file: string): Checked<Input> => {
  const json = parsed(text);
  if (isVerdict(json)) {
    const { value, diagnostics } = readVerdict(json, file);
    return { value: value === undefined ? undefined : { report: reportOfVerdict(value) }, diagnostics };
  }
  const { value, diagnostics } = readTrace(text, file);
  return { value: value === undefined ? undefined : { report: reportOfTrace(value), trace: value }, diagnostics };
};

/** With `/`, from the folder of the output. */
const fromOutput = (path: string, out: string | undefined): string => relative(out === undefined ? "." : dirname(out), path).split(sep).join("/");

/** The text, or undefined where the format needs a single trace. */
const rendered = ({ report, trace }: Input, file: string, { as, spec, out }: ExportFlags): string | undefined => {
  switch (as) {
    case "sarif":
      return sarifOf(report, { version: programVersion(), file: spec ?? file });
    case "junit":
      return junitOf(report);
    case "vitest":
      return trace && vitestOf(trace, spec === undefined ? "system.yaml" : fromOutput(spec, out));
    case "mermaid":
      return trace && mermaidOf(trace);
    case "itf":
      return trace && itfOf(trace);
    default:
      return as satisfies never;
  }
};

const refuse = (...diagnostics: readonly Diagnostic[]): void => {
  showDiagnostics(diagnostics);
  exitWith(BAD_INPUT);
};

export const exportFile = (file: string, flags: ExportFlags): void => {
  const bytes = readBytes(file);
  if (bytes === undefined) return refuse(unreadable(file, "the trace"));
  const { value, diagnostics } = readInput(new TextDecoder().decode(bytes), file);
  if (value === undefined) return refuse(...diagnostics);
  if (value.trace !== undefined && isGoalName(value.trace.property) && ["sarif", "junit", "vitest"].includes(flags.as)) return refuse({ id: "usage", severity: "error", message: `${flags.as} tells of violations, and \`${file}\` shows that something is possible`, hint: "export it as mermaid or itf" });
  const text = rendered(value, file, flags);
  if (text === undefined) return refuse({ id: "usage", severity: "error", message: `${flags.as} shows one trace, and \`${file}\` is a verdict`, hint: "give one of the trace files beside it" });
  if (flags.out === undefined) return void process.stdout.write(text);
  write(dirname(flags.out), [{ name: basename(flags.out), text }]);
};
