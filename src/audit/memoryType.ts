/** Memory types in words: a byte of MAIR, the MemAttr of a stage-2 descriptor, shareability. */
import { type Cacheability, mairAttributes, memAttrAttributes } from "../smmuv3/attributes.ts";

/** As it stands in a descriptor: of Device and non-cacheable memory it says nothing. */
const SHAREABILITY = ["non-shareable", "reserved shareability", "outer shareable", "inner shareable"] as const;
export const shareability = (encoding: number): string => SHAREABILITY[encoding & 3]!;

/** Normal memory at one level, with its hints. */
export const cacheability = ({ cache, readAllocate, writeAllocate, transient }: Cacheability): string => {
  const allocates = [...(readAllocate ? ["read"] : []), ...(writeAllocate ? ["write"] : [])];
  return `${transient ? "transient " : ""}${cache}${allocates.length === 0 ? "" : ` ${allocates.join("-")}-allocate`}`;
};
const normal = (outer: string, inner: string): string => (outer === inner ? `Normal ${outer}` : `Normal, outer ${outer}, inner ${inner}`);

/** What a byte of MAIR says, with what reserved values behave as (IHI 0070 section 5.4 MAIR0). */
export const mairType = (byte: number): string => {
  const is = mairAttributes(byte, 0);
  return is.type === "Normal" ? normal(cacheability(is.outer), `${cacheability(is.inner)}${(byte & 15) === 0 ? " (reserved value 0)" : ""}`) : is.type;
};

/** With S2FWB, MemAttr[2:0] decides alone or changes what stage 1 says (DDI 0487 tables D8-100 and D8-101). */
const FORCED = ["Normal (reserved value)", "Normal non-cacheable, or Device where stage 1 says so", "Normal write-back", "as stage 1 says"] as const;

/** What MemAttr[3:0] of a stage-2 leaf says (DDI 0487 table D8-96); of hints it says nothing. */
export const stage2Type = (memAttr: number, forcesWriteBack: boolean): string => {
  if (forcesWriteBack && (memAttr & 4) !== 0) return FORCED[memAttr & 3]!;
  const is = memAttrAttributes(forcesWriteBack ? memAttr & 3 : memAttr, 0);
  if (is.type !== "Normal") return is.type;
  return (memAttr & 3) === 0 ? "Normal (reserved value)" : normal(is.outer.cache, is.inner.cache);
};
