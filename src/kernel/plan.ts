/**
 * What never changes while a kernel runs: which objects exist or may come to exist, and where. A plan is made once from
 * a layout (src/system/boot.ts); the state tables (state.ts) hold only what invocations change. Everything is an index
 * into the plan's own lists, so that states stay rows of small integers.
 */
import { impossible } from "../base/diagnostic.ts";
import { NONE } from "../base/state.ts";
import type { Pa, StreamId } from "../base/words.ts";
import { WORD_BITS } from "../../specs/sel4/object.ts";
import { CNODE, FRAME, PAGE_TABLE } from "./capability.ts";
import type { Reduction } from "./reductions.ts";

export interface PlanCnode {
  readonly name: string;
  readonly radix: number;
  /** Row of the slot table that holds the CNode's first represented slot; the others follow. NONE in an open plan. */
  readonly firstRow: number;
  /** Index in the CNode of each represented slot, ascending. The rest of the 2^radix slots are outside the scope. */
  readonly indices: readonly number[];
  /** Represented slots that new capabilities go to: those not filled at boot. */
  readonly spare: readonly number[];
  /** Where the object lies, when Retype may make it; absent for a component's root CNode. */
  readonly address?: Pa;
}

/** Where a row of the slot table is. */
export type SlotPlace =
  | { readonly in: "cnode"; readonly cnode: number; readonly index: number }
  /** SIDNode[sid]: holds the kernel's copy of the CB capability that the stream is bound to. */
  | { readonly in: "sidNode"; readonly sid: number }
  /** CBNode[cb]: holds the kernel's copy of the VSpace capability assigned to the bank. */
  | { readonly in: "cbNode"; readonly cb: number }
  /** A slot of a thread's own CNode: tcbCTable, tcbVTable, tcbReply, tcbCaller, tcbBuffer (thread.ts). */
  | { readonly in: "thread"; readonly thread: number; readonly index: number }
  /** The notification of an interrupt (interrupt.ts). */
  | { readonly in: "irq"; readonly irq: number };

export interface PlanEntry {
  readonly vspace: number;
  /** Level of the table that holds the entry: 0 root .. 3 leaf. */
  readonly level: number;
  /** Index in that table, 0..511. */
  readonly index: number;
  /** First IOVA that the entry covers. */
  readonly address: bigint;
}

/** A guard that a CNode capability may carry. */
export interface Guard {
  readonly size: number;
  readonly value: bigint;
}

/** A frame or a page table: a piece of memory of 2^bits bytes. */
export interface PlanPage {
  readonly pa: Pa;
  readonly bits: number;
  /** Made of device memory: Retype does not clear it. */
  readonly device: boolean;
  /** The untyped it is made from, or NONE. */
  readonly untyped: number;
  readonly name: string;
}

export interface PlanUntyped {
  readonly name: string;
  readonly base: Pa;
  /** Bytes. */
  readonly size: bigint;
  /** Bytes of one step of the watermark. */
  readonly unit: bigint;
  readonly device: boolean;
}

/** An object that is nothing but its place: an endpoint, a notification, a thread, a VCPU. */
export interface PlanObject {
  readonly name: string;
  readonly address?: Pa;
}

/** A guest's table of context descriptors, by the fields of the stream table entry (specs/smmuv3/ste.ts). */
export interface CdTable {
  /** Its IPA: stage 2 stands before every fetch of it. */
  readonly S1ContextPtr: bigint;
  readonly S1Fmt: bigint;
  readonly S1CDMax: bigint;
  readonly S1DSS: bigint;
}

/** Which StreamIDs one SID stands for: those that agree with `sid` in every bit that `mask` leaves (SMMUv2 SMR.MASK). */
export interface StreamMatch {
  readonly smmu: number;
  readonly sid: StreamId;
  readonly mask: number;
}

/** Part of a system that is explored while the rest of it does nothing: see src/check/slices. */
export interface Slice {
  /** Who acts. */
  readonly subjects: readonly number[];
  /** Streams that they hold. */
  readonly streams: readonly number[];
  /** Untypeds that they can get at: nobody else's is ever changed here. */
  readonly untypeds: readonly number[];
  /** Streams that another slice answers for. */
  readonly foreign: readonly number[];
}

export interface PlanSubject {
  readonly name: string;
  readonly trusted: boolean;
  /** Its root CNode. */
  readonly cnode: number;
  /** Its thread, where threads are part of the state; then the thread's CSpace root counts, and not `cnode`. */
  readonly thread?: number;
}

