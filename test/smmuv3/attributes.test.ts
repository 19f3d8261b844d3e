/**
 * Memory attributes: rows of the text's tables, the laws of combining, and what is carried on every way through the SMMU
 * (IHI 0070 chapter 13; DDI 0487 section D8.6). Attributes are written as IHI 0070 section 13.1.1 does.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CommandTlbi, opcodes } from "../../specs/smmuv3/command.ts";
import { eventTypes } from "../../specs/smmuv3/event.ts";
import { Gbpa, offsets } from "../../specs/smmuv3/registers.ts";
import { decodeSnapshot } from "../../src/audit/decode.ts";
import type { Transaction } from "../../src/base/transaction.ts";
import { iova, streamId } from "../../src/base/words.ts";
import { afterStage1, afterStage2, type Attributes, type Cacheability, combine, device, type DeviceType, INCOMING, isDevice, mairAttributes, memAttrAttributes, normal, replaced, replacementOf, stage2Memory } from "../../src/smmuv3/attributes.ts";
import { configurationOf } from "../../src/smmuv3/configuration.ts";
import { contextOf } from "../../src/smmuv3/context.ts";
import { createDevice } from "../../src/smmuv3/device.ts";
import { laneMemory } from "../../src/smmuv3/laneMemory.ts";
import { askedLanes, compileRegime } from "../../src/smmuv3/laneRegime.ts";
import { ANSWER_LANES, TRANSLATED, walkLanes } from "../../src/smmuv3/laneWalk.ts";
import { playMay } from "../../src/smmuv3/mayHistory.ts";
import { readWords } from "../../src/smmuv3/memory.ts";
import { type RegisterFile, setRegister, settingsOf } from "../../src/smmuv3/registers.ts";
import { reader, readSnapshot } from "../../src/smmuv3/snapshot.ts";
import { translate, type Translation } from "../../src/smmuv3/transaction.ts";
import { imageOf } from "./laneTables.ts";
import { AF, ask, brief, cd, CONTEXTS, enabled, map, type Memory, memory, s1, s2, SID, storeCd, storeSte, STREAM_TABLE, type Tables, TABLES, type Values } from "./tables.ts";

// The text's notation: Normal-iWB/RAWAnTR-oNC-ISH, Normal-iNC-oNC, Device-nGnRE.

const SHORT = { "non-cacheable": "NC", "write-through": "WT", "write-back": "WB", "non-shareable": "NSH", "inner shareable": "ISH", "outer shareable": "OSH" } as const;
const showLevel = ({ cache, readAllocate, writeAllocate, transient }: Cacheability): string =>
  cache === "non-cacheable" && !readAllocate && !writeAllocate && !transient ? "NC" : `${SHORT[cache]}/${readAllocate ? "" : "n"}RA${writeAllocate ? "" : "n"}WA${transient ? "" : "n"}TR`;
const show = (attributes: Attributes): string => {
  if (attributes.type !== "Normal") return attributes.type;
  const levels = `Normal-i${showLevel(attributes.inner)}-o${showLevel(attributes.outer)}`;
  return levels === "Normal-iNC-oNC" && attributes.shareability === "outer shareable" ? levels : `${levels}-${SHORT[attributes.shareability]}`;
};
const CACHES = { NC: "non-cacheable", WT: "write-through", WB: "write-back" } as const;
const SHARED = { NSH: "non-shareable", ISH: "inner shareable", OSH: "outer shareable" } as const;
const readLevel = (text: string): Cacheability => {
  const [, cache, reads, writes, transient] = /^(NC|WT|WB)(?:\/(n?)RA(n?)WA(n?)TR)?$/u.exec(text)!;
  return { cache: CACHES[cache as keyof typeof CACHES], readAllocate: reads === "", writeAllocate: writes === "", transient: transient === "" };
};
const read = (text: string): Attributes => {
  if (text.startsWith("Device")) return device(text as DeviceType);
  const [, inner, outer, shared = "OSH"] = /^Normal-i([^-]+)-o([^-]+)(?:-(NSH|ISH|OSH))?$/u.exec(text)!;
  return normal(readLevel(inner!), readLevel(outer!), SHARED[shared as keyof typeof SHARED]);
};

const DEVICES = ["Device-nGnRnE", "Device-nGnRE", "Device-nGRE", "Device-GRE"] as const;
const ALL_BYTES = Array.from({ length: 256 }, (_, byte) => byte);
const ALL_MEMATTR = Array.from({ length: 16 }, (_, memAttr) => memAttr);
const both = (level: string, shared = "ISH"): string => (level === "NC" ? "Normal-iNC-oNC" : `Normal-i${level}-o${level}-${shared}`);

describe("decoding", () => {
  /** Bits 3:0 (or 7:4) of Normal memory. */
  const NIBBLES = ["WT/RAWATR", "WT/nRAWATR", "WT/RAnWATR", "WT/RAWATR", "NC", "WB/nRAWATR", "WB/RAnWATR", "WB/RAWATR", "WT/nRAnWAnTR", "WT/nRAWAnTR", "WT/RAnWAnTR", "WT/RAWAnTR", "WB/nRAnWAnTR", "WB/nRAWAnTR", "WB/RAnWAnTR", "WB/RAWAnTR"];

  it("MAIR, every byte: reserved ones too, which the SMMU defines (section 5.4 MAIR0)", () => {
    const expected = ALL_BYTES.map((byte) => {
      const [outer, inner] = [byte >> 4, byte & 15];
      if (outer === 0) return DEVICES[inner >> 2];
      return outer === 4 && inner === 4 ? "Normal-iNC-oNC" : `Normal-i${NIBBLES[inner]!}-o${NIBBLES[outer]!}-ISH`;
    });
    expect(ALL_BYTES.map((byte) => show(mairAttributes(byte, 3)))).toEqual(expected);
  });

  it("the bytes that DDI 0487 has and the SMMU has not: 0x40, 0xa0, 0xf0", () => {
    expect([0x40, 0xa0, 0xf0].map((byte) => show(mairAttributes(byte, 0)))).toEqual(["Normal-iWT/RAWATR-oNC-NSH", "Normal-iWT/RAWATR-oWT/RAnWAnTR-NSH", "Normal-iWT/RAWATR-oWB/RAWAnTR-NSH"]);
  });

  it("what Linux puts into MAIR: non-cacheable, write-back, Device, outer write-back", () => {
    expect([0x44, 0xff, 0x04, 0xf4].map((byte) => show(mairAttributes(byte, 3)))).toEqual(["Normal-iNC-oNC", both("WB/RAWAnTR"), "Device-nGnRE", "Normal-iNC-oWB/RAWAnTR-ISH"]);
  });

  it("SH; the reserved value is the strongest", () => expect([0, 1, 2, 3].map((sh) => mairAttributes(0xff, sh).shareability)).toEqual(["non-shareable", "outer shareable", "outer shareable", "inner shareable"]));

  it("stage-2 MemAttr (DDI 0487 table D8-96); a reserved half is non-cacheable", () => {
    const halves = ["NC", "NC", "WT/RAWAnTR", "WB/RAWAnTR"];
    const expected = ALL_MEMATTR.map((memAttr) => {
      const [outer, inner] = [memAttr >> 2, memAttr & 3];
      if (outer === 0) return DEVICES[inner];
      return outer === 1 && inner < 2 ? "Normal-iNC-oNC" : `Normal-i${halves[inner]!}-o${halves[outer]!}-NSH`;
    });
    expect(ALL_MEMATTR.map((memAttr) => show(memAttrAttributes(memAttr, 0)))).toEqual(expected);
  });

  it("MemAttr=4 is write-back where there is tag permission, and S2FWB is 0 (section 3.23.1)", () => {
    const after = (forcesWriteBack: boolean, tagPermission: boolean) => show(afterStage2(INCOMING, stage2Memory(4n << 2n, { forcesWriteBack, tagPermission })));
    expect([after(false, true), after(false, false), after(true, true), after(true, false)]).toEqual([both("WB/RAWAnTR", "NSH"), "Normal-iNC-oNC", "Normal-iNC-oNC", "Normal-iNC-oNC"]);
  });
});

