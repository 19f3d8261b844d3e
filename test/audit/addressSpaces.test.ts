import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeSnapshot } from "../../src/audit/decode.ts";
import type { AddressRange, AddressSpace } from "../../src/audit/decoding.ts";
import { iova, streamId } from "../../src/base/words.ts";
import { settingsOf } from "../../src/smmuv3/registers.ts";
import { reader, type Snapshot } from "../../src/smmuv3/snapshot.ts";
import { translate } from "../../src/smmuv3/transaction.ts";
import { cd, imageOf, PAGE_1, PAGE_2, snapshotOf, stage1Fields, stage2Fields, ste } from "./build.ts";

const CD = 0x4600_0000n;
const ROOT = 0x4400_0000n;
const [L2, L3] = [ROOT + 0x1_0000n, ROOT + 0x2_0000n];
/** Tables of a 39-bit input at 4 KiB down to one of level 3. */
const chain: readonly (readonly [bigint, bigint])[] = [
  [ROOT, L2 | 3n],
  [L2, L3 | 3n],
];
const stage1 = (fields: object = {}) => [...ste(0, { V: 1n, Config: "s1", S1ContextPtr: CD }), ...cd(CD, { ...stage1Fields, MAIR_ATTR0: 0xffn, MAIR_ATTR1: 0x04n, MAIR_ATTR2: 0x44n, TTB0: ROOT, ...fields })];
const stage2 = (fields: object = {}) => ste(0, { ...stage2Fields, S2TTB: ROOT, ...fields });
const spacesOf = (stores: readonly (readonly [bigint, bigint])[], registers: object = {}): readonly AddressSpace[] => decodeSnapshot(snapshotOf(imageOf(stores), registers)).addressSpaces;
const brief = ({ input, size, ipa, output, privileged, unprivileged, fault }: AddressRange): string =>
  `${input}+${size}${ipa === undefined ? "" : ` ipa ${ipa}`} -> ${output ?? "nothing"} ${privileged}/${unprivileged}${fault === undefined ? "" : ` ${fault.type} ${fault.stage}`}`;
const ranges = (stores: readonly (readonly [bigint, bigint])[], registers: object = {}): string[] => spacesOf(stores, registers)[0]!.ranges.map(brief);

