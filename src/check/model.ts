/**
 * The model that is explored: the booted kernel on packed states, the SMMU machine beside it, and every invocation of
 * every untrusted subject between. At coarse grain an invocation runs whole; the SMMU may fetch after every step all the
 * same, because the machine closes its may-cache set then (design D5, D6).
 */
import { impossible } from "../base/diagnostic.ts";
import { type Packed, packed, placesOf } from "../base/state.ts";
import type { Step } from "../base/step.ts";
import { canonicalise } from "../kernel/canonical.ts";
import { forEachInstance } from "../kernel/instances.ts";
import type { Invocation, Request } from "../kernel/invocation.ts";
import { invocations, refusedBy } from "../kernel/invocations.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { KernelShape } from "../kernel/state.ts";
import type { Booted } from "../system/boot.ts";
import type { Explorable } from "./breadth.ts";
import { Collapse, PairMemory } from "./collapse.ts";
import { collapsedOf } from "./collapsed.ts";
import { Coverage } from "./coverage.ts";
import { type Machine, machineOf, type MachineState } from "./machine.ts";
import { emptyTree } from "./outcomes/factTree.ts";
import { createOutcomes } from "./outcomes/outcomes.ts";
import { createMachineIds, FIRST, type MachineIds } from "./machineIds.ts";
import { mixed, sumOf } from "./stateStore.ts";
import { type Property, type View, viewer } from "./properties.ts";

export interface Model extends Explorable {
  readonly booted: Booted;
  readonly machine: Machine;
  /** The numbers by which packed states name machine states. */
  readonly machineIds: MachineIds;
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
  /** The same model over collapsed states, as `collapse` makes them: faster, and smaller. */
  readonly collapsed: Explorable;
  readonly collapse: Collapse;
  /** What `expand` does by what is known, by running every recipe: the law that both agree is a test. */
  readonly expandPlainly: Explorable["expand"];
  /** Runs anything on the window; what it emits is executed on the machine. */
  readonly apply: <T>(act: (kernel: Kernel) => T, before: MachineState) => T;
  /** Runs one instance on the window: the steps it gave the SMMU. */
  readonly run: (definition: Invocation, request: Request, before: MachineState) => readonly Step[];
}

/** Which word of a packed state is the machine's number. */
const machineWord = (shape: KernelShape): number => (placesOf(shape).tables.find(({ name }) => name === "machine") ?? impossible("the state has no machine")).base;

