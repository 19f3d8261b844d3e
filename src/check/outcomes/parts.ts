/**
 * Judges properties that are made of parts (capabilities/parts.ts), state after state. Each part has a tree of facts of its
 * own, and what it ever asked is known; so in a state that differs little from the one judged before, as a sibling does, only
 * the parts that asked for what differs are asked again. A law test holds this to asking all of them.
 */
import type { TablePlace } from "../../base/state.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { KernelShape } from "../../kernel/state.ts";
import type { Booted } from "../../system/boot.ts";
import type { Part } from "../capabilities/parts.ts";
import { emptyTree, type FactNode, follow, grow } from "./factTree.ts";
import type { QueryFact } from "./facts.ts";
import { type Noted, Recorder } from "./recorder.ts";

interface Leaf {
  /** Of the properties that do not hold, as bits. */
  readonly violated: number;
}
/** What is asked together: parts about one row, which read much the same. */
interface Judged {
  readonly parts: readonly { readonly bit: number; readonly wrong: Part["wrong"] }[];
  readonly tree: FactNode<Leaf>;
}
/** Who asked for rows by the same fields of one table, by what the fields had to be. */
interface Asking {
  readonly mask: number;
  readonly who: Map<number, number[]>;
}
/** Who asked for which bits of one word. */
interface Reading {
  readonly who: number[];
  readonly masks: number[];
}

/** Who asked for what, word by word. */
class Readers {
  private readonly fields: (Reading | undefined)[];
  private readonly rows: (Asking[] | undefined)[];
  /** Words that anybody asked for. */
  readonly words: number[] = [];

  constructor(words: number) {
    this.fields = Array.from({ length: words }, () => undefined);
    this.rows = Array.from({ length: words }, () => undefined);
  }

  note(who: number, path: readonly Noted[]): void {
    for (const { fact } of path) {
      if (fact.is === "field") this.noteField(who, fact.word, fact.mask << fact.shift);
      else this.noteRows(who, fact);
    }
  }
  private watch(word: number): void {
    if (!this.words.includes(word)) this.words.push(word);
  }
  private noteField(who: number, word: number, mask: number): void {
    this.watch(word);
    const reading = (this.fields[word] ??= { who: [], masks: [] });
    const at = reading.who.indexOf(who);
    if (at >= 0) reading.masks[at]! |= mask;
    else {
      reading.who.push(who);
      reading.masks.push(mask);
    }
  }
  private noteRows(who: number, { place, match }: QueryFact): void {
    const { base, table, rowsPerWord } = place;
    // Rows that share a word are not told apart here.
    if (rowsPerWord > 1) for (let word = 0; word < Math.ceil(table.rows / rowsPerWord); word++) this.noteField(who, base + word, -1);
    else {
      const asking = this.askingOf(place, match.mask);
      const key = match.value | 0;
      const all = asking.who.get(key);
      if (all === undefined) asking.who.set(key, [who]);
      else if (!all.includes(who)) all.push(who);
    }
  }
  private askingOf({ base, table }: TablePlace, mask: number): Asking {
    const all = (this.rows[base] ??= []);
    for (let row = 0; row < table.rows; row++) {
      this.rows[base + row] = all;
      this.watch(base + row);
    }
    let asking = all.find((one) => one.mask === mask);
    if (asking === undefined) all.push((asking = { mask, who: new Map() }));
    return asking;
  }

  /** Calls `visit` with everybody who may be answered otherwise since the word changed. */
  changed(word: number, old: number, now: number, visit: (who: number) => void): void {
    const reading = this.fields[word];
    if (reading !== undefined) {
      const { who, masks } = reading;
      for (let index = 0; index < who.length; index++) if (((old ^ now) & masks[index]!) !== 0) visit(who[index]!);
    }
    const asking = this.rows[word];
    if (asking === undefined) return;
    for (let index = 0; index < asking.length; index++) {
      const { mask, who } = asking[index]!;
      const [before, after] = [old & mask, now & mask];
      if (before === after) continue;
      who.get(before)?.forEach(visit);
      who.get(after)?.forEach(visit);
    }
  }
}

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
  return [...groups.values()].map((parts) => ({ parts, tree: emptyTree() }));
};

/** Which properties of parts the state at `at` violates, as bits in the order of the properties. */
export type PartJudge = (states: Uint32Array, at: number) => number;

/** Undefined where no property has parts. */
export const createPartJudge = (booted: Booted, properties: readonly OfParts[]): PartJudge | undefined => {
  const all = together(booted, properties);
  if (all.length === 0) return undefined;
  const recorder = new Recorder<KernelShape>(booted.shape);
  const { questions, window, words } = recorder;
  const kernel: Kernel = { plan: booted.plan, profile: booted.profile, driver: booted.driver, tables: recorder.tables, emit: () => {} };
  const readers = new Readers(words);
  /** The state that was judged last, in the words that anybody asked for; usable if nothing was wrong with it. */
  const last = new Uint32Array(words);
  let usable = false;
  let judging = 0;
  const asked = new Float64Array(all.length);
  const asking: number[] = [];
  const ask = (who: number): void => {
    if (asked[who] === judging) return;
    asked[who] = judging;
    asking.push(who);
  };
  const learn = (who: number, states: Uint32Array, at: number): Leaf => {
    for (let word = 0; word < words; word++) window[word] = states[at + word]!;
    recorder.begin();
    const { parts, tree } = all[who]!;
    let violated = 0;
    for (const { bit, wrong } of parts) if (wrong(kernel) !== undefined) violated |= 1 << bit;
    const path = recorder.end();
    readers.note(who, path);
    // A word that is asked for from now on is remembered from now on.
    for (const word of readers.words) last[word] = states[at + word]!;
    return grow(tree, path, { violated });
  };
  return (states, at) => {
    judging += 1;
    asking.length = 0;
    if (!usable) for (let who = 0; who < all.length; who++) ask(who);
    const watched = readers.words;
    for (let index = 0; index < watched.length; index++) {
      const word = watched[index]!;
      const [old, now] = [last[word]!, states[at + word]!];
      if (old === now) continue;
      last[word] = now;
      if (usable) readers.changed(word, old, now, ask);
    }
    questions.about(states, at);
    let violated = 0;
    for (let index = 0; index < asking.length; index++) {
      const who = asking[index]!;
      violated |= (follow(all[who]!.tree, states, at, questions) ?? learn(who, states, at)).violated;
    }
    usable = violated === 0;
    return violated;
  };
};
