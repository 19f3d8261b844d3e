/** Hazards of lifetimes: something goes, and a device still reaches memory by way of it. */
import { assign, bind, connected, deleteSlot, type Hazard, IOVA, line, makePool, mapped, mapPage, mapTable, revokeSlot, type Seen, slots, unassign, unbind, unmapPage } from "./hazard.ts";
import { at, beyondAssignment, beyondCapabilities, bound, halted, only, revokeLeavesCopies, translated } from "./wrong.ts";

/** The stream that the first state hands out. */
const STREAM = 16;
const POOL_SOURCE = "seL4 src/arch/arm/64/kernel/vspace.c deleteASIDPool, findVSpaceForASID, unmapPage";

export const poolDeletedUnderBank: Hazard = {
  name: "pool-deleted-under-bank",
  says: "An ASID pool is deleted while a bank uses one of its VSpaces: frames can be freed, and the device still reaches them.",
  read: "Deleting the pool invalidates TLBs and forgets the ASIDs, and leaves the banks alone. From then on no VSpace is found for the ASID, so deleting a mapped frame returns without clearing its entry, which the bank still walks.",
  source: POOL_SOURCE,
  assumed: "The SMMU goes on walking from the bank's TTBR, which nothing changed.",
  board: "Delete the pool and the frame, retype the frame's memory as something else, and let the device read it.",
  setup: connected,
  moves: [deleteSlot(slots.pool), deleteSlot(slots.buffer), unmapPage(slots.buffer), unassign(slots.cb), unbind(slots.sid)],
  wrong: (seen) => beyondCapabilities(translated(seen)),
  shortest: { "sel4-smmuv2": 2, "sel4-smmuv2-indexing": 2, "sel4-smmuv2-el1": 2, "smmuv3-talk": 2 },
};

export const staleAsidAssigned: Hazard = {
  name: "stale-asid-assigned",
  says: "A VSpace whose ASID pool is gone is assigned to a bank: what it maps can be freed, and the device reaches it.",
  read: "AssignVspace asks whether the capability says that the VSpace was given an ASID, and not whether the ASID still names it. With the pool's place in the table filled again the count of banks is found, and the call succeeds.",
  source: "seL4 src/arch/arm/object/smmu.c decodeARMCBInvocation; vspace.c increaseASIDBindCB",
  assumed: "None beyond what a bank does that has a VSpace.",
  board: "Delete the pool, make another, assign the old VSpace, delete a frame of it, and let the device read the frame.",
  setup: [...mapped, deleteSlot(slots.pool), makePool],
  moves: [assign(slots.cb, slots.first), bind(slots.sid, slots.cb), deleteSlot(slots.buffer), unassign(slots.cb)],
  wrong: (seen) => beyondCapabilities(bound(translated(seen))),
  shortest: { "sel4-smmuv2": 3, "sel4-smmuv2-indexing": 3, "sel4-smmuv2-el1": 3, "smmuv3-talk": 3 },
};

export const kernelHalts: Hazard = {
  name: "kernel-halts",
  says: "Whoever holds a bank, an ASID pool and the CNode of both can stop the kernel.",
  read: "The count of banks stands in the ASID's pool. When a bank loses its VSpace, or gets one, after the pool was deleted, the count is looked for through a null pointer; the assertion in front of it is compiled in debug builds only.",
  source: "seL4 src/arch/arm/64/kernel/vspace.c increaseASIDBindCB, decreaseASIDBindCB",
  assumed: "Nothing is mapped at the addresses near 0 for the kernel. This one was seen on real seL4 (1326364b) in QEMU: it stops in UnassignVspace and in AssignVspace.",
  board: "Delete the pool, then invoke UnassignVspace; nothing answers any more, and the device still translates.",
  setup: connected,
  moves: [deleteSlot(slots.pool), unassign(slots.cb), assign(slots.otherCb, slots.first)],
  wrong: halted,
  shortest: { "sel4-smmuv2": 2, "sel4-smmuv2-indexing": 2, "sel4-smmuv2-el1": 2, "smmuv3-talk": 2 },
};

export const unassignedUnderBoundStream: Hazard = {
  name: "unassigned-under-bound-stream",
  says: "A bank loses its VSpace while a stream is bound to it, and the device reaches more than before, or as much.",
  read: "UnassignVspace turns the bank off and leaves the streams that are bound to it as they are. Upstream's bank then has SCTLR.M=0; the port's stream table entry keeps the root of the VSpace.",
  source: "seL4 src/arch/arm/object/smmu.c smmu_cb_delete_vspace; src/drivers/smmu/smmuv2.c smmu_cb_disable",
  assumed: "SMMUv2: a bank with SCTLR.M=0 passes transactions untranslated (IHI 0062, SMMU_CBn_SCTLR.M). SMMUv3: the entry is what the port leaves, `assumed` from the talk.",
  board: "Unassign under a bound stream, and let the device read an address that no VSpace ever mapped.",
  setup: connected,
  moves: [unassign(slots.cb), unbind(slots.sid), assign(slots.cb, slots.first), bind(slots.sid, slots.cb)],
  wrong: (seen) => beyondAssignment(only(seen, STREAM)),
  shortest: { "sel4-smmuv2": 1, "sel4-smmuv2-indexing": 1, "sel4-smmuv2-el1": 1, "smmuv3-talk": 1 },
};

