/**
 * Judges properties that are made of parts (capabilities/parts.ts), state after state. Each part has a tree of facts of its
 * own, and what it ever asked is known; so in a state that differs little from the one judged before, as a sibling does, only
 * the parts that asked for what differs are asked again. A law test holds this to asking all of them.
 */
import { type TablePlace, wordOf } from "../../base/state.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { KernelShape } from "../../kernel/state.ts";
import type { Booted } from "../../system/boot.ts";
import { Alike } from "../symmetry/alike.ts";
import { NotAlike } from "../symmetry/orbits.ts";
import type { Part } from "../properties/property.ts";
import { emptyTree, type FactNode, follow, grow } from "./factTree.ts";
import type { Fact, QueryFact } from "./facts.ts";
import type { Symmetric } from "./outcomes.ts";
import { type Noted, Recorder } from "./recorder.ts";

/** Rows that have certain fields: a question by which a part may depend on every row of a table. */
interface Rows {
  readonly number: number;
  readonly who: number[];
}
interface Asking {
  readonly place: TablePlace;
  readonly mask: number;
  /** By what the fields had to be. */
  readonly rows: Map<number, Rows>;
}
interface Leaf {
  /** Of the properties that do not hold, as bits. */
  readonly violated: number;
  /** What it rests on: bits of words, and rows by their numbers. */
  readonly words: readonly number[];
  readonly masks: readonly number[];
  readonly rows: readonly number[];
}
/** What is asked together: parts about one row, which read much the same. */
interface Judged {
  readonly parts: readonly { readonly bit: number; readonly wrong: Part["wrong"] }[];
  readonly tree: FactNode<Leaf>;
  /** Everything that was asked of any state. */
  readonly facts: Set<Fact>;
  /** How it ended in the state that was judged last. */
  last: Leaf | undefined;
}

/** Who asked for bits of a word, and for which. */
interface Reading {
  readonly who: number[];
  readonly masks: number[];
}

/** Who ever asked for what, word by word. What somebody's last answer rests on is less, and is looked up in that. */
class Readers {
  private readonly fields: (Reading | undefined)[];
  private readonly asking: (Asking[] | undefined)[];
  private count = 0;
  /** Words that anybody asked for. */
  readonly words: number[] = [];

  constructor(words: number) {
    this.fields = Array.from({ length: words }, () => undefined);
    this.asking = Array.from({ length: words }, () => undefined);
  }

  /** Notes what somebody asked for; what the answer rests on. */
  note(who: number, path: readonly Noted[]): Omit<Leaf, "violated"> {
    const masks = new Map<number, number>();
    const rows: number[] = [];
    for (const { fact } of path) {
      if (fact.is === "field") masks.set(fact.word, (masks.get(fact.word) ?? 0) | (fact.mask << fact.shift));
      else rows.push(this.noteRows(who, fact));
    }
    for (const [word, mask] of masks) {
      this.watch(word);
      const reading = (this.fields[word] ??= { who: [], masks: [] });
      const at = reading.who.indexOf(who);
      if (at >= 0) reading.masks[at]! |= mask;
      else {
        reading.who.push(who);
        reading.masks.push(mask);
      }
    }
    return { words: [...masks.keys()], masks: [...masks.values()], rows };
  }
  private watch(word: number): void {
    if (!this.words.includes(word)) this.words.push(word);
  }
  private noteRows(who: number, { place, match }: QueryFact): number {
    const { rows } = this.askingOf(place, match.mask);
    const key = match.value | 0;
    let found = rows.get(key);
    if (found === undefined) rows.set(key, (found = { number: this.count++, who: [] }));
    if (!found.who.includes(who)) found.who.push(who);
    return found.number;
  }
  private askingOf(place: TablePlace, mask: number): Asking {
    const all = (this.asking[place.base] ??= []);
    for (let row = 0; row < place.table.rows; row++) {
      this.asking[wordOf(place, row)] = all;
      this.watch(wordOf(place, row));
    }
    let asking = all.find((one) => one.mask === mask);
    if (asking === undefined) all.push((asking = { place, mask, rows: new Map() }));
    return asking;
  }

  /** Calls `visit` with everybody whose last answer may be another since the word changed. */
  changed(word: number, old: number, now: number, all: readonly Judged[], visit: (who: number) => void): void {
    const readers = this.fields[word];
    if (readers !== undefined) {
      const { who, masks: ever } = readers;
      for (let index = 0; index < who.length; index++) {
        if (((old ^ now) & ever[index]!) === 0) continue;
        const { words, masks } = all[who[index]!]!.last!;
        const at = words.indexOf(word);
        if (at >= 0 && ((old ^ now) & masks[at]!) !== 0) visit(who[index]!);
      }
    }
    const asking = this.asking[word];
    if (asking === undefined) return;
    for (let index = 0; index < asking.length; index++) {
      const { place: { rowsPerWord, rowBits }, mask, rows } = asking[index]!;
      for (let row = 0; row < rowsPerWord; row++) {
        const [before, after] = [(old >>> (row * rowBits)) & mask, (now >>> (row * rowBits)) & mask];
        if (before === after) continue;
        visitRows(rows.get(before), all, visit);
        visitRows(rows.get(after), all, visit);
      }
    }
  }
}
const visitRows = (rows: Rows | undefined, all: readonly Judged[], visit: (who: number) => void): void => {
  if (rows === undefined) return;
  for (let index = 0; index < rows.who.length; index++) if (all[rows.who[index]!]!.last!.rows.includes(rows.number)) visit(rows.who[index]!);
};

