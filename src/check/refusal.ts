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
