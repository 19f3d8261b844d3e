/**
 * Endpoints: a sender and a receiver meet, or one waits for the other (seL4 src/object/endpoint.c `sendIPC`, `receiveIPC`,
 * `cancelAllIPC`, `cancelBadgedSends`).
 */
import { NONE } from "../base/state.ts";
import { CNODE, ENDPOINT } from "./capability.ts";
import { slotNamed } from "./cspace.ts";
import { type Delivery, transfer } from "./ipc.ts";
import { invocation, refusal, type Request, truncated } from "./invocation.ts";
import type { Kernel } from "./kernel.ts";
import { lookupRefusals, type SlotAddress } from "./lookup.ts";
import { takeSignal } from "./notification.ts";
import { setupCaller } from "./reply.ts";
import type { SlotRow } from "./state.ts";
import { BLOCKED_ON_RECEIVE, BLOCKED_ON_SEND, cancelAll, dequeue, enqueue, firstWaiting, INACTIVE, RESTART, RUNNING, threadAt } from "./thread.ts";

/** Rights of an endpoint capability, as bits of the rights word (libsel4 shared_types.bf). */
export const CAN_SEND = 1;
export const CAN_RECEIVE = 2;
export const CAN_GRANT = 4;
export const CAN_GRANT_REPLY = 8;
const ALL_RIGHTS = 15;

const flag = (rights: number, right: number): number => Number((rights & right) !== 0);

/** A call was handed over: who called waits for the answer, or for ever where the capability lets nobody answer. */
const called = (kernel: Kernel, caller: number, receiver: number, mayReply: boolean, replyGrants: boolean): void => {
  if (mayReply) setupCaller(kernel, caller, receiver, replyGrants);
  else threadAt(kernel, caller).state = INACTIVE;
};

export interface Sending {
  readonly blocking: boolean;
  readonly call: boolean;
}

/** Sends through the endpoint capability `cap`. */
export const sendIPC = (kernel: Kernel, sender: number, cap: SlotRow, { blocking, call }: Sending): Delivery | undefined => {
  const { object: endpoint, rights, badge } = cap;
  const receiver = firstWaiting(kernel, BLOCKED_ON_RECEIVE, endpoint);
  if (receiver === NONE) {
    if (!blocking) return undefined;
    enqueue(kernel, sender, BLOCKED_ON_SEND, endpoint);
    const row = threadAt(kernel, sender);
    row.badge = badge;
    row.canGrant = flag(rights, CAN_GRANT);
    row.canGrantReply = flag(rights, CAN_GRANT_REPLY);
    row.isCall = Number(call);
    return undefined;
  }
  const delivery = transfer(kernel, sender, receiver, kernel.plan.badges[badge]!, (rights & CAN_GRANT) !== 0, endpoint);
  const replyGrants = threadAt(kernel, receiver).canGrant === 1;
  dequeue(kernel, receiver, RUNNING);
  if (call) called(kernel, sender, receiver, (rights & (CAN_GRANT | CAN_GRANT_REPLY)) !== 0, replyGrants);
  return delivery;
};

/** Receives through the endpoint capability `cap`; a signal on the bound notification comes first. */
export const receiveIPC = (kernel: Kernel, receiver: number, cap: SlotRow, blocking: boolean): Delivery | undefined => {
  const { object: endpoint, rights } = cap;
  const { bound } = threadAt(kernel, receiver);
  const signal = bound === NONE ? undefined : takeSignal(kernel, bound, receiver);
  if (signal !== undefined) return signal;
  const sender = firstWaiting(kernel, BLOCKED_ON_SEND, endpoint);
  if (sender === NONE) {
    if (!blocking) return undefined;
    enqueue(kernel, receiver, BLOCKED_ON_RECEIVE, endpoint);
    threadAt(kernel, receiver).canGrant = flag(rights, CAN_GRANT);
    return undefined;
  }
  const { badge, canGrant, canGrantReply, isCall } = threadAt(kernel, sender);
  const delivery = transfer(kernel, sender, receiver, kernel.plan.badges[badge]!, canGrant === 1, endpoint);
  dequeue(kernel, sender, RUNNING);
  if (isCall === 1) called(kernel, sender, receiver, canGrant + canGrantReply > 0, (rights & CAN_GRANT) !== 0);
  return delivery;
};

/** The last capability goes. */
export const endEndpoint = (kernel: Kernel, endpoint: number): void => {
  cancelAll(kernel, BLOCKED_ON_SEND, endpoint);
  cancelAll(kernel, BLOCKED_ON_RECEIVE, endpoint);
};

const named: SlotAddress = ({ target, words }) => [target, words[0]!, words[1]!];
const slotOf = (kernel: Kernel, request: Request): SlotRow => kernel.tables.slot.at(slotNamed(kernel, ...named(request)));

export const CancelBadgedSends = invocation({
  label: "CNodeCancelBadgedSends",
  object: CNODE,
  says: "Turn away everybody who waits to send with this endpoint capability's badge.",
  unexplored: "no thread is part of a scaled state, so nobody waits",
  caps: [],
  words: [{ name: "index", of: "fullSlot", root: "target" }],
  refusals: [
    truncated(2, 0),
    ...lookupRefusals("destination", named),
    // objecttype.c `hasCancelSendRights`
    refusal("seL4_IllegalOperation", "the capability is no endpoint with every right", (kernel, request) => {
      const slot = slotOf(kernel, request);
      return slot.kind === ENDPOINT && slot.rights === ALL_RIGHTS ? undefined : [];
    }),
  ],
  effect: (kernel, request) => {
    const { object, badge } = slotOf(kernel, request);
    if (kernel.plan.badges[badge] === 0n) return;
    kernel.tables.thread.forEach((row, thread) => {
      if (row.state === BLOCKED_ON_SEND && row.object === object && row.badge === badge) dequeue(kernel, thread, RESTART);
    });
  },
});
