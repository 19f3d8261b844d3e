/**
 * Second stage: names become things. Devices are found on the board and get their streams, each with one owner;
 * regions get owners, shares and a check of their sizes and places; `holds` become capabilities to known objects.
 * Lists index each other, in the order in which the spec names things.
 */
import type { Checked } from "../base/diagnostic.ts";
import { deviceFinder, type BoardFile, type FindDevice } from "./devices.ts";
import { createFindings } from "./findings.ts";
import { resolveHolds, type ResolvedHold } from "./holds.ts";
import { indexed, type Naming } from "./naming.ts";
import type { Range } from "./ranges.ts";
import { resolveMemory, resolveRegions, type ResolvedRegion } from "./regions.ts";
import type { SpecDocument } from "./spec.ts";
import { resolveStreams, type ResolvedCb, type ResolvedDevice, type ResolvedSid, type ResolvedSmmu } from "./streams.ts";

export interface ResolvedComponent {
  readonly name: string;
  readonly kind: "driver" | "vm" | "service";
  readonly trusted: boolean;
  /** Index of its devices' address space; absent when no device of it has a stream. */
  readonly vspace: number | undefined;
  readonly holds: readonly ResolvedHold[];
}

export interface Resolved {
  readonly name: string;
  /** Where regions without a base and kernel objects go; inside usable RAM. */
  readonly memory: Range;
  /** Whole pages of RAM that the board leaves free, below 2^44; sorted. */
  readonly ram: readonly Range[];
  readonly components: readonly ResolvedComponent[];
  readonly regions: readonly ResolvedRegion[];
  readonly smmus: readonly ResolvedSmmu[];
  readonly devices: readonly ResolvedDevice[];
  readonly sids: readonly ResolvedSid[];
  readonly cbs: readonly ResolvedCb[];
  /** Owner of each address space. */
  readonly vspaces: readonly number[];
}

/** Names that the layout gives to things of its own. */
const RESERVED_COMPONENTS: ReadonlySet<string> = new Set(["initialiser"]);

const refuseReservedNames = ({ spec, findings }: Naming): void => {
  for (const name of Object.keys(spec.components)) {
    if (RESERVED_COMPONENTS.has(name)) {
      findings.errorAtKey("reserved-name", ["components", name], `\`${name}\` is the component that the layout adds for what nobody else holds`, "choose another name");
    }
  }
};

/** A component has an address space when a device of it has a stream. */
const vspacesOf = (count: number, sids: readonly ResolvedSid[]): readonly number[] => Array.from({ length: count }, (_, owner) => owner).filter((owner) => sids.some((sid) => sid.owner === owner));

/** Second stage. The value is absent when anything was an error; findings are sorted by place. */
export const resolve = ({ spec, places }: SpecDocument, boardFile: BoardFile): Checked<Resolved> => {
  const findings = createFindings(places);
  const naming: Naming = { spec, findings, components: indexed(spec.components), regions: indexed(spec.regions) };
  refuseReservedNames(naming);
  const find: FindDevice = deviceFinder(boardFile, findings);
  const streams = resolveStreams(naming, boardFile.board, find);
  const { ram, memory } = resolveMemory(naming, boardFile);
  const regions = resolveRegions(naming, ram);
  const vspaces = vspacesOf(naming.components.size, streams.sids);
  const holds = resolveHolds(naming, regions, streams, vspaces);
  const components = Object.entries(spec.components).map(([name, { kind, trusted = false }], index): ResolvedComponent => {
    const vspace = vspaces.indexOf(index);
    return { name, kind, trusted, vspace: vspace === -1 ? undefined : vspace, holds: holds[index] ?? [] };
  });
  if (findings.failed() || memory === undefined) return { value: undefined, diagnostics: findings.list() };
  const { smmus, devices, sids, cbs } = streams;
  const value: Resolved = { name: spec.system, memory, ram, components, regions, smmus, devices, sids, cbs, vspaces };
  return { value, diagnostics: findings.list() };
};
