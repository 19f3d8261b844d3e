/** What every object of a layout is called in the generated files. One name serves capDL, C and the companion file. */
import { hex } from "../base/words.ts";
import { frameBytes, type Layout, type LayoutCap } from "../system/layout.ts";
import { identifiers } from "./identifier.ts";

/** Identifiers, by index in the layout's lists. Unique in each list. */
export interface Names {
  readonly components: readonly string[];
  readonly regions: readonly string[];
  readonly vspaces: readonly string[];
  readonly sids: readonly string[];
  readonly cbs: readonly string[];
  /** By component, then by position in its `slots`. */
  readonly slots: readonly (readonly string[])[];
}

const named = (list: readonly { readonly name: string }[]): readonly string[] => identifiers(list.map(({ name }) => name));

export const namesOf = (layout: Layout): Names => ({
  components: named(layout.components),
  regions: named(layout.regions),
  vspaces: named(layout.vspaces),
  sids: named(layout.sids),
  cbs: named(layout.cbs),
  slots: layout.components.map(({ slots }) => named(slots)),
});

/** capDL's type of a translation table by its level; a table of level 0 is the root. */
export const TABLE_TYPES = ["pgd", "pud", "pd", "pt"] as const;

export const rootName = (names: Names, vspace: number): string => `pgd_${names.vspaces[vspace]!}`;

/** The table of `level` that covers `iova`; the root for level 0. */
export const tableName = (names: Names, vspace: number, level: number, iova: bigint): string =>
  level === 0 ? rootName(names, vspace) : `${TABLE_TYPES[level]!}_${names.vspaces[vspace]!}_${hex(iova)}`;

/** The capDL object that a capability names, or undefined where capDL has no word for it. */
export const objectName = (layout: Layout, names: Names, cap: LayoutCap): string | undefined => {
  switch (cap.kind) {
    case "cnode":
      return `cnode_${names.components[cap.component]!}`;
    case "sid":
      return `sid_${names.sids[cap.sid]!}`;
    case "cb":
      return `cb_${names.cbs[cap.cb]!}`;
    case "vspace":
      return rootName(names, cap.vspace);
    case "frame":
      // The frame's number ends the name, so that no other region's frame can have the same one.
      return `frame_${names.regions[cap.region]!}_${(cap.pa - layout.regions[cap.region]!.base) / frameBytes(layout, cap.region)}`;
    case "pageTable":
      return tableName(names, cap.mapped.vspace, cap.mapped.level, cap.mapped.iova);
    case "untyped":
      return `ut_${names.regions[cap.region]!}`;
    case "sidControl":
    case "cbControl":
      return undefined;
  }
};
