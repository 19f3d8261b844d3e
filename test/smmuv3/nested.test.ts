/**
 * Both stages: the order of faults of IHI 0070 section 7.3.22, whose items are made to happen one by one, each alone and
 * each together with all later ones; what the records say (section 7.3); S2PTW; and hardware updates (section 3.13).
 */
import { describe, expect, it } from "vitest";
import { Event } from "../../specs/smmuv3/event.ts";
import { streamId } from "../../src/base/words.ts";
import { AF, ask, brief, cd, enabled, memory, put, s1, s2, SID, STREAM_TABLE, storeCd, storeSte, type Values } from "./tables.ts";

/** What stage 2 maps: the page of the CD, three tables of stage 1 (39 bits from level 1), and the data. */
const PAGES = ["CD", "T1", "T2", "T3", "IN"] as const;
type PageName = (typeof PAGES)[number];
const numberOf = (page: PageName): bigint => BigInt(PAGES.indexOf(page));
/** Each page has its own index at every level of stage 2, and its own tables there. */
const ipaOf = (page: PageName): bigint => ((numberOf(page) + 1n) << 30n) | ((numberOf(page) + 11n) << 21n) | ((numberOf(page) + 21n) << 12n);
const paOf = (page: PageName): bigint => 0xc000_0000n + numberOf(page) * 0x1_0000n;
const ROOT2 = 0xa000_0000n;
const level2 = (page: PageName): bigint => 0xa010_0000n + numberOf(page) * 0x1000n;
const level3 = (page: PageName): bigint => 0xa020_0000n + numberOf(page) * 0x1000n;
const leafAt = (page: PageName): bigint => level3(page) + 8n * (numberOf(page) + 21n);

const VA = (7n << 30n) | (8n << 21n) | (9n << 12n) | 0x40n;
const TABLES = ["T1", "T2", "T3"] as const;
const OFFSETS = { CD: 64n, T1: 8n * 7n, T2: 8n * 8n, T3: 8n * 9n, IN: 0x40n } as const;
const SSID = 1;
const NORMAL = (0xfn << 2n) | (3n << 8n);
const LEAF2 = NORMAL | AF | (3n << 6n) | 3n;
const LEAF1 = AF | (1n << 6n) | 3n;

/** What is wrong: of pages, of tables of stage 1, and of the rest. */
interface Spec {
  readonly wrong: Set<string>;
  ste: Values;
  cd: Values;
  readonly leaf2: Partial<Record<PageName, bigint>>;
  leaf1: bigint;
}
const spec = (change: Partial<Omit<Spec, "wrong">> = {}, ...wrong: readonly string[]): Spec => ({ ste: {}, cd: {}, leaf2: {}, leaf1: LEAF1, ...change, wrong: new Set(wrong) });
const BEYOND_INPUT = 1n << 41n;
const BEYOND_OUTPUT = 1n << 45n;

const pointer = ({ wrong }: Spec, page: PageName): bigint => (wrong.has(`${page} a`) ? BEYOND_INPUT : ipaOf(page));
const build = (made: Spec) => {
  const { wrong } = made;
  const store = memory();
  const ste: Values = { ...s2, ...s1, Config: 7n, S2PS: 4n, S2TTB: ROOT2, S1CDMax: 2n, S1ContextPtr: pointer(made, "CD"), S1DSS: wrong.has("F_STREAM_DISABLED") ? 2n : 0n, ...made.ste };
  storeSte(store, { ...ste, ...(wrong.has("C_BAD_STE") ? { V: 0n } : {}) });
  storeCd(store, { ...cd, T0SZ: 25n, IPS: 4n, TTB0: pointer(made, "T1"), ...made.cd, ...(wrong.has("C_BAD_CD") ? { V: 0n } : {}) }, paOf("CD") + OFFSETS.CD);
  for (const page of PAGES) {
    put(store, ROOT2 + 8n * (ipaOf(page) >> 30n), [level2(page) | 3n]);
    put(store, level2(page) + 8n * ((ipaOf(page) >> 21n) & 511n), [level3(page) | 3n]);
    const leaf = (made.leaf2[page] ?? LEAF2) & ~(wrong.has(`${page} e`) ? AF : 0n) & ~(wrong.has(`${page} f`) ? 3n << 6n : 0n);
    put(store, leafAt(page), [wrong.has(`${page} c`) ? 0n : leaf | paOf(page) | (wrong.has(`${page} d`) ? BEYOND_OUTPUT : 0n)]);
    if (wrong.has(`${page} b`)) store.holes.add(level2(page) >> 12n);
    if (wrong.has(`${page} fetch`)) store.holes.add(paOf(page) >> 12n);
  }
  for (const [at, table] of TABLES.entries()) {
    const next = pointer(made, ([...TABLES.slice(1), "IN"] as const)[at]!) | (wrong.has(`${table} size`) ? BEYOND_OUTPUT : 0n);
    const attributes = table === "T3" ? made.leaf1 & ~(wrong.has("S1 access") ? AF : 0n) & ~(wrong.has("S1 permission") ? 1n << 6n : 0n) : 3n;
    put(store, paOf(table) + OFFSETS[table], [wrong.has(`${table} invalid`) ? 0n : next | attributes]);
  }
  if (wrong.has("F_STE_FETCH")) store.holes.add(STREAM_TABLE >> 12n);
  return store;
};
const play = (made: Spec, op: "read" | "write", rest: Parameters<typeof ask>[3] = {}) => {
  const { wrong } = made;
  const ssid = wrong.has("C_BAD_SUBSTREAMID") ? 4 : wrong.has("F_STREAM_DISABLED") ? 0 : SSID;
  const sid = streamId(wrong.has("C_BAD_STREAMID") ? 64 : SID);
  return ask(build(made), enabled(), wrong.has("S1 range") ? VA | (1n << 39n) : VA, { op, sid, ssid, ...rest });
};

