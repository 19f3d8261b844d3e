/**
 * What each device could reach now: DMA as a predicate over a machine state (design D6). Every stream is paired with every
 * walk of its bank and every kept entry that the bank's tag hits. Faults outstanding in a bank do not narrow it: software
 * cannot rely on them to stop what is under way (IHI 0062 D.c "Context fault model pseudocode").
 */
import { PAGE_BYTES } from "../base/words.ts";
import { type Context, contextOf, type Regime } from "./contextBank.ts";
import { allows, type Rights } from "./descriptor.ts";
import { hits, type KeptLeaf, type MayCache } from "./mayCache.ts";
import type { Smmu } from "./machineState.ts";
import type { Image, Via } from "./memory.ts";
import { clientsBypass, mapStream, type Mapped, type Marks, registerVia } from "./streams.ts";
import { listStreams, OTHERS } from "./streamList.ts";
import { descriptorsOf, type Reached, type Reader } from "./tables.ts";

/** A range that a stream can access: `size` bytes from `iova` go to `size` bytes from `pa`. */
export interface Target {
  readonly iova: bigint;
  readonly size: bigint;
  readonly pa: bigint;
  readonly read: boolean;
  readonly write: boolean;
  /** Only by something that the TLB may hold: memory no longer says so. */
  readonly cached: boolean;
  readonly via: readonly Via[];
}
export interface StreamConfiguration {
  /** Abort: S2CR says so, or no entry is for the stream. Illegal: what the registers say makes no sense. Both leave a global fault. */
  readonly class: "abort" | "illegal" | "bypass" | "stage1" | "stage2" | "unsupported";
  readonly why?: string;
  /** Faults of this configuration leave a record. */
  readonly recorded: boolean;
  /** Registers are not cached. */
  readonly cached: false;
  /** The context bank, where one is involved. */
  readonly bank?: number;
  readonly via: readonly Via[];
}
export interface ReachStream {
  readonly smmu: number;
  /** -1 stands for every stream that is not listed by itself. */
  readonly sid: number;
  readonly configurations: readonly StreamConfiguration[];
  readonly targets: readonly Target[];
}
/** A page that the SMMU may read as a translation table: for an enabled bank it may at any time (section 5.1). */
export interface ReachTable {
  readonly smmu: number;
  /** The first stream of the bank, or -1. */
  readonly sid: number;
  readonly bank: number;
  readonly pa: bigint;
  readonly via: readonly Via[];
}
export interface Reach {
  readonly streams: readonly ReachStream[];
  readonly tables: readonly ReachTable[];
  /** An SMMUv2 has its stream table in registers. */
  readonly streamTables: readonly never[];
}

const asCached = (via: Via): Via => ({ ...via, what: `cached ${via.what}` });
const pathTo = (reached: Reached): Via[] => {
  const path: Via[] = [];
  for (let at: Reached | undefined = reached; at !== undefined; at = at.under) path.unshift(at.cached && at.under === undefined ? asCached(at.entry.via) : at.entry.via);
  return path;
};

interface Leaf {
  readonly leaf: KeptLeaf;
  readonly cached: boolean;
  readonly via: readonly Via[];
}
/** What the bank's tables and the TLB let through, whoever comes. */
interface BankReach {
  readonly leaves: readonly Leaf[];
  readonly tables: readonly { readonly pa: bigint; readonly via: readonly Via[] }[];
}
const bankReach = (read: Reader, image: Image, cache: MayCache, regime: Regime, via: readonly Via[]): BankReach => {
  const leaves: Leaf[] = [];
  const tables: { pa: bigint; via: readonly Via[] }[] = [];
  if (regime.noWalk === undefined) for (let page = regime.root - (regime.root % PAGE_BYTES); page < regime.root + regime.rootBytes; page += PAGE_BYTES) tables.push({ pa: page, via });
  const { found } = descriptorsOf(read, image, regime, cache.tables);
  for (const reached of found) {
    const path = [...via, ...pathTo(reached)];
    if (reached.entry.kind === "table") tables.push({ pa: reached.entry.next, via: path });
    else leaves.push({ leaf: reached.entry, cached: reached.cached, via: path });
  }
  for (const leaf of cache.leaves) if (hits(regime.tag, leaf)) leaves.push({ leaf, cached: true, via: [...via, asCached(leaf.via)] });
  return { leaves, tables };
};

const byAddress = (a: Target, b: Target): number => {
  if (a.iova !== b.iova) return a.iova < b.iova ? -1 : 1;
  if (a.pa !== b.pa) return a.pa < b.pa ? -1 : 1;
  return a.size < b.size ? -1 : Number(a.size > b.size);
};
const everything = (bits: number, via: readonly Via[]): Target => ({ iova: 0n, size: 1n << BigInt(bits), pa: 0n, read: true, write: true, cached: false, via });
const readable = (rights: Rights, marks: Marks): boolean => marks.privileged.some((priv) => marks.instruction.some((instr) => allows(rights, { op: "read", priv, instr })));
const writable = (rights: Rights, marks: Marks): boolean => marks.privileged.some((priv) => allows(rights, { op: "write", priv, instr: false }));

