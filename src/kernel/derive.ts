/**
 * Deriving: what a copy of a capability that the kernel makes for itself or for a receiver says, or why there is none
 * (seL4 src/object/objecttype.c `deriveCap`; src/arch/arm/64/object/objecttype.c `Arch_deriveCap`).
 */
import type { ErrorName } from "../../specs/sel4/error.ts";
import { NONE } from "../base/state.ts";
import { CB_CONTROL, FRAME, IRQ_CONTROL, NULL, PAGE_TABLE, REPLY, SID_CONTROL, UNTYPED, VSPACE } from "./capability.ts";
import { hasChildren, insertCopy } from "./cspace.ts";
import type { Kernel } from "./kernel.ts";
import type { SlotRow } from "./state.ts";
import { isAssigned } from "./vspace.ts";

/** The copy would be a null capability, which is no error of deriving: who wants the copy says what follows. */
const UNDERIVED = new Set([NULL, SID_CONTROL, CB_CONTROL, IRQ_CONTROL, REPLY]);

/** The error of deriving from a slot, `null` where the copy would be a null capability, undefined where there is a copy. */
export const derivingFails = (kernel: Kernel, row: number): ErrorName | "null" | undefined => {
  const slot = kernel.tables.slot.at(row);
  if (slot.kind === UNTYPED && hasChildren(kernel, row)) return "seL4_RevokeFirst";
  if (slot.kind === PAGE_TABLE && slot.asid === NONE) return "seL4_IllegalOperation";
  if (slot.kind === VSPACE && !isAssigned(kernel, slot.object)) return "seL4_IllegalOperation";
  return UNDERIVED.has(slot.kind) ? "null" : undefined;
};

/** Puts a derived copy into an empty slot: a frame's is not mapped. */
export const insertDerived = (kernel: Kernel, source: number, dest: number, adjust?: (copy: SlotRow) => void): void =>
  insertCopy(kernel, source, dest, (copy) => {
    if (copy.kind === FRAME) {
      copy.asid = NONE;
      copy.address = 0;
    }
    adjust?.(copy);
  });
