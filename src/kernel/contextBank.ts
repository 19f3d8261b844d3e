/**
 * Context bank: on SMMUv3, which has none, a software object that holds a VMID and lends a VSpace to the streams bound
 * to it (design D3b; seL4 src/arch/arm/object/smmu.c). The assignment is the kernel's copy of a VSpace capability in
 * CBNode[cb].
 */
import { lookupFaults } from "../../specs/sel4/error.ts";
import { bankCount, cbNode, forEachStream } from "./binding.ts";
import { CB, CB_CONTROL, NULL, VSPACE } from "./capability.ts";
import { insertCopy, insertNew, slotNamed } from "./cspace.ts";
import { deleteSlot } from "./deletion.ts";
import { invocation, refusal } from "./invocation.ts";
import { type Kernel, keeps } from "./kernel.ts";
import { emptyDestination, lookupRefusals } from "./lookup.ts";

/** Most context banks an SMMU can have: each takes a VMID, 16 bits wide, and VMID 0 is no bank's. */
const BANK_LIMIT = 0xffffn;
export const bankWord = (kernel: Pick<Kernel, "plan">, cb: number): bigint => (BigInt(kernel.plan.cbs[cb]!.smmu) << 32n) | BigInt(kernel.plan.cbs[cb]!.number);
const bankNamed = (kernel: Kernel, word: bigint): number => kernel.plan.cbs.findIndex((_, cb) => bankWord(kernel, cb) === word);

export const GetCB = invocation({
  label: "ARMCBIssueCBManager",
  object: CB_CONTROL,
  says: "Issue the capability of a context bank that has none.",
  caps: [{ name: "root", of: "cnode" }],
  words: [
    { name: "cb", of: "bank" },
    { name: "index", of: "emptySlot", root: 0 },
  ],
  refusals: [
    refusal("seL4_RangeError", "there is no context bank of that number", (_, { words }) =>
      (words[0]! & 0xffffffffn) >= BANK_LIMIT ? [0n, BANK_LIMIT - 1n] : undefined,
    ),
    refusal("seL4_RevokeFirst", "the context bank's capability has been issued", (kernel, { words }) => {
      const cb = bankNamed(kernel, words[0]!);
      return cb >= 0 && kernel.tables.cb.at(cb).issued === 1 ? [] : undefined;
    }),
    refusal("seL4_InvalidArgument", "the context bank is outside the layout", (kernel, { words }) => (bankNamed(kernel, words[0]!) < 0 ? [0n] : undefined)),
    ...lookupRefusals("destination", ({ caps, words }) => [caps[0]!, words[1]!, words[2]!]),
    emptyDestination(({ caps, words }) => [caps[0]!, words[1]!, words[2]!]),
  ],
  effect: (kernel, { target, caps, words }) => {
    const cb = bankNamed(kernel, words[0]!);
    kernel.tables.cb.at(cb).issued = 1;
    insertNew(kernel, target, slotNamed(kernel, caps[0]!, words[1]!, words[2]!), CB, cb);
  },
});

export const AssignVspace = invocation({
  label: "ARMCBAssignVspace",
  object: CB,
  says: "Let the streams bound to this bank see memory through a VSpace.",
  caps: [{ name: "vspace", of: "vspace" }],
  words: [],
  refusals: [
    refusal("seL4_InvalidCapability", "the capability is no VSpace", (kernel, { caps }) => (kernel.tables.slot.at(caps[0]!).kind === VSPACE ? undefined : [1n])),
    // Design D7 (f): upstream lets a stale ASID pass.
    refusal("seL4_FailedLookup", "the VSpace's ASID names it no more", (kernel, { caps }) =>
      kernel.tables.vspace.at(kernel.tables.slot.at(caps[0]!).object).live === 1 ? undefined : [0n, lookupFaults.invalidRoot],
    ),
    refusal("seL4_DeleteFirst", "the bank has a VSpace", (kernel, { target }) => {
      const { slot } = kernel.tables;
      return slot.at(cbNode(kernel, slot.at(target).object)).kind === NULL ? undefined : [];
    }),
    // Design D7 (e): upstream's counter overflows.
    refusal("seL4_DeleteFirst", "the VSpace is used by as many banks as its counter can hold", (kernel, { caps }) =>
      bankCount(kernel, kernel.tables.slot.at(caps[0]!).object) < kernel.profile.bindLimit ? undefined : [],
    ),
  ],
  effect: (kernel, { target, caps }) => {
    const { slot } = kernel.tables;
    const cb = slot.at(target).object;
    const vspace = slot.at(caps[0]!).object;
    insertCopy(kernel, caps[0]!, cbNode(kernel, cb));
    if (keeps(kernel, "vmid-cleared-between-vspaces")) kernel.emit(kernel.driver.invalidateVmid(cb));
    forEachStream(kernel, cb, (sid) => kernel.emit(kernel.driver.routeStream(sid, cb, vspace)));
  },
});

const unassigned = refusal("seL4_IllegalOperation", "the bank has no VSpace", (kernel, { target }) => {
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
  says: "Drop every translation cached for this bank.",
  caps: [],
  words: [],
  refusals: [unassigned],
  effect: (kernel, { target }) => kernel.emit(kernel.driver.invalidateVmid(kernel.tables.slot.at(target).object)),
});
