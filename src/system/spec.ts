/**
 * The system spec as its author writes it: YAML text, decoded by the Schema below. Every problem is collected; names
 * are still names (resolve.ts looks them up). Each key is documented here once; `specJsonSchema` hands that to editors.
 */
import { distance } from "fastest-levenshtein";
import * as Result from "effect/Result";
import * as Schema from "effect/Schema";
import type * as SchemaAST from "effect/SchemaAST";
import * as SchemaGetter from "effect/SchemaGetter";
import type * as SchemaIssue from "effect/SchemaIssue";
import { isAlias, isPair, isScalar, LineCounter, parseDocument, visit, type Document, type Node } from "yaml";
import { hasError, printable, type Checked, type Diagnostic } from "../base/diagnostic.ts";
import { createPlaces, keyPathText, sortByPlace, type KeyPath, type Places } from "./place.ts";

/** Longest spec text that is read, in characters. */
export const SPEC_TEXT_LIMIT = 1 << 18;

const namePattern = /^[a-z][a-z0-9-]{0,47}$/u;
const name = Schema.String.check(Schema.isPattern(namePattern)).annotate({
  expected: "a name: a small letter, then at most 47 small letters, digits or `-`",
});
const reference = Schema.String.check(Schema.isPattern(/^[a-z][a-z0-9-]{0,47}(\.[a-z][a-z0-9-]{0,47})?$/u)).annotate({
  expected: "`component` or `component.device`",
});

const UNITS: Readonly<Record<string, bigint>> = { "": 1n, KiB: 1n << 10n, MiB: 1n << 20n, GiB: 1n << 30n, TiB: 1n << 40n };
const bytesPattern = /^(0x[0-9a-fA-F]{1,16}|[0-9]{1,20}) ?(KiB|MiB|GiB|TiB)?$/u;

/** Bytes meant by `4KiB`, `64 KiB`, `0x1000` or a plain integer that passed the pattern. */
const bytesOf = (written: string | number): bigint => {
  const match = bytesPattern.exec(String(written));
  return BigInt(match?.[1] ?? written) * UNITS[match?.[2] ?? ""]!;
};
const bytes = (expected: string) =>
  Schema.Union([Schema.Int.check(Schema.isGreaterThanOrEqualTo(0)), Schema.String.check(Schema.isPattern(bytesPattern))])
    .annotate({ expected })
    .pipe(Schema.decodeTo(Schema.BigInt, { decode: SchemaGetter.transform(bytesOf), encode: SchemaGetter.transform((value: bigint) => `0x${value.toString(16)}`) }));
const size = bytes("a size in bytes such as `4KiB`, `2MiB` or `0x1000`");
const address = bytes("an address such as `0x48000000`");

const access = Schema.Literals(["r", "rw"]).annotate({ expected: "`r` or `rw`" });

