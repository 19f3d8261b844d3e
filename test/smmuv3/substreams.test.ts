/** Substreams and CD tables: IHI 0070 sections 3.9, 5.2 (S1Fmt, S1CDMax, S1DSS), 5.3, 7.3.7 and 7.3.9. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { L1Cd } from "../../specs/smmuv3/cd.ts";
import { AF, ask, brief, cd, CONTEXTS, enabled, map, type Memory, memory, put, s1, s2, SID, storeCd, storeSte, TABLES, type Values } from "./tables.ts";

const VA = 0x1234_5000n;
const LEAVES = 0x8200_0000n;
const pageOf = (ssid: number): bigint => 0x10_0000_0000n + BigInt(ssid) * 0x1000n;
/** A CD whose address space maps VA to a page of its own. */
const space = (store: Memory, ssid: number, at: bigint): void => {
  const root = TABLES + BigInt(ssid) * 0x80_0000n;
  storeCd(store, { ...cd, T0SZ: 25n, TTB0: root, ASID: BigInt(ssid & 0xffff) }, at);
  map(store, { root, granule: 12, bits: 39, start: 1 }, VA, 3, pageOf(ssid) | AF | 0x43n);
};
const LEAF_BITS = { 1: 6, 2: 10 } as const;
/** Where the CD of a substream lies, by S1Fmt, and the first-level entry that leads to it. */
const place = (format: number, ssid: number): { readonly cd: bigint; readonly l1?: bigint } => {
  if (format !== 1 && format !== 2) return { cd: CONTEXTS + BigInt(ssid) * 64n };
  const leaf = LEAF_BITS[format];
  return { l1: CONTEXTS + 8n * BigInt(ssid >> leaf), cd: LEAVES + BigInt(ssid >> leaf) * (64n << BigInt(leaf)) + BigInt(ssid & ((1 << leaf) - 1)) * 64n };
};
const build = (format: number, ssid: number, ste: Values = {}): Memory => {
  const store = memory();
  storeSte(store, { ...s1, S1Fmt: BigInt(format), S1CDMax: 20n, S1DSS: 0n, ...ste });
  const at = place(format, ssid);
  if (at.l1 !== undefined) put(store, at.l1, L1Cd.encode({ V: 1n, L2Ptr: at.cd & ~((64n << BigInt(LEAF_BITS[format as 1 | 2])) - 1n) }));
  space(store, ssid, at.cd);
  return store;
};
const told = (store: Memory, ssid: number | undefined, id: Values = {}) => ask(store, enabled(id), VA, ssid === undefined ? {} : { ssid });
const result = (...asked: Parameters<typeof told>): string => brief(told(...asked));
const ok = (ssid: number): string => `pa 0x${pageOf(ssid).toString(16)}`;

describe("the CD of a substream", () => {
  it.each([0, 1, 2, 3])("S1Fmt=%i finds it, at every place of every table", (format) => {
    fc.assert(fc.property(fc.integer({ min: 0, max: 20 }), fc.nat(2 ** 20 - 1), (bits, seed) => {
      const ssid = seed & (2 ** bits - 1);
      expect(result(build(format, ssid, { S1CDMax: BigInt(Math.max(bits, 1)) }), ssid)).toBe(ok(ssid));
    }), { numRuns: 300 });
  });
  it.each([[1, 63], [1, 64], [1, 65], [2, 1023], [2, 1024], [2, 1025], [2, 2 ** 20 - 1]] as const)("S1Fmt=%i, SubstreamID %i", (format, ssid) => expect(result(build(format, ssid), ssid)).toBe(ok(ssid)));
  it("one CD where S1CDMax=0, whatever S1Fmt says", () => {
    for (const S1Fmt of [0n, 1n, 2n, 3n]) expect(result(build(0, 0, { S1CDMax: 0n, S1Fmt }), undefined)).toBe(ok(0));
  });
  it("S1CDMax, S1Fmt and S1DSS are ignored where SSIDSIZE=0", () => {
    expect(result(build(0, 0, { S1CDMax: 31n, S1Fmt: 2n, S1DSS: 0n }), undefined, { SSIDSIZE: 0n, CD2L: 0n })).toBe(ok(0));
    expect(result(build(0, 0, { S1CDMax: 31n, S1DSS: 1n }), 0, { SSIDSIZE: 0n })).toBe("C_BAD_SUBSTREAMID");
  });
  it("S1Fmt=3 is linear even where two levels are not there; 1 and 2 are illegal then", () => {
    expect(result(build(3, 5), 5, { CD2L: 0n })).toBe(ok(5));
    for (const format of [1, 2]) expect(result(build(format, 5), 5, { CD2L: 0n })).toBe("C_BAD_STE");
  });
  it("fetches that abort are F_CD_FETCH with the address of what was read: the L1CD, then the CD", () => {
    const store = build(1, 70);
    const { l1, cd: at } = place(1, 70);
    store.holes.add(at >> 12n);
    expect(result(store, 70)).toBe(`F_CD_FETCH at 0x${at.toString(16)}`);
    store.holes.add(l1! >> 12n);
    expect(result(store, 70)).toBe(`F_CD_FETCH at 0x${l1!.toString(16)}`);
    expect(told(store, 70)).toMatchObject({ event: { raw: [(BigInt(SID) << 32n) | (70n << 12n) | (1n << 11n) | 9n, 0n, 0n, l1] } });
  });
});

