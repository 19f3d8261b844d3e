/** Virtual CPUs (seL4 src/arch/arm/object/vcpu.c): what the recorded lists leave open, and whose thread one belongs to. */
import { describe, expect, it } from "vitest";
import { NONE } from "../../src/base/state.ts";
import { openSystem, type OpenSystem } from "./openSystem.ts";

const firstState = `first-state: vcpus
components:
  root:
    cspace:
      1: cnode
      2: { vcpu: first }
      3: { vcpu: second }
      4: { untyped: 12 }
      5: { thread: b }
      6: { thread: c }
  b:
    cspace:
      1: cnode
  c:
    cspace:
      1: cnode
`;
const system = (): OpenSystem => openSystem("sel4-smmuv2", firstState);
const agree = ({ say }: OpenSystem, lines: readonly (readonly [call: string, answer: string])[]): void => {
  expect(lines.map(([call]) => [call, say(call)])).toEqual(lines);
};

describe("the thread of a VCPU", () => {
  /** Thread of each VCPU. */
  const threads = ({ kernel }: OpenSystem): number[] => kernel.plan.vcpus.map((_, vcpu) => kernel.tables.vcpu.at(vcpu).thread);

  // vcpu.c associateVCPUTCB: both sides are dissociated first.
  it("has one VCPU, which has one thread: a new pair undoes what either was in", () => {
    const opened = system();
    agree(opened, [["root 2 ARMVCPUSetTCB + 5", "NoError"]]);
    expect(threads(opened)).toEqual([1, NONE]);
    agree(opened, [["root 3 ARMVCPUSetTCB + 5", "NoError"]]);
    expect(threads(opened)).toEqual([NONE, 1]);
    agree(opened, [
      ["root 2 ARMVCPUSetTCB + 6", "NoError"],
      ["root 3 ARMVCPUSetTCB + 6", "NoError"],
    ]);
    expect(threads(opened)).toEqual([NONE, 2]);
  });

  it("loses it with the thread, and with the VCPU", () => {
    const opened = system();
    agree(opened, [
      ["root 2 ARMVCPUSetTCB + 5", "NoError"],
      ["root 3 ARMVCPUSetTCB + 6", "NoError"],
      ["root 1 CNodeDelete 2 64", "NoError"],
      ["root 1 CNodeDelete 6 64", "NoError"],
    ]);
    expect(threads(opened)).toEqual([NONE, NONE]);
  });
});

it("a VCPU that is made where another was starts with its own registers", () => {
  const made = ["root 4 UntypedRetype 10 0 0 0 0x20 1 + 1", "NoError"] as const;
  agree(system(), [
    made,
    ["root 0x20 ARMVCPUReadReg 0", "NoError 0x34d58820"],
    ["root 0x20 ARMVCPUWriteReg 0 7", "NoError"],
    ["root 0x20 ARMVCPUWriteReg 23 8", "NoError"],
    ["root 0x20 ARMVCPUReadReg 23", "NoError 0x8"],
    ["root 0x20 ARMVCPUReadReg 24", "InvalidArgument 0x1"],
    ["root 0x20 ARMVCPUWriteReg 24 0", "InvalidArgument 0x1"],
    ["root 1 CNodeDelete 0x20 64", "NoError"],
    made,
    ["root 0x20 ARMVCPUReadReg 0", "NoError 0x34d58820"],
    ["root 0x20 ARMVCPUReadReg 23", "NoError 0x0"],
  ]);
});

describe("an interrupt for the guest", () => {
  it("is refused by its fields in order, each at the first value that is too great", () => {
    agree(system(), [
      ["root 2 ARMVCPUInjectIRQ 0x4_02_20_0400".replaceAll("_", ""), "RangeError 0x0 0x3ff"],
      ["root 2 ARMVCPUInjectIRQ 0x4_02_20_03ff".replaceAll("_", ""), "RangeError 0x0 0x1f"],
      ["root 2 ARMVCPUInjectIRQ 0x4_02_1f_03ff".replaceAll("_", ""), "RangeError 0x0 0x1"],
      ["root 2 ARMVCPUInjectIRQ 0x4_01_1f_03ff".replaceAll("_", ""), "RangeError 0x0 0x3"],
      ["root 2 ARMVCPUInjectIRQ 0x3_01_1f_03ff".replaceAll("_", ""), "NoError"],
      ["root 2 ARMVCPUInjectIRQ 0xff00_0000_0000_0000".replaceAll("_", ""), "NoError"],
    ]);
  });

  it("is acknowledged as the virtual timer's and no other", () => {
    agree(system(), [
      ["root 2 ARMVCPUAckVPPI 27", "NoError"],
      ["root 2 ARMVCPUAckVPPI 26", "InvalidArgument 0x0"],
      ["root 2 ARMVCPUAckVPPI 159", "InvalidArgument 0x0"],
      ["root 2 ARMVCPUAckVPPI 160", "RangeError 0x0 0x9f"],
    ]);
  });
});
