/**
 * SID: the right to say where a stream goes (seL4 src/arch/arm/object/smmu.c). The binding is the kernel's copy of a CB
 * capability in SIDNode[sid], so unbinding is deleting that copy (design D3).
 */
import { cbNode, sidNode } from "./binding.ts";
import { CB, NULL, SID, SID_CONTROL, VSPACE } from "./capability.ts";
import { insertCopy } from "./cspace.ts";
import { deleteSlot } from "./deletion.ts";
import { invocation, refusal } from "./invocation.ts";
import { issue } from "./issue.ts";
import { matchesOverlap } from "./plan.ts";

export const GetSID = issue({
  label: "ARMSIDIssueSIDManager",
  control: SID_CONTROL,
  kind: SID,
  noun: "stream",
  word: { name: "sid", of: "stream" },
  limit: ({ plan, profile }, smmu) => BigInt(profile.streamLimit) || 1n << BigInt(plan.smmus[smmu]!.log2Size),
  resource: ({ plan }, smmu, number) => plan.sidOf(smmu, number),
  issued: ({ tables }, sid) => tables.sid.at(sid),
  // Not in seL4, which knows no masks: on an SMMUv2 two entries that match one StreamID are a fault for both holders.
  conflict: {
    when: "another stream that was issued has StreamIDs in common with it",
    holds: ({ plan, tables }, sid) => tables.sid.some((other, index) => index !== sid && other.issued === 1 && matchesOverlap(plan.sids[index]!, plan.sids[sid]!)),
  },
});

export const BindCB = invocation({
  label: "ARMSIDBindCB",
  object: SID,
  says: "Route the transactions of this stream through a context bank.",
  caps: [{ name: "cb", of: "cb" }],
  words: [],
  refusals: [
    refusal("seL4_InvalidCapability", "the capability is no context bank", (kernel, { caps }) => (kernel.tables.slot.at(caps[0]!).kind === CB ? undefined : [1n])),
    refusal("seL4_InvalidCapability", "the context bank has no VSpace assigned", (kernel, { caps }) =>
      kernel.tables.slot.at(cbNode(kernel, kernel.tables.slot.at(caps[0]!).object)).kind === VSPACE ? undefined : [1n],
    ),
    // Not in seL4, which knows one SMMU: a VMID means nothing on another one.
    refusal("seL4_InvalidCapability", "the context bank belongs to another SMMU", (kernel, { target, caps }) => {
      const { slot } = kernel.tables;
      const same = kernel.plan.sids[slot.at(target).object]!.smmu === kernel.plan.cbs[slot.at(caps[0]!).object]!.smmu;
      return same || !kernel.profile.bindChecksSmmu ? undefined : [1n];
    }),
    refusal("seL4_DeleteFirst", "the stream is bound", (kernel, { target }) => {
      const { slot } = kernel.tables;
      return slot.at(sidNode(kernel, slot.at(target).object)).kind === NULL ? undefined : [];
    }),
  ],
  effect: (kernel, { target, caps }) => {
    const { slot } = kernel.tables;
    const sid = slot.at(target).object;
    const cb = slot.at(caps[0]!).object;
    insertCopy(kernel, caps[0]!, sidNode(kernel, sid));
    kernel.emit(kernel.driver.bindStream(sid, cb, slot.at(cbNode(kernel, cb)).object, kernel.tables.cb.at(cb).cdTable));
  },
});

export const UnbindCB = invocation({
  label: "ARMSIDUnbindCB",
  object: SID,
  says: "Take the stream off its context bank: its transactions abort from now on.",
  caps: [],
  words: [],
  refusals: [
    refusal("seL4_IllegalOperation", "the stream is not bound", (kernel, { target }) => {
      const { slot } = kernel.tables;
      return slot.at(sidNode(kernel, slot.at(target).object)).kind === CB ? undefined : [];
    }),
  ],
  effect: (kernel, { target }) => deleteSlot(kernel, sidNode(kernel, kernel.tables.slot.at(target).object)),
});

/**
 * What the SMMU recorded: sGFSR and the two syndromes (smmu.c `decodeARMSIDControlInvocation`). A kernel does not see
 * devices act, so nothing is recorded here; the answer is what a driver reads from an SMMU without a fault.
 */
export const GetFault = invocation({
  label: "ARMSIDGetFault",
  object: SID_CONTROL,
  says: "Read the SMMU's global fault status and syndrome.",
  unexplored: "it changes nothing",
  caps: [],
  words: [],
  refusals: [],
  effect: () => [0n, 0n, 0n],
});

export const ClearFault = invocation({
  label: "ARMSIDClearFault",
  object: SID_CONTROL,
  says: "Clear the SMMU's global fault status.",
  unexplored: "it changes nothing that a device can tell",
  caps: [],
  words: [],
  refusals: [],
  effect: () => {},
});
