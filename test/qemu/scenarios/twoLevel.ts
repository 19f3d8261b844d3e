/** Stream tables of two levels. */
import { L1Std } from "../../../specs/smmuv3/l1std.ts";
import { StrtabBaseCfg } from "../../../specs/smmuv3/registers.ts";
import { bootWith, disable, enable, entry, HOLE, read, register, store, STREAM_TABLE, STREAM_TABLE_2, type Steps } from "./building.ts";
import { agreed, differing, type Scenario } from "./scenario.ts";

const cfg = StrtabBaseCfg.encode({ FMT: "twoLevel", SPLIT: 8n, LOG2SIZE: 16n })[0]!;
/** 2^16 streams, 2^8 to a second level, of which the first has one. */
const twoLevel = (span: bigint, pointer = STREAM_TABLE_2, config = cfg): Steps => [
  ...bootWith({ config }),
  store(STREAM_TABLE, L1Std.encode({ Span: span, L2Ptr: pointer })[0]!),
];
const bypass = entry({ Config: "bypass" }, 0x18, STREAM_TABLE_2);
const asking = read(0x4100_1000n);

export const twoLevelTables: readonly Scenario[] = [
  agreed("an entry in a second level", [...twoLevel(9n), ...bypass, asking], ["pa 0x41001000"]),
  agreed("Span=0 is C_BAD_STREAMID", [...twoLevel(0n), ...bypass, asking], ["C_BAD_STREAMID sid 0x18"]),
  differing("a stream beyond 2^(Span-1) is C_BAD_STREAMID", [...twoLevel(5n), ...bypass, asking], ["C_BAD_STREAMID sid 0x18"], ["pa 0x41001000"]),
  differing("a stream beyond 2^Span is C_BAD_STREAMID", [...twoLevel(4n), ...bypass, asking], ["C_BAD_STREAMID sid 0x18"], ["C_BAD_STE sid 0x18"]),
  differing("a reserved Span is as 0", [...twoLevel(12n), ...bypass, asking], ["C_BAD_STREAMID sid 0x18"], ["pa 0x41001000"]),
  differing("a Span above SPLIT+1 is C_BAD_STREAMID", [...twoLevel(11n), ...bypass, asking], ["C_BAD_STREAMID sid 0x18"], ["pa 0x41001000"]),
  differing(
    "a reserved SPLIT is as 6",
    [...twoLevel(7n, STREAM_TABLE_2, StrtabBaseCfg.encode({ FMT: "twoLevel", SPLIT: 4n, LOG2SIZE: 16n })[0]), ...bypass, asking],
    ["pa 0x41001000"],
    ["C_BAD_STREAMID sid 0x18"],
  ),
  differing("L2Ptr is aligned to the table's size", [...twoLevel(9n, STREAM_TABLE_2 + 0x40n), ...bypass, asking], ["pa 0x41001000"], ["C_BAD_STE sid 0x18"]),
  differing(
    "the base of a two-level table is aligned to the first level's size",
    [...bootWith({ config: cfg, base: STREAM_TABLE + 0x400n }), store(STREAM_TABLE, L1Std.encode({ Span: 9n, L2Ptr: STREAM_TABLE_2 })[0]!), ...bypass, asking],
    ["pa 0x41001000"],
    ["C_BAD_STREAMID sid 0x18"],
  ),
  agreed("a second level in a hole is F_STE_FETCH", [...twoLevel(9n, HOLE), asking], ["F_STE_FETCH sid 0x18 fetch 0x80000000600"]),
  differing(
    "a table is linear again once FMT=0",
    [...twoLevel(9n), disable, register("STRTAB_BASE_CFG", 6n), enable, ...entry({ Config: "bypass" }), store(STREAM_TABLE, 0n), asking],
    ["pa 0x41001000"],
    ["C_BAD_STREAMID sid 0x18"],
  ),
];
