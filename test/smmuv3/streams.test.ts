/** Stream tables and what comes before them: IHI 0070 sections 3.3.1, 3.4, 5.1, 6.3.14, 6.3.24, 6.3.25 and 7.3.3. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { L1Std } from "../../specs/smmuv3/l1std.ts";
import { offsets, StrtabBaseCfg } from "../../specs/smmuv3/registers.ts";
import { iova, streamId } from "../../src/base/words.ts";
import { type RegisterFile, settingsOf, writeRegister } from "../../src/smmuv3/registers.ts";
import { translate } from "../../src/smmuv3/transaction.ts";
import { AF, brief, enabled, type Memory, memory, put, s2, storeSte, type Values, withRegisters } from "./tables.ts";

const TABLE = 0x8800_0000n;
const LEAVES = 0x9000_0000n;
const ADDRESS = 0x12_3456n;
const BYPASSED = `pa 0x${ADDRESS.toString(16)}`;
const BYPASS: Values = { V: 1n, Config: 4n };

/** A stream table as its registers say. */
const table = (config: { readonly LOG2SIZE: bigint; readonly SPLIT?: bigint; readonly FMT?: bigint }, id: Values = {}, base = TABLE, cr2 = 2): RegisterFile =>
  withRegisters(enabled(id), {
    [offsets.STRTAB_BASE]: Number(base & 0xffff_ffffn),
    [offsets.STRTAB_BASE + 4]: Number(base >> 32n),
    [offsets.STRTAB_BASE_CFG]: Number(StrtabBaseCfg.encode(config)[0]),
    [offsets.CR2]: cr2,
  });
const ask = (store: Memory, registers: RegisterFile, sid: number, address = ADDRESS) => translate(store.read, settingsOf(registers), { sid: streamId(sid), op: "read", iova: iova(address), size: 4 });
const told = (...asked: Parameters<typeof ask>): string => brief(ask(...asked));

describe("a linear table", () => {
  const store = memory();
  for (let sid = 0; sid < 64; sid++) storeSte(store, BYPASS, sid, TABLE);
  it("has 2^LOG2SIZE streams, at most 2^SIDSIZE", () => {
    for (const [LOG2SIZE, SIDSIZE, most] of [[4n, 16n, 16], [6n, 4n, 16], [0n, 16n, 1], [6n, 6n, 64]] as const) {
      const registers = table({ LOG2SIZE }, { SIDSIZE });
      expect(told(store, registers, most - 1)).toBe(BYPASSED);
      expect(told(store, registers, most)).toBe("C_BAD_STREAMID");
    }
  });
  it("C_BAD_STREAMID has the stream alone, and is recorded only with CR2.RECINVSID", () => {
    const beyond = ask(store, table({ LOG2SIZE: 4n }), 16);
    expect(beyond).toMatchObject({ result: "abort", event: { raw: [(16n << 32n) | 2n, 0n, 0n, 0n] } });
    expect(told(store, table({ LOG2SIZE: 4n }, {}, TABLE, 0), 16)).toBe("abort");
  });
  it("is aligned to its size, as LOG2SIZE says it literally: SIDSIZE does not limit that", () => {
    const single = memory();
    storeSte(single, BYPASS, 3, TABLE);
    const misplaced = TABLE | (1n << 11n);
    expect(told(single, table({ LOG2SIZE: 6n }, {}, misplaced), 3)).toBe(BYPASSED);
    expect(told(single, table({ LOG2SIZE: 6n }, { SIDSIZE: 4n }, misplaced), 3)).toBe(BYPASSED);
    expect(told(single, table({ LOG2SIZE: 5n }, {}, misplaced), 3)).toBe("C_BAD_STE");
    expect(told(single, table({ LOG2SIZE: 6n }, {}, TABLE | (1n << 12n)), 3)).toBe("C_BAD_STE");
  });
  it("reserved formats behave as linear, and so does the two-level one where it is not there", () => {
    for (const FMT of [2n, 3n]) expect(told(store, table({ LOG2SIZE: 6n, FMT, SPLIT: 6n }), 40)).toBe(BYPASSED);
    expect(told(store, table({ LOG2SIZE: 6n, FMT: 1n, SPLIT: 6n }, { ST_LEVEL: 0n }), 40)).toBe(BYPASSED);
  });
  it("a fetch that aborts is F_STE_FETCH with the entry's address, after the range of the StreamID", () => {
    const broken = memory();
    broken.holes.add(TABLE >> 12n);
    expect(told(broken, table({ LOG2SIZE: 6n }), 3)).toBe(`F_STE_FETCH at 0x${(TABLE + 192n).toString(16)}`);
    expect(told(broken, table({ LOG2SIZE: 1n }), 3)).toBe("C_BAD_STREAMID");
  });
});

