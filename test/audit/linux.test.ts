/** Snapshots of a real Linux, held against what another decoder read in them. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { decodeSnapshot } from "../../src/audit/decode.ts";
import type { Decoding } from "../../src/audit/decoding.ts";
import { readSnapshot } from "../../src/smmuv3/snapshot.ts";
import { differencesOf } from "./agreement.ts";
import { type Independent, readIndependent } from "./independent.ts";

const read = (kind: string): { readonly decoding: Decoding; readonly independent: Independent } => {
  const file = (name: string) => readFileSync(join(import.meta.dirname, "linux", kind, name));
  const regs = file("regs.json").toString();
  const { value } = readSnapshot({ regs, pages: file("pages.bin.gz") });
  return { decoding: decodeSnapshot(value!, (JSON.parse(regs) as { its: unknown }).its), independent: readIndependent(file("decoded.txt").toString()) };
};

describe("a Debian 6.12 kernel in QEMU 10", () => {
  it("stage-1 DMA domains: exactly what the independent decoding says", () => {
    const { decoding, independent } = read("s1-dma");
    expect(independent.streams.flatMap(({ leaves }) => leaves)).toHaveLength(25);
    expect(independent.commands.listed).toHaveLength(24);
    expect(differencesOf(decoding, independent)).toEqual([]);
  });

  it("passthrough: exactly what the independent decoding says", () => {
    const { decoding, independent } = read("passthrough");
    expect(independent.streams.map(({ title }) => title)).toEqual(["V=1 Config=0", "V=1 Config=100"]);
    expect(independent.devices).toHaveLength(3);
    expect(differencesOf(decoding, independent)).toEqual([]);
  });

  it("the comparison notices one bit", () => {
    const { decoding, independent } = read("s1-dma");
    const { streams } = independent;
    const changed = { ...streams[1]!, leaves: streams[1]!.leaves.map((leaf, at) => (at === 3 ? { ...leaf, descriptor: leaf.descriptor ^ 0x80n } : leaf)) };
    expect(differencesOf(decoding, { ...independent, streams: [streams[0]!, changed] })).toEqual([expect.stringMatching(/^stream 16: pages/)]);
    expect(differencesOf(decoding, { ...independent, histogram: { "V=1 Config=0": 256 } })).toEqual([expect.stringMatching(/^histogram/)]);
  });

  it("the MSI doorbell is Device memory, and the rest is write-back", () => {
    const { decoding } = read("s1-dma");
    const doorbell = decoding.addressSpaces[0]!.ranges.at(-1)!;
    expect(doorbell).toMatchObject({ input: "0xfffff000", size: "0x1000", output: "0x8090000", privileged: "rw-", unprivileged: "rw-", stage1: { memory: "Device-nGnRE", shareability: "outer shareable", level: 3, flags: ["nG"] } });
    expect(decoding.addressSpaces[0]!.ranges.slice(0, -1).every(({ stage1 }) => stage1!.memory === "Normal write-back read-write-allocate")).toBe(true);
  });

  it("nothing is left out, and nothing is reserved", () => {
    for (const kind of ["s1-dma", "passthrough"]) {
      const { decoding } = read(kind);
      expect(decoding.cut, kind).toEqual([]);
      expect([...decoding.registers, ...decoding.entries].flatMap(({ reserved }) => reserved), kind).toEqual([]);
    }
  });
});
