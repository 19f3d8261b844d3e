/** Stage 1 alone, by rows: DDI 0487 sections D8.2 to D8.4 for walks and permissions, IHI 0070 sections 3.4, 5.4 and 7.3 for the rest. */
import { describe, expect, it } from "vitest";
import { AF, ask, brief, cd, entryAt, enabled, type Granule, map, memory, recordOf, s1, shiftOf, SID, startOf, storeCd, storeSte, type Tables, TABLES, type Values } from "./tables.ts";

const TG0 = { 12: 0n, 14: 2n, 16: 1n } as const;
const TG1 = { 12: 2n, 14: 1n, 16: 3n } as const;
const VA = 0x0000_7654_3210_9000n & ~0xffffn;
const PA = 0x12_3450_0000n;
/** AP[2:1]=01: both read and write. */
const RW = AF | 0x40n;

interface Case {
  readonly cd?: Values;
  readonly id?: Values;
  readonly granule?: Granule;
  readonly bits?: number;
  readonly half?: 0 | 1;
  readonly above?: (level: number) => bigint;
  readonly level?: number;
}
/** A machine with one half, and `leaf` for `address` at a level. */
const mapped = (leaf: bigint, { cd: change = {}, id = {}, granule = 12, bits = 48, half = 0, above, level = 3 }: Case = {}, address = VA) => {
  const store = memory();
  storeSte(store, s1);
  const sizes: Values = half === 0 ? { T0SZ: BigInt(64 - bits), TG0: TG0[granule], TTB0: TABLES } : { T1SZ: BigInt(64 - bits), TG1: TG1[granule], TTB1: TABLES, EPD0: 1n, EPD1: 0n };
  storeCd(store, { ...cd, ...sizes, ...change });
  const tables: Tables = { root: TABLES, granule, bits, start: startOf(bits, granule), ...(above === undefined ? {} : { above }) };
  map(store, tables, address, level, leaf);
  return { store, tables, registers: enabled(id) };
};
const reads = (leaf: bigint, options: Case = {}, address = VA, rest: Parameters<typeof ask>[3] = {}): string => {
  const { store, registers } = mapped(leaf, options, address);
  return brief(ask(store, registers, address, rest));
};

