import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FRAME_SIZES, frameBits, frameLevel, frameSizeBytes } from "../../src/system/frameSize.ts";
import { tablesFor } from "../../src/system/mapping.ts";
import { alignUp } from "../../src/system/ranges.ts";
import { ids, layoutOf, planText } from "./fixture.ts";

const nic = 'devices: { nic: { pci: "00:02.0" } }';
const plan = (region: string, hold: string, other = "") =>
  planText(`regions: { r: { owner: a, share: [{ with: cpu, access: rw }], ${region} } }\ncomponents:\n  a: { kind: driver, ${nic}, holds: [{ region: r, ${hold} }] }\n  cpu: { kind: service, holds: [${other}] }`);
const found = (region: string, hold: string, other?: string) => {
  const { value, diagnostics } = plan(region, hold, other);
  expect(value).toBeUndefined();
  expect(diagnostics.map(({ id }) => id)).toEqual(["granularity-conflict"]);
  const { message, hint = "", place } = diagnostics[0]!;
  return { message, hint, path: place?.path };
};

describe("frames and pages of one size", () => {
  it.each(FRAME_SIZES.slice(0, 2))("takes `pages: %s` where the frames are that", (size) => {
    expect(ids(plan(`size: 2MiB, frames: ${size}`, `pages: ${size}`))).toEqual([]);
  });

  it("small pages of large frames: what smaller frames cost, and that the larger ones reach no more", () => {
    const { message, hint, path } = found("size: 4MiB, frames: 2MiB", "pages: 4KiB");
    expect(path).toBe("components.a.holds[0].pages");
    expect(message).toBe("`a` maps `r` with 4 KiB pages, but it is made of 2 MiB frames: a frame is one object of one size, mapped whole by one entry of level 2, and no part of it can be mapped");
    expect(hint).toBe(
      "give `r` `frames: 4KiB`: 1024 frames with a capability each, instead of 2, for every holder, and up to 2 page tables more in each address space that maps them; " +
        "or leave out `pages`, and map it with 2 MiB pages: no more memory becomes reachable, its base and each IOVA must be multiples of 2 MiB",
    );
  });

  it("large pages of small frames: how far the region would grow, and what is not aligned", () => {
    const { message, hint } = found("size: 64KiB, base: 0x48001000", "pages: 2MiB, iova: 0x10001000");
    expect(message).toContain("it is made of 4 KiB frames: a frame is one object of one size, mapped by an entry of level 3, and 16 frames cannot be joined");
    expect(hint).toContain("leave out `pages`, and map it with 4 KiB pages: 16 frames with a capability each, instead of 1,");
    expect(hint).toContain("or give `r` `frames: 2MiB`: its size grows to 2 MiB, and the devices of all that map it reach 1984 KiB more");
    expect(hint).toContain("`base: 0x48001000` is not a multiple of 2 MiB, the next one is 0x48200000; `iova: 0x10001000` is not a multiple of 2 MiB, the next one is 0x10200000");
  });

  it("says who else wants the frames as they are, and when the small ones would be too many", () => {
    const { message, hint } = found("size: 1GiB, frames: 1GiB", "pages: 4KiB", "{ region: r, pages: 1GiB }");
    expect(message).toContain("made of 1 GiB frames, as `cpu` asks for:");
    expect(hint).toContain("262144 frames with a capability each (at most 65536 are laid out), instead of 1, for every holder, and up to 513 page tables more");
    expect(found("size: 2MiB, frames: 2MiB", "pages: 4KiB", "{ region: r, pages: 2MiB }").message).toContain("as `cpu` asks for");
  });

  it("is about every holder, also one that maps for itself only", () => {
    expect(ids(plan("size: 2MiB, frames: 2MiB", "access: rw", "{ region: r, pages: 4KiB, map: false }"))).toEqual(["granularity-conflict"]);
  });

  it("is the only finding about an IOVA that the wanted page would suit", () => {
    expect(ids(plan("size: 2MiB, frames: 2MiB", "pages: 4KiB, iova: 0x10001000"))).toEqual(["granularity-conflict"]);
    expect(ids(plan("size: 2MiB, frames: 2MiB", "pages: 4KiB, iova: 0x10000800"))).toEqual(["granularity-conflict", "iova-misaligned"]);
    expect(ids(plan("size: 2MiB, frames: 2MiB", "iova: 0x10001000"))).toEqual(["iova-misaligned"]);
    expect(plan("size: 2MiB, frames: 2MiB", "iova: 0x10001000").diagnostics[0]).toMatchObject({ message: "0x10001000 is not a multiple of 2 MiB", hint: "the next one is 0x10200000" });
  });

  const remedied = fc.record({ frames: fc.constantFrom("4KiB", "2MiB"), pages: fc.constantFrom("4KiB", "2MiB"), count: fc.integer({ min: 1, max: 600 }), iova: fc.option(fc.integer({ min: 0, max: 2000 })) } as const);
  it("law: there is a conflict just when the sizes differ, and both remedies of its hint plan", () => {
    fc.assert(
      fc.property(remedied, ({ frames, pages, count, iova }) => {
        const bytes = frameSizeBytes(frames);
        const size = bytes * BigInt(frames === "2MiB" ? 1 + (count % 4) : count);
        const at = (alignment: bigint) => (iova === null ? "" : `, iova: ${alignUp(BigInt(iova) * 4096n, alignment)}`);
        const given = plan(`size: ${size}, frames: ${frames}`, `pages: ${pages}${at(bytes)}`);
        expect(ids(given)).toEqual(frames === pages ? [] : ["granularity-conflict"]);
        const small = 4096n;
        const large = frameSizeBytes("2MiB");
        expect(ids(plan(`size: ${size}, frames: 4KiB`, `pages: 4KiB${at(small)}`))).toEqual([]);
        expect(ids(plan(`size: ${alignUp(size, large)}, frames: 2MiB`, `pages: 2MiB${at(large)}`))).toEqual([]);
      }),
      { numRuns: 40 },
    );
  });
});

