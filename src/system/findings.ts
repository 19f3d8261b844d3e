/** What a stage has found so far: one list, sorted by place when it is read, errors and warnings alike. */
import type { Diagnostic, Severity } from "../base/diagnostic.ts";
import { sortByPlace, type KeyPath, type Places } from "./place.ts";

/** Findings of one stage beyond this number are counted, not listed. */
export const FINDINGS_LIMIT = 200;

export interface Findings {
  /** Points at the value that `path` leads to. */
  readonly error: (id: string, path: KeyPath, message: string, hint?: string) => void;
  readonly warning: (id: string, path: KeyPath, message: string, hint?: string) => void;
  /** Points at the last key of `path`. */
  readonly errorAtKey: (id: string, path: KeyPath, message: string, hint?: string) => void;
  /** A finding that has its own place, such as one about the board. */
  readonly add: (diagnostic: Diagnostic) => void;
  readonly failed: () => boolean;
  readonly list: () => readonly Diagnostic[];
}

export const createFindings = (places: Places): Findings => {
  const found: Diagnostic[] = [];
  let errors = 0;
  let beyond = 0;
  const add = (diagnostic: Diagnostic): void => {
    if (diagnostic.severity === "error") errors += 1;
    // An error must never be dropped for the sake of warnings: the list may not look clean when the stage failed.
    if (found.length < FINDINGS_LIMIT || (diagnostic.severity === "error" && errors === 1)) found.push(diagnostic);
    else beyond += 1;
  };
  const report = (severity: Severity, place: (path: KeyPath) => Diagnostic["place"]) => (id: string, path: KeyPath, message: string, hint?: string) => {
    const at = found.length < FINDINGS_LIMIT ? place(path) : undefined;
    add({ id, severity, message, ...(at === undefined ? {} : { place: at }), ...(hint === undefined ? {} : { hint }) });
  };
  const rest = (): readonly Diagnostic[] =>
    beyond === 0 ? [] : [{ id: "more-findings", severity: errors > 0 ? "error" : "warning", message: `${beyond} more findings are not listed` }];
  return {
    error: report("error", places.value),
    warning: report("warning", places.value),
    errorAtKey: report("error", places.key),
    add,
    failed: () => errors > 0,
    list: () => [...sortByPlace(found), ...rest()],
  };
};
