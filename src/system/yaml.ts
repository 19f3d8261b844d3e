/** YAML text to plain values with their places, refusing what a spec has no use for. */
import { isAlias, isPair, isScalar, LineCounter, parseDocument, visit, type Document, type Node } from "yaml";
import { hasError, printable, type Checked, type Diagnostic } from "../base/diagnostic.ts";
import { createPlaces, sortByPlace, type Places } from "./place.ts";

/** Longest spec text that is read, in characters. */
export const SPEC_TEXT_LIMIT = 1 << 18;

export interface Yaml {
  /** Maps, lists and scalars as JavaScript has them; integers beyond 2^53 lose digits. */
  readonly content: unknown;
  readonly places: Places;
}

/** What the keys of a document may be. */
type Keys = "names" | "names and numbers";

/** YAML beyond what a spec needs, each refused by name: it would change the meaning of keys or the cost of reading. */
const unusualYaml = (document: Document.Parsed, places: Places, keys: Keys, report: (diagnostic: Diagnostic) => void): void => {
  const refuse = (node: Node | null | undefined, id: string, message: string, hint: string) =>
    report({ id, severity: "error", message, hint, place: places.span(node?.range?.[0] ?? 0, node?.range?.[1] ?? 1) });
  if (document.directives?.yaml.explicit === true && document.directives.yaml.version !== "1.2") refuse(null, "yaml-version", "a spec is YAML 1.2", "remove the %YAML line");
  visit(document, (_key, node) => {
    if (isAlias(node)) refuse(node, "yaml-alias", "aliases (`*name`) are not accepted in a spec", "write the value out");
    if (isPair(node) && !(isScalar(node.key) && (typeof node.key.value === "string" || (keys === "names and numbers" && typeof node.key.value === "number")))) {
      refuse(node.key as Node | null, "yaml-key", "a key must be a plain name", "quote it, or choose a name that starts with a small letter");
    }
  });
};

/** Parses without interpreting; very deep nesting exhausts the parser's stack and is reported as such. */
const parse = (text: string, lines: LineCounter): Document.Parsed | undefined => {
  try {
    return parseDocument(text, { lineCounter: lines, prettyErrors: false, version: "1.2", schema: "core", merge: false });
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
};

const DUPLICATE_HINT = "keep one; a region or component is described in one place";

/** Repeated keys are all reported; of other faults only the first, since the parser guesses its way on from there. */
const yamlProblems = (document: Document.Parsed, text: string, places: Places, keys: Keys): readonly Diagnostic[] => {
  const problems = [...document.errors, ...document.warnings];
  const repeated = problems.filter(({ code }) => code === "DUPLICATE_KEY").map(({ pos: [start] }): Diagnostic => {
    const key = /^["']?([^\s:"',{}[\]]{1,64})/u.exec(text.slice(start, start + 80))?.[1] ?? "";
    return { id: "yaml-duplicate-key", severity: "error", message: `the key \`${printable(key)}\` is given twice`, place: places.span(start, start + Math.max(key.length, 1)), hint: DUPLICATE_HINT };
  });
  const first = problems.filter(({ code }) => code !== "DUPLICATE_KEY").toSorted((a, b) => a.pos[0] - b.pos[0])[0];
  if (first === undefined) {
    const unusual: Diagnostic[] = [];
    if (repeated.length === 0) unusualYaml(document, places, keys, (diagnostic) => unusual.push(diagnostic));
    return [...repeated, ...unusual];
  }
  const tooDeep = /call stack/iu.test(first.message);
  const syntax: Diagnostic = { id: "yaml-syntax", severity: "error", message: tooDeep ? "the spec is nested too deeply" : printable(first.message), place: places.span(first.pos[0], first.pos[1]) };
  return [...repeated, syntax];
};

const tooLarge = (file: string, message: string): Checked<Yaml> => ({
  value: undefined,
  diagnostics: [{ id: "spec-too-large", severity: "error", message, place: { file, line: 1, column: 1 } }],
});

/** Reads one YAML 1.2 document. `file` is only printed. */
export const readYaml = (text: string, file: string, keys: Keys = "names"): Checked<Yaml> => {
  if (text.length > SPEC_TEXT_LIMIT) return tooLarge(file, `the spec has ${text.length} characters; at most ${SPEC_TEXT_LIMIT} are read`);
  const lines = new LineCounter();
  const document = parse(text, lines);
  if (document === undefined) return tooLarge(file, "the spec is nested too deeply");
  const places = createPlaces(document.contents, text, file, lines);
  const faults = yamlProblems(document, text, places, keys);
  if (hasError(faults)) return { value: undefined, diagnostics: sortByPlace(faults) };
  return { value: { content: document.toJS(), places }, diagnostics: [] };
};
