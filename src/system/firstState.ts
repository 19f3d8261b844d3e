/**
 * A first state written down slot by slot: which component holds which capability, with no board, policy or layout. It is
 * for trying invocations from any state that one wants (`cofferdam invoke`), control capabilities and untyped memory of
 * any size included. Every key is documented here once.
 */
import * as Result from "effect/Result";
import * as Schema from "effect/Schema";
import type { Checked } from "../base/diagnostic.ts";
import { createFindings } from "./findings.ts";
import { reportIssue } from "./issue.ts";
import type { Places } from "./place.ts";
import { readYaml } from "./yaml.ts";

const name = Schema.String.check(Schema.isPattern(/^[a-z][a-z0-9-]{0,47}$/u)).annotate({ expected: "a name: a small letter, then at most 47 small letters, digits or `-`" });
const between = (minimum: number, maximum: number, description: string) =>
  Schema.Int.check(Schema.isBetween({ minimum, maximum })).annotate({ expected: `a number from ${minimum} to ${maximum}`, description });
const word = (description: string) =>
  Schema.Union([Schema.Int.check(Schema.isGreaterThanOrEqualTo(0)), Schema.String.check(Schema.isPattern(/^0x[0-9a-fA-F]{1,16}$/u))]).annotate({ expected: "a number such as 5 or `0x48000000`", description });
const documented = <S extends Schema.Top>(schema: S, description: string) => schema.annotate({ description });
const rights = Schema.String.check(Schema.isPattern(/^(?=.)r?w?g?p?$/u)).annotate({ expected: "letters of `rwgp`: read, write, grant, grant reply", description: "Rights; all of them when left out." });

/** Each record has one of these keys, which says what the capability is to. */
const objectKeys = ["cnode", "thread", "untyped", "vspace", "asid-pool", "endpoint", "notification", "frame", "page-table", "vcpu", "irq", "sid", "cb"] as const;

const record = Schema.Struct({
  cnode: Schema.optionalKey(documented(name, "A component's root CNode, or another by a name of your choice, with `radix`.")),
  radix: Schema.optionalKey(between(1, 32, "The CNode has 2^radix slots.")),
  guard: Schema.optionalKey(word("Guard of this CNode capability.")),
  "guard-size": Schema.optionalKey(between(0, 63, "Bits of that guard; for a component's root CNode what its slots leave of 64, and otherwise 0, when left out.")),
  thread: Schema.optionalKey(documented(name, "A component's thread.")),
  untyped: Schema.optionalKey(between(4, 47, "Untyped memory of 2^n bytes.")),
  base: Schema.optionalKey(word("Physical address; the next free one that is aligned when left out.")),
  device: Schema.optionalKey(documented(Schema.Boolean, "Device memory: it can become frames and untypeds only.")),
  vspace: Schema.optionalKey(documented(name, "An address space, by a name of your choice.")),
  asid: Schema.optionalKey(between(1, 65535, "Its ASID; without one it is a VSpace that no ASID pool was invoked for.")),
  "asid-pool": Schema.optionalKey(between(0, 127, "The pool of ASIDs n * 512 to n * 512 + 511.")),
  endpoint: Schema.optionalKey(documented(name, "An endpoint, by a name of your choice.")),
  notification: Schema.optionalKey(documented(name, "A notification, by a name of your choice.")),
  badge: Schema.optionalKey(word("Badge of an endpoint or notification capability.")),
  rights: Schema.optionalKey(rights),
  frame: Schema.optionalKey(documented(name, "A frame, by a name of your choice.")),
  bits: Schema.optionalKey(Schema.Literals([12, 21, 30]).annotate({ description: "The frame has 2^bits bytes; 12 when left out.", expected: "12, 21 or 30" })),
  "page-table": Schema.optionalKey(documented(name, "A page table, by a name of your choice.")),
  vcpu: Schema.optionalKey(documented(name, "A VCPU, by a name of your choice.")),
  irq: Schema.optionalKey(between(0, 1019, "The handler of an interrupt.")),
  sid: Schema.optionalKey(between(0, 0xffff_ffff, "A stream, issued already.")),
  mask: Schema.optionalKey(word("Bits of the StreamID that the stream's match ignores; none when left out.")),
  cb: Schema.optionalKey(between(0, 0xffff, "A context bank, issued already.")),
  smmu: Schema.optionalKey(between(0, 15, "The SMMU of the stream or bank; 0 when left out.")),
}).check(
  Schema.makeFilter((value: object) =>
    objectKeys.filter((key) => Object.hasOwn(value, key)).length === 1 ? undefined : `give exactly one of ${objectKeys.map((key) => `\`${key}\``).join(", ")}`,
  ),
);
const own = ["cnode", "thread", "irq-control", "asid-control", "sid-control", "cb-control", "domain"] as const;
const capability = Schema.Union([Schema.Literals(own), record]).annotate({ expected: `${own.map((key) => `\`${key}\``).join(", ")}, or a record such as \`{ untyped: 20 }\`` });

const component = Schema.Struct({
  radix: Schema.optionalKey(between(1, 32, "Its root CNode has 2^radix slots; 8 when left out. The guard takes the rest of 64 bits, so a cptr is a slot number.")),
  cspace: documented(Schema.Record(Schema.String.check(Schema.isPattern(/^[0-9]{1,10}$/u)).annotate({ expected: "a slot number" }), capability), "What stands in each slot of its root CNode."),
});

const firstStateSchema = Schema.Struct({
  "first-state": documented(name, "Name of the state; says that this file is one, and no system spec."),
  smmus: Schema.optionalKey(between(1, 16, "How many SMMUs there are; 1 when left out.")),
  "stream-bits": Schema.optionalKey(between(1, 20, "Bits of a StreamID; 16 when left out.")),
  components: documented(Schema.Record(name, component), "Threads with their CSpaces, by name."),
}).annotate({ title: "Cofferdam first state" });

export type FirstState = typeof firstStateSchema.Type;
export type FirstStateRecord = typeof record.Type;
export type FirstStateCapability = typeof capability.Type;
export interface FirstStateDocument {
  readonly firstState: FirstState;
  readonly places: Places;
}

/** JSON Schema (draft 2020-12) of a first state, for editors. */
export const firstStateJsonSchema = (): object => {
  const { schema, definitions } = Schema.toJsonSchemaDocument(firstStateSchema, { onExcessProperty: "error" });
  return { $schema: "https://json-schema.org/draft/2020-12/schema", ...schema, ...(Object.keys(definitions).length === 0 ? {} : { $defs: definitions }) };
};

/** Is this the text of a first state, and not of a system spec? */
export const isFirstState = (text: string): boolean => /^\s*"?first-state"?\s*:/mu.test(text);

/** YAML text to a decoded first state. `file` is only printed. */
export const decodeFirstState = (text: string, file: string): Checked<FirstStateDocument> => {
  const { value: yaml, diagnostics } = readYaml(text, file, "names and numbers");
  if (yaml === undefined) return { value: undefined, diagnostics };
  const decoded = Schema.decodeUnknownResult(firstStateSchema)(yaml.content, { errors: "all", onExcessProperty: "error", reportInput: true });
  if (Result.isSuccess(decoded)) return { value: { firstState: decoded.success, places: yaml.places }, diagnostics: [] };
  const findings = createFindings(yaml.places);
  reportIssue(decoded.failure.issue, [], (id, path, message, hint, atKey) => (atKey === true ? findings.errorAtKey : findings.error)(id, path, message, hint));
  return { value: undefined, diagnostics: findings.list() };
};
