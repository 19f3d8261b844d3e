import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type FieldSpec, layout } from "../../src/base/layout.ts";
import { allLayouts } from "../specs/layouts.ts";

const Sample = layout("Sample", 2, "nowhere", {
  V: { at: [0, 0], doc: "valid" },
  Mode: { at: [3, 1], doc: "mode", is: { off: 0, slow: 2, fast: 7 } },
  Base: { at: [47, 12], unit: 4096, doc: "address" },
  Tag: { word: 1, at: [39, 24], doc: "crosses the middle of the word" },
});

describe("a layout", () => {
  it("puts each field where the manual prints it", () => {
    expect(Sample.encode({ V: 1n, Mode: "fast", Base: 0x1234_5000n, Tag: 0xabcdn })).toEqual([0x1234_500fn, 0xab_cd00_0000n]);
  });
  it("reads an address whole and a value without a name as its number", () => {
    expect(Sample.decode([0x1234_5004n | 0x8n, 0n])).toEqual({ V: 0n, Mode: 6n, Base: 0x1234_5000n, Tag: 0n });
    expect(Sample.get([0x4n, 0n], "Mode")).toBe("slow");
  });
  it("reports set bits that no field names", () => {
    expect(Sample.reserved([0x10n | 1n, 1n << 63n])).toEqual(["dw0[4]", "dw1[63]"]);
  });
  it("refuses values that do not fit, misaligned addresses and unknown names, without echoing control characters", () => {
    expect(() => Sample.encode({ Tag: 0x1_0000n })).toThrow(/Tag = 65536 does not fit in 16 bits/);
    expect(() => Sample.encode({ Tag: -1n })).toThrow(RangeError);
    expect(() => Sample.encode({ Base: 0x1800n })).toThrow(/not a multiple of 4096/);
    expect(() => Sample.encode({ Base: 1n << 48n })).toThrow(/below 2\^48/);
    expect(() => Sample.encode({ Mode: "\u001b[2J" as "off" })).toThrow(/no value named \\x1b\[2J/);
    expect(() => Sample.encode({ Mode: "toString" as "off" })).toThrow(/no value named/);
    expect(() => Sample.encode({ Mod: 1n } as object)).toThrow(/no field Mod/);
  });
  it("draws every field with its bits and names", () => {
    expect(Sample.draw()).toBe(
      [
        "Sample, 128 bits — nowhere",
        "dw0 [47:12]  Base           address",
        "dw0 [3:1]    Mode           mode (0 off, 2 slow, 7 fast)",
        "dw0 [0]      V              valid",
        "dw1 [39:24]  Tag            crosses the middle of the word",
      ].join("\n"),
    );
  });
});

describe("a table that contradicts itself is refused when it loads", () => {
  const doc = "";
  const refused: Record<string, [Record<string, FieldSpec>, RegExp]> = {
    overlap: [{ A: { at: [4, 2], doc }, B: { at: [2, 0], doc } }, /B overlaps/],
    overflow: [{ A: { at: [64, 60], doc }, }, /outside the record/],
    "a word past the end": [{ A: { word: 1, at: [0, 0], doc } }, /outside the record/],
    "bits the wrong way round": [{ A: { at: [0, 4], doc } }, /outside the record/],
    "one value with two names": [{ A: { at: [1, 0], doc, is: { x: 1, y: 1 } } }, /names one value twice/],
    "a name that does not fit": [{ A: { at: [1, 0], doc, is: { x: 4 } } }, /does not fit/],
    "a negative name": [{ A: { at: [1, 0], doc, is: { x: -1 } } }, /does not fit/],
    "a unit that is not the field's place": [{ A: { at: [47, 12], doc, unit: 64 } }, /unit is 4096/],
  };
  for (const [what, [fields, message]] of Object.entries(refused)) it(what, () => expect(() => layout("Bad", 1, "nowhere", fields)).toThrow(message));
  it("fields wider than a number have no lanes", () => {
    const wide = layout("Wide", 1, "nowhere", { All: { at: [63, 0], doc } });
    expect(() => wide.lanes("All")).toThrow(/64 bits/);
  });
});

const word = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n });
const lanesOf = (words: readonly bigint[]): Uint32Array => Uint32Array.from(words.flatMap((value) => [Number(value & 0xffffffffn), Number(value >> 32n)]));
const wordsOf = (lanes: Uint32Array): bigint[] => Array.from({ length: lanes.length / 2 }, (_, at) => BigInt(lanes[2 * at]!) | (BigInt(lanes[2 * at + 1]!) << 32n));

/** Laws that every layout keeps, here of all the records of the project at once. */
describe.each(allLayouts.map((record) => [record.name, record] as const))("laws of %s", (_, record) => {
  const words = fc.array(word, { minLength: record.words, maxLength: record.words });
  const named = (values: readonly bigint[]) => values.map((value, at) => value & record.masks[at]!);

  it("encode after decode keeps the named bits, and decode after encode is the identity", () => {
    fc.assert(
      fc.property(words, (values) => {
        const decoded = record.decode(values);
        expect(record.encode(decoded)).toEqual(named(values));
        expect(record.decode(record.encode(decoded))).toEqual(decoded);
      }),
      { numRuns: 40 },
    );
  });
  it("each field alone touches only its own bits, and all fields together every named bit once", () => {
    const whole = record.masks.map(() => 0n);
    for (const field of Object.keys(record.fields)) {
      const all = record.decode(record.masks.map((mask) => mask))[field]!;
      for (const [at, value] of record.encode({ [field]: all }).entries()) {
        expect(whole[at]! & value).toBe(0n);
        whole[at]! |= value;
      }
    }
    expect(whole).toEqual(record.masks);
  });
  it("the RES0 report is empty exactly when only named bits are set", () => {
    fc.assert(
      fc.property(words, (values) => {
        expect(record.reserved(named(values))).toEqual([]);
        const stray = values.reduce((count, value, at) => count + (value & ~record.masks[at]!).toString(2).replaceAll("0", "").length, 0);
        expect(record.reserved(values)).toHaveLength(stray);
      }),
      { numRuns: 20 },
    );
  });
  it("the lane codec reads and writes what the bigint codec does", () => {
    const fields = Object.entries(record.fields).filter(([, { at: [hi, lo] }]) => hi - lo < 53);
    fc.assert(
      fc.property(words, words, fc.nat({ max: 3 }), (values, others, base) => {
        for (const [field, { word: at = 0, at: [hi, lo], unit }] of fields) {
          const mask = ((1n << BigInt(hi - lo + 1)) - 1n) << BigInt(lo);
          const raw = (record_: readonly bigint[]) => (unit === undefined ? (record_[at]! & mask) >> BigInt(lo) : record_[at]! & mask);
          const lanes = new Uint32Array([...Array.from({ length: base }, () => 7), ...lanesOf(values)]);
          const plan = record.lanes(field);
          expect(BigInt(plan.read(lanes, base))).toBe(raw(values));
          plan.write(lanes, base, Number(raw(others)));
          const expected = values.with(at, (values[at]! & ~mask) | (others[at]! & mask));
          expect(wordsOf(lanes.slice(base))).toEqual(expected);
          expect(Array.from(lanes.slice(0, base))).toEqual(Array.from({ length: base }, () => 7));
        }
      }),
      { numRuns: 10 },
    );
  });
});
