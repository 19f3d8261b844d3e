/** CNode invocations (seL4 src/object/cnode.c `decodeCNodeInvocation`). The invoked CNode is the destination's root. */
import { NONE } from "../base/state.ts";
import { lookupFaults } from "../../specs/sel4/error.ts";
import { WORD_BITS } from "../../specs/sel4/object.ts";
import { CB_CONTROL, CNODE, FRAME, maskRights, NULL, PAGE_TABLE, SID_CONTROL, UNTYPED, VSPACE } from "./capability.ts";
import { hasChildren, insertCopy, move, slotNamed } from "./cspace.ts";
import { deleteSlot, revoke } from "./deletion.ts";
import { invocation, type Refusal, refusal, type Request, truncated, type WordArgument } from "./invocation.ts";
import type { Kernel } from "./kernel.ts";
import { emptyDestination, lookupRefusals, type SlotAddress } from "./lookup.ts";
import type { SlotRow } from "./state.ts";
import { isAssigned } from "./vspace.ts";

const destination: SlotAddress = ({ target, words }) => [target, words[0]!, words[1]!];
const source: SlotAddress = ({ caps, words }) => [caps[0]!, words[2]!, words[3]!];
const sourceSlot = (kernel: Kernel, request: Request): SlotRow => kernel.tables.slot.at(slotNamed(kernel, ...source(request)));

const destinationWords: WordArgument = { name: "dest_index", of: "emptySlot", root: "target" };
const sourceWords: WordArgument = { name: "src_index", of: "fullSlot", root: 0 };

/** Copy, Mint, Move: destination empty, source found and full. */
const transferRefusals: readonly Refusal[] = [
  truncated(2, 0),
  ...lookupRefusals("destination", destination),
  truncated(4, 1),
  emptyDestination(destination),
  ...lookupRefusals("source", source),
  refusal("seL4_FailedLookup", "the source slot is empty", (kernel, request) =>
    sourceSlot(kernel, request).kind === NULL ? [1n, lookupFaults.missingCapability, request.words[3]!] : undefined,
  ),
];

/** objecttype.c `deriveCap`, `Arch_deriveCap`: what may not be copied. */
const deriveRefusals: readonly Refusal[] = [
  refusal("seL4_RevokeFirst", "an untyped with children cannot be copied", (kernel, request) =>
    sourceSlot(kernel, request).kind === UNTYPED && hasChildren(kernel, slotNamed(kernel, ...source(request))) ? [] : undefined,
  ),
  refusal("seL4_IllegalOperation", "an unmapped page table cannot be copied", (kernel, request) => {
    const slot = sourceSlot(kernel, request);
    return slot.kind === PAGE_TABLE && slot.asid === NONE ? [] : undefined;
  }),
  refusal("seL4_IllegalOperation", "a VSpace without an ASID cannot be copied", (kernel, request) => {
    const slot = sourceSlot(kernel, request);
    return slot.kind === VSPACE && !isAssigned(kernel, slot.object) ? [] : undefined;
  }),
  refusal("seL4_IllegalOperation", "a control capability cannot be copied", (kernel, request) => {
    const { kind } = sourceSlot(kernel, request);
    return kind === SID_CONTROL || kind === CB_CONTROL ? [] : undefined;
  }),
];

/** The copy of a frame carries masked rights and no mapping of its own (`Arch_deriveCap`: capFMappedASID = 0). */
const deriveInto = (rights: bigint) => (copy: SlotRow) => {
  if (copy.kind !== FRAME) return;
  copy.rights = maskRights(copy.rights, rights);
  copy.asid = NONE;
  copy.address = 0;
};

export const Copy = invocation({
  label: "CNodeCopy",
  object: CNODE,
  says: "Copy a capability, perhaps with fewer rights.",
  caps: [{ name: "src_root", of: "cnode" }],
  words: [destinationWords, sourceWords, { name: "rights", of: "rights" }],
  refusals: [...transferRefusals, truncated(5, 1), ...deriveRefusals],
  effect: (kernel, request) =>
    insertCopy(kernel, slotNamed(kernel, ...source(request)), slotNamed(kernel, ...destination(request)), deriveInto(request.words[4]!)),
});

/** CNode capability data: guard size in the low 6 bits, guard above (cnode.c, cnode_capdata). */
export const guardWord = (guard: { readonly size: number; readonly value: bigint }): bigint => (guard.value << 6n) | BigInt(guard.size);
const guardNamed = (kernel: Kernel, word: bigint): number => kernel.plan.guards.findIndex((guard) => guardWord(guard) === word);

export const Mint = invocation({
  label: "CNodeMint",
  object: CNODE,
  says: "Copy a capability with fewer rights or, for a CNode, another guard. A badge on a SID or CB is ignored.",
  caps: [{ name: "src_root", of: "cnode" }],
  words: [destinationWords, sourceWords, { name: "rights", of: "rights" }, { name: "badge", of: "guard" }],
  refusals: [
    ...transferRefusals,
    truncated(6, 1),
    refusal("seL4_IllegalOperation", "the guard does not fit the CNode", (kernel, request) => {
      const slot = sourceSlot(kernel, request);
      if (slot.kind !== CNODE) return undefined;
      return Number(request.words[5]! & 63n) + kernel.plan.cnodes[slot.object]!.radix > WORD_BITS ? [] : undefined;
    }),
    refusal("seL4_InvalidArgument", "the guard is outside the scope of this state", (kernel, request) =>
      sourceSlot(kernel, request).kind === CNODE && guardNamed(kernel, request.words[5]!) < 0 ? [5n] : undefined,
    ),
    ...deriveRefusals,
  ],
  effect: (kernel, request) =>
    insertCopy(kernel, slotNamed(kernel, ...source(request)), slotNamed(kernel, ...destination(request)), (copy) => {
      deriveInto(request.words[4]!)(copy);
      if (copy.kind === CNODE) copy.guard = guardNamed(kernel, request.words[5]!);
    }),
});

export const Move = invocation({
  label: "CNodeMove",
  object: CNODE,
  says: "Move a capability; it keeps its place in the derivation tree.",
  caps: [{ name: "src_root", of: "cnode" }],
  words: [destinationWords, sourceWords],
  refusals: transferRefusals,
  effect: (kernel, request) => move(kernel, slotNamed(kernel, ...source(request)), slotNamed(kernel, ...destination(request))),
});

export const Delete = invocation({
  label: "CNodeDelete",
  object: CNODE,
  says: "Delete a capability; the last one takes its object with it.",
  caps: [],
  words: [{ name: "index", of: "anySlot", root: "target" }],
  refusals: lookupRefusals("destination", destination),
  effect: (kernel, request) => deleteSlot(kernel, slotNamed(kernel, ...destination(request))),
});

export const Revoke = invocation({
  label: "CNodeRevoke",
  object: CNODE,
  says: "Delete everything derived from a capability, the kernel's own copies among it.",
  caps: [],
  words: [{ name: "index", of: "anySlot", root: "target" }],
  refusals: lookupRefusals("destination", destination),
  effect: (kernel, request) => revoke(kernel, slotNamed(kernel, ...destination(request))),
});
