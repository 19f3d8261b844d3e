/** Notifications with several waiters, and with a bound thread that does something else (recorded lists have the rest: sequences.test.ts). */
import { expect, it } from "vitest";
import type { OpenSystem } from "./openSystem.ts";
import { threeThreads } from "./threeThreads.ts";

const agree = (system: OpenSystem, lines: readonly (readonly [call: string, answer: string])[]): void => {
  expect(lines.map(([call]) => [call, system.say(call)])).toEqual(lines);
};

it("each signal wakes one waiter, the first that came; the next stays", () => {
  agree(threeThreads(), [
    ["c 0x4 wait", "blocked"],
    ["b 0x4 wait", "blocked"],
    ["a 0x5 signal", "NoError -> c 0x1"],
    ["a 0x6 signal", "NoError -> b 0x6"],
    ["a 0x5 signal", "NoError"],
    ["a 0x6 signal", "NoError"],
    ["c 0x4 poll", "NoError -> c 0x7"],
    ["b 0x4 poll", "NoError"],
  ]);
});

it("a signal without a badge is a signal", () => {
  agree(threeThreads(), [
    ["a 0x4 signal", "NoError"],
    ["b 0x4 wait", "NoError -> b 0x0"],
    ["b 0x4 wait", "blocked"],
  ]);
});

it("reaches the bound thread at whatever endpoint it receives, and not while it sends", () => {
  agree(threeThreads(), [
    ["a 0x8 TCBBindNotification + 0x4", "NoError"],
    ["b 0xe recv", "blocked"],
    ["a 0x5 signal", "NoError -> b 0x1"],
    ["b 0xe send 0x1", "blocked"],
    ["a 0x6 signal", "NoError"],
    ["a 0xe recv", "NoError -> a 0x0 : 0x1"],
    ["b 0xe nbrecv", "NoError -> b 0x6"],
    ["c 0x4 wait", "CapFault"],
  ]);
});

it("is bound to one thread at a time, and free again when that one's last capability goes", () => {
  agree(threeThreads(), [
    ["a 0x8 TCBBindNotification + 0x4", "NoError"],
    ["a 0x9 TCBBindNotification + 0x4", "IllegalOperation"],
    ["b 0xe recv", "blocked"],
    ["a 0x1 CNodeDelete 0x8 0x40", "NoError"],
    ["a 0x5 signal", "NoError"],
    ["b 0xe recv", "suspended"],
    ["a 0x9 TCBBindNotification + 0x4", "NoError"],
    ["c 0x2 recv", "NoError -> c 0x1"],
  ]);
});

it("gone, it lets its waiters and its bound thread be", () => {
  agree(threeThreads(), [
    ["a 0x9 TCBBindNotification + 0x4", "NoError"],
    ["c 0x2 recv", "blocked"],
    ["a 0x1 CNodeRevoke 0x4 0x40", "NoError"],
    ["a 0x1 CNodeDelete 0x4 0x40", "NoError"],
    ["a 0x9 TCBUnbindNotification", "IllegalOperation"],
    ["a 0x3 send 0x1", "NoError -> c 0xa : 0x1"],
  ]);
  agree(threeThreads(), [
    ["b 0x4 wait", "blocked"],
    ["a 0x1 CNodeRevoke 0x4 0x40", "NoError"],
    ["a 0x1 CNodeDelete 0x4 0x40", "NoError ; b again: CapFault"],
  ]);
});
