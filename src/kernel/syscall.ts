/**
 * System calls of threads: what is sent, called, received or answered, and every invocation, which is a call on a
 * capability that is no endpoint (seL4 src/api/syscall.c `handleInvocation`, `handleReply`, `handleRecv`;
 * src/object/objecttype.c `decodeInvocation`).
 */
import { NONE } from "../base/state.ts";
import { hex } from "../base/words.ts";
import type { ErrorName } from "../../specs/sel4/error.ts";
import { CNODE_ZOMBIE, ENDPOINT, NOTIFICATION, NULL, REPLY, SGI_SIGNAL, THREAD_ZOMBIE } from "./capability.ts";
import { CAN_RECEIVE, CAN_SEND, receiveIPC, sendIPC, type Sending } from "./endpoint.ts";
import { invocationsOf, carryOut, refusedBy } from "./invocations.ts";
import { type Delivery, slotOfThread } from "./ipc.ts";
import type { Kernel, Message, Parcel } from "./kernel.ts";
import { boundThread, receiveSignal, sendSignal } from "./notification.ts";
import { deleteCaller, handleReply, replyThrough } from "./reply.ts";
import { generate } from "./sgi.ts";
import { hasBuffer, INACTIVE, isRunnable, MESSAGE_REGISTERS, RESTART, RUNNING, threadAt } from "./thread.ts";

/** A message, signal or reply that reached somebody, with numbers as an invocation list writes them. */
export interface Delivered {
  readonly to: string;
  readonly badge: string;
  readonly words: readonly string[];
  /** Each capability that arrived: `slot`, or `unwrapped:` and the badge. */
  readonly caps: readonly string[];
}
/**
 * `CapFault` is no error code: the invoked cptr, or an extra one, names no slot, or what is received from cannot be
 * received from. A thread that faults goes on all the same, as after a fault handler's reply. `blocked` and `suspended`
 * are no errors either: the thread waits, or is stopped, and answers the same until somebody else's call lets it go on.
 * `preempted`: a long operation stopped at a preemption point, and the same call goes on where it stopped.
 * `halted` is the kernel itself: it stopped, then or before, and nothing runs any more.
 */
export interface Answer {
  readonly error: ErrorName | "CapFault" | "blocked" | "suspended" | "preempted" | "halted";
  readonly words: readonly bigint[];
  readonly delivered?: Delivered;
  /** Where `replyrecv` did both at once: `delivered` is the reply, and this is what came in. */
  readonly received?: Delivered;
  /** By name: threads whose wait was given up and that made their system call again, and what came of it. */
  readonly restarted?: Readonly<Record<string, Repeated>>;
}
export type Repeated = Omit<Answer, "words" | "restarted"> & { readonly words: readonly string[] };

/** The answers that no definition gives, because none was reached. */
export const capFault: Answer = { error: "CapFault", words: [] };
export const nullCapability: Answer = { error: "seL4_InvalidCapability", words: [0n] };
export const preempted: Answer = { error: "preempted", words: [] };
export const halted: Answer = { error: "halted", words: [] };
const wrongLabel: Answer = { error: "seL4_IllegalOperation", words: [] };
const done: Answer = { error: "seL4_NoError", words: [] };

/** seL4_MsgMaxExtraCaps. */
export const MAX_EXTRA_CAPS = 3;
/** Nothing is invoked on an empty slot, nor on what is left of an object that is being deleted. */
const UNINVOKED = new Set([NULL, CNODE_ZOMBIE, THREAD_ZOMBIE]);

/** Decodes and runs what is invoked on a capability that is no endpoint, notification or reply. */
export const decode = (kernel: Kernel, target: number, caps: readonly number[], { label, words }: Pick<Message, "label" | "words">, thread?: number): Answer => {
  const { kind } = kernel.tables.slot.at(target);
  if (UNINVOKED.has(kind)) return nullCapability;
  const definition = invocationsOf(kind).find((candidate) => candidate.label === label);
  if (definition === undefined) return wrongLabel;
  const request = { target, caps, words, ...(thread === undefined ? {} : { thread }) };
  const refused = refusedBy(kernel, definition, request);
  if (refused !== undefined) return { error: refused.refusal.error, words: refused.words };
  return { error: "seL4_NoError", words: carryOut(kernel, definition, request) };
};

