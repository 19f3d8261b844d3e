/** Properties of the user's own, from TypeScript or JavaScript files: loaded, looked at, and judged like ours. */
import { statSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { Diagnostic } from "../../base/diagnostic.ts";
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

/** With ours they must fit the bits of a number. */
const MOST = 31 - propertyNames.length;
const TAKEN: readonly string[] = [...propertyNames, "intended-dma"];
const HINT = "see \"Your own properties\" in README.md";

const fault = (file: string, message: string, hint = HINT): Diagnostic => ({ id: "bad-property", severity: "error", message, place: { file }, hint });
const refuse = (file: string, message: string, hint?: string): never => {
  throw new Refusal(fault(file, message, hint));
};

const said = (error: unknown): string => (error instanceof Error ? `${error.name}: ${error.message}` : String(error)).split("\n")[0]!;

/** Runs the user's code; what it throws is told with the property's name. */
const asked = <T>(name: string, act: () => T): T => {
  try {
    return act();
  } catch (error) {
    throw new PropertyFailed(name, `threw ${said(error)}`);
  }
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

const propertyOf = ({ name, sentence, violation, needs }: UserProperty, stateOf: (view: View) => SystemState): Property => ({
  name,
  sentence,
  plain: true,
  source: sha256(String(violation)),
  violation: (view) => {
    const message: unknown = asked(name, () => violation(stateOf(view)));
    if (message === undefined) return undefined;
    if (typeof message !== "string") throw new PropertyFailed(name, `gave back ${message === null ? "null" : `something of type ${typeof message}`} where a string or undefined is an answer`);
    // The user says what is wrong, not by which transaction; a witness names some stream.
    const { smmu, sid } = view.booted.layout.sids[0] ?? { smmu: 0, sid: 0 };
    return { message, witness: { smmu, sid, op: "read", via: [] } };
  },
  ...(needs === undefined ? {} : { needs: { words: needs.words, met: (view: View) => asked(name, () => needs.met(stateOf(view))) } }),
});

/** The same form as ours have. */
export const judgeable = (own: UserProperty): Property => propertyOf(own, shared());

/** What is wrong with a property's form, or undefined. */
const objectionTo = (property: unknown): string | undefined => {
  if (typeof property !== "object" || property === null) return `a property is an object, not ${property === null ? "null" : `a ${typeof property}`}`;
  const { name, sentence, violation, needs } = property as Record<keyof UserProperty, unknown>;
  if (typeof name !== "string" || !/^[a-z][a-z0-9-]{0,62}$/.test(name)) return `its \`name\` is ${JSON.stringify(name) ?? "missing"}, and must be of lower-case letters, digits and hyphens`;
  if (typeof sentence !== "string" || sentence === "" || sentence.length > 2000) return `\`${name}\` has no \`sentence\` that says what must be so`;
  if (typeof violation !== "function") return `\`${name}\` has no function \`violation\``;
  if (needs === undefined) return undefined;
  const { words, met } = (typeof needs === "object" && needs !== null ? needs : {}) as { words?: unknown; met?: unknown };
  return typeof words === "string" && words !== "" && typeof met === "function" ? undefined : `\`needs\` of \`${name}\` must have \`words\` and a function \`met\``;
};

const loadFile = async (file: string): Promise<readonly UserProperty[]> => {
  if (statSync(file, { throwIfNoEntry: false })?.isFile() !== true) refuse(file, "there is no such file", "give --property the path of a TypeScript or JavaScript file");
  let loaded: { readonly default?: unknown };
  try {
    loaded = (await import(pathToFileURL(resolve(file)).href)) as { readonly default?: unknown };
  } catch (error) {
    return refuse(file, `the file can't be loaded: ${said(error)}`);
  }
  if (loaded.default === undefined) refuse(file, "the file has no default export");
  const found: readonly unknown[] = Array.isArray(loaded.default) ? loaded.default : [loaded.default];
  if (found.length === 0) refuse(file, "the file exports an empty list");
  for (const property of found) {
    const wrong = objectionTo(property);
    if (wrong !== undefined) refuse(file, wrong);
  }
  return found as readonly UserProperty[];
};

/** The properties of files, in order; refuses what is none, and a name that is there twice. */
export const loadProperties = async (files: readonly string[]): Promise<readonly Property[]> => {
  const stateOf = shared();
  const names = new Set(TAKEN);
  const all: Property[] = [];
  for (const file of files)
    for (const property of await loadFile(file)) {
      if (names.has(property.name)) refuse(file, `there is a property \`${property.name}\` already`, "give it another name");
      names.add(property.name);
      all.push(propertyOf(property, stateOf));
    }
  if (all.length > MOST) refuse(files.at(-1)!, `${all.length} properties are too many`, `check at most ${MOST} at a time`);
  return all;
};
