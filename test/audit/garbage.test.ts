/** Snapshots that nobody meant: whatever they hold, decoding ends soon, says what it left out, and keeps to its schema. */
import * as Schema from "effect/Schema";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { offsets } from "../../specs/smmuv3/registers.ts";
import { decodeSnapshot } from "../../src/audit/decode.ts";
import type { Decoding } from "../../src/audit/decoding.ts";
import { decodeText } from "../../src/cli/decodeText.ts";
import { decodingSchema } from "../../src/cli/decodingSchema.ts";
import type { Snapshot } from "../../src/smmuv3/snapshot.ts";
import { cd, imageOf, snapshotOf, stage1Fields, stage2Fields, ste, STREAM_TABLE } from "./build.ts";

const conforms = Schema.is(decodingSchema);
/** The decoding, after it was written as JSON, held against the schema, and printed. */
const decoded = (snapshot: Snapshot, its?: unknown): Decoding => {
  const decoding = decodeSnapshot(snapshot, its);
  expect(conforms(JSON.parse(JSON.stringify(decoding)))).toBe(true);
  expect(decodeText(decoding)).not.toMatch(/[^\n -~…]/u);
  return decoding;
};
const within = (milliseconds: number, act: () => Decoding): Decoding => {
  const start = performance.now();
  const decoding = act();
  expect(performance.now() - start).toBeLessThan(milliseconds);
  return decoding;
};

describe("tables that go nowhere or everywhere", () => {
  const ROOT = 0x4400_0000n;

  it("a stage-2 page that points at itself 512 times: stops at a stated address, and names the cycle", () => {
    const image = imageOf(ste(0, { ...stage2Fields, S2TTB: ROOT, S2T0SZ: 20n, S2SL0: 2n }), [[ROOT, 0x1000n, [ROOT | 0x7ffn]]]);
    const decoding = within(10_000, () => decoded(snapshotOf(image)));
    expect(decoding.cut.join()).toMatch(/Address space 0 is not listed from input address 0x[0-9a-f]+ on: at most 2097152 descriptors/);
    expect(decoding.addressSpaces[0]!.problems[0]).toMatchObject({ part: "S2TTB", what: "the next table 0x44000000 is one of those that lead to it: a cycle" });
  });

  it("one cycle in a table: told once, and the rest is listed", () => {
    const image = imageOf([...ste(0, { ...stage2Fields, S2TTB: ROOT }), [ROOT, ROOT | 3n]]);
    const [space] = decoded(snapshotOf(image)).addressSpaces;
    // Level 1 leads to itself at level 2 and 3, where the same word is a page without an access flag or rights to data.
    expect(space!.ranges).toMatchObject([{ input: "0x0", size: "0x1000", output: "0x44000000", privileged: "--x", fault: { type: "F_ACCESS", stage: 2 } }]);
    expect(space!.problems.map(({ level, what }) => `${level} ${what}`)).toEqual([
      "1 the next table 0x44000000 is one of those that lead to it: a cycle",
      "2 the next table 0x44000000 is one of those that lead to it: a cycle",
    ]);
  });

  it("a nested stream whose stage-1 page points at itself", () => {
    const S1 = 0x4500_0000n;
    const image = imageOf(
      [...ste(0, { ...stage2Fields, Config: "nested", S2TTB: ROOT, S1ContextPtr: 0x4600_0000n }), ...cd(0x4600_0000n, { ...stage1Fields, TTB0: S1 }), [ROOT + 8n, 0x4000_07fdn]],
      [[S1, 0x1000n, [S1 | 0x743n]]],
    );
    const decoding = within(10_000, () => decoded(snapshotOf(image)));
    expect(decoding.addressSpaces[0]!.ranges[0]).toMatchObject({ input: "0x0", ipa: "0x45000000", output: "0x45000000", privileged: "rw-", unprivileged: "rwx" });
    expect(decoding.cut.join()).toContain("Address space 0 is not listed from");
  });

  it("tables where no memory answers", () => {
    const image = imageOf([...ste(0, { ...stage2Fields, S2TTB: ROOT }), ...ste(1, { V: 1n, Config: "s1", S1ContextPtr: 0x7000_0000n })]);
    const { entries, addressSpaces } = decoded(snapshotOf(image, {}, [{ addr: 0x4800_0000n, size: 0x10_0000n }]));
    expect(addressSpaces[0]!.problems).toMatchObject([{ what: "no memory answers at 0x44000000", fault: "F_WALK_EABT", level: 1, address: "0x44000000" }]);
    expect(entries[1]!.contexts).toMatchObject({ descriptors: [], problems: ["no memory answers at 0x70000000"] });
  });
});