export const revokeDeletesNothing: Hazard = {
  name: "revoke-deletes-nothing",
  says: "Revoke on a stream or bank capability succeeds, and everybody who was given a copy still has it.",
  read: "SID and CB capabilities that a control capability issued are not marked revocable, so nothing counts as derived from them. Only Revoke on SIDControl or CBControl, which takes every stream or bank, deletes copies.",
  source: "seL4 include/arch/arm/arch/object/structures.h Arch_isCapRevocable; src/object/cnode.c isMDBParentOf",
  assumed: "None: it is a matter of the kernel's objects alone.",
  board: "Revoke, and invoke the copy.",
  setup: connected,
  moves: [revokeSlot(slots.sid), revokeSlot(slots.cb)],
  wrong: revokeLeavesCopies,
  shortest: { "sel4-smmuv2": 1, "sel4-smmuv2-indexing": 1, "sel4-smmuv2-el1": 1, "smmuv3-talk": 1 },
};

/** The second VSpace has the ASID of the first, which its bank still names, and maps a page of its own. */
const secondInFirstsPlace = [
  ...mapped,
  assign(slots.cb, slots.first),
  deleteSlot(slots.pool),
  makePool,
  line(slots.free, "ARMASIDPoolAssign", [], [slots.second]),
  ...slots.secondTables.map((table) => mapTable(table, slots.second)),
  mapPage(slots.secret, slots.second, IOVA + 0x1000n),
];
const throughSecond = [assign(slots.otherCb, slots.second), bind(slots.sid, slots.otherCb), unassign(slots.cb), unmapPage(slots.secret)];
/** The page that was unmapped is reached by what is cached. */
const secretStays = (seen: Seen): string | undefined => beyondAssignment(at(only(seen, STREAM), IOVA + 0x1000n));

export const wrongCountAfterReuse: Hazard = {
  name: "wrong-count-after-asid-reuse",
  says: "The count of banks is taken from an ASID that another VSpace has by now: its pages are unmapped without an invalidation.",
  read: "A bank that was assigned before its pool was deleted is still listed under the ASID. Unmapping invalidates the banks that are listed, in order of their numbers, until the count is used up; the old bank is not counted, and comes first. When it is unassigned it takes one from the count all the same.",
  source: "seL4 src/arch/arm/object/smmu.c smmu_cb_delete_vspace, invalidateSMMUTLBByASIDVA; vspace.c decreaseASIDBindCB",
  assumed: "The SMMU may keep a translation until it is invalidated.",
  board: "Take the way in, read the page by DMA before it is unmapped, and again after.",
  setup: secondInFirstsPlace,
  moves: throughSecond,
  wrong: secretStays,
  shortest: { "sel4-smmuv2": 3, "sel4-smmuv2-indexing": 3, "sel4-smmuv2-el1": 4, "smmuv3-talk": 3 },
};

export const invalidateAllRemovesNothing: Hazard = {
  name: "invalidate-all-removes-nothing",
  says: "TLBInvalidateAll is answered, and what was cached is cached still.",
  read: "Where the kernel is a hypervisor, the invocation writes TLBIALLH alone.",
  source: "seL4 src/drivers/smmu/smmuv2.c smmu_tlb_invalidate_all",
  assumed: "TLBIALLH takes entries with a Hyp tag only (IHI 0062 D.c), and the entries of stage-2 banks have none.",
  board: "Take the way of wrong-count-after-asid-reuse, invoke TLBInvalidateAll, and read the page by DMA.",
  setup: secondInFirstsPlace,
  moves: [...throughSecond, line(slots.cbControl, "ARMCBTLBInvalidateAll")],
  wrong: (seen) => (seen.last?.line.label === "ARMCBTLBInvalidateAll" ? secretStays(seen) : undefined),
  shortest: { "sel4-smmuv2": 4, "sel4-smmuv2-indexing": 4 },
};

export const asidOfTwoVspaces: Hazard = {
  name: "asid-of-two-vspaces",
  says: "A bank that was assigned before its pool was deleted fills the TLB under an ASID that another VSpace has by now: the streams of that one reach the first one's pages.",
  read: "At EL1 a bank's translations are tagged with the VSpace's ASID. Deleting the pool leaves the bank on, and a new pool in its place gives the ASID out again.",
  source: "seL4 src/arch/arm/64/kernel/vspace.c deleteASIDPool; src/drivers/smmu/smmuv2.c smmu_cb_assign_vspace",
  assumed: "Banks of one SMMU share TLB entries of equal VMID and ASID (IHI 0062), and all of upstream's have VMID 0.",
  board: "Take the way in, and let the second bank's device read an address that only the first VSpace maps.",
  setup: secondInFirstsPlace,
  moves: throughSecond,
  wrong: (seen) => beyondAssignment(at(bound(translated(seen)), IOVA)),
  shortest: { "sel4-smmuv2-el1": 2 },
};
