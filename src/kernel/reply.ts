/**
 * Reply capabilities: a caller's master capability stands in a slot of its thread, and the one capability derived from
 * it, which answers the call once, in a slot of the thread that received the call, until that thread saves it elsewhere
 * (seL4 src/object/tcb.c `setupCallerCap`, `deleteCallerCap`; src/kernel/thread.c `doReplyTransfer`; src/object/cnode.c
 * `invokeCNodeSaveCaller`).
 */
import { NONE } from "../base/state.ts";
import { CNODE, REPLY } from "./capability.ts";
import { emptySlot, insertNew, move, slotNamed } from "./cspace.ts";
import { type Delivery, transfer } from "./ipc.ts";
import { invocation, truncated } from "./invocation.ts";
import type { Kernel } from "./kernel.ts";
import { emptyDestination, lookupRefusals, type SlotAddress } from "./lookup.ts";
import { BLOCKED_ON_REPLY, REPLY_GRANT, RUNNING, THREAD_SLOTS, threadAt } from "./thread.ts";

export const callerSlot = (kernel: Kernel, thread: number): number => kernel.plan.threadSlot(thread, THREAD_SLOTS.caller);

/** The caller waits, and the receiver gets the capability that answers it. */
export const setupCaller = (kernel: Kernel, caller: number, receiver: number, canGrant: boolean): void => {
  threadAt(kernel, caller).state = BLOCKED_ON_REPLY;
  const slot = callerSlot(kernel, receiver);
  insertNew(kernel, kernel.plan.threadSlot(caller, THREAD_SLOTS.reply), slot, REPLY, caller);
  const row = kernel.tables.slot.at(slot);
  row.rights = canGrant ? REPLY_GRANT : 0;
  row.revocable = 0;
};

/** Who receives again without having replied loses its caller, which goes on waiting. */
export const deleteCaller = (kernel: Kernel, receiver: number): void => emptySlot(kernel, callerSlot(kernel, receiver));

/** Answers the caller that the reply capability in a slot is for; the capability is used up. */
export const replyThrough = (kernel: Kernel, sender: number, slot: number): Delivery => {
  const { object: caller, rights } = kernel.tables.slot.at(slot);
  const delivery = transfer(kernel, sender, caller, 0n, (rights & REPLY_GRANT) !== 0, NONE);
  emptySlot(kernel, slot);
  threadAt(kernel, caller).state = RUNNING;
  return delivery;
};

/** syscall.c `handleReply`: nothing happens where no caller is pending. */
export const handleReply = (kernel: Kernel, thread: number): Delivery | undefined => {
  const slot = callerSlot(kernel, thread);
  return kernel.tables.slot.at(slot).kind === REPLY ? replyThrough(kernel, thread, slot) : undefined;
};

const destination: SlotAddress = ({ target, words }) => [target, words[0]!, words[1]!];

export const SaveCaller = invocation({
  label: "CNodeSaveCaller",
  object: CNODE,
  says: "Keep the reply capability of the last call for later. Without a caller it does nothing.",
  unexplored: "no thread is part of a scaled state, so nobody has a caller",
  caps: [],
  words: [{ name: "index", of: "emptySlot", root: "target" }],
  refusals: [truncated(2, 0), ...lookupRefusals("destination", destination), emptyDestination(destination)],
  effect: (kernel, request) => {
    if (request.thread === undefined) return;
    const slot = callerSlot(kernel, request.thread);
    if (kernel.tables.slot.at(slot).kind === REPLY) move(kernel, slot, slotNamed(kernel, ...destination(request)));
  },
});