const exactlyOne = (keys: readonly string[]) =>
  Schema.makeFilter((value: object) =>
    keys.filter((key) => Object.hasOwn(value, key)).length === 1 ? undefined : `give exactly one of ${keys.map((key) => `\`${key}\``).join(", ")}`,
  );

const documented = <S extends Schema.Top>(schema: S, description: string) => schema.annotate({ description });

const share = Schema.Struct({
  with: documented(name, "The component that may access the region."),
  access: documented(access, "What it may do: read, or read and write."),
});

const region = Schema.Struct({
  size: documented(size, "Bytes, a multiple of 4 KiB; an untyped region's size is a power of two."),
  owner: documented(name, "The component whose memory this is. Policy, not a capability: see `holds`."),
  kind: Schema.optionalKey(
    Schema.Literals(["memory", "untyped"]).annotate({
      description: "`memory` (default) becomes frames at boot; `untyped` is left for its holder to retype.",
      expected: "`memory` or `untyped`",
    }),
  ),
  base: Schema.optionalKey(documented(address, "Physical address; without it the region is placed in `memory`.")),
  share: Schema.optionalKey(documented(Schema.Array(share), "Who else may access it. Policy, not a capability.")),
});

const device = Schema.Struct({
  pci: Schema.optionalKey(
    Schema.String.check(Schema.isPattern(/^[0-9a-fA-F]{2}:[01][0-9a-fA-F]\.[0-7]$/u)).annotate({
      description: "A PCI function under a host bridge: `bus:device.function` in hex, as lspci prints it.",
      expected: "`bus:device.function` such as `00:02.0`",
    }),
  ),
  bridge: Schema.optionalKey(Schema.String.annotate({ description: "Path or alias of the host bridge; needed when the board has several." })),
  path: Schema.optionalKey(
    Schema.String.check(Schema.isPattern(/^\//u)).annotate({ description: "Full path of the device's node in the device tree.", expected: "a path that starts with `/`" }),
  ),
  alias: Schema.optionalKey(Schema.String.annotate({ description: "The device's name in the board's /aliases." })),
  unprotected: Schema.optionalKey(
    Schema.String.check(Schema.isNonEmpty()).annotate({
      description: "Accept the device although no enabled SMMU stands before it, for this reason.",
      expected: "the reason, in words",
    }),
  ),
})
  .check(exactlyOne(["pci", "path", "alias"]))
  .check(Schema.makeFilter((value) => (value.bridge === undefined || value.pci !== undefined ? undefined : "`bridge` goes with `pci`")));

const holdKinds = ["region", "sid", "cb", "vspace"] as const;
const holdRecord = Schema.Struct({
  region: Schema.optionalKey(documented(name, "A region: its frames, or its untyped.")),
  access: Schema.optionalKey(documented(access, "Rights of the frame capabilities; `rw` unless given.")),
  iova: Schema.optionalKey(documented(address, "Where the holder's devices see the region; the next free address unless given.")),
  map: Schema.optionalKey(documented(Schema.Boolean, "`false`: hold the frames without mapping them.")),
  sid: Schema.optionalKey(documented(reference, "Copies of the SID capabilities of `component.device`, or of all devices of `component`.")),
  cb: Schema.optionalKey(documented(reference, "Copies of the CB capabilities that `component`, or `component.device`, uses.")),
  vspace: Schema.optionalKey(documented(name, "A copy of that component's address-space capability.")),
})
  .check(exactlyOne(holdKinds))
  .check(
    Schema.makeFilter((value) =>
      value.region !== undefined || (value.access === undefined && value.iova === undefined && value.map === undefined)
        ? undefined
        : "`access`, `iova` and `map` go with `region`",
    ),
  )
  .check(Schema.makeFilter((value) => (value.iova === undefined || value.map !== false ? undefined : "`iova` contradicts `map: false`")));
const hold = Schema.Union([name, holdRecord]).annotate({
  expected: "a region's name, `sid-control`, `cb-control`, `tables`, or a record such as `{ region: ring, access: r }`",
});

const component = Schema.Struct({
  kind: Schema.Literals(["driver", "vm", "service"]).annotate({
    description: "What runs in it: a native driver, a guest, or a service.",
    expected: "`driver`, `vm` or `service`",
  }),
  trusted: Schema.optionalKey(
    documented(Schema.Boolean, "`true`: runs a fixed program. `false` (default): the adversary, which may make any invocation on what it holds."),
  ),
  devices: Schema.optionalKey(documented(Schema.Record(name, device), "The devices it owns, by a name of your choice.")),
  cb: Schema.optionalKey(
    Schema.Literals(["shared", "per-stream"]).annotate({
      description: "`shared` (default): one CB for each SMMU; `per-stream`: one CB for each stream.",
      expected: "`shared` or `per-stream`",
    }),
  ),
  holds: Schema.optionalKey(documented(Schema.Array(hold), "Capabilities given at boot, besides its own CNode and those of its own devices.")),
});

const specSchema = Schema.Struct({
  system: documented(name, "Name of the system."),
  board: Schema.String.check(Schema.isNonEmpty()).annotate({
    description: "The board's device tree blob (.dtb), relative to this file.",
    expected: "a file name",
  }),
  memory: Schema.optionalKey(
    Schema.Struct({
      base: documented(address, "First physical address, 4 KiB aligned."),
      size: documented(size, "Bytes, a multiple of 4 KiB."),
    }).annotate({
      description: "Where regions without a base and kernel objects go. Default: the upper half of the board's largest usable RAM range.",
    }),
  ),
  regions: Schema.optionalKey(documented(Schema.Record(name, region), "Pieces of physical memory, by name.")),
  components: documented(Schema.Record(name, component), "Programs and VMs, by name."),
}).annotate({ title: "Cofferdam system spec" });

export type Spec = typeof specSchema.Type;
export type SpecRegion = typeof region.Type;
export type SpecComponent = typeof component.Type;
export type SpecDevice = typeof device.Type;
export type SpecHold = typeof hold.Type;

/** A decoded spec and the way back to its text. */
export interface SpecDocument {
  readonly spec: Spec;
  readonly places: Places;
}

/** JSON Schema (draft 2020-12) of a spec, for editors: `# yaml-language-server: $schema=…`. */
export const specJsonSchema = (): object => {
  const { schema, definitions } = Schema.toJsonSchemaDocument(specSchema, { onExcessProperty: "error" });
  return { $schema: "https://json-schema.org/draft/2020-12/schema", ...schema, ...(Object.keys(definitions).length === 0 ? {} : { $defs: definitions }) };
};

/** Known names that are compared with an unknown one; a spec with more gets no better hint. */
const COMPARED_NAMES = 256;

/** ` (did you mean …?)` for a name that is close to a known one, else an empty string. */
export const didYouMean = (written: string, known: Iterable<string>): string => {
  const near = [...known]
    .slice(0, COMPARED_NAMES)
    .map((candidate) => ({ candidate, far: distance(written.slice(0, 64), candidate) }))
    .filter(({ far, candidate }) => far <= Math.max(2, Math.floor(candidate.length / 3)))
    .toSorted((a, b) => a.far - b.far)[0];
  return near === undefined ? "" : ` (did you mean \`${printable(near.candidate)}\`?)`;
};

