/**
 * The properties (design §5): each a sentence for people and a predicate over one state, which is the kernel's tables
 * and what the SMMU could make of the bits and of everything it may have cached.
 */
import { NONE } from "../base/state.ts";
import type { Access } from "../base/transaction.ts";
import { hex, PAGE_BYTES } from "../base/words.ts";
import { CNODE, CNODE_ZOMBIE, FRAME, KERNEL_ONLY, NULL, PAGE_TABLE, READ_WRITE, VSPACE } from "../kernel/capability.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { walkEnd } from "../kernel/vspace.ts";
import { ENTRY_PAGE } from "../kernel/state.ts";
import type { Booted } from "../system/boot.ts";
import type { LayoutDmaPath } from "../system/layout.ts";
import { authorityOf, regionAt } from "./authority.ts";
import { authorityConfinement } from "./capabilities/authorityConfinement.ts";
import { counters } from "./capabilities/counters.ts";
import { derivationTree } from "./capabilities/derivationTree.ts";
import type { Part } from "./capabilities/parts.ts";
import { dmaIntegrity } from "./dmaIntegrity.ts";
import type { Machine, MachineState, Reach, ReachStream, Via } from "./machine.ts";
import { noStale } from "./noStale.ts";
import { noWedge } from "./noWedge.ts";
import { atPage, failingPage, firstTarget, regionName, sidOf, streamName, vspaceOf, witness } from "./targets.ts";

/** What is wrong in a state, and the transaction that shows it. */
export interface Violation {
  readonly message: string;
  readonly witness: Witness;
}
export interface Witness {
  readonly smmu: number;
  readonly sid: number;
  readonly iova?: bigint;
  readonly op: Access;
  readonly pa?: bigint;
  readonly via: readonly Via[];
}

/** One state, as a property sees it. */
export interface View {
  readonly booted: Booted;
  readonly kernel: Kernel;
  readonly machine: MachineState;
  /** Through the bits and the may-cache set. */
  readonly reach: Reach;
  /** Through the bits alone. */
  readonly cold: Reach;
  readonly may: (sid: number, address: bigint, access: Access) => boolean;
  /** What stands in the page by the capabilities that exist; NULL when it is free. */
  readonly standing: (address: bigint) => number;
  /** The frame or table around an address. */
  readonly pageAround: (address: bigint) => number | undefined;
  /** Where the answers of `may` and `standing` may change: first addresses of pages, ascending. */
  readonly borders: readonly bigint[];
  /** Indices of streams that are not judged here, and not in `reach` and `cold`: another slice answers for them. */
  readonly foreign: ReadonlySet<number>;
  readonly reaches: (path: LayoutDmaPath) => boolean;
}

export const propertyNames = ["dma-confinement", "dma-integrity", "no-dangling", "fail-closed", "no-stale", "refinement", "authority-confinement", "derivation-tree", "counters", "no-wedge"] as const;
export type PropertyName = (typeof propertyNames)[number];

export interface Property {
  readonly name: string;
  readonly sentence: string;
  /** The first violation in declared order, or undefined. */
  readonly violation: (view: View) => Violation | undefined;
  /** What some state must show, or the property held of nothing: in words, to follow "no state in which", and as a test. */
  readonly needs?: { readonly words: string; readonly met: (view: View) => boolean };
  /** Of a property about the kernel's tables alone: what has to hold, a row or an object at a time (capabilities/parts.ts). */
  readonly parts?: (booted: Booted) => readonly Part[];
  /** Judged in every state by itself: what it reads is not recorded (outcomes/facts.ts), so it may read anything. */
  readonly plain?: true;
  /** Of such a property: SHA-256 of its text, so that a run goes on with the same one only. */
  readonly source?: string;
}

/** A property of the user's own did not judge: it threw, or gave back what is no answer. */
export class PropertyFailed extends Error {
  override readonly name = "PropertyFailed";
  readonly property: string;
  /** The path to the state that it was asked about, once that is known. */
  ordinals: readonly number[] | undefined;

  constructor(property: string, why: string) {
    super(why);
    this.property = property;
  }
}

/** Of the properties here. */
type Builtin = Property & { readonly name: PropertyName };

/** A device reaches something in this state. */
const reachesMemory = ({ streams }: Reach): boolean => streams.some(({ targets }) => targets.some(({ read, write }) => read || write));

const dmaConfinement: Builtin = {
  name: "dma-confinement",
  needs: { words: "a device reaches memory", met: ({ reach }) => reachesMemory(reach) },
  sentence: "A device reaches only memory that its owner owns or that was shared with it, whatever the SMMU may have cached.",
  violation: (view) =>
    firstTarget(view.reach.streams, (stream, target, access) => {
      const sid = sidOf(view, stream);
      const page = failingPage(target, view.borders, (address) => sid === NONE || !view.may(sid, address, access));
      if (page === undefined) return undefined;
      const owner = regionAt(view.booted.layout, page)?.owner;
      const whose = owner === undefined ? "" : ` of ${view.booted.layout.components[owner]!.name}`;
      return {
        message: `${streamName(view, stream)} can ${access} ${hex(page)}, in ${regionName(view, page)}${whose}, which it has no authority over`,
        witness: witness(stream, access, atPage(target, page)),
      };
    }),
};

