/**
 * Collapsed states (collapse compression: Holzmann, "State Compression in SPIN", 1997): a packed state is cut into parts
 * of a few words, each value of a part is kept once and numbered, and what is kept of a state is the numbers of its
 * parts. Nothing is lost: equal numbers are equal words. An invocation changes few parts, so what a change makes of a
 * part is remembered, too, and most successors are found without looking at a word.
 */
import { sumOf } from "./stateStore.ts";

/** Words of a part, about. Smaller ones have fewer values each, larger ones make a state fewer numbers. */
const PART_WORDS = 9;
const FIRST_VALUES = 64;
/** The table is doubled when more of it than this is used. */
const LOAD = 0.5;

/** Where the values of a part get their numbers, if not from one model alone. */
export interface Ledger {
  /** Room for all values there will be. A value stands there before anybody hears its number. */
  readonly values: Uint32Array;
  /** The number of the value at `at`, which somebody else may have given it. */
  readonly number: (words: Uint32Array, at: number) => number;
}
/** A ledger for each part, by its place. */
export type Ledgers = (part: number) => Ledger;

/** How many words each part has; `parted` words are cut into parts. */
export const partSizes = (parted: number): readonly number[] => {
  const count = Math.ceil(parted / PART_WORDS);
  return Array.from({ length: count }, (_, part) => Math.floor(((part + 1) * parted) / count) - Math.floor((part * parted) / count));
};

/** The values of one part, by number. */
class Part {
  readonly first: number;
  readonly size: number;
  private readonly ledger: Ledger | undefined;
  /** How many are known here. */
  private count = 0;
  private values: Uint32Array;
  /** Number + 1, or 0. */
  private table = new Int32Array(2 * FIRST_VALUES);

  constructor(first: number, size: number, ledger: Ledger | undefined) {
    this.first = first;
    this.size = size;
    this.ledger = ledger;
    this.values = ledger?.values ?? new Uint32Array(FIRST_VALUES * size);
  }

  /** The number of the value at `at`. */
  numberOf(words: Uint32Array, at: number): number {
    const { table, size } = this;
    const mask = table.length - 1;
    const sum = sumOf(words, at, size);
    let probe = (sum ^ (sum >>> 16)) & mask;
    for (let entry = table[probe]!; entry !== 0; entry = table[probe]!) {
      if (this.equal(words, at, entry - 1)) return entry - 1;
      probe = (probe + 1) & mask;
    }
    const number = this.ledger === undefined ? this.append(words, at) : this.ledger.number(words, at);
    table[probe] = number + 1;
    this.count += 1;
    if (this.count > table.length * LOAD) this.grow();
    return number;
  }
  /** Restores this value over another one; the words that differ are noted from `count` on. The new count. */
  restoreOver(number: number, into: Uint32Array, differing: Int32Array, count: number): number {
    const { values, size, first } = this;
    const from = number * size;
    for (let word = 0; word < size; word++) {
      const value = values[from + word]!;
      if (into[first + word] === value) continue;
      into[first + word] = value;
      differing[count++] = first + word;
    }
    return count;
  }
  restore(number: number, into: Uint32Array, at: number): void {
    const { values, size } = this;
    const from = number * size;
    for (let word = 0; word < size; word++) into[at + word] = values[from + word]!;
  }

  wordOf(number: number, word: number): number {
    return this.values[number * this.size + word]!;
  }

  private equal(words: Uint32Array, at: number, number: number): boolean {
    const { values, size } = this;
    const from = number * size;
    for (let word = 0; word < size; word++) if (words[at + word] !== values[from + word]) return false;
    return true;
  }
  private append(words: Uint32Array, at: number): number {
    const number = this.count;
    if (number * this.size === this.values.length) {
      const larger = new Uint32Array(2 * this.values.length);
      larger.set(this.values);
      this.values = larger;
    }
    for (let word = 0; word < this.size; word++) this.values[number * this.size + word] = words[at + word]!;
    return number;
  }
  private grow(): void {
    const table = new Int32Array(2 * this.table.length);
    const mask = table.length - 1;
    for (const entry of this.table) {
      if (entry === 0) continue;
      const sum = sumOf(this.values, (entry - 1) * this.size, this.size);
      let probe = (sum ^ (sum >>> 16)) & mask;
      while (table[probe] !== 0) probe = (probe + 1) & mask;
      table[probe] = entry;
    }
    this.table = table;
  }
}

/** Entries of a memory of pairs, as a power of two. It forgets, so that it stays small enough for a processor's cache. */
const PAIR_BITS = 14;
/** Where a pair stands: high bits of products with odd numbers, which depend on all bits of both. */
const placeOf = (first: number, second: number): number => 4 * ((Math.imul(first, 0x9e3779b1) ^ Math.imul(second, 0x85ebca6b)) >>> (32 - PAIR_BITS));

/** What two numbers come to, as long as no other pair took its place. */
export class PairMemory {
  /** First number + 1, second, answer, and a word that keeps an entry within one cache line. */
  private readonly entries = new Int32Array(4 << PAIR_BITS);

