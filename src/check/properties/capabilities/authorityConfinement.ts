/**
 * authority-confinement: no capability is where the first state's authority does not lead, and authority over a stream, a
 * bank or a piece of memory is not made twice. What policy says of memory is no part of it: that is dma-confinement.
 */
import { NONE } from "../../../base/state.ts";
import { CNODE, CNODE_ZOMBIE, FRAME, kinds, NULL } from "../../../kernel/capability.ts";
import type { Kernel } from "../../../kernel/kernel.ts";
import type { Plan } from "../../../kernel/plan.ts";
import type { Booted } from "../../../system/boot.ts";
import { type Bound, boundOf, dominates, MADE_ONCE } from "./bound.ts";
import { madeObjects, memoryOf, overlap } from "./memory.ts";
import type { Part } from "../property.ts";
import { ofParts, ofRows, slotText } from "./parts.ts";

interface ObjectName {
  readonly kind: number;
  readonly object: number;
}
/** The objects that cannot be there beside this one, and itself: it has one original, and its memory is nothing else. */
const exclusiveWith = (plan: Plan, { anywhere }: Bound): ((kind: number, object: number) => readonly ObjectName[]) => {
  const known = new Map<string, readonly ObjectName[]>();
  const made = madeObjects(plan).filter(({ kind, object }) => anywhere(kind, object));
  const find = (kind: number, object: number): readonly ObjectName[] => {
    const memory = memoryOf(plan, kind, object);
    return memory === undefined ? [{ kind, object }] : made.filter((other) => overlap(other.memory, memory));
  };
  return (kind, object) => {
    const key = `${kind} ${object}`;
    let found = known.get(key);
    if (found === undefined) known.set(key, (found = find(kind, object)));
    return found;
  };
};

/** A CNode that Retype made goes with its last capability, and what stands in it with it: its memory is handed out again. */
const isStranded = ({ plan, tables: { slot } }: Kernel, row: number): boolean => {
  const place = plan.slots[row]!;
  if (place.in !== "cnode" || plan.cnodes[place.cnode]!.address === undefined) return false;
  return !slot.any({ kind: CNODE, object: place.cnode }) && !slot.any({ kind: CNODE_ZOMBIE, object: place.cnode });
};

const partsOf = (booted: Booted): readonly Part[] => {
  const bound = boundOf(booted);
  const exclusive = exclusiveWith(booted.plan, bound);
  const madeTwice = (kernel: Kernel, row: number, kind: number, object: number): string | undefined => {
    const other = exclusive(kind, object).find((rival) => kernel.tables.slot.any({ kind: rival.kind, object: rival.object, revocable: 1 }, row));
    if (other === undefined) return undefined;
    return `${slotText(kernel, row)} is an original, and so is a ${kinds[other.kind]} capability to the same ${other.kind === kind && memoryOf(kernel.plan, kind, object) === undefined ? "object" : "memory"}`;
  };
  return ofRows(booted, (kernel, row) => {
    const slot = kernel.tables.slot.at(row);
    const { kind } = slot;
    if (kind === NULL) return undefined;
    if (isStranded(kernel, row)) return `${slotText(kernel, row)} stands in a CNode that nobody has any more`;
    const { object } = slot;
    const most = bound.at(row, kind, object);
    if (most === NONE) return `${slotText(kernel, row)}, and nothing that its holder had at first leads to that`;
    if (kind === FRAME && !dominates(most, kind, slot.rights)) return `${slotText(kernel, row)} has more rights than its holder could ever get`;
    // What upstream issues is no original by its looks: then this is left to `counters`.
    return MADE_ONCE.has(kind) && slot.revocable === 1 ? madeTwice(kernel, row, kind, object) : undefined;
  });
};

export const authorityConfinement = ofParts({
  name: "authority-confinement",
  sentence: "Nobody holds a capability that the first state's capabilities do not lead to, none is made of a stream, a bank or memory that is somebody's already, and none is left in a CNode that is gone.",
  needs: {
    words: "a component that is not trusted holds a capability to more than its own CNode",
    met: ({ kernel: { plan, tables } }) =>
      plan.slots.some((place, row) => {
        if (place.in !== "cnode" || !plan.subjects.some(({ cnode, trusted }) => cnode === place.cnode && !trusted)) return false;
        const { kind } = tables.slot.at(row);
        return kind !== NULL && kind !== CNODE;
      }),
  },
  parts: partsOf,
});
