/**
 * What every instance of every invocation comes to in a state, from what is known of other states: two states that an
 * invocation cannot tell apart are changed by it in the same way (facts.ts). Each instance has a tree of its own, and so
 * has the list of instances of each subject, so what is learnt in one state serves all that agree in the few rows that
 * one invocation reads.
 */
import type { Step } from "../../base/step.ts";
import { NONE } from "../../base/state.ts";
import { canonicalise } from "../../kernel/canonical.ts";
import { CNODE } from "../../kernel/capability.ts";
import { forEachInstance } from "../../kernel/instances.ts";
import type { Invocation, Request } from "../../kernel/invocation.ts";
import { refusedBy } from "../../kernel/invocations.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { KernelShape } from "../../kernel/state.ts";
import type { Booted } from "../../system/boot.ts";
import { Alike } from "../symmetry/alike.ts";
import type { Group } from "../symmetry/group.ts";
import { NotAlike, type Orbits } from "../symmetry/orbits.ts";
import type { Renaming } from "../symmetry/renaming.ts";
import type { Fact } from "./facts.ts";
import { emptyTree, type FactNode, follow, grow, notedAlong } from "./factTree.ts";
import { type Noted, Recorder } from "./recorder.ts";

/** Steps for the SMMU, and those that the renamed invocation gives it in each image of the state; equal lists are one object. */
export interface StepList {
  readonly id: number;
  readonly steps: readonly Step[];
  /** By renaming, the identity among them; empty where nothing is taken for alike. */
  readonly images: readonly (readonly Step[])[];
  /** Nothing is given, in no image. */
  readonly idle: boolean;
}
/** What an instance comes to: a refusal, or words to change and steps to give. */
export interface Outcome {
  /** Index of the refusal that answers, or -1. */
  readonly refused: number;
  /** Word by word: which one, which of its bits stay, and the others. */
  readonly words: readonly number[];
  readonly keep: readonly number[];
  readonly bits: readonly number[];
  readonly given: StepList;
  /** How often this was what an instance came to. */
  times: number;
}
export interface KnownInstance {
  readonly definition: Invocation;
  readonly request: Request;
  readonly tree: FactNode<Outcome>;
}
type Instances = readonly KnownInstance[];
/** What there is to learn in a state: the recipe, the same in an image of the state, and what both came to. */
interface Lesson<L> {
  readonly run: () => void;
  readonly onImage: (renaming: Renaming, number: number) => void;
  readonly leaf: () => L;
}
/** What all instances of a subject come to, and of those that are not refused, which they are. */
interface Together {
  readonly all: readonly Outcome[];
  readonly performed: readonly Outcome[];
  readonly ordinals: readonly number[];
  times: number;
}
/**
 * How many of them are kept for each subject: a few kilobytes each, the ones that are met first and so most often. Beyond,
 * each instance is looked up by itself. Ten times as many made the search slower.
 */
const MOST_TOGETHER = 2_000;

/** What a run came to know: grows as it goes on. */
export interface Learnt {
  /** Everything that was asked of any state. */
  readonly asked: ReadonlySet<Fact>;
  /** Bits that some outcome writes, by word. */
  readonly written: Uint32Array;
  readonly given: () => Iterable<StepList>;
}

export interface Outcomes {
  readonly learnt: Learnt;
  /** Calls `visit` with what every instance that is not refused comes to in the state at `at`, in declared order; `ordinal` counts refused ones, too. */
  readonly forEach: (states: Uint32Array, at: number, visit: (outcome: Outcome, ordinal: number) => void) => void;
  /** Evaluates a question about a state, from what is known of other states. */
  readonly ask: <L>(tree: FactNode<{ readonly answer: L }>, states: Uint32Array, at: number, question: (kernel: Kernel) => L) => L;
  /** The instance of a state that has this ordinal, and what it comes to; it is not counted. */
  readonly instance: (states: Uint32Array, at: number, ordinal: number) => { readonly subject: number; readonly definition: Invocation; readonly request: Request; readonly outcome: Outcome };
  /** Calls `visit` with every outcome that was met, for coverage. */
  readonly met: (visit: (definition: Invocation, refused: number, times: number) => void) => void;
}

const keyOf = (subject: number, { label }: Invocation, { target, caps, words }: Request): string => `${subject} ${label} ${target} ${caps.join(",")} ${words.join(",")}`;

/** What is taken for alike in the states of a model, and where its states have the machine's number. */
export interface Symmetric {
  readonly group: Group;
  readonly orbits: Orbits;
  readonly machineWord: number;
}

