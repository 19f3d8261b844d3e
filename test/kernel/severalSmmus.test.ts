/**
 * More than one SMMU, and more than one StreamID or device behind a capability: each SMMU has its own streams, banks and
 * VMIDs; what is assigned on several is invalidated on each; a mask makes one SID of several StreamIDs; devices that share
 * a StreamID share its capability.
 */
import { describe, expect, it } from "vitest";
import { streamId } from "../../src/base/words.ts";
import { streamIds } from "../../src/kernel/plan.ts";
import { cofferdam, type Profile, profileNamed } from "../../src/kernel/profile.ts";
import { boot } from "../../src/system/boot.ts";
import { planSystem } from "../../src/system/plan.ts";
import { defaultScope, scale } from "../../src/system/scale.ts";
import { blob } from "../firmware/blob.ts";
import { open, stepText } from "./emitted.ts";
import { layoutOf, run, slotOf } from "./fixture.ts";

const firstState = `
first-state: two-smmus
smmus: 2
components:
  root:
    cspace:
      2: cnode
      6: { asid-pool: 0 }
      12: sid-control
      13: cb-control
      20: { sid: 5 }
      21: { sid: 5, smmu: 1 }
      22: { cb: 0 }
      23: { cb: 4, smmu: 1 }
      30: { vspace: shared, asid: 7 }
      31: { frame: data }
      33: { page-table: one }
      34: { page-table: two }
      35: { page-table: three }
`;
const MAPPED = ["33 ARMPageTableMap 0 0 + 30", "34 ARMPageTableMap 0 0 + 30", "35 ARMPageTableMap 0 0 + 30", "31 ARMPageMap 0x20000 3 3 + 30"];
const ASSIGNED = ["22 ARMCBAssignVspace + 30", "23 ARMCBAssignVspace + 30"];
const BOUND = ["20 ARMSIDBindCB + 22", "21 ARMSIDBindCB + 23"];
/** Stream 5 of either SMMU goes through a bank of its SMMU to one VSpace. */
const sharing = (profile: string) => {
  const opened = open(profile, firstState);
  for (const line of [...MAPPED, ...ASSIGNED, ...BOUND]) expect(opened.say(line)).toBe("NoError");
  return opened;
};
/** Commands and SYNCs in order. */
const commands = (steps: readonly string[]): readonly string[] => steps.filter((text) => /^\d (CFGI|TLBI|SYNC)/u.test(text));

describe("numbers", () => {
  it("of streams and banks stand below the SMMU's", () => {
    const { say } = open("cofferdam", firstState);
    expect(say("12 ARMSIDIssueSIDManager 0x100000007 0x40 64 + 2")).toBe("NoError");
    expect(say("12 ARMSIDIssueSIDManager 0x100000007 0x41 64 + 2")).toBe("RevokeFirst");
    expect(say("12 ARMSIDIssueSIDManager 0x7 0x41 64 + 2")).toBe("NoError");
    expect(say("12 ARMSIDIssueSIDManager 0x100000005 0x42 64 + 2")).toBe("RevokeFirst");
    expect(say("13 ARMCBIssueCBManager 0x100000000 0x42 64 + 2")).toBe("NoError");
    expect(say("13 ARMCBIssueCBManager 0x100000004 0x43 64 + 2")).toBe("RevokeFirst");
    expect(say("13 ARMCBIssueCBManager 0x4 0x43 64 + 2")).toBe("NoError");
    expect(say("12 ARMSIDIssueSIDManager 0x200000000 0x44 64 + 2")).toBe("RangeError 0x0 0xffff");
    expect(say("13 ARMCBIssueCBManager 0x200000000 0x44 64 + 2")).toBe("RangeError 0x0 0xfffe");
  });

  it("of streams go as far as the stream table, and no further", () => {
    const { say, steps, hardware } = open("cofferdam", firstState);
    say("22 ARMCBAssignVspace + 30");
    expect(say("12 ARMSIDIssueSIDManager 0xffff 0x40 64 + 2")).toBe("NoError");
    expect(say("0x40 ARMSIDBindCB + 22")).toBe("NoError");
    expect(commands(steps())).toEqual(["0 CFGI_STE 0xffff", "0 SYNC", "0 CFGI_STE 0xffff", "0 SYNC"]);
    expect([hardware.read(0, 0xffff, 0n), hardware.read(0, 0xfff, 0n), hardware.read(1, 0xffff, 0n)]).toEqual(["abort F_TRANSLATION", "abort", "abort"]);
    expect(say("12 ARMSIDIssueSIDManager 0x10000 0x41 64 + 2")).toBe("RangeError 0x0 0xffff");
    expect(say("12 ARMSIDIssueSIDManager 0x10000ffff 0x41 64 + 2")).toBe("NoError");
  });
});

