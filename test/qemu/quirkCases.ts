/**
 * For each quirk the smallest history where it shows: what the architecture has, and what comes of the quirk alone. QEMU
 * 10.0, which has all quirks, answers as the quirk alone does, where nothing else is said.
 */
import { iova, streamId } from "../../src/base/words.ts";
import type { HistoryStep } from "../../src/smmuv3/history.ts";
import type { Quirk } from "../../src/smmuv3/quirks.ts";
import {
  bare, block, boot, bootWith, cfgiAll, type CdFields, context, CONTEXT, contextFields, DATA, disable, enable, entry, HOLE, indexAt, inPage1, leaf, leaf2, type Mapping, read, register, ROOT, ROOT_UPPER, SID, stage1, stage2, STAGE_2_ROOT, stage2Fields,
  type SteFields, type Steps, store, STREAM_TABLE, STREAM_TABLE_2, sync, TABLE_SPACING, tables, tlbi, VA, write,
} from "./scenarios/building.ts";

export interface QuirkCase {
  readonly history: Steps;
  /** Lines of outcomes (outcomeLine.ts). */
  readonly architecture: readonly string[];
  readonly quirky: readonly string[];
  /** What QEMU answers, where that is not as lines of the model: more than one record of a transaction, or its end. */
  readonly qemu?: readonly string[] | "dies";
  /** It shows in what may be kept, not in what is kept as a rule: each line has all that an outcome may be, by "or". */
  readonly may?: true;
  /** Entries of the event queue, log2, where events shall stay in it. */
  readonly eventQueue?: number;
  /** Registers that differ afterwards. */
  readonly registers?: { readonly architecture: Values; readonly quirky: Values };
}
type Values = Readonly<Partial<Record<"CR0ACK" | "GERROR" | "EVENTQ_PROD", bigint>>>;

const showing = (history: Steps, architecture: readonly string[], quirky: readonly string[], rest: Partial<QuirkCase> = {}): QuirkCase => ({ history, architecture, quirky, ...rest });

const PASSED = "pa 0x41003000";
const OTHER = 0x4100_8000n;
const ELSEWHERE = "pa 0x41008000";
const BAD_STREAM = "C_BAD_STREAMID sid 0x18";
const BAD_ENTRY = "C_BAD_STE sid 0x18";
const WIDE = 1n << 44n;
const fault = (type: string, rest = "read s2=0 IN", address = VA): string => `${type} sid 0x18 ${rest} 0x${address.toString(16)}`;
const bypass = { Config: "bypass" } as const satisfies SteFields;

/** A stream table of two levels: the first level-1 descriptor, and the entry as if the second level were at `table`. */
const twoLevel = (config: bigint, descriptor: bigint, table: bigint): Steps => [...bootWith({ config }), store(STREAM_TABLE, descriptor), ...entry(bypass, SID, table), read(DATA)];

const LEVEL_2 = ROOT + TABLE_SPACING;
const LEVEL_3 = LEVEL_2 + TABLE_SPACING;
/** Both stages; IPAs are what they stand for. Stage 2 maps what stage 1 is made of, and `second` says what otherwise. */
const nested = (second: readonly Mapping[] = [], ste: SteFields = {}, cd: CdFields = {}): Steps => [
  ...boot,
  ...entry({ Config: "nested", ...stage2Fields, S1ContextPtr: CONTEXT, ...ste }),
  ...context({ ...contextFields, ...cd }),
  ...tables(ROOT, [[VA, leaf(DATA)]]),
  ...tables(STAGE_2_ROOT, [...[CONTEXT, ROOT, LEVEL_2, LEVEL_3, DATA].map((page): Mapping => [page, leaf2(page)]), ...second]),
];
/** Stage-1 tables of 64 KiB over stage-2 pages of 4 KiB: the page with the level-3 descriptor is elsewhere. */
const scattered = (): Steps => {
  const place = LEVEL_2 + indexAt(VA, 3, 16) * 8n;
  const page = place & ~0xfffn;
  const elsewhere = 0x40a0_0000n;
  const around = (from: bigint): Mapping[] => Array.from({ length: 16 }, (_, at) => from + BigInt(at) * 0x1000n).filter((at) => at !== page).map((at): Mapping => [at, leaf2(at)]);
  return [
    ...boot,
    ...entry({ Config: "nested", ...stage2Fields, S1ContextPtr: CONTEXT }),
    ...context({ ...contextFields, TG0: "64K" }),
    ...tables(ROOT, [[VA, leaf(DATA & ~0xffffn)]], { granule: 16, start: 2 }),
    ...tables(STAGE_2_ROOT, [[CONTEXT, leaf2(CONTEXT)], [page, leaf2(elsewhere)], ...[ROOT, LEVEL_2, DATA & ~0xffffn, 0x4102_0000n].flatMap(around)]),
    store(elsewhere + (place & 0xfffn), leaf(0x4102_0000n)),
    read((VA & ~0xffffn) + 0x3000n),
  ];
};

