/** A component's slots for people: the many frames of one region in consecutive slots are one line. */
import { frameBytes, type Layout, type LayoutCap, type LayoutComponent, type LayoutSlot } from "../system/layout.ts";

export interface SlotRun {
  /** The first slot; the capability of the nth is the same, n frames further. */
  readonly first: LayoutSlot;
  /** Position of the first in the component's `slots`. */
  readonly position: number;
  readonly count: number;
}

/** `next` is `cap`, `frames` frames further on, mapped (or not) alike. */
const follows = (layout: Layout, cap: LayoutCap, next: LayoutCap, frames: number): boolean => {
  if (cap.kind !== "frame" || next.kind !== "frame") return false;
  const bytes = BigInt(frames) * frameBytes(layout, cap.region);
  if (cap.region !== next.region || cap.rights !== next.rights || cap.pa + bytes !== next.pa) return false;
  if (cap.mapped === undefined || next.mapped === undefined) return cap.mapped === next.mapped;
  return cap.mapped.vspace === next.mapped.vspace && cap.mapped.iova + bytes === next.mapped.iova;
};

/** In slot order. */
export const slotRuns = (layout: Layout, { slots }: LayoutComponent): readonly SlotRun[] => {
  const runs: SlotRun[] = [];
  const ordered = slots.map((slot, position) => ({ slot, position })).toSorted((a, b) => a.slot.slot - b.slot.slot);
  for (const { slot, position } of ordered) {
    const run = runs.at(-1);
    if (run !== undefined && slot.slot === run.first.slot + run.count && follows(layout, run.first.cap, slot.cap, run.count)) runs[runs.length - 1] = { ...run, count: run.count + 1 };
    else runs.push({ first: slot, position, count: 1 });
  }
  return runs;
};
