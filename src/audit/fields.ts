/** Records field by field. */
import type { Fields, FieldSpec, Layout } from "../base/layout.ts";
import { hex } from "../base/words.ts";

/** One field: its value (an address whole), and its name where the layout has one for it. */
export interface Field {
  readonly name: string;
  readonly value: string;
  readonly is?: string;
}

const numberOf = (spec: FieldSpec, value: bigint | string): bigint => (typeof value === "string" ? BigInt(spec.is![value]!) : value);

/** All fields of a record in the order of its layout, or those that `keep` names. */
export const fieldsOf = <F extends Fields>(layout: Layout<F>, words: readonly bigint[], keep: (name: string) => boolean = () => true): Field[] => {
  const values: Readonly<Record<string, bigint | string>> = layout.decode(words);
  return Object.entries(values)
    .filter(([name]) => keep(name))
    .map(([name, value]) => ({ name, value: hex(numberOf(layout.fields[name]!, value)), ...(typeof value === "string" ? { is: value } : {}) }));
};

/** Values that the layout names every possible meaning of. */
const fullyNamed = ({ is, at: [hi, lo] }: FieldSpec): boolean => is !== undefined && hi - lo + 1 <= 3;
/** What a record has that the architecture reserves: bits, as `dw1[5]`, and values, as `S1Fmt=3`. Zero values are never told. */
export const reservedIn = <F extends Fields>(layout: Layout<F>, words: readonly bigint[]): string[] => {
  const values: Readonly<Record<string, bigint | string>> = layout.decode(words);
  const named = Object.entries(values).flatMap(([name, value]) => (typeof value === "bigint" && value !== 0n && fullyNamed(layout.fields[name]!) ? [`${name}=${value}`] : []));
  return [...layout.reserved(words), ...named];
};
