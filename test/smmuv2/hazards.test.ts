/** What seL4's driver lets devices do that it should not, each as a short run of the driver's own steps. */
import { describe, expect, it } from "vitest";
import { pa } from "../../src/base/words.ts";
import { access, ask, build, classes, mapPage, ranges, register, S2_READ_WRITE, store } from "./fixture.ts";

const ROOT = 0x8000_0000n;
const OTHER_ROOT = 0x8010_0000n;
const PAGE = 0x9000_0000n;
const LEAF_ENTRY = ROOT + 0x3000n + 8n;
const tables = [...mapPage(ROOT, 0, ROOT + 0x1000n, 0x1000n, PAGE | S2_READ_WRITE), ...mapPage(OTHER_ROOT, 0, OTHER_ROOT + 0x1000n, 0x1000n, 0xa000_0000n | S2_READ_WRITE)];
const EVERYTHING_32 = "0x0 -> 0x0 0x10000000000 rw";
const EVERYTHING_64 = "0x0 -> 0x0 0x1000000000000 rw";
const REACHED = "0x1000 -> 0x90000000 0x1000 rw";

describe("streams that nobody bound", () => {
  it("matched: no entry is for them, and they fault", () => {
    const { run, driver, go } = build();
    const state = go(tables, driver.reset(), driver.assignBank(0, pa(ROOT), 5));
    expect(ranges(run.reach(state), 6)).toEqual([]);
    expect(ask(run, state, 6, 0x1000n)).toBe("abort USF");
  });
  it("indexed: from the reset on they go to bank 0, which is off, so they pass untranslated", () => {
    const { run, driver, go } = build({ matching: false });
    const state = go(driver.reset());
    expect(classes(run.reach(state), 6)).toEqual(["bypass"]);
    expect(ranges(run.reach(state), 6)).toEqual([EVERYTHING_32]);
    expect(ask(run, state, 6, 0x4000_0000n, { op: "write" })).toBe("pa 0x40000000");
  });
  it("indexed: once bank 0 has a VSpace, they reach what it maps", () => {
    const { run, driver, go } = build({ matching: false });
    const state = go(tables, driver.reset(), driver.assignBank(0, pa(ROOT), 5), driver.bindStream(1, 0));
    expect(ranges(run.reach(state), 6)).toEqual([REACHED]);
    expect(ranges(run.reach(run.executeAll(state, [...driver.bindStream(6, 0), ...driver.unbindStream(6)])), 6)).toEqual([]);
  });
});

describe("a bank that is disabled while a stream is bound", () => {
  it.each(["hyp44", "el1"] as const)("%s: the stream passes untranslated", (vspaces) => {
    const { run, driver, go } = build({}, { vspaces });
    const bound = go(driver.reset(), driver.assignBank(2, pa(ROOT), 5), driver.bindStream(1, 2));
    expect(ranges(run.reach(bound), 1)).toEqual([]);
    const disabled = run.executeAll(bound, driver.disableBank(2, 5));
    expect(ranges(run.reach(disabled), 1)).toEqual([EVERYTHING_64]);
    expect(ask(run, disabled, 1, 0x4000_0000n, { op: "write" })).toBe("pa 0x40000000");
    expect(ranges(run.reach(run.executeAll(disabled, driver.unbindStream(1))), 1)).toEqual([]);
  });
});

describe("TLB invalidation", () => {
  const { run, driver, go } = build();
  const mapped = go(tables, driver.reset(), driver.assignBank(2, pa(ROOT), 5), driver.bindStream(1, 2));
  const unmapped = run.execute(mapped, store(LEAF_ENTRY, 0n));
  it("none: the page stays reachable", () => {
    expect(ranges(run.reach(unmapped), 1)).toEqual([`${REACHED} cached`]);
  });
  it("by address and by bank: it is gone", () => {
    expect(ranges(run.reach(run.executeAll(unmapped, driver.invalidateAddress(2, 5, 0x1000n))), 1)).toEqual([]);
    expect(ranges(run.reach(run.executeAll(unmapped, driver.invalidateBank(2, 5))), 1)).toEqual([]);
  });
  it("of everything, for a hypervisor, takes nothing away", () => {
    expect(ranges(run.reach(run.executeAll(unmapped, driver.invalidateAll())), 1)).toEqual([`${REACHED} cached`]);
  });
  it("of everything, at EL1, does", () => {
    const el1 = build({}, { vspaces: "el1" });
    const leaf = 0x0060_0000_0000_0c43n;
    const state = el1.go(mapPage(ROOT, 0, ROOT + 0x1000n, 0x1000n, PAGE | leaf), el1.driver.reset(), el1.driver.assignBank(2, pa(ROOT), 5), el1.driver.bindStream(1, 2), [store(LEAF_ENTRY, 0n)]);
    expect(ranges(el1.run.reach(state), 1)).toEqual([`${REACHED} cached`]);
    expect(ranges(el1.run.reach(el1.run.executeAll(state, el1.driver.invalidateAll())), 1)).toEqual([]);
  });
  it("whose wait gives up is none", () => {
    const hasty = build({}, { syncGivesUp: true });
    const state = hasty.go(tables, hasty.driver.reset(), hasty.driver.assignBank(2, pa(ROOT), 5), hasty.driver.bindStream(1, 2), [store(LEAF_ENTRY, 0n)], hasty.driver.invalidateBank(2, 5));
    expect(ranges(hasty.run.reach(state), 1)).toEqual([`${REACHED} cached`]);
  });
});

