/**
 * Dense placement: every field of every row, called a cell here, gets its bits in one of few 32-bit words, and the tables
 * as a view over one window of such words. Unlike the packed view of src/base/state.ts rows share words, so that a small
 * model is one word and its visited set can hold whole states. A field with one possible value takes no bits.
 */
import { impossible } from "../../base/diagnostic.ts";
import { type Plain, type Row, type Shape, type Table, type Tables, type TableShape, viewOf } from "../../base/state.ts";

export interface Cell {
  readonly index: number;
  readonly table: string;
  readonly row: number;
  readonly field: string;
  readonly word: number;
  readonly shift: number;
  /** Before shifting; 0 for a constant field. */
  readonly mask: number;
  readonly least: number;
  readonly size: number;
}

export interface Placement<S extends Shape = Shape> {
  readonly shape: S;
  readonly cells: readonly Cell[];
  readonly words: number;
  readonly bits: number;
  /** Cell of a field: `cellOf.get(table)[row][field]`. */
  readonly cellOf: ReadonlyMap<string, readonly Readonly<Record<string, Cell>>[]>;
}

const bitsFor = (size: number): number => (size <= 1 ? 0 : Math.ceil(Math.log2(size)));

/** First fit, in declared order; a field never straddles two words. */
export const place = <S extends Shape>(shape: S): Placement<S> => {
  const used: number[] = [0];
  const cells: Cell[] = [];
  const cellOf = new Map<string, Record<string, Cell>[]>();
  for (const [table, { rows, fields }] of Object.entries(shape)) {
    const placed: Record<string, Cell>[] = Array.from({ length: rows }, () => ({}));
    cellOf.set(table, placed);
    for (let row = 0; row < rows; row++)
      for (const [field, { least, size }] of Object.entries(fields)) {
        const bits = bitsFor(size);
        if (bits > 32) impossible(`field ${field} needs ${bits} bits`);
        let word = used.findIndex((taken) => taken + bits <= 32);
        if (word < 0) word = used.push(0) - 1;
        const cell: Cell = { index: cells.length, table, row, field, word, shift: bits === 0 ? 0 : used[word]!, mask: bits === 32 ? -1 : 2 ** bits - 1, least, size };
        used[word]! += bits;
        cells.push(cell);
        placed[row]![field] = cell;
      }
  }
  return { shape, cells, words: used.length, bits: used.reduce((sum, taken) => sum + taken, 0), cellOf };
};

/** The tables over a window that holds one state. A write outside the field's domain is refused: it would hit a neighbour. */
export interface DenseView<S extends Shape> {
  readonly window: Int32Array<ArrayBuffer>;
  readonly tables: Tables<S>;
}

const IDENTIFIER = /^[A-Za-z][A-Za-z0-9]*$/;

/** One class a table: places are fields of the row object, so that all rows share one shape in the engine's eyes. */
const rowClass = (fields: readonly string[]): new (window: Int32Array, cells: Readonly<Record<string, Cell>>) => object => {
  for (const name of fields) if (!IDENTIFIER.test(name)) impossible(`field name ${name}`);
  const set = fields.map((f) => `this.${f}_w=c.${f}.word;this.${f}_s=c.${f}.shift;this.${f}_m=c.${f}.mask;this.${f}_l=c.${f}.least;this.${f}_n=c.${f}.size;`);
  const members = fields.map(
    (f) =>
      `get ${f}(){const v=this.w[this.${f}_w]>>>this.${f}_s;return this.${f}_m===-1?v+this.${f}_l:(v&this.${f}_m)+this.${f}_l} ` +
      `set ${f}(v){const r=v-this.${f}_l;if(!(r>=0&&r<this.${f}_n))outside("${f}",v);const k=this.${f}_w,s=this.${f}_s;this.w[k]=this.w[k]&~(this.${f}_m<<s)|r<<s}`,
  );
  // oxlint-disable-next-line typescript/no-implied-eval, typescript/no-unsafe-call -- the text is made above from checked identifiers
  return new Function("outside", `return class{constructor(w,c){this.w=w;${set.join("")}} ${members.join("\n")}}`)(outside) as ReturnType<typeof rowClass>;
};
const outside = (field: string, value: number): never => impossible(`${field} = ${value} is outside its domain`);

export const denseView = <S extends Shape>({ shape, words, cellOf }: Placement<S>): DenseView<S> => {
  const window = new Int32Array(words);
  const rows = Object.fromEntries(
    Object.entries(shape as Record<string, TableShape>).map(([table, { fields }]) => {
      const RowOf = rowClass(Object.keys(fields));
      return [table, cellOf.get(table)!.map((cells) => new RowOf(window, cells))];
    }),
  );
  return { window, tables: viewOf(rows as unknown as Plain<S>) };
};

/** Writes a plain state as words; refuses a value outside its domain. */
export const pack = <S extends Shape>({ cells, words }: Placement<S>, state: Plain<S>): Int32Array<ArrayBuffer> => {
  const packed = new Int32Array(words);
  for (const { table, row, field, word, shift, mask, least, size } of cells) {
    const value = (state[table as keyof S][row] as Readonly<Record<string, number>>)[field]!;
    if (!Number.isInteger(value) || value < least || value >= least + size) impossible(`${table}[${row}].${field} = ${value} is outside its domain`);
    packed[word]! |= ((value - least) & mask) << shift;
  }
  return packed;
};

export const unpack = <S extends Shape>({ shape, cells }: Placement<S>, from: ArrayLike<number>, at = 0): Plain<S> => {
  const state: Record<string, Record<string, number>[]> = {};
  for (const [table, { rows }] of Object.entries(shape)) state[table] = Array.from({ length: rows }, () => ({}));
  for (const { table, row, field, word, shift, mask, least } of cells) {
    const raw = from[at + word]! >>> shift;
    state[table]![row]![field] = (mask === -1 ? raw : raw & mask) + least;
  }
  return state as unknown as Plain<S>;
};

export type AnyRow = Row<TableShape>;
export type AnyTables = Readonly<Record<string, Table<AnyRow>>>;
