/** What stands mapped in the address spaces at boot, frame by frame in the layout, here as contiguous runs. */
import type { Iova, Pa } from "../base/words.ts";
import { frameBytes, type FrameRights, type Layout, type LayoutCap } from "../system/layout.ts";

export interface MappingRun {
  readonly vspace: number;
  readonly region: number;
  readonly iova: Iova;
  readonly pa: Pa;
  /** Bytes. */
  readonly size: bigint;
  readonly rights: FrameRights;
}

export type FrameCap = Extract<LayoutCap, { readonly kind: "frame" }>;
export type MappedFrame = FrameCap & Required<Pick<FrameCap, "mapped">>;

/** The frame capabilities of all components that are mapped. */
export const mappedFrames = (layout: Layout): readonly MappedFrame[] =>
  layout.components.flatMap(({ slots }) => slots.flatMap(({ cap }) => (cap.kind === "frame" && cap.mapped !== undefined ? [cap as MappedFrame] : [])));

const compare = (a: bigint, b: bigint): number => (a < b ? -1 : a > b ? 1 : 0);

/** By address space, then by IOVA. Frames join where IOVA and physical address both go on and region and rights stay. */
export const mappingRuns = (layout: Layout): readonly MappingRun[] => {
  const runs: MappingRun[] = [];
  const frames = mappedFrames(layout).toSorted((a, b) => a.mapped.vspace - b.mapped.vspace || compare(a.mapped.iova, b.mapped.iova));
  for (const { region, pa, rights, mapped } of frames) {
    const size = frameBytes(layout, region);
    const last = runs.at(-1);
    const goesOn =
      last !== undefined &&
      last.vspace === mapped.vspace &&
      last.region === region &&
      last.rights === rights &&
      last.iova + last.size === mapped.iova &&
      last.pa + last.size === pa;
    if (goesOn) runs[runs.length - 1] = { ...last, size: last.size + size };
    else runs.push({ vspace: mapped.vspace, region, iova: mapped.iova, pa, size, rights });
  }
  return runs;
};
