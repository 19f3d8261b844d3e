import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { alignUp, contains, endOf, firstFit, minus, overlaps, rangeText, sizeText, wholePages, type Range } from "../../src/system/ranges.ts";

const range = fc.record({ base: fc.bigInt(0n, 64n), size: fc.bigInt(1n, 16n) });
const holds = (ranges: readonly Range[], at: bigint): boolean => ranges.some(({ base, size }) => at >= base && at < base + size);

describe("ranges", () => {
  it("prints half-open ranges, and sizes in the largest unit that divides them", () => {
    expect(rangeText({ base: 0x1000n, size: 0x1000n })).toBe("[0x1000, 0x2000)");
    expect([0n, 1n, 1024n, 4096n, 1536n, 1n << 22n, 3n << 40n].map(sizeText)).toEqual(["0 bytes", "1 bytes", "1 KiB", "4 KiB", "1536 bytes", "4 MiB", "3 TiB"]);
  });

  it("keeps only whole pages below the limit", () => {
    expect(wholePages({ base: 0x800n, size: 0x2000n }, 1n << 44n)).toEqual({ base: 0x1000n, size: 0x1000n });
    expect(wholePages({ base: 0x800n, size: 0x1000n }, 1n << 44n)).toBeUndefined();
    expect(wholePages({ base: 0x1000n, size: 0x4000n }, 0x2800n)).toEqual({ base: 0x1000n, size: 0x1000n });
  });

  it("takes a hole out, point by point", () => {
    fc.assert(
      fc.property(fc.array(range, { maxLength: 4 }), range, (ranges, hole) => {
        const rest = minus(ranges, hole);
        for (let at = 0n; at < 90n; at += 1n) expect(holds(rest, at)).toBe(holds(ranges, at) && !holds([hole], at));
        expect(rest.every(({ size }) => size > 0n)).toBe(true);
      }),
    );
  });

  it("fits first where something fits, and nowhere only when nothing does", () => {
    fc.assert(
      fc.property(fc.array(range, { maxLength: 4 }), fc.bigInt(1n, 8n), fc.nat(3), (ranges, size, bits) => {
        const free = ranges.toSorted((a, b) => (a.base < b.base ? -1 : 1));
        const alignment = 1n << BigInt(bits);
        const fits = (base: bigint) => base % alignment === 0n && free.some((outer) => contains(outer, { base, size }));
        let lowest: bigint | undefined;
        for (let base = 90n; base >= 0n; base -= 1n) if (fits(base)) lowest = base;
        expect(firstFit(free, size, alignment)).toBe(lowest);
      }),
    );
  });

  it("overlaps exactly when a point is in both", () => {
    fc.assert(
      fc.property(range, range, (a, b) => {
        let common = false;
        for (let at = a.base; at < endOf(a); at += 1n) common ||= holds([b], at);
        expect(overlaps(a, b)).toBe(common);
      }),
    );
  });

  it("aligns up to the next multiple", () => {
    expect([0n, 1n, 4095n, 4096n, 4097n].map((at) => alignUp(at, 4096n))).toEqual([0n, 4096n, 4096n, 4096n, 8192n]);
  });
});
