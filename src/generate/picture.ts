/** A Mermaid flow chart of who uses what: component, stream, context bank, address space, region. */
import { hex } from "../base/words.ts";
import type { Layout } from "../system/layout.ts";
import { mermaid } from "./escape.ts";
import { mappingRuns } from "./mapping.ts";

interface PictureNode {
  readonly id: string;
  readonly label: string;
}
interface PictureEdge {
  readonly from: string;
  readonly to: string;
  readonly label: string;
}
export interface Picture {
  readonly nodes: readonly PictureNode[];
  readonly edges: readonly PictureEdge[];
}

const distinct = (edges: readonly PictureEdge[]): readonly PictureEdge[] => [...new Map(edges.map((edge) => [JSON.stringify(edge), edge])).values()];

const edgesOf = (layout: Layout): readonly PictureEdge[] =>
  distinct([
    ...layout.sids.map(({ owner }, sid) => ({ from: `c${owner}`, to: `s${sid}`, label: "owns" })),
    ...layout.bindings.flatMap(({ sid, cb, vspace }) => [
      { from: `s${sid}`, to: `b${cb}`, label: "bind" },
      { from: `b${cb}`, to: `v${vspace}`, label: "assign" },
    ]),
    ...mappingRuns(layout).map(({ vspace, region, rights, iova }) => ({ from: `v${vspace}`, to: `r${region}`, label: mermaid(`${rights} at ${hex(iova)}`) })),
  ]);

/** Only what has an edge is drawn: a region that no device can reach is in the physical map. */
export const pictureOf = (layout: Layout): Picture => {
  const edges = edgesOf(layout);
  const used = new Set(edges.flatMap(({ from, to }) => [from, to]));
  const all: readonly PictureNode[] = [
    ...layout.components.map(({ name, trusted }, index) => ({ id: `c${index}`, label: mermaid(`${name}${trusted ? "" : " (untrusted)"}`) })),
    ...layout.sids.map(({ name, sid }, index) => ({ id: `s${index}`, label: mermaid(`stream ${hex(sid)} ${name}`) })),
    ...layout.cbs.map(({ name, number }, index) => ({ id: `b${index}`, label: mermaid(`CB ${number} ${name}`) })),
    ...layout.vspaces.map(({ name }, index) => ({ id: `v${index}`, label: mermaid(`VSpace ${name}`) })),
    ...layout.regions.map(({ name, base }, index) => ({ id: `r${index}`, label: mermaid(`${name} ${hex(base)}`) })),
  ];
  return { nodes: all.filter(({ id }) => used.has(id)), edges };
};
