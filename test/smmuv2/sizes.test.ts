/** Which input sizes a bank takes, and at which level its walks then begin (IHI 0062 D.c table 2-9; DDI 0487 for stage 1), and whose kept entries a look-up hits. */
import { describe, expect, it } from "vitest";
import { pa } from "../../src/base/words.ts";
import type { VspaceKind } from "../../src/kernel/smmuv2Driver.ts";
import { type Kept, hits } from "../../src/smmuv2/mayCache.ts";
import { ask, build, classes, mapPage, register, S1_USER_READ_WRITE, S2_READ_WRITE, value } from "./fixture.ts";

const ROOT = 0x8001_0000n;
const NEXT = 0x8010_0000n;
const PAGE = 0x9_1234_5000n;
const BANK = 2;

/** What stream 1 gets at 0x1000 when its bank's tables begin at `level` and its TCR says otherwise than seL4's driver does. */
const walked = (vspaces: VspaceKind, level: number, tcr: (given: bigint) => bigint): string => {
  const { driver, go, run } = build({}, { vspaces });
  const state = go(mapPage(ROOT, level, NEXT, 0x1000n, PAGE | (vspaces === "el1" ? S1_USER_READ_WRITE : S2_READ_WRITE)), driver.reset(), driver.assignBank(BANK, pa(ROOT), 9), driver.bindStream(1, BANK));
  const changed = run.execute(state, register("TCR", BANK, tcr(value(state, "TCR", BANK, run))));
  return classes(run.reach(changed), 1).includes("unsupported") ? "unsupported" : ask(run, changed, 1, 0x1000n);
};
const REACHED = "pa 0x912345000";

describe("stage 2", () => {
  const sized = (level: number, t0sz: number): string => walked("hyp44", level, (given) => (given & ~0xffn) | (BigInt(2 - level) << 6n) | BigInt(t0sz));
  it.each([
    [0, 16, 24],
    [1, 21, 33],
    [2, 30, 39],
  ])("that begins at level %i takes T0SZ %i to %i", (level, least, most) => {
    expect([sized(level, least - 1), sized(level, least), sized(level, most), sized(level, most + 1)]).toEqual(["unsupported", REACHED, REACHED, "unsupported"]);
  });
  it("begins no further on: SL0=3", () => {
    expect(walked("hyp44", 0, (given) => given | 0xc0n)).toBe("unsupported");
  });
});

describe("stage 1", () => {
  const sized = (level: number, t0sz: number): string => walked("el1", level, (given) => (given & ~0x3fn) | BigInt(t0sz));
  it.each([
    [0, 16, 24],
    [1, 25, 33],
    [2, 34, 39],
  ])("begins at level %i with T0SZ %i to %i", (level, least, most) => {
    expect([sized(level, least), sized(level, most)]).toEqual([REACHED, REACHED]);
  });
  it("takes no T0SZ below 16 or above 39", () => {
    expect([sized(0, 15), sized(2, 40)]).toEqual(["unsupported", "unsupported"]);
  });
});

describe("a look-up", () => {
  const leaf = (stage: 1 | 2, vmid: number, asid?: number, global = false) => ({ kind: "leaf", tag: { stage, vmid, ...(asid === undefined ? {} : { asid }) }, global }) as unknown as Kept;
  it("hits what has its stage, its VMID and, but for what is global, its ASID", () => {
    const tag = { stage: 1, vmid: 3, asid: 7 } as const;
    expect([leaf(1, 3, 7), leaf(2, 3, 7), leaf(1, 4, 7), leaf(1, 3, 8), leaf(1, 3, 8, true), leaf(1, 4, 8, true), leaf(2, 3, 8, true)].map((entry) => hits(tag, entry))).toEqual([true, false, false, false, true, false, false]);
    expect([leaf(2, 3), leaf(1, 3), leaf(2, 4)].map((entry) => hits({ stage: 2, vmid: 3 }, entry))).toEqual([true, false, false]);
  });
  it("does not begin at a table kept for every ASID, because none is", () => {
    const table = { ...leaf(1, 3, 8, true), kind: "table" } as unknown as Kept;
    expect(hits({ stage: 1, vmid: 3, asid: 7 }, table)).toBe(false);
  });
});
