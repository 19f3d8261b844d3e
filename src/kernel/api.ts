/**
 * What user level can do to this kernel: a subject invokes a cptr with a label, words and cptrs, and gets an error and
 * words back; where it is a thread, it may also send, call, receive and reply. No row, table or object leaves this file,
 * so a program in src/user can only name what it holds.
 */
import { NONE } from "../base/state.ts";
import { WORD_BITS } from "../../specs/sel4/object.ts";
import { CNODE } from "./capability.ts";
import { resolve } from "./cspace.ts";
import { invocations } from "./invocations.ts";
import { slotOfThread } from "./ipc.ts";
import { type Kernel, KernelHalt, type Message, Preempted } from "./kernel.ts";
import { type Answer, capFault, decode, halted, MAX_EXTRA_CAPS, nullCapability, preempted, systemCall } from "./syscall.ts";

export type { Message } from "./kernel.ts";
export type { Answer, Delivered } from "./syscall.ts";

/** Opaque to user level. */
export interface Subject {
  readonly invoke: (message: Message) => Answer;
}

/**
 * A subject's own root CNode where no thread is part of the state: the capability in some slot that its thread's is a
 * copy of.
 */
const rootRow = (kernel: Kernel, cnode: number): number => {
  let root = NONE;
  kernel.tables.slot.forEach((slot, row) => {
    if (root === NONE && slot.kind === CNODE && slot.object === cnode && kernel.plan.guards[slot.guard]!.size + kernel.plan.cnodes[cnode]!.radix === WORD_BITS) root = row;
  });
  return root;
};

/** The row that a cptr names in a subject's CSpace, or NONE. A thread that is no part of the state keeps its root when the slot's copy is deleted. */
export const slotOfCptr = (kernel: Kernel, subject: number, cptr: bigint): number => {
  const { cnode, thread } = kernel.plan.subjects[subject]!;
  if (thread !== undefined) return slotOfThread(kernel, thread, cptr);
  const root = rootRow(kernel, cnode);
  if (root !== NONE) {
    const found = resolve(kernel, root, cptr, WORD_BITS);
    return found.fault === undefined ? found.row : NONE;
  }
  return cptr < 1n << BigInt(kernel.plan.cnodes[cnode]!.radix) ? kernel.plan.slotRow(cnode, Number(cptr)) : NONE;
};

/** Where no thread is part of the state, every message is an invocation. */
const invokeWithoutThread = (kernel: Kernel, subject: number, message: Message): Answer => {
  const target = slotOfCptr(kernel, subject, message.cptr);
  const caps = message.caps.slice(0, MAX_EXTRA_CAPS).map((cptr) => slotOfCptr(kernel, subject, cptr));
  const cnode = kernel.plan.cnodes[kernel.plan.subjects[subject]!.cnode]!;
  // A slot of the root that the scope leaves out is an empty one.
  if (target === NONE && !kernel.plan.open && message.cptr < 1n << BigInt(cnode.radix)) return nullCapability;
  if (target === NONE || caps.includes(NONE)) return capFault;
  return decode(kernel, target, caps, message);
};

/** Decodes and runs one message for a subject. */
export const invoke = (kernel: Kernel, subject: number, message: Message): Answer => {
  if (kernel.tables.processor.at(0).halted === 1) return halted;
  const { thread } = kernel.plan.subjects[subject]!;
  if (kernel.contents !== undefined) kernel.contents.preemptAfter = message.preempt;
  try {
    return thread === undefined ? invokeWithoutThread(kernel, subject, message) : systemCall(kernel, thread, message);
  } catch (error) {
    if (error instanceof KernelHalt) return halted;
    if (error instanceof Preempted) return preempted;
    throw error;
  } finally {
    if (kernel.contents !== undefined) kernel.contents.preemptAfter = undefined;
  }
};

/** The handle that a user-level program gets. Frozen, and closed over the kernel: there is nothing to reach through it. */
export const subjectOf = (kernel: Kernel, subject: number): Subject => Object.freeze({ invoke: (message: Message) => invoke(kernel, subject, message) });

/** Labels in declared order, for manuals and completions. */
export const labels: readonly string[] = invocations.map(({ label }) => label);
