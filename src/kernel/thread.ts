/**
 * Threads: their states, the queues they wait in, and how a wait is given up (seL4 include/object/structures.h
 * `_thread_state`; src/kernel/thread.c `suspend`, `restart`; src/object/endpoint.c `cancelIPC`; src/object/tcb.c
 * `tcbEPAppend`, `tcbEPDequeue`). A thread's capabilities stand in slots of its own, which are ordinary nodes of the
 * derivation tree.
 *
 * A queue is no table: each waiting thread names what it waits for and the thread before it, so an endpoint's state
 * (Idle, Send, Recv) and a notification's (Waiting) are what its waiters say, and equal queues are equal rows.
 */
import { impossible } from "../base/diagnostic.ts";
import { NONE, type Row } from "../base/state.ts";
import { FRAME, NULL, READ_ONLY, READ_WRITE, REPLY } from "./capability.ts";
import { emptySlot } from "./cspace.ts";
import type { Kernel } from "./kernel.ts";
import type { KernelShape } from "./state.ts";

/** Slots of a thread (seL4 include/object/structures.h `tcb_cnode_index`). */
export const THREAD_SLOTS = { cspace: 0, vspace: 1, reply: 2, caller: 3, buffer: 4 } as const;
export const THREAD_SLOT_COUNT = 5;

export const INACTIVE = 0;
export const RUNNING = 1;
export const BLOCKED_ON_RECEIVE = 2;
export const BLOCKED_ON_SEND = 3;
export const BLOCKED_ON_REPLY = 4;
export const BLOCKED_ON_NOTIFICATION = 5;
/** It makes its system call now, or will make it again (syscall.ts). */
export const RESTART = 6;

/** seL4_MaxPrio: the priority and its limit that the first thread starts with. */
export const MOST_PRIORITY = 255;

export type ThreadRow = Row<KernelShape["thread"]>;
export const threadAt = (kernel: Kernel, thread: number): ThreadRow => kernel.tables.thread.at(thread);

/** thread.h `isRunnable`. */
export const isRunnable = (kernel: Kernel, thread: number): boolean => [RUNNING, RESTART].includes(threadAt(kernel, thread).state);

/** First of those that wait in this state for this object, or NONE. */
export const firstWaiting = (kernel: Kernel, state: number, object: number): number => {
  let first = NONE;
  kernel.tables.thread.forEach((row, thread) => {
    if (row.state === state && row.object === object && row.before === NONE) first = thread;
  });
  return first;
};

/** Puts a thread at the end of a queue; what it waits with is the caller's to write. */
export const enqueue = (kernel: Kernel, thread: number, state: number, object: number): void => {
  const threads = kernel.tables.thread;
  let last = NONE;
  threads.forEach((row, other) => {
    if (row.state === state && row.object === object && threads.every(({ before }) => before !== other)) last = other;
  });
  const row = threads.at(thread);
  row.state = state;
  row.object = object;
  row.before = last;
};

/** Takes a thread out of the queue it is in, and gives it a state. */
export const dequeue = (kernel: Kernel, thread: number, state: number): void => {
  const row = threadAt(kernel, thread);
  const { before } = row;
  kernel.tables.thread.forEach((behind) => {
    if (behind.before === thread) behind.before = before;
  });
  row.state = state;
  row.object = 0;
  row.before = NONE;
  row.badge = 0;
  row.canGrant = 0;
  row.canGrantReply = 0;
  row.isCall = 0;
};

/** endpoint.c `cancelAllIPC`, notification.c `cancelAllSignals`: who waits makes its system call again. */
export const cancelAll = (kernel: Kernel, state: number, object: number): void =>
  kernel.tables.thread.forEach((row, thread) => {
    if (row.state === state && row.object === object) dequeue(kernel, thread, RESTART);
  });

/** endpoint.c `cancelIPC`: a thread that waited for a reply loses the reply capability, wherever it is by now. */
export const cancelIPC = (kernel: Kernel, thread: number): void => {
  switch (threadAt(kernel, thread).state) {
    case BLOCKED_ON_SEND:
    case BLOCKED_ON_RECEIVE:
    case BLOCKED_ON_NOTIFICATION:
      return dequeue(kernel, thread, INACTIVE);
    case BLOCKED_ON_REPLY: {
      const master = kernel.plan.threadSlot(thread, THREAD_SLOTS.reply);
      return kernel.tables.slot.forEach((slot, row) => {
        if (slot.kind === REPLY && slot.parent === master) emptySlot(kernel, row);
      });
    }
    default:
      return undefined;
  }
};

/** A thread whose system call is done does not repeat it when it starts again (`updateRestartPC`). */
export const suspend = (kernel: Kernel, thread: number): void => {
  cancelIPC(kernel, thread);
  if (threadAt(kernel, thread).state === RUNNING) kernel.contents?.calls.delete(thread);
  threadAt(kernel, thread).state = INACTIVE;
};

/** cnode.c `setupReplyMaster`: what the reply capabilities to a thread are derived from. */
export const setupReplyMaster = ({ plan, tables }: Pick<Kernel, "plan" | "tables">, thread: number): void => {
  const master = tables.slot.at(plan.threadSlot(thread, THREAD_SLOTS.reply));
  if (master.kind !== NULL) return;
  master.kind = REPLY;
  master.object = thread;
  master.rights = REPLY_GRANT;
  master.revocable = 1;
};
/** A reply capability with grant: the bit that grant has in a rights word. */
export const REPLY_GRANT = 4;

/** thread.c `restart`. */
export const restart = (kernel: Kernel, thread: number): void => {
  if (isRunnable(kernel, thread)) return;
  cancelIPC(kernel, thread);
  setupReplyMaster(kernel, thread);
  threadAt(kernel, thread).state = RESTART;
};

/** A thread as seL4's first one starts (boot.c `create_initial_thread`), with an IPC buffer that no capability names. */
export const startThread = (kernel: Pick<Kernel, "plan" | "tables">, thread: number): void => {
  const row = kernel.tables.thread.at(thread);
  row.state = RUNNING;
  row.priority = MOST_PRIORITY;
  row.mostPriority = MOST_PRIORITY;
  row.givenBuffer = 1;
  setupReplyMaster(kernel, thread);
};

/** The last capability to a thread goes (objecttype.c `finaliseCap`); its slots are emptied by who deletes it. */
export const endThread = (kernel: Kernel, thread: number): void => {
  suspend(kernel, thread);
  const row = threadAt(kernel, thread);
  row.bound = NONE;
  row.priority = 0;
  row.mostPriority = 0;
  row.flags = 0;
  row.givenBuffer = 0;
  kernel.contents?.messages.delete(thread);
  kernel.contents?.calls.delete(thread);
  kernel.contents?.registers.delete(thread);
};

/** vspace.c `lookupIPCBuffer`: is there a buffer that the kernel may read, or (for a receiver) also write? */
export const hasBuffer = (kernel: Kernel, thread: number, receiver: boolean): boolean => {
  const slot = kernel.tables.slot.at(kernel.plan.threadSlot(thread, THREAD_SLOTS.buffer));
  if (slot.kind !== FRAME) return threadAt(kernel, thread).givenBuffer === 1;
  return slot.rights === READ_WRITE || (!receiver && slot.rights === READ_ONLY);
};

/** Words that a message has in registers, so without a buffer (n_msgRegisters). */
export const MESSAGE_REGISTERS = 4;

/** What a thread that waits to send or receive has in its message registers and IPC buffer. */
export const messageOf = (kernel: Kernel, thread: number) => kernel.contents?.messages.get(thread) ?? impossible(`thread ${thread} waits without a message`);
