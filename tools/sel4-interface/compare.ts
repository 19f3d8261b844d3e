/**
 * Holds two things against a table: another table, and the kernel's own definitions of invocations. What differs and is
 * listed in differences.ts, with its reason, is no finding; what is listed there and does not differ is one.
 */
import type { Interface, Method, WordParameter } from "../../specs/sel4/method.ts";
import { differences, forms, interfaceOfKind, notInSel4, notModelled } from "./differences.ts";

/** What the comparison needs of a definition (src/kernel/invocation.ts), its object by name. */
export interface Definition {
  readonly label: string;
  readonly object: string;
  readonly caps: readonly { readonly name: string; readonly of: string }[];
  readonly words: readonly { readonly name: string; readonly of: string }[];
}

/** One thing at one place of an invocation, as we have it and as seL4 has it. */
export interface Difference {
  readonly label: string;
  readonly at: string;
  readonly ours: string;
  readonly theirs: string;
}

const NOTHING = "nothing";

/** Names in each message word; small parameters that share a word are joined. */
const wordNames = (parameters: readonly WordParameter[]): string[] => {
  const names: string[][] = [];
  for (const { name, word, members } of parameters) {
    const own = members === undefined ? [name] : members.map((member) => `${name}.${member}`);
    own.forEach((each, offset) => (names[word + offset] ??= []).push(each));
  }
  return names.map((each) => each.join("|"));
};

/** Types whose meaning a word class stands for, both ways. */
const classTypes: Readonly<Record<string, string>> = { rights: "seL4_CapRights_t", attributes: "seL4_ARM_VMAttributes" };
const classOf = (type: string): string => Object.keys(classTypes).find((name) => classTypes[name] === type) ?? "word";
const ownClass = (of: string): string => (of in classTypes ? of : "word");

/** The words that an argument of a definition stands for. */
export const wordsNamed = ({ name, of }: Definition["words"][number]): readonly string[] => forms[of]?.words(name) ?? [name];

const capsDiffer = ({ label, caps }: Definition, method: Method): Difference[] => {
  const theirs = method.in.filter((parameter) => "cap" in parameter);
  return Array.from({ length: Math.max(caps.length, theirs.length) }, (_, at) => at).flatMap((at) => {
    const [own, their] = [caps[at], theirs[at]];
    const names: Difference = { label, at: `caps[${at}]`, ours: own?.name ?? NOTHING, theirs: their?.name ?? NOTHING };
    if (own === undefined || their === undefined) return [names];
    // A CPtr may name anything; another type says what it must name.
    const fits = their.type === "seL4_CPtr" || interfaceOfKind(own.of) === their.type;
    return [...(own.name === their.name ? [] : [names]), ...(fits ? [] : [{ label, at: `caps[${at}] type`, ours: own.of, theirs: their.type }])];
  });
};

const wordsDiffer = ({ label, words }: Definition, method: Method): Difference[] => {
  const parameters = method.in.filter((parameter): parameter is WordParameter => "word" in parameter);
  const theirs = wordNames(parameters);
  const ours = words.flatMap((argument) => wordsNamed(argument).map((name) => ({ name, class: ownClass(argument.of) })));
  return Array.from({ length: Math.max(ours.length, theirs.length) }, (_, at) => at).flatMap((at) => {
    const [own, their] = [ours[at], theirs[at]];
    if (own?.name !== their) return [{ label, at: `words[${at}]`, ours: own?.name ?? NOTHING, theirs: their ?? NOTHING }];
    const type = parameters.find(({ word }) => word === at)?.type ?? "";
    return own === undefined || own.class === classOf(type) ? [] : [{ label, at: `words[${at}] type`, ours: own.class, theirs: type }];
  });
};

/** Every difference of a definition from the method of its label, listed or not. */
export const definitionDiffers = (definition: Definition, methods: readonly Method[]): Difference[] => {
  const { label, object } = definition;
  const method = methods.find((candidate) => candidate.label === label);
  if (method === undefined) return [{ label, at: "label", ours: label, theirs: NOTHING }];
  const owner = interfaceOfKind(object) === method.interface ? [] : [{ label, at: "object", ours: object, theirs: method.interface }];
  return [...owner, ...capsDiffer(definition, method), ...wordsDiffer(definition, method)];
};

