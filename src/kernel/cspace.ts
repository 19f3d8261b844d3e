/**
 * CSpace: slot lookup, and the operations that keep the derivation tree (seL4 src/object/cnode.c, src/kernel/cspace.c).
 *
 * seL4 keeps the tree as a doubly linked list in pre-order; here each slot names its parent. The two agree on every
 * question an invocation asks (has it children, which are its descendants, is it the last capability to its object).
 * Siblings have no order, so states that differ only in it are one state; where Revoke would tell (`children`), there is
 * one order for all of them.
 */
import { NONE } from "../base/state.ts";
import { lookupFaults } from "../../specs/sel4/error.ts";
import { WORD_BITS } from "../../specs/sel4/object.ts";
import { ASID_POOL, CB, clearSlot, CNODE, CNODE_ZOMBIE, copyCapability, ENDPOINT, namesObject, NOTIFICATION, SID, THREAD, THREAD_ZOMBIE, UNTYPED } from "./capability.ts";
import { type Kernel, keeps } from "./kernel.ts";
import type { Plan, PlanUntyped } from "./plan.ts";
import type { SlotRow } from "./state.ts";

/** The row of a slot, with the address bits that were left over; or the words of the lookup fault. */
export type Lookup = { readonly row: number; readonly left: number; readonly fault?: undefined } | { readonly fault: readonly bigint[] };

const masks = Array.from({ length: 65 }, (_, bits) => (1n << BigInt(bits)) - 1n);
const mask = (bits: number): bigint => masks[bits]!;

/** One level of `resolveAddressBits`: `bits` low bits of `cptr` in a CNode with this guard. Static, so remembered. */
const resolveLevel = (plan: Plan, cnode: number, guardIndex: number, cptr: bigint, bits: number): Lookup => {
  const { radix } = plan.cnodes[cnode]!;
  const guard = plan.guards[guardIndex]!;
  const found = guard.size > bits ? NONE : Number(((cptr >> BigInt(bits - guard.size)) & mask(guard.size)) === guard.value);
  if (found !== 1) return { fault: [lookupFaults.guardMismatch, BigInt(bits), guard.value, BigInt(guard.size)] };
  const level = radix + guard.size;
  if (level > bits) return { fault: [lookupFaults.depthMismatch, BigInt(bits), BigInt(level)] };
  const row = plan.slotRow(cnode, Number((cptr >> BigInt(bits - level)) & mask(radix)));
  // The scope leaves this slot out, and there is no row to name: the address is refused, where seL4 would find it empty.
  return row === NONE ? { fault: [lookupFaults.missingCapability, BigInt(bits - level)] } : { row, left: bits - level };
};

/** More guards than an open plan will meet. */
const MOST_GUARDS = 2 ** 20;
const remembered = new WeakMap<Plan, Map<number, Map<bigint, Lookup>>>();
const resolveOnce = (plan: Plan, cnode: number, guard: number, cptr: bigint, bits: number): Lookup => {
  let levels = remembered.get(plan);
  if (levels === undefined) remembered.set(plan, (levels = new Map()));
  const key = (cnode * MOST_GUARDS + guard) * 65 + bits;
  let known = levels.get(key);
  if (known === undefined) levels.set(key, (known = new Map()));
  let lookup = known.get(cptr);
  if (lookup === undefined) known.set(cptr, (lookup = resolveLevel(plan, cnode, guard, cptr, bits)));
  return lookup;
};

/** cspace.c `resolveAddressBits`: descends CNode by CNode; a non-CNode midway ends with bits left over. */
export const resolve = (kernel: Kernel, root: number, cptr: bigint, depth: number): Lookup => {
  let bits = depth;
  for (let at = kernel.tables.slot.at(root); ; ) {
    const lookup = resolveOnce(kernel.plan, at.object, at.guard, bits === WORD_BITS ? cptr : cptr & mask(bits), bits);
    if (lookup.fault !== undefined || lookup.left === 0) return lookup;
    at = kernel.tables.slot.at(lookup.row);
    if (at.kind !== CNODE) return lookup;
    bits = lookup.left;
  }
};

/** The row that a CNode operation names, once its refusals (lookup.ts) have passed. */
export const slotNamed = (kernel: Kernel, root: number, index: bigint, depth: bigint): number => {
  const lookup = resolve(kernel, root, index, Number(depth));
  return lookup.fault === undefined ? lookup.row : NONE;
};

export const hasChildren = (kernel: Kernel, row: number): boolean => kernel.tables.slot.any({ parent: row });

/** Is `row` below `ancestor` in the derivation tree? */
export const isDescendant = (kernel: Kernel, row: number, ancestor: number): boolean =>
  kernel.tables.slot.walk(kernel.tables.slot.at(row).parent, (slot, at) => (at === ancestor ? NONE : slot.parent)) === ancestor;

/**
 * Children in the order in which Revoke takes them. seL4 takes the youngest first, and the age of siblings is not kept
 * here: objects with slots come last, since they alone can take siblings with them, then what the capability names decides.
 * A slot's place does not, unless two say the same.
 */
