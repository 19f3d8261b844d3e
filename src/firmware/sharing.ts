/** Streams that several devices use: they cannot be told apart by the SMMU, so they can only be confined together. */
import type { Diagnostic } from "../base/diagnostic.ts";
import { hex } from "../base/words.ts";
import type { IommuMap } from "./iommuMap.ts";
import { reachOf } from "./iommuMap.ts";
import type { ArmStream, Master } from "./masters.ts";

export interface SharedStream extends ArmStream {
  /** Paths of the enabled masters, two or more, in tree order. */
  readonly masters: readonly string[];
}

/** A stream and the enabled masters that use it. */
interface Users {
  readonly stream: ArmStream;
  readonly masters: Set<string>;
}

const usersOf = (masters: readonly Master[]): Users[] => {
  const users = new Map<string, Users>();
  for (const master of masters.filter((each) => each.enabled)) {
    for (const stream of master.streams) {
      if (stream.sid === undefined) continue;
      const key = `${stream.sid} ${stream.mask} ${stream.smmu}`;
      const known = users.get(key);
      if (known === undefined) users.set(key, { stream, masters: new Set([master.path]) });
      else known.masters.add(master.path);
    }
  }
  return [...users.values()];
};

/** Equal (SMMU, sid, mask) in two or more enabled masters, in the order in which the tree first shows them. */
export const sharedStreams = (masters: readonly Master[]): SharedStream[] =>
  usersOf(masters)
    .filter((users) => users.masters.size > 1)
    .map(({ stream, masters: paths }) => ({ ...stream, masters: [...paths] }));

const name = ({ sid, mask }: ArmStream): string => (mask === 0 ? hex(sid) : `${hex(sid)} (mask ${hex(mask)})`);
/** A list of paths for a sentence, cut where nobody would read on. */
const some = (paths: readonly string[]): string => (paths.length <= 12 ? paths.join(", ") : `${paths.slice(0, 11).join(", ")} and ${paths.length - 11} more`);
const at = (path: string): Pick<Diagnostic, "place"> => ({ place: { path } });

export const sharedFindings = (shared: readonly SharedStream[]): Diagnostic[] =>
  shared.map((stream) => ({
    id: "shared-stream",
    severity: "warning",
    message: `${stream.smmu}: stream ${name(stream)} is used by ${some(stream.masters)}; they can only be confined together`,
    ...at(stream.masters[0]!),
  }));

/** Distinct streams of one SMMU whose masks are compared pair by pair; the largest board has fewer than 300. */
const MAX_COMPARED = 2048;

const overlaps = (a: ArmStream, b: ArmStream): boolean => ((a.sid ^ b.sid) & ~(a.mask | b.mask)) === 0;

const groupBySmmu = (users: readonly Users[]): Map<string, Users[]> => Map.groupBy(users, (each) => each.stream.smmu);

/**
 * Streams that are not equal and yet match a common StreamID: an SMMU is free to misbehave on these. For each stream
 * with a mask, the first that overlaps it is named.
 */
const overlapsOn = (smmu: string, users: readonly Users[]): Diagnostic[] => {
  const found: Diagnostic[] = [];
  const masked = users.filter((each) => each.stream.mask !== 0);
  if (masked.length > 0 && users.length > MAX_COMPARED) {
    const message = `${smmu}: ${users.length} streams are too many to compare their masks; the limit is ${MAX_COMPARED}`;
    return [{ id: "mask-overlap-unchecked", severity: "warning", message, ...at(smmu) }];
  }
  const ordered = [...masked, ...users.filter((each) => each.stream.mask === 0)];
  for (const [i, a] of masked.entries()) {
    const b = ordered.find((each, j) => j > i && overlaps(a.stream, each.stream));
    if (b === undefined) continue;
    const [one, two] = [[...a.masters][0]!, [...b.masters][0]!];
    const message = `${smmu}: stream ${name(a.stream)} of ${one} and stream ${name(b.stream)} of ${two} match common StreamIDs`;
    found.push({ id: "mask-overlap", severity: "warning", message, ...at(two) });
  }
  return found;
};

export const maskOverlaps = (masters: readonly Master[]): Diagnostic[] =>
  [...groupBySmmu(usersOf(masters))].flatMap(([smmu, users]) => overlapsOn(smmu, users));

/** Streams [from, to) of one SMMU that `path` uses. */
interface Span {
  readonly smmu: string;
  readonly from: number;
  readonly to: number;
  readonly path: string;
}

const mapSpans = (map: IommuMap): Span[] =>
  map.entries.flatMap(({ sidBase, ...entry }) => {
    const reach = reachOf(entry, map.mask);
    return sidBase === undefined || reach === 0 ? [] : [{ smmu: entry.smmu, from: sidBase, to: sidBase + reach, path: map.path }];
  });

const masterSpans = (users: Users): Span[] =>
  users.stream.mask === 0 ? [{ smmu: users.stream.smmu, from: users.stream.sid, to: users.stream.sid + 1, path: [...users.masters][0]! }] : [];

/**
 * Streams that an enabled bus reaches through its map and another bus, or a master without a mask, uses as well. Each
 * span is compared with the one before it that reaches furthest, so of many that overlap at one place some are named.
 */
export const mapOverlaps = (maps: readonly IommuMap[], masters: readonly Master[]): Diagnostic[] => {
  const fromMaps = maps.filter((map) => map.enabled).flatMap(mapSpans);
  const used = new Set(fromMaps.map((span) => span.smmu));
  const fromMasters = usersOf(masters).filter((users) => used.has(users.stream.smmu)).flatMap(masterSpans);
  const found: Diagnostic[] = [];
  for (const [smmu, spans] of Map.groupBy([...fromMaps, ...fromMasters], (span) => span.smmu)) {
    let furthest: Span | undefined;
    for (const span of spans.toSorted((a, b) => a.from - b.from)) {
      if (furthest !== undefined && span.from < furthest.to && span.path !== furthest.path) {
        const common = `from ${hex(span.from)} to ${hex(Math.min(span.to, furthest.to) - 1)}`;
        found.push({ id: "map-overlap", severity: "warning", message: `${smmu}: ${furthest.path} and ${span.path} both use streams ${common}`, ...at(span.path) });
      }
      if (furthest === undefined || span.to > furthest.to) furthest = span;
    }
  }
  return found;
};
