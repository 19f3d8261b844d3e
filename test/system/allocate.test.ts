import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { impossible } from "../../src/base/diagnostic.ts";
import { frameLevel } from "../../src/system/frameSize.ts";
import { frameBytes, type Layout, type LayoutCap } from "../../src/system/layout.ts";
import { cnodeBytes } from "../../src/system/placement.ts";
import { layoutOf, planFile, planText } from "./fixture.ts";

const PAGE = 4096n;
const pick = <T>(values: readonly T[]) => fc.constantFrom(...values);
const NAMES = ["a", "b", "c-c"] as const;
const REGIONS = ["r", "s", "t", "u-u"] as const;

/** Specs without a mistake: up to three components, a function each or none, and any sharing and holding. */
const specText = fc
  .record({
    devices: fc.array(fc.nat(2), { minLength: 3, maxLength: 3 }),
    perStream: fc.array(fc.boolean(), { minLength: 3, maxLength: 3 }),
    kinds: fc.array(pick(["driver", "vm", "service"]), { minLength: 3, maxLength: 3 }),
    regions: fc.array(fc.record({ owner: pick(NAMES), bits: fc.nat(3), untyped: fc.boolean(), large: fc.boolean(), share: fc.option(fc.record({ with: pick(NAMES), access: pick(["r", "rw"]) })) }), { maxLength: 4 }),
    holds: fc.array(fc.array(fc.record({ access: pick(["r", "rw"]), held: fc.boolean() }), { minLength: 4, maxLength: 4 }), { minLength: 3, maxLength: 3 }),
    tables: fc.array(fc.boolean(), { minLength: 3, maxLength: 3 }),
    control: fc.option(fc.nat(2)),
    supervises: fc.boolean(),
  })
  .map(({ devices, perStream, kinds, regions, holds, tables, control, supervises }) => {
    const regionLines = regions.map(({ owner, bits, untyped, large, share }, index) => {
      const shared = share === null || share.with === owner ? "" : `, share: [{ with: ${share.with}, access: ${share.access} }]`;
      const size = large && !untyped ? `${2 << bits}MiB, frames: 2MiB` : `${4 << bits}KiB`;
      return `  ${REGIONS[index]}: { size: ${size}, owner: ${owner}${untyped ? ", kind: untyped" : ""}${shared} }`;
    });
    const untypedHolder = regions.map((_, region) => holds.findIndex((held) => held[region]!.held));
    const componentLines = NAMES.map((name, index) => {
      const functions = Array.from({ length: devices[index]! }, (_, device) => `d${device}: { pci: "0${index}:0${device}.0" }`);
      const held = regions.flatMap(({ untyped }, region) => {
        const { held: holding, access } = holds[index]![region]!;
        if (!holding) return [];
        if (untyped) return untypedHolder[region] === index ? [REGIONS[region]!] : [];
        return [`{ region: ${REGIONS[region]}, access: ${access} }`];
      });
      if (tables[index] === true && devices[index]! > 0) held.push("tables");
      if (control === index) held.push("sid-control", "cb-control");
      if (supervises && index > 0 && devices[0]! > 0) held.push("{ sid: a }", "{ cb: a }", "{ vspace: a }");
      return `  ${name}: { kind: ${kinds[index]}, cb: ${perStream[index] === true ? "per-stream" : "shared"}, devices: { ${functions.join(", ")} }, holds: [${held.join(", ")}] }`;
    });
    return ["regions:", ...(regionLines.length === 0 ? ["  {}"] : regionLines), "components:", ...componentLines].join("\n");
  });

/** Holds for the layout of every spec above, and for the examples. */
const law = (name: string, holds: (layout: Layout) => void) => {
  it(name, () => {
    for (const example of ["one-driver", "two-vms", "large-frames"]) holds(layoutOf(planFile(`specs/systems/${example}/system.yaml`)));
    fc.assert(fc.property(specText, (text) => holds(layoutOf(planText(text)))), { numRuns: 60 });
  });
};

const slots = ({ components }: Layout) => components.flatMap((holder, component) => holder.slots.map((slot) => ({ component, ...slot })));

/** What a capability is about, whoever holds it. */
const objectOf = (cap: LayoutCap): string => {
  switch (cap.kind) {
    case "cnode":
      return `cnode ${cap.component}`;
    case "sid":
      return `sid ${cap.sid}`;
    case "cb":
      return `cb ${cap.cb}`;
    case "vspace":
      return `vspace ${cap.vspace}`;
    case "frame":
    case "pageTable":
      return `page ${cap.pa}`;
    case "untyped":
      return `untyped ${cap.region}`;
    default:
      return cap.kind;
  }
};

