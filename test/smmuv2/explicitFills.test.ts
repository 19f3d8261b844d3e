/**
 * The may-cache set against a TLB that really fills and evicts: walks, evictions and the moments at which invalidations take
 * effect are events in any order here. Whatever such an SMMU lets a device do, the set must allow. The hardware below is
 * written apart from src/smmuv2, by the bits of the registers; it shares nothing with it but the memory it reads.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { RegisterWrite, Step } from "../../src/base/step.ts";
import { pa } from "../../src/base/words.ts";
import type { VspaceKind } from "../../src/kernel/smmuv2Driver.ts";
import type { Reach } from "../../src/smmuv2/reach.ts";
import type { Image } from "../../src/smmuv3/image.ts";
import { build, register, store, wait } from "./fixture.ts";

const STREAMS = [1, 2];
const BANKS = [0, 1];
const ROOTS = [0x8000_0000n, 0x8000_2000n];
const LEVEL_2 = [0x8001_0000n, 0x8001_1000n];
const LEVEL_3 = [0x8002_0000n, 0x8002_1000n];
const ADDRESSES = [0n, 0x1000n, 0x20_0000n, 0x20_1000n, 0x4000_0000n];

// The hardware.

interface Entry {
  stage: number;
  vmid: bigint;
  /** -1: none, or any. */
  asid: bigint;
  level: number;
  input: bigint;
  /** Where a table lies, or what a leaf gives and allows. */
  table?: bigint;
  leaf?: { output: bigint; write: boolean };
}
interface Invalidation {
  /** -1: the global space. */
  bank: number;
  goes: (entry: Entry) => boolean;
}
interface Hardware {
  values: Map<number, bigint>;
  tlb: Entry[];
  queue: Invalidation[];
  /** Invalidations that a SYNC was asked for. */
  syncing: Invalidation[];
}
const BANK_0 = 0x40_0000;
const span = (level: number): bigint => 1n << BigInt(39 - 9 * level);
const bankValue = ({ values }: Hardware, bank: number, at: number): bigint => values.get(BANK_0 + bank * 0x1_0000 + at) ?? 0n;
const attributes = ({ values }: Hardware, bank: number): bigint => values.get(0x1_0000 + bank * 4) ?? 0n;
const enabled = (hardware: Hardware, bank: number): boolean => (bankValue(hardware, bank, 0) & 1n) === 1n;
const context = (hardware: Hardware, bank: number) => {
  const stage = ((attributes(hardware, bank) >> 16n) & 3n) === 0n ? 2 : 1;
  const ttbr = bankValue(hardware, bank, 0x20);
  return { stage, vmid: attributes(hardware, bank) & 0xffn, asid: stage === 1 ? ttbr >> 48n : -1n, root: ttbr & 0xffff_ffff_f000n };
};
const usable = (entry: Entry, { stage, vmid, asid }: ReturnType<typeof context>): boolean => entry.stage === stage && entry.vmid === vmid && (entry.asid === -1n || entry.asid === asid);

/** One walk, from the root or from a table that the TLB knows; keeps what it meets. */
const fill = (hardware: Hardware, image: Image, bank: number, address: bigint, choose: (count: number) => number): void => {
  if (!enabled(hardware, bank)) return;
  const use = context(hardware, bank);
  const known = hardware.tlb.filter((entry) => entry.table !== undefined && usable(entry, use) && address >= entry.input && address < entry.input + span(entry.level));
  const starts = [{ level: 1, table: use.root }, ...known.map(({ level, table }) => ({ level: level + 1, table: table! }))];
  let { level, table } = starts[choose(starts.length)]!;
  for (; ; level++) {
    const value = image.read(table + 8n * ((address / span(level)) & 511n));
    if ((value & 1n) === 0n) return;
    const input = address - (address % span(level));
    const common = { stage: use.stage, vmid: use.vmid, level, input };
    if (level < 3 && (value & 2n) === 2n) {
      table = value & 0xffff_ffff_f000n;
      hardware.tlb.push({ ...common, asid: use.asid, table });
      continue;
    }
    const write = use.stage === 2 ? (value & 0x80n) !== 0n : (value & 0x80n) === 0n;
    const everyAsid = use.stage === 2 || (value & 0x800n) === 0n;
    hardware.tlb.push({ ...common, asid: everyAsid ? -1n : use.asid, leaf: { output: value & 0xffff_ffff_f000n & ~(span(level) - 1n), write } });
    return;
  }
};

