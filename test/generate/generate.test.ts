import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { hasError } from "../../src/base/diagnostic.ts";
import { generate } from "../../src/generate/generate.ts";
import type { Layout } from "../../src/system/layout.ts";
import { planSystem } from "../../src/system/plan.ts";
import { arbitraryLayout } from "./arbitrary.ts";
import { capdlFaults, readCapdl } from "./capdlGrammar.ts";
import { example, layoutOf } from "./fixture.ts";

const textOf = (layout: Layout, wanted: string): string => generate(layout).files.find(({ name }) => name === wanted)!.text;

/** Keys whose values are addresses or sizes in the layout. */
const ADDRESSES = new Set(["base", "streamTable", "size", "pa", "iova", "root", "frames"]);
const readLayout = (text: string): object => {
  const { format, version, ...layout } = JSON.parse(text, (key, value: unknown) => (ADDRESSES.has(key) && typeof value === "string" ? BigInt(value) : value)) as Record<string, unknown>;
  expect([format, version]).toEqual(["cofferdam-layout", 1]);
  return layout;
};

describe("generate", () => {
  it("writes one file of each kind and one header a component, by name", () => {
    expect(generate(example()).files.map(({ name }) => name)).toEqual(["disk.h", "layout.json", "nic_driver.h", "report.md", "smmu-bindings.json", "system.cdl", "vault.h"]);
  });
  it("writes the same bytes for an equal layout, also after others", () => {
    const before = generate(example());
    generate({ ...example(), name: "another" });
    expect(generate(structuredClone(example()))).toEqual(before);
  });
  it("repeats earlier warnings in the report, those it finds itself only once", () => {
    const warnings = [
      { id: "shared-stream", severity: "warning", message: "two devices share 0x10" },
      { id: "unshared-grant", severity: "warning", message: "vault holds a frame of disk-ring" },
    ] as const;
    const report = generate(example(), { warnings }).files.find(({ name }) => name === "report.md")!.text;
    expect(report).toContain("- shared-stream: two devices share 0x10");
    expect(report).not.toContain("unshared-grant");
    expect(report).toContain("vault holds disk-ring (read only) without owning it or having a share of it.");
  });
  it("law: file names are plain and distinct without regard to case; no text holds a control character", () => {
    fc.assert(
      fc.property(arbitraryLayout, (layout) => {
        const { files, diagnostics } = generate(layout);
        expect(hasError(diagnostics)).toBe(false);
        for (const { name, text } of files) {
          expect(name).toMatch(/^[A-Za-z][A-Za-z0-9_-]*\.(?:h|cdl|json|md)$/);
          expect(text).toMatch(/^(?:[^\p{Cc}]|\n)*$/u);
        }
        expect(new Set(files.map(({ name }) => name.toLowerCase())).size).toBe(files.length);
      }),
    );
  });
});

describe("layout.json", () => {
  it("reads back as the layout it was written from", () => {
    expect(readLayout(textOf(example(), "layout.json"))).toEqual(example());
  });
  it("law: for every layout, and with no number that JSON would round", () => {
    fc.assert(
      fc.property(arbitraryLayout, (layout) => {
        const text = textOf(layout, "layout.json");
        expect(readLayout(text)).toEqual(layout);
        expect(text).not.toMatch(/: \d{16,}/);
      }),
    );
  });
});

describe("JSON files", () => {
  it("write every invisible character by its number", () => {
    const text = textOf({ ...example(), name: "a\u007f\u009b\u202e\u{e0001}é" }, "layout.json");
    expect(text).toContain('"name": "a\\u007f\\u009b\\u202e\\udb40\\udc01é"');
  });
});

describe("a large system", () => {
  it("of 256 MiB in 4 KiB frames is written in seconds", () => {
    const start = performance.now();
    const { files } = generate(layoutOf([{ name: "vm", pages: 65_536, iova: 0x4000_0000n, sid: 1, smmu: 0, bank: 0 }]));
    expect(performance.now() - start).toBeLessThan(20_000);
    expect(files.find(({ name }) => name === "vm.h")!.text).toContain("#define VM_SLOT_VM_RING_COUNT 65536");
    expect(files.find(({ name }) => name === "report.md")!.text.length).toBeLessThan(20_000);
  });
});

