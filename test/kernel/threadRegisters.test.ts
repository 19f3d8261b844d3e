/**
 * Registers, flags and spaces of threads (seL4 src/object/tcb.c), as far as other invocations and messages can tell: the
 * recorded lists (sequences.test.ts) leave out what reads or copies a program counter.
 */
import { describe, expect, it } from "vitest";
import { openSystem, type OpenSystem } from "./openSystem.ts";
import { threeThreads } from "./threeThreads.ts";

/** Every line with its answer, in order. */
const agree = (system: OpenSystem, lines: readonly (readonly [call: string, answer: string])[]): void => {
  expect(lines.map(([call]) => [call, system.say(call)])).toEqual(lines);
};
const REGISTERS = 36;
/** The third register is SPSR, of which a program keeps the condition flags. */
const written = Array.from({ length: REGISTERS }, (_, register) => `0x${(0x100 + register).toString(16)}`);
const kept = written.with(2, "0x140");
const unwritten = Array.from({ length: REGISTERS }, () => "0x0").with(2, "0x140");
const FRAME_REGISTERS = 17;
const answer = (registers: readonly string[]): string => `NoError ${registers.join(" ")}`;

describe("reading, writing and copying", () => {
  it("a thread reads what was written; flags 4 and 8 of a copy take the first 17 registers and the other 19", () => {
    agree(threeThreads(), [
      [`a 0x9 TCBWriteRegisters 0 ${REGISTERS} ${written.join(" ")}`, "NoError"],
      [`a 0x9 TCBReadRegisters 0 ${REGISTERS}`, answer(kept)],
      ["a 0x8 TCBCopyRegisters 0 + 0x9", "NoError"],
      [`a 0x8 TCBReadRegisters 0 ${REGISTERS}`, answer(unwritten)],
      ["a 0x8 TCBCopyRegisters 4 + 0x9", "NoError"],
      [`a 0x8 TCBReadRegisters 0 ${REGISTERS}`, answer([...kept.slice(0, FRAME_REGISTERS), ...unwritten.slice(FRAME_REGISTERS)])],
      ["a 0x8 TCBCopyRegisters 8 + 0x9", "NoError"],
      [`a 0x8 TCBReadRegisters 0 ${REGISTERS}`, answer(kept)],
    ]);
  });

  it("SetTLSBase writes the last register but one", () => {
    agree(threeThreads(), [
      ["a 0x8 TCBSetTLSBase 0x77", "NoError"],
      [`a 0x8 TCBReadRegisters 0 ${REGISTERS}`, answer(unwritten.with(REGISTERS - 2, "0x77"))],
    ]);
  });

  it("a count beyond the registers writes those that there are", () => {
    const more = [...written, "0x999", "0x999"];
    agree(threeThreads(), [
      [`a 0x8 TCBWriteRegisters 0 ${more.length} ${more.join(" ")}`, "NoError"],
      [`a 0x8 TCBWriteRegisters 0 ${more.length + 1} ${more.join(" ")}`, "TruncatedMessage"],
      [`a 0x8 TCBReadRegisters 0 ${REGISTERS}`, answer(kept)],
      [`a 0x8 TCBReadRegisters 0 ${REGISTERS + 1}`, "RangeError 0x1 0x24"],
      ["a 0x8 TCBReadRegisters 0 0", "RangeError 0x1 0x24"],
    ]);
  });

  it("bit 0 of ReadRegisters stops the thread, bit 0 of WriteRegisters starts it", () => {
    agree(threeThreads(), [
      ["a 0x8 TCBReadRegisters 0 1", "NoError 0x0"],
      ["b 0x2 nbrecv", "NoError"],
      ["a 0x8 TCBReadRegisters 1 1", "NoError 0x0"],
      ["b 0x2 nbrecv", "suspended"],
      ["a 0x8 TCBWriteRegisters 0 1 0x1000", "NoError"],
      ["b 0x2 nbrecv", "suspended"],
      ["a 0x8 TCBWriteRegisters 1 1 0x1000", "NoError"],
      ["b 0x2 nbrecv", "NoError"],
    ]);
  });

  it("bits 0 and 1 of CopyRegisters stop the source and start the target", () => {
    agree(threeThreads(), [
      ["a 0x8 TCBSuspend", "NoError"],
      ["a 0x8 TCBCopyRegisters 0 + 0x9", "NoError"],
      ["b 0x2 nbrecv", "suspended"],
      ["c 0x2 nbrecv", "NoError"],
      ["a 0x8 TCBCopyRegisters 3 + 0x9", "NoError"],
      ["b 0x2 nbrecv", "NoError"],
      ["c 0x2 nbrecv", "suspended"],
    ]);
  });

  it("a thread whose program counter was written does not come back to the call that it was stopped in; others do", () => {
    const stopped: readonly (readonly [string, string])[] = [
      ["b 0x2 recv", "blocked"],
      ["a 0x8 TCBSuspend", "NoError"],
    ];
    agree(threeThreads(), [...stopped, ["a 0x8 TCBResume", "NoError ; b again: blocked"]]);
    agree(threeThreads(), [...stopped, ["a 0x8 TCBWriteRegisters 1 0", "NoError ; b again: blocked"]]);
    agree(threeThreads(), [...stopped, ["a 0x8 TCBWriteRegisters 1 1 0x1000", "NoError"], ["b 0x2 nbrecv", "NoError"]]);
    agree(threeThreads(), [...stopped, ["a 0x8 TCBCopyRegisters 10 + 0x9", "NoError ; b again: blocked"]]);
    agree(threeThreads(), [...stopped, ["a 0x8 TCBCopyRegisters 6 + 0x9", "NoError"], ["b 0x2 nbrecv", "NoError"]]);
  });

  it("a thread that is made where another was has none of its registers", () => {
    agree(threeThreads(), [
      ["a 0xa UntypedRetype 1 0 0 0 0x20 1 + 0x1", "NoError"],
      [`a 0x20 TCBWriteRegisters 0 ${REGISTERS} ${written.join(" ")}`, "NoError"],
      ["a 0x20 TCBSetFlags 0 1", "NoError 0x1"],
      ["a 0x1 CNodeDelete 0x20 64", "NoError"],
      ["a 0xa UntypedRetype 1 0 0 0 0x20 1 + 0x1", "NoError"],
      [`a 0x20 TCBReadRegisters 0 ${REGISTERS}`, answer(unwritten)],
      ["a 0x20 TCBSetFlags 0 0", "NoError 0x0"],
    ]);
  });
});

