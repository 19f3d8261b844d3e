/** Stage-2 walks, with stage 1 off. */
import { DATA, HOLE, indexAt, leaf2, type Mapping, read, stage2, STAGE_2_ROOT, type SteFields, store, VA, write } from "./building.ts";
import { agreed, differing, type Scenario } from "./scenario.ts";

const one = (descriptor: bigint): readonly Mapping[] => [[VA, descriptor]];
const bad = (name: string, fields: SteFields): Scenario => agreed(`${name} is C_BAD_STE`, [...stage2(fields), read(VA)], ["C_BAD_STE sid 0x18"]);
const denied = (access: "read" | "write"): string => `F_PERMISSION sid 0x18 ${access} s2=1 IN 0x1234567000 ipa 0x1234567000`;

const leaves: readonly Scenario[] = [
  agreed("a stage-2 page is read", [...stage2(), read(VA)], ["pa 0x41003000"]),
  agreed("an unmapped IPA is F_TRANSLATION of stage 2", [...stage2(), read(VA + 0x1000n)], ["F_TRANSLATION sid 0x18 read s2=1 IN 0x1234568000 ipa 0x1234568000"]),
  agreed("an IPA beyond S2T0SZ is F_TRANSLATION of stage 2", [...stage2(), read(1n << 39n)], ["F_TRANSLATION sid 0x18 read s2=1 IN 0x8000000000 ipa 0x8000000000"]),
  differing("an IPA beyond OAS is F_ADDR_SIZE of stage 1", [...stage2(), read(1n << 44n)], ["F_ADDR_SIZE sid 0x18 read s2=0 IN 0x100000000000"], ["abort"]),
  differing("the IPA of a fault is told by the page", [...stage2(), read(VA + 0x1ab8n)], ["F_TRANSLATION sid 0x18 read s2=1 IN 0x1234568ab8 ipa 0x1234568000"], ["F_TRANSLATION sid 0x18 read s2=1 IN 0x1234568ab8 ipa 0x1234568ab8"]),
  agreed("with S2R=0 a fault is not recorded", [...stage2({ S2R: 0n }), read(VA + 0x1000n)], ["abort"]),
  agreed("AF=0 is F_ACCESS of stage 2", [...stage2({}, one(leaf2(DATA, { AF: 0n }))), read(VA)], ["F_ACCESS sid 0x18 read s2=1 IN 0x1234567000 ipa 0x1234567000"]),
  agreed("AF=0 is no fault with S2AFFD=1", [...stage2({ S2AFFD: 1n }, one(leaf2(DATA, { AF: 0n }))), read(VA)], ["pa 0x41003000"]),
  differing(
    "a read-only IPA is read, and a write that hits the TLB is F_PERMISSION of stage 2",
    [...stage2({}, one(leaf2(DATA, { S2AP: "readOnly" }))), read(VA), write(VA)],
    ["pa 0x41003000", denied("write")],
    ["pa 0x41003000", "abort"],
  ),
  agreed("a write to a read-only IPA is F_PERMISSION of stage 2", [...stage2({}, one(leaf2(DATA, { S2AP: "readOnly" }))), write(VA)], [denied("write")]),
  agreed("a read of a write-only IPA is F_PERMISSION of stage 2", [...stage2({}, one(leaf2(DATA, { S2AP: "writeOnly" }))), read(VA)], [denied("read")]),
  differing(
    "a write-only IPA is written, and a read that hits the TLB is F_PERMISSION of stage 2",
    [...stage2({}, one(leaf2(DATA, { S2AP: "writeOnly" }))), write(VA), read(VA)],
    ["pa 0x41003000", denied("read")],
    ["pa 0x41003000", "abort"],
  ),
  differing("S2PS below the input size is legal", [...stage2({ S2PS: "32" }, one(leaf2(1n << 32n))), read(VA)], ["F_ADDR_SIZE sid 0x18 read s2=1 IN 0x1234567000 ipa 0x1234567000"], ["C_BAD_STE sid 0x18"]),
  agreed("a page beyond S2PS is F_ADDR_SIZE of stage 2", [...stage2({ S2PS: "40" }, one(leaf2(1n << 40n))), read(VA)], ["F_ADDR_SIZE sid 0x18 read s2=1 IN 0x1234567000 ipa 0x1234567000"]),
];

const LEVEL_1 = STAGE_2_ROOT + indexAt(VA, 1) * 8n;
const faults: readonly Scenario[] = [
  agreed("a stage-2 table in a hole is F_WALK_EABT of stage 2", [...stage2(), store(LEVEL_1, HOLE | 3n), read(VA)], ["F_WALK_EABT sid 0x18 read s2=1 IN 0x1234567000 fetch 0x80000000d10"]),
  differing(
    "a stage-2 table beyond S2PS is F_ADDR_SIZE",
    [...stage2({ S2PS: "40" }), store(LEVEL_1, (1n << 41n) | 3n), read(VA)],
    ["F_ADDR_SIZE sid 0x18 read s2=1 IN 0x1234567000 ipa 0x1234567000"],
    ["F_WALK_EABT sid 0x18 read s2=1 IN 0x1234567000 fetch 0x20000000d10"],
  ),
  differing(
    "F_ADDR_SIZE of stage 2 comes before F_ACCESS",
    [...stage2({ S2PS: "40" }, one(leaf2(1n << 40n, { AF: 0n }))), read(VA)],
    ["F_ADDR_SIZE sid 0x18 read s2=1 IN 0x1234567000 ipa 0x1234567000"],
    ["F_ACCESS sid 0x18 read s2=1 IN 0x1234567000 ipa 0x1234567000"],
  ),
];

