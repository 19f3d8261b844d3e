/**
 * Everything that the TLB could hold (design D6): each descriptor that could have been fetched since the last completed
 * invalidation that names it. A TLB "can cache data for any level" (IHI 0062 D.c section 2.5), and any descriptor that
 * gives neither a translation nor an access flag fault (section 5.4.1). Sets are immutable and interned.
 */
import type { Tag } from "./contextBank.ts";
import type { Limits, Rights } from "./descriptor.ts";
import type { Via } from "./memory.ts";

export interface KeptLeaf {
  readonly kind: "leaf";
  readonly tag: Tag;
  /** Kept for every ASID of its VMID. */
  readonly global: boolean;
  readonly level: number;
  readonly input: bigint;
  readonly size: bigint;
  readonly output: bigint;
  readonly rights: Rights;
  readonly via: Via;
}
/** A table descriptor. Always tagged with its ASID, as most implementations are expected to do (section 5.4.1, note). */
export interface KeptTable {
  readonly kind: "table";
  readonly tag: Tag;
  /** Level of the descriptor: the table that it names is one level further. */
  readonly level: number;
  readonly input: bigint;
  readonly next: bigint;
  readonly limits: Limits;
  readonly via: Via;
}
export type Kept = KeptLeaf | KeptTable;

export interface MayCache {
  /** Private to a run: nothing is ordered by it or printed (design D6). */
  readonly id: number;
  /** What the set holds: equal for equal contents, in every run. */
  readonly key: string;
  readonly entries: ReadonlySet<Kept>;
  readonly leaves: readonly KeptLeaf[];
  readonly tables: readonly KeptTable[];
}
export interface MayCaches {
  readonly empty: MayCache;
  /** The one object for an entry that says this. */
  readonly entry: <K extends Kept>(entry: K) => K;
  /** Of entries that `entry` has given. */
  readonly of: (entries: Iterable<Kept>) => MayCache;
}

export const tagKey = ({ stage, vmid, asid }: Tag): string => `${stage}/${vmid}/${asid ?? ""}`;
const keyOf = (entry: Kept): string => {
  const common = `${entry.kind} ${tagKey(entry.tag)} ${entry.level} ${entry.input} ${entry.via.addr} ${entry.via.value}`;
  return entry.kind === "leaf" ? `${common} ${entry.size} ${entry.output} ${entry.rights} ${entry.global}` : `${common} ${entry.next} ${entry.limits}`;
};

/** The interning table of one run. */
export const createMayCaches = (): MayCaches => {
  const byKey = new Map<string, Kept>();
  const ids = new Map<Kept, number>();
  const caches = new Map<string, MayCache>();
  const of: MayCaches["of"] = (entries) => {
    const members = [...new Set(entries)].toSorted((a, b) => ids.get(a)! - ids.get(b)!);
    const key = members.map((member) => ids.get(member)!).join(" ");
    let cache = caches.get(key);
    if (cache === undefined) {
      cache = {
        id: caches.size,
        // Seldom asked for, and long.
        get key() {
          return members.map(keyOf).toSorted().join("\n");
        },
        entries: new Set(members),
        leaves: members.filter((member) => member.kind === "leaf"),
        tables: members.filter((member) => member.kind === "table"),
      };
      caches.set(key, cache);
    }
    return cache;
  };
  return {
    empty: of([]),
    of,
    entry: <K extends Kept>(wanted: K): K => {
      const key = keyOf(wanted);
      const known = byKey.get(key);
      if (known !== undefined) return known as K;
      ids.set(wanted, byKey.size);
      byKey.set(key, wanted);
      return wanted;
    },
  };
};

/** Whether a look-up under a tag may hit an entry. */
export const hits = (tag: Tag, entry: Kept): boolean =>
  entry.tag.stage === tag.stage && entry.tag.vmid === tag.vmid && ((entry.kind === "leaf" && entry.global) || entry.tag.asid === tag.asid);