/** Targets that memory gives come before equal ones that only the TLB gives. The way begins at the bank. */
const targetsOf = ({ leaves }: BankReach, marks: Marks): readonly Target[] => {
  const targets = new Map<string, Target>();
  for (const { leaf, cached, via } of leaves.toSorted((a, b) => Number(a.cached) - Number(b.cached))) {
    const read = readable(leaf.rights, marks);
    const write = writable(leaf.rights, marks);
    if (!read && !write) continue;
    const key = `${leaf.input} ${leaf.output} ${leaf.size} ${read} ${write}`;
    if (!targets.has(key)) targets.set(key, { iova: leaf.input, size: leaf.size, pa: leaf.output, read, write, cached, via });
  }
  return [...targets.values()].toSorted(byAddress);
};

const FAULTS = { USF: "no stream mapping entry is for it", SMCF: "several stream mapping entries match it", ICF: "S2CR says fault" } as const;
const configurationOf = (mapped: Mapped, context: Context | undefined, via: readonly Via[]): StreamConfiguration => {
  const common = { cached: false, via, ...(mapped.is === "bank" ? { bank: mapped.bank } : {}) } as const;
  if (mapped.is === "bypass") return { ...common, class: "bypass", recorded: false };
  if (mapped.is === "fault") return { ...common, class: mapped.fault === "SMCF" ? "illegal" : "abort", why: FAULTS[mapped.fault], recorded: true };
  switch (context!.is) {
    case "illegal":
      return { ...common, class: "illegal", why: context!.why, recorded: true };
    case "unsupported":
      return { ...common, class: "unsupported", why: context!.why, recorded: false };
    case "off":
      return { ...common, class: "bypass", why: "the bank's SCTLR.M is 0", recorded: false };
    default:
      return { ...common, class: context!.regime.tag.stage === 1 ? "stage1" : "stage2", recorded: true };
  }
};

/** What every stream of one SMMU reaches. */
export const reachOf = (read: Reader, image: Image, { identification, registers, cache }: Smmu, smmu: number): Reach => {
  if (clientsBypass(registers)) {
    const via = [registerVia(identification, registers, "CR0")];
    const configurations = [{ class: "bypass", why: "CR0.CLIENTPD is 1", recorded: false, cached: false, via }] as const;
    return { streams: [{ smmu, sid: OTHERS, configurations, targets: [everything(identification.outputBits, via)] }], tables: [], streamTables: [] };
  }
  const banks = Array.from({ length: identification.banks }, (_, bank) => contextOf(identification, registers, bank));
  const bankVia = (bank: number): Via[] => (["CBAR", "SCTLR", "TTBR0"] as const).map((name) => registerVia(identification, registers, name, bank));
  const reached = banks.map((context, bank) => (context.is === "on" ? bankReach(read, image, cache, context.regime, bankVia(bank)) : undefined));
  const firstStream = new Map<number, number>();
  // Streams of one bank and with the same marks have all but the beginning of the way in common.
  const shared = new Map<string, readonly Target[]>();
  const through = (bank: number, marks: Marks): readonly Target[] => {
    const key = `${bank} ${marks.privileged.join()} ${marks.instruction.join()}`;
    let targets = shared.get(key);
    if (targets === undefined) shared.set(key, (targets = reached[bank] === undefined ? [] : targetsOf(reached[bank], marks)));
    return targets;
  };
  const streams = listStreams(identification, registers).map((sid): ReachStream => {
    const mapped = mapStream(identification, registers, sid);
    if (mapped.is !== "bank") return { smmu, sid, configurations: [configurationOf(mapped, undefined, mapped.via)], targets: mapped.is === "bypass" ? [everything(identification.outputBits, mapped.via)] : [] };
    const { bank, marks } = mapped;
    if (!firstStream.has(bank)) firstStream.set(bank, sid);
    const context = banks[bank] ?? contextOf(identification, registers, bank);
    const via = [...mapped.via, ...(context.is === "off" ? bankVia(bank).slice(0, 2) : [])];
    const configurations = [configurationOf(mapped, context, via)];
    if (context.is === "off") return { smmu, sid, configurations, targets: [everything(context.limit, via)] };
    return { smmu, sid, configurations, targets: through(bank, marks).map((target) => ({ ...target, via: [...mapped.via, ...target.via] })) };
  });
  const tables = new Map<string, ReachTable>();
  for (const [bank, found] of reached.entries())
    for (const { pa, via } of found?.tables ?? []) if (!tables.has(`${pa}`)) tables.set(`${pa}`, { smmu, sid: firstStream.get(bank) ?? OTHERS, bank, pa, via });
  return { streams, tables: [...tables.values()].toSorted((a, b) => (a.pa < b.pa ? -1 : 1)), streamTables: [] };
};
