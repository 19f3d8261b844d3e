/**
 * A miniature derivation list for tests: slots in a doubly linked list with depths, copied, deleted and revoked by chains
 * (`walk`) and bulk work (`forEach`). It has what the benchmark lacks: pointers, cycles that cannot be, negative values.
 */
import { below, leastState, NONE, optional, type Plain, type Tables } from "../../../src/base/state.ts";
import { operationsOf, type RecipeModel } from "../../../src/check/engine/recipeModel.ts";

const shapeOf = (slots: number) => ({
  /** Depth in the tree plus one, 0: empty; the neighbours in the list. */
  slot: { rows: slots, fields: { depth: below(4), next: optional(slots), prev: optional(slots) } },
  /** How many slots are full, kept beside the list so that a property can compare. */
  count: { rows: 1, fields: { full: below(slots + 1) } },
});
export type ChainShape = ReturnType<typeof shapeOf>;
type T = Tables<ChainShape>;

/** Takes a slot out of the list. */
const unlink = ({ slot, count }: T, at: number): void => {
  const row = slot.at(at);
  const { next, prev } = row;
  if (prev !== NONE) slot.at(prev).next = next;
  if (next !== NONE) slot.at(next).prev = prev;
  row.depth = 0;
  row.next = NONE;
  row.prev = NONE;
  count.at(0).full -= 1;
};

export const chainModel = (slots: number): RecipeModel<ChainShape> => {
  const operation = operationsOf<ChainShape>();
  const slot = below(slots);
  const shape = shapeOf(slots);
  const initial = structuredClone(leastState(shape)) as unknown as { slot: { depth: number }[]; count: { full: number }[] };
  initial.slot[0]!.depth = 1;
  initial.count[0]!.full = 1;
  return {
    name: "chain",
    parameters: { slots },
    shape,
    initial: initial as unknown as Plain<ChainShape>,
    operations: [
      operation({
        label: "Copy",
        args: { from: slot, to: slot },
        refusals: [
          { name: "nothing to copy", when: (tables, a) => tables.slot.at(a.from).depth === 0 },
          { name: "the destination is full", when: (tables, a) => tables.slot.at(a.to).depth !== 0 },
          { name: "too deep", when: (tables, a) => tables.slot.at(a.from).depth === 3 },
        ],
        effect: (tables, a) => {
          const from = tables.slot.at(a.from);
          const to = tables.slot.at(a.to);
          to.depth = from.depth + 1;
          to.next = from.next;
          to.prev = a.from;
          if (from.next !== NONE) tables.slot.at(from.next).prev = a.to;
          from.next = a.to;
          tables.count.at(0).full += 1;
        },
      }),
      operation({
        label: "Delete",
        args: { at: slot },
        refusals: [
          { name: "empty", when: (tables, a) => tables.slot.at(a.at).depth === 0 },
          { name: "the first of the list", when: (tables, a) => tables.slot.at(a.at).prev === NONE },
        ],
        effect: (tables, a) => unlink(tables, a.at),
      }),
      operation({
        label: "Age",
        args: { at: slot },
        refusals: [{ name: "no slot after it", when: (tables, a) => tables.slot.at(a.at).next === NONE }],
        effect: (tables, a) => {
          // Everything after it in the list goes to depth 3: a walk that writes as it goes.
          tables.slot.walk(tables.slot.at(a.at).next, (row) => {
            row.depth = 3;
            return row.next;
          });
        },
      }),
      operation({
        label: "DeleteLast",
        args: { at: slot },
        refusals: [{ name: "no slot after it", when: (tables, a) => tables.slot.at(a.at).depth === 0 || tables.slot.at(a.at).next === NONE }],
        effect: (tables, a) => unlink(tables, tables.slot.walk(a.at, (row) => row.next)),
      }),
      operation({
        label: "Reset",
        args: {},
        refusals: [{ name: "no chain", when: (tables) => !tables.slot.some((row) => row.prev !== NONE) }],
        effect: (tables) => {
          tables.slot.forEach((row, at) => {
            row.next = NONE;
            row.prev = NONE;
            if (at !== 0) row.depth = 0;
          });
          tables.count.at(0).full = 1;
        },
      }),
    ],
    properties: [
      {
        name: "linked",
        sentence: "Neighbours name each other.",
        holds: (tables) => tables.slot.every((row, at) => row.next === NONE || tables.slot.at(row.next).prev === at),
      },
      {
        name: "counted",
        sentence: "The count is the number of full slots.",
        holds: (tables) => {
          let full = 0;
          // Hands a number out of the loop: recorded as an ordinary loop, not row by row.
          tables.slot.forEach((row) => {
            if (row.depth !== 0) full += 1;
          });
          return full === tables.count.at(0).full;
        },
      },
    ],
  };
};
