/**
 * Cache maintenance on pages and VSpaces. The model has no data caches, so these do nothing but refuse as seL4 does
 * (src/arch/arm/64/kernel/vspace.c `decodeARMVSpaceRootInvocation`, `decodeARMFrameInvocation`).
 */
import { NONE } from "../base/state.ts";
import { lookupFaults } from "../../specs/sel4/error.ts";
import { USER_TOP } from "../../specs/sel4/object.ts";
import { FRAME, READ_WRITE, VSPACE } from "./capability.ts";
import { type Invocation, invocation, refusal } from "./invocation.ts";
import type { Kernel } from "./kernel.ts";
import { levelShift } from "./plan.ts";
import { ENTRY_PAGE } from "./state.ts";
import { isLive, isVspaceRoot, leafLevel, vspaceOfAsid, walkEnd } from "./vspace.ts";

const range = [
  { name: "start", of: "count" },
  { name: "end", of: "count" },
] as const;
const rangeInFrame = [
  { name: "start_offset", of: "count" },
  { name: "end_offset", of: "count" },
] as const;
const UNEXPLORED = "the model has no data caches";

/** Physical addresses from here on are outside the kernel's window of a hypervisor (hardware.h PPTR_TOP, hyp). */
const PADDR_TOP = 0x7f_c000_0000n;
/** At EL1 maintenance goes through the user's mapping, which must then be there, and allow writes where data are discarded. */
const INVALIDATE = "Invalidate_Data";
const atEl1 = (kernel: Kernel): boolean => kernel.profile.vspaces === "stage 1";
/** The page-table entry where a walk for an address ends. */
const entryFor = (kernel: Kernel, vspace: number, address: number) => kernel.tables.entry.at(kernel.plan.entryAt(vspace, walkEnd(kernel, vspace, address), address));

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
      refusal("seL4_IllegalOperation", "at EL1, data cannot be discarded through a mapping without write rights", (kernel, { target, words }) => {
        const address = kernel.plan.addressOf(words[0]! & ~0xfffn);
        if (operation !== INVALIDATE || !atEl1(kernel) || address === NONE) return undefined;
        const { kind, rights } = entryFor(kernel, kernel.tables.slot.at(target).object, address);
        return kind === ENTRY_PAGE && rights !== READ_WRITE ? [] : undefined;
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
      refusal("seL4_IllegalOperation", "as a hypervisor, the range is outside the kernel's window", (kernel, { target, words }) => {
        const { pa } = kernel.plan.pages[kernel.tables.slot.at(target).object]!;
        return !atEl1(kernel) && pa + words[1]! > PADDR_TOP ? [] : undefined;
      }),
      refusal("seL4_InvalidCapability", "at EL1, another frame is mapped there by now, or none", (kernel, { target }) => {
        const { asid, address, object } = kernel.tables.slot.at(target);
        if (!atEl1(kernel)) return undefined;
        const vspace = vspaceOfAsid(kernel, asid);
        const { kind, page } = entryFor(kernel, vspace, address);
        const level = leafLevel(kernel.plan.pages[object]!.bits);
        return kind === ENTRY_PAGE && page === object && walkEnd(kernel, vspace, address) === level ? undefined : [0n];
      }),
      refusal("seL4_IllegalOperation", "at EL1, data cannot be discarded through a mapping without write rights", (kernel, { target }) => {
        const { asid, address } = kernel.tables.slot.at(target);
        if (operation !== INVALIDATE || !atEl1(kernel)) return undefined;
        return entryFor(kernel, vspaceOfAsid(kernel, asid), address).rights === READ_WRITE ? undefined : [];
      }),
    ],
    effect: () => {},
  });

const operations = ["Clean_Data", "Invalidate_Data", "CleanInvalidate_Data", "Unify_Instruction"] as const;
export const vspaceMaintenance: readonly Invocation[] = operations.map(onVspace);
export const pageMaintenance: readonly Invocation[] = operations.map(onFrame);
