/** Threads: what a thread has and loses, and what holds of every state that threads can reach (what is refused: sequences.test.ts). */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { leastState, NONE } from "../../src/base/state.ts";
import { kinds } from "../../src/kernel/capability.ts";
import type { Kernel } from "../../src/kernel/kernel.ts";
import { kernelShape } from "../../src/kernel/state.ts";
import { BLOCKED_ON_NOTIFICATION, BLOCKED_ON_RECEIVE, BLOCKED_ON_REPLY, BLOCKED_ON_SEND, INACTIVE, RUNNING, THREAD_SLOT_COUNT, THREAD_SLOTS, threadAt } from "../../src/kernel/thread.ts";
import { bootOf } from "./fixture.ts";
import { threeThreads } from "./threeThreads.ts";

const threadNamed = (kernel: Kernel, name: string): number => kernel.plan.subjects.find((subject) => subject.name === name)!.thread!;
const kindsHeld = (kernel: Kernel, thread: number): string[] =>
  Array.from({ length: THREAD_SLOT_COUNT }, (_, index) => kinds[kernel.tables.slot.at(kernel.plan.threadSlot(thread, index)).kind]!);

describe("a thread", () => {
  it("holds copies: its CSpace lives on without the capability it was given", () => {
    const { say } = threeThreads();
    expect(say("a 0x1 CNodeDelete 0xc 0x40")).toBe("NoError");
    expect(say("b 0x1 CNodeDelete 0x1 0x40")).toBe("NoError");
    expect(say("b 0x3 send 0x1")).toBe("blocked");
    expect(say("a 0x2 recv")).toBe("NoError -> a 0xb : 0x1");
  });

  it("is given another CSpace, and resolves every cptr there from then on", () => {
    const { say } = threeThreads();
    expect(say("a 0x9 TCBSetSpace 0x0 0x38 0x0 + 0xc 0xf")).toBe("NoError");
    expect(say("c 0x3 send 0x1")).toBe("blocked");
    expect(say("a 0x2 recv")).toBe("NoError -> a 0xb : 0x1");
    expect(say("a 0x9 TCBSetSpace 0x0 0x37 0x0 + 0xc 0xf")).toBe("NoError");
    expect(say("c 0x3 call 0x1")).toBe("CapFault");
    expect(say("a 0x9 TCBSetSpace 0x0 0x39 0x0 + 0xc 0xf")).toBe("IllegalOperation");
  });

  it("gives no priority above the authority's own limit, which is read each time", () => {
    const { kernel, say } = threeThreads();
    const lines = ["a 0x8 TCBSetMCPriority 0x64 + 0x7", "a 0x9 TCBSetPriority 0x64 + 0x8", "a 0x9 TCBSetPriority 0x65 + 0x8", "a 0x8 TCBSetMCPriority 0x65 + 0x7", "a 0x9 TCBSetPriority 0x65 + 0x8", "a 0x9 TCBSetSchedParams 0x66 0x1 + 0x8"];
    expect(lines.map(say)).toEqual(["NoError", "NoError", "RangeError 0x0 0x64", "NoError", "NoError", "RangeError 0x0 0x65"]);
    const { priority, mostPriority } = threadAt(kernel, threadNamed(kernel, "c"));
    expect([priority, mostPriority]).toEqual([0x65, 255]);
  });

  it("leaves nothing behind when its last capability goes, and its memory makes new threads", () => {
    const { kernel, say } = threeThreads();
    const before = kernel.tables.slot;
    const setup = ["a 0xa UntypedRetype 0x1 0x0 0x0 0x0 0x20 0x1 + 0x1", "a 0x20 TCBSetSpace 0x0 0x38 0x0 + 0xc 0xf", "a 0x20 TCBSetIPCBuffer 0x0 + 0x4", "a 0x20 TCBBindNotification + 0x4", "a 0x20 TCBSetSchedParams 0x5 0x4 + 0x7", "a 0x20 TCBSetFlags 0x0 0x1", "a 0x20 TCBResume"];
    expect(setup.map(say)).toEqual(["NoError", "NoError", "NoError", "NoError", "NoError", "NoError 0x1", "NoError"]);
    const made = kernel.plan.threads.length - 1;
    expect(kindsHeld(kernel, made)).toEqual(["cnode", "vspace", "reply", "null", "null"]);
    expect(say("a 0x1 CNodeCopy 0x21 0x40 0x20 0x40 0xf + 0x1")).toBe("NoError");
    expect(say("a 0x1 CNodeDelete 0x20 0x40")).toBe("NoError");
    expect(threadAt(kernel, made).state).toBe(RUNNING);
    expect(say("a 0x1 CNodeDelete 0x21 0x40")).toBe("NoError");
    expect(kindsHeld(kernel, made)).toEqual(["null", "null", "null", "null", "null"]);
    const least = leastState(kernelShape(kernel.plan)).thread[made]!;
    expect(threadAt(kernel, made)).toMatchObject({ ...least });
    expect(before.some(({ parent }) => parent !== NONE && before.at(parent).kind === 0)).toBe(false);
    expect(say("a 0x1 CNodeRevoke 0xa 0x40")).toBe("NoError");
    expect(say("a 0xa UntypedRetype 0x1 0x0 0x0 0x0 0x20 0x1 + 0x1")).toBe("NoError");
    expect(kernel.plan.threads.length - 1).toBe(made);
    expect(say("a 0x20 TCBReadRegisters 0x0 0x2")).toBe("NoError 0x0 0x0");
  });

  it("that waits is started by Resume, one that runs is not, and Suspend keeps what it was doing", () => {
    const { say } = threeThreads();
    const lines = ["b 0x2 recv", "a 0x8 TCBResume", "a 0x8 TCBSuspend", "a 0x3 nbsend 0x1", "b 0x2 nbrecv", "c 0x3 send 0x2", "a 0x8 TCBResume", "b 0x2 nbrecv", "a 0x8 TCBSuspend", "a 0x8 TCBResume", "b 0x2 nbrecv"];
    expect(lines.map(say)).toEqual(["blocked", "NoError ; b again: blocked", "NoError", "NoError", "suspended", "blocked", "NoError ; b again: NoError -> b 0xc : 0x2", "NoError", "NoError", "NoError", "NoError"]);
  });
});