const children = (kernel: Kernel, row: number): readonly number[] => {
  const { slot } = kernel.tables;
  return slot
    .having({ parent: row })
    .map((child) => ({ child, kind: slot.at(child).kind, object: slot.at(child).object }))
    .toSorted((a, b) => Number(hasSlots(a.kind)) - Number(hasSlots(b.kind)) || a.kind - b.kind || a.object - b.object || a.child - b.child)
    .map(({ child }) => child);
};

/** Objects that are slots themselves: what stands in them goes with them. */
export const hasSlots = (kind: number): boolean => kind === CNODE || kind === THREAD || kind === CNODE_ZOMBIE || kind === THREAD_ZOMBIE;

/** Rows below `ancestor` in the derivation tree: parents before their children, as the list of seL4 has them. */
export const descendants = (kernel: Kernel, ancestor: number): readonly number[] => children(kernel, ancestor).flatMap((row) => [row, ...descendants(kernel, row)]);

/**
 * No other capability names this object (cnode.c `isFinalCapability`). Where threads are no part of the state, a
 * component's root CNode is also held by its thread, so no capability in a slot is its last.
 */
export const isFinal = (kernel: Kernel, row: number): boolean => {
  const slot = kernel.tables.slot.at(row);
  if (slot.kind === CNODE && !kernel.plan.open && kernel.plan.cnodes[slot.object]!.address === undefined) return false;
  return !(namesObject(slot.kind) && kernel.tables.slot.any({ kind: slot.kind, object: slot.object }, row));
};

/** objecttype.c `isCapRevocable` for a copy made of `from`. */
const revocableCopy = (copy: SlotRow, from: SlotRow): number => {
  if (copy.kind === ENDPOINT || copy.kind === NOTIFICATION) return Number(copy.badge !== from.badge);
  return Number(copy.kind === UNTYPED);
};

/** cnode.c `cteInsert` of a derived copy: `dest` becomes a child of a revocable source, else its sibling. */
export const insertCopy = (kernel: Kernel, source: number, dest: number, adjust?: (copy: SlotRow) => void): void => {
  const { slot } = kernel.tables;
  const from = slot.at(source);
  const to = slot.at(dest);
  copyCapability(from, to);
  adjust?.(to);
  to.revocable = revocableCopy(to, from);
  to.parent = from.revocable === 1 && keeps(kernel, "copy-remembers-parent") ? source : from.parent;
  // cnode.c `setUntypedCapAsFull`: two capabilities must not hand out the same memory.
  if (from.kind === UNTYPED && keeps(kernel, "copy-fills-untyped")) from.watermark = unitsOf(kernel.plan.untypeds[from.object]!);
};

/** Steps of the watermark from an empty untyped to a full one. */
export const unitsOf = ({ size, unit }: PlanUntyped): number => Number(size / unit);

/** A new capability to an object that `parent` made or issued. */
export const insertNew = (kernel: Kernel, parent: number, dest: number, kind: number, object: number): void => {
  const to = kernel.tables.slot.at(dest);
  clearSlot(to);
  to.kind = kind;
  to.object = object;
  to.parent = parent;
  // Retype marks what it makes revocable; a pool is inserted like a copy, which never is. An issued SID or CB is
  // revocable by deviation (c) of design D7.
  to.revocable = kind === SID || kind === CB ? Number(kernel.profile.issuedRevocable) : Number(kind !== ASID_POOL);
};

/** cnode.c `cteMove`: the capability keeps its place in the tree, and its children follow it. */
export const move = (kernel: Kernel, source: number, dest: number): void => {
  const { slot } = kernel.tables;
  const from = slot.at(source);
  const to = slot.at(dest);
  copyCapability(from, to);
  to.parent = from.parent;
  to.revocable = from.revocable;
  clearSlot(from);
  for (const child of slot.having({ parent: source })) slot.at(child).parent = dest;
};

/** cnode.c `cteSwap`: both capabilities keep their places in the tree, and their children follow them. */
export const swap = (kernel: Kernel, one: number, other: number): void => {
  const { slot } = kernel.tables;
  const row = slot.at(other);
  const kept = plainCopy(row);
  copyNode(slot.at(one), row);
  copyNode(kept, slot.at(one));
  const [ofOne, ofOther] = [slot.having({ parent: one }), slot.having({ parent: other })];
  for (const child of ofOne) slot.at(child).parent = other;
  for (const child of ofOther) slot.at(child).parent = one;
};
const copyNode = (from: SlotRow, to: SlotRow): void => {
  copyCapability(from, to);
  to.parent = from.parent;
  to.revocable = from.revocable;
};
const plainCopy = (row: SlotRow): SlotRow => ({
  kind: row.kind,
  object: row.object,
  rights: row.rights,
  asid: row.asid,
  address: row.address,
  guard: row.guard,
  badge: row.badge,
  watermark: row.watermark,
  parent: row.parent,
  revocable: row.revocable,
});

/** cnode.c `emptySlot`: children become children of the parent. */
export const emptySlot = (kernel: Kernel, row: number): void => {
  const { slot } = kernel.tables;
  const parent = slot.at(row).parent;
  clearSlot(slot.at(row));
  if (keeps(kernel, "delete-hands-children-on")) for (const child of slot.having({ parent: row })) slot.at(child).parent = parent;
};
