import { describe, expect, it } from "vitest";
import { kinds } from "../../src/kernel/capability.ts";
import { invocations } from "../../src/kernel/invocations.ts";
import { cofferdam } from "../../src/kernel/profile.ts";
import { boot } from "../../src/system/boot.ts";
import { unscaled } from "../../src/system/scale.ts";
import { errors } from "../../specs/sel4/error.ts";
import { bootOf, layoutOf, run, type Running, slotOf, twoPages } from "./fixture.ts";

const ok = { error: "seL4_NoError", words: [] };
const refused = (error: string, ...words: bigint[]) => ({ error, words });
const DRIVER = "nic-driver";

/** The driver of one-driver, with its slots by name. */
const driver = (scope = {}): Running & { readonly at: (name: string) => number } => {
  const running = run(bootOf("one-driver", scope, cofferdam, twoPages));
  return { ...running, at: (name) => slotOf(running.booted, DRIVER, name) };
};
const SPARE = 7;
const RING_IOVA = 0x1000_0000n;
const FREE_IOVA = 0x1020_0000n;

describe("definitions", () => {
  it("every error is one of seL4's, and labels are unique", () => {
    expect(new Set(invocations.map(({ label }) => label)).size).toBe(invocations.length);
    for (const { refusals } of invocations) for (const { error } of refusals) expect(errors).toHaveProperty(error);
  });

  it("refusals stand in seL4's order", () => {
    const order = (label: string) => invocations.find((definition) => definition.label === label)!.refusals.map(({ error }) => error.replace("seL4_", ""));
    expect(order("ARMSIDBindCB")).toEqual(["TruncatedMessage", "InvalidCapability", "InvalidCapability", "InvalidCapability", "DeleteFirst"]);
    expect(order("ARMSIDIssueSIDManager").slice(0, 3)).toEqual(["TruncatedMessage", "RangeError", "RevokeFirst"]);
    expect(order("ARMSIDIssueSIDManager").slice(-3)).toEqual(["DeleteFirst", "InvalidArgument", "RevokeFirst"]);
    expect(order("CNodeCopy")).toEqual(["TruncatedMessage", "FailedLookup", "RangeError", "FailedLookup", "TruncatedMessage", "DeleteFirst", "FailedLookup", "RangeError", "FailedLookup", "FailedLookup", "TruncatedMessage", "RevokeFirst", "IllegalOperation", "IllegalOperation", "IllegalOperation"]);
    expect(order("ARMCBAssignVspace")).toEqual(["TruncatedMessage", "InvalidCapability", "FailedLookup", "DeleteFirst", "DeleteFirst"]);
    expect(order("ARMPageMap")).toEqual(["TruncatedMessage", "InvalidCapability", "FailedLookup", "InvalidCapability", "AlignmentError", "InvalidCapability", "InvalidArgument", "InvalidArgument", "InvalidArgument", "FailedLookup"]);
    expect(order("ARMPageTableMap")).toEqual(["TruncatedMessage", "InvalidCapability", "InvalidCapability", "InvalidArgument", "FailedLookup", "InvalidCapability", "InvalidArgument", "DeleteFirst"]);
    expect(order("ARMPageUnmap")).toEqual([]);
  });
});

