/**
 * What every instance of every invocation comes to in a state, from what is known of other states: two states that an
 * invocation cannot tell apart are changed by it in the same way (facts.ts). Each instance has a tree of its own, and so
 * has the list of instances of each subject, so what is learnt in one state serves all that agree in the few rows that
 * one invocation reads.
 */
import type { Step } from "../../base/step.ts";
import { canonicalise } from "../../kernel/canonical.ts";
import { forEachInstance } from "../../kernel/instances.ts";
import type { Invocation, Request } from "../../kernel/invocation.ts";
import { refusedBy } from "../../kernel/invocations.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { KernelShape } from "../../kernel/state.ts";
import type { Booted } from "../../system/boot.ts";
import type { Collapse, PartChange } from "../collapse.ts";
import { emptyTree, type FactNode, follow, grow, notedAlong } from "./factTree.ts";
import { Performed } from "./performed.ts";
import { type Noted, Recorder } from "./recorder.ts";

/** Steps for the SMMU; equal lists are one object. */
export interface StepList {
  readonly id: number;
  readonly steps: readonly Step[];
}
/** What an instance comes to: a refusal, or words to change and steps to give. */
export interface Outcome {
  /** Index of the refusal that answers, or -1. */
  readonly refused: number;
  /** Word by word: which one, which of its bits stay, and the others. */
  readonly words: readonly number[];
  readonly keep: readonly number[];
  readonly bits: readonly number[];
  /** The same, for collapsed states. */
  readonly changes: readonly PartChange[];
  readonly given: StepList;
  /** Where it lies among what is performed, and where it ends; nowhere when it is refused. */
  readonly from: number;
  readonly to: number;
  /** How often this was what an instance came to. */
  times: number;
}
export interface KnownInstance {
  readonly definition: Invocation;
  readonly request: Request;
  readonly tree: FactNode<Outcome>;
}
type Instances = readonly KnownInstance[];
/** An instance that may come to different things where there is its list, or to what is `always` performed. */
interface Varying {
  readonly instance: KnownInstance;
  readonly ordinal: number;
  readonly always: Outcome | undefined;
}
/** All instances of a subject. */
interface InstanceList {
  readonly instances: Instances;
  /** All but those of which the facts that led to the list say that they are refused. */
  varying: readonly Varying[] | undefined;
  /** What the facts that led to the list decide. */
  always: readonly Outcome[];
  /** How often that was so. */
  times: number;
}
/** What all instances of a subject come to, and of those that are not refused, which they are. */
interface Together {
  readonly all: readonly Outcome[];
  readonly performed: readonly Outcome[];
  readonly ordinals: readonly number[];
  /** Where they lie among what is performed. */
  readonly from: number;
  readonly to: number;
  times: number;
}
/**
 * How many of them are kept for each subject: a few kilobytes each, the ones that are met first and so most often. Beyond,
 * each instance is looked up by itself. Ten times as many made the search slower.
 */
const MOST_TOGETHER = 2_000;

export interface Outcomes {
  /** Calls `visit` with what every instance that is not refused comes to in the state at `at`, in declared order; `ordinal` counts refused ones, too. */
  readonly forEach: (states: Uint32Array, at: number, visit: (outcome: Outcome, ordinal: number) => void) => void;
  /** The same as numbers (performed.ts): those from `from` up to `to`, with ordinals from `first` on. */
  readonly forEachNumbered: (states: Uint32Array, at: number, visit: (numbers: Int32Array, from: number, to: number, first: number) => void) => void;
  /** The list of steps with a number. */
  readonly given: (id: number) => StepList;
  /** Evaluates a question about a state, from what is known of other states. */
  readonly ask: <L>(tree: FactNode<{ readonly answer: L }>, states: Uint32Array, at: number, question: (kernel: Kernel) => L) => L;
  /** Calls `visit` with every outcome that was met, for coverage. */
  readonly met: (visit: (definition: Invocation, refused: number, times: number) => void) => void;
}

const keyOf = (subject: number, { label }: Invocation, { target, caps, words }: Request): string => `${subject} ${label} ${target} ${caps.join(",")} ${words.join(",")}`;