describe("ranges", () => {
  it("join where outputs follow on and everything else is equal", () => {
    const leaves = [0x5000_0000n | PAGE_1, 0x5000_1000n | PAGE_1, 0x5000_2000n | PAGE_1 | 0x80n, 0x6000_0000n | PAGE_1 | 0x80n].map((value, at) => [L3 + BigInt(at * 8), value] as const);
    expect(ranges([...stage1(), ...chain, ...leaves])).toEqual([
      "0x0+0x2000 -> 0x50000000 rw-/rwx",
      "0x2000+0x1000 -> 0x50002000 r-x/r-x",
      "0x3000+0x1000 -> 0x60000000 r-x/r-x",
    ]);
  });

  it("of blocks have the block's level and size", () => {
    const [space] = spacesOf([...stage1(), [ROOT + 8n, 0x8000_0741n], [ROOT, L2 | 3n], [L2 + 16n, 0x5020_0741n], [L2 + 24n, 0x5040_0741n]]);
    expect(space!.leaves).toBe(3);
    expect(space!.ranges).toMatchObject([
      { input: "0x400000", size: "0x400000", output: "0x50200000", stage1: { level: 2, block: "0x200000" } },
      { input: "0x40000000", size: "0x40000000", output: "0x80000000", stage1: { level: 1, block: "0x40000000" } },
    ]);
    expect(space!.reachable).toBe("0x40400000");
  });

  it("have the upper half's addresses, with its own granule", () => {
    const upper = stage1({ EPD0: 1n, EPD1: 0n, T1SZ: 25n, TG1: "16K", TTB1: ROOT });
    // 39 bits at 16 KiB begin at level 1: 8 entries of 64 GiB.
    expect(ranges([...upper, [ROOT + 56n, L2 | 3n], [L2 + 2047n * 8n, L3 | 3n], [L3 + 2047n * 8n, 0x5000_4000n | PAGE_1]])).toEqual(["0xffffffffffffc000+0x4000 -> 0x50004000 rw-/rwx"]);
  });

  it("say what memory it is, how it is shared, and what is unusual", () => {
    const leaves = [0x5000_0000n | PAGE_1 | (1n << 52n), 0x6000_0000n | 0x247n | (1n << 11n), 0x7000_0000n | 0x74bn | (1n << 51n)].map((value, at) => [L3 + BigInt(at * 8), value] as const);
    expect(spacesOf([...stage1(), ...chain, ...leaves])[0]!.ranges.map(({ stage1: attributes, fault }) => [attributes!.memory, attributes!.shareability, attributes!.flags.join(" "), fault?.type])).toEqual([
      ["Normal write-back read-write-allocate", "inner shareable", "contiguous", undefined],
      ["Device-nGnRE", "outer shareable", "nG AF=0", "F_ACCESS"],
      ["Normal non-cacheable", "inner shareable", "DBM", undefined],
    ]);
    expect(ranges([...stage1({ AFFD: 1n }), ...chain, [L3, 0x6000_0000n | 0x247n]])).toEqual(["0x0+0x1000 -> 0x60000000 rw-/rwx"]);
  });

  it("have what the tables above them leave, unless that is turned off", () => {
    const above = [
      [ROOT, L2 | 3n | (1n << 62n)],
      [L2, L3 | 3n | (1n << 60n)],
      [L3, 0x5000_0000n | PAGE_1],
    ] as const;
    expect(ranges([...stage1(), ...above])).toEqual(["0x0+0x1000 -> 0x50000000 r-x/r--"]);
    expect(ranges([...stage1({ HAD0: 1n }), ...above])).toEqual(["0x0+0x1000 -> 0x50000000 rw-/rwx"]);
  });

  it("of stage 2 have its rights and memory types", () => {
    const leaves = [0x5000_0000n | PAGE_2, 0x6000_0000n | 0x447n, 0x7000_0000n | 0x797n | (2n << 53n)].map((value, at) => [L3 + BigInt(at * 8), value] as const);
    const [space] = spacesOf([...stage2(), ...chain, ...leaves]);
    expect(space!.ranges.map((range) => `${brief(range)} ${range.stage2!.memory}`)).toEqual([
      "0x0+0x1000 -> 0x50000000 rwx/rwx Normal write-back",
      "0x1000+0x1000 -> 0x60000000 r-x/r-x Device-nGnRE",
      "0x2000+0x1000 -> 0x70000000 -w-/-w- Normal non-cacheable",
    ]);
    expect(space!.roots).toEqual([{ part: "S2TTB", root: "0x44000000", granule: "4K", startLevel: 1, inputBits: 39, outputBits: 44 }]);
  });

  it("of both stages are cut where stage 2 is, and say where it maps nothing", () => {
    const S2 = 0x4700_0000n;
    const nested = [...ste(0, { ...stage2Fields, Config: "nested", S2TTB: S2, S1ContextPtr: CD }), ...cd(CD, { ...stage1Fields, TTB0: ROOT })];
    // Stage 2: the gigabyte of the tables as it is, and two pages at 3 GiB and 3 GiB + 8 KiB.
    const second = [
      [S2 + 8n, 0x4000_07fdn],
      [S2 + 24n, 0x4710_0003n],
      [0x4710_0000n, 0x4720_0003n],
      [0x4720_0000n, 0x5000_0000n | PAGE_2],
      [0x4720_0010n, 0x5100_0000n | 0x77fn],
    ] as const;
    const leaves = [0n, 1n, 2n].map((at) => [L3 + at * 8n, (0xc000_0000n + at * 0x1000n) | PAGE_1] as const);
    const [space] = spacesOf([...nested, ...second, ...chain, ...leaves]);
    expect(space!.ranges.map(brief)).toEqual([
      "0x0+0x1000 ipa 0xc0000000 -> 0x50000000 rw-/rwx",
      "0x1000+0x1000 ipa 0xc0001000 -> nothing rw-/rwx F_TRANSLATION 2",
      "0x2000+0x1000 ipa 0xc0002000 -> 0x51000000 r--/r-x",
    ]);
    expect(space!.roots.map(({ part }) => part)).toEqual(["TTB0", "S2TTB"]);
    expect(space!.reachable).toBe("0x2000");
  });
});

