import { describe, expect, it } from "vitest";
import { Command, CommandSync } from "../../specs/smmuv3/command.ts";
import { offsets } from "../../specs/smmuv3/registers.ts";
import type { Step } from "../../src/base/step.ts";
import type { MachineState } from "../../src/smmuv3/machineState.ts";
import { boot, cfgiAll, cfgiRange, cfgiSte, command, fill, machineOf, mapPages, READ_ONLY, READ_WRITE, register, stage2Ste, store, storeSte, STREAM_TABLE, sync, tlbiAll, tlbiIpa, tlbiVmid } from "./fixture.ts";

const SID = 3;
const ROOT = 0x5000_0000n;
const L3 = ROOT + 0x2000n;
const PAGE = 0x6000_0000n;
const ABORT = [1n, 0n, 0n, 0n, 0n, 0n, 0n, 0n];

/** Stream 3 through VMID 1: two pages at IOVA 0. */
const mapped = [...boot(4), ...mapPages(ROOT, 1, 0n, [PAGE | READ_WRITE, (PAGE + 0x1000n) | READ_WRITE]), ...storeSte(SID, stage2Ste({ S2TTB: ROOT })), cfgiSte(SID), sync];

const run = machineOf();
const after = (...steps: Step[]): MachineState => run.executeAll(run.start, [...mapped, ...steps]);
/** What stream `sid` reaches, one line a target; `*` marks what only a cache gives. */
const targets = (state: MachineState, sid = SID): string[] =>
  (run.reach(state).streams.find((stream) => stream.sid === sid)?.targets ?? []).map(
    ({ iova, pa, size, read, write, cached }) => `${iova.toString(16)}+${size.toString(16)} -> ${pa.toString(16)} ${read ? "r" : ""}${write ? "w" : ""}${cached ? "*" : ""}`,
  );
const classes = (state: MachineState, sid = SID): string[] =>
  (run.reach(state).streams.find((stream) => stream.sid === sid)?.configurations ?? []).map((configuration) => `${configuration.class}${configuration.cached ? "*" : ""}`);

const both = ["0+1000 -> 60000000 rw", "1000+1000 -> 60001000 rw"];
const first = both[0]!;

