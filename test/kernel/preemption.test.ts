/** Preemption points of Revoke, Delete and the reset of an untyped: what is done stays done, and the same call goes on. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { canonicalJson } from "../../src/check/canonical.ts";
import { invoke, type Message } from "../../src/kernel/api.ts";
import { UNTYPED } from "../../src/kernel/capability.ts";
import { profileNamed } from "../../src/kernel/profile.ts";
import { decodeFirstState } from "../../src/system/firstState.ts";
import { openFirstState, type OpenKernel } from "../../src/system/openKernel.ts";

const document = decodeFirstState(readFileSync(new URL("../../specs/first-states/boot.yaml", import.meta.url), "utf8"), "boot.yaml").value!;
const open = (): OpenKernel => openFirstState(document, profileNamed("sel4-smmuv2")!).value!;
const line = (cptr: number, label: string, words: readonly number[], caps: readonly number[] = [], preempt?: number): Message => ({
  cptr: BigInt(cptr),
  label,
  words: words.map(BigInt),
  caps: caps.map(BigInt),
  ...(preempt === undefined ? {} : { preempt }),
});
const ROOT = 2;
const answer = (opened: OpenKernel, message: Message): string => invoke(opened.kernel, 0, message).error;
const retype = (type: number, bits: number, at: number, count: number, preempt?: number): Message => line(17, "UntypedRetype", [type, bits, 0, 0, at, count], [ROOT], preempt);
const revoke = (slot: number, preempt?: number): Message => line(ROOT, "CNodeRevoke", [slot, 64], [], preempt);
const remove = (slot: number, preempt?: number): Message => line(ROOT, "CNodeDelete", [slot, 64], [], preempt);

const SMALL_PAGE = 7;
const CNODE = 4;
const held = (opened: OpenKernel, from: number, count: number): boolean[] =>
  Array.from({ length: count }, (_, n) => opened.state.slot[opened.kernel.plan.slotRow(opened.kernel.plan.subjects[0]!.cnode, from + n)]!.kind !== 0);
const watermark = (opened: OpenKernel): number => opened.state.slot[opened.kernel.plan.slotRow(opened.kernel.plan.subjects[0]!.cnode, 17)]!.watermark * 16;
/** State without the numbers of objects, which grow with what was ever made. */
const contents = (opened: OpenKernel): string => canonicalJson(opened.state.slot.filter(({ kind }) => kind !== 0));

describe("Revoke", () => {
  it("stops after each deletion that an interrupt follows, and goes on", () => {
    const opened = open();
    expect(answer(opened, retype(SMALL_PAGE, 0, 100, 4))).toBe("seL4_NoError");
    expect(answer(opened, revoke(17, 1))).toBe("preempted");
    expect(held(opened, 100, 4).filter(Boolean)).toHaveLength(2);
    // Between, others run: what is left is there, and can be used.
    const left = held(opened, 100, 4).lastIndexOf(true);
    expect(answer(opened, line(ROOT, "CNodeCopy", [200, 64, 100 + left, 64, 3], [ROOT]))).toBe("seL4_NoError");
    expect(answer(opened, revoke(17))).toBe("seL4_NoError");
    expect([...held(opened, 100, 4), ...held(opened, 200, 1)]).toEqual([false, false, false, false, false]);
  });

  it("comes to the same whether interrupted or not", () => {
    for (let points = 0; points < 5; points++) {
      const [whole, interrupted] = [open(), open()];
      for (const opened of [whole, interrupted]) answer(opened, retype(SMALL_PAGE, 0, 100, 5));
      expect(answer(whole, revoke(17))).toBe("seL4_NoError");
      expect(answer(interrupted, revoke(17, points))).toBe("preempted");
      expect(answer(interrupted, revoke(17))).toBe("seL4_NoError");
      expect(contents(interrupted)).toBe(contents(whole));
    }
  });

  it("is not interrupted by what comes after its last point", () => {
    const opened = open();
    answer(opened, retype(SMALL_PAGE, 0, 100, 2));
    expect(answer(opened, revoke(17, 2))).toBe("seL4_NoError");
    expect(answer(opened, revoke(17, 0))).toBe("seL4_NoError");
  });
});

describe("Delete of the last capability to a CNode", () => {
  const filled = (): OpenKernel => {
    const opened = open();
    expect(answer(opened, retype(CNODE, 4, 100, 1))).toBe("seL4_NoError");
    for (const index of [3, 9, 15]) expect(answer(opened, line(100, "CNodeCopy", [index, 4, 26, 64, 15], [ROOT]))).toBe("seL4_NoError");
    return opened;
  };

  it("leaves a zombie in its slot while slots are full; nothing is invoked on it", () => {
    const opened = filled();
    expect(answer(opened, remove(100, 0))).toBe("preempted");
    expect(answer(opened, line(100, "CNodeRevoke", [3, 4]))).toBe("seL4_InvalidCapability");
    expect(held(opened, 100, 1)).toEqual([true]);
    expect(answer(opened, remove(100, 0))).toBe("preempted");
    expect(answer(opened, remove(100))).toBe("seL4_NoError");
    expect(held(opened, 100, 1)).toEqual([false]);
  });

  it("comes to the same whether interrupted or not", () => {
    const [whole, interrupted] = [filled(), filled()];
    answer(whole, remove(100));
    for (const _ of [1, 2, 3]) expect(answer(interrupted, remove(100, 0))).toBe("preempted");
    expect(answer(interrupted, remove(100))).toBe("seL4_NoError");
    expect(contents(interrupted)).toBe(contents(whole));
  });
});

describe("Retype of an untyped that was used", () => {
  const used = (): OpenKernel => {
    const opened = open();
    answer(opened, retype(SMALL_PAGE, 0, 100, 3));
    answer(opened, revoke(17));
    opened.takeSteps();
    return opened;
  };

  it("clears from the end in chunks of 256 bytes, and the watermark goes down with them", () => {
    const opened = used();
    expect(watermark(opened)).toBe(3 * 4096);
    expect(answer(opened, retype(SMALL_PAGE, 0, 100, 1, 3))).toBe("preempted");
    expect(watermark(opened)).toBe(3 * 4096 - 4 * 256);
    const [cleared] = opened.takeSteps();
    const { base } = opened.kernel.plan.untypeds[opened.state.slot.find(({ kind, watermark: at }) => kind === UNTYPED && at * 16 === 3 * 4096 - 4 * 256)!.object]!;
    expect(cleared).toMatchObject({ kind: "fill", addr: base + 3n * 4096n - 1024n, size: 1024n });
    expect(held(opened, 100, 1)).toEqual([false]);
    expect(answer(opened, retype(SMALL_PAGE, 0, 100, 1))).toBe("seL4_NoError");
    expect(watermark(opened)).toBe(4096);
  });

  it("has as many points as chunks", () => {
    const opened = used();
    expect(answer(opened, retype(SMALL_PAGE, 0, 100, 1, 47))).toBe("preempted");
    expect(watermark(opened)).toBe(0);
    const other = used();
    expect(answer(other, retype(SMALL_PAGE, 0, 100, 1, 48))).toBe("seL4_NoError");
  });
});
