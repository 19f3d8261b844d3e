/** How a verdict names a DMA path. */
import { hex } from "../base/words.ts";
import type { Layout, LayoutDmaPath } from "../system/layout.ts";

export const pathName = (layout: Layout, { sid, region, iova, access }: LayoutDmaPath): string =>
  `${layout.sids[sid]!.name} ${access} ${layout.regions[region]!.name} at IOVA ${hex(iova)}`;
