/** Replays a trace by its messages alone, on a scaled or unscaled state, and says whether the property breaks there too. */
import { invoke } from "../kernel/api.ts";
import { invocations } from "../kernel/invocations.ts";
import type { Booted } from "../system/boot.ts";
import { createModel } from "./model.ts";
import type { Property } from "./properties.ts";
import { finalHash, type Trace, wordNames } from "./trace.ts";

export type Replay =
  /** The property is violated in the last state, with this message. */
  | { readonly result: "violated"; readonly message: string }
  /** Every step answered as recorded, and the property holds at the end. */
  | { readonly result: "holds" }
  /** Step `at` (from 0) answered otherwise. */
  | { readonly result: "diverged"; readonly at: number; readonly answered: string };

/** `final`: the hash that the last state must have; left out on another scale than the trace was found at. */
export const replay = (booted: Booted, property: Property, trace: Trace, final?: string): Replay => {
  const model = createModel(booted, [property], trace.model.caches);
  const state = Uint32Array.from(model.initial);
  for (const [at, step] of trace.steps.entries()) {
    const machine = model.machineAt(state, 0);
    const definition = invocations.find(({ label }) => label === step.op);
    const subject = booted.plan.subjects.findIndex(({ name }) => name === step.actor);
    if (definition === undefined || subject < 0) return { result: "diverged", at, answered: "no such actor or invocation" };
    const word = (name: string) => BigInt(step.args[name] ?? "0x0");
    const message = { cptr: word("cptr"), label: step.op, words: wordNames(definition).map(word), caps: definition.caps.map(({ name }) => word(name)) };
    const answer = model.apply((kernel) => invoke(kernel, subject, message), machine);
    if (answer.error !== step.result) return { result: "diverged", at, answered: answer.error };
    state.set(model.packed.window);
  }
  if (final !== undefined && finalHash(model.packed.unpack(state, 0), model.machine, model.machineAt(state, 0)) !== final) return { result: "diverged", at: trace.steps.length - 1, answered: "with another final state" };
  const violation = property.violation(model.viewAt(state, 0));
  return violation === undefined ? { result: "holds" } : { result: "violated", message: violation.message };
};
