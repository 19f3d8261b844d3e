/**
 * Where a method's parameters stand in its message. Capabilities become extra capabilities in order; of the rest each is
 * aligned to its own size, at most a word, so that small neighbours share one.
 * Source: seL4 libsel4/tools/syscall_stub_gen.py `get_parameter_positions`, `init_data_types`, `init_arch_types` (aarch64).
 */
import type { Parameter, WordParameter } from "../../specs/sel4/method.ts";
import { fail } from "./failure.ts";

const WORD = 64;

/** Bits of the types that are no capabilities; members by structure come from the description. */
const sizes: Readonly<Record<string, number>> = {
  seL4_Bool: 1,
  seL4_Uint8: 8,
  seL4_Uint16: 16,
  seL4_Uint32: 32,
  seL4_Uint64: WORD,
  seL4_Time: WORD,
  seL4_Word: WORD,
  seL4_CapRights_t: WORD,
  seL4_ARM_VMAttributes: WORD,
  seL4_VCPUReg: WORD,
};

export interface Types {
  /** Names of types that are capability pointers. */
  readonly caps: ReadonlySet<string>;
  /** Member names by structure. */
  readonly structures: ReadonlyMap<string, readonly string[]>;
}

export interface Declared {
  readonly name: string;
  readonly type: string;
}

const alignUp = (bits: number, to: number): number => Math.ceil(bits / to) * to;

/** The words of parameters that are no capabilities, in order. */
export const wordsOf = (parameters: readonly Declared[], { structures }: Types): WordParameter[] => {
  let used = 0;
  return parameters.map(({ name, type }) => {
    const members = structures.get(type);
    const size = members === undefined ? (sizes[type] ?? fail(`the size of ${type} (parameter ${name}) is not known: add it to message.ts`)) : members.length * WORD;
    const first = alignUp(used, Math.min(size, WORD));
    used = first + size;
    const place = { name, type, word: Math.floor(first / WORD) };
    if (members !== undefined) return { ...place, members };
    return size < WORD ? { ...place, bits: [(first % WORD) + size - 1, first % WORD] } : place;
  });
};

/** All places, in the order of the parameters. */
export const placesOf = (parameters: readonly Declared[], types: Types): Parameter[] => {
  const isCap = ({ type }: Declared): boolean => types.caps.has(type);
  const caps = parameters.filter(isCap).map(({ name, type }, cap) => ({ name, type, cap }));
  const words = wordsOf(parameters.filter((parameter) => !isCap(parameter)), types);
  return parameters.map((parameter) => (isCap(parameter) ? caps.shift()! : words.shift()!));
};
