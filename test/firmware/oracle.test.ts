/** The topology held against readers that share nothing with it: libfdt through oracle.py, and the trees that QEMU makes. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { readBoard } from "../../src/firmware/board.ts";
import { topologyJson } from "../../src/firmware/topologyJson.ts";
import { outside } from "../outside.ts";
import { blob, type NodeSpec } from "./blob.ts";

const shipped = join(import.meta.dirname, "../../specs/systems/qemu-virt/board.dtb");
const scratch = mkdtempSync(join(tmpdir(), "cofferdam-oracle-"));
afterAll(() => rmSync(scratch, { recursive: true }));

const hasLibfdt = (python: string): boolean => {
  try {
    execFileSync(python, ["-c", "import libfdt"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
};
/** Debian's package serves the system's Python, which need not be the first on the path. */
const python = ["python3", "/usr/bin/python3"].find(hasLibfdt) ?? outside("python3-with-libfdt", "Debian package python3-libfdt, to compare topologies with a second reader");
const qemu = outside("qemu-system-aarch64", "QEMU 10, whose virt machine writes its own device tree");
const dtc = outside("dtc", "Debian package device-tree-compiler, to compile the shipped board");

const read = (file: string) => {
  const { diagnostics: _, ...document } = topologyJson(readBoard(readFileSync(file)).value!.topology, file);
  return document;
};
const oracle = (files: readonly string[]): unknown[] =>
  execFileSync(python!, [join(import.meta.dirname, "oracle.py"), ...files], { encoding: "utf8", maxBuffer: 1 << 28 })
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));

const word = fc.oneof(fc.nat(0xff), fc.nat(0xffff), fc.nat(0xffff_ffff));
const status = fc.constantFrom<NodeSpec>({}, {}, {}, { status: "okay" }, { status: "ok" }, { status: "disabled" }, { status: true });
const providers = [
  { compatible: ["arm,smmu-v3"], cells: 1 },
  { compatible: ["arm,mmu-500", "arm,smmu-v2"], cells: 2 },
  { compatible: ["arm,mmu-500"], cells: 1, mask: [0x7c00] },
  { compatible: ["qcom,sdm845-smmu-500", "qcom,smmu-500"], cells: 2, mask: [0xf] },
  { compatible: ["rockchip,iommu"], cells: 0 },
  { compatible: ["apple,t8103-dart"], cells: 1 },
] as const;

const provider = fc.record({ kind: fc.nat(providers.length - 1), status, coherent: fc.boolean(), reg: fc.array(fc.tuple(word, fc.nat(0xffff)), { maxLength: 2 }) });
const reference = fc.record({ to: fc.nat(), cells: fc.array(word, { minLength: 3, maxLength: 3 }) });
const device = fc.record({
  status,
  iommus: fc.option(fc.array(reference, { maxLength: 4 })),
  dangling: fc.boolean(),
  map: fc.option(fc.array(reference, { minLength: 1, maxLength: 3 })),
  oneCell: fc.boolean(),
  mask: fc.constantFrom<NodeSpec>({}, {}, { "iommu-map-mask": [0] }, { "iommu-map-mask": [0xffff] }),
});
const sketch = fc.record({
  cells: fc.constantFrom([1, 1], [2, 1], [2, 2]),
  busStatus: status,
  ranges: fc.constantFrom("same", "moved", "none"),
  providers: fc.array(provider, { minLength: 1, maxLength: 4 }),
  devices: fc.array(device, { maxLength: 5 }),
});

type Sketch = typeof sketch extends fc.Arbitrary<infer T> ? T : never;