const covers = (entry: Entry, address: bigint): boolean => address >= entry.input && address < entry.input + span(entry.level);
const inGlobal = (offset: number, value: bigint): Invalidation["goes"] | undefined => {
  if (offset === 0x64) return (entry) => entry.vmid === (value & 0xffn);
  if (offset === 0x68) return () => true;
  return offset === 0xb8 ? (entry) => entry.stage === 1 && entry.vmid === (value & 0xffn) : undefined;
};
const inBank = (hardware: Hardware, bank: number, at: number, value: bigint): Invalidation["goes"] | undefined => {
  const { stage, vmid } = context(hardware, bank);
  const own = (entry: Entry): boolean => entry.stage === stage && entry.vmid === vmid;
  const page = (value & ((1n << (stage === 1 ? 44n : 36n)) - 1n)) << 12n;
  const asid = value >> 48n;
  if (stage === 2) {
    if (at === 0x630) return (entry) => own(entry) && covers(entry, page);
    return at === 0x638 ? (entry) => own(entry) && covers(entry, page) && entry.leaf !== undefined : undefined;
  }
  if (at === 0x610) return (entry) => own(entry) && entry.asid === (value & 0xffffn);
  if (at === 0x618) return own;
  if (at === 0x600) return (entry) => own(entry) && covers(entry, page) && (entry.asid === -1n || entry.asid === asid);
  if (at === 0x608) return (entry) => own(entry) && covers(entry, page);
  return at === 0x620 ? (entry) => own(entry) && covers(entry, page) && entry.leaf !== undefined && (entry.asid === -1n || entry.asid === asid) : undefined;
};
const effect = (hardware: Hardware, which: Invalidation): void => {
  hardware.tlb = hardware.tlb.filter((entry) => !which.goes(entry));
  hardware.queue = hardware.queue.filter((one) => one !== which);
};
const told = (hardware: Hardware, step: Step): void => {
  if (step.kind === "sync") for (const one of hardware.syncing.splice(0)) if (hardware.queue.includes(one)) effect(hardware, one);
  if (step.kind !== "register") return;
  const bank = step.offset >= BANK_0 ? Math.floor((step.offset - BANK_0) / 0x1_0000) : -1;
  const at = bank === -1 ? step.offset : (step.offset - BANK_0) % 0x1_0000;
  const goes = bank === -1 ? inGlobal(at, step.value) : inBank(hardware, bank, at, step.value);
  if (goes !== undefined) hardware.queue.push({ bank, goes });
  else if (at === (bank === -1 ? 0x70 : 0x7f0)) hardware.syncing.push(...hardware.queue.filter((one) => bank === -1 || one.bank === bank));
  else hardware.values.set(step.offset, step.value);
};

/** Every access that some device could make right now, against what the set allows; counts those that memory has no more. */
const judge = (hardware: Hardware, reach: Reach, cold: Reach): number => {
  let stale = 0;
  for (const sid of STREAMS) {
    // The driver's groups have the numbers of the streams.
    if ((hardware.values.get(0x800 + sid * 4) ?? 0n) >> 31n === 0n) continue;
    const stream = reach.streams.find((one) => one.sid === sid)!;
    const bank = Number((hardware.values.get(0xc00 + sid * 4) ?? 0n) & 0xffn);
    if (!enabled(hardware, bank)) {
      expect(stream.configurations.map((one) => one.class)).toContain("bypass");
      continue;
    }
    for (const entry of hardware.tlb) {
      if (entry.leaf === undefined || !usable(entry, context(hardware, bank))) continue;
      const { input, level, leaf } = entry;
      const same = (one: Reach["streams"][number]["targets"][number]): boolean => one.iova === input && one.size === span(level) && one.pa === leaf.output && one.read && one.write === leaf.write;
      if (!stream.targets.some(same)) expect.fail(`stream ${sid} goes from 0x${input.toString(16)} to 0x${leaf.output.toString(16)}, which the may-cache set does not allow`);
      if (!cold.streams.find((one) => one.sid === sid)!.targets.some(same)) stale++;
    }
  }
  return stale;
};

// What happens.

type Event = { readonly kind: "steps"; readonly steps: readonly Step[] } | { readonly kind: "fill" | "evict" | "effect"; readonly a: number; readonly b: number; readonly c: number };
const one = fc.constantFrom<number[]>(0, 1);
const descriptors = (vspaces: VspaceKind) => {
  const attributesOf = vspaces === "el1" ? [0x401n | 0x840n, 0x401n | 0x8c0n, 0x401n | 0x40n] : [0x4fdn & ~2n, 0x47dn & ~2n, 0x4fdn & ~2n];
  const leafAt = (type: bigint) => fc.tuple(fc.nat({ max: 2 }), fc.nat({ max: 2 })).map(([page, rights]) => (0x4000_0000n * BigInt(page + 1)) | attributesOf[rights]! | type);
  const entryOf = (table: bigint) => fc.constantFrom(...ADDRESSES).map((address) => (level: number) => table + 8n * ((address / span(level)) & 511n));
  const put = (tables: readonly bigint[], level: number, below: readonly bigint[]) =>
    fc.tuple(fc.constantFrom(...tables).chain(entryOf), fc.oneof(fc.constant(0n), leafAt(level === 3 ? 3n : 1n), ...(below.length === 0 ? [] : [fc.constantFrom(...below).map((next) => next | 3n)]))).map(([at, value]) => store(at(level), value));
  return fc.oneof(put(ROOTS, 1, LEVEL_2), put(LEVEL_2, 2, LEVEL_3), put(LEVEL_3, 3, []));
};
const page = fc.constantFrom(...ADDRESSES).map((address) => address >> 12n);
const invalidations = fc.oneof(
  fc.tuple(fc.constantFrom("TLBIVMID", "TLBIVMIDS1", "TLBIALLNSNH"), one).map(([name, vmid]): Step[] => [register(name, 0, BigInt(vmid))]),
  fc.tuple(fc.constantFrom("TLBIIPAS2", "TLBIIPAS2L", "TLBIVA", "TLBIVAL", "TLBIVAA"), one, page, one).map(([name, bank, at, asid]): Step[] => [register(name, bank, (BigInt(asid + 5) << 48n) | at)]),
  fc.tuple(fc.constantFrom("TLBIASID", "TLBIALL"), one, one).map(([name, bank, asid]): Step[] => [register(name, bank, BigInt(asid + 5))]),
);
const syncs = fc.oneof(fc.constant([register("TLBGSYNC", 0, 0n)]), one.map((bank) => [register("TLBSYNC", bank, 0n)]), fc.constant([wait]), fc.constant([register("TLBGSYNC", 0, 0n), wait]));