describe("combining", () => {
  const combined = (a: string, b: string): string => show(combine(read(a), read(b)));

  it("the text's own examples (section 13.1.5.1)", () => {
    expect(combined("Normal-iWB/RAWAnTR-oNC-ISH", "Device-nGnRE")).toBe("Device-nGnRE");
    expect(combined("Device-nGnRE", "Device-nGnRnE")).toBe("Device-nGnRnE");
    expect(combined("Normal-iWB/RAWAnTR-oNC-ISH", "Normal-iWT/RAWAnTR-oWT/RAnWATR-OSH")).toBe("Normal-iWT/RAWAnTR-oNC-OSH");
  });

  it("memory types (DDI 0487 table D8-97)", () => {
    for (const [at, strong] of DEVICES.entries()) {
      for (const weak of DEVICES.slice(at)) expect(combined(weak, strong)).toBe(strong);
      expect(combined(both("WB/RAWAnTR"), strong)).toBe(strong);
    }
  });

  it.each([
    ["NC", "NC", "NC"],
    ["NC", "WT", "NC"],
    ["NC", "WB", "NC"],
    ["WT", "NC", "NC"],
    ["WT", "WT", "WT"],
    ["WT", "WB", "WT"],
    ["WB", "NC", "NC"],
    ["WB", "WT", "WT"],
    ["WB", "WB", "WB"],
  ])("cacheability of each level: %s with %s is %s (table D8-98)", (a, b, result) => {
    const level = (cache: string): string => (cache === "NC" ? cache : `${cache}/RAWAnTR`);
    const [inner, outer] = [(cache: string) => `Normal-i${level(cache)}-oWB/RAWAnTR-ISH`, (cache: string) => `Normal-iWB/RAWAnTR-o${level(cache)}-ISH`];
    expect(combined(inner(a), inner(b))).toBe(inner(result));
    expect(combined(outer(a), outer(b))).toBe(outer(result));
  });

  it.each([
    ["OSH", "OSH", "OSH"],
    ["OSH", "ISH", "OSH"],
    ["OSH", "NSH", "OSH"],
    ["ISH", "OSH", "OSH"],
    ["ISH", "ISH", "ISH"],
    ["ISH", "NSH", "ISH"],
    ["NSH", "OSH", "OSH"],
    ["NSH", "ISH", "ISH"],
    ["NSH", "NSH", "NSH"],
  ])("shareability: %s with %s is %s (table D8-103)", (a, b, result) => expect(combined(both("WB/RAWAnTR", a), both("WB/RAWAnTR", b))).toBe(both("WB/RAWAnTR", result)));

  it("two levels that are non-cacheable together are outer shareable, whatever each stage says", () =>
    expect(combined("Normal-iNC-oWB/RAWAnTR-NSH", "Normal-iWB/RAWAnTR-oNC-NSH")).toBe("Normal-iNC-oNC"));

  it("no allocation and transience win, and without allocation there is no transience (figure 13.1, section 13.1.7)", () => {
    expect(combined(both("WB/RAnWAnTR"), both("WB/RAWATR"))).toBe(both("WB/RAnWATR"));
    expect(combined(both("WB/RAnWATR"), both("WB/nRAWAnTR"))).toBe(both("WB/nRAnWAnTR"));
  });
});

