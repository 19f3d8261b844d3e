/** What the TLB could hold: what is kept, what finds it, and which invalidation removes it when. */
import { describe, expect, it } from "vitest";
import type { Step } from "../../src/base/step.ts";
import { pa } from "../../src/base/words.ts";
import { type Invalidation, removes } from "../../src/smmuv2/invalidate.ts";
import type { Kept } from "../../src/smmuv2/mayCache.ts";
import { bankSync, build, globalSync, mapPage, ranges, register, S1_USER_READ_WRITE, S2_READ_WRITE, type State, store, wait } from "./fixture.ts";

const ROOTS = [0x8000_0000n, 0x8010_0000n, 0x8020_0000n] as const;
const PAGE = 0x9000_0000n;
const FIRST = `0x1000 -> 0x90000000 0x1000 rw`;

/** Banks 0, 1 and 2, each with stream of the same number and tables of its own; page 0x1000 goes to PAGE + bank * 64 KiB. */
const three = (vspaces: "hyp44" | "el1" = "hyp44", asids: readonly number[] = [5, 6, 7]) => {
  const built = build({}, { vspaces });
  const { driver, go } = built;
  const leaf = vspaces === "el1" ? S1_USER_READ_WRITE : S2_READ_WRITE;
  const maps = ROOTS.flatMap((root, bank) => mapPage(root, 0, root + 0x1000n, 0x1000n, (PAGE + BigInt(bank) * 0x1_0000n) | leaf));
  const banks = ROOTS.flatMap((root, bank) => [...driver.assignBank(bank, pa(root), asids[bank]!), ...driver.bindStream(bank, bank)]);
  return { ...built, leaf, state: go(maps, driver.reset(), banks) };
};
/** The last-level entry of page 0x1000 in a bank's tables. */
const entryOf = (bank: number): bigint => ROOTS[bank]! + 0x3000n + 8n;
const unmapped = (bank: number): Step => store(entryOf(bank), 0n);
const kept = (run: ReturnType<typeof three>["run"], state: State): number[] => [0, 1, 2].filter((bank) => ranges(run.reach(state), bank).length > 0);

describe("what is kept", () => {
  it("a page that was unmapped is still reached, and is told as cached", () => {
    const { run, state } = three();
    expect(ranges(run.reach(state), 0)).toEqual([FIRST]);
    const stale = run.execute(state, unmapped(0));
    expect(ranges(run.coldReach(stale), 0)).toEqual([]);
    expect(ranges(run.reach(stale), 0)).toEqual([`${FIRST} cached`]);
  });
  it("sets that hold the same have the same key, in another run, too", () => {
    const [one, other] = [three(), three()].map(({ run, state }) => [state, run.execute(state, unmapped(0)), run.executeAll(state, [unmapped(0), register("TLBIVMID", 0, 0n), ...globalSync])].map(({ smmus }) => smmus[0]!.cache.key));
    expect(one).toEqual(other);
    expect(one![0]).toBe(one![1]);
    expect(one![2]).not.toBe(one![1]);
  });
  it("without caches it is not", () => {
    const { run, driver, go } = build({}, {}, "none");
    const state = go(mapPage(ROOTS[0], 0, ROOTS[0] + 0x1000n, 0x1000n, PAGE | S2_READ_WRITE), driver.reset(), driver.assignBank(0, pa(ROOTS[0]), 5), driver.bindStream(0, 0));
    expect(ranges(run.reach(run.execute(state, unmapped(0))), 0)).toEqual([]);
  });
  it("an enabled bank is walked whether a stream uses it or not", () => {
    const { run, driver, state } = three();
    const unbound = run.executeAll(state, [...driver.unbindStream(0), unmapped(0)]);
    expect(ranges(run.reach(unbound), 0)).toEqual([]);
    expect(run.reach(unbound).tables.filter(({ bank }) => bank === 0).map(({ sid }) => sid)).toEqual([-1, -1, -1, -1]);
    expect(ranges(run.reach(run.executeAll(unbound, driver.bindStream(0, 0))), 0)).toEqual([`${FIRST} cached`]);
  });
  it("a bank that is off is not walked, and what is kept of it is not used", () => {
    const { run, driver, state } = three();
    const off = run.execute(state, register("SCTLR", 0, 0x66n));
    expect(run.reach(off).tables.some(({ bank }) => bank === 0)).toBe(false);
    expect(ranges(run.reach(off), 0)).toEqual(["0x0 -> 0x0 0x1000000000000 rw"]);
    const mappedWhileOff = run.executeAll(off, [unmapped(0), ...driver.invalidateBank(0, 5), store(entryOf(0), PAGE | S2_READ_WRITE), unmapped(0), register("SCTLR", 0, 0x67n)]);
    expect(ranges(run.reach(mappedWhileOff), 0)).toEqual([]);
  });
  it("a kept table descriptor leads to whatever its table says now", () => {
    const { run, state, leaf } = three();
    const table = ROOTS[0] + 0x3000n;
    const cut = run.executeAll(state, [store(ROOTS[0] + 0x2000n, 0n), store(table + 16n, 0x9999_9000n | leaf)]);
    expect(ranges(run.coldReach(cut), 0)).toEqual([]);
    expect(ranges(run.reach(cut), 0)).toEqual([`${FIRST} cached`, "0x2000 -> 0x99999000 0x1000 rw cached"]);
    expect(run.reach(cut).tables.map(({ pa: at }) => at)).toContain(table);
  });
  it("sixteen neighbours marked contiguous may be kept as one", () => {
    const { run, state, leaf } = three();
    const marked = run.execute(state, store(entryOf(0), PAGE | leaf | (1n << 52n)));
    expect(ranges(run.reach(marked), 0)).toContain("0x0 -> 0x90000000 0x10000 rw cached");
  });
  it("banks that share a tag keep what either can fetch below the other's table descriptors", () => {
    const { run, driver, state, leaf } = three();
    // Banks 0 and 1 on VMID 0, bank 0 blind to access flags; a table with such a block is hung into bank 1's root last.
    const shared = run.executeAll(state, [register("SCTLR", 0, 0x6fn), register("CBAR", 1, 0n), unmapped(1), ...driver.invalidateBank(0, 5), ...driver.invalidateBank(1, 5)]);
    const page = run.executeAll(shared, [store(0x8030_0000n, 0x4000_0000n | (leaf & ~0x402n)), store(ROOTS[1] + 8n, 0x8030_0003n)]);
    expect(ranges(run.reach(page), 1)).toContain("0x8000000000 -> 0x40000000 0x40000000 rw cached");
    expect(ranges(run.coldReach(page), 1)).toEqual([]);
  });
  it("a descriptor that faults is not", () => {
    const { run, state, leaf } = three();
    const faulting = run.executeAll(state, [unmapped(0), ...globalInvalidation("TLBIALLNSNH", 0n), store(entryOf(0), PAGE | (leaf & ~0x400n)), unmapped(0)]);
    expect(ranges(run.reach(faulting), 0)).toEqual([]);
  });
});

