/**
 * derivation-tree: the links that Revoke follows (seL4's mapping database; l4v `valid_mdb`). A copy that hangs elsewhere
 * outlives the revocation of what it was made from.
 */
import { NONE } from "../../../base/state.ts";
import { ASID_CONTROL, ASID_POOL, CB, CB_CONTROL, CNODE, CNODE_ZOMBIE, IRQ_CONTROL, IRQ_HANDLER, kinds, NULL, SGI_SIGNAL, SID, SID_CONTROL, THREAD, THREAD_ZOMBIE, UNTYPED } from "../../../kernel/capability.ts";
import type { Kernel } from "../../../kernel/kernel.ts";
import type { SlotRow } from "../../../kernel/state.ts";
import { MADE_ONCE } from "./bound.ts";
import { isWithin, memoryOf } from "./memory.ts";
import { ofParts, ofRows, slotText } from "./parts.ts";

/** A zombie is what is left of the object, in its place. */
const living = (kind: number): number => (kind === CNODE_ZOMBIE ? CNODE : kind === THREAD_ZOMBIE ? THREAD : kind);

/** What a control capability issues. */
const ISSUES: ReadonlyMap<number, readonly number[]> = new Map([
  [SID_CONTROL, [SID]],
  [CB_CONTROL, [CB]],
  [ASID_CONTROL, [ASID_POOL]],
  [IRQ_CONTROL, [IRQ_HANDLER, SGI_SIGNAL]],
]);

const isSame = (child: SlotRow, parent: SlotRow): boolean => living(child.kind) === living(parent.kind) && child.object === parent.object;
/** Made out of it: its memory lies in the untyped's, where its size is known. */
const isPart = ({ plan }: Kernel, child: SlotRow, parent: SlotRow): boolean => {
  const memory = memoryOf(plan, child.kind, child.object);
  return !ISSUES.has(child.kind) && (memory === undefined || isWithin(memory, memoryOf(plan, UNTYPED, parent.object)!));
};
const mayDescend = (kernel: Kernel, child: SlotRow, parent: SlotRow): boolean => {
  if (parent.kind === UNTYPED) return isPart(kernel, child, parent);
  return ISSUES.get(parent.kind)?.includes(child.kind) ?? isSame(child, parent);
};

const isOnCycle = ({ tables: { slot } }: Kernel, row: number): boolean => {
  let at = slot.at(row).parent;
  for (let left = slot.length; at !== NONE && left > 0; left--) at = slot.at(at).parent;
  return at !== NONE;
};

const wrongLink = (kernel: Kernel, row: number): string | undefined => {
  const child = kernel.tables.slot.at(row);
  const parent = kernel.tables.slot.at(child.parent);
  if (parent.kind === NULL) return `${slotText(kernel, row)} is derived from a slot that is empty`;
  if (parent.revocable === 0) return `${slotText(kernel, row)} is derived from ${slotText(kernel, child.parent)}, which is a copy and can have no children`;
  if (!mayDescend(kernel, child, parent)) return `${slotText(kernel, row)} is derived from ${slotText(kernel, child.parent)}, which has no part in it`;
  return isOnCycle(kernel, row) ? `${slotText(kernel, row)} is derived from itself` : undefined;
};

/** As long as there is an original, its copies are below it. */
const strayCopy = (kernel: Kernel, row: number): string | undefined => {
  const { slot } = kernel.tables;
  const copy = slot.at(row);
  if (!MADE_ONCE.has(copy.kind) || copy.revocable === 1 || (copy.parent !== NONE && isSame(copy, slot.at(copy.parent)))) return undefined;
  return slot.any({ kind: copy.kind, object: copy.object, revocable: 1 }) ? `${slotText(kernel, row)} is a copy, and not below the original ${kinds[copy.kind]} capability: revoking that one spares it` : undefined;
};

const wrongIn = (kernel: Kernel, row: number): string | undefined => {
  const { kind, parent } = kernel.tables.slot.at(row);
  if (kind === NULL) return parent === NONE ? undefined : `row ${row} of the slots is empty and derived from something`;
  return (parent === NONE ? undefined : wrongLink(kernel, row)) ?? strayCopy(kernel, row);
};

export const derivationTree = ofParts({
  name: "derivation-tree",
  sentence: "Every capability is derived from one that made it, issued it or is its original, in a tree, so that revoking takes all that came of it.",
  needs: { words: "a capability is derived from another", met: ({ kernel }) => kernel.tables.slot.some(({ parent }) => parent !== NONE) },
  parts: (booted) => ofRows(booted, wrongIn),
});
