import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Ste } from "../../specs/smmuv3/ste.ts";
import type { Step } from "../../src/base/step.ts";
import type { Outcome } from "../../src/base/transaction.ts";
import { iova, pa, streamId } from "../../src/base/words.ts";
import type { ItsCommand } from "../../src/gic/command.ts";
import { doorbellOf, type Msi, msiOf, msiWrite, type PlacedIts } from "../../src/gic/msi.ts";
import { ask, boot, machineOf, mapPages, READ_ONLY, stage2Ste, storeSte } from "../smmuv3/fixture.ts";
import { A, after, B, brief, ITT_A, ITT_B, mapc, mapd, mapti } from "./fixture.ts";

/** QEMU's `virt`. */
const GITS = 0x0808_0000n;
const ROOT = 0x4810_0000n;
/** Where Linux puts the doorbell page for a guest's unmanaged domains, offset within the page kept. */
const WINDOW = 0x0800_0000n;
const MSI_ADDRESS = WINDOW + 0x40n;
const RAM = 0x4123_4000n;
/** Device memory, read and write, never executed (stage 2). */
const DEVICE_PAGE = 0x40_0000_0000_04c7n;

const mappings: readonly ItsCommand[] = [mapc(0, 0), mapd(A, ITT_A, 3), mapti(A, 1, 8200), mapd(B, ITT_B, 3), mapti(B, 1, 8300), mapti(B, 2, 8301)];
const placed: PlacedIts = { base: GITS, state: after(mappings) };

/** Device A's MSI through an SMMU that is set up by these steps; DeviceIDs equal StreamIDs on `virt`. */
const through = (steps: readonly Step[], address: bigint, data: number, sid = A): Msi => {
  const machine = machineOf({ cacheMode: "none" });
  const { op, iova: at, size } = msiWrite(streamId(sid), iova(address));
  const outcome = ask(machine.executeAll(machine.start, [...boot(), ...steps]), sid, at, { op, size });
  if (outcome.result === "unsupported" || outcome.result === "completion") throw new Error(outcome.result);
  return msiOf(outcome, data, sid, placed);
};
const told = (msi: Msi): string => {
  switch (msi.result) {
    case "interrupt":
    case "dropped":
    case "unspecified":
      return brief(msi);
    case "aborted":
    case "stalled":
      return `${msi.result} ${msi.event?.type ?? "silently"}`;
    default:
      return `${msi.result} 0x${msi.pa.toString(16)}`;
  }
};

const translated = (leaf: bigint, sid = A): Step[] => [...mapPages(ROOT, 1, WINDOW, [leaf]), ...storeSte(sid, stage2Ste({ S2TTB: ROOT }))];
const doorbellPage = GITS + 0x1_0000n;
const bypass = (sid = A): Step[] => storeSte(sid, Ste.encode({ V: 1n, Config: "bypass", SHCFG: "incoming" }));

