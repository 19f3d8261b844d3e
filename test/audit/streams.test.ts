import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { L1Std } from "../../specs/smmuv3/l1std.ts";
import { decodeSnapshot } from "../../src/audit/decode.ts";
import { hex } from "../../src/base/words.ts";
import { settingsOf } from "../../src/smmuv3/registers.ts";
import { reader } from "../../src/smmuv3/snapshot.ts";
import { entryOf } from "../../src/smmuv3/streamTable.ts";
import { imageOf, snapshotOf, stage2Fields, ste, STREAM_TABLE } from "./build.ts";

const L1 = 0x4900_0000n;
const twoLevel = { STRTAB_BASE: Number(L1), STRTAB_BASE_CFG: 0x10000 | (8 << 6) | 12 };
const l1std = (index: number, span: number, table = STREAM_TABLE): readonly [bigint, bigint] => [L1 + BigInt(index * 8), L1Std.encode({ Span: BigInt(span), L2Ptr: table })[0]!];

describe("stream table entries", () => {
  it("that are equal are one listing, with their StreamIDs as ranges", () => {
    const bypass = [0, 1, 2, 7].flatMap((sid) => ste(sid, { V: 1n, Config: "bypass" }));
    const { entries, streamTable, summary } = decodeSnapshot(snapshotOf(imageOf([...bypass, ...ste(4, { V: 1n })])));
    expect(entries.map(({ class: does, why, sids, streams, fields }) => `${does} ${why ?? ""} ${streams} ${sids.map(({ first, last }) => `${first}-${last}`).join()} ${fields === undefined ? "" : "in full"}`.trim())).toEqual([
      "bypass  4 0x0-0x2,0x7-0x7 in full",
      "illegal V=0 11 0x3-0x3,0x5-0x6,0x8-0xf in full",
      "abort  1 0x4-0x4",
    ]);
    expect(streamTable).toMatchObject({ kind: "linear", streams: 16, withoutEntry: 0, unreadable: [] });
    expect(streamTable.histogram).toEqual([{ entry: "V=1 Config=100 (bypass)", streams: 4 }, { entry: "V=0 Config=0", streams: 11 }, { entry: "V=1 Config=0 (abort)", streams: 1 }]);
    expect(summary.streams).toEqual({ abort: 1, bypass: 4, stage1: 0, stage2: 0, nested: 0, illegal: 11, unsupported: 0, none: 0 });
  });

  it("that are illegal say why; reserved bits and values are named, also where the entry aborts", () => {
    const stores = [...ste(0, { ...stage2Fields, S2T0SZ: 15n }), ...ste(1, { V: 1n, PRIVCFG: 1n }), ...ste(2, { V: 1n }), [STREAM_TABLE + 2n * 64n + 48n, 5n] as const];
    const { entries } = decodeSnapshot(snapshotOf(imageOf(stores)));
    expect(entries[0]).toMatchObject({ class: "illegal", why: "S2T0SZ=15 is outside 20..39", reserved: [] });
    expect(entries[0]!.addressSpace).toBeUndefined();
    expect(entries[1]).toMatchObject({ class: "abort", reserved: ["PRIVCFG=1"] });
    expect(entries[2]).toMatchObject({ class: "abort", reserved: ["dw6[0]", "dw6[2]"] });
    expect(entries[2]!.fields!.find(({ name }) => name === "Config")).toEqual({ name: "Config", value: "0x0", is: "abort" });
  });

  it("below two levels: each first-level descriptor is told, and what it lacks", () => {
    const stores = [...ste(0, { V: 1n, Config: "bypass" }), l1std(0, 3), l1std(1, 0), l1std(2, 13), l1std(3, 10), l1std(4, 9, STREAM_TABLE + 0x4000n)];
    const { streamTable, entries, summary } = decodeSnapshot(snapshotOf(imageOf(stores), twoLevel));
    expect(streamTable.level1!.map(({ index, firstSid, table, entries: count, why }) => `${index} ${firstSid} ${table ?? "-"} ${count} ${why ?? ""}`.trim())).toEqual([
      "0 0x0 0x48000000 4",
      "1 0x100 - 0 Span=0: there is no second level, but other bits are set",
      "2 0x200 - 0 reserved Span=13 behaves as 0: there is no second level",
      "3 0x300 - 0 Span=10 is beyond SPLIT+1=9: every stream below is C_BAD_STREAMID",
      "4 0x400 0x48004000 256",
    ]);
    expect(streamTable).toMatchObject({ kind: "twoLevel", split: 8, streams: 4096, withoutEntry: 4096 - 260 });
    expect(entries.map(({ streams, sids }) => [streams, ...sids])).toEqual([[1, { first: "0x0", last: "0x0" }], [259, { first: "0x1", last: "0x3" }, { first: "0x400", last: "0x4ff" }]]);
    expect(summary.streams).toMatchObject({ bypass: 1, illegal: 259, none: 4096 - 260 });
  });

  it("where no memory answers are told as such", () => {
    const image = imageOf([...ste(0, { V: 1n, Config: "bypass" })]);
    const ram = [{ addr: STREAM_TABLE, size: 0x1000n }];
    expect(decodeSnapshot(snapshotOf(image, { STRTAB_BASE_CFG: 8 }, ram)).streamTable.unreadable).toEqual([{ first: "0x40", last: "0xff" }]);
    const second = decodeSnapshot(snapshotOf(imageOf([l1std(0, 9), l1std(1, 9, 0x7000_0000n)]), twoLevel, [...ram, { addr: L1, size: 0x1000n }]));
    expect(second.streamTable).toMatchObject({ unreadable: [{ first: "0x40", last: "0x1ff" }], withoutEntry: 4096 - 512 });
    const first = decodeSnapshot(snapshotOf(image, twoLevel, ram));
    expect(first.streamTable).toMatchObject({ unreadable: [{ first: "0x0", last: "0xfff" }], withoutEntry: 0 });
    expect(first.summary.streams.none).toBe(4096);
  });

  it("of a table larger than a snapshot's pages are counted by page", () => {
    const image = imageOf(ste(70_000, { V: 1n, Config: "bypass" }));
    const { entries } = decodeSnapshot(snapshotOf(image, { IDR1: 0x02730020, STRTAB_BASE_CFG: 20 }));
    expect(entries.map(({ streams, class: does, address }) => [streams, does, address])).toEqual([[2 ** 20 - 1, "illegal", "0x48000000"], [1, "bypass", `0x${(STREAM_TABLE + 70_000n * 64n).toString(16)}`]]);
  });
});

