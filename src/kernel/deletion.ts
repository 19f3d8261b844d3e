/**
 * Deletion: how a capability goes, and what then happens to its object (seL4 cnode.c `cteDelete`, `cteRevoke`; objecttype.c `finaliseCap`, `Arch_finaliseCap`; smmu.c
 * `smmu_delete_sid`, `smmu_delete_cb`, `smmu_sid_unbind`, `smmu_cb_delete_vspace`).
 */
import { impossible } from "../base/diagnostic.ts";
import { NONE } from "../base/state.ts";
import { cbNode, forEachBank, forEachBankOfAsid, sidNode, unassign, unbind } from "./binding.ts";
import { ASID_CONTROL, ASID_POOL, CB, CB_CONTROL, CNODE, CNODE_ZOMBIE, DOMAIN, ENDPOINT, FRAME, IRQ_CONTROL, IRQ_HANDLER, kinds, NOTIFICATION, NULL, PAGE_TABLE, REPLY, SGI_SIGNAL, SID, SID_CONTROL, THREAD, THREAD_ZOMBIE, UNTYPED, VCPU, VSPACE } from "./capability.ts";
import { descendants, emptySlot, hasSlots, isDescendant, isFinal, swap } from "./cspace.ts";
import { endEndpoint } from "./endpoint.ts";
import { type Kernel, keeps, preemptionPoint } from "./kernel.ts";
import { endNotification } from "./notification.ts";
import type { SlotPlace } from "./plan.ts";
import { ASID_LOW_BITS, type SlotRow } from "./state.ts";
import { endThread } from "./thread.ts";
import { endVcpu } from "./vcpu.ts";
import { clearVspace, unmapPage, unmapTable } from "./vspace.ts";

/** What the deleted capability said. */
export type Deleted = Pick<SlotRow, "kind" | "object" | "asid" | "address" | "rights">;

/** `place` is where the capability was, `final` whether it was the last to its object. */
const finalise = (kernel: Kernel, place: SlotPlace, deleted: Deleted, final: boolean): void => {
  const { object, asid, address } = deleted;
  switch (deleted.kind) {
    case FRAME:
      return asid === NONE || !(final || keeps(kernel, "frame-delete-unmaps")) ? undefined : unmapPage(kernel, asid, address, object, "frame-delete-invalidates");
    case PAGE_TABLE:
      return final && asid !== NONE ? unmapTable(kernel, asid, address, object) : undefined;
    case SID:
      if (!final) return;
      if (keeps(kernel, "delete-unbinds")) deleteSlot(kernel, sidNode(kernel, object));
      if (keeps(kernel, "delete-clears-issued")) kernel.tables.sid.at(object).issued = 0;
      return;
    case CB:
      // The kernel's copy goes: the stream is unbound (capBindSID), whether or not the bank lives on.
      if (place.in === "sidNode") unbind(kernel, place.sid);
      if (!final) return;
      if (keeps(kernel, "delete-unbinds")) deleteSlot(kernel, cbNode(kernel, object));
      if (keeps(kernel, "delete-clears-issued")) kernel.tables.cb.at(object).issued = 0;
      return;
    case VSPACE:
      if (place.in === "cbNode") unassign(kernel, place.cb, object);
      return final ? clearVspace(kernel, object) : undefined;
    case ASID_POOL:
      return final ? deletePool(kernel, object) : undefined;
    case ENDPOINT:
      return final ? endEndpoint(kernel, object) : undefined;
    case NOTIFICATION:
      return final ? endNotification(kernel, object) : undefined;
    case THREAD:
      if (!final) return;
      endThread(kernel, object);
      kernel.tables.vcpu.forEach((row) => {
        if (row.thread === object) row.thread = NONE;
      });
      return;
    case VCPU:
      return final ? endVcpu(kernel, object) : undefined;
    case IRQ_HANDLER:
      if (!final) return;
      deleteSlot(kernel, kernel.plan.irqSlot(object));
      kernel.tables.irq.at(object).issued = 0;
      return;
    case REPLY:
    case CNODE:
    case UNTYPED:
    case SID_CONTROL:
    case CB_CONTROL:
    case ASID_CONTROL:
    case IRQ_CONTROL:
    case DOMAIN:
    case SGI_SIGNAL:
      return;
    default:
      return impossible(`cannot finalise a ${kinds[deleted.kind]} capability`);
  }
};

/**
 * vspace.c `deleteASIDPool`: its ASIDs name nothing any more. Upstream leaves the banks that use its VSpaces translating,
 * through tables that it will not find again to unmap from; design D7 (b) takes the VSpaces from the banks first.
 */
