/** PageTable invocations (seL4 src/arch/arm/64/kernel/vspace.c `decodeARMPageTableInvocation`). */
import { NONE } from "../base/state.ts";
import { PAGE_BYTES } from "../base/words.ts";
import { USER_TOP } from "../../specs/sel4/object.ts";
import { PAGE_TABLE } from "./capability.ts";
import { isFinal } from "./cspace.ts";
import { invocation, refusal } from "./invocation.ts";
import { LEVELS } from "./plan.ts";
import { asidRefusals, vspaceRefusals } from "./frame.ts";
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
    refusal("seL4_InvalidCapability", "the page table is mapped", (kernel, { target }) => (kernel.tables.slot.at(target).asid === NONE ? undefined : [0n])),
    ...vspaceRefusals(0),
    refusal("seL4_InvalidArgument", "the address is beyond what user level may map", (_, { words }) => (words[0]! > USER_TOP ? [0n] : undefined)),
    ...asidRefusals(0),
    refusal("seL4_InvalidArgument", "the address is outside the scope of this state", (kernel, { words }) => (kernel.plan.addressOf(pageAligned(words[0]!)) === NONE ? [0n] : undefined)),
    refusal("seL4_DeleteFirst", "every table for this address is there", (kernel, { caps, words }) => {
      const vspace = kernel.tables.slot.at(caps[0]!).object;
      const address = kernel.plan.addressOf(pageAligned(words[0]!));
      const level = walkEnd(kernel, vspace, address);
      return level === LEVELS - 1 || kernel.tables.entry.at(kernel.plan.entryAt(vspace, level, address)).kind !== ENTRY_INVALID ? [] : undefined;
    }),
  ],
  effect: (kernel, { target, caps, words }) => {
    const table = kernel.tables.slot.at(target);
    const vspace = kernel.tables.slot.at(caps[0]!).object;
    const address = kernel.plan.addressOf(pageAligned(words[0]!));
    table.asid = kernel.tables.vspace.at(vspace).asid;
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
    const { asid, address, object } = table;
    if (asid === NONE) return;
    table.asid = NONE;
    table.address = 0;
    unmapTable(kernel, asid, address, object);
    const { pa, name } = kernel.plan.pages[object]!;
    kernel.emit(kernel.driver.clearMemory(pa, PAGE_BYTES, name));
  },
});