/** A value as a message quotes it: short, on one line, printable. */
const quoted = (value: unknown): string => {
  if (value === undefined || value === null) return "nothing";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "a map";
  const text = String(value);
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

type Report = (id: string, path: KeyPath, message: string, hint?: string, atKey?: boolean) => void;

const reportUnknownKey = (ast: SchemaAST.AST, path: KeyPath, report: Report): void => {
  const key = String(path.at(-1));
  const known = keysOf(ast);
  if (known.length === 0) return report("bad-name", path, `${quoted(key)} is not a name`, "a name is a small letter, then at most 47 small letters, digits or `-`", true);
  report("unknown-key", path, `unknown key ${quoted(key)}${didYouMean(key, known)}`, `the keys here are ${known.join(", ")}`, true);
};

/** Turns an issue tree into diagnostics: one for each leaf, but one only for a value that no member of a union takes. */
const reportIssue = (issue: SchemaIssue.Issue, path: KeyPath, report: Report, ast?: SchemaAST.AST): void => {
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

/** YAML beyond what a spec needs, each refused by name: it would change the meaning of keys or the cost of reading. */
const unusualYaml = (document: Document.Parsed, places: Places, report: (diagnostic: Diagnostic) => void): void => {
  const refuse = (node: Node | null | undefined, id: string, message: string, hint: string) =>
    report({ id, severity: "error", message, hint, place: places.span(node?.range?.[0] ?? 0, node?.range?.[1] ?? 1) });
  if (document.directives?.yaml.explicit === true && document.directives.yaml.version !== "1.2") refuse(null, "yaml-version", "a spec is YAML 1.2", "remove the %YAML line");
  visit(document, (_key, node) => {
    if (isAlias(node)) refuse(node, "yaml-alias", "aliases (`*name`) are not accepted in a spec", "write the value out");
    if (isPair(node) && !(isScalar(node.key) && typeof node.key.value === "string")) {
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
const yamlProblems = (document: Document.Parsed, text: string, places: Places): readonly Diagnostic[] => {
  const problems = [...document.errors, ...document.warnings];
  const repeated = problems.filter(({ code }) => code === "DUPLICATE_KEY").map(({ pos: [start] }): Diagnostic => {
    const key = /^["']?([^\s:"',{}[\]]{1,64})/u.exec(text.slice(start, start + 80))?.[1] ?? "";
    return { id: "yaml-duplicate-key", severity: "error", message: `the key \`${printable(key)}\` is given twice`, place: places.span(start, start + Math.max(key.length, 1)), hint: DUPLICATE_HINT };
  });
  const first = problems.filter(({ code }) => code !== "DUPLICATE_KEY").toSorted((a, b) => a.pos[0] - b.pos[0])[0];
  if (first === undefined) {
    const unusual: Diagnostic[] = [];
    if (repeated.length === 0) unusualYaml(document, places, (diagnostic) => unusual.push(diagnostic));
    return [...repeated, ...unusual];
  }
  const tooDeep = /call stack/iu.test(first.message);
  const syntax: Diagnostic = { id: "yaml-syntax", severity: "error", message: tooDeep ? "the spec is nested too deeply" : printable(first.message), place: places.span(first.pos[0], first.pos[1]) };
  return [...repeated, syntax];
};

const tooBig = (file: string, message: string): Checked<SpecDocument> => ({
  value: undefined,
  diagnostics: [{ id: "spec-too-large", severity: "error", message, place: { file, line: 1, column: 1 } }],
});

/** First stage: YAML text to a decoded spec. `file` is only printed. */
export const decodeSpec = (text: string, file: string): Checked<SpecDocument> => {
  if (text.length > SPEC_TEXT_LIMIT) return tooBig(file, `the spec has ${text.length} characters; at most ${SPEC_TEXT_LIMIT} are read`);
  const lines = new LineCounter();
  const document = parse(text, lines);
  if (document === undefined) return tooBig(file, "the spec is nested too deeply");
  const places = createPlaces(document.contents, text, file, lines);
  const syntax = yamlProblems(document, text, places);
  if (hasError(syntax)) return { value: undefined, diagnostics: sortByPlace(syntax) };
  const decoded = Schema.decodeUnknownResult(specSchema)(document.toJS(), { errors: "all", onExcessProperty: "error", reportInput: true });
  if (Result.isSuccess(decoded)) return { value: { spec: decoded.success, places }, diagnostics: [] };
  const diagnostics: Diagnostic[] = [];
  reportIssue(decoded.failure.issue, [], (id, path, message, hint, atKey) =>
    diagnostics.push({ id, severity: "error", message, place: atKey === true ? places.key(path) : places.value(path), ...(hint === undefined ? {} : { hint }) }),
  );
  return { value: undefined, diagnostics: sortByPlace(diagnostics) };
};
