/** What banks do with addresses: off, stage 1, stage 2, and the faults of each; tables by hand, banks set up by seL4's driver. */
import { describe, expect, it } from "vitest";
import type { Step } from "../../src/base/step.ts";
import { pa } from "../../src/base/words.ts";
import type { VspaceKind } from "../../src/kernel/smmuv2Driver.ts";
import type { Identification } from "../../src/smmuv2/identification.ts";
import { access, ask, build, classes, mapPage, ranges, register, S1_KERNEL_ONLY, S1_USER_READ_ONLY, S1_USER_READ_WRITE, S2_READ_ONLY, S2_READ_WRITE, store, value } from "./fixture.ts";

const ROOT = 0x8000_2000n;
const NEXT = 0x8001_0000n;
const PAGE = 0x9_1234_5000n;
const BANK = 2;

/** Stream 1 bound to bank 2, which holds the tables that `map` makes. */
const assigned = (vspaces: VspaceKind, map: readonly Step[], identification: Partial<Identification> = {}) => {
  const built = build(identification, { vspaces });
  const { driver } = built;
  return { ...built, state: built.go(map, driver.reset(), driver.assignBank(BANK, pa(ROOT), 9), driver.bindStream(1, BANK)) };
};
const START: Readonly<Record<VspaceKind, number>> = { hyp44: 0, hyp40: 1, el1: 0 };

describe.each(["hyp44", "hyp40", "el1"] as const)("a VSpace of %s", (vspaces) => {
  const leaf = vspaces === "el1" ? S1_USER_READ_WRITE : S2_READ_WRITE;
  const top = { hyp44: 0xfff_ffff_f000n, hyp40: 0xff_ffff_f000n, el1: 0xffff_ffff_f000n }[vspaces];
  it("maps its last page", () => {
    const { run, state } = assigned(vspaces, mapPage(ROOT, START[vspaces], NEXT, top, PAGE | leaf));
    expect(ask(run, state, 1, top + 0x678n)).toBe("pa 0x912345678");
    expect(ranges(run.coldReach(state), 1)).toEqual([`0x${top.toString(16)} -> 0x912345000 0x1000 rw`]);
    expect(classes(run.reach(state), 1)).toEqual([vspaces === "el1" ? "stage1" : "stage2"]);
  });
  it("has translation faults above it and where nothing is mapped", () => {
    const { run, state } = assigned(vspaces, mapPage(ROOT, START[vspaces], NEXT, 0x1000n, PAGE | leaf));
    expect(ask(run, state, 1, top + 0x1000n)).toBe("abort TF");
    expect(ask(run, state, 1, 0x2000n)).toBe("abort TF");
    expect(ask(run, state, 1, 0x1000n)).toBe("pa 0x912345000");
  });
  it("walks tables that the SMMU may read, a root of two pages included", () => {
    const { run, state } = assigned(vspaces, mapPage(ROOT, START[vspaces], NEXT, 0x1000n, PAGE | leaf));
    const pages = run.reach(state).tables.map(({ pa: at, bank, sid }) => [at, bank, sid]);
    const below = vspaces === "hyp40" ? [0n, 0x1000n] : [0n, 0x1000n, 0x2000n];
    const roots = vspaces === "hyp40" ? [ROOT, ROOT + 0x1000n] : [ROOT];
    expect(pages).toEqual([...roots, ...below.map((offset) => NEXT + offset)].map((at) => [at, BANK, 1]));
  });
  it("blocks of 2 MiB and 1 GiB", () => {
    const type = (leaf & ~3n) | 1n;
    const level1 = vspaces === "hyp40" ? ROOT : NEXT;
    const tables = vspaces === "hyp40" ? [] : [store(ROOT, NEXT | 3n)];
    const { run, state } = assigned(vspaces, [...tables, store(level1 + 8n, 0xc000_0000n | type), store(level1, 0x8100_0000n | 3n), store(0x8100_0008n, 0xa020_0000n | type)]);
    expect(ask(run, state, 1, 0x7654_3210n)).toBe("pa 0xf6543210");
    expect(ask(run, state, 1, 0x32_1000n)).toBe("pa 0xa0321000");
    expect(ranges(run.coldReach(state), 1)).toEqual(["0x200000 -> 0xa0200000 0x200000 rw", "0x40000000 -> 0xc0000000 0x40000000 rw"]);
  });
  it("an access flag of 0 faults", () => {
    const { run, state } = assigned(vspaces, mapPage(ROOT, START[vspaces], NEXT, 0n, PAGE | (leaf & ~0x400n)));
    expect(ask(run, state, 1, 0n)).toBe("abort AFF");
    expect(ranges(run.reach(state), 1)).toEqual([]);
    const lenient = run.execute(state, register("SCTLR", BANK, 0x6fn));
    expect(ask(run, lenient, 1, 0n)).toBe("pa 0x912345000");
  });
  it("an output beyond the physical address size faults", () => {
    const { run, state } = assigned(vspaces, mapPage(ROOT, START[vspaces], NEXT, 0n, 0x200_0000_0000n | leaf), { outputBits: 40 });
    expect(ask(run, state, 1, 0n)).toBe("abort ASF");
    expect(ranges(run.reach(state), 1)).toEqual([]);
  });
  it("read-only pages are not written", () => {
    const { run, state } = assigned(vspaces, mapPage(ROOT, START[vspaces], NEXT, 0n, PAGE | (vspaces === "el1" ? S1_USER_READ_ONLY : S2_READ_ONLY)));
    expect(ask(run, state, 1, 0n)).toBe("pa 0x912345000");
    expect(ask(run, state, 1, 0n, { op: "write" })).toBe("abort PF");
    expect(ask(run, state, 1, 0n, { op: "write", priv: true })).toBe("abort PF");
    expect(ranges(run.coldReach(state), 1)).toEqual(["0x0 -> 0x912345000 0x1000 r"]);
  });
});

