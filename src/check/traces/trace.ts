/**
 * Traces (design §6): what was invoked, what changed, what the SMMU was given, and the transaction that shows the break.
 * A trace names cptrs and words only, so it replays on any state that has those capabilities, the unscaled one included.
 */
import { hex } from "../../base/words.ts";
import type { Step } from "../../base/step.ts";
import type { Plain } from "../../base/state.ts";
import { kinds } from "../../kernel/capability.ts";
import { type Invocation, type Request, wordCount } from "../../kernel/invocation.ts";
import { invocations } from "../../kernel/invocations.ts";
import { forEachInstance } from "../../kernel/instances.ts";
import type { Plan } from "../../kernel/plan.ts";
import { placeName } from "../names.ts";
import type { Profile } from "../../kernel/profile.ts";
import type { Reduction } from "../../kernel/reductions.ts";
import type { KernelShape } from "../../kernel/state.ts";
import type { Booted } from "../../system/boot.ts";
import type { Scope } from "../../system/scale.ts";
import { canonicalJson, sha256 } from "../canonical.ts";
import type { Machine, MachineState } from "../machine.ts";
import type { Model } from "../model.ts";
import type { Violation } from "../properties/property.ts";
import type { Performed } from "../symmetry/lift.ts";

export const TRACE_FORMAT = "cofferdam-trace";
export const TRACE_VERSION = 1;

export interface TraceModel {
  readonly hash: string;
  readonly profile: string;
  readonly mutant?: string;
  readonly machine: string;
  readonly grain: "coarse";
  readonly caches: "may" | "none";
  readonly scope: Scope;
  /** Found on the whole layout, not on the scaled one. */
  readonly whole?: true;
  /** Reductions that were left out. */
  readonly unreduced?: readonly Reduction[];
}
export interface TraceStep {
  readonly actor: string;
  readonly op: string;
  /** By the names of the definition; numbers as hex. `cptr` is the invoked capability. */
  readonly args: Readonly<Record<string, string>>;
  /** How many words and capabilities were sent, where they were too few; `args` has no others. */
  readonly sent?: { readonly words: number; readonly caps: number };
  readonly result: string;
  /** What became other in the kernel's tables: `what` names the row. A trace that was written before may lack the table. */
  readonly changed: readonly { readonly table?: string; readonly what: string; readonly field: string; readonly old: string | number; readonly new: string | number }[];
  readonly steps: readonly { readonly kind: string; readonly addr?: string; readonly size?: string; readonly old?: string; readonly new?: string; readonly command?: readonly string[]; readonly what?: string }[];
}
export interface Trace {
  readonly format: typeof TRACE_FORMAT;
  readonly version: typeof TRACE_VERSION;
  readonly model: TraceModel;
  readonly spec: { readonly hash: string };
  readonly property: string;
  /** Where a random walk found it, the string that walks there again. */
  readonly seed?: string;
  readonly message: string;
  readonly steps: readonly TraceStep[];
  readonly witness: {
    readonly smmu: number;
    readonly sid: string;
    readonly iova?: string;
    readonly op: string;
    readonly pa?: string;
    readonly via: readonly { readonly what: string; readonly addr: string; readonly value: string }[];
  };
  /** SHA-256 of the final state, image and caches by content. */
  readonly final: string;
}

/** SHA-256 of what the model is made of: tables and fields, invocations with their refusals, and the profile. */
export const modelHash = (shape: KernelShape, profile: Profile): string =>
  sha256(
    canonicalJson({
      tables: Object.entries(shape).map(([table, { fields }]) => [table, Object.keys(fields)]),
      invocations: invocations.map(({ label, caps, words, refusals }) => [label, caps.map(({ name }) => name), words.map(({ name }) => name), refusals.map(({ error, when }) => [error, when])]),
      profile,
    }),
  );

/** The names of an invocation's message words, in order. */
export const wordNames = (definition: Invocation): string[] =>
  definition.words.flatMap((argument) => {
    if (wordCount(argument) === 1) return [argument.name];
    if (argument.of === "window") return [`${argument.name}_index`, `${argument.name}_depth`, `${argument.name}_offset`];
    return [argument.name, argument.name.replace(/index$/, "depth")];
  });

