/** Page invocations: 4 KiB frames at stage 2 (seL4 src/arch/arm/64/kernel/vspace.c `decodeARMFrameInvocation`). */
import { lookupFaults } from "../../specs/sel4/error.ts";
import { USER_TOP } from "../../specs/sel4/object.ts";
import { FRAME, maskRights, READ_WRITE, VSPACE } from "./capability.ts";
import { invocation, refusal, type Request } from "./invocation.ts";
import { type Kernel, keeps } from "./kernel.ts";
import { addressIndex, hasAddress, LEVELS, levelShift } from "./plan.ts";
import { mapPage, unmapPage, walkEnd } from "./vspace.ts";

const PAGE_MASK = 0xfffn;

/** The level whose entry is missing on the way to the leaf, or undefined when the leaf table is there. */
const missingLevel = (kernel: Kernel, request: Request): number | undefined => {
  const vspace = kernel.tables.slot.at(request.caps[0]!).object;
  const address = addressIndex(kernel.plan, request.words[0]!);
  const level = walkEnd(kernel, vspace, address);
  return level === LEVELS - 1 ? undefined : level;
};

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
    refusal("seL4_InvalidCapability", "the capability is no VSpace", (kernel, { caps }) => (kernel.tables.slot.at(caps[0]!).kind === VSPACE ? undefined : [1n])),
    refusal("seL4_FailedLookup", "the VSpace's ASID names it no more", (kernel, { caps }) =>
      kernel.tables.vspace.at(kernel.tables.slot.at(caps[0]!).object).live === 1 ? undefined : [0n, lookupFaults.invalidRoot],
    ),
    refusal("seL4_AlignmentError", "the address is not page aligned", (_, { words }) => ((words[0]! & PAGE_MASK) === 0n ? undefined : [])),
    refusal("seL4_InvalidCapability", "the frame capability is mapped in another VSpace", (kernel, { target, caps }) => {
      const frame = kernel.tables.slot.at(target);
      return frame.vspace >= 0 && frame.vspace !== kernel.tables.slot.at(caps[0]!).object ? [1n] : undefined;
    }),
    refusal("seL4_InvalidArgument", "the frame capability is mapped at another address", (kernel, { target, words }) => {
      const frame = kernel.tables.slot.at(target);
      return frame.vspace >= 0 && kernel.plan.addresses[frame.address] !== words[0] ? [0n] : undefined;
    }),
    refusal("seL4_InvalidArgument", "the address is beyond what user level may map", (_, { words }) => (words[0]! + PAGE_MASK > USER_TOP ? [0n] : undefined)),
    refusal("seL4_InvalidArgument", "the address is outside the scope of this state", (kernel, { words }) => (hasAddress(kernel.plan, words[0]!) ? undefined : [0n])),
    refusal("seL4_FailedLookup", "a page table on the way is missing", (kernel, request) => {
      const level = missingLevel(kernel, request);
      return level === undefined ? undefined : [0n, lookupFaults.missingCapability, levelShift(level)];
    }),
  ],
  effect: (kernel, { target, caps, words }) => {
    const frame = kernel.tables.slot.at(target);
    const vspace = kernel.tables.slot.at(caps[0]!).object;
    const address = addressIndex(kernel.plan, words[0]!);
    frame.vspace = vspace;
    frame.address = address;
    const authority = keeps(kernel, "map-checks-rights") ? frame.rights : READ_WRITE;
    mapPage(kernel, vspace, address, frame.object, maskRights(authority, words[1]!));
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
    const { vspace, address, object } = frame;
    frame.vspace = -1;
    frame.address = 0;
    unmapPage(kernel, vspace, address, object, "unmap-invalidates");
  },
});
