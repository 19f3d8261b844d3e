/**
 * What a recipe comes to, as a tree of the facts that it asks for: grown a path at a time, by running the recipe wherever a
 * state tells it something new. A law test holds what the tree says to what the recipe does.
 */
import { impossible } from "../../base/diagnostic.ts";
import type { Fact, Questions, Told } from "./facts.ts";
import type { Noted } from "./recorder.ts";

/** A question, or where a path ends. One form for all, so that following a path is fast. */
export interface FactNode<L> {
  /** Of a field; otherwise -1. */
  word: number;
  shift: number;
  mask: number;
  /** Number of a question; -1 for a field. */
  query: number;
  /** By the answer: a list while answers are small numbers. */
  kids: (FactNode<L> | undefined)[] | undefined;
  map: Map<Told, FactNode<L>> | undefined;
  leaf: L | undefined;
}
/** Answers below this stand in a list. */
const SMALL = 64;

export const emptyTree = <L>(): FactNode<L> => ({ word: -1, shift: 0, mask: 0, query: -1, kids: undefined, map: undefined, leaf: undefined });

/** Follows what the state says; undefined where it says something new. */
export const follow = <L>(root: FactNode<L>, words: Uint32Array, at: number, questions: Questions): L | undefined => {
  let node: FactNode<L> | undefined = root;
  while (node !== undefined && node.leaf === undefined) {
    const { kids, map }: FactNode<L> = node;
    if (kids !== undefined) node = kids[node.query < 0 ? (words[at + node.word]! >>> node.shift) & node.mask : (questions.answer(node.query) as number)];
    else if (map !== undefined) node = map.get(node.query < 0 ? (words[at + node.word]! >>> node.shift) & node.mask : questions.answer(node.query));
    else return undefined;
  }
  return node?.leaf;
};

const ask = <L>(node: FactNode<L>, fact: Fact): void => {
  if (fact.is === "field") {
    node.word = fact.word;
    node.shift = fact.shift;
    node.mask = fact.mask;
  } else node.query = fact.id;
  const small = fact.is === "field" ? fact.mask >= 0 && fact.mask < SMALL : fact.is === "any";
  if (small) node.kids = [];
  else node.map = new Map();
};
const asks = <L>(node: FactNode<L>, fact: Fact): boolean => (fact.is === "field" ? node.query < 0 && node.word === fact.word && node.shift === fact.shift : node.query === fact.id);

/** Adds a path; its beginning is there already, since a recipe asks the same until it is told otherwise. */
export const grow = <L>(root: FactNode<L>, path: readonly Noted[], leaf: L): L => {
  let node = root;
  for (const { fact, told } of path) {
    if (node.kids === undefined && node.map === undefined) ask(node, fact);
    if (!asks(node, fact)) impossible("a recipe asked for something else after the same answers");
    let next: FactNode<L> | undefined = node.kids === undefined ? node.map!.get(told) : node.kids[told as number];
    if (next === undefined) {
      next = emptyTree();
      if (node.kids === undefined) node.map!.set(told, next);
      else node.kids[told as number] = next;
    }
    node = next;
  }
  if (node.leaf !== undefined || node.kids !== undefined || node.map !== undefined) impossible("a recipe ended elsewhere after the same answers");
  node.leaf = leaf;
  return leaf;
};

/** More bits than a state has. */
const FIELDS = 2 ** 30;

/** Adds the facts along the path of the state that the questions are about to those that are collected, each once. */
export const notedAlong = <L>(root: FactNode<L>, questions: Questions, path: Map<number, Noted>): void => {
  let node: FactNode<L> | undefined = root;
  while (node !== undefined && node.leaf === undefined) {
    const { told }: Noted = notedAt(node, questions, path);
    node = node.kids === undefined ? node.map?.get(told) : node.kids[told as number];
  }
};
/** What the state says at a node. Fields are told apart by where they are, questions by their number. */
const notedAt = <L>({ query, word, shift, mask }: FactNode<L>, questions: Questions, path: Map<number, Noted>): Noted => {
  const key = query < 0 ? word * 32 + shift : FIELDS + query;
  let noted = path.get(key);
  if (noted === undefined) {
    const fact: Fact = query < 0 ? { is: "field", word, shift, mask } : questions.numbered(query);
    path.set(key, (noted = { fact, told: questions.tell(fact) }));
  }
  return noted;
};
