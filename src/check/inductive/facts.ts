/**
 * What a state of the machine says in the core's terms: each stream's entry, what is kept of it, what the TLB holds, what
 * the leaf entries in memory say. Anything that has no words there is called so, and no clause allows it.
 */
import { NONE } from "../../base/state.ts";
import { READ_WRITE } from "../../kernel/capability.ts";
import { CACHEABLE, stage2Ste, tableDescriptor } from "../../kernel/driver.ts";
import { KERNEL_ONLY, READ_ONLY } from "../../kernel/capability.ts";
import { LEVELS } from "../../kernel/plan.ts";
import { abortSte } from "../../kernel/smmuReset.ts";
import { meaningOf } from "../../smmuv3/configuration.ts";
import type { MachineState } from "../../smmuv3/machineState.ts";
import type { CachedLeaf, CachedTable } from "../../smmuv3/mayCache.ts";
import type { Target } from "../../smmuv3/reach.ts";
import { type Leaf, leafOf, rightsIn, rootOf, steAddress, UNMAPPED } from "./coreState.ts";
import type { SmallPlan } from "./smallPlan.ts";

/** No word of the core says this. */
export const OTHER = -2;
/** A stream's entry: NONE aborts; otherwise bank * spaces + space. */
export type Entry = number;

export interface CachedPage {
  readonly bank: number;
  readonly page: number;
  readonly leaf: Leaf;
}
/** A table descriptor: whose table it names, and where that stands. */
export interface CachedPath {
  readonly bank: number;
  readonly space: number;
}
export interface Facts {
  /** By stream. */
  readonly entries: readonly Entry[];
  /** By stream: something is kept of its entry; what is kept translates, or is not legal. */
  readonly kept: readonly boolean[];
  readonly keptOpen: readonly boolean[];
  readonly pages: readonly CachedPage[];
  readonly paths: readonly CachedPath[];
  /** By address space, then page: what memory says. */
  readonly memory: readonly (readonly Leaf[])[];
  /** By address space: the tables above the leaves are as they were built. */
  readonly upper: readonly boolean[];
  /** No command waits for a SYNC or was given before a barrier, and the queue goes on. */
  readonly quiet: boolean;
}

const rightsSeen = ({ read, write }: { readonly read: boolean; readonly write: boolean }): number => {
  if (read) return write ? READ_WRITE : READ_ONLY;
  return write ? OTHER : KERNEL_ONLY;
};

export interface Reader {
  readonly facts: (state: MachineState) => Facts;
  /** The leaf that a target of a device is, and its page; OTHER for both where it is none. */
  readonly targetOf: (target: Pick<Target, "iova" | "pa" | "size" | "read" | "write">) => { readonly page: number; readonly leaf: Leaf };
  /** Whose table a page is; NONE for none. */
  readonly tableSpace: (address: bigint) => number;
}

export const createReader = (small: SmallPlan): Reader => {
  const { plan, size, driver } = small;
  const spaces = Array.from({ length: size.spaces }, (_, space) => space);
  const frameAt = new Map(Array.from({ length: size.frames }, (_, frame) => [plan.pages[frame]!.pa as bigint, frame]));
  const spaceAt = new Map(spaces.flatMap((space) => Array.from({ length: LEVELS }, (_, level) => [plan.pages[small.tableOf(space, level)]!.pa as bigint, space] as const)));
  const bankOf = new Map(plan.cbs.map(({ vmid }, bank) => [vmid, bank]));
  const entryKey = (words: readonly bigint[]): string => words.join();
  const entries = new Map([[entryKey(abortSte), NONE]]);
  for (const [bank, { vmid }] of plan.cbs.entries()) for (const space of spaces) entries.set(entryKey(stage2Ste(rootOf(small, space), vmid)), bank * size.spaces + space);
  const targetOf: Reader["targetOf"] = ({ iova, pa, size: bytes, read, write }) => {
    const page = plan.addresses.indexOf(iova);
    const frame = frameAt.get(pa);
    const rights = rightsSeen({ read, write });
    return page < 0 || frame === undefined || bytes !== 4096n || rights === OTHER ? { page: OTHER, leaf: OTHER } : { page, leaf: leafOf(frame, rights) };
  };
  const pageOf = (leaf: CachedLeaf): CachedPage => ({ bank: bankOf.get(leaf.vmid) ?? OTHER, ...targetOf({ ...leaf, iova: leaf.ipa }) });
  const pathOf = ({ vmid, next, via }: CachedTable): CachedPath => {
    const space = spaceAt.get(next) ?? OTHER;
    return { bank: bankOf.get(vmid) ?? OTHER, space: spaceAt.get(via.addr & ~0xfffn) === space ? space : OTHER };
  };
  // What the driver would store for each leaf, with the attributes that the check uses.
  const leaves = Array.from({ length: size.frames * 3 }, (_, at) => at + 1);
  const wordOf = (leaf: Leaf): bigint => {
    const step = driver.writePage(small.tableOf(0, LEVELS - 1), small.leafRow(0, 0), Math.floor((leaf - 1) / 3), rightsIn(leaf), CACHEABLE)[0];
    return step?.kind === "store" ? step.value : 0n;
  };
  const leafAt = new Map<bigint, Leaf>([[0n, UNMAPPED], ...leaves.map((leaf) => [wordOf(leaf), leaf] as const)]);
  const entryAddress = (row: number, table: number): bigint => plan.pages[table]!.pa + BigInt(plan.entries[row]!.index * 8);
  const read = ({ image, smmus }: MachineState): Facts => {
    const { cache, settings, pending, wedged, overtook } = smmus[0]!;
    const keptOf = (stream: number) => cache.stes.filter(({ sid }) => sid === plan.sids[stream]!.sid);
    return {
      entries: plan.sids.map((_, stream) => entries.get(entryKey(Array.from({ length: 8 }, (__, word) => image.read(steAddress(small, stream, word))))) ?? OTHER),
      kept: plan.sids.map((_, stream) => keptOf(stream).length > 0),
      keptOpen: plan.sids.map((_, stream) => keptOf(stream).some(({ entry }) => meaningOf(entry, settings).class !== "abort")),
      pages: cache.leaves.map(pageOf),
      paths: cache.tables.map(pathOf),
      memory: spaces.map((space) => plan.addresses.map((_, page) => leafAt.get(image.read(entryAddress(small.leafRow(space, page), small.tableOf(space, LEVELS - 1)))) ?? OTHER)),
      upper: spaces.map((space) =>
        Array.from({ length: LEVELS - 1 }, (_, level) => level).every(
          (level) => image.read(entryAddress(plan.entryAt(space, level, 0), small.tableOf(space, level))) === tableDescriptor(plan.pages[small.tableOf(space, level + 1)]!.pa),
        ),
      ),
      quiet: pending.length === 0 && wedged === undefined && overtook === undefined,
    };
  };
  const known = new Map<number, Facts>();
  return {
    targetOf,
    tableSpace: (address) => spaceAt.get(address & ~0xfffn) ?? NONE,
    facts: (state) => {
      let facts = known.get(state.id);
      if (facts === undefined) known.set(state.id, (facts = read(state)));
      return facts;
    },
  };
};
