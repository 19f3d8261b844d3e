/** What a run cannot go on with because of its input: told as diagnostics, also across threads, and never a bug. */
import type { Diagnostic } from "../base/diagnostic.ts";

export class Refusal extends Error {
  override readonly name = "Refusal";
  readonly diagnostics: readonly Diagnostic[];

  constructor(...diagnostics: readonly Diagnostic[]) {
    super(diagnostics.map(({ message }) => message).join("; "));
    this.diagnostics = diagnostics;
  }
}

/** A thread that explores is gone without a word of why; only code of the user's own ends a thread like that. */
export const endedByItself = (code: number, propertyFiles: readonly string[]): Error =>
  propertyFiles.length === 0
    ? new Error(`a thread that explores ended by itself, with exit code ${code}`)
    : new Refusal({ id: "property-failed", severity: "error", message: `a thread that explores was ended, with exit code ${code}, while it judged properties of your own`, hint: "let no file of --property call process.exit" });
