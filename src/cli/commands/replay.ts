/**
 * `cofferdam replay SPEC TRACE`: runs a trace again, in milliseconds, on the scaled or the whole system; with `--minimise`
 * it gives the moves that the break needs, in normal form.
 */
import { basename, dirname } from "node:path";
import type { Diagnostic } from "../../base/diagnostic.ts";
import { bootAt } from "../../check/check.ts";
import { minimised } from "../../check/traces/minimise.ts";
import { createModel } from "../../check/model.ts";
import { moveOf, traceOfMoves } from "../../check/traces/moves.ts";
import { properties } from "../../check/properties/properties.ts";
import { type Property, PropertyFailed } from "../../check/properties/property.ts";
import { Refusal } from "../../check/refusal.ts";
import { profileOf, replay as replayTrace, type Replay } from "../../check/traces/replay.ts";
import { isGoalName } from "../../check/strategies/goals.ts";
import { judgedByGoal } from "../../check/strategies/witness.ts";
import { summaryOf } from "../../check/traces/summary.ts";
import { modelHash, type Trace } from "../../check/traces/trace.ts";
import { loadProperties } from "../../check/properties/userProperty.ts";
import type { Profile } from "../../kernel/profile.ts";
import { boot, type Booted } from "../../system/boot.ts";
import type { Layout } from "../../system/layout.ts";
import { scale } from "../../system/scale.ts";
import { showDiagnostics } from "../diagnostics.ts";
import { BAD_INPUT, exitWith, OK, VIOLATED } from "../exit.ts";
import { readBytes, unreadable } from "../files.ts";
import { openSystem } from "../system.ts";
import { readTrace } from "../traceFile.ts";
import { stepText } from "../verdictText.ts";
import { write } from "./generate.ts";

export interface ReplayFlags {
  readonly whole: boolean;
  readonly minimise: boolean;
  readonly out: string | undefined;
  readonly json: boolean;
  /** Files with properties of the user's own. */
  readonly property: readonly string[];
}

const mismatch = (file: string, message: string, hint: string): Diagnostic => ({ id: "trace-mismatch", severity: "error", message, place: { file }, hint });

/** Why a trace is not one of this program and this spec, or undefined. */
const objection = (trace: Trace, layout: Layout, profile: Profile | undefined, file: string, judged: readonly Property[]): Diagnostic | undefined => {
  if (profile === undefined) return mismatch(file, `the trace is of a mutant \`${trace.model.mutant}\` that this version does not have`, "check the system again");
  if (trace.spec.hash !== layout.spec.sha256) return mismatch(file, "the trace was found in another version of the spec", "check the system again, or give the spec it was found in");
  const { shape } = boot(scale(layout, trace.model.scope), profile);
  if (trace.model.hash !== modelHash(shape, profile)) return mismatch(file, "the trace was found by another version of the model", "check the system again with this version");
  return judged.some(({ name }) => name === trace.property) ? undefined : mismatch(file, `there is no property \`${trace.property}\``, "check the system again with this version, or give the property's file with --property");
};

const told = (result: Replay, trace: Trace): string => {
  const goal = isGoalName(trace.property);
  if (goal && result.result === "violated") return `REACHED  ${trace.property}: ${result.message}, after ${trace.steps.length} invocation(s).`;
  if (goal && result.result === "holds") return `DIVERGED  every step answered as recorded, but this is not ${trace.property}.`;
  if (result.result === "violated") return `VIOLATED  ${trace.property}: ${result.message}, after ${trace.steps.length} invocation(s).`;
  if (result.result === "holds") return `DIVERGED  every step answered as recorded, but ${trace.property} holds at the end.`;
  return `DIVERGED  step ${result.at + 1} answers ${result.answered}, and the trace says ${trace.steps[result.at]?.result ?? "otherwise"}.`;
};

/** A shorter trace to the same property, or undefined when this one breaks nothing. */
const minimise = (booted: Booted, property: Property, trace: Trace): { readonly trace: Trace; readonly complete: boolean } | undefined => {
  const model = createModel(booted, [property], trace.model.caches);
  const found = minimised(model, property, trace.steps.flatMap((step) => moveOf(step) ?? []));
  return found === undefined ? undefined : { trace: traceOfMoves(model, { model: trace.model, spec: trace.spec }, 0, found.moves).trace, complete: found.complete };
};

