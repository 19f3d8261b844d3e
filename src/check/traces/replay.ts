/** Replays a trace by its messages alone, on a scaled or unscaled state, and says whether the property breaks there too. */
import { mutantOf, type Profile, profileNamed, type Safeguard, safeguards } from "../../kernel/profile.ts";
import type { Booted } from "../../system/boot.ts";
import { createModel } from "../model.ts";
import { moveIn, moveOf } from "./moves.ts";
import type { Property } from "../properties/property.ts";
import { finalHash, type Trace, type TraceModel } from "./trace.ts";

export type Replay =
  /** The property is violated in the last state, with this message. */
  | { readonly result: "violated"; readonly message: string }
  /** Every step answered as recorded, and the property holds at the end. */
  | { readonly result: "holds" }
  /** Step `at` (from 0) answered otherwise. */
  | { readonly result: "diverged"; readonly at: number; readonly answered: string };

/** The kernel that a trace was found in; undefined if this version has none such. */
export const profileOf = ({ profile, mutant }: Pick<TraceModel, "profile" | "mutant">): Profile | undefined => {
  const base = profileNamed(profile);
  if (mutant === undefined || base === undefined) return base;
  return Object.hasOwn(safeguards, mutant) ? mutantOf(base, mutant as Safeguard) : undefined;
};

/** `final`: the hash that the last state must have; left out on another scale than the trace was found at. */
export const replay = (booted: Booted, property: Property, trace: Trace, final?: string): Replay => {
  const model = createModel(booted, [property], trace.model.caches);
  let state = model.initial;
  for (const [at, step] of trace.steps.entries()) {
    const move = moveOf(step);
    const moved = move === undefined ? { error: "no such actor or invocation" } : moveIn(model, state, move);
    const answered = "error" in moved ? moved.error : "seL4_NoError";
    if (answered !== step.result) return { result: "diverged", at, answered };
    // What is refused changes nothing.
    if ("state" in moved) state = moved.state;
  }
  if (final !== undefined && finalHash(model.packed.unpack(state, 0), model.machine, model.machineAt(state, 0)) !== final) return { result: "diverged", at: trace.steps.length - 1, answered: "with another final state" };
  const violation = property.violation(model.viewAt(state, 0));
  return violation === undefined ? { result: "holds" } : { result: "violated", message: violation.message };
};
