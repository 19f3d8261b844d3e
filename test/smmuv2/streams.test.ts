/** From a StreamID to a bank, a bypass or a global fault. */
import { describe, expect, it } from "vitest";
import { Cr0 } from "../../specs/smmuv2/registers.ts";
import type { Step } from "../../src/base/step.ts";
import { access, ask, build, classes, ranges, register, streamIn, value } from "./fixture.ts";

const cr0 = (fields: Parameters<typeof Cr0.encode>[0]): Step => register("CR0", 0, Cr0.encode(fields)[0]!);
const smr = (n: number, id: bigint, mask = 0n): Step => register("SMR", n, 0x8000_0000n | (mask << 16n) | id);
const FAULTING: Step = cr0({ USFCFG: "fault", SMCFCFG: "fault", GFRE: 1n });
const BYPASS = 0x1_0000n;
const FAULT = 0x2_0000n;
const WHOLE = ["0x0 -> 0x0 0x1000000000000 rw"];

describe("stream mapping", () => {
  it("while clients bypass, everything does, and addresses are cut to the output size", () => {
    const { run } = build({ outputBits: 40 });
    expect(ask(run, run.start, 5, 0x123_4567_8000n)).toBe("pa 0x2345678000");
    expect(ranges(run.reach(run.start), 5)).toEqual(["0x0 -> 0x0 0x10000000000 rw"]);
  });
  it("a stream that no entry matches faults or bypasses as CR0.USFCFG says", () => {
    const { run, go } = build();
    const faulting = go([FAULTING]);
    expect(ask(run, faulting, 5, 0x1000n)).toBe("abort USF");
    expect(classes(run.reach(faulting), 5)).toEqual(["abort"]);
    const open = go([cr0({})]);
    expect(ask(run, open, 5, 0x1000n)).toBe("pa 0x1000");
    expect(ranges(run.reach(open), 5)).toEqual(WHOLE);
  });
  it("S2CR of the group that matches decides; its number is not the stream's", () => {
    const { run, go } = build();
    const state = go([FAULTING, smr(3, 6n), register("S2CR", 3, BYPASS), register("S2CR", 6, FAULT)]);
    expect(ask(run, state, 6, 0x1000n)).toBe("pa 0x1000");
    expect(ask(run, state, 3, 0x1000n)).toBe("abort USF");
    expect(run.reach(state).streams.map(({ sid }) => sid)).toEqual([-1, 6]);
  });
  it("masked bits match whatever they are", () => {
    const { run, go } = build();
    const state = go([FAULTING, smr(0, 0b001n, 0b110n), register("S2CR", 0, BYPASS)]);
    const through = [0, 1, 2, 3, 4, 5, 6, 7].filter((sid) => ask(run, state, sid, 0n) === "pa 0x0");
    expect(through).toEqual([1, 3, 5, 7]);
    expect(run.reach(state).streams.map(({ sid }) => sid)).toEqual([-1, 1, 3, 5, 7]);
  });
  it("an entry with all bits masked leaves no others", () => {
    const { run, go } = build();
    const state = go([FAULTING, smr(0, 0n, 0x7fffn), register("S2CR", 0, FAULT)]);
    expect(run.reach(state).streams.map(({ sid }) => sid)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  });
  it("an entry for a StreamID that no device has matches nothing", () => {
    const { run, go } = build();
    expect(run.reach(go([FAULTING, smr(0, 0x100n)])).streams.map(({ sid }) => sid)).toEqual([-1]);
  });
  it("two matches are a conflict, which faults or bypasses as CR0.SMCFCFG says", () => {
    const { run, go } = build();
    const entries = [smr(0, 2n), smr(1, 2n), register("S2CR", 0, FAULT), register("S2CR", 1, FAULT)];
    expect(ask(run, go([FAULTING, ...entries]), 2, 0n)).toBe("abort SMCF");
    expect(classes(run.reach(go([FAULTING, ...entries])), 2)).toEqual(["illegal"]);
    expect(ask(run, go([cr0({ USFCFG: "fault" }), ...entries]), 2, 0n)).toBe("pa 0x0");
  });
  it("where streams are indexed, the number is the S2CR's", () => {
    const { run, go } = build({ matching: false });
    const state = go([FAULTING, register("S2CR", 3, BYPASS), register("S2CR", 4, FAULT), register("S2CR", 5, 0x3_0000n)]);
    expect(ask(run, state, 3, 0x1000n)).toBe("pa 0x1000");
    expect(ask(run, state, 4, 0x1000n)).toBe("abort ICF");
    // TYPE 3 is reserved and taken as a fault.
    expect(ask(run, state, 5, 0x1000n)).toBe("abort ICF");
    expect(run.reach(state).streams.map(({ sid }) => sid)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  });
  it("a bank that is not there, and one whose CBAR makes no sense, are global faults", () => {
    const { run, go } = build({ matching: false });
    const state = go([FAULTING, register("S2CR", 1, 4n), register("S2CR", 2, 2n), register("CBAR", 2, FAULT), register("S2CR", 3, 3n), register("CBAR", 3, 0x3_0000n)]);
    expect(ask(run, state, 1, 0n)).toBe("abort UCBF");
    expect(ask(run, state, 2, 0n)).toBe("abort ICF");
    // Nested translation, which is not there.
    expect(ask(run, state, 3, 0n)).toBe("abort ICF");
    for (const sid of [1, 2, 3]) expect(streamIn(run.reach(state), sid)).toMatchObject({ configurations: [{ class: "illegal" }], targets: [] });
  });
});

describe("global faults", () => {
  const faulted = (fields: Parameters<typeof Cr0.encode>[0] = {}) => {
    const { run, go } = build();
    const state = go([cr0({ USFCFG: "fault", ...fields })]);
    return { run, ...run.transact(state, 0, access(5, 0x8000_1234n, { op: "write", priv: true })) };
  };
  it("leave the kind, the address and the stream", () => {
    const { run, outcome, after } = faulted({ GFRE: 1n });
    expect(outcome).toMatchObject({ result: "abort", event: { type: "USF", sid: 5, iova: 0x8000_1234n, rnw: false } });
    expect(outcome).not.toHaveProperty("raz");
    expect(["GFSR", "GFAR", "GFSYNR0", "GFSYNR1"].map((name) => value(after, name as "GFSR", 0, run))).toEqual([2n, 0x8000_1234n, 6n, 5n]);
  });
  it("are not told to the device unless CR0.GFRE", () => {
    expect(faulted().outcome).toMatchObject({ result: "abort", raz: true });
  });
  it("a second one sets MULTI alone, and software clears both", () => {
    const { run, after } = faulted();
    const again = run.transact(after, 0, access(6, 0n));
    expect(again.outcome).not.toHaveProperty("event");
    expect(["GFSR", "GFAR", "GFSYNR1"].map((name) => value(again.after, name as "GFSR", 0, run))).toEqual([0x8000_0002n, 0x8000_1234n, 5n]);
    expect(value(run.execute(again.after, register("GFSR", 0, 2n)), "GFSR", 0, run)).toBe(0x8000_0000n);
  });
  it("of a bank's CBAR say so", () => {
    const { run, go } = build({ matching: false });
    const state = go([FAULTING, register("S2CR", 2, 2n), register("CBAR", 2, FAULT)]);
    expect(value(run.transact(state, 0, access(2, 0n)).after, "GFSYNR0", 0, run)).toBe(1n);
  });
});
