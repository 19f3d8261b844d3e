/**
 * Automorphisms of a coloured graph: permutations of its vertices that keep every colour and every labelled edge. By
 * colour refinement, and a choice wherever that leaves several vertices alike (McKay and Piperno, "Practical graph
 * isomorphism, II", 2014, in its simplest form: the graphs here have some hundred vertices).
 */
import { impossible } from "../../base/diagnostic.ts";

export interface Graph {
  /** Of each vertex. */
  readonly colours: readonly string[];
  readonly edges: readonly { readonly from: number; readonly to: number; readonly label: string }[];
}
/** Where each vertex goes. */
export type Permutation = readonly number[];

/** Of each vertex: its neighbours, and how they are neighbours. */
type Neighbours = readonly (readonly { readonly label: string; readonly vertex: number }[])[];
const neighboursOf = ({ colours, edges }: Graph): Neighbours => {
  const lists = colours.map((): { label: string; vertex: number }[] => []);
  for (const { from, to, label } of edges) {
    lists[from]!.push({ label: `>${label}`, vertex: to });
    lists[to]!.push({ label: `<${label}`, vertex: from });
  }
  return lists;
};

/** Numbers for texts. */
const numbering = (): ((text: string) => number) => {
  const known = new Map<string, number>();
  return (text) => {
    let number = known.get(text);
    if (number === undefined) known.set(text, (number = known.size));
    return number;
  };
};
const classCount = (colours: readonly number[]): number => new Set(colours).size;

/** Splits classes of colours until neighbours tell no more apart. Equal numbers mean the same in both lists. */
const refined = (neighbours: Neighbours, lists: readonly (readonly number[])[]): readonly (readonly number[])[] => {
  let current = lists;
  for (let classes = classCount(current.flat()); ; ) {
    const number = numbering();
    const next = current.map((colours) =>
      colours.map((colour, vertex) => number(`${colour}|${neighbours[vertex]!.map(({ label, vertex: other }) => `${label}${colours[other]!}`).toSorted().join(" ")}`)),
    );
    const now = classCount(next.flat());
    current = next;
    if (now === classes) return current;
    classes = now;
  }
};

const verticesBy = (colours: readonly number[]): Map<number, number[]> => {
  const classes = new Map<number, number[]>();
  for (const [vertex, colour] of colours.entries()) {
    const list = classes.get(colour);
    if (list === undefined) classes.set(colour, [vertex]);
    else list.push(vertex);
  }
  return classes;
};
const sameClasses = (left: Map<number, number[]>, right: Map<number, number[]>): boolean =>
  left.size === right.size && [...left].every(([colour, vertices]) => right.get(colour)?.length === vertices.length);

/** Tries that the search for the moves of one point may take. */
const MOST_TRIES = 2_000;

/** A permutation that takes the first colouring to the second, if there is one. */
const matching = (neighbours: Neighbours, left: readonly number[], right: readonly number[], budget: { tries: number }): Permutation | undefined => {
  if (budget.tries-- <= 0) return undefined;
  const [first, second] = refined(neighbours, [left, right]) as [readonly number[], readonly number[]];
  const [classes, others] = [verticesBy(first), verticesBy(second)];
  if (!sameClasses(classes, others)) return undefined;
  const open = [...classes].find(([, vertices]) => vertices.length > 1);
  if (open === undefined) return first.map((colour) => others.get(colour)![0]!);
  const [colour, [vertex]] = open;
  const single = Math.max(...first) + 1;
  for (const other of others.get(colour)!) {
    const found = matching(neighbours, first.with(vertex!, single), second.with(other, single), budget);
    if (found !== undefined) return found;
  }
  return undefined;
};

export const compose = (after: Permutation, before: Permutation): Permutation => before.map((vertex) => after[vertex] ?? impossible("permutations of different sizes"));
export const isIdentity = (permutation: Permutation): boolean => permutation.every((to, from) => to === from);

/**
 * For each base point, which permutations that leave the earlier points where they are take it elsewhere: every
 * automorphism is a product of one of each, in one way (a stabiliser chain). The identity is not listed.
 */
export interface Chain {
  readonly levels: readonly { readonly point: number; readonly moves: readonly Permutation[] }[];
}
export const chainOf = (graph: Graph): Chain => {
  const neighbours = neighboursOf(graph);
  const number = numbering();
  let colours = refined(neighbours, [graph.colours.map(number)])[0]!;
  const levels: Chain["levels"][number][] = [];
  for (;;) {
    const open = [...verticesBy(colours).values()].find((vertices) => vertices.length > 1);
    if (open === undefined) return { levels };
    const [point, ...others] = open as [number, ...number[]];
    const single = Math.max(...colours) + 1;
    const fixed = colours.with(point, single);
    const budget = { tries: MOST_TRIES };
    const moves = others.flatMap((other): Permutation[] => {
      const found = matching(neighbours, fixed, colours.with(other, single), budget);
      return found === undefined ? [] : [found];
    });
    // Who does not know all moves of a level has no group there; the levels below it have one of their own.
    if (budget.tries < 0) levels.length = 0;
    else if (moves.length > 0) levels.push({ point, moves });
    colours = refined(neighbours, [fixed])[0]!;
  }
};

/**
 * The group of the last levels of a chain, as many as give at most `most` permutations; the identity comes first. What is
 * left out are permutations, so fewer things are taken for alike, and what remains is still a group.
 */
export const groupOf = ({ levels }: Chain, vertices: number, most: number): { readonly permutations: readonly Permutation[]; readonly levels: number } => {
  let permutations: readonly Permutation[] = [Array.from({ length: vertices }, (_, vertex) => vertex)];
  let used = 0;
  for (const { moves } of levels.toReversed()) {
    if (permutations.length * (moves.length + 1) > most) break;
    permutations = [...permutations, ...moves.flatMap((move) => permutations.map((inner) => compose(move, inner)))];
    used += 1;
  }
  return { permutations, levels: used };
};
