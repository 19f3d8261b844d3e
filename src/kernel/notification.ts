/**
 * Notifications: signals wake one waiter, or the thread that the notification is bound to while it waits to receive, or
 * are kept with their badges or-ed (seL4 src/object/notification.c). A signal carries no words: the message registers
 * of who receives it stay as they were.
 */
import { NONE } from "../base/state.ts";
import type { Delivery } from "./ipc.ts";
import type { Kernel } from "./kernel.ts";
import { BLOCKED_ON_NOTIFICATION, BLOCKED_ON_RECEIVE, cancelAll, dequeue, enqueue, firstWaiting, RUNNING, threadAt } from "./thread.ts";

const signalled = (to: number, badge: bigint): Delivery => ({ to, badge, words: [], caps: [] });

/** The thread that a notification is bound to, or NONE. */
export const boundThread = (kernel: Kernel, notification: number): number => {
  let bound = NONE;
  kernel.tables.thread.forEach((row, thread) => {
    if (row.bound === notification) bound = thread;
  });
  return bound;
};

export const hasWaiters = (kernel: Kernel, notification: number): boolean => firstWaiting(kernel, BLOCKED_ON_NOTIFICATION, notification) !== NONE;

/** The first of the waiters, or the bound thread where it waits on an endpoint. */
const wakes = (kernel: Kernel, notification: number): number => {
  const first = firstWaiting(kernel, BLOCKED_ON_NOTIFICATION, notification);
  if (first !== NONE) return first;
  const bound = boundThread(kernel, notification);
  return bound !== NONE && threadAt(kernel, bound).state === BLOCKED_ON_RECEIVE ? bound : NONE;
};

/** `sendSignal`: who gets it at once, if anybody. A thread that waits for a reply is not woken. */
export const sendSignal = (kernel: Kernel, notification: number, badge: bigint): Delivery | undefined => {
  const to = kernel.tables.notification.at(notification).active === 1 ? NONE : wakes(kernel, notification);
  if (to !== NONE) {
    dequeue(kernel, to, RUNNING);
    return signalled(to, badge);
  }
  const row = kernel.tables.notification.at(notification);
  row.badge = kernel.plan.badgeOf(row.active === 1 ? kernel.plan.badges[row.badge]! | badge : badge);
  row.active = 1;
  return undefined;
};

/** A signal that was kept goes to a thread, and the notification is idle again. */
export const takeSignal = (kernel: Kernel, notification: number, thread: number): Delivery | undefined => {
  const row = kernel.tables.notification.at(notification);
  if (row.active === 0) return undefined;
  const badge = kernel.plan.badges[row.badge]!;
  row.active = 0;
  row.badge = 0;
  return signalled(thread, badge);
};

/** `receiveSignal`. A poll that finds nothing leaves everything as it was. */
export const receiveSignal = (kernel: Kernel, notification: number, thread: number, blocking: boolean): Delivery | undefined => {
  const taken = takeSignal(kernel, notification, thread);
  if (taken === undefined && blocking) enqueue(kernel, thread, BLOCKED_ON_NOTIFICATION, notification);
  return taken;
};

/** The last capability goes: nobody is bound or waits any more (objecttype.c `finaliseCap`). */
export const endNotification = (kernel: Kernel, notification: number): void => {
  kernel.tables.thread.forEach((row) => {
    if (row.bound === notification) row.bound = NONE;
  });
  cancelAll(kernel, BLOCKED_ON_NOTIFICATION, notification);
  const row = kernel.tables.notification.at(notification);
  row.active = 0;
  row.badge = 0;
};
