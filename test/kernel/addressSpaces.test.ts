/**
 * What becomes of memory and ASIDs around a VSpace: tables that are taken out, pools that are made, filled and deleted
 * (seL4 src/arch/arm/64/kernel/vspace.c), seen in the steps and in what a stream then reaches.
 */
import { describe, expect, it } from "vitest";
import { NONE } from "../../src/base/state.ts";
import { type Emitting, open } from "./emitted.ts";

const firstState = `
first-state: address-spaces
components:
  root:
    cspace:
      2: cnode
      5: asid-control
      6: { asid-pool: 0 }
      18: { untyped: 12 }
      19: { untyped: 13 }
      20: { sid: 5 }
      22: { cb: 0 }
      30: { vspace: shared, asid: 7 }
      31: { frame: data }
      33: { page-table: one }
      34: { page-table: two }
      35: { page-table: three }
      36: { vspace: fresh }
      37: { frame: large, bits: 21 }
      38: { frame: second }
      40: { page-table: second-one }
      41: { page-table: second-two }
      42: { page-table: second-three }
`;
/** Stream 5 goes through bank 0 to `shared`, where `data` is mapped at 0x20000. */
const translating = (profile: string): Emitting => {
  const opened = open(profile, firstState);
  const lines = ["33 ARMPageTableMap 0 0 + 30", "34 ARMPageTableMap 0 0 + 30", "35 ARMPageTableMap 0 0 + 30", "31 ARMPageMap 0x20000 3 3 + 30", "22 ARMCBAssignVspace + 30", "20 ARMSIDBindCB + 22"];
  for (const line of lines) expect(opened.say(line)).toBe("NoError");
  return opened;
};
const answers = ({ say }: Emitting, lines: readonly string[]): string[] => lines.map(say);

describe("a page table that is taken out", () => {
  // vspace.c performPageTableInvocationUnmap: clearMemory_PT.
  it("is cleared, so that what it mapped is not mapped where it goes next", () => {
    const opened = translating("cofferdam");
    const { say, steps, hardware } = opened;
    expect(hardware.read(0, 5, 0x20000n)).toMatch(/^ok /u);
    expect(say("35 ARMPageTableUnmap")).toBe("NoError");
    expect(steps().at(-2)).toBe("clear page-table three");
    expect(say("35 ARMPageTableMap 0x200000 0 + 30")).toBe("NoError");
    expect([hardware.read(0, 5, 0x20000n), hardware.read(0, 5, 0x220000n)]).toEqual(["abort F_TRANSLATION", "abort F_TRANSLATION"]);
  });

  it("is cleared also where its VSpace is gone, and left alone where it is not mapped", () => {
    const { say, steps } = translating("cofferdam");
    expect([say("2 CNodeRevoke 30 64"), say("2 CNodeDelete 30 64"), say("35 ARMPageTableUnmap")]).toEqual(["NoError", "NoError", "NoError"]);
    expect(steps()).toEqual(["clear page-table three", "barrier"]);
    expect([say("35 ARMPageTableUnmap"), steps()]).toEqual(["NoError", []]);
  });
});

describe("an ASID pool", () => {
  // vspace.c performASIDControlInvocation: memzero.
  it("is made of memory that is cleared, and leaves none in the untyped", () => {
    const { say, steps } = open("cofferdam", firstState);
    expect(say("5 ARMASIDControlMakePool 0x50 64 + 18 2")).toBe("NoError");
    expect(steps()).toEqual([expect.stringMatching(/^clear untyped/u), "barrier"]);
    expect(say("18 UntypedRetype 7 0 0 0 0x51 1 + 2")).toBe("NotEnoughMemory 0x0");
    expect(say("5 ARMASIDControlMakePool 0x52 64 + 18 2")).toBe("RevokeFirst");
  });

  it("has 512 ASIDs, but for number 0 in the first pool; one that is full refuses, and one ASID that comes free is given again", () => {
    const vspaces = Array.from({ length: 513 }, (_, n) => `      ${n + 100}: { vspace: v${n} }`).join("\n");
    const opened = open("cofferdam", `${firstState.replace("cspace:", "radix: 10\n    cspace:").replace("asid: 7 }", "asid: 7 }\n      7: { asid-pool: 1 }")}${vspaces}\n`);
    const { say, kernel } = opened;
    const assign = (pool: number, from: number, count: number): Set<string> => new Set(Array.from({ length: count }, (_, n) => say(`${pool} ARMASIDPoolAssign + ${from + n}`)));
    const asidOf = (slot: number): number => {
      const { asid } = kernel.tables.vspace.at(kernel.tables.slot.at(kernel.plan.slotRow(0, slot)).object);
      return asid === NONE ? NONE : kernel.plan.asids[asid]!.number;
    };
    // Number 7 is taken, too.
    expect(assign(6, 100, 510)).toEqual(new Set(["NoError"]));
    expect([asidOf(100), asidOf(105), asidOf(106), asidOf(609)]).toEqual([1, 6, 8, 511]);
    expect(say("6 ARMASIDPoolAssign + 610")).toBe("DeleteFirst");
    expect(say("7 ARMASIDPoolAssign + 610")).toBe("NoError");
    expect(asidOf(610)).toBe(512);
    expect(say("2 CNodeDelete 105 64")).toBe("NoError");
    expect([say("6 ARMASIDPoolAssign + 611"), asidOf(611), say("6 ARMASIDPoolAssign + 612")]).toEqual(["NoError", 6, "DeleteFirst"]);
  });

  it("that is deleted takes the streams of its VSpaces to abort first; upstream invalidates, and leaves them translating", () => {
    const ours = translating("cofferdam");
    expect(ours.say("2 CNodeDelete 6 64")).toBe("NoError");
    expect(ours.hardware.read(0, 5, 0x20000n)).toBe("abort");
    const talk = translating("smmuv3-talk");
    expect(talk.say("2 CNodeDelete 6 64")).toBe("NoError");
    // vspace.c deleteASIDPool: invalidateTLBByASID, which goes through the banks that are counted.
    expect(talk.steps()).toEqual(["barrier", "0 TLBI_S12_VMALL VMID 1", "0 SYNC"]);
    expect(talk.hardware.read(0, 5, 0x20000n)).toMatch(/^ok /u);
  });
});

