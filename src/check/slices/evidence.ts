/**
 * What the run of a slice shows about itself, once it is over: what it read and wrote of the kernel's tables, every value
 * that each word of its states took, and the steps that it gave the SMMU. Certificates are made of it (certificate.ts).
 */
import type { Step } from "../../base/step.ts";
import type { Model } from "../model.ts";
import type { Fact } from "../outcomes/facts.ts";
import type { StateStore } from "../search/stateStore.ts";

export interface Evidence {
  readonly asked: ReadonlySet<Fact>;
  /** Bits that were written, by word. */
  readonly written: Uint32Array;
  readonly initial: Uint32Array;
  /** Bits that were ever other than in the first state, by word. */
  readonly changed: Uint32Array;
  /** Every value that a word took, the first one included. */
  readonly values: (word: number) => ReadonlySet<number>;
  /** Step lists, each of one invocation. */
  readonly given: readonly (readonly Step[])[];
}

/** The numbers that stand at one place of collapsed states. */
const numbersAt = (store: StateStore, place: number): ReadonlySet<number> => {
  const numbers = new Set<number>();
  for (const piece of store.pieces())
    for (let at = place, last: number | undefined; at < piece.length; at += store.words) {
      // Neighbours are mostly equal.
      if (piece[at] !== last) numbers.add(piece[at]!);
      last = piece[at];
    }
  return numbers;
};

/** Of the collapsed states that a run came to. */
export const evidenceOf = ({ learnt, initial, collapse }: Model, store: StateStore): Evidence => {
  const numbers = new Map<number, ReadonlySet<number>>();
  const known = new Map<number, ReadonlySet<number>>();
  const valuesOf = (word: number): ReadonlySet<number> => {
    const place = collapse.placeOf(word);
    const all = numbers.get(place) ?? numbersAt(store, place);
    numbers.set(place, all);
    return new Set([...all].map((number) => collapse.valueOf(word, number)));
  };
  const values = (word: number): ReadonlySet<number> => {
    const found = known.get(word) ?? valuesOf(word);
    known.set(word, found);
    return found;
  };
  return {
    asked: learnt.asked,
    written: learnt.written,
    initial,
    changed: initial.map((first, word) => [...values(word)].reduce((bits, value) => bits | (value ^ first), 0)),
    values,
    given: [...learnt.given()].map(({ steps }) => steps),
  };
};
