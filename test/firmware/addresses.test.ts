import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { registerRanges } from "../../src/firmware/addresses.ts";
import { readBoard } from "../../src/firmware/board.ts";
import { memoryRanges, reservedRanges } from "../../src/firmware/memory.ts";
import { blob, type NodeSpec } from "./blob.ts";

const board = (root: NodeSpec, reservations?: number[]) => readBoard(blob(root, reservations)).value!;
const at = (root: NodeSpec, path: string) => registerRanges(board(root).nodes.get(path)!);
const two = { "#address-cells": [2], "#size-cells": [2] };
const one = { "#address-cells": [1], "#size-cells": [1] };

describe("reg through ranges", () => {
  it("64-bit addresses and sizes are whole", () => {
    expect(at({ ...two, dev: { reg: [0x80, 0x1, 0x1, 0x0] } }, "/dev").ranges).toEqual([{ base: 0x80_0000_0001n, size: 0x1_0000_0000n }]);
  });

  it("an empty ranges changes nothing, a missing one ends the way", () => {
    const bus = (more: NodeSpec): NodeSpec => ({ ...two, soc: { ...one, ...more, dev: { reg: [0x1000, 0x10] } } });
    expect(at(bus({ ranges: true }), "/soc/dev").ranges).toEqual([{ base: 0x1000n, size: 0x10n }]);
    expect(at(bus({}), "/soc/dev")).toMatchObject({ ranges: [], faults: [expect.stringContaining("no CPU address")] });
  });

  it("each bus on the way up adds its offset, the first range that has the address counts", () => {
    const root = {
      ...two,
      soc: { ...one, ranges: [0x0, 0x1, 0x0, 0x1000, 0x1000, 0x2, 0x0, 0x1000, 0x1000, 0x3, 0x0, 0x1000], sub: { ...one, ranges: [0x500, 0x1800, 0x100], dev: { reg: [0x510, 4, 0x600, 4] } } },
    };
    const { ranges, faults } = at(root, "/soc/sub/dev");
    expect(ranges).toEqual([{ base: 0x2_0000_0810n, size: 4n }]);
    expect(faults).toEqual([expect.stringContaining("0x600")]);
  });

  it("#address-cells is looked for upwards and is 1 where nobody says it, as in Linux", () => {
    expect(at({ ...two, soc: { ranges: true, dev: { reg: [1, 2, 3, 4] } } }, "/soc/dev").ranges).toEqual([{ base: 0x1_0000_0002n, size: 0x3_0000_0004n }]);
    expect(at({ dev: { reg: [0x10, 4] } }, "/dev").ranges).toEqual([{ base: 0x10n, size: 4n }]);
  });

  it("on PCI the first cell is no address, and spaces are kept apart", () => {
    const host = { ...two, pcie: { device_type: "pci", "#address-cells": [3], "#size-cells": [2], ranges: [0x0100_0000, 0, 0, 0, 0x3eff_0000, 0, 0x10000, 0x0200_0000, 0, 0, 0, 0x1000_0000, 0, 0x1000_0000] } };
    const dev = (space: number) => at({ ...host, pcie: { ...host.pcie, dev: { reg: [space, 0, 0x100, 0, 4] } } }, "/pcie/dev").ranges;
    expect(dev(0x8200_1010)).toEqual([{ base: 0x1000_0100n, size: 4n }]);
    expect(dev(0x8100_1010)).toEqual([{ base: 0x3eff_0100n, size: 4n }]);
    expect(dev(0x0000_1000)).toEqual([]);
  });

  it.each([
    [{ "#address-cells": [0], "#size-cells": [1] }],
    [{ "#address-cells": [1], "#size-cells": [0] }],
    [{ "#address-cells": [5], "#size-cells": [1] }],
    [{ "#address-cells": [0xffff_ffff], "#size-cells": [0xffff_ffff] }],
  ])("a bus with %j has no memory ranges", (cells) => {
    expect(at({ ...cells, dev: { reg: [1, 2, 3, 4] } }, "/dev")).toMatchObject({ ranges: [], faults: [expect.stringContaining("no memory range")] });
  });

  it("a reg that ends inside an entry is said; the whole entries count", () => {
    expect(at({ ...one, dev: { reg: [1, 2, 3] } }, "/dev")).toMatchObject({ ranges: [{ base: 1n, size: 2n }], faults: [expect.stringContaining("multiple of 8")] });
  });
});