describe("rights", () => {
  it("at stage 1 a page for the kernel alone is open to a device that says it is privileged", () => {
    const { run, state } = assigned("el1", mapPage(ROOT, 0, NEXT, 0n, PAGE | S1_KERNEL_ONLY));
    expect(ask(run, state, 1, 0n)).toBe("abort PF");
    expect(ask(run, state, 1, 0n, { op: "write", priv: true })).toBe("pa 0x912345000");
    expect(ranges(run.coldReach(state), 1)).toEqual(["0x0 -> 0x912345000 0x1000 rw"]);
    const unprivileged = run.execute(state, register("S2CR", 1, 0x200_0000n | BigInt(BANK)));
    expect(ask(run, unprivileged, 1, 0n, { op: "write", priv: true })).toBe("abort PF");
    expect(ranges(run.coldReach(unprivileged), 1)).toEqual([]);
  });
  it("an instruction read asks for execution alone", () => {
    const executable = S2_READ_WRITE & ~0xc0n & ~(1n << 54n);
    const { run, state } = assigned("hyp44", mapPage(ROOT, 0, NEXT, 0n, PAGE | executable));
    expect(ask(run, state, 1, 0n)).toBe("abort PF");
    expect(ask(run, state, 1, 0n, { instr: true })).toBe("pa 0x912345000");
    expect(ask(run, state, 1, 0n, { op: "write", instr: true })).toBe("abort PF");
    expect(ranges(run.coldReach(state), 1)).toEqual(["0x0 -> 0x912345000 0x1000 r"]);
    // INSTCFG: all reads are data.
    expect(ranges(run.coldReach(run.execute(state, register("S2CR", 1, 0x800_0000n | BigInt(BANK)))), 1)).toEqual([]);
  });
  it("what unprivileged code may write is not executed with privilege", () => {
    const executable = S1_USER_READ_WRITE & ~(3n << 53n);
    const { run, state } = assigned("el1", mapPage(ROOT, 0, NEXT, 0n, PAGE | executable));
    expect(ask(run, state, 1, 0n, { instr: true })).toBe("pa 0x912345000");
    expect(ask(run, state, 1, 0n, { instr: true, priv: true })).toBe("abort PF");
    // WXN: neither does.
    expect(ask(run, run.execute(state, register("SCTLR", BANK, 0x267n)), 1, 0n, { instr: true })).toBe("abort PF");
  });
  it("stage-1 tables limit what is below them", () => {
    const map = [store(ROOT, (1n << 62n) | NEXT | 3n), ...mapPage(NEXT, 1, NEXT + 0x1000n, 0n, PAGE | S1_USER_READ_WRITE)];
    const { run, state } = assigned("el1", map);
    expect(ask(run, state, 1, 0n)).toBe("pa 0x912345000");
    expect(ask(run, state, 1, 0n, { op: "write", priv: true })).toBe("abort PF");
    const noUser = run.execute(state, store(ROOT, (1n << 61n) | NEXT | 3n));
    expect(ask(run, noUser, 1, 0n)).toBe("abort PF");
    expect(ask(run, noUser, 1, 0n, { op: "write", priv: true })).toBe("pa 0x912345000");
  });
});