const WAITING = [BLOCKED_ON_RECEIVE, BLOCKED_ON_SEND, BLOCKED_ON_NOTIFICATION];
/** What is wrong with a state, as sentences. */
const flaws = (kernel: Kernel): string[] => {
  const found: string[] = [];
  const { thread: threads, slot: slots, notification: notifications } = kernel.tables;
  const rows = Array.from({ length: kernel.plan.threads.length }, (_, thread) => ({ ...threads.at(thread) }));
  const first = new Map<string, number>();
  for (const [thread, row] of rows.entries()) {
    const queue = `${row.state} ${row.object}`;
    const waits = WAITING.includes(row.state);
    if (!waits && (row.before !== NONE || row.badge + row.canGrant + row.canGrantReply + row.isCall + row.object > 0)) found.push(`${thread} waits for nothing and is in a queue`);
    if (waits && row.before === NONE) first.set(queue, (first.get(queue) ?? 0) + 1);
    const before = row.before === NONE ? undefined : rows[row.before]!;
    if (waits && before !== undefined && (before.state !== row.state || before.object !== row.object)) found.push(`${thread} stands behind a thread of another queue`);
    if (row.before !== NONE && rows.some((other, at) => at !== thread && other.before === row.before)) found.push(`two threads stand behind ${row.before}`);
    if (row.state > BLOCKED_ON_NOTIFICATION) found.push(`${thread} was not activated`);
    if (row.bound !== NONE && rows.some((other, at) => at !== thread && other.bound === row.bound)) found.push("a notification is bound twice");
    const waiting = row.state === BLOCKED_ON_NOTIFICATION ? notifications.at(row.object).active : 0;
    if (waiting === 1) found.push(`${thread} waits for a notification that is active`);
  }
  for (const [queue, heads] of first) if (heads > 1) found.push(`queue ${queue} has ${heads} heads`);
  // An endpoint has senders or receivers, never both.
  for (const row of rows) if (row.state === BLOCKED_ON_SEND && rows.some((other) => other.state === BLOCKED_ON_RECEIVE && other.object === row.object)) found.push("sender and receiver wait for each other");
  const replies = new Map<number, number>();
  slots.forEach((slot, at) => {
    const place = kernel.plan.slots[at]!;
    if (slot.kind !== kinds.indexOf("reply") || (place.in === "thread" && place.index === THREAD_SLOTS.reply)) return;
    replies.set(slot.object, (replies.get(slot.object) ?? 0) + 1);
    if (rows[slot.object]!.state !== BLOCKED_ON_REPLY) found.push(`a reply capability is for thread ${slot.object}, which does not wait`);
    if (slot.parent !== kernel.plan.threadSlot(slot.object, THREAD_SLOTS.reply)) found.push("a reply capability is no child of its master");
  });
  for (const [thread, count] of replies) if (count > 1) found.push(`${count} reply capabilities for ${thread}`);
  return found;
};

