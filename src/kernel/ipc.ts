/**
 * The transfer of one message between two threads: words, then capabilities (seL4 src/kernel/thread.c `doNormalTransfer`,
 * `transferCaps`; src/object/cnode.c `getReceiveSlots`; src/object/tcb.c `copyMRs`, `lookupExtraCaps`). What the threads
 * say they send and where they receive is in the kernel's contents (kernel.ts), cptrs and words only.
 */
import { NONE } from "../base/state.ts";
import { WORD_BITS } from "../../specs/sel4/object.ts";
import { CNODE, ENDPOINT, NULL } from "./capability.ts";
import { resolve } from "./cspace.ts";
import { derivingFails, insertDerived } from "./derive.ts";
import type { Kernel } from "./kernel.ts";
import { hasBuffer, MESSAGE_REGISTERS, messageOf, THREAD_SLOTS } from "./thread.ts";

/** What reaches a thread. Each capability arrives as its badge (it is to the endpoint that it was sent through) or in the receive slot. */
export interface Delivery {
  readonly to: number;
  readonly badge: bigint;
  readonly words: readonly bigint[];
  readonly caps: readonly ({ readonly unwrapped: bigint } | "slot")[];
}

/** cspace.c `lookupSlot`: the row that a cptr names for a thread, or NONE. Bits may be left over. */
export const slotOfThread = (kernel: Kernel, thread: number, cptr: bigint): number => {
  const root = kernel.plan.threadSlot(thread, THREAD_SLOTS.cspace);
  if (kernel.tables.slot.at(root).kind !== CNODE) return NONE;
  const found = resolve(kernel, root, cptr, WORD_BITS);
  return found.fault === undefined ? found.row : NONE;
};

/** The slots of a sender's capabilities; none at all where one of the cptrs names nothing. */
const extraSlots = (kernel: Kernel, sender: number): readonly number[] => {
  if (!hasBuffer(kernel, sender, false)) return [];
  const slots = messageOf(kernel, sender).caps.map((cptr) => slotOfThread(kernel, sender, cptr));
  return slots.includes(NONE) ? [] : slots;
};

/** The one slot where a receiver takes a capability: badly named or occupied, there is none, and that is no error. */
const receiveSlot = (kernel: Kernel, receiver: number): number => {
  const { words, caps, receives } = messageOf(kernel, receiver);
  const [index, depth] = [words[0] ?? 0n, words[1] ?? 0n];
  const root = receives ? slotOfThread(kernel, receiver, caps[0] ?? 0n) : NONE;
  if (root === NONE || kernel.tables.slot.at(root).kind !== CNODE || depth < 1n || depth > BigInt(WORD_BITS)) return NONE;
  const found = resolve(kernel, root, index, Number(depth));
  return found.fault === undefined && found.left === 0 && kernel.tables.slot.at(found.row).kind === NULL ? found.row : NONE;
};

/** `transferCaps`: stops without a word at the first capability that can neither be unwrapped nor derived and placed. */
const transferCaps = (kernel: Kernel, sender: number, receiver: number, endpoint: number): Delivery["caps"] => {
  const slots = extraSlots(kernel, sender);
  if (slots.length === 0 || !hasBuffer(kernel, receiver, true)) return [];
  let place = receiveSlot(kernel, receiver);
  const arrived: ({ unwrapped: bigint } | "slot")[] = [];
  for (const slot of slots) {
    const { kind, object, badge } = kernel.tables.slot.at(slot);
    if (kind === ENDPOINT && object === endpoint) {
      arrived.push({ unwrapped: kernel.plan.badges[badge]! });
      continue;
    }
    if (place === NONE || derivingFails(kernel, slot) !== undefined) break;
    insertDerived(kernel, slot, place);
    arrived.push("slot");
    place = NONE;
  }
  return arrived;
};

/** `doIPCTransfer`. `endpoint` is NONE for a reply, which unwraps nothing; without `canGrant` no capability goes. */
export const transfer = (kernel: Kernel, sender: number, receiver: number, badge: bigint, canGrant: boolean, endpoint: number): Delivery => {
  const { words } = messageOf(kernel, sender);
  const whole = hasBuffer(kernel, sender, false) && hasBuffer(kernel, receiver, true);
  return {
    to: receiver,
    badge,
    words: whole ? words : words.slice(0, MESSAGE_REGISTERS),
    caps: canGrant ? transferCaps(kernel, sender, receiver, endpoint) : [],
  };
};