describe("S2FWB", () => {
  const forced = (input: string, memAttr: number, shareability = 0): string => show(afterStage2(read(input), { memAttr, shareability, forced: true }));
  const [NC, WT, WB] = ["Normal-iNC-oNC", both("WT/RAnWAnTR", "NSH"), both("WB/nRAWAnTR", "NSH")] as const;

  it.each([
    ["Device-nGRE", 5, "Device-nGRE"],
    [NC, 5, NC],
    [WT, 5, NC],
    [WB, 5, NC],
    ["Device-nGRE", 6, both("WB/RAWAnTR", "OSH")],
    [NC, 6, both("WB/RAWAnTR", "OSH")],
    [WT, 6, both("WB/RAnWAnTR", "NSH")],
    [WB, 6, WB],
    ["Device-nGRE", 7, "Device-nGRE"],
    [NC, 7, NC],
    [WT, 7, WT],
    [WB, 7, WB],
  ])("%s under MemAttr=%i is %s (DDI 0487 table D8-101)", (input, memAttr, result) => {
    expect(forced(input, memAttr)).toBe(result);
    // Bit 3 is RES0, and with tag permission it says NoTagAccess, which is nothing to an SMMU.
    expect(forced(input, memAttr | 8)).toBe(result);
  });

  it("each level keeps the hints that it has: what is made cacheable allocates", () => expect(forced("Normal-iWB/RAnWATR-oNC-NSH", 6)).toBe("Normal-iWB/RAnWATR-oWB/RAWAnTR-NSH"));

  it("MemAttr[2]=0 is Device memory, combined (table D8-100)", () => {
    for (const [at, type] of DEVICES.entries())
      for (const high of [0, 8]) {
        expect(forced(WB, high | at)).toBe(type);
        expect(forced("Device-nGnRE", high | at)).toBe(at === 0 ? "Device-nGnRnE" : "Device-nGnRE");
      }
  });

  it("shareability is combined as without it (D8.6.7)", () => expect([0, 2, 3].map((sh) => forced(WB, 6, sh))).toEqual(["NSH", "OSH", "ISH"].map((sh) => both("WB/nRAWAnTR", sh))));
});

describe("stage 1", () => {
  const replacing = (input: string, mair: number, sh = 3): string => show(afterStage1(read(input), { mair, shareability: sh }));
  it("replaces type and shareability", () => {
    expect(replacing("Device-nGnRnE", 0xff)).toBe(both("WB/RAWAnTR"));
    expect(replacing(both("WT/RAWAnTR", "OSH"), 0x04)).toBe("Device-nGnRE");
    expect(replacing(both("WT/RAWAnTR", "OSH"), 0xff, 0)).toBe(both("WB/RAWAnTR", "NSH"));
  });
  it("combines the hints of cacheable memory, and takes its own otherwise (section 13.4.2)", () => {
    expect(replacing(both("WB/nRAWAnTR"), 0x77)).toBe(both("WB/nRAWATR"));
    expect(replacing("Normal-iNC-oNC", 0xee)).toBe(both("WB/RAnWAnTR"));
    expect(replacing("Device-GRE", 0xee)).toBe(both("WB/RAnWAnTR"));
  });
});

