import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PAGE_BYTES } from "../../src/base/words.ts";
import { generate } from "../../src/generate/generate.ts";
import type { Layout } from "../../src/system/layout.ts";
import { arbitraryLayout } from "./arbitrary.ts";
import { capdlFaults, readCapdl } from "./capdlGrammar.ts";
import { example, layoutOf, plainDrivers } from "./fixture.ts";

const capdlText = (layout: Layout): string => generate(layout).files.find(({ name }) => name === "system.cdl")!.text;

describe("the reader that the tests use", () => {
  const sound = "arch aarch64 objects { c = cnode (2 bits) f = frame (4k, paddr: 0x1000) p = pt } caps { c { 1: f (RW, mapping: (p, 3)) } p { 3: f (RW) } }";
  it("finds nothing in a sound text", () => expect(capdlFaults(readCapdl(sound))).toEqual([]));
  it.each([
    ["a slot beyond the CNode", sound.replace("1: f", "4: f")],
    ["a mapping that is not there", sound.replace("3: f (RW)", "2: f (RW)")],
    ["a frame in a root table", sound.replace("p = pt", "p = pgd")],
    ["an object that is not declared", sound.replace("f = frame (4k, paddr: 0x1000)", "")],
    ["a frame of another size than its table maps", sound.replace("4k, paddr: 0x1000", "2M, paddr: 0x200000")],
    ["a frame that is not aligned to its size", sound.replace("4k", "2M").replace("p = pt", "p = pd")],
    ["a wrong parameter", sound.replace("2 bits", "2 bits, paddr: 0x0")],
  ])("finds %s", (_, text) => expect(capdlFaults(readCapdl(text)).length).toBeGreaterThan(0));
  it("refuses what is no capDL", () => {
    for (const text of ["arch aarch64 objects { é = ep }", "arch aarch64 objects { a = ep", "arch aarch64 caps { a { 1: b 1: c } }", "objects { }"]) expect(() => readCapdl(text)).toThrow(SyntaxError);
  });
});

