/**
 * Context bank: on SMMUv3, which has none, a software object that holds a VMID and lends a VSpace to the streams bound
 * to it (design D3b; seL4 src/arch/arm/object/smmu.c). The assignment is the kernel's copy of a VSpace capability in
 * CBNode[cb].
 */
import { lookupFaults } from "../../specs/sel4/error.ts";
import { asidNumber, assign, bankCount, cbNode, isNested, streamsOf } from "./binding.ts";
import { CB, CB_CONTROL, NULL, VSPACE } from "./capability.ts";
import { insertCopy } from "./cspace.ts";
import { deleteSlot } from "./deletion.ts";
import { invocation, refusal } from "./invocation.ts";
import { issue } from "./issue.ts";
import { isLive, isVspaceRoot } from "./vspace.ts";

/** Most context banks an SMMU can have: each takes a VMID, 16 bits wide, and VMID 0 is no bank's. */
const BANK_LIMIT = 0xffffn;

export const GetCB = issue({
  label: "ARMCBIssueCBManager",
  control: CB_CONTROL,
  kind: CB,
  noun: "context bank",
  word: { name: "cb", of: "bank" },
  limit: ({ profile }) => BigInt(profile.bankLimit) || BANK_LIMIT,
  resource: ({ plan }, smmu, number) => plan.cbOf(smmu, number),
  issued: ({ tables }, cb) => tables.cb.at(cb),
});

export const AssignVspace = invocation({
  label: "ARMCBAssignVspace",
  object: CB,
  says: "Let the streams bound to this bank see memory through a VSpace.",
  caps: [{ name: "vspace", of: "vspace" }],
  words: [],
  refusals: [
    refusal("seL4_InvalidCapability", "the capability is no VSpace with an ASID", (kernel, { caps }) => (isVspaceRoot(kernel, caps[0]!) ? undefined : [1n])),
    // Design D7 (f): upstream lets a stale ASID pass.
    refusal("seL4_FailedLookup", "the VSpace's ASID names it no more", (kernel, { caps }) =>
      !kernel.profile.staleAsidRefused || isLive(kernel, kernel.tables.slot.at(caps[0]!).object) ? undefined : [0n, lookupFaults.invalidRoot],
    ),
    refusal("seL4_DeleteFirst", "the bank has a VSpace", (kernel, { target }) => {
      const { slot } = kernel.tables;
      return slot.at(cbNode(kernel, slot.at(target).object)).kind === NULL ? undefined : [];
    }),
    // Design D7 (e): upstream's counter overflows.
    refusal("seL4_DeleteFirst", "the VSpace is used by as many banks as its counter can hold", (kernel, { caps }) => {
      return bankCount(kernel, kernel.tables.slot.at(caps[0]!).object) < kernel.profile.bindLimit ? undefined : [];
    }),
  ],
  effect: (kernel, { target, caps }) => {
    const { slot } = kernel.tables;
    const cb = slot.at(target).object;
    const vspace = slot.at(caps[0]!).object;
    insertCopy(kernel, caps[0]!, cbNode(kernel, cb));
    assign(kernel, cb, vspace);
  },
});

export const unassigned = refusal("seL4_IllegalOperation", "the bank has no VSpace", (kernel, { target }) => {
  const { slot } = kernel.tables;
  return slot.at(cbNode(kernel, slot.at(target).object)).kind === VSPACE ? undefined : [];
});

export const UnassignVspace = invocation({
  label: "ARMCBUnassignVspace",
  object: CB,
  says: "Take the VSpace away: streams bound to this bank abort from now on.",
  caps: [],
  words: [],
  refusals: [unassigned],
  effect: (kernel, { target }) => deleteSlot(kernel, cbNode(kernel, kernel.tables.slot.at(target).object)),
});

export const TLBInvalidate = invocation({
  label: "ARMCBTLBInvalidate",
  object: CB,
  says: "Drop every translation cached for this bank, and its streams' context descriptors where it has a CD table.",
  caps: [],
  words: [],
  refusals: [unassigned],
  effect: (kernel, { target }) => {
    const { slot } = kernel.tables;
    const cb = slot.at(target).object;
    // Context descriptors are configuration, which no TLBI reaches; a guest that changed one has no other way to say so.
    if (isNested(kernel, cb)) kernel.emit(kernel.driver.invalidateContexts(streamsOf(kernel, cb)));
    kernel.emit(kernel.driver.invalidateBank(cb, asidNumber(kernel, slot.at(cbNode(kernel, cb)).object)));
  },
});

export const TLBInvalidateAll = invocation({
  label: "ARMCBTLBInvalidateAll",
  object: CB_CONTROL,
  says: "Drop every translation that any SMMU has cached.",
  caps: [],
  words: [],
  refusals: [],
  effect: (kernel) => kernel.emit(kernel.driver.invalidateAll()),
});

/** smmu.c `decodeARMCBInvocation`, ARMCBGetFault: fault status and address of the bank. As with GetFault, none is recorded here. */
export const CBGetFault = invocation({
  label: "ARMCBGetFault",
  object: CB,
  says: "Read the bank's fault status and address.",
  unexplored: "it changes nothing",
  caps: [],
  words: [],
  refusals: [],
  effect: () => [0n, 0n],
});

export const CBClearFault = invocation({
  label: "ARMCBClearFault",
  object: CB,
  says: "Clear the bank's fault status.",
  unexplored: "it changes nothing that a device can tell",
  caps: [],
  words: [],
  refusals: [],
  effect: () => {},
});
