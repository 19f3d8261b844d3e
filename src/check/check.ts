/** The main job of the checker: from a layout to a verdict. */
import { cofferdam, type Profile } from "../kernel/profile.ts";
import type { Plan } from "../kernel/plan.ts";
import { isReduced, type Reduction, reductionNames, reductions } from "../kernel/reductions.ts";
import { boot, type Booted } from "../system/boot.ts";
import type { Layout, LayoutDmaPath } from "../system/layout.ts";
import { defaultScope, scale, type Scope, unscaled } from "../system/scale.ts";
import type { CheckOptions } from "./checkOptions.ts";
import type { Found } from "./search/breadth.ts";
import { type Explored, exploreWhole, inSlices, type Run } from "./explore.ts";
import { type AskedProfile, askedProfile } from "./askedProfile.ts";
import { keepingOf } from "./kept/keeping.ts";
import type { OperationCoverage } from "./coverage.ts";
import { createModel, type Model } from "./model.ts";
import { properties } from "./properties/properties.ts";
import { PropertyFailed } from "./properties/property.ts";
import { damaged } from "./kept/recordFile.ts";
import { Refusal } from "./refusal.ts";
import { pathName } from "./names.ts";
import { replay } from "./traces/replay.ts";
import { messagesOf, traceModel, type TraceModel, traceOf } from "./traces/trace.ts";
import { assumptionsOf, notTriedUnder, type Verdict, type VerdictViolation } from "./verdict.ts";

/** The violation of one property: its trace, and the same trace on the whole layout. */
export const violationOf = (layout: Layout, model: Model, scope: Scope, caches: "may" | "none", found: Found): VerdictViolation => {
  const index = Math.log2(found.violated);
  const property = model.properties[index]!;
  const { trace, violation } = traceOf(model, { model: traceModel(model.booted, scope, caches), spec: { hash: layout.spec.sha256 } }, index, found.ordinals);
  const whole = boot(unscaled(layout, model.booted.plan.addresses, scope.slots), model.booted.profile);
  return { property: property.name, sentence: property.sentence, message: violation.message, length: trace.steps.length, trace, unscaled: replay(whole, property, trace) };
};

/** Slices change no state, only which are looked at together, so a state is not told by them. */
const withoutReductions = (booted: Booted, names: readonly Reduction[]): Booted => {
  const unreduced = names.filter((name) => name !== "slices" && name !== "symmetry");
  return unreduced.length === 0 ? booted : { ...booted, plan: { ...booted.plan, unreduced } };
};

/** The system that a check explores: scaled, or the whole layout with the addresses of the scaled one besides its own. */
export const bootAt = (layout: Layout, profile: Profile, { scope, whole = false, unreduced = [] }: { readonly scope: Scope; readonly whole?: boolean; readonly unreduced?: readonly Reduction[] }): Booted => {
  const scaled = withoutReductions(boot(scale(layout, scope), profile), unreduced);
  return whole ? boot(unscaled(layout, scaled.plan.addresses, scope.slots), profile) : scaled;
};

export interface ReachedByRun {
  readonly operations: OperationCoverage[];
  /** Intended paths of untrusted owners, and those of them that never opened. */
  readonly judged: readonly LayoutDmaPath[];
  readonly unreached: readonly LayoutDmaPath[];
  readonly vacuous?: Verdict["vacuous"];
  readonly profileFields?: Verdict["profileFields"];
}

/** What was reached so far; read before traces are built, since building one runs the model again. */
export const reachedBy = ({ coverage, booted }: Model): ReachedByRun => {
  // A trusted component makes no invocation after boot, so its own paths never open here.
  const judged = booted.layout.dma.filter(({ sid }) => !booted.layout.components[booted.layout.sids[sid]!.owner]!.trusted);
  return { operations: coverage.operations(), judged, unreached: coverage.unreachedPaths(judged), vacuous: coverage.vacuous() };
};

const resultOf = (end: string, violations: readonly VerdictViolation[]): Verdict["result"] => {
  if (violations.length > 0) return "violated";
  return end === "exhausted" ? "holds" : "inconclusive";
};

/** Was something left out by this reduction? */
const isMade = (reduction: Reduction, plan: Plan, run: Run): boolean => {
  if (reduction === "slices") return run.slices !== undefined;
  return reduction === "symmetry" ? (run.symmetry?.renamings ?? 1) > 1 : isReduced(plan, reduction);
};

