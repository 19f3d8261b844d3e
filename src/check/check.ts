/** The main job of the checker: from a layout to a verdict. */
import { cofferdam, type Profile } from "../kernel/profile.ts";
import type { Plan } from "../kernel/plan.ts";
import { isReduced, type Reduction, reductionNames, reductions } from "../kernel/reductions.ts";
import { hex } from "../base/words.ts";
import { boot, type Booted } from "../system/boot.ts";
import type { Layout, LayoutDmaPath } from "../system/layout.ts";
import { defaultScope, scale, type Scope, unscaled } from "../system/scale.ts";
import { apart } from "./slices/apart.ts";
import { exploreSlices, type FoundIn } from "./slices/exploreSlices.ts";
import { type Bounds, breadthFirst, type Found, type Keeping, type Watch } from "./breadth.ts";
import { type AskedProfile, askedProfile } from "./askedProfile.ts";
import { keepingOf, type KeepingOptions } from "./keeping.ts";
import type { OperationCoverage } from "./coverage.ts";
import { createModel, type Model } from "./model.ts";
import { properties, type Property, PropertyFailed } from "./properties.ts";
import { minimised } from "./minimise.ts";
import { damaged } from "./recordFile.ts";
import { Refusal } from "./refusal.ts";
import { moveOf } from "./moves.ts";
import { replay } from "./replay.ts";
import type { StateStore } from "./stateStore.ts";
import { type Group, symmetryOf } from "./symmetry/group.ts";
import { NotAlike } from "./symmetry/orbits.ts";
import { messagesOf, traceModel, type TraceModel, traceOf } from "./trace.ts";
import { assumptionsOf, notTriedUnder, type Verdict, type VerdictViolation } from "./verdict.ts";

export interface CheckOptions extends KeepingOptions {
  readonly scope?: Scope;
  readonly bounds?: Partial<Bounds>;
  readonly profile?: Profile;
  readonly caches?: "may" | "none";
  readonly properties?: readonly Property[];
  /** Different traces to each property that is violated; 1 by default. */
  readonly traces?: number;
  /** Reductions to leave out; none when left out. */
  readonly unreduced?: readonly Reduction[];
  /** Threads that explore; 1 when left out. */
  readonly workers?: number;
  readonly watch?: Watch;
}

export const defaultBounds: Bounds = { states: 2_000_000, depth: 1000, seconds: 600 };

/** The violation of one property: its trace, and the same trace on the whole layout. */
export const violationOf = (layout: Layout, model: Model, scope: Scope, caches: "may" | "none", found: Found): VerdictViolation => {
  const index = Math.log2(found.violated);
  const property = model.properties[index]!;
  const { trace, violation } = traceOf(model, { model: traceModel(model.booted, scope, caches), spec: { hash: layout.spec.sha256 } }, index, found.ordinals);
  const whole = boot(unscaled(layout, model.booted.plan.addresses, scope.slots), model.booted.profile);
  return { property: property.name, sentence: property.sentence, message: violation.message, length: trace.steps.length, trace, unscaled: replay(whole, property, trace) };
};

/**
 * Who invoked what, of the moves that the break needs and in normal form: traces that differ only in arguments, in the
 * order of moves that commute, or by moves that might as well be left out, are the same.
 */
const signatureIn = (model: Model) => (ordinals: readonly number[], property: number): string => {
  const moves = messagesOf(model, ordinals).flatMap((message) => moveOf(message) ?? []);
  const needed = minimised(model, model.properties[property]!, moves);
  return (needed?.moves ?? moves).map(({ actor, message }) => `${actor} ${message.label}`).join("\n");
};

const pathName = (layout: Layout, { sid, region, iova, access }: LayoutDmaPath): string =>
  `${layout.sids[sid]!.name} ${access} ${layout.regions[region]!.name} at IOVA ${hex(iova)}`;

/** Slices change no state, only which are looked at together, so a state is not told by them. */
const withoutReductions = (booted: Booted, names: readonly Reduction[]): Booted => {
  const unreduced = names.filter((name) => name !== "slices");
  return unreduced.length === 0 ? booted : { ...booted, plan: { ...booted.plan, unreduced } };
};

/** The system that a check explores: scaled, or the whole layout with the addresses of the scaled one besides its own. */
export const bootAt = (layout: Layout, profile: Profile, { scope, whole = false, unreduced = [] }: { readonly scope: Scope; readonly whole?: boolean; readonly unreduced?: readonly Reduction[] }): Booted => {
  const scaled = withoutReductions(boot(scale(layout, scope), profile), unreduced);
  return whole ? boot(unscaled(layout, scaled.plan.addresses, scope.slots), profile) : scaled;
};

/** What a run says of itself, however it went through the states. */
export type Run = Pick<Verdict, "end" | "states" | "transitions" | "depth" | "sampled" | "symmetry" | "slices" | "uncertified" | "unsliced">;

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

