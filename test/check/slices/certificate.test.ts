/** The certificate of slices: what it takes offence at, and that nothing but it is needed to choose the groups. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { placesOf, type Shape, below } from "../../../src/base/state.ts";
import type { Step } from "../../../src/base/step.ts";
import { pa } from "../../../src/base/words.ts";
import { CommandCfgi, CommandTlbi, opcodes } from "../../../specs/smmuv3/command.ts";
import { type Exploration, breadthFirst } from "../../../src/check/search/breadth.ts";
import { bootAt } from "../../../src/check/check.ts";
import { createModel, type Model } from "../../../src/check/model.ts";
import { type Fact, Questions } from "../../../src/check/outcomes/facts.ts";
import { properties } from "../../../src/check/properties/properties.ts";
import { startOf } from "../../../src/check/slices/certificate.ts";
import type { Evidence } from "../../../src/check/slices/evidence.ts";
import { exploreSlices } from "../../../src/check/slices/exploreSlices.ts";
import { type Footprint, footprintOf, meeting } from "../../../src/check/slices/footprint.ts";
import { groupsOf, slicesOf } from "../../../src/check/slices/groups.ts";
import { disturbance } from "../../../src/check/slices/tables.ts";
import { stage2Ste, tableDescriptor } from "../../../src/kernel/driver.ts";
import { cofferdam, mutantOf } from "../../../src/kernel/profile.ts";
import type { Layout } from "../../../src/system/layout.ts";
import { layoutOf } from "../../kernel/fixture.ts";

const scope = { pages: 1, slots: 0, children: 0, addresses: 0 };
const modelOf = (booted: Model["booted"]): Model => createModel(booted, properties);

describe("the machine's part", () => {
  const booted = bootAt(layoutOf("three-drivers"), cofferdam, { scope });
  const { plan } = booted;
  const start = startOf(modelOf(booted));
  const [one, other] = [plan.sids[0]!.sid, plan.sids[1]!.sid];
  const steAt = (sid: number, word: number) => pa(plan.smmus[0]!.streamTable + BigInt(64 * sid + 8 * word));
  const store = (addr: bigint, value: bigint): Step => ({ kind: "store", addr: pa(addr), value, what: "a word" });
  const command = (words: readonly bigint[]): Step => ({ kind: "command", smmu: 0, words: [words[0]!, words[1]!], what: "a command" });
  const sync: Step = { kind: "sync", smmu: 0 };
  const cfgi = (sid: number) => command(CommandCfgi.encode({ Op: BigInt(opcodes.CFGI_STE.code), SID: BigInt(sid), Leaf: 1n }));
  const tlbi = (name: keyof typeof opcodes, vmid: number) => command(CommandTlbi.encode({ Op: BigInt(opcodes[name].code), VMID: BigInt(vmid) }));
  const entry = (sid: number, root: bigint, vmid: number): Step[] => [...stage2Ste(pa(root), vmid).slice(0, 4).entries()].map(([word, value]) => store(steAt(sid, word), value));
  const of = (sid: number, ...steps: Step[]) => footprintOf(start, plan, [sid], [steps]);
  const clear = (sid: number, ...steps: Step[]): Footprint => {
    const found = of(sid, ...steps);
    if (typeof found === "string") throw new Error(found);
    return found;
  };

  it.each<[string, Step[], RegExp]>([
    ["a register", [{ kind: "register", smmu: 0, offset: 0x20, value: 0n, size: 4 }], /register/],
    ["a command that is not waited for", [cfgi(one)], /on its way/],
    ["a SYNC before the last command", [sync, cfgi(one)], /on its way/],
    ["another's stream table entry", [store(steAt(other, 0), 0n)], /entry of another/],
    ["the stream table filled", [{ kind: "fill", addr: steAt(0, 0), size: 4096n, pattern: [0n], what: "all" }], /entry of another/],
    ["memory filled with something", [{ kind: "fill", addr: pa(0x1000n), size: 4096n, pattern: [3n], what: "all" }], /filled/],
    ["another's stream invalidated", [cfgi(other), sync], /another's stream/],
    ["everything invalidated", [tlbi("TLBI_NSNH_ALL", 0), sync], /more than one/],
    ["an unknown command", [command([0xffn, 0n]), sync], /stops the queue/],
    ["a stream that bypasses", [store(steAt(one, 0), 0b1001n)], /bypass/],
  ])("%s is no slice's", (_, steps, why) => {
    expect(of(0, ...steps)).toMatch(why);
  });

  it("follows whatever may be a table, from every mixture of an entry's words on", () => {
    const { pages, vmids } = clear(0, ...entry(one, 0x5000_0000n, 7), ...entry(one, 0x5100_0000n, 8), store(0x5000_0008n, tableDescriptor(pa(0x5200_0000n))), store(0x5200_0010n, tableDescriptor(pa(0x5300_0000n))), store(0x5400_0000n, tableDescriptor(pa(0x5500_0000n))));
    expect([0x50000n, 0x51000n, 0x52000n, 0x53000n].every((page) => pages.has(page))).toBe(true);
    // No entry and no table leads there.
    expect(pages.has(0x54000n) || pages.has(0x55000n)).toBe(false);
    expect(new Set(vmids.map(({ vmid }) => vmid))).toEqual(new Set([7, 8]));
  });

  const mine = clear(0, ...entry(one, 0x5000_0000n, 7), cfgi(one), sync);
  it.each<[string, Step[], RegExp | undefined]>([
    ["nothing in common", [...entry(other, 0x1_0000_0000n, 9), cfgi(other), tlbi("TLBI_S12_VMALL", 9), sync], undefined],
    ["an invalidation by the other's VMID", [tlbi("TLBI_S2_IPA", 7), sync], /VMID/],
    ["a stream of the other's VMID", [...entry(other, 0x1_0000_0000n, 7)], /VMID/],
    ["a store into the other's table", [store(0x5000_0ff8n, 0n)], /may walk/],
    ["the other's table cleared", [{ kind: "fill", addr: pa(0x4fff_f000n), size: 8192n, pattern: [0n], what: "two pages" }], /may walk/],
  ])("two slices with %s", (_, steps, why) => {
    const theirs = clear(1, ...steps);
    for (const found of [meeting(mine, theirs, start), meeting(theirs, mine, start)]) {
      if (why === undefined) expect(found).toBeUndefined();
      else expect(found).toMatch(why);
    }
  });
});

describe("the tables' part", () => {
  const shape = { first: { rows: 4, fields: { kind: below(4), object: below(8) } }, machine: { rows: 1, fields: { id: below(2 ** 31) } } } as const satisfies Shape;
  const { tables, words } = placesOf(shape);
  const questions = new Questions();
  const place = tables[0]!;
  const any = questions.any(place, { kind: 1, object: 3 }) as Fact;
  const except = questions.any(place, { kind: 1, object: 3 }, 2) as Fact;
  const having = questions.having(place, { kind: 2 }) as Fact;
  const field: Fact = { is: "field", word: 0, shift: 0, mask: 3 };
  const row = (kind: number, object: number, at: number): number => (kind | (object << 2)) << (at * place.rowBits);
  const evidence = (asked: readonly Fact[], written: number, values: readonly number[]): Evidence => {
    const initial = new Uint32Array(words);
    const changed = new Uint32Array(words);
    for (const value of values) changed[0]! |= value;
    return { asked: new Set(asked), written: Uint32Array.from({ length: words }, (_, word) => (word === 0 ? written : 0)), initial, changed, values: () => new Set([0, ...values]), given: [] };
  };
  const machine = tables[1]!.base;
  const disturbed = (asked: readonly Fact[], written: number, values: readonly number[]) => disturbance(evidence(asked, written, []), evidence([], 0, values), tables, machine) !== undefined;

  it.each<[string, Fact, readonly number[], boolean]>([
    ["a field of another row", field, [row(1, 3, 1)], false],
    ["the field", field, [row(1, 0, 0)], true],
    ["another field of the row", field, [row(0, 5, 0)], false],
    ["a row that meets the question in some state", any, [row(1, 2, 3), row(1, 3, 3)], true],
    ["a row that never meets it", any, [row(1, 2, 3), row(2, 3, 3)], false],
    ["the row that the question leaves out", except, [row(1, 3, 2)], false],
    ["another row than it leaves out", except, [row(1, 3, 1)], true],
    ["which rows meet it", having, [row(2, 0, 1)], true],
    ["what else such rows would say", having, [row(1, 7, 1)], false],
  ])("%s", (_, fact, values, expected) => {
    expect(disturbed([fact], 0, values)).toBe(expected);
  });
  it("a write of what another changes", () => {
    expect(disturbed([], row(3, 0, 1), [row(1, 0, 1)])).toBe(true);
    expect(disturbed([], row(3, 0, 1), [row(0, 1, 1), row(1, 0, 2)])).toBe(false);
  });
});

/** Three drivers, each of which may hold what is another's. */
const holdings = fc.array(fc.constantFrom("sid", "cb", "vspace", "ring"), { maxLength: 2 });
const drivers = fc.array(fc.record({ ring: fc.boolean(), heap: fc.boolean(), of: holdings, trusted: fc.boolean() }), { minLength: 3, maxLength: 3 });
type Drivers = typeof drivers extends fc.Arbitrary<infer T> ? T : never;
const specOf = (all: Drivers): string => {
  const names = ["a", "b", "c"];
  const regions = all.flatMap(({ heap }, at) => [`  ring-${names[at]}: { size: 4KiB, owner: ${names[at]} }`, ...(heap ? [`  heap-${names[at]}: { size: 4KiB, owner: ${names[at]}, kind: untyped }`] : [])]);
  const held = ({ ring, heap, of }: Drivers[number], at: number): string => {
    const next = names[(at + 1) % 3]!;
    const theirs = { sid: `{ sid: ${next}.card }`, cb: `{ cb: ${next} }`, vspace: `{ vspace: ${next} }`, ring: `ring-${next}` } as const;
    return [...(ring ? [`ring-${names[at]}`] : []), ...(heap ? [`heap-${names[at]}`] : []), ...new Set(of.map((what) => theirs[what]))].join(", ");
  };
  // One at most is trusted, so that two can act.
  const components = all.map((driver, at) => `  ${names[at]}:\n    kind: driver\n    trusted: ${at === 2 && driver.trusted}\n    devices: { card: { pci: "00:0${at + 2}.0" } }\n    holds: [${held(driver, at)}]`);
  return `system: random\nboard: ../qemu-virt/board.dtb\nregions:\n${regions.join("\n")}\ncomponents:\n${components.join("\n")}\n`;
};
const planned = (spec: string): Layout | undefined => {
  try {
    return layoutOf("three-drivers", () => spec);
  } catch {
    // A spec that is refused, for a region that is held twice.
    return undefined;
  }
};

