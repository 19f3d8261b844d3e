import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { generate } from "../../src/generate/generate.ts";
import type { Layout } from "../../src/system/layout.ts";
import { outside } from "../outside.ts";
import { arbitraryLayout } from "./arbitrary.ts";
import { example, layoutOf, plainDrivers } from "./fixture.ts";

const headers = (layout: Layout) => generate(layout).files.filter(({ name }) => name.endsWith(".h"));
const header = (layout: Layout, name: string): string => headers(layout).find((file) => file.name === name)!.text;

/** Every macro of a header and its value. */
const macros = (text: string): ReadonlyMap<string, string> => new Map([...text.matchAll(/^#define (\w+) (\S+)/gm)].map((match) => [match[1]!, match[2]!]));

/** All slots that a header names: by themselves, or as a first one and a count. */
const slotsNamed = (found: ReadonlyMap<string, string>): readonly number[] =>
  [...found]
    .filter(([name]) => /^\w+?_SLOT_/.test(name) && !name.endsWith("_COUNT"))
    .flatMap(([name, value]) => {
      const count = name.endsWith("_FIRST") ? found.get(name.replace(/FIRST$/, "COUNT")) : undefined;
      return Array.from({ length: Number(count ?? 1) }, (_, index) => Number(value) + index);
    })
    .toSorted((a, b) => a - b);

describe("<component>.h", () => {
  it("names slots, stream, bank and addresses of its component", () => {
    const found = macros(header(example(), "nic_driver.h"));
    expect(Object.fromEntries(found)).toMatchObject({
      NIC_DRIVER_CNODE_BITS: "4",
      NIC_DRIVER_SLOT_SID: "2",
      NIC_DRIVER_SLOT_NIC_DRIVER_RING_FIRST: "8",
      NIC_DRIVER_SLOT_NIC_DRIVER_RING_COUNT: "3",
      NIC_DRIVER_STREAM_NIC_DRIVER_DEV: "0x10",
      NIC_DRIVER_CB_NIC_DRIVER: "0",
      NIC_DRIVER_CB_NIC_DRIVER_VMID: "1",
      NIC_DRIVER_IOVA_NIC_DRIVER_RING: "0x10000000UL",
      NIC_DRIVER_SIZE_NIC_DRIVER_RING: "0x3000UL",
    });
  });
  it("counts large frames in their own size", () => {
    const text = header(layoutOf([{ ...plainDrivers[0]!, pages: 2, frames: 0x20_0000n }]), "nic_driver.h");
    expect(text).toContain("#define NIC_DRIVER_SIZE_NIC_DRIVER_RING 0x400000UL /* 2 MiB pages: 2 */");
    expect(text).toContain("_COUNT 2 /* one slot a frame, in address order */");
    expect(text).toContain("2 2 MiB frames of nic-driver-ring at 0x50000000");
  });
  it("gives a holder of a copy the stream's number too, and nothing of streams it does not hold", () => {
    const found = macros(header(example(), "vault.h"));
    expect(found.get("VAULT_STREAM_NIC_DRIVER_DEV")).toBe("0x10");
    expect([...found.keys()].filter((name) => name.includes("STREAM_DISK"))).toEqual([]);
  });
  it("tells a region mapped twice apart by its address space", () => {
    const layout = example();
    const nic = layout.components[0]!;
    const extra = nic.slots.at(-1)!.cap;
    if (extra.kind !== "frame") throw new Error("the last slot of the fixture is a frame");
    const again = { slot: 12, name: "again", cap: { ...extra, mapped: { vspace: 0, iova: 0x1001_0000n as never } } };
    const twice = { ...layout, components: layout.components.with(0, { ...nic, slots: [...nic.slots, again] }) };
    const names = [...macros(header(twice, "nic_driver.h")).keys()].filter((name) => name.includes("_IOVA_"));
    expect(names).toEqual(["NIC_DRIVER_IOVA_NIC_DRIVER_NIC_DRIVER_RING", "NIC_DRIVER_IOVA_NIC_DRIVER_NIC_DRIVER_RING_2"]);
  });
  it("law: every slot of the layout appears once in its header; no macro is defined twice; comments hold", () => {
    fc.assert(
      fc.property(arbitraryLayout, (layout) => {
        const files = generate(layout).files.filter(({ name }) => name.endsWith(".h"));
        expect(files).toHaveLength(layout.components.length);
        const found = files.map(({ text }) => slotsNamed(macros(text)));
        const wanted = layout.components.map(({ slots }) => slots.map(({ slot }) => slot));
        expect(new Set(found.map(String))).toEqual(new Set(wanted.map(String)));
        for (const { text } of files) {
          const defined = [...text.matchAll(/^#define (\w+)/gm)].map((match) => match[1]!);
          expect(new Set(defined).size).toBe(defined.length);
          expect(text).toMatch(/^[\x20-\x7e\n]*$/);
          for (const line of text.split("\n")) expect(line).toMatch(/^(?:(?:#define \w+(?: \w+)?|#ifndef \w+|#endif)? ?(?:\/\*(?:(?!\*\/|\/\*).)*\*\/)?)$/);
        }
      }),
    );
  });
});

const cc = outside("cc", "the generated headers compile");
if (cc !== undefined) {
  describe("a C compiler", () => {
    /** One program that includes all headers twice and uses every macro as a number. */
    const compile = (layout: Layout): void => {
      const folder = mkdtempSync(join(tmpdir(), "headers-"));
      const files = headers(layout);
      const values = files.flatMap(({ text }) => [...macros(text).keys()]);
      const includes = files.map(({ name }) => `#include "${name}"\n#include "${name}"\n`).join("");
      for (const { name, text } of files) writeFileSync(join(folder, name), text);
      writeFileSync(join(folder, "all.c"), `${includes}const unsigned long values[] = { ${values.join(", ")} };\n`);
      try {
        execFileSync(cc, ["-fsyntax-only", "-std=c99", "-Wall", "-Wextra", "-pedantic", "-Werror", join(folder, "all.c")], { stdio: "pipe" });
      } finally {
        rmSync(folder, { recursive: true });
      }
    };
    it("takes the headers of the example", () => compile(example()));
    it("takes headers whose names an enemy chose", () => {
      fc.assert(fc.property(arbitraryLayout, compile), { numRuns: 20 });
    });
  });
}
