/** The physical map: every range of every region in address order, with the streams that reach it once bound. */
import type { FrameRights, Layout } from "../system/layout.ts";
import { type Reach, reachOf } from "./authority.ts";

export interface RangeReach {
  readonly sid: number;
  readonly rights: FrameRights;
  /** Of the range's first byte. */
  readonly iova: bigint;
}

export interface PhysicalRange {
  readonly base: bigint;
  readonly size: bigint;
  readonly region: number;
  readonly reach: readonly RangeReach[];
}

const compare = (a: bigint, b: bigint): number => (a < b ? -1 : a > b ? 1 : 0);

/** Where the answer may change: the region's ends and those of every run that reaches into it. */
const cuts = (base: bigint, end: bigint, reach: readonly Reach[]): readonly bigint[] => {
  const inside = reach.flatMap(({ pa, size }) => [pa, pa + size]).filter((at) => base < at && at < end);
  return [...new Set([base, ...inside, end])].toSorted(compare);
};

const reachAt = (reach: readonly Reach[], at: bigint): readonly RangeReach[] =>
  reach
    .filter(({ pa, size }) => pa <= at && at < pa + size)
    .map(({ sid, rights, iova, pa }) => ({ sid, rights, iova: iova + (at - pa) }))
    .toSorted((a, b) => a.sid - b.sid || compare(a.iova, b.iova));

/** The same streams with the same rights, and every IOVA goes on where the first range ends. */
const goesOn = (range: PhysicalRange, next: PhysicalRange): boolean =>
  range.reach.length === next.reach.length &&
  range.reach.every(({ sid, rights, iova }, index) => {
    const other = next.reach[index]!;
    return sid === other.sid && rights === other.rights && iova + range.size === other.iova;
  });

/** Ascending; equal neighbours of one region are one range. Ranges cover each region exactly. */
export const physicalMap = (layout: Layout): readonly PhysicalRange[] => {
  const reach = reachOf(layout);
  const ranges = layout.regions.flatMap(({ base, size }, region) => {
    const mine = reach.filter((path) => path.region === region);
    const points = cuts(base, base + size, mine);
    const pieces: PhysicalRange[] = [];
    for (const [index, from] of points.slice(0, -1).entries()) {
      const piece = { base: from, size: points[index + 1]! - from, region, reach: reachAt(mine, from) };
      const last = pieces.at(-1);
      if (last !== undefined && goesOn(last, piece)) pieces[pieces.length - 1] = { ...last, size: last.size + piece.size };
      else pieces.push(piece);
    }
    return pieces;
  });
  return ranges.toSorted((a, b) => compare(a.base, b.base));
};
