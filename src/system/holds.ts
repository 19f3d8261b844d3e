/** What each component holds at boot, from the names in its `holds` list. */
import { hex } from "../base/words.ts";
import { frameSizeBytes } from "./frameSize.ts";
import { checkGranularity } from "./granularity.ts";
import type { FrameRights } from "./layout.ts";
import { componentNamed, type Naming } from "./naming.ts";
import type { KeyPath } from "./place.ts";
import { alignUp, byBase, endOf, overlaps, rangeText, sizeText } from "./ranges.ts";
import type { ResolvedRegion } from "./regions.ts";
import type { SpecHold } from "./spec.ts";
import { didYouMean } from "./suggestion.ts";
import type { ResolvedStreams } from "./streams.ts";

export type ResolvedHold =
  | {
      readonly kind: "region";
      readonly region: number;
      readonly access: FrameRights;
      /** Mapped in the holder's address space; at `iova`, or where allocate puts it. */
      readonly map: boolean;
      readonly iova: bigint | undefined;
      readonly path: KeyPath;
    }
  | { readonly kind: "sid"; readonly sid: number; readonly path: KeyPath }
  | { readonly kind: "cb"; readonly cb: number; readonly path: KeyPath }
  | { readonly kind: "vspace"; readonly vspace: number; readonly path: KeyPath }
  | { readonly kind: "sidControl" | "cbControl" | "tables"; readonly path: KeyPath };

/** Input of a 44-bit stage 2. */
export const IOVA_LIMIT = 1n << 44n;

/** Frame capabilities of one system, copies counted: 256 MiB in 4 KiB frames that one component holds each. */
export const FRAMES_LIMIT = 1 << 16;

interface Holding extends Naming {
  readonly resolvedRegions: readonly ResolvedRegion[];
  readonly streams: ResolvedStreams;
  readonly vspaces: readonly number[];
  /** Who holds what only one may hold, by a key such as `sidControl` or `untyped 3`: name of the holder. */
  readonly sole: Map<string, string>;
}

interface Holder {
  readonly index: number;
  readonly name: string;
}

type RegionHold = Exclude<SpecHold, string> & { readonly region: string };

const WORDS: Readonly<Record<string, "sidControl" | "cbControl" | "tables">> = { "sid-control": "sidControl", "cb-control": "cbControl", tables: "tables" };

/** Only one component may hold this; the second is an error that names both. */
const claimSole = ({ sole, findings }: Holding, key: string, what: string, holder: Holder, path: KeyPath, id: string): void => {
  const first = sole.get(key);
  if (first !== undefined && first !== holder.name) findings.error(id, path, `\`${first}\` and \`${holder.name}\` both hold ${what}`, "it cannot be copied: let one hold it");
  sole.set(key, holder.name);
};

/** Policy does not let the holder do what the capability lets it do. */
const warnOfUnsharedGrant = ({ findings, spec }: Holding, region: ResolvedRegion, access: FrameRights, holder: Holder, path: KeyPath): void => {
  if (region.owner === holder.index) return;
  const share = region.shares.find((candidate) => candidate.with === holder.index);
  if (share?.access === "rw" || share?.access === access) return;
  const owner = Object.keys(spec.components)[region.owner] ?? "";
  const policy = share === undefined ? "does not share it" : "shares it for reading only";
  findings.warning("unshared-grant", path, `\`${holder.name}\` holds \`${region.name}\` (${access}) of \`${owner}\`, which ${policy}`, "add a `share`, or expect `cofferdam check` to find the break");
};

/** The key `name` beside the `region` key at `path`. */
const beside = (path: KeyPath, name: "iova" | "pages"): KeyPath => [...path.slice(0, -1), name];

/** `alignment` is the size of page that the region is mapped with. */
const checkIova = ({ findings }: Holding, region: ResolvedRegion, iova: bigint, alignment: bigint, path: KeyPath): void => {
  if (iova % alignment !== 0n) findings.error("iova-misaligned", path, `${hex(iova)} is not a multiple of ${sizeText(alignment)}`, `the next one is ${hex(alignUp(iova, alignment))}`);
  else if (iova + region.size > IOVA_LIMIT) {
    findings.error("iova-out-of-range", path, `\`${region.name}\` would be at ${rangeText({ base: iova, size: region.size })}, past the last address of a 44-bit stage 2`, `the last is ${hex(IOVA_LIMIT - 1n)}`);
  }
};

