/**
 * What a recipe comes to, as a tree of the facts that it asks for: grown a path at a time, by running the recipe wherever a
 * state tells it something new. A law test holds what the tree says to what the recipe does.
 *
 * Facts on which all known paths through a node agree are held to the state a word at a time; the tree branches only
 * where paths differ.
 */
import { impossible } from "../../base/diagnostic.ts";
import type { Fact, Questions, Told } from "./facts.ts";
import type { Noted } from "./recorder.ts";

/** What all paths through it were told, and then a question, or an end. One form for all, so that following is fast. */
export interface FactNode<L> {
  /** What was told, in the order in which it was asked for. */
  facts: readonly Noted[];
  /** The fields among it, merged: a word, a mask and a value each. */
  fields: readonly number[];
  /** The others: number and answer of a question each. */
  queries: readonly Told[];
  leaf: L | undefined;
  /** What is asked next: a field, or where `query` is not -1 a numbered question. */
  fact: Fact | undefined;
  word: number;
  shift: number;
  mask: number;
  query: number;
  /** By the answer: a list while answers are small numbers. */
  kids: (FactNode<L> | undefined)[] | undefined;
  map: Map<Told, FactNode<L>> | undefined;
}
/** Answers below this stand in a list. */
const SMALL = 64;

export const emptyTree = <L>(): FactNode<L> => nodeOf<L>([], undefined);

const nodeOf = <L>(facts: readonly Noted[], leaf: L | undefined): FactNode<L> => {
  const node: FactNode<L> = { facts: [], fields: [], queries: [], leaf, fact: undefined, word: -1, shift: 0, mask: 0, query: -1, kids: undefined, map: undefined };
  hold(node, facts);
  return node;
};
const hold = <L>(node: FactNode<L>, facts: readonly Noted[]): void => {
  const words = new Map<number, { mask: number; value: number }>();
  node.facts = facts;
  node.queries = facts.flatMap(({ fact, told }) => (fact.is === "field" ? [] : [fact.id, told]));
  for (const { fact, told } of facts) {
    if (fact.is !== "field") continue;
    const { mask, value } = words.get(fact.word) ?? { mask: 0, value: 0 };
    words.set(fact.word, { mask: mask | (fact.mask << fact.shift), value: value | ((told as number) << fact.shift) });
  }
  node.fields = [...words].flatMap(([word, { mask, value }]) => [word, mask, value]);
};

/** Follows what the state says; undefined where it says something new. */
export const follow = <L>(root: FactNode<L>, words: Uint32Array, at: number, questions: Questions): L | undefined => {
  let node: FactNode<L> | undefined = root;
  while (node !== undefined) {
    const { fields, queries }: FactNode<L> = node;
    for (let index = 0; index < fields.length; index += 3) if ((words[at + fields[index]!]! & fields[index + 1]!) !== fields[index + 2]!) return undefined;
    for (let index = 0; index < queries.length; index += 2) if (questions.answer(queries[index] as number) !== queries[index + 1]!) return undefined;
    if (node.leaf !== undefined) return node.leaf;
    const { kids, map }: FactNode<L> = node;
    if (kids !== undefined) node = kids[node.query < 0 ? (words[at + node.word]! >>> node.shift) & node.mask : (questions.answer(node.query) as number)];
    else if (map !== undefined) node = map.get(node.query < 0 ? (words[at + node.word]! >>> node.shift) & node.mask : questions.answer(node.query));
    else return undefined;
  }
  return undefined;
};

const ask = <L>(node: FactNode<L>, fact: Fact): void => {
  node.fact = fact;
  if (fact.is === "field") {
    node.word = fact.word;
    node.shift = fact.shift;
    node.mask = fact.mask;
  } else node.query = fact.id;
  const small = fact.is === "field" ? fact.mask >= 0 && fact.mask < SMALL : fact.is === "any";
  if (small) node.kids = [];
  else node.map = new Map();
};
const same = (one: Fact, other: Fact): boolean =>
  one.is === "field" ? other.is === "field" && one.word === other.word && one.shift === other.shift : other.is !== "field" && one.id === other.id;

const kidOf = <L>({ kids, map }: FactNode<L>, told: Told): FactNode<L> | undefined => (kids === undefined ? map!.get(told) : kids[told as number]);
const adopt = <L>({ kids, map }: FactNode<L>, told: Told, kid: FactNode<L>): void => {
  if (kids === undefined) map!.set(told, kid);
  else kids[told as number] = kid;
};

/** Makes the fact at `index` of a node's facts its question: what came after it goes to a node below. */
const split = <L>(node: FactNode<L>, index: number): void => {
  const { fact, told } = node.facts[index]!;
  const below: FactNode<L> = { ...node };
  hold(below, node.facts.slice(index + 1));
  hold(node, node.facts.slice(0, index));
  node.leaf = undefined;
  node.kids = undefined;
  node.map = undefined;
  node.query = -1;
  ask(node, fact);
  adopt(node, told, below);
};

/** Adds a path; its beginning is there already, since a recipe asks the same until it is told otherwise. */
export const grow = <L>(root: FactNode<L>, path: readonly Noted[], leaf: L): L => {
  if (isEmpty(root)) {
    hold(root, path);
    root.leaf = leaf;
    return leaf;
  }
  let node = root;
  for (let begin = 0; ; ) {
    const { facts } = node;
    for (let index = 0; index < facts.length; index++) {
      const noted = path[begin + index] ?? impossible("a recipe ended elsewhere after the same answers");
      if (!same(noted.fact, facts[index]!.fact)) impossible("a recipe asked for something else after the same answers");
      if (noted.told === facts[index]!.told) continue;
      split(node, index);
      break;
    }
    begin += node.facts.length;
    if (node.leaf !== undefined || begin >= path.length) impossible("a recipe ended elsewhere after the same answers");
    const { fact, told } = path[begin]!;
    if (!same(fact, node.fact!)) impossible("a recipe asked for something else after the same answers");
    begin += 1;
    const next = kidOf(node, told);
    if (next === undefined) {
      adopt(node, told, nodeOf(path.slice(begin), leaf));
      return leaf;
    }
    node = next;
  }
};
const isEmpty = <L>(node: FactNode<L>): boolean => node.leaf === undefined && node.fact === undefined;

/** More bits than a state has. */
const FIELDS = 2 ** 30;

/** Adds the facts along the path of the state that the questions are about to those that are collected, each once. */
export const notedAlong = <L>(root: FactNode<L>, questions: Questions, path: Map<number, Noted>): void => {
  let node: FactNode<L> | undefined = root;
  while (node !== undefined) {
    for (const noted of node.facts) if (!path.has(keyOf(noted.fact))) path.set(keyOf(noted.fact), noted);
    if (node.fact === undefined) return;
    const told = questions.tell(node.fact);
    if (!path.has(keyOf(node.fact))) path.set(keyOf(node.fact), { fact: node.fact, told });
    node = kidOf(node, told);
  }
};
/** Fields are told apart by where they are, questions by their number. */
const keyOf = (fact: Fact): number => (fact.is === "field" ? fact.word * 32 + fact.shift : FIELDS + fact.id);