/** The verdict of a run that found these properties broken. */
export const verdictOf = (model: Model, head: TraceModel, run: Run, reached: ReachedByRun, found: readonly VerdictViolation[]): Verdict => {
  const { booted: { layout, plan, profile }, properties: judged } = model;
  const { operations: coverage, unreached, vacuous, profileFields } = reached;
  const exhausted = run.end === "exhausted";
  const broken = found.toSorted((a, b) => judged.findIndex(({ name }) => name === a.property) - judged.findIndex(({ name }) => name === b.property));
  const missing = unreached.map((path): VerdictViolation => ({ property: "intended-dma", sentence: "Every DMA path that the spec intends is reached in some state.", message: `${pathName(layout, path)} is never possible` }));
  const violations = [...broken, ...(exhausted ? missing : [])];
  return {
    format: "cofferdam-verdict",
    version: 1,
    system: layout.name,
    board: layout.board,
    spec: layout.spec,
    model: head,
    scope: head.scope,
    result: resultOf(run.end, violations),
    ...run,
    adversaries: plan.subjects.filter(({ trusted }) => !trusted).map(({ name }) => name),
    trusted: plan.subjects.filter(({ trusted }) => trusted).map(({ name }) => name),
    properties: judged.map(({ name, sentence }) => ({
      name,
      sentence,
      result: broken.some(({ property }) => property === name) ? "violated" : exhausted ? "holds" : "undecided",
    })),
    violations,
    ...(vacuous === undefined ? {} : { vacuous: vacuous.filter(({ property }) => !broken.some((violation) => violation.property === property)) }),
    coverage,
    notTried: notTriedUnder(profile),
    unreachedOperations: coverage.filter(({ performed }) => performed === 0).map(({ label }) => label),
    unreachedRefusals: coverage.flatMap(({ label, refused }) => refused.filter(({ count }) => count === 0).map(({ error, when }) => `${label} ${error}: ${when}`)),
    intendedPaths: { judged: reached.judged.length, ofTrusted: layout.dma.length - reached.judged.length, unreached: unreached.map((path) => pathName(layout, path)) },
    reductions: reductionNames.filter((reduction) => isMade(reduction, plan, run)).map((name) => ({ name, says: reductions[name] })),
    assumptions: assumptionsOf(profile),
    ...(profileFields === undefined ? {} : { profileFields }),
  };
};

/** A property of the user's own that did not judge: where, and what led there. */
const failure = (model: Model, { property, message, ordinals = [] }: PropertyFailed): Refusal => {
  const steps = messagesOf(model, ordinals).map(({ actor, op, args }) => `${actor}: ${op}(${Object.entries(args).map(([name, value]) => `${name}=${value}`).join(", ")})`);
  return new Refusal({
    id: "property-failed",
    severity: "error",
    message: `the property \`${property}\` ${message}, asked about ${steps.length === 0 ? "the first state" : `the state after ${steps.length} invocation(s)`}`,
    hint: steps.length === 0 ? "nothing was invoked yet" : `what leads there: ${steps.map((step, index) => `${index + 1}. ${step}`).join("; ")}`,
  });
};

/** What a user is told of an error that ended a run. */
export const told = (error: unknown, model: Model, { resume }: CheckOptions): unknown => {
  if (error instanceof PropertyFailed) return failure(model, error);
  // Whoever forges a checkpoint, sum and all, gets no further than this; a trace is walked from the first state.
  return resume === undefined || error instanceof Refusal ? error : damaged(resume, `${String(error)} (or this is a bug in cofferdam)`);
};

/** The verdict of what was explored, by however many threads. `model` is of the whole system. */
export const concluded = (layout: Layout, model: Model, head: TraceModel, scope: Scope, asked: AskedProfile, explored: Explored): Verdict => {
  asked.stop();
  const reached = { ...reachedBy(explored.model), profileFields: { asked: asked.asked(), never: asked.never() } };
  const broken = explored.found.map((one) => violationOf(layout, one.model, scope, head.caches, one.found));
  return verdictOf(model, head, explored.run, reached, broken);
};

/**
 * Explores the scaled layout under every order of invocations that untrusted components can make. Throws a Refusal where a
 * checkpoint cannot be used, or a property of the user's own does not judge.
 */
export const checkLayout = (layout: Layout, options: CheckOptions = {}): Verdict => {
  const { scope = defaultScope, profile = cofferdam, caches = "may", properties: judged = properties, traces = 1, unreduced = [] } = options;
  const asked = askedProfile(profile);
  const model = createModel(bootAt(layout, asked.profile, { scope, unreduced }), judged, caches);
  const head = traceModel({ ...model.booted, profile }, scope, caches);
  try {
    const keeping = keepingOf(model, head, traces, asked, options);
    const sliced = inSlices(model, head.caches, keeping !== undefined, options);
    const explored = sliced.explored ?? exploreWhole(model, keeping, head.caches, sliced.bounds, options);
    return concluded(layout, model, head, scope, asked, { ...explored, run: { ...explored.run, ...sliced.told } });
  } catch (error) {
    throw told(error, model, options);
  }
};
