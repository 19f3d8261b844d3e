/** Stage-1 walks: leaves, levels, granules, halves, tags, rights, sizes. */
import { block, DATA, HOLE, indexAt, leaf, type Mapping, read, ROOT, ROOT_UPPER, stage1, store, TABLE_SPACING, tables, VA, write } from "./building.ts";
import { agreed, differing, type Scenario } from "./scenario.ts";

const UNMAPPED = VA + 0x1000n;
const one = (descriptor: bigint): readonly Mapping[] => [[VA, descriptor]];
const LEVEL_2 = ROOT + TABLE_SPACING;
/** The descriptor of VA at level 1 or 2. */
const placeOf = (level: 1 | 2): bigint => (level === 1 ? ROOT : LEVEL_2) + indexAt(VA, level) * 8n;

const leaves: readonly Scenario[] = [
  agreed("a page is read", [...stage1(), read(VA)], ["pa 0x41003000"]),
  agreed("a page is written", [...stage1(), write(VA + 0x10n)], ["pa 0x41003010"]),
  agreed("an unmapped read is F_TRANSLATION", [...stage1(), read(UNMAPPED)], ["F_TRANSLATION sid 0x18 read s2=0 IN 0x1234568000"]),
  agreed("an unmapped write is F_TRANSLATION", [...stage1(), write(UNMAPPED)], ["F_TRANSLATION sid 0x18 write s2=0 IN 0x1234568000"]),
  agreed("with CD.R=0 a fault is not recorded", [...stage1({ R: 0n }), read(UNMAPPED)], ["abort"]),
  agreed("AF=0 is F_ACCESS", [...stage1({}, one(leaf(DATA, { AF: 0n }))), read(VA)], ["F_ACCESS sid 0x18 read s2=0 IN 0x1234567000"]),
  agreed("AF=0 is no fault with CD.AFFD=1", [...stage1({ AFFD: 1n }, one(leaf(DATA, { AF: 0n }))), read(VA)], ["pa 0x41003000"]),
  agreed(
    "a read-only page is read, and a write that hits the TLB is F_PERMISSION",
    [...stage1({}, one(leaf(DATA, { AP: 3n }))), read(VA), write(VA)],
    ["pa 0x41003000", "F_PERMISSION sid 0x18 write s2=0 IN 0x1234567000"],
  ),
  agreed("a write to a read-only page is F_PERMISSION", [...stage1({}, one(leaf(DATA, { AP: 3n }))), write(VA)], ["F_PERMISSION sid 0x18 write s2=0 IN 0x1234567000"]),
  differing("a page for privileged accesses is F_PERMISSION to others", [...stage1({}, one(leaf(DATA, { AP: 0n }))), read(VA)], ["F_PERMISSION sid 0x18 read s2=0 IN 0x1234567000"], ["pa 0x41003000"]),
  agreed("execute-never is no matter for data", [...stage1({}, one(leaf(DATA, { upper: 6n }))), read(VA)], ["pa 0x41003000"]),
  agreed("WXN=1 is no matter for data", [...stage1({ WXN: 1n }), write(VA)], ["pa 0x41003000"]),
  agreed("a level-3 descriptor of type 1 is F_TRANSLATION", [...stage1({}, one(leaf(DATA, { type: 1n }))), read(VA)], ["F_TRANSLATION sid 0x18 read s2=0 IN 0x1234567000"]),
  differing(
    "a contiguous entry may serve its neighbours",
    [
      ...stage1({}, Array.from({ length: 16 }, (_, at): Mapping => [(VA & ~0xffffn) + BigInt(at) * 0x1000n, leaf(0x4101_0000n + BigInt(at) * 0x1000n, { upper: 1n })])),
      read(VA & ~0xffffn),
      store(LEVEL_2 + TABLE_SPACING + indexAt(VA | 0xf000n, 3) * 8n, 0n),
      read(VA | 0xf000n),
    ],
    ["pa 0x41010000", ["F_TRANSLATION sid 0x18 read s2=0 IN 0x123456f000", "pa 0x4101f000"]],
    ["pa 0x41010000", "F_TRANSLATION sid 0x18 read s2=0 IN 0x123456f000"],
  ),
];

