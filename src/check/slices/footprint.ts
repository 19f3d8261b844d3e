/**
 * What the steps of a slice do to the machine, and what the SMMUs may read for its streams: enough to tell that the machine
 * states of two slices lie side by side in the states of the whole system (certificate.ts).
 *
 * Nothing here follows time: every word of memory may have any value that it had at boot or that the slice ever stored to
 * it, and the SMMU may read any of them, now or from a cache, in any mixture. From the streams' entries on, whatever could
 * then be taken for a table descriptor is followed, at any level. So this is more than the may-cache sets ever hold.
 */
import type { Step } from "../../base/step.ts";
import { PAGE_BYTES } from "../../base/words.ts";
import { CommandCfgi, CommandTlbi } from "../../../specs/smmuv3/command.ts";
import { type Plan, streamIds } from "../../kernel/plan.ts";
import type { Reach } from "../machine.ts";
import { type Configuration, meaningOf, rootBytes } from "../../smmuv3/configuration.ts";
import { illegalCommand, nameOf } from "../../smmuv3/invalidate.ts";
import type { MachineState } from "../../smmuv3/machineState.ts";
import { STE_BYTES, STE_WORDS, steAddress, steWords } from "../../smmuv3/streamTable.ts";

/** [from, end) of physical addresses. */
export interface Span {
  readonly from: bigint;
  readonly end: bigint;
}
/** A VMID on an SMMU. */
export interface Tag {
  readonly smmu: number;
  readonly vmid: number;
}
export interface Footprint {
  readonly stores: readonly Span[];
  /** Pages that the SMMUs may take for tables. */
  readonly pages: ReadonlySet<bigint>;
  /** Of entries that may be cached for the slice's streams, and of its invalidations. */
  readonly vmids: readonly Tag[];
}

/** Thrown where nothing can be said: the slice then is none. */
class Unclear extends Error {}
const unclear = (why: string): never => {
  throw new Unclear(why);
};

/** A first state in which every stream aborts and nothing is cached: whatever a stream reaches later, its slice made. */
export const objectionToStart = ({ smmus }: MachineState, reach: Reach, plan: Plan): string | undefined => {
  for (const [which, { settings, pending, wedged, cache }] of smmus.entries()) {
    if (!settings.enabled || !settings.linear || pending.length > 0 || wedged !== undefined || cache.entries.size > 0) return "the SMMU does not start from an empty cache and a linear stream table";
    // Whatever the streams of the plan do, the entry that stands for most streams is the boot code's.
    const planned = plan.sids.filter(({ smmu }) => smmu === which).flatMap((match) => streamIds(match)).length;
    if (2 ** settings.log2Size <= 2 * planned) return "the stream table is too small to tell streams that nobody has from the others";
  }
  const open = reach.tables.length > 0 || reach.streams.some(({ targets, configurations }) => targets.length > 0 || configurations.some((configuration) => configuration.class !== "abort"));
  return open ? "a stream does not abort in the first state" : undefined;
};

/** Everything is awaited within one invocation, so no command of one slice is on its way while another acts. */
const checkWaits = (steps: readonly Step[]): void => {
  const waiting = new Set<number>();
  for (const step of steps) {
    if (step.kind === "command") waiting.add(step.smmu);
    if (step.kind === "sync") waiting.delete(step.smmu);
  }
  if (waiting.size > 0) unclear("an invocation leaves a command on its way");
};

/** Memory as a slice may leave it: what boot left there, and every word that the slice stores. */
class Memory {
  readonly stores: Span[] = [];
  private readonly stored = new Map<bigint, Map<bigint, Set<bigint>>>();
  private readonly image: MachineState["image"];

  constructor(image: MachineState["image"]) {
    this.image = image;
  }
  store(addr: bigint, value: bigint): void {
    this.stores.push({ from: addr, end: addr + 8n });
    const page = addr / PAGE_BYTES;
    const words = this.stored.get(page) ?? new Map<bigint, Set<bigint>>();
    words.set(addr, (words.get(addr) ?? new Set()).add(value));
    this.stored.set(page, words);
  }
  clear(from: bigint, size: bigint): void {
    this.stores.push({ from, end: from + size });
  }
  /** What a word of the stream table may be; nothing clears it. */
  valuesAt(addr: bigint): bigint[] {
    return [this.image.read(addr), ...(this.stored.get(addr / PAGE_BYTES)?.get(addr) ?? [])];
  }
  /** What the words of a page may be, besides zero. */
  valuesIn(page: bigint): bigint[] {
    return [...this.image.wordsOf(page * PAGE_BYTES).map(([, value]) => value), ...[...(this.stored.get(page)?.values() ?? [])].flatMap((values) => [...values])];
  }
}

const MOST_ENTRIES = 4096;
/** Every mixture of the values that the words of one stream's entry may have. */
const entriesAt = (memory: Memory, addr: bigint): (readonly bigint[])[] => {
  let entries: (readonly bigint[])[] = [[]];
  for (let word = 0; word < STE_WORDS; word++) {
    const values = [...new Set(memory.valuesAt(addr + BigInt(word * 8)))];
    entries = entries.flatMap((words) => values.map((value) => [...words, value]));
    if (entries.length > MOST_ENTRIES) unclear("a stream table entry takes too many values");
  }
  return entries;
};

/** Bits 47:12 of a table descriptor; at the last level the same bits name a page, which is followed all the same. */
const NEXT = 0xffff_ffff_f000n;
const ADDRESS_BITS = 48;

const followed = (memory: Memory, roots: Iterable<bigint>): Set<bigint> => {
  const pages = new Set(roots);
  // Grows as it is walked.
  for (const page of pages) for (const value of memory.valuesIn(page)) if ((value & 3n) === 3n) pages.add((value & NEXT) / PAGE_BYTES);
  return pages;
};