describe("a two-level table", () => {
  /** One stream with an entry behind a descriptor of `span`. */
  const build = (sid: number, split: number, span: bigint, base = LEAVES): Memory => {
    const store = memory();
    put(store, TABLE + 8n * BigInt(sid >> split), L1Std.encode({ Span: span, L2Ptr: base }));
    storeSte(store, BYPASS, sid & ((1 << split) - 1), LEAVES);
    return store;
  };
  it.each([6, 8, 10])("SPLIT=%i: every stream within the span is found, every other is not", (split) => {
    fc.assert(fc.property(fc.nat(2 ** 16 - 1), fc.integer({ min: 1, max: 11 }), (sid, span) => {
      const within = span <= split + 1 && (sid & ((1 << split) - 1)) < 2 ** (span - 1);
      expect(told(build(sid, split, BigInt(span)), table({ LOG2SIZE: 16n, SPLIT: BigInt(split), FMT: 1n }), sid)).toBe(within ? BYPASSED : "C_BAD_STREAMID");
    }), { numRuns: 300 });
  });
  it.each([0, 1, 2, 3, 4, 5, 7, 9, 11, 16, 31])("the reserved SPLIT=%i behaves as 6", (said) => {
    const sid = 0x1234;
    expect(told(build(sid, 6, 7n), table({ LOG2SIZE: 16n, SPLIT: BigInt(said), FMT: 1n }), sid)).toBe(BYPASSED);
    expect(told(build(sid, 6, 8n), table({ LOG2SIZE: 16n, SPLIT: BigInt(said), FMT: 1n }), sid)).toBe("C_BAD_STREAMID");
  });
  it("Span: 0 and 12 to 31 have no streams; one beyond SPLIT+1 neither", () => {
    for (let span = 0n; span < 32n; span++) {
      const expected = span >= 1n && span <= 11n ? BYPASSED : "C_BAD_STREAMID";
      expect(told(build(0, 10, span), table({ LOG2SIZE: 16n, SPLIT: 10n, FMT: 1n }), 0), `Span=${span}`).toBe(expected);
      expect(told(build(0, 6, span), table({ LOG2SIZE: 16n, SPLIT: 6n, FMT: 1n }), 0), `Span=${span}, SPLIT=6`).toBe(span >= 1n && span <= 7n ? BYPASSED : "C_BAD_STREAMID");
    }
  });
  it("L2Ptr is aligned to the second level's size", () => {
    for (const span of [1n, 4n, 7n]) {
      const size = 64n << (span - 1n);
      for (let low = 64n; low < size; low <<= 1n) expect(told(build(0x40, 6, span, LEAVES | low), table({ LOG2SIZE: 16n, SPLIT: 6n, FMT: 1n }), 0x40)).toBe(BYPASSED);
      expect(told(build(0x40, 6, span, LEAVES | size), table({ LOG2SIZE: 16n, SPLIT: 6n, FMT: 1n }), 0x40)).toBe("C_BAD_STE");
    }
  });
  it("the first level is aligned to its size, at least 64 bytes", () => {
    const store = build(0x40, 6, 1n);
    expect(told(store, table({ LOG2SIZE: 10n, SPLIT: 6n, FMT: 1n }, {}, TABLE | 64n), 0x40)).toBe(BYPASSED);
    expect(told(store, table({ LOG2SIZE: 9n, SPLIT: 6n, FMT: 1n }, {}, TABLE | 64n), 0x40)).toBe("C_BAD_STREAMID");
    expect(told(store, table({ LOG2SIZE: 16n, SPLIT: 6n, FMT: 1n }, { SIDSIZE: 8n }, TABLE | (1n << 12n)), 0x40)).toBe(BYPASSED);
  });
  it("with SPLIT of LOG2SIZE or more there is one descriptor, and LOG2SIZE still bounds the streams", () => {
    expect(told(build(7, 8, 9n), table({ LOG2SIZE: 3n, SPLIT: 8n, FMT: 1n }), 7)).toBe(BYPASSED);
    expect(told(build(8, 8, 9n), table({ LOG2SIZE: 3n, SPLIT: 8n, FMT: 1n }), 8)).toBe("C_BAD_STREAMID");
  });
  it("fetches that abort are F_STE_FETCH: of the descriptor, then of the entry", () => {
    const store = build(0x45, 6, 7n);
    store.holes.add(LEAVES >> 12n);
    expect(told(store, table({ LOG2SIZE: 16n, SPLIT: 6n, FMT: 1n }), 0x45)).toBe(`F_STE_FETCH at 0x${(LEAVES + 5n * 64n).toString(16)}`);
    expect(told(store, table({ LOG2SIZE: 6n, SPLIT: 6n, FMT: 1n }), 0x45)).toBe("C_BAD_STREAMID");
    store.holes.add(TABLE >> 12n);
    expect(told(store, table({ LOG2SIZE: 16n, SPLIT: 6n, FMT: 1n }), 0x45)).toBe(`F_STE_FETCH at 0x${(TABLE + 8n).toString(16)}`);
  });
});