/** Index of what is asked for, or NONE when it is outside the scope. An open plan makes room instead (openPlan.ts). */
export interface Naming {
  /** Row of a CNode's slot. */
  readonly slotRow: (cnode: number, index: number) => number;
  readonly guardOf: (guard: Guard) => number;
  /** Index of an IOVA among `addresses`. */
  readonly addressOf: (iova: bigint) => number;
  readonly badgeOf: (badge: bigint) => number;
  readonly sidOf: (smmu: number, number: number) => number;
  readonly cbOf: (smmu: number, number: number) => number;
  readonly cdTableOf: (table: CdTable) => number;
  readonly asidOf: (number: number) => number;
  readonly irqOf: (irq: number) => number;
  /** Rows of the kernel's own slots: a thread's, and the one where an interrupt's notification stands. */
  readonly threadSlot: (thread: number, index: number) => number;
  readonly irqSlot: (irq: number) => number;
  /** The object of a kind that Retype makes at an address: 2^bits bytes of untyped `untyped`. */
  readonly objectOf: (kind: number, address: Pa, bits: number, untyped: number) => number;
}

export interface Plan extends Naming {
  readonly smmus: readonly { readonly path: string; readonly streamTable: Pa; readonly log2Size: number }[];
  readonly subjects: readonly PlanSubject[];
  readonly cnodes: readonly PlanCnode[];
  readonly slots: readonly SlotPlace[];
  readonly guards: readonly Guard[];
  readonly badges: readonly bigint[];
  /** Every frame and page table that is or may come to be. */
  readonly pages: readonly PlanPage[];
  readonly untypeds: readonly PlanUntyped[];
  /** `page` is the root table. */
  readonly vspaces: readonly { readonly name: string; readonly page: number }[];
  /** ASIDs in scope: its pool is the one that stands at number >> 9 in the table of pools. */
  readonly asids: readonly { readonly number: number }[];
  readonly asidPools: readonly PlanObject[];
  readonly endpoints: readonly PlanObject[];
  readonly notifications: readonly PlanObject[];
  readonly threads: readonly PlanObject[];
  readonly vcpus: readonly PlanObject[];
  /** Interrupt numbers. */
  readonly irqs: readonly number[];
  /** Page-aligned IOVAs that mappings may use in this scope. */
  readonly addresses: readonly bigint[];
  readonly entries: readonly PlanEntry[];
  /** Row of the entry that translates address `address` (index) at `level` in `vspace`. */
  readonly entryAt: (vspace: number, level: number, address: number) => number;
  /** Rows of the entries below the table that entry `row` points at. */
  readonly below: (row: number) => readonly number[];
  /** `node` is the row of SIDNode[sid] in the slot table. */
  readonly sids: readonly (StreamMatch & { readonly name: string; readonly node: number })[];
  /** `node` is the row of CBNode[cb] in the slot table. */
  readonly cbs: readonly { readonly name: string; readonly smmu: number; readonly number: number; readonly vmid: number; readonly node: number }[];
  readonly cdTables: readonly CdTable[];
  /** Values that a counter of banks can have; 1 where it is derived and not stored (profile.ts). */
  readonly bankCounts: number;
  /** True for a plan that makes room for whatever is asked: not for exploring. */
  readonly open: boolean;
  /** Reductions that are off; none when left out. */
  readonly unreduced?: readonly Reduction[];
  /** Everybody acts when left out. */
  readonly slice?: Slice;
}

/** Bits of the IOVA below which a table at `level` indexes: 12 at level 3, 39 at level 0. */
export const levelShift = (level: number): bigint => BigInt(12 + 9 * (3 - level));
export const LEVELS = 4;