describe("walks", () => {
  const sizes = ([12, 14, 16] as const).flatMap((granule) => Array.from({ length: (granule === 16 ? 52 : 48) - (granule === 16 ? 17 : 16) + 1 }, (_, at) => [granule, at + (granule === 16 ? 17 : 16)] as const));
  it.each([0, 1] as const)("of every granule and input size, in half %i", (half) => {
    for (const [granule, bits] of sizes) {
      const top = half === 0 ? 0n : (1n << 64n) - (1n << BigInt(bits));
      const address = top | (0x0005_a5a5_a5a5_a5a5n & ((1n << BigInt(bits)) - 1n));
      const page = (1n << BigInt(granule)) - 1n;
      expect(reads((PA & ~0xffffn) | RW | 3n, { granule, bits, half }, address), `${granule} ${bits}`).toBe(`pa 0x${((PA & ~0xffffn) | (address & page)).toString(16)}`);
    }
  });
  it("start where the text has it: one entry more is one level more", () => {
    const level = (granule: Granule, bits: number) => {
      const { store, registers } = mapped(PA | RW | 3n, { granule, bits }, 0n);
      return ask(store, registers, 0n).via.filter(({ what }) => what.startsWith("stage-1")).length;
    };
    expect([48, 40, 39, 31, 30, 22, 21, 16].map((bits) => level(12, bits))).toEqual([4, 4, 3, 3, 2, 2, 1, 1]);
    expect([48, 47, 37, 36, 26, 25, 16].map((bits) => level(14, bits))).toEqual([4, 3, 3, 2, 2, 1, 1]);
    expect([52, 43, 42, 30, 29, 17].map((bits) => level(16, bits))).toEqual([3, 3, 2, 2, 1, 1]);
  });
  /** A block of each level: legal at level 1 and 2 of 4 KiB, 2 of 16 and 64 KiB, and 1 of 64 KiB with 52-bit addresses. */
  const blocks = [
    [12, 0, false], [12, 1, true], [12, 2, true], [12, 3, false], [14, 0, false], [14, 1, false], [14, 2, true], [14, 3, false], [16, 1, false], [16, 2, true], [16, 3, false],
  ] as const;
  it.each(blocks)("a block at granule 2^%i level %i is legal: %s", (granule, level, legal) => {
    const size = 1n << shiftOf(level, granule);
    const address = VA | 0x123n;
    const expected = legal ? `pa 0x${((PA & ~(size - 1n)) | (address & (size - 1n))).toString(16)}` : `F_TRANSLATION RUD s1 IN 0x${address.toString(16)}`;
    expect(reads(PA | RW | 1n, { granule, level }, address)).toBe(expected);
  });
  it("a block at 64 KiB level 1 is legal where addresses have 52 bits, whatever IPS says", () => {
    for (const IPS of [5n, 6n]) expect(reads(RW | 1n, { granule: 16, level: 1, id: { OAS: 6n }, cd: { IPS } }, VA)).toBe(`pa 0x${(VA & ((1n << 42n) - 1n)).toString(16)}`);
  });
  it("bits 15:12 of a 64 KiB descriptor are address bits 51:48 where addresses have 52 bits, and beyond an IPS of less", () => {
    const leaf = PA | RW | 3n | 0x5000n;
    expect(reads(leaf, { granule: 16, id: { OAS: 6n }, cd: { IPS: 6n } })).toBe(`pa 0x${(PA | (5n << 48n)).toString(16)}`);
    expect(reads(leaf, { granule: 16, id: { OAS: 6n }, cd: { IPS: 5n } })).toBe(`F_ADDR_SIZE RUD s1 IN 0x${VA.toString(16)}`);
  });
  it("types 00 and 10 are invalid at every level", () => {
    for (const level of [0, 1, 2, 3]) for (const type of [0n, 2n]) expect(reads(PA | RW | type, { level })).toBe(`F_TRANSLATION RUD s1 IN 0x${VA.toString(16)}`);
  });
  it("a table fetch that aborts is F_WALK_EABT of stage 1, class TT, with the descriptor's address", () => {
    const { store, tables, registers } = mapped(PA | RW | 3n);
    for (const level of [3, 2, 1, 0]) {
      store.holes.add(entryAt(tables, VA, level) >> 12n);
      expect(brief(ask(store, registers, VA, { op: "write" }))).toBe(`F_WALK_EABT WUD s1 TT 0x${VA.toString(16)} at 0x${entryAt(tables, VA, level).toString(16)}`);
    }
  });
  it("a big-endian table is read so where CD.ENDI=1", () => {
    const { store, registers } = mapped(PA | RW | 3n, { cd: { ENDI: 1n } });
    for (const [at, value] of store.words) if (at >= TABLES) store.words.set(at, [...value.toString(16).padStart(16, "0").matchAll(/../gu)].reduce((swapped, [byte], index) => swapped | (BigInt(`0x${byte}`) << BigInt(8 * index)), 0n));
    expect(brief(ask(store, registers, VA))).toBe(`pa 0x${PA.toString(16)}`);
  });
});

