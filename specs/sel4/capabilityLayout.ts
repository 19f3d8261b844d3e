/**
 * The form of a capability: a record of two 64-bit words, word 0 with the type in its top bits. seL4's bitfield
 * generator (libsel4/tools/bitfield_gen.py) lists the most significant word first; the layouts here count from word 0.
 * It keeps pointers as `field_high` and `field_ptr`: of 48 address bits only the top ones, and not always in place.
 * Where they are in place, `unit` of the layout form says so; where they are shifted down, `dropped` does.
 */
import { type FieldSpec, type LanePlan, type Layout, layout, type Values } from "../../src/base/layout.ts";
import { hex } from "../../src/base/words.ts";

export interface CapabilityField extends FieldSpec {
  /** Low bits of the value that are not stored, where the rest is not in place. Encoding refuses a value that has them set. */
  readonly dropped?: number;
}
export type CapabilityFields = Readonly<Record<string, CapabilityField>>;
export type Tags = Readonly<Record<string, number>>;

interface TypeField<T extends Tags> extends FieldSpec {
  readonly is: T;
}
type Typed<F extends CapabilityFields, T extends Tags> = F & { readonly capType: TypeField<T> };

export interface Capability<F extends CapabilityFields, T extends Tags> extends Layout<Typed<F, T>> {
  readonly tag: number;
  /** The type need not be given; another one than this capability's is refused. */
  readonly encode: (values: Partial<Values<Typed<F, T>>>) => bigint[];
}

const withPlace = (name: string, field: string, dropped: number) => ({
  shrink: (value: bigint): bigint => {
    if ((value & ((1n << BigInt(dropped)) - 1n)) !== 0n) throw new RangeError(`${name}: ${field} = ${hex(value)} is not a multiple of ${2 ** dropped}`);
    return value >> BigInt(dropped);
  },
  grow: (value: bigint): bigint => value << BigInt(dropped),
});

const shiftedLanes = (plan: LanePlan, dropped: number): LanePlan => ({
  lane: plan.lane,
  read: (lanes, base) => plan.read(lanes, base) * 2 ** dropped,
  write: (lanes, base, value) => plan.write(lanes, base, value / 2 ** dropped),
});

/** A maker of capabilities whose types are the given ones. Throws RangeError where a table contradicts itself. */
export const capabilitiesOf =
  <const T extends Tags>(tags: T) =>
  <const F extends CapabilityFields>(name: keyof T & string, source: string, fields: F): Capability<F, T> => {
    const typed = { ...fields, capType: { at: [63, 59], doc: "what kind of capability this is", is: tags } } as Typed<F, T>;
    const plain = layout(name, 2, source, typed);
    const shifted = new Map(Object.entries(fields).flatMap(([field, { dropped, unit }]) => {
      if (dropped === undefined) return [];
      if (unit !== undefined) throw new RangeError(`${name}: ${field} is in place or shifted down, not both`);
      return [[field, { dropped, ...withPlace(name, field, dropped) }] as const];
    }));
    const each = (values: Readonly<Record<string, unknown>>, way: "shrink" | "grow"): Record<string, unknown> =>
      Object.fromEntries(Object.entries(values).map(([field, value]) => [field, typeof value === "bigint" ? (shifted.get(field)?.[way](value) ?? value) : value]));
    type Fields = Typed<F, T>;
    return {
      ...plain,
      tag: tags[name]!,
      encode: ({ capType = name as never, ...values }) => {
        if (capType !== name) throw new RangeError(`${name}: its type is not ${String(capType)}`);
        return plain.encode({ capType, ...each(values, "shrink") } as Partial<Values<Fields>>);
      },
      decode: (words) => each(plain.decode(words), "grow") as Values<Fields>,
      get: (words, field) => each({ [field]: plain.get(words, field) }, "grow")[field as string] as Values<Fields>[typeof field],
      lanes: (field) => {
        const place = shifted.get(field as string);
        return place === undefined ? plain.lanes(field) : shiftedLanes(plain.lanes(field), place.dropped);
      },
    };
  };