describe("overrides (STE, GBPA)", () => {
  const NONE = { MTCFG: 0, MemAttr: 0, ALLOCCFG: 0, SHCFG: 1 };
  const override = (incoming: string, fields: Partial<typeof NONE>): string => show(replaced(read(incoming), replacementOf({ ...NONE, ...fields })));
  const WB = both("WB/RAWAnTR", "ISH");

  it("defaults of what comes without attributes (section 13.1.3)", () => expect(show(INCOMING)).toBe(both("WB/RAWAnTR", "NSH")));
  it("nothing is replaced", () => {
    for (const incoming of [WB, "Normal-iNC-oNC", "Device-GRE", "Normal-iWT/RAnWATR-oNC-NSH"]) expect(override(incoming, {})).toBe(incoming);
    expect(override(WB, { MemAttr: 1, ALLOCCFG: 7 })).toBe(WB);
  });
  it("MTCFG; reserved values of MemAttr are Device-nGnRnE", () => {
    expect([0, 1, 2, 3, 4, 5, 8, 12].map((MemAttr) => override(WB, { MTCFG: 1, MemAttr }))).toEqual([...DEVICES, "Device-nGnRnE", "Normal-iNC-oNC", "Device-nGnRnE", "Device-nGnRnE"]);
    expect([6, 9, 11, 15].map((MemAttr) => override(WB, { MTCFG: 1, MemAttr }))).toEqual(["Normal-iWT/RAWAnTR-oNC-ISH", "Normal-iNC-oWT/RAWAnTR-ISH", "Normal-iWB/RAWAnTR-oWT/RAWAnTR-ISH", WB]);
  });
  it("what becomes cacheable allocates, what was keeps its hints (section 13.1.4)", () => {
    for (const incoming of ["Device-nGnRE", "Normal-iNC-oNC"]) expect(override(incoming, { MTCFG: 1, MemAttr: 15 })).toBe(both("WB/RAWAnTR", "OSH"));
    expect(override("Normal-iWT/RAnWATR-oNC-NSH", { MTCFG: 1, MemAttr: 15 })).toBe("Normal-iWB/RAnWATR-oWB/RAWAnTR-NSH");
  });
  it("ALLOCCFG: 1RWT, of cacheable levels alone", () => {
    expect([8, 9, 10, 11, 12, 13, 14, 15].map((ALLOCCFG) => override(WB, { ALLOCCFG }))).toEqual(
      ["nRAnWAnTR", "nRAnWAnTR", "nRAWAnTR", "nRAWATR", "RAnWAnTR", "RAnWATR", "RAWAnTR", "RAWATR"].map((hints) => both(`WB/${hints}`)),
    );
    expect(override("Normal-iWB/RAWAnTR-oNC-ISH", { ALLOCCFG: 11 })).toBe("Normal-iWB/nRAWATR-oNC-ISH");
    expect(override("Device-GRE", { ALLOCCFG: 15 })).toBe("Device-GRE");
    expect(override("Device-GRE", { ALLOCCFG: 11, MTCFG: 1, MemAttr: 15 })).toBe(both("WB/nRAWATR", "OSH"));
  });
  it("SHCFG, but Device and non-cacheable memory stay outer shareable", () => {
    expect([0, 1, 2, 3].map((SHCFG) => override(WB, { SHCFG }))).toEqual(["NSH", "ISH", "OSH", "ISH"].map((sh) => both("WB/RAWAnTR", sh)));
    for (const incoming of ["Device-GRE", "Normal-iNC-oNC"]) expect([0, 2, 3].map((SHCFG) => override(incoming, { SHCFG }))).toEqual([incoming, incoming, incoming]);
    expect(override(WB, { SHCFG: 0, MTCFG: 1, MemAttr: 5 })).toBe("Normal-iNC-oNC");
  });
});

// Laws.

const levels: fc.Arbitrary<Cacheability> = fc.record({ cache: fc.constantFrom("non-cacheable", "write-through", "write-back"), readAllocate: fc.boolean(), writeAllocate: fc.boolean(), transient: fc.boolean() });
const anyAttributes: fc.Arbitrary<Attributes> = fc.oneof(
  { weight: 1, arbitrary: fc.constantFrom(...DEVICES).map(device) },
  { weight: 4, arbitrary: fc.tuple(levels, levels, fc.constantFrom("non-shareable", "inner shareable", "outer shareable")).map(([inner, outer, shared]) => normal(inner, outer, shared)) },
);
const anyMemory2 = fc.record({ memAttr: fc.nat({ max: 15 }), shareability: fc.constantFrom(0, 1, 2, 3), forced: fc.boolean() });

/** Strength of the parts of the figure, each apart; larger is stronger. Device memory is stronger than any Normal one. */
const strengths = (attributes: Attributes): number[] => {
  const shared = ["non-shareable", "inner shareable", "outer shareable"].indexOf(attributes.shareability);
  if (attributes.type !== "Normal") return [4 - DEVICES.indexOf(attributes.type), 9, 9, shared];
  const cached = ({ cache }: Cacheability): number => ["write-back", "write-through", "non-cacheable"].indexOf(cache);
  return [0, cached(attributes.inner), cached(attributes.outer), shared];
};
const noWeaker = (result: Attributes, than: Attributes): boolean => strengths(than).every((strength, at) => strengths(result)[at]! >= strength);
/** IHI 0070 section 13.1.7. */
const consistent = (attributes: Attributes): boolean => {
  if (attributes.type !== "Normal") return attributes.shareability === "outer shareable";
  const { inner, outer, shareability } = attributes;
  if (inner.cache === "non-cacheable" && outer.cache === "non-cacheable" && shareability !== "outer shareable") return false;
  return [inner, outer].every(({ cache, readAllocate, writeAllocate, transient }) => (cache !== "non-cacheable" || !(readAllocate || writeAllocate)) && (readAllocate || writeAllocate || !transient));
};