describe("which half translates (IHI 0070 section 3.4.1)", () => {
  const HIGH = 0xffff_8000_0000_0000n;
  const both = (change: Values = {}) => {
    const store = memory();
    storeSte(store, s1);
    storeCd(store, { ...cd, EPD1: 0n, T0SZ: 25n, T1SZ: 25n, TG1: 2n, TTB0: TABLES, TTB1: TABLES + 0x1000_0000n, ...change });
    map(store, { root: TABLES, granule: 12, bits: 39, start: 1 }, 0n, 1, 0x40_0000_0000n | RW | 1n);
    map(store, { root: TABLES + 0x1000_0000n, granule: 12, bits: 39, start: 1 }, 0n, 1, 0x80_0000_0000n | RW | 1n);
    const registers = enabled();
    return (address: bigint) => brief(ask(store, registers, address));
  };
  const top = (1n << 64n) - (1n << 39n);
  const rows: readonly (readonly [string, Values, bigint, string])[] = [
    ["the lower half", {}, 0x10n, "pa 0x4000000010"],
    ["the upper half", {}, top | 0x10n, "pa 0x8000000010"],
    ["one bit beyond the lower half", {}, 1n << 39n, "F_TRANSLATION"],
    ["one bit below the upper half", {}, top - 1n, "F_TRANSLATION"],
    ["a hole between both", {}, HIGH & ~(1n << 63n), "F_TRANSLATION"],
    ["top byte without TBI0", {}, 0x5a00_0000_0000_0010n, "F_TRANSLATION"],
    ["top byte with TBI0", { TBI0: 1n }, 0x5a00_0000_0000_0010n, "pa 0x4000000010"],
    ["TBI0 does not concern the upper half", { TBI0: 1n }, (top | 0x10n) & ~(0xa5n << 56n), "F_TRANSLATION"],
    ["top byte with TBI1", { TBI1: 1n }, (top | 0x10n) & ~(0xa5n << 56n), "pa 0x8000000010"],
    ["TBI1 does not concern the lower half", { TBI1: 1n }, 0x5a00_0000_0000_0010n, "F_TRANSLATION"],
    ["bit 55 chooses with TBI", { TBI0: 1n, TBI1: 1n }, 0xff00_0000_0000_0010n, "pa 0x4000000010"],
    ["bits 54:39 count with TBI", { TBI0: 1n }, 0x5a40_0000_0000_0010n, "F_TRANSLATION"],
    ["EPD0=1", { EPD0: 1n }, 0x10n, "F_TRANSLATION"],
    ["EPD0=1 leaves the upper half", { EPD0: 1n }, top | 0x10n, "pa 0x8000000010"],
    ["EPD1=1", { EPD1: 1n }, top | 0x10n, "F_TRANSLATION"],
    ["EPD1=1 leaves the lower half", { EPD1: 1n }, 0x10n, "pa 0x4000000010"],
  ];
  it.each(rows)("%s", (_, change, address, expected) => {
    const told = both(change)(address);
    expect(told).toBe(expected === "F_TRANSLATION" ? `F_TRANSLATION RUD s1 IN 0x${address.toString(16)}` : expected);
  });
  it("EL2 has the lower half alone, and EPD0 is ignored", () => {
    const { store, registers } = mapped(PA | RW | 3n, { cd: { EPD0: 1n, EPD1: 0n, T1SZ: 63n } });
    storeSte(store, { ...s1, STRW: 2n });
    expect(brief(ask(store, registers, VA))).toBe(`pa 0x${PA.toString(16)}`);
    expect(brief(ask(store, registers, top))).toBe(`F_TRANSLATION RUD s1 IN 0x${top.toString(16)}`);
  });
});

describe("the root (IHI 0070 section 5.4 TTB0)", () => {
  it("is aligned to its size, and to 64 bytes where 64 KiB tables have 52-bit addresses; lower bits are ignored", () => {
    const roots = [[12, 48], [12, 41], [12, 34], [14, 30], [14, 26], [16, 43], [16, 33], [16, 31], [16, 17]] as const;
    for (const [granule, size] of roots)
      for (const IPS of granule === 16 ? [5n, 6n] : [5n]) {
        const bytes = 8n << (BigInt(size) - shiftOf(startOf(size, granule), granule));
        const aligned = IPS === 6n && bytes < 64n ? 64n : bytes;
        for (const low of [16n, aligned >> 1n].filter((value) => value >= 16n && value < aligned)) {
          const { store, registers } = mapped(PA | RW | 3n, { granule, bits: size, id: { OAS: 6n }, cd: { TTB0: TABLES | low, IPS } }, 0n);
          expect(brief(ask(store, registers, 0n)), `${granule} ${size} ${low}`).toBe(`pa 0x${PA.toString(16)}`);
        }
      }
  });
  it("bits at or above that alignment count", () => {
    const { store, registers } = mapped(PA | RW | 3n, { bits: 22, cd: { TTB0: TABLES | 16n } }, 0n);
    expect(brief(ask(store, registers, 0n))).toBe("F_TRANSLATION RUD s1 IN 0x0");
  });
});