/** Builds the model of a booted system. `properties` are judged in every state. */
export const createModel = (booted: Booted, properties: readonly Property[], cacheMode: "may" | "none" = "may", number: (machine: Machine) => MachineIds = createMachineIds): Model => {
  const { plan, profile, driver, shape } = booted;
  const view = packed(shape);
  const machine = machineOf(profile, plan, cacheMode);
  const machineIds = number(machine);
  let emitted: Step[] = [];
  const kernel: Kernel = { plan, profile, driver, tables: view.tables, emit: (steps) => void emitted.push(...steps) };
  const coverage = new Coverage(invocations.filter((definition) => definition.unexplored === undefined && (definition.inProfile?.(profile) ?? true)), properties);
  const subjects = plan.subjects.flatMap(({ trusted }, subject) => (trusted ? [] : [subject]));
  const row = view.tables.machine.at(0);
  const load = (states: Uint32Array, at: number): void => {
    for (let word = 0; word < view.words; word++) view.window[word] = states[at + word]!;
  };
  const machineInWindow = (): MachineState => machineIds.at(row.id);

  const first = machineIds.idOf(machine.executeAll(machine.start, booted.steps), FIRST, booted.steps);
  const initial = new Uint32Array(view.words);
  view.pack(booted.state, initial, 0);
  load(initial, 0);
  row.id = first;
  initial.set(view.window);

  const apply: Model["apply"] = (act, before) => {
    emitted = [];
    const answer = act(kernel);
    canonicalise(kernel);
    row.id = machineIds.idOf(machine.executeAll(before, emitted), row.id, emitted);
    return answer;
  };
  const run: Model["run"] = (definition, request, before) => {
    apply(() => definition.effect(kernel, request), before);
    return emitted;
  };
  const viewOf = viewer(booted, kernel, machine);

  const word = machineWord(shape);
  if (word !== view.words - 1) impossible("the machine is not the last word of a state");
  const collapse = new Collapse(view.words, word);
  const outcomes = createOutcomes(booted, subjects, collapse);
  coverage.also(outcomes.met);
  const after: Map<number, number>[] = [];
  const lately = new PairMemory();
  /** The machine's number after a list of steps; equal lists are one object. */
  const execute = (before: number, id: number): number => {
    const recent = lately.get(before, id);
    if (recent >= 0) return recent;
    const { steps } = outcomes.given(id);
    const known = (after[id] ??= new Map());
    let next = known.get(before);
    if (next === undefined) known.set(before, (next = machineIds.idOf(machine.executeAll(machineIds.at(before), steps), before, steps)));
    return lately.set(before, id, next);
  };
  const scratch = new Uint32Array(view.words);
  const kept = new Uint32Array(view.words);
  const judgements = emptyTree<{ readonly answer: number }>();
  let viewing: ReturnType<typeof viewer> | undefined;
  /** Which properties the state violates, as a question about it. */
  const judged = (asked: Kernel): number => {
    viewing ??= viewer(booted, asked, machine);
    const seen = viewing(machineIds.at(asked.tables.machine.at(0).id));
    let violated = 0;
    for (const [bit, property] of properties.entries()) if (property.plain !== true && property.violation(seen) !== undefined) violated |= 1 << bit;
    return violated;
  };
  const plain = properties.some((property) => property.plain);
  /** Which of the properties that may read anything the state violates. */
  const judgedPlainly = (states: Uint32Array, at: number, now: MachineState): number => {
    load(states, at);
    const seen = viewOf(now);
    if (coverage.waiting) coverage.exercise(seen, (property) => property.plain === true);
    let violated = 0;
    for (const [bit, property] of properties.entries()) if (property.plain === true && property.violation(seen) !== undefined) violated |= 1 << bit;
    return violated;
  };

  const judge: Model["judge"] = (states, at) => {
    const now = machineIds.at(states[at + word]!);
    if (!coverage.saw(now)) {
      load(states, at);
      coverage.see(viewOf(now));
    }
    const known = outcomes.ask(judgements, states, at, judged);
    return plain ? known | judgedPlainly(states, at, now) : known;
  };
  const collapsed = collapsedOf({ collapse, initial, outcomes, execute, judge });

  return {
    booted,
    machine,
    machineIds,
    collapsed,
    collapse,
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
      const before = states[at + word]!;
      for (let index = 0; index < view.words; index++) scratch[index] = states[at + index]!;
      const sum = sumOf(scratch, 0, view.words);
      outcomes.forEach(states, at, ({ words, keep, bits, given }, ordinal) => {
        let changed = sum;
        for (let index = 0; index < words.length; index++) {
          const place = words[index]!;
          const old = scratch[place]!;
          kept[index] = old;
          scratch[place] = (old & keep[index]!) | bits[index]!;
          changed = (changed - mixed(place, old) + mixed(place, scratch[place])) | 0;
        }
        if (given.steps.length === 0) visit(scratch, ordinal, 0, changed);
        else {
          const next = execute(before, given.id);
          scratch[word] = next;
          visit(scratch, ordinal, given.steps.length, (changed - mixed(word, before) + mixed(word, next)) | 0);
          scratch[word] = before;
        }
        for (let index = 0; index < words.length; index++) scratch[words[index]!] = kept[index]!;
      });
    },
    expandPlainly: (states, at, visit) => {
      load(states, at);
      const before = machineInWindow();
      let ordinal = -1;
      forEachInstance(kernel, subjects, (_, definition, request) => {
        ordinal += 1;
        if (refusedBy(kernel, definition, request) !== undefined) return;
        const steps = run(definition, request, before);
        visit(view.window, ordinal, steps.length);
        load(states, at);
      });
    },
    judge,
  };
};
