/** Stage 2 alone at every granule, start level and number of root tables side by side: DDI 0487 sections D8.2 and D8.3, IHI 0070 section 5.2. */
import { describe, expect, it } from "vitest";
import { AF, ask, brief, enabled, type Granule, map, memory, put, s2, shiftOf, storeSte, TABLES, type Values } from "./tables.ts";

const S2TG = { 12: 0n, 14: 2n, 16: 1n } as const;
/** S2SL0 by start level. */
const SL0 = { 12: { 3: 3n, 2: 0n, 1: 1n, 0: 2n }, 14: { 3: 0n, 2: 1n, 1: 2n }, 16: { 3: 0n, 2: 1n, 1: 2n } } as const;
const PA = 0x12_3450_0000n;
const LEAF = AF | (3n << 6n) | (0xfn << 2n);

interface Regime {
  readonly granule: Granule;
  readonly start: number;
  readonly bits: number;
}
const regimes: readonly Regime[] = ([12, 14, 16] as const).flatMap((granule) =>
  Object.keys(SL0[granule]).flatMap((level) => {
    const start = Number(level);
    const least = Number(shiftOf(start, granule)) + 1;
    // One table's worth of index, and up to 16 tables side by side.
    const most = Math.min(least - 1 + granule - 3 + 4, granule === 16 ? 52 : 48);
    return Array.from({ length: most - least + 1 }, (_, at) => ({ granule, start, bits: least + at })).filter(({ bits }) => bits >= (granule === 16 ? 17 : 16));
  }),
);
const fieldsOf = ({ granule, start, bits }: Regime): Values => ({ ...s2, S2TG: S2TG[granule], S2SL0: (SL0[granule] as Readonly<Record<number, bigint>>)[start]!, S2T0SZ: BigInt(64 - bits), S2TTB: TABLES, S2PS: 6n });
const build = (regime: Regime, change: Values = {}) => {
  const store = memory();
  storeSte(store, { ...fieldsOf(regime), ...change });
  return { store, registers: enabled({ OAS: 6n }) };
};
const name = ({ granule, start, bits }: Regime): string => `granule 2^${granule}, level ${start}, ${bits} bits`;