describe("address spaces", () => {
  it("are shared by streams with the same roots, whatever their CDs, ASIDs and VMIDs", () => {
    const other = CD + 0x40n;
    const stores = [...stage1(), ...ste(1, { V: 1n, Config: "s1", S1ContextPtr: other, S2VMID: 7n }), ...cd(other, { ...stage1Fields, MAIR_ATTR0: 0xffn, MAIR_ATTR1: 0x04n, MAIR_ATTR2: 0x44n, TTB0: ROOT, ASID: 9n }), ...ste(2, { V: 1n, Config: "s1", S1ContextPtr: CD }), ...chain, [L3, 0x5000_0000n | PAGE_1] as const];
    const spaces = spacesOf(stores);
    expect(spaces).toHaveLength(1);
    expect(spaces[0]!.users).toEqual([
      { sids: [{ first: "0x0", last: "0x0" }, { first: "0x2", last: "0x2" }], asid: 1, vmid: 0 },
      { sids: [{ first: "0x1", last: "0x1" }], asid: 9, vmid: 7 },
    ]);
  });

  it("name what is wrong in their tables", () => {
    const stores = [
      ...stage2(),
      [ROOT, L2 | 3n],
      [ROOT + 8n, 0x1_0000_4000_0003n],
      [L2, L3 | 3n],
      [L2 + 8n, 0x5020_1000n | 0x7fdn],
      [L3, 0x5000_0000n | 0x7fdn],
      [L3 + 8n, 0x9000_0000_0000n | PAGE_2],
      [L3 + 16n, 0xdead_0000n],
    ] as const;
    const [space] = spacesOf(stores);
    expect(space!.problems.map(({ what, fault, input, level }) => `${input} level ${level}: ${what}${fault === undefined ? "" : ` ${fault}`}`)).toEqual([
      "0x0 level 3: a reserved descriptor: bits 1:0 are 1 at level 3 F_TRANSLATION",
      "0x1000 level 3: the output address 0x900000000000 is beyond 44 bits F_ADDR_SIZE",
      "0x200000 level 2: address bits below the size of the block are set; they are reserved, and ignored",
    ]);
    expect(space!.ranges.map(brief)).toEqual(["0x200000+0x200000 -> 0x50200000 rwx/rwx"]);
    expect(spacesOf([...stage2(), [ROOT, 0x9000_0000_0003n]])[0]!.problems).toMatchObject([{ what: "the next table 0x900000000000 is beyond 44 bits", fault: "F_ADDR_SIZE" }]);
    expect(spacesOf([...stage2({ S2T0SZ: 20n, S2SL0: 2n }), [ROOT, 0x4000_0001n]])[0]!.problems).toMatchObject([{ what: "a block at level 0, where there is none at this granule", fault: "F_TRANSLATION" }]);
  });
});

describe("the contiguous bit", () => {
  const CONTIGUOUS = 1n << 52n;
  const pages = (count: bigint, from: bigint, value = PAGE_2 | CONTIGUOUS) => Array.from({ length: Number(count) }, (_, at) => [L3 + (from + BigInt(at)) * 8n, (0x5000_0000n + BigInt(at) * 0x1000n) | value] as const);
  const problems = (leaves: readonly (readonly [bigint, bigint])[], fields: object = {}) => spacesOf([...stage2(fields), ...chain, ...leaves])[0]!.problems.map(({ what, input }) => `${input} ${what.split(": ")[1]}`);

  it("on sixteen aligned pages that follow on is in order", () => {
    expect(problems(pages(16n, 16n))).toEqual([]);
    // Access flags may differ, and dirty states where hardware manages them.
    expect(problems([...pages(16n, 16n, PAGE_2 | CONTIGUOUS | (1n << 51n)), [L3 + 8n * 18n, 0x5000_2000n | ((PAGE_2 | CONTIGUOUS | (1n << 51n)) & ~0x480n)]])).toEqual([]);
  });

  it("is told where the group is not whole, not aligned, not in order, or not of one kind", () => {
    expect(problems(pages(15n, 0n))).toEqual(["0x0 only 15 of 16 have it"]);
    expect(problems(pages(16n, 8n))).toEqual(["0x8000 only 8 of 16 have it", "0x10000 only 8 of 16 have it"]);
    expect(problems(pages(16n, 0n).map(([at, value]) => [at, value + 0x1000n] as const))).toEqual(["0x0 their output is not aligned to all of them"]);
    expect(problems([...pages(16n, 0n), [L3 + 8n * 5n, 0x6000_0000n | PAGE_2 | CONTIGUOUS]])).toEqual(["0x0 their outputs do not follow on"]);
    expect(problems([...pages(16n, 0n), [L3 + 8n * 5n, 0x5000_5000n | 0x77fn | CONTIGUOUS]])).toEqual(["0x0 their attributes differ"]);
  });
});