const globalInvalidation = (name: "TLBIALLNSNH" | "TLBIALLH" | "TLBIVMID" | "TLBIVMIDS1", argument: bigint): Step[] => [register(name, 0, argument), ...globalSync];
const inBank = (name: Parameters<typeof register>[0], bank: number, argument: bigint): Step[] => [register(name, bank, argument), ...bankSync(bank)];

describe("stage-2 entries, one stale page in each of three banks", () => {
  const stale = three();
  const { run } = stale;
  const before = run.executeAll(stale.state, [0, 1, 2].map(unmapped));
  it.each([
    ["TLBIALLNSNH", globalInvalidation("TLBIALLNSNH", 0n), []],
    ["TLBIALLH, which is about other entries", globalInvalidation("TLBIALLH", 0n), [0, 1, 2]],
    ["TLBIVMID of bank 1", globalInvalidation("TLBIVMID", 1n), [0, 2]],
    ["TLBIVMID, whose upper half is reserved", globalInvalidation("TLBIVMID", 0x101n), [0, 2]],
    ["TLBIVMIDS1", globalInvalidation("TLBIVMIDS1", 1n), [0, 1, 2]],
    ["TLBIIPAS2 of the page", inBank("TLBIIPAS2", 1, 1n), [0, 2]],
    ["TLBIIPAS2L of the page", inBank("TLBIIPAS2L", 1, 1n), [0, 2]],
    ["TLBIIPAS2 of another page", inBank("TLBIIPAS2", 1, 2n), [0, 1, 2]],
    ["TLBIASID in a stage-2 bank, where it does not exist", inBank("TLBIASID", 1, 6n), [0, 1, 2]],
    ["TLBIALL in a stage-2 bank", inBank("TLBIALL", 1, 0n), [0, 1, 2]],
  ])("%s", (_, steps, left) => {
    expect(kept(run, run.executeAll(before, steps))).toEqual(left);
  });
  it("a stage-1 operation in a stage-2 bank does nothing to a stage-1 bank of the same VMID, nor the other way round", () => {
    const mixed = run.executeAll(before, [register("CBAR", 0, 0x1_f301n), register("TCR", 0, 0x80_3510n), register("TCR2", 0, 0x3_8015n), store(entryOf(0), 0x9111_1000n | S1_USER_READ_WRITE), unmapped(0)]);
    expect(ranges(run.reach(mixed), 0)).toEqual(["0x1000 -> 0x91111000 0x1000 rw cached"]);
    expect(kept(run, run.executeAll(mixed, inBank("TLBIALL", 1, 0n)))).toEqual([0, 1, 2]);
    expect(kept(run, run.executeAll(mixed, inBank("TLBIIPAS2", 0, 1n)))).toEqual([0, 1, 2]);
    expect(kept(run, run.executeAll(mixed, inBank("TLBIALL", 0, 0n)))).toEqual([1, 2]);
    expect(kept(run, run.executeAll(mixed, globalInvalidation("TLBIVMIDS1", 1n)))).toEqual([1, 2]);
  });
  it("TLBIIPAS2 takes the table descriptors above the page, TLBIIPAS2L leaves them", () => {
    const cut = run.execute(stale.state, store(ROOTS[1] + 0x2000n, 0n));
    expect(kept(run, run.executeAll(cut, inBank("TLBIIPAS2L", 1, 1n)))).toEqual([0, 1, 2]);
    expect(kept(run, run.executeAll(cut, inBank("TLBIIPAS2", 1, 1n)))).toEqual([0, 2]);
  });
});