export const createOutcomes = ({ plan, profile, driver, shape }: Booted, subjects: readonly number[], collapse: Collapse): Outcomes => {
  const recorder = new Recorder<KernelShape>(shape);
  const { window, questions, written } = recorder;
  let emitted: Step[] = [];
  const kernel: Kernel = { plan, profile, driver, tables: recorder.tables, emit: (steps) => void emitted.push(...steps) };

  const lists = new Map<string, StepList>();
  const byNumber: StepList[] = [];
  const stepIds = new Map<Step, number>();
  const stepList = (steps: readonly Step[]): StepList => {
    const key = steps
      .map((step) => {
        const id = stepIds.get(step) ?? stepIds.size;
        stepIds.set(step, id);
        return id;
      })
      .join(" ");
    let list = lists.get(key);
    if (list === undefined) {
      lists.set(key, (list = { id: lists.size, steps: [...steps] }));
      byNumber.push(list);
    }
    return list;
  };

  const load = (states: Uint32Array, at: number): void => {
    for (let word = 0; word < recorder.words; word++) window[word] = states[at + word]!;
  };
  /** Runs a recipe on the state in question and keeps what it came to, under the facts that it asked for. */
  const learn = <L>(tree: FactNode<L>, states: Uint32Array, at: number, run: () => L): L => {
    load(states, at);
    recorder.begin();
    const leaf = run();
    return grow(tree, recorder.end(), leaf);
  };

  const instances = new Map<string, KnownInstance>();
  const listTrees = subjects.map(() => emptyTree<InstanceList>());
  const listOf = (subject: number): InstanceList => {
    const found: KnownInstance[] = [];
    forEachInstance(kernel, [subject], (_, definition, request) => {
      const key = keyOf(subject, definition, request);
      let known = instances.get(key);
      if (known === undefined) instances.set(key, (known = { definition, request: { target: request.target, caps: [...request.caps], words: [...request.words] }, tree: emptyTree() }));
      found.push(known);
    });
    return { instances: found, varying: undefined, always: [], times: 0 };
  };

  const nothing = stepList([]);
  const performed = new Performed();
  const met = new Map<Invocation, Outcome[]>();
  const note = (definition: Invocation, outcome: Outcome): Outcome => {
    const outcomes = met.get(definition);
    if (outcomes === undefined) met.set(definition, [outcome]);
    else outcomes.push(outcome);
    return outcome;
  };
  const outcomeOf = ({ definition, request }: KnownInstance): Outcome => {
    const refused = refusedBy(kernel, definition, request);
    if (refused !== undefined) return note(definition, { refused: refused.index, words: [], keep: [], bits: [], changes: [], given: nothing, from: 0, to: 0, times: 0 });
    emitted = [];
    definition.effect(kernel, request);
    canonicalise(kernel);
    const words = [...written.keys()].filter((word) => written[word] !== 0);
    const keep = words.map((word) => ~written[word]!);
    const bits = words.map((word) => window[word]! & written[word]!);
    const outcome = { refused: -1, words, keep, bits, changes: collapse.changesOf(words, keep, bits), given: stepList(emitted), from: performed.end, to: 0, times: 0 };
    performed.add([{ outcome, ordinal: 0 }]);
    outcome.to = performed.end;
    return note(definition, outcome);
  };

  /** Of each subject: what all its instances come to, by everything that any of them asks. */
  const together = subjects.map(() => emptyTree<Together>());
  // What a single subject finds is a new state nearly every time.
  const room = subjects.map(() => (subjects.length > 1 ? MOST_TOGETHER : 0));
  const listIn = (index: number, states: Uint32Array, at: number): InstanceList => {
    const tree = listTrees[index]!;
    return follow(tree, states, at, questions) ?? learn(tree, states, at, () => listOf(subjects[index]!));
  };
  const outcomeIn = (instance: KnownInstance, states: Uint32Array, at: number): Outcome =>
    follow(instance.tree, states, at, questions) ?? learn(instance.tree, states, at, () => outcomeOf(instance));
  const kept: Together[] = [];
  const keepTogether = (index: number, states: Uint32Array, at: number): Together => {
    const own = listIn(index, states, at).instances;
    const all = own.map((instance) => outcomeIn(instance, states, at));
    const notRefused = all.flatMap((outcome, ordinal) => (outcome.refused < 0 ? [{ outcome, ordinal }] : []));
    const from = performed.add(notRefused);
    const found: Together = { all, performed: notRefused.map(({ outcome }) => outcome), ordinals: notRefused.map(({ ordinal }) => ordinal), from, to: performed.end, times: 0 };
    const path = new Map<number, Noted>();
    notedAlong(listTrees[index]!, questions, path);
    for (const instance of own) notedAlong(instance.tree, questions, path);
    grow(together[index]!, [...path.values()], found);
    room[index]! -= 1;
    kept.push(found);
    return found;
  };

  const decided: InstanceList[] = [];
  /** What the facts that led to a list leave open, and what they decide: those instances ask for nothing else. */
  const decide = (list: InstanceList, index: number, states: Uint32Array, at: number): readonly Varying[] => {
    const known = new Map<number, Noted>();
    notedAlong(listTrees[index]!, questions, known);
    const always: Outcome[] = [];
    list.varying = list.instances.flatMap((instance, ordinal): Varying[] => {
      const outcome = outcomeIn(instance, states, at);
      const asked = new Map<number, Noted>();
      notedAlong(instance.tree, questions, asked);
      if (![...asked.keys()].every((fact) => known.has(fact))) return [{ instance, ordinal, always: undefined }];
      always.push(outcome);
      return outcome.refused < 0 ? [{ instance, ordinal, always: outcome }] : [];
    });
    list.always = always;
    decided.push(list);
    return list.varying;
  };
  /** One by one, where nothing is kept together; how many instances there are. */
  const oneByOne = (index: number, states: Uint32Array, at: number, first: number, visit: (outcome: Outcome, ordinal: number) => void): number => {
    const list = listIn(index, states, at);
    const varying = list.varying ?? decide(list, index, states, at);
    list.times += 1;
    for (let position = 0; position < varying.length; position++) {
      const { instance, ordinal, always } = varying[position]!;
      if (always !== undefined) visit(always, first + ordinal);
      else {
        const outcome = outcomeIn(instance, states, at);
        outcome.times += 1;
        if (outcome.refused < 0) visit(outcome, first + ordinal);
      }
    }
    return list.instances.length;
  };
  const forEachSubject = (states: Uint32Array, at: number, visitAll: (known: Together, first: number) => void, visit: (outcome: Outcome, ordinal: number) => void): void => {
    questions.about(states, at);
    let first = 0;
    for (let index = 0; index < subjects.length; index++) {
      const known = follow(together[index]!, states, at, questions) ?? (room[index]! > 0 ? keepTogether(index, states, at) : undefined);
      if (known === undefined) first += oneByOne(index, states, at, first, visit);
      else {
        known.times += 1;
        visitAll(known, first);
        first += known.all.length;
      }
    }
  };

  return {
    forEach: (states, at, visit) => {
      const visitAll = ({ performed: outcomes, ordinals }: Together, first: number): void => {
        for (let position = 0; position < outcomes.length; position++) visit(outcomes[position]!, first + ordinals[position]!);
      };
      forEachSubject(states, at, visitAll, visit);
    },
    forEachNumbered: (states, at, visit) =>
      forEachSubject(
        states,
        at,
        ({ from, to }, first) => visit(performed.numbers, from, to, first),
        ({ from, to }, ordinal) => visit(performed.numbers, from, to, ordinal),
      ),
    given: (id) => byNumber[id]!,
    ask: (tree, states, at, question) => {
      questions.about(states, at);
      return (follow(tree, states, at, questions) ?? learn(tree, states, at, () => ({ answer: question(kernel) }))).answer;
    },
    met: (visit) => {
      for (const found of kept) {
        for (const outcome of found.all) outcome.times += found.times;
        found.times = 0;
      }
      for (const list of decided) {
        for (const outcome of list.always) outcome.times += list.times;
        list.times = 0;
      }
      for (const [definition, outcomes] of met) for (const { refused, times } of outcomes) if (times > 0) visit(definition, refused, times);
    },
  };
};