const sizes: readonly Scenario[] = [
  agreed("a page beyond IPS is F_ADDR_SIZE", [...stage1({ IPS: "40" }, one(leaf(1n << 40n))), read(VA)], ["F_ADDR_SIZE sid 0x18 read s2=0 IN 0x1234567000"]),
  differing(
    "a table beyond IPS is F_ADDR_SIZE",
    [...stage1({ IPS: "40" }), store(placeOf(1), (1n << 41n) | 3n), read(VA)],
    ["F_ADDR_SIZE sid 0x18 read s2=0 IN 0x1234567000"],
    ["F_WALK_EABT sid 0x18 read s2=0 TT 0x1234567000 fetch 0x20000000d10"],
  ),
  agreed("a root in a hole is F_WALK_EABT", [...stage1({ TTB0: HOLE }), read(VA)], ["F_WALK_EABT sid 0x18 read s2=0 TT 0x1234567000 fetch 0x80000000240"]),
  agreed("with CD.R=0, F_WALK_EABT is recorded", [...stage1({ TTB0: HOLE, R: 0n }), write(VA)], ["F_WALK_EABT sid 0x18 write s2=0 TT 0x1234567000 fetch 0x80000000240"]),
  agreed("an output beyond OAS is F_ADDR_SIZE whatever IPS says", [...stage1({ IPS: "48" }, one(leaf(1n << 44n))), read(VA)], ["F_ADDR_SIZE sid 0x18 read s2=0 IN 0x1234567000"]),
  differing("F_ADDR_SIZE comes before F_ACCESS", [...stage1({ IPS: "40" }, one(leaf(1n << 40n, { AF: 0n }))), read(VA)], ["F_ADDR_SIZE sid 0x18 read s2=0 IN 0x1234567000"], ["F_ACCESS sid 0x18 read s2=0 IN 0x1234567000"]),
  agreed("F_ACCESS comes before F_PERMISSION", [...stage1({}, one(leaf(DATA, { AF: 0n, AP: 3n }))), write(VA)], ["F_ACCESS sid 0x18 write s2=0 IN 0x1234567000"]),
  agreed("a table in a hole is F_WALK_EABT", [...stage1(), store(placeOf(1), HOLE | 3n), read(VA)], ["F_WALK_EABT sid 0x18 read s2=0 TT 0x1234567000 fetch 0x80000000d10"]),
  differing(
    "a table's rights are looked at once there is a page",
    [...stage1(), store(placeOf(1), LEVEL_2 | (1n << 62n) | 3n), write(VA + 0x1000n)],
    ["F_TRANSLATION sid 0x18 write s2=0 IN 0x1234568000"],
    ["F_PERMISSION sid 0x18 write s2=0 IN 0x1234568000"],
  ),
  agreed("HAD0=1 ignores APTable", [...stage1({ HAD0: 1n }), store(placeOf(1), LEVEL_2 | (3n << 61n) | 3n), write(VA)], ["pa 0x41003000"]),
  differing("APTable[0]=1 is for privileged accesses only", [...stage1(), store(placeOf(1), LEVEL_2 | (1n << 61n) | 3n), read(VA)], ["F_PERMISSION sid 0x18 read s2=0 IN 0x1234567000"], ["pa 0x41003000"]),
  differing(
    "APTable=read-only holds for reads and writes below, hit or miss",
    [...stage1({}, one(leaf(0x4100_4000n))), store(placeOf(2), (LEVEL_2 + TABLE_SPACING) | (1n << 62n) | 3n), write(VA), read(VA), write(VA)],
    ["F_PERMISSION sid 0x18 write s2=0 IN 0x1234567000", "pa 0x41004000", "F_PERMISSION sid 0x18 write s2=0 IN 0x1234567000"],
    ["F_PERMISSION sid 0x18 write s2=0 IN 0x1234567000", "pa 0x41004000", "pa 0x41004000"],
  ),
];

