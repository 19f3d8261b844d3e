/**
 * Which capability lies in which slot at boot. Slot 0 stays Null, slot 1 is the component's own CNode; then, each kind
 * in the order of the layout's lists: control capabilities, SIDs, CBs, address spaces (own ones before copies), page
 * tables, frames (by region, by address), untypeds. The last component, the initialiser, holds what nobody else is given.
 */
import { pa, iova } from "../base/words.ts";
import { impossible } from "../base/diagnostic.ts";
import type { FrameRights, LayoutCap, LayoutComponent, LayoutSlot } from "./layout.ts";
import type { AddressSpace } from "./mapping.ts";
import type { Placement } from "./placement.ts";
import type { Resolved, ResolvedComponent } from "./resolve.ts";

/** A slot before addresses are known. */
export interface Draft {
  readonly name: string;
  /** The object, as `sid 3` or `frame 2 0`; its original and all copies have the same key. */
  readonly object: string;
  readonly original: boolean;
  /** Object of the parent slot: the original for a copy, the control capability for what that issued. */
  readonly parent?: string;
  readonly cap: (placement: Placement) => LayoutCap;
}

/** The slots of one component from slot 1 on. */
export interface CspaceDraft {
  readonly drafts: readonly Draft[];
  readonly radix: number;
}

/** Free slots that every CNode has at least. */
const SPARE_SLOTS = 8;

/** Everything from which slots are made; `holder` is a component or the initialiser (one past the last). */
interface Giving {
  readonly resolved: Resolved;
  readonly spaces: readonly AddressSpace[];
  readonly initialiser: number;
}

const identifier = (name: string): string => name.replaceAll(/[^a-zA-Z0-9]/gu, "_");

/** `nic` for `driver.nic` in driver's own CSpace, `driver_nic` in another's. */
const nameFor = ({ resolved }: Giving, holder: number, owner: number, qualified: string): string => {
  const own = `${resolved.components[owner]!.name}.`;
  return identifier(holder === owner && qualified.startsWith(own) ? qualified.slice(own.length) : qualified);
};

const heldBy = (component: ResolvedComponent | undefined, kind: "sidControl" | "cbControl" | "tables"): boolean => component?.holds.some((hold) => hold.kind === kind) ?? false;

const cnode = (holder: number): Draft => ({ name: "cnode", object: `cnode ${holder}`, original: true, cap: () => ({ kind: "cnode", component: holder }) });

const controls = ({ resolved, initialiser }: Giving, holder: number): readonly Draft[] => {
  const holds = (kind: "sidControl" | "cbControl") => (holder === initialiser ? !resolved.components.some((component) => heldBy(component, kind)) : heldBy(resolved.components[holder], kind));
  const control = (kind: "sidControl" | "cbControl", name: string): readonly Draft[] => (holds(kind) ? [{ name, object: kind, original: true, cap: () => ({ kind }) }] : []);
  return [...control("sidControl", "sid_control"), ...control("cbControl", "cb_control")];
};

/** Indices of a kind of device object that `holder` has: its own, then copies in the order of its `holds`. */
const heldIndices = (owners: readonly number[], holder: number, copies: readonly number[]): readonly number[] => [
  ...owners.flatMap((owner, index) => (owner === holder ? [index] : [])),
  ...copies,
];

const sids = (giving: Giving, holder: number): readonly Draft[] => {
  const { sids: all, components } = giving.resolved;
  const copies = components[holder]?.holds.flatMap((hold) => (hold.kind === "sid" ? [hold.sid] : [])) ?? [];
  return heldIndices(all.map((sid) => sid.owner), holder, copies).map((sid): Draft => {
    const { owner, name } = all[sid]!;
    const original = owner === holder;
    return { name: `${nameFor(giving, holder, owner, name)}_sid`, object: `sid ${sid}`, original, parent: original ? "sidControl" : `sid ${sid}`, cap: () => ({ kind: "sid", sid }) };
  });
};

