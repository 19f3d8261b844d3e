/**
 * Third stage: everything gets its number. Addresses, slots, VMIDs and ASIDs follow from the resolved spec alone, in
 * its order, so that the same input gives the same layout and a small change of it a small change of the layout.
 */
import type { Checked } from "../base/diagnostic.ts";
import { pa, PAGE_BYTES } from "../base/words.ts";
import { draftCspaces, fillCspaces } from "./cspace.ts";
import { createFindings } from "./findings.ts";
import type { FrameRights, Layout, LayoutDmaPath, LayoutRegion, LayoutSmmu, LayoutVspace } from "./layout.ts";
import { mapAddressSpaces, type AddressSpace, type Mapping } from "./mapping.ts";
import type { Places } from "./place.ts";
import { place, streamTableBytes, type Placement } from "./placement.ts";
import type { Resolved } from "./resolve.ts";

/** Where the input came from: file names and SHA-256, as the layout records them. */
export type Origin = Pick<Layout, "board" | "spec">;

const regionsOf = ({ regions, smmus }: Resolved, placement: Placement): readonly LayoutRegion[] => [
  ...regions.map(({ name, size, kind, owner, shares, frames }, index): LayoutRegion => ({ name, base: placement.regions[index]!, size, kind, owner, shares, ...(frames === PAGE_BYTES ? {} : { frames }) })),
  { name: "objects", base: pa(placement.objects.base), size: placement.objects.size, kind: "objects", shares: [] },
  ...smmus.map(({ log2Size }, index): LayoutRegion => ({
    name: smmus.length > 1 ? `stream-table-${index}` : "stream-table",
    base: placement.streamTables[index]!,
    size: streamTableBytes(log2Size),
    kind: "stream-table",
    shares: [],
  })),
];

const smmusOf = ({ smmus }: Resolved, placement: Placement): readonly LayoutSmmu[] =>
  smmus.map(({ path, base, log2Size }, index) => ({ path, base, streamTable: placement.streamTables[index]!, log2Size }));

/** ASIDs are handed out at boot, from 1: 0 is "none" in a capability (seL4 `asidInvalid`). */
const vspacesOf = ({ vspaces, components }: Resolved, placement: Placement): readonly LayoutVspace[] =>
  vspaces.map((owner, index) => ({ name: `${components[owner]!.name}.vspace`, owner, root: placement.roots[index]!, asid: index + 1 }));

/** What policy lets `owner` do with a region, of what the mapping allows; undefined when nothing. */
const intendedAccess = ({ regions }: Resolved, owner: number, { region, access }: Mapping): FrameRights | undefined => {
  const { owner: regionOwner, shares } = regions[region]!;
  const policy = regionOwner === owner ? "rw" : shares.find((share) => share.with === owner)?.access;
  return policy === "rw" ? access : policy;
};

/** For each stream, each region that its owner maps for it and may use: the first frame, by read and by write. */
const dmaOf = (resolved: Resolved, spaces: readonly AddressSpace[], placement: Placement): readonly LayoutDmaPath[] =>
  resolved.sids.flatMap(({ owner }, sid) =>
    spaces[resolved.components[owner]!.vspace!]!.mappings.flatMap((mapping) => {
      const rights = intendedAccess(resolved, owner, mapping);
      const path = { sid, region: mapping.region, iova: mapping.base, pa: placement.regions[mapping.region]! };
      return [...(rights === undefined ? [] : [{ ...path, access: "read" } as const]), ...(rights === "rw" ? [{ ...path, access: "write" } as const] : [])];
    }),
  );

const assemble = (resolved: Resolved, origin: Origin, spaces: readonly AddressSpace[], placement: Placement, components: Layout["components"]): Layout => ({
  name: resolved.name,
  board: origin.board,
  spec: origin.spec,
  smmus: smmusOf(resolved, placement),
  regions: regionsOf(resolved, placement),
  components,
  vspaces: vspacesOf(resolved, placement),
  sids: resolved.sids.map(({ name, smmu, sid, owner, devices }) => ({ name, smmu, sid, mask: 0, owner, devices })),
  cbs: resolved.cbs.map(({ name, smmu, number, owner }) => ({ name, smmu, number, vmid: number + 1, owner })),
  devices: resolved.devices.map(({ name, owner, at, sids, unprotected }) => ({ name, owner, at, sids, ...(unprotected === undefined ? {} : { unprotected }) })),
  bindings: resolved.cbs.flatMap(({ sids, owner }, cb) => sids.map((sid) => ({ sid, cb, vspace: resolved.components[owner]!.vspace! }))).toSorted((a, b) => a.sid - b.sid),
  dma: dmaOf(resolved, spaces, placement),
});

/** Third stage. The only fault that can be left is that memory is too small. */
export const allocate = (resolved: Resolved, places: Places, origin: Origin): Checked<Layout> => {
  const findings = createFindings(places);
  const spaces = mapAddressSpaces(resolved);
  const cspaces = draftCspaces(resolved, spaces);
  const placement = place(resolved, spaces, cspaces.map(({ radix }) => radix), findings);
  if (placement === undefined) return { value: undefined, diagnostics: findings.list() };
  const components = fillCspaces(resolved, cspaces, placement);
  return { value: assemble(resolved, origin, spaces, placement, components), diagnostics: findings.list() };
};
