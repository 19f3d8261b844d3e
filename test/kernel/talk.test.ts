/**
 * What the port of the 2023 talk adds: SIDControl's invocations on a whole SMMU, and nested stage 1. Which profile has
 * which, refusals in order, steps one by one, and what a device then reaches.
 */
import { describe, expect, it } from "vitest";
import { Cd } from "../../specs/smmuv3/cd.ts";
import { NONE } from "../../src/base/state.ts";
import { invocations } from "../../src/kernel/invocations.ts";
import { cofferdam, profileNames, smmuv3Talk } from "../../src/kernel/profile.ts";
import { bootOf, run, slotOf } from "./fixture.ts";
import { type Emitting, open, stepText } from "./emitted.ts";

const firstState = (smmus = 1): string => `
first-state: talk
smmus: ${smmus}
components:
  root:
    cspace:
      2: cnode
      12: sid-control
      13: cb-control
      20: { sid: 5 }
      21: { sid: 0x1234 }
      22: { cb: 0 }
      23: { cb: 1 }
      30: { vspace: guest, asid: 7 }
      31: { frame: data }
      32: { frame: contexts }
      33: { page-table: one }
      34: { page-table: two }
      35: { page-table: three }
`;
const CD_TABLE = "0x10000 0x0 0x0 0x0";

const SID_CONTROL_LABELS = ["ARMSIDGetGlobalerror", "ARMSIDGetEventq", "ARMSIDSkipCmdqError", "ARMSIDClearGlobalerror", "ARMSIDDisableSMMU", "ARMSIDInitSMMU"];

describe("profiles", () => {
  const having = (label: string) =>
    profileNames.filter((profile) => {
      const { say } = open(profile, firstState());
      say("22 ARMCBAssignVspace + 30");
      return say(label === "ARMCBAssignCDTable" ? `22 ${label} ${CD_TABLE}` : `12 ${label} 0`) !== "IllegalOperation";
    });

  it("have what they say", () => {
    expect(Object.fromEntries(["ARMCBAssignCDTable", ...SID_CONTROL_LABELS].map((label) => [label, having(label)]))).toEqual({
      ARMCBAssignCDTable: ["cofferdam", "smmuv3-talk"],
      ARMSIDGetGlobalerror: ["cofferdam", "smmuv3-talk"],
      ARMSIDGetEventq: ["cofferdam", "smmuv3-talk"],
      ARMSIDSkipCmdqError: ["smmuv3-talk"],
      ARMSIDClearGlobalerror: ["smmuv3-talk"],
      ARMSIDDisableSMMU: ["smmuv3-talk"],
      ARMSIDInitSMMU: ["smmuv3-talk"],
    });
  });

  it("refuse a label that they lack before they look at anything else", () => {
    const { say, steps } = open("cofferdam", firstState(2));
    expect([say("12 ARMSIDInitSMMU"), say("12 ARMSIDInitSMMU 9"), steps()]).toEqual(["IllegalOperation", "IllegalOperation", []]);
    expect(open("sel4-smmuv2", firstState()).say("22 ARMCBAssignCDTable")).toBe("IllegalOperation");
  });

  it("set an SMMU up with the boot window closed, or as it is out of reset", () => {
    const registersOf = (profile: typeof cofferdam) => bootOf("one-driver", {}, profile).steps.map(stepText).filter((text) => text.startsWith("0 GBPA"));
    expect([registersOf(cofferdam), registersOf(smmuv3Talk)]).toEqual([["0 GBPA=0x80101000"], []]);
  });
});

