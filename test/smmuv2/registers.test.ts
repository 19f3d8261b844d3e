/** Which writes registers take, and what they read. */
import { describe, expect, it } from "vitest";
import { offsetOf } from "../../src/smmuv2/identification.ts";
import { build, register, small, store, value } from "./fixture.ts";

describe("registers of an SMMUv2", () => {
  it("after reset clients bypass, and everything else is 0", () => {
    const { run } = build();
    expect(value(run.start, "CR0", 0, run)).toBe(1n);
    for (const name of ["SMR", "S2CR", "SCTLR", "TTBR0", "CBA2R"] as const) expect(value(run.start, name, 3, run), name).toBe(0n);
  });
  it("identification says what the machine was made with, and takes no write", () => {
    const { run, go } = build({ matching: false, outputBits: 44 });
    const state = go([register("IDR0", 0, 0xffff_ffffn), register("IDR1", 0, 0n)]);
    expect(value(state, "IDR0", 0, run)).toBe(0x6601_4608n);
    expect(value(state, "IDR1", 0, run)).toBe(0xd000_8004n);
    expect(value(state, "IDR2", 0, run)).toBe(0x5545n);
  });
  it("a 64-bit register is written in halves, too", () => {
    const { run, go } = build();
    const at = offsetOf(small, "TTBR0", 2);
    const half = (offset: number, half32: bigint) => ({ kind: "register", smmu: 0, offset, value: half32, size: 4 }) as const;
    const state = go([register("TTBR0", 2, 0x1111_2222_3333_4440n), half(at + 4, 0xabcdn)]);
    expect(value(state, "TTBR0", 2, run)).toBe(0xabcd_3333_4440n);
    expect(value(run.executeAll(state, [half(at, 0x10n)]), "TTBR0", 2, run)).toBe(0xabcd_0000_0010n);
    expect(run.readRegister(state, 0, at + 4, 4)).toBe(0xabcdn);
  });
  it("groups and banks that are not there read as zero and take nothing", () => {
    const { run, go } = build();
    const state = go([register("S2CR", 8, 0x1_0000n), register("CBAR", 4, 5n), register("SCTLR", 4, 1n)]);
    expect(state).toBe(run.start);
    expect(value(state, "S2CR", 8, run)).toBe(0n);
  });
  it("stream match registers are not there where streams are indexed", () => {
    const { run, go } = build({ matching: false });
    expect(value(go([register("SMR", 1, 0x8000_0001n)]), "SMR", 1, run)).toBe(0n);
  });
  it("stalling and 16-bit VMIDs are not there", () => {
    const { run, go } = build();
    expect(value(go([register("SCTLR", 1, 0xe1n)]), "SCTLR", 1, run)).toBe(0x61n);
    expect(value(go([register("CR0", 0, 0x8000_0400n)]), "CR0", 0, run)).toBe(0x400n);
    const wide = build({ vmid16: true });
    expect(value(wide.go([register("CR0", 0, 0x8000_0400n)]), "CR0", 0, wide.run)).toBe(0x8000_0400n);
  });
  it("fault bits are cleared by ones, and the table format of a bank is told with them", () => {
    const { run, go } = build();
    const state = go([register("CBA2R", 1, 1n)]);
    expect(value(state, "FSR", 1, run)).toBe(0x400n);
    expect(value(state, "FSR", 2, run)).toBe(0x200n);
    expect(value(go([register("FSR", 1, 0xffff_ffffn), register("GFSR", 0, 0xffff_ffffn)]), "GFSR", 0, run)).toBe(0n);
  });
  it("a command of SMMUv3 and a 64-bit write of a 32-bit register are bugs of a kernel", () => {
    const { run } = build();
    expect(() => run.execute(run.start, { kind: "command", smmu: 0, words: [0n, 0n], what: "" })).toThrow(/no command queue/);
    expect(() => run.execute(run.start, { kind: "register", smmu: 0, offset: offsetOf(small, "S2CR", 0), value: 0n, size: 8 })).toThrow(/32 bits/);
  });
  it("equal contents are the same state, in whatever order they came", () => {
    const { go } = build();
    const steps = [register("S2CR", 1, 3n), register("CBAR", 2, 7n), store(0x1000n, 5n)];
    expect(go(steps)).toBe(go(steps.toReversed()));
    expect(go(steps)).not.toBe(go(steps.slice(1)));
  });
});
