/** What slots and DMA paths are called in traces and verdicts. */
import { hex } from "../base/words.ts";
import type { Plan, SlotPlace } from "../kernel/plan.ts";
import type { Layout, LayoutDmaPath } from "../system/layout.ts";

/** Where a slot is, for people. */
export const placeName = (plan: Plan, place: SlotPlace): string => {
  switch (place.in) {
    case "sidNode":
      return `SIDNode[${plan.sids[place.sid]!.name}]`;
    case "cbNode":
      return `CBNode[${plan.cbs[place.cb]!.name}]`;
    case "thread":
      return `${plan.threads[place.thread]!.name}'s slot ${place.index}`;
    case "irq":
      return `IRQNode[${plan.irqs[place.irq]!}]`;
    default:
      return `${plan.cnodes[place.cnode]!.name} slot ${place.index}`;
  }
};

export const pathName = (layout: Layout, { sid, region, iova, access }: LayoutDmaPath): string =>
  `${layout.sids[sid]!.name} ${access} ${layout.regions[region]!.name} at IOVA ${hex(iova)}`;
