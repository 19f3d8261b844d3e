/**
 * Facts: what a recipe asked of a packed state, and what it was told. A recipe is deterministic in what it reads (design
 * D4), so two states that tell it the same facts end it in the same way: what it wrote is then known without running it.
 *
 * A fact is about the state as it was before the recipe began. What the recipe wrote itself is no fact; where it asks for
 * rows by fields that it has written, the rows it touched are asked one by one, and the others by one fact.
 */
import { packedMatch, type PackedMatch, packedRows, type TablePlace } from "../../base/state.ts";

/** A field of one row: `(word >>> shift) & mask`. */
export interface FieldFact {
  readonly is: "field";
  readonly word: number;
  readonly shift: number;
  readonly mask: number;
}
/** Is there a row with these fields, other than one: 0 or 1. */
export interface AnyFact {
  readonly is: "any";
  readonly id: number;
  readonly place: TablePlace;
  readonly match: PackedMatch;
  readonly except: number;
}
/** Which rows have these fields: a number for every answer, see `rowsOf`. */
export interface HavingFact {
  readonly is: "having";
  readonly id: number;
  readonly place: TablePlace;
  readonly match: PackedMatch;
}
export type QueryFact = AnyFact | HavingFact;
export type Fact = FieldFact | QueryFact;
/** Of a table with more rows than a number has bits, rows are told by text. */
export type Told = number | string;

const EXACT_BITS = 53;
const NOBODY = -1;

/** Every question of one model, numbered, and their answers for the state at hand, each asked once. */
export class Questions {
  private readonly queries: QueryFact[] = [];
  private readonly known = new Map<string, QueryFact>();
  private words: Uint32Array = new Uint32Array(0);
  private at = 0;
  private generation = 0;
  private readonly asked: number[] = [];
  private readonly answers: Told[] = [];

  /** From now on answers are about the state at `at`. */
  about(words: Uint32Array, at: number): void {
    this.words = words;
    this.at = at;
    this.generation += 1;
  }

  /** The question, undefined where no row can have such fields; false where the table's rows are more than a word. */
  any(place: TablePlace, match: Readonly<Record<string, number | undefined>>, except = NOBODY): AnyFact | undefined | false {
    if (place.stride !== 1) return false;
    const packed = packedMatch(place, match);
    return packed === undefined ? undefined : (this.intern(`any ${place.name} ${packed.mask} ${packed.value} ${except}`, (id) => ({ is: "any", id, place, match: packed, except })) as AnyFact);
  }
  having(place: TablePlace, match: Readonly<Record<string, number | undefined>>): HavingFact | undefined | false {
    if (place.stride !== 1) return false;
    const packed = packedMatch(place, match);
    return packed === undefined ? undefined : this.havingPacked(place, packed);
  }
  havingPacked(place: TablePlace, match: PackedMatch): HavingFact {
    return this.intern(`having ${place.name} ${match.mask} ${match.value}`, (id) => ({ is: "having", id, place, match })) as HavingFact;
  }
  private intern(key: string, make: (id: number) => QueryFact): QueryFact {
    let fact = this.known.get(key);
    if (fact === undefined) {
      fact = make(this.queries.length);
      this.queries.push(fact);
      this.asked.push(0);
      this.answers.push(0);
      this.known.set(key, fact);
    }
    return fact;
  }

  numbered(id: number): QueryFact {
    return this.queries[id]!;
  }
  /** The answer to a numbered question. */
  answer(id: number): Told {
    if (this.asked[id] === this.generation) return this.answers[id]!;
    this.asked[id] = this.generation;
    return (this.answers[id] = this.evaluate(this.queries[id]!));
  }
  tell(fact: Fact): Told {
    return fact.is === "field" ? (this.words[this.at + fact.word]! >>> fact.shift) & fact.mask : this.answer(fact.id);
  }
  private evaluate(fact: QueryFact): Told {
    const { place, match } = fact;
    if (fact.is === "any") return Number(anyRow(this.words, this.at, place, match, fact.except));
    return place.table.rows <= EXACT_BITS ? rowSum(this.words, this.at, place, match) : rowsIn(this.words, this.at, place, match).join(" ");
  }
  /** The rows that a `having` answered, ascending. */
  rows(fact: HavingFact): readonly number[] {
    return rowsIn(this.words, this.at, fact.place, fact.match);
  }
}

const anyRow = (words: Uint32Array, at: number, { base, rowsPerWord, rowBits, table: { rows } }: TablePlace, { mask, value }: PackedMatch, except: number): boolean => {
  const first = at + base;
  if (rowsPerWord === 1) {
    for (let row = 0; row < rows; row++) if (((words[first + row]! & mask) ^ value) === 0 && row !== except) return true;
    return false;
  }
  for (let word = first, begin = 0; begin < rows; word++, begin += rowsPerWord) {
    const end = Math.min(begin + rowsPerWord, rows);
    for (let row = begin, held = words[word]!; row < end; row++, held >>>= rowBits) if (((held & mask) ^ value) === 0 && row !== except) return true;
  }
  return false;
};
const powers = Float64Array.from({ length: EXACT_BITS }, (_, row) => 2 ** row);
/** A bit for each row that matches. */
const rowSum = (words: Uint32Array, at: number, { base, rowsPerWord, rowBits, table: { rows } }: TablePlace, { mask, value }: PackedMatch): number => {
  const first = at + base;
  let sum = 0;
  if (rowsPerWord === 1) {
    for (let row = 0; row < rows; row++) if (((words[first + row]! & mask) ^ value) === 0) sum += powers[row]!;
    return sum;
  }
  for (let word = first, begin = 0; begin < rows; word++, begin += rowsPerWord) {
    const end = Math.min(begin + rowsPerWord, rows);
    for (let row = begin, held = words[word]!; row < end; row++, held >>>= rowBits) if (((held & mask) ^ value) === 0) sum += powers[row]!;
  }
  return sum;
};
const rowsIn = (words: Uint32Array, at: number, place: TablePlace, match: PackedMatch): number[] => {
  const found: number[] = [];
  packedRows(words, at, place, match, (row) => {
    found.push(row);
    return false;
  });
  return found;
};
