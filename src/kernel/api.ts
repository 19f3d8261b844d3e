/**
 * What user level can do to this kernel: a subject invokes a cptr with a label, words and cptrs, and gets an error and
 * words back. No row, table or object leaves this file, so a program in src/user can only name what it holds.
 */
import { NONE } from "../base/state.ts";
import type { ErrorName } from "../../specs/sel4/error.ts";
import { CNODE, NULL } from "./capability.ts";
import { resolve } from "./cspace.ts";
import { invocations, invocationsOf, refusedBy } from "./invocations.ts";
import type { Kernel } from "./kernel.ts";
import { THREAD_SLOTS } from "./thread.ts";

export interface Message {
  readonly cptr: bigint;
  readonly label: string;
  readonly words: readonly bigint[];
  /** Extra capabilities, as cptrs in the caller's CSpace; at most three (seL4_MsgMaxExtraCaps). */
  readonly caps: readonly bigint[];
}
/** `CapFault` is no error code: the invoked cptr, or an extra one, names no slot (seL4 src/api/syscall.c). */
export interface Answer {
  readonly error: ErrorName | "CapFault";
  readonly words: readonly bigint[];
}

/** Opaque to user level. */
export interface Subject {
  readonly invoke: (message: Message) => Answer;
}

/** The answers that no definition gives, because none was reached (syscall.c, objecttype.c `decodeInvocation`). */
const capFault: Answer = { error: "CapFault", words: [] };
const nullCapability: Answer = { error: "seL4_InvalidCapability", words: [0n] };
const wrongLabel: Answer = { error: "seL4_IllegalOperation", words: [] };

const WORD = 64;
const MAX_EXTRA_CAPS = 3;

/**
 * A subject's own root CNode, as a row of the slot table: where threads are part of the state, the slot of its thread;
 * else the capability in some slot that its thread's is a copy of.
 */
const rootRow = (kernel: Kernel, subject: number): number => {
  const { cnode, thread } = kernel.plan.subjects[subject]!;
  if (thread !== undefined) return kernel.plan.threadSlot(thread, THREAD_SLOTS.cspace);
  let root = NONE;
  kernel.tables.slot.forEach((slot, row) => {
    if (root === NONE && slot.kind === CNODE && slot.object === cnode && kernel.plan.guards[slot.guard]!.size + kernel.plan.cnodes[cnode]!.radix === WORD) root = row;
  });
  return root;
};

/** The row that a cptr names in a subject's CSpace, or NONE. A thread that is no part of the state keeps its root when the slot's copy is deleted. */
export const slotOfCptr = (kernel: Kernel, subject: number, cptr: bigint): number => {
  const root = rootRow(kernel, subject);
  if (root !== NONE) {
    if (kernel.tables.slot.at(root).kind !== CNODE) return NONE;
    const found = resolve(kernel, root, cptr, WORD);
    return found.fault === undefined ? found.row : NONE;
  }
  const { cnode } = kernel.plan.subjects[subject]!;
  return cptr < 1n << BigInt(kernel.plan.cnodes[cnode]!.radix) ? kernel.plan.slotRow(cnode, Number(cptr)) : NONE;
};

/** Decodes and runs one message for a subject. */
export const invoke = (kernel: Kernel, subject: number, message: Message): Answer => {
  const target = slotOfCptr(kernel, subject, message.cptr);
  const caps = message.caps.slice(0, MAX_EXTRA_CAPS).map((cptr) => slotOfCptr(kernel, subject, cptr));
  const cnode = kernel.plan.cnodes[kernel.plan.subjects[subject]!.cnode]!;
  // A slot of the root that the scope leaves out is an empty one.
  if (target === NONE && !kernel.plan.open && message.cptr < 1n << BigInt(cnode.radix)) return nullCapability;
  if (target === NONE || caps.includes(NONE)) return capFault;
  const { kind } = kernel.tables.slot.at(target);
  if (kind === NULL) return nullCapability;
  const definition = invocationsOf(kind).find(({ label }) => label === message.label);
  if (definition === undefined) return wrongLabel;
  const request = { target, caps, words: message.words };
  const refused = refusedBy(kernel, definition, request);
  if (refused !== undefined) return { error: refused.refusal.error, words: refused.words };
  return { error: "seL4_NoError", words: definition.effect(kernel, request) ?? [] };
};

/** The handle that a user-level program gets. Frozen, and closed over the kernel: there is nothing to reach through it. */
export const subjectOf = (kernel: Kernel, subject: number): Subject => Object.freeze({ invoke: (message: Message) => invoke(kernel, subject, message) });

/** Labels in declared order, for manuals and completions. */
export const labels: readonly string[] = invocations.map(({ label }) => label);
