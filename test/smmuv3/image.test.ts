import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createImages, type Image } from "../../src/smmuv3/image.ts";

describe("images", () => {
  it("read zero where nothing was stored", () => {
    expect(createImages().empty.read(0x1000n)).toBe(0n);
  });
  it("hold a pattern over a large range as one run, and split it only where a store differs", () => {
    const images = createImages();
    const table = images.fill(images.empty, 0x4800_0000n, 4n << 20n, [1n, 0n, 0n, 0n, 0n, 0n, 0n, 0n]);
    expect(table.runs).toHaveLength(1);
    expect(table.read(0x4800_0000n + 0x40n * 65535n)).toBe(1n);
    const changed = images.store(table, 0x4810_0000n, 13n);
    expect(changed.pages).toEqual([0x4800_0000n, 0x4810_0000n, 0x4810_1000n]);
    expect(images.store(changed, 0x4810_0000n, 1n)).toBe(table);
  });
  it("are the empty one again once everything is cleared", () => {
    const images = createImages();
    const filled = images.fill(images.store(images.empty, 0x8n, 5n), 0x1ff8n, 0x2010n, [1n, 2n]);
    expect(filled.read(0x1ff8n)).toBe(1n);
    expect(filled.read(0x2000n)).toBe(2n);
    expect(filled.read(0x4000n)).toBe(2n);
    expect(filled.read(0x4008n)).toBe(0n);
    expect(images.fill(filled, 0n, 0x5000n, [0n])).toBe(images.empty);
  });
  it("refuse stores that are not of whole words", () => {
    const images = createImages();
    expect(() => images.store(images.empty, 4n, 1n)).toThrow(/aligned/);
    expect(() => images.fill(images.empty, 0n, 0x1000n, [1n, 2n, 3n])).toThrow(/does not repeat/);
  });
});

/** A run of writes on a map of words: what an image must equal. */
type Write = { readonly at: number; readonly words: number; readonly pattern: readonly bigint[] };
const write: fc.Arbitrary<Write> = fc.record({
  at: fc.nat({ max: 1600 }),
  words: fc.oneof(fc.constant(1), fc.nat({ max: 1600 })),
  pattern: fc.array(fc.bigInt({ min: 0n, max: 2n }), { minLength: 1, maxLength: 4 }).filter(({ length }) => length !== 3),
});
const apply = (images: ReturnType<typeof createImages>, image: Image, { at, words, pattern }: Write): Image =>
  words === 1 ? images.store(image, BigInt(at * 8), pattern[0]!) : images.fill(image, BigInt(at * 8), BigInt(words * 8), pattern);

describe("laws of images", () => {
  it("an image says what a map of words says, and equal contents are the same object", () => {
    fc.assert(
      fc.property(fc.array(write, { maxLength: 6 }), (writes) => {
        const images = createImages();
        const words = new Map<number, bigint>();
        let image = images.empty;
        for (const one of writes) {
          image = apply(images, image, one);
          for (let word = 0; word < one.words; word++) words.set(one.at + word, one.pattern[word % one.pattern.length]!);
        }
        for (let word = 0; word < 3300; word += 7) expect(image.read(BigInt(word * 8))).toBe(words.get(word) ?? 0n);
        let again = images.empty;
        for (const [word, value] of [...words].toReversed()) if (value !== 0n) again = images.store(again, BigInt(word * 8), value);
        expect(again).toBe(image);
      }),
      { numRuns: 25 },
    );
  });
});