/** The items in the text's order, each with what it is told as; FLAGS stands for the transaction's own attributes. */
const hex = (value: bigint): string => `0x${value.toString(16)}`;
const stage2Items = (page: PageName): (readonly [string, string])[] => {
  const what = page === "CD" || page === "IN" ? page : "TT";
  const of = (type: string, address = ipaOf(page)): string => `${type} FLAGS s2 ${what} ${hex(VA)} ipa ${hex(address)}`;
  const entry = level2(page) + 8n * ((ipaOf(page) >> 21n) & 511n);
  return [
    [`${page} a`, of("F_TRANSLATION", BEYOND_INPUT)],
    [`${page} b`, `F_WALK_EABT FLAGS s2 ${what} ${hex(VA)} at ${hex(entry)}`],
    [`${page} c`, of("F_TRANSLATION")],
    [`${page} d`, of("F_ADDR_SIZE")],
    [`${page} e`, of("F_ACCESS")],
    [`${page} f`, of("F_PERMISSION")],
  ];
};
const stage1 = (type: string, address = VA): string => `${type} FLAGS s1 IN ${hex(address)}`;
const items: readonly (readonly [string, string])[] = [
  ["C_BAD_STREAMID", "C_BAD_STREAMID"],
  ["F_STE_FETCH", `F_STE_FETCH at ${hex(STREAM_TABLE + BigInt(SID) * 64n)}`],
  ["C_BAD_STE", "C_BAD_STE"],
  ["C_BAD_SUBSTREAMID", "C_BAD_SUBSTREAMID"],
  ["F_STREAM_DISABLED", "F_STREAM_DISABLED"],
  ...stage2Items("CD"),
  ["CD fetch", `F_CD_FETCH at ${hex(paOf("CD") + OFFSETS.CD)}`],
  ["C_BAD_CD", "C_BAD_CD"],
  ["S1 range", stage1("F_TRANSLATION", VA | (1n << 39n))],
  ...TABLES.flatMap((table) => [
    ...stage2Items(table),
    [`${table} fetch`, `F_WALK_EABT FLAGS s1 TT ${hex(VA)} at ${hex(paOf(table) + OFFSETS[table])}`] as const,
    [`${table} invalid`, stage1("F_TRANSLATION")] as const,
    [`${table} size`, stage1("F_ADDR_SIZE")] as const,
  ]),
  ["S1 access", stage1("F_ACCESS")],
  ["S1 permission", stage1("F_PERMISSION")],
  ...stage2Items("IN"),
];