describe("an SMMU with 16-bit VMIDs", () => {
  const shared = build({ vmid16: true });
  const { run, driver } = shared;
  const state = shared.go(tables, driver.reset(), driver.assignBank(1, pa(ROOT), 5), driver.bindStream(1, 1), driver.assignBank(2, pa(OTHER_ROOT), 6), driver.bindStream(2, 2));
  it("has every bank on VMID 0, so one VSpace's translations serve another's streams", () => {
    expect(ranges(run.coldReach(state), 2)).toEqual(["0x1000 -> 0xa0000000 0x1000 rw"]);
    expect(ranges(run.reach(state), 2)).toEqual([`${REACHED} cached`, "0x1000 -> 0xa0000000 0x1000 rw"]);
  });
  it("and an invalidation by bank, which names the bank's number, takes nothing away", () => {
    const stale = run.executeAll(state, [store(LEAF_ENTRY, 0n), ...driver.invalidateBank(1, 5)]);
    expect(ranges(run.reach(stale), 1)).toContain(`${REACHED} cached`);
  });
  it("with CR0.VMID16EN set, neither happens", () => {
    const enabled = shared.go(tables, driver.reset(), [register("CR0", 0, 0x8020_2c36n)], driver.assignBank(1, pa(ROOT), 5), driver.bindStream(1, 1), driver.assignBank(2, pa(OTHER_ROOT), 6), driver.bindStream(2, 2));
    expect(ranges(run.reach(enabled), 2)).toEqual(["0x1000 -> 0xa0000000 0x1000 rw"]);
    expect(ranges(run.reach(run.executeAll(enabled, [store(LEAF_ENTRY, 0n), ...driver.invalidateBank(1, 5)])), 1)).toEqual([]);
  });
});

describe("other limits", () => {
  it("a stream whose number is beyond the groups cannot be bound, and faults", () => {
    const { run, driver, go } = build({ streamBits: 5 });
    const state = go(tables, driver.reset(), driver.assignBank(0, pa(ROOT), 5), driver.bindStream(9, 0));
    expect(ask(run, state, 9, 0x1000n)).toBe("abort USF");
  });
  it("one device's fault stops every stream of its bank until software clears it", () => {
    const { run, driver, go } = build();
    const state = go(tables, driver.reset(), driver.assignBank(0, pa(ROOT), 5), driver.bindStream(1, 0), driver.bindStream(2, 0));
    const { after } = run.transact(state, 0, access(1, 0xdead_0000n));
    expect(ask(run, after, 2, 0x1000n)).toBe("abort unrecorded");
    expect(ask(run, run.executeAll(after, driver.clearBankFault(0)), 2, 0x1000n)).toBe("pa 0x90000000");
  });
  it("before the end of the reset everything passes", () => {
    const { run, driver, go } = build();
    expect(ranges(run.reach(go(driver.reset().slice(0, -1))), 1)).toEqual([EVERYTHING_64]);
    expect(ranges(run.reach(go(driver.reset())), 1)).toEqual([]);
  });
  it("no step in between lets a stream pass when a bank is assigned first, bound, unbound, and then disabled", () => {
    const { run, driver, go } = build();
    let state = go(tables, driver.reset());
    const steps = [...driver.assignBank(2, pa(ROOT), 5), ...driver.bindStream(1, 2), store(LEAF_ENTRY, 0n), ...driver.invalidateAddress(2, 5, 0x1000n), ...driver.unbindStream(1), ...driver.disableBank(2, 5)];
    for (const step of steps) {
      state = run.execute(state, step);
      expect(classes(run.reach(state), 1)).not.toContain("bypass");
    }
  });
});