  /** -1 where it is not known, or no more. */
  get(first: number, second: number): number {
    const { entries } = this;
    const at = placeOf(first, second);
    return entries[at] === first + 1 && entries[at + 1] === second ? entries[at + 2]! : -1;
  }
  set(first: number, second: number, answer: number): number {
    const at = placeOf(first, second);
    this.entries[at] = first + 1;
    this.entries[at + 1] = second;
    this.entries[at + 2] = answer;
    return answer;
  }
}

/** What becomes of some words of one part: which bits of them stay, and the others. */
export interface PartChange {
  /** Equal changes of one part have one number. */
  readonly id: number;
  readonly part: number;
  /** Counted from the first of the part. */
  readonly words: readonly number[];
  readonly keep: readonly number[];
  readonly bits: readonly number[];
}

export class Collapse {
  readonly words: number;
  /** Numbers of a collapsed state: one for each part, and one for each word that is a number already. */
  readonly numbers: number;
  private readonly parts: readonly Part[];
  private readonly memories: readonly PairMemory[];
  private readonly changes = new Map<string, PartChange>();
  private readonly byNumber: PartChange[] = [];
  private readonly scratch = new Uint32Array(2 * PART_WORDS);

  /** The words from `parted` on are numbers already, and stay as they are. */
  constructor(words: number, parted: number, ledgers?: Ledgers) {
    this.words = words;
    let first = 0;
    this.parts = partSizes(parted).map((size, part) => new Part((first += size) - size, size, ledgers?.(part)));
    this.memories = this.parts.map(() => new PairMemory());
    this.numbers = this.parts.length + words - parted;
  }

  collapse(states: Uint32Array, at: number, into: Uint32Array): void {
    const { parts, numbers } = this;
    for (let part = 0; part < parts.length; part++) into[part] = parts[part]!.numberOf(states, at + parts[part]!.first);
    for (let number = parts.length; number < numbers; number++) into[number] = states[at + this.words - numbers + number]!;
  }
  restore(collapsed: Uint32Array, at: number, into: Uint32Array, to = 0): void {
    const { parts, numbers } = this;
    for (let part = 0; part < parts.length; part++) parts[part]!.restore(collapsed[at + part]!, into, to + parts[part]!.first);
    for (let number = parts.length; number < numbers; number++) into[to + this.words - numbers + number] = collapsed[at + number]!;
  }
  /** Restores a state over that of which `held` are the numbers, which become its own; notes which words differ: how many. */
  restoreOver(collapsed: Uint32Array, at: number, held: Uint32Array, into: Uint32Array, differing: Int32Array): number {
    const { parts, numbers } = this;
    let count = 0;
    for (let part = 0; part < parts.length; part++) {
      const number = collapsed[at + part]!;
      if (held[part] === number) continue;
      held[part] = number;
      count = parts[part]!.restoreOver(number, into, differing, count);
    }
    for (let number = parts.length; number < numbers; number++) {
      const value = collapsed[at + number]!;
      if (held[number] === value) continue;
      held[number] = value;
      const word = this.words - numbers + number;
      into[word] = value;
      differing[count++] = word;
    }
    return count;
  }
  /** Which number of a collapsed state has a word in it. */
  placeOf(word: number): number {
    const part = this.parts.findIndex(({ first, size }) => word >= first && word < first + size);
    return part < 0 ? this.numbers - this.words + word : part;
  }
  /** What a word is where the number at its place is this one. */
  valueOf(word: number, number: number): number {
    const part = this.parts[this.placeOf(word)];
    return part === undefined ? number : part.wordOf(number, word - part.first);
  }
  /** Collapsed states in pieces, as whole ones. */
  *wholes(pieces: Iterable<Uint32Array>): Generator<Uint32Array> {
    for (const piece of pieces) {
      const count = piece.length / this.numbers;
      const whole = new Uint32Array(count * this.words);
      for (let index = 0; index < count; index++) this.restore(piece, index * this.numbers, whole, index * this.words);
      yield whole;
    }
  }

  /** A change of some words, part by part. */
  changesOf(words: readonly number[], keep: readonly number[], bits: readonly number[]): readonly PartChange[] {
    return this.parts.flatMap(({ first, size }, part) => {
      const within = words.flatMap((word, index) => (word >= first && word < first + size ? [index] : []));
      if (within.length === 0) return [];
      const change = { part, words: within.map((index) => words[index]! - first), keep: within.map((index) => keep[index]!), bits: within.map((index) => bits[index]!) };
      const key = `${part} ${change.words.join(" ")} ${change.keep.join(" ")} ${change.bits.join(" ")}`;
      let known = this.changes.get(key);
      if (known === undefined) {
        this.changes.set(key, (known = { id: this.changes.size, ...change }));
        this.byNumber.push(known);
      }
      return [known];
    });
  }
  /** The number of a part after a change, which is given by its number. */
  after(part: number, number: number, change: number): number {
    const known = this.memories[part]!.get(number, change);
    return known >= 0 ? known : this.learnt(part, number, change);
  }
  private learnt(part: number, number: number, change: number): number {
    const { scratch } = this;
    const { words, keep, bits } = this.byNumber[change]!;
    this.parts[part]!.restore(number, scratch, 0);
    for (const [index, word] of words.entries()) scratch[word] = (scratch[word]! & keep[index]!) | bits[index]!;
    return this.memories[part]!.set(number, change, this.parts[part]!.numberOf(scratch, 0));
  }
}
