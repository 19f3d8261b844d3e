/**
 * What a system is made of, as a coloured graph: objects, slots and table entries, with what the kernel's rules and the
 * policy can tell about them, and the first state. What an automorphism of it exchanges is probably alike to every
 * invocation and property; whether it is, is held to what they do (alike.ts).
 */
import { NONE, placesOf } from "../../base/state.ts";
import { CNODE, CNODE_ZOMBIE, FRAME, kinds, NULL, PAGE_TABLE, SID, CB, UNTYPED, VSPACE } from "../../kernel/capability.ts";
import { LEVELS, levelShift } from "../../kernel/plan.ts";
import { ENTRY_INVALID } from "../../kernel/state.ts";
import type { Booted } from "../../system/boot.ts";
import { regionAt } from "../properties/authority.ts";
import type { Graph } from "./automorphisms.ts";

/** Sorts of things. An ASID goes with its VSpace. */
export const sorts = ["subject", "cnode", "slot", "page", "untyped", "vspace", "sid", "cb", "address", "entry", "region", "prefix"] as const;
export type Sort = (typeof sorts)[number];

/** The list that a capability's object is counted in. */
export const sortOfObject: Readonly<Record<number, Sort | undefined>> = { [UNTYPED]: "untyped", [CNODE]: "cnode", [CNODE_ZOMBIE]: "cnode", [FRAME]: "page", [PAGE_TABLE]: "page", [VSPACE]: "vspace", [SID]: "sid", [CB]: "cb" };

/** The graph, and where the things of each sort begin among its vertices. */
export interface Things {
  readonly graph: Graph;
  readonly first: Readonly<Record<Sort, number>>;
  readonly count: Readonly<Record<Sort, number>>;
}

/** Collects vertices and edges. Edges may name things that are not there yet. */
class Drawing {
  readonly colours: string[] = [];
  readonly edges: Graph["edges"][number][] = [];
  readonly first: Record<Sort, number>;
  readonly count: Record<Sort, number>;

  constructor(count: Record<Sort, number>) {
    this.count = count;
    this.first = { ...count };
    let next = 0;
    for (const sort of sorts) {
      this.first[sort] = next;
      for (let index = 0; index < count[sort]; index++) this.colours.push(sort);
      next += count[sort];
    }
  }
  colour(sort: Sort, index: number, ...told: readonly (string | number | boolean | bigint)[]): void {
    this.colours[this.first[sort] + index] += ` ${told.join(",")}`;
  }
  edge(from: readonly [Sort, number], label: string, to: readonly [Sort, number]): void {
    if (from[1] < 0 || to[1] < 0) return;
    this.edges.push({ from: this.first[from[0]] + from[1], to: this.first[to[0]] + to[1], label });
  }
}

const drawPolicy = (drawing: Drawing, { layout, plan }: Booted): void => {
  for (const [region, { kind, owner, shares }] of layout.regions.entries()) {
    drawing.colour("region", region, kind);
    if (owner !== undefined) drawing.edge(["region", region], "owner", ["subject", owner]);
    for (const share of shares) drawing.edge(["region", region], `share ${share.access}`, ["subject", share.with]);
  }
  for (const [page, { pa, bits, device, untyped }] of plan.pages.entries()) {
    const region = regionAt(layout, pa);
    drawing.colour("page", page, bits, device);
    if (region !== undefined) drawing.edge(["page", page], "region", ["region", layout.regions.indexOf(region)]);
    // Retype hands memory out in order.
    if (untyped !== NONE) drawing.edge(["page", page], `at ${(pa - plan.untypeds[untyped]!.base).toString(16)}`, ["untyped", untyped]);
  }
  for (const [sid, { owner, mask }] of layout.sids.entries()) {
    drawing.colour("sid", sid, layout.sids[sid]!.smmu, mask);
    drawing.edge(["sid", sid], "owner", ["subject", owner]);
  }
};

const drawObjects = (drawing: Drawing, { plan }: Booted, subjects: readonly number[]): void => {
  for (const [subject, { trusted, cnode }] of plan.subjects.entries()) {
    drawing.colour("subject", subject, trusted, subjects.includes(subject));
    drawing.edge(["subject", subject], "root", ["cnode", cnode]);
  }
  for (const [cnode, { radix, address, firstRow, indices, spare }] of plan.cnodes.entries()) {
    drawing.colour("cnode", cnode, radix);
    if (address !== undefined) drawing.edge(["cnode", cnode], "at", ["page", plan.pages.findIndex(({ pa }) => pa === address)]);
    const silent = plan.subjects.some((subject, at) => subject.cnode === cnode && !subjects.includes(at));
    for (const [position, index] of indices.entries()) {
      // The first slot of a CNode is where a zombie stays. Where nobody acts, nothing is gained by exchanging what stays empty.
      drawing.colour("slot", firstRow + position, spare.includes(position), index === 0, silent && spare.includes(position) ? index : "");
      drawing.edge(["slot", firstRow + position], "in", ["cnode", cnode]);
    }
  }
  for (const [untyped, { size, unit, device }] of plan.untypeds.entries()) drawing.colour("untyped", untyped, size, unit, device);
  for (const [vspace, { page }] of plan.vspaces.entries()) drawing.edge(["vspace", vspace], "root", ["page", page]);
  for (const [sid, { node }] of plan.sids.entries()) drawing.edge(["slot", node], "SIDNode", ["sid", sid]);
  for (const [cb, { node, smmu }] of plan.cbs.entries()) {
    drawing.colour("cb", cb, smmu);
    drawing.edge(["slot", node], "CBNode", ["cb", cb]);
  }
};