/** Permissions as DDI 0487 table D8-65 lists them, computed as its rules say. */
interface Page {
  readonly ap: number;
  readonly uxn: boolean;
  readonly pxn: boolean;
}
const permitted = ({ ap, uxn, pxn }: Page, wxn: boolean, pan: boolean, access: string, privileged: boolean): boolean => {
  const list: readonly string[] = [["PR", "PW"], ["PR", "PW", "UR", "UW"], ["PR"], ["PR", "UR"]][ap]!;
  const all = new Set(list);
  if (!pxn && !all.has("UW") && !(wxn && all.has("PW"))) all.add("PX");
  if (!uxn && !(wxn && all.has("UW"))) all.add("UX");
  if (pan && all.has("UR")) for (const data of ["PR", "PW"]) all.delete(data);
  return all.has(`${privileged ? "P" : "U"}${access}`);
};
const bits = [0, 1] as const;
const everything = [0, 1, 2, 3].flatMap((ap) => bits.flatMap((uxn) => bits.flatMap((pxn) => bits.flatMap((wxn) => bits.map((pan) => ({ ap, uxn: uxn === 1, pxn: pxn === 1, wxn: wxn === 1, pan: pan === 1 }))))));
const ACCESSES = { R: { op: "read" }, W: { op: "write" }, X: { op: "read", instr: true } } as const;

