/** Interrupts that come from outside, and software-generated ones: who is signalled (what is refused: sequences.test.ts). */
import { describe, expect, it } from "vitest";
import { raise } from "../../src/kernel/interrupt.ts";
import { threeThreads } from "./threeThreads.ts";

/** SPI 96, where a board may have its SMMU's event interrupt. */
const EVENT = 128;
const issue = "a 0xb IRQIssueIRQHandler 0x80 0x20 0x40 + 0x1";

describe("an interrupt", () => {
  it("reaches who waits for the handler's notification, with the handler's badge", () => {
    const { kernel, say } = threeThreads();
    expect(raise(kernel, EVENT)).toBeUndefined();
    expect([issue, "a 0x20 IRQSetIRQHandler + 0x6", "b 0x4 wait"].map(say)).toEqual(["NoError", "NoError", "blocked"]);
    expect(raise(kernel, EVENT)).toMatchObject({ to: 1, badge: 6n, words: [] });
    expect(raise(kernel, EVENT + 1)).toBeUndefined();
    expect(say("b 0x4 poll")).toBe("NoError");
  });

  it("is kept as a signal where nobody waits", () => {
    const { kernel, say } = threeThreads();
    expect([issue, "a 0x20 IRQSetIRQHandler + 0x6"].map(say)).toEqual(["NoError", "NoError"]);
    expect(raise(kernel, EVENT)).toBeUndefined();
    expect(["a 0x5 signal", "a 0x20 IRQAckIRQ", "c 0x4 wait"].map(say)).toEqual(["NoError", "NoError", "NoError -> c 0x7"]);
  });

  it("signals nothing before a notification is set and after it is cleared, replaced, revoked or its handler deleted", () => {
    const { kernel, say } = threeThreads();
    const pending = () => (raise(kernel, EVENT), say("c 0x4 poll"));
    say(issue);
    expect(pending()).toBe("NoError");
    say("a 0x20 IRQSetIRQHandler + 0x5");
    expect(pending()).toBe("NoError -> c 0x1");
    say("a 0x20 IRQSetIRQHandler + 0x6");
    expect(pending()).toBe("NoError -> c 0x6");
    say("a 0x20 IRQClearIRQHandler");
    expect(pending()).toBe("NoError");
    say("a 0x20 IRQSetIRQHandler + 0x5");
    expect(say("a 0x1 CNodeDelete 0x20 0x40")).toBe("NoError");
    expect(pending()).toBe("NoError");
    expect(say(issue)).toBe("NoError");
    expect(pending()).toBe("NoError");
    expect(say("a 0x1 CNodeMint 0x21 0x40 0x4 0x40 0xf 0x9 + 0x1")).toBe("NoError");
    say("a 0x20 IRQSetIRQHandler + 0x21");
    expect(pending()).toBe("NoError -> c 0x9");
    say("a 0x1 CNodeRevoke 0x21 0x40");
    expect(pending()).toBe("NoError");
  });

  it("has one handler, which a copy keeps", () => {
    const { kernel, say } = threeThreads();
    expect(say(issue)).toBe("NoError");
    expect(say("a 0x1 CNodeCopy 0x21 0x40 0x20 0x40 0xf + 0x1")).toBe("NoError");
    say("a 0x21 IRQSetIRQHandler + 0x5");
    say("a 0x1 CNodeDelete 0x20 0x40");
    expect(say(issue)).toBe("RevokeFirst");
    raise(kernel, EVENT);
    expect(say("c 0x4 poll")).toBe("NoError -> c 0x1");
    say("a 0x1 CNodeRevoke 0xb 0x40");
    expect(say(issue)).toBe("NoError");
  });
});

describe("a handler's notification", () => {
  it("lives by the handler alone, and goes when another takes its place", () => {
    const { kernel, say } = threeThreads();
    const setup = [issue, "a 0xa UntypedRetype 0x3 0x0 0x0 0x0 0x21 0x1 + 0x1", "a 0x9 TCBBindNotification + 0x21", "a 0x20 IRQSetIRQHandler + 0x21", "a 0x1 CNodeDelete 0x21 0x40"];
    expect(setup.map(say)).toEqual(setup.map(() => "NoError"));
    raise(kernel, EVENT);
    expect(say("c 0x2 nbrecv")).toBe("NoError -> c 0x0");
    expect(say("a 0x20 IRQSetIRQHandler + 0x5")).toBe("NoError");
    expect(say("a 0x9 TCBUnbindNotification")).toBe("IllegalOperation");
  });
});

describe("a software-generated interrupt", () => {
  const made = () => {
    const system = threeThreads();
    const lines = ["a 0xb IRQIssueIRQHandler 0x3 0x20 0x40 + 0x1", "a 0x20 IRQSetIRQHandler + 0x6", "a 0xb ARMIRQIssueSGISignal 0x3 0x0 0x21 0x40 + 0x1", "a 0xb ARMIRQIssueSGISignal 0x3 0x1 0x22 0x40 + 0x1", "a 0xb ARMIRQIssueSGISignal 0x4 0x0 0x23 0x40 + 0x1"];
    expect(lines.map(system.say)).toEqual(lines.map(() => "NoError"));
    return system;
  };

  it("reaches the handler of its number on this core, whatever the label", () => {
    const { say } = made();
    expect(say("b 0x4 wait")).toBe("blocked");
    expect(say("a 0x22 send")).toBe("NoError");
    expect(say("a 0x23 send")).toBe("NoError");
    expect(say("a 0x21 send")).toBe("NoError -> b 0x6");
    expect(say("a 0x21 CNodeRevoke")).toBe("NoError");
    expect(say("b 0x4 poll")).toBe("NoError -> b 0x6");
  });
});

describe("the slot for what is issued", () => {
  // cspace.c lookupTargetSlot: the guard of the root is 56 bits of 0, and a slot number takes all 64.
  it.each(["IRQIssueIRQHandler 3", "ARMIRQIssueIRQHandlerTrigger 3 0", "ARMIRQIssueSGISignal 3 0"])("%s", (call) => {
    const { say } = threeThreads();
    const into = (slot: string) => say(`a 0xb ${call} ${slot} + 0x1`);
    expect([into("0x20 0"), into("0x20 65")]).toEqual(["RangeError 0x1 0x40", "RangeError 0x1 0x40"]);
    expect([into("0x120 64"), into("0x20 63")]).toEqual(["FailedLookup 0x0 0x4 0x40 0x0 0x38", "FailedLookup 0x0 0x3 0x3f 0x40"]);
    expect([say(`a 0xb ${call} 0x20 64 + 0x2`), into("2 64"), into("0x20 64")]).toEqual(["FailedLookup 0x0 0x1", "DeleteFirst", "NoError"]);
  });
});