// Random trees over a few tables, held against single transactions.

const TABLES = Array.from({ length: 6 }, (_, at) => ROOT + BigInt(at) * 0x1_0000n);
const table = fc.tuple(fc.constantFrom(...TABLES), fc.constantFrom(0n, 0n, 1n << 62n, 1n << 61n, 1n << 60n, 1n << 59n)).map(([next, rights]) => next | 3n | rights);
const attributes = fc.bigInt({ min: 0n, max: 0xfffn }).chain((low) => fc.tuple(fc.constant((low & ~3n) | 0x400n), fc.nat(9).map((odd) => (odd === 0 ? 0x400n : 0n)), fc.constantFrom(0n, 0n, 1n << 51n, 1n << 53n, 1n << 54n, 3n << 53n))).map(([low, af, high]) => (low ^ af) | high);
const output = fc.oneof(fc.constantFrom(...TABLES), fc.constantFrom(0n, 0x5000_0000n, 0x8000_0000n, 0x40_0000_0000n, 0xf000_0000_0000n), fc.nat(40).map((at) => 0x5000_0000n + BigInt(at) * 0x1_0000n));
const leaf = fc.tuple(output, attributes, fc.constantFrom(1n, 3n, 3n)).map(([address, low, type]) => address | low | type);
const descriptor = fc.oneof({ weight: 4, arbitrary: table }, { weight: 5, arbitrary: leaf }, { weight: 1, arbitrary: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }) });
type Written = readonly [table: bigint, index: bigint, descriptor: bigint];
/** A way down to a page, and random words over it. */
const usual: readonly Written[] = TABLES.slice(0, 4).flatMap((at, level) => [[at, 0n, TABLES[level + 1]! | 3n] as const, [at, 1n, 0x5000_0000n | PAGE_2] as const]);
const tree = fc
  .array(fc.tuple(fc.constantFrom(...TABLES), fc.constantFrom(0n, 1n, 2n, 3n, 7n, 511n, 2047n, 8191n), descriptor), { minLength: 4, maxLength: 40 })
  .map((words): readonly Written[] => [...usual, ...words]);

const T0SZ = fc.integer({ min: 20, max: 39 }).map(BigInt);
const context = fc.record({ T0SZ, T1SZ: T0SZ, TG0: fc.constantFrom("4K", "16K", "64K"), TG1: fc.constantFrom("4K", "16K", "64K"), EPD0: fc.constantFrom(0n, 0n, 1n), EPD1: fc.constantFrom(0n, 1n), WXN: fc.constantFrom(0n, 1n), PAN: fc.constantFrom(0n, 1n), AFFD: fc.constantFrom(0n, 1n), HAD0: fc.constantFrom(0n, 1n), HA: fc.constantFrom(0n, 1n), HD: fc.constantFrom(0n, 1n), ENDI: fc.constant(0n) }, { requiredKeys: ["T0SZ", "T1SZ", "TG0", "TG1", "EPD0", "EPD1"] });
const regime = fc.constantFrom({ S2T0SZ: 25n, S2SL0: 1n }, { S2T0SZ: 23n, S2SL0: 1n }, { S2T0SZ: 20n, S2SL0: 2n }, { S2T0SZ: 34n, S2SL0: 0n }, { S2T0SZ: 28n, S2SL0: 1n, S2TG: "16K" as const }, { S2T0SZ: 30n, S2SL0: 1n, S2TG: "64K" as const });
const HARDWARE_UPDATES = 0x0d44101b | 0x80;

