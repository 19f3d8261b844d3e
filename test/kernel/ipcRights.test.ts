/**
 * What rights and buffers let through, and who else is concerned when a wait is given up (seL4 src/object/endpoint.c
 * `sendIPC`, `receiveIPC`, `cancelAllIPC`, `cancelBadgedSends`; src/object/tcb.c `lookupIPCBuffer`).
 */
import { describe, expect, it } from "vitest";
import { openSystem, type OpenSystem } from "./openSystem.ts";
import { threeThreads } from "./threeThreads.ts";

const agree = (system: OpenSystem, lines: readonly (readonly [call: string, answer: string])[]): void => {
  expect(lines.map(([call]) => [call, system.say(call)])).toEqual(lines);
};

const rights = (of: string): string => `first-state: rights
components:
  a:
    cspace:
      1: cnode
      2: { endpoint: channel }
      3: { notification: bell }
      4: { thread: b }
      8: { frame: read-write }
      9: { frame: read-only, rights: r }
  b:
    cspace:
      1: cnode
      2: { endpoint: channel, rights: ${of} }
      3: { notification: bell }
`;

describe("a call", () => {
  it.each(["wg", "wp", "wgp"])("through a capability with %s waits for its reply, whether a receiver is there or not", (of) => {
    agree(openSystem("sel4-smmuv2", rights(of)), [
      ["b 2 call 1", "blocked"],
      ["a 2 recv", "NoError -> a 0x0 : 0x1"],
      ["a 0 reply 2", "NoError -> b 0x0 : 0x2"],
      ["a 2 recv", "blocked"],
      ["b 2 call 3", "blocked -> a 0x0 : 0x3"],
      ["a 0 reply 4", "NoError -> b 0x0 : 0x4"],
    ]);
  });

  it("through one without grant and grant reply stops the caller once it is received", () => {
    agree(openSystem("sel4-smmuv2", rights("w")), [
      ["b 2 call 1", "blocked"],
      ["a 2 recv", "NoError -> a 0x0 : 0x1"],
      ["a 0 reply 2", "NoError"],
      ["b 2 nbsend 3", "suspended"],
    ]);
  });
});

describe("an IPC buffer", () => {
  const LONG = "1 2 3 4 5 6";
  const words = "0x1 0x2 0x3 0x4 0x5 0x6";
  it("that is read-only is enough to send from", () => {
    agree(openSystem("sel4-smmuv2", rights("rwgp")), [
      ["a 4 TCBSetIPCBuffer 0x1000 + 9", "NoError"],
      ["a 2 recv", "blocked"],
      [`b 2 send ${LONG}`, `NoError -> a 0x0 : ${words}`],
    ]);
  });
  it("that is read-only is not enough to receive in: no more than four words, and no capability", () => {
    agree(openSystem("sel4-smmuv2", rights("rwgp")), [
      ["a 4 TCBSetIPCBuffer 0x1000 + 9", "NoError"],
      ["b 2 recv 0x20 64 + 1", "blocked"],
      [`a 2 send ${LONG} + 3`, "NoError -> b 0x0 : 0x1 0x2 0x3 0x4"],
      ["b 1 CNodeDelete 0x20 64", "NoError"],
      ["a 4 TCBSetIPCBuffer 0x1000 + 8", "NoError"],
      ["b 2 recv 0x20 64 + 1", "blocked"],
      [`a 2 send ${LONG} + 3`, `NoError -> b 0x0 : ${words} + slot`],
    ]);
  });
});

describe("a slot for a capability", () => {
  /** Where b receives, and whether the capability arrives. */
  const places: readonly (readonly [where: string, receive: string, arrives: boolean])[] = [
    ["an empty slot", "0x20 64 + 1", true],
    ["a full one", "2 64 + 1", false],
    ["a depth of 0", "0x20 0 + 1", false],
    ["a depth beyond a word", "0x20 65 + 1", false],
    ["bits left over", "0x2000 64 + 4", false],
    ["an address that resolves to nothing", "0x100000000 64 + 1", false],
    ["a root that is no CNode", "0x20 64 + 3", false],
    ["a root that is not there", "0x20 64 + 0x50", false],
  ];
  it.each(places)("%s", (_, receive, arrives) => {
    const state = rights("rwgp").replace(/( {2}b:[^]*)$/u, "$1      4: { cnode: small, radix: 4 }\n");
    agree(openSystem("sel4-smmuv2", state), [
      [`b 2 recv ${receive}`, "blocked"],
      ["a 2 send 7 + 3", `NoError -> b 0x0 : 0x7${arrives ? " + slot" : ""}`],
    ]);
  });
});

describe("what is given up", () => {
  it("with an endpoint's last capability: receivers call again, too, and who waits elsewhere goes on waiting", () => {
    agree(threeThreads(), [
      ["b 0xe recv", "blocked"],
      ["c 0x1 CNodeDelete 0xe 64", "NoError"],
      ["c 0x2 recv", "blocked"],
      ["a 0xc CNodeDelete 0xe 64", "NoError"],
      ["a 0x1 CNodeDelete 0xe 64", "NoError ; b again: CapFault"],
      ["a 0x3 send 1", "NoError -> c 0xa : 0x1"],
    ]);
  });

  it("by badge: only at that endpoint", () => {
    const state = `first-state: badges
components:
  a:
    cspace:
      1: cnode
      2: { endpoint: one, badge: 5 }
      3: { endpoint: other, badge: 5 }
      4: { endpoint: one }
      5: { endpoint: other }
  b:
    cspace:
      2: { endpoint: one, badge: 5 }
  c:
    cspace:
      3: { endpoint: other, badge: 5 }
`;
    agree(openSystem("sel4-smmuv2", state), [
      ["b 2 send 1", "blocked"],
      ["c 3 send 2", "blocked"],
      ["a 1 CNodeCancelBadgedSends 2 64", "NoError ; b again: blocked"],
      ["a 5 recv", "NoError -> a 0x5 : 0x2"],
    ]);
  });

  it("with a caller: its own reply capability, and nobody else's", () => {
    agree(threeThreads(), [
      ["b 0x3 call 1", "blocked"],
      ["a 0x2 recv", "NoError -> a 0xb : 0x1"],
      ["a 0x1 CNodeSaveCaller 0x20 64", "NoError"],
      ["c 0x3 call 2", "blocked"],
      ["a 0x2 recv", "NoError -> a 0xc : 0x2"],
      ["a 0x8 TCBSuspend", "NoError"],
      ["a 0x0 reply 3", "NoError -> c 0x0 : 0x3"],
      ["a 0x20 call 4", "InvalidCapability 0x0"],
    ]);
  });
});