describe("stage-2 walks", () => {
  it("there are as many regimes as the tables of section D8.2 have rows", () => expect(regimes.length).toBeGreaterThan(80));
  it("every regime translates its first and last page, and every table at the root is reached", () => {
    for (const regime of regimes) {
      const { granule, start, bits } = regime;
      const last = (1n << BigInt(bits)) - (1n << BigInt(granule));
      const tables = Number((last >> shiftOf(start, granule)) >> BigInt(granule - 3)) + 1;
      const addresses = [0n, last, ...Array.from({ length: tables }, (_, at) => BigInt(at) << (shiftOf(start, granule) + BigInt(granule - 3)))];
      for (const address of addresses) {
        const { store, registers } = build(regime);
        map(store, { root: TABLES, granule, bits, start }, address, 3, PA | LEAF | 3n);
        expect(brief(ask(store, registers, address | 0x40n)), `${name(regime)} ${address.toString(16)}`).toBe(`pa 0x${(PA | 0x40n).toString(16)}`);
      }
    }
  });
  it("one bit more than the input size is F_TRANSLATION before anything is fetched", () => {
    for (const regime of regimes) {
      const { store, registers } = build(regime);
      store.holes.add(TABLES >> 12n);
      const beyond = 1n << BigInt(regime.bits);
      expect(brief(ask(store, registers, beyond)), name(regime)).toBe(beyond >> 52n === 0n ? `F_TRANSLATION RUD s2 IN 0x${beyond.toString(16)} ipa 0x${beyond.toString(16)}` : `F_ADDR_SIZE RUD s1 IN 0x${beyond.toString(16)}`);
    }
  });
  it("the root is aligned to the size of all its tables, and to 64 bytes where addresses have 52 bits", () => {
    for (const regime of regimes) {
      const { granule, start, bits } = regime;
      const bytes = 8n << (BigInt(bits) - shiftOf(start, granule));
      for (const S2PS of [5n, 6n]) {
        const size = granule === 16 && S2PS === 6n && bytes < 64n ? 64n : bytes;
        if (granule !== 16 && S2PS === 6n) continue;
        for (const low of [16n, size >> 1n].filter((value) => value >= 16n && value < size)) {
          const { store, registers } = build(regime, { S2TTB: TABLES | low, S2PS });
          map(store, { root: TABLES, granule, bits, start }, 0n, 3, PA | LEAF | 3n);
          expect(brief(ask(store, registers, 0n)), `${name(regime)} S2TTB ${low}`).toBe(`pa 0x${PA.toString(16)}`);
        }
      }
    }
  });
  it("blocks are legal at the levels of stage 1, by the address size of the SMMU", () => {
    const blocks = [[12, 0, false], [12, 1, true], [12, 2, true], [14, 1, false], [14, 2, true], [16, 1, true], [16, 2, true]] as const;
    for (const [granule, level, legal] of blocks) {
      const size = 1n << shiftOf(level, granule);
      const regime = { granule, start: level, bits: Math.min(Number(shiftOf(level, granule)) + 4, 48) };
      for (const S2PS of [5n, 6n]) {
        const { store, registers } = build(regime, { S2PS });
        put(store, TABLES, [LEAF | 1n]);
        const address = 0x3_4560n & (size - 1n);
        expect(brief(ask(store, registers, address)), `granule 2^${granule} level ${level}`).toBe(legal ? `pa 0x${address.toString(16)}` : `F_TRANSLATION RUD s2 IN 0x${address.toString(16)} ipa 0x${(address & ~0xfffn).toString(16)}`);
      }
    }
    const { store, registers: _ } = build({ granule: 16, start: 1, bits: 46 }, { S2PS: 5n });
    put(store, TABLES, [LEAF | 1n]);
    expect(brief(ask(store, enabled(), 0n))).toBe("F_TRANSLATION RUD s2 IN 0x0 ipa 0x0");
  });
  it("bits 15:12 of a 64 KiB descriptor count where the SMMU has 52 bits, of tables as of leaves", () => {
    const regime = { granule: 16, start: 2, bits: 40 } as const;
    const { store, registers } = build(regime);
    map(store, { root: TABLES, ...regime }, 0n, 3, PA | LEAF | 3n | 0x9000n);
    expect(brief(ask(store, registers, 0n))).toBe(`pa 0x${(PA | (9n << 48n)).toString(16)}`);
    storeSte(store, { ...fieldsOf(regime), S2PS: 5n });
    expect(brief(ask(store, registers, 0n))).toBe("F_ADDR_SIZE RUD s2 IN 0x0 ipa 0x0");
    map(store, { root: TABLES, ...regime, above: () => 0x1000n }, 0n, 3, PA | LEAF | 3n);
    expect(brief(ask(store, registers, 0n))).toBe("F_ADDR_SIZE RUD s2 IN 0x0 ipa 0x0");
    expect(brief(ask(store, enabled(), 0n))).toBe(`pa 0x${PA.toString(16)}`);
  });
  it("a big-endian table is read, and updated, so where S2ENDI=1", () => {
    const swap = (value: bigint): bigint => [...value.toString(16).padStart(16, "0").matchAll(/../gu)].reduce((swapped, [byte], index) => swapped | (BigInt(`0x${byte}`) << BigInt(8 * index)), 0n);
    const { store, registers } = build({ granule: 12, start: 3, bits: 16 }, { S2ENDI: 1n, S2HA: 1n });
    put(store, TABLES, [swap((PA | LEAF | 3n) & ~AF)]);
    expect(ask(store, registers, 0n)).toMatchObject({ result: "ok", pa: PA, updates: [{ addr: TABLES, value: swap(PA | LEAF | 3n) }] });
  });
});

describe("access at stage 2 (table D8-76)", () => {
  const table = [[0n, "no", "no"], [1n, "pa", "no"], [2n, "no", "pa"], [3n, "pa", "pa"]] as const;
  it.each(table)("S2AP=%i: read %s, write %s, whoever asks", (S2AP, read, write) => {
    const { store, registers } = build({ granule: 12, start: 3, bits: 16 });
    put(store, TABLES, [PA | (LEAF & ~(3n << 6n)) | (S2AP << 6n) | 3n]);
    for (const priv of [false, true])
      for (const [op, allowed] of [["read", read], ["write", write]] as const)
        expect(brief(ask(store, registers, 0n, { op, priv }))).toBe(allowed === "pa" ? `pa 0x${PA.toString(16)}` : `F_PERMISSION ${op === "read" ? "R" : "W"}${priv ? "P" : "U"}D s2 IN 0x0 ipa 0x0`);
  });
  it("AF, S2AFFD and S2HA", () => {
    for (const [change, expected] of [[{}, "F_ACCESS RUD s2 IN 0x0 ipa 0x0"], [{ S2AFFD: 1n }, `pa 0x${PA.toString(16)}`], [{ S2HA: 1n }, `pa 0x${PA.toString(16)}`]] as const) {
      const { store, registers } = build({ granule: 12, start: 3, bits: 16 }, change);
      put(store, TABLES, [(PA | LEAF | 3n) & ~AF]);
      expect(brief(ask(store, registers, 0n))).toBe(expected);
    }
  });
});