const kind = fc.constantFrom("s1", "s2", "nested");
const machine = fc.tuple(kind, tree, context, regime, tree, fc.boolean(), fc.nat(3)).map(([config, first, fields, second, secondTree, updates, part]): Snapshot => {
  const S2 = 0x4480_0000n;
  const moved = secondTree.map(([at, index, value]) => [at + (S2 - ROOT) + index * 8n, value] as const);
  const identity = [[S2 + 8n, 0x4000_07fdn]] as const;
  const entry = config === "s2" ? { ...stage2Fields, ...second, S2TTB: ROOT } : config === "s1" ? { V: 1n, Config: "s1" as const, S1ContextPtr: CD } : { ...stage2Fields, Config: "nested" as const, S2TTB: S2, S1ContextPtr: CD };
  const stores = [...ste(0, entry), ...cd(CD, { ...stage1Fields, ...(fields as object), TTB0: ROOT, TTB1: ROOT + 0x1_0000n }), ...first.map(([at, index, value]) => [at + index * 8n, value] as const), ...(config === "nested" ? [...moved, ...identity] : [])];
  const ram = part === 0 ? [{ addr: 0x4400_0000n, size: 0x4_0000n }, { addr: 0x4480_0000n, size: 0x10_0000n }, { addr: CD, size: 0x1000n }, { addr: 0x4800_0000n, size: 0x1000n }] : undefined;
  return snapshotOf(imageOf(stores), updates ? { IDR0: HARDWARE_UPDATES } : {}, ram);
});

const WAYS = [
  { op: "read", instr: false, at: 0 },
  { op: "write", instr: false, at: 1 },
  { op: "read", instr: true, at: 2 },
] as const;

/** What the ranges say of one access: a physical address, or nothing. */
const said = (all: readonly AddressRange[], address: bigint, priv: boolean, at: number): bigint | undefined => {
  const range = all.find(({ input, size }) => address >= BigInt(input) && address < BigInt(input) + BigInt(size));
  if (range?.output === undefined || range.fault !== undefined) return undefined;
  return (priv ? range.privileged : range.unprivileged)[at] === "-" ? undefined : BigInt(range.output) + (address - BigInt(range.input));
};

const TOP = (1n << 64n) - 4n;
/** Ends of ranges and what lies beside them, and a few places that no range may have. */
const probes = (all: readonly AddressRange[]): bigint[] =>
  [...all.slice(0, 40).flatMap(({ input, size }) => [BigInt(input), BigInt(input) + BigInt(size) - 4n, BigInt(input) - 4n, BigInt(input) + BigInt(size)]), 0n, 0x1000n, 0x20_0000n, 0x4000_0000n, 1n << 38n, TOP].filter((address) => address >= 0n && address <= TOP);

describe("law", () => {
  it("every address goes where its range says, with the rights it says, and no address without a range goes anywhere", () => {
    const answered = { TTB0: 0, S2TTB: 0, both: 0 };
    fc.assert(
      fc.property(machine, (snapshot) => {
        const { addressSpaces, cut } = decodeSnapshot(snapshot);
        fc.pre(cut.length === 0);
        const all = addressSpaces[0]?.ranges ?? [];
        const [read, settings] = [reader(snapshot), settingsOf(snapshot.registers)];
        for (const address of probes(all))
          for (const priv of [false, true])
            for (const { op, instr, at } of WAYS) {
              const outcome = translate(read, settings, { sid: streamId(0), op, iova: iova(address), size: 4, priv, instr });
              // Tables of one stage may be tables of the other here: then an update on the way changes the rest of the way.
              if ((outcome.updates?.length ?? 0) > 0 && addressSpaces[0]!.roots.at(-1)!.part === "S2TTB" && addressSpaces[0]!.roots.length > 1) continue;
              const expected = said(all, address, priv, at);
              if (outcome.result === "ok") answered[addressSpaces[0]!.roots.length > 1 && addressSpaces[0]!.roots.at(-1)!.part === "S2TTB" ? "both" : addressSpaces[0]!.roots[0]!.part === "S2TTB" ? "S2TTB" : "TTB0"]++;
              expect(outcome.result === "ok" ? outcome.pa : undefined, `${op} ${String(priv)} ${String(instr)} 0x${address.toString(16)} ${JSON.stringify(addressSpaces).slice(0, 2000)}`).toBe(expected);
            }
      }),
      { numRuns: 200 },
    );
    // Not because nothing goes anywhere.
    expect(Math.min(...Object.values(answered))).toBeGreaterThan(500);
  });
});
