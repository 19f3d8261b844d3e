/**
 * The model that is explored: the booted kernel on packed states, the SMMU machine beside it, and every invocation of
 * every untrusted subject between. At coarse grain an invocation runs whole; the SMMU may fetch after every step all the
 * same, because the machine closes its may-cache set then (design D5, D6).
 */
import { impossible } from "../base/diagnostic.ts";
import { NONE, type Packed, packed, placesOf } from "../base/state.ts";
import type { Step } from "../base/step.ts";
import { CNODE } from "../kernel/capability.ts";
import { canonicalise } from "../kernel/canonical.ts";
import { forEachInstance } from "../kernel/instances.ts";
import type { Invocation, Request } from "../kernel/invocation.ts";
import { carryOut, invocations, refusedBy } from "../kernel/invocations.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { Plan } from "../kernel/plan.ts";
import type { KernelShape } from "../kernel/state.ts";
import type { Booted } from "../system/boot.ts";
import type { Explorable } from "./search/breadth.ts";
import { Collapse, type Ledgers, PairMemory } from "./search/collapse.ts";
import { collapsedOf, collapsedPlainly } from "./search/collapsed.ts";
import { Coverage } from "./coverage.ts";
import { type Machine, machineOf, type MachineState } from "./machine.ts";
import { emptyTree } from "./outcomes/factTree.ts";
import type { Fact } from "./outcomes/facts.ts";
import type { Group } from "./symmetry/group.ts";
import { lifted, type Performed } from "./symmetry/lift.ts";
import { type ImageStore, Orbits } from "./symmetry/orbits.ts";
import { Representatives } from "./symmetry/representatives.ts";
import type { Learnt, Outcome } from "./outcomes/known.ts";
import { createOutcomes } from "./outcomes/outcomes.ts";
import { createPartJudge } from "./outcomes/parts.ts";
import { createMachineIds, FIRST, type MachineIds } from "./machineIds.ts";
import { mixed, sumOf } from "./search/stateStore.ts";
import { watchPromises } from "./properties/promises.ts";
import type { Property, View } from "./properties/property.ts";
import { viewer } from "./properties/viewer.ts";

export interface Model extends Explorable {
  readonly booted: Booted;
  readonly machine: Machine;
  /** The numbers by which packed states name machine states. */
  readonly machineIds: MachineIds;
  readonly packed: Packed<KernelShape>;
  /** The kernel over the packed window; what it emits goes to the step list of the running expansion. */
  readonly kernel: Kernel;
  readonly coverage: Coverage;
  /** What expanding and judging asked of states and did to them. */
  readonly learnt: Learnt;
  /** What the parts of properties asked of any state (outcomes/parts.ts). */
  readonly askedByParts: () => readonly ReadonlySet<Fact>[];
  readonly properties: readonly Property[];
  /** Subjects whose invocations are explored. */
  readonly subjects: readonly number[];
  readonly machineAt: (states: Uint32Array, at: number) => MachineState;
  /** The state at `at` as the properties see it; valid until the next call into the model. */
  readonly viewAt: (states: Uint32Array, at: number) => View;
  /** The same model over collapsed states, as `collapse` makes them: faster, and smaller. */
  readonly collapsed: Explorable;
  readonly collapse: Collapse;
  /** Where states stand for others: the renamings, how many a state stands for, and how a path through them is made for real. */
  readonly symmetry?: { readonly group: Group; readonly size: (states: Uint32Array, at: number) => number; readonly lift: (ordinals: readonly number[]) => Performed[] };
  /** What `expand` does by what is known, by running every recipe: the law that both agree is a test. */
  readonly expandPlainly: Explorable["expand"];
  /** A question about a state, answered from what is known of other states (outcomes/facts.ts). */
  readonly asking: <A>(question: (view: View) => A) => (states: Uint32Array, at: number) => A;
  /** Runs anything on the window; what it emits is executed on the machine. */
  readonly apply: <T>(act: (kernel: Kernel) => T, before: MachineState) => T;
  /** Runs one instance on the window: the steps it gave the SMMU. */
  readonly run: (definition: Invocation, request: Request, before: MachineState) => readonly Step[];
}