describe("laws of every layout", () => {
  law("regions lie apart, in usable RAM, at their alignment", ({ regions }) => {
    const sorted = regions.toSorted((a, b) => (a.base < b.base ? -1 : 1));
    for (const [index, { base, size, kind, frames = PAGE }] of sorted.entries()) {
      expect(base >= 0x4000_0000n && base + size <= 0x8000_0000n).toBe(true);
      expect(base % (kind === "untyped" || kind === "stream-table" ? size : frames)).toBe(0n);
      expect(size % frames).toBe(0n);
      expect(base >= (sorted[index - 1]?.base ?? 0n) + (sorted[index - 1]?.size ?? 0n)).toBe(true);
    }
  });

  law("slots follow each other from 1, by a name each, and leave room", ({ components }) => {
    for (const { slots: own, radix, spareSlots } of components) {
      expect(own.map(({ slot }) => slot)).toEqual(own.map((_, index) => index + 1));
      expect(own[0]?.cap.kind).toBe("cnode");
      expect(new Set(own.map(({ name }) => name)).size).toBe(own.length);
      for (const { name } of own) expect(name).toMatch(/^[a-z][a-z0-9_]*$/u);
      expect(own.length + spareSlots + 1).toBe(2 ** radix);
      expect(spareSlots).toBeGreaterThanOrEqual(8);
    }
  });

  law("every object has one original, and every copy is a child of it with no more rights", (layout) => {
    const all = slots(layout);
    const originals = new Map<string, (typeof all)[number]>();
    for (const slot of all) {
      const parent = slot.parent === undefined ? undefined : layout.components[slot.parent.component]!.slots[slot.parent.slot - 1]!;
      const issued = (parent?.cap.kind === "sidControl" && slot.cap.kind === "sid") || (parent?.cap.kind === "cbControl" && slot.cap.kind === "cb");
      if (parent === undefined || issued) {
        expect(originals.has(objectOf(slot.cap)), objectOf(slot.cap)).toBe(false);
        originals.set(objectOf(slot.cap), slot);
      } else {
        expect(objectOf(parent.cap)).toBe(objectOf(slot.cap));
        if (parent.cap.kind === "frame" && slot.cap.kind === "frame") expect([parent.cap.rights, slot.cap.rights]).not.toEqual(["r", "rw"]);
      }
    }
    for (const slot of all) expect(originals.get(objectOf(slot.cap)) ?? impossible(objectOf(slot.cap))).toBeDefined();
    const objects = ["sidControl", "cbControl", ...layout.sids.map((_, i) => `sid ${i}`), ...layout.cbs.map((_, i) => `cb ${i}`), ...layout.vspaces.map((_, i) => `vspace ${i}`)];
    for (const object of objects) expect(originals.has(object), object).toBe(true);
  });

  law("frame capabilities cover memory regions, frame by frame, and nothing else", (layout) => {
    const frames = slots(layout).flatMap(({ cap }) => (cap.kind === "frame" ? [cap] : []));
    const covered = new Set(frames.map(({ region, pa }) => `${region} ${pa}`));
    const expected = layout.regions.flatMap(({ kind, base, size, frames: bytes = PAGE }, region) => (kind === "memory" ? Array.from({ length: Number(size / bytes) }, (_, frame) => `${region} ${base + bytes * BigInt(frame)}`) : []));
    expect([...covered].toSorted()).toEqual(expected.toSorted());
  });

  law("kernel objects have pages of their own, with room for the CNodes behind", (layout) => {
    const tables = slots(layout).flatMap(({ cap }) => (cap.kind === "pageTable" ? [cap.pa] : []));
    const pages = [...layout.vspaces.map(({ root }) => root), ...tables].toSorted((a, b) => (a < b ? -1 : 1));
    const objects = layout.regions.find(({ kind }) => kind === "objects")!;
    expect(pages).toEqual(pages.map((_, index) => objects.base + PAGE * BigInt(index)));
    const cnodes = layout.components.reduce((sum, { radix }) => sum + cnodeBytes(radix), 0n);
    expect(objects.size - PAGE * BigInt(pages.length) >= cnodes).toBe(true);
  });

  law("every mapped page has its tables, and no two pages of an address space meet, whatever their sizes", (layout) => {
    const all = slots(layout);
    const tables = new Set(all.flatMap(({ cap }) => (cap.kind === "pageTable" ? [`${cap.mapped.vspace} ${cap.mapped.level} ${cap.mapped.iova}`] : [])));
    const seen: { readonly vspace: number; readonly from: bigint; readonly to: bigint }[] = [];
    const needed = new Set<string>();
    for (const { component, cap } of all) {
      if (cap.kind !== "frame" || cap.mapped === undefined) continue;
      const { vspace, iova } = cap.mapped;
      expect(layout.vspaces[vspace]!.owner).toBe(component);
      const bytes = frameBytes(layout, cap.region);
      expect(iova % bytes).toBe(0n);
      seen.push({ vspace, from: iova, to: iova + bytes });
      for (const [level, bits] of [[1, 39n], [2, 30n], [3, 21n]] as const) if (level <= frameLevel(bytes)) needed.add(`${vspace} ${level} ${(iova >> bits) << bits}`);
    }
    const sorted = seen.toSorted((a, b) => a.vspace - b.vspace || (a.from < b.from ? -1 : 1));
    for (const [index, { vspace, from }] of sorted.entries()) expect(index > 0 && sorted[index - 1]!.vspace === vspace ? sorted[index - 1]!.to <= from : true).toBe(true);
    expect([...tables].toSorted()).toEqual([...needed].toSorted());
  });

  law("every stream is meant to be bound once, to a bank of its owner on its SMMU, and the numbers are unique", (layout) => {
    expect(layout.bindings.map(({ sid }) => sid)).toEqual(layout.sids.map((_, sid) => sid));
    for (const { sid, cb, vspace } of layout.bindings) {
      expect([layout.cbs[cb]!.smmu, layout.cbs[cb]!.owner, layout.vspaces[vspace]!.owner]).toEqual([layout.sids[sid]!.smmu, layout.sids[sid]!.owner, layout.sids[sid]!.owner]);
    }
    expect(new Set(layout.cbs.map(({ smmu, vmid }) => `${smmu} ${vmid}`)).size).toBe(layout.cbs.length);
    expect(layout.cbs.every(({ number, vmid }) => vmid === number + 1)).toBe(true);
    expect(layout.vspaces.map(({ asid }) => asid)).toEqual(layout.vspaces.map((_, index) => index + 1));
    for (const { sid, smmu } of layout.sids) expect(sid).toBeLessThan(2 ** layout.smmus[smmu]!.log2Size);
  });

  law("every intended DMA path is mapped for the stream's owner, and allowed by policy", (layout) => {
    for (const { sid, region, iova, pa, access } of layout.dma) {
      const { owner } = layout.sids[sid]!;
      const frame = layout.components[owner]!.slots.map(({ cap }) => cap).find((cap) => cap.kind === "frame" && cap.pa === pa);
      expect(frame).toMatchObject({ region, mapped: { iova } });
      const { owner: regionOwner, shares } = layout.regions[region]!;
      const policy = regionOwner === owner ? "rw" : shares.find((share) => share.with === owner)?.access;
      expect([frame?.kind === "frame" ? frame.rights : "", policy ?? ""].every((rights) => rights.includes(access === "read" ? "r" : "w"))).toBe(true);
    }
  });
});