describe("a VSpace whose pool is gone", () => {
  const STALE = ["2 CNodeDelete 6 64", "22 ARMCBAssignVspace + 30"];
  it("is assigned to no bank (deviation f): a failed lookup of its ASID, before the bank is looked at", () => {
    expect(answers(open("cofferdam", firstState), STALE)).toEqual(["NoError", "FailedLookup 0x0 0x1"]);
    const busy = open("cofferdam", firstState.replace("asid: 7 }", "asid: 7 }\n      60: { vspace: other, asid: 600 }\n      7: { asid-pool: 1 }"));
    expect(answers(busy, ["22 ARMCBAssignVspace + 60", ...STALE])).toEqual(["NoError", "NoError", "FailedLookup 0x0 0x1"]);
  });

  it("takes no pages and no tables, and its own are unmapped without a word to the SMMU", () => {
    const opened = translating("cofferdam");
    expect(answers(opened, ["2 CNodeDelete 6 64", "31 ARMPageUnmap"])).toEqual(["NoError", "NoError"]);
    expect(opened.steps()).toEqual([]);
    expect(answers(opened, ["31 ARMPageMap 0x20000 3 3 + 30", "35 ARMPageTableUnmap", "35 ARMPageTableMap 0 0 + 30"])).toEqual(["FailedLookup 0x0 0x1", "NoError", "FailedLookup 0x0 0x1"]);
  });
});

describe("the rights and attributes of a mapping", () => {
  /** Bits 54 and 53 of the leaf, and bits 5 to 2, of a page that is mapped with these words. */
  const leaf = (profile: string, rights: number, attributes: number) => {
    const opened = translating(profile);
    expect(opened.say(`31 ARMPageMap 0x20000 ${rights} ${attributes} + 30`)).toBe("NoError");
    const value = BigInt(opened.steps().findLast((text) => text.startsWith("L3["))!.split("=")[1]!);
    return { executeNever: (value >> 53n) & 3n, memory: (value >> 2n) & 15n, access: (value >> 6n) & 3n };
  };
  const MEMORY = 15n;

  it("without rights a page is execute-never, too, because stage 2 lets instruction reads through; upstream leaves that out", () => {
    expect(leaf("cofferdam", 0, 1)).toEqual({ executeNever: 2n, memory: MEMORY, access: 0n });
    expect(leaf("smmuv3-talk", 0, 1)).toEqual({ executeNever: 0n, memory: MEMORY, access: 0n });
  });

  it.each(["cofferdam", "smmuv3-talk"])("%s: bit 0 is cacheable, bit 2 execute-never; the others mean nothing", (profile) => {
    expect(leaf(profile, 3, 1)).toEqual({ executeNever: 0n, memory: MEMORY, access: 3n });
    expect(leaf(profile, 3, 0)).toEqual({ executeNever: 0n, memory: 0n, access: 3n });
    expect(leaf(profile, 2, 5)).toEqual({ executeNever: 2n, memory: MEMORY, access: 1n });
    expect(leaf(profile, 3, 0xfffa)).toEqual({ executeNever: 0n, memory: 0n, access: 3n });
  });
});

