/**
 * One form for everything the program has to say about an input: what is wrong, where, and what to do.
 * Each stage collects all it finds; text, JSON and exit codes are views of this value (src/cli).
 */
export type Severity = "error" | "warning" | "info";

/** Where the fault lies: a span in a text file, a node of a device tree, or both. Lines and columns start at 1. */
export interface Place {
  readonly file?: string;
  readonly line?: number;
  readonly column?: number;
  /** One past the last column of the span, on the same line. */
  readonly endColumn?: number;
  /** Full path of the device-tree node, or the key path in a spec (`components.nic.devices`). */
  readonly path?: string;
}

export interface Diagnostic {
  /** Stable, greppable name of the rule, e.g. `shared-stream`. */
  readonly id: string;
  readonly severity: Severity;
  /** What is wrong, in one sentence, with the offending value. */
  readonly message: string;
  readonly place?: Place;
  /** What was expected or what to do about it. */
  readonly hint?: string;
}

/** The outcome of a stage that may find faults: the value is absent exactly when an error was found. */
export interface Checked<T> {
  readonly value: T | undefined;
  readonly diagnostics: readonly Diagnostic[];
}

export const hasError = (diagnostics: readonly Diagnostic[]): boolean => diagnostics.some((d) => d.severity === "error");

/**
 * Text from an untrusted input, safe to print: control characters and everything outside printable ASCII and
 * ordinary letters are escaped as `\xNN` or `\u{N}`, so that no input can drive a terminal.
 */
export const printable = (text: string): string => {
  let out = "";
  for (const character of text) {
    const code = character.codePointAt(0)!;
    if (code < 0x20 || code === 0x7f || (code >= 0x80 && code < 0xa0)) out += `\\x${code.toString(16).padStart(2, "0")}`;
    else if (/\p{C}|\p{Zl}|\p{Zp}/u.test(character)) out += `\\u{${code.toString(16)}}`;
    else out += character;
  }
  return out;
};

/** A bug in the model itself, never the user's mistake: exit code 4. */
export class Impossible extends Error {
  override readonly name = "Impossible";
}
export const impossible = (what: string): never => {
  throw new Impossible(what);
};