/** A property, as far as its parts are concerned. */
interface OfParts {
  readonly parts?: (booted: Booted) => readonly Part[];
}
/** Parts about one row together, the others one by one. */
const together = (booted: Booted, properties: readonly OfParts[]): Judged[] => {
  const all = properties.flatMap(({ parts }, bit) => (parts?.(booted) ?? []).map(({ row, wrong }) => ({ bit, row, wrong })));
  const groups = new Map<number | object, typeof all>();
  for (const part of all) {
    const key = part.row ?? part;
    groups.set(key, [...(groups.get(key) ?? []), part]);
  }
  return [...groups.values()].map((parts) => ({ parts, tree: emptyTree(), facts: new Set(), last: undefined }));
};

export interface PartJudge {
  /**
   * Which properties of parts the state at `at` violates, as bits in the order of the properties. `differing` are words, so
   * many of them, in which it differs from the state that was judged before in these same `states`; all words, where that is not known.
   */
  readonly judge: (states: Uint32Array, at: number, differing?: Int32Array, count?: number) => number;
  /** What the parts asked of any state: of each group of them, in an order that the plan and the properties give. */
  readonly asked: () => readonly ReadonlySet<Fact>[];
}

/**
 * Undefined where no property has parts. Where things are taken for alike, a part is asked of each image of a state at
 * once: what is a part of one row there is a part of another here, so a state is right if no image shows a part that is wrong.
 */
export const createPartJudge = (booted: Booted, properties: readonly OfParts[], symmetric?: Symmetric): PartJudge | undefined => {
  const all = together(booted, properties);
  if (all.length === 0) return undefined;
  const recorder = new Recorder<KernelShape>(booted.shape);
  const alike = symmetric === undefined ? undefined : new Alike(symmetric.group, symmetric.orbits, recorder, booted.shape, symmetric.machineWord);
  const { questions, window, words } = recorder;
  const kernel: Kernel = { plan: booted.plan, profile: booted.profile, driver: booted.driver, tables: recorder.tables, emit: () => {} };
  const readers = new Readers(words);
  /** The state that was judged last, in the words that anybody asked for; usable if nothing was wrong with it. */
  const last = new Uint32Array(words);
  let usable = false;
  /** Where it stood. */
  let place: Uint32Array | undefined;
  let judging = 0;
  const asked = new Float64Array(all.length);
  const asking: number[] = [];
  const ask = (who: number): void => {
    if (asked[who] === judging) return;
    asked[who] = judging;
    asking.push(who);
  };
  const load = (states: Uint32Array, at: number): void => {
    for (let word = 0; word < words; word++) window[word] = states[at + word]!;
  };
  const wrongIn = ({ parts }: Judged): number => {
    let violated = 0;
    for (const { bit, wrong } of parts) if (wrong(kernel) !== undefined) violated |= 1 << bit;
    return violated;
  };
  const learn = (who: number, states: Uint32Array, at: number): Leaf => {
    const judged = all[who]!;
    const { tree, facts } = judged;
    load(states, at);
    recorder.begin();
    let violated = wrongIn(judged);
    const noted = recorder.end();
    const path = alike === undefined ? noted : alike.facts(states, at, noted, () => void (violated |= wrongIn(judged)));
    for (const { fact } of path) facts.add(fact);
    const rests = readers.note(who, path);
    // A word that is asked for from now on is remembered from now on.
    for (const word of readers.words) last[word] = states[at + word]!;
    return grow(tree, path, { violated, ...rests });
  };
  const judge: PartJudge["judge"] = (states, at, differing, differences = 0) => {
    judging += 1;
    asking.length = 0;
    if (!usable) for (let who = 0; who < all.length; who++) ask(who);
    // Nobody else puts states where one that differs in known words stood.
    const known = differing !== undefined && place === states;
    const looked = known ? differing : readers.words;
    const count = known ? differences : readers.words.length;
    place = states;
    for (let index = 0; index < count; index++) {
      const word = looked[index]!;
      const [old, now] = [last[word]!, states[at + word]!];
      if (old === now) continue;
      last[word] = now;
      if (usable) readers.changed(word, old, now, all, ask);
    }
    questions.about(states, at);
    let violated = 0;
    for (let index = 0; index < asking.length; index++) {
      const judged = all[asking[index]!]!;
      judged.last = follow(judged.tree, states, at, questions) ?? learn(asking[index]!, states, at);
      violated |= judged.last.violated;
    }
    usable = violated === 0;
    if (alike !== undefined && violated !== 0) {
      load(states, at);
      if (all.reduce((own, judged) => own | wrongIn(judged), 0) !== violated) throw new NotAlike("a property tells two states apart that were taken for alike");
    }
    return violated;
  };
  return { judge, asked: () => all.map(({ facts }) => facts) };
};
