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
import { carryOut, refusedBy } from "../../kernel/invocations.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { KernelShape } from "../../kernel/state.ts";
import type { Booted } from "../../system/boot.ts";
import { watchPromises } from "../properties/promises.ts";
import type { Collapse } from "../search/collapse.ts";
import { Alike } from "../symmetry/alike.ts";
import type { Group } from "../symmetry/group.ts";
import { NotAlike, type Orbits } from "../symmetry/orbits.ts";
import type { Renaming } from "../symmetry/renaming.ts";
import type { Fact } from "./facts.ts";
import { emptyTree, type FactNode, follow, grow, notedAlong } from "./factTree.ts";
import type { InstanceList, KnownInstance, Learnt, Outcome, Together, Varying } from "./known.ts";
import { Performed } from "./performed.ts";
import { type StepList, StepLists } from "./stepLists.ts";
import { type Noted, Recorder } from "./recorder.ts";

/** What there is to learn in a state: the recipe, the same in an image of the state, and what both came to. */
interface Lesson<L> {
  readonly run: () => void;
  readonly onImage: (renaming: Renaming, number: number) => void;
  readonly leaf: () => L;
}
/**
 * How many of them are kept for each subject: a few kilobytes each, the ones that are met first and so most often. Beyond,
 * each instance is looked up by itself. Ten times as many made the search slower.
 */
const MOST_TOGETHER = 2_000;

export interface Outcomes {
  readonly learnt: Learnt;
  /** Calls `visit` with what every instance that is not refused comes to in the state at `at`, in declared order; `ordinal` counts refused ones, too. */
  readonly forEach: (states: Uint32Array, at: number, visit: (outcome: Outcome, ordinal: number) => void) => void;
  /** The same as numbers (performed.ts): those from `from` up to `to`, with ordinals from `first` on. */
  readonly forEachNumbered: (states: Uint32Array, at: number, visit: (numbers: Int32Array, from: number, to: number, first: number) => void) => void;
  /** The list of steps with a number. */
  readonly given: (id: number) => StepList;
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

export const createOutcomes = ({ plan, profile, driver, shape }: Booted, subjects: readonly number[], collapse: Collapse, symmetric?: Symmetric): Outcomes => {
  const recorder = new Recorder<KernelShape>(shape);
  const alike = symmetric === undefined ? undefined : new Alike(symmetric.group, symmetric.orbits, recorder, shape, symmetric.machineWord);
  const { window, questions, written } = recorder;
  let emitted: Step[] = [];
  const begin = (): (() => void) => {
    const before = window.slice();
    return () => {
      window.set(before);
      emitted = [];
    };
  };
  const kernel: Kernel = { plan, profile, driver, tables: recorder.tables, emit: (steps) => void emitted.push(...steps), watch: watchPromises(() => kernel, { given: () => emitted, begin }) };

  const lists = new StepLists();
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
  const listTrees = subjects.map(() => emptyTree<InstanceList>());
  const listOf = (subject: number): Lesson<InstanceList> => {
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
      leaf: () => ({ instances: found, varying: undefined, always: [], times: 0 }),
    };
  };

  const nothing = lists.of([]);
  const performed = new Performed();
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
    carryOut(kernel, definition, request);
    canonicalise(kernel);
    return -1;
  };
  const outcomeOf = ({ definition, request }: KnownInstance): Lesson<Outcome> => {
    const cnodes = new Map<number, number>();
    const images: Step[][] = [];
    let outcome: Pick<Outcome, "refused" | "words" | "keep" | "bits"> = { refused: 0, words: [], keep: [], bits: [] };
    let own: Step[] = [];
    let after = window;
    return {
      run: () => {
        if (alike !== undefined) for (const row of [request.target, ...request.caps]) cnodes.set(row, cnodeAt(row));
        const refused = perform(definition, request);
        own = emitted;
        const words = refused >= 0 ? [] : [...written.keys()].filter((word) => written[word] !== 0);
        for (const word of words) everWritten[word]! |= written[word]!;
        outcome = { refused, words, keep: words.map((word) => ~written[word]!), bits: words.map((word) => window[word]! & written[word]!) };
        if (alike !== undefined) after = window.slice();
      },
      onImage: (renaming) => {
        const refused = perform(definition, renaming.request(definition, request, (row) => cnodes.get(row)!));
        if (refused < 0 !== outcome.refused < 0) throw new NotAlike(`${definition.label} is refused in one of two states that were taken for alike`);
        if (refused < 0 && !alike!.holds(renaming, after)) throw new NotAlike(`${definition.label} leads to different states from two that were taken for alike`);
        images.push(refused < 0 ? emitted : []);
      },
      leaf: () => {
        const { words, keep, bits } = outcome;
        if (outcome.refused >= 0) return note(definition, { ...outcome, changes: [], given: nothing, from: 0, to: 0, times: 0 });
        const found = { ...outcome, changes: collapse.changesOf(words, keep, bits), given: lists.of(own, images), from: performed.end, to: 0, times: 0 };
        performed.add([{ outcome: found, ordinal: 0 }]);
        found.to = performed.end;
        return note(definition, found);
      },
    };
  };

  /** Of each subject: what all its instances come to, by everything that any of them asks. */
  const together = subjects.map(() => emptyTree<Together>());
  // What a single subject finds is a new state nearly every time.
  const room = subjects.map(() => (subjects.length > 1 ? MOST_TOGETHER : 0));
  const listIn = (index: number, states: Uint32Array, at: number): InstanceList => {
    const tree = listTrees[index]!;
    return follow(tree, states, at, questions) ?? learn(tree, states, at, listOf(subjects[index]!));
  };
  const outcomeIn = (instance: KnownInstance, states: Uint32Array, at: number): Outcome =>
    follow(instance.tree, states, at, questions) ?? learn(instance.tree, states, at, outcomeOf(instance));
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
      const needed = new Map<number, Noted>();
      notedAlong(instance.tree, questions, needed);
      if (![...needed.keys()].every((fact) => known.has(fact))) return [{ instance, ordinal, always: undefined }];
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
    learnt: { asked, written: everWritten, given: () => lists.all() },
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
    given: (id) => lists.at(id),
    ask: (tree, states, at, question) => {
      questions.about(states, at);
      return (follow(tree, states, at, questions) ?? learn(tree, states, at, answerTo(question))).answer;
    },
    instance: (states, at, ordinal) => {
      questions.about(states, at);
      let first = 0;
      for (const [index, subject] of subjects.entries()) {
        const own = listIn(index, states, at).instances;
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
      for (const list of decided) {
        for (const outcome of list.always) outcome.times += list.times;
        list.times = 0;
      }
      for (const [definition, outcomes] of met) for (const { refused, times } of outcomes) if (times > 0) visit(definition, refused, times);
    },
  };
};
