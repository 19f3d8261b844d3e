import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createImages } from "../../src/smmuv3/image.ts";
import { ABSENT, laneMemory, type LaneMemory, PARTLY } from "../../src/smmuv3/laneMemory.ts";
import { type MemoryRange, reader } from "../../src/smmuv3/snapshot.ts";

/** The word at an address, undefined where memory does not answer, "partly" where the lanes do not say. */
const wordAt = (memory: LaneMemory, address: bigint): bigint | undefined | "partly" => {
  const page = memory.pageLane(Number(BigInt.asIntN(32, address >> 32n)), Number(BigInt.asIntN(32, address)));
  if (page < 0) return page === PARTLY ? "partly" : undefined;
  const at = page + Number((address & 0xfffn) >> 2n);
  return BigInt.asUintN(32, BigInt(memory.lanes[at]!)) | (BigInt.asUintN(32, BigInt(memory.lanes[at + 1]!)) << 32n);
};

describe("memory as lanes", () => {
  it("holds equal pages once, however many there are", () => {
    const images = createImages();
    const memory = laneMemory({ image: images.fill(images.empty, 0x4000_0000n, 1n << 34n, [1n, 0xffff_ffff_8000_0000n]) });
    expect(memory.lanes).toHaveLength(2048);
    expect(wordAt(memory, 0x4_3fff_fff8n)).toBe(0xffff_ffff_8000_0000n);
    expect(wordAt(memory, 0x4_4000_0000n)).toBe(0n);
    expect(wordAt(memory, 0x3fff_fff8n)).toBe(0n);
  });
  it("tells pages 2^32 bytes and 2^44 bytes apart, whatever was found before", () => {
    const images = createImages();
    const memory = laneMemory({ image: images.store(images.store(images.store(images.empty, 0x1000n, 1n), 0x1_0000_1000n, 2n), 0x1000_0000_1000n, 3n) });
    for (const round of [1, 2]) {
      expect([0x1000n, 0x1_0000_1000n, 0x1000_0000_1000n, 0x2_0000_1000n].map((at) => wordAt(memory, at)), `round ${round}`).toEqual([1n, 2n, 3n, 0n]);
    }
  });
  it("answers for a word that lies in two ranges of RAM that touch, as the reader of snapshots does", () => {
    const images = createImages();
    const snapshot = { image: images.store(images.empty, 8n, 7n), ram: [{ addr: 0n, size: 9n }, { addr: 9n, size: 4087n }] };
    expect(wordAt(laneMemory(snapshot), 8n)).toBe(7n);
    expect(reader(snapshot)(8n)).toBe(7n);
  });
  it("does not answer outside of RAM, and leaves pages that RAM cuts to the other walker", () => {
    const images = createImages();
    const image = images.fill(images.empty, 0n, 0x10000n, [7n]);
    const memory = laneMemory({ image, ram: [{ addr: 0x2800n, size: 0x2800n }, { addr: 0x9000n, size: 0x800n }, { addr: 0x9900n, size: 0x6700n }] });
    const lane = (page: number): number => memory.pageLane(0, page * 0x1000);
    expect([0, 1, 2, 3, 4, 5, 8, 9, 10, 15, 16].map(lane)).toEqual([ABSENT, ABSENT, PARTLY, 1024, 1024, ABSENT, ABSENT, PARTLY, 1024, 1024, ABSENT]);
  });
});

const aligned = (most: number): fc.Arbitrary<bigint> => fc.nat({ max: most }).map((at) => BigInt(at) * 8n);
const ranges: fc.Arbitrary<MemoryRange[]> = fc.array(
  fc.record({
    addr: fc.oneof(fc.nat({ max: 0x8000 }).map(BigInt), fc.nat({ max: 8 }).map((page) => BigInt(page) * 0x1000n)),
    size: fc.oneof(fc.nat({ max: 0x5000 }).map(BigInt), fc.nat({ max: 4 }).map((pages) => BigInt(pages) * 0x1000n)),
  }),
  { maxLength: 5 },
);

describe("laws of memory as lanes", () => {
  it("says what the image says, and only leaves out pages where some words answer and some do not", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(aligned(0x1000), fc.bigInt({ min: 0n, max: (1n << 64n) - 1n })), { maxLength: 8 }), fc.option(ranges, { nil: undefined }), fc.array(aligned(0x1800), { minLength: 20, maxLength: 20 }), (stores, ram, asked) => {
        const images = createImages();
        const image = stores.reduce((stored, [at, value]) => images.store(stored, at, value), images.empty);
        const snapshot = { image, ...(ram === undefined ? {} : { ram }) };
        const memory = laneMemory(snapshot);
        const read = reader(snapshot);
        for (const address of [...asked, ...stores.map(([at]) => at)]) {
          const said = wordAt(memory, address);
          if (said !== "partly") expect(said).toBe(read(address));
          else {
            const answers = Array.from({ length: 512 }, (_, word) => read((address & ~0xfffn) + BigInt(word * 8)) !== undefined);
            expect(new Set(answers).size).toBe(2);
          }
        }
      }),
      { numRuns: 300 },
    );
  });
});
