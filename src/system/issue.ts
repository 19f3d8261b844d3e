/** What the Schema found wrong with a spec, in words: effect's issue tree to one report for each fault. */
import type * as SchemaAST from "effect/SchemaAST";
import type * as SchemaIssue from "effect/SchemaIssue";
import { printable } from "../base/diagnostic.ts";
import { keyPathText, type KeyPath } from "./place.ts";
import { didYouMean } from "./suggestion.ts";

/** A value as a message quotes it: short, on one line, printable. */
const quoted = (value: unknown): string => {
  if (value === undefined || value === null) return "nothing";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "a map";
  const text = typeof value === "string" ? value : typeof value === "bigint" ? value.toString() : JSON.stringify(value);
  return `\`${printable(text.length > 60 ? `${text.slice(0, 60)}…` : text)}\``;
};

const annotation = (annotations: object | undefined, key: "message" | "expected"): string | undefined => {
  const value = (annotations as Readonly<Record<string, unknown>> | undefined)?.[key];
  return typeof value === "string" ? value : undefined;
};

/** What a schema node expects, in the words of its own or its last check's annotation. */
const expectedBy = (ast: SchemaAST.AST): string => {
  const found = [ast.annotations, ...(ast.checks ?? []).map((check) => check.annotations)].map((a) => annotation(a, "expected")).findLast((text) => text !== undefined);
  const plain: Partial<Record<SchemaAST.AST["_tag"], string>> = { Objects: "a map", Arrays: "a list", String: "a text", Boolean: "`true` or `false`", Number: "a number" };
  return found ?? plain[ast._tag] ?? "something else";
};

const keysOf = (ast: SchemaAST.AST): readonly string[] => (ast._tag === "Objects" ? ast.propertySignatures.map((property) => String(property.name)) : []);

/** Takes one fault; `atKey` says that its place is the key at the end of `path`, not the value. */
export type Report = (id: string, path: KeyPath, message: string, hint?: string, atKey?: boolean) => void;

const reportUnknownKey = (ast: SchemaAST.AST, path: KeyPath, report: Report): void => {
  const key = String(path.at(-1));
  const known = keysOf(ast);
  if (known.length === 0) return report("bad-name", path, `${quoted(key)} is not a name`, "a name is a small letter, then at most 47 small letters, digits or `-`", true);
  report("unknown-key", path, `unknown key ${quoted(key)}${didYouMean(key, known)}`, `the keys here are ${known.join(", ")}`, true);
};

/** Turns an issue tree into diagnostics: one for each leaf, but one only for a value that no member of a union takes. */
export const reportIssue = (issue: SchemaIssue.Issue, path: KeyPath, report: Report, ast?: SchemaAST.AST): void => {
  const wrong = (expected: string, input: unknown) => report("wrong-value", path, `expected ${expected}, found ${quoted(input)}`);
  switch (issue._tag) {
    case "Pointer":
      return reportIssue(issue.issue, [...path, ...issue.path.map((part) => (typeof part === "number" ? part : String(part)))], report, ast);
    case "Composite":
      return issue.issues.forEach((inner) => reportIssue(inner, path, report, issue.ast));
    case "Encoding":
      return reportIssue(issue.issue, path, report, issue.ast);
    case "AnyOf":
      if (issue.issues.length > 0 && typeof issue.input === "object") return issue.issues.forEach((inner) => reportIssue(inner, path, report, issue.ast));
      return wrong(expectedBy(issue.ast), issue.input);
    case "Filter": {
      const said = annotation("annotations" in issue.issue ? issue.issue.annotations : undefined, "message");
      return said === undefined ? wrong(ast === undefined ? "something else" : expectedBy(ast), issue.input) : report("wrong-value", path, said);
    }
    case "UnexpectedKey":
      return reportUnknownKey(issue.ast, path, report);
    case "MissingKey":
      return report("missing-key", path, `\`${printable(String(path.at(-1)))}\` is missing`, `${keyPathText(path)} must be given`);
    case "InvalidType":
      return wrong(expectedBy(issue.ast), issue.input);
    default:
      return wrong(ast === undefined ? "something else" : expectedBy(ast), "input" in issue ? issue.input : undefined);
  }
};
