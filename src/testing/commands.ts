/**
 * Invocations as fast-check's model-based commands, for `fc.commands` and `fc.modelRun`: a random walk over a booted
 * system, with the SMMU beside it and every property judged after each invocation. The definitions are those that the
 * explorer enumerates, so a system of any size is walked that can be booted.
 *
 *     const model = createModel(booted, properties);
 *     fc.assert(fc.property(invocationCommands(booted), (commands) => fc.modelRun(() => walkOf(model), commands)));
 */
import fc from "fast-check";
import type { Model } from "../check/model.ts";
import { acceptedFor, DRAW_SPAN, type Draw, exploredUnder, type Guide, objectsOf, type Performed, refusedFor } from "../check/random.ts";
import type { Property, Violation } from "../check/properties/property.ts";
import type { Booted } from "../system/boot.ts";
import type { Tally } from "./tally.ts";

/** A walk: fast-check's model. Its real system is the kernel in the window of the model that is checked. */
export interface Walk {
  readonly model: Model;
  /** The state now. */
  readonly state: Uint32Array;
  /** What was accepted so far. */
  readonly performed: Performed[];
  /** The objects that the last of them named. */
  objects: readonly string[];
  /** Where coverage is counted; undefined while fast-check shrinks. */
  readonly tally: Tally | undefined;
}

/** Thrown by a command behind which a property fails. */
export class PropertyViolated extends Error {
  override readonly name = "PropertyViolated";
  readonly walk: Walk;
  readonly property: Property;
  readonly violation: Violation;

  constructor(walk: Walk, property: Property, violation: Violation) {
    super(`${property.name}: ${violation.message}, after ${walk.performed.map((performed) => tellInvocation(walk.model, performed)).join(", ")}`);
    this.walk = walk;
    this.property = property;
    this.violation = violation;
  }
}

const tellInvocation = ({ booted: { plan } }: Model, { subject, definition }: Performed): string => `${plan.subjects[subject]!.name} ${definition.label}`;

/** The first state, as `fc.modelRun` wants it. */
export const walkOf = (model: Model, tally?: Tally): { model: Walk; real: Model } => ({
  model: { model, state: Uint32Array.from(model.initial), performed: [], objects: [], tally },
  real: model,
});

const judge = (walk: Walk): void => {
  const { model } = walk;
  const violated = model.judge(walk.state, 0);
  if (violated === 0) return;
  const property = model.properties.find((_, bit) => ((violated >>> bit) & 1) === 1)!;
  throw new PropertyViolated(walk, property, property.violation(model.viewAt(walk.state, 0))!);
};

export class InvocationCommand implements fc.Command<Walk, Model> {
  readonly draw: Draw;
  private readonly guide: Guide;
  private told = "";
  private next: Performed | undefined;

  constructor(draw: Draw, guide: Guide) {
    this.draw = draw;
    this.guide = guide;
  }

  /** A refused invocation always runs, as it changes nothing: so which commands ran does not depend on coverage. */
  check(walk: Readonly<Walk>): boolean {
    if (this.draw.kind === "refused") return true;
    this.next = acceptedFor(walk.model, this.guide, this.draw, walk.state, walk.objects);
    return this.next !== undefined;
  }

  run(walk: Walk, model: Model): void {
    const machine = model.machineAt(walk.state, 0);
    if (this.draw.kind === "refused") return this.refuse(walk);
    const performed = this.next!;
    this.told = tellInvocation(model, performed);
    walk.objects = objectsOf(model.kernel, performed);
    model.run(performed.definition, performed.request, machine);
    walk.state.set(model.packed.window);
    walk.performed.push(performed);
    if (walk.tally !== undefined) {
      model.coverage.count(performed.definition, -1);
      walk.tally.perform(performed.definition.label, walk.state, walk.performed.length - 1);
    }
    judge(walk);
  }

  private refuse({ model, tally }: Walk): void {
    const refused = tally === undefined ? undefined : refusedFor(model, this.draw, (candidate) => tally.reached(candidate));
    if (tally === undefined || refused === undefined) return;
    this.told = `${tellInvocation(model, refused)} -> ${refused.definition.refusals[refused.first]!.error}`;
    model.coverage.count(refused.definition, refused.first);
    tally.refuse(refused);
  }

  toString(): string {
    return this.told === "" ? "refused" : this.told;
  }
}

export interface InvocationOptions {
  /** Commands of the longest walk. */
  readonly length?: number;
  /** What was performed before, to prefer what was not. */
  readonly guide?: Guide;
  /** Of eight commands, how many are to be refused. */
  readonly refused?: number;
  /** fast-check's, to run a shrunk walk again. */
  readonly replayPath?: string;
}
const KINDS = ["any", "related", "opening", "related", "any", "opening", "related"] as const;
export const DEFAULT_LENGTH = 50;

/** Walks over a booted system. Numbers are drawn without bias and not shrunk: a smaller one is no simpler. */
export const invocationCommands = (booted: Booted, options: InvocationOptions = {}): fc.Arbitrary<Iterable<fc.Command<Walk, Model>>> => {
  const { length = DEFAULT_LENGTH, guide = exploredUnder(booted.profile).map(() => 0), refused = 1, replayPath } = options;
  const number = fc.noShrink(fc.noBias(fc.nat(DRAW_SPAN - 1)));
  const kinds = [...Array.from({ length: refused }, () => "refused" as const), ...Array.from({ length: 8 - refused }, (_, index) => KINDS[index % KINDS.length]!)];
  const kind = fc.noShrink(fc.constantFrom(...kinds));
  const draw = fc.record({ actor: number, kind, number });
  const command = draw.map((drawn) => new InvocationCommand(drawn, guide));
  return fc.commands([command], { maxCommands: length, size: "max", ...(replayPath === undefined ? {} : { replayPath }) });
};