const ofRegisters = {
  registersAlwaysWritable: showing([...bootWith({ base: STREAM_TABLE_2 }), ...entry(bypass), register("STRTAB_BASE", STREAM_TABLE, 8), read(DATA)], [BAD_ENTRY], [PASSED]),
  wideWritesOfBasesOnly: showing([register("CR2", 2n), register("STRTAB_BASE", STREAM_TABLE, 8), register("STRTAB_BASE_CFG", 6n, 8), enable, ...entry(bypass), read(DATA)], [PASSED], [BAD_STREAM]),
  pagesAliased: showing([register("STRTAB_BASE", STREAM_TABLE, 8), register("STRTAB_BASE_CFG", 6n), inPage1(enable), read(DATA)], [PASSED], [BAD_ENTRY]),
  reservedAcknowledged: showing([register("CR0", 0x20cn)], [], [], { registers: { architecture: { CR0ACK: 0xcn }, quirky: { CR0ACK: 0x20cn } } }),
  formatSticks: showing([register("STRTAB_BASE_CFG", 0x1_0206n), ...boot, ...entry(bypass), read(DATA)], [PASSED], [BAD_STREAM]),
  // Of SPLIT=4 the second level-1 descriptor, of SPLIT=6 the first.
  splitUnchecked: showing(twoLevel(0x1_0106n, STREAM_TABLE_2 | 7n, STREAM_TABLE_2), [PASSED], [BAD_STREAM]),
  badStreamRecorded: showing([...bootWith({ config: 4n, CR2: 0n }), read(DATA)], ["abort"], [BAD_STREAM]),
  basesBeyondOutput: showing([...bootWith({ base: (1n << 47n) | STREAM_TABLE }), ...entry(bypass), read(DATA)], [PASSED], ["F_STE_FETCH sid 0x18 fetch 0x800042000600"]),
  streamTableHalfAligned: showing([...bootWith({ base: STREAM_TABLE + 0x800n }), ...entry(bypass, SID, STREAM_TABLE + 0x800n), read(DATA)], [BAD_ENTRY], [PASSED]),
  // Span=5: 16 entries, or 32.
  spanDoubled: showing(twoLevel(0x1_0206n, STREAM_TABLE_2 | 5n, STREAM_TABLE_2), [BAD_STREAM], [PASSED]),
  level2Unaligned: showing(twoLevel(0x1_0186n, (STREAM_TABLE_2 + 0x40n) | 7n, STREAM_TABLE_2 + 0x40n), [BAD_ENTRY], [PASSED]),
  bypassUnchecked: showing([...boot, ...entry(bypass), read(WIDE)], [fault("F_ADDR_SIZE", "read s2=0 IN", WIDE)], ["pa 0x100000000000"]),
} satisfies Partial<Record<Quirk, QuirkCase>>;

const ofEntries = {
  stage1FieldsChecked: showing([...stage2({ S1STALLD: 1n }), read(VA)], [PASSED], [BAD_ENTRY]),
  inputWithinOutput: showing([...stage2({ S2PS: "40", S2T0SZ: 20n, S2SL0: 2n }, [[VA, leaf2(DATA)]], { start: 0 }), read(VA)], [PASSED], [BAD_ENTRY]),
  hardwareUpdateIgnored: showing([...stage2({ S2HA: 1n }), read(VA)], [BAD_ENTRY], [PASSED]),
  rootOf48Bits: showing([...stage2({ S2TTB: (1n << 48n) | STAGE_2_ROOT }), read(VA)], [BAD_ENTRY], [PASSED]),
  // 30 bits of input from level 1: one entry, a block.
  smallInputAccepted: showing([...stage2({ S2T0SZ: 34n }, [[0n, leaf2(0x4000_0000n, { Type: "block" }), 1]]), read(0x100_3000n)], [BAD_ENTRY], [PASSED]),
  protectedWalkIgnored: showing(
    [...nested([[LEVEL_2, leaf2(LEVEL_2, { MemAttr: "deviceNGnRnE" })]], { S2PTW: 1n }), read(VA)],
    [`${fault("F_PERMISSION", "read s2=1 TT")} ipa 0x404a0000 ttrnw`],
    [PASSED],
  ),
  wideInputSilent: showing([...stage2(), read(WIDE)], [fault("F_ADDR_SIZE", "read s2=0 IN", WIDE)], ["abort"]),
  contextPointerUnchecked: showing([...nested([], { S1ContextPtr: WIDE }), read(VA)], [BAD_ENTRY], ["abort"]),
} satisfies Partial<Record<Quirk, QuirkCase>>;