const TO_BLOCK = 0x12_3440_5678n;
const shapes: readonly Scenario[] = [
  agreed("a 2 MiB block", [...stage1({}, [[TO_BLOCK, block(0x4100_0000n), 2]]), read(TO_BLOCK)], ["pa 0x41005678"]),
  agreed("a 1 GiB block", [...stage1({}, [[0x12_0100_5678n, block(0x4000_0000n), 1]]), read(0x12_0100_5678n)], ["pa 0x41005678"]),
  agreed("address bits below a block's size are ignored", [...stage1({}, [[0x12_0100_5678n, block(0x4100_0000n), 1]]), read(0x12_0100_5678n)], ["pa 0x41005678"]),
  agreed("a page of 16 KiB", [...stage1({ TG0: "16K" }, [[VA, leaf(0x4101_0000n)]], { granule: 14 }), read((VA & ~0x3fffn) | 0x1238n)], ["pa 0x41011238"]),
  agreed("a page of 64 KiB", [...stage1({ TG0: "64K" }, [[VA, leaf(0x4101_0000n)]], { granule: 16, start: 2 }), read((VA & ~0xffffn) | 0x1238n)], ["pa 0x41011238"]),
  agreed("four levels", [...stage1({ T0SZ: 16n }, [[0x7f12_3456_7000n, leaf(0x4100_6000n)]], { start: 0 }), read(0x7f12_3456_7ab8n)], ["pa 0x41006ab8"]),
  differing("a block at level 0 of 4 KiB tables is F_TRANSLATION", [...stage1({ T0SZ: 16n }, [[VA, block(0n), 0]], { start: 0 }), read(VA)], ["F_TRANSLATION sid 0x18 read s2=0 IN 0x1234567000"], ["pa 0x1234567000"]),
  differing("a block at level 1 of 16 KiB tables is F_TRANSLATION", [...stage1({ TG0: "16K" }, [[VA, block(0n), 1]], { granule: 14 }), read(VA)], ["F_TRANSLATION sid 0x18 read s2=0 IN 0x1234567000"], ["pa 0x234567000"]),
];

const UPPER = 0xffff_ffff_ffdf_f000n;
const TAGGED_UPPER = 0xa5ff_ffff_ffdf_f000n;
const upperHalf = { EPD1: 0n, T1SZ: 25n, TG1: "4K", TTB1: ROOT_UPPER } as const;
const upper = tables(ROOT_UPPER, [[UPPER, leaf(0x4100_7000n)]]);
const halves: readonly Scenario[] = [
  agreed("TBI0=1 ignores the top byte", [...stage1({ TBI0: 1n }), read(0x5a00_0012_3456_7000n)], ["pa 0x41003000"]),
  agreed("TBI0=1 ignores no more than the top byte", [...stage1({ TBI0: 1n }), read(0x9234_5678_9000n)], ["F_TRANSLATION sid 0x18 read s2=0 IN 0x923456789000"]),
  agreed("the upper half has its own root", [...stage1(upperHalf), ...upper, read(UPPER)], ["pa 0x41007000"]),
  differing("TBI1 ignores the top byte in the upper half", [...stage1({ ...upperHalf, TBI1: 1n }), ...upper, read(TAGGED_UPPER)], ["pa 0x41007000"], ["F_TRANSLATION sid 0x18 read s2=0 IN 0xa5ffffffffdff000"]),
  differing("TBI0 ignores nothing in the upper half", [...stage1({ ...upperHalf, TBI0: 1n }), ...upper, read(TAGGED_UPPER)], ["F_TRANSLATION sid 0x18 read s2=0 IN 0xa5ffffffffdff000"], ["pa 0x41007000"]),
];

export const stage1Walks: readonly Scenario[] = [...leaves, ...sizes, ...shapes, ...halves];