describe("one VSpace on two SMMUs", () => {
  it("is reached through each, from its own stream table", () => {
    const { hardware, kernel } = sharing("cofferdam");
    const data = kernel.plan.pages[kernel.tables.slot.at(kernel.plan.slotRow(0, 31)).object]!.pa;
    const reached = `ok 0x${data.toString(16)}`;
    expect([hardware.read(0, 5, 0x20000n), hardware.read(1, 5, 0x20000n)]).toEqual([reached, reached]);
  });

  it.each(["cofferdam", "smmuv3-talk"])("%s: unmapping is told to both, under the VMID of each bank", (profile) => {
    const { say, steps, hardware } = sharing(profile);
    expect(say("31 ARMPageUnmap")).toBe("NoError");
    expect(steps().slice(1)).toEqual([
      "barrier",
      "barrier",
      "0 TLBI_S2_IPA 0x20000 Leaf=1 VMID 1",
      "0 SYNC",
      "barrier",
      "1 TLBI_S2_IPA 0x20000 Leaf=1 VMID 5",
      "1 SYNC",
    ]);
    expect([hardware.read(0, 5, 0x20000n), hardware.read(1, 5, 0x20000n)]).toEqual(["abort F_TRANSLATION", "abort F_TRANSLATION"]);
  });

  const BOTH_VMIDS = ["0 TLBI_S12_VMALL VMID 1", "0 SYNC", "1 TLBI_S12_VMALL VMID 5", "1 SYNC"];
  it.each(["cofferdam", "smmuv3-talk"])("%s: a table's removal and deletion, too", (profile) => {
    const { say, steps } = sharing(profile);
    expect([say("35 ARMPageTableUnmap"), commands(steps())]).toEqual(["NoError", BOTH_VMIDS]);
    expect([say("2 CNodeDelete 34 64"), commands(steps())]).toEqual(["NoError", BOTH_VMIDS]);
  });

  const STREAM_AND_VMID = ["0 CFGI_STE 0x5", "0 SYNC", "0 TLBI_S12_VMALL VMID 1", "0 SYNC", "1 CFGI_STE 0x5", "1 SYNC", "1 TLBI_S12_VMALL VMID 5", "1 SYNC"];
  it.each([
    ["revoking the VSpace", "2 CNodeRevoke 30 64"],
    ["deleting its ASID pool", "2 CNodeDelete 6 64"],
  ])("%s sends the streams of both to abort", (_, line) => {
    const { say, steps, hardware } = sharing("cofferdam");
    expect([say(line), commands(steps())]).toEqual(["NoError", STREAM_AND_VMID]);
    expect([hardware.read(0, 5, 0x20000n), hardware.read(1, 5, 0x20000n)]).toEqual(["abort", "abort"]);
    expect([say("20 ARMSIDUnbindCB"), say("22 ARMCBUnassignVspace")]).toEqual(["NoError", "IllegalOperation"]);
  });

  it("after UnassignVspace on one, the other goes on and is told alone", () => {
    const { say, steps, hardware } = sharing("cofferdam");
    expect([say("22 ARMCBUnassignVspace"), commands(steps())]).toEqual(["NoError", STREAM_AND_VMID.slice(0, 4)]);
    expect([hardware.read(0, 5, 0x20000n), hardware.read(1, 5, 0x20000n).slice(0, 2)]).toEqual(["abort", "ok"]);
    expect([say("31 ARMPageUnmap"), commands(steps())]).toEqual(["NoError", ["1 TLBI_S2_IPA 0x20000 Leaf=1 VMID 5", "1 SYNC"]]);
  });

  it("each SMMU's bank invalidates alone, and TLBInvalidateAll all", () => {
    const { say, steps } = sharing("cofferdam");
    expect([say("23 ARMCBTLBInvalidate"), commands(steps())]).toEqual(["NoError", BOTH_VMIDS.slice(2)]);
    expect([say("13 ARMCBTLBInvalidateAll"), commands(steps())]).toEqual(["NoError", ["0 TLBI_NSNH_ALL", "0 SYNC", "1 TLBI_NSNH_ALL", "1 SYNC"]]);
  });

  it("a stream is not bound to a bank of the other SMMU, save where nobody looks", () => {
    const lines = [...ASSIGNED, "20 ARMSIDBindCB + 23"];
    const last = (profile: string) => {
      const { say } = open(profile, firstState);
      return lines.map(say).at(-1);
    };
    expect([last("cofferdam"), last("smmuv3-talk")]).toEqual(["InvalidCapability 0x1", "NoError"]);
  });
});