const cbs = (giving: Giving, holder: number): readonly Draft[] => {
  const { cbs: all, components } = giving.resolved;
  const copies = components[holder]?.holds.flatMap((hold) => (hold.kind === "cb" ? [hold.cb] : [])) ?? [];
  return heldIndices(all.map((cb) => cb.owner), holder, copies).map((cb): Draft => {
    const { owner, name } = all[cb]!;
    const original = owner === holder;
    return { name: nameFor(giving, holder, owner, name), object: `cb ${cb}`, original, parent: original ? "cbControl" : `cb ${cb}`, cap: () => ({ kind: "cb", cb }) };
  });
};

const vspaceName = ({ resolved }: Giving, vspace: number): string => `${resolved.components[resolved.vspaces[vspace]!]!.name}.vspace`;

const vspaces = (giving: Giving, holder: number): readonly Draft[] => {
  const { vspaces: owners, components } = giving.resolved;
  const copies = components[holder]?.holds.flatMap((hold) => (hold.kind === "vspace" ? [hold.vspace] : [])) ?? [];
  return heldIndices(owners, holder, copies).map((vspace): Draft => {
    const owner = owners[vspace]!;
    const name = nameFor(giving, holder, owner, vspaceName(giving, vspace));
    const object = `vspace ${vspace}`;
    return { name, object, original: owner === holder, ...(owner === holder ? {} : { parent: object }), cap: () => ({ kind: "vspace", vspace }) };
  });
};

/** Page tables lie with the owner of the address space if it holds `tables`, else with the initialiser. */
const tables = (giving: Giving, holder: number): readonly Draft[] =>
  giving.resolved.vspaces.flatMap((owner, vspace) => {
    const keeper = heldBy(giving.resolved.components[owner], "tables") ? owner : giving.initialiser;
    if (keeper !== holder) return [];
    const prefix = nameFor(giving, holder, owner, vspaceName(giving, vspace));
    const all = giving.spaces[vspace]!.tables;
    return all.map(({ level, base }, index): Draft => ({
      name: `${prefix}_l${level}_${index - all.findIndex((table) => table.level === level)}`,
      object: `table ${vspace} ${index}`,
      original: true,
      cap: (placement) => ({ kind: "pageTable", pa: placement.tables[vspace]![index]!, mapped: { vspace, level, iova: base } }),
    }));
  });

interface RegionHolder {
  readonly holder: number;
  readonly access: FrameRights;
}

const holdersOf = ({ resolved }: Giving, region: number): readonly RegionHolder[] =>
  resolved.components.flatMap(({ holds }, holder) => holds.flatMap((hold) => (hold.kind === "region" && hold.region === region ? [{ holder, access: hold.access }] : [])));

/**
 * Who has the original frame capabilities of a region: its owner, else the first holder; but a holder with `rw` comes
 * before any with `r`, since no copy has more rights than its original. A region that nobody holds is the initialiser's.
 */
const originalHolder = (giving: Giving, region: number): RegionHolder => {
  const holders = holdersOf(giving, region);
  const writers = holders.filter(({ access }) => access === "rw");
  const candidates = writers.length > 0 ? writers : holders;
  const { owner } = giving.resolved.regions[region]!;
  return candidates.find(({ holder }) => holder === owner) ?? candidates[0] ?? { holder: giving.initialiser, access: "rw" };
};