describe("SIDControl on a whole SMMU", () => {
  const one = () => open("smmuv3-talk", firstState());

  it("tells errors and events as an SMMU without any has them, and gives it nothing to do", () => {
    const { say, steps } = one();
    expect([say("12 ARMSIDGetGlobalerror"), steps()]).toEqual(["NoError 0x0 0x0", []]);
    expect([say("12 ARMSIDGetEventq"), steps()]).toEqual(["NoError 0x0 0x0 0x0 0x0", []]);
  });

  it("skips the command at index 0, and acknowledges errors", () => {
    const { say, steps } = one();
    expect([say("12 ARMSIDSkipCmdqError"), steps()]).toEqual(["NoError", ["0 CMDQ_CONS=0x1", "0 GERRORN=0x1"]]);
    expect([say("12 ARMSIDClearGlobalerror"), steps()]).toEqual(["NoError", ["0 GERRORN=0x5"]]);
  });

  it("turns translation off, and everything passes; sets it up anew, and everything aborts, bound or not", () => {
    const { say, steps, hardware } = one();
    say("22 ARMCBAssignVspace + 30");
    say("20 ARMSIDBindCB + 22");
    expect(hardware.read(0, 5, 0x9000n)).toBe("abort F_TRANSLATION");
    expect([say("12 ARMSIDDisableSMMU"), steps()]).toEqual(["NoError", ["0 CR0=0x0"]]);
    expect([hardware.read(0, 5, 0x9000n), hardware.read(0, 6, 0x9000n)]).toEqual(["ok 0x9000", "ok 0x9000"]);
    expect(say("12 ARMSIDInitSMMU")).toBe("NoError");
    expect(steps()).toEqual([
      "0 CR0=0x0",
      "stream table: every entry aborts",
      "0 CR2=0x6",
      "0 STRTAB_BASE=0x40000000",
      "0 STRTAB_BASE_CFG=0x10",
      "barrier",
      "0 CFGI_ALL",
      "0 TLBI_NSNH_ALL",
      "0 SYNC",
      "0 CR0=0x1",
    ]);
    expect([hardware.read(0, 5, 0x9000n), hardware.read(0, 6, 0x9000n)]).toEqual(["abort", "abort"]);
    expect([say("20 ARMSIDBindCB + 22"), say("20 ARMSIDUnbindCB"), say("20 ARMSIDBindCB + 22")]).toEqual(["DeleteFirst", "NoError", "NoError"]);
    expect(hardware.read(0, 5, 0x9000n)).toBe("abort F_TRANSLATION");
  });

  it.each(SID_CONTROL_LABELS)("%s names one of several SMMUs", (label) => {
    const { say, steps } = open("smmuv3-talk", firstState(2));
    expect([say(`12 ${label}`), say(`12 ${label} 2`), say(`12 ${label} 0x100000000`)]).toEqual(["TruncatedMessage", "RangeError 0x0 0x1", "RangeError 0x0 0x1"]);
    expect(say(`12 ${label} 1`)).toMatch(/^NoError/u);
    expect(steps().filter((text) => text.startsWith("0 "))).toEqual([]);
  });
});

/** Streams 5 and 0x1234 bound to bank 0, which has the VSpace; pages at 0x10000 (the CD) and 0x20000 (stage 1 and data). */
const guest = (profile: string): Emitting => {
  const opened = open(profile, firstState());
  const lines = ["33 ARMPageTableMap 0 0 + 30", "34 ARMPageTableMap 0 0 + 30", "35 ARMPageTableMap 0 0 + 30", "32 ARMPageMap 0x10000 3 3 + 30", "31 ARMPageMap 0x20000 3 3 + 30"];
  for (const line of [...lines, "22 ARMCBAssignVspace + 30", "20 ARMSIDBindCB + 22", "21 ARMSIDBindCB + 22"]) expect(opened.say(line)).toBe("NoError");
  return opened;
};
const pageOf = ({ kernel }: Emitting, name: number): bigint => kernel.plan.pages[kernel.tables.slot.at(kernel.plan.slotRow(0, name)).object]!.pa;
const S1CDMAX_8 = 8n << 59n;
const hexOf = (value: bigint): string => `0x${value.toString(16)}`;

