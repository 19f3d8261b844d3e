/** Both stages: everything that stage 1 points at is an IPA. */
import { hex } from "../../../src/base/words.ts";
import { bare, block, boot, CONTEXT, type CdFields, contextFields, context, DATA, entry, HOLE, indexAt, leaf, leaf2, type Mapping, read, ROOT, type Shape, STAGE_2_ROOT, stage2Fields, type SteFields, type Steps, store, sync, TABLE_SPACING, tables, tlbi, VA, write } from "./building.ts";
import { agreed, differing, type Scenario } from "./scenario.ts";

/** IPAs are so much above what they stand for. */
export const SEEN = 0x1_0000_0000n;
const LEVEL_2 = ROOT + TABLE_SPACING;
const LEVEL_3 = LEVEL_2 + TABLE_SPACING;
const pages = { cd: CONTEXT, root: ROOT, level2: LEVEL_2, level3: LEVEL_3, data: DATA } as const;
type Page = keyof typeof pages;
const ipaOf = (page: Page): bigint => pages[page] + SEEN;

interface Nested {
  readonly ste?: SteFields;
  readonly cd?: CdFields;
  /** Stage-2 leaves by page, where they are not plain: undefined is a hole. */
  readonly second?: Readonly<Partial<Record<Page, bigint | undefined>>>;
  readonly first?: readonly Mapping[];
  readonly shape?: Shape;
  /** Further stage-2 leaves. */
  readonly more?: readonly Mapping[];
}
const nested = ({ ste = {}, cd = {}, second = {}, first = [[VA, leaf(ipaOf("data"))]], shape = {}, more = [] }: Nested = {}): Steps => {
  const names = Object.keys(pages) as Page[];
  const leaves = names.map((name): Mapping => [ipaOf(name), (Object.hasOwn(second, name) ? second[name] : leaf2(pages[name])) ?? 0n]);
  return [
    ...boot,
    ...entry({ Config: "nested", ...stage2Fields, S1ContextPtr: CONTEXT + SEEN, ...ste }),
    ...context({ ...contextFields, TTB0: ROOT + SEEN, ...cd }),
    ...tables(ROOT, first, { seenAt: SEEN, ...shape }),
    ...tables(STAGE_2_ROOT, [...leaves, ...more]),
  ];
};
/** Where the stage-2 descriptor of an IPA is, in the tables that `nested` makes: the first page of each 2 MiB makes its table. */
const placeOfData = (steps: Steps): bigint => {
  const found = steps.find((step) => step.kind === "store" && step.value === leaf2(DATA));
  if (found?.kind !== "store") throw new Error("no stage-2 leaf for the data");
  return found.addr;
};

const fault = (type: string, access: string, flags: string, ipa?: string): string => `${type} sid 0x18 ${access} ${flags} 0x1234567000${ipa === undefined ? "" : ` ipa ${ipa}`}`;
const hole = (page: Page): Nested => ({ second: { [page]: undefined } });

