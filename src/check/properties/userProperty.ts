/** Properties of the user's own, from TypeScript or JavaScript files: loaded, looked at, and judged like ours. */
import { readFileSync, realpathSync, statSync } from "node:fs";
import { basename } from "node:path";
import { pathToFileURL } from "node:url";
import { type Diagnostic, printable } from "../../base/diagnostic.ts";
import { type Heeded, heeded } from "../answering.ts";
import { sha256 } from "../canonical.ts";
import { propertyNames } from "./properties.ts";
import { type Property, PropertyFailed, type View } from "./property.ts";
import { readable, type SystemState } from "./readable.ts";
import { Refusal } from "../refusal.ts";

/** What a file's default export is, or a list of. */
export interface UserProperty {
  /** Lower-case letters, digits and hyphens. */
  readonly name: string;
  /** What must be so in every state. */
  readonly sentence: string;
  /** What is wrong in a state, or undefined. It is asked of every state, so it must answer the same to the same. */
  readonly violation: (state: SystemState) => string | undefined;
  /** What some state must show, or the verdict says that the property held of nothing: in words, and as a test. */
  readonly needs?: { readonly words: string; readonly met: (state: SystemState) => boolean };
}

/** Of a message, as a trace has it. */
const MOST_CHARACTERS = 400;
/** With ours they must fit the bits of a number. */
const MOST = 31 - propertyNames.length;
const TAKEN: readonly string[] = [...propertyNames, "intended-dma"];
const HINT = "see \"Your own properties\" in README.md";

const fault = (file: string, message: string, hint = HINT): Diagnostic => ({ id: "bad-property", severity: "error", message, place: { file }, hint });
const refuse = (file: string, message: string, hint?: string): never => {
  throw new Refusal(fault(file, message, hint));
};

/** Anything can be thrown, also what has no text. */
const textOf = (thrown: unknown): string => {
  try {
    return thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown);
  } catch {
    return "something that has no text";
  }
};
const said = (thrown: unknown): string => textOf(thrown).split("\n")[0]!;

/** Where in the file an error came about: the first place of it in the stack, with line and column as far as they are given. */
const placeIn = (file: string, error: unknown): string | undefined => {
  const stack = error instanceof Error ? (error.stack ?? "") : "";
  const path = pathToFileURL(file).href;
  const named = [path, file].find((name) => stack.includes(`${name}:`));
  return named === undefined ? undefined : /^:(\d+(?::\d+)?)/.exec(stack.slice(stack.indexOf(`${named}:`) + named.length))?.[1];
};

/** A file of the user's own, by its real path: what it says decides whether a run goes on with the same properties. */
interface Source {
  readonly file: string;
  readonly text: string;
}

/** Runs the user's code; what it throws is told with the property's name, and where in the file it was thrown. */
const asked = <T>(name: string, source: Source | undefined, heed: Heeded, act: () => T): T => {
  try {
    return heed(act);
  } catch (error) {
    const place = source === undefined ? undefined : placeIn(source.file, error);
    throw new PropertyFailed(name, `threw ${said(error)}${place === undefined ? "" : ` (${basename(source!.file)}:${place})`}`);
  }
};

/** What was given back, for somebody who expected that it was an answer. */
const kindOf = (answer: unknown): string => {
  if (answer === null) return "null";
  if (answer === "") return "an empty string";
  if (!(answer instanceof Promise)) return `something of type ${typeof answer}`;
  // What it comes to later is of no use to anyone, and must not end the thread.
  answer.catch(() => {});
  return "a promise (it must not be async)";
};

/** Every property of one state reads one object. */
const shared = (): ((view: View) => SystemState) => {
  const states = new WeakMap<View, SystemState>();
  return (view) => {
    const state = states.get(view) ?? readable(view);
    states.set(view, state);
    return state;
  };
};

/** No longer than a trace may say. */
const shortened = (text: string): string => (text.length <= MOST_CHARACTERS ? text : `${text.slice(0, MOST_CHARACTERS - 1)}…`);

const isMet = (name: string, answer: unknown): boolean => {
  if (typeof answer !== "boolean") throw new PropertyFailed(name, `gave back ${kindOf(answer)} from \`met\`, where true or false is an answer`);
  return answer;
};