const noDangling: Builtin = {
  name: "no-dangling",
  needs: { words: "an SMMU may walk a page table, or keeps something that memory no longer says", met: ({ reach }) => reach.tables.length > 0 || reach.streams.some(({ targets }) => targets.some(({ cached }) => cached)) },
  sentence: "No device reaches memory that is free or has become another object, and the SMMU walks no table that is one no more.",
  violation: (view) =>
    firstTarget(view.reach.streams, (stream, target, access) => {
      const page = failingPage(target, view.borders, (address) => view.standing(address) !== FRAME);
      if (page === undefined) return undefined;
      const what = view.standing(page) === NULL ? "free memory" : "memory that is a kernel object now";
      return { message: `${streamName(view, stream)} can ${access} ${hex(page)} (${regionName(view, page)}), which is ${what}`, witness: witness(stream, access, atPage(target, page)) };
    }) ?? danglingTable(view),
};

const danglingTable = (view: View): Violation | undefined => {
  const table = view.reach.tables.find(({ pa }) => {
    const standing = view.standing(pa);
    return standing !== PAGE_TABLE && standing !== VSPACE;
  });
  if (table === undefined) return undefined;
  const what = view.standing(table.pa) === NULL ? "free memory" : "another object now";
  return {
    message: `the SMMU may walk the page table at ${hex(table.pa)} (${regionName(view, table.pa)}), which is ${what}`,
    witness: { smmu: table.smmu, sid: table.sid, op: "read", pa: table.pa, via: table.via },
  };
};

const failClosed: Builtin = {
  name: "fail-closed",
  needs: { words: "a stream is translated, so that it could be left open", met: ({ reach }) => reach.streams.some(({ configurations }) => configurations.some(({ class: of }) => of !== "abort")) },
  sentence: "A stream that is unbound, or whose bank has no VSpace, aborts silently; a fault on a bound one is recorded; nothing bypasses.",
  violation: (view) => {
    for (const stream of view.reach.streams) {
      const sid = sidOf(view, stream);
      const open = sid !== NONE && vspaceOf(view.kernel, sid) !== NONE;
      for (const configuration of stream.configurations) {
        const wrong = closedWrongly(configuration, open);
        if (wrong !== undefined) return { message: `${streamName(view, stream)} ${wrong}`, witness: { ...witness(stream, "read", stream.targets[0]), via: configuration.via } };
      }
    }
    return undefined;
  },
};
const closedWrongly = (configuration: ReachStream["configurations"][number], open: boolean): string | undefined => {
  const through = configuration.cached ? "may be translated by a cached stream table entry" : "is translated";
  if (configuration.class === "bypass") return "bypasses translation";
  if (configuration.class === "unsupported") return "has a stage-1 configuration, which this kernel never makes";
  if (configuration.class === "stage2" && !open) return `${through} although it is unbound or its bank has no VSpace`;
  if (configuration.class === "stage2" && !configuration.recorded) return "has faults that are not recorded (S2R=0)";
  return configuration.class === "illegal" && !open ? "has an illegal stream table entry instead of Config=abort" : undefined;
};

/** What the kernel believes a stream reaches: every leaf of its VSpace. Addresses below one block share its entry. */
const believed = (kernel: Kernel, sid: number): string[] => {
  const vspace = vspaceOf(kernel, sid);
  if (vspace === NONE) return [];
  const lines: string[] = [];
  let last = NONE;
  for (const address of kernel.plan.addresses.keys()) {
    const row = kernel.plan.entryAt(vspace, walkEnd(kernel, vspace, address), address);
    const entry = kernel.tables.entry.at(row);
    if (row === last || entry.kind !== ENTRY_PAGE || entry.rights === KERNEL_ONLY) continue;
    last = row;
    const { pa, bits } = kernel.plan.pages[entry.page]!;
    lines.push(leafText(kernel.plan.entries[row]!.address, pa, entry.rights === READ_WRITE ? "rw" : "r", 1n << BigInt(bits)));
  }
  return lines;
};
/** `iova -> pa rights`, and the size where it is no page: an entry of another level is another mapping. */
const leafText = (iova: bigint, pa: bigint, rights: string, size: bigint): string =>
  `${hex(iova)} -> ${hex(pa)} ${rights}${size === PAGE_BYTES ? "" : `, ${hex(size)} bytes`}`;
const walked = (stream: ReachStream | undefined): string[] =>
  (stream?.targets ?? []).flatMap(({ iova, pa, read, write, size }) => (read || write ? [leafText(iova, pa, `${read ? "r" : ""}${write ? "w" : ""}`, size)] : []));

