/**
 * SID: the right to say where a stream goes (seL4 src/arch/arm/object/smmu.c). The binding is the kernel's copy of a CB
 * capability in SIDNode[sid], so unbinding is deleting that copy (design D3).
 */
import { cbNode, sidNode } from "./binding.ts";
import { CB, NULL, SID, SID_CONTROL, VSPACE } from "./capability.ts";
import { insertCopy, insertNew, slotNamed } from "./cspace.ts";
import { deleteSlot } from "./deletion.ts";
import { invocation, refusal } from "./invocation.ts";
import type { Kernel } from "./kernel.ts";
import { emptyDestination, lookupRefusals } from "./lookup.ts";

/** The word that names a stream: the SMMU's index above the 32-bit StreamID. */
export const streamWord = (kernel: Pick<Kernel, "plan">, sid: number): bigint =>
  (BigInt(kernel.plan.sids[sid]!.smmu) << 32n) | BigInt(kernel.plan.sids[sid]!.sid);
const streamNamed = (kernel: Kernel, word: bigint): number => kernel.plan.sids.findIndex((_, sid) => streamWord(kernel, sid) === word);
const streamLimit = (kernel: Kernel, word: bigint): bigint => 1n << BigInt(kernel.plan.smmus[Number(word >> 32n)]?.log2Size ?? 0);

export const GetSID = invocation({
  label: "ARMSIDIssueSIDManager",
  object: SID_CONTROL,
  says: "Issue the capability of a stream that has none.",
  caps: [{ name: "root", of: "cnode" }],
  words: [
    { name: "sid", of: "stream" },
    { name: "index", of: "emptySlot", root: 0 },
  ],
  refusals: [
    refusal("seL4_RangeError", "the StreamID is beyond the stream table", (kernel, { words }) =>
      (words[0]! & 0xffffffffn) >= streamLimit(kernel, words[0]!) ? [0n, streamLimit(kernel, words[0]!) - 1n] : undefined,
    ),
    refusal("seL4_RevokeFirst", "the stream's capability has been issued", (kernel, { words }) => {
      const sid = streamNamed(kernel, words[0]!);
      return sid >= 0 && kernel.tables.sid.at(sid).issued === 1 ? [] : undefined;
    }),
    refusal("seL4_InvalidArgument", "the stream is outside the layout", (kernel, { words }) => (streamNamed(kernel, words[0]!) < 0 ? [0n] : undefined)),
    ...lookupRefusals("destination", ({ caps, words }) => [caps[0]!, words[1]!, words[2]!]),
    emptyDestination(({ caps, words }) => [caps[0]!, words[1]!, words[2]!]),
  ],
  effect: (kernel, { target, caps, words }) => {
    const sid = streamNamed(kernel, words[0]!);
    kernel.tables.sid.at(sid).issued = 1;
    insertNew(kernel, target, slotNamed(kernel, caps[0]!, words[1]!, words[2]!), SID, sid);
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
      return kernel.plan.sids[slot.at(target).object]!.smmu === kernel.plan.cbs[slot.at(caps[0]!).object]!.smmu ? undefined : [1n];
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
    kernel.emit(kernel.driver.routeStream(sid, cb, slot.at(cbNode(kernel, cb)).object));
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
