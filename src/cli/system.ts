/** Opens a system spec for a command: reads, plans, and says on stderr whatever was found. */
import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { type Diagnostic, hasError } from "../base/diagnostic.ts";
import { type Plan, planSystem } from "../system/plan.ts";
import { showDiagnostics } from "./diagnostics.ts";
import { BAD_INPUT, exitWith } from "./exit.ts";
import { readBytes, unreadable } from "./files.ts";

export interface OpenSystem {
  readonly plan: Plan;
  readonly diagnostics: readonly Diagnostic[];
}

const utf8 = (bytes: Uint8Array): string | undefined => {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
};

/** The planned system, or undefined after the exit code was set. */
export const openSystem = (specFile: string): OpenSystem | undefined => {
  const bytes = readBytes(specFile);
  if (bytes === undefined) {
    showDiagnostics([unreadable(specFile, "the system spec")]);
    exitWith(BAD_INPUT);
    return undefined;
  }
  const specText = utf8(bytes);
  if (specText === undefined) {
    showDiagnostics([{ id: "file-not-utf8", severity: "error", message: `\`${specFile}\` is no UTF-8 text`, place: { file: specFile }, hint: "save the spec as UTF-8" }]);
    exitWith(BAD_INPUT);
    return undefined;
  }
  const { value, diagnostics } = planSystem({ specText, specFile, readBoard: (relative) => readBytes(resolve(dirname(specFile), relative)) });
  showDiagnostics(diagnostics, (file) => (file === specFile ? specText : undefined));
  if (value === undefined || hasError(diagnostics)) {
    exitWith(BAD_INPUT);
    return undefined;
  }
  return { plan: value, diagnostics };
};

/** The version that this program was published as. */
export const programVersion = (): string => (JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as { readonly version: string }).version;
