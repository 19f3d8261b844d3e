/** A capability in words, for comments and tables. Names are as in the spec: escape the text for its language. */
import { hex } from "../base/words.ts";
import type { FrameRights, Layout, LayoutCap } from "../system/layout.ts";

export const rightsText = (rights: FrameRights): string => (rights === "rw" ? "read and write" : "read only");

export const bytesText = (size: bigint): string => {
  for (const [unit, bits] of [["GiB", 30n], ["MiB", 20n], ["KiB", 10n]] as const) if (size >= 1n << bits && size % (1n << bits) === 0n) return `${size >> bits} ${unit}`;
  return `${size} bytes`;
};

const frameText = (layout: Layout, cap: Extract<LayoutCap, { kind: "frame" }>, count: number): string => {
  const { name, frames } = layout.regions[cap.region]!;
  const frame = `${frames === undefined ? "" : `${bytesText(frames)} `}frame`;
  const what = count === 1 ? `${frame} of ${name}` : `${count} ${frame}s of ${name}`;
  const mapped = cap.mapped === undefined ? "not mapped" : `mapped in ${layout.vspaces[cap.mapped.vspace]!.name} at ${hex(cap.mapped.iova)}`;
  return `${what} at ${hex(cap.pa)}, ${rightsText(cap.rights)}, ${mapped}`;
};

/** `count` capabilities in consecutive slots, of which `cap` is the first. */
export const capText = (layout: Layout, cap: LayoutCap, count = 1): string => {
  switch (cap.kind) {
    case "cnode":
      return `root CNode of ${layout.components[cap.component]!.name}`;
    case "sidControl":
      return "SIDControl: issues stream capabilities";
    case "cbControl":
      return "CBControl: issues context bank capabilities";
    case "sid": {
      const { name, smmu, sid } = layout.sids[cap.sid]!;
      return `stream ${name}: ${hex(sid)} of SMMU ${smmu}`;
    }
    case "cb": {
      const { name, smmu, number } = layout.cbs[cap.cb]!;
      return `context bank ${name}: ${number} of SMMU ${smmu}`;
    }
    case "vspace":
      return `address space ${layout.vspaces[cap.vspace]!.name}`;
    case "frame":
      return frameText(layout, cap, count);
    case "pageTable":
      return `page table of level ${cap.mapped.level} in ${layout.vspaces[cap.mapped.vspace]!.name}, from ${hex(cap.mapped.iova)}`;
    case "untyped": {
      const { name, base, size } = layout.regions[cap.region]!;
      return `untyped ${name}: ${bytesText(size)} at ${hex(base)}`;
    }
  }
};