describe("SID and CB", () => {
  it("a bank without a VSpace cannot be bound: InvalidCapability 1", () => {
    const { call, at } = driver();
    expect(call(DRIVER, at("nic_sid"), "ARMSIDBindCB", [], [at("cb")])).toEqual(refused("seL4_InvalidCapability", 1n));
  });

  it("assign, bind, and each a second time", () => {
    const { call, at, steps } = driver();
    expect(call(DRIVER, at("cb"), "ARMCBAssignVspace", [], [at("vspace")])).toEqual(ok);
    expect(call(DRIVER, at("cb"), "ARMCBAssignVspace", [], [at("vspace")])).toEqual(refused("seL4_DeleteFirst"));
    expect(call(DRIVER, at("nic_sid"), "ARMSIDBindCB", [], [at("cb")])).toEqual(ok);
    expect(steps.at(-1)).toEqual({ kind: "sync", smmu: 0 });
    expect(call(DRIVER, at("nic_sid"), "ARMSIDBindCB", [], [at("cb")])).toEqual(refused("seL4_DeleteFirst"));
    expect(steps).toEqual([]);
    expect(call(DRIVER, at("nic_sid"), "ARMSIDUnbindCB")).toEqual(ok);
    expect(call(DRIVER, at("nic_sid"), "ARMSIDUnbindCB")).toEqual(refused("seL4_IllegalOperation"));
  });

  it("unassigning a bank with a bound stream aborts the stream first, then clears the VMID (deviation a)", () => {
    const { call, at, steps } = driver();
    call(DRIVER, at("cb"), "ARMCBAssignVspace", [], [at("vspace")]);
    call(DRIVER, at("nic_sid"), "ARMSIDBindCB", [], [at("cb")]);
    expect(call(DRIVER, at("cb"), "ARMCBUnassignVspace")).toEqual(ok);
    const first = steps.find(({ kind }) => kind === "store");
    expect(first).toMatchObject({ what: "STE[0x10].dw0", value: 1n });
    const commands = steps.flatMap((step) => (step.kind === "command" ? [step.what] : []));
    expect(commands).toEqual(["CFGI_STE 0x10", "TLBI_S12_VMALL VMID 1"]);
    expect(call(DRIVER, at("cb"), "ARMCBUnassignVspace")).toEqual(refused("seL4_IllegalOperation"));
    expect(call(DRIVER, at("cb"), "ARMCBTLBInvalidate")).toEqual(refused("seL4_IllegalOperation"));
  });

  it("an empty or wrong capability: TruncatedMessage before InvalidCapability; a cptr that names nothing is a CapFault", () => {
    const { call, at } = driver();
    expect(call(DRIVER, at("cb"), "ARMCBAssignVspace")).toEqual(refused("seL4_TruncatedMessage"));
    expect(call(DRIVER, at("cb"), "ARMCBAssignVspace", [], [at("cb")])).toEqual(refused("seL4_InvalidCapability", 1n));
    expect(call(DRIVER, at("cb"), "ARMCBAssignVspace", [], [SPARE])).toEqual(refused("seL4_InvalidCapability", 1n));
    expect(call(DRIVER, 1 << 20, "ARMCBAssignVspace")).toEqual(refused("CapFault"));
    expect(call(DRIVER, SPARE, "ARMCBAssignVspace")).toEqual(refused("seL4_InvalidCapability", 0n));
    expect(call(DRIVER, at("cb"), "ARMSIDBindCB")).toEqual(refused("seL4_IllegalOperation"));
  });

  it("a full bind counter refuses with DeleteFirst, last (deviation e)", () => {
    const { booted } = driver();
    const { call } = run({ ...booted, profile: { ...cofferdam, bindLimit: 0 } });
    expect(call(DRIVER, slotOf(booted, DRIVER, "cb"), "ARMCBAssignVspace", [], [slotOf(booted, DRIVER, "vspace")])).toEqual(refused("seL4_DeleteFirst"));
  });

  it("GetSID: range, then issued, then the slot lookup, then the slot", () => {
    const { call, booted } = driver();
    const root = slotOf(booted, "initialiser", "cnode");
    const control = slotOf(booted, "initialiser", "sid_control");
    const get = (sid: bigint, index: number, depth: number) => call("initialiser", control, "ARMSIDIssueSIDManager", [sid, index, depth], [root]);
    expect(get(0x10000n, 3, 99)).toEqual(refused("seL4_RangeError", 0n, 0xffffn));
    expect(get(0x10n, 3, 99)).toEqual(refused("seL4_RevokeFirst"));
    call("initialiser", root, "CNodeRevoke", [control, 64]);
    expect(get(0x10n, 3, 99)).toEqual(refused("seL4_RangeError", 1n, 64n));
    expect(get(0x10n, 3, 64)).toEqual(refused("seL4_DeleteFirst"));
    expect(get(0x10n, SPARE, 64)).toEqual(ok);
    expect(get(0x10n, SPARE, 64)).toEqual(refused("seL4_RevokeFirst"));
  });
});

