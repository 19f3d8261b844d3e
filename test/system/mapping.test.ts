import { describe, expect, it } from "vitest";
import { hex } from "../../src/base/words.ts";
import { capsOf, ids, layoutOf, planText } from "./fixture.ts";

const text = (kind: string, holds: string, ...regions: readonly string[]): string =>
  ["regions:", ...regions.map((line) => `  ${line}`), "components:", `  a: { kind: ${kind}, devices: { nic: { pci: "00:02.0" } }, holds: ${holds} }`, "  b: { kind: service }"].join("\n");
const r = "r: { size: 8KiB, owner: a }";
const s = "s: { size: 4KiB, owner: a }";
const layout = (kind: string, holds: string, ...regions: readonly string[]) => layoutOf(planText(text(kind, holds, ...regions)));
const iovas = (kind: string, holds: string, ...regions: readonly string[]) => capsOf(layout(kind, holds, ...regions), "a", "frame").map(({ mapped }) => (mapped === undefined ? "-" : hex(mapped.iova)));
const tables = (holds: string, ...regions: readonly string[]) => capsOf(layout("driver", holds, ...regions), "initialiser", "pageTable").map(({ mapped }) => `${mapped.level} ${hex(mapped.iova)}`);

describe("where devices see memory", () => {
  it("starts a driver at 256 MiB and a guest at 1 GiB", () => {
    expect(iovas("driver", "[r, s]", r, s)).toEqual(["0x10000000", "0x10001000", "0x10002000"]);
    expect(iovas("vm", "[r]", r)).toEqual(["0x40000000", "0x40001000"]);
  });

  it("follows the order of `holds`, around addresses that are given", () => {
    expect(iovas("driver", "[s, r]", r, s)).toEqual(["0x10001000", "0x10002000", "0x10000000"]);
    expect(iovas("driver", "[r, { region: s, iova: 0x10001000 }]", r, s)).toEqual(["0x10002000", "0x10003000", "0x10001000"]);
    expect(iovas("driver", "[{ region: r, map: false }, s]", r, s)).toEqual(["-", "-", "0x10000000"]);
  });

  it("has a table at each level for each piece of the address space in use", () => {
    expect(tables("[r]", r)).toEqual(["1 0x0", "2 0x0", "3 0x10000000"]);
    expect(tables("[{ region: r, iova: 0x1ff000 }]", r)).toEqual(["1 0x0", "2 0x0", "3 0x0", "3 0x200000"]);
    expect(tables("[{ region: r, iova: 0x7ffffff000 }]", r)).toEqual(["1 0x0", "1 0x8000000000", "2 0x7fc0000000", "2 0x8000000000", "3 0x7fffe00000", "3 0x8000000000"]);
    expect(tables("[]", r)).toEqual([]);
  });

  it("aligns a region to its frames, and has no table below their level", () => {
    const big = "big: { size: 4MiB, owner: a, frames: 2MiB }";
    expect(iovas("driver", "[s, big, r]", big, r, s)).toEqual(["0x10200000", "0x10400000", "0x10001000", "0x10002000", "0x10000000"]);
    expect(tables("[big]", big)).toEqual(["1 0x0", "2 0x0"]);
    expect(tables("[big, s]", big, s)).toEqual(["1 0x0", "2 0x0", "3 0x10400000"]);
    expect(tables("[{ region: big, iova: 0x3fe00000 }]", big)).toEqual(["1 0x0", "2 0x0", "2 0x40000000"]);
  });

  it("uses the whole 44 bits, and no more", () => {
    expect(iovas("driver", "[{ region: s, iova: 0xffffffff000 }]", s)).toEqual(["0xffffffff000"]);
    expect(iovas("driver", "[{ region: s, iova: 0 }]", s)).toEqual(["0x0"]);
    expect(ids(planText(text("driver", "[{ region: s, iova: 0x100000000000 }]", s)))).toEqual(["iova-out-of-range"]);
  });

  it("finds an overlap behind a region in between", () => {
    const at = (first: string, second: string, third: string) =>
      ids(planText(text("driver", `[{ region: big, iova: ${first} }, { region: r, iova: ${second} }, { region: s, iova: ${third} }]`, "big: { size: 64KiB, owner: a }", r, s)));
    expect(at("0x10000000", "0x10001000", "0x10008000")).toEqual(["iova-overlap", "iova-overlap"]);
    expect(at("0x10000000", "0x10010000", "0x10012000")).toEqual([]);
  });

  it("intends what policy and mapping both allow", () => {
    const foreign = (share: string, access: string) =>
      layout("driver", `[{ region: r, access: ${access} }]`, `r: { size: 8KiB, owner: b, ${share} }`).dma.map((path) => path.access);
    expect(layout("driver", "[r]", r).dma).toMatchObject([{ sid: 0, region: 0, iova: 0x1000_0000n, access: "read" }, { access: "write" }]);
    expect(layout("driver", "[{ region: r, access: r }]", r).dma.map(({ access }) => access)).toEqual(["read"]);
    expect(foreign("share: [{ with: a, access: rw }]", "rw")).toEqual(["read", "write"]);
    expect(foreign("share: [{ with: a, access: r }]", "rw")).toEqual(["read"]);
    expect(foreign("", "rw")).toEqual([]);
    expect(layout("driver", "[{ region: r, map: false }]", r).dma).toEqual([]);
  });
});