describe("tables of sizes that nobody has", () => {
  it("2^32 streams in a linear table are counted, not read one by one", () => {
    const image = imageOf(ste(0, { V: 1n, Config: "bypass" }), [[0x4900_0000n, 0x1000_0000n, [1n]]]);
    const { summary, streamTable } = within(5000, () => decoded(snapshotOf(image, { IDR1: 0x02730020, STRTAB_BASE: 0, STRTAB_BASE_CFG: 32 })));
    expect(streamTable).toMatchObject({ kind: "linear", streams: 2 ** 32, base: "0x0" });
    expect(Object.values(summary.streams).reduce((sum, count) => sum + count, 0)).toBe(2 ** 32);
    expect(summary.streams.bypass).toBe(1);
  });

  it("2^63 streams are told as 2^32", () => {
    const { streamTable, notes } = within(5000, () => decoded(snapshotOf(imageOf([]), { IDR1: 0x0273003f, STRTAB_BASE_CFG: 63 })));
    expect(streamTable.streams).toBe(2 ** 32);
    expect(notes.join()).toContain("SIDSIZE is beyond 32 bits");
  });

  it("2^26 level-1 descriptors that all lead to one table: followed up to a limit that is said", () => {
    const L1 = 0x2000_0000n;
    const image = imageOf([...ste(3, { V: 1n, Config: "bypass" })], [[L1, 0x2000_0000n, [STREAM_TABLE | 7n]]]);
    const decoding = within(10_000, () => decoded(snapshotOf(image, { IDR1: 0x02730020, STRTAB_BASE: Number(L1), STRTAB_BASE_CFG: 0x10000 | (6 << 6) | 32 })));
    expect(decoding.cut.join()).toMatch(/Only the first \d+ level-1 stream table descriptors/);
  });

  it("2^20 substreams, all of them valid: listed up to a limit that is said", () => {
    const image = imageOf(ste(0, { V: 1n, Config: "s1", S1CDMax: 20n, S1DSS: "substream0", S1ContextPtr: 0x8000_0000n }), [[0x8000_0000n, 0x400_0000n, [0x0000_6204_8000_3519n, 0x9000_0000n, 0n, 0n, 0n, 0n, 0n, 0n]]]);
    const decoding = within(10_000, () => decoded(snapshotOf(image, { IDR1: 0x02730510 })));
    expect(decoding.entries[0]!.contexts).toMatchObject({ shape: "linear", log2Size: 20, withoutSubstream: "uses descriptor 0" });
    expect(decoding.entries[0]!.contexts!.descriptors).toHaveLength(4096);
    expect(decoding.cut.join()).toContain("More than 4096 context descriptors are there");
  });

  it("queues of 2^31 entries with indices that make no sense", () => {
    const decoding = within(10_000, () => decoded(snapshotOf(imageOf([]), { IDR0: 0x0d45101b, IDR1: 0x03fff810, CMDQ_BASE: 31, CMDQ_PROD: 0xffffffff, EVENTQ_BASE: 31, EVENTQ_PROD: 0x7ffff, EVENTQ_CONS: 0x80080000, PRIQ_BASE: 31 })));
    expect(decoding.queues.map(({ name, log2Size }) => `${name} ${log2Size}`)).toEqual(["CMDQ 19", "EVENTQ 19", "PRIQ 19"]);
    expect(decoding.summary.errors.join()).toContain("the indices make no sense");
  });
});

// Random snapshots: pages of random words at a few addresses, which registers and words point to again and again.

const PAGES = Array.from({ length: 8 }, (_, at) => 0x4000_0000n + BigInt(at) * 0x1000n);
const somewhere = fc.constantFrom(...PAGES);
const word = fc.oneof(
  { weight: 4, arbitrary: fc.tuple(somewhere, fc.constantFrom(3n, 1n, 0x7ffn, 0x743n, 9n, 7n, 0x0bn, 0x0dn, 0x0fn, 0n)).map(([page, low]) => page | low) },
  { weight: 1, arbitrary: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }) },
  { weight: 1, arbitrary: fc.constantFrom(0n, 1n, 2n ** 64n - 1n, 0x0000_6204_8000_3519n, 0x0408_0000_0000_0001n | (25n << 32n)) },
);
const page = fc.array(fc.tuple(fc.oneof(fc.nat(15), fc.nat(511)), word), { maxLength: 24 });
const value = fc.oneof(fc.integer({ min: 0, max: 0xffffffff }), somewhere.map(Number), fc.nat(40), fc.constantFrom(0x10210, 0x10188, 0x0d44101b, 0x02730510));
const NAMES = Object.keys(offsets) as (keyof typeof offsets)[];
const registers = fc
  .tuple(fc.dictionary(fc.constantFrom(...NAMES), value), fc.record({ CR0: fc.constantFrom(0xd, 0xf, 0), STRTAB_BASE: somewhere.map(Number), STRTAB_BASE_CFG: fc.constantFrom(4, 6, 0x10206, 0x10210, 0x10190, 32), IDR1: fc.constantFrom(0x02730010, 0x02730510, 0x02730020) }))
  .map(([any, usual]) => ({ ...any, ...usual }));
const ram = fc.option(fc.array(fc.tuple(somewhere, fc.integer({ min: 0, max: 4 })).map(([addr, pages]) => ({ addr, size: BigInt(pages) * 0x1000n })), { maxLength: 4 }), { nil: undefined });

describe("law", () => {
  it("any snapshot ends in a document that keeps to the schema and prints without control characters", () => {
    fc.assert(
      fc.property(fc.array(page, { minLength: 8, maxLength: 8 }), registers, ram, fc.dictionary(fc.constantFrom("0x0", "0x8", "0x80", "0x90", "0x100", "0x108", "x"), fc.constantFrom("0x1", "0x1f0001efb1", "0xb800000040000400", "0xf907000040001600", "0xbc07000040002600", "\u001b")), (pages, changes, ranges, its) => {
        const image = imageOf(pages.flatMap((words, at) => words.map(([index, content]) => [PAGES[at]! + BigInt(index * 8), content] as const)));
        decoded(snapshotOf(image, changes, ranges), its);
      }),
      { numRuns: 100 },
    );
  });
});