describe("ARMCBAssignCDTable", () => {
  it("is refused in order", () => {
    const { say } = open("cofferdam", firstState());
    const beyond = "0x100000000020";
    expect(say(`22 ARMCBAssignCDTable ${beyond} 3 21`)).toBe("TruncatedMessage");
    expect(say(`22 ARMCBAssignCDTable ${beyond} 3 21 3`)).toBe("IllegalOperation");
    say("22 ARMCBAssignVspace + 30");
    expect(say(`22 ARMCBAssignCDTable ${CD_TABLE}`)).toBe("NoError");
    expect(say(`22 ARMCBAssignCDTable ${beyond} 3 21 3`)).toBe("RangeError 0x0 0xfffffffffff");
    expect(say("22 ARMCBAssignCDTable 0x10020 3 21 3")).toBe("AlignmentError");
    expect(say("22 ARMCBAssignCDTable 0x10040 3 21 3")).toBe("InvalidArgument 0x1");
    expect(say("22 ARMCBAssignCDTable 0x10040 2 21 3")).toBe("RangeError 0x0 0x14");
    expect(say("22 ARMCBAssignCDTable 0x10040 2 20 3")).toBe("InvalidArgument 0x3");
    expect(say("22 ARMCBAssignCDTable 0x10040 2 20 2")).toBe("DeleteFirst");
    const definition = invocations.find(({ label }) => label === "ARMCBAssignCDTable")!;
    expect(definition.refusals.map(({ error }) => error.replace("seL4_", ""))).toEqual(
      "IllegalOperation TruncatedMessage IllegalOperation RangeError AlignmentError InvalidArgument RangeError InvalidArgument DeleteFirst InvalidArgument".split(" "),
    );
  });

  it("is outside the scope of what is explored, whose states it leaves as they were", () => {
    const booted = bootOf("one-driver");
    const { call, steps } = run(booted);
    const at = (name: string) => slotOf(booted, "nic-driver", name);
    call("nic-driver", at("cb"), "ARMCBAssignVspace", [], [at("vspace")]);
    expect(call("nic-driver", at("cb"), "ARMCBAssignCDTable", [0, 0, 0, 0])).toEqual({ error: "seL4_InvalidArgument", words: [0n] });
    expect(steps).toEqual([]);
    expect(booted.shape.cb.fields.cdTable).toEqual({ least: NONE, size: 1 });
  });

  /** The way of one stream to stage 2 behind the guest's stage 1. */
  const nestedSte = (sid: string, root: bigint, table: bigint, word1: bigint): string[] => [
    `STE[${sid}].dw1=${hexOf(word1)}`,
    `STE[${sid}].dw2=0x44c359400000001`,
    `STE[${sid}].dw3=${hexOf(root)}`,
    "barrier",
    `0 CFGI_STE ${sid}`,
    "0 SYNC",
    `STE[${sid}].dw0=${hexOf(0xfn | table)}`,
    "barrier",
    `0 CFGI_STE ${sid}`,
    "0 SYNC",
  ];
  const abortSte = (sid: string): string[] => [`STE[${sid}].dw0=0x1`, "barrier", `0 CFGI_STE ${sid}`, "0 SYNC", `STE[${sid}].dw1=0x0`, `STE[${sid}].dw2=0x0`, `STE[${sid}].dw3=0x0`, "barrier"];
  const vmidGone = ["barrier", "0 TLBI_S12_VMALL VMID 1", "0 SYNC"];

  it("sends the bank's streams to abort, clears its VMID, and sends them through both stages", () => {
    const opened = guest("cofferdam");
    const root = opened.kernel.plan.pages[opened.kernel.plan.vspaces[0]!.page]!.pa;
    expect(opened.say("22 ARMCBAssignCDTable 0x10000 2 8 2")).toBe("NoError");
    const table = 0x10020n | S1CDMAX_8;
    expect(opened.steps()).toEqual([...abortSte("0x5"), ...abortSte("0x1234"), ...vmidGone, ...nestedSte("0x5", root, table, 0xd6n), ...nestedSte("0x1234", root, table, 0xd6n)]);
  });

  it("leaves the streams translating meanwhile in the talk's port", () => {
    const opened = guest("smmuv3-talk");
    const root = opened.kernel.plan.pages[opened.kernel.plan.vspaces[0]!.page]!.pa;
    opened.say("22 ARMCBAssignCDTable 0x10000 0 0 0");
    expect(opened.steps()).toEqual([...vmidGone, ...nestedSte("0x5", root, 0x10000n, 0xd4n), ...nestedSte("0x1234", root, 0x10000n, 0xd4n)]);
  });

  it("counts for a stream that is bound later, and not for another bank of the VSpace", () => {
    const opened = guest("cofferdam");
    const { say, steps } = opened;
    say("20 ARMSIDUnbindCB");
    say("21 ARMSIDUnbindCB");
    say("23 ARMCBAssignVspace + 30");
    say(`22 ARMCBAssignCDTable ${CD_TABLE}`);
    expect(say("20 ARMSIDBindCB + 22")).toBe("NoError");
    expect(steps().filter((text) => text.includes("dw0"))).toEqual(["STE[0x5].dw0=0x1000f"]);
    expect(say("21 ARMSIDBindCB + 23")).toBe("NoError");
    expect(steps().filter((text) => text.includes("dw0"))).toEqual(["STE[0x1234].dw0=0xd"]);
  });

  it("makes unmapping clear what holds both stages, too, behind a SYNC; a table takes the VMID as before", () => {
    const { say, steps, kernel } = guest("cofferdam");
    const plain = [`L3[32] of ${kernel.plan.vspaces[0]!.name}=0x0`, "barrier", "barrier", "0 TLBI_S2_IPA 0x20000 Leaf=1 VMID 1", "0 SYNC"];
    expect([say("31 ARMPageUnmap"), steps()]).toEqual(["NoError", plain]);
    say("31 ARMPageMap 0x20000 3 3 + 30");
    say(`22 ARMCBAssignCDTable ${CD_TABLE}`);
    expect([say("31 ARMPageUnmap"), steps()]).toEqual(["NoError", [...plain, "0 TLBI_NH_ALL VMID 1", "0 SYNC"]]);
    expect([say("35 ARMPageTableUnmap"), steps().slice(2, 5)]).toEqual(["NoError", vmidGone]);
  });

  it("makes TLBInvalidate clear context descriptors, which no TLBI reaches", () => {
    const { say, steps } = guest("cofferdam");
    expect([say("22 ARMCBTLBInvalidate"), steps()]).toEqual(["NoError", vmidGone]);
    say(`22 ARMCBAssignCDTable ${CD_TABLE}`);
    const contexts = ["0x5", "0x1234"].flatMap((sid) => ["barrier", `0 CFGI_CD_ALL ${sid}`, "0 SYNC"]);
    expect([say("22 ARMCBTLBInvalidate"), steps()]).toEqual(["NoError", [...contexts, ...vmidGone]]);
  });

  it.each([
    ["UnassignVspace", "22 ARMCBUnassignVspace"],
    ["revoking the VSpace", "2 CNodeRevoke 30 64"],
  ])("ends with %s: abort, the VMID cleared, and no table for the next VSpace", (_, line) => {
    const { say, steps, kernel } = guest("cofferdam");
    say(`22 ARMCBAssignCDTable ${CD_TABLE}`);
    expect(kernel.tables.cb.at(0).cdTable).not.toBe(NONE);
    expect([say(line), steps()]).toEqual(["NoError", [...abortSte("0x5"), ...abortSte("0x1234"), ...vmidGone]]);
    expect(kernel.tables.cb.at(0).cdTable).toBe(NONE);
    expect(say(`22 ARMCBAssignCDTable ${CD_TABLE}`)).toBe("IllegalOperation");
    expect([say("22 ARMCBAssignVspace + 30"), steps().filter((text) => text.includes("dw0"))]).toEqual(["NoError", ["STE[0x5].dw0=0xd", "STE[0x1234].dw0=0xd"]]);
    expect(say(`22 ARMCBAssignCDTable ${CD_TABLE}`)).toBe("NoError");
  });

  it("ends with the bank's last capability", () => {
    const { say, kernel } = guest("cofferdam");
    say(`22 ARMCBAssignCDTable ${CD_TABLE}`);
    for (const line of ["20 ARMSIDUnbindCB", "21 ARMSIDUnbindCB", "2 CNodeDelete 22 64"]) expect(say(line)).toBe("NoError");
    expect({ ...kernel.tables.cb.at(0) }).toMatchObject({ issued: 0, cdTable: NONE });
  });

  it("lets a guest's stage 1 choose among the pages of its VSpace, and none beyond", () => {
    const opened = guest("cofferdam");
    const { say, hardware } = opened;
    const [data, contexts] = [pageOf(opened, 31), pageOf(opened, 32)];
    // 25 bits, from level 2 on; the page at IPA 0x20000 is both tables. At level 3, entry 1 is that page, and entry 2 one
    // that the VSpace does not have.
    const descriptor = Cd.encode({ V: 1n, AA64: 1n, T0SZ: 39n, EPD1: 1n, IPS: "44", A: 1n, R: 1n, ASID: 3n, TTB0: 0x20000n });
    for (const [word, value] of descriptor.entries()) hardware.store(contexts + BigInt(word * 8), value);
    hardware.store(data, 0x20000n | 3n);
    hardware.store(data + 8n, 0x20000n | 0x743n);
    hardware.store(data + 16n, 0x5000_0000n | 0x743n);
    expect(hardware.read(0, 5, 0x20000n)).toBe(`ok ${hexOf(data)}`);
    say(`22 ARMCBAssignCDTable ${CD_TABLE}`);
    expect(["0x1008", "0x2000", "0x20000"].map((address) => hardware.read(0, 5, BigInt(address)))).toEqual([`ok ${hexOf(data + 8n)}`, "abort F_TRANSLATION", "abort F_TRANSLATION"]);
    say("31 ARMPageUnmap");
    expect(hardware.read(0, 0x1234, 0x1008n)).toBe("abort F_TRANSLATION");
    say("22 ARMCBUnassignVspace");
    expect(hardware.read(0, 5, 0x1008n)).toBe("abort");
  });
});
