/** Policy against capability: what owners and shares allow, what the first capabilities and mappings give beyond it. */
import type { Access } from "../base/transaction.ts";
import type { FrameRights, Layout, LayoutCap } from "../system/layout.ts";
import { mappingRuns } from "./mapping.ts";

/** Whether policy lets a component use a region with these rights (design: `owner`, and `share` of each other one). */
export const isAllowed = (layout: Layout, region: number, component: number, rights: FrameRights): boolean => {
  const { owner, shares } = layout.regions[region]!;
  return owner === component || shares.some((share) => share.with === component && (share.access === "rw" || rights === "r"));
};

/** What a bound stream reaches: a run of a region's pages, as its address space maps them. */
export interface Reach {
  readonly sid: number;
  readonly region: number;
  readonly rights: FrameRights;
  readonly iova: bigint;
  readonly pa: bigint;
  readonly size: bigint;
}

/** Once every binding of the layout is made. */
export const reachOf = (layout: Layout): readonly Reach[] => {
  const runs = mappingRuns(layout);
  return layout.bindings.flatMap(({ sid, vspace }) => runs.filter((run) => run.vspace === vspace).map(({ region, rights, iova, pa, size }) => ({ sid, region, rights, iova, pa, size })));
};

/** A component that holds memory which policy does not give it. */
export interface UnsharedGrant {
  readonly component: number;
  readonly region: number;
  readonly rights: FrameRights;
}

const memoryOf = (cap: LayoutCap): { readonly region: number; readonly rights: FrameRights } | undefined => {
  if (cap.kind === "untyped") return { region: cap.region, rights: "rw" };
  return cap.kind === "frame" ? { region: cap.region, rights: cap.rights } : undefined;
};

const distinct = <T extends object>(list: readonly T[]): readonly T[] => [...new Map(list.map((item) => [JSON.stringify(item), item])).values()];

export const unsharedGrants = (layout: Layout): readonly UnsharedGrant[] =>
  distinct(
    layout.components.flatMap(({ slots }, component) =>
      slots.flatMap(({ cap }) => {
        const memory = memoryOf(cap);
        return memory === undefined || isAllowed(layout, memory.region, component, memory.rights) ? [] : [{ component, ...memory }];
      }),
    ),
  );

/** A stream that will reach memory which policy does not give its owner. */
export interface UnsharedReach {
  readonly sid: number;
  readonly region: number;
  readonly rights: FrameRights;
}

export const unsharedReach = (layout: Layout): readonly UnsharedReach[] =>
  distinct(
    reachOf(layout).flatMap(({ sid, region, rights }) => (isAllowed(layout, region, layout.sids[sid]!.owner, rights) ? [] : [{ sid, region, rights }])),
  );

/** A DMA path that the spec intends and that no mapping of a bound stream gives at boot. */
export interface MissingPath {
  readonly sid: number;
  readonly region: number;
  readonly access: Access;
}

export const missingPaths = (layout: Layout): readonly MissingPath[] => {
  const reach = reachOf(layout);
  const given = ({ sid, iova, pa, access }: Layout["dma"][number]): boolean =>
    reach.some(
      (path) =>
        path.sid === sid && path.iova <= iova && iova < path.iova + path.size && path.pa + (iova - path.iova) === pa && (access === "read" || path.rights === "rw"),
    );
  return distinct(layout.dma.filter((path) => !given(path)).map(({ sid, region, access }) => ({ sid, region, access })));
};
