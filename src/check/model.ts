/**
 * The model that is explored: the booted kernel on packed states, the SMMU machine beside it, and every invocation of
 * every untrusted subject between. At coarse grain an invocation runs whole; the SMMU may fetch after every step all the
 * same, because the machine closes its may-cache set then (design D5, D6).
 */
import { impossible } from "../base/diagnostic.ts";
import { type Packed, packed } from "../base/state.ts";
import type { Step } from "../base/step.ts";
import { canonicalise } from "../kernel/canonical.ts";
import { forEachInstance } from "../kernel/instances.ts";
import type { Invocation, Request } from "../kernel/invocation.ts";
import { invocations, refusedBy } from "../kernel/invocations.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { KernelShape } from "../kernel/state.ts";
import type { Booted } from "../system/boot.ts";
import type { Explorable } from "./breadth.ts";
import { Coverage } from "./coverage.ts";
import { type Machine, machineOf, type MachineState } from "./machine.ts";
import { type Property, type View, viewer } from "./properties.ts";

export interface Model extends Explorable {
  readonly booted: Booted;
  readonly machine: Machine;
  readonly packed: Packed<KernelShape>;
  /** The kernel over the packed window; what it emits goes to the step list of the running expansion. */
  readonly kernel: Kernel;
  readonly coverage: Coverage;
  readonly properties: readonly Property[];
  /** Subjects whose invocations are explored. */
  readonly subjects: readonly number[];
  readonly machineAt: (states: Uint32Array, at: number) => MachineState;
  /** The state at `at` as the properties see it; valid until the next call into the model. */
  readonly viewAt: (states: Uint32Array, at: number) => View;
  /** Runs anything on the window; what it emits is executed on the machine. */
  readonly apply: <T>(act: (kernel: Kernel) => T, before: MachineState) => T;
  /** Runs one instance on the window: the steps it gave the SMMU. */
  readonly run: (definition: Invocation, request: Request, before: MachineState) => readonly Step[];
}

/** Builds the model of a booted system. `properties` are judged in every state. */
export const createModel = (booted: Booted, properties: readonly Property[], cacheMode: "may" | "none" = "may"): Model => {
  const { plan, profile, driver, shape } = booted;
  const view = packed(shape);
  const machine = machineOf(profile, plan, cacheMode);
  let emitted: Step[] = [];
  const kernel: Kernel = { plan, profile, driver, tables: view.tables, emit: (steps) => void emitted.push(...steps) };
  const coverage = new Coverage(invocations.filter((definition) => definition.unexplored === undefined && (definition.inProfile?.(profile) ?? true)));
  const subjects = plan.subjects.flatMap(({ trusted }, subject) => (trusted ? [] : [subject]));
  const ids = view.tables.machine.at(0);
  const setMachine = (state: MachineState): void => {
    ids.image = state.imageId;
    ids.cache = state.cacheId;
  };
  const load = (states: Uint32Array, at: number): void => {
    for (let word = 0; word < view.words; word++) view.window[word] = states[at + word]!;
  };
  const machineInWindow = (): MachineState => machine.state(ids.image, ids.cache) ?? impossible("a state names a machine that this run never met");

  const first = machine.executeAll(machine.start, booted.steps);
  const initial = new Uint32Array(view.words);
  view.pack(booted.state, initial, 0);
  load(initial, 0);
  setMachine(first);
  initial.set(view.window);

  const apply: Model["apply"] = (act, before) => {
    emitted = [];
    const answer = act(kernel);
    canonicalise(kernel);
    setMachine(machine.executeAll(before, emitted));
    return answer;
  };
  const run: Model["run"] = (definition, request, before) => {
    apply(() => definition.effect(kernel, request), before);
    return emitted;
  };
  const viewOf = viewer(booted, kernel, machine);

  return {
    booted,
    machine,
    packed: view,
    kernel,
    coverage,
    properties,
    subjects,
    words: view.words,
    initial,
    apply,
    run,
    machineAt: (states, at) => {
      load(states, at);
      return machineInWindow();
    },
    viewAt: (states, at) => {
      load(states, at);
      return viewOf(machineInWindow());
    },
    expand: (states, at, visit) => {
      load(states, at);
      const before = machineInWindow();
      let ordinal = -1;
      forEachInstance(kernel, subjects, (_, definition, request) => {
        ordinal += 1;
        const refused = refusedBy(kernel, definition, request);
        coverage.count(definition, refused?.index ?? -1);
        if (refused !== undefined) return;
        const steps = run(definition, request, before);
        visit(view.window, ordinal, steps.length);
        load(states, at);
      });
    },
    judge: (states, at) => {
      load(states, at);
      const seen = viewOf(machineInWindow());
      coverage.see(seen);
      let violated = 0;
      for (const [bit, property] of properties.entries()) if (property.violation(seen) !== undefined) violated |= 1 << bit;
      return violated;
    },
  };
};
