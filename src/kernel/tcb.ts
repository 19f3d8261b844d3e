/**
 * TCB invocations: spaces, IPC buffer, priorities, running and stopping, the bound notification (seL4 src/object/tcb.c
 * `decodeTCBInvocation`, non-MCS). What a thread holds, it holds by copies in its own slots. A thread's registers are in
 * tcbRegisters.ts.
 */
import { NONE } from "../base/state.ts";
import { WORD_BITS } from "../../specs/sel4/object.ts";
import { CNODE, FRAME, NOTIFICATION, THREAD } from "./capability.ts";
import { guardIn } from "./cnode.ts";
import { isFinal } from "./cspace.ts";
import { deleteSlot } from "./deletion.ts";
import { derivingFails, insertDerived } from "./derive.ts";
import { CAN_RECEIVE } from "./endpoint.ts";
import { invocation, type Invocation, type Refusal, refusal, type Request, truncated, type WordArgument } from "./invocation.ts";
import type { Kernel } from "./kernel.ts";
import { boundThread, hasWaiters } from "./notification.ts";
import { restart, suspend, THREAD_SLOTS, threadAt } from "./thread.ts";
import { isVspaceRoot } from "./vspace.ts";

/** Why the checker tries none of these. */
export const NO_THREADS = "no thread is part of a scaled state";

const targetThread = (kernel: Kernel, { target }: Request): number => kernel.tables.slot.at(target).object;
const ownSlot = (kernel: Kernel, request: Request, index: number): number => kernel.plan.threadSlot(targetThread(kernel, request), index);
const capAt = (kernel: Kernel, { caps }: Request, cap: number) => kernel.tables.slot.at(caps[cap]!);

/** seL4_IPCBufferSizeBits. */
const BUFFER_MASK = (1n << 10n) - 1n;

const wantsBuffer = ({ words }: Request, word: number): boolean => words[word] !== 0n;

/** The buffer's frame: not looked at where the address is 0. `checkValidIPCBuffer` of vspace.c. */
const bufferRefusals = (word: number, cap: number): readonly Refusal[] => [
  refusal("seL4_RevokeFirst", "the buffer's capability is an untyped with children", (kernel, request) =>
    wantsBuffer(request, word) && derivingFails(kernel, request.caps[cap]!) === "seL4_RevokeFirst" ? [] : undefined,
  ),
  refusal("seL4_IllegalOperation", "the buffer's capability is no frame", (kernel, request) => (wantsBuffer(request, word) && capAt(kernel, request, cap).kind !== FRAME ? [] : undefined)),
  refusal("seL4_IllegalOperation", "the buffer would be in device memory", (kernel, request) =>
    wantsBuffer(request, word) && kernel.plan.pages[capAt(kernel, request, cap).object]!.device ? [] : undefined,
  ),
  refusal("seL4_AlignmentError", "the buffer is not aligned to 1 KiB", (_, request) => ((request.words[word]! & BUFFER_MASK) === 0n ? undefined : [])),
];

/** CSpace root is capability 0 with word 1, VSpace root capability 1; data of a VSpace is ignored (`updateCapData`). */
const spaceRefusals: readonly Refusal[] = [
  // cnode.c `slotCapLongRunningDelete`: replacing it would delete a whole CNode.
  refusal("seL4_IllegalOperation", "the thread holds the last capability to its CSpace root", (kernel, request) => {
    const own = ownSlot(kernel, request, THREAD_SLOTS.cspace);
    return kernel.tables.slot.at(own).kind === CNODE && isFinal(kernel, own) ? [] : undefined;
  }),
  refusal("seL4_RevokeFirst", "the CSpace root is an untyped with children", (kernel, { caps }) => (derivingFails(kernel, caps[0]!) === "seL4_RevokeFirst" ? [] : undefined)),
  refusal("seL4_IllegalOperation", "the CSpace root is no CNode, or the guard does not fit it", (kernel, request) => {
    const { kind, object } = capAt(kernel, request, 0);
    if (kind !== CNODE) return [];
    return request.words[1] !== 0n && guardIn(request.words[1]!).size + kernel.plan.cnodes[object]!.radix > WORD_BITS ? [] : undefined;
  }),
  refusal("seL4_RevokeFirst", "the VSpace root is an untyped with children", (kernel, { caps }) => (derivingFails(kernel, caps[1]!) === "seL4_RevokeFirst" ? [] : undefined)),
  refusal("seL4_IllegalOperation", "the VSpace root is no VSpace with an ASID", (kernel, { caps }) => (isVspaceRoot(kernel, caps[1]!) ? undefined : [])),
];

