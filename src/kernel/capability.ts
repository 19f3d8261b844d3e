/**
 * Capabilities: kinds, rights, and the questions that seL4's object/objecttype.c answers about them. A capability is a
 * row of the slot table. Two of seL4's fields need no bits here: capBindSID and capVSMappedCB are set only in the
 * kernel's own copies, so the place of the row (SIDNode[sid], CBNode[cb]) already says them.
 */
import { RIGHT_READ, RIGHT_WRITE } from "../../specs/sel4/object.ts";
import type { SlotRow } from "./state.ts";

export const kinds = [
  "null",
  "untyped",
  "cnode",
  "frame",
  "pageTable",
  "vspace",
  "sidControl",
  "sid",
  "cbControl",
  "cb",
  "asidControl",
  "asidPool",
  "endpoint",
  "notification",
  "reply",
  "thread",
  "irqControl",
  "irqHandler",
  "vcpu",
  "domain",
  "cnodeZombie",
  "threadZombie",
  "sgiSignal",
] as const;
export type Kind = (typeof kinds)[number];

export const NULL = 0;
export const UNTYPED = 1;
export const CNODE = 2;
export const FRAME = 3;
export const PAGE_TABLE = 4;
export const VSPACE = 5;
export const SID_CONTROL = 6;
export const SID = 7;
export const CB_CONTROL = 8;
export const CB = 9;
export const ASID_CONTROL = 10;
export const ASID_POOL = 11;
export const ENDPOINT = 12;
export const NOTIFICATION = 13;
export const REPLY = 14;
export const THREAD = 15;
export const IRQ_CONTROL = 16;
export const IRQ_HANDLER = 17;
export const VCPU = 18;
export const DOMAIN = 19;
/** What is left of a CNode or thread whose slots are not all gone (deletion.ts). */
export const CNODE_ZOMBIE = 20;
export const THREAD_ZOMBIE = 21;
export const SGI_SIGNAL = 22;

/** VM rights of a frame; a stage-2 leaf's S2AP is 0, 3 or 1 for them (vspace.c `APFromVMRights`, hypervisor). */
export const KERNEL_ONLY = 0;
export const READ_WRITE = 1;
export const READ_ONLY = 2;

/**
 * vspace.c `maskVMRights`: read is needed for anything, and write-only degrades to kernel-only.
 * `word` is a capability rights word (bit 0 write, bit 1 read).
 */
export const maskRights = (rights: number, word: bigint): number => {
  if (rights === KERNEL_ONLY || (word & RIGHT_READ) === 0n) return KERNEL_ONLY;
  return rights === READ_WRITE && (word & RIGHT_WRITE) !== 0n ? READ_WRITE : READ_ONLY;
};

/** By kind: whether a capability names an object; control capabilities don't, nor one that raises an interrupt. */
const named = kinds.map((kind) => !["null", "sidControl", "cbControl", "asidControl", "irqControl", "domain", "sgiSignal"].includes(kind));
/** Does a capability of this kind name an object? Two of one kind then name the same if they say so (objecttype.c `sameObjectAs`). */
export const namesObject = (kind: number): boolean => named[kind]!;

/** Empties a row: every field to the least of its domain, so that equal states are equal words. */
export const clearSlot = (slot: SlotRow): void => {
  slot.kind = NULL;
  slot.object = 0;
  slot.rights = 0;
  slot.asid = -1;
  slot.address = 0;
  slot.guard = 0;
  slot.badge = 0;
  slot.watermark = 0;
  slot.parent = -1;
  slot.revocable = 0;
};

/** Copies what the capability says, not where it stands in the derivation tree. */
export const copyCapability = (from: SlotRow, to: SlotRow): void => {
  to.kind = from.kind;
  to.object = from.object;
  to.rights = from.rights;
  to.asid = from.asid;
  to.address = from.address;
  to.guard = from.guard;
  to.badge = from.badge;
  to.watermark = from.watermark;
};