describe("a bank that is off", () => {
  const off = (cbar: bigint, cba2r: bigint, identification: Partial<Identification> = {}) => {
    const built = build(identification);
    const { driver } = built;
    return { ...built, state: built.go(driver.reset(), driver.bindStream(1, BANK), [register("CBAR", BANK, cbar), register("CBA2R", BANK, cba2r), register("SCTLR", BANK, 0x60n)]) };
  };
  it.each([
    ["stage 2 as after reset", 0n, 0n, 40, "ASF"],
    ["stage 2, 64-bit", 0n, 1n, 44, "ASF"],
    ["stage 1, 32-bit", 0x1_0000n, 0n, 32, "TF"],
    ["stage 1, 64-bit", 0x1_0000n, 1n, 42, "ASF"],
  ] as const)("%s passes addresses as they are, to a limit", (_, cbar, cba2r, bits, fault) => {
    const { run, state } = off(cbar, cba2r, { outputBits: 44, intermediateBits: 42 });
    const end = 1n << BigInt(bits);
    expect(ask(run, state, 1, end - 4n)).toBe(`pa 0x${(end - 4n).toString(16)}`);
    expect(ask(run, state, 1, end)).toBe(`abort ${fault}`);
    expect(ranges(run.reach(state), 1)).toEqual([`0x0 -> 0x0 0x${end.toString(16)} rw`]);
    expect(run.reach(state).streams.find(({ sid }) => sid === 1)?.configurations).toMatchObject([{ class: "bypass", why: "the bank's SCTLR.M is 0", bank: BANK }]);
  });
});

describe("what is not modelled is told, and reaches nothing by guess", () => {
  it.each([
    ["AArch32 tables", register("CBA2R", BANK, 0n)],
    ["big-endian tables", register("SCTLR", BANK, 0x77n)],
    ["a granule other than 4 KiB", register("TCR", BANK, 0x8004_7594n)],
    ["SL0=2 with T0SZ=25", register("TCR", BANK, 0x8004_3599n)],
    ["hypervisor contexts", register("CBAR", BANK, 0x1_0400n)],
  ])("%s", (why, step) => {
    const { run, state } = assigned("hyp44", []);
    const strange = run.execute(state, step);
    expect(ask(run, strange, 1, 0n)).toBe(`unsupported: ${why}`);
    expect(run.reach(strange).streams.find(({ sid }) => sid === 1)).toMatchObject({ configurations: [{ class: "unsupported", why }], targets: [] });
  });
  it("walks by TTBR1, and sign extension below the bus width", () => {
    const { run, state } = assigned("el1", []);
    expect(ask(run, run.execute(state, register("TCR", BANK, 0x3510n)), 1, 0n)).toBe("unsupported: walks by TTBR1");
    expect(ask(run, run.execute(state, register("TCR2", BANK, 0x1_0015n)), 1, 0n)).toBe("unsupported: sign extension below the bus width");
  });
});

describe("context faults", () => {
  const faulted = (steps: readonly Step[] = []) => {
    const { run, state, driver } = assigned("hyp44", mapPage(ROOT, 0, NEXT, 0x1000n, PAGE | S2_READ_ONLY));
    const before = run.executeAll(state, [...driver.bindStream(3, BANK), ...steps]);
    return { run, driver, ...run.transact(before, 0, access(1, 0x1004n, { op: "write" })) };
  };
  it("leave the kind, the address, the level and the stream", () => {
    const { run, outcome, after } = faulted();
    expect(outcome).toMatchObject({ result: "abort", event: { type: "PF", sid: 1, iova: 0x1004n, s2: true, rnw: false } });
    expect(["FSR", "FAR", "FSYNR0", "CBFRSYNRA"].map((name) => value(after, name as "FSR", BANK, run))).toEqual([0x408n, 0x1004n, 0x113n, 1n]);
    expect(value(after, "FSR", 1, run)).toBe(0x200n);
  });
  it("while one is outstanding, everything of that bank ends, another stream's too, and nothing is recorded", () => {
    const { run, driver, after } = faulted();
    expect(ask(run, after, 3, 0x1000n)).toBe("abort unrecorded");
    const { after: again } = run.transact(after, 0, access(3, 0x5000n));
    expect(again).toBe(after);
    expect(ask(run, run.executeAll(after, driver.clearBankFault(BANK)), 3, 0x1000n)).toBe("pa 0x912345000");
  });
  it("with HUPCF others go on, and a second fault sets MULTI alone", () => {
    const { run, after } = faulted([register("SCTLR", BANK, 0x167n)]);
    expect(ask(run, after, 3, 0x1000n)).toBe("pa 0x912345000");
    const { after: again } = run.transact(after, 0, access(3, 0x5000n));
    expect(["FSR", "FAR", "CBFRSYNRA"].map((name) => value(again, name as "FSR", BANK, run))).toEqual([0x8000_0408n, 0x1004n, 1n]);
  });
  it("are not told to the device unless CFRE", () => {
    expect(faulted([register("SCTLR", BANK, 0x47n)]).outcome).toMatchObject({ result: "abort", raz: true });
  });
  it("do not narrow what could be reached", () => {
    const { run, after } = faulted();
    expect(ranges(run.reach(after), 3)).toEqual(["0x1000 -> 0x912345000 0x1000 r"]);
  });
});