/** `two-vms` with masks on its streams 0x18, 0x20 and 0x28. */
const masked = (profile: Profile, masks: readonly number[], more: number[] = []) => {
  const layout = layoutOf("two-vms");
  const numbers = [0x18, 0x20, 0x28];
  expect(layout.sids.map(({ sid }) => Number(sid))).toEqual(numbers);
  const sids = layout.sids.map((sid, index) => ({ ...sid, mask: masks[index] ?? 0, sid: streamId(more[index] ?? sid.sid) }));
  return run(boot(scale({ ...layout, sids }, { ...defaultScope, slots: 3 }), profile));
};
const bind = (profile: Profile, masks: readonly number[], numbers: number[] = []): { readonly bound: string[]; readonly unbound: string[] } => {
  const { call, steps, booted } = masked(profile, masks, numbers);
  const at = (name: string) => slotOf(booted, "vm-a", name);
  call("vm-a", at("cb"), "ARMCBAssignVspace", [], [at("vspace")]);
  expect(call("vm-a", at("net_sid"), "ARMSIDBindCB", [], [at("cb")]).error).toBe("seL4_NoError");
  const bound = steps.map(stepText);
  expect(call("vm-a", at("net_sid"), "ARMSIDUnbindCB").error).toBe("seL4_NoError");
  return { bound, unbound: steps.map(stepText) };
};

describe("a SID with a mask", () => {
  it("is every StreamID that differs in masked bits alone", () => {
    const ids = (sid: number, mask: number) => streamIds({ smmu: 0, sid: streamId(sid), mask });
    expect(ids(0x18, 0)).toEqual([0x18]);
    expect(ids(0x1c, 0x5)).toEqual([0x18, 0x19, 0x1c, 0x1d]);
    expect(ids(0x8000_0000, 0x8000_0001)).toEqual([0, 1, 0x8000_0000, 0x8000_0001]);
    expect(ids(0, 0x7fff)).toHaveLength(0x8000);
  });

  it("takes one matching entry of an SMMUv2, or an entry for each StreamID where they are indices", () => {
    const [smr, s2cr] = [0x800 + 4 * 0x18, 0xc00 + 4 * 0x18];
    expect(bind(profileNamed("sel4-smmuv2")!, [0x3])).toEqual({
      bound: [`0 0x${s2cr.toString(16)}=0x0`, `0 0x${smr.toString(16)}=0x80030018`],
      unbound: [`0 0x${s2cr.toString(16)}=0x20000`, `0 0x${smr.toString(16)}=0x0`],
    });
    expect(bind(profileNamed("sel4-smmuv2-indexing")!, [0x3])).toEqual({
      bound: [0, 1, 2, 3].map((entry) => `0 0x${(s2cr + 4 * entry).toString(16)}=0x0`),
      unbound: [0, 1, 2, 3].map((entry) => `0 0x${(s2cr + 4 * entry).toString(16)}=0x20000`),
    });
  });

  it("takes a stream table entry for each StreamID of an SMMUv3 that the table has", () => {
    const configured = (steps: readonly string[]) => steps.filter((text) => text.includes(".dw0"));
    const { bound, unbound } = bind(cofferdam, [0x3]);
    expect(configured(bound)).toEqual(["STE[0x18].dw0=0xd", "STE[0x19].dw0=0xd", "STE[0x1a].dw0=0xd", "STE[0x1b].dw0=0xd"]);
    expect(configured(unbound)).toEqual(["STE[0x18].dw0=0x1", "STE[0x19].dw0=0x1", "STE[0x1a].dw0=0x1", "STE[0x1b].dw0=0x1"]);
    expect(commands(unbound)).toEqual(["0x18", "0x19", "0x1a", "0x1b"].flatMap((sid) => [`0 CFGI_STE ${sid}`, "0 SYNC"]));
    expect(configured(bind(cofferdam, [0x1_0000]).bound)).toEqual(["STE[0x18].dw0=0xd"]);
  });

  it("is not issued beside one that it overlaps; nothing comes after that check", () => {
    const { call, booted } = masked(cofferdam, [0x8, 0x8]);
    const at = (name: string) => slotOf(booted, "supervisor", name);
    const { spare, indices } = booted.plan.cnodes[booted.layout.components.findIndex(({ name }) => name === "supervisor")]!;
    const free = spare.map((position) => indices[position]!);
    const issue = (sid: number, slot: number, depth = 64) => call("supervisor", at("sid_control"), "ARMSIDIssueSIDManager", [sid, slot, depth], [at("cnode")]);
    expect(call("supervisor", at("cnode"), "CNodeRevoke", [at("sid_control"), 64]).error).toBe("seL4_NoError");
    expect(issue(0x20, free[0]!)).toEqual({ error: "seL4_NoError", words: [] });
    expect(issue(0x28, free[1]!, 99)).toEqual({ error: "seL4_RangeError", words: [1n, 64n] });
    expect(issue(0x28, free[0]!)).toEqual({ error: "seL4_DeleteFirst", words: [] });
    expect(issue(0x28, free[1]!)).toEqual({ error: "seL4_RevokeFirst", words: [] });
    expect(issue(0x18, free[1]!)).toEqual({ error: "seL4_NoError", words: [] });
    expect(call("supervisor", at("cnode"), "CNodeDelete", [free[0]!, 64]).error).toBe("seL4_NoError");
    expect(issue(0x28, free[2]!)).toEqual({ error: "seL4_NoError", words: [] });
    expect(issue(0x20, free[0]!)).toEqual({ error: "seL4_RevokeFirst", words: [] });
  });
});

