/** Cache maintenance on pages and VSpaces: all four operations of each refuse alike, and do nothing (seL4 src/arch/arm/64/kernel/vspace.c). */
import { describe, expect, it } from "vitest";
import { open } from "./emitted.ts";

const firstState = `
first-state: maintenance
components:
  root:
    cspace:
      2: cnode
      5: asid-control
      6: { asid-pool: 0 }
      18: { untyped: 12 }
      29: { vspace: fresh }
      30: { vspace: own, asid: 1 }
      31: { frame: small }
      32: { frame: large, bits: 21 }
      33: { page-table: one }
      34: { page-table: two }
      35: { page-table: three }
      36: { frame: elsewhere }
      37: { page-table: spare }
`;
const MAPPED = ["33 ARMPageTableMap 0 0 + 30", "34 ARMPageTableMap 0 0 + 30", "35 ARMPageTableMap 0 0 + 30", "31 ARMPageMap 0x20000 3 3 + 30", "32 ARMPageMap 0x200000 3 3 + 30"];
const mapped = () => {
  const opened = open("sel4-smmuv2", firstState);
  for (const line of MAPPED) expect(opened.say(line)).toBe("NoError");
  return opened;
};
const OPERATIONS = ["Clean_Data", "Invalidate_Data", "CleanInvalidate_Data", "Unify_Instruction"];
/** seL4_UserTop with 44-bit addresses. */
const USER_TOP = 0xfff_ffff_ffffn;

describe.each(OPERATIONS.map((operation) => `ARMPage${operation}`))("%s", (label) => {
  it("refuses in seL4's order", () => {
    const { say, steps } = mapped();
    expect([say(`36 ${label} 0`), say(`36 ${label} 9 9`)]).toEqual(["TruncatedMessage", "IllegalOperation"]);
    expect([say(`31 ${label} 0x1000 0x1000`), say(`31 ${label} 2 1`)]).toEqual(["InvalidArgument 0x1", "InvalidArgument 0x1"]);
    expect([say(`31 ${label} 0x1000 0x1001`), say(`31 ${label} 0xfff 0x1001`), say(`31 ${label} 0xfff 0x1000`), say(`31 ${label} 0 0x1000`)]).toEqual(["InvalidArgument 0x0", "InvalidArgument 0x0", "NoError", "NoError"]);
    expect([say(`32 ${label} 0 0x200000`), say(`32 ${label} 0 0x200001`)]).toEqual(["NoError", "InvalidArgument 0x0"]);
    expect(say("2 CNodeDelete 6 64")).toBe("NoError");
    expect([say(`31 ${label} 9 9`), steps()]).toEqual(["FailedLookup 0x0 0x1", []]);
  });
});

describe.each(OPERATIONS.map((operation) => `ARMVSpace${operation}`))("%s", (label) => {
  it("refuses in seL4's order", () => {
    const { say, steps } = mapped();
    expect([say(`29 ${label} 0`), say(`29 ${label} 9 9`)]).toEqual(["TruncatedMessage", "InvalidArgument 0x1"]);
    const [top, beyond] = [USER_TOP, USER_TOP + 1n].map((address) => `0x${address.toString(16)}`);
    expect([say(`29 ${label} 0 ${beyond}`), say(`29 ${label} 0 ${top}`), say(`30 ${label} 0x30000000000 ${top}`)]).toEqual(["IllegalOperation", "InvalidCapability 0x0", "NoError"]);
    expect(say(`29 ${label} 0x200000000000 0x100000000000`)).toBe("InvalidArgument 0x1");
    expect(say("2 CNodeDelete 6 64")).toBe("NoError");
    expect([say(`30 ${label} 0x20000 0x21001`), steps()]).toEqual(["FailedLookup 0x0 0x1", []]);
  });

  it("goes to the end of the page of its start, and no further; where none is mapped, anywhere", () => {
    const { say, steps } = mapped();
    expect([say(`30 ${label} 0x20010 0x21000`), say(`30 ${label} 0x20fff 0x21001`), say(`30 ${label} 0x20010 0x40000000000`)]).toEqual(["NoError", "RangeError 0x20fff 0x20fff", "RangeError 0x20010 0x20fff"]);
    expect([say(`30 ${label} 0x200000 0x400000`), say(`30 ${label} 0x234567 0x400001`)]).toEqual(["NoError", "RangeError 0x234567 0x3fffff"]);
    expect([say(`30 ${label} 0x22000 0x400000`), say(`30 ${label} 0x600000 0x40000000000`), steps()]).toEqual(["NoError", "NoError", []]);
  });
});

