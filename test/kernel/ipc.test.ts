/** What the recorded lists (sequences.test.ts) leave open because they have two threads: queues, several callers, and what happens between receiving and sending. */
import { describe, expect, it } from "vitest";
import { openSystem, type OpenSystem } from "./openSystem.ts";
import { threeThreads } from "./threeThreads.ts";

/** Every line with its answer, in order. */
const agree = (system: OpenSystem, lines: readonly (readonly [call: string, answer: string])[]): void => {
  expect(lines.map(([call]) => [call, system.say(call)])).toEqual(lines);
};

describe("queues", () => {
  it("senders are received in the order in which they came", () => {
    agree(threeThreads(), [
      ["c 0x3 send 0x1", "blocked"],
      ["b 0x3 call 0x2", "blocked"],
      ["a 0x2 recv", "NoError -> a 0xc : 0x1"],
      ["c 0x3 send 0x3", "blocked"],
      ["a 0x2 recv", "NoError -> a 0xb : 0x2"],
      ["a 0x2 recv", "NoError -> a 0xc : 0x3"],
      ["a 0x2 nbrecv", "NoError"],
    ]);
  });

  it("receivers get messages in the order in which they came, and one that is stopped in between loses its place only", () => {
    agree(threeThreads(), [
      ["b 0x2 recv", "blocked"],
      ["c 0x2 recv", "blocked"],
      ["a 0x3 send 0x1", "NoError -> b 0xa : 0x1"],
      ["b 0x2 recv", "blocked"],
      ["a 0x9 TCBSuspend", "NoError"],
      ["a 0x9 TCBResume", "NoError ; c again: blocked"],
      ["a 0x3 send 0x2", "NoError -> b 0xa : 0x2"],
      ["a 0x3 send 0x3", "NoError -> c 0xa : 0x3"],
      ["a 0x3 nbsend 0x4", "NoError"],
    ]);
  });

  it("nobody who waits to send is a receiver, and waiting at one endpoint is not waiting at the other", () => {
    agree(threeThreads(), [
      ["b 0x3 send 0x1", "blocked"],
      ["c 0xe recv", "blocked"],
      ["a 0x2 nbsend 0x2", "NoError"],
      ["a 0xe nbrecv", "NoError"],
      ["a 0xe send 0x3", "NoError -> c 0x0 : 0x3"],
      ["c 0x2 recv", "NoError -> c 0xb : 0x1"],
    ]);
  });
});

describe("calls", () => {
  it("saved reply capabilities answer their own callers, in any order, once", () => {
    agree(threeThreads(), [
      ["b 0x3 call 0x1", "blocked"],
      ["a 0x2 recv", "NoError -> a 0xb : 0x1"],
      ["a 0x1 CNodeSaveCaller 0x20 0x40", "NoError"],
      ["c 0x3 call 0x2", "blocked"],
      ["a 0x2 recv", "NoError -> a 0xc : 0x2"],
      ["a 0x1 CNodeSaveCaller 0x21 0x40", "NoError"],
      ["a 0x0 reply 0x9", "NoError"],
      ["a 0x21 send 0x4", "NoError -> c 0x0 : 0x4"],
      ["a 0x20 call 0x3", "NoError -> b 0x0 : 0x3"],
      ["a 0x21 call 0x5", "InvalidCapability 0x0"],
    ]);
  });

  it("receiving again without an answer leaves the caller waiting for ever; a moved reply capability does not", () => {
    agree(threeThreads(), [
      ["a 0x2 recv", "blocked"],
      ["b 0x3 call 0x1", "blocked -> a 0xb : 0x1"],
      ["a 0x2 nbrecv", "NoError"],
      ["a 0x0 reply 0x2", "NoError"],
      ["b 0x2 nbsend", "blocked"],
      ["c 0x3 call 0x3", "blocked"],
      ["a 0x2 recv", "NoError -> a 0xc : 0x3"],
      ["a 0x1 CNodeSaveCaller 0x20 0x40", "NoError"],
      ["a 0x2 nbrecv", "NoError"],
      ["a 0x1 CNodeMove 0x21 0x40 0x20 0x40 + 0x1", "NoError"],
      ["a 0x1 CNodeCopy 0x22 0x40 0x21 0x40 0xf + 0x1", "IllegalOperation"],
      ["a 0x21 send 0x4", "NoError -> c 0x0 : 0x4"],
    ]);
  });

  it("a caller that is stopped takes its reply capability with it, wherever that is, and calls again when it starts", () => {
    agree(threeThreads(), [
      ["b 0x3 call 0x1", "blocked"],
      ["a 0x2 recv", "NoError -> a 0xb : 0x1"],
      ["a 0x1 CNodeSaveCaller 0x20 0x40", "NoError"],
      ["a 0x8 TCBSuspend", "NoError"],
      ["a 0x20 call 0x2", "InvalidCapability 0x0"],
      ["b 0x2 send 0x7", "suspended"],
      ["a 0x8 TCBResume", "NoError ; b again: blocked"],
      ["a 0x2 recv", "NoError -> a 0xb : 0x1"],
      ["a 0x0 reply 0x3", "NoError -> b 0x0 : 0x3"],
    ]);
  });

  it("ReplyRecv tells both the reply and what was waiting", () => {
    agree(threeThreads(), [
      ["a 0x2 recv", "blocked"],
      ["b 0x3 call 0x1", "blocked -> a 0xb : 0x1"],
      ["c 0x3 send 0x2", "blocked"],
      ["a 0x2 replyrecv 0x3", "NoError -> b 0x0 : 0x3 -> a 0xc : 0x2"],
    ]);
  });
});

