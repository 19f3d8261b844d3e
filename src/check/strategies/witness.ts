/**
 * Traces that show what a user wants to see happen: `cofferdam witness`. A goal that is not reached within the bounds may
 * be reached beyond them; only where every state of the scope was looked at is it said to be unreachable, and then only
 * there, with the arguments of the scope.
 */
import type { Invocation } from "../../kernel/invocation.ts";
import { invocations, refusedBy } from "../../kernel/invocations.ts";
import { slotOfCptr } from "../../kernel/api.ts";
import { cofferdam, type Profile } from "../../kernel/profile.ts";
import type { Layout, LayoutDmaPath } from "../../system/layout.ts";
import { defaultScope, type Scope } from "../../system/scale.ts";
import { type Bounds, breadthFirst } from "../search/breadth.ts";
import { bootAt, reachedBy } from "../check.ts";
import { minimised } from "../traces/minimise.ts";
import { createModel, type Model } from "../model.ts";
import { actsOfMoves, type Move, moveOf } from "../traces/moves.ts";
import { pathName } from "../names.ts";
import { properties } from "../properties/properties.ts";
import type { Property, View, Violation } from "../properties/property.ts";
import { type Act, messageOf, messagesOf, type Trace, type TraceModel, traceModel, type TraceStep, traceThrough } from "../traces/trace.ts";
import { bestFirst, type Distance, type Wishes, type WishWatch } from "./bestFirst.ts";
import { distanceBy, distanceTo, holdingsIn, type Instance, lastInstance } from "./distance.ts";
import { type Goal, type GoalNames, isGoalName, parseGoal, reasonName } from "./goals.ts";

export interface Witnessed {
  readonly goal: string;
  /** `unreachable`: at this scope, of which every state was looked at. */
  readonly result: "reached" | "not reached" | "unreachable";
  readonly trace?: Trace;
}
export interface Witnesses {
  readonly format: "cofferdam-witnesses";
  readonly version: 1;
  readonly system: string;
  readonly spec: Layout["spec"];
  readonly model: TraceModel;
  readonly end: Wishes["end"];
  readonly states: number;
  readonly transitions: number;
  readonly depth: number;
  readonly goals: readonly Witnessed[];
}

export interface WitnessOptions {
  readonly scope?: Scope;
  readonly profile?: Profile;
  readonly caches?: "may" | "none";
  readonly bounds?: Partial<Bounds>;
  readonly watch?: WishWatch;
}
export const witnessBounds: Bounds = { states: 200_000, depth: 1000, seconds: 120 };

/** States of the short run that decides what `unreached` stands for. */
export const SHORT_RUN = 2_000;

/** Everything that a short breadth-first run does not reach, in declared order. */
const unreached = (model: Model): Goal[] => {
  breadthFirst(model, { states: SHORT_RUN, depth: Infinity, seconds: Infinity });
  const { operations, unreached: paths } = reachedBy(model);
  return operations.flatMap(({ label, performed, refused }): Goal[] => {
    const definition = invocations.find((candidate) => candidate.label === label)!;
    return [
      ...(performed === 0 ? [{ is: "performed", name: `performed ${label}`, definition } as const] : []),
      ...refused.flatMap(({ count }, reason) => (count === 0 ? [{ is: "refused", name: reasonName(definition, reason), definition, reasons: [reason] } as const] : [])),
    ];
  }).concat(paths.map((path) => ({ is: "path", name: `path ${pathName(model.booted.layout, path)}`, paths: [path] })));
};

const nothing: Violation["witness"] = { smmu: 0, sid: -1, op: "read", via: [] };

const openPath = (view: View, path: LayoutDmaPath): Violation | undefined => {
  if (!view.reaches(path)) return undefined;
  const { smmu, sid } = view.booted.layout.sids[path.sid]!;
  const stream = view.reach.streams.find((candidate) => candidate.smmu === smmu && candidate.sid === sid);
  const target = stream?.targets.find(({ iova, size, pa }) => path.iova >= iova && path.iova < iova + size && pa + (path.iova - iova) === path.pa);
  return { message: `${pathName(view.booted.layout, path)} is possible`, witness: { smmu, sid, op: path.access, iova: path.iova, pa: path.pa, via: target?.via ?? [] } };
};

/** Which of its reasons a message is refused for, in the state of a view; -1 when it is not. */
const reasonOf = (view: View, definition: Invocation, step: Last): number => {
  const move = moveOf(step);
  const subject = view.kernel.plan.subjects.findIndex(({ name }) => name === step.actor);
  if (move === undefined || subject < 0) return -1;
  const { cptr, caps, words } = move.message;
  const [target, ...rows] = [cptr, ...caps].map((each) => slotOfCptr(view.kernel, subject, each));
  return refusedBy(view.kernel, definition, { target: target!, caps: rows, words })?.index ?? -1;
};

/** The last step of a trace, which a goal may be about. */
type Last = Pick<TraceStep, "actor" | "op" | "args" | "sent"> & { readonly result: string };

/** What the end of a trace is judged by: a goal as a property that is "violated" where the goal is reached. */
export const propertyOf = (goal: Goal, last: Last | undefined): Property => {
  const { name } = goal;
  const sentence = `${name} is reached.`;
  const shown = (is: boolean, message: string): Violation | undefined => (is ? { message, witness: nothing } : undefined);
  switch (goal.is) {
    case "violates":
      return goal.property;
    case "path":
      return { name, sentence, violation: (view) => goal.paths.flatMap((path) => openPath(view, path) ?? [])[0] };
    case "performed":
      return { name, sentence, violation: () => shown(last?.op === goal.definition.label && last.result === "seL4_NoError", `${goal.definition.label} is performed`) };
    default:
      return {
        name,
        sentence,
        violation: (view) => {
          if (last === undefined || last.op !== goal.definition.label) return undefined;
          const reason = reasonOf(view, goal.definition, last);
          return goal.reasons.includes(reason) ? shown(true, `${goal.definition.label} answers ${last.result}, since ${goal.definition.refusals[reason]!.when}`) : undefined;
        },
      };
  }
};