const refinement: Builtin = {
  name: "refinement",
  needs: { words: "the bits in memory map a page for a device", met: ({ cold }) => reachesMemory(cold) },
  sentence: "Walking the bits in memory gives exactly what the kernel's own tables say, for every stream.",
  violation: (view) => {
    const { plan } = view.kernel;
    for (const [sid, { smmu, sid: number }] of plan.sids.entries()) {
      if (view.foreign.has(sid)) continue;
      const stream = view.cold.streams.find((candidate) => candidate.smmu === smmu && candidate.sid === number);
      const bits = walked(stream);
      const belief = believed(view.kernel, sid);
      if (bits.length === belief.length && bits.every((line, index) => line === belief[index])) continue;
      const differs = bits.find((line) => !belief.includes(line)) ?? belief.find((line) => !bits.includes(line)) ?? "the order of the leaves";
      const side = bits.includes(differs) ? "the bits say" : "the kernel says";
      const target = stream?.targets.find(({ iova }) => differs.startsWith(`${hex(iova)} `));
      return {
        message: `${plan.sids[sid]!.name} (stream ${hex(number)}): ${side} ${differs}, and the other side does not`,
        witness: { smmu, sid: number, op: "read", ...(target === undefined ? {} : { iova: target.iova, pa: target.pa }), via: target?.via ?? [] },
      };
    }
    return undefined;
  },
};

export const properties: readonly Builtin[] = [dmaConfinement, dmaIntegrity, noDangling, failClosed, noStale, refinement, authorityConfinement, derivationTree, counters, noWedge];

/** Ends of regions and of everything that is or may be an object. */
const bordersOf = ({ layout }: Booted, { plan }: Kernel): readonly bigint[] => {
  const regions = layout.regions.flatMap(({ base, size }) => [base as bigint, base + size]);
  const pages = plan.pages.flatMap(({ pa, bits }) => [pa as bigint, pa + (1n << BigInt(bits))]);
  return [...new Set([...regions, ...pages])].toSorted((a, b) => (a < b ? -1 : Number(a > b)));
};

/** Makes views of states of one model; what depends on the machine alone is remembered by its id. */
export const viewer = (booted: Booted, kernel: Kernel, machineRun: Machine): ((machine: MachineState) => View) => {
  const may = authorityOf(booted.layout);
  const pageIndex = new Map(kernel.plan.pages.map(({ pa }, page) => [pa as bigint, page]));
  const sizes = [...new Set(kernel.plan.pages.map(({ bits }) => bits))].map(BigInt);
  /** The frame or table around an address: of any size, and no two overlap. */
  const pageAround = (address: bigint): number | undefined =>
    sizes.map((bits) => pageIndex.get((address >> bits) << bits)).find((page) => page !== undefined && address < kernel.plan.pages[page]!.pa + (1n << BigInt(kernel.plan.pages[page]!.bits)));
  const borders = bordersOf(booted, kernel);
  const standing = (address: bigint): number => {
    const page = pageAround(address);
    if (page === undefined) return NULL;
    const { slot } = kernel.tables;
    if (slot.any({ kind: FRAME, object: page })) return FRAME;
    if (slot.any({ kind: PAGE_TABLE, object: page })) return PAGE_TABLE;
    const vspace = kernel.plan.vspaces.findIndex((candidate) => candidate.page === page);
    if (vspace >= 0 && slot.any({ kind: VSPACE, object: vspace })) return VSPACE;
    const cnode = kernel.plan.cnodes.findIndex(({ address: at }) => at === kernel.plan.pages[page]!.pa);
    return cnode >= 0 && (slot.any({ kind: CNODE, object: cnode }) || slot.any({ kind: CNODE_ZOMBIE, object: cnode })) ? CNODE : NULL;
  };
  const foreign = new Set(kernel.plan.slice?.foreign);
  const isForeign = (smmu: number, id: number): boolean => kernel.plan.sids.some((match, sid) => foreign.has(sid) && match.smmu === smmu && (match.sid & ~match.mask) === (id & ~match.mask));
  const judged = (reach: Reach): Reach => (foreign.size === 0 ? reach : { ...reach, streams: reach.streams.filter(({ smmu, sid }) => !isForeign(smmu, sid)) });
  return (machine) => {
    const reach = judged(machineRun.reach(machine));
    return {
      booted,
      kernel,
      machine,
      reach,
      cold: judged(machineRun.coldReach(machine)),
      may,
      standing,
      pageAround,
      borders,
      foreign,
      reaches: ({ sid, iova, pa, access }) => {
        const { smmu, sid: number } = booted.layout.sids[sid]!;
        const stream = reach.streams.find((candidate) => candidate.smmu === smmu && candidate.sid === number);
        return (stream?.targets ?? []).some((target) => iova >= target.iova && iova < target.iova + target.size && target.pa + (iova - target.iova) === pa && target[access]);
      },
    };
  };
};