/** The pages of the root tables that one meaning of a stream's entry names, and its VMID. */
const rootsOf = (configuration: Configuration): { readonly pages: readonly bigint[]; readonly vmid: number } | undefined => {
  if (configuration.class === "abort" || configuration.class === "illegal") return undefined;
  if (configuration.class !== "stage2") return unclear(`a stream may be configured otherwise than for stage 2 (${configuration.class})`);
  const { granule, bigEndian, outputBits, root, vmid } = configuration;
  if (granule !== 12 || bigEndian || outputBits > ADDRESS_BITS) unclear("tables of another form than 4 KiB and 48 bits");
  const pages: bigint[] = [];
  for (let at = root & ~(PAGE_BYTES - 1n); at < root + rootBytes(configuration); at += PAGE_BYTES) pages.push(at / PAGE_BYTES);
  return { pages, vmid };
};

interface Streams {
  readonly ids: readonly (ReadonlySet<number>)[];
}
/** StreamIDs with an entry, by SMMU. */
const streamsOf = ({ smmus }: MachineState, { sids }: Plan, own: readonly number[]): Streams => ({
  ids: smmus.map(({ settings }, which) => new Set(own.flatMap((sid) => (sids[sid]!.smmu === which ? streamIds(sids[sid]!) : [])).filter((id) => id < 2 ** settings.log2Size))),
});

/** Stores to stream tables go to the slice's own entries. */
const checkStore = ({ smmus }: MachineState, { ids }: Streams, { from, end }: Span): void => {
  for (const [which, { settings }] of smmus.entries()) {
    if (end <= settings.streamTable || from >= settings.streamTable + (STE_BYTES << BigInt(settings.log2Size))) continue;
    const own = [...ids[which]!].some((id) => from >= steAddress(settings, id) && end <= steAddress(settings, id) + STE_BYTES);
    if (!own) unclear("the stream table entry of another is written");
  }
};

/** The VMID that a command names, if it names one; every other command must be about one of the slice's streams. */
const checkCommand = ({ smmus }: MachineState, { ids }: Streams, smmu: number, words: readonly [bigint, bigint]): number | undefined => {
  if (illegalCommand(words, smmus[smmu]!.settings) !== undefined) unclear("a command stops the queue");
  switch (nameOf(words)) {
    case "CFGI_STE":
      return ids[smmu]!.has(Number(CommandCfgi.get(words, "SID"))) ? undefined : unclear("another's stream is invalidated");
    case "TLBI_S12_VMALL":
    case "TLBI_S2_IPA":
      return Number(CommandTlbi.get(words, "VMID"));
    default:
      return unclear("a command reaches more than one stream or VMID");
  }
};

const footprint = (start: MachineState, plan: Plan, own: readonly number[], given: Iterable<readonly Step[]>): Footprint => {
  const streams = streamsOf(start, plan, own);
  const memory = new Memory(start.image);
  const vmids: Tag[] = [];
  const seen = new Set<Step>();
  for (const steps of given) {
    checkWaits(steps);
    for (const step of steps) {
      if (seen.has(step)) continue;
      seen.add(step);
      if (step.kind === "register") unclear("a register of the SMMU is written");
      else if (step.kind === "store") memory.store(step.addr, step.value);
      else if (step.kind === "fill" && step.pattern.some((word) => word !== 0n)) unclear("memory is filled with something");
      else if (step.kind === "fill") memory.clear(step.addr, step.size);
      else if (step.kind === "command") {
        const vmid = checkCommand(start, streams, step.smmu, step.words);
        if (vmid !== undefined) vmids.push({ smmu: step.smmu, vmid });
      }
    }
  }
  for (const span of memory.stores) checkStore(start, streams, span);
  const roots = new Set<bigint>();
  for (const [smmu, { settings }] of start.smmus.entries())
    for (const id of streams.ids[smmu]!)
      for (const words of entriesAt(memory, steAddress(settings, id))) {
        const named = rootsOf(meaningOf(steWords(words), settings));
        if (named === undefined) continue;
        vmids.push({ smmu, vmid: named.vmid });
        for (const page of named.pages) roots.add(page);
      }
  return { stores: memory.stores, pages: followed(memory, roots), vmids };
};

/** `own`: indices of the slice's streams; `given`: the step lists of its invocations. A text says why nothing can be said. */
export const footprintOf = (start: MachineState, plan: Plan, own: readonly number[], given: Iterable<readonly Step[]>): Footprint | string => {
  try {
    return footprint(start, plan, own, given);
  } catch (error) {
    if (error instanceof Unclear) return error.message;
    throw error;
  }
};

const overlap = (one: readonly Span[], other: readonly Span[]): boolean => one.some(({ from, end }) => other.some((span) => from < span.end && span.from < end));
const storesInto = ({ stores }: Footprint, { pages }: Footprint): boolean =>
  stores.some(({ from, end }) => {
    for (let page = from / PAGE_BYTES; page * PAGE_BYTES < end; page++) if (pages.has(page)) return true;
    return false;
  });

/** Why the machine does not keep two slices apart; undefined where it does. */
export const meeting = (one: Footprint, other: Footprint, { smmus }: MachineState): string | undefined => {
  if (overlap(one.stores, other.stores)) return "both store to one address";
  if (storesInto(one, other) || storesInto(other, one)) return "one stores into a page that the SMMU may walk for the other";
  const same = (a: Tag) => (b: Tag) => a.smmu === b.smmu && a.vmid >>> smmus[a.smmu]!.settings.vmidWildcard === b.vmid >>> smmus[a.smmu]!.settings.vmidWildcard;
  return one.vmids.some((tag) => other.vmids.some(same(tag))) ? "both use one VMID" : undefined;
};