const walks: readonly Scenario[] = [
  agreed("both stages, read", [...nested(), read(VA)], ["pa 0x41003000"]),
  agreed("both stages, written", [...nested(), write(VA + 8n)], ["pa 0x41003008"]),
  agreed("a CD that stage 2 does not map is F_TRANSLATION of class CD", [...nested(hole("cd")), read(VA)], [fault("F_TRANSLATION", "read", "s2=1 CD", "0x140300000")]),
  agreed("a root that stage 2 does not map is F_TRANSLATION of class TT", [...nested(hole("root")), read(VA)], [fault("F_TRANSLATION", "read", "s2=1 TT", "0x140490000")]),
  differing(
    "a level-2 table that stage 2 does not map is F_TRANSLATION of stage 2 and class TT",
    [...nested(hole("level2")), read(VA)],
    [fault("F_TRANSLATION", "read", "s2=1 TT", "0x1404a0000")],
    [fault("F_TRANSLATION", "read", "s2=0 TT", "0x1404a0000")],
  ),
  differing(
    "a level-3 table that stage 2 does not map is F_TRANSLATION of stage 2 and class TT",
    [...nested(hole("level3")), read(VA)],
    [fault("F_TRANSLATION", "read", "s2=1 TT", "0x1404b0000")],
    [fault("F_TRANSLATION", "read", "s2=0 TT", "0x1404b0000")],
  ),
  differing(
    "S2R decides whether a fault on a table is recorded, not CD.R",
    [...nested({ ...hole("level3"), cd: { R: 0n } }), read(VA)],
    [fault("F_TRANSLATION", "read", "s2=1 TT", "0x1404b0000")],
    ["abort"],
  ),
  differing("a fault of class CD tells the transaction's access", [...nested(hole("cd")), write(VA)], [fault("F_TRANSLATION", "write", "s2=1 CD", "0x140300000")], [fault("F_TRANSLATION", "read", "s2=1 CD", "0x140300000")]),
  differing(
    "S2PTW=1 keeps stage-1 tables out of Device memory",
    [...nested({ ste: { S2PTW: 1n }, second: { level2: leaf2(pages.level2, { MemAttr: "deviceNGnRnE" }) } }), read(VA)],
    [`${fault("F_PERMISSION", "read", "s2=1 TT", "0x1404a0000")} ttrnw`],
    ["pa 0x41003000"],
  ),
  differing(
    "a root that stage 2 lets no one read is F_PERMISSION of class TT",
    [...nested({ second: { root: leaf2(ROOT, { S2AP: "writeOnly" }) } }), read(VA)],
    [`${fault("F_PERMISSION", "read", "s2=1 TT", "0x140490000")} ttrnw`],
    [fault("F_PERMISSION", "read", "s2=1 TT", "0x140490000")],
  ),
  agreed("a CD that stage 2 lets no one read is F_PERMISSION of class CD", [...nested({ second: { cd: leaf2(CONTEXT, { S2AP: "writeOnly" }) } }), read(VA)], [fault("F_PERMISSION", "read", "s2=1 CD", "0x140300000")]),
  differing(
    "a CD beyond OAS is F_TRANSLATION of class CD, or C_BAD_STE",
    [...nested({ ste: { S1ContextPtr: 1n << 44n } }), read(VA)],
    [[fault("F_TRANSLATION", "read", "s2=1 CD", "0x100000000000"), "C_BAD_STE sid 0x18"]],
    ["abort"],
  ),
  agreed("a CD in a stage-2 hole whose table is in a hole is F_WALK_EABT of class CD", [...nested(), store(STAGE_2_ROOT + indexAt(ipaOf("cd"), 1) * 8n, HOLE | 3n), read(VA)], ["F_WALK_EABT sid 0x18 read s2=1 CD 0x1234567000 fetch 0x80000000008"]),
  differing(
    "a stage-2 table in a hole below a stage-1 table is F_WALK_EABT of stage 2 and class TT",
    [...nested({ more: [[0x1_5000_0000n, HOLE | 3n, 2]] }), store(LEVEL_2 + indexAt(VA, 2) * 8n, 0x1_5000_0000n | 3n), read(VA)],
    ["F_WALK_EABT sid 0x18 read s2=1 TT 0x1234567000 fetch 0x80000000000"],
    ["F_WALK_EABT sid 0x18 read s2=0 TT 0x1234567000 fetch 0x150000000"],
  ),
  agreed("a stage-1 table that stage 2 maps to a hole is F_WALK_EABT of stage 1", [...nested({ second: { level3: leaf2(HOLE) } }), read(VA)], [`F_WALK_EABT sid 0x18 read s2=0 TT 0x1234567000 fetch ${hex(HOLE + indexAt(VA, 3) * 8n)}`]),
  differing("a CD that stage 2 maps to a hole is F_CD_FETCH, with its physical address", [...nested({ second: { cd: leaf2(HOLE) } }), read(VA)], ["F_CD_FETCH sid 0x18 fetch 0x80000000000"], ["F_CD_FETCH sid 0x18 fetch 0x0 dw2=0x80000000000"]),
  agreed("an output of stage 1 beyond IPS is F_ADDR_SIZE of stage 1", [...nested({ cd: { IPS: "40" }, first: [[VA, leaf(1n << 40n)]] }), read(VA)], [fault("F_ADDR_SIZE", "read", "s2=0 IN")]),
  agreed("an output of stage 1 beyond S2T0SZ is F_TRANSLATION of stage 2", [...nested({ first: [[VA, leaf(1n << 39n)]] }), read(VA)], [fault("F_TRANSLATION", "read", "s2=1 IN", "0x8000000000")]),
  agreed("AF=0 in stage 2 is F_ACCESS of stage 2", [...nested({ second: { data: leaf2(DATA, { AF: 0n }) } }), read(VA)], [fault("F_ACCESS", "read", "s2=1 IN", "0x141003000")]),
  differing(
    "a write that hits the TLB and stage 2 refuses is F_PERMISSION of stage 2, with its IPA",
    [...nested({ second: { data: leaf2(DATA, { S2AP: "readOnly" }) } }), read(VA), write(VA)],
    ["pa 0x41003000", fault("F_PERMISSION", "write", "s2=1 IN", "0x141003000")],
    ["pa 0x41003000", fault("F_PERMISSION", "write", "s2=1 IN", "0x0")],
  ),
  differing(
    "a read that hits the TLB and stage 2 refuses is F_PERMISSION of stage 2",
    [...nested({ second: { data: leaf2(DATA, { S2AP: "writeOnly" }) } }), write(VA), read(VA)],
    ["pa 0x41003000", fault("F_PERMISSION", "read", "s2=1 IN", "0x141003000")],
    ["pa 0x41003000", "pa 0x41003000"],
  ),
  agreed("data that stage 2 does not map is F_TRANSLATION of class IN", [...nested(hole("data")), read(VA)], [fault("F_TRANSLATION", "read", "s2=1 IN", "0x141003000")]),
  agreed("with S2R=0 a fault of the CD is not recorded", [...nested({ ...hole("cd"), ste: { S2R: 0n } }), read(VA)], ["abort"]),
  agreed(
    "a write to what stage 2 has read-only is F_PERMISSION of stage 2",
    [...nested({ second: { data: leaf2(DATA, { S2AP: "readOnly" }) } }), write(VA)],
    [fault("F_PERMISSION", "write", "s2=1 IN", "0x141003000")],
  ),
  agreed("a write to what stage 1 has read-only is F_PERMISSION of stage 1", [...nested({ first: [[VA, leaf(ipaOf("data"), { AP: 3n })]] }), write(VA)], [fault("F_PERMISSION", "write", "s2=0 IN")]),
  differing(
    "a root that no access uses is not translated",
    [...nested({ cd: { EPD1: 0n, T1SZ: 25n, TG1: "4K", TTB1: 0x7f_0000_0000n } }), read(VA)],
    ["pa 0x41003000"],
    [fault("F_TRANSLATION", "read", "s2=1 TT", "0x7f00000000")],
  ),
];

