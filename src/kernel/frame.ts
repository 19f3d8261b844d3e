/** Page invocations: frames of 4 KiB, 2 MiB and 1 GiB (seL4 src/arch/arm/64/kernel/vspace.c `decodeARMFrameInvocation`). */
import { NONE } from "../base/state.ts";
import { lookupFaults } from "../../specs/sel4/error.ts";
import { USER_TOP } from "../../specs/sel4/object.ts";
import { FRAME, maskRights, READ_WRITE } from "./capability.ts";
import { CACHEABLE, EXECUTE_NEVER } from "./driver.ts";
import { invocation, type Refusal, refusal, type Request } from "./invocation.ts";
import { type Kernel, keeps } from "./kernel.ts";
import { bitsLeft, isLive, isVspaceRoot, leafLevel, mapPage, unmapPage, vspaceOfAsid, walkEnd } from "./vspace.ts";

/** Bytes of the frame that is invoked, less one. */
const frameMask = (kernel: Kernel, { target }: Request): bigint => (1n << BigInt(kernel.plan.pages[kernel.tables.slot.at(target).object]!.bits)) - 1n;

/** Refusals that every mapping begins with: the capability is a VSpace whose ASID names it. */
export const vspaceRefusals = (cap: number): readonly Refusal[] => [
  refusal("seL4_InvalidCapability", "the capability is no VSpace with an ASID", (kernel, { caps }) => (isVspaceRoot(kernel, caps[cap]!) ? undefined : [BigInt(cap + 1)])),
];
export const asidRefusals = (cap: number): readonly Refusal[] => [
  refusal("seL4_FailedLookup", "the VSpace's ASID names nothing any more", (kernel, { caps }) => {
    const { asid } = kernel.tables.vspace.at(kernel.tables.slot.at(caps[cap]!).object);
    return vspaceOfAsid(kernel, asid) === NONE ? [0n, lookupFaults.invalidRoot] : undefined;
  }),
  refusal("seL4_InvalidCapability", "the VSpace's ASID names another VSpace", (kernel, { caps }) =>
    isLive(kernel, kernel.tables.slot.at(caps[cap]!).object) ? undefined : [BigInt(cap + 1)],
  ),
];

/** libsel4 `seL4_ARM_VMAttributes`: bit 0 cacheable, bit 2 execute-never; the others mean nothing on AArch64. */
const attributesOf = (word: bigint): number => ((word & 1n) === 0n ? 0 : CACHEABLE) | ((word & 4n) === 0n ? 0 : EXECUTE_NEVER);

export const PageMap = invocation({
  label: "ARMPageMap",
  object: FRAME,
  says: "Map a frame, or change the rights of its mapping. An entry that is already valid is replaced.",
  caps: [{ name: "vspace", of: "vspace" }],
  words: [
    { name: "vaddr", of: "address" },
    { name: "rights", of: "rights" },
    { name: "attr", of: "attributes" },
  ],
  refusals: [
    ...vspaceRefusals(0),
    ...asidRefusals(0),
    refusal("seL4_AlignmentError", "the address is not aligned to the frame", (kernel, request) => ((request.words[0]! & frameMask(kernel, request)) === 0n ? undefined : [])),
    refusal("seL4_InvalidCapability", "the frame capability is mapped under another ASID", (kernel, { target, caps }) => {
      const frame = kernel.tables.slot.at(target);
      return frame.asid !== NONE && frame.asid !== kernel.tables.vspace.at(kernel.tables.slot.at(caps[0]!).object).asid ? [1n] : undefined;
    }),
    refusal("seL4_InvalidArgument", "the frame capability is mapped at another address", (kernel, { target, words }) => {
      const frame = kernel.tables.slot.at(target);
      return frame.asid !== NONE && kernel.plan.addresses[frame.address] !== words[0] ? [0n] : undefined;
    }),
    refusal("seL4_InvalidArgument", "the address is beyond what user level may map", (kernel, request) => (request.words[0]! + frameMask(kernel, request) > USER_TOP ? [0n] : undefined)),
    refusal("seL4_InvalidArgument", "the address is outside the scope of this state", (kernel, { words }) => (kernel.plan.addressOf(words[0]!) === NONE ? [0n] : undefined)),
    refusal("seL4_FailedLookup", "a page table on the way is missing, or there is one where the frame would be", (kernel, { target, caps, words }) => {
      const vspace = kernel.tables.slot.at(caps[0]!).object;
      const address = kernel.plan.addressOf(words[0]!);
      const level = leafLevel(kernel.plan.pages[kernel.tables.slot.at(target).object]!.bits);
      return walkEnd(kernel, vspace, address) === level ? undefined : [0n, lookupFaults.missingCapability, bitsLeft(kernel, vspace, address)];
    }),
  ],
  effect: (kernel, { target, caps, words }) => {
    const frame = kernel.tables.slot.at(target);
    const vspace = kernel.tables.slot.at(caps[0]!).object;
    const address = kernel.plan.addressOf(words[0]!);
    frame.asid = kernel.tables.vspace.at(vspace).asid;
    frame.address = address;
    const authority = keeps(kernel, "map-checks-rights") ? frame.rights : READ_WRITE;
    mapPage(kernel, vspace, address, frame.object, maskRights(authority, words[1]!), attributesOf(words[2]!));
  },
});

export const PageUnmap = invocation({
  label: "ARMPageUnmap",
  object: FRAME,
  says: "Undo this capability's mapping. Never fails: what is mapped there by now may be another frame's.",
  caps: [],
  words: [],
  refusals: [],
  effect: (kernel, { target }) => {
    const frame = kernel.tables.slot.at(target);
    const { asid, address, object } = frame;
    frame.asid = NONE;
    frame.address = 0;
    unmapPage(kernel, asid, address, object, "unmap-invalidates");
  },
});

/** The frame's physical address (vspace.c `performPageGetAddress`). */
export const PageGetAddress = invocation({
  label: "ARMPageGetAddress",
  object: FRAME,
  says: "Say where the frame lies in physical memory.",
  unexplored: "it changes nothing",
  caps: [],
  words: [],
  refusals: [],
  effect: (kernel, { target }) => [kernel.plan.pages[kernel.tables.slot.at(target).object]!.pa],
});