describe("an SMMU with an explicit TLB never goes where the may-cache set does not", () => {
  it.each(["hyp40", "el1"] as const)("%s", (vspaces) => {
    const { run, driver } = build({}, { vspaces });
    // At EL1 39 bits, so that both begin at level 1.
    const assign = (bank: number, root: number, asid: number): Step[] => [...driver.assignBank(bank, pa(ROOTS[root]!), asid + 5), ...(vspaces === "el1" ? [register("TCR", bank, 0x80_3519n)] : [])];
    const action = fc.oneof(
      { weight: 6, arbitrary: descriptors(vspaces).map((step): Step[] => [step]) },
      { weight: 4, arbitrary: invalidations },
      { weight: 4, arbitrary: syncs },
      { weight: 1, arbitrary: fc.tuple(one, one, one).map(([bank, root, asid]) => assign(bank, root, asid)) },
      { weight: 1, arbitrary: one.map((bank): readonly Step[] => driver.disableBank(bank, 5)) },
      { weight: 1, arbitrary: fc.tuple(fc.constantFrom(...STREAMS), one).map(([sid, bank]): Step[] => [...driver.bindStream(sid, bank)]) },
      { weight: 1, arbitrary: fc.tuple(one, one).map(([bank, vmid]): Step[] => [register("CBAR", bank, (vspaces === "el1" ? 0x1_f300n : 0n) | BigInt(vmid))]) },
    );
    const event: fc.Arbitrary<Event> = fc.oneof(
      { weight: 5, arbitrary: action.map((steps): Event => ({ kind: "steps", steps })) },
      { weight: 6, arbitrary: fc.record({ kind: fc.constantFrom("fill" as const, "fill" as const, "fill" as const, "evict" as const, "effect" as const), a: fc.nat({ max: 7 }), b: fc.nat({ max: 63 }), c: fc.nat({ max: 7 }) }) },
    );
    const tables = LEVEL_2.flatMap((table, n) => [store(ROOTS[n]!, table | 3n), store(table, LEVEL_3[n]! | 3n)]);
    const begin = [...tables, ...driver.reset(), ...BANKS.flatMap((bank) => assign(bank, bank, bank)), ...STREAMS.flatMap((sid) => driver.bindStream(sid, sid - 1))];
    let stale = 0;
    fc.assert(
      fc.property(fc.array(event, { minLength: 20, maxLength: 60 }), (events) => {
        let state = run.start;
        const hardware: Hardware = { values: new Map(), tlb: [], queue: [], syncing: [] };
        const execute = (step: Step): void => {
          // The hardware takes the step last: what the set allows after a step is at least what it has before its effect.
          state = run.execute(state, step);
          told(hardware, step);
        };
        for (const step of begin) execute(step);
        for (const happening of events) {
          if (happening.kind === "steps") happening.steps.forEach(execute);
          else if (happening.kind === "fill") fill(hardware, state.image, happening.a & 1, ADDRESSES[happening.b % ADDRESSES.length]!, (count) => happening.c % count);
          else if (happening.kind === "evict") hardware.tlb.splice(happening.b % Math.max(hardware.tlb.length, 1), 1);
          else if (hardware.queue.length > 0) effect(hardware, hardware.queue[happening.b % hardware.queue.length]!);
          stale += judge(hardware, run.reach(state), run.coldReach(state));
        }
      }),
      { numRuns: 600 },
    );
    // The law must not hold because nothing was ever stale: count what only the TLB still had.
    expect(stale).toBeGreaterThan(300);
  });
  it("the hardware here reads the same registers as a driver writes", () => {
    const { driver } = build();
    const offsets = driver.assignBank(1, pa(ROOTS[0]!), 5).map((step) => (step as RegisterWrite).offset);
    expect(offsets).toEqual([0x1_0804, 0x1_0004, 0x41_0030, 0x41_0020, 0x41_0000]);
  });
});