describe("a stream that devices share", () => {
  const board = blob({
    "#address-cells": [1],
    "#size-cells": [1],
    "memory@80000000": { device_type: "memory", reg: [0x8000_0000, 0x2000_0000] },
    "iommu@1000000": { compatible: "arm,smmu-v3", "dma-coherent": [], reg: [0x100_0000, 0x20000], "#iommu-cells": [1], phandle: [1] },
    one: { iommus: [1, 7] },
    two: { iommus: [1, 7] },
  });
  const specText = "system: shared\nboard: board.dtb\ncomponents:\n  a: { kind: driver, devices: { one: { path: /one }, two: { path: /two } } }";

  it("is one object with one capability, one entry and one binding", () => {
    const { value } = planSystem({ specText, specFile: "system.yaml", readBoard: () => board });
    const booted = boot(scale(value!.layout, defaultScope), cofferdam);
    expect(booted.layout.sids.map(({ devices }) => devices)).toEqual([[0, 1]]);
    expect(booted.plan.sids).toMatchObject([{ smmu: 0, sid: 7, mask: 0 }]);
    const { call, steps } = run(booted);
    const own = booted.layout.components.find(({ name }) => name === "a")!.slots;
    const [sid] = own.filter(({ cap }) => cap.kind === "sid");
    expect(own.filter(({ cap }) => cap.kind === "sid")).toHaveLength(1);
    const at = (name: string) => slotOf(booted, "a", name);
    call("a", at("cb"), "ARMCBAssignVspace", [], [at("vspace")]);
    const bindIt = () => call("a", sid!.slot, "ARMSIDBindCB", [], [at("cb")]).error;
    expect(bindIt()).toBe("seL4_NoError");
    expect(steps.map(stepText).filter((text) => text.includes(".dw0"))).toEqual(["STE[0x7].dw0=0xd"]);
    expect(bindIt()).toBe("seL4_DeleteFirst");
    expect(call("a", sid!.slot, "ARMSIDUnbindCB").error).toBe("seL4_NoError");
    expect(commands(steps.map(stepText))).toEqual(["0 CFGI_STE 0x7", "0 SYNC"]);
  });
});
