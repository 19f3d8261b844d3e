/** Layouts made by hand for the tests of this room: one builder, one example. */
import { iova, pa, PAGE_BYTES, streamId } from "../../src/base/words.ts";
import type { Layout, LayoutCap, LayoutComponent, LayoutRegion, LayoutSlot } from "../../src/system/layout.ts";

export interface DriverPlan {
  readonly name: string;
  /** Frames of the driver's region, mapped from `iova` on. */
  readonly pages: number;
  /** Bytes of each frame; 4 KiB unless given. `iova` is a multiple of them. */
  readonly frames?: bigint;
  readonly iova: bigint;
  readonly sid: number;
  readonly smmu: number;
  readonly bank: number;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] extends readonly (infer U)[] ? U[] : T[K] };

const OBJECTS = 0x4000_0000n;
const MEMORY = 0x5000_0000n;
const REGION_STRIDE = 0x100_0000n;
/** Where a region of 1 GiB frames lies, far from all others. */
const HUGE_STRIDE = 0x10_0000_0000n;
const COVERAGE = [1n << 48n, 1n << 39n, 1n << 30n, 1n << 21n] as const;

/** One driver with its stream, bank, address space, page tables and region. Slots go up from 1. */
const addDriver = (layout: Mutable<Layout>, plan: DriverPlan, index: number, take: () => bigint): void => {
  const slots: LayoutSlot[] = [];
  const add = (name: string, cap: LayoutCap): void => void slots.push({ slot: slots.length + 1, cap, name });
  const { pages, frames = PAGE_BYTES } = plan;
  const base = frames > REGION_STRIDE ? HUGE_STRIDE * BigInt(index + 1) : MEMORY + BigInt(index) * REGION_STRIDE;
  const size = BigInt(pages) * frames;
  layout.vspaces.push({ name: plan.name, owner: index, root: pa(take()), asid: index + 1 });
  layout.regions.push({ name: `${plan.name}-ring`, base: pa(base), size, kind: "memory", owner: index, shares: [], ...(frames === PAGE_BYTES ? {} : { frames }) });
  const region = layout.regions.length - 1;
  add("root", { kind: "cnode", component: index });
  add("sid", { kind: "sid", sid: index });
  add("cb", { kind: "cb", cb: index });
  add("space", { kind: "vspace", vspace: index });
  for (const level of [1, 2, 3] as const) {
    const bytes = COVERAGE[level];
    if (bytes <= frames) continue;
    const last = plan.iova + size;
    for (let at = plan.iova - (plan.iova % bytes); at < last; at += bytes) add(`table_${level}_${at.toString(16)}`, { kind: "pageTable", pa: pa(take()), mapped: { vspace: index, level, iova: iova(at) } });
  }
  for (let page = 0; page < pages; page++) {
    const offset = BigInt(page) * frames;
    const at = { pa: pa(base + offset), iova: iova(plan.iova + offset) };
    add(`ring_${page}`, { kind: "frame", region, pa: at.pa, rights: "rw", mapped: { vspace: index, iova: at.iova } });
    layout.dma.push({ sid: index, region, iova: at.iova, pa: at.pa, access: "write" });
  }
  layout.devices.push({ name: `${plan.name}.dev`, owner: index, at: `/pcie@10000000/${index}.0`, sids: [index] });
  layout.sids.push({ name: `${plan.name}.dev`, smmu: plan.smmu, sid: streamId(plan.sid), mask: 0, owner: index, devices: [index] });
  layout.cbs.push({ name: plan.name, smmu: plan.smmu, number: plan.bank, vmid: plan.bank + 1, owner: index });
  layout.bindings.push({ sid: index, cb: index, vspace: index });
  const radix = Math.ceil(Math.log2(slots.length + 4));
  layout.components.push({ name: plan.name, kind: "driver", trusted: false, radix, slots, spareSlots: 2 ** radix - slots.length - 1 });
};

/** A correct layout with one component, stream, bank, address space and region for each driver. */
export const layoutOf = (drivers: readonly DriverPlan[], name = "example"): Layout => {
  const smmus = Math.max(1, ...drivers.map(({ smmu }) => smmu + 1));
  const layout: Mutable<Layout> = {
    name,
    board: { file: "board.dtb", model: "linux,dummy-virt", sha256: "b".repeat(64) },
    spec: { file: "system.yaml", sha256: "5".repeat(64) },
    smmus: Array.from({ length: smmus }, (_, index) => ({ path: `/smmuv3@${9050000 + index}`, base: pa(0x905_0000n + BigInt(index) * 0x2_0000n), streamTable: pa(0x4800_0000n + BigInt(index) * 0x1_0000n), log2Size: 8 })),
    regions: [],
    components: [],
    vspaces: [],
    sids: [],
    cbs: [],
    devices: [],
    bindings: [],
    dma: [],
  };
  let next = OBJECTS;
  const take = (): bigint => (next += PAGE_BYTES) - PAGE_BYTES;
  for (const [index, plan] of drivers.entries()) addDriver(layout, plan, index, take);
  const kernel: LayoutRegion[] = layout.smmus.map(({ streamTable }, index) => ({ name: `stream-table-${index}`, base: streamTable, size: 0x4000n, kind: "stream-table", shares: [] }));
  layout.regions.push({ name: "objects", base: pa(OBJECTS), size: next - OBJECTS, kind: "objects", shares: [] }, ...kernel);
  return layout;
};

export const plainDrivers: readonly DriverPlan[] = [
  { name: "nic-driver", pages: 3, iova: 0x1000_0000n, sid: 0x10, smmu: 0, bank: 0 },
  { name: "disk", pages: 1, iova: 0x3fff_f000n, sid: 0x8, smmu: 0, bank: 1 },
];

const vaultSlots = (secrets: number): readonly LayoutSlot[] => [
  { slot: 1, name: "root", cap: { kind: "cnode", component: 2 } },
  { slot: 2, name: "secrets", cap: { kind: "frame", region: secrets, pa: pa(0x6000_0000n), rights: "rw" } },
  { slot: 3, name: "nic_sid", cap: { kind: "sid", sid: 0 }, parent: { component: 0, slot: 2 } },
  { slot: 4, name: "sid_control", cap: { kind: "sidControl" } },
  { slot: 6, name: "heap", cap: { kind: "untyped", region: secrets + 1 } },
  { slot: 7, name: "disk_ring", cap: { kind: "frame", region: 1, pa: pa(MEMORY + REGION_STRIDE), rights: "r" } },
];

/** Two drivers, and a trusted vault with copies, a control capability, an untyped, and a device that no SMMU guards. */
export const example = (): Layout => {
  const plain = layoutOf(plainDrivers);
  const secrets = plain.regions.length;
  const vault: LayoutComponent = { name: "vault", kind: "service", trusted: true, radix: 4, slots: vaultSlots(secrets), spareSlots: 9 };
  return {
    ...plain,
    regions: [
      ...plain.regions.map((region, index) => (index === 0 ? { ...region, shares: [{ with: 2, access: "r" } as const] } : region)),
      { name: "secrets", base: pa(0x6000_0000n), size: PAGE_BYTES, kind: "memory", owner: 2, shares: [] },
      { name: "heap", base: pa(0x6001_0000n), size: 0x1_0000n, kind: "untyped", owner: 2, shares: [] },
    ],
    components: [...plain.components, vault],
    devices: [...plain.devices, { name: "vault.tpm", owner: 2, at: "/tpm@c000000", sids: [], unprotected: "it cannot master the bus" }],
  };
};
