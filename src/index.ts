/** The library's face: what a program that depends on this package may import. */
import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { type Checked, hasError } from "./base/diagnostic.ts";
import { bootAt } from "./check/check.ts";
import { properties } from "./check/properties/properties.ts";
import { profileOf, replay, type Replay } from "./check/traces/replay.ts";
import { isGoalName } from "./check/strategies/goals.ts";
import { judgedByGoal } from "./check/strategies/witness.ts";
import { judgeable, type UserProperty } from "./check/properties/userProperty.ts";
import { readTrace } from "./cli/traceFile.ts";
import { planSystem } from "./system/plan.ts";

export type { ReachedRange, StateBank, StateCapability, StateMapping, StateMemory, StateStream, StateVspace, SystemState } from "./check/properties/readable.ts";
export type { Replay } from "./check/traces/replay.ts";
export type { UserProperty } from "./check/properties/userProperty.ts";

const valueOf = <T>({ value, diagnostics }: Checked<T>): T => {
  if (value !== undefined && !hasError(diagnostics)) return value;
  throw new Error(diagnostics.filter(({ severity }) => severity === "error").map(({ id, message }) => `[${id}] ${message}`).join("; "));
};

/**
 * Replays the moves of a trace, the parsed JSON of a file that `cofferdam check --out` wrote, on the system of a spec as
 * it is now; of a trace that `cofferdam witness` wrote, "violated" says that its goal is reached. Spec and model may be newer than the trace: whether the same moves still break the property is the question.
 * `own`: properties of your own, where the trace breaks one of them. Throws when the spec is not valid, or the trace is none of this version.
 */
export const replayTrace = (specFile: string, trace: unknown, own: readonly UserProperty[] = []): Replay => {
  const read = valueOf(readTrace(JSON.stringify(trace) ?? "", "trace"));
  const property = [...properties, ...own.map(judgeable)].find(({ name }) => name === read.property);
  const profile = profileOf(read.model);
  if ((property === undefined && !isGoalName(read.property)) || profile === undefined) throw new Error("the trace names a property or a mutant that this version does not have");
  const specText = readFileSync(specFile, "utf8");
  const { layout } = valueOf(planSystem({ specText, specFile, readBoard: (board) => readFileSync(resolve(dirname(specFile), board)) }));
  const judged = property ?? judgedByGoal(read, layout, profile);
  if (judged === undefined) throw new Error("the trace names a goal that this system does not have");
  return replay(bootAt(layout, profile, read.model), judged, read);
};