const nameOf = (kernel: Kernel, thread: number): string => kernel.plan.subjects.find((subject) => subject.thread === thread)?.name ?? kernel.plan.threads[thread]!.name;
const deliveredTo = (kernel: Kernel, { to, badge, words, caps }: Delivery): Delivered => ({
  to: nameOf(kernel, to),
  badge: hex(badge),
  words: words.map(hex),
  caps: caps.map((cap) => (cap === "slot" ? "slot" : `unwrapped:${hex(cap.unwrapped)}`)),
});

/** What a system call comes to: an answer, unless the thread waits or is stopped by now, and what reached somebody. */
const outcome = (kernel: Kernel, thread: number, answer: Answer, delivery?: Delivery): Answer => ({
  ...(isRunnable(kernel, thread) ? answer : ({ error: threadAt(kernel, thread).state === INACTIVE ? "suspended" : "blocked", words: [] } as const)),
  ...(delivery === undefined ? {} : { delivered: deliveredTo(kernel, delivery) }),
});

const leave = (kernel: Kernel, thread: number, parcel: Parcel): void => void kernel.contents?.messages.set(thread, parcel);

/** The calls that are no invocation by label. Nothing but a call is told of an error. */
const sendings: Readonly<Record<string, Sending>> = {
  send: { blocking: true, call: false },
  signal: { blocking: true, call: false },
  nbsend: { blocking: false, call: false },
  call: { blocking: true, call: true },
};
const invocationCall: Sending = { blocking: true, call: true };

/** `handleInvocation`. Only where it blocks is a cptr that names nothing a fault. */
const send = (kernel: Kernel, thread: number, message: Message): Answer => {
  const sending = Object.hasOwn(sendings, message.label) ? sendings[message.label]! : invocationCall;
  const fault = sending.blocking ? capFault : done;
  const target = slotOfThread(kernel, thread, message.cptr);
  if (target === NONE) return fault;
  const buffer = hasBuffer(kernel, thread, false);
  const cptrs = buffer ? message.caps.slice(0, MAX_EXTRA_CAPS) : [];
  const caps = cptrs.map((cptr) => slotOfThread(kernel, thread, cptr));
  if (caps.includes(NONE)) return fault;
  leave(kernel, thread, { words: message.words, caps: cptrs, receives: false });
  const slot = kernel.tables.slot.at(target);
  const refused = sending.call ? nullCapability : done;
  switch (slot.kind) {
    case ENDPOINT:
      return (slot.rights & CAN_SEND) === 0 ? refused : outcome(kernel, thread, done, sendIPC(kernel, thread, slot, sending));
    case NOTIFICATION:
      return (slot.rights & CAN_SEND) === 0 ? refused : outcome(kernel, thread, done, sendSignal(kernel, slot.object, kernel.plan.badges[slot.badge]!));
    case REPLY:
      return outcome(kernel, thread, done, replyThrough(kernel, thread, target));
    case SGI_SIGNAL:
      return outcome(kernel, thread, done, generate(kernel, slot.object));
    default: {
      const words = buffer ? message.words : message.words.slice(0, MESSAGE_REGISTERS);
      const answer = decode(kernel, target, caps, { label: message.label, words }, thread);
      // An answer's words that are in no register need a buffer, too; the invocation may just have taken it.
      const shown = hasBuffer(kernel, thread, true) ? answer : { ...answer, words: answer.words.slice(0, MESSAGE_REGISTERS) };
      return outcome(kernel, thread, sending.call ? shown : done);
    }
  }
};

/** `handleReply`, which says nothing where nobody waits for a reply. */
const reply = (kernel: Kernel, thread: number, { words, caps }: Message): Delivery | undefined => {
  leave(kernel, thread, { words, caps: caps.slice(0, MAX_EXTRA_CAPS), receives: false });
  return handleReply(kernel, thread);
};