describe("what may still be cached", () => {
  it("nothing but memory when nothing changed since the invalidation", () => {
    expect(targets(after())).toEqual(both);
    expect(classes(after())).toEqual(["stage2"]);
  });
  it("a leaf that was cleared, until its page is invalidated and the SYNC is done", () => {
    const cleared = [store(L3 + 8n, 0n)];
    expect(targets(after(...cleared))).toEqual([first, "1000+1000 -> 60001000 rw*"]);
    expect(targets(after(...cleared, tlbiIpa(1, 0x1000n)))).toEqual([first, "1000+1000 -> 60001000 rw*"]);
    expect(targets(after(...cleared, sync))).toEqual([first, "1000+1000 -> 60001000 rw*"]);
    expect(targets(after(...cleared, tlbiIpa(1, 0x1000n), sync))).toEqual([first]);
  });
  it("nothing of an invalid descriptor: a new page works at once", () => {
    expect(targets(after(store(L3 + 16n, (PAGE + 0x2000n) | READ_ONLY)))).toEqual([...both, "2000+1000 -> 60002000 r"]);
  });
  it("the rights that a page had", () => {
    expect(targets(after(store(L3, PAGE | READ_ONLY)))).toEqual(["0+1000 -> 60000000 r", "0+1000 -> 60000000 rw*", both[1]]);
  });
  it("a whole run of sixteen pages marked contiguous, once the entries change", () => {
    const contiguous = 1n << 52n;
    const state = after(store(L3, PAGE | READ_WRITE | contiguous), store(L3, 0n));
    expect(targets(state)).toEqual(["0+1000 -> 60000000 rw*", "0+10000 -> 60000000 rw*", both[1]]);
    expect(targets(run.executeAll(state, [tlbiIpa(1, 0xf000n), sync]))).toEqual(["0+1000 -> 60000000 rw*", both[1]]);
  });
  it("a page below a table that was cut off, and what is written into that table later", () => {
    const cut = [store(ROOT, 0n), tlbiIpa(1, 0n, { Leaf: 1n }), tlbiIpa(1, 0x1000n, { Leaf: 1n }), sync];
    expect(targets(after(...cut))).toEqual(both.map((line) => `${line}*`));
    expect(targets(after(...cut, store(L3 + 24n, 0x7000_0000n | READ_WRITE)))).toEqual([...both.map((line) => `${line}*`), "3000+1000 -> 70000000 rw*"]);
    expect(run.reach(after(...cut)).tables.map(({ pa }) => pa)).toEqual([ROOT, ROOT + 0x1000n, L3]);
  });
  it("a page that was fetched again by way of a table, though one SYNC is behind the commands for both", () => {
    // The command for the page may take effect first; then the kept table still leads to it, and the command for the table leaves pages.
    const tablesThenPage = [store(ROOT, 0n), tlbiIpa(1, 0x20_0000n), tlbiIpa(1, 0x1000n, { Leaf: 1n }), sync];
    expect(targets(after(...tablesThenPage))).toEqual(both.map((line) => `${line}*`));
    const pageThenTables = [store(ROOT, 0n), tlbiIpa(1, 0x1000n, { Leaf: 1n }), tlbiIpa(1, 0x20_0000n), sync];
    expect(targets(after(...pageThenTables))).toEqual(both.map((line) => `${line}*`));
    expect(targets(after(store(ROOT, 0n), tlbiIpa(1, 0x20_0000n), sync, tlbiIpa(1, 0x1000n, { Leaf: 1n }), sync))).toEqual(both.map((line) => `${line}*`));
    expect(targets(after(store(ROOT, 0n), tlbiIpa(1, 0n), sync, tlbiIpa(1, 0x1000n, { Leaf: 1n }), sync))).toEqual([]);
  });
  it("a deeper table descriptor after the one above it is gone", () => {
    // IOVA 2 MiB has its own level-3 table; invalidating IOVA 0 takes the level-1 descriptor, but not that of level 2.
    const other = [store(ROOT + 0x1008n, 0x5100_0000n | 3n), store(0x5100_0000n, 0x7000_0000n | READ_WRITE)];
    const state = after(...other, store(ROOT, 0n), tlbiIpa(1, 0n), tlbiIpa(1, 0x1000n), tlbiIpa(1, 0x20_0000n, { Leaf: 1n }), sync, store(0x5100_0008n, 0x7000_1000n | READ_WRITE));
    expect(targets(state)).toEqual(["200000+1000 -> 70000000 rw*", "201000+1000 -> 70001000 rw*"]);
  });
  it("a page fetched through a cut-off table, when the invalidation names another page of that table", () => {
    const cut = [store(ROOT, 0n), store(L3 + 24n, 0x7000_0000n | READ_WRITE), tlbiIpa(1, 0n), tlbiIpa(1, 0x1000n), sync];
    expect(targets(after(...cut))).toEqual(["3000+1000 -> 70000000 rw*"]);
    // Also when the page appears between the command and its SYNC, for the command may come last.
    const late = [store(ROOT, 0n), tlbiIpa(1, 0n), tlbiIpa(1, 0x1000n), store(L3 + 24n, 0x7000_0000n | READ_WRITE), sync];
    expect(targets(after(...late))).toEqual(["3000+1000 -> 70000000 rw*"]);
  });
  it("what one entry lets another keep that has the same VMID", () => {
    // Stream 2 ignores access flags, so it may keep a page that stream 3's tables have and stream 3 may not use: through
    // table descriptors that come with the very store that makes stream 3's entry valid.
    const flagless = (PAGE + 0x2000n) | (READ_WRITE & ~0x400n);
    const late = [...boot(4), ...storeSte(2, stage2Ste({ S2TTB: 0x5300_0000n, S2AFFD: 1n })), ...mapPages(ROOT, 1, 0x2000n, [flagless]), ...storeSte(SID, stage2Ste({ S2TTB: ROOT }))];
    expect(targets(run.executeAll(run.start, [...late, store(L3 + 16n, 0n)]), 2)).toEqual(["2000+1000 -> 60002000 rw*"]);
  });
  it("an entry of the stream table, also one that was the table's background", () => {
    expect(classes(after(...storeSte(SID, ABORT)))).toEqual(["abort", "illegal*", "illegal*", "stage2*"]);
    expect(targets(after(...storeSte(SID, ABORT)))).toEqual(both.map((line) => `${line}*`));
    expect(classes(after(...storeSte(SID, ABORT), cfgiSte(SID), sync))).toEqual([]);
    const bypassed = after(fill(STREAM_TABLE, 64n << 4n, [9n, 0n, 0n, 0n, 0n, 0n, 0n, 0n]), cfgiAll, sync, ...storeSte(5, ABORT));
    expect(classes(bypassed, 5)).toEqual(["abort", "bypass*"]);
  });
  it("a VMID's pages for whoever gets the VMID next", () => {
    const reused = after(...storeSte(SID, ABORT), cfgiSte(SID), sync, ...storeSte(5, stage2Ste({ S2TTB: 0x5200_0000n })), cfgiSte(5), sync);
    expect(targets(reused, 5)).toEqual(both.map((line) => `${line}*`));
    expect(targets(run.executeAll(reused, [tlbiVmid(1), sync]), 5)).toEqual([]);
  });
  it("nothing while SMMUEN=0, and what was there before SMMUEN went to 0", () => {
    const off = after(register(offsets.CR0, 0n), store(L3, 0n), ...storeSte(SID, ABORT), store(L3, 0x7000_0000n | READ_WRITE));
    expect(run.reach(off).streams).toMatchObject([{ sid: -1, configurations: [{ class: "bypass" }] }]);
    const on = run.execute(off, register(offsets.CR0, 1n));
    expect(targets(on)).toEqual(["0+1000 -> 60000000 rw*", "0+1000 -> 70000000 rw*", "1000+1000 -> 60001000 rw*"]);
    expect(classes(on)).toEqual(["abort", "stage2*"]);
  });
});