describe("sizes of frames", () => {
  it("are those of the levels of a 4 KiB granule", () => {
    expect(FRAME_SIZES.map((size) => [frameSizeBytes(size), frameBits(frameSizeBytes(size)), frameLevel(frameSizeBytes(size))])).toEqual([
      [0x1000n, 12, 3],
      [0x20_0000n, 21, 2],
      [0x4000_0000n, 30, 1],
    ]);
  });

  it("law: the tables of a range cover it at each level down to its frames, once, and none lies beside it", () => {
    const range = fc.record({ size: fc.constantFrom(...FRAME_SIZES), first: fc.bigInt({ min: 0n, max: 2000n }), count: fc.bigInt({ min: 1n, max: 40n }) });
    fc.assert(
      fc.property(range, ({ size, first, count }) => {
        const bytes = frameSizeBytes(size);
        const [from, to] = [first * bytes, (first + count) * bytes];
        const tables = tablesFor(from, to - from, bytes);
        for (const [level, covers] of [[1, 1n << 39n], [2, 1n << 30n], [3, 1n << 21n]] as const) {
          const bases = tables.filter((table) => table.level === level).map(({ base }) => base as bigint);
          const wanted = new Set<bigint>();
          if (level <= frameLevel(bytes)) for (let at = from; at < to; at += bytes) wanted.add(at - (at % covers));
          expect(bases).toEqual([...wanted]);
        }
      }),
    );
  });

  it("a region of large frames has a capability for each, and says so in the layout", () => {
    const layout = layoutOf(plan("size: 4MiB, frames: 2MiB", "pages: 2MiB"));
    expect(layout.regions[0]).toMatchObject({ size: 0x40_0000n, frames: 0x20_0000n });
    expect(layout.components[0]!.slots.flatMap(({ cap }) => (cap.kind === "frame" ? [[cap.pa - layout.regions[0]!.base, cap.mapped?.iova]] : []))).toEqual([[0n, 0x1000_0000n], [0x20_0000n, 0x1020_0000n]]);
    expect(layoutOf(plan("size: 4MiB, frames: 4KiB", "access: rw")).regions[0]).not.toHaveProperty("frames");
  });
});