const holdRegion = (holding: Holding, holder: Holder, written: RegionHold, path: KeyPath): readonly ResolvedHold[] => {
  const { findings, regions, resolvedRegions, streams, vspaces } = holding;
  const index = regions.get(written.region);
  const region = index === undefined ? undefined : resolvedRegions[index];
  if (index === undefined || region === undefined) {
    const known = [...regions.keys(), ...Object.keys(WORDS)];
    findings.error("unknown-region", path, `there is no region \`${written.region}\`${didYouMean(written.region, known)}`, "regions are listed under `regions`");
    return [];
  }
  const access = written.access ?? "rw";
  warnOfUnsharedGrant(holding, region, access, holder, path);
  if (region.kind === "untyped") {
    claimSole(holding, `untyped ${index}`, `the untyped \`${region.name}\``, holder, path, "untyped-two-holders");
    if (written.access !== undefined || written.iova !== undefined || written.map !== undefined || written.pages !== undefined) {
      findings.error("untyped-not-mapped", path, `\`${region.name}\` is untyped: it has no frames to map and no access to choose`, "hold it by its name alone");
    }
    return [{ kind: "region", region: index, access, map: false, iova: undefined, path }];
  }
  const mappable = vspaces.includes(holder.index);
  if (!mappable && !streams.refused.has(holder.index) && (written.iova !== undefined || written.map === true)) {
    findings.error("no-address-space", path, `\`${holder.name}\` has no device behind an SMMU, so nothing can be mapped for it`, "leave out `iova` and `map`");
  }
  const { pages, iova } = written;
  const conflict = pages !== undefined && checkGranularity(findings, holding.spec, { holder: holder.name, region, pages, iova, path: beside(path, "pages"), limit: FRAMES_LIMIT });
  // In a conflict the hint says what the larger size needs, so that one mistake is one finding.
  const wanted = frameSizeBytes(pages ?? "4KiB");
  if (iova !== undefined) checkIova(holding, region, iova, conflict && wanted < region.frames ? wanted : region.frames, beside(path, "iova"));
  return [{ kind: "region", region: index, access, map: mappable && written.map !== false, iova, path }];
};

/** Owner index, and the streams of one device or of all, that `component` or `component.device` names. */
const streamsNamed = (holding: Holding, reference: string, path: KeyPath): { readonly owner: number; readonly sids: readonly number[] } | undefined => {
  const { spec, findings, streams } = holding;
  const [component = "", device] = reference.split(".");
  const owner = componentNamed(holding, component, path);
  if (owner === undefined) return undefined;
  const written = Object.keys(spec.components[component]?.devices ?? {});
  if (device !== undefined && !written.includes(device)) {
    findings.error("unknown-device", path, `\`${component}\` has no device \`${device}\`${didYouMean(device, written)}`, `its devices are ${written.join(", ") || "none"}`);
    return undefined;
  }
  const sids = streams.devices.filter((d) => d.owner === owner && (device === undefined || d.name === reference)).flatMap((d) => d.sids);
  // When the device itself was refused, saying here that it has no stream would only repeat that.
  if (sids.length === 0 && !streams.refused.has(owner)) findings.error("nothing-to-hold", path, `\`${reference}\` has no stream`, "only devices behind an SMMU have SID and CB capabilities");
  return { owner, sids: [...new Set(sids)] };
};

const holdStreams = (holding: Holding, kind: "sid" | "cb", reference: string, path: KeyPath): readonly ResolvedHold[] => {
  const named = streamsNamed(holding, reference, path);
  if (named === undefined) return [];
  if (kind === "sid") return named.sids.map((sid) => ({ kind, sid, path }));
  return [...holding.streams.cbs.entries()].filter(([, cb]) => cb.sids.some((sid) => named.sids.includes(sid))).map(([cb]) => ({ kind, cb, path }));
};

const holdVspace = (holding: Holding, name: string, path: KeyPath): readonly ResolvedHold[] => {
  const owner = componentNamed(holding, name, path);
  const vspace = owner === undefined ? -1 : holding.vspaces.indexOf(owner);
  if (owner !== undefined && vspace === -1 && !holding.streams.refused.has(owner)) {
    holding.findings.error("nothing-to-hold", path, `\`${name}\` has no address space`, "only components with a device behind an SMMU have one");
  }
  return vspace === -1 ? [] : [{ kind: "vspace", vspace, path }];
};

const holdWord = (holding: Holding, holder: Holder, word: "sidControl" | "cbControl" | "tables", path: KeyPath): readonly ResolvedHold[] => {
  if (word !== "tables") claimSole(holding, word, `the ${word === "sidControl" ? "SID" : "CB"} control capability`, holder, path, "control-two-holders");
  else if (!holding.vspaces.includes(holder.index) && !holding.streams.refused.has(holder.index)) {
    holding.findings.error("no-address-space", path, `\`${holder.name}\` has no device behind an SMMU, so it has no page tables`, "remove `tables`");
  }
  return [{ kind: word, path }];
};

