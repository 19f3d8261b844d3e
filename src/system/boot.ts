/**
 * The first kernel state: what the boot code leaves behind when the components start. Capabilities stand in their slots,
 * page tables are built and mapped, every stream aborts, no context bank has a VSpace (design §4, D7 (d)).
 */
import { impossible } from "../base/diagnostic.ts";
import { leastState, mutableCopy, NONE, type Plain, viewOf } from "../base/state.ts";
import type { Step } from "../base/step.ts";
import { PAGE_BYTES, pa } from "../base/words.ts";
import { CB, CB_CONTROL, CNODE, FRAME, PAGE_TABLE, READ_ONLY, READ_WRITE, SID, SID_CONTROL, UNTYPED, VSPACE } from "../kernel/capability.ts";
import { CACHEABLE, type Driver } from "../kernel/driver.ts";
import { driverOf } from "../kernel/driverOf.ts";
import { canonicalAddress, entriesFor, fixedPlan, type Guard, type Plan, type PlanCnode, rootGuard, type SlotPlace } from "../kernel/plan.ts";
import type { Profile } from "../kernel/profile.ts";
import { ENTRY_PAGE, ENTRY_TABLE, kernelShape, type KernelShape, type KernelTables } from "../kernel/state.ts";
import { PAGE_CNODE_RADIX } from "../kernel/untyped.ts";
import { frameBits, frameLevel } from "./frameSize.ts";
import { frameBytes, type Layout, type LayoutCap } from "./layout.ts";
import { type Bootable, mappedAddresses } from "./scale.ts";

export interface Booted {
  readonly layout: Layout;
  readonly plan: Plan;
  readonly profile: Profile;
  readonly shape: KernelShape;
  readonly driver: Driver;
  readonly state: Plain<KernelShape>;
  /** What the boot code gives the SMMU, from reset to SMMUEN. */
  readonly steps: readonly Step[];
}

const PAGE_BITS = 12;

const untypedRegions = (layout: Layout): number[] => layout.regions.flatMap((region, index) => (region.kind === "untyped" ? [index] : []));

/** Frames and tables that are or may be made, in physical order. */
const pagesOf = (layout: Layout): Plan["pages"] => {
  const untyped = untypedRegions(layout);
  const named = new Map<bigint, { name: string; untyped: number; bits: number }>();
  for (const { slots } of layout.components)
    for (const { cap } of slots) {
      if (cap.kind === "frame") named.set(cap.pa, { name: pageName(layout, cap.region, cap.pa), untyped: NONE, bits: frameBits(frameBytes(layout, cap.region)) });
      if (cap.kind === "pageTable") named.set(cap.pa, { name: `table ${layout.vspaces[cap.mapped.vspace]!.name} L${cap.mapped.level}`, untyped: NONE, bits: PAGE_BITS });
    }
  for (const { name, root } of layout.vspaces) named.set(root, { name: `root table ${name}`, untyped: NONE, bits: PAGE_BITS });
  for (const [index, region] of untyped.entries()) {
    const { base, size } = layout.regions[region]!;
    for (let at: bigint = base; at < base + size; at += PAGE_BYTES) named.set(at, { name: pageName(layout, region, at), untyped: index, bits: PAGE_BITS });
  }
  return [...named].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([address, page]) => ({ pa: pa(address), device: false, ...page }));
};
const pageName = (layout: Layout, region: number, address: bigint): string => {
  const { name, base, size } = layout.regions[region]!;
  return size === frameBytes(layout, region) ? name : `${name}+0x${(address - base).toString(16)}`;
};

/** The slots of a component's CNode that are represented: those filled at boot, then the first empty ones. */
const represented = (layout: Layout, component: number): { indices: number[]; spare: number[] } => {
  const { slots, spareSlots, radix, leftOut = [] } = layout.components[component]!;
  const filled = slots.map(({ slot }) => slot);
  // A slot that is filled in the whole layout is no free one, or a trace could not be replayed there.
  const taken = new Set([...filled, ...leftOut]);
  const spare: number[] = [];
  for (let index = 1; index < 2 ** radix && spare.length < spareSlots; index++) if (!taken.has(index)) spare.push(index);
  const indices = [...filled, ...spare].toSorted((a, b) => a - b);
  return { indices, spare: spare.map((index) => indices.indexOf(index)) };
};

/** Index 0 is the guard that Retype gives a new CNode: none. */
const guardsOf = (layout: Layout): Guard[] => {
  const sizes = new Set(layout.components.map(({ radix }) => rootGuard(radix).size));
  return [{ size: 0, value: 0n }, ...[...sizes].map((size) => ({ size, value: 0n }))];
};

