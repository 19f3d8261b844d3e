/** The topology as the interchange document: numbers as hex strings, paths and lists as in the tree. */
import { type Diagnostic, printable, type Severity } from "../base/diagnostic.ts";
import { hex } from "../base/words.ts";
import type { IommuKind } from "./iommu.ts";
import type { MapEntry } from "./iommuMap.ts";
import type { Stream } from "./masters.ts";
import type { Topology } from "./topology.ts";

export interface DiagnosticDocument {
  readonly id: string;
  readonly severity: Severity;
  readonly path: string;
  readonly message: string;
}

export interface StreamDocument {
  readonly smmu: string;
  readonly sid?: string;
  readonly mask?: string;
}

export interface MapEntryDocument {
  readonly ridBase: string;
  readonly smmu: string;
  readonly sidBase?: string;
  readonly sidMask?: string;
  readonly length: string;
}

export interface TopologyDocument {
  /** The board's name as it was given: a file name. */
  readonly board: string;
  readonly smmus: readonly {
    readonly path: string;
    readonly compatible: readonly string[];
    readonly kind: IommuKind;
    readonly enabled: boolean;
    readonly reg: readonly { readonly addr: string; readonly size: string }[];
    readonly coherent: boolean;
  }[];
  readonly masters: readonly {
    readonly path: string;
    readonly compatible: readonly string[];
    readonly enabled: boolean;
    readonly streams: readonly StreamDocument[];
  }[];
  readonly maps: readonly { readonly path: string; readonly mask: string; readonly entries: readonly MapEntryDocument[] }[];
  readonly shared: readonly { readonly smmu: string; readonly sid: string; readonly mask: string; readonly masters: readonly string[] }[];
  readonly diagnostics: readonly DiagnosticDocument[];
}

/** A board that cannot be read, on its line among the others. */
export interface UnreadableDocument {
  readonly board: string;
  readonly error: DiagnosticDocument;
}

const stream = ({ smmu, sid, mask }: Stream): StreamDocument => (sid === undefined ? { smmu } : { smmu, sid: hex(sid), mask: hex(mask) });

const mapEntry = ({ ridBase, smmu, sidBase, sidMask, length }: MapEntry): MapEntryDocument => ({
  ridBase: hex(ridBase),
  smmu,
  ...(sidBase === undefined ? {} : { sidBase: hex(sidBase) }),
  ...(sidMask === undefined ? {} : { sidMask: hex(sidMask) }),
  length: hex(length),
});

/** Nearly all text is plain ASCII already; a long one is not taken apart for nothing. */
const safe = (text: string): string => (/^[ -~]*$/.test(text) ? text : printable(text));
const names = (compatible: readonly string[]): string[] => compatible.map(safe);

/** The path is the node's, or empty where the fault is not in one. */
export const diagnosticDocument = ({ id, severity, place, message }: Diagnostic): DiagnosticDocument => ({
  id,
  severity,
  path: place?.path ?? "",
  message: safe(message),
});

export const topologyJson = (topology: Topology, board: string): TopologyDocument => ({
  board,
  smmus: topology.smmus.map(({ path, compatible, kind, enabled, reg, coherent }) => ({
    path,
    compatible: names(compatible),
    kind,
    enabled,
    reg: reg.map(({ base, size }) => ({ addr: hex(base), size: hex(size) })),
    coherent,
  })),
  masters: topology.masters.map(({ path, compatible, enabled, streams }) => ({ path, compatible: names(compatible), enabled, streams: streams.map(stream) })),
  maps: topology.maps.map(({ path, mask, entries }) => ({ path, mask: hex(mask), entries: entries.map(mapEntry) })),
  shared: topology.shared.map(({ smmu, sid, mask, masters }) => ({ smmu, sid: hex(sid), mask: hex(mask), masters })),
  diagnostics: topology.diagnostics.map(diagnosticDocument),
});

export const unreadableJson = (diagnostics: readonly Diagnostic[], board: string): UnreadableDocument => ({
  board,
  error: diagnosticDocument(diagnostics.find((each) => each.severity === "error")!),
});