describe("the order of faults (IHI 0070 section 7.3.22)", () => {
  it("nothing wrong: the data", () => expect(brief(play(spec(), "write"))).toBe(`pa ${hex(paOf("IN") + OFFSETS.IN)}`));
  it.each(items.map(([name, expected], at) => [name, expected, at] as const))("%s", (name, expected, at) => {
    for (const op of ["read", "write"] as const) {
      const flags = op === "read" ? "RUD" : "WUD";
      expect(brief(play(spec({}, name), op))).toBe(expected.replace("FLAGS", flags));
      const later = items.slice(at).map(([other]) => other);
      // The address of the transaction is part of what is wrong.
      const address = later.includes("S1 range") ? hex(VA | (1n << 39n)) : hex(VA);
      expect(brief(play(spec({}, ...later), op)), "with all later ones").toBe(expected.replace("FLAGS", flags).replace(hex(VA), address));
    }
  });
  it("level by level: what a table of stage 2 says comes before the fetch of the next", () => {
    const made = spec();
    const store = build(made);
    put(store, level2("IN") + 8n * ((ipaOf("IN") >> 21n) & 511n), [BEYOND_OUTPUT | 3n]);
    store.holes.add(level3("IN") >> 12n);
    expect(brief(ask(store, enabled(), VA, { ssid: SSID }))).toBe(`F_ADDR_SIZE RUD s2 IN ${hex(VA)} ipa ${hex(ipaOf("IN"))}`);
    put(store, level2("IN") + 8n * ((ipaOf("IN") >> 21n) & 511n), [0n]);
    expect(brief(ask(store, enabled(), VA, { ssid: SSID }))).toBe(`F_TRANSLATION RUD s2 IN ${hex(VA)} ipa ${hex(ipaOf("IN"))}`);
  });
  it("records of stage-2 faults carry the substream, and the privilege after the STE's overrides", () => {
    const told = play(spec({ ste: { PRIVCFG: 3n } }, "T2 c"), "read");
    expect(told).toMatchObject({ result: "abort", event: { ssid: SSID } });
    if (told.result === "abort") expect(Event.decode(told.event!.raw)).toMatchObject({ SSV: 1n, SSID: 1n, PnU: 1n, InD: 0n, S2: 1n, CLASS: "TT", IPA: ipaOf("T2") });
  });
  it("S2R and S2S, not the CD, decide about stage-2 faults of every class", () => {
    for (const page of PAGES) {
      expect(brief(play(spec({ ste: { S2R: 0n }, cd: { S: 1n } }, `${page} c`), "read"))).toBe("abort");
      expect(brief(play(spec({ ste: { S2S: 1n }, cd: { R: 0n, A: 0n } }, `${page} c`), "read"))).toMatch(/^stall F_TRANSLATION/u);
    }
    expect(brief(play(spec({ ste: { S2R: 0n }, cd: { A: 0n } }, "IN b"), "read"))).toMatch(/^F_WALK_EABT/u);
  });
});

describe("stage-1 structures behind stage 2", () => {
  it("an entry of a table larger than a stage-2 page is translated by its own address", () => {
    const store = build(spec());
    // 64 KiB granule, 42 bits: one root table of 16 pages of stage 2, of which the last one alone is mapped.
    storeCd(store, { ...cd, T0SZ: 22n, TG0: 1n, IPS: 4n, TTB0: 0x12_3450_0000n & ~0xffffn }, paOf("CD") + OFFSETS.CD);
    const entry = (0x12_3450_0000n & ~0xffffn) + 8n * 8191n;
    put(store, ROOT2 + 8n * (entry >> 30n), [0xa030_0000n | 3n]);
    put(store, 0xa030_0000n + 8n * ((entry >> 21n) & 511n), [0xa030_1000n | 3n]);
    put(store, 0xa030_1000n + 8n * ((entry >> 12n) & 511n), [0xd000_0000n | LEAF2]);
    put(store, 0xd000_0000n + (entry & 0xfffn), [(ipaOf("IN") & ~((1n << 29n) - 1n)) | (LEAF1 & ~2n)]);
    const address = (8191n << 29n) | (ipaOf("IN") & ((1n << 29n) - 1n));
    expect(brief(ask(store, enabled(), address, { ssid: SSID }))).toBe(`pa ${hex(paOf("IN"))}`);
    put(store, 0xa030_1000n + 8n * ((entry >> 12n) & 511n), [0n]);
    expect(brief(ask(store, enabled(), address, { ssid: SSID }))).toBe(`F_TRANSLATION RUD s2 TT ${hex(address)} ipa ${hex(entry & ~0xfffn)}`);
  });
  it("S2PTW: CDs and stage-1 tables may not lie in Device memory; data may", () => {
    for (const page of PAGES)
      for (const memoryType of [0n, 1n, 2n, 3n, 5n, 15n]) {
        const leaf2 = { [page]: (LEAF2 & ~(0xfn << 2n)) | (memoryType << 2n) };
        const refused = memoryType < 4n && page !== "IN";
        const ok = `pa ${hex(paOf("IN") + OFFSETS.IN)}`;
        expect(brief(play(spec({ leaf2, ste: { S2PTW: 1n } }), "read"))).toBe(refused ? `F_PERMISSION RUD s2 ${page === "CD" ? "CD" : "TT"} ${hex(VA)} ipa ${hex(ipaOf(page))}` : ok);
        expect(brief(play(spec({ leaf2 }), "read"))).toBe(ok);
      }
  });
  it("a table is read as data: write-only and execute-only pages of stage 2 refuse it, execute-never does not", () => {
    for (const page of ["CD", "T2"] as const) {
      expect(brief(play(spec({ leaf2: { [page]: LEAF2 & ~(1n << 6n) } }), "write"))).toMatch(/^F_PERMISSION WUD s2/u);
      expect(brief(play(spec({ leaf2: { [page]: LEAF2 | (2n << 53n) } }), "read", { instr: true }))).toMatch(/^pa/u);
    }
  });
  it("TTRnW of F_PERMISSION with class TT: the table was read", () => {
    const told = play(spec({}, "T2 f"), "write");
    expect(told.result === "abort" && Event.decode(told.event!.raw)).toMatchObject({ Type: "F_PERMISSION", TTRnW: 1n, RnW: 0n });
  });
});