const UPPER = 0xffff_ffff_ffdf_f000n;
const UPPER_TAGGED = 0xa5ff_ffff_ffdf_f000n;
const upper = { EPD1: 0n, T1SZ: 25n, TG1: "4K" } as const satisfies CdFields;
const ofContexts = {
  contextFetchAddressMoved: showing([...boot, ...entry({ Config: "s1", S1ContextPtr: HOLE }), read(VA)], ["F_CD_FETCH sid 0x18 fetch 0x80000000000"], ["F_CD_FETCH sid 0x18 fetch 0x0 dw2=0x80000000000"]),
  endsItself: showing([...stage1({ IPS: "52" }), read(VA)], [PASSED], ["unsupported"], { qemu: "dies" }),
  upperTagFollowsLower: showing([...stage1({ ...upper, TBI0: 1n, TTB1: ROOT_UPPER }), ...tables(ROOT_UPPER, [[UPPER & ((1n << 39n) - 1n), leaf(DATA)]]), read(UPPER_TAGGED)], [fault("F_TRANSLATION", "read s2=0 IN", UPPER_TAGGED)], [PASSED]),
  rootsTranslatedAtConfiguration: showing([...nested([], {}, { ...upper, TTB1: 0x7f_0000_0000n }), read(VA)], [PASSED], [`${fault("F_TRANSLATION", "read s2=1 TT")} ipa 0x7f00000000`]),
  tablePageTranslatedOnce: showing(scattered(), ["pa 0x41023000"], [PASSED]),
  tableFaultAsStage1: showing([...nested([[LEVEL_3, 0n]]), read(VA)], [`${fault("F_TRANSLATION", "read s2=1 TT")} ipa 0x404b0000`], [`${fault("F_TRANSLATION", "read s2=0 TT")} ipa 0x404b0000`]),
  tableAccessUntold: showing(
    [...nested([[ROOT, leaf2(ROOT, { S2AP: "writeOnly" })]]), read(VA)],
    [`${fault("F_PERMISSION", "read s2=1 TT")} ipa 0x40490000 ttrnw`],
    [`${fault("F_PERMISSION", "read s2=1 TT")} ipa 0x40490000`],
  ),
  tableFetchReads: showing([...nested([[CONTEXT, 0n]]), write(VA)], [`${fault("F_TRANSLATION", "write s2=1 CD")} ipa 0x40300000`], [`${fault("F_TRANSLATION", "read s2=1 CD")} ipa 0x40300000`]),
} satisfies Partial<Record<Quirk, QuirkCase>>;

const READ_ONLY_TABLES = { tableBits: 1n << 62n } as const;
const UNMAPPED = VA + 0x1678n;
const ofWalks = {
  tableRightsAtOnce: showing([...stage1({}, [[VA, 0n]], READ_ONLY_TABLES), write(VA)], [fault("F_TRANSLATION", "write s2=0 IN")], [fault("F_PERMISSION", "write s2=0 IN")]),
  tableRightsNotKept: showing([...stage1({}, [[VA, leaf(DATA)]], READ_ONLY_TABLES), read(VA), write(VA)], [PASSED, fault("F_PERMISSION", "write s2=0 IN")], [PASSED, PASSED]),
  privilegedDataOnly: showing([...stage1({}, [[VA, leaf(DATA, { AP: 0n })]]), read(VA)], [fault("F_PERMISSION")], [PASSED]),
  addressSizeLast: showing([...stage2({ S2PS: "40" }, [[VA, leaf2(1n << 40n, { AF: 0n })]]), read(VA)], [`${fault("F_ADDR_SIZE", "read s2=1 IN")} ipa 0x1234567000`], [`${fault("F_ACCESS", "read s2=1 IN")} ipa 0x1234567000`]),
  blockAnywhere: showing([...stage1({ T0SZ: 16n }, [[DATA, block(0n), 0]], { start: 0 }), read(DATA)], [fault("F_TRANSLATION", "read s2=0 IN", DATA)], [PASSED]),
  concatenationIgnored: showing([...stage2({ S2T0SZ: 24n }, [[VA, leaf2(DATA)], [(1n << 39n) | VA, leaf2(OTHER)]], { concatenated: 2 }), read((1n << 39n) | VA)], [ELSEWHERE], [PASSED]),
  faultAddressWhole: showing([...stage2(), read(UNMAPPED)], [`${fault("F_TRANSLATION", "read s2=1 IN", UNMAPPED)} ipa 0x1234568000`], [`${fault("F_TRANSLATION", "read s2=1 IN", UNMAPPED)} ipa 0x1234568678`]),
} satisfies Partial<Record<Quirk, QuirkCase>>;