describe("lifetimes", () => {
  const bound = () => {
    const running = driver();
    running.call(DRIVER, running.at("cb"), "ARMCBAssignVspace", [], [running.at("vspace")]);
    running.call(DRIVER, running.at("nic_sid"), "ARMSIDBindCB", [], [running.at("cb")]);
    return running;
  };
  const kindAt = (running: Running, place: "sidNode" | "cbNode") => kinds[running.state.slot[running.booted.plan.slots.findIndex((slot) => slot.in === place)]!.kind];

  it("the kernel's copies keep a bank alive after its last user capability is gone", () => {
    const running = bound();
    const vaultCopy = slotOf(running.booted, "vault", "nic_driver_cb");
    running.call("vault", slotOf(running.booted, "vault", "cnode"), "CNodeDelete", [vaultCopy, 64]);
    expect(running.call(DRIVER, running.at("cnode"), "CNodeDelete", [running.at("cb"), 64])).toEqual(ok);
    expect(kindAt(running, "sidNode")).toBe("cb");
    expect(running.state.cb[0]!.issued).toBe(1);
    expect(running.call(DRIVER, running.at("nic_sid"), "ARMSIDUnbindCB")).toEqual(ok);
    expect(running.state.cb[0]!.issued).toBe(0);
    expect(kindAt(running, "cbNode")).toBe("null");
  });

  it("revoking a bank's capability unbinds its streams (deviation c)", () => {
    const running = bound();
    expect(running.call(DRIVER, running.at("cnode"), "CNodeRevoke", [running.at("cb"), 64])).toEqual(ok);
    expect(kindAt(running, "sidNode")).toBe("null");
    expect(kindAt(running, "cbNode")).toBe("vspace");
    expect(running.steps.some((step) => step.kind === "command" && step.what === "CFGI_STE 0x10")).toBe(true);
  });

  it("deleting the last VSpace capability makes its ASID stale, and Assign then refuses", () => {
    const running = driver();
    running.call("vault", slotOf(running.booted, "vault", "cnode"), "CNodeMove", [6, 64, slotOf(running.booted, "vault", "nic_driver_cb"), 64], [slotOf(running.booted, "vault", "cnode")]);
    running.call("vault", slotOf(running.booted, "vault", "cnode"), "CNodeDelete", [slotOf(running.booted, "vault", "nic_driver_vspace"), 64]);
    expect(running.state.asid[0]!.vspace).toBe(0);
    running.call(DRIVER, running.at("cnode"), "CNodeDelete", [running.at("vspace"), 64]);
    expect(running.state.asid[0]!.vspace).toBe(-1);
    expect(running.state.entry.every(({ kind }) => kind === 0)).toBe(true);
  });
});

describe("Untyped_Retype", () => {
  const FRAME = 7n;
  const retype = (running: Running & { at: (name: string) => number }, type: bigint, index: number, count = 1n, size = 0n) =>
    running.call(DRIVER, running.at("heap_untyped"), "UntypedRetype", [type, size, 0, 0, index, count], [running.at("cnode")]);

  it("hands out memory from the watermark until it is full, and again after a revoke", () => {
    const running = driver({ slots: 3 });
    expect(retype(running, FRAME, SPARE)).toEqual(ok);
    expect(running.steps.some(({ kind }) => kind === "fill")).toBe(true);
    expect(retype(running, FRAME, SPARE)).toEqual(refused("seL4_DeleteFirst"));
    expect(retype(running, 9n, SPARE + 1)).toEqual(ok);
    expect(running.steps).toEqual([]);
    expect(retype(running, FRAME, SPARE + 2)).toEqual(refused("seL4_NotEnoughMemory", 0n));
    expect(running.call(DRIVER, running.at("cnode"), "CNodeRevoke", [running.at("heap_untyped"), 64])).toEqual(ok);
    expect(retype(running, FRAME, SPARE, 2n)).toEqual(ok);
  });

  it("its refusals in order", () => {
    const running = driver();
    const call = (...words: (bigint | number)[]) => running.call(DRIVER, running.at("heap_untyped"), "UntypedRetype", words, [running.at("cnode")]);
    expect(call(1, 2)).toEqual(refused("seL4_TruncatedMessage"));
    expect(call(11, 99, 0, 0, 99, 0)).toEqual(refused("seL4_InvalidArgument", 0n));
    expect(call(7, 64, 0, 0, 99, 0)).toEqual(refused("seL4_RangeError", 0n, 47n));
    expect(call(4, 0, 0, 0, 99, 0)).toEqual(refused("seL4_InvalidArgument", 1n));
    expect(call(0, 3, 0, 0, 99, 0)).toEqual(refused("seL4_InvalidArgument", 1n));
    expect(call(7, 0, 0, 65, 99, 0)).toEqual(refused("seL4_RangeError", 1n, 64n));
    expect(call(7, 0, running.at("cb"), 64, 99, 0)).toEqual(refused("seL4_FailedLookup", 0n, 2n, 64n));
    expect(call(7, 0, 0, 0, 99, 0)).toEqual(refused("seL4_RangeError", 0n, 15n));
    expect(call(7, 0, 0, 0, 15, 0)).toEqual(refused("seL4_RangeError", 1n, 256n));
    expect(call(7, 0, 0, 0, 15, 2)).toEqual(refused("seL4_RangeError", 1n, 1n));
    expect(call(7, 0, 0, 0, 1, 1)).toEqual(refused("seL4_DeleteFirst"));
    expect(call(7, 0, 0, 0, SPARE, 3)).toEqual(refused("seL4_NotEnoughMemory", 8192n));
  });
});

