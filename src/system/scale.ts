/**
 * From a real layout to one small enough to explore (design D12). Scaling drops things and changes nothing that it
 * keeps: slot numbers, physical addresses, IOVAs, stream numbers and VMIDs are those of the full layout, so that a trace
 * found here names the same things there and is replayed unscaled as it stands.
 */
import { PAGE_BYTES } from "../base/words.ts";
import { frameBytes, type Layout, type LayoutCap, type LayoutComponent, type LayoutSlot } from "./layout.ts";

/** How much of a system is explored. Every verdict and trace carries it. */
export interface Scope {
  /** Pages kept of each region of memory: its first ones. A page of a region is one of its frames, whatever their size. */
  readonly pages: number;
  /** Empty slots in each CNode for new capabilities. */
  readonly slots: number;
  /** 4 KiB pages kept of each untyped: how many objects can be made of it at a time, so no frame larger than that. */
  readonly children: number;
  /** IOVAs where nothing is mapped at boot, each below a page table that is not there yet. */
  readonly addresses: number;
}
export const defaultScope: Scope = { pages: 1, slots: 1, children: 2, addresses: 1 };

/** What `boot` needs of a layout besides the layout itself. */
export interface Bootable {
  readonly layout: Layout;
  /** IOVAs that invocations may use besides those mapped at boot. */
  readonly freeAddresses: readonly bigint[];
  /** Slots represented in a CNode that Retype makes. */
  readonly newCnodeSlots: number;
}

const LEAF_TABLE_BYTES = 1n << 21n;

/** What is mapped at boot: IOVA and bytes of each frame, by IOVA. */
const mappedFrames = (layout: Layout): { readonly iova: bigint; readonly size: bigint }[] => {
  const all = layout.components.flatMap(({ slots }) =>
    slots.flatMap(({ cap }) => (cap.kind === "frame" && cap.mapped !== undefined ? [{ iova: cap.mapped.iova, size: frameBytes(layout, cap.region) }] : [])),
  );
  return all.toSorted((a, b) => (a.iova < b.iova ? -1 : Number(a.iova > b.iova)));
};

/** IOVAs mapped at boot, ascending. */
export const mappedAddresses = (layout: Layout): bigint[] => [...new Set(mappedFrames(layout).map(({ iova }) => iova))];

/**
 * The first `count` steps above everything mapped, where no leaf table covers them: steps of 2 MiB, or of the largest
 * frame that is mapped, so that it could be mapped there, too.
 */
export const unmappedAddresses = (layout: Layout, count: number): bigint[] => {
  const mapped = mappedFrames(layout);
  const step = mapped.reduce((most, { size }) => (size > most ? size : most), LEAF_TABLE_BYTES);
  const above = mapped.reduce((end, { iova, size }) => (iova + size > end ? iova + size : end), 1n);
  return Array.from({ length: count }, (_, n) => ((above - 1n) / step + 1n + BigInt(n)) * step);
};

const scaledSize = (layout: Layout, scope: Scope, region: number): bigint => {
  const { kind, size } = layout.regions[region]!;
  const least = kind === "memory" ? BigInt(scope.pages) * frameBytes(layout, region) : BigInt(scope.children) * PAGE_BYTES;
  return (kind === "memory" || kind === "untyped") && size > least ? least : size;
};

/** Is what this capability names part of the scaled layout? */
const kept = (layout: Layout, scope: Scope) => {
  const inside = (region: number, address: bigint) => address < layout.regions[region]!.base + scaledSize(layout, scope, region);
  const addresses = layout.components.flatMap(({ slots }) =>
    slots.flatMap(({ cap }) => (cap.kind === "frame" && cap.mapped !== undefined && inside(cap.region, cap.pa) ? [cap.mapped] : [])),
  );
  return (cap: LayoutCap): boolean => {
    if (cap.kind === "frame") return inside(cap.region, cap.pa);
    if (cap.kind !== "pageTable") return true;
    const { vspace, level, iova } = cap.mapped;
    const shift = BigInt(12 + 9 * (4 - level));
    return addresses.some((mapped) => mapped.vspace === vspace && mapped.iova >> shift === iova >> shift);
  };
};

const scaleComponent = (component: LayoutComponent, keep: (cap: LayoutCap) => boolean, slots: number): LayoutComponent => ({
  ...component,
  slots: component.slots.filter(({ cap }: LayoutSlot) => keep(cap)),
  leftOut: component.slots.flatMap(({ slot, cap }) => (keep(cap) ? [] : [slot])),
  spareSlots: Math.min(slots, component.spareSlots),
});

/** The layout that the checker explores. */
export const scale = (layout: Layout, scope: Scope): Bootable => {
  const keep = kept(layout, scope);
  const inside = (region: number, address: bigint) => address < layout.regions[region]!.base + scaledSize(layout, scope, region);
  const scaled: Layout = {
    ...layout,
    regions: layout.regions.map((region, index) => ({ ...region, size: scaledSize(layout, scope, index) })),
    components: layout.components.map((component) => scaleComponent(component, keep, scope.slots)),
    dma: layout.dma.filter(({ region, pa }) => inside(region, pa)),
  };
  return { layout: scaled, freeAddresses: unmappedAddresses(scaled, scope.addresses), newCnodeSlots: scope.slots };
};

/** The whole layout, for replay: every slot, page and untyped that the layout has, and the IOVAs that a trace uses. */
export const unscaled = (layout: Layout, freeAddresses: readonly bigint[], newCnodeSlots: number): Bootable => ({ layout, freeAddresses, newCnodeSlots });
