/**
 * Threads, as far as a subject needs one: a CSpace root, a VSpace root and communication (seL4 src/object/tcb.c). A
 * thread's capabilities stand in slots of its own, which are ordinary nodes of the derivation tree.
 */

/** Slots of a thread (seL4 include/object/structures.h `tcb_cnode_index`). */
export const THREAD_SLOTS = { cspace: 0, vspace: 1, reply: 2, caller: 3, buffer: 4 } as const;

/** States of a thread (seL4 include/object/structures.h `_thread_state`). */
export const INACTIVE = 0;
export const RUNNING = 1;
export const BLOCKED_ON_RECEIVE = 2;
export const BLOCKED_ON_SEND = 3;
export const BLOCKED_ON_REPLY = 4;
export const BLOCKED_ON_NOTIFICATION = 5;