/** Everything that a check explored: in slices where it can be, otherwise in one search. `model` tells what was reached. */
interface Explored {
  readonly model: Model;
  readonly run: Run;
  readonly found: readonly FoundIn[];
}

/**
 * What is taken for alike: nothing where a property may read anything, or where a run is kept, since the images of machine
 * states are not kept with it.
 */
const groupFor = ({ booted, properties: judged, subjects }: Model, kept: boolean): Group | undefined =>
  kept || judged.some(({ plain }) => plain === true) || !isReduced(booted.plan, "symmetry") ? undefined : symmetryOf(booted, subjects);

/** How many states the representatives stand for. */
const representedBy = ({ symmetry, collapse, words }: Model, store: StateStore): number => {
  let sum = 0;
  const whole = new Uint32Array(words);
  for (let index = 0; index < store.count; index++) {
    collapse.restore(store.chunkOf(index), store.offsetOf(index), whole);
    sum += symmetry!.size(whole, 0);
  }
  return sum;
};

/** One search, with as much taken for alike as turns out to be. */
const exploreWhole = (plain: Model, keeping: Keeping | undefined, head: TraceModel, bounds: Bounds, { traces = 1, watch }: CheckOptions): Explored => {
  const notAlike: string[] = [];
  for (let group = groupFor(plain, keeping !== undefined); ; group = group?.smaller()) {
    const model = group === undefined ? plain : createModel(plain.booted, plain.properties, head.caches, undefined, group);
    try {
      const { found, end, states, edges, depth, store } = breadthFirst(model.collapsed, bounds, watch, traces === 1 ? undefined : { traces, signature: signatureIn(model) }, keeping);
      const told = notAlike.length === 0 ? {} : { notAlike };
      const alike = group === undefined && notAlike.length === 0 ? {} : { symmetry: { renamings: group?.renamings.length ?? 1, states: group === undefined ? states : representedBy(model, store), ...told } };
      return { model, run: { end, states, transitions: edges, depth, ...alike }, found: found.map((one) => ({ model, found: one })) };
    } catch (error) {
      if (!(error instanceof NotAlike) || group === undefined) throw error;
      notAlike.push(error.message);
    }
  }
};

const explore = (model: Model, asked: AskedProfile, head: TraceModel, options: CheckOptions): Explored => {
  const { traces = 1, unreduced = [], workers = 1 } = options;
  const bounds = { ...defaultBounds, ...options.bounds };
  const keeping = keepingOf(model, head, traces, asked, options);
  const { groups, unsliced } = apart(model, unreduced, { traces, workers, kept: keeping !== undefined });
  const started = performance.now();
  const sliced = groups.length === 0 ? undefined : exploreSlices(model.booted, groups, (booted) => createModel(booted, model.properties, head.caches), bounds, options.watch);
  const why = [...(sliced?.joined ?? []), ...(unsliced === undefined ? [] : [unsliced])];
  const told = why.length === 0 ? {} : { unsliced: why };
  if (sliced?.slices !== undefined) {
    for (const { coverage } of sliced.models) model.coverage.resume(coverage.reached(model.booted.layout.dma), model.booted.layout.dma);
    const { explored: { end, states, edges, depth }, slices, found, uncertified } = sliced;
    return { model, run: { end, states, transitions: edges, depth, slices, ...(uncertified ? { uncertified } : {}), ...told }, found };
  }
  const seconds = bounds.seconds - (performance.now() - started) / 1000;
  const whole = exploreWhole(model, keeping, head, { ...bounds, seconds }, options);
  return { ...whole, run: { ...whole.run, ...told } };
};

/**
 * Explores the scaled layout under every order of invocations that untrusted components can make. Throws a Refusal where a
 * checkpoint cannot be used, or a property of the user's own does not judge.
 */
export const checkLayout = (layout: Layout, options: CheckOptions = {}): Verdict => {
  const { scope = defaultScope, profile = cofferdam, caches = "may", properties: judged = properties, unreduced = [] } = options;
  const asked = askedProfile(profile);
  const model = createModel(bootAt(layout, asked.profile, { scope, unreduced }), judged, caches);
  const head = traceModel({ ...model.booted, profile }, scope, caches);
  try {
    const explored = explore(model, asked, head, options);
    asked.stop();
    const reached = { ...reachedBy(explored.model), profileFields: { asked: asked.asked(), never: asked.never() } };
    const broken = explored.found.map((one) => violationOf(layout, one.model, scope, caches, one.found));
    return verdictOf(model, head, explored.run, reached, broken);
  } catch (error) {
    if (error instanceof PropertyFailed) throw failure(model, error);
    // Whoever forges a checkpoint, sum and all, gets no further than this; a trace is walked from the first state.
    throw options.resume === undefined || error instanceof Refusal ? error : damaged(options.resume, `${String(error)} (or this is a bug in cofferdam)`);
  }
};
