/**
 * What the run of a slice shows about itself, once it is over: what it read and wrote of the kernel's tables, every value
 * that each word of its states took, and the steps that it gave the SMMU. Certificates are made of it (certificate.ts).
 */
import type { Step } from "../../base/step.ts";
import type { Model } from "../model.ts";
import type { Fact } from "../outcomes/facts.ts";
import type { StateStore } from "../stateStore.ts";

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

const changedIn = (store: StateStore, initial: Uint32Array): Uint32Array => {
  const changed = new Uint32Array(store.words);
  for (const piece of store.pieces()) for (let at = 0; at < piece.length; at += store.words) for (let word = 0; word < store.words; word++) changed[word]! |= piece[at + word]! ^ initial[word]!;
  return changed;
};
const valuesOf = (store: StateStore, word: number): ReadonlySet<number> => {
  const values = new Set<number>();
  for (const piece of store.pieces())
    for (let at = word, last: number | undefined; at < piece.length; at += store.words) {
      // Neighbours are mostly equal.
      if (piece[at] !== last) values.add(piece[at]!);
      last = piece[at];
    }
  return values;
};

export const evidenceOf = ({ learnt, initial }: Model, store: StateStore): Evidence => {
  const known = new Map<number, ReadonlySet<number>>();
  return {
    asked: learnt.asked,
    written: learnt.written,
    initial,
    changed: changedIn(store, initial),
    values: (word) => {
      const values = known.get(word) ?? valuesOf(store, word);
      known.set(word, values);
      return values;
    },
    given: [...learnt.given()].map(({ steps }) => steps),
  };
};