describe("a decoding", () => {
  it("of an SMMU that is not enabled says what GBPA does, and still tells the table", () => {
    const image = imageOf(ste(0, { V: 1n, Config: "bypass" }));
    const off = decodeSnapshot(snapshotOf(image, { CR0: 0, GBPA: 0x100000 }));
    expect(off.summary).toMatchObject({ enabled: false, whileDisabled: "abort", streams: { bypass: 1 } });
    expect(off.notes.slice(1)).toEqual(["SMMUEN=0: the stream table is not used; every transaction aborts (GBPA)."]);
    expect(decodeSnapshot(snapshotOf(image, { CR0: 0 })).summary.whileDisabled).toBe("bypass");
  });

  it("says where the SMMU takes the shape of the table otherwise than the registers say", () => {
    const notes = (registers: object) => decodeSnapshot(snapshotOf(imageOf([]), { CMDQ_BASE: 0, CMDQ_PROD: 0, CMDQ_CONS: 0, EVENTQ_BASE: 0, EVENTQ_PROD: 0, EVENTQ_CONS: 0, GBPA: 0, ...registers })).notes;
    expect(notes({})).toEqual([]);
    expect(notes({ STRTAB_BASE: Number(STREAM_TABLE) + 0x40 })).toEqual(["STRTAB_BASE=0x48000040 is not aligned to the size of the table: 0x48000000 counts."]);
    expect(notes({ ...twoLevel, STRTAB_BASE_CFG: 0x10000 | (7 << 6) | 12 })).toEqual(["STRTAB_BASE_CFG.SPLIT=7 is reserved and behaves as 6."]);
    expect(notes({ STRTAB_BASE_CFG: 0x20004 })).toEqual(["STRTAB_BASE_CFG.FMT=2 is reserved and behaves as 0, linear."]);
    expect(notes({ IDR0: 0x0544101b, STRTAB_BASE_CFG: 0x10204 })).toEqual(["STRTAB_BASE_CFG.FMT asks for two levels, which this SMMU does not have (IDR0.ST_LEVEL): linear counts."]);
  });

  it("names registers by their fields, and lists offsets that it does not know", () => {
    const { registers, unknownRegisters, notes } = decodeSnapshot({ registers: new Map([[0x20, 0x21], [0x80, 0x4000_0040], [0x84, 1], [0xf00, 7]]), image: imageOf([]) });
    expect(registers.map(({ name, offset, value, bits, reserved }) => `${offset} ${name} ${value} ${bits} ${reserved.join()}`.trim())).toEqual(["0x20 CR0 0x21 32 dw0[5]", "0x80 STRTAB_BASE 0x140000040 64"]);
    expect(registers[0]!.fields[0]).toEqual({ name: "SMMUEN", value: "0x1" });
    expect(unknownRegisters).toEqual([{ offset: "0xf00", value: "0x7" }]);
    expect(notes[0]).toMatch(/^The snapshot has no IDR0, IDR1, IDR3, IDR5, GBPA, STRTAB_BASE_CFG, .*: taken as 0\.$/);
  });
});

