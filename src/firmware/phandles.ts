/** Which node a phandle names (Devicetree Specification v0.4, §2.3.3). */
import type { Diagnostic } from "../base/diagnostic.ts";
import { hex } from "../base/words.ts";
import type { DeviceNode, DeviceTree } from "./deviceTree.ts";
import { finding } from "./finding.ts";
import { cell } from "./properties.ts";

export interface Phandles {
  /** Only phandles that name exactly one node. */
  readonly nodes: ReadonlyMap<number, DeviceNode>;
  readonly diagnostics: readonly Diagnostic[];
}

/** 0 and 0xffffffff are never a node's: old and unapplied overlays leave them behind. */
const isReserved = (phandle: number): boolean => phandle === 0 || phandle === 0xffff_ffff;

const phandleOf = (node: DeviceNode): number | undefined => cell(node, "phandle") ?? cell(node, "linux,phandle");

const malformed = (node: DeviceNode): Diagnostic | undefined => {
  const own = cell(node, "phandle");
  const legacy = cell(node, "linux,phandle");
  const bytes = node.properties.get("phandle")?.length ?? 4;
  const wrong =
    bytes !== 4 ? `phandle has ${bytes} bytes, not 4`
    : own !== undefined && legacy !== undefined && own !== legacy ? `phandle ${hex(own)} and linux,phandle ${hex(legacy)} differ`
    : own !== undefined && isReserved(own) ? `phandle ${hex(own)} is reserved and names nothing`
    : undefined;
  return wrong === undefined ? undefined : finding("phandle-invalid", "error", node, wrong);
};

/**
 * Every phandle of the tree. One that two nodes claim resolves to neither, so that no stream is handed out on the
 * strength of a guess; the diagnostic names both.
 */
export const phandlesOf = (tree: DeviceTree): Phandles => {
  const nodes = new Map<number, DeviceNode>();
  const ambiguous = new Set<number>();
  const diagnostics: Diagnostic[] = [];
  for (const node of tree.nodes) {
    const fault = malformed(node);
    if (fault !== undefined) diagnostics.push(fault);
    const phandle = phandleOf(node);
    if (phandle === undefined || isReserved(phandle)) continue;
    const earlier = nodes.get(phandle);
    if (earlier === undefined) {
      nodes.set(phandle, node);
      continue;
    }
    ambiguous.add(phandle);
    diagnostics.push({
      id: "phandle-duplicate",
      severity: "error",
      message: `phandle ${hex(phandle)} is claimed by ${earlier.path} and by ${node.path}; references to it are not followed`,
      place: { path: node.path },
    });
  }
  for (const phandle of ambiguous) nodes.delete(phandle);
  return { nodes, diagnostics };
};