/** tcb.c `invokeTCB_ThreadControl`: the old copy goes first, and it may take the new one's source with it. */
const install = (kernel: Kernel, request: Request, index: number, source: number): void => {
  const { kind, object } = kernel.tables.slot.at(source);
  const own = ownSlot(kernel, request, index);
  deleteSlot(kernel, own);
  const left = kernel.tables.slot.at(source);
  if (left.kind !== kind || left.object !== object || kernel.tables.slot.at(request.target).kind !== THREAD) return;
  insertDerived(kernel, source, own, (copy) => {
    if (index === THREAD_SLOTS.cspace && request.words[1] !== 0n) copy.guard = kernel.plan.guardOf(guardIn(request.words[1]!));
  });
};
const setSpaces = (kernel: Kernel, request: Request): void => {
  install(kernel, request, THREAD_SLOTS.cspace, request.caps[0]!);
  install(kernel, request, THREAD_SLOTS.vspace, request.caps[1]!);
};
const setBuffer = (kernel: Kernel, request: Request, word: number, cap: number): void => {
  const thread = targetThread(kernel, request);
  deleteSlot(kernel, ownSlot(kernel, request, THREAD_SLOTS.buffer));
  threadAt(kernel, thread).givenBuffer = 0;
  if (wantsBuffer(request, word)) install(kernel, request, THREAD_SLOTS.buffer, request.caps[cap]!);
};

const spaceWords: readonly WordArgument[] = [
  { name: "fault_ep", of: "word" },
  { name: "cspace_root_data", of: "guard" },
  { name: "vspace_root_data", of: "word" },
];
const spaceCaps = [
  { name: "cspace_root", of: "cnode" },
  { name: "vspace_root", of: "vspace" },
] as const;

const tcb = (definition: Omit<Invocation, "object" | "unexplored">): Invocation => invocation({ ...definition, object: THREAD, unexplored: NO_THREADS });

export const Configure = tcb({
  label: "TCBConfigure",
  says: "Give a thread its CSpace, its VSpace and its IPC buffer.",
  caps: [...spaceCaps, { name: "bufferFrame", of: "frame" }],
  words: [...spaceWords, { name: "buffer", of: "word" }],
  refusals: [...bufferRefusals(3, 2), ...spaceRefusals],
  effect: (kernel, request) => {
    setSpaces(kernel, request);
    setBuffer(kernel, request, 3, 2);
  },
});

export const SetSpace = tcb({
  label: "TCBSetSpace",
  says: "Give a thread its CSpace and its VSpace.",
  caps: spaceCaps,
  words: spaceWords,
  refusals: spaceRefusals,
  effect: setSpaces,
});

export const SetIPCBuffer = tcb({
  label: "TCBSetIPCBuffer",
  says: "Give a thread its IPC buffer; address 0 takes it away.",
  caps: [{ name: "bufferFrame", of: "frame" }],
  words: [{ name: "buffer", of: "word" }],
  refusals: bufferRefusals(0, 0),
  effect: (kernel, request) => setBuffer(kernel, request, 0, 0),
});

/** tcb.c `checkPrio`: nobody gives more than the authority's own limit. */
const priorityRefusals = (words: readonly number[]): readonly Refusal[] => [
  refusal("seL4_InvalidCapability", "the authority is no thread", (kernel, request) => (capAt(kernel, request, 0).kind === THREAD ? undefined : [1n])),
  ...words.map((word) =>
    refusal("seL4_RangeError", `word ${word} is above the authority's greatest priority`, (kernel, request) => {
      const most = BigInt(threadAt(kernel, capAt(kernel, request, 0).object).mostPriority);
      return request.words[word]! > most ? [0n, most] : undefined;
    }),
  ),
];
const authority = [{ name: "authority", of: "thread" }] as const;