const PLACES = [STREAM_TABLE, STREAM_TABLE + 0x1000n, STREAM_TABLE + 0x4000n, STREAM_TABLE + 0x1_0000n, 0x4f00_0000n];
const dw0 = fc.constantFrom(0n, 1n, 9n, 0x4600_000bn, 0xdn);
const entry = fc.tuple(fc.constantFrom(...PLACES), fc.nat(300), dw0).map(([at, index, value]) => [at + BigInt(index * 64), value] as const);
const level1 = fc.tuple(fc.nat(15), fc.nat(13), fc.constantFrom(...PLACES)).map(([index, span, at]) => l1std(index, span, at));

describe("law", () => {
  it("every stream is in exactly one listing, that of the entry which a look-up finds, or in none where there is none", () => {
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 30 }), fc.array(level1, { maxLength: 12 }), fc.constantFrom(4, 9, 10, 12), fc.constantFrom(undefined, 6, 8, 10), fc.boolean(), (stores, firsts, log2Size, split, partly) => {
        const shape = split === undefined ? { STRTAB_BASE_CFG: log2Size } : { STRTAB_BASE: Number(L1), STRTAB_BASE_CFG: 0x10000 | (split << 6) | log2Size };
        const ram = [{ addr: L1, size: 0x1000n }, { addr: STREAM_TABLE, size: 0x5000n }];
        const snapshot = snapshotOf(imageOf([...stores, ...firsts]), shape, partly ? ram : undefined);
        const { entries, streamTable, summary } = decodeSnapshot(snapshot);
        const settings = settingsOf(snapshot.registers);
        const told = new Map<number, string>();
        const number = ({ first, last }: { readonly first: string; readonly last: string }) => Array.from({ length: Number(last) - Number(first) + 1 }, (_, at) => Number(first) + at);
        const tell = (sid: number, what: string) => told.set(sid, told.has(sid) ? "twice" : what);
        for (const { sids, words } of entries) for (const sid of sids.flatMap(number)) tell(sid, words.join(" "));
        for (const sid of streamTable.unreadable.flatMap(number)) tell(sid, "external");
        let without = 0;
        for (let sid = 0; sid < 2 ** log2Size; sid++) {
          const found = entryOf(reader(snapshot), settings, sid);
          if (found.result === "bad stream") without++;
          expect(told.get(sid), `stream ${sid}`).toBe(found.result === "ok" ? found.words.map(hex).join(" ") : found.result === "external" ? "external" : undefined);
        }
        expect(streamTable.withoutEntry).toBe(without);
        expect(Object.values(summary.streams).reduce((sum, count) => sum + count, 0)).toBe(2 ** log2Size);
      }),
      { numRuns: 100 },
    );
  });
});