describe("an MSI through the SMMU", () => {
  it("with the doorbell page mapped becomes the interrupt that its own DeviceID maps", () => {
    expect(told(through(translated(doorbellPage | DEVICE_PAGE), MSI_ADDRESS, 1))).toBe("LPI 8200 at 0");
  });
  it("with another device's EventID in its data is looked up in its own table: data can't name a device", () => {
    expect(told(through(translated(doorbellPage | DEVICE_PAGE), MSI_ADDRESS, 2))).toBe("dropped");
    expect(told(through(translated(doorbellPage | DEVICE_PAGE, B), MSI_ADDRESS, 2, B))).toBe("LPI 8301 at 0");
  });
  it("with data that looks like a DeviceID or has its top bit set is an EventID out of range", () => {
    expect([B << 16, -1, 0xffff_ffff].map((data) => told(through(translated(doorbellPage | DEVICE_PAGE), MSI_ADDRESS, data)))).toEqual(["dropped", "dropped", "dropped"]);
    expect(through(translated(doorbellPage | DEVICE_PAGE), MSI_ADDRESS, -1)).toMatchObject({ why: "EventID 4294967295 is beyond the 8 of DeviceID 0x10" });
  });
  it("with the doorbell page not mapped aborts, and the fault of a write is recorded", () => {
    expect(told(through(translated(0n), MSI_ADDRESS, 1))).toBe("aborted F_TRANSLATION");
    expect(through(translated(0n), MSI_ADDRESS, 1)).toMatchObject({ event: { rnw: false, iova: MSI_ADDRESS } });
  });
  it("with the doorbell page mapped read-only aborts", () => {
    expect(told(through(translated(doorbellPage | READ_ONLY), MSI_ADDRESS, 1))).toBe("aborted F_PERMISSION");
  });
  it("of a stream that nobody claimed aborts silently", () => {
    expect(told(through([], MSI_ADDRESS, 1))).toBe("aborted silently");
  });
  it("that the SMMU stalls has not signalled yet", () => {
    const event = { type: "F_TRANSLATION", sid: streamId(A), stag: 1, raw: [0n, 0n, 0n, 0n] } as const;
    expect(msiOf({ result: "stall", event }, 1, A, placed)).toEqual({ result: "stalled", event });
  });
  it("under translation lands in the memory that the page names: a message-shaped write", () => {
    expect(told(through(translated(RAM | 0x7ffn), MSI_ADDRESS, 1))).toBe(`memory 0x${(RAM + 0x40n).toString(16)}`);
  });
  it("under bypass lets a device write its data anywhere, and signal", () => {
    expect(told(through(bypass(), RAM, 1))).toBe("memory 0x41234000");
    expect(told(through(bypass(), doorbellOf(GITS), 1))).toBe("LPI 8200 at 0");
  });
  it("beside GITS_TRANSLATER is ignored", () => {
    expect(told(through(translated(doorbellPage | DEVICE_PAGE), WINDOW + 0x44n, 1))).toBe("ignored 0x8090044");
    expect(told(through(bypass(), doorbellPage + 0xfffcn, 1))).toBe("ignored 0x809fffc");
  });
  it("under bypass, or with the wrong frame mapped, reaches the ITS's own registers", () => {
    expect(through(bypass(), GITS + 0x88n, 0x20)).toEqual({ result: "control", pa: GITS + 0x88n, offset: 0x88 });
    expect(told(through(translated(GITS | DEVICE_PAGE), WINDOW + 0x80n, 0))).toBe("control 0x8080080");
  });
});

describe("for every outcome and every data", () => {
  const outcome: fc.Arbitrary<Outcome> = fc.oneof(
    fc.constant({ result: "abort" } as const),
    fc.oneof(fc.bigInt({ min: 0n, max: (1n << 48n) - 4n }), fc.bigInt({ min: GITS - 8n, max: GITS + 0x2_0008n }), { weight: 4, arbitrary: fc.constant(doorbellOf(GITS)) }).map((address) => ({ result: "ok", pa: pa(address) }) as const),
  );
  it("only a write to GITS_TRANSLATER signals, and it signals only what its DeviceID maps", () => {
    const mine: Readonly<Record<number, readonly number[]>> = { [A]: [8200], [B]: [8300, 8301] };
    let interrupts = 0;
    fc.assert(
      fc.property(outcome, fc.oneof({ weight: 3, arbitrary: fc.nat({ max: 3 }) }, fc.nat({ max: 9 }), fc.integer()), fc.constantFrom(A, B, 0x30), (answer, data, deviceId) => {
        const msi = msiOf(answer, data, deviceId, placed);
        const rang = answer.result === "ok" && answer.pa === doorbellOf(GITS);
        expect(["interrupt", "dropped", "unspecified"].includes(msi.result)).toBe(rang);
        if (msi.result !== "interrupt") return;
        interrupts++;
        expect(mine[deviceId]).toContain(msi.intid);
      }),
      { numRuns: 2000 },
    );
    expect(interrupts).toBeGreaterThan(20);
  });
  it("the SMMU's answer decides where, never the data", () => {
    fc.assert(
      fc.property(outcome, fc.integer(), fc.integer(), (answer, one, other) => {
        fc.pre(!(answer.result === "ok" && answer.pa === doorbellOf(GITS)));
        expect(msiOf(answer, one, A, placed)).toEqual(msiOf(answer, other, A, placed));
      }),
    );
  });
});