export const SetPriority = tcb({
  label: "TCBSetPriority",
  says: "Set a thread's priority.",
  caps: authority,
  words: [{ name: "priority", of: "priority" }],
  refusals: priorityRefusals([0]),
  effect: (kernel, request) => {
    threadAt(kernel, targetThread(kernel, request)).priority = Number(request.words[0]);
  },
});

export const SetMCPriority = tcb({
  label: "TCBSetMCPriority",
  says: "Set the greatest priority that a thread may give.",
  caps: authority,
  words: [{ name: "mcp", of: "priority" }],
  refusals: priorityRefusals([0]),
  effect: (kernel, request) => {
    threadAt(kernel, targetThread(kernel, request)).mostPriority = Number(request.words[0]);
  },
});

export const SetSchedParams = tcb({
  label: "TCBSetSchedParams",
  says: "Set both.",
  caps: authority,
  words: [
    { name: "mcp", of: "priority" },
    { name: "priority", of: "priority" },
  ],
  refusals: priorityRefusals([0, 1]),
  effect: (kernel, request) => {
    const row = threadAt(kernel, targetThread(kernel, request));
    row.mostPriority = Number(request.words[0]);
    row.priority = Number(request.words[1]);
  },
});

export const Suspend = tcb({
  label: "TCBSuspend",
  says: "Stop a thread; what it waits for is given up.",
  caps: [],
  words: [],
  refusals: [],
  effect: (kernel, request) => suspend(kernel, targetThread(kernel, request)),
});

export const Resume = tcb({
  label: "TCBResume",
  says: "Start a thread that is stopped or waits; a runnable one goes on as it was.",
  caps: [],
  words: [],
  refusals: [],
  effect: (kernel, request) => restart(kernel, targetThread(kernel, request)),
});

export const BindNotification = tcb({
  label: "TCBBindNotification",
  says: "Let signals of a notification reach a thread that waits on an endpoint.",
  caps: [{ name: "notification", of: "notification" }],
  words: [],
  refusals: [
    truncated(0, 1),
    refusal("seL4_IllegalOperation", "the thread has a bound notification", (kernel, request) => (threadAt(kernel, targetThread(kernel, request)).bound === NONE ? undefined : [])),
    refusal("seL4_IllegalOperation", "the capability is no notification, or may not receive", (kernel, request) => {
      const { kind, rights } = capAt(kernel, request, 0);
      return kind === NOTIFICATION && (rights & CAN_RECEIVE) !== 0 ? undefined : [];
    }),
    refusal("seL4_IllegalOperation", "somebody waits for the notification, or is bound to it", (kernel, request) => {
      const { object } = capAt(kernel, request, 0);
      return hasWaiters(kernel, object) || boundThread(kernel, object) !== NONE ? [] : undefined;
    }),
  ],
  effect: (kernel, request) => {
    threadAt(kernel, targetThread(kernel, request)).bound = capAt(kernel, request, 0).object;
  },
});

export const UnbindNotification = tcb({
  label: "TCBUnbindNotification",
  says: "Undo the binding.",
  caps: [],
  words: [],
  refusals: [refusal("seL4_IllegalOperation", "the thread has no bound notification", (kernel, request) => (threadAt(kernel, targetThread(kernel, request)).bound === NONE ? [] : undefined))],
  effect: (kernel, request) => {
    threadAt(kernel, targetThread(kernel, request)).bound = NONE;
  },
});

export const threadControl: readonly Invocation[] = [
  Configure,
  SetSpace,
  SetIPCBuffer,
  SetPriority,
  SetMCPriority,
  SetSchedParams,
  Suspend,
  Resume,
  BindNotification,
  UnbindNotification,
];
