/**
 * Every descriptor that walks of a regime can meet, in memory and below the table descriptors that the TLB may hold: a walk
 * may start at any of those. Tables are enumerated by their words, so that no address is guessed.
 */
import { PAGE_BYTES } from "../base/words.ts";
import { levelShift, type Regime } from "./contextBank.ts";
import { decodeDescriptor, descriptorName, type Limits, NO_LIMITS } from "./descriptor.ts";
import { hits, type Kept, type KeptLeaf, type KeptTable, type MayCaches, tagKey } from "./mayCache.ts";
import type { Image, PageWords } from "./memory.ts";

/** A descriptor, and the one that led to its table. */
export interface Reached {
  readonly entry: Kept;
  readonly under: Reached | undefined;
  /** The way began at a table descriptor that only the TLB holds. */
  readonly cached: boolean;
}
/** What one page of a table says. */
interface Met {
  readonly entries: readonly Kept[];
  /** Neighbours that are marked contiguous, as the one translation that they may be kept as. */
  readonly merged: readonly KeptLeaf[];
}
/** A table, or one page of a root that has several: where, the level, the first address that it translates. */
interface Spot {
  readonly at: bigint;
  readonly level: number;
  readonly first: bigint;
  readonly limits: Limits;
}
export type Reader = (image: Image, regime: Regime, spot: Spot, bytes: number) => Met;

const CONTIGUOUS = 16n;

const readPage = (caches: MayCaches, words: PageWords, regime: Regime, { at, level, first, limits }: Spot, bytes: number): Met => {
  const entries: Kept[] = [];
  const merged: KeptLeaf[] = [];
  const from = Number((at % PAGE_BYTES) >> 3n);
  for (const [index, value] of words) {
    if (index < from || index >= from + bytes / 8) continue;
    const descriptor = decodeDescriptor(value, level, regime, limits);
    if (descriptor.is === "fault") continue;
    const input = first + (BigInt(index - from) << levelShift(level));
    const common = { tag: regime.tag, level, input, via: { what: descriptorName(level, regime.tag.stage), addr: at + BigInt((index - from) * 8), value } } as const;
    if (descriptor.is === "table") {
      entries.push(caches.entry<KeptTable>({ kind: "table", ...common, next: descriptor.next, limits: descriptor.limits }));
      continue;
    }
    const { size, output, rights, global, contiguous } = descriptor;
    const leaf: KeptLeaf = { kind: "leaf", ...common, size, output, rights, global };
    entries.push(caches.entry(leaf));
    const all = size * CONTIGUOUS;
    if (contiguous) merged.push(caches.entry({ ...leaf, size: all, input: input - (input % all), output: output - (output % all) }));
  }
  return { entries, merged };
};

/** Reads pages of tables, each content once for each use of it. */
export const createReader = (caches: MayCaches): Reader => {
  const known = new WeakMap<PageWords, Map<string, Met>>();
  return (image, regime, spot, bytes) => {
    const words = image.wordsOf(spot.at - (spot.at % PAGE_BYTES));
    let uses = known.get(words);
    if (uses === undefined) known.set(words, (uses = new Map()));
    const key = `${tagKey(regime.tag)} ${regime.outputBits} ${regime.accessFlagIgnored} ${regime.writableNeverExecutes} ${spot.at} ${spot.level} ${spot.first} ${spot.limits} ${bytes}`;
    let met = uses.get(key);
    if (met === undefined) uses.set(key, (met = readPage(caches, words, regime, spot, bytes)));
    return met;
  };
};

const MOST_TABLES = 1 << 14;
const MOST_DESCRIPTORS = 1 << 20;

/** Whether a walk of the regime may begin at a kept table descriptor. */
const begins = (regime: Regime, kept: KeptTable): boolean => hits(regime.tag, kept) && kept.level >= regime.startLevel && kept.input >> BigInt(regime.inputBits) === 0n;

/**
 * Descriptors in the order in which they are found, parents first. Throws RangeError past 2^14 table pages or 2^20
 * descriptors: a table that points at itself is the likely reason.
 */
export const descriptorsOf = (read: Reader, image: Image, regime: Regime, kept: readonly KeptTable[]): { readonly found: readonly Reached[]; readonly merged: readonly KeptLeaf[] } => {
  const found: Reached[] = [];
  const merged: KeptLeaf[] = [];
  const visited = new Set<string>();
  const enter = (spot: Spot, bytes: bigint, under: Reached | undefined): void => {
    const name = `${spot.at} ${spot.level} ${spot.first} ${spot.limits}`;
    if (visited.has(name)) return;
    visited.add(name);
    for (let done = 0n; done < bytes; done += PAGE_BYTES) {
      const piece = bytes - done < PAGE_BYTES ? bytes - done : PAGE_BYTES;
      const met = read(image, regime, { ...spot, at: spot.at + done, first: spot.first + ((done >> 3n) << levelShift(spot.level)) }, Number(piece));
      for (const entry of met.entries) found.push({ entry, under, cached: under?.cached === true });
      merged.push(...met.merged);
    }
    if (visited.size > MOST_TABLES || found.length > MOST_DESCRIPTORS)
      throw new RangeError(`the tables at 0x${regime.root.toString(16)} are more than ${MOST_TABLES} pages or ${MOST_DESCRIPTORS} descriptors; does one point at itself?`);
  };
  let next = 0;
  const follow = (): void => {
    for (; next < found.length; next++) {
      const reached = found[next]!;
      const { entry } = reached;
      if (entry.kind === "table") enter({ at: entry.next, level: entry.level + 1, first: entry.input, limits: entry.limits }, PAGE_BYTES, reached);
    }
  };
  if (regime.noWalk === undefined) enter({ at: regime.root, level: regime.startLevel, first: 0n, limits: NO_LIMITS }, regime.rootBytes, undefined);
  follow();
  for (const entry of regime.noWalk === "TF" ? [] : kept) {
    if (!begins(regime, entry)) continue;
    if (!visited.has(`${entry.next} ${entry.level + 1} ${entry.input} ${entry.limits}`)) found.push({ entry, under: undefined, cached: true });
    follow();
  }
  return { found, merged };
};