/** The entry rows that a set of IOVAs needs in each VSpace: one for each distinct prefix at each level. */
export const entriesFor = (vspaces: number, addresses: readonly bigint[]): Pick<Plan, "entries" | "entryAt" | "below"> => {
  const entries: PlanEntry[] = [];
  const rowOf = new Map<string, number>();
  const table: number[] = [];
  for (let vspace = 0; vspace < vspaces; vspace++) {
    for (let level = 0; level < LEVELS; level++) {
      for (const [id, address] of addresses.entries()) {
        const prefix = address >> levelShift(level);
        const key = `${vspace} ${level} ${prefix}`;
        if (!rowOf.has(key)) {
          rowOf.set(key, entries.length);
          entries.push({ vspace, level, index: Number(prefix & 511n), address: prefix << levelShift(level) });
        }
        table[(vspace * LEVELS + level) * addresses.length + id] = rowOf.get(key)!;
      }
    }
  }
  const under = entries.map(({ vspace, level, address }) =>
    entries.flatMap((entry, row) =>
      entry.vspace === vspace && entry.level > level && entry.address >> levelShift(level) === address >> levelShift(level) ? [row] : [],
    ),
  );
  return {
    entries,
    entryAt: (vspace, level, address) => table[(vspace * LEVELS + level) * addresses.length + address] ?? impossible(`no entry for address ${address}`),
    below: (row) => under[row] ?? impossible(`no entry ${row}`),
  };
};

/** The least address of the scope under the same entry at `level`, so that equal mappings are equal rows. */
export const canonicalAddress = (plan: Plan, vspace: number, level: number, address: number): number => {
  const row = plan.entryAt(vspace, level, address);
  if (plan.open) return plan.addressOf(plan.entries[row]!.address);
  for (let candidate = 0; candidate < address; candidate++) if (plan.entryAt(vspace, level, candidate) === row) return candidate;
  return address;
};

/** The StreamIDs of a match, ascending: for each set of masked bits the one that has them. */
export const streamIds = ({ sid, mask }: StreamMatch): readonly number[] => {
  const ids: number[] = [];
  const fixed = (sid & ~mask) >>> 0;
  for (let masked = 0; ; masked = ((masked | ~mask) + 1) & mask) {
    ids.push((fixed | masked) >>> 0);
    if (masked >>> 0 === mask >>> 0) return ids;
  }
};

/** Some StreamID is of both: on an SMMUv2, a transaction of it faults, because two entries match. */
export const matchesOverlap = (a: StreamMatch, b: StreamMatch): boolean => a.smmu === b.smmu && ((a.sid ^ b.sid) & ~(a.mask | b.mask)) === 0;

export const sameCdTable = (a: CdTable, b: CdTable): boolean => a.S1ContextPtr === b.S1ContextPtr && a.S1Fmt === b.S1Fmt && a.S1CDMax === b.S1CDMax && a.S1DSS === b.S1DSS;

/** The guard that lets a root CNode of this radix resolve all 64 bits of a cptr. */
export const rootGuard = (radix: number): Guard => ({ size: WORD_BITS - radix, value: 0n });

/** The lists of a plan that names nothing but what stands in them: what is explored. */
export type PlanLists = Omit<Plan, keyof Naming | "open">;

const PAGE_BITS = 12;

export const fixedPlan = (lists: PlanLists): Plan => {
  const { cnodes, slots, guards, addresses, badges, sids, cbs, cdTables, asids, irqs, pages } = lists;
  return {
    ...lists,
    open: false,
    slotRow: (cnode, index) => {
      const { firstRow, indices } = cnodes[cnode]!;
      const at = indices.indexOf(index);
      return at < 0 ? NONE : firstRow + at;
    },
    guardOf: ({ size, value }) => guards.findIndex((guard) => guard.size === size && guard.value === value),
    addressOf: (iova) => addresses.indexOf(iova),
    badgeOf: (badge) => badges.indexOf(badge),
    sidOf: (smmu, number) => sids.findIndex((sid) => sid.smmu === smmu && sid.sid === number),
    cbOf: (smmu, number) => cbs.findIndex((cb) => cb.smmu === smmu && cb.number === number),
    cdTableOf: (table) => cdTables.findIndex((known) => sameCdTable(known, table)),
    asidOf: (number) => asids.findIndex((asid) => asid.number === number),
    irqOf: (irq) => irqs.indexOf(irq),
    threadSlot: (thread, index) => slots.findIndex((place) => place.in === "thread" && place.thread === thread && place.index === index),
    irqSlot: (irq) => slots.findIndex((place) => place.in === "irq" && place.irq === irq),
    objectOf: (kind, address, bits) => {
      if (bits !== PAGE_BITS) return NONE;
      if (kind === FRAME || kind === PAGE_TABLE) return pages.findIndex(({ pa }) => pa === address);
      return kind === CNODE ? cnodes.findIndex((cnode) => cnode.address === address) : NONE;
    },
  };
};