describe("stage-1 entries; banks 0 and 2 share an ASID", () => {
  const stale = three("el1", [5, 6, 5]);
  const { run } = stale;
  const before = run.executeAll(stale.state, [0, 1, 2].map(unmapped));
  const va = (asid: bigint, page: bigint): bigint => (asid << 48n) | page;
  it.each([
    ["TLBIASID", inBank("TLBIASID", 0, 5n), [1]],
    ["TLBIASID of another", inBank("TLBIASID", 0, 9n), [0, 1, 2]],
    ["TLBIALL: all of VMID 0", inBank("TLBIALL", 0, 0n), []],
    ["TLBIVA", inBank("TLBIVA", 0, va(6n, 1n)), [0, 2]],
    ["TLBIVA of another page", inBank("TLBIVA", 0, va(6n, 2n)), [0, 1, 2]],
    ["TLBIVAL", inBank("TLBIVAL", 0, va(5n, 1n)), [1]],
    ["TLBIVAA", inBank("TLBIVAA", 0, va(5n, 1n)), []],
    ["TLBIVAAL", inBank("TLBIVAAL", 0, va(0n, 1n)), []],
    ["TLBIIPAS2 in a stage-1 bank", inBank("TLBIIPAS2", 0, 1n), [0, 1, 2]],
    ["TLBIVMIDS1", globalInvalidation("TLBIVMIDS1", 0n), []],
    ["TLBIVMID", globalInvalidation("TLBIVMID", 0n), []],
    ["TLBIVMID of a bank's number, which is no VMID here", globalInvalidation("TLBIVMID", 1n), [0, 1, 2]],
  ])("%s", (_, steps, left) => {
    expect(kept(run, run.executeAll(before, steps))).toEqual(left);
  });
  it("banks of one ASID and VMID use each other's entries", () => {
    expect(ranges(run.reach(stale.state), 0)).toEqual([FIRST, "0x1000 -> 0x90020000 0x1000 rw cached"]);
    expect(ranges(run.coldReach(stale.state), 0)).toEqual([FIRST]);
  });
  it("a global page is kept for every ASID; an invalidation by ASID leaves it, one by address takes it", () => {
    const { state } = stale;
    const global = run.executeAll(state, [store(entryOf(1), 0x9777_7000n | (S1_USER_READ_WRITE & ~0x800n)), unmapped(0), unmapped(1), unmapped(2)]);
    const seen = "0x1000 -> 0x97777000 0x1000 rw cached";
    for (const bank of [0, 1, 2]) expect(ranges(run.reach(global), bank)).toContain(seen);
    expect(ranges(run.reach(run.executeAll(global, inBank("TLBIASID", 1, 6n))), 1)).toEqual([seen]);
    expect(ranges(run.reach(run.executeAll(global, inBank("TLBIVA", 1, va(9n, 1n)))), 1)).toEqual(["0x1000 -> 0x90010000 0x1000 rw cached"]);
  });
  it("8-bit ASIDs have no upper half", () => {
    const narrow = run.execute(stale.state, register("TCR2", 1, 0x3_8005n));
    expect(ranges(run.reach(run.executeAll(narrow, [unmapped(1), ...inBank("TLBIASID", 1, 0x206n)])), 1)).toEqual([]);
    expect(ranges(run.reach(run.executeAll(stale.state, [unmapped(1), ...inBank("TLBIASID", 1, 0x206n)])), 1)).toEqual(["0x1000 -> 0x90010000 0x1000 rw cached"]);
  });
});