const resolveHold = (holding: Holding, holder: Holder, written: SpecHold, path: KeyPath): readonly ResolvedHold[] => {
  if (typeof written === "string") {
    const word = Object.hasOwn(WORDS, written) ? WORDS[written] : undefined;
    return word === undefined ? holdRegion(holding, holder, { region: written }, path) : holdWord(holding, holder, word, path);
  }
  if (written.region !== undefined) return holdRegion(holding, holder, { ...written, region: written.region }, [...path, "region"]);
  if (written.sid !== undefined) return holdStreams(holding, "sid", written.sid, [...path, "sid"]);
  if (written.cb !== undefined) return holdStreams(holding, "cb", written.cb, [...path, "cb"]);
  return holdVspace(holding, written.vspace ?? "", [...path, "vspace"]);
};

/** The object a hold is about; two holds of one object by one component say the same thing twice. */
const objectKey = (hold: ResolvedHold): string => {
  switch (hold.kind) {
    case "region":
      return `region ${hold.region}`;
    case "sid":
      return `sid ${hold.sid}`;
    case "cb":
      return `cb ${hold.cb}`;
    case "vspace":
      return `vspace ${hold.vspace}`;
    default:
      return hold.kind;
  }
};

/** What a component holds without saying so: the capabilities of its own devices. */
const impliedKeys = ({ streams, vspaces }: Holding, owner: number): readonly string[] => [
  ...[...streams.sids.entries()].filter(([, sid]) => sid.owner === owner).map(([index]) => `sid ${index}`),
  ...[...streams.cbs.entries()].filter(([, cb]) => cb.owner === owner).map(([index]) => `cb ${index}`),
  ...[...vspaces.entries()].filter(([, component]) => component === owner).map(([index]) => `vspace ${index}`),
];

const checkDuplicates = (holding: Holding, holder: Holder, holds: readonly ResolvedHold[]): void => {
  const implied = new Set(impliedKeys(holding, holder.index));
  const seen = new Set<string>();
  for (const hold of holds) {
    const key = objectKey(hold);
    if (implied.has(key)) holding.findings.error("duplicate-hold", hold.path, `\`${holder.name}\` has this capability already, since the device is its own`, "remove it");
    else if (seen.has(key)) holding.findings.error("duplicate-hold", hold.path, `\`${holder.name}\` holds this twice`, "keep one");
    seen.add(key);
  }
};

const checkIovaOverlaps = ({ findings, resolvedRegions }: Holding, holds: readonly ResolvedHold[]): void => {
  const placed = holds
    .flatMap((hold) => (hold.kind === "region" && hold.map && hold.iova !== undefined ? [{ base: hold.iova, size: resolvedRegions[hold.region]!.size, hold }] : []))
    .toSorted(byBase);
  let furthest = placed[0];
  for (const next of placed.slice(1)) {
    if (furthest !== undefined && overlaps(furthest, next)) {
      const [a, b] = [furthest, next].map(({ base, size, hold }) => `\`${resolvedRegions[hold.region]!.name}\` ${rangeText({ base, size })}`);
      findings.error("iova-overlap", beside(next.hold.path, "iova"), `${a} and ${b} overlap in one address space`, "move one, or leave out its iova");
    }
    if (furthest === undefined || endOf(next) > endOf(furthest)) furthest = next;
  }
};

const checkFrames = ({ findings, resolvedRegions }: Holding, holds: readonly ResolvedHold[]): void => {
  const holders = new Map<number, bigint>();
  for (const hold of holds) if (hold.kind === "region") holders.set(hold.region, (holders.get(hold.region) ?? 0n) + 1n);
  const frames = resolvedRegions.reduce((sum, { kind, size, frames: bytes }, region) => (kind === "memory" ? sum + (size / bytes) * (holders.get(region) ?? 1n) : sum), 0n);
  if (frames > BigInt(FRAMES_LIMIT)) {
    findings.errorAtKey("too-many-frames", ["regions"], `the memory regions need ${frames} frame capabilities; at most ${FRAMES_LIMIT} are laid out, for now`, "make regions smaller, hold them less often, give them larger `frames`, or use `kind: untyped`");
  }
};

/** What each component holds, by component index, in the order of its list. */
export const resolveHolds = (naming: Naming, resolvedRegions: readonly ResolvedRegion[], streams: ResolvedStreams, vspaces: readonly number[]): readonly (readonly ResolvedHold[])[] => {
  const holding: Holding = { ...naming, resolvedRegions, streams, vspaces, sole: new Map() };
  const all = Object.entries(naming.spec.components).map(([name, { holds = [] }], index) => {
    const holder: Holder = { index, name };
    const resolved = holds.flatMap((written, position) => resolveHold(holding, holder, written, ["components", name, "holds", position]));
    checkDuplicates(holding, holder, resolved);
    checkIovaOverlaps(holding, resolved);
    return resolved;
  });
  checkFrames(holding, all.flat());
  return all;
};
