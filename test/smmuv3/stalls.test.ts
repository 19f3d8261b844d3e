/** Stalled transactions: IHI 0070 sections 3.12.2, 4.7.1, 4.7.2, 6.3.9.6 and 7.2.1. */
import { describe, expect, it } from "vitest";
import { offsets, page1Offsets } from "../../specs/smmuv3/registers.ts";
import type { Device } from "../../src/smmuv3/device.ts";
import { access, ALL_QUEUES, build, command, EVENTS, value, write } from "./steps.ts";
import { map, s2, SID, storeSte, type Values } from "./tables.ts";

describe("stalls", () => {
  const ROOT = 0xa000_0000n;
  const stalling = (id: Values = {}) => {
    const made = build(id);
    for (const sid of [SID, SID + 1]) storeSte(made.store, { ...s2, S2S: 1n, S2TTB: ROOT }, sid);
    return made;
  };
  const resume = (device: Device, tag: number, action: number, sid = SID) => command(device, 0x44n | (BigInt(action) << 12n) | (BigInt(sid) << 32n), BigInt(tag));
  const [TERMINATE, RETRY, ABORT] = [0, 1, 2];
  const tagOf = (device: Device, sid = SID): number => {
    const [outcome] = access(device, sid);
    if (outcome?.result !== "stall") throw new Error(`no stall: ${outcome?.result}`);
    return outcome.event.stag!;
  };
  it("the record has Stall=1 and the tag; tags are unique while they are held", () => {
    const { device } = stalling();
    const tags = [tagOf(device), tagOf(device)];
    expect(tags[0]).not.toBe(tags[1]);
    for (const [index, tag] of tags.entries()) expect(device.read(EVENTS + 32n * BigInt(index) + 8n)! & 0x8000_ffffn).toBe(0x8000_0000n | BigInt(tag));
  });
  it("RESUME: retry takes the tables as they are now, and may stall again; Ab is ignored then", () => {
    const { device, store } = stalling();
    expect(resume(device, tagOf(device), RETRY)).toMatchObject([{ result: "stall" }]);
    map(store, { root: ROOT, granule: 12, bits: 40, start: 1 }, 0x1000n, 3, 0xc000_07ffn);
    expect(resume(device, 0, RETRY | ABORT)).toMatchObject([{ result: "ok", pa: 0xc000_0000n, resumed: 0 }]);
    expect(resume(device, 0, RETRY)).toEqual([]);
  });
  it("RESUME: abort, and terminate with reads of zero where TERM_MODEL=0", () => {
    for (const TERM_MODEL of [0n, 1n]) {
      const { device } = stalling({ TERM_MODEL });
      const aborted = resume(device, tagOf(device), ABORT);
      expect(aborted).toMatchObject([{ result: "abort" }]);
      expect(aborted[0]).not.toHaveProperty("raz");
      const [ended] = resume(device, tagOf(device), TERMINATE);
      expect(ended).toMatchObject({ result: "abort" });
      expect((ended as { raz?: boolean }).raz === true).toBe(TERM_MODEL === 0n);
    }
  });
  it("a tag that is not held, or not this stream's, has no effect", () => {
    const { device } = stalling();
    const tag = tagOf(device);
    expect(resume(device, tag + 1, ABORT)).toEqual([]);
    expect(resume(device, tag, ABORT, SID + 1)).toEqual([]);
    expect(resume(device, tag, ABORT)).toMatchObject([{ result: "abort", resumed: tag }]);
    expect(resume(device, tag, ABORT)).toEqual([]);
  });
  it("STALL_TERM aborts all of its stream, and no other's", () => {
    const { device } = stalling();
    tagOf(device);
    const other = tagOf(device, SID + 1);
    tagOf(device);
    expect(command(device, 0x45n | (BigInt(SID) << 32n))).toMatchObject([{ result: "abort" }, { result: "abort" }]);
    expect(resume(device, other, ABORT, SID + 1)).toMatchObject([{ result: "abort", resumed: other }]);
  });
  it("a stall's record is never dropped and no overflow: it is written when there is room", () => {
    const { device } = stalling();
    access(device);
    access(device);
    const tag = tagOf(device);
    expect(value(device, offsets.EVENTQ_PROD)).toBe(2);
    write(device, page1Offsets.EVENTQ_CONS, 1);
    expect(value(device, offsets.EVENTQ_PROD)).toBe(3);
    expect(device.read(EVENTS + 8n)! & 0x8000_ffffn).toBe(0x8000_0000n | BigInt(tag));
  });
  it("beyond STALL_MAX the model says that it does not know", () => {
    const { device } = stalling({ STALL_MAX: 1n });
    tagOf(device);
    expect(access(device, SID)).toMatchObject([{ result: "unsupported" }]);
  });
  it("SMMUEN from 1 to 0 terminates all of them, and gives their tags back (section 6.3.9.6)", () => {
    const { device } = stalling();
    const tag = tagOf(device);
    write(device, offsets.CR0, ALL_QUEUES & ~1);
    expect(resume(device, tag, RETRY)).toEqual([]);
    write(device, offsets.CR0, ALL_QUEUES);
    expect(tagOf(device)).toBe(tag);
  });
});
