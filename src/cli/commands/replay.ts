/** `cofferdam replay SPEC TRACE`: runs a trace again, in milliseconds, on the scaled or the whole system. */
import type { Diagnostic } from "../../base/diagnostic.ts";
import { properties } from "../../check/properties.ts";
import { replay as replayTrace, type Replay } from "../../check/replay.ts";
import { modelHash, type Trace } from "../../check/trace.ts";
import { mutantOf, type Profile, profileNamed, type Safeguard, safeguards } from "../../kernel/profile.ts";
import { boot } from "../../system/boot.ts";
import type { Layout } from "../../system/layout.ts";
import { scale, unscaled } from "../../system/scale.ts";
import { showDiagnostics } from "../diagnostics.ts";
import { BAD_INPUT, exitWith, VIOLATED } from "../exit.ts";
import { readBytes, unreadable } from "../files.ts";
import { openSystem } from "../system.ts";
import { readTrace } from "../traceFile.ts";

const mismatch = (file: string, message: string, hint: string): Diagnostic => ({ id: "trace-mismatch", severity: "error", message, place: { file }, hint });

const profileOf = ({ model }: Trace): Profile | undefined => {
  const base = profileNamed(model.profile);
  if (model.mutant === undefined || base === undefined) return base;
  return model.mutant in safeguards ? mutantOf(base, model.mutant as Safeguard) : undefined;
};

/** Why a trace is not one of this program and this spec, or undefined. */
const objection = (trace: Trace, layout: Layout, profile: Profile | undefined, file: string): Diagnostic | undefined => {
  if (profile === undefined) return mismatch(file, `the trace is of a mutant \`${trace.model.mutant}\` that this version does not have`, "check the system again");
  if (trace.spec.hash !== layout.spec.sha256) return mismatch(file, "the trace was found in another version of the spec", "check the system again, or give the spec it was found in");
  const { shape } = boot(scale(layout, trace.model.scope), profile);
  if (trace.model.hash !== modelHash(shape, profile)) return mismatch(file, "the trace was found by another version of the model", "check the system again with this version");
  return properties.some(({ name }) => name === trace.property) ? undefined : mismatch(file, `there is no property \`${trace.property}\``, "check the system again with this version");
};

const told = (result: Replay, trace: Trace): string => {
  if (result.result === "violated") return `VIOLATED  ${trace.property}: ${result.message}, after ${trace.steps.length} invocation(s).`;
  if (result.result === "holds") return `DIVERGED  every step answered as recorded, but ${trace.property} holds at the end.`;
  return `DIVERGED  step ${result.at + 1} answers ${result.answered}, and the trace says ${trace.steps[result.at]?.result ?? "otherwise"}.`;
};

export const replay = (spec: string, file: string, whole: boolean, json: boolean): void => {
  const bytes = readBytes(file);
  const read = bytes === undefined ? { value: undefined, diagnostics: [unreadable(file, "the trace")] } : readTrace(new TextDecoder().decode(bytes), file);
  showDiagnostics(read.diagnostics);
  if (read.value === undefined) return exitWith(BAD_INPUT);
  const trace = read.value;
  const system = openSystem(spec);
  if (system === undefined) return;
  const { layout } = system.plan;
  const profile = profileOf(trace);
  const wrong = objection(trace, layout, profile, file);
  if (wrong !== undefined || profile === undefined) {
    showDiagnostics(wrong === undefined ? [] : [wrong]);
    return exitWith(BAD_INPUT);
  }
  const scaled = boot(scale(layout, trace.model.scope), profile);
  const booted = whole ? boot(unscaled(layout, scaled.plan.addresses, trace.model.scope.slots), profile) : scaled;
  const property = properties.find(({ name }) => name === trace.property)!;
  const result = replayTrace(booted, property, trace, whole ? undefined : trace.final);
  process.stdout.write(json ? `${JSON.stringify({ property: trace.property, ...result })}\n` : `${told(result, trace)}\n`);
  // A reproduced violation and a divergence are both findings.
  exitWith(VIOLATED);
};
