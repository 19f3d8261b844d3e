/**
 * Bindings: which stream goes to which bank, which bank to which VSpace, and what it takes to undo either. A binding is
 * nothing but the kernel's copy of a capability in SIDNode[sid] or CBNode[cb] (design D3; seL4 arch/arm/64/model/
 * statedata.c `smmuStateSIDNode`, `smmuStateCBNode`).
 */
import { NONE } from "../base/state.ts";
import { CB, VSPACE } from "./capability.ts";
import { halt, keeps, type Kernel } from "./kernel.ts";
import { ASID_LOW_BITS } from "./state.ts";

/** Row of SIDNode[sid]. */
export const sidNode = (kernel: Kernel, sid: number): number => kernel.plan.sids[sid]!.node;

/** Row of CBNode[cb]. */
export const cbNode = (kernel: Kernel, cb: number): number => kernel.plan.cbs[cb]!.node;

/** The bank that a stream is bound to, or NONE. */
export const boundBank = (kernel: Kernel, sidNodeRow: number): number => {
  const node = kernel.tables.slot.at(sidNodeRow);
  return node.kind === CB ? node.object : NONE;
};

/** Calls `visit` with every bank that the VSpace is assigned to. */
export const forEachBank = (kernel: Kernel, vspace: number, visit: (cb: number) => void): void =>
  kernel.tables.slot
    .having({ kind: VSPACE, object: vspace })
    .flatMap((row) => {
      const place = kernel.plan.slots[row]!;
      return place.in === "cbNode" ? [place.cb] : [];
    })
    .toSorted((a, b) => a - b)
    .forEach(visit);

/** How many banks use this VSpace: the copies in CBNode, which cannot be wrong. */
export const bankCount = (kernel: Kernel, vspace: number): number => {
  let count = 0;
  forEachBank(kernel, vspace, () => {
    count += 1;
  });
  return count;
};

/**
 * Calls `visit` with every bank that has to hear of a change under an ASID. Upstream asks its two tables, the count in
 * the ASID's entry and smmuStateCBAsidTable (smmu.c `invalidateSMMUTLBByASID`), and stops when the count is used up.
 */
export const forEachBankOfAsid = (kernel: Kernel, asid: number, vspace: number, visit: (cb: number) => void): void => {
  if (kernel.profile.bankCounter === 0) return forEachBank(kernel, vspace, visit);
  if (asid === NONE) return;
  let left = kernel.tables.asid.at(asid).banks;
  kernel.tables.cb.forEach((bank, cb) => {
    if (left === 0 || bank.asid !== asid) return;
    visit(cb);
    left -= 1;
  });
};

/** Calls `visit` with every stream bound to the bank. */
export const forEachStream = (kernel: Kernel, cb: number, visit: (sid: number) => void): void =>
  kernel.tables.slot
    .having({ kind: CB, object: cb })
    .flatMap((row) => {
      const place = kernel.plan.slots[row]!;
      return place.in === "sidNode" ? [place.sid] : [];
    })
    .toSorted((a, b) => a - b)
    .forEach(visit);

/** A plan without pools has them all, and nobody holds one. */
const hasPool = ({ plan, tables }: Kernel, asid: number): boolean => plan.asidPools.length === 0 || tables.asidPool.some(({ high }) => high === plan.asids[asid]!.number >> ASID_LOW_BITS);

/**
 * vspace.c `increaseASIDBindCB`, `decreaseASIDBindCB`: eight bits, unchecked. They follow a null pointer when the ASID's
 * pool is gone; the assertion in front of it is compiled in debug builds only.
 */
const count = (kernel: Kernel, asid: number, by: 1 | -1): void => {
  const { bankCounter } = kernel.profile;
  if (bankCounter === 0 || asid === NONE) return;
  if (!hasPool(kernel, asid)) halt(kernel, "the count of banks stands in an ASID pool that is gone");
  const entry = kernel.tables.asid.at(asid);
  if (entry.vspace !== NONE) entry.banks = (entry.banks + by + bankCounter) % bankCounter;
};

/** The number of a VSpace's ASID, stale or not; 0 without one. */
export const asidNumber = (kernel: Kernel, vspace: number): number => {
  const { asid } = kernel.tables.vspace.at(vspace);
  return asid === NONE ? 0 : kernel.plan.asids[asid]!.number;
};

export const streamsOf = (kernel: Kernel, cb: number): number[] => {
  const streams: number[] = [];
  forEachStream(kernel, cb, (sid) => {
    streams.push(sid);
  });
  return streams;
};

/** The bank has a CD table: its streams go through a stage 1 first. */
export const isNested = (kernel: Kernel, cb: number): boolean => kernel.tables.cb.at(cb).cdTable !== NONE;

/** The bank, which has a VSpace, gets a CD table. It goes when the VSpace does. */
export const nest = (kernel: Kernel, cb: number, cdTable: number): void => {
  kernel.tables.cb.at(cb).cdTable = cdTable;
  kernel.emit(kernel.driver.nestBank(cb, kernel.tables.slot.at(cbNode(kernel, cb)).object, cdTable, streamsOf(kernel, cb)));
};

/** The bank gets a VSpace: smmu.c `decodeARMCBInvocation`, ARMCBAssignVspace, after the copy in CBNode. */
export const assign = (kernel: Kernel, cb: number, vspace: number): void => {
  const { asid } = kernel.tables.vspace.at(vspace);
  kernel.emit(kernel.driver.assignBank(cb, vspace, streamsOf(kernel, cb), asidNumber(kernel, vspace)));
  if (kernel.profile.bankCounter > 0) kernel.tables.cb.at(cb).asid = asid;
  count(kernel, asid, 1);
};

/** The bank loses its VSpace: smmu.c `smmu_cb_delete_vspace`. */
export const unassign = (kernel: Kernel, cb: number, vspace: number): void => {
  kernel.tables.cb.at(cb).cdTable = NONE;
  if (kernel.profile.bankCounter > 0) {
    const bank = kernel.tables.cb.at(cb);
    const { asid } = bank;
    bank.asid = NONE;
    count(kernel, asid, -1);
  }
  const streams = keeps(kernel, "every-stream-aborts") ? streamsOf(kernel, cb) : streamsOf(kernel, cb).slice(0, 1);
  kernel.emit(kernel.driver.disableBank(cb, vspace, streams, asidNumber(kernel, vspace)));
};

/** smmu.c `smmu_sid_unbind`: from now on every transaction of the stream aborts. */
export const unbind = (kernel: Kernel, sid: number): void => kernel.emit(kernel.driver.unbindStream(sid));