/** The cptr of a slot row in a subject's own CSpace. */
const cptrOf = (plan: Plan, row: number): bigint => {
  const place = plan.slots[row]!;
  return place.in === "cnode" ? BigInt(place.index) : 0n;
};

const argumentsOf = (plan: Plan, definition: Invocation, request: Request): Record<string, string> => ({
  cptr: hex(cptrOf(plan, request.target)),
  ...Object.fromEntries(wordNames(definition).slice(0, request.words.length).map((name, index) => [name, hex(request.words[index]!)])),
  ...Object.fromEntries(definition.caps.slice(0, request.caps.length).map(({ name }, index) => [name, hex(cptrOf(plan, request.caps[index]!))])),
});
const isShort = (definition: Invocation, { words, caps }: Request): boolean => words.length < wordNames(definition).length || caps.length < definition.caps.length;

/** The message of an instance, by who sends it. */
export const messageOf = (plan: Plan, { subject, definition, request }: Performed): Pick<TraceStep, "actor" | "op" | "args" | "sent"> => ({
  actor: plan.subjects[subject]!.name,
  op: definition.label,
  args: argumentsOf(plan, definition, request),
  ...(isShort(definition, request) ? { sent: { words: request.words.length, caps: request.caps.length } } : {}),
});

const rowName = (plan: Plan, table: string, row: number): string => {
  if (table === "slot") {
    return placeName(plan, plan.slots[row]!);
  }
  if (table === "entry") {
    const { vspace, level, index, address } = plan.entries[row]!;
    return `${plan.vspaces[vspace]!.name} L${level}[${index}] (${hex(address)})`;
  }
  const named = { sid: plan.sids, cb: plan.cbs, vspace: plan.vspaces }[table]?.[row];
  return named === undefined ? `${table}[${row}]` : `${table} ${named.name}`;
};

const changes = (plan: Plan, before: Plain<KernelShape>, after: Plain<KernelShape>): TraceStep["changed"] =>
  (Object.keys(after) as (keyof KernelShape)[])
    .filter((table) => table !== "machine" && table !== "processor")
    .flatMap((table) =>
      after[table].flatMap((row, index) =>
        Object.entries(row).flatMap(([field, value]) => {
          const old = (before[table][index] as Record<string, number>)[field]!;
          if (old === value) return [];
          const shown = (number: number) => (table === "slot" && field === "kind" ? kinds[number]! : number);
          return [{ table, what: rowName(plan, table, index), field, old: shown(old), new: shown(value) }];
        }),
      ),
    );

const shownStep = (step: Step, machine: MachineState): TraceStep["steps"][number] => {
  switch (step.kind) {
    case "store":
      return { kind: "store", addr: hex(step.addr), old: hex(machine.image.read(step.addr)), new: hex(step.value), what: step.what };
    case "fill":
      return { kind: "fill", addr: hex(step.addr), size: hex(step.size), new: hex(step.pattern[0]!), what: step.what };
    case "command":
      return { kind: "command", command: step.words.map(hex), what: step.what };
    case "register":
      return { kind: "register", addr: hex(step.offset), new: hex(step.value), ...(step.what === undefined ? {} : { what: step.what }) };
    default:
      return { kind: step.kind };
  }
};

/** The final state as canonical JSON: tables, then memory and caches by content, since their ids are a run's own. */
export const finalHash = (state: Plain<KernelShape>, run: Pick<Machine, "contents">, machine: MachineState): string => {
  const { machine: _ids, ...tables } = state;
  return sha256(canonicalJson({ tables, ...run.contents(machine) }));
};

/** The instance with this ordinal in the state that is in the model's window. */
const instanceAt = (model: Model, ordinal: number): Performed => {
  let at = -1;
  let found: Performed | undefined;
  forEachInstance(model.kernel, model.subjects, (subject, definition, request) => {
    at += 1;
    if (at === ordinal) found = { subject, definition, request: { target: request.target, caps: [...request.caps], words: [...request.words] } };
  });
  if (found === undefined) throw new Error(`a path names instance ${ordinal}, but the state has only ${at + 1}`);
  return found;
};

