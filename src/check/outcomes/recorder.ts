/**
 * The recording view: tables over a window of words that note every fact a recipe asks for, in order, and every bit it
 * writes. While nothing is recorded it is an ordinary packed view of that window.
 */
import { impossible } from "../../base/diagnostic.ts";
import { meets, NONE, placesOf, type Row, type Shape, shiftOf, type Table, type TablePlace, type TableShape, type Tables, wordOf } from "../../base/state.ts";
import { type Fact, type FieldFact, Questions, type Told } from "./facts.ts";

type AnyRow = Row<TableShape>;

/** A fact, and what the state said. */
export interface Noted {
  readonly fact: Fact;
  readonly told: Told;
}

export class Recorder<S extends Shape> {
  readonly words: number;
  readonly window: Uint32Array<ArrayBuffer>;
  readonly tables: Tables<S>;
  readonly questions = new Questions();
  /** Bits written since `begin`, by word. */
  readonly written: Uint32Array;
  private noted: Noted[] = [];
  private readonly seenFields: Uint8Array;
  private seenQueries = new Set<number>();
  private recording = false;
  private readonly fields = new Map<number, FieldFact>();

  constructor(shape: S) {
    const { tables, words } = placesOf(shape);
    this.words = words;
    this.window = new Uint32Array(words);
    this.written = new Uint32Array(words);
    this.seenFields = new Uint8Array(words * 32);
    this.tables = Object.fromEntries(tables.map((place) => [place.name, this.table(place)])) as unknown as Tables<S>;
  }

  /** The window holds a state, which `questions` are about; from here on facts and writes are noted. */
  begin(): void {
    this.noted = [];
    this.seenFields.fill(0);
    this.seenQueries = new Set();
    this.written.fill(0);
    this.recording = true;
  }
  /** The facts in the order in which they were asked for, each once. */
  end(): readonly Noted[] {
    this.recording = false;
    return this.noted;
  }

  private noteField(word: number, shift: number, mask: number): void {
    if (!this.recording || (this.written[word]! & (mask << shift)) !== 0) return;
    const key = word * 32 + shift;
    if (this.seenFields[key] === 1) return;
    this.seenFields[key] = 1;
    let fact = this.fields.get(key);
    if (fact === undefined) this.fields.set(key, (fact = { is: "field", word, shift, mask }));
    this.noted.push({ fact, told: this.questions.tell(fact) });
  }
  private noteQuery(fact: Exclude<Fact, FieldFact>): Told {
    const told = this.questions.answer(fact.id);
    if (!this.seenQueries.has(fact.id)) {
      this.seenQueries.add(fact.id);
      this.noted.push({ fact, told });
    }
    return told;
  }

  private row(place: TablePlace, index: number): AnyRow {
    const row = {};
    const base = wordOf(place, index);
    const offset = shiftOf(place, index);
    for (const [field, { least }] of Object.entries(place.table.fields)) {
      const { word: within, shift: inRow, mask } = place.places[field]!;
      const [word, shift] = [base + within, offset + inRow];
      Object.defineProperty(row, field, {
        enumerable: true,
        get: () => {
          if (mask === 0) return least;
          this.noteField(word, shift, mask);
          return (((this.window[word]! >>> shift) & mask) >>> 0) + least;
        },
        set: (value: number) => {
          if (mask === 0) return;
          const ones = mask << shift;
          this.window[word] = (this.window[word]! & ~ones) | ((value - least) << shift);
          if (this.recording) this.written[word]! |= ones;
        },
      });
    }
    return row;
  }

  private table(place: TablePlace): Table<AnyRow> {
    const rows = Array.from({ length: place.table.rows }, (_, index) => this.row(place, index));
    const touched = (row: number, mask: number): boolean => (this.written[wordOf(place, row)]! & (mask << shiftOf(place, row))) !== 0;
    const table: Table<AnyRow> = {
      length: rows.length,
      at: (index) => rows[index] ?? impossible(`row ${index} of ${rows.length}`),
      forEach: (body) => rows.forEach((row, index) => body(row, index)),
      some: (holds) => rows.some((row, index) => holds(row, index)),
      every: (holds) => rows.every((row, index) => holds(row, index)),
      any: (match, except) => {
        const fact = this.recording && this.questions.any(place, match, except);
        if (fact === undefined) return false;
        if (fact === false) return rows.some((row, index) => index !== except && meets(row, match));
        const writes = rows.some((_, row) => touched(row, fact.match.mask));
        return writes ? table.having(match).some((row) => row !== except) : this.noteQuery(fact) === 1;
      },
      having: (match) => {
        const fact = this.recording && this.questions.having(place, match);
        if (fact === undefined) return [];
        if (fact === false) return rows.flatMap((row, index) => (meets(row, match) ? [index] : []));
        this.noteQuery(fact);
        const before = this.questions.rows(fact);
        if (!rows.some((_, row) => touched(row, fact.match.mask))) return before;
        return rows.flatMap((row, index) => ((touched(index, fact.match.mask) ? meets(row, match) : before.includes(index)) ? [index] : []));
      },
      walk: (first, next) => {
        let last = NONE;
        for (let at = first, left = rows.length; at !== NONE; at = next(rows[at]!, at)) {
          last = at;
          if (left-- < 0) impossible("a chain has a cycle");
        }
        return last;
      },
    };
    return table;
  }
}
