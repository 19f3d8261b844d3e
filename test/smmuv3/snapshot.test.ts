import { gunzipSync, gzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createImages } from "../../src/smmuv3/image.ts";
import { reader, readSnapshot, type Snapshot, writeSnapshot } from "../../src/smmuv3/snapshot.ts";

const images = createImages();
const sample: Snapshot = {
  registers: new Map([[0x20, 1], [0x44, 0x8000_0000 | 0], [0, 0x0d44101b], [0x14, 0x74], [4, 0x0e73_0005]]),
  image: images.store(images.fill(images.empty, 0x4800_0000n, 0x3000n, [1n, 0n, 0n, 0n, 0n, 0n, 0n, 0n]), 0x4000_0008n, 0xffff_0000_1234_5678n),
};
const problems = (regs: string, pages: Uint8Array = gzipSync(new Uint8Array())): string[] => readSnapshot({ regs, pages }).diagnostics.map(({ id, message }) => `${id}: ${message}`);
const page = (address: bigint, first = 0): Uint8Array => {
  const bytes = new Uint8Array(8 + 4096);
  bytes[8] = first;
  new DataView(bytes.buffer).setBigUint64(0, address, true);
  return bytes;
};

describe("snapshots", () => {
  it("write registers as hex by offset and pages as address and words, little-endian", () => {
    const { regs, pages } = writeSnapshot(sample);
    expect(JSON.parse(regs)).toEqual({ smmu: { "0x0": "0xd44101b", "0x4": "0xe730005", "0x14": "0x74", "0x20": "0x1", "0x44": "0x80000000" } });
    const bytes = gunzipSync(pages);
    expect(bytes).toHaveLength(4 * (8 + 4096));
    expect(bytes.readBigUInt64LE(0)).toBe(0x4000_0000n);
    expect(bytes.readBigUInt64LE(16)).toBe(0xffff_0000_1234_5678n);
    expect(bytes.readBigUInt64LE(8 + 4096)).toBe(0x4800_0000n);
  });
  it("are the same bytes every time, with no clock and no system in them", () => {
    const { pages } = writeSnapshot(sample);
    expect(pages).toEqual(writeSnapshot(sample).pages);
    expect([...pages.slice(4, 8), pages[9]]).toEqual([0, 0, 0, 0, 255]);
  });
  it("read back what was written, ranges of memory too", () => {
    const ram = [{ addr: 0x4000_0000n, size: 0x1000_0000n }];
    const { value, diagnostics } = readSnapshot(writeSnapshot({ ...sample, ram }));
    expect(diagnostics).toEqual([]);
    expect(value!.ram).toEqual(ram);
    expect(writeSnapshot(value!)).toEqual(writeSnapshot({ ...sample, ram }));
  });
  it("leave other keys of regs.json alone", () => {
    expect(problems('{"smmu": {"0x0": "0x1", "0x4": "0x1", "0x14": "0x1"}, "its": {"0x0": "0x1f0001efb1"}}')).toEqual([]);
  });
  it("say which identification registers are missing, and read them as 0", () => {
    const { value, diagnostics } = readSnapshot({ regs: '{"smmu": {"0x4": "0x1"}}', pages: gzipSync("") });
    expect(diagnostics.map(({ severity, message }) => [severity, message])).toEqual([["warning", "IDR0, IDR5 are not given, and so read as 0: an SMMU without what they say"]]);
    expect(value!.registers.get(0)).toBeUndefined();
  });
  it("answer from a page that is given even where `ram` has none, and with no word where neither is", () => {
    const { value } = readSnapshot({ regs: '{"smmu": {}, "ram": [{"addr": "0x8000", "size": "0x10"}]}', pages: gzipSync(Buffer.concat([page(0x2000n, 7), page(0x3000n, 9), page(0x3000n, 9)])) });
    const read = reader(value!);
    expect([0x1ff8n, 0x2000n, 0x2ff8n, 0x3000n, 0x3ff8n, 0x4000n].map(read)).toEqual([undefined, 7n, 0n, 9n, 0n, undefined]);
    expect([0x7ff8n, 0x8000n, 0x8008n, 0x8010n].map(read)).toEqual([undefined, 0n, 0n, undefined]);
  });
  it("are refused when malformed, one diagnostic a fault", () => {
    expect(problems("{")).toEqual(["bad-snapshot: regs.json is not JSON"]);
    expect(problems("[]")).toEqual(["bad-snapshot: there is no register table"]);
    expect(problems('{"smmu": {"32": "0x1", "0x2": "0x1", "0x4": "1", "0x8": "0x100000000", "0xc": 5}}')).toHaveLength(5);
    expect(problems('{"smmu": {"0x10": "0x1", "0x010": "0x1"}}')).toEqual(["bad-snapshot: register 0x10 is given twice"]);
    expect(problems('{"smmu": {}, "ram": [{"addr": "0x0"}]}')).toEqual(['bad-snapshot: {"addr":"0x0"} is not a memory range']);
    expect(problems('{"smmu": {}}', new Uint8Array([1, 2, 3]))).toEqual(["bad-snapshot: the pages are not a complete gzip file"]);
    expect(problems('{"smmu": {}}', writeSnapshot(sample).pages.slice(0, -6))).toEqual(["bad-snapshot: the pages are not a complete gzip file"]);
    expect(problems('{"smmu": {}}', gzipSync(new Uint8Array(100)))).toEqual(["bad-snapshot: 100 bytes are not a whole number of 4104-byte records"]);
    expect(problems('{"smmu": {}}', gzipSync(page(0x1008n)))).toEqual(["bad-snapshot: record 0: 0x1008 is not the address of a page"]);
    expect(problems('{"smmu": {}}', gzipSync(Buffer.concat([page(0n), page(0n, 1)])))).toEqual(["bad-snapshot: record 1: page 0x0 is given twice, with other words"]);
    expect(readSnapshot({ regs: '{"smmu": {"\\u001b[2J": "0x1"}}', pages: gzipSync("") }).diagnostics[0]!.message).not.toContain("\u001b");
  });
  it("never make the reader throw", () => {
    fc.assert(
      fc.property(fc.oneof(fc.json(), fc.string()), fc.uint8Array({ maxLength: 60 }), fc.boolean(), (regs, bytes, packed) => {
        const { value, diagnostics } = readSnapshot({ regs, pages: packed ? gzipSync(bytes) : bytes });
        expect(value === undefined).toBe(diagnostics.some(({ severity }) => severity === "error"));
      }),
      { numRuns: 200 },
    );
  });
});