describe("an ASID that names another VSpace", () => {
  it("makes a frame's maintenance go on, and a VSpace's be refused: InvalidCapability 0", () => {
    const { say } = mapped();
    // The pool is made anew in the first place, and its first number given to another VSpace.
    for (const line of ["2 CNodeDelete 6 64", "5 ARMASIDControlMakePool 6 64 + 18 2", "6 ARMASIDPoolAssign + 29"]) expect(say(line)).toBe("NoError");
    for (const operation of OPERATIONS) {
      expect(say(`31 ARMPage${operation} 0 8`)).toBe("NoError");
      expect(say(`30 ARMVSpace${operation} 0x20fff 0x21001`)).toBe("InvalidCapability 0x0");
    }
    // decodeARMFrameInvocation looks at the ASID before the address's alignment, decodeARMPageTableInvocation at USER_TOP before the ASID.
    expect([say("36 ARMPageMap 0x30001 3 3 + 30"), say("37 ARMPageTableMap 0x100000000000 0 + 30"), say("37 ARMPageTableMap 0 0 + 30")]).toEqual(["InvalidCapability 0x1", "InvalidArgument 0x0", "InvalidCapability 0x1"]);
  });
});

describe("at EL1 maintenance goes through the user's mapping", () => {
  const atEl1 = (profile = "sel4-smmuv2-el1") => {
    const opened = open(profile, firstState);
    for (const line of MAPPED) expect(opened.say(line)).toBe("NoError");
    return opened;
  };
  it("which must be there still", () => {
    const { say } = atEl1();
    expect(say("36 ARMPageMap 0x20000 3 3 + 30")).toBe("NoError");
    for (const operation of OPERATIONS) expect([say(`31 ARMPage${operation} 0 16`), say(`36 ARMPage${operation} 0 16`)]).toEqual(["InvalidCapability 0x0", "NoError"]);
    expect(say("31 ARMPageClean_Data 0 0x1001")).toBe("InvalidArgument 0x0");
    // A hypervisor goes by the physical address.
    const hypervisor = atEl1("sel4-smmuv2");
    expect([hypervisor.say("36 ARMPageMap 0x20000 3 3 + 30"), hypervisor.say("31 ARMPageClean_Data 0 16")]).toEqual(["NoError", "NoError"]);
  });

  it("and allow writes where data are discarded", () => {
    const { say } = atEl1();
    expect(say("31 ARMPageMap 0x20000 2 3 + 30")).toBe("NoError");
    expect(OPERATIONS.map((operation) => say(`31 ARMPage${operation} 0 16`))).toEqual(["NoError", "IllegalOperation", "NoError", "NoError"]);
    expect(OPERATIONS.map((operation) => say(`30 ARMVSpace${operation} 0x20000 0x20010`))).toEqual(["NoError", "IllegalOperation", "NoError", "NoError"]);
    expect(say("30 ARMVSpaceInvalidate_Data 0x20000 0x30000")).toBe("RangeError 0x20000 0x20fff");
    const hypervisor = atEl1("sel4-smmuv2");
    expect([hypervisor.say("31 ARMPageMap 0x20000 2 3 + 30"), hypervisor.say("31 ARMPageInvalidate_Data 0 16"), hypervisor.say("30 ARMVSpaceInvalidate_Data 0x20000 0x20010")]).toEqual(["NoError", "NoError", "NoError"]);
  });
});

describe("as a hypervisor", () => {
  it("what lies beyond the kernel's window is refused", () => {
    const far = "first-state: far\ncomponents:\n  root:\n    cspace:\n      2: cnode\n      6: { asid-pool: 0 }\n      7: { untyped: 12, base: 0x7fbffff000, device: true }\n      8: { untyped: 12, base: 0x7fc0000000, device: true }\n      30: { vspace: own, asid: 1 }\n      33: { page-table: one }\n      34: { page-table: two }\n      35: { page-table: three }\n";
    const { say } = open("sel4-smmuv2", far);
    for (const line of [...MAPPED.slice(0, 3), "7 UntypedRetype 7 0 0 0 40 1 + 2", "8 UntypedRetype 7 0 0 0 41 1 + 2", "40 ARMPageMap 0x20000 3 3 + 30", "41 ARMPageMap 0x21000 3 3 + 30"]) expect(say(line)).toBe("NoError");
    expect([say("40 ARMPageClean_Data 0 0x1000"), say("41 ARMPageClean_Data 0 1"), say("41 ARMPageClean_Data 0 0x1001")]).toEqual(["NoError", "IllegalOperation", "InvalidArgument 0x0"]);
  });
});
