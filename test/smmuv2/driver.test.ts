/** The words that seL4's driver writes, against its own macros: the numbers were computed by compiling smmuv2.h. */
import { describe, expect, it } from "vitest";
import type { RegisterName } from "../../specs/smmuv2/registers.ts";
import type { Step } from "../../src/base/step.ts";
import { hex, pa } from "../../src/base/words.ts";
import { createSmmuv2Driver, type Smmuv2Parameters, tegraX2Driver } from "../../src/kernel/smmuv2Driver.ts";
import { locate, tegraX2 } from "../../src/smmuv2/identification.ts";

const told = (steps: readonly Step[]): string[] =>
  steps.map((step) => {
    if (step.kind !== "register") return step.kind;
    const { name, n }: { name: RegisterName; n: number } = locate(tegraX2, step.offset)!;
    return `${name}${n} ${hex(step.value)}`;
  });
const driverOf = (parameters: Partial<Smmuv2Parameters> = {}) => createSmmuv2Driver({ ...tegraX2Driver, ...parameters });
const ROOT = pa(0x8_0000_2000n);

describe("seL4's SMMUv2 driver", () => {
  it("reset: every S2CR to bank 0, every SMR invalid, banks off, TLBs, then clients", () => {
    const steps = told(driverOf().reset());
    expect(steps.slice(0, 4)).toEqual(["GFSYNR00 0x0", "GFSYNR10 0x0", "GFSR0 0x800001ff", "S2CR0 0x0"]);
    expect(steps.filter((step) => step.startsWith("S2CR"))).toHaveLength(128);
    expect(steps.filter((step) => step.startsWith("SMR"))).toHaveLength(128);
    expect(steps.filter((step) => step.startsWith("SCTLR"))).toHaveLength(64);
    expect(steps).toContain("ACR0 0x500");
    expect(steps.slice(steps.indexOf("SCTLR63 0x0"))).toEqual(["SCTLR63 0x0", "FAR63 0x0", "FSR63 0xc00001fe", "ACTLR63 0x0", "TLBIALLH0 0xffffffff", "TLBIALLNSNH0 0xffffffff", "TLBGSYNC0 0xffffffff", "sync", "CR00 0x202c36"]);
  });
  it("reset where streams are indexed leaves the last S2CR out", () => {
    const steps = told(driverOf({ matching: false }).reset());
    expect(steps.filter((step) => step.startsWith("S2CR"))).toHaveLength(127);
    expect(steps).not.toContain("S2CR127 0x0");
    expect(steps.some((step) => step.startsWith("SMR"))).toBe(false);
  });
  it("bind and unbind", () => {
    expect(told(driverOf().bindStream(9, 5))).toEqual(["S2CR9 0x5", "SMR9 0x80000009"]);
    expect(told(driverOf({ matching: false }).bindStream(9, 5))).toEqual(["S2CR9 0x5"]);
    expect(told(driverOf().unbindStream(9))).toEqual(["S2CR9 0x20000", "SMR9 0x0"]);
    expect(told(driverOf({ matching: false }).unbindStream(9))).toEqual(["S2CR9 0x20000"]);
  });
  it("assign for a hypervisor: VMID is the bank", () => {
    expect(told(driverOf().assignBank(5, ROOT, 77))).toEqual(["CBA2R5 0x1", "CBAR5 0x5", "TCR5 0x80043594", "TTBR05 0x800002000", "SCTLR5 0x67"]);
    expect(told(driverOf({ vspaces: "hyp40" }).assignBank(5, ROOT, 77))[2]).toBe("TCR5 0x80023558");
    expect(told(driverOf({ vmid16: true }).assignBank(5, ROOT, 77)).slice(0, 2)).toEqual(["CBA2R5 0x50001", "CBAR5 0x0"]);
  });
  it("assign at EL1: the VSpace's ASID", () => {
    expect(told(driverOf({ vspaces: "el1" }).assignBank(5, ROOT, 77))).toEqual([
      "CBA2R5 0x1",
      "CBAR5 0x1f300",
      "TCR5 0x803510",
      "TCR25 0x38015",
      "TTBR15 0x0",
      "TTBR05 0x4d000800002000",
      "MAIR05 0x440c0400",
      "MAIR15 0xff",
      "SCTLR5 0x67",
    ]);
    expect(told(driverOf({ vspaces: "el1", coherent: false }).assignBank(5, ROOT, 77))[2]).toBe("TCR5 0x802010");
  });
  it("disable: off first, then the invalidation", () => {
    expect(told(driverOf().disableBank(5, 77))).toEqual(["SCTLR5 0x66", "TLBIVMID0 0x5", "TLBGSYNC0 0xffffffff", "sync"]);
    expect(told(driverOf({ vspaces: "el1" }).disableBank(5, 77))).toEqual(["SCTLR5 0x66", "TLBIASID5 0x4d", "TLBSYNC5 0xffffffff", "sync"]);
  });
  it("invalidations by address and of everything", () => {
    expect(told(driverOf().invalidateAddress(5, 77, 0x89a_bcde_1234n))).toEqual(["TLBIIPAS25 0x89abcde1", "TLBSYNC5 0xffffffff", "sync"]);
    expect(told(driverOf({ vspaces: "el1" }).invalidateAddress(5, 7, 0x1234_5678_9000n))).toEqual(["TLBIVA5 0x7000123456789", "TLBSYNC5 0xffffffff", "sync"]);
    expect(told(driverOf().invalidateAll())).toEqual(["TLBIALLH0 0xffffffff", "TLBGSYNC0 0xffffffff", "sync"]);
    expect(told(driverOf({ vspaces: "el1" }).invalidateAll())).toEqual(["TLBIALLNSNH0 0xffffffff", "TLBGSYNC0 0xffffffff", "sync"]);
  });
  it("a sync that gives up is not waited for", () => {
    expect(told(driverOf({ syncGivesUp: true }).invalidateBank(5, 77))).toEqual(["TLBIVMID0 0x5", "TLBGSYNC0 0xffffffff"]);
  });
  it("clears faults", () => {
    expect(told(driverOf().clearGlobalFault())).toEqual(["GFSR0 0x800001ff"]);
    expect(told(driverOf().clearBankFault(3))).toEqual(["FSR3 0xc00001fe"]);
  });
  it("equal arguments give the very same steps", () => {
    const driver = driverOf();
    expect(driver.assignBank(5, ROOT, 77)).toBe(driver.assignBank(5, ROOT, 77));
    expect(driver.reset()).toBe(driver.reset());
    expect(driver.bindStream(9, 5)).not.toBe(driver.bindStream(9, 6));
  });
});