const memory = (reg: number[], more: NodeSpec = {}): NodeSpec => ({ device_type: "memory", reg, ...more });

describe("memory", () => {
  it("joins what touches, sorts, and leaves out disabled and empty ranges", () => {
    const root = { ...one, "memory@2": memory([0x3000, 0x1000, 0x1000, 0x1000]), "memory@1": memory([0x2000, 0x1000, 0x9000, 0]), "memory@3": memory([0x8000, 0x1000], { status: "disabled" }) };
    expect(memoryRanges(board(root).tree)).toEqual([{ base: 0x1000n, size: 0x3000n }]);
  });

  it("takes out /reserved-memory with an address and the reservation block", () => {
    const reserved: NodeSpec = { ...one, ranges: true, "fw@2000": { reg: [0x2000, 0x1000] }, cma: { size: [0x4000] }, "off@5000": { reg: [0x5000, 0x1000], status: "disabled" } };
    const { tree } = board({ ...one, memory: memory([0x1000, 0x9000]), "reserved-memory": reserved }, [0, 0x800, 0, 0x900, 0, 0x4000, 0, 0x10, 0, 0, 0, 0]);
    expect(reservedRanges(tree)).toEqual([{ base: 0x800n, size: 0x900n }, { base: 0x2000n, size: 0x1000n }, { base: 0x4000n, size: 0x10n }]);
    expect(memoryRanges(tree)).toEqual([{ base: 0x1100n, size: 0xf00n }, { base: 0x3000n, size: 0x1000n }, { base: 0x4010n, size: 0x5ff0n }]);
  });

  it("one reservation may cut several ranges, and all of one", () => {
    const { tree } = board({ ...one, memory: memory([0x1000, 0x1000, 0x3000, 0x1000, 0x5000, 0x1000]) }, [0, 0x1800, 0, 0x3c00, 0, 0, 0, 0]);
    expect(memoryRanges(tree)).toEqual([{ base: 0x1000n, size: 0x800n }, { base: 0x5400n, size: 0xc00n }]);
  });

  it("ends are clipped at 2^64", () => {
    const { tree } = board({ ...two, memory: memory([0xffff_ffff, 0xffff_f000, 0, 0x2000]) });
    expect(memoryRanges(tree)).toEqual([{ base: 0xffff_ffff_ffff_f000n, size: 0x1000n }]);
  });
});

describe("law: free memory is what memory nodes have, byte by byte, less what is reserved", () => {
  const ranges = fc.array(fc.tuple(fc.integer({ min: 1, max: 40 }), fc.nat(8)), { maxLength: 6 });
  const bytes = (list: readonly (readonly [number, number])[]): number[] => list.flatMap(([base, size]) => Array.from({ length: size }, (_, i) => base + i));
  it("and the ranges are sorted, apart and not empty", () => {
    fc.assert(
      fc.property(ranges, ranges, ranges, (given, kept, fixed) => {
        const { tree } = board({ ...one, memory: memory(given.flat()), "reserved-memory": { ...one, fw: { reg: fixed.flat() } } }, [...kept.filter(([, size]) => size > 0).flatMap(([base, size]) => [0, base, 0, size]), 0, 0, 0, 0]);
        const free = memoryRanges(tree);
        const reserved = new Set([...bytes(kept), ...bytes(fixed)]);
        expect(bytes(free.map(({ base, size }) => [Number(base), Number(size)] as const))).toEqual([...new Set(bytes(given))].filter((byte) => !reserved.has(byte)).toSorted((a, b) => a - b));
        for (const [i, { base, size }] of free.entries()) {
          expect(size).toBeGreaterThan(0n);
          if (i > 0) expect(base).toBeGreaterThan(free[i - 1]!.base + free[i - 1]!.size);
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe("aliases", () => {
  it("name nodes that exist", () => {
    expect([...board({ aliases: { serial0: "/uart", serial1: "/gone" }, uart: {} }).aliases]).toEqual([["serial0", "/uart"]]);
  });
});