/** The lists of differences.ts; a test hands others. */
export interface Known {
  readonly differences: readonly (Difference & { readonly why: string })[];
  readonly notModelled: readonly { readonly why: string; readonly labels: readonly string[] }[];
  readonly notInSel4: readonly { readonly label: string; readonly why: string }[];
}
const listed: Known = { differences, notModelled, notInSel4 };

const keyOf = ({ label, at, ours, theirs }: Difference): string => `${label} ${at}: ${ours}, in seL4 ${theirs}`;

/** Sentences: what differs and is not listed, and what is listed and does not differ. None: the definitions agree. */
export const definitionFindings = (definitions: readonly Definition[], methods: readonly Method[], known: Known = listed): string[] => {
  const extra = new Set(known.notInSel4.map(({ label }) => label));
  const found = definitions.filter(({ label }) => !extra.has(label)).flatMap((definition) => definitionDiffers(definition, methods).map(keyOf));
  const expected = known.differences.map(keyOf);
  const modelled = new Set(definitions.map(({ label }) => label));
  const labels = new Set(methods.map(({ label }) => label));
  const absent = known.notModelled.flatMap((group) => group.labels);
  return [
    ...found.filter((key) => !expected.includes(key)).map((key) => `differs: ${key}`),
    ...expected.filter((key) => !found.includes(key)).map((key) => `listed as a difference, and is none: ${key}`),
    ...[...labels].filter((label) => !modelled.has(label) && !absent.includes(label)).map((label) => `${label} is neither defined nor listed as not modelled`),
    ...absent.filter((label) => modelled.has(label)).map((label) => `${label} is listed as not modelled, and is defined`),
    ...absent.filter((label) => !labels.has(label)).map((label) => `${label} is listed as not modelled, and seL4 has no such method`),
    ...absent.filter((label, at) => absent.indexOf(label) !== at).map((label) => `${label} is listed twice as not modelled`),
    ...[...extra].filter((label) => labels.has(label)).map((label) => `${label} is listed as an addition, and seL4 has it`),
    ...[...extra].filter((label) => !modelled.has(label)).map((label) => `${label} is listed as an addition, and is not defined`),
  ];
};

/** Sentences on the numbers of seL4_Error that one side has otherwise or not at all. */
export const errorFindings = (ours: Readonly<Record<string, { readonly number: number }>>, theirs: Readonly<Record<string, number>>): string[] =>
  [...new Set([...Object.keys(ours), ...Object.keys(theirs)])].flatMap((name) =>
    ours[name]?.number === theirs[name] ? [] : [`${name} is ${ours[name]?.number ?? "not defined"}, in seL4 ${theirs[name] ?? "not defined"}`],
  );

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);
const told = (value: unknown): string => (value === undefined ? NOTHING : JSON.stringify(value));

/** Sentences on one thing: a list item by item, anything else whole. */
const changes = (where: string, committed: unknown, given: unknown): string[] => {
  if (same(committed, given)) return [];
  if (!Array.isArray(committed) || !Array.isArray(given)) return [`${where}: ${told(given)}, committed ${told(committed)}`];
  return Array.from({ length: Math.max(committed.length, given.length) }, (_, at) => changes(`${where}[${at}]`, committed[at] as unknown, given[at] as unknown)).flat();
};

const methodChanges = (label: string, committed: Method | undefined, given: Method | undefined): string[] => {
  if (given === undefined) return [`${label} is committed, and the files lack it`];
  if (committed === undefined) return [`${label} is new: the committed table lacks it`];
  const keys = ["number", "interface", "method", "condition", "in", "out", "errors"] as const;
  return keys.flatMap((key) => changes(`${label}.${key}`, committed[key], given[key]));
};

/** Sentences on what given files say otherwise than the committed table. Hashes are no part of it. */
export const tableFindings = (committed: Omit<Interface, "sources">, given: Omit<Interface, "sources">): string[] => {
  const of = ({ methods }: Pick<Interface, "methods">, label: string): Method | undefined => methods.find((method) => method.label === label);
  const labels = new Set([...committed.methods, ...given.methods].map(({ label }) => label));
  return [
    ...changes("configuration.on", committed.configuration.on, given.configuration.on),
    ...changes("configuration.off", committed.configuration.off, given.configuration.off),
    ...changes("errorNumbers", committed.errorNumbers, given.errorNumbers),
    ...[...labels].flatMap((label) => methodChanges(label, of(committed, label), of(given, label))),
    ...changes("leftOut", committed.leftOut, given.leftOut),
  ];
};