const deletePool = (kernel: Kernel, pool: number): void => {
  const { asid, asidPool } = kernel.tables;
  const { high } = asidPool.at(pool);
  if (high === NONE) return;
  const own = (row: number): boolean => kernel.plan.asids[row]!.number >> ASID_LOW_BITS === high;
  asid.forEach((entry, row) => {
    if (!own(row) || entry.vspace === NONE) return;
    const { vspace } = entry;
    if (kernel.profile.poolDeletionUnassigns) forEachBank(kernel, vspace, (cb) => deleteSlot(kernel, cbNode(kernel, cb)));
    else forEachBankOfAsid(kernel, row, vspace, (cb) => kernel.emit(kernel.driver.invalidateBank(cb, kernel.plan.asids[row]!.number)));
    const after = asid.at(row);
    after.vspace = NONE;
    after.banks = 0;
  });
  asidPool.at(pool).high = NONE;
};

/** Rows of the slots of a CNode or a thread, the first slot first. */
const slotsOf = (kernel: Kernel, kind: number, object: number): number[] => {
  const inCnode = kind === CNODE || kind === CNODE_ZOMBIE;
  const rows: number[] = [];
  kernel.tables.slot.forEach((_, row) => {
    const place = kernel.plan.slots[row]!;
    if (inCnode ? place.in === "cnode" && place.cnode === object : place.in === "thread" && place.thread === object) rows.push(row);
  });
  const index = (row: number): number => (kernel.plan.slots[row] as { readonly index: number }).index;
  return rows.toSorted((a, b) => index(a) - index(b));
};

/** What an object with slots leaves while they are not all gone: seL4's zombie capability. */
const zombieOf = (kind: number): number => (kind === THREAD || kind === THREAD_ZOMBIE ? THREAD_ZOMBIE : CNODE_ZOMBIE);

/**
 * The last capability to a CNode or thread goes. At top level its slots are deleted from the last to the first. Where it
 * stands in a slot of an object that is being deleted itself, seL4 goes no deeper: the capability changes places with the
 * object's own first slot, where it stays as a zombie with the other slots full, until their untyped is revoked; what
 * was in the first slot goes (cnode.c `reduceZombie`, `capSwapForDelete`).
 */
const deleteWithSlots = (kernel: Kernel, row: number, exposed: boolean): void => {
  const { slot } = kernel.tables;
  const { kind, object } = slot.at(row);
  const first = kind === CNODE || kind === CNODE_ZOMBIE ? kernel.plan.slotRow(object, 0) : kernel.plan.threadSlot(object, 0);
  if (exposed || first === NONE) {
    // The zombie stays in its slot until all is gone, so that an interrupted deletion can go on.
    slot.at(row).kind = zombieOf(kind);
    for (const at of slotsOf(kernel, kind, object).toReversed()) {
      if (at === row || slot.at(at).kind === NULL) continue;
      deleteSlot(kernel, at, false);
      preemptionPoint(kernel);
    }
    return emptySlot(kernel, row);
  }
  if (first !== row) swap(kernel, first, row);
  slot.at(first).kind = zombieOf(kind);
  if (first !== row) deleteSlot(kernel, row, false);
};

/**
 * cnode.c `cteDelete`. The slot is emptied before the object is finalised, so that a CNode that holds a capability to
 * itself ends. `exposed` is false for the slots of an object that is being deleted.
 */
export const deleteSlot = (kernel: Kernel, row: number, exposed = true): void => {
  const slot = kernel.tables.slot.at(row);
  if (slot.kind === NULL) return;
  const final = isFinal(kernel, row);
  const { kind, object, asid, address, rights } = slot;
  if (final && hasSlots(kind) && (kind !== CNODE || keeps(kernel, "cnode-delete-empties"))) {
    if (kind === THREAD) finalise(kernel, kernel.plan.slots[row]!, { kind, object, asid, address, rights }, final);
    return deleteWithSlots(kernel, row, exposed);
  }
  emptySlot(kernel, row);
  finalise(kernel, kernel.plan.slots[row]!, { kind, object, asid, address, rights }, final);
};

/** cnode.c `cteRevoke`: deletes every descendant. The kernel's copies in SIDNode and CBNode are descendants like any other. */
export const revoke = (kernel: Kernel, row: number): void => {
  // Until none is left: deleting one may put a zombie in the place of another.
  for (let left = descendants(kernel, row); left.length > 0; left = descendants(kernel, row))
    for (const index of left) {
      if (kernel.tables.slot.at(index).kind === NULL || !isDescendant(kernel, index, row)) continue;
      if (kernel.plan.slots[index]!.in !== "cnode" && !keeps(kernel, "revoke-finalises-kernel-copies")) emptySlot(kernel, index);
      else deleteSlot(kernel, index);
      if (!keeps(kernel, "revoke-takes-all")) return;
      preemptionPoint(kernel);
    }
};
