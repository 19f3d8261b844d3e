/**
 * Bindings: which stream goes to which bank, which bank to which VSpace, and what it takes to undo either. A binding is
 * nothing but the kernel's copy of a capability in SIDNode[sid] or CBNode[cb] (design D3; seL4 arch/arm/64/model/
 * statedata.c `smmuStateSIDNode`, `smmuStateCBNode`).
 */
import { NONE } from "../base/state.ts";
import { CB, VSPACE } from "./capability.ts";
import { type Kernel, keeps } from "./kernel.ts";

/** Row of SIDNode[sid]. */
export const sidNode = (kernel: Kernel, sid: number): number => kernel.plan.slots.length - kernel.plan.cbs.length - kernel.plan.sids.length + sid;

/** Row of CBNode[cb]. */
export const cbNode = (kernel: Kernel, cb: number): number => kernel.plan.slots.length - kernel.plan.cbs.length + cb;

/** The bank that a stream is bound to, or NONE. */
export const boundBank = (kernel: Kernel, sidNodeRow: number): number => {
  const node = kernel.tables.slot.at(sidNodeRow);
  return node.kind === CB ? node.object : NONE;
};

/** Calls `visit` with every bank that the VSpace is assigned to. */
export const forEachBank = (kernel: Kernel, vspace: number, visit: (cb: number) => void): void =>
  kernel.tables.cb.forEach((_, cb) => {
    const node = kernel.tables.slot.at(cbNode(kernel, cb));
    if (node.kind === VSPACE && node.object === vspace) visit(cb);
  });

/** How many banks use this VSpace: seL4's `bind_cb`, which is never stored here and so never wrong. */
export const bankCount = (kernel: Kernel, vspace: number): number => {
  let count = 0;
  forEachBank(kernel, vspace, () => {
    count += 1;
  });
  return count;
};

/** Calls `visit` with every stream bound to the bank. */
export const forEachStream = (kernel: Kernel, cb: number, visit: (sid: number) => void): void =>
  kernel.tables.sid.forEach((_, sid) => {
    if (boundBank(kernel, sidNode(kernel, sid)) === cb) visit(sid);
  });

/**
 * The bank loses its VSpace. Bound streams go to abort first (design D7 (a)), then what its VMID cached goes: in the
 * other order a walk in between would fill the cache again.
 */
export const unassign = (kernel: Kernel, cb: number): void => {
  if (keeps(kernel, "unassign-aborts-streams")) forEachStream(kernel, cb, (sid) => kernel.emit(kernel.driver.abortStream(sid)));
  if (keeps(kernel, "vmid-cleared-between-vspaces")) kernel.emit(kernel.driver.invalidateVmid(cb));
};

/** smmu.c `smmu_sid_unbind`: from now on every transaction of the stream aborts. */
export const unbind = (kernel: Kernel, sid: number): void => {
  if (keeps(kernel, "unbind-clears-ste")) kernel.emit(kernel.driver.abortStream(sid));
};