/** Addresses by their prefixes: which of them share tables. */
const prefixesOf = ({ plan }: Booted) => {
  const prefixes = new Map<string, number>();
  const keyOf = (level: number, address: bigint): string => `${level} ${address >> levelShift(level)}`;
  for (const address of plan.addresses) for (let level = 0; level < LEVELS; level++) if (!prefixes.has(keyOf(level, address))) prefixes.set(keyOf(level, address), prefixes.size);
  return { count: prefixes.size, of: (level: number, address: bigint): number => prefixes.get(keyOf(level, address))! };
};

const drawAddresses = (drawing: Drawing, { plan }: Booted, prefixes: ReturnType<typeof prefixesOf>): void => {
  const sizes = [...new Set(plan.pages.map(({ bits }) => BigInt(bits)))];
  for (const [index, address] of plan.addresses.entries()) {
    // A frame goes only where its size allows.
    drawing.colour("address", index, sizes.filter((bits) => address % (1n << bits) === 0n).length);
    drawing.edge(["address", index], "is", ["prefix", prefixes.of(LEVELS - 1, address)]);
    for (let level = 0; level < LEVELS; level++) drawing.colour("prefix", prefixes.of(level, address), `level ${level}`);
    for (let level = 1; level < LEVELS; level++) drawing.edge(["prefix", prefixes.of(level, address)], "below", ["prefix", prefixes.of(level - 1, address)]);
  }
  for (const [entry, { vspace, level, address }] of plan.entries.entries()) {
    drawing.edge(["entry", entry], "of", ["vspace", vspace]);
    drawing.edge(["entry", entry], "for", ["prefix", prefixes.of(level, address)]);
  }
};

/** What the first state says of each row. */
const drawState = (drawing: Drawing, { state, plan }: Booted): void => {
  for (const [row, slot] of state.slot.entries()) {
    drawing.colour("slot", row, kinds[slot.kind]!, slot.rights, slot.guard, slot.badge, slot.watermark, slot.revocable);
    if (slot.kind === NULL) continue;
    const sort = sortOfObject[slot.kind];
    if (sort !== undefined) drawing.edge(["slot", row], "names", [sort, slot.object]);
    drawing.edge(["slot", row], "copy of", ["slot", slot.parent]);
    if (slot.asid === NONE) continue;
    drawing.edge(["slot", row], "mapped in", ["vspace", slot.asid]);
    if (slot.kind === FRAME) drawing.edge(["slot", row], "mapped at", ["address", slot.address]);
  }
  for (const [row, entry] of state.entry.entries()) {
    drawing.colour("entry", row, entry.kind, entry.rights);
    if (entry.kind !== ENTRY_INVALID) drawing.edge(["entry", row], "points at", ["page", entry.page]);
  }
  for (const [row, { issued }] of state.sid.entries()) drawing.colour("sid", row, issued);
  for (const [row, { issued }] of state.cb.entries()) drawing.colour("cb", row, issued);
  for (const [row, { asid }] of state.vspace.entries()) drawing.colour("vspace", row, asid === NONE, plan.asids.length);
};

/** The tables whose rows things of these sorts have: others must be empty, or nothing is taken for alike. */
const known = new Set(["slot", "entry", "sid", "cb", "vspace", "asid", "processor", "machine"]);
const isKnown = ({ shape, plan }: Booted): boolean =>
  placesOf(shape).tables.every(({ name, table, stride }) => (known.has(name) && stride <= 1) || table.rows === 0) && plan.asids.length === plan.vspaces.length && plan.cdTables.length === 0;

/** The graph of a booted system of which these subjects act; undefined where it has what is not drawn here. */
export const thingsOf = (booted: Booted, subjects: readonly number[]): Things | undefined => {
  if (!isKnown(booted)) return undefined;
  const { plan, layout } = booted;
  const prefixes = prefixesOf(booted);
  const drawing = new Drawing({
    subject: plan.subjects.length,
    cnode: plan.cnodes.length,
    slot: plan.slots.length,
    page: plan.pages.length,
    untyped: plan.untypeds.length,
    vspace: plan.vspaces.length,
    sid: plan.sids.length,
    cb: plan.cbs.length,
    address: plan.addresses.length,
    entry: plan.entries.length,
    region: layout.regions.length,
    prefix: prefixes.count,
  });
  drawPolicy(drawing, booted);
  drawObjects(drawing, booted, subjects);
  drawAddresses(drawing, booted, prefixes);
  drawState(drawing, booted);
  return { graph: { colours: drawing.colours, edges: drawing.edges }, first: drawing.first, count: drawing.count };
};
