/**
 * Judges properties that are made of parts (capabilities/parts.ts), state after state. Each part has a tree of facts of its
 * own, and what it ever asked is known; so in a state that differs little from the one judged before, as a sibling does, only
 * the parts that asked for what differs are asked again. A law test holds this to asking all of them.
 */
import { type TablePlace } from "../../base/state.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { KernelShape } from "../../kernel/state.ts";
import type { Booted } from "../../system/boot.ts";
import type { Part } from "../capabilities/parts.ts";
import { emptyTree, type FactNode, follow, grow } from "./factTree.ts";
import type { QueryFact } from "./facts.ts";
import { type Noted, Recorder } from "./recorder.ts";

interface Leaf {
  readonly wrong: boolean;
}
interface Judged {
  /** Of the property that it is part of. */
  readonly bit: number;
  readonly part: Part;
  readonly tree: FactNode<Leaf>;
}
/** Parts that asked for rows by the same fields of one table, by what the fields had to be. */
interface Asking {
  readonly mask: number;
  readonly parts: Map<number, number[]>;
}

/** Who asked for what, word by word. */
class Readers {
  private readonly fields: Map<number, number>[];
  private readonly rows: (Asking[] | undefined)[];

  constructor(words: number) {
    this.fields = Array.from({ length: words }, () => new Map<number, number>());
    this.rows = Array.from({ length: words }, () => undefined);
  }

  note(part: number, path: readonly Noted[]): void {
    for (const { fact } of path) {
      if (fact.is === "field") this.noteField(part, fact.word, fact.mask << fact.shift);
      else this.noteRows(part, fact);
    }
  }
  private noteField(part: number, word: number, mask: number): void {
    const readers = this.fields[word]!;
    readers.set(part, (readers.get(part) ?? 0) | mask);
  }
  private noteRows(part: number, { place, match }: QueryFact): void {
    // Rows that share a word are not told apart here.
    if (place.rowsPerWord > 1) for (let word = 0; word < Math.ceil(place.table.rows / place.rowsPerWord); word++) this.noteField(part, place.base + word, -1);
    else {
      const asking = this.askingOf(place, match.mask);
      const key = match.value | 0;
      const parts = asking.parts.get(key);
      if (parts === undefined) asking.parts.set(key, [part]);
      else if (!parts.includes(part)) parts.push(part);
    }
  }
  private askingOf({ base, table }: TablePlace, mask: number): Asking {
    const all = (this.rows[base] ??= []);
    for (let row = 1; row < table.rows; row++) this.rows[base + row] = all;
    let asking = all.find((one) => one.mask === mask);
    if (asking === undefined) all.push((asking = { mask, parts: new Map() }));
    return asking;
  }

  /** Calls `visit` with the parts that may answer otherwise since the word changed. */
  changed(word: number, old: number, now: number, visit: (part: number) => void): void {
    for (const [part, mask] of this.fields[word]!) if (((old ^ now) & mask) !== 0) visit(part);
    const asking = this.rows[word];
    if (asking === undefined) return;
    for (const { mask, parts } of asking) {
      const [before, after] = [old & mask, now & mask];
      if (before === after) continue;
      parts.get(before)?.forEach(visit);
      parts.get(after)?.forEach(visit);
    }
  }
}

/** A property, as far as its parts are concerned. */
interface OfParts {
  readonly parts?: (booted: Booted) => readonly Part[];
}

/** Which properties of parts the state at `at` violates, as bits in the order of the properties. */
export type PartJudge = (states: Uint32Array, at: number) => number;

/** Undefined where no property has parts. `ignored`: a word that is no part of the kernel's tables. */
export const createPartJudge = (booted: Booted, properties: readonly OfParts[], ignored: number): PartJudge | undefined => {
  const all = properties.flatMap(({ parts }, bit): Judged[] => (parts?.(booted) ?? []).map((part) => ({ bit, part, tree: emptyTree() })));
  if (all.length === 0) return undefined;
  const recorder = new Recorder<KernelShape>(booted.shape);
  const { questions, window, words } = recorder;
  const kernel: Kernel = { plan: booted.plan, profile: booted.profile, driver: booted.driver, tables: recorder.tables, emit: () => {} };
  const readers = new Readers(words);
  /** The state that was judged last, if nothing was wrong with it. */
  const last = new Uint32Array(words);
  let usable = false;
  let judging = 0;
  const asked = new Uint32Array(all.length);
  const asking: number[] = [];
  const ask = (part: number): void => {
    if (asked[part] === judging) return;
    asked[part] = judging;
    asking.push(part);
  };
  const learn = (index: number, states: Uint32Array, at: number): Leaf => {
    for (let word = 0; word < words; word++) window[word] = states[at + word]!;
    recorder.begin();
    const { part, tree } = all[index]!;
    const wrong = part(kernel) !== undefined;
    const path = recorder.end();
    readers.note(index, path);
    return grow(tree, path, { wrong });
  };
  return (states, at) => {
    judging = judging === 0xffffffff ? 1 : judging + 1;
    asking.length = 0;
    if (!usable) for (let part = 0; part < all.length; part++) ask(part);
    for (let word = 0; word < words; word++) {
      const [old, now] = [last[word]!, states[at + word]!];
      if (old === now || word === ignored) continue;
      last[word] = now;
      if (usable) readers.changed(word, old, now, ask);
    }
    questions.about(states, at);
    let violated = 0;
    for (let index = 0; index < asking.length; index++) {
      const part = asking[index]!;
      const { bit, tree } = all[part]!;
      if ((follow(tree, states, at, questions) ?? learn(part, states, at)).wrong) violated |= 1 << bit;
    }
    usable = violated === 0;
    return violated;
  };
};
