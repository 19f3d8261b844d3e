/**
 * A model made ready to run: every instance recorded and emitted where it fits its budget, on accessors where it does not.
 * The result is plain data (text and lists), so that other threads can be handed it; `link` makes functions of it.
 */
import type { Shape } from "../../base/state.ts";
import { impossible } from "../../base/diagnostic.ts";
import { emitInstance, emitProperty, NotEmitted } from "./emission.ts";
import { denseView, pack, place, type Placement } from "./placement.ts";
import { type Arguments, type Instance, instancesOf, perform, PERFORMED, type RecipeModel } from "./recipeModel.ts";
import { Recorder } from "./recording.ts";
import { HandedOn, OverBudget } from "./recordingFault.ts";

export interface Budgets {
  /** Recipe runs for one instance. */
  readonly runs: number;
  /** Nodes of emitted text for one instance. */
  readonly nodes: number;
}
export const defaultBudgets: Budgets = { runs: 10_000, nodes: 4000 };

export interface CompiledInstance extends Instance {
  readonly emitted: boolean;
  /** Why it stays on accessors. */
  readonly why?: string;
  readonly runs: number;
}

export interface Compiled {
  readonly words: number;
  readonly bits: number;
  readonly initial: Int32Array;
  readonly operations: readonly string[];
  readonly properties: readonly string[];
  readonly instances: readonly CompiledInstance[];
  readonly propertiesEmitted: readonly boolean[];
  /** Which operation each function of `text` belongs to; an operation may have several, in declared order. */
  readonly parts: readonly { readonly operation: number; readonly instances: readonly number[] }[];
  readonly text: string;
  readonly recording: { readonly runs: number; readonly nodes: number; readonly milliseconds: number };
}

/** Text of one function: past this the engine optimises badly, so an operation is split. */
const MOST_TEXT = 24_000;

export interface CompileOptions {
  readonly budgets?: Partial<Budgets>;
  /** One function for each instance: for laws and for finding out which instance leads where. */
  readonly apart?: boolean;
  /** Instances to leave on accessors. */
  readonly accessors?: (instance: Instance, index: number) => boolean;
}

export const compile = <S extends Shape>(model: RecipeModel<S>, options: CompileOptions = {}): Compiled => {
  const started = performance.now();
  const placement = place(model.shape);
  const budgets = { ...defaultBudgets, ...options.budgets };
  const recorder = new Recorder(placement);
  if (model.properties.length > 31) impossible("more than 31 properties");

  const texts: string[] = [];
  const instances = instancesOf(model).map((instance, index): CompiledInstance => {
    const before = recorder.runs;
    const made = options.accessors?.(instance, index) === true ? { why: "asked for" } : blockOf(model, placement, recorder, instance, budgets);
    const words = placement.words;
    texts.push(made.text ?? `n=fallback(${index},q,i*${words},b,n);`);
    return { ...instance, emitted: made.text !== undefined, runs: recorder.runs - before, ...(made.why === undefined ? {} : { why: made.why }) };
  });
  const parts = split(instances, texts, options.apart === true);
  const judged = model.properties.map(({ holds }) => attempt(() => emitProperty(placement, recorder.record((tables) => Number(holds(tables)), budgets.runs, true), budgets.nodes)).text);
  const load = loadWords(placement.words);
  const functions = parts.map(({ instances: members }) => `function(q,from,to,b,n){for(let i=from;i<to;i++){${load}\n${members.map((index) => texts[index]!).join("\n")}}return n}`);
  const judge = `function(q,from,to){let v=0;for(let i=from;i<to;i++){${load}\n${judged.map((text, bit) => `if(!${text ?? `judge(${bit},q,i*${placement.words})`})v|=${1 << bit};`).join("\n")}}return v}`;
  return {
    words: placement.words,
    bits: placement.bits,
    initial: pack(placement, model.initial),
    operations: model.operations.map(({ label }) => label),
    properties: model.properties.map(({ name }) => name),
    instances,
    propertiesEmitted: judged.map((text) => text !== undefined),
    parts,
    text: `"use strict";return {parts:[${functions.join(",\n")}],judge:${judge}}`,
    recording: { runs: recorder.runs, nodes: recorder.forest.size, milliseconds: performance.now() - started },
  };
};