const endpoint = fc.constantFrom("0x2", "0x3", "0xe", "0x20", "0x21");
const slot = fc.constantFrom("0x20", "0x21", "0x22");
const by = (...call: fc.Arbitrary<string>[]) => fc.tuple(fc.constantFrom("a", "b", "c"), ...call).map((parts) => parts.join(" "));
const always = (text: string) => fc.constant(text);
/** What makes threads meet is drawn more often than what takes their objects away. */
const call = fc.oneof(
  { weight: 12, arbitrary: by(endpoint, fc.constantFrom("send 0x1", "nbsend 0x2", "call 0x3 + 0x4", "call", "recv", "recv 0x20 0x40 + 0x1", "recv 0x21 0x40 + 0x1", "nbrecv", "replyrecv 0x4", "send 0x5 + 0xe 0x2")) },
  { weight: 3, arbitrary: by(fc.constantFrom("0x4", "0x5", "0x6", "0x20"), fc.constantFrom("signal", "wait", "poll")) },
  { weight: 3, arbitrary: by(always("0x0 reply 0x6")) },
  { weight: 2, arbitrary: by(always("0x1 CNodeSaveCaller"), slot, always("0x40")) },
  { weight: 1, arbitrary: by(always("0x1"), fc.constantFrom("CNodeDelete", "CNodeRevoke", "CNodeCancelBadgedSends"), fc.constantFrom("0x3", "0x20", "0x21", "0x2", "0x4"), always("0x40")) },
  { weight: 2, arbitrary: by(always("0x1 CNodeMint"), slot, always("0x40"), fc.constantFrom("0x2", "0x4", "0xe"), always("0x40"), fc.constantFrom("0xf", "0x3", "0x9", "0x1"), fc.constantFrom("0x0", "0x7"), always("+ 0x1")) },
  { weight: 4, arbitrary: fc.tuple(always("a"), fc.constantFrom("0x8", "0x9"), fc.constantFrom("TCBSuspend", "TCBResume", "TCBResume", "TCBBindNotification + 0x4", "TCBUnbindNotification")).map((parts) => parts.join(" ")) },
  { weight: 1, arbitrary: fc.constantFrom("a 0x7 TCBSuspend", "a 0x8 TCBSetIPCBuffer 0x0 + 0x4", "a 0x1 CNodeDelete 0x8 0x40", "a 0x1 CNodeDelete 0x9 0x40", "a 0x9 TCBCopyRegisters 0x3 + 0x8", "a 0x8 TCBWriteRegisters 0x1 0x1 0x0") },
);

describe("whatever three threads do", () => {
  it("queues, bindings and reply capabilities stay whole", () => {
    const met = new Set<string>();
    fc.assert(
      fc.property(fc.array(call, { minLength: 10, maxLength: 60 }), (lines) => {
        const { kernel, say } = threeThreads();
        for (const line of lines) {
          const answer = say(line);
          met.add(answer.split(" ")[0]!);
          if (answer.includes("again")) met.add("again");
          if (answer.includes("slot")) met.add("slot");
          expect(flaws(kernel), `${lines.join("\n")}\nat ${line}`).toEqual([]);
        }
      }),
      { numRuns: 400 },
    );
    expect([...met]).toEqual(expect.arrayContaining(["NoError", "CapFault", "blocked", "suspended", "again", "slot", "InvalidCapability", "DeleteFirst"]));
  });

  it("the law can fail: it tells a torn queue and a reply capability for nobody", () => {
    const { kernel, say } = threeThreads();
    say("b 0x2 recv");
    say("c 0x2 recv");
    expect(flaws(kernel)).toEqual([]);
    threadAt(kernel, threadNamed(kernel, "b")).state = INACTIVE;
    expect(flaws(kernel)).toHaveLength(2);
    const again = threeThreads();
    again.say("b 0x2 recv");
    again.say("c 0x2 call");
    threadAt(again.kernel, threadNamed(again.kernel, "c")).state = RUNNING;
    expect(flaws(again.kernel)).toEqual(["a reply capability is for thread 2, which does not wait"]);
  });
});

it("a state that is explored has no thread, and spends nothing on them", () => {
  const { plan, state } = bootOf("one-driver");
  expect([plan.threads, plan.endpoints, plan.notifications, plan.vcpus, plan.irqs].map(({ length }) => length)).toEqual([0, 0, 0, 0, 0]);
  expect([state.thread, state.notification, state.vcpu, state.irq].map(({ length }) => length)).toEqual([0, 0, 0, 0]);
});