describe("laws", () => {
  it("combining is commutative, associative and idempotent", () => {
    fc.assert(
      fc.property(anyAttributes, anyAttributes, anyAttributes, (a, b, c) => {
        expect(combine(a, b)).toEqual(combine(b, a));
        expect(combine(combine(a, b), c)).toEqual(combine(a, combine(b, c)));
        expect(combine(a, a)).toEqual(a);
      }),
      { numRuns: 1000 },
    );
  });
  it("a result is weaker than neither stage; Device wins", () => {
    fc.assert(
      fc.property(anyAttributes, anyAttributes, (a, b) => {
        const result = combine(a, b);
        expect(noWeaker(result, a) && noWeaker(result, b)).toBe(true);
        expect(result.type === "Normal").toBe(a.type === "Normal" && b.type === "Normal");
      }),
      { numRuns: 1000 },
    );
  });
  it("stage 2 without S2FWB never weakens; write-back, non-shareable changes nothing", () => {
    fc.assert(
      fc.property(anyAttributes, anyMemory2, (input, leaf) => {
        expect(noWeaker(afterStage2(input, { ...leaf, forced: false }), input)).toBe(true);
        expect(afterStage2(input, { memAttr: 15, shareability: 0, forced: false })).toEqual(input);
        expect(afterStage2(input, { memAttr: 7, shareability: 0, forced: true })).toEqual(input);
      }),
    );
  });
  it("what leaves is consistent, and stage 2 twice is stage 2 once (section 13.6.3)", () => {
    fc.assert(
      fc.property(anyAttributes, anyMemory2, fc.nat({ max: 255 }), fc.record({ MTCFG: fc.nat({ max: 1 }), MemAttr: fc.nat({ max: 15 }), ALLOCCFG: fc.nat({ max: 15 }), SHCFG: fc.nat({ max: 3 }) }), (input, leaf, mair, fields) => {
        const overridden = replaced(input, replacementOf(fields));
        const first = afterStage1(overridden, { mair, shareability: leaf.shareability });
        const second = afterStage2(first, leaf);
        expect([input, overridden, first, second].map(consistent)).toEqual([true, true, true, true]);
        expect(afterStage2(second, leaf)).toEqual(second);
      }),
      { numRuns: 1000 },
    );
  });
  it("Device memory of stage 2 is Device memory whatever comes in", () => {
    fc.assert(fc.property(anyAttributes, anyMemory2, (input, leaf) => void (isDevice(leaf) && expect(afterStage2(input, leaf).type).not.toBe("Normal"))));
    for (const forced of [false, true])
      for (const memAttr of ALL_MEMATTR) expect(isDevice({ memAttr, shareability: 0, forced })).toBe(afterStage2(INCOMING, { memAttr, shareability: 0, forced }).type !== "Normal");
  });
});

// Ways through the SMMU.

const VA = 0x12_3456_7000n;
const PAGE = 0xc000_0000n;
const TABLES_1: Tables = { root: TABLES, granule: 12, bits: 48, start: 0 };
const TABLES_2: Tables = { root: 0xa000_0000n, granule: 12, bits: 40, start: 1 };
const GIB = 0x4000_0000n;
/** Linux's MAIR: 0 non-cacheable, 1 write-back, 2 Device-nGnRE; 3 transient write-back that allocates for reads. */
const MAIR: Values = { MAIR_ATTR0: 0x44n, MAIR_ATTR1: 0xffn, MAIR_ATTR2: 0x04n, MAIR_ATTR3: 0x66n };
const context: Values = { ...cd, ...MAIR, TTB0: TABLES };
const page1 = (index: bigint, sh: bigint, rest = 0n): bigint => AF | (1n << 6n) | (index << 2n) | (sh << 8n) | rest | 3n;
const page2 = (memAttr: bigint, sh: bigint): bigint => AF | (3n << 6n) | (memAttr << 2n) | (sh << 8n) | 3n;
/** With overrides, S2FWB and ATS. */
const full = (change: Values = {}): RegisterFile => enabled({ ATTR_TYPES_OVR: 1n, FWB: 1n, ...change });
const settled = (translation: Translation): string => (translation.result === "ok" ? show(translation.attributes) : brief(translation));
const carried = (store: Memory, registers: RegisterFile = full(), rest: Partial<Transaction> = {}, address = VA): string => settled(ask(store, registers, address, rest));

const stage1 = (leaf: bigint, ste: Values = {}, change: Values = {}): Memory => {
  const store = memory();
  storeSte(store, { ...s1, SHCFG: 1n, ...ste });
  storeCd(store, { ...context, ...change });
  map(store, TABLES_1, VA, 3, PAGE | leaf);
  return store;
};
const stage2 = (leaf: bigint, ste: Values = {}): Memory => {
  const store = memory();
  storeSte(store, { ...s2, S2TTB: TABLES_2.root, SHCFG: 1n, ...ste });
  map(store, TABLES_2, VA, 3, PAGE | leaf);
  return store;
};
/** Stage 2 maps the context and the tables of stage 1 as they are, by one block; a page of stage 1 leads to IPA `VA`. */
const nested = (leaf1: bigint, leaf2: bigint, ste: Values = {}, tables: bigint = 15n): Memory => {
  const store = stage2(leaf2, { ...s1, Config: 7n, ...ste });
  storeCd(store, context);
  map(store, TABLES_1, VA, 3, VA | leaf1);
  map(store, TABLES_2, 2n * GIB, 1, (2n * GIB) | (page2(tables, 3n) & ~2n));
  return store;
};