const [low, high] = [VA, VA | (1n << 39n)];
const inTable5 = VA | (5n << 39n);
const shapes: readonly Scenario[] = [
  differing(
    "two concatenated root tables",
    [...stage2({ S2T0SZ: 24n }, [[low, leaf2(DATA)], [high, leaf2(0x4100_4000n)]], { concatenated: 2 }), read(low), read(high)],
    ["pa 0x41003000", "pa 0x41004000"],
    ["pa 0x41003000", "pa 0x41003000"],
  ),
  differing(
    "eight concatenated root tables",
    [...stage2({ S2T0SZ: 22n }, [[low, leaf2(DATA)], [inTable5, leaf2(0x4100_4000n)]], { concatenated: 8 }), read(inTable5)],
    ["pa 0x41004000"],
    ["pa 0x41003000"],
  ),
  differing("a level-0 block of stage 2 is F_TRANSLATION", [...stage2({ S2T0SZ: 20n, S2SL0: 2n }, [[VA, leaf2(0n, { Type: "block" }), 0]], { start: 0 }), read(VA)], ["F_TRANSLATION sid 0x18 read s2=1 IN 0x1234567000 ipa 0x1234567000"], ["pa 0x1234567000"]),
  agreed("a root of four entries is aligned to its 32 bytes", [...stage2({ S2T0SZ: 32n, S2TTB: STAGE_2_ROOT + 0x20n }), store(STAGE_2_ROOT + 0x20n, leaf2(0x4000_0000n, { Type: "block" })), read(0x100_3000n)], ["pa 0x41003000"]),
  agreed("44 bits from level 0", [...stage2({ S2T0SZ: 20n, S2SL0: 2n }, [[VA | (7n << 40n), leaf2(0x4100_5000n)]], { start: 0 }), read(VA | (7n << 40n))], ["pa 0x41005000"]),
  agreed(
    "a stage-2 page of 64 KiB",
    [...stage2({ S2TG: "64K" }, [[VA, leaf2(0x4101_0000n)]], { granule: 16, start: 2 }), read((VA & ~0xffffn) | 0x1238n)],
    ["pa 0x41011238"],
  ),
];

const legality: readonly Scenario[] = [
  bad("S2SL0=3", { S2SL0: 3n }),
  bad("S2TG=3", { S2TG: 3n }),
  bad("S2ENDI=1 on a little-endian SMMU", { S2ENDI: 1n }),
  bad("S2S=1 without stalling", { S2S: 1n }),
  bad("S2T0SZ=40", { S2T0SZ: 40n }),
  bad("S2T0SZ=15", { S2T0SZ: 15n }),
  bad("an input size above OAS", { S2T0SZ: 16n, S2SL0: 2n }),
  bad("S2TTB beyond S2PS", { S2PS: "40", S2TTB: 1n << 40n }),
  bad("an input size that needs more than 16 root tables", { S2SL0: 0n }),
  differing("an input size too small for S2SL0 is C_BAD_STE", [...stage2({ S2T0SZ: 34n }, [[0x3456_7000n, leaf2(DATA)]]), read(0x3456_7000n)], ["C_BAD_STE sid 0x18"], ["pa 0x41003000"]),
  differing("S2HA=1 without HTTU is C_BAD_STE", [...stage2({ S2HA: 1n }), read(VA)], ["C_BAD_STE sid 0x18"], ["pa 0x41003000"]),
  differing("bits 55:48 of S2TTB count, too", [...stage2({ S2TTB: (1n << 52n) | STAGE_2_ROOT }), read(VA)], ["C_BAD_STE sid 0x18"], ["pa 0x41003000"]),
  differing("S1STALLD is ignored without stage 1", [...stage2({ S1STALLD: 1n }), read(VA)], ["pa 0x41003000"], ["C_BAD_STE sid 0x18"]),
  differing("S1CDMax is ignored without stage 1", [...stage2({ S1CDMax: 1n }), read(VA)], ["pa 0x41003000"], ["C_BAD_STE sid 0x18"]),
  differing("S2AA64=0 without AArch32 tables is C_BAD_STE", [...stage2({ S2AA64: 0n }), read(VA)], ["C_BAD_STE sid 0x18"], "dies"),
];

export const stage2Walks: readonly Scenario[] = [...leaves, ...faults, ...shapes, ...legality];