/** What recording or emission gives, or why it gave up. Every other error is a fault of the model and is thrown on. */
const attempt = (make: () => string): { readonly text?: string; readonly why?: string } => {
  try {
    return { text: make() };
  } catch (error) {
    if (error instanceof OverBudget || error instanceof HandedOn || error instanceof NotEmitted) return { why: error.message };
    throw error;
  }
};

const blockOf = <S extends Shape>(model: RecipeModel<S>, placement: Placement<S>, recorder: Recorder<S>, { operation, args }: Instance, budgets: Budgets) =>
  attempt(() => {
    const node = recorder.record((tables) => perform(model.operations[operation]!, tables, args), budgets.runs);
    return emitInstance(placement, node, recorder.forest.written(node), budgets.nodes);
  });

const split = (instances: readonly Instance[], texts: readonly string[], apart: boolean) => {
  const parts: { operation: number; instances: number[]; length: number }[] = [];
  for (const [index, { operation }] of instances.entries()) {
    const last = parts.at(-1);
    const { length } = texts[index]!;
    if (last === undefined || apart || last.operation !== operation || last.length + length > MOST_TEXT) parts.push({ operation, instances: [index], length });
    else {
      last.instances.push(index);
      last.length += length;
    }
  }
  return parts.map(({ operation, instances: members }) => ({ operation, instances: members }));
};

const loadWords = (words: number): string =>
  words === 1 ? "const w0=q[i];" : `const o=i*${words},${Array.from({ length: words }, (_, word) => `w${word}=q[o${word === 0 ? "" : `+${word}`}]`).join(",")};`;

/** Appends the successors of states `from`..`to` of `q` to `b` at `n`; answers where the batch ends now. */
export type Part = (q: Int32Array, from: number, to: number, b: Int32Array, n: number) => number;
export interface Linked {
  readonly parts: readonly Part[];
  /** Properties that states `from`..`to` violate, as a bit mask. */
  readonly judge: (q: Int32Array, from: number, to: number) => number;
}

/** Runs one instance on accessors; appends the successor unless it is refused. */
export type Fallback = (instance: number, q: Int32Array, at: number, b: Int32Array, n: number) => number;
export interface Accessors {
  readonly run: Fallback;
  readonly holds: (property: number, q: Int32Array, at: number) => boolean;
}

/** The executor that is always right: recipes on the dense view. */
export const accessorsOf = <S extends Shape>(model: RecipeModel<S>): Accessors => {
  const placement = place(model.shape);
  const { window, tables } = denseView(placement);
  const { words } = placement;
  const instances: readonly { readonly operation: number; readonly args: Arguments }[] = instancesOf(model);
  const load = (q: Int32Array, at: number): void => {
    for (let word = 0; word < words; word++) window[word] = q[at + word]!;
  };
  return {
    run: (index, q, at, b, n) => {
      const { operation, args } = instances[index]!;
      load(q, at);
      if (perform(model.operations[operation]!, tables, args) !== PERFORMED) return n;
      for (let word = 0; word < words; word++) b[n + word] = window[word]!;
      return n + words;
    },
    holds: (property, q, at) => {
      load(q, at);
      return model.properties[property]!.holds(tables);
    },
  };
};

/** True when some instance or property needs the model itself, and not its text alone. */
export const needsModel = ({ instances, propertiesEmitted }: Compiled): boolean => instances.some(({ emitted }) => !emitted) || propertiesEmitted.includes(false);

const stuck = (message: string): never => impossible(message);

/** Functions of the text. `accessors` may be absent when everything was emitted. */
export const link = ({ text }: Compiled, accessors?: Accessors): Linked => {
  const absent = (): never => impossible("an instance runs on accessors, but the model is not at hand");
  // oxlint-disable-next-line typescript/no-implied-eval, typescript/no-unsafe-call -- the text is made by emission.ts from numbers and quoted messages
  return new Function("fallback", "judge", "stuck", text)(accessors?.run ?? absent, accessors?.holds ?? absent, stuck) as Linked;
};