/** A board with one bus: its IOMMUs on the bus, devices half on it and half at the root. */
const boardOf = ({ cells: [na = 1, ns = 1], busStatus, ranges, ...sketched }: Sketch): Uint8Array => {
  const wide = (value: number, count: number): number[] => [...Array.from({ length: count - 1 }, () => 0), value];
  const iommus = sketched.providers.map(({ kind, status: own, coherent, reg }, i) => {
    const { compatible, cells: count, ...rest } = providers[kind]!;
    const node: NodeSpec = {
      compatible,
      "#iommu-cells": [count],
      phandle: [i + 1],
      ...("mask" in rest ? { "stream-match-mask": rest.mask } : {}),
      ...(coherent ? { "dma-coherent": true } : {}),
      ...(reg.length > 0 ? { reg: reg.flatMap(([base, size]) => [...wide(base, na), ...wide(size, ns)]) } : {}),
      ...own,
    };
    return { node, count };
  });
  const target = (to: number): { phandle: number; count: number } => ({ phandle: (to % iommus.length) + 1, count: iommus[to % iommus.length]!.count });
  const specifier = ({ to, cells }: { to: number; cells: number[] }): number[] => [target(to).phandle, ...cells.slice(0, target(to).count)];
  const entry = ({ to, cells }: { to: number; cells: number[] }): number[] => [cells[2]!, ...specifier({ to, cells }), cells[1]! & 1];
  const shortEntry = (to: number, { cells }: { cells: number[] }): number[] => [cells[2]!, target(to).phandle, cells[0]!, 1];
  const devices = sketched.devices.map(({ status: own, iommus: list, dangling, map, oneCell, mask }): NodeSpec => ({
    compatible: "acme,dma",
    ...(list === null ? {} : { iommus: [...list.flatMap(specifier), ...(dangling ? [0x99, 1] : [])] }),
    ...(map === null ? {} : { "iommu-map": oneCell && target(map[0]!.to).count === 2 ? map.flatMap((each) => shortEntry(map[0]!.to, each)) : map.flatMap(entry) }),
    ...mask,
    ...own,
  }));
  const window = ranges === "moved" ? { ranges: [...wide(0x100, na), 0x12, 0x3400_0000, ...wide(0x8000_0000, ns)] } : ranges === "same" ? { ranges: true as const } : {};
  const named = (nodes: NodeSpec[], prefix: string): NodeSpec => Object.fromEntries(nodes.map((node, i) => [`${prefix}@${i}`, node]));
  const half = devices.length >> 1;
  const bus: NodeSpec = { "#address-cells": [na], "#size-cells": [ns], ...window, ...busStatus, ...named(iommus.map(({ node }) => node), "iommu"), ...named(devices.slice(0, half), "dma") };
  return blob({ "#address-cells": [2], "#size-cells": [2], bus, ...named(devices.slice(half), "dma") });
};

describe.runIf(python !== undefined)("libfdt and the rules written a second time", () => {
  it("agree on the shipped board", () => {
    expect(oracle([shipped])).toEqual([read(shipped)]);
  });

  it("agree on 300 random boards, field by field", () => {
    const files = fc.sample(sketch, { numRuns: 300, seed: 7 }).map((each, i) => {
      const file = join(scratch, `random-${i}.dtb`);
      writeFileSync(file, boardOf(each));
      return file;
    });
    const ours = files.map(read);
    expect(ours).toEqual(oracle(files));
    // The sample has something of everything; else agreement would say little.
    const [streams, entries] = [ours.flatMap((each) => each.masters.flatMap((master) => master.streams)), ours.flatMap((each) => each.maps.flatMap((map) => map.entries))];
    expect(new Set(streams.map((each) => each.mask))).toContain("0x7c00");
    expect(entries.some((each) => each.sidMask !== undefined)).toBe(true);
    expect(entries.some((each) => each.sidBase === undefined)).toBe(true);
    expect(ours.some((each) => each.smmus.some((smmu) => smmu.reg.some((reg) => reg.addr.startsWith("0x12"))))).toBe(true);
    expect(streams.length).toBeGreaterThan(300);
  });
});

const machines = ["virt,iommu=smmuv3", "virt,iommu=smmuv3,gic-version=3", "virt,iommu=smmuv3,secure=on,virtualization=on", "virt,iommu=none"];

describe.runIf(qemu !== undefined)("the trees that QEMU writes", () => {
  const dump = (machine: string, file: string): void => {
    execFileSync(qemu!, ["-machine", `${machine},dumpdtb=${file}`, "-cpu", "cortex-a57", "-m", "1G", "-nodefaults", "-nic", "none", "-display", "none"], { stdio: "pipe", timeout: 60_000 });
  };

  it.each(machines)("%s", (machine) => {
    const file = join(scratch, `${machine}.dtb`.replaceAll(",", "-"));
    dump(machine, file);
    const { board: _, ...document } = read(file);
    const { board: __, ...ours } = read(shipped);
    expect(document).toEqual(machine.endsWith("none") ? { smmus: [], masters: [], maps: [], shared: [] } : ours);
    expect(readBoard(readFileSync(file)).value?.memory).toEqual([{ base: 0x4000_0000n, size: 0x4000_0000n }]);
  });
});

describe.runIf(dtc !== undefined)("the shipped board", () => {
  it("is what dtc makes of its source", () => {
    const bytes = execFileSync(dtc!, ["-I", "dts", "-O", "dtb", shipped.replace(/dtb$/, "dts")], { stdio: ["ignore", "pipe", "pipe"] });
    expect(bytes.equals(readFileSync(shipped))).toBe(true);
  });
});