describe("mapping", () => {
  it("Page_Map over a valid entry breaks, invalidates, makes", () => {
    const running = driver({ slots: 2 });
    running.call(DRIVER, running.at("cb"), "ARMCBAssignVspace", [], [running.at("vspace")]);
    running.call(DRIVER, running.at("heap_untyped"), "UntypedRetype", [7, 0, 0, 0, SPARE, 1], [running.at("cnode")]);
    expect(running.call(DRIVER, SPARE, "ARMPageMap", [RING_IOVA, 3, 3], [running.at("vspace")])).toEqual(ok);
    expect(running.steps.map((step) => (step.kind === "store" ? (step.value === 0n ? "break" : "make") : step.kind))).toEqual(["break", "barrier", "barrier", "command", "sync", "make", "barrier"]);
  });

  it("its refusals, with the missing level in the lookup fault", () => {
    const running = driver();
    const map = (...words: bigint[]) => running.call(DRIVER, running.at("ring_0"), "ARMPageMap", words, [running.at("vspace")]);
    expect(map(RING_IOVA + 1n, 3n, 3n)).toEqual(refused("seL4_AlignmentError"));
    expect(map(FREE_IOVA, 3n, 3n)).toEqual(refused("seL4_InvalidArgument", 0n));
    expect(map(RING_IOVA, 2n, 3n)).toEqual(ok);
    running.call(DRIVER, running.at("ring_0"), "ARMPageUnmap");
    expect(map(1n << 44n, 3n, 3n)).toEqual(refused("seL4_InvalidArgument", 0n));
    expect(map(FREE_IOVA, 3n, 3n)).toEqual(refused("seL4_FailedLookup", 0n, 2n, 21n));
  });

  it("a page table fills the missing level, once", () => {
    const running = driver();
    running.call(DRIVER, running.at("heap_untyped"), "UntypedRetype", [9, 0, 0, 0, SPARE, 1], [running.at("cnode")]);
    const map = (address: bigint) => running.call(DRIVER, SPARE, "ARMPageTableMap", [address, 3], [running.at("vspace")]);
    expect(map(RING_IOVA)).toEqual(refused("seL4_DeleteFirst"));
    expect(map(FREE_IOVA)).toEqual(ok);
    expect(map(FREE_IOVA)).toEqual(refused("seL4_InvalidCapability", 0n));
    expect(running.call(DRIVER, SPARE, "ARMPageTableUnmap")).toEqual(ok);
    expect(map(FREE_IOVA)).toEqual(ok);
  });

  it("a read-only copy cannot be mapped writable", () => {
    const running = driver();
    running.call(DRIVER, running.at("cnode"), "CNodeCopy", [SPARE, 64, running.at("ring_0"), 64, 2], [running.at("cnode")]);
    running.call(DRIVER, SPARE, "ARMPageMap", [RING_IOVA, 3, 3], [running.at("vspace")]);
    const leaf = running.state.entry.find(({ kind }) => kind === 2)!;
    expect(leaf.rights).toBe(2);
  });
});

describe("scope", () => {
  it("an address that the scope has not is refused in words, not a crash", () => {
    const { call, at } = driver();
    call(DRIVER, at("ring_0"), "ARMPageUnmap");
    expect(call(DRIVER, at("ring_0"), "ARMPageMap", [0x1_2345_6000n, 3, 3], [at("vspace")])).toEqual(refused("seL4_InvalidArgument", 0n));
  });

  it("an empty slot of the root answers InvalidCapability 0, represented or not", () => {
    const { call } = driver();
    for (const cptr of [SPARE, 15]) expect(call(DRIVER, cptr, "ARMSIDBindCB")).toEqual(refused("seL4_InvalidCapability", 0n));
  });

  it("a driver of a system with many pages maps each where it says", () => {
    const whole = boot(unscaled(layoutOf("one-driver", (spec) => spec.replace("heap: { size: 4KiB", "heap: { size: 64MiB")), [], 1), cofferdam);
    const stored = (entry: number, page: number) => whole.driver.writePage(0, entry, page, 1, 1)[0];
    stored(2, 0);
    expect(stored(1, 8192)).not.toEqual(stored(2, 0));
  });
});

