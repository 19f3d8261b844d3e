/**
 * State tables: the memory of every model here (design D4). A state is a few tables of fixed-capacity rows of small
 * integers; each field declares its finite domain once, and the plain, immer and packed views, packing, hashing and
 * printing derive from that. A transition ("recipe") is ordinary assignment against the shape, so the same text runs
 * on every view; a law test holds the views equal.
 *
 * The form of a recipe (so that it can be recorded into a decision tree): bulk work by `forEach`, or on the rows that
 * `having` names; questions by `any`, `some` and `every`, chains by `walk`; no outer local that a body both reads and
 * writes. `any` and `having` ask by equality of fields, which a view can answer, and remember, without going row by row.
 */
import { produce } from "immer";
import { impossible } from "./diagnostic.ts";

/** "No row": what an optional index field holds when it points nowhere. */
export const NONE = -1;

/** The domain of a field: the integers `least` .. `least + size - 1`. */
export interface Domain {
  readonly least: number;
  readonly size: number;
  /** Id of an interned value: not a small domain, never compared by order, never printed (design D6). */
  readonly interned?: true;
}
/** 0 .. size-1. */
export const below = (size: number): Domain => ({ least: 0, size: Math.max(1, size) });
/** An index into a table of `size` rows, or NONE. */
export const optional = (size: number): Domain => ({ least: NONE, size: size + 1 });
/** 0 or 1. */
export const flag: Domain = { least: 0, size: 2 };
/** Id of a value interned elsewhere; 32 bits. */
export const interned: Domain = { least: 0, size: 2 ** 32, interned: true };

export interface TableShape<F extends string = string> {
  readonly rows: number;
  readonly fields: { readonly [K in F]: Domain };
}
export type Shape = { readonly [table: string]: TableShape };

export type Row<T extends TableShape> = { -readonly [K in keyof T["fields"]]: number };
/** A row as tests and properties see it. */
export type Reading<T extends TableShape> = { readonly [K in keyof T["fields"]]: number };

/** What a row's fields must be. */
export type Match<R> = { readonly [K in keyof R]?: number };

/** A table as a recipe sees it. A row handed to a body is valid only during that call. */
export interface Table<R> {
  readonly length: number;
  at(index: number): R;
  forEach(body: (row: R, index: number) => void): void;
  some(holds: (row: R, index: number) => boolean): boolean;
  every(holds: (row: R, index: number) => boolean): boolean;
  /** Is there a row, other than `except`, with these fields? */
  any(match: Match<R>, except?: number): boolean;
  /** Indices of the rows with these fields, ascending, as they are now. */
  having(match: Match<R>): readonly number[];
  /** Follow a chain from row `first` until `next` answers NONE; the last row visited, NONE when `first` is NONE. */
  walk(first: number, next: (row: R, index: number) => number): number;
}
/** What a recipe gets: one table per entry of the shape. */
export type Tables<S extends Shape> = { readonly [K in keyof S]: Table<Row<S[K]>> };

/** The plain view's data: what immer drafts, tests compare and traces print. */
export type Plain<S extends Shape> = { readonly [K in keyof S]: readonly Reading<S[K]>[] };

/** The state in which every field has the least value of its domain (0, or NONE for an optional index). */
export const leastState = <S extends Shape>(shape: S): Plain<S> =>
  Object.fromEntries(
    Object.entries(shape).map(([name, { rows, fields }]) => [
      name,
      Array.from({ length: rows }, () => Object.fromEntries(Object.entries(fields).map(([field, domain]) => [field, domain.least]))),
    ]),
  ) as unknown as Plain<S>;

/** Does a row have these fields? */
export const meets = <R>(row: R, match: Match<R>): boolean => {
  for (const field in match) if (row[field] !== match[field]) return false;
  return true;
};

const tableOver = <R>(rows: R[]): Table<R> => ({
  get length() {
    return rows.length;
  },
  at: (index) => rows[index] ?? impossible(`row ${index} of ${rows.length}`),
  forEach: (body) => {
    for (let index = 0; index < rows.length; index++) body(rows[index]!, index);
  },
  some: (holds) => {
    for (let index = 0; index < rows.length; index++) if (holds(rows[index]!, index)) return true;
    return false;
  },
  every: (holds) => {
    for (let index = 0; index < rows.length; index++) if (!holds(rows[index]!, index)) return false;
    return true;
  },
  any: (match, except) => {
    for (let index = 0; index < rows.length; index++) if (index !== except && meets(rows[index]!, match)) return true;
    return false;
  },
  having: (match) => {
    const found: number[] = [];
    for (let index = 0; index < rows.length; index++) if (meets(rows[index]!, match)) found.push(index);
    return found;
  },
  walk: (first, next) => {
    let last = NONE;
    for (let at = first, left = rows.length; at !== NONE; at = next(rows[at]!, at)) {
      last = at;
      if (left-- < 0) impossible("a chain has a cycle");
    }
    return last;
  },
});

