/**
 * Bit layouts as data (design D1). A record is one table of named fields; encoder, decoder, RES0 report, 32-bit-lane
 * codec and drawing derive from it. Positions are `[hi, lo]` within a 64-bit word, as the manuals print them; `word`
 * says which one. Bits that no field names are RES0.
 */

import { printable } from "./diagnostic.ts";
import { hex } from "./words.ts";

export interface FieldSpec {
  /** Which 64-bit word of the record; 0 when left out. */
  readonly word?: number;
  readonly at: readonly [hi: number, lo: number];
  readonly doc: string;
  /**
   * The field holds an address, in place: its value is the whole address, whose low bits (below `unit` bytes) are not
   * stored. Encoding refuses an address that is not a multiple of `unit`.
   */
  readonly unit?: number;
  /** Named values. A value without a name decodes to its number: reserved encodings are reachable inputs. */
  readonly is?: Readonly<Record<string, number>>;
}
export type Fields = Readonly<Record<string, FieldSpec>>;

/** Values by field: a bigint, or the name of an enumerator where the field has some. */
export type Values<F extends Fields> = {
  readonly [K in keyof F]: F[K]["is"] extends Readonly<Record<string, number>> ? (keyof F[K]["is"] & string) | bigint : bigint;
};

/** One field compiled for a Uint32Array: up to two 32-bit lanes, low lane first. */
export interface LanePlan {
  /** Index of the low 32-bit lane in the record. */
  readonly lane: number;
  readonly read: (lanes: Uint32Array, base: number) => number;
  readonly write: (lanes: Uint32Array, base: number, value: number) => void;
}

export interface Layout<F extends Fields> {
  readonly name: string;
  /** Number of 64-bit words. */
  readonly words: number;
  /** Document and section, or file. */
  readonly source: string;
  readonly fields: F;
  /** Fields left out are 0. Throws RangeError when a value does not fit or an address is misaligned. */
  readonly encode: (values: Partial<Values<F>>) => bigint[];
  readonly decode: (words: readonly bigint[]) => Values<F>;
  /** One field of a record. */
  readonly get: <K extends keyof F>(words: readonly bigint[], field: K) => Values<F>[K];
  /** RES0 bits that are set, as `word[bit]`. */
  readonly reserved: (words: readonly bigint[]) => string[];
  /** Bits of each word that some field names. */
  readonly masks: readonly bigint[];
  /** The field on 32-bit lanes; enumerators as numbers, addresses whole. Throws RangeError for fields of more than 53 bits. */
  readonly lanes: (field: keyof F) => LanePlan;
  /** The record as rows of bit ranges, for people. */
  readonly draw: () => string;
}

const ones = (bits: number): bigint => (1n << BigInt(bits)) - 1n;
const width = ({ at: [hi, lo] }: FieldSpec): number => hi - lo + 1;
const maskOf = (field: FieldSpec): bigint => ones(width(field)) << BigInt(field.at[1]);

const refuse = (record: string, why: string): never => {
  throw new RangeError(`${record}: ${why}`);
};

/** Refuses a table that contradicts itself, when the module that holds it loads. */
const checkTable = (name: string, words: number, fields: Fields): bigint[] => {
  if (!(Number.isInteger(words) && words > 0)) refuse(name, `${words} is not a number of words`);
  const masks = Array.from({ length: words }, () => 0n);
  for (const [field, spec] of Object.entries(fields)) {
    const word = spec.word ?? 0;
    const [hi, lo] = spec.at;
    if (!(Number.isInteger(hi) && Number.isInteger(lo) && hi >= lo && lo >= 0 && hi <= 63 && word >= 0 && word < words)) refuse(name, `${field} is outside the record`);
    if ((masks[word]! & maskOf(spec)) !== 0n) refuse(name, `${field} overlaps another field`);
    masks[word]! |= maskOf(spec);
    if (spec.unit !== undefined && spec.unit !== 2 ** lo) refuse(name, `${field} is an address at bit ${lo}, so its unit is ${2 ** lo}, not ${spec.unit}`);
    const numbers = Object.values(spec.is ?? {});
    if (new Set(numbers).size !== numbers.length) refuse(name, `${field} names one value twice`);
    for (const value of numbers) if (!(Number.isInteger(value) && value >= 0) || BigInt(value) > ones(width(spec))) refuse(name, `${field} names ${value}, which does not fit`);
  }
  return masks;
};

/** A field with its arithmetic done once. */
interface Compiled {
  readonly word: number;
  /** The field of 64-bit words as its value. */
  readonly decode: (words: readonly bigint[]) => bigint | string;
  /** Bits of the field's word for a value; throws RangeError. */
  readonly encode: (value: bigint | string) => bigint;
}

