/**
 * Lists of messages that run again: what a trace comes to once its states are dropped. Replay, minimising and comparing
 * traces all work on these.
 */
import { invoke, type Message } from "../../kernel/api.ts";
import { invocations } from "../../kernel/invocations.ts";
import type { Step } from "../../base/step.ts";
import { hex } from "../../base/words.ts";
import type { Model } from "../model.ts";
import { type Act, type Trace, traceThrough, type TracedViolation, type TraceStep, wordNames } from "./trace.ts";

/** One message of one component. */
export interface Move {
  readonly actor: string;
  readonly message: Message;
}

const definitionOf = (label: string) => invocations.find((definition) => definition.label === label);

/** The message of a recorded step, or undefined where this version has no such invocation. An absent argument is 0. */
export const moveOf = ({ actor, op, args, sent }: Pick<TraceStep, "actor" | "op" | "args" | "sent">): Move | undefined => {
  const definition = definitionOf(op);
  if (definition === undefined) return undefined;
  const word = (name: string): bigint => BigInt(Object.hasOwn(args, name) ? args[name]! : "0x0");
  return { actor, message: { cptr: word("cptr"), label: op, words: wordNames(definition).slice(0, sent?.words).map(word), caps: definition.caps.slice(0, sent?.caps).map(({ name }) => word(name)) } };
};

/** The arguments of a move by the names of its definition. */
const argumentsOf = ({ message: { cptr, label, words, caps } }: Move): Readonly<Record<string, string>> => {
  const definition = definitionOf(label)!;
  return {
    cptr: hex(cptr),
    ...Object.fromEntries(wordNames(definition).map((name, index) => [name, hex(words[index] ?? 0n)])),
    ...Object.fromEntries(definition.caps.map(({ name }, index) => [name, hex(caps[index] ?? 0n)])),
  };
};

/** The row of an actor in the model's plan, or -1. */
export const subjectOf = (model: Model, { actor }: Move): number => model.booted.plan.subjects.findIndex(({ name }) => name === actor);

/** The state after a move, or the error that it answers. */
export type Moved = { readonly state: Uint32Array; readonly given: readonly Step[] } | { readonly error: string };

/** Runs one move in a state. A refused one leaves no state: it changes nothing. */
export const moveIn = (model: Model, state: Uint32Array, move: Move): Moved => {
  const subject = subjectOf(model, move);
  if (subject < 0) return { error: "no such actor or invocation" };
  // A trace may be replayed on a spec in which its actor is trusted by now.
  if (!model.subjects.includes(subject)) return { error: "nothing, as its actor is trusted" };
  const given: Step[] = [];
  const answer = model.apply((kernel) => {
    const emit = (steps: readonly Step[]): void => {
      given.push(...steps);
      kernel.emit(steps);
    };
    return invoke({ ...kernel, emit }, subject, move.message);
  }, model.machineAt(state, 0));
  return answer.error === "seL4_NoError" ? { state: model.packed.window.slice(), given } : { error: answer.error };
};

/** Moves that are all answered without an error. */
export const actsOfMoves = (model: Model, moves: readonly Move[]): Act[] =>
  moves.map((move): Act => (_machine) => {
    const moved = moveIn(model, model.packed.window.slice(), move);
    if ("error" in moved) throw new Error(`a move of a trace answers ${moved.error}`);
    return { actor: move.actor, op: move.message.label, args: argumentsOf(move), given: moved.given };
  });

/** The trace of moves that are all answered without an error and end in a violation. */
export const traceOfMoves = (model: Model, head: Pick<Trace, "model" | "spec">, property: number, moves: readonly Move[]): TracedViolation =>
  traceThrough(model, head, property, actsOfMoves(model, moves));
