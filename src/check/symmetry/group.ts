/** The renamings under which a system is probably alike, as a group: the identity first. */
import { packed } from "../../base/state.ts";
import type { Booted } from "../../system/boot.ts";
import { type Chain, chainOf, compose, groupOf, type Permutation } from "./automorphisms.ts";
import { Renaming } from "./renaming.ts";
import { type Things, thingsOf } from "./things.ts";

/** Each state is looked at under every renaming, so there must not be too many. */
const MOST_RENAMINGS = 64;

export interface Group {
  /** The identity is number 0. */
  readonly renamings: readonly Renaming[];
  /** `product[after][before]`: the renaming that does both. */
  readonly product: readonly (readonly number[])[];
  readonly inverse: readonly number[];
  /** The group without the renamings of the first level of its chain: fewer, and still a group. Undefined when only the identity is left. */
  readonly smaller: () => Group | undefined;
}

/** What is alike begins alike. */
const keepsFirstState = ({ shape, state }: Booted, renamings: readonly Renaming[]): boolean => {
  const view = packed(shape);
  const first = new Uint32Array(view.words);
  view.pack(state, first, 0);
  const image = new Uint32Array(view.words);
  return renamings.every((renaming) => {
    renaming.state(first, 0, image);
    return image.every((word, at) => word === first[at]);
  });
};

const groupAt = (booted: Booted, things: Things, chain: Chain): Group | undefined => {
  const { permutations, levels } = groupOf(chain, things.graph.colours.length, MOST_RENAMINGS);
  if (permutations.length === 1) return undefined;
  const renamings = permutations.map((permutation) => new Renaming(booted, things, permutation));
  const smaller = () => groupAt(booted, things, { levels: chain.levels.slice(chain.levels.length - levels + 1) });
  if (!keepsFirstState(booted, renamings)) return smaller();
  const keyOf = (permutation: Permutation): string => permutation.join(" ");
  const numbers = new Map(permutations.map((permutation, number) => [keyOf(permutation), number]));
  const product = permutations.map((after) => permutations.map((before) => numbers.get(keyOf(compose(after, before)))!));
  return { renamings, product, inverse: product.map((row) => row.indexOf(0)), smaller };
};

/** The group of a booted system of which these subjects act; undefined where nothing is alike. */
export const symmetryOf = (booted: Booted, subjects: readonly number[]): Group | undefined => {
  const things = thingsOf(booted, subjects);
  return things === undefined ? undefined : groupAt(booted, things, chainOf(things.graph));
};

/** The group after it was made smaller so many times. */
export const smallerBy = (group: Group | undefined, times: number): Group | undefined => (times === 0 ? group : smallerBy(group?.smaller(), times - 1));