const compile = (record: string, name: string, spec: FieldSpec): Compiled => {
  const word = spec.word ?? 0;
  const mask = maskOf(spec);
  const shift = BigInt(spec.at[1]);
  const names = new Map(Object.entries(spec.is ?? {}).map(([value, number]) => [BigInt(number), value]));
  const raw = (words: readonly bigint[]): bigint => (words[word] ?? 0n) & mask;
  const encodeAddress = (address: bigint): bigint => {
    if ((address & ~mask) !== 0n) refuse(record, `${name} = ${hex(address)} is not a multiple of ${spec.unit} below 2^${spec.at[0] + 1}`);
    return address;
  };
  const encodeNumber = (number: bigint): bigint => {
    if (number < 0n || number > ones(width(spec))) refuse(record, `${name} = ${number} does not fit in ${width(spec)} bits`);
    return number << shift;
  };
  return {
    word,
    decode: (words) => {
      if (spec.unit !== undefined) return raw(words);
      const value = raw(words) >> shift;
      return names.get(value) ?? value;
    },
    encode: (value) => {
      const number = typeof value === "string" && spec.is !== undefined && Object.hasOwn(spec.is, value) ? BigInt(spec.is[value]!) : value;
      if (typeof number === "string") return refuse(record, `${name} has no value named ${printable(number)}`);
      return spec.unit === undefined ? encodeNumber(number) : encodeAddress(number);
    },
  };
};

/** Numbers are exact up to here. */
const EXACT_BITS = 53;

/** A field as arithmetic on 32-bit lanes. */
const lanePlan = (spec: FieldSpec): LanePlan => {
  const [hi, lo] = spec.at;
  const lane = (spec.word ?? 0) * 2 + (lo >= 32 ? 1 : 0);
  const shift = lo % 32;
  const lowBits = Math.min(32 - shift, width(spec));
  const highBits = width(spec) - lowBits;
  const lowMask = 2 ** lowBits - 1;
  const highMask = 2 ** highBits - 1;
  const scale = spec.unit === undefined ? 1 : 2 ** lo;
  const keep = ~((lowMask << shift) >>> 0);
  return {
    lane,
    read: (lanes, base) => {
      const low = (lanes[base + lane]! >>> shift) & lowMask;
      const high = hi >= 32 && highBits > 0 ? (lanes[base + lane + 1]! & highMask) >>> 0 : 0;
      return (high * 2 ** lowBits + (low >>> 0)) * scale;
    },
    write: (lanes, base, value) => {
      const raw = value / scale;
      lanes[base + lane] = (lanes[base + lane]! & keep) | (((raw % 2 ** lowBits) << shift) >>> 0);
      if (highBits > 0) lanes[base + lane + 1] = (lanes[base + lane + 1]! & ~highMask) | Math.floor(raw / 2 ** lowBits);
    },
  };
};

const drawRecord = (name: string, source: string, words: number, fields: Fields): string => {
  const rows = Object.entries(fields).toSorted(([, a], [, b]) => (a.word ?? 0) - (b.word ?? 0) || b.at[0] - a.at[0]);
  const lines = rows.map(([field, { word = 0, at: [hi, lo], doc, is }]) => {
    const range = hi === lo ? `[${hi}]` : `[${hi}:${lo}]`;
    const values = is === undefined ? "" : ` (${Object.entries(is).map(([value, number]) => `${number} ${value}`).join(", ")})`;
    return `${words > 1 ? `dw${word} ` : ""}${range.padEnd(8)} ${field.padEnd(14)} ${doc}${values}`;
  });
  return [`${name}, ${words * 64} bits — ${source}`, ...lines].join("\n");
};

/** Bits that are set in a word, as `dw1[5]`. */
const bitNames = (bits: bigint, word: number): string[] => {
  const names: string[] = [];
  for (let bit = 0; bit < 64; bit++) if (((bits >> BigInt(bit)) & 1n) === 1n) names.push(`dw${word}[${bit}]`);
  return names;
};

/** Declares a record of `words` 64-bit words. Throws RangeError when the table contradicts itself. */
export const layout = <const F extends Fields>(name: string, words: number, source: string, fields: F): Layout<F> => {
  const masks = checkTable(name, words, fields);
  const compiled = new Map(Object.entries(fields).map(([field, spec]) => [field, compile(name, field, spec)]));
  const plans = new Map(Object.entries(fields).map(([field, spec]) => [field, lanePlan(spec)]));
  const known = (field: string): Compiled => compiled.get(field) ?? refuse(name, `no field ${printable(field)}`);
  return {
    name,
    words,
    source,
    fields,
    masks,
    encode: (values) => {
      const record = Array.from({ length: words }, () => 0n);
      for (const [field, value] of Object.entries(values)) {
        if (value === undefined) continue;
        const { word, encode } = known(field);
        record[word]! |= encode(value as bigint | string);
      }
      return record;
    },
    decode: (record) => Object.fromEntries([...compiled].map(([field, { decode }]) => [field, decode(record)])) as Values<F>,
    get: (record, field) => known(field as string).decode(record) as Values<F>[typeof field],
    reserved: (record) => masks.flatMap((mask, word) => bitNames((record[word] ?? 0n) & ~mask & ones(64), word)),
    lanes: (field) => {
      const spec = fields[field] ?? refuse(name, `no field ${printable(String(field))}`);
      if (width(spec) > EXACT_BITS) refuse(name, `${String(field)} has ${width(spec)} bits; a number holds ${EXACT_BITS}`);
      return plans.get(field as string)!;
    },
    draw: () => drawRecord(name, source, words, fields),
  };
};
