/** CNode invocations (seL4 src/object/cnode.c `decodeCNodeInvocation`). The invoked CNode is the destination's root. */
import { NONE } from "../base/state.ts";
import { lookupFaults } from "../../specs/sel4/error.ts";
import { WORD_BITS } from "../../specs/sel4/object.ts";
import { CB_CONTROL, CNODE, ENDPOINT, FRAME, IRQ_CONTROL, maskRights, NOTIFICATION, NULL, PAGE_TABLE, READ_WRITE, REPLY, SID_CONTROL, UNTYPED, VSPACE } from "./capability.ts";
import { hasChildren, insertCopy, move, slotNamed, swap } from "./cspace.ts";
import { deleteSlot, revoke } from "./deletion.ts";
import { invocation, type Refusal, refusal, type Request, truncated, type WordArgument } from "./invocation.ts";
import { type Kernel, keeps } from "./kernel.ts";
import { emptyDestination, lookupRefusals, type SlotAddress } from "./lookup.ts";
import type { Guard } from "./plan.ts";
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

/** What never derives: the copy would be a null capability. */
const UNDERIVED = new Set([SID_CONTROL, CB_CONTROL, IRQ_CONTROL, REPLY]);

/** objecttype.c `deriveCap`, `Arch_deriveCap`: what may not be copied. */
const deriveRefusals: readonly Refusal[] = [
  refusal("seL4_RevokeFirst", "an untyped with children cannot be copied", (kernel, request) =>
    sourceSlot(kernel, request).kind === UNTYPED && hasChildren(kernel, slotNamed(kernel, ...source(request))) ? [] : undefined,
  ),
  refusal("seL4_IllegalOperation", "an unmapped page table cannot be copied", (kernel, request) => {
    const slot = sourceSlot(kernel, request);
    return slot.kind === PAGE_TABLE && slot.asid === NONE && keeps(kernel, "tables-copied-mapped") ? [] : undefined;
  }),
  refusal("seL4_IllegalOperation", "a VSpace without an ASID cannot be copied", (kernel, request) => {
    const slot = sourceSlot(kernel, request);
    return slot.kind === VSPACE && !isAssigned(kernel, slot.object) ? [] : undefined;
  }),
  refusal("seL4_IllegalOperation", "a control or reply capability cannot be copied", (kernel, request) => (UNDERIVED.has(sourceSlot(kernel, request).kind) ? [] : undefined)),
];

/** The copy of a frame carries masked rights and no mapping of its own (`Arch_deriveCap`: capFMappedASID = 0). */
const deriveInto = (kernel: Kernel, rights: bigint) => (copy: SlotRow) => {
  if (copy.kind === ENDPOINT) copy.rights &= Number(rights & 15n);
  // objecttype.c `maskCapRights`: a notification is sent to or received from; it has nothing to grant.
  if (copy.kind === NOTIFICATION) copy.rights &= Number(rights & 3n) | 12;
  if (copy.kind !== FRAME) return;
  copy.rights = maskRights(keeps(kernel, "copy-masks-rights") ? copy.rights : READ_WRITE, rights);
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
    insertCopy(kernel, slotNamed(kernel, ...source(request)), slotNamed(kernel, ...destination(request)), deriveInto(kernel, request.words[4]!)),
});

/** CNode capability data: guard size in the low 6 bits, guard above (cnode.c, cnode_capdata). */
export const guardWord = (guard: Guard): bigint => (guard.value << 6n) | BigInt(guard.size);
/** objecttype.c `updateCapData`: of a guard as many bits count as its size says. */
export const guardIn = (word: bigint): Guard => {
  const size = Number(word & 63n);
  return { size, value: (word >> 6n) & ((1n << BigInt(size)) - 1n) };
};

const isBadged = ({ kind }: SlotRow): boolean => kind === ENDPOINT || kind === NOTIFICATION;

/**
 * objecttype.c `updateCapData`: why a capability does not take this data word. `preserve` is true where the capability
 * moves, and then a badge is never given.
 */
const dataRefusals = (slotOf: (kernel: Kernel, request: Request) => SlotRow, word: number, preserve: boolean): readonly Refusal[] => [
  refusal("seL4_IllegalOperation", preserve ? "an endpoint or notification keeps its badge" : "the endpoint or notification has a badge", (kernel, request) => {
    const slot = slotOf(kernel, request);
    return isBadged(slot) && (preserve || kernel.plan.badges[slot.badge] !== 0n) ? [] : undefined;
  }),
  refusal("seL4_IllegalOperation", "the guard does not fit the CNode", (kernel, request) => {
    const slot = slotOf(kernel, request);
    return slot.kind === CNODE && guardIn(request.words[word]!).size + kernel.plan.cnodes[slot.object]!.radix > WORD_BITS ? [] : undefined;
  }),
  refusal("seL4_InvalidArgument", "the guard is outside the scope of this state", (kernel, request) =>
    slotOf(kernel, request).kind === CNODE && kernel.plan.guardOf(guardIn(request.words[word]!)) === NONE ? [BigInt(word)] : undefined,
  ),
];
/** Gives a capability its data: a CNode its guard, an endpoint or notification its badge. */
const update = (kernel: Kernel, slot: SlotRow, word: bigint): void => {
  if (slot.kind === CNODE) slot.guard = kernel.plan.guardOf(guardIn(word));
  else if (isBadged(slot)) slot.badge = kernel.plan.badgeOf(word);
};