/** Tables over plain rows. Over a frozen state a recipe may read; `change` is how it writes. */
export const viewOf = <S extends Shape>(state: Plain<S>): Tables<S> =>
  Object.fromEntries(Object.entries(state).map(([name, rows]) => [name, tableOver(rows as object[])])) as unknown as Tables<S>;

/** A private mutable copy of a plain state, and its tables: for boot and for tests. */
export const mutableCopy = <S extends Shape>(state: Plain<S>): Plain<S> => structuredClone(state);

/** Run a recipe by immer: the given state is untouched, the answer shares what did not change. */
export const change = <S extends Shape>(state: Plain<S>, recipe: (tables: Tables<S>) => void): Plain<S> =>
  produce(state, (draft) => {
    recipe(viewOf(draft as Plain<S>));
  });

/** Where one field of a row lies in the packed state: word offset in the row, shift, mask before shifting. */
export interface Place {
  readonly word: number;
  readonly shift: number;
  readonly mask: number;
}
const bitsFor = (size: number): number => (size <= 1 ? 0 : Math.ceil(Math.log2(size)));

/** Fields of a row into 32-bit words, in declared order; a field never straddles two words. `bits`: of a row of one word. */
const placeRow = (fields: Readonly<Record<string, Domain>>): { places: Record<string, Place>; words: number; bits: number } => {
  const places: Record<string, Place> = {};
  let word = 0;
  let bit = 0;
  for (const [name, domain] of Object.entries(fields)) {
    const bits = bitsFor(domain.size);
    if (bits > 32) impossible(`field ${name} needs ${bits} bits`);
    if (bit + bits > 32) {
      word += 1;
      bit = 0;
    }
    places[name] = { word, shift: bit, mask: bits === 32 ? 0xffffffff : 2 ** bits - 1 };
    bit += bits;
  }
  return { places, words: bit === 0 && word === 0 ? 0 : word + 1, bits: bit };
};

/** Where the rows of a table lie: small rows share a word, so that a state is not much larger than its bits. */
export interface TablePlace {
  readonly name: string;
  readonly table: TableShape;
  /** First word. */
  readonly base: number;
  readonly places: Readonly<Record<string, Place>>;
  /** Words of a row; rows of at most half a word share one. */
  readonly stride: number;
  readonly rowsPerWord: number;
  readonly rowBits: number;
}
export const wordOf = ({ base, stride, rowsPerWord }: TablePlace, row: number): number => base + (rowsPerWord > 1 ? Math.floor(row / rowsPerWord) : row * stride);
export const shiftOf = ({ rowsPerWord, rowBits }: TablePlace, row: number): number => (rowsPerWord > 1 ? (row % rowsPerWord) * rowBits : 0);

/** Where everything of a shape lies, and how many words that takes. */
export const placesOf = (shape: Shape): { readonly tables: readonly TablePlace[]; readonly words: number } => {
  let words = 0;
  const tables = Object.entries(shape).map(([name, table]): TablePlace => {
    const { places, words: stride, bits } = placeRow(table.fields);
    const rowsPerWord = stride === 1 ? Math.floor(32 / bits) : 1;
    const base = words;
    words += rowsPerWord > 1 ? Math.ceil(table.rows / rowsPerWord) : stride * table.rows;
    return { name, table, base, places, stride, rowsPerWord, rowBits: bits };
  });
  return { tables, words };
};

/** A packed view: the tables read and write one fixed window of 32-bit words. */
export interface Packed<S extends Shape> {
  /** Words of one state. */
  readonly words: number;
  /** The window: `tables` are views of it. Copy a state in, run a recipe, copy it out. */
  readonly window: Uint32Array<ArrayBuffer>;
  readonly tables: Tables<S>;
  pack(state: Plain<S>, into: Uint32Array, at: number): void;
  unpack(from: Uint32Array, at: number): Plain<S>;
}

const getter = ({ word, shift, mask }: Place, least: number): string => {
  const raw = mask === 0 ? "0" : mask === 0xffffffff ? `w[o+${word}]` : `(w[o+${word}]>>>s+${shift}&${mask})`;
  return least === 0 ? raw : `${raw}+(${least})`;
};
const setter = ({ word, shift, mask }: Place, least: number): string => {
  if (mask === 0) return "";
  const value = least === 0 ? "v" : `v-(${least})`;
  const at = `w[o+${word}]`;
  if (mask === 0xffffffff) return `${at}=${value}`;
  return `${at}=${at}&~(${mask}<<s+${shift})|(${value})<<s+${shift}`;
};