describe("when an invalidation has taken effect", () => {
  const { run, state } = three();
  const stale = run.executeAll(state, [unmapped(0), unmapped(1)]);
  const status = (at: State, name: "TLBGSTATUS" | "TLBSTATUS", bank = 0): bigint => run.readRegister(at, 0, (register(name, bank, 0n) as { offset: number }).offset, 4);
  it("not before a SYNC was asked for and waited for", () => {
    const asked = run.execute(stale, register("TLBIVMID", 0, 1n));
    expect(kept(run, asked)).toEqual([0, 1, 2]);
    expect(kept(run, run.execute(asked, wait))).toEqual([0, 1, 2]);
    const syncing = run.execute(asked, register("TLBGSYNC", 0, 0n));
    expect(kept(run, syncing)).toEqual([0, 1, 2]);
    expect(status(syncing, "TLBGSTATUS")).toBe(1n);
    const done = run.execute(syncing, wait);
    expect(kept(run, done)).toEqual([0, 2]);
    expect(status(done, "TLBGSTATUS")).toBe(0n);
  });
  it("a bank's SYNC covers what was asked in that bank, the global one all", () => {
    const asked = run.executeAll(stale, [register("TLBIIPAS2", 0, 1n), register("TLBIIPAS2", 1, 1n), register("TLBSYNC", 1, 0n)]);
    expect([status(asked, "TLBSTATUS", 0), status(asked, "TLBSTATUS", 1)]).toEqual([0n, 1n]);
    const one = run.execute(asked, wait);
    expect(kept(run, one)).toEqual([0, 2]);
    expect(kept(run, run.executeAll(one, globalSync))).toEqual([2]);
    expect(kept(run, run.executeAll(stale, [register("TLBIVMID", 0, 0n), ...bankSync(0)]))).toEqual([0, 1, 2]);
  });
  it("what could be fetched again after the asking is still there", () => {
    const again = run.executeAll(state, [register("TLBIVMID", 0, 0n), unmapped(0), ...globalSync]);
    expect(kept(run, again)).toEqual([0, 1, 2]);
    const inOrder = run.executeAll(state, [unmapped(0), register("TLBIVMID", 0, 0n), ...globalSync]);
    expect(kept(run, inOrder)).toEqual([1, 2]);
  });
  it("a table descriptor whose own invalidation is late refetches a page whose invalidation was early", () => {
    // The table is cut off, the page below it left in place; the page's invalidation may take effect before the table's.
    const cut = run.execute(state, store(ROOTS[0] + 0x2000n, 0n));
    const page = register("TLBIIPAS2L", 0, 1n);
    const table = register("TLBIIPAS2", 0, 2n);
    expect(kept(run, run.executeAll(cut, [table, page, ...bankSync(0)]))).toEqual([0, 1, 2]);
    expect(kept(run, run.executeAll(cut, [table, ...bankSync(0), page, ...bankSync(0)]))).toEqual([1, 2]);
  });
  it("asking twice is as asking the second time", () => {
    const twice = run.executeAll(stale, [register("TLBIVMID", 0, 0n), register("TLBIVMID", 0, 0n)]);
    expect(twice).toBe(run.execute(stale, register("TLBIVMID", 0, 0n)));
    const between = run.executeAll(state, [register("TLBIVMID", 0, 0n), unmapped(0), register("TLBIVMID", 0, 0n), ...globalSync]);
    expect(kept(run, between)).toEqual([1, 2]);
  });
});

describe("removes, for a single entry", () => {
  const via = { what: "", addr: 0n, value: 0n };
  const leaf: Kept = { kind: "leaf", tag: { stage: 1, vmid: 3, asid: 4 }, global: false, level: 2, input: 0x20_0000n, size: 0x20_0000n, output: 0n, rights: 3, via };
  const table: Kept = { kind: "table", tag: { stage: 1, vmid: 3, asid: 4 }, level: 1, input: 0n, next: 0n, limits: 0n, via };
  it.each<[Invalidation, boolean, boolean]>([
    [{}, true, true],
    [{ stage: 2 }, false, false],
    [{ vmid: 2 }, false, false],
    [{ asid: 4, globals: false }, true, true],
    [{ asid: 5, globals: true }, false, false],
    [{ address: 0x3f_f000n }, true, true],
    [{ address: 0x40_0000n }, false, true],
    [{ address: 0x4000_0000n }, false, false],
    [{ address: 0x20_0000n, lastLevel: true }, true, false],
  ])("%o", (invalidation, ofLeaf, ofTable) => {
    expect([removes(invalidation, leaf), removes(invalidation, table)]).toEqual([ofLeaf, ofTable]);
  });
});