const framesOf = (giving: Giving, holder: number, region: number, access: FrameRights, original: boolean): readonly Draft[] => {
  const { regions, components } = giving.resolved;
  const { name, size, frames: bytes } = regions[region]!;
  const vspace = components[holder]?.vspace;
  const mapping = vspace === undefined ? undefined : giving.spaces[vspace]!.mappings.find((candidate) => candidate.region === region);
  return Array.from({ length: Number(size / bytes) }, (_, frame): Draft => {
    const object = `frame ${region} ${frame}`;
    const offset = bytes * BigInt(frame);
    const mapped = mapping === undefined || vspace === undefined ? {} : { mapped: { vspace, iova: iova(mapping.base + offset) } };
    return {
      name: `${identifier(name)}_${frame}`,
      object,
      original,
      ...(original ? {} : { parent: object }),
      cap: (placement) => ({ kind: "frame", region, pa: pa(placement.regions[region]! + offset), rights: access, ...mapped }),
    };
  });
};

const frames = (giving: Giving, holder: number): readonly Draft[] =>
  giving.resolved.regions.flatMap(({ kind }, region) => {
    if (kind !== "memory") return [];
    const first = originalHolder(giving, region);
    const held = first.holder === holder ? first : holdersOf(giving, region).find((candidate) => candidate.holder === holder);
    return held === undefined ? [] : framesOf(giving, holder, region, held.access, first.holder === holder);
  });

const untypeds = (giving: Giving, holder: number): readonly Draft[] =>
  giving.resolved.regions.flatMap(({ kind, name }, region) =>
    kind === "untyped" && originalHolder(giving, region).holder === holder
      ? [{ name: `${identifier(name)}_untyped`, object: `untyped ${region}`, original: true, cap: () => ({ kind: "untyped", region }) } satisfies Draft]
      : [],
  );

/** Repeated names get `_2`, `_3`, and so on. */
const withUniqueNames = (drafts: readonly Draft[]): readonly Draft[] => {
  const seen = new Set<string>();
  return drafts.map((draft) => {
    let name = draft.name;
    for (let number = 2; seen.has(name); number += 1) name = `${draft.name}_${number}`;
    seen.add(name);
    return { ...draft, name };
  });
};

/** The least radix with room for Null, `used` capabilities and the spare slots. */
const radixFor = (used: number): number => {
  let radix = 1;
  while (2 ** radix < 1 + used + SPARE_SLOTS) radix += 1;
  return radix;
};

/** The CSpace of every component, the initialiser's last. */
export const draftCspaces = (resolved: Resolved, spaces: readonly AddressSpace[]): readonly CspaceDraft[] => {
  const giving: Giving = { resolved, spaces, initialiser: resolved.components.length };
  return Array.from({ length: giving.initialiser + 1 }, (_, holder) => {
    const drafts = withUniqueNames([cnode(holder), ...[controls, sids, cbs, vspaces, tables, frames, untypeds].flatMap((part) => part(giving, holder))]);
    return { drafts, radix: radixFor(drafts.length) };
  });
};

type SlotAddress = { readonly component: number; readonly slot: number };

const originalsOf = (cspaces: readonly CspaceDraft[]): ReadonlyMap<string, SlotAddress> =>
  new Map(cspaces.flatMap(({ drafts }, component) => drafts.flatMap((draft, index) => (draft.original ? [[draft.object, { component, slot: index + 1 }] as const] : []))));

/** The components of the layout, once addresses are known. */
export const fillCspaces = (resolved: Resolved, cspaces: readonly CspaceDraft[], placement: Placement): readonly LayoutComponent[] => {
  const originals = originalsOf(cspaces);
  const parentOf = (object: string): SlotAddress => originals.get(object) ?? impossible(`no slot holds the original of ${object}`);
  return cspaces.map(({ drafts, radix }, component) => {
    const { name, kind, trusted } = resolved.components[component] ?? { name: "initialiser", kind: "initialiser" as const, trusted: true };
    const slots = drafts.map((draft, index): LayoutSlot => ({
      slot: index + 1,
      cap: draft.cap(placement),
      name: draft.name,
      ...(draft.parent === undefined ? {} : { parent: parentOf(draft.parent) }),
    }));
    return { name, kind, trusted, radix, slots, spareSlots: 2 ** radix - 1 - slots.length };
  });
};