/**
 * The row class of one table, as code with the places as constants: V8 then compiles a field access to one load, shift
 * and mask. Names come from the shape in this source, never from an input; they are checked to be identifiers all the same.
 */
const rowClass = (fields: Readonly<Record<string, Domain>>, places: Readonly<Record<string, Place>>) => {
  const members = Object.entries(fields).map(([name, domain]) => {
    if (!/^[A-Za-z][A-Za-z0-9]*$/.test(name)) impossible(`field name ${name}`);
    const place = places[name]!;
    return `get ${name}(){const w=this.w,o=this.o,s=this.s;return ${getter(place, domain.least)}} set ${name}(v){const w=this.w,o=this.o,s=this.s;${setter(place, domain.least)}}`;
  });
  // oxlint-disable-next-line typescript/no-implied-eval, typescript/no-unsafe-call -- the text is made above from checked identifiers and numbers
  return new Function(`return class{constructor(w,o,s){this.w=w;this.o=o;this.s=s} ${members.join("\n")}}`)() as new (window: Uint32Array, word: number, shift: number) => object;
};

/** Rows with certain fields, as one masked compare; undefined where the row is more than a word, or no row can have them. */
export interface PackedMatch {
  readonly mask: number;
  readonly value: number;
}
export const packedMatch = ({ stride, places, table }: TablePlace, match: Readonly<Record<string, number | undefined>>): PackedMatch | undefined => {
  if (stride !== 1) return undefined;
  let mask = 0;
  let value = 0;
  for (const field in match) {
    const { shift, mask: ones } = places[field]!;
    const bits = match[field]! - table.fields[field]!.least;
    if (bits < 0 || bits > ones) return undefined;
    mask |= ones << shift;
    value |= bits << shift;
  }
  return { mask, value };
};

/** Calls `visit` with each row of a packed table that matches, until it answers true. */
export const packedRows = (words: Uint32Array, from: number, place: TablePlace, { mask, value }: PackedMatch, visit: (row: number) => boolean): boolean => {
  const { base, rowsPerWord, rowBits } = place;
  const { rows } = place.table;
  if (rowsPerWord > 1) {
    for (let row = 0; row < rows; row++) if ((((words[from + base + Math.floor(row / rowsPerWord)]! >>> ((row % rowsPerWord) * rowBits)) & mask) ^ value) === 0 && visit(row)) return true;
    return false;
  }
  for (let row = 0; row < rows; row++) if (((words[from + base + row]! & mask) ^ value) === 0 && visit(row)) return true;
  return false;
};

const packedTable = <R>(window: Uint32Array, place: TablePlace, rows: R[]): Table<R> => {
  const table = tableOver(rows);
  if (place.stride !== 1) return table;
  return {
    ...table,
    length: rows.length,
    any: (match, except) => {
      const asked = packedMatch(place, match);
      return asked === undefined ? table.any(match, except) : packedRows(window, 0, place, asked, (row) => row !== except);
    },
    having: (match) => {
      const asked = packedMatch(place, match);
      if (asked === undefined) return table.having(match);
      const found: number[] = [];
      packedRows(window, 0, place, asked, (row) => {
        found.push(row);
        return false;
      });
      return found;
    },
  };
};

/** The packed view of a shape. */
export const packed = <S extends Shape>(shape: S): Packed<S> => {
  const { tables: layout, words } = placesOf(shape);
  const window = new Uint32Array(words);
  const tables = Object.fromEntries(
    layout.map((place) => {
      const RowOf = rowClass(place.table.fields, place.places);
      return [place.name, packedTable(window, place, Array.from({ length: place.table.rows }, (_, row) => new RowOf(window, wordOf(place, row), shiftOf(place, row))))];
    }),
  ) as unknown as Tables<S>;
  const eachField = (visit: (table: string, row: number, field: string, domain: Domain) => void): void => {
    for (const { name, table } of layout)
      for (let row = 0; row < table.rows; row++) for (const [field, domain] of Object.entries(table.fields)) visit(name, row, field, domain);
  };
  return {
    words,
    window,
    tables,
    pack: (state, into, at) => {
      window.fill(0);
      eachField((table, row, field, { least, size }) => {
        const value = state[table as keyof S][row]![field as never] as number;
        if (!Number.isInteger(value) || value < least || value >= least + size) impossible(`${table}[${row}].${field} = ${value} is outside its domain`);
        (tables[table as keyof S].at(row) as Record<string, number>)[field] = value;
      });
      into.set(window, at);
    },
    unpack: (from, at) => {
      window.set(from.subarray(at, at + words));
      const state = leastState(shape);
      eachField((table, row, field) => {
        (state[table as keyof S][row] as Record<string, number>)[field] = (tables[table as keyof S].at(row) as Record<string, number>)[field]!;
      });
      return state;
    },
  };
};