const cnodesOf = ({ layout, newCnodeSlots }: Bootable, pages: Plan["pages"]): PlanCnode[] => {
  let firstRow = 0;
  const place = (cnode: Omit<PlanCnode, "firstRow">): PlanCnode => {
    const placed = { ...cnode, firstRow };
    firstRow += cnode.indices.length;
    return placed;
  };
  const roots = layout.components.map(({ name, radix }, component) => place({ name, radix, ...represented(layout, component) }));
  const slots = Array.from({ length: Math.min(newCnodeSlots, 2 ** PAGE_CNODE_RADIX) }, (_, index) => index);
  const made = pages.flatMap(({ name, untyped, pa: address }) => (untyped === NONE ? [] : [place({ name: `CNode at ${name}`, radix: PAGE_CNODE_RADIX, address, indices: slots, spare: slots })]));
  return [...roots, ...made];
};

/** The plan of a layout: everything that does not change while its kernel runs. */
export const planOf = (bootable: Bootable, profile: Profile): Plan => {
  const { layout, freeAddresses } = bootable;
  const pages = pagesOf(layout);
  const cnodes = cnodesOf(bootable, pages);
  const addresses = [...new Set([...mappedAddresses(layout), ...freeAddresses])].toSorted((a, b) => (a < b ? -1 : 1));
  const slots: SlotPlace[] = [
    ...cnodes.flatMap(({ indices }, cnode) => indices.map((index): SlotPlace => ({ in: "cnode", cnode, index }))),
    ...layout.sids.map((_, sid): SlotPlace => ({ in: "sidNode", sid })),
    ...layout.cbs.map((_, cb): SlotPlace => ({ in: "cbNode", cb })),
  ];
  const pageAt = (address: bigint) => pages.findIndex((page) => page.pa === address);
  const firstNode = slots.length - layout.sids.length - layout.cbs.length;
  return fixedPlan({
    smmus: layout.smmus.map(({ path, streamTable, log2Size }) => ({ path, streamTable, log2Size })),
    subjects: layout.components.map(({ name, trusted }, cnode) => ({ name, trusted, cnode })),
    cnodes,
    slots,
    guards: guardsOf(layout),
    badges: [0n],
    pages,
    untypeds: untypedRegions(layout).map((region) => {
      const { name, base, size } = layout.regions[region]!;
      return { name, base, size, unit: PAGE_BYTES, device: false };
    }),
    vspaces: layout.vspaces.map(({ name, root }) => ({ name, page: pageAt(root) })),
    // Nobody holds a pool, so each VSpace keeps the ASID that it has from boot.
    asids: layout.vspaces.map(({ asid }) => ({ number: asid })),
    asidPools: [],
    endpoints: [],
    notifications: [],
    threads: [],
    vcpus: [],
    irqs: [],
    addresses,
    ...entriesFor(layout.vspaces.length, addresses),
    sids: layout.sids.map(({ name, smmu, sid, mask }, index) => ({ name, smmu, sid, mask, node: firstNode + index })),
    cbs: layout.cbs.map(({ name, smmu, number, vmid }, index) => ({ name, smmu, number, vmid, node: firstNode + layout.sids.length + index })),
    // Not explored: what a guest writes into its table is no part of the state.
    cdTables: [],
    bankCounts: Math.max(1, profile.bankCounter),
  });
};

/** Row of a component's slot. */
export const rowOfSlot = (plan: Plan, component: number, slot: number): number => {
  const { firstRow, indices } = plan.cnodes[component]!;
  const at = indices.indexOf(slot);
  return at < 0 ? impossible(`slot ${slot} of component ${component} is not represented`) : firstRow + at;
};

const kindOf = { cnode: CNODE, sidControl: SID_CONTROL, cbControl: CB_CONTROL, sid: SID, cb: CB, vspace: VSPACE, frame: FRAME, pageTable: PAGE_TABLE, untyped: UNTYPED } as const;

const objectOf = (layout: Layout, plan: Plan, cap: LayoutCap): number => {
  switch (cap.kind) {
    case "cnode":
      return cap.component;
    case "sid":
      return cap.sid;
    case "cb":
      return cap.cb;
    case "vspace":
      return cap.vspace;
    case "untyped":
      return untypedRegions(layout).indexOf(cap.region);
    case "frame":
    case "pageTable":
      return plan.pages.findIndex((page) => page.pa === cap.pa);
    default:
      return 0;
  }
};

