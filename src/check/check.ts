/** The main job of the checker: from a layout to a verdict. */
import { cofferdam, type Profile } from "../kernel/profile.ts";
import { hex } from "../base/words.ts";
import { boot } from "../system/boot.ts";
import type { Layout, LayoutDmaPath } from "../system/layout.ts";
import { defaultScope, scale, type Scope, unscaled } from "../system/scale.ts";
import { type Bounds, breadthFirst, type Exploration, type Found, type Watch } from "./breadth.ts";
import { createModel, type Model } from "./model.ts";
import { properties, type Property } from "./properties.ts";
import { replay } from "./replay.ts";
import { traceModel, traceOf } from "./trace.ts";
import { assumptionsOf, notTriedUnder, type Verdict, type VerdictViolation } from "./verdict.ts";

export interface CheckOptions {
  readonly scope?: Scope;
  readonly bounds?: Partial<Bounds>;
  readonly profile?: Profile;
  readonly caches?: "may" | "none";
  readonly properties?: readonly Property[];
  readonly watch?: Watch;
}

export const defaultBounds: Bounds = { states: 2_000_000, depth: 1000, seconds: 600 };

/** The violation of one property: its trace, and the same trace on the whole layout. */
const violationOf = (layout: Layout, model: Model, scope: Scope, caches: "may" | "none", found: Found): VerdictViolation => {
  const index = Math.log2(found.violated);
  const property = model.properties[index]!;
  const { trace, violation } = traceOf(model, { model: traceModel(model.booted, scope, caches), spec: { hash: layout.spec.sha256 } }, index, found.ordinals);
  const whole = boot(unscaled(layout, model.booted.plan.addresses, scope.slots), model.booted.profile);
  return { property: property.name, sentence: property.sentence, message: violation.message, length: trace.steps.length, trace, unscaled: replay(whole, property, trace) };
};

const pathName = (layout: Layout, { sid, region, iova, access }: LayoutDmaPath): string =>
  `${layout.sids[sid]!.name} ${access} ${layout.regions[region]!.name} at IOVA ${hex(iova)}`;

const resultOf = (end: Exploration["end"], violations: readonly VerdictViolation[]): Verdict["result"] => {
  if (violations.length > 0) return "violated";
  return end === "exhausted" ? "holds" : "inconclusive";
};

/** Explores the scaled layout under every order of invocations that untrusted components can make. */
export const checkLayout = (layout: Layout, options: CheckOptions = {}): Verdict => {
  const { scope = defaultScope, profile = cofferdam, caches = "may", properties: judged = properties } = options;
  const bootable = scale(layout, scope);
  const booted = boot(bootable, profile);
  const model = createModel(booted, judged, caches);
  const explored = breadthFirst(model, { ...defaultBounds, ...options.bounds }, options.watch);
  // Coverage is read before traces are built, since building one runs the model again.
  const coverage = model.coverage.operations();
  // A trusted component makes no invocation after boot, so its own paths never open here.
  const judgedPaths = bootable.layout.dma.filter(({ sid }) => !layout.components[layout.sids[sid]!.owner]!.trusted);
  const unreachedPaths = model.coverage.unreachedPaths(judgedPaths);
  const broken = explored.found.map((found) => violationOf(layout, model, scope, caches, found)).toSorted((a, b) => judged.findIndex(({ name }) => name === a.property) - judged.findIndex(({ name }) => name === b.property));
  const missing: VerdictViolation[] =
    explored.end !== "exhausted"
      ? []
      : unreachedPaths.map((path) => ({ property: "intended-dma", sentence: "Every DMA path that the spec intends is reached in some state.", message: `${pathName(layout, path)} is never possible` }));
  const violations = [...broken, ...missing];
  return {
    format: "cofferdam-verdict",
    version: 1,
    system: layout.name,
    board: layout.board,
    spec: layout.spec,
    model: traceModel(booted, scope, caches),
    scope,
    result: resultOf(explored.end, violations),
    end: explored.end,
    states: explored.states,
    transitions: explored.edges,
    depth: explored.depth,
    adversaries: booted.plan.subjects.filter(({ trusted }) => !trusted).map(({ name }) => name),
    trusted: booted.plan.subjects.filter(({ trusted }) => trusted).map(({ name }) => name),
    properties: judged.map(({ name, sentence }) => ({
      name,
      sentence,
      result: broken.some(({ property }) => property === name) ? "violated" : explored.end === "exhausted" ? "holds" : "undecided",
    })),
    violations,
    coverage,
    notTried: notTriedUnder(profile),
    unreachedOperations: coverage.filter(({ performed }) => performed === 0).map(({ label }) => label),
    unreachedRefusals: coverage.flatMap(({ label, refused }) => refused.filter(({ count }) => count === 0).map(({ error, when }) => `${label} ${error}: ${when}`)),
    intendedPaths: { judged: judgedPaths.length, ofTrusted: bootable.layout.dma.length - judgedPaths.length, unreached: unreachedPaths.map((path) => pathName(layout, path)) },
    assumptions: assumptionsOf(profile),
  };
};
