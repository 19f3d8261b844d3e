import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { chainOf, compose, type Graph, groupOf, isIdentity, type Permutation } from "../../../src/check/symmetry/automorphisms.ts";

/** Every permutation of so many vertices. */
const permutations = (size: number): Permutation[] =>
  size === 0 ? [[]] : permutations(size - 1).flatMap((shorter) => Array.from({ length: size }, (_, at) => shorter.toSpliced(at, 0, size - 1)));

/** Keeps colours and labelled edges, looked at one by one. */
const keeps = ({ colours, edges }: Graph) => (permutation: Permutation): boolean => {
  const known = new Set(edges.map(({ from, to, label }) => `${from} ${to} ${label}`));
  return permutation.every((to, from) => colours[to] === colours[from]) && edges.every(({ from, to, label }) => known.has(`${permutation[from]} ${permutation[to]} ${label}`));
};
const keyOf = (permutation: Permutation): string => permutation.join(" ");
const allOf = (graph: Graph, most = 1e6): readonly Permutation[] => groupOf(chainOf(graph), graph.colours.length, most).permutations;

const graphs: fc.Arbitrary<Graph> = fc.integer({ min: 1, max: 6 }).chain((size) =>
  fc.record({
    colours: fc.array(fc.constantFrom("stream", "bank"), { minLength: size, maxLength: size }),
    edges: fc.uniqueArray(fc.record({ from: fc.nat(size - 1), to: fc.nat(size - 1), label: fc.constantFrom("owns", "holds") }), { maxLength: 7, selector: ({ from, to, label }) => `${from} ${to} ${label}` }),
  }),
);

describe("automorphisms", () => {
  it("are those permutations that keep every colour and every edge", () => {
    fc.assert(
      fc.property(graphs, (graph) => {
        const expected = permutations(graph.colours.length).filter(keeps(graph));
        expect(allOf(graph).map(keyOf).toSorted()).toEqual(expected.map(keyOf).toSorted());
      }),
      { numRuns: 300 },
    );
  });

  it("are a group, however few are kept", () => {
    fc.assert(
      fc.property(graphs, fc.integer({ min: 1, max: 30 }), (graph, most) => {
        const group = allOf(graph, most);
        expect(group.length).toBeLessThanOrEqual(most);
        expect(isIdentity(group[0]!)).toBe(true);
        const known = new Set(group.map(keyOf));
        expect(known.size).toBe(group.length);
        for (const after of group) for (const before of group) expect(known.has(keyOf(compose(after, before)))).toBe(true);
      }),
    );
  });
});