describe("transactions without a SubstreamID (S1DSS)", () => {
  const rows: readonly (readonly [string, Values, number | undefined, string])[] = [
    ["0 terminates", { S1DSS: 0n }, undefined, "F_STREAM_DISABLED"],
    ["0 leaves substream 0 to those that name it", { S1DSS: 0n }, 0, ok(0)],
    ["1 skips stage 1", { S1DSS: 1n }, undefined, `pa 0x${VA.toString(16)}`],
    ["1 leaves substream 0", { S1DSS: 1n }, 0, ok(0)],
    ["2 uses substream 0", { S1DSS: 2n }, undefined, ok(0)],
    ["2 takes substream 0 away", { S1DSS: 2n }, 0, "F_STREAM_DISABLED"],
    ["3 behaves as 0", { S1DSS: 3n }, undefined, "F_STREAM_DISABLED"],
    ["3 leaves substream 0", { S1DSS: 3n }, 0, ok(0)],
    ["ignored where S1CDMax=0", { S1CDMax: 0n, S1DSS: 0n }, undefined, ok(0)],
    ["a SubstreamID where S1CDMax=0", { S1CDMax: 0n }, 0, "C_BAD_SUBSTREAMID"],
    ["a SubstreamID beyond S1CDMax", { S1CDMax: 4n }, 16, "C_BAD_SUBSTREAMID"],
    ["beyond S1CDMax comes before S1DSS=2", { S1CDMax: 4n, S1DSS: 2n }, 16, "C_BAD_SUBSTREAMID"],
    ["with Config=100", { Config: 4n }, 0, "C_BAD_SUBSTREAMID"],
    ["with Config=110", { ...s2, S2T0SZ: 25n }, 0, "C_BAD_SUBSTREAMID"],
    ["with Config=000: silent", { Config: 0n }, 0, "abort"],
  ];
  it.each(rows)("%s", (_, ste, ssid, expected) => expect(result(build(0, 0, ste), ssid)).toBe(expected));
  it("skipping stage 1, an address beyond OAS is F_ADDR_SIZE of stage 1, and beyond IAS where stage 2 follows", () => {
    const store = build(0, 0, { S1DSS: 1n });
    expect(brief(ask(store, enabled(), 1n << 48n))).toBe("F_ADDR_SIZE RUD s1 IN 0x1000000000000");
    storeSte(store, { ...s2, ...s1, Config: 7n, S1CDMax: 4n, S1DSS: 1n, S2TTB: 0xa000_0000n, S2R: 0n });
    put(store, 0xa000_0000n, [0x40_0000_0000n | AF | 0xfdn]);
    expect(brief(ask(store, enabled(), 0x1234n))).toBe("pa 0x4000001234");
    expect(brief(ask(store, enabled(), 1n << 48n))).toBe("F_ADDR_SIZE RUD s1 IN 0x1000000000000");
    expect(brief(ask(store, enabled(), 1n << 41n))).toBe("abort");
  });
  it("records: F_STREAM_DISABLED has the stream alone; C_BAD_SUBSTREAMID the SubstreamID, without SSV", () => {
    expect(told(build(0, 0, { S1DSS: 2n }), 0)).toMatchObject({ result: "abort", event: { raw: [(BigInt(SID) << 32n) | 6n, 0n, 0n, 0n] } });
    expect(told(build(0, 0, { S1CDMax: 4n }), 0x12345)).toMatchObject({ event: { raw: [(BigInt(SID) << 32n) | (0x12345n << 12n) | 8n, 0n, 0n, 0n] } });
    expect(told(build(0, 3, {}), 2)).toMatchObject({ event: { type: "C_BAD_CD", raw: [(BigInt(SID) << 32n) | (2n << 12n) | (1n << 11n) | 0xan, 0n, 0n, 0n] } });
  });
  it("both come before the fetch of the CD and before what is wrong with it", () => {
    for (const [ste, ssid, expected] of [[{ S1DSS: 2n }, 0, "F_STREAM_DISABLED"], [{ S1CDMax: 2n }, 4, "C_BAD_SUBSTREAMID"]] as const) {
      const store = build(0, 0, ste);
      store.holes.add(CONTEXTS >> 12n);
      expect(result(store, ssid)).toBe(expected);
    }
  });
});