describe("torn fetches", () => {
  it("mix any values that the words had since the last invalidation", () => {
    const torn = machineOf({ steFetch: "torn" });
    const whole = [...storeSte(SID, ABORT), cfgiSte(SID), sync, ...mapPages(0x5200_0000n, 1, 0n, [0x7000_0000n | READ_WRITE])];
    const next = stage2Ste({ S2TTB: 0x5200_0000n, S2VMID: 2n });
    const stale = (steps: readonly Step[]) => torn.reach(torn.executeAll(torn.start, [...mapped, ...steps])).streams.find(({ sid }) => sid === SID)!;
    // The words behind an abort entry are rewritten without an invalidation: a fetch may pair an old root with the new VMID.
    const rewritten = [...storeSte(SID, ABORT).slice(-1), cfgiSte(SID), sync, ...mapPages(0x5200_0000n, 1, 0n, [0x7000_0000n | READ_WRITE]), ...storeSte(SID, next), cfgiSte(SID), sync];
    expect(stale(rewritten).targets.map(({ pa, cached }) => `${pa.toString(16)}${cached ? "*" : ""}`)).toEqual(["60000000*", "70000000", "60001000*"]);
    // An invalidation before the word that makes the entry valid leaves nothing to mix.
    const ordered = [...whole, ...storeSte(SID, next).slice(0, -1), cfgiSte(SID), sync, ...storeSte(SID, next).slice(-1), cfgiSte(SID), sync];
    expect(stale(ordered).targets.map(({ pa }) => pa.toString(16))).toEqual(["70000000"]);
  });
});

