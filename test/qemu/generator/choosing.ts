/** What every part of the generator chooses with. Values sit on boundaries, and most of what is made is almost legal. */
import fc from "fast-check";

export const oneOf = <T>(...values: readonly T[]): fc.Arbitrary<T> => fc.constantFrom(...values);
export const always = <T>(value: T): fc.Arbitrary<T> => fc.constant(value);
/** `usual`, `weight` times as often as `rare`. */
export const often = <T>(weight: number, usual: fc.Arbitrary<T>, rare: fc.Arbitrary<T>): fc.Arbitrary<T> => fc.oneof({ weight, arbitrary: usual }, { weight: 1, arbitrary: rare });
export const weighted = <T>(...choices: readonly (readonly [weight: number, arbitrary: fc.Arbitrary<T>])[]): fc.Arbitrary<T> => fc.oneof(...choices.map(([weight, arbitrary]) => ({ weight, arbitrary })));
export const flag = (weight: number, usual = false): fc.Arbitrary<boolean> => often(weight, always<boolean>(usual), always<boolean>(!usual));

export const MOST = (1n << 64n) - 1n;
export const word = fc.bigInt(0n, MOST);

/** Fields of a layout. */
interface FieldPlaces {
  readonly fields: Readonly<Record<string, { readonly word?: number; readonly at: readonly [number, number] }>>;
  readonly words: number;
}
/** A field of a record set to a value, cut to its width. */
export const put = (layout: FieldPlaces, words: bigint[], name: string, value: bigint): void => {
  const { at: [hi, lo], word: index = 0 } = layout.fields[name]!;
  const mask = ((1n << BigInt(hi - lo + 1)) - 1n) << BigInt(lo);
  words[index] = (words[index]! & ~mask) | ((value << BigInt(lo)) & mask);
};
/** A field's bits as they stand; of an address field, those bits without the low ones. */
export const bitsOf = (layout: FieldPlaces, words: readonly bigint[], name: string): bigint => {
  const { at: [hi, lo], word: index = 0 } = layout.fields[name]!;
  return (words[index]! >> BigInt(lo)) & ((1n << BigInt(hi - lo + 1)) - 1n);
};

/** What is put into a record besides what it is made for. */
export type Spoiling = (words: bigint[]) => void;
/** Up to two fields set to a boundary of their width or to anything, and up to two bits that may have no name. */
export const spoiling = (layout: FieldPlaces): fc.Arbitrary<Spoiling> => {
  const change = fc.record({ field: oneOf(...Object.keys(layout.fields)), to: fc.oneof(oneOf(0n, 1n, MOST), word) });
  const bit = fc.record({ word: fc.nat(layout.words - 1), bit: fc.bigInt(0n, 63n) });
  return fc
    .record({
      changes: weighted([14, always([])], [2, fc.array(change, { minLength: 1, maxLength: 2 })]),
      noise: weighted([12, always([])], [1, fc.array(bit, { minLength: 1, maxLength: 2 })]),
    })
    .map(({ changes, noise }) => (words) => {
      for (const { word: index, bit: at } of noise) words[index]! ^= 1n << at;
      for (const { field, to } of changes) put(layout, words, field, to);
    });
};