export const Mint = invocation({
  label: "CNodeMint",
  object: CNODE,
  says: "Copy a capability with fewer rights and, for a CNode, another guard, for an endpoint or notification, a badge. A badge on a SID or CB is ignored.",
  caps: [{ name: "src_root", of: "cnode" }],
  words: [destinationWords, sourceWords, { name: "rights", of: "rights" }, { name: "badge", of: "guard" }],
  refusals: [...transferRefusals, truncated(6, 1), ...dataRefusals(sourceSlot, 5, false), ...deriveRefusals],
  effect: (kernel, request) =>
    insertCopy(kernel, slotNamed(kernel, ...source(request)), slotNamed(kernel, ...destination(request)), (copy) => {
      deriveInto(kernel, request.words[4]!)(copy);
      update(kernel, copy, request.words[5]!);
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

export const Mutate = invocation({
  label: "CNodeMutate",
  object: CNODE,
  says: "Move a capability and give a CNode another guard.",
  unexplored: "it moves a capability, which Move does, and renames slots",
  caps: [{ name: "src_root", of: "cnode" }],
  words: [destinationWords, sourceWords, { name: "badge", of: "guard" }],
  refusals: [...transferRefusals, truncated(5, 1), ...dataRefusals(sourceSlot, 4, true)],
  effect: (kernel, request) => {
    const to = slotNamed(kernel, ...destination(request));
    move(kernel, slotNamed(kernel, ...source(request)), to);
    update(kernel, kernel.tables.slot.at(to), request.words[4]!);
  },
});

const pivot: SlotAddress = ({ caps, words }) => [caps[0]!, words[3]!, words[4]!];
const rotated: SlotAddress = ({ caps, words }) => [caps[1]!, words[6]!, words[7]!];
const rowAt =
  (address: SlotAddress) =>
  (kernel: Kernel, request: Request): number =>
    slotNamed(kernel, ...address(request));
const slotAt =
  (address: SlotAddress) =>
  (kernel: Kernel, request: Request): SlotRow =>
    kernel.tables.slot.at(rowAt(address)(kernel, request));
const rows = (kernel: Kernel, request: Request) => [rowAt(destination)(kernel, request), rowAt(pivot)(kernel, request), rowAt(rotated)(kernel, request)] as const;

export const Rotate = invocation({
  label: "CNodeRotate",
  object: CNODE,
  says: "Move the capability of the pivot to the destination, and that of the source to the pivot; a destination that is the source swaps both.",
  unexplored: "it moves capabilities, which Move does, and renames slots",
  caps: [
    { name: "pivot_root", of: "cnode" },
    { name: "src_root", of: "cnode" },
  ],
  words: [
    { name: "dest_index", of: "anySlot", root: "target" },
    { name: "dest_badge", of: "guard" },
    { name: "pivot_index", of: "fullSlot", root: 0 },
    { name: "pivot_badge", of: "guard" },
    { name: "src_index", of: "fullSlot", root: 1 },
  ],
  refusals: [
    truncated(2, 0),
    ...lookupRefusals("destination", destination),
    truncated(8, 2),
    ...lookupRefusals("source", rotated),
    ...lookupRefusals("source", pivot, "pivot"),
    refusal("seL4_IllegalOperation", "the pivot is the source or the destination", (kernel, request) => {
      const [to, middle, from] = rows(kernel, request);
      return middle === from || middle === to ? [] : undefined;
    }),
    refusal("seL4_DeleteFirst", "the destination is neither empty nor the source", (kernel, request) => {
      const [to, , from] = rows(kernel, request);
      return to === from || kernel.tables.slot.at(to).kind === NULL ? undefined : [];
    }),
    refusal("seL4_FailedLookup", "the source slot is empty", (kernel, request) =>
      slotAt(rotated)(kernel, request).kind === NULL ? [1n, lookupFaults.missingCapability, request.words[7]!] : undefined,
    ),
    refusal("seL4_FailedLookup", "the pivot slot is empty", (kernel, request) =>
      slotAt(pivot)(kernel, request).kind === NULL ? [0n, lookupFaults.missingCapability, request.words[4]!] : undefined,
    ),
    ...dataRefusals(slotAt(rotated), 5, true),
    ...dataRefusals(slotAt(pivot), 2, true),
  ],
  effect: (kernel, request) => {
    const [to, middle, from] = rows(kernel, request);
    const { slot } = kernel.tables;
    if (to === from) swap(kernel, from, middle);
    else {
      move(kernel, middle, to);
      move(kernel, from, middle);
    }
    update(kernel, slot.at(to), request.words[2]!);
    update(kernel, slot.at(middle), request.words[5]!);
  },
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