export const createOutcomes = ({ plan, profile, driver, shape }: Booted, subjects: readonly number[], symmetric?: Symmetric): Outcomes => {
  const recorder = new Recorder<KernelShape>(shape);
  const alike = symmetric === undefined ? undefined : new Alike(symmetric.group, symmetric.orbits, recorder, shape, symmetric.machineWord);
  const { window, questions, written } = recorder;
  let emitted: Step[] = [];
  const kernel: Kernel = { plan, profile, driver, tables: recorder.tables, emit: (steps) => void emitted.push(...steps) };

  const lists = new Map<string, StepList>();
  const stepIds = new Map<Step, number>();
  const keyOfSteps = (steps: readonly Step[]): string =>
    steps
      .map((step) => {
        const id = stepIds.get(step) ?? stepIds.size;
        stepIds.set(step, id);
        return id;
      })
      .join(" ");
  const stepList = (steps: readonly Step[], images: readonly (readonly Step[])[] = []): StepList => {
    const key = [steps, ...images].map(keyOfSteps).join("|");
    let list = lists.get(key);
    if (list === undefined) lists.set(key, (list = { id: lists.size, steps: [...steps], images: images.length === 0 ? [] : [[...steps], ...images], idle: [steps, ...images].every(({ length }) => length === 0) }));
    return list;
  };

  const asked = new Set<Fact>();
  const everWritten = new Uint32Array(recorder.words);
  const load = (states: Uint32Array, at: number): void => {
    for (let word = 0; word < recorder.words; word++) window[word] = states[at + word]!;
  };
  /** Runs a recipe on the state in question and keeps what it came to, under the facts that it asked for. */
  const learn = <L>(tree: FactNode<L>, states: Uint32Array, at: number, { run, onImage, leaf }: Lesson<L>): L => {
    load(states, at);
    recorder.begin();
    run();
    const noted = recorder.end();
    const facts = alike === undefined ? noted : alike.facts(states, at, noted, onImage);
    for (const { fact } of facts) asked.add(fact);
    return grow(tree, facts, leaf());
  };
  /** The CNode that a capability names; the request of an image depends on it. */
  const cnodeAt = (row: number): number => {
    const slot = kernel.tables.slot.at(row);
    return slot.kind === CNODE ? slot.object : NONE;
  };

  const instances = new Map<string, KnownInstance>();
  const listTrees = subjects.map(() => emptyTree<{ readonly instances: Instances }>());
  const listOf = (subject: number): Lesson<{ readonly instances: Instances }> => {
    const found: KnownInstance[] = [];
    const knownTo = (definition: Invocation, request: Request): KnownInstance => {
      const key = keyOf(subject, definition, request);
      let known = instances.get(key);
      if (known === undefined) instances.set(key, (known = { definition, request: { target: request.target, caps: [...request.caps], words: [...request.words] }, tree: emptyTree() }));
      return known;
    };
    return {
      run: () => forEachInstance(kernel, [subject], (_, definition, request) => void found.push(knownTo(definition, request))),
      // What is tried in an image is tried here, too: of odd arguments the first of its sort is, and that may be another one there.
      onImage: ({ names }, number) => {
        const back = alike!.group.renamings[alike!.group.inverse[number]!]!;
        forEachInstance(kernel, [names.subject[subject]!], (_, definition, request) => {
          const known = knownTo(definition, back.request(definition, request, cnodeAt));
          if (!found.includes(known)) found.push(known);
        });
      },
      leaf: () => ({ instances: found }),
    };
  };

  const nothing = stepList([]);
  const met = new Map<Invocation, Outcome[]>();
  const note = (definition: Invocation, outcome: Outcome): Outcome => {
    const outcomes = met.get(definition);
    if (outcomes === undefined) met.set(definition, [outcome]);
    else outcomes.push(outcome);
    return outcome;
  };
  /** Runs an instance, unless it is refused: by which refusal, or -1. */
  const perform = (definition: Invocation, request: Request): number => {
    emitted = [];
    const refused = refusedBy(kernel, definition, request);
    if (refused !== undefined) return refused.index;
    definition.effect(kernel, request);
    canonicalise(kernel);
    return -1;
  };
  const outcomeOf = ({ definition, request }: KnownInstance): Lesson<Outcome> => {
    const cnodes = new Map<number, number>();
    const images: Step[][] = [];
    let outcome: Omit<Outcome, "given"> = { refused: 0, words: [], keep: [], bits: [], times: 0 };
    let own: Step[] = [];
    let after = window;
    return {
      run: () => {
        if (alike !== undefined) for (const row of [request.target, ...request.caps]) cnodes.set(row, cnodeAt(row));
        const refused = perform(definition, request);
        own = emitted;
        const words = refused >= 0 ? [] : [...written.keys()].filter((word) => written[word] !== 0);
        for (const word of words) everWritten[word]! |= written[word]!;
        outcome = { refused, words, keep: words.map((word) => ~written[word]!), bits: words.map((word) => window[word]! & written[word]!), times: 0 };
        if (alike !== undefined) after = window.slice();
      },
      onImage: (renaming) => {
        const refused = perform(definition, renaming.request(definition, request, (row) => cnodes.get(row)!));
        if (refused < 0 !== outcome.refused < 0) throw new NotAlike(`${definition.label} is refused in one of two states that were taken for alike`);
        if (refused < 0 && !alike!.holds(renaming, after)) throw new NotAlike(`${definition.label} leads to different states from two that were taken for alike`);
        images.push(refused < 0 ? emitted : []);
      },
      leaf: () => note(definition, { ...outcome, given: outcome.refused >= 0 ? nothing : stepList(own, images) }),
    };
  };

  /** Of each subject: what all its instances come to, by everything that any of them asks. */
  const together = subjects.map(() => emptyTree<Together>());
  // What a single subject finds is a new state nearly every time.
  const room = subjects.map(() => (subjects.length > 1 ? MOST_TOGETHER : 0));
  const instancesOf = (index: number, states: Uint32Array, at: number): Instances => {
    const tree = listTrees[index]!;
    return (follow(tree, states, at, questions) ?? learn(tree, states, at, listOf(subjects[index]!))).instances;
  };
  const outcomeIn = (instance: KnownInstance, states: Uint32Array, at: number): Outcome =>
    follow(instance.tree, states, at, questions) ?? learn(instance.tree, states, at, outcomeOf(instance));
  const keepTogether = (index: number, states: Uint32Array, at: number): Together => {
    const own = instancesOf(index, states, at);
    const all = own.map((instance) => outcomeIn(instance, states, at));
    const performed = all.flatMap((outcome, ordinal) => (outcome.refused < 0 ? [{ outcome, ordinal }] : []));
    const found: Together = { all, performed: performed.map(({ outcome }) => outcome), ordinals: performed.map(({ ordinal }) => ordinal), times: 0 };
    const path = new Map<number, Noted>();
    notedAlong(listTrees[index]!, questions, path);
    for (const instance of own) notedAlong(instance.tree, questions, path);
    grow(together[index]!, [...path.values()], found);
    room[index]! -= 1;
    kept.push(found);
    return found;
  };
  const kept: Together[] = [];
  /** One by one, where nothing is kept together; how many instances there are. */
  const oneByOne = (index: number, states: Uint32Array, at: number, first: number, visit: (outcome: Outcome, ordinal: number) => void): number => {
    const own = instancesOf(index, states, at);
    for (let position = 0; position < own.length; position++) {
      const outcome = outcomeIn(own[position]!, states, at);
      outcome.times += 1;
      if (outcome.refused < 0) visit(outcome, first + position);
    }
    return own.length;
  };

  const answerTo = <L>(question: (kernel: Kernel) => L): Lesson<{ readonly answer: L }> => {
    let answer: L;
    return {
      run: () => void (answer = question(kernel)),
      onImage: () => {
        if (question(kernel) !== answer) throw new NotAlike("a property tells two states apart that were taken for alike");
      },
      leaf: () => ({ answer }),
    };
  };

  return {
    learnt: { asked, written: everWritten, given: () => lists.values() },
    forEach: (states, at, visit) => {
      questions.about(states, at);
      let first = 0;
      for (let index = 0; index < subjects.length; index++) {
        const known = follow(together[index]!, states, at, questions) ?? (room[index]! > 0 ? keepTogether(index, states, at) : undefined);
        if (known === undefined) {
          first += oneByOne(index, states, at, first, visit);
          continue;
        }
        known.times += 1;
        const { all, performed, ordinals } = known;
        for (let position = 0; position < performed.length; position++) visit(performed[position]!, first + ordinals[position]!);
        first += all.length;
      }
    },
    ask: (tree, states, at, question) => {
      questions.about(states, at);
      return (follow(tree, states, at, questions) ?? learn(tree, states, at, answerTo(question))).answer;
    },
    instance: (states, at, ordinal) => {
      questions.about(states, at);
      let first = 0;
      for (const [index, subject] of subjects.entries()) {
        const own = instancesOf(index, states, at);
        const known = own[ordinal - first];
        if (known !== undefined) return { subject, definition: known.definition, request: known.request, outcome: outcomeIn(known, states, at) };
        first += own.length;
      }
      throw new Error(`a path names instance ${ordinal}, but the state has only ${first}`);
    },
    met: (visit) => {
      for (const found of kept) {
        for (const outcome of found.all) outcome.times += found.times;
        found.times = 0;
      }
      for (const [definition, outcomes] of met) for (const { refused, times } of outcomes) if (times > 0) visit(definition, refused, times);
    },
  };
};
