/** Diagnostics for people: one block each on stderr, with the place and, for text inputs, the line and a caret. */
import { codeFrameColumns } from "@babel/code-frame";
import { type Diagnostic, printable } from "../base/diagnostic.ts";

const placeText = ({ place }: Diagnostic): string => {
  const line = place?.line === undefined ? "" : `:${place.line}${place.column === undefined ? "" : `:${place.column}`}`;
  const file = place?.file === undefined ? "" : `${printable(place.file)}${line}`;
  const path = place?.path === undefined ? "" : printable(place.path);
  return [file, path].filter((part) => part !== "").join(" ");
};

const MARGIN = { linesAbove: 2, linesBelow: 1 };

/** The lines around the place, from the text that was read; escaped, so that no input drives the terminal. */
const frame = ({ place }: Diagnostic, text: string | undefined): string => {
  if (text === undefined || place?.line === undefined || place.column === undefined) return "";
  const safe = text.split("\n").map(printable).join("\n");
  const end = place.endColumn === undefined ? {} : { end: { line: place.line, column: place.endColumn } };
  return `${codeFrameColumns(safe, { start: { line: place.line, column: place.column }, ...end }, MARGIN)}\n`;
};

/** `text`: the content of the file that the place names, when the caller has it. */
export const diagnosticText = (diagnostic: Diagnostic, text?: string): string => {
  const where = placeText(diagnostic);
  const head = `${diagnostic.severity} [${diagnostic.id}] ${printable(diagnostic.message)}`;
  const hint = diagnostic.hint === undefined ? "" : `  hint: ${printable(diagnostic.hint)}\n`;
  return `${head}\n${where === "" ? "" : `  at ${where}\n`}${frame(diagnostic, text)}${hint}`;
};

/** Writes them to stderr. `textOf` gives the text of a file by the name in the place. */
export const showDiagnostics = (diagnostics: readonly Diagnostic[], textOf: (file: string) => string | undefined = () => undefined): void => {
  for (const diagnostic of diagnostics) process.stderr.write(diagnosticText(diagnostic, diagnostic.place?.file === undefined ? undefined : textOf(diagnostic.place.file)));
};