describe("carried through", () => {
  it("the SMMU while disabled: GBPA, where overrides are implemented (section 13.2)", () => {
    const off = (change: Values, gbpa: Values): RegisterFile => [[offsets.CR0, 0], [offsets.GBPA, Number(Gbpa.encode(gbpa)[0])]].reduce((file, [offset, value]) => setRegister(file, offset!, value!), full(change));
    expect(carried(memory(), off({}, { SHCFG: 1n }))).toBe(both("WB/RAWAnTR", "NSH"));
    expect(carried(memory(), off({}, { SHCFG: 3n, ALLOCCFG: 12n }))).toBe(both("WB/RAnWAnTR", "ISH"));
    expect(carried(memory(), off({}, { MTCFG: 1n, MemAttr: 1n }))).toBe("Device-nGnRE");
    expect(carried(memory(), off({ ATTR_TYPES_OVR: 0n }, { MTCFG: 1n, MemAttr: 1n, SHCFG: 3n, ALLOCCFG: 12n }))).toBe(both("WB/RAWAnTR", "NSH"));
  });

  it("a bypass entry: its own overrides, not GBPA's (section 13.3)", () => {
    const bypass = (ste: Values, change: Values = {}): string => {
      const store = memory();
      storeSte(store, { V: 1n, Config: 4n, SHCFG: 1n, ...ste });
      return carried(store, setRegister(full(change), offsets.GBPA, Number(Gbpa.encode({ MTCFG: 1n, MemAttr: 2n })[0])));
    };
    expect(bypass({})).toBe(both("WB/RAWAnTR", "NSH"));
    expect(bypass({ SHCFG: 3n })).toBe(both("WB/RAWAnTR", "ISH"));
    expect(bypass({ MTCFG: 1n, MemAttr: 5n, ALLOCCFG: 15n })).toBe("Normal-iNC-oNC");
    expect(bypass({ MTCFG: 1n, MemAttr: 10n, ALLOCCFG: 10n, SHCFG: 2n })).toBe(both("WT/nRAWAnTR", "OSH"));
    expect(bypass({ MTCFG: 1n, MemAttr: 5n, ALLOCCFG: 15n, SHCFG: 3n }, { ATTR_TYPES_OVR: 0n })).toBe(both("WB/RAWAnTR", "NSH"));
  });

  it("stage 1: MAIR by AttrIndx and SH of the leaf; overrides count for hints alone (section 13.5)", () => {
    expect([0n, 1n, 2n, 3n].map((index) => carried(stage1(page1(index, 3n))))).toEqual(["Normal-iNC-oNC", both("WB/RAWAnTR"), "Device-nGnRE", both("WB/RAnWATR")]);
    expect(carried(stage1(page1(1n, 2n), { MTCFG: 1n, MemAttr: 1n, SHCFG: 0n, ALLOCCFG: 10n }))).toBe(both("WB/RAWAnTR", "OSH"));
    expect(carried(stage1(page1(1n, 3n), { ALLOCCFG: 10n }))).toBe(both("WB/nRAWAnTR"));
    expect(carried(stage1(page1(1n, 3n), { ALLOCCFG: 10n }), full({ ATTR_TYPES_OVR: 0n }))).toBe(both("WB/RAWAnTR"));
  });

  it("a fourth bit of AttrIndx, with CD.AIE: index 8 and above is the last byte", () => {
    const store = stage1(page1(1n, 3n, 1n << 59n), {}, { AIE: 1n, MAIR_ATTR7: 0x04n });
    expect(carried(store, full({ AIE: 1n }))).toBe("Device-nGnRE");
    expect(carried(store)).toBe(both("WB/RAWAnTR"));
  });

  it("big-endian tables", () => {
    const swap = (value: bigint): bigint => BigInt(`0x${value.toString(16).padStart(16, "0").match(/../gu)!.toReversed().join("")}`);
    const store = stage1(page1(2n, 3n), {}, { ENDI: 1n });
    for (const [at, value] of store.words) if (at >= TABLES) store.words.set(at, swap(value));
    expect(carried(store, full({ TTENDIAN: 0n }))).toBe("Device-nGnRE");
  });

  it("stage 1 that is skipped (S1DSS): what came in, with overrides", () => {
    const skipped = stage1(page1(2n, 3n), { S1CDMax: 2n, S1DSS: 1n, SHCFG: 3n });
    expect(carried(skipped)).toBe(both("WB/RAWAnTR", "ISH"));
    expect(carried(skipped, full(), { ssid: 0 })).toBe("Device-nGnRE");
  });

  it("stage 2: what came in, with overrides, combined with the leaf", () => {
    expect(carried(stage2(page2(15n, 3n)))).toBe(both("WB/RAWAnTR", "ISH"));
    expect(carried(stage2(page2(1n, 3n)))).toBe("Device-nGnRE");
    expect(carried(stage2(page2(11n, 0n), { ALLOCCFG: 12n, SHCFG: 2n }))).toBe("Normal-iWB/RAnWAnTR-oWT/RAnWAnTR-OSH");
    expect(carried(stage2(page2(15n, 3n), { MTCFG: 1n, MemAttr: 3n }))).toBe("Device-GRE");
  });

  it("S2FWB, where it is implemented", () => {
    const forced = stage2(page2(6n, 3n), { S2FWB: 1n, MTCFG: 1n, MemAttr: 3n });
    expect(carried(forced)).toBe(both("WB/RAWAnTR", "OSH"));
    expect(carried(forced, full({ FWB: 0n }))).toBe("Device-GRE");
    expect(carried(stage2(page2(6n, 3n)))).toBe("Normal-iWT/RAWAnTR-oNC-ISH");
  });

  it("both stages", () => {
    expect(carried(nested(page1(1n, 3n), page2(15n, 0n)))).toBe(both("WB/RAWAnTR", "ISH"));
    expect(carried(nested(page1(3n, 0n), page2(10n, 3n)))).toBe(both("WT/RAnWATR", "ISH"));
    expect(carried(nested(page1(2n, 3n), page2(15n, 3n)))).toBe("Device-nGnRE");
    expect(carried(nested(page1(2n, 3n), page2(0n, 3n)))).toBe("Device-nGnRnE");
    expect(carried(nested(page1(0n, 3n), page2(6n, 0n), { S2FWB: 1n }))).toBe(both("WB/RAWAnTR", "OSH"));
    // The memory that the tables of stage 1 lie in is nothing to the transaction.
    expect(carried(nested(page1(1n, 3n), page2(15n, 0n), { ALLOCCFG: 10n }, 1n))).toBe(both("WB/nRAWAnTR"));
  });

  it("an address that a device says is translated: cached, shared; under split-stage ATS combined with stage 2", () => {
    const registers = setRegister(full({ ATS: 1n, NS1ATS: 0n }), offsets.CR0, 1 | 16);
    const translated = { ats: "translated" } as const;
    const store = memory();
    storeSte(store, { ...s1, EATS: 1n, SHCFG: 1n, MTCFG: 1n, MemAttr: 1n });
    expect(carried(store, registers, translated)).toBe(both("WB/RAWAnTR", "ISH"));
    expect(carried(nested(page1(1n, 3n), page2(10n, 2n), { EATS: 2n }), registers, translated)).toBe(both("WT/RAWAnTR", "OSH"));
  });
});