/** Who invoked what, and what it gave the SMMU; the error, where it was refused. */
interface Told extends Pick<TraceStep, "actor" | "op" | "args" | "sent">, Partial<Pick<TraceStep, "result">> {
  readonly given: readonly Step[];
}
/** Runs one invocation on the model's window, which holds the state before it. */
export type Act = (machine: MachineState) => Told;

/** The acts of a path that names instances by their ordinals. */
const actsOf = (model: Model, ordinals: readonly number[]): Act[] => {
  const act =
    (performed: () => Performed): Act =>
    (machine) => {
      const done = performed();
      return { ...messageOf(model.booted.plan, done), given: model.run(done.definition, done.request, machine) };
    };
  if (model.symmetry !== undefined) return model.symmetry.lift(ordinals).map((performed) => act(() => performed));
  return ordinals.map((ordinal) => act(() => instanceAt(model, ordinal)));
};

/** The messages of a path that names instances by their ordinals: actor, label and arguments of each step. */
export const messagesOf = (model: Model, ordinals: readonly number[]): Pick<TraceStep, "actor" | "op" | "args">[] => {
  const state = Uint32Array.from(model.initial);
  return actsOf(model, ordinals).map((act) => {
    const { actor, op, args } = act(model.machineAt(state, 0));
    state.set(model.packed.window);
    return { actor, op, args };
  });
};

export interface TracedViolation {
  readonly trace: Trace;
  readonly violation: Violation;
}
/** Walks a path from the first state, telling what each invocation did; then judges the property in the last state. */
export const traceOf = (model: Model, head: Pick<Trace, "model" | "spec">, property: number, ordinals: readonly number[]): TracedViolation =>
  traceThrough(model, head, property, actsOf(model, ordinals));

/** The same for acts of any kind. */
export const traceThrough = (model: Model, head: Pick<Trace, "model" | "spec">, property: number, acts: readonly Act[]): TracedViolation => {
  const { plan } = model.booted;
  const state = Uint32Array.from(model.initial);
  const steps: TraceStep[] = [];
  for (const act of acts) {
    const before = model.packed.unpack(state, 0);
    let machine = model.machineAt(state, 0);
    const { given, ...told } = act(machine);
    state.set(model.packed.window);
    const shown = given.map((step) => {
      const line = shownStep(step, machine);
      machine = model.machine.execute(machine, step);
      return line;
    });
    steps.push({ result: "seL4_NoError", ...told, changed: changes(plan, before, model.packed.unpack(state, 0)), steps: shown });
  }
  const violation = model.properties[property]!.violation(model.viewAt(state, 0));
  if (violation === undefined) throw new Error("the path does not violate the property");
  const { witness } = violation;
  return {
    violation,
    trace: {
      format: TRACE_FORMAT,
      version: TRACE_VERSION,
      ...head,
      property: model.properties[property]!.name,
      message: violation.message,
      steps,
      witness: {
        smmu: witness.smmu,
        sid: witness.sid < 0 ? `-${hex(-witness.sid)}` : hex(witness.sid),
        ...(witness.iova === undefined ? {} : { iova: hex(witness.iova) }),
        op: witness.op,
        ...(witness.pa === undefined ? {} : { pa: hex(witness.pa) }),
        via: witness.via.map(({ what, addr, value }) => ({ what, addr: hex(addr), value: hex(value) })),
      },
      final: finalHash(model.packed.unpack(state, 0), model.machine, model.machineAt(state, 0)),
    },
  };
};

export const traceModel = (booted: Booted, scope: Scope, caches: "may" | "none"): TraceModel => ({
  hash: modelHash(booted.shape, booted.profile),
  profile: booted.profile.name,
  ...(booted.profile.without === undefined ? {} : { mutant: booted.profile.without }),
  machine: booted.profile.machine,
  grain: "coarse",
  caches,
  scope,
  ...(booted.plan.unreduced === undefined ? {} : { unreduced: booted.plan.unreduced }),
});