const fillSlots = (layout: Layout, plan: Plan, profile: Profile, tables: KernelTables): void => {
  for (const [component, { slots }] of layout.components.entries())
    for (const { slot, cap, parent } of slots) {
      const row = tables.slot.at(rowOfSlot(plan, component, slot));
      row.kind = kindOf[cap.kind];
      row.object = objectOf(layout, plan, cap);
      // A copy made at boot is no parent of further copies; what a control capability issued is, by the profile.
      const issued = cap.kind === "sid" || cap.kind === "cb";
      const copy = parent !== undefined && !(issued && isControl(layout, parent));
      const above = copy && issued && !profile.issuedRevocable ? parentOf(layout, parent) : parent;
      row.parent = above === undefined ? NONE : rowOfSlot(plan, above.component, above.slot);
      row.revocable = Number(cap.kind === "untyped" || (!copy && (!issued || profile.issuedRevocable)));
      if (cap.kind === "cnode") row.guard = plan.guards.findIndex(({ size }) => size === rootGuard(layout.components[cap.component]!.radix).size);
      if (cap.kind === "sid") tables.sid.at(cap.sid).issued = 1;
      if (cap.kind === "cb") tables.cb.at(cap.cb).issued = 1;
      if (cap.kind === "frame") row.rights = cap.rights === "rw" ? READ_WRITE : READ_ONLY;
      if ((cap.kind === "frame" || cap.kind === "pageTable") && cap.mapped !== undefined) row.asid = cap.mapped.vspace;
      if (cap.kind === "frame" && cap.mapped !== undefined) row.address = plan.addressOf(cap.mapped.iova);
      if (cap.kind === "pageTable") row.address = tableAddress(plan, cap.mapped);
    }
};
interface SlotAt {
  readonly component: number;
  readonly slot: number;
}
/** Where a capability can have no children, its copies stand beside it (cnode.c `cteInsert`). */
const parentOf = (layout: Layout, at: SlotAt): SlotAt | undefined => layout.components[at.component]!.slots.find(({ slot }) => slot === at.slot)?.parent;
const isControl = (layout: Layout, at: SlotAt): boolean =>
  layout.components[at.component]!.slots.some(({ slot, cap }) => slot === at.slot && (cap.kind === "sidControl" || cap.kind === "cbControl"));

/** The least address below a table at `level` that starts at `iova`. */
const tableAddress = (plan: Plan, { vspace, level, iova }: { readonly vspace: number; readonly level: number; readonly iova: bigint }): number => {
  const shift = BigInt(12 + 9 * (4 - level));
  const under = plan.addresses.findIndex((address) => address >> shift === iova >> shift);
  return under < 0 ? impossible(`no address of the scope lies below the table at 0x${iova.toString(16)}`) : canonicalAddress(plan, vspace, level - 1, under);
};

/** Page tables first, from the root down, then the leaves: what the boot code believes and what it stores. */
const buildTables = (layout: Layout, plan: Plan, driver: Driver, tables: KernelTables): Step[] => {
  const steps: Step[] = [];
  const pageAt = (address: bigint) => plan.pages.findIndex((page) => page.pa === address);
  const caps = layout.components.flatMap(({ slots }) => slots.map(({ cap }) => cap));
  const holder = new Map<string, number>();
  for (const [vspace, { page }] of plan.vspaces.entries()) {
    tables.vspace.at(vspace).asid = vspace;
    tables.asid.at(vspace).vspace = vspace;
    holder.set(`${vspace} 0 0`, page);
  }
  const tableFor = (vspace: number, level: number, address: bigint) => holder.get(`${vspace} ${level} ${address >> BigInt(12 + 9 * (4 - level))}`) ?? impossible(`no level ${level} table for 0x${address.toString(16)}`);
  const tableCaps = caps.flatMap((cap) => (cap.kind === "pageTable" ? [cap] : [])).toSorted((a, b) => a.mapped.level - b.mapped.level);
  for (const { pa: at, mapped } of tableCaps) {
    const { vspace, level, iova } = mapped;
    const row = plan.entryAt(vspace, level - 1, tableAddress(plan, mapped));
    const entry = tables.entry.at(row);
    if (entry.kind === ENTRY_TABLE) continue;
    entry.kind = ENTRY_TABLE;
    entry.page = pageAt(at);
    steps.push(...driver.writeTable(tableFor(vspace, level - 1, iova), row, entry.page));
    holder.set(`${vspace} ${level} ${iova >> BigInt(12 + 9 * (4 - level))}`, entry.page);
  }
  for (const cap of caps) {
    if (cap.kind !== "frame" || cap.mapped === undefined) continue;
    const { vspace, iova } = cap.mapped;
    const level = frameLevel(frameBytes(layout, cap.region));
    const row = plan.entryAt(vspace, level, plan.addressOf(iova));
    const entry = tables.entry.at(row);
    entry.kind = ENTRY_PAGE;
    entry.page = pageAt(cap.pa);
    entry.rights = cap.rights === "rw" ? READ_WRITE : READ_ONLY;
    steps.push(...driver.writePage(tableFor(vspace, level, iova), row, entry.page, entry.rights, CACHEABLE));
  }
  return steps;
};

/** The first state of a layout under a profile. */
export const boot = (bootable: Bootable, profile: Profile): Booted => {
  const { layout } = bootable;
  const plan = planOf(bootable, profile);
  const shape = kernelShape(plan);
  const driver = driverOf(plan, profile);
  const state = mutableCopy(leastState(shape));
  const tables = viewOf(state);
  fillSlots(layout, plan, profile, tables);
  const built = buildTables(layout, plan, driver, tables);
  return { layout, plan, profile, shape, driver, state, steps: [...driver.reset(), ...built, ...driver.enable()] };
};