describe("a TLB hit", () => {
  const transaction = (rest: Partial<Transaction> = {}, address = VA) => ({ kind: "transaction", transaction: { sid: streamId(SID), op: "read", iova: iova(address), size: 4, ...rest } }) as const;
  /** What each transaction of a history leaves with, where everything is kept. */
  const play = (store: Memory, history: Parameters<ReturnType<typeof createDevice>["play"]>[0], registers = full()): string[] =>
    createDevice({ registers, read: store.read, caches: "qemu" })
      .play(history)
      .map((outcome) => ("via" in outcome ? settled(outcome) : outcome.result));

  it("says what the walk said, on every way", () => {
    for (const [leaf1, leaf2, ste] of [[page1(3n, 0n), page2(10n, 3n), {}], [page1(0n, 3n), page2(6n, 0n), { S2FWB: 1n }], [page1(1n, 2n), page2(15n, 0n), { ALLOCCFG: 9n }]] as const)
      for (const store of [stage1(leaf1, ste), stage2(leaf2, ste), nested(leaf1, leaf2, ste)]) expect(play(store, [transaction(), transaction()])).toEqual([carried(store), carried(store)]);
  });

  it("keeps what the leaf said until it is invalidated", () => {
    const leaf = PAGE | page1(2n, 3n);
    const at = 0x9030_0000n + 8n * ((VA >> 12n) & 511n);
    const tlbi = { kind: "command", words: CommandTlbi.encode({ Op: BigInt(opcodes.TLBI_NSNH_ALL.code) }) as [bigint, bigint] } as const;
    const store = stage1(page1(1n, 3n));
    expect(store.words.get(at)).toBe(PAGE | page1(1n, 3n));
    expect(play(store, [transaction(), { kind: "store", addr: at, value: leaf }, transaction(), tlbi, transaction()])).toEqual([both("WB/RAWAnTR"), both("WB/RAWAnTR"), "Device-nGnRE"]);
  });

  it("where anything may be kept, each of a leaf's attributes since the last invalidation may be what leaves", () => {
    for (const [store, at, changed] of [[stage1(page1(1n, 3n)), 0x9030_0000n, page1(2n, 3n)], [stage2(page2(15n, 3n)), 0xa020_0000n, page2(15n, 2n)]] as const) {
      const history = [transaction(), { kind: "store", addr: at + 8n * ((VA >> 12n) & 511n), value: PAGE | changed }, transaction()] as const;
      const [before, after] = playMay({ registers: full(), read: store.read }, history).map((outcome) => ("results" in outcome ? new Set(outcome.results.map(settled)) : undefined));
      const [first, second] = [carried(store), at === 0x9030_0000n ? "Device-nGnRE" : both("WB/RAWAnTR", "OSH")];
      expect([before, after]).toEqual([new Set([first]), new Set([first, second])]);
    }
  });

  it("is combined with what this stream's entry says: two streams share a translation, not their overrides", () => {
    const store = stage2(page2(15n, 0n));
    storeSte(store, { ...s2, S2TTB: TABLES_2.root, SHCFG: 2n, ALLOCCFG: 12n }, SID + 1);
    expect(play(store, [transaction(), transaction({ sid: streamId(SID + 1) })])).toEqual([both("WB/RAWAnTR", "NSH"), both("WB/RAnWAnTR", "OSH")]);
  });

  it("S2PTW judges tables by hits, too", () => {
    const store = nested(page1(1n, 3n), page2(15n, 3n), { S2PTW: 1n }, 1n);
    // A second stream of the same VMID reads the context as its data first.
    storeSte(store, { ...s2, S2TTB: TABLES_2.root, SHCFG: 1n }, SID + 1);
    const recording = setRegister(setRegister(full(), offsets.EVENTQ_BASE, 0x4700_0003), offsets.CR0, 1 | 4);
    const [data, refused] = createDevice({ registers: recording, read: store.read, caches: "qemu" }).play([transaction({ sid: streamId(SID + 1) }, CONTEXTS), transaction()]);
    expect(data).toMatchObject({ result: "ok", attributes: { type: "Device-nGnRE" } });
    expect(refused).toMatchObject({ result: "abort", event: { type: "F_PERMISSION", s2: true, class: "CD" } });
  });
});