/** `handleRecv`: what was received, or what is wrong, or nothing yet. The capability decides, whatever the list calls it. */
const receive = (kernel: Kernel, thread: number, message: Message, blocking: boolean): { readonly fault: boolean; readonly delivery?: Delivery | undefined } => {
  leave(kernel, thread, { words: message.words, caps: message.caps, receives: true });
  const target = slotOfThread(kernel, thread, message.cptr);
  if (target === NONE) return { fault: true };
  const slot = kernel.tables.slot.at(target);
  if ((slot.rights & CAN_RECEIVE) === 0) return { fault: true };
  switch (slot.kind) {
    case ENDPOINT:
      // A caller that was not answered will never be; the reply capability may also be the only thing in the slot.
      deleteCaller(kernel, thread);
      return { fault: false, delivery: receiveIPC(kernel, thread, slot, blocking) };
    case NOTIFICATION:
      if (![NONE, thread].includes(boundThread(kernel, slot.object))) return { fault: true };
      return { fault: false, delivery: receiveSignal(kernel, slot.object, thread, blocking) };
    default:
      return { fault: true };
  }
};

const receiveAnswer = (kernel: Kernel, thread: number, message: Message, blocking: boolean): Answer => {
  const { fault, delivery } = receive(kernel, thread, message, blocking);
  return fault ? capFault : outcome(kernel, thread, done, delivery);
};

/** `seL4_ReplyRecv`: the line's words and capabilities are the reply's, so it names no slot to receive in. */
const replyReceive = (kernel: Kernel, thread: number, message: Message): Answer => {
  const replied = reply(kernel, thread, message);
  const answer = receiveAnswer(kernel, thread, { ...message, words: [], caps: [] }, true);
  if (replied === undefined) return answer;
  const delivered = deliveredTo(kernel, replied);
  return answer.delivered === undefined ? { ...answer, delivered } : { ...answer, delivered, received: answer.delivered };
};

const perform = (kernel: Kernel, thread: number, message: Message): Answer => {
  switch (message.label) {
    case "recv":
    case "wait":
      return receiveAnswer(kernel, thread, message, true);
    case "nbrecv":
    case "poll":
      return receiveAnswer(kernel, thread, message, false);
    case "reply":
      return outcome(kernel, thread, done, reply(kernel, thread, message));
    case "replyrecv":
      return replyReceive(kernel, thread, message);
    default:
      return send(kernel, thread, message);
  }
};

/** One system call from its entry: seL4 calls the thread restarted until it is done, and so it is repeated if it is stopped in between. */
const enter = (kernel: Kernel, thread: number, message: Message): Answer => {
  const row = threadAt(kernel, thread);
  row.state = RESTART;
  kernel.contents?.calls.set(thread, message);
  const answer = perform(kernel, thread, message);
  if (row.state === RESTART) row.state = RUNNING;
  return answer;
};

/** Two threads can restart each other for ever (TCBCopyRegisters stops its source and starts its target). */
const MOST_ROUNDS = 4;

/** thread.c `activateThread`: who was restarted goes on, and makes the system call again that it was stopped in. */
const activate = (kernel: Kernel): Readonly<Record<string, Repeated>> => {
  const repeated: Record<string, Repeated> = {};
  const threads = kernel.tables.thread;
  for (let round = 0; round < MOST_ROUNDS && threads.some(({ state }) => state === RESTART); round++)
    threads.forEach((row, thread) => {
      if (row.state !== RESTART) return;
      row.state = RUNNING;
      const message = kernel.contents?.calls.get(thread);
      if (message === undefined) return;
      const { words, ...answer } = enter(kernel, thread, message);
      repeated[nameOf(kernel, thread)] = { ...answer, words: words.map(hex) };
    });
  return repeated;
};

/** Runs one system call of a thread, and what follows from it before anybody makes the next. One that waits or is stopped makes none. */
export const systemCall = (kernel: Kernel, thread: number, message: Message): Answer => {
  if (!isRunnable(kernel, thread)) return outcome(kernel, thread, done);
  const answer = enter(kernel, thread, message);
  const restarted = activate(kernel);
  return Object.keys(restarted).length === 0 ? answer : { ...answer, restarted };
};
