/** Memory types in words: a byte of MAIR, the MemAttr of a stage-2 descriptor, shareability. */

const DEVICE = ["Device-nGnRnE", "Device-nGnRE", "Device-nGRE", "Device-GRE"] as const;
const SHAREABILITY = ["non-shareable", "reserved shareability", "outer shareable", "inner shareable"] as const;
export const shareability = (encoding: number): string => SHAREABILITY[encoding & 3]!;

const ALLOCATION = ["", " write-allocate", " read-allocate", " read-write-allocate"] as const;
/** One nibble of a Normal memory type; a 0 is reserved and acts as transient write-through (IHI 0070 section 5.4 MAIR0). */
const cacheability = (nibble: number): string => {
  if (nibble === 0) return "transient write-through read-write-allocate (reserved value 0)";
  if (nibble === 4) return "non-cacheable";
  const how = (nibble & 4) !== 0 ? "write-back" : "write-through";
  return `${nibble < 8 ? "transient " : ""}${how}${ALLOCATION[nibble & 3]!}`;
};

/** What a byte of MAIR says (DDI 0487 "MAIR_EL1"; IHI 0070 section 5.4 MAIR0 for the reserved values). */
export const mairType = (byte: number): string => {
  const [outer, inner] = [byte >> 4, byte & 15];
  if (outer === 0) return DEVICE[inner >> 2]!;
  return outer === inner ? `Normal ${cacheability(outer)}` : `Normal, outer ${cacheability(outer)}, inner ${cacheability(inner)}`;
};

const STAGE_2 = ["", "non-cacheable", "write-through", "write-back"] as const;
/** With S2FWB, MemAttr[2:0] decides alone or changes what stage 1 says (DDI 0487 tables D8-100 and D8-101). */
const FORCED = ["Normal (reserved value)", "Normal non-cacheable, or Device where stage 1 says so", "Normal write-back", "as stage 1 says"] as const;

/** What MemAttr[3:0] of a stage-2 leaf says (DDI 0487 table D8-96). */
export const stage2Type = (memAttr: number, forcesWriteBack: boolean): string => {
  if (forcesWriteBack) return (memAttr & 4) === 0 ? DEVICE[memAttr & 3]! : FORCED[memAttr & 3]!;
  const [outer, inner] = [memAttr >> 2, memAttr & 3];
  if (outer === 0) return DEVICE[inner]!;
  if (inner === 0) return "Normal (reserved value)";
  return outer === inner ? `Normal ${STAGE_2[outer]!}` : `Normal, outer ${STAGE_2[outer]!}, inner ${STAGE_2[inner]!}`;
};