describe("S2PTW", () => {
  it("asks the same decoding: with S2FWB only bit 2 of MemAttr tells Device memory", () => {
    for (const S2FWB of [0n, 1n])
      for (const memAttr of ALL_MEMATTR) {
        const isIt = (memAttr & (S2FWB === 1n ? 4 : 12)) === 0;
        const told = carried(nested(page1(1n, 3n), page2(15n, 0n), { S2PTW: 1n, S2FWB }, BigInt(memAttr)));
        expect(told, `S2FWB=${S2FWB} MemAttr=${memAttr}`).toMatch(isIt ? /^F_PERMISSION .* s2 CD/u : /^Normal-iWB/u);
      }
  });
  it("is what walks on lanes ask, too", () => {
    for (const S2FWB of [0n, 1n])
      for (const memAttr of ALL_MEMATTR) {
        const { words, read: at } = nested(page1(1n, 3n), page2(15n, 0n), { S2PTW: 1n, S2FWB }, BigInt(memAttr));
        const settings = settingsOf(full());
        const configuration = configurationOf(readWords(at, STREAM_TABLE + BigInt(SID) * 64n, 8)!, settings);
        const meaning = configuration.class === "stage1" ? contextOf(readWords(at, CONTEXTS, 8)!, configuration.contexts, settings) : undefined;
        if (configuration.class !== "stage1" || meaning?.class !== "context") throw new Error("the stream does not translate");
        const regime = compileRegime({ context: meaning.context, stage2: configuration.stage2 });
        const said = walkLanes(laneMemory({ image: imageOf(words) }), regime, Number(VA >> 32n), Number(BigInt.asIntN(32, VA)), askedLanes({ op: "read" }), new Int32Array(ANSWER_LANES));
        expect(said, `S2FWB=${S2FWB} MemAttr=${memAttr}`).toBe((memAttr & (S2FWB === 1n ? 4 : 12)) === 0 ? eventTypes.F_PERMISSION : TRANSLATED);
      }
  });
  it("with S2FWB not implemented the field is reserved", () => expect(carried(nested(page1(1n, 3n), page2(15n, 0n), { S2PTW: 1n, S2FWB: 1n }, 8n), full({ FWB: 0n }))).toMatch(/^Normal/u));
});

// A real kernel.

describe("tables of Linux", () => {
  /** Every page of every range by its first user, at its start and at the end: last descriptor and attributes. */
  const leavesOf = (kind: string): { readonly descriptor: bigint; readonly output: bigint; readonly attributes: string }[] => {
    const file = (name: string) => readFileSync(join(import.meta.dirname, "../audit/linux", kind, name));
    const snapshot = readSnapshot({ regs: file("regs.json").toString(), pages: file("pages.bin.gz") }).value!;
    const settings = settingsOf(snapshot.registers);
    const words = reader(snapshot);
    return decodeSnapshot(snapshot).addressSpaces.flatMap(({ ranges, users }) =>
      ranges.flatMap(({ input, size, privileged, unprivileged }) =>
        [BigInt(input), BigInt(input) + BigInt(size) - 4n].map((address) => {
          const asked = { sid: streamId(Number(users[0]!.sids[0]!.first)), op: unprivileged.startsWith("r") ? "read" : "write", iova: iova(address), size: 4, priv: !unprivileged.includes("r") && privileged.startsWith("r") } as const;
          const answer = translate(words, settings, asked);
          if (answer.result !== "ok") throw new Error(`${kind} ${address.toString(16)}: ${brief(answer)}`);
          return { descriptor: answer.via.at(-1)!.value, output: answer.pa, attributes: show(answer.attributes) };
        }),
      ),
    );
  };

  it.each(["s1-dma", "s1-multi"])("%s: AttrIndx 1 is write-back, inner shareable; the doorbell has 2, Device-nGnRE", (kind) => {
    const leaves = leavesOf(kind).map(({ descriptor, output, attributes }) => ({ index: (descriptor >> 2n) & 7n, doorbell: output >> 16n === 0x809n, attributes }));
    expect(leaves.length).toBeGreaterThan(10);
    expect(leaves.some(({ doorbell }) => doorbell)).toBe(true);
    for (const { index, doorbell, attributes } of leaves) expect([index, attributes]).toEqual(doorbell ? [2n, "Device-nGnRE"] : [1n, both("WB/RAWAnTR")]);
  });

  it.each(["s2-only", "s2-16k"])("%s: MemAttr 15 is write-back with what came in, MemAttr 1 is Device-nGnRE", (kind) => {
    const leaves = leavesOf(kind).map(({ descriptor, output, attributes }) => ({ memAttr: (descriptor >> 2n) & 15n, doorbell: output >> 16n === 0x809n, attributes }));
    expect(leaves.length).toBeGreaterThan(5);
    expect(leaves.some(({ doorbell }) => doorbell)).toBe(true);
    for (const { memAttr, doorbell, attributes } of leaves) expect([memAttr, attributes]).toEqual(doorbell ? [1n, "Device-nGnRE"] : [15n, both("WB/RAWAnTR")]);
  });
});