const minimisedText = (trace: Trace, before: number, complete: boolean): string =>
  [
    `${trace.property}: ${summaryOf(trace)}.`,
    `  ${trace.steps.length} of ${before} invocation(s) are needed${complete ? "" : ", or fewer: the budget for trying was spent"}:`,
    ...trace.steps.flatMap(stepText),
    "",
  ].join("\n");

/** Exit 1 with the shorter trace; a trace that breaks nothing is a divergence. */
const giveMinimised = (booted: Booted, property: Property, trace: Trace, { out, json }: ReplayFlags): void => {
  const shorter = minimise(booted, property, trace);
  if (shorter === undefined) {
    process.stdout.write(json ? `${JSON.stringify({ property: trace.property, result: "holds" })}\n` : `DIVERGED  ${trace.property} holds after each of these invocations.\n`);
    return exitWith(VIOLATED);
  }
  const text = `${JSON.stringify(shorter.trace, undefined, 2)}\n`;
  if (out !== undefined && !write(dirname(out), [{ name: basename(out), text }])) return;
  process.stdout.write(json ? text : minimisedText(shorter.trace, trace.steps.length, shorter.complete));
  exitWith(VIOLATED);
};

const usage = (message: string, hint: string): void => {
  showDiagnostics([{ id: "usage", severity: "error", message, hint }]);
  exitWith(BAD_INPUT);
};

const run = (spec: string, file: string, flags: ReplayFlags, judged: readonly Property[]): void => {
  const { json } = flags;
  if (flags.minimise && flags.whole) return usage("a trace is minimised at the scope it was found at", "leave --whole out, and replay what comes out with --whole");
  if (flags.out !== undefined && !flags.minimise) return usage("only a minimised trace is written to a file", "give --minimise, too");
  const bytes = readBytes(file);
  const read = bytes === undefined ? { value: undefined, diagnostics: [unreadable(file, "the trace")] } : readTrace(new TextDecoder().decode(bytes), file);
  showDiagnostics(read.diagnostics);
  if (read.value === undefined) return exitWith(BAD_INPUT);
  const trace = read.value;
  const system = openSystem(spec);
  if (system === undefined) return;
  const { layout } = system.plan;
  const profile = profileOf(trace.model);
  const goal = profile === undefined ? undefined : judgedByGoal(trace, layout, profile);
  if (goal !== undefined && flags.minimise) return usage("a trace to a goal is minimised already", "leave --minimise out");
  const wrong = objection(trace, layout, profile, file, goal === undefined ? judged : [goal]);
  if (wrong !== undefined || profile === undefined) {
    showDiagnostics(wrong === undefined ? [] : [wrong]);
    return exitWith(BAD_INPUT);
  }
  const foundOnWhole = trace.model.whole === true;
  const booted = flags.whole || foundOnWhole ? bootAt(layout, profile, { scope: trace.model.scope, whole: true }) : bootAt(layout, profile, { scope: trace.model.scope, unreduced: trace.model.unreduced ?? [] });
  const property = goal ?? judged.find(({ name }) => name === trace.property)!;
  if (flags.minimise) return giveMinimised(booted, property, trace, flags);
  const result = replayTrace(booted, property, trace, flags.whole && !foundOnWhole ? undefined : trace.final);
  process.stdout.write(json ? `${JSON.stringify({ property: trace.property, ...result })}\n` : `${told(result, trace)}\n`);
  // A reproduced violation and a divergence are both findings; a goal that is reached again is none.
  exitWith(goal !== undefined && result.result === "violated" ? OK : VIOLATED);
};

export const replay = async (spec: string, file: string, flags: ReplayFlags): Promise<void> => {
  try {
    run(spec, file, flags, [...properties, ...(await loadProperties(flags.property))]);
  } catch (error) {
    if (error instanceof PropertyFailed) return usage(`the property \`${error.property}\` ${error.message}`, "mend the property");
    if (!(error instanceof Refusal)) throw error;
    showDiagnostics(error.diagnostics);
    exitWith(BAD_INPUT);
  }
};