describe("permissions", () => {
  const leafOf = ({ ap, uxn, pxn }: Page): bigint => PA | AF | 3n | (BigInt(ap) << 6n) | (BigInt(uxn) << 54n) | (BigInt(pxn) << 53n);
  it("all of AP, UXN, PXN, WXN and PAN, for all accesses, are as table D8-65", () => {
    for (const page of everything) {
      const { store, registers } = mapped(leafOf(page), { cd: { WXN: BigInt(page.wxn), PAN: BigInt(page.pan) } });
      for (const [access, asked] of Object.entries(ACCESSES))
        for (const priv of [false, true]) {
          const flags = `${access === "W" ? "W" : "R"}${priv ? "P" : "U"}${access === "X" ? "I" : "D"}`;
          const expected = permitted(page, page.wxn, page.pan, access, priv) ? `pa 0x${PA.toString(16)}` : `F_PERMISSION ${flags} s1 IN 0x${VA.toString(16)}`;
          expect(brief(ask(store, registers, VA, { ...asked, priv })), JSON.stringify({ ...page, access, priv })).toBe(expected);
        }
    }
  });
  it("APTable, PXNTable and UXNTable of every level accumulate, unless HAD turns them off", () => {
    for (let table = 0; table < 16; table++)
      for (const level of [0, 1, 2])
        for (const had of [0n, 1n]) {
          const above = (at: number): bigint => (at === level ? BigInt(table) << 59n : 0n);
          const { store, registers } = mapped(leafOf({ ap: 1, uxn: false, pxn: false }), { above, cd: { HAD0: had } });
          const ap = had === 1n ? 1 : (table & 8) === 0 ? ((table & 4) === 0 ? 1 : 0) : (table & 4) === 0 ? 3 : 2;
          const page: Page = { ap, uxn: had === 0n && (table & 2) !== 0, pxn: had === 0n && (table & 1) !== 0 };
          for (const [access, asked] of Object.entries(ACCESSES))
            for (const priv of [false, true]) expect(brief(ask(store, registers, VA, { ...asked, priv })).startsWith("pa"), JSON.stringify({ table, level, had: had === 1n, access, priv })).toBe(permitted(page, false, false, access, priv));
        }
  });
  it("HAD is ignored where IDR3.HAD=0", () => {
    expect(reads(leafOf({ ap: 1, uxn: false, pxn: false }), { above: () => 1n << 62n, cd: { HAD0: 1n }, id: { HAD: 0n } }, VA, { op: "write" })).toBe(`F_PERMISSION WUD s1 IN 0x${VA.toString(16)}`);
  });
  it("E0PD: an unprivileged access is F_TRANSLATION; not in EL2, and not without IDR3.E0PD", () => {
    const page = leafOf({ ap: 1, uxn: false, pxn: false });
    expect(reads(page, { cd: { E0PD0: 1n } })).toBe(`F_TRANSLATION RUD s1 IN 0x${VA.toString(16)}`);
    expect(reads(page, { cd: { E0PD0: 1n } }, VA, { priv: true })).toBe(`pa 0x${PA.toString(16)}`);
    expect(reads(page, { cd: { E0PD0: 1n }, id: { E0PD: 0n } })).toBe(`pa 0x${PA.toString(16)}`);
    const { store, registers } = mapped(page, { cd: { E0PD0: 1n } });
    storeSte(store, { ...s1, STRW: 2n });
    expect(brief(ask(store, registers, VA))).toBe(`pa 0x${PA.toString(16)}`);
  });
  it("EL2 has one privilege: AP[1], PXN and PAN play no part (table D8-66)", () => {
    for (const page of everything) {
      const { store, registers } = mapped(leafOf(page), { cd: { WXN: BigInt(page.wxn), PAN: BigInt(page.pan) } });
      storeSte(store, { ...s1, STRW: 2n });
      const writable = page.ap < 2;
      const expected = { R: true, W: writable, X: !page.uxn && !(page.wxn && writable) };
      for (const [access, asked] of Object.entries(ACCESSES)) for (const priv of [false, true]) expect(brief(ask(store, registers, VA, { ...asked, priv })).startsWith("pa"), JSON.stringify({ ...page, access })).toBe(expected[access as "R" | "W" | "X"]);
    }
  });
  it("EL2 with a host (CR2.E2H) has two privileges again, two halves, and E0PD", () => {
    for (const page of everything) {
      const { store } = mapped(leafOf(page), { cd: { WXN: BigInt(page.wxn), PAN: BigInt(page.pan) } });
      storeSte(store, { ...s1, STRW: 2n });
      for (const [access, asked] of Object.entries(ACCESSES)) for (const priv of [false, true]) expect(brief(ask(store, enabled({ E2H: 1n }), VA, { ...asked, priv })).startsWith("pa")).toBe(permitted(page, page.wxn, page.pan, access, priv));
    }
    const { store } = mapped(leafOf({ ap: 1, uxn: false, pxn: false }), { cd: { E0PD0: 1n } });
    storeSte(store, { ...s1, STRW: 2n });
    expect(brief(ask(store, enabled({ E2H: 1n }), VA))).toMatch(/^F_TRANSLATION/u);
  });
  it("a write is data whatever it says of itself; STE overrides come first", () => {
    const readOnlyData = leafOf({ ap: 1, uxn: true, pxn: true });
    expect(reads(readOnlyData, {}, VA, { op: "write", instr: true })).toBe(`pa 0x${PA.toString(16)}`);
    const { store, registers } = mapped(leafOf({ ap: 0, uxn: true, pxn: true }));
    storeSte(store, { ...s1, PRIVCFG: 2n, INSTCFG: 3n });
    expect(brief(ask(store, registers, VA, { priv: true }))).toBe(`F_PERMISSION RUI s1 IN 0x${VA.toString(16)}`);
    expect(brief(ask(store, registers, VA, { priv: true, op: "write" }))).toBe(`F_PERMISSION WUD s1 IN 0x${VA.toString(16)}`);
    storeSte(store, { ...s1, PRIVCFG: 3n, INSTCFG: 2n });
    expect(brief(ask(store, registers, VA, { instr: true }))).toBe(`pa 0x${PA.toString(16)}`);
  });
  it("a page that a write would make dirty counts as writable: WXN and privileged execute-never (DDI 0487 section D8.5.2.2)", () => {
    const clean = (ap: number) => leafOf({ ap, uxn: false, pxn: false }) | (1n << 51n);
    const HTTU: Values = { HA: 1n, HD: 1n };
    expect(reads(clean(2), { cd: { ...HTTU, WXN: 1n } }, VA, { instr: true, priv: true })).toBe(`F_PERMISSION RPI s1 IN 0x${VA.toString(16)}`);
    expect(reads(clean(3), { cd: { ...HTTU, WXN: 1n } }, VA, { instr: true })).toBe(`F_PERMISSION RUI s1 IN 0x${VA.toString(16)}`);
    expect(reads(clean(3), { cd: HTTU }, VA, { instr: true, priv: true })).toBe(`F_PERMISSION RPI s1 IN 0x${VA.toString(16)}`);
    expect(reads(clean(3), {}, VA, { instr: true, priv: true })).toBe(`pa 0x${PA.toString(16)}`);
  });
});