/** Stage-1 tables of 64 KiB over stage-2 pages of 4 KiB: the page that holds the descriptor of VA lies elsewhere. */
const remapped = (): Steps => {
  const descriptor = LEVEL_2 + indexAt(VA, 3, 16) * 8n;
  const page = descriptor & ~0xfffn;
  const elsewhere = 0x40a0_0000n + (page & 0xffffn);
  const identical = (from: bigint, except?: bigint): Mapping[] => Array.from({ length: 16 }, (_, at) => from + BigInt(at) * 0x1000n).flatMap((at): Mapping[] => (at === except ? [] : [[at + SEEN, leaf2(at)]]));
  return [
    ...nested({
      cd: { TG0: "64K" },
      first: [[VA, leaf(0x4101_0000n + SEEN)]],
      shape: { granule: 16, start: 2 },
      more: [...identical(ROOT), ...identical(LEVEL_2, page), [page + SEEN, leaf2(elsewhere)], ...identical(0x4101_0000n), ...identical(0x4102_0000n)],
    }),
    store(elsewhere + (descriptor & 0xfffn), leaf(0x4102_0000n + SEEN)),
  ];
};

/** The root's page lies elsewhere now, where a block leads to other data. */
const OTHER_ROOT = 0x40b0_0000n;
const OTHER_DATA = 0x4100_8000n;
const withOtherRoot = (): Steps => {
  const before = nested({ more: [[SEEN + 0x4000_0000n + (VA & 0x3fff_f000n), leaf2(OTHER_DATA)]] });
  const place = before.find((step) => step.kind === "store" && step.value === leaf2(ROOT));
  if (place?.kind !== "store") throw new Error("no stage-2 leaf for the root");
  return [...before, store(OTHER_ROOT + indexAt(VA, 1) * 8n, block(SEEN + 0x4000_0000n)), read(VA), store(place.addr, leaf2(OTHER_ROOT)), bare("TLBI_NSNH_ALL"), sync, read(VA)];
};

const unmapped = nested();
const changing: readonly Scenario[] = [
  differing("what stage 2 makes of a root is a translation, which TLBI invalidates", withOtherRoot(), ["pa 0x41003000", "pa 0x41008000"], ["pa 0x41003000", "pa 0x41003000"]),
  differing("stage 2 translates the address of each descriptor, not of each table", [...remapped(), read(VA & ~0xffffn)], ["pa 0x41020000"], ["pa 0x41010000"]),
  differing(
    "what stage 2 no longer maps may be used until TLBI_S2_IPA and TLBI_NH_ALL",
    [...unmapped, read(VA), store(placeOfData(unmapped), 0n), read(VA), tlbi("TLBI_S2_IPA", { Address: ipaOf("data") }), read(VA), tlbi("TLBI_NH_ALL"), read(VA)],
    [
      "pa 0x41003000",
      ["pa 0x41003000", fault("F_TRANSLATION", "read", "s2=1 IN", "0x141003000")],
      ["pa 0x41003000", fault("F_TRANSLATION", "read", "s2=1 IN", "0x141003000")],
      fault("F_TRANSLATION", "read", "s2=1 IN", "0x141003000"),
    ],
    ["pa 0x41003000", "pa 0x41003000", "pa 0x41003000", fault("F_TRANSLATION", "read", "s2=1 IN", "0x141003000")],
  ),
];

export const nestedWalks: readonly Scenario[] = [...walks, ...changing];