describe("the first example", () => {
  const layout = layoutOf(planFile("specs/systems/one-driver/system.yaml"));

  it("gives the untrusted driver its device, its ring and an untyped", () => {
    expect(layout.components[0]).toMatchObject({ name: "nic-driver", trusted: false });
    expect(layout.components[0]!.slots.map(({ name }) => name)).toEqual(["cnode", "nic_sid", "cb", "vspace", "ring_0", "heap_untyped"]);
  });

  it("gives the trusted vault its secrets and copies of the driver's device capabilities", () => {
    expect(layout.components[1]).toMatchObject({ name: "vault", trusted: true });
    expect(layout.components[1]!.slots.map(({ name }) => name)).toEqual(["cnode", "nic_driver_nic_sid", "nic_driver_cb", "nic_driver_vspace", "secrets_0"]);
  });

  it("has QEMU's stream number of function 00:02.0", () => {
    expect(layout.sids).toEqual([{ name: "nic-driver.nic", smmu: 0, sid: 0x10, mask: 0, owner: 0, devices: [0] }]);
    expect(layout.smmus).toMatchObject([{ path: "/smmuv3@9050000", base: 0x905_0000n, log2Size: 16 }]);
  });
});

describe("slot names", () => {
  it("are made unique where different things would have one name", () => {
    const text = 'regions: { nic-0: { size: 4KiB, owner: a }, nic: { size: 8KiB, owner: a } }\ncomponents: { a: { kind: service, holds: [nic-0, nic] } }';
    expect(layoutOf(planText(text)).components[0]!.slots.map(({ name }) => name)).toEqual(["cnode", "nic_0_0", "nic_0", "nic_1"]);
    const clash = 'regions: { nic-0: { size: 4KiB, owner: a, kind: untyped }, nic: { size: 4KiB, owner: a, kind: untyped } }\ncomponents: { nic: { kind: driver, devices: { cb: { pci: "00:01.0" } }, cb: per-stream }, a: { kind: service, holds: [{ cb: nic }, { cb: nic-cb }] }, nic-cb: { kind: driver, devices: { d: { pci: "00:02.0" } } } }';
    expect(layoutOf(planText(clash)).components[1]!.slots.map(({ name }) => name)).toEqual(["cnode", "nic_cb_cb", "nic_cb_cb_2"]);
  });
});
