/**
 * What never changes while a kernel runs: which objects exist or may come to exist, and where. A plan is made once from
 * a layout (src/system/boot.ts); the state tables (state.ts) hold only what invocations change. Everything is an index
 * into the plan's own lists, so that states stay rows of small integers.
 */
import { impossible } from "../base/diagnostic.ts";
import { NONE } from "../base/state.ts";
import type { Pa, StreamId } from "../base/words.ts";
import { WORD_BITS } from "../../specs/sel4/object.ts";

export interface PlanCnode {
  readonly name: string;
  readonly radix: number;
  /** Row of the slot table that holds the CNode's first represented slot; the others follow. */
  readonly firstRow: number;
  /** Index in the CNode of each represented slot, ascending. The rest of the 2^radix slots are outside the scope. */
  readonly indices: readonly number[];
  /** Represented slots that new capabilities go to: those not filled at boot. */
  readonly spare: readonly number[];
  /** The page that the object lies in, when Retype may make it; NONE for a component's root CNode. */
  readonly page: number;
}

/** Where a row of the slot table is. */
export type SlotPlace =
  | { readonly in: "cnode"; readonly cnode: number; readonly index: number }
  /** SIDNode[sid]: holds the kernel's copy of the CB capability that the stream is bound to. */
  | { readonly in: "sidNode"; readonly sid: number }
  /** CBNode[cb]: holds the kernel's copy of the VSpace capability assigned to the bank. */
  | { readonly in: "cbNode"; readonly cb: number };

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

export interface Plan {
  readonly smmus: readonly { readonly path: string; readonly streamTable: Pa; readonly log2Size: number }[];
  readonly subjects: readonly { readonly name: string; readonly trusted: boolean; readonly cnode: number }[];
  readonly cnodes: readonly PlanCnode[];
  readonly slots: readonly SlotPlace[];
  readonly guards: readonly Guard[];
  /** Every 4 KiB page that is or may become an object. `untyped` is the index of the untyped it is made from, or NONE. */
  readonly pages: readonly { readonly pa: Pa; readonly untyped: number; readonly name: string }[];
  readonly untypeds: readonly { readonly name: string; readonly firstPage: number; readonly pages: number }[];
  /** `page` is the root table. */
  readonly vspaces: readonly { readonly name: string; readonly page: number; readonly asid: number }[];
  /** Page-aligned IOVAs that mappings may use in this scope. */
  readonly addresses: readonly bigint[];
  readonly entries: readonly PlanEntry[];
  /** Row of the entry that translates address `address` (index) at `level` in `vspace`. */
  readonly entryAt: (vspace: number, level: number, address: number) => number;
  /** Rows of the entries below the table that entry `row` points at. */
  readonly below: (row: number) => readonly number[];
  readonly sids: readonly { readonly name: string; readonly smmu: number; readonly sid: StreamId }[];
  readonly cbs: readonly { readonly name: string; readonly smmu: number; readonly number: number; readonly vmid: number }[];
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

/** Is this page-aligned IOVA one that the scope has? */
export const hasAddress = (plan: Plan, address: bigint): boolean => plan.addresses.includes(address);

/** Index of an IOVA in the plan. The scope says which addresses exist; another one cannot be represented. */
export const addressIndex = (plan: Plan, address: bigint): number => {
  const index = plan.addresses.indexOf(address);
  return index === NONE ? impossible(`address 0x${address.toString(16)} is outside the scope of this state`) : index;
};

/** The least address of the scope under the same entry at `level`, so that equal mappings are equal rows. */
export const canonicalAddress = (plan: Plan, vspace: number, level: number, address: number): number => {
  const row = plan.entryAt(vspace, level, address);
  for (let candidate = 0; candidate < address; candidate++) if (plan.entryAt(vspace, level, candidate) === row) return candidate;
  return address;
};

/** The guard that lets a root CNode of this radix resolve all 64 bits of a cptr. */
export const rootGuard = (radix: number): Guard => ({ size: WORD_BITS - radix, value: 0n });