describe("first-level entries (L1CD)", () => {
  it("V=0 is C_BAD_SUBSTREAMID, with SubstreamID 0 where S1DSS=2 chose it", () => {
    const store = build(1, 3, { S1DSS: 2n });
    put(store, CONTEXTS, L1Cd.encode({ V: 0n, L2Ptr: LEAVES }));
    expect(told(store, 3)).toMatchObject({ event: { raw: [(BigInt(SID) << 32n) | (3n << 12n) | 8n, 0n, 0n, 0n] } });
    expect(told(store, undefined)).toMatchObject({ event: { type: "C_BAD_SUBSTREAMID", raw: [(BigInt(SID) << 32n) | 8n, 0n, 0n, 0n] } });
  });
  it("a second level beyond OAS is C_BAD_SUBSTREAMID, and not F_CD_FETCH", () => {
    const store = build(1, 3);
    put(store, CONTEXTS, L1Cd.encode({ V: 1n, L2Ptr: 1n << 48n }));
    expect(result(store, 3)).toBe("C_BAD_SUBSTREAMID");
    expect(result(store, 3, { OAS: 6n })).toBe("C_BAD_CD");
  });
  it("an S1ContextPtr beyond OAS is C_BAD_STE", () => {
    expect(result(build(0, 0, { S1ContextPtr: 1n << 48n }), 0)).toBe("C_BAD_STE");
    expect(result(build(0, 0, { S1ContextPtr: 1n << 48n }), 0, { OAS: 6n })).toBe("C_BAD_CD");
  });
  it("behind stage 2 the L1CD and the CD are translated, each by its own address", () => {
    const store = build(1, 70, { ...s2, ...s1, Config: 7n, S1Fmt: 1n, S1CDMax: 20n, S2TTB: 0xa000_0000n });
    const { l1, cd: at } = place(1, 70);
    const page = (address: bigint, value: bigint) => map(store, { root: 0xa000_0000n, granule: 12, bits: 40, start: 1 }, address, 3, value);
    expect(result(store, 70)).toBe(`F_TRANSLATION RUD s2 CD 0x${VA.toString(16)} ipa 0x${(l1! & ~0xfffn).toString(16)}`);
    page(l1!, (l1! & ~0xfffn) | AF | 0xc3n | (15n << 2n));
    expect(result(store, 70)).toBe(`F_TRANSLATION RUD s2 CD 0x${VA.toString(16)} ipa 0x${(at & ~0xfffn).toString(16)}`);
    page(at, (at & ~0xfffn) | AF | 0xc3n | (15n << 2n));
    expect(result(store, 70)).toMatch(/^F_TRANSLATION RUD s2 TT/u);
  });
});
