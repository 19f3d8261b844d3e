import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { generate } from "../../src/generate/generate.ts";
import type { Layout } from "../../src/system/layout.ts";
import { arbitraryLayout } from "./arbitrary.ts";
import { example, layoutOf, plainDrivers } from "./fixture.ts";

const report = (layout: Layout): string => generate(layout).files.find(({ name }) => name === "report.md")!.text;
/** The lines of the section with this heading. */
const section = (text: string, heading: string): readonly string[] => text.split(`\n## ${heading}\n`)[1]!.split("\n## ")[0]!.trim().split("\n");
/** Cells of each row below the head of the first table. */
const rows = (lines: readonly string[]): readonly (readonly string[])[] => lines.slice(2, lines.indexOf("") === -1 ? undefined : lines.indexOf("")).map((line) => line.split(/(?<!\\)\|/).slice(1, -1).map((cell) => cell.trim()));

describe("report.md", () => {
  it("maps memory: range, owner, shares, and the device that reaches it", () => {
    const map = rows(section(report(example()), "Physical map").slice(2));
    expect(map.map(([base]) => base)).toEqual(["0x40000000", "0x48000000", "0x50000000", "0x51000000", "0x60000000", "0x60010000"]);
    expect(map[2]).toEqual(["0x50000000", "0x50003000", "12 KiB", "nic-driver-ring (memory)", "nic-driver", "vault: read only", "nic-driver.dev (0x10 on SMMU 0): read and write at IOVA 0x10000000"]);
    expect(map[4]).toEqual(["0x60000000", "0x60001000", "4 KiB", "secrets (memory)", "vault", "-", "-"]);
  });
  it("has a row for each device and stream, the unprotected one too", () => {
    const streams = rows(section(report(example()), "Devices and streams"));
    expect(streams.map((row) => [row[0], row[3], row[5], row[6]])).toEqual([
      ["nic-driver.dev", "0x10", "0", "1"],
      ["disk.dev", "0x8", "1", "2"],
      ["vault.tpm", "none: unprotected", "-", "-"],
    ]);
  });
  it("says of a stream without a binding that it aborts", () => {
    expect(rows(section(report({ ...example(), bindings: [] }), "Devices and streams"))[0]?.[5]).toBe("not bound: aborts");
  });
  it("gives the reason why a device is accepted without an SMMU, and what is held beyond policy", () => {
    expect(section(report(example()), "Policy")).toEqual([
      "- vault holds disk-ring (read only) without owning it or having a share of it.",
      "- Device vault.tpm at /tpm@c000000 has no SMMU before it: it reaches all memory. Accepted because: it cannot master the bus",
    ]);
    expect(section(report(layoutOf(plainDrivers)), "Policy")[0]).toMatch(/^No component holds memory beyond its policy/);
  });
  it("lists each component's slots, frames of one region as one row", () => {
    const nic = report(example()).split("### nic-driver\n")[1]!.split("###")[0]!;
    expect(nic).toContain("| 8 to 10 | ring_0 and 2 more | 3 frames of nic-driver-ring at 0x50000000, read and write, mapped in nic-driver at 0x10000000 | - |");
    expect(report(example())).toContain("| 3 | nic_sid | stream nic-driver.dev: 0x10 of SMMU 0 | nic-driver, slot 2 |");
  });
  it("draws the way from component to region", () => {
    const picture = section(report(example()), "Who uses what");
    for (const edge of ['  c0 -->|"owns"| s0', '  s0 -->|"bind"| b0', '  b0 -->|"assign"| v0', '  v0 -->|"rw at 0x10000000"| r0']) expect(picture).toContain(edge);
    expect(picture.some((line) => line.includes("secrets"))).toBe(false);
  });
  it("says who shares a stream", () => {
    const layout = example();
    const shared = { ...layout, sids: layout.sids.with(0, { ...layout.sids[0]!, devices: [0, 1] }) };
    expect(section(report(shared), "Policy").join("\n")).toContain("is shared by nic-driver.dev, disk.dev: the SMMU cannot tell them apart.");
  });
  it("law: no name breaks a table, opens HTML or a heading, or leaves the picture", () => {
    fc.assert(
      fc.property(arbitraryLayout, (layout) => {
        const text = report(layout);
        expect(text.replaceAll("<br>", "")).not.toMatch(/(?<!\\)(?:\\\\)*</);
        expect(text.match(/^#+ /gm)).toHaveLength(1 + 6 + layout.components.length);
        expect(text.match(/^```/gm)).toHaveLength(2);
        const map = rows(section(text, "Physical map").slice(2));
        for (const row of map) expect(row).toHaveLength(7);
        for (const line of section(text, "Who uses what").slice(2, -1)) expect(line).toMatch(/^ {2}[csbvr]\d+(?:\["[^"]*"\]| -->\|"[^"]*"\| [csbvr]\d+)$/);
      }),
    );
  });
});
