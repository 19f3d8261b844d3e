import { globSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { hasError } from "../../src/base/diagnostic.ts";
import { planSystem } from "../../src/system/plan.ts";
import { AWKWARD, ids, layoutOf, planFile, planText, QEMU_VIRT, root } from "./fixture.ts";

const broken = globSync("specs/broken/*.yaml", { cwd: root }).toSorted();
const systems = globSync("specs/systems/*/system.yaml", { cwd: root }).toSorted();

describe("planning", () => {
  it("finds the specs that it is to refuse, and those that it is to plan", () => {
    expect(broken.length).toBeGreaterThan(40);
    expect(systems.length).toBeGreaterThan(1);
  });

  it.each(broken)("refuses %s with the rule of its name, at a place", (file) => {
    const { value, diagnostics } = planFile(file);
    expect(value).toBeUndefined();
    expect(diagnostics.map(({ id, severity }) => `${severity} ${id}`)).toEqual([`error ${basename(file, ".yaml")}`]);
    const [found] = diagnostics;
    // A fault of the board itself is placed in the board's file.
    if (found?.place?.file?.endsWith(".dtb") !== true) expect(found?.place).toMatchObject({ file: join(root, file), line: expect.any(Number), column: expect.any(Number) });
  });

  it.each(systems)("plans %s without a finding", (file) => {
    const plan = planFile(file);
    expect(plan.diagnostics).toEqual([]);
    expect(plan.value?.warnings).toEqual([]);
  });

  it("records file names and hashes, but no folder", () => {
    const layout = layoutOf(planFile("specs/systems/one-driver/system.yaml"));
    expect(layout.board).toEqual({ file: "board.dtb", model: "linux,dummy-virt", sha256: expect.stringMatching(/^[0-9a-f]{64}$/u) });
    expect(layout.spec.file).toBe("system.yaml");
    expect(JSON.stringify(layout, (_, value: unknown) => (typeof value === "bigint" ? `${value}` : value))).not.toContain(root);
  });

  it("gives the same layout for the same input", () => {
    for (const file of systems) expect(planFile(file)).toEqual(planFile(file));
  });

  it("passes on what the board's reader found about the devices used, as warnings", () => {
    const spec = (node: string) => `components: { a: { kind: driver, devices: { d: { path: ${node}, unprotected: test rig } } } }`;
    const disabled = planText(spec("/dma@20040000"), AWKWARD);
    expect(ids(disabled)).toEqual(["unprotected-device", "master-behind-disabled-smmu"]);
    expect(disabled.diagnostics[1]).toMatchObject({ severity: "warning", place: { file: "board.dtb", path: "/dma@20040000" } });
    expect(ids(planText(spec("/dma@20080000"), AWKWARD))).toEqual(["unprotected-device"]);
  });

  it("never throws, whatever is done to a spec and its board", () => {
    const text = readFileSync(join(root, "specs/systems/two-vms/system.yaml"), "utf8");
    const bytes = readFileSync(join(root, QEMU_VIRT));
    const words = fc.constantFrom("", "0", "vm-a", "ring", "0x60000000", "4KiB", "tables", "-", "}", "r", "untyped", '"00:03.0"', "cb-control", "share: []", "frames: 2MiB", "pages: 2MiB", "2MiB");
    const cut = fc.tuple(fc.nat(text.length), fc.nat(10), words);
    const flip = fc.tuple(fc.nat(bytes.length - 1), fc.nat(255));
    fc.assert(
      fc.property(fc.array(cut, { maxLength: 3 }), fc.array(flip, { maxLength: 2 }), (cuts, flips) => {
        const specText = cuts.reduce((rest, [at, length, word]) => rest.slice(0, at) + word + rest.slice(at + length), text);
        const board = Uint8Array.from(bytes);
        for (const [at, value] of flips) board[at] = value;
        const { value, diagnostics } = planSystem({ specText, specFile: "s.yaml", readBoard: () => board });
        expect(value === undefined).toBe(hasError(diagnostics));
        for (const { message, hint = "" } of diagnostics) expect(message + hint).not.toMatch(/[^\P{C}]/u);
      }),
      { numRuns: 300 },
    );
  });
});