describe("random systems", () => {
  it("explored apart, however the groups are chosen, break as soon and as often as the whole, or are joined", () => {
    const met = { apart: 0, joined: 0, broken: 0 };
    const told = (found: Exploration["found"]) => found.toSorted((a, b) => a.violated - b.violated).map(({ violated, ordinals, steps }) => [violated, ordinals.length, steps]);
    fc.assert(
      fc.property(drivers, fc.boolean(), fc.constantFrom(cofferdam, mutantOf(cofferdam, "unbind-clears-ste"), mutantOf(cofferdam, "frame-delete-invalidates")), (all, guessed, profile) => {
        const layout = planned(specOf(all));
        fc.pre(layout !== undefined);
        const booted = bootAt(layout, profile, { scope });
        const alone = booted.plan.subjects.flatMap(({ trusted }, subject) => (trusted ? [] : [[subject]]));
        const groups = guessed ? groupsOf(booted) : alone;
        fc.pre(groups.length > 1);
        const bounds = { states: 1_000_000, depth: 3, seconds: 600 };
        const sliced = exploreSlices(booted, groups, modelOf, bounds);
        const whole = breadthFirst(modelOf(booted), bounds);
        if (sliced.slices === undefined) met.joined += 1;
        else {
          met.apart += 1;
          expect(told(sliced.explored.found)).toEqual(told(whole.found));
          met.broken += Number(whole.found.length > 0);
        }
      }),
      { numRuns: 30, seed: 11 },
    );
    expect(Math.min(...Object.values(met))).toBeGreaterThan(0);
  });

  it("the shipped systems get a certificate for the groups that are guessed", () => {
    for (const system of ["three-drivers", "two-vms"]) {
      const layout = layoutOf(system);
      const booted = bootAt(layout, cofferdam, { scope });
      const sliced = exploreSlices(booted, groupsOf(booted), modelOf, { states: 1_000_000, depth: 4, seconds: 600 });
      expect(sliced.joined, system).toEqual([]);
      // Each stream that somebody could change is one slice's own, and foreign to the others.
      const untrusted = layout.sids.flatMap(({ owner }, sid) => (layout.components[owner]!.trusted ? [] : [sid]));
      for (const { foreign, streams } of slicesOf(booted, groupsOf(booted))) expect([...foreign, ...streams].toSorted((a, b) => a - b)).toEqual(untrusted);
    }
  });
});
