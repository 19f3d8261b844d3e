/** PageTable invocations (seL4 src/arch/arm/64/kernel/vspace.c `decodeARMPageTableInvocation`). */
import { lookupFaults } from "../../specs/sel4/error.ts";
import { USER_TOP } from "../../specs/sel4/object.ts";
import { PAGE_TABLE, VSPACE } from "./capability.ts";
import { isFinal } from "./cspace.ts";
import { invocation, refusal } from "./invocation.ts";
import { addressIndex, hasAddress, LEVELS } from "./plan.ts";
import { ENTRY_INVALID } from "./state.ts";
import { mapTable, tableAddress, unmapTable, walkEnd } from "./vspace.ts";

const pageAligned = (address: bigint): bigint => address & ~0xfffn;

export const PageTableMap = invocation({
  label: "ARMPageTableMap",
  object: PAGE_TABLE,
  says: "Fill the first missing level on the way to an address with this table.",
  caps: [{ name: "vspace", of: "vspace" }],
  words: [
    { name: "vaddr", of: "address" },
    { name: "attr", of: "attributes" },
  ],
  refusals: [
    refusal("seL4_InvalidCapability", "the page table is mapped", (kernel, { target }) => (kernel.tables.slot.at(target).vspace >= 0 ? [0n] : undefined)),
    refusal("seL4_InvalidCapability", "the capability is no VSpace", (kernel, { caps }) => (kernel.tables.slot.at(caps[0]!).kind === VSPACE ? undefined : [1n])),
    refusal("seL4_InvalidArgument", "the address is beyond what user level may map", (_, { words }) => (words[0]! > USER_TOP ? [0n] : undefined)),
    refusal("seL4_FailedLookup", "the VSpace's ASID names it no more", (kernel, { caps }) =>
      kernel.tables.vspace.at(kernel.tables.slot.at(caps[0]!).object).live === 1 ? undefined : [0n, lookupFaults.invalidRoot],
    ),
    refusal("seL4_InvalidArgument", "the address is outside the scope of this state", (kernel, { words }) => (hasAddress(kernel.plan, pageAligned(words[0]!)) ? undefined : [0n])),
    refusal("seL4_DeleteFirst", "every table for this address is there", (kernel, { caps, words }) => {
      const vspace = kernel.tables.slot.at(caps[0]!).object;
      const address = addressIndex(kernel.plan, pageAligned(words[0]!));
      const level = walkEnd(kernel, vspace, address);
      return level === LEVELS - 1 || kernel.tables.entry.at(kernel.plan.entryAt(vspace, level, address)).kind !== ENTRY_INVALID ? [] : undefined;
    }),
  ],
  effect: (kernel, { target, caps, words }) => {
    const table = kernel.tables.slot.at(target);
    const vspace = kernel.tables.slot.at(caps[0]!).object;
    const address = addressIndex(kernel.plan, pageAligned(words[0]!));
    table.vspace = vspace;
    table.address = tableAddress(kernel, vspace, address);
    mapTable(kernel, vspace, address, table.object);
  },
});

export const PageTableUnmap = invocation({
  label: "ARMPageTableUnmap",
  object: PAGE_TABLE,
  says: "Take this table out of its VSpace and clear it.",
  caps: [],
  words: [],
  refusals: [refusal("seL4_RevokeFirst", "other capabilities to this table exist", (kernel, { target }) => (isFinal(kernel, target) ? undefined : []))],
  effect: (kernel, { target }) => {
    const table = kernel.tables.slot.at(target);
    const { vspace, address, object } = table;
    if (vspace < 0) return;
    table.vspace = -1;
    table.address = 0;
    unmapTable(kernel, vspace, address, object);
    kernel.emit(kernel.driver.clearMemory(object, 1));
  },
});