describe("commands", () => {
  const cleared = [fill(L3, 16n)];
  const left = (...steps: Step[]): string[] => targets(after(...cleared, ...steps, sync)).map((line) => line.slice(0, line.indexOf("+")));
  it("take what they name and no more", () => {
    expect(left(tlbiVmid(2))).toEqual(["0", "1000"]);
    expect(left(tlbiVmid(1))).toEqual([]);
    expect(left(tlbiAll)).toEqual([]);
    expect(left(tlbiIpa(2, 0n))).toEqual(["0", "1000"]);
    expect(left(tlbiIpa(1, 0n))).toEqual(["1000"]);
    expect(left(tlbiIpa(1, 0n, { Leaf: 1n }))).toEqual(["1000"]);
    expect(left(cfgiAll)).toEqual(["0", "1000"]);
  });
  it("TLBI_S2_IPA by range: (Num+1) * 2^Scale pages, only at the level of the hint, and only for its granule", () => {
    expect(left(tlbiIpa(1, 0n, { TG: "4K", Num: 1n }))).toEqual([]);
    expect(left(tlbiIpa(1, 0n, { TG: "4K", Scale: 1n }))).toEqual([]);
    expect(left(tlbiIpa(1, 0x1000n, { TG: "4K", Num: 3n, TTL: 3n }))).toEqual(["0"]);
    expect(left(tlbiIpa(1, 0n, { TG: "4K", Num: 1n, TTL: 2n }))).toEqual(["0", "1000"]);
    expect(left(tlbiIpa(1, 0n, { TG: "64K", Num: 1n }))).toEqual(["0", "1000"]);
    expect(left(tlbiIpa(1, 0n, { Num: 1n, Scale: 1n }))).toEqual(["1000"]);
  });
  it("TLBI_S2_IPA of one page takes the block that holds it", () => {
    const block = [store(ROOT + 0x1008n, 0x6020_0000n | 0x7fdn), store(ROOT + 0x1008n, 0n)];
    expect(targets(after(...block))).toContain("200000+200000 -> 60200000 rw*");
    expect(targets(after(...block, tlbiIpa(1, 0x3f_f000n), sync))).toEqual(both);
  });
  it("CFGI_STE_RANGE takes an aligned power of two of streams", () => {
    const kept = (...steps: Step[]) => [2, 3, 4].filter((sid) => classes(after(...[2, 3, 4].flatMap((one) => storeSte(one, [9n, 0n, 0n, 0n, 0n, 0n, 0n, 0n])), ...steps, sync), sid).some((one) => one.endsWith("*")));
    expect(kept()).toEqual([2, 3, 4]);
    expect(kept(cfgiSte(3))).toEqual([2, 4]);
    expect(kept(cfgiRange(3, 0n))).toEqual([4]);
    expect(kept(cfgiRange(4, 1n))).toEqual([2, 3]);
    expect(kept(cfgiRange(2, 2n))).toEqual([]);
    expect(kept(cfgiAll)).toEqual([]);
  });
  it("issued before the store they are for need not cover it", () => {
    expect(targets(after(tlbiIpa(1, 0n), store(L3, 0n), sync))).toEqual(["0+1000 -> 60000000 rw*", both[1]]);
    expect(classes(after(cfgiSte(SID), ...storeSte(SID, ABORT), sync))).toContain("stage2*");
  });
  it("an illegal one stops the queue: nothing later is consumed", () => {
    const illegal = (words: readonly bigint[]) => after(...cleared, command(words), tlbiAll, cfgiAll, sync);
    const bad: readonly (readonly [string, readonly bigint[]])[] = [
      ["unknown opcode 0x0", [0n, 0n]],
      ["unknown opcode 0x71", [0x71n, 0n]],
      ["CFGI_STE with SSec=1", Command.encode({ Op: 3n, SSec: 1n })],
      ["CFGI_VMS_PIDM needs MPAM", [7n, 0n]],
      ["TLBI_EL2_ALL needs HYP", [0x20n, 0n]],
      ["TLBI_EL3_ALL needs secure", [0x18n, 0n]],
      ["ATC_INV needs ATS", [0x40n, 0n]],
      ["PRI_RESP needs PRI", [0x41n, 0n]],
      ["RESUME needs stall", [0x44n, 0n]],
      ["STALL_TERM needs stall", [0x45n, 0n]],
      ["SYNC with reserved CS=3", CommandSync.encode({ Op: 0x46n, CS: 3n })],
    ];
    for (const [why, words] of bad) {
      const state = illegal(words);
      expect(state.smmus[0]!.wedged).toContain(why);
      expect(targets(state)).toHaveLength(2);
    }
    expect(illegal([1n, 0n]).smmus[0]!.wedged).toBeUndefined();
    expect(illegal([0x10n, 0n]).smmus[0]!.wedged).toBeUndefined();
  });
  it("of an absent stage are illegal", () => {
    const stage1Only = machineOf({ smmus: [{ IDR0: 0x0d44101a }] });
    expect(stage1Only.executeAll(stage1Only.start, [tlbiVmid(1)]).smmus[0]!.wedged).toMatch(/S2P/);
    const stage2Only = machineOf({ smmus: [{ IDR0: 0x0d441019 }] });
    expect(stage2Only.executeAll(stage2Only.start, [command([0x11n, 0n])]).smmus[0]!.wedged).toMatch(/S1P/);
  });
});

describe("the machine", () => {
  it("is one object for equal contents, whatever led there", () => {
    expect(after(store(L3 + 16n, 0n))).toBe(after());
    const there = after(store(0x7000_0000n, 5n));
    expect(run.execute(there, store(0x7000_0000n, 0n))).toBe(after());
    expect(run.state(there.imageId, there.cacheId)).toBe(there);
  });
  it("keeps two SMMUs apart over one memory", () => {
    const two = machineOf({ smmus: [{}, {}] });
    const both_ = [...boot(4), ...boot(4).filter((step) => step.kind === "register").map((step): Step => ({ ...step, smmu: 1 }))];
    const state = two.executeAll(two.start, [...both_, ...mapPages(ROOT, 1, 0n, [PAGE | READ_WRITE]), ...storeSte(SID, stage2Ste({ S2TTB: ROOT })), store(L3, 0n), tlbiAll, cfgiAll, sync]);
    const cached = two.reach(state).streams.map(({ smmu, targets: found }) => `${smmu}:${found.length}`);
    expect(cached).toEqual(["0:0", "0:0", "1:0", "1:1"]);
  });
  it("ignores writes to the stream table's registers while SMMUEN=1", () => {
    expect(after(register(offsets.STRTAB_BASE, 0n, 8), register(offsets.STRTAB_BASE_CFG, 0n))).toBe(after());
  });
  it("says so when a table points at itself too often to be enumerated", () => {
    const deep = machineOf();
    const steps = [...boot(4), fill(ROOT, 0x100n, [ROOT | 3n]), ...storeSte(SID, stage2Ste({ S2TTB: ROOT, S2T0SZ: 20n, S2SL0: 2n }))];
    expect(() => deep.executeAll(deep.start, steps)).toThrow(/does one point at itself/);
    const once = machineOf();
    const looped = once.executeAll(once.start, [...boot(4), store(ROOT, ROOT | 3n), ...storeSte(SID, stage2Ste({ S2TTB: ROOT }))]);
    expect(once.reach(looped).tables.map(({ pa }) => pa)).toEqual([ROOT]);
  });
});