it("flags are cleared, then set, and kept; there is one", () => {
  agree(threeThreads(), [
    ["a 0x8 TCBSetFlags 0 0xff", "NoError 0x1"],
    ["a 0x8 TCBSetFlags 0 0", "NoError 0x1"],
    ["a 0x8 TCBSetFlags 1 1", "NoError 0x1"],
    ["a 0x9 TCBSetFlags 0 0", "NoError 0x0"],
    ["a 0x8 TCBSetFlags 1 0", "NoError 0x0"],
    ["a 0x8 TCBSetFlags 0 0", "NoError 0x0"],
  ]);
});

describe("priorities", () => {
  it("SetSchedParams sets both, the greatest that may be given first", () => {
    const { say, kernel } = threeThreads();
    expect(say("a 0x8 TCBSetSchedParams 100 30 + 0x7")).toBe("NoError");
    expect(kernel.tables.thread.at(1)).toMatchObject({ priority: 30, mostPriority: 100 });
    expect(say("a 0x9 TCBSetPriority 101 + 0x8")).toBe("RangeError 0x0 0x64");
    expect(say("a 0x9 TCBSetSchedParams 100 101 + 0x8")).toBe("RangeError 0x0 0x64");
    expect(say("a 0x9 TCBSetSchedParams 101 100 + 0x8")).toBe("RangeError 0x0 0x64");
    expect(say("a 0x9 TCBSetSchedParams 100 100 + 0x8")).toBe("NoError");
  });
});

describe("what a thread holds", () => {
  const firstState = `first-state: spaces
components:
  a:
    cspace:
      1: cnode
      2: { endpoint: channel }
      3: { asid-pool: 0 }
      4: { thread: b }
      5: { cnode: b, guard-size: 56 }
      6: { vspace: first, asid: 1 }
      7: { vspace: second, asid: 2 }
      8: { vspace: third }
      9: { frame: buffer }
  b:
    cspace:
      1: cnode
      2: { endpoint: channel }
`;
  it("a space that is replaced goes with its last capability", () => {
    const { say, kernel } = openSystem("sel4-smmuv2", firstState);
    for (const line of ["a 0x4 TCBSetSpace 0 0 0 + 0x5 0x6", "a 0x1 CNodeDelete 0x6 64", "a 0x4 TCBSetSpace 0 0 0 + 0x5 0x7", "a 0x3 ARMASIDPoolAssign + 0x8"]) expect(say(line)).toBe("NoError");
    // The first VSpace's number came free, so the third one has it.
    const third = kernel.tables.slot.at(kernel.plan.slotRow(0, 8)).object;
    expect(kernel.plan.asids[kernel.tables.vspace.at(third).asid]!.number).toBe(1);
  });

  it("address 0 takes the buffer away: a message then has the four words that registers hold", () => {
    agree(openSystem("sel4-smmuv2", firstState), [
      ["a 0x4 TCBSetIPCBuffer 0x1000 + 0x9", "NoError"],
      ["b 0x2 recv", "blocked"],
      ["a 0x2 send 1 2 3 4 5 6", "NoError -> b 0x0 : 0x1 0x2 0x3 0x4 0x5 0x6"],
      ["a 0x4 TCBSetIPCBuffer 0 + 0x9", "NoError"],
      ["b 0x2 recv", "blocked"],
      ["a 0x2 send 1 2 3 4 5 6", "NoError -> b 0x0 : 0x1 0x2 0x3 0x4"],
    ]);
  });
});