describe("system.cdl", () => {
  it("is sound capDL for AArch64", () => {
    const capdl = readCapdl(capdlText(example()));
    expect(capdlFaults(capdl)).toEqual([]);
    expect(capdl.arch).toBe("aarch64");
  });
  it("has every capability of the layout in its slot, control capabilities apart", () => {
    const layout = example();
    const { caps } = readCapdl(capdlText(layout));
    const wanted = layout.components.map(({ slots }) => slots.filter(({ cap }) => cap.kind !== "sidControl").map(({ slot }) => slot));
    expect(["cnode_nic_driver", "cnode_disk", "cnode_vault"].map((name) => [...caps.get(name)!.keys()])).toEqual(wanted);
  });
  it("gives the root CNode, the address space and the mapped frame their parameters", () => {
    const { caps } = readCapdl(capdlText(example()));
    const nic = caps.get("cnode_nic_driver")!;
    expect(nic.get(1)).toEqual({ object: "cnode_nic_driver", params: ["guard: 0", "guard_size: 60"] });
    expect(nic.get(4)).toEqual({ object: "pgd_nic_driver", params: ["asid: (0, 1)"] });
    expect(nic.get(8)).toEqual({ object: "frame_nic_driver_ring_0", params: ["RW", "mapping: (pt_nic_driver_0x10000000, 0)"] });
    expect(caps.get("tcb_nic_driver")?.get(0)?.object).toBe("cnode_nic_driver");
  });
  it("walks to every mapped page: root, three levels, frame", () => {
    const { caps } = readCapdl(capdlText(example()));
    const walk = (root: string, address: bigint): string | undefined =>
      [39n, 30n, 21n, 12n].reduce<string | undefined>((table, shift) => caps.get(table ?? "")?.get(Number((address >> shift) & 511n))?.object, root);
    expect(walk("pgd_nic_driver", 0x1000_2000n)).toBe("frame_nic_driver_ring_2");
    expect(walk("pgd_nic_driver", 0x1000_3000n)).toBeUndefined();
    expect(walk("pgd_disk", 0x3fff_f000n)).toBe("frame_disk_ring_0");
  });
  it("has physical addresses and sizes", () => {
    const { objects } = readCapdl(capdlText(example()));
    expect(objects.get("ut_heap")?.params).toEqual(["16 bits", "paddr: 0x60010000"]);
    expect(objects.get("frame_nic_driver_ring_1")?.params).toEqual(["4k", "paddr: 0x50001000"]);
    expect(objects.get("cb_disk")?.params).toEqual(["bank: 1"]);
  });
  it("puts a large frame into the table of its level, in capDL's words for its size", () => {
    const large = (frames: bigint) => readCapdl(capdlText(layoutOf([{ ...plainDrivers[0]!, pages: 2, iova: 0x4000_0000n, frames }])));
    const [two, one] = [large(0x20_0000n), large(0x4000_0000n)];
    expect(two.objects.get("frame_nic_driver_ring_1")).toEqual({ type: "frame", params: ["2M", "paddr: 0x50200000"] });
    expect(two.caps.get("pd_nic_driver_0x40000000")?.get(1)).toEqual({ object: "frame_nic_driver_ring_1", params: ["RW"] });
    expect([...two.caps.get("cnode_nic_driver")!.values()].at(-1)).toEqual({ object: "frame_nic_driver_ring_1", params: ["RW", "mapping: (pd_nic_driver_0x40000000, 1)"] });
    expect(one.objects.get("frame_nic_driver_ring_1")).toEqual({ type: "frame", params: ["1024M", "paddr: 0x1040000000"] });
    expect(one.caps.get("pud_nic_driver_0x0")?.get(2)?.object).toBe("frame_nic_driver_ring_1");
    expect([...one.objects.values()].filter(({ type }) => type === "pd" || type === "pt")).toEqual([]);
  });
  it("says which copies came from which slot, where capDL can name both", () => {
    expect(readCapdl(capdlText(example())).cdt).toEqual([{ from: "(cnode_nic_driver, 2)", to: "(cnode_vault, 3)" }]);
  });
  it("says at its top what would go wrong, and where a slot stays empty", () => {
    const text = capdlText(example());
    expect(text).toMatch(/^-- .*\n-- .*\n--\n-- WARNING capdl-not-bootable.*\n--  \* it stops at cb_nic_driver/);
    expect(text).toContain("-- 4: sid_control: SIDControl, for which capDL has no word");
    expect(generate(example()).diagnostics.map(({ id }) => id)).toEqual(["capdl-not-bootable", "capdl-omits-control"]);
  });
  it("warns of nothing when the loader's count is the board's", () => {
    const layout = layoutOf([{ ...plainDrivers[0]!, sid: 0 }]);
    expect(generate(layout).diagnostics).toEqual([]);
    expect(capdlText(layout)).not.toContain("WARNING");
  });
  it("refuses an untyped that is no power of two, or not aligned to its size", () => {
    const withHeap = (change: object): Layout => ({ ...example(), regions: example().regions.map((region) => (region.kind === "untyped" ? { ...region, ...change } : region)) });
    for (const change of [{ size: 3n * PAGE_BYTES }, { base: 0x6000_1000n }, { size: 0n }]) {
      expect(generate(withHeap(change)).diagnostics).toContainEqual(expect.objectContaining({ id: "untyped-not-power-of-two", severity: "error" }));
    }
  });
  it("law: sound, ASCII, and no other arch or parser, whatever the spec calls things", () => {
    fc.assert(
      fc.property(arbitraryLayout, (layout) => {
        const text = capdlText(layout);
        expect(text).toMatch(/^[\x20-\x7e\n]*$/);
        expect(text.startsWith("-- Dump")).toBe(false);
        const capdl = readCapdl(text);
        expect(capdlFaults(capdl)).toEqual([]);
        expect([...capdl.objects.values()].filter(({ type }) => type === "streamid")).toHaveLength(layout.sids.length);
        expect([...capdl.objects.values()].filter(({ type }) => type === "frame")).toHaveLength(layout.dma.length);
      }),
    );
  });
});

// seL4's own parser has no package: whoever builds it (capDL-tool of seL4/capdl) names it here.
const parser = process.env["PARSE_CAPDL"];
if (parser !== undefined) {
  describe("seL4's parse-capDL", () => {
    const folder = mkdtempSync(join(tmpdir(), "capdl-"));
    const accept = (layout: Layout): string => {
      writeFileSync(join(folder, "system.cdl"), capdlText(layout));
      return execFileSync(parser, ["--dump-ast=-", "--text=-", join(folder, "system.cdl")], { encoding: "utf8", env: { LC_ALL: "C" } });
    };
    it("accepts the example, with its banks", () => {
      expect(accept(example())).toMatch(/ARMCB \{bankNumber = Just 1\}/);
    });
    it("accepts whatever names there are", () => {
      fc.assert(
        fc.property(arbitraryLayout, (layout) => void accept(layout)),
        { numRuns: 30 },
      );
      rmSync(folder, { recursive: true });
    });
  });
}
