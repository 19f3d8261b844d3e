/**
 * Cache maintenance on pages and VSpaces. The model has no data caches, so these do nothing but refuse as seL4 does
 * (src/arch/arm/64/kernel/vspace.c `decodeARMVSpaceRootInvocation`, `decodeARMFrameInvocation`).
 */
import { NONE } from "../base/state.ts";
import { lookupFaults } from "../../specs/sel4/error.ts";
import { USER_TOP } from "../../specs/sel4/object.ts";
import { FRAME, VSPACE } from "./capability.ts";
import { type Invocation, invocation, refusal } from "./invocation.ts";
import { levelShift } from "./plan.ts";
import { ENTRY_PAGE } from "./state.ts";
import { isLive, isVspaceRoot, vspaceOfAsid, walkEnd } from "./vspace.ts";

const range = [
  { name: "start", of: "count" },
  { name: "end", of: "count" },
] as const;
const rangeInFrame = [
  { name: "start_offset", of: "count" },
  { name: "end_offset", of: "count" },
] as const;
const UNEXPLORED = "the model has no data caches";

const onVspace = (operation: string): Invocation =>
  invocation({
    label: `ARMVSpace${operation}`,
    object: VSPACE,
    says: `${operation.replaceAll("_", " ")} of a range of addresses of a VSpace, within a page.`,
    unexplored: UNEXPLORED,
    caps: [],
    words: range,
    refusals: [
      refusal("seL4_InvalidArgument", "the range is empty", (_, { words }) => (words[1]! <= words[0]! ? [1n] : undefined)),
      refusal("seL4_IllegalOperation", "the range goes beyond what user level may map", (_, { words }) => (words[1]! > USER_TOP ? [] : undefined)),
      refusal("seL4_InvalidCapability", "the VSpace has no ASID", (kernel, { target }) => (isVspaceRoot(kernel, target) ? undefined : [0n])),
      refusal("seL4_FailedLookup", "the VSpace's ASID names nothing any more", (kernel, { target }) => {
        const { asid } = kernel.tables.vspace.at(kernel.tables.slot.at(target).object);
        return vspaceOfAsid(kernel, asid) === NONE ? [0n, lookupFaults.invalidRoot] : undefined;
      }),
      refusal("seL4_InvalidCapability", "the VSpace's ASID names another VSpace", (kernel, { target }) => (isLive(kernel, kernel.tables.slot.at(target).object) ? undefined : [0n])),
      refusal("seL4_RangeError", "the range goes beyond the page of its start", (kernel, { target, words }) => {
        const vspace = kernel.tables.slot.at(target).object;
        const address = kernel.plan.addressOf(words[0]! & ~0xfffn);
        if (address === NONE) return undefined;
        const level = walkEnd(kernel, vspace, address);
        if (kernel.tables.entry.at(kernel.plan.entryAt(vspace, level, address)).kind !== ENTRY_PAGE) return undefined;
        const bits = levelShift(level);
        const first = (words[0]! >> bits) << bits;
        return (words[0]! >> bits) === ((words[1]! - 1n) >> bits) ? undefined : [words[0]!, first + (1n << bits) - 1n];
      }),
    ],
    effect: () => {},
  });

const onFrame = (operation: string): Invocation =>
  invocation({
    label: `ARMPage${operation}`,
    object: FRAME,
    says: `${operation.replaceAll("_", " ")} of a range within a mapped frame.`,
    unexplored: UNEXPLORED,
    caps: [],
    words: rangeInFrame,
    refusals: [
      refusal("seL4_IllegalOperation", "the frame capability is not mapped", (kernel, { target }) => (kernel.tables.slot.at(target).asid === NONE ? [] : undefined)),
      refusal("seL4_FailedLookup", "the ASID that it is mapped under names nothing any more", (kernel, { target }) =>
        vspaceOfAsid(kernel, kernel.tables.slot.at(target).asid) === NONE ? [0n, lookupFaults.invalidRoot] : undefined,
      ),
      refusal("seL4_InvalidArgument", "the range is empty", (_, { words }) => (words[1]! <= words[0]! ? [1n] : undefined)),
      refusal("seL4_InvalidArgument", "the range goes beyond the frame", (kernel, { target, words }) => {
        const size = 1n << BigInt(kernel.plan.pages[kernel.tables.slot.at(target).object]!.bits);
        return words[0]! >= size || words[1]! > size ? [0n] : undefined;
      }),
    ],
    effect: () => {},
  });

const operations = ["Clean_Data", "Invalidate_Data", "CleanInvalidate_Data", "Unify_Instruction"] as const;
export const vspaceMaintenance: readonly Invocation[] = operations.map(onVspace);
export const pageMaintenance: readonly Invocation[] = operations.map(onFrame);