/** What the end of a trace that shows a goal is judged by; undefined where the trace names none of this system. */
export const judgedByGoal = ({ property, model: { scope }, steps }: Trace, layout: Layout, profile: Profile): Property | undefined => {
  const goal = isGoalName(property) ? parseGoal(property, goalNames(layout, { scope, profile })) : undefined;
  return goal === undefined || "id" in goal ? undefined : propertyOf(goal, steps.at(-1));
};

/** The invocation that a goal ends with, in the state of the window; a goal that is a state has none. */
const lastOf = (model: Model, goal: Goal, state: Uint32Array): Instance | undefined =>
  goal.is === "performed" || goal.is === "refused" ? lastInstance(model.viewAt(state, 0).kernel, model.subjects, goal) : undefined;

/** The state after moves that are all answered without an error. */
const stateAfter = (model: Model, moves: readonly Move[]): Uint32Array => {
  const state = Uint32Array.from(model.initial);
  for (const act of actsOfMoves(model, moves)) {
    act(model.machineAt(state, 0));
    state.set(model.packed.window);
  }
  return state;
};

/** The moves to a goal that minimising leaves, and its last invocation, as a trace. */
const traceTo = (model: Model, head: TraceModel, spec: string, goal: Goal, ordinals: readonly number[]): Trace => {
  const path = messagesOf(model, ordinals).flatMap((message) => moveOf(message) ?? []);
  const there: Property = { name: goal.name, sentence: "", violation: (view) => (distanceTo(goal, view, model.subjects) === 0 ? { message: "", witness: nothing } : undefined) };
  const moves = minimised(model, there, path, BUDGET)?.moves ?? path;
  const last = lastOf(model, goal, stateAfter(model, moves));
  const acts: Act[] = actsOfMoves(model, moves);
  if (last === undefined) return traceThrough({ ...model, properties: [propertyOf(goal, undefined)] }, { model: head, spec: { hash: spec } }, 0, acts).trace;
  const message = messageOf(model.booted.plan, last);
  const refused = goal.is === "refused" ? goal.definition.refusals[goal.reasons[0]!]!.error : undefined;
  const act: Act = (machine) => (refused === undefined ? { ...message, given: model.run(last.definition, last.request, machine) } : { ...message, result: refused, given: [] });
  const judged = propertyOf(goal, { ...message, result: refused ?? "seL4_NoError" });
  return traceThrough({ ...model, properties: [judged] }, { model: head, spec: { hash: spec } }, 0, [...acts, act]).trace;
};
/** Invocations that minimising one trace may run. */
const BUDGET = 50_000;

/** The names that goals are read with: those of the scaled system. */
export const goalNames = (layout: Layout, { scope = defaultScope, profile = cofferdam }: WitnessOptions, judged: readonly Property[] = properties): GoalNames => ({ profile, layout: bootAt(layout, profile, { scope }).layout, properties: judged });

/** Distances by what is known of other states; goals of one definition share what holds of its instances. */
const distancesIn = (model: Model): ((goal: Goal) => Distance) => {
  const holdings = new Map<Invocation, (states: Uint32Array, at: number) => readonly number[]>();
  return (goal) => {
    // A property of the user's own may read anything, so what it read is not known.
    if (goal.is === "violates" && goal.property.plain === true) return (states, at) => distanceTo(goal, model.viewAt(states, at), model.subjects);
    if (goal.is === "violates" || goal.is === "path") return model.asking((view) => distanceTo(goal, view, model.subjects));
    const { definition } = goal;
    const asked = holdings.get(definition) ?? model.asking((view) => holdingsIn(view.kernel, model.subjects, definition));
    holdings.set(definition, asked);
    return (states, at) => distanceBy(goal, asked(states, at));
  };
};

/** `goals`: one by one, and `unreached` for all that a short run does not reach. */
export const findWitnesses = async (layout: Layout, goals: readonly (Goal | "unreached")[], options: WitnessOptions = {}): Promise<Witnesses> => {
  const { scope = defaultScope, profile = cofferdam, caches = "may", watch } = options;
  const model = createModel(bootAt(layout, profile, { scope }), [], caches);
  const head = traceModel(model.booted, scope, caches);
  const all = goals.flatMap((goal) => (goal === "unreached" ? unreached(model) : [goal]));
  const wanted = [...new Map(all.map((goal) => [goal.name, goal])).values()];
  const distances = distancesIn(model);
  const wishes = wanted.map((goal) => ({ guided: goal.is !== "violates", distance: distances(goal) }));
  const { end, states, edges, depth, paths } = await bestFirst(model, wishes, { ...witnessBounds, ...options.bounds }, watch);
  return {
    format: "cofferdam-witnesses",
    version: 1,
    system: layout.name,
    spec: layout.spec,
    model: head,
    end,
    states,
    transitions: edges,
    depth,
    goals: wanted.map((goal, index): Witnessed => {
      const path = paths[index];
      if (path === undefined) return { goal: goal.name, result: end === "exhausted" ? "unreachable" : "not reached" };
      return { goal: goal.name, result: "reached", trace: traceTo(model, head, layout.spec.sha256, goal, path) };
    }),
  };
};