const propertyOf = ({ name, sentence, violation, needs }: UserProperty, stateOf: (view: View) => SystemState, from?: Source, heed: Heeded = heeded(undefined)): Property => ({
  name,
  sentence,
  plain: true,
  // The whole file: a function of it that the property calls decides as much as the property.
  source: sha256(from?.text ?? String(violation)),
  violation: (view) => {
    const message: unknown = asked(name, from, heed, () => violation(stateOf(view)));
    if (message === undefined) return undefined;
    if (typeof message !== "string" || message === "") throw new PropertyFailed(name, `gave back ${kindOf(message)} where an answer is undefined, or a string that says what is wrong`);
    // The user says what is wrong, not by which transaction; a witness names some stream.
    const { smmu, sid } = view.booted.layout.sids[0] ?? { smmu: 0, sid: 0 };
    return { message: shortened(printable(message)), witness: { smmu, sid, op: "read", via: [] } };
  },
  ...(needs === undefined ? {} : { needs: { words: needs.words, met: (view: View) => isMet(name, asked<unknown>(name, from, heed, () => needs.met(stateOf(view)))) } }),
});

/** The same form as ours have. */
export const judgeable = (own: UserProperty): Property => propertyOf(own, shared());

const KEYS = ["name", "sentence", "violation", "needs"];

/** What is wrong with a property's form, or undefined. */
const objectionTo = (property: unknown): string | undefined => {
  if (typeof property !== "object" || property === null) return `a property is an object, not ${property === null ? "null" : `a ${typeof property}`}`;
  // A file without any `export`, which Node takes for CommonJS, gives an empty object.
  if (Object.keys(property).length === 0) return "it exports nothing: a property, or a list of them, is the file's default export";
  const { name, sentence, violation, needs } = property as Record<keyof UserProperty, unknown>;
  const unknown = Object.keys(property).find((key) => !KEYS.includes(key));
  if (unknown !== undefined) return `\`${unknown}\` is no part of a property, which has ${KEYS.join(", ")}`;
  if (typeof name !== "string" || !/^[a-z][a-z0-9-]{0,62}$/.test(name)) return `its \`name\` is ${JSON.stringify(name) ?? "missing"}, and must be of lower-case letters, digits and hyphens`;
  if (typeof sentence !== "string" || sentence === "" || sentence.length > 2000) return `\`${name}\` has no \`sentence\` that says what must be so`;
  if (printable(sentence) !== sentence) return `the \`sentence\` of \`${name}\` has control characters or several lines`;
  if (typeof violation !== "function") return `\`${name}\` has no function \`violation\``;
  if (needs === undefined) return undefined;
  const { words, met } = (typeof needs === "object" && needs !== null ? needs : {}) as { words?: unknown; met?: unknown };
  return typeof words === "string" && words !== "" && printable(words) === words && typeof met === "function" ? undefined : `\`needs\` of \`${name}\` must have \`words\` and a function \`met\``;
};

const loadFile = async (file: string): Promise<{ readonly found: readonly UserProperty[]; readonly source: Source }> => {
  const there = statSync(file, { throwIfNoEntry: false });
  if (there?.isFile() !== true) refuse(file, there === undefined ? "there is no such file" : "it is no regular file", "give --property the path of a TypeScript or JavaScript file");
  const source = { file: realpathSync(file), text: readFileSync(file, "utf8") };
  let loaded: { readonly default?: unknown };
  try {
    loaded = (await import(pathToFileURL(source.file).href)) as { readonly default?: unknown };
  } catch (error) {
    const [line, column] = placeIn(source.file, error)?.split(":").map(Number) ?? [];
    const place = { file, ...(line === undefined ? {} : { line }), ...(column === undefined ? {} : { column }) };
    throw new Refusal({ ...fault(file, `the file can't be loaded: ${said(error)}`), place });
  }
  if (loaded.default === undefined) refuse(file, "the file has no default export");
  const found: readonly unknown[] = Array.isArray(loaded.default) ? loaded.default : [loaded.default];
  if (found.length === 0) refuse(file, "the file exports an empty list");
  for (const property of found) {
    const wrong = objectionTo(property);
    if (wrong !== undefined) refuse(file, wrong);
  }
  return { found: found as readonly UserProperty[], source };
};

/** The properties of files, in order; refuses what is none, and a name that is there twice. */
export const loadProperties = async (files: readonly string[], heed?: Heeded): Promise<readonly Property[]> => {
  const stateOf = shared();
  const names = new Set(TAKEN);
  const all: Property[] = [];
  for (const file of files) {
    const { found, source } = await loadFile(file);
    for (const property of found) {
      if (names.has(property.name)) refuse(file, `there is a property \`${property.name}\` already`, "give it another name");
      names.add(property.name);
      all.push(propertyOf(property, stateOf, source, heed));
    }
  }
  if (all.length > MOST) refuse(files.at(-1)!, `${all.length} properties are too many`, `check at most ${MOST} at a time`);
  return all;
};