describe("CNode operations", () => {
  it("a CNode that Retype made can be filled and emptied by its own address", () => {
    const running = driver();
    running.call(DRIVER, running.at("heap_untyped"), "UntypedRetype", [4, 7, 0, 0, SPARE, 1], [running.at("cnode")]);
    expect(running.call(DRIVER, SPARE, "CNodeCopy", [0, 7, running.at("cb"), 64, 3], [running.at("cnode")])).toEqual(ok);
    expect(running.call(DRIVER, SPARE, "CNodeCopy", [0, 7, running.at("cb"), 64, 3], [running.at("cnode")])).toEqual(refused("seL4_DeleteFirst"));
    expect(running.call(DRIVER, SPARE, "CNodeDelete", [0, 7])).toEqual(ok);
  });

  it("a short message is refused where seL4 looks for more, not before", () => {
    const { call, at } = driver();
    expect(call(DRIVER, at("cnode"), "CNodeCopy", [0])).toEqual(refused("seL4_TruncatedMessage"));
    expect(call(DRIVER, at("cnode"), "CNodeCopy", [0, 0])).toEqual(refused("seL4_RangeError", 1n, 64n));
    expect(call(DRIVER, at("cnode"), "CNodeCopy", [at("cb"), 64, at("cb"), 64], [at("cnode")])).toEqual(refused("seL4_DeleteFirst"));
    expect(call(DRIVER, at("cnode"), "CNodeCopy", [SPARE, 64, at("cb"), 64], [at("cnode")])).toEqual(refused("seL4_TruncatedMessage"));
  });

  it("control capabilities move but do not copy", () => {
    const { call, booted } = driver();
    const root = slotOf(booted, "initialiser", "cnode");
    const control = slotOf(booted, "initialiser", "sid_control");
    expect(call("initialiser", root, "CNodeCopy", [SPARE, 64, control, 64, 3], [root])).toEqual(refused("seL4_IllegalOperation"));
    expect(call("initialiser", root, "CNodeMove", [SPARE, 64, control, 64], [root])).toEqual(ok);
    expect(call("initialiser", root, "CNodeMove", [control, 64, control, 64], [root])).toEqual(refused("seL4_FailedLookup", 1n, 2n, 64n));
  });

  it("an untyped with children does not copy, and a copy leaves its source full", () => {
    const running = driver({ slots: 2 });
    const copy = () => running.call(DRIVER, running.at("cnode"), "CNodeCopy", [SPARE, 64, running.at("heap_untyped"), 64, 3], [running.at("cnode")]);
    expect(copy()).toEqual(ok);
    expect(running.call(DRIVER, running.at("heap_untyped"), "UntypedRetype", [7, 0, 0, 0, SPARE + 1, 1], [running.at("cnode")])).toEqual(refused("seL4_NotEnoughMemory", 0n));
    expect(running.call(DRIVER, running.at("cnode"), "CNodeDelete", [SPARE, 64])).toEqual(ok);
    running.call(DRIVER, running.at("heap_untyped"), "UntypedRetype", [7, 0, 0, 0, SPARE + 1, 1], [running.at("cnode")]);
    expect(copy()).toEqual(refused("seL4_RevokeFirst"));
  });

  it("lookups: bad root, bad depth, guard mismatch, with their words", () => {
    const { call, at } = driver();
    const copy = (words: (bigint | number)[], root: number) => call(DRIVER, at("cnode"), "CNodeCopy", words, [root]);
    expect(copy([SPARE, 0, at("cb"), 64, 3], at("cnode"))).toEqual(refused("seL4_RangeError", 1n, 64n));
    expect(copy([SPARE, 64, at("cb"), 64, 3], at("cb"))).toEqual(refused("seL4_FailedLookup", 1n, 1n));
    expect(copy([1n << 63n, 64, at("cb"), 64, 3], at("cnode"))).toEqual(refused("seL4_FailedLookup", 0n, 4n, 64n, 0n, 60n));
    expect(copy([SPARE, 63, at("cb"), 64, 3], at("cnode"))).toEqual(refused("seL4_FailedLookup", 0n, 3n, 63n, 64n));
  });
});