describe("smmu-bindings.json", () => {
  const read = (layout: Layout) => JSON.parse(textOf(layout, "smmu-bindings.json")) as Record<string, Record<string, unknown>[]>;
  it("has the board's numbers by the names of system.cdl", () => {
    const { streams, contextBanks } = read(example());
    expect(streams).toMatchObject([
      { object: "sid_nic_driver_dev", smmu: 0, sid: "0x10", owner: "nic_driver", devices: [{ name: "nic-driver.dev" }] },
      { object: "sid_disk_dev", smmu: 0, sid: "0x8" },
    ]);
    expect(contextBanks).toMatchObject([
      { object: "cb_nic_driver", number: 0, vmid: 1 },
      { object: "cb_disk", number: 1, vmid: 2 },
    ]);
    const { objects } = readCapdl(textOf(example(), "system.cdl"));
    for (const { object } of [...streams!, ...contextBanks!]) expect(objects.has(object as string)).toBe(true);
  });
  it("has each binding with the slots to invoke, and the control capabilities that capDL lost", () => {
    const { bindings, controls } = read(example());
    expect(bindings![0]).toEqual({ component: "nic_driver", sid: "sid_nic_driver_dev", cb: "cb_nic_driver", vspace: "pgd_nic_driver", slots: { sid: 2, cb: 3, vspace: 4 } });
    expect(controls).toEqual([{ component: "vault", slot: 4, capability: "SIDControl" }]);
  });
  it("names the stream's owner although an earlier component holds copies of all three", () => {
    const layout = example();
    const [nic, disk] = [layout.components[0]!, layout.components[1]!];
    const copies = disk.slots.filter(({ cap }) => ["sid", "cb", "vspace"].includes(cap.kind)).map((copy, index) => ({ ...copy, slot: 13 + index, name: `copy_${index}` }));
    const { bindings } = read({ ...layout, components: layout.components.with(0, { ...nic, slots: [...nic.slots, ...copies] }) });
    expect(bindings![1]).toMatchObject({ component: "disk", slots: { sid: 2, cb: 3, vspace: 4 } });
    const without = { ...disk, slots: disk.slots.filter(({ cap }) => cap.kind !== "sid") };
    const moved = read({ ...layout, components: [{ ...nic, slots: [...nic.slots, ...copies] }, without, ...layout.components.slice(2)] });
    expect(moved.bindings![1]).toMatchObject({ component: "nic_driver", slots: { sid: 13, cb: 14, vspace: 15 } });
  });
  it("says when nobody holds what a binding takes", () => {
    const layout = example();
    const bare = { ...layout, components: layout.components.map((component) => ({ ...component, slots: component.slots.filter(({ cap }) => cap.kind !== "sid") })) };
    const { bindings, streams } = read(bare);
    expect(bindings![0]).toMatchObject({ component: null, slots: null });
    expect(streams![0]).toMatchObject({ name: "sid_nic_driver_dev", object: null });
  });
});

describe("the shipped systems", () => {
  const systems = join(import.meta.dirname, "../../specs/systems");
  const specs = readdirSync(systems).filter((name) => readdirSync(join(systems, name)).includes("system.yaml"));
  it.each(specs)("%s: every file is made, and its capDL is sound", (name) => {
    const folder = join(systems, name);
    const read = (file: string): Uint8Array => readFileSync(join(folder, file));
    const plan = planSystem({ specText: readFileSync(join(folder, "system.yaml"), "utf8"), specFile: "system.yaml", readBoard: read });
    const { layout, warnings } = plan.value!;
    const { files, diagnostics } = generate(layout, { warnings });
    expect(hasError(diagnostics)).toBe(false);
    expect(files).toHaveLength(4 + layout.components.length);
    expect(capdlFaults(readCapdl(textOf(layout, "system.cdl")))).toEqual([]);
    expect(readLayout(textOf(layout, "layout.json"))).toEqual(layout);
  });
});