describe("access flag, output size, and what faults do", () => {
  const leaf = PA | RW | 3n;
  const at = `s1 IN 0x${VA.toString(16)}`;
  const rows: readonly (readonly [string, bigint, Case, string])[] = [
    ["AF=0", leaf & ~AF, {}, `F_ACCESS RUD ${at}`],
    ["AF=0 with AFFD", leaf & ~AF, { cd: { AFFD: 1n } }, `pa 0x${PA.toString(16)}`],
    ["AF=0 with HA", leaf & ~AF, { cd: { HA: 1n } }, `pa 0x${PA.toString(16)}`],
    ["AF=0 before permission", (leaf & ~AF & ~0x40n), {}, `F_ACCESS RUD ${at}`],
    ["permission", leaf & ~0x40n, {}, `F_PERMISSION RUD ${at}`],
    ["a leaf beyond IPS", leaf, { cd: { IPS: 0n, TTB0: TABLES } }, `F_ADDR_SIZE RUD ${at}`],
    ["a leaf beyond IPS before AF", leaf & ~AF, { cd: { IPS: 0n } }, `F_ADDR_SIZE RUD ${at}`],
    ["a table beyond IPS", leaf, { cd: { IPS: 0n }, above: (level) => (level === 1 ? 1n << 32n : 0n) }, `F_ADDR_SIZE RUD ${at}`],
    ["a leaf within 40 bits", leaf, { cd: { IPS: 2n } }, `pa 0x${PA.toString(16)}`],
    ["IPS is capped by OAS", leaf, { id: { OAS: 1n }, cd: { IPS: 5n } }, `F_ADDR_SIZE RUD ${at}`],
    ["R=0", 0n, { cd: { R: 0n } }, "abort"],
    ["A=0 with R=1", 0n, { cd: { A: 0n } }, `raz F_TRANSLATION RUD ${at}`],
    ["A=0 with R=0", 0n, { cd: { A: 0n, R: 0n } }, "raz"],
    ["S=1, even with R=0", 0n, { cd: { S: 1n, R: 0n } }, `stall F_TRANSLATION RUD ${at}`],
  ];
  it.each(rows)("%s", (_, value, options, expected) => expect(reads(value, options)).toBe(expected));
  it("R, A and S do not concern F_WALK_EABT", () => {
    const { store, tables, registers } = mapped(leaf, { cd: { R: 0n, A: 0n, S: 1n } });
    store.holes.add(entryAt(tables, VA, 2) >> 12n);
    expect(brief(ask(store, registers, VA))).toBe(`F_WALK_EABT RUD ${at.replace("IN", "TT")} at 0x${entryAt(tables, VA, 2).toString(16)}`);
  });
  it("CD errors: V=0, a fetch that aborts, SID alone in the record", () => {
    const { store, registers } = mapped(leaf, { cd: { V: 0n } });
    expect(ask(store, registers, VA)).toMatchObject({ result: "abort", event: { raw: [(BigInt(SID) << 32n) | 0xan, 0n, 0n, 0n] } });
    store.holes.add(s1["S1ContextPtr"]! >> 12n);
    expect(ask(store, registers, VA)).toMatchObject({ event: { raw: [(BigInt(SID) << 32n) | 9n, 0n, 0n, s1["S1ContextPtr"]!] } });
  });
  it("the record of a fault, bit for bit", () => {
    const { store, registers } = mapped(leaf & ~0x40n);
    const told = ask(store, registers, VA | 0x123n, { op: "write" });
    expect(told).toMatchObject({ event: { raw: [(BigInt(SID) << 32n) | 0x13n, 2n << 40n, VA | 0x123n, 0n] } });
    expect(recordOf({ Type: "F_PERMISSION", SID: BigInt(SID), CLASS: "IN", InputAddr: VA | 0x123n })).toEqual([(BigInt(SID) << 32n) | 0x13n, 2n << 40n, VA | 0x123n, 0n]);
  });
});