describe("capabilities", () => {
  it("the receive slot is looked at when the message comes, not when the receiver begins to wait", () => {
    agree(threeThreads(), [
      ["b 0x2 recv 0x20 0x40 + 0x1", "blocked"],
      ["a 0xc CNodeCopy 0x20 0x40 0x4 0x40 0xf + 0x1", "NoError"],
      ["a 0x2 send + 0xd", "NoError -> b 0x0"],
      ["b 0x2 recv 0x20 0x40 + 0x1", "blocked"],
      ["a 0xc CNodeDelete 0x20 0x40", "NoError"],
      ["a 0x2 send + 0xd", "NoError -> b 0x0 + slot"],
    ]);
  });

  it("the sender's capabilities are what its cptrs name when the message goes", () => {
    agree(threeThreads(), [
      ["a 0x3 send 0x1 + 0xe", "blocked"],
      ["b 0x2 recv 0x20 0x40 + 0x1", "NoError -> b 0xa : 0x1 + slot"],
      ["a 0x2 send 0x2 + 0xd 0xe", "blocked"],
      ["b 0x2 recv 0x21 0x40 + 0x1", "NoError -> b 0x0 : 0x2 + slot"],
      ["b 0x21 UntypedRetype 0x2 0x0 0x0 0x0 0x22 0x1 + 0x1", "NoError"],
      ["a 0x1 CNodeRevoke 0xd 0x40", "NoError"],
      ["b 0x22 nbsend", "NoError"],
      ["b 0x22 call", "InvalidCapability 0x0"],
    ]);
  });

  it("a thread without a buffer sends and gets four words, and no capability", () => {
    agree(threeThreads(), [
      ["a 0x8 TCBSetIPCBuffer 0x0 + 0xd", "NoError"],
      ["b 0x2 recv 0x20 0x40 + 0x1", "blocked"],
      ["a 0x2 send 0x1 0x2 0x3 0x4 0x5 + 0xd", "NoError -> b 0x0 : 0x1 0x2 0x3 0x4"],
      ["c 0x2 recv", "blocked"],
      ["b 0x3 send 0x1 0x2 0x3 0x4 0x5 + 0x4", "NoError -> c 0xb : 0x1 0x2 0x3 0x4"],
    ]);
  });
});

describe("a wait that is given up", () => {
  it("with the endpoint's last capability: everybody calls again, and finds nothing there", () => {
    agree(threeThreads(), [
      ["b 0x3 send 0x1", "blocked"],
      ["c 0x2 call 0x2", "blocked"],
      ["a 0x1 CNodeRevoke 0x2 0x40", "NoError"],
      ["a 0x1 CNodeDelete 0x2 0x40", "NoError ; b again: NoError ; c again: InvalidCapability 0x0"],
    ]);
  });

  it("by badge: only who sends with that badge is turned away", () => {
    agree(threeThreads(), [
      ["b 0x3 send 0x1", "blocked"],
      ["c 0x3 send 0x2", "blocked"],
      ["a 0x1 CNodeMint 0x20 0x40 0x2 0x40 0xf 0xb + 0x1", "NoError"],
      ["a 0x1 CNodeCancelBadgedSends 0x20 0x40", "NoError ; b again: blocked"],
      ["a 0x2 recv", "NoError -> a 0xc : 0x2"],
      ["a 0x2 recv", "NoError -> a 0xb : 0x1"],
    ]);
  });

  it("two threads that restart each other by TCBCopyRegisters don't keep the kernel busy for ever", () => {
    const { say } = openSystem();
    expect(say("root 0x18 CNodeCopy 0x10 0x6 0x1 0x40 0xf + 0x2")).toBe("NoError");
    expect(say("root 0x18 CNodeCopy 0x11 0x6 0x19 0x40 0xf + 0x2")).toBe("NoError");
    expect(say("root 0x19 TCBCopyRegisters 0x3 + 0x1")).toBe("suspended");
    expect(say("b 0x10 TCBCopyRegisters 0x3 + 0x11")).toMatch(/^(suspended|NoError).* ; root again: suspended/);
  });
});