describe("while SMMUEN=0", () => {
  const disabled = (gbpa: number, id: Values = {}) => withRegisters(enabled(id), { [offsets.CR0]: 0, [offsets.GBPA]: gbpa });
  const rows: readonly (readonly [string, RegisterFile, bigint, string])[] = [
    ["passes", disabled(0), ADDRESS, BYPASSED],
    ["GBPA.ABORT aborts without an event", disabled(1 << 20), ADDRESS, "abort"],
    ["an address within OAS", disabled(0), (1n << 48n) - 1n, "pa 0xffffffffffff"],
    ["an address beyond OAS aborts without an event", disabled(0), 1n << 48n, "abort"],
    ["an address beyond a smaller OAS", disabled(0, { OAS: 1n }), 1n << 36n, "abort"],
  ];
  it.each(rows)("%s", (_, registers, address, expected) => expect(told(memory(), registers, 9999, address)).toBe(expected));
  it("a SubstreamID does not matter", () => {
    const outcome = translate(memory().read, settingsOf(disabled(0)), { sid: streamId(1), ssid: 7, op: "read", iova: iova(ADDRESS), size: 4 });
    expect(brief(outcome)).toBe(BYPASSED);
  });
  it("GBPA changes by writes with Update=1 alone, and Update reads 0 then", () => {
    const registers = disabled(0x1000);
    expect(writeRegister(registers, offsets.GBPA, 0x0010_0000n, 4).get(offsets.GBPA)).toBe(0x1000);
    expect(writeRegister(registers, offsets.GBPA, 0x8010_0000n, 4).get(offsets.GBPA)).toBe(0x0010_0000);
  });
});

describe("addresses beyond OAS, where stage 1 does not translate (IHI 0070 section 3.4)", () => {
  const machine = (ste: Values, id: Values = {}) => {
    const store = memory();
    storeSte(store, ste, 0, TABLE);
    // Two 512 GiB halves of stage 2, mapped one to one as far as the tests go.
    put(store, 0xa000_0000n, [AF | 0xfdn]);
    return (address: bigint) => told(store, table({ LOG2SIZE: 4n }, id), 0, address);
  };
  const stage2: Values = { ...s2, S2TTB: 0xa000_0000n };
  const rows: readonly (readonly [string, Values, Values, bigint, string])[] = [
    ["bypass within", BYPASS, {}, (1n << 48n) - 4n, "pa 0xfffffffffffc"],
    ["bypass beyond: F_ADDR_SIZE of stage 1, always recorded", BYPASS, {}, 1n << 48n, "F_ADDR_SIZE RUD s1 IN 0x1000000000000"],
    ["bypass beyond 36 bits", BYPASS, { OAS: 1n }, 1n << 36n, "F_ADDR_SIZE RUD s1 IN 0x1000000000"],
    ["stage 2 beyond IAS: F_ADDR_SIZE of stage 1", stage2, {}, 1n << 48n, "F_ADDR_SIZE RUD s1 IN 0x1000000000000"],
    ["the same with S2R=0: recorded all the same", { ...stage2, S2R: 0n }, {}, 1n << 48n, "F_ADDR_SIZE RUD s1 IN 0x1000000000000"],
    ["the same with S2S=1: no stall", { ...stage2, S2S: 1n }, {}, 1n << 48n, "F_ADDR_SIZE RUD s1 IN 0x1000000000000"],
    ["stage 2 beyond its input size, within IAS", stage2, {}, 1n << 40n, "F_TRANSLATION RUD s2 IN 0x10000000000 ipa 0x10000000000"],
    ["the same with S2R=0", { ...stage2, S2R: 0n }, {}, 1n << 40n, "abort"],
    ["stage 2 within", stage2, {}, 0x1234n, "pa 0x1234"],
    ["with AArch32 tables IAS is 40 bits though OAS is 36", { ...stage2, S2PS: 1n }, { TTF: 3n, OAS: 1n }, 1n << 39n, "F_TRANSLATION RUD s2 IN 0x8000000000 ipa 0x8000000000"],
    ["and beyond those 40 bits stage 1 faults", { ...stage2, S2PS: 1n }, { TTF: 3n, OAS: 1n }, 1n << 40n, "F_ADDR_SIZE RUD s1 IN 0x10000000000"],
    ["an abort entry judges no address", { V: 1n }, {}, 1n << 60n, "abort"],
  ];
  it.each(rows)("%s", (_, ste, id, address, expected) => expect(machine(ste, id)(address)).toBe(expected));
});