const NEIGHBOUR = 0x10;
const PLACE = ROOT + 2n * TABLE_SPACING + indexAt(VA, 3) * 8n;
const TAGGED = VA | (0x5an << 56n);
const ofCaches = {
  hitReadsUnchecked: showing([...nested([[DATA, leaf2(DATA, { S2AP: "writeOnly" })]]), write(VA), read(VA)], [PASSED, `${fault("F_PERMISSION", "read s2=1 IN")} ipa 0x41003000`], [PASSED, PASSED]),
  hitWritesAsStage1: showing([...stage2({}, [[VA, leaf2(DATA, { S2AP: "readOnly" })]]), read(VA), write(VA)], [PASSED, `${fault("F_PERMISSION", "write s2=1 IN")} ipa 0x1234567000`], [PASSED, "abort"]),
  hitFaultWithoutAddress: showing(
    [...nested([[DATA, leaf2(DATA, { S2AP: "readOnly" })]]), read(VA), write(VA)],
    [PASSED, `${fault("F_PERMISSION", "write s2=1 IN")} ipa 0x41003000`],
    [PASSED, `${fault("F_PERMISSION", "write s2=1 IN")} ipa 0x0`],
  ),
  stage1HitFinal: showing(
    [...nested([[DATA, 0n]]), ...entry({ Config: "s1", S1ContextPtr: CONTEXT }, NEIGHBOUR), read(VA, NEIGHBOUR), read(VA)],
    [PASSED, `${fault("F_TRANSLATION", "read s2=1 IN")} ipa 0x41003000`],
    [PASSED, PASSED],
  ),
  globalsTagged: showing(
    [...stage1({}, [[VA, leaf(DATA, { nG: 0n })]]), read(VA), store(PLACE, leaf(OTHER, { nG: 0n })), tlbi("TLBI_NH_VA", { ASID: 6n, Address: VA }), sync, read(VA)],
    [PASSED, ELSEWHERE],
    [PASSED, PASSED],
  ),
  tagKept: showing([...stage1({ TBI0: 1n }), read(TAGGED), store(PLACE, leaf(OTHER)), tlbi("TLBI_NH_VA", { ASID: 5n, Address: VA }), sync, read(TAGGED)], [PASSED, ELSEWHERE], [PASSED, PASSED]),
} satisfies Partial<Record<Quirk, QuirkCase>>;

/** 15 of 16 pages are mapped, each marked as one of all 16. */
const FIRST = VA & ~0xffffn;
const LAST = FIRST + 0xf000n;
const joined = Array.from({ length: 15 }, (_, at): Mapping => [FIRST + BigInt(at) * 0x1000n, leaf(0x4101_0000n + BigInt(at) * 0x1000n, { upper: 1n })]);
const ofChoices = {
  contiguousIgnored: showing(
    [...stage1({}, joined), cfgiAll, tlbi("TLBI_NSNH_ALL"), sync, read(FIRST), read(LAST)],
    ["pa 0x41010000", `${fault("F_TRANSLATION", "read s2=0 IN", LAST)} or pa 0x4101f000`],
    ["pa 0x41010000", fault("F_TRANSLATION", "read s2=0 IN", LAST)],
    { may: true },
  ),
} satisfies Partial<Record<Quirk, QuirkCase>>;

const unmapped = fault("F_TRANSLATION", "read s2=0 IN", UNMAPPED & ~7n);
const eightBytes: HistoryStep = { kind: "transaction", transaction: { sid: streamId(SID), op: "read", iova: iova(UNMAPPED & ~7n), size: 8 } };
const ofQueues = {
  illegalCommandsAccepted: showing([bare("TLBI_EL2_ALL"), disable], ["cerror 0x1"], []),
  overflowAsAbort: showing([...stage1(), read(UNMAPPED & ~7n), read(UNMAPPED & ~7n)], [unmapped, "abort"], [unmapped, "abort"], {
    eventQueue: 0,
    registers: { architecture: { EVENTQ_PROD: 0x8000_0001n, GERROR: 0n }, quirky: { EVENTQ_PROD: 1n, GERROR: 4n } },
  }),
  eventPerWord: showing([...stage1(), eightBytes], [unmapped], [unmapped], {
    qemu: [`${unmapped} + ${fault("F_TRANSLATION", "read s2=0 IN", (UNMAPPED & ~7n) + 4n)}`],
    eventQueue: 5,
    registers: { architecture: { EVENTQ_PROD: 1n, GERROR: 0n }, quirky: { EVENTQ_PROD: 2n, GERROR: 0n } },
  }),
} satisfies Partial<Record<Quirk, QuirkCase>>;

export const quirkCases = { ...ofRegisters, ...ofEntries, ...ofContexts, ...ofWalks, ...ofCaches, ...ofChoices, ...ofQueues } satisfies Record<Quirk, QuirkCase>;