/** The leaf of an EL1 VSpace, in which a device is translated as user level: attributes of MAIR, AP, not global, UXN. */
describe("at EL1, a leaf", () => {
  const leaf = (name: string, rights: number, attributes: number): bigint => {
    const opened = translating("sel4-smmuv2-el1");
    expect(opened.say(`${name === "data" ? "31 ARMPageMap 0x20000" : "37 ARMPageMap 0x200000"} ${rights} ${attributes} + 30`)).toBe("NoError");
    const { pa } = opened.kernel.plan.pages.find((page) => page.name.includes(name))!;
    return BigInt(opened.steps().findLast((text) => /^L[23]\[/u.test(text))!.split("=")[1]!) - pa;
  };
  const [UXN, NG, AF, READ_ONLY, USER, WRITE_BACK] = [1n << 54n, 1n << 11n, 1n << 10n, 2n << 6n, 1n << 6n, 4n << 2n];
  const [PAGE, BLOCK] = [3n, 1n];

  // vspace.c makeUserPagePTE, APFromVMRights.
  it("has the rights of the mapping, and none for user level without any", () => {
    expect(leaf("data", 3, 1)).toBe(PAGE | WRITE_BACK | USER | AF | NG);
    expect(leaf("data", 2, 1)).toBe(PAGE | WRITE_BACK | USER | READ_ONLY | AF | NG);
    expect(leaf("data", 0, 1)).toBe(PAGE | WRITE_BACK | AF | NG);
  });
  it("has its attributes, and is a block where it is large", () => {
    expect(leaf("data", 3, 0)).toBe(PAGE | USER | AF | NG);
    expect(leaf("data", 3, 5)).toBe(PAGE | WRITE_BACK | USER | AF | NG | UXN);
    expect(leaf("large", 3, 1)).toBe(BLOCK | WRITE_BACK | USER | AF | NG);
  });
});

describe("mapping over an entry", () => {
  const ofKind = ({ steps }: Emitting): string[] => steps().map((text) => text.replace(/^L3\[32\] of vspace shared=0x0$/u, "break").replace(/^L3\[32\] of vspace shared=0x.*$/u, "make"));
  const INVALIDATE = ["barrier", "0 TLBI_S2_IPA 0x20000 Leaf=1 VMID 1", "0 SYNC"];
  // DDI 0487 break-before-make; upstream's order: vspace.c performPageInvocationMap.
  it.each([
    ["cofferdam", ["break", "barrier", ...INVALIDATE, "make", "barrier"]],
    ["smmuv3-talk", ["make", "barrier", ...INVALIDATE]],
  ])("%s: replaces it and says so; an entry that was invalid is only made", (profile, replaced) => {
    const opened = translating(profile);
    expect([opened.say("31 ARMPageMap 0x20000 2 1 + 30"), ofKind(opened)]).toEqual(["NoError", replaced]);
    expect(opened.say("31 ARMPageUnmap")).toBe("NoError");
    expect(ofKind(opened)).toEqual(["break", "barrier", ...INVALIDATE]);
    expect([opened.say("31 ARMPageMap 0x20000 2 1 + 30"), ofKind(opened)]).toEqual(["NoError", ["make", "barrier"]]);
  });

  it("of another frame leaves that frame's old capability nothing to unmap", () => {
    const opened = translating("cofferdam");
    expect(answers(opened, ["38 ARMPageMap 0x20000 3 1 + 30", "31 ARMPageUnmap"])).toEqual(["NoError", "NoError"]);
    expect(opened.steps()).toEqual([]);
    expect(opened.hardware.read(0, 5, 0x20000n)).toMatch(/^ok /u);
  });
});

describe("two VSpaces", () => {
  const other = firstState.replace("36: { vspace: fresh }", "36: { vspace: fresh, asid: 600 }\n      7: { asid-pool: 1 }\n      23: { cb: 1 }\n      21: { sid: 6 }");
  const both = (profile: string): Emitting => {
    const opened = open(profile, other);
    const lines = [30, 36].flatMap((vspace, n) => [
      ...[0, 1, 2].map((table) => `${(n === 0 ? 33 : 40) + table} ARMPageTableMap 0 0 + ${vspace}`),
      `${n === 0 ? 31 : 38} ARMPageMap 0x20000 3 3 + ${vspace}`,
      `${22 + n} ARMCBAssignVspace + ${vspace}`,
      `${20 + n} ARMSIDBindCB + ${22 + n}`,
    ]);
    for (const line of lines) expect(opened.say(line)).toBe("NoError");
    return opened;
  };
  const reach = ({ hardware }: Emitting): string[] => [5, 6].map((stream) => hardware.read(0, stream, 0x20000n).replace(/^ok.*$/u, "ok"));

  it.each(["cofferdam", "smmuv3-talk"])("%s: what goes from one is told to its banks alone, and the other keeps it", (profile) => {
    const opened = both(profile);
    expect([opened.say("38 ARMPageUnmap"), opened.steps().filter((text) => text.includes("TLBI"))]).toEqual(["NoError", ["0 TLBI_S2_IPA 0x20000 Leaf=1 VMID 2"]]);
    expect([opened.say("42 ARMPageTableUnmap"), opened.steps().filter((text) => text.includes("TLBI"))]).toEqual(["NoError", ["0 TLBI_S12_VMALL VMID 2"]]);
    // The kernel, too, still knows the page of the first one: it replaces it.
    expect(reach(opened)).toEqual(["ok", "abort F_TRANSLATION"]);
    expect([opened.say("31 ARMPageMap 0x20000 2 1 + 30"), opened.steps().some((text) => text.includes("TLBI_S2_IPA 0x20000 Leaf=1 VMID 1"))]).toEqual(["NoError", true]);
  });

  it("a pool that is deleted takes its own VSpaces with it, and no bank of another's", () => {
    const opened = both("cofferdam");
    expect(opened.say("2 CNodeDelete 7 64")).toBe("NoError");
    expect(reach(opened)).toEqual(["ok", "abort"]);
    expect(answers(opened, ["31 ARMPageMap 0x20000 3 1 + 30", "38 ARMPageMap 0x20000 3 1 + 36", "22 ARMCBUnassignVspace", "23 ARMCBUnassignVspace"])).toEqual(["NoError", "FailedLookup 0x0 0x1", "NoError", "IllegalOperation"]);
  });
});

describe("deleting", () => {
  it("one of two capabilities to a mapped page table leaves it mapped, and the last takes it out", () => {
    const opened = translating("cofferdam");
    expect(answers(opened, ["2 CNodeCopy 0x50 64 35 64 15 + 2", "35 ARMPageTableUnmap", "2 CNodeDelete 35 64"])).toEqual(["NoError", "RevokeFirst", "NoError"]);
    expect([opened.steps(), opened.hardware.read(0, 5, 0x20000n).slice(0, 2)]).toEqual([[], "ok"]);
    expect(opened.say("2 CNodeDelete 0x50 64")).toBe("NoError");
    expect(opened.hardware.read(0, 5, 0x20000n)).toBe("abort F_TRANSLATION");
    expect(opened.steps().filter((text) => text.includes("TLBI"))).toEqual(["0 TLBI_S12_VMALL VMID 1"]);
  });

  it("a copy of a mapped frame leaves it mapped: the copy has no mapping", () => {
    const opened = translating("cofferdam");
    expect(answers(opened, ["2 CNodeCopy 0x50 64 31 64 3 + 2", "2 CNodeDelete 0x50 64"])).toEqual(["NoError", "NoError"]);
    expect([opened.steps(), opened.hardware.read(0, 5, 0x20000n).slice(0, 2)]).toEqual([[], "ok"]);
  });
});

it("only an untyped becomes a pool", () => {
  expect(answers(open("cofferdam", firstState), ["5 ARMASIDControlMakePool 0x50 64 + 22 2", "5 ARMASIDControlMakePool 0x50 64 + 31 2", "5 ARMASIDControlMakePool 0x50 64 + 19 2"])).toEqual(Array(3).fill("InvalidCapability 0x1"));
});

it("device memory is not cleared when it is handed out; other memory is, and not again while it has children", () => {
  const { say, steps } = open("cofferdam", firstState.replace("18: { untyped: 12 }", "18: { untyped: 12, device: true }"));
  expect([say("18 UntypedRetype 7 0 0 0 0x50 1 + 2"), steps()]).toEqual(["NoError", []]);
  expect([say("19 UntypedRetype 7 0 0 0 0x51 1 + 2"), steps().length]).toEqual(["NoError", 2]);
  expect([say("19 UntypedRetype 7 0 0 0 0x52 1 + 2"), steps()]).toEqual(["NoError", []]);
});

it("a frame that Retype made may be read and written", () => {
  const opened = translating("cofferdam");
  expect(answers(opened, ["19 UntypedRetype 7 0 0 0 0x50 1 + 2", "0x50 ARMPageMap 0x20000 3 1 + 30"])).toEqual(["NoError", "NoError"]);
  const written = BigInt(opened.steps().findLast((text) => text.startsWith("L3["))!.split("=")[1]!);
  expect((written >> 6n) & 3n).toBe(3n);
});

it("a frame says where it lies", () => {
  const { say, kernel } = open("cofferdam", firstState);
  const { pa } = kernel.plan.pages[kernel.tables.slot.at(kernel.plan.slotRow(0, 31)).object]!;
  expect(say("31 ARMPageGetAddress")).toBe(`NoError 0x${pa.toString(16)}`);
});