/** What a model takes for alike, and where it keeps the images of machine states. */
export interface Alike {
  readonly group: Group;
  readonly images?: ImageStore;
}

/** Who numbers what is kept once: machine states, and values of parts of states. */
export interface Numbering {
  readonly machines: (machine: Machine) => MachineIds;
  readonly values?: Ledgers;
}
/** For a model alone. */
const own: Numbering = { machines: createMachineIds };

/** Who invokes: of a slice its own components, otherwise everyone that is not trusted. */
export const actingIn = ({ slice, subjects }: Plan): readonly number[] => slice?.subjects ?? subjects.flatMap(({ trusted }, subject) => (trusted ? [] : [subject]));

/** Answers that a question keeps at a time. */
const MOST_LEARNT = 5_000;

/** Which word of a packed state is the machine's number. */
export const machineWord = (shape: KernelShape): number => (placesOf(shape).tables.find(({ name }) => name === "machine") ?? impossible("the state has no machine")).base;

/** Builds the model of a booted system. `properties` are judged in every state. */
export const createModel = (booted: Booted, properties: readonly Property[], cacheMode: "may" | "none" = "may", numbering: Numbering = own, alike?: Alike): Model => {
  const { plan, profile, driver, shape } = booted;
  const view = packed(shape);
  const machine = machineOf(profile, plan, cacheMode);
  const machineIds = numbering.machines(machine);
  let emitted: Step[] = [];
  const begin = (): (() => void) => {
    const before = view.window.slice();
    return () => {
      view.window.set(before);
      emitted = [];
    };
  };
  const kernel: Kernel = { plan, profile, driver, tables: view.tables, emit: (steps) => void emitted.push(...steps), watch: watchPromises(() => kernel, { given: () => emitted, begin }) };
  const coverage = new Coverage(invocations.filter((definition) => definition.unexplored === undefined && (definition.inProfile?.(profile) ?? true)), properties);
  const subjects = actingIn(plan);
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
    apply(() => carryOut(kernel, definition, request), before);
    return emitted;
  };
  const viewOf = viewer(booted, kernel, machine);

  const word = machineWord(shape);
  if (word !== view.words - 1) impossible("the machine is not the last word of a state");
  const collapse = new Collapse(view.words, word, numbering.values);
  const symmetric = alike === undefined ? undefined : { group: alike.group, orbits: new Orbits(alike.group, first, alike.images), machineWord: word };
  const outcomes = createOutcomes(booted, subjects, collapse, symmetric);
  coverage.also(outcomes.met);
  const after: Map<number, number>[] = [];
  const lately = new PairMemory();
  const executed = (before: number, steps: readonly Step[]): number => machineIds.idOf(machine.executeAll(machineIds.at(before), steps), before, steps);
  /** The machine's number after a list of steps; equal lists are one object. */
  const execute = (before: number, id: number): number => {
    const recent = lately.get(before, id);
    if (recent >= 0) return recent;
    const { steps, images } = outcomes.given(id);
    const known = (after[id] ??= new Map());
    let next = known.get(before);
    if (next === undefined) {
      known.set(before, (next = executed(before, steps)));
      if (symmetric !== undefined) symmetric.orbits.meet(images.map((given, renaming) => executed(symmetric.orbits.image(before, renaming), given)));
    }
    return lately.set(before, id, next);
  };
  const representatives = symmetric === undefined ? undefined : new Representatives(symmetric.group, symmetric.orbits, view.words, word, machine, machineIds);
  /** The representative of what an outcome leads to from the state that `all` began with; valid until `all.done`. */
  const represented = (all: Representatives, before: number, { words, keep, bits, given }: Outcome): Uint32Array => all.of(words, keep, bits, given.idle ? before : execute(before, given.id));
  const expandAlike = (all: Representatives, states: Uint32Array, at: number, visit: Parameters<Explorable["expand"]>[2]): void => {
    const before = states[at + word]!;
    all.begin(states, at);
    outcomes.forEach(states, at, (outcome, ordinal) => {
      visit(represented(all, before, outcome), ordinal, outcome.given.steps.length, all.sum);
      all.done();
    });
  };
  const lift = (among: Group, all: Representatives, ordinals: readonly number[]): Performed[] => {
    const state = initial.slice();
    return lifted(among, ordinals, (ordinal) => {
      const { outcome, ...performed } = outcomes.instance(state, 0, ordinal);
      load(state, 0);
      const cnodes = new Map(
        [performed.request.target, ...performed.request.caps].map((slot) => {
          const { kind, object } = view.tables.slot.at(slot);
          return [slot, kind === CNODE ? object : NONE];
        }),
      );
      all.begin(state, 0);
      state.set(represented(all, state[word]!, outcome));
      all.done();
      return { ...performed, cnodeOf: (slot) => cnodes.get(slot)!, used: all.used };
    });
  };
  const see = (states: Uint32Array, at: number, now: MachineState): void => {
    load(states, at);
    coverage.see(viewOf(now));
    // What an image shows is reached, too.
    for (const [number, renaming] of (symmetric?.group.renamings ?? []).entries()) {
      renaming.state(states, at, view.window);
      row.id = symmetric!.orbits.image(states[at + word]!, number);
      coverage.see(viewOf(machineInWindow()));
    }
  };
  const scratch = new Uint32Array(view.words);
  const kept = new Uint32Array(view.words);
  const judgements = emptyTree<{ readonly answer: number }>();
  let viewing: ReturnType<typeof viewer> | undefined;
  /** What a question that is asked of a kernel sees. */
  const seenBy = (asked: Kernel): View => {
    viewing ??= viewer(booted, asked, machine);
    return viewing(machineIds.at(asked.tables.machine.at(0).id));
  };
  /** Which properties the state violates, as a question about it. */
  const judged = (asked: Kernel): number => {
    const seen = seenBy(asked);
    let violated = 0;
    for (const [bit, property] of properties.entries()) if (property.plain !== true && property.parts === undefined && property.violation(seen) !== undefined) violated |= 1 << bit;
    return violated;
  };
  const judgedByParts = createPartJudge(booted, properties, symmetric);
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

  /** Where it is known, in which words the state differs from the one that was judged before in the same place. */
  const judge = (states: Uint32Array, at: number, differing?: Int32Array, count = 0): number => {
    const now = machineIds.at(states[at + word]!);
    if (!coverage.saw(now)) see(states, at, now);
    const known = outcomes.ask(judgements, states, at, judged) | (judgedByParts?.judge(states, at, differing, count) ?? 0);
    return plain ? known | judgedPlainly(states, at, now) : known;
  };
  const collapsed =
    representatives === undefined
      ? collapsedOf({ collapse, initial, outcomes, execute, judge: (window, differing, count) => judge(window, 0, differing, count) })
      : collapsedPlainly(collapse, { initial, expand: (states, at, visit) => expandAlike(representatives, states, at, visit), judge });

  return {
    booted,
    machine,
    machineIds,
    collapsed,
    collapse,
    packed: view,
    kernel,
    coverage,
    learnt: outcomes.learnt,
    askedByParts: () => judgedByParts?.asked() ?? [],
    properties,
    subjects,
    words: view.words,
    initial,
    apply,
    run,
    asking: <A>(question: (view: View) => A) => {
      let tree = emptyTree<{ readonly answer: A }>();
      let learnt = 0;
      return (states, at) => {
        // What is met late differs from what was met early: forgetting costs little, and bounds the memory.
        if (learnt >= MOST_LEARNT) tree = emptyTree();
        learnt %= MOST_LEARNT;
        return outcomes.ask(tree, states, at, (asked) => {
          learnt += 1;
          return question(seenBy(asked));
        });
      };
    },
    machineAt: (states, at) => {
      load(states, at);
      return machineInWindow();
    },
    viewAt: (states, at) => {
      load(states, at);
      return viewOf(machineInWindow());
    },
    ...(symmetric === undefined || representatives === undefined ? {} : { symmetry: { group: symmetric.group, size: (states, at) => representatives.size(states, at), lift: (ordinals) => lift(symmetric.group, representatives, ordinals) } }),
    expand: (states, at, visit) => {
      if (representatives !== undefined) return expandAlike(representatives, states, at, visit);
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
    judge: (states, at) => judge(states, at),
  };
};
