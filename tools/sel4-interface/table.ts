/**
 * The table of specs/sel4/interface.ts, derived from seL4's files: three descriptions and errors.h. Labels are numbered
 * as libsel4/tools/invocation_header_gen.py lays out its enumerations: 0 is InvalidInvocation, then the generic methods
 * of the configuration, aarch64's, Arm's.
 */
import { createHash } from "node:crypto";
import type { Interface, LeftOut, Method } from "../../specs/sel4/method.ts";
import { configuration } from "./condition.ts";
import { type DescribedMethod, type Description, descriptionOf } from "./description.ts";
import { fail } from "./failure.ts";
import { placesOf, type Types, wordsOf } from "./message.ts";

export interface SourceFile {
  /** As it is to be named: in seL4's tree. */
  readonly path: string;
  readonly text: string;
}

/** seL4_Error's names and numbers: an enumeration that counts up, with a number where the source gives one. */
export const errorNumbersOf = (path: string, text: string): Record<string, number> => {
  const body = /typedef\s+enum\s*\{([^}]*)\}\s*seL4_Error\s*;/.exec(text.replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*/g, ""))?.[1] ?? fail(`${path} has no enumeration seL4_Error`);
  let next = 0;
  const numbers: Record<string, number> = {};
  for (const entry of body.split(",").map((part) => part.trim()).filter((part) => part !== "")) {
    const [, name, given] = /^(\w+)(?:\s*=\s*(\d+))?$/.exec(entry) ?? fail(`${path}: can't read "${entry}"`);
    next = given === undefined ? next : Number(given);
    // The last entry counts the others.
    if (name !== "seL4_NumErrors") numbers[name!] = next;
    next += 1;
  }
  return numbers;
};

const order = ["generic", "aarch64", "arm"] as const;

/** The three descriptions in the order in which labels are numbered. */
const inOrder = (descriptions: readonly Description[]): Description[] =>
  order.map((layer) => {
    const [found, ...more] = descriptions.filter((description) => description.layer === layer);
    if (more.length > 0) fail(`two files describe the ${layer} methods`);
    return found ?? fail(`no file describes the ${layer} methods`);
  });

const typesOf = (descriptions: readonly Description[]): Types => ({
  // An interface's name is also the type of a capability to its object.
  caps: new Set(["seL4_CPtr", "seL4_CNode", ...descriptions.flatMap(({ interfaces }) => interfaces)]),
  structures: new Map(descriptions.flatMap(({ structures }) => [...structures])),
});

const methodOf = (described: DescribedMethod, number: number, types: Types): Method => ({
  label: described.label,
  number,
  interface: described.interface,
  method: described.method,
  ...(described.condition === undefined ? {} : { condition: described.condition.text }),
  in: placesOf(described.in, types),
  out: wordsOf(described.out, types),
  errors: described.errors,
});

/** Methods of the configuration, numbered; a label that stands twice needs the description's leave. */
const numbered = (described: readonly DescribedMethod[], types: Types): Method[] => {
  const numbers = new Map<string, number>();
  return described.map((method) => {
    const known = numbers.get(method.label);
    if (known !== undefined && !method.duplicate) fail(`${method.label} stands twice`);
    const number = known ?? numbers.size + 1;
    numbers.set(method.label, number);
    return methodOf(method, number, types);
  });
};

/** Methods that no variant of the configuration has. */
const leftOutOf = (described: readonly DescribedMethod[]): LeftOut[] => {
  const taken = new Set(described.filter(({ condition }) => condition?.holds !== false).map(({ label }) => label));
  return described.flatMap(({ label, condition }) => (condition === undefined || taken.has(label) ? [] : [{ label, condition: condition.text }]));
};

export const isHeader = ({ path }: SourceFile): boolean => path.endsWith(".h");

export const interfaceOf = (files: readonly SourceFile[]): Interface => {
  const [header, ...headers] = files.filter(isHeader);
  if (header === undefined || headers.length > 0) return fail("one errors.h is wanted");
  const descriptions = inOrder(files.filter((file) => !isHeader(file)).map(({ path, text }) => descriptionOf(path, text)));
  const described = descriptions.flatMap(({ methods }) => methods);
  const types = typesOf(descriptions);
  return {
    sources: files.map(({ path, text }) => ({ path, sha256: createHash("sha256").update(text).digest("hex") })).toSorted((a, b) => (a.path < b.path ? -1 : 1)),
    configuration: {
      on: Object.keys(configuration).filter((name) => configuration[name]!),
      off: Object.keys(configuration).filter((name) => !configuration[name]!),
    },
    errorNumbers: errorNumbersOf(header.path, header.text),
    methods: numbered(described.filter(({ condition }) => condition?.holds !== false), types),
    leftOut: leftOutOf(described),
  };
};
