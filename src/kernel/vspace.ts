/**
 * VSpaces: what the kernel's tables say, and how an entry is made and removed (seL4 src/arch/arm/64/kernel/vspace.c:
 * lookupPTSlot, findVSpaceForASID, unmapPage, unmapPageTable, deleteASID).
 *
 * The entry table is the kernel's belief by position (VSpace, level, prefix). The bits themselves are stores that the
 * driver makes; that both agree is the refinement property, checked from outside.
 */
import { NONE } from "../base/state.ts";
import { asidNumber, forEachBankOfAsid, isNested } from "./binding.ts";
import { VSPACE } from "./capability.ts";
import { type Kernel, keeps } from "./kernel.ts";
import { canonicalAddress, LEVELS, levelShift } from "./plan.ts";
import type { Safeguard } from "./profile.ts";
import { ENTRY_INVALID, ENTRY_PAGE, ENTRY_TABLE } from "./state.ts";

/** vspace.c `findVSpaceForASID`: the VSpace that an ASID names now, or NONE. */
export const vspaceOfAsid = (kernel: Kernel, asid: number): number => (asid === NONE ? NONE : kernel.tables.asid.at(asid).vspace);

/** vspace.c `isValidNativeRoot`: the VSpace was given an ASID. */
export const isAssigned = (kernel: Kernel, vspace: number): boolean => kernel.tables.vspace.at(vspace).asid !== NONE;

/** A capability to a VSpace that was given an ASID. */
export const isVspaceRoot = (kernel: Kernel, row: number): boolean => {
  const slot = kernel.tables.slot.at(row);
  return slot.kind === VSPACE && isAssigned(kernel, slot.object);
};

/** The VSpace's ASID still names it. */
export const isLive = (kernel: Kernel, vspace: number): boolean => vspaceOfAsid(kernel, kernel.tables.vspace.at(vspace).asid) === vspace;

/** The level at which a frame of 2^bits bytes is a leaf. */
export const leafLevel = (bits: number): number => LEVELS - 1 - (bits - 12) / 9;

/** The page of the table that translates `address` at `level`; or, when a table above is missing, -1 - its level. */
export const tableAt = (kernel: Kernel, vspace: number, address: number, level: number): number => {
  let page = kernel.plan.vspaces[vspace]!.page;
  for (let at = 0; at < level; at++) {
    const entry = kernel.tables.entry.at(kernel.plan.entryAt(vspace, at, address));
    if (entry.kind !== ENTRY_TABLE) return -1 - at;
    page = entry.page;
  }
  return page;
};

/** The level at which a walk for `address` ends: the first whose entry is no table. */
export const walkEnd = (kernel: Kernel, vspace: number, address: number): number => {
  for (let level = 0; level < LEVELS - 1; level++)
    if (kernel.tables.entry.at(kernel.plan.entryAt(vspace, level, address)).kind !== ENTRY_TABLE) return level;
  return LEVELS - 1;
};

/** What is invalidated when an entry goes: one leaf, or everything that was reached through a table. */
const invalidate = (kernel: Kernel, vspace: number, level: number, address: number, table: boolean): void => {
  const at = kernel.plan.entryAt(vspace, level, address);
  const asid = asidNumber(kernel, vspace);
  forEachBankOfAsid(kernel, kernel.tables.vspace.at(vspace).asid, vspace, (cb) => {
    // TLBI_S2_IPA reaches only entries used for that one IPA (IHI 0070 "TLB invalidation"); leaves of the other pages
    // below a table would stay cached, so a table takes the whole VMID.
    if (!table) kernel.emit(kernel.driver.invalidateIpa(cb, at, true, asid, isNested(kernel, cb)));
    else if (keeps(kernel, "table-invalidates-everything-below")) kernel.emit(kernel.driver.invalidateBank(cb, asid));
    else kernel.emit(kernel.driver.invalidateIpa(cb, at, false, asid, isNested(kernel, cb)));
  });
};

/**
 * Writes a leaf. Over a valid entry: break, invalidate, make (DDI 0487 "break-before-make"). Upstream makes, then
 * invalidates (vspace.c `performPageInvocationMap`).
 */