describe("execution at stage 2 (DDI 0487 tables D8-76 to D8-78)", () => {
  it("XN with and without XNX, for whom; S2AP does not forbid execution", () => {
    for (const S2AP of [0n, 1n, 2n, 3n])
      for (const xn of [0n, 1n, 2n, 3n])
        for (const priv of [false, true]) {
          const leaf2 = { IN: (LEAF2 & ~(3n << 6n)) | (S2AP << 6n) | (xn << 53n) };
          const store = build(spec({ leaf2, leaf1: LEAF1 & ~(priv ? 1n << 6n : 0n) }));
          const fetched = (XNX: bigint) => brief(ask(store, enabled({ XNX }), VA, { ssid: SSID, instr: true, priv })).startsWith("pa");
          expect(fetched(1n), `XNX S2AP=${S2AP} XN=${xn} priv=${priv}`).toBe(xn === 0n || (xn === 1n && !priv) || (xn === 3n && priv));
          expect(fetched(0n), `S2AP=${S2AP} XN=${xn}`).toBe(xn < 2n);
        }
  });
});

describe("hardware update of the access flag and the dirty state (IHI 0070 section 3.13)", () => {
  const DBM = 1n << 51n;
  const clean1 = (LEAF1 | (1n << 7n) | DBM) & ~AF;
  const descriptor1 = { addr: paOf("T3") + OFFSETS.T3, leaf: ipaOf("IN") };
  const updates = (made: Spec, op: "read" | "write") => {
    const told = play(made, op);
    return told.result === "ok" ? [...(told.updates ?? [])].map(({ addr, value }) => `${hex(addr)}=${hex(value)}`) : brief(told);
  };
  const is1 = (value: bigint): string => `${hex(descriptor1.addr)}=${hex(descriptor1.leaf | value)}`;
  const is2 = (page: PageName, value: bigint): string => `${hex(leafAt(page))}=${hex(paOf(page) | value)}`;
  it("of stage 1: AF on any access, AP[2] on a write, by HA and HD", () => {
    expect(updates(spec({ leaf1: LEAF1 & ~AF, cd: { HA: 1n } }), "read")).toEqual([is1(LEAF1)]);
    expect(updates(spec({ leaf1: clean1, cd: { HA: 1n, HD: 1n } }), "read")).toEqual([is1(clean1 | AF)]);
    expect(updates(spec({ leaf1: clean1, cd: { HA: 1n, HD: 1n } }), "write")).toEqual([is1((clean1 | AF) & ~(1n << 7n))]);
    expect(updates(spec({ leaf1: clean1 | AF, cd: { HA: 1n } }), "write")).toBe(`F_PERMISSION WUD s1 IN ${hex(VA)}`);
    expect(updates(spec({ leaf1: (clean1 | AF) & ~DBM, cd: { HA: 1n, HD: 1n } }), "write")).toBe(`F_PERMISSION WUD s1 IN ${hex(VA)}`);
    expect(updates(spec({ leaf1: LEAF1, cd: { HA: 1n, HD: 1n } }), "write")).toEqual([]);
  });
  it("HD without HA is neither", () => expect(updates(spec({ leaf1: clean1, cd: { HD: 1n } }), "write")).toBe(`F_ACCESS WUD s1 IN ${hex(VA)}`));
  it("of stage 2: AF of every page on the way, S2AP[1] of the data on a write, and never for a CD", () => {
    expect(updates(spec({ ste: { S2HA: 1n } }, "CD e", "T2 e", "IN e"), "read")).toEqual([is2("CD", LEAF2), is2("T2", LEAF2), is2("IN", LEAF2)]);
    const clean2 = (LEAF2 & ~(2n << 6n)) | DBM;
    expect(updates(spec({ ste: { S2HA: 1n, S2HD: 1n }, leaf2: { IN: clean2 } }), "write")).toEqual([is2("IN", clean2 | (2n << 6n))]);
    expect(updates(spec({ ste: { S2HA: 1n, S2HD: 1n }, leaf2: { IN: clean2, CD: clean2 } }), "read")).toEqual([]);
    expect(updates(spec({ ste: { S2HA: 1n }, leaf2: { IN: clean2 } }), "write")).toBe(`F_PERMISSION WUD s2 IN ${hex(VA)} ipa ${hex(ipaOf("IN"))}`);
  });
  it("an update of stage 1 needs write permission at stage 2: F_PERMISSION, class TT, TTRnW=0, RnW of the transaction", () => {
    const readOnly = LEAF2 & ~(2n << 6n);
    const told = play(spec({ leaf1: LEAF1 & ~AF, cd: { HA: 1n }, leaf2: { T3: readOnly } }, "IN c"), "read");
    expect(brief(told)).toBe(`F_PERMISSION RUD s2 TT ${hex(VA)} ipa ${hex(ipaOf("T3"))}`);
    if (told.result === "abort") expect(Event.decode(told.event!.raw)).toMatchObject({ TTRnW: 0n, RnW: 1n });
    expect(updates(spec({ cd: { HA: 1n }, leaf2: { T3: readOnly } }), "read")).toEqual([]);
    expect(updates(spec({ leaf1: clean1, cd: { HA: 1n, HD: 1n }, leaf2: { T3: readOnly } }), "write")).toBe(`F_PERMISSION WUD s2 TT ${hex(VA)} ipa ${hex(ipaOf("T3"))}`);
  });
  it("a stage-1 permission fault comes before the update's own", () =>
    expect(brief(play(spec({ leaf1: LEAF1 & ~AF, cd: { HA: 1n }, leaf2: { T3: LEAF2 & ~(2n << 6n) } }, "S1 permission"), "read"))).toBe(`F_PERMISSION RUD s1 IN ${hex(VA)}`));
  it("the update of stage 1 makes the stage-2 page of its table dirty", () => {
    const clean2 = (LEAF2 & ~(2n << 6n)) | DBM;
    expect(updates(spec({ leaf1: LEAF1 & ~AF, cd: { HA: 1n }, ste: { S2HA: 1n, S2HD: 1n }, leaf2: { T3: clean2 } }), "read")).toEqual(expect.arrayContaining([is1(LEAF1), is2("T3", clean2 | (2n << 6n))]));
  });
  it("APTable makes a page read-only for good", () => {
    const made = spec({ leaf1: clean1 | AF, cd: { HA: 1n, HD: 1n } });
    const store = build(made);
    put(store, paOf("T2") + OFFSETS.T2, [ipaOf("T3") | (1n << 62n) | 3n]);
    expect(brief(ask(store, enabled(), VA, { op: "write", ssid: SSID }))).toBe(`F_PERMISSION WUD s1 IN ${hex(VA)}`);
  });
  it("one page of stage 2 under table and data alike keeps every update", () => {
    const made = spec({ leaf1: LEAF1 & ~AF, cd: { HA: 1n }, ste: { S2HA: 1n, S2HD: 1n } });
    const store = build(made);
    // The last table leads back into its own page: its entry is updated, then data beside it is read.
    const clean2 = (LEAF2 & ~(2n << 6n) & ~AF) | DBM;
    put(store, leafAt("T3"), [paOf("T3") | clean2]);
    put(store, descriptor1.addr, [ipaOf("T3") | (LEAF1 & ~AF)]);
    const told = ask(store, enabled(), VA, { ssid: SSID });
    expect(brief(told)).toBe(`pa ${hex(paOf("T3") + OFFSETS.IN)}`);
    if (told.result === "ok") for (const { addr, value } of told.updates ?? []) store.words.set(addr, value);
    expect(hex(store.words.get(leafAt("T3"))!)).toBe(hex(paOf("T3") | clean2 | AF | (2n << 6n)));
    expect(hex(store.words.get(descriptor1.addr)!)).toBe(hex(ipaOf("T3") | LEAF1));
  });
});