export const mapPage = (kernel: Kernel, vspace: number, address: number, page: number, rights: number, attributes: number): void => {
  const level = leafLevel(kernel.plan.pages[page]!.bits);
  const row = kernel.plan.entryAt(vspace, level, address);
  const entry = kernel.tables.entry.at(row);
  const table = tableAt(kernel, vspace, address, level);
  const replaces = entry.kind !== ENTRY_INVALID && keeps(kernel, "map-breaks-before-make") && (entry.page !== page || keeps(kernel, "remap-invalidates"));
  const breaks = kernel.profile.breakBeforeMake;
  if (replaces && breaks) {
    kernel.emit(kernel.driver.clearEntry(table, row));
    invalidate(kernel, vspace, level, address, false);
  }
  entry.kind = ENTRY_PAGE;
  entry.page = page;
  entry.rights = rights;
  kernel.emit(kernel.driver.writePage(table, row, page, rights, attributes));
  if (replaces && !breaks) invalidate(kernel, vspace, level, address, false);
};

/** Points the first missing entry on the way to `address` at a table. */
export const mapTable = (kernel: Kernel, vspace: number, address: number, page: number): void => {
  const level = walkEnd(kernel, vspace, address);
  const row = kernel.plan.entryAt(vspace, level, address);
  const entry = kernel.tables.entry.at(row);
  entry.kind = ENTRY_TABLE;
  entry.page = page;
  entry.rights = 0;
  kernel.emit(kernel.driver.writeTable(tableAt(kernel, vspace, address, level), row, page));
};

const forget = (kernel: Kernel, row: number): void => {
  const entry = kernel.tables.entry.at(row);
  entry.kind = ENTRY_INVALID;
  entry.page = 0;
  entry.rights = 0;
};

/**
 * vspace.c `unmapPage`: silently does nothing when the ASID names no VSpace, a table on the way is missing, or another
 * page is mapped there by now. `safeguard` names the mutant that forgets the invalidation on this path.
 */
export const unmapPage = (kernel: Kernel, asid: number, address: number, page: number, safeguard: Safeguard): void => {
  const vspace = vspaceOfAsid(kernel, asid);
  if (vspace === NONE) return;
  const level = leafLevel(kernel.plan.pages[page]!.bits);
  const table = tableAt(kernel, vspace, address, level);
  if (table < 0) return;
  const row = kernel.plan.entryAt(vspace, level, address);
  const entry = kernel.tables.entry.at(row);
  if (entry.kind !== ENTRY_PAGE || entry.page !== page) return;
  forget(kernel, row);
  kernel.emit(kernel.driver.clearEntry(table, row));
  if (keeps(kernel, safeguard)) invalidate(kernel, vspace, level, address, false);
};

/** vspace.c `unmapPageTable`: finds the entry that points at this table, clears it, and forgets all that was below. */
export const unmapTable = (kernel: Kernel, asid: number, address: number, page: number): void => {
  const vspace = vspaceOfAsid(kernel, asid);
  if (vspace === NONE) return;
  for (let level = 0; level < LEVELS - 1; level++) {
    const row = kernel.plan.entryAt(vspace, level, address);
    const entry = kernel.tables.entry.at(row);
    if (entry.kind !== ENTRY_TABLE) return;
    if (entry.page !== page) continue;
    kernel.emit(kernel.driver.clearEntry(tableAt(kernel, vspace, address, level), row));
    forget(kernel, row);
    for (const below of kernel.plan.below(row)) forget(kernel, below);
    if (keeps(kernel, "table-delete-invalidates")) invalidate(kernel, vspace, level, address, true);
    return;
  }
};

/** Where a page-table capability says it is mapped, after mapTable at `address`. */
export const tableAddress = (kernel: Kernel, vspace: number, address: number): number =>
  canonicalAddress(kernel.plan, vspace, walkEnd(kernel, vspace, address), address);

/** Bits of the address below an entry at the level where the walk for `address` ends. */
export const bitsLeft = (kernel: Kernel, vspace: number, address: number): bigint => levelShift(walkEnd(kernel, vspace, address));

/**
 * vspace.c `deleteASID`, and what is left of the VSpace: nothing. No bank can name it any more: its copy in CBNode would
 * have been another capability to it, so this one would not have been the last (design D7 (b) follows from finality).
 */
export const clearVspace = (kernel: Kernel, vspace: number): void => {
  const { asid } = kernel.tables.vspace.at(vspace);
  if (vspaceOfAsid(kernel, asid) === vspace) {
    const entry = kernel.tables.asid.at(asid);
    if (keeps(kernel, "vspace-delete-frees-asid")) entry.vspace = NONE;
    entry.banks = 0;
  }
  kernel.tables.vspace.at(vspace).asid = NONE;
  kernel.tables.entry.forEach((_, row) => {
    if (kernel.plan.entries[row]!.vspace === vspace) forget(kernel, row);
  });
};
