/**
 * Memory attributes of a transaction: what it comes with, what the stream and the tables make of them, and what leaves
 * the SMMU. Security state, instruction and privilege are not among them.
 * Source: IHI 0070 chapter 13 "Attribute Transformation" and section 5.4 MAIR0; DDI 0487 section D8.6 "Memory region
 * attributes".
 */

const DEVICES = ["Device-nGnRnE", "Device-nGnRE", "Device-nGRE", "Device-GRE"] as const;
/** Strongest first. */
export type DeviceType = (typeof DEVICES)[number];

const CACHES = ["non-cacheable", "write-through", "write-back"] as const;
/** Normal memory at the inner or the outer level. Without allocation there is no transience, and without a cache neither. */
export interface Cacheability {
  readonly cache: (typeof CACHES)[number];
  readonly readAllocate: boolean;
  readonly writeAllocate: boolean;
  readonly transient: boolean;
}

const SHAREABILITIES = ["non-shareable", "inner shareable", "outer shareable"] as const;
export type Shareability = (typeof SHAREABILITIES)[number];

/** Consistent by construction (IHI 0070 section 13.1.7): Device and non-cacheable memory are outer shareable. */
export type Attributes =
  | { readonly type: DeviceType; readonly shareability: "outer shareable" }
  | { readonly type: "Normal"; readonly inner: Cacheability; readonly outer: Cacheability; readonly shareability: Shareability };
type Normal = Extract<Attributes, { readonly type: "Normal" }>;
/** Allocation and transient hints. */
export type Hints = Omit<Cacheability, "cache">;

const NO_HINTS: Hints = { readAllocate: false, writeAllocate: false, transient: false };
/** What memory that is not cacheable is taken to have said, once it is made cacheable. */
const ALLOCATES: Hints = { readAllocate: true, writeAllocate: true, transient: false };

const level = (cache: Cacheability["cache"], { readAllocate, writeAllocate, transient }: Hints): Cacheability =>
  cache === "non-cacheable" ? { cache, ...NO_HINTS } : { cache, readAllocate, writeAllocate, transient: transient && (readAllocate || writeAllocate) };
export const device = (type: DeviceType): Attributes => ({ type, shareability: "outer shareable" });
export const normal = (inner: Cacheability, outer: Cacheability, shareability: Shareability): Attributes => {
  const cached = inner.cache !== "non-cacheable" || outer.cache !== "non-cacheable";
  return { type: "Normal", inner: level(inner.cache, inner), outer: level(outer.cache, outer), shareability: cached ? shareability : "outer shareable" };
};

const WRITE_BACK = level("write-back", ALLOCATES);
/** What a transaction has that says nothing of memory (section 13.1.3). */
export const INCOMING: Attributes = normal(WRITE_BACK, WRITE_BACK, "non-shareable");
/**
 * What an ATS Translated transaction has: the fixed "cached, shared" that section 13.6.2 allows instead of attributes that
 * are kept for it. Which shareability that is, the text leaves to the system; here inner.
 */
export const CACHED_SHARED: Attributes = normal(WRITE_BACK, WRITE_BACK, "inner shareable");

// Decoding.

/** SH. The reserved 1 may be any (DDI 0487 J1.3 DecodeShareability); here the strongest. */
const SH: readonly Shareability[] = ["non-shareable", "outer shareable", "outer shareable", "inner shareable"];
const shareabilityOf = (encoding: number): Shareability => SH[encoding & 3]!;
const allocation = (encoding: number): Omit<Hints, "transient"> => ({ readAllocate: (encoding & 2) !== 0, writeAllocate: (encoding & 1) !== 0 });

/** A nibble of a MAIR byte of Normal memory; 0, reserved, is transient write-through that allocates for both. */
const nibble = (encoding: number): Cacheability => {
  if (encoding === 0) return level("write-through", { ...ALLOCATES, transient: true });
  if (encoding === 4) return level("non-cacheable", NO_HINTS);
  return level((encoding & 4) === 0 ? "write-through" : "write-back", { ...allocation(encoding), transient: encoding < 8 });
};
/** A byte of MAIR, with SH: reserved values as IHI 0070 section 5.4 MAIR0 says, where it departs from DDI 0487. */
export const mairAttributes = (byte: number, shareability: number): Attributes =>
  byte >> 4 === 0 ? device(DEVICES[(byte >> 2) & 3]!) : normal(nibble(byte & 15), nibble(byte >> 4), shareabilityOf(shareability));

/** Two bits of MemAttr; stage 2 says nothing of hints. The reserved 0 may be any value; here it is non-cacheable. */
const half = (encoding: number): Cacheability => level(CACHES[Math.max(encoding, 1) - 1]!, ALLOCATES);
/** MemAttr[3:0] without S2FWB, with SH (DDI 0487 table D8-96). */
export const memAttrAttributes = (memAttr: number, shareability: number): Attributes =>
  memAttr >> 2 === 0 ? device(DEVICES[memAttr & 3]!) : normal(half(memAttr & 3), half(memAttr >> 2), shareabilityOf(shareability));

/** What a stage-1 leaf says: its byte of MAIR, and SH. */
export interface Stage1Memory {
  readonly mair: number;
  readonly shareability: number;
}
/** What a stage-2 leaf says: MemAttr[3:0] and SH; `forced` where S2FWB gives MemAttr its other meaning. */
export interface Stage2Memory {
  readonly memAttr: number;
  readonly shareability: number;
  readonly forced: boolean;
}
/** What of a context decides about memory: the bytes of MAIR, and whether AttrIndx has a fourth bit (CD.AIE). */
export interface MemoryTypes {
  readonly memoryTypes: bigint;
  readonly wideIndex: boolean;
}
const LAST_TYPE = 7;
/** What the bits of a stage-1 leaf say. An index beyond 7 is the last byte (IHI 0070 section 5.4 MAIR0). */
export const stage1Memory = (value: bigint, { memoryTypes, wideIndex }: MemoryTypes): Stage1Memory => {
  const index = wideIndex && ((value >> 59n) & 1n) === 1n ? LAST_TYPE : Number((value >> 2n) & 7n);
  return { mair: Number((memoryTypes >> BigInt(8 * index)) & 0xffn), shareability: Number((value >> 8n) & 3n) };
};
/** What of a stage-2 regime decides about memory: S2FWB, and whether MemAttr=4 is write-back (IDR3.MTEPERM). */
export interface MemoryForm {
  readonly forcesWriteBack: boolean;
  readonly tagPermission: boolean;
}
const NO_TAG_ACCESS = 4;
const WRITE_BACK_BOTH = 15;
/** What the bits of a stage-2 leaf say. The SMMU takes NoTagAccess for plain write-back (IHI 0070 section 3.23.1). */
export const stage2Memory = (value: bigint, { forcesWriteBack, tagPermission }: MemoryForm): Stage2Memory => {
  const memAttr = Number((value >> 2n) & 15n);
  const untagged = memAttr === NO_TAG_ACCESS && tagPermission && !forcesWriteBack ? WRITE_BACK_BOTH : memAttr;
  return { memAttr: untagged, shareability: Number((value >> 8n) & 3n), forced: forcesWriteBack };
};
/** Bits of MemAttr of which Device memory has none. */
export const normalBits = ({ forcesWriteBack }: Pick<MemoryForm, "forcesWriteBack">): number => (forcesWriteBack ? 0b0100 : 0b1100);
/** Whether stage 2 by itself says Device memory: what S2PTW asks. */
export const isDevice = ({ memAttr, forced }: Stage2Memory): boolean => (memAttr & normalBits({ forcesWriteBack: forced })) === 0;

// Combining: of two attributes the stronger (IHI 0070 figure 13.1; DDI 0487 tables D8-97, D8-98, D8-103).

const stronger = (a: Shareability, b: Shareability): Shareability => SHAREABILITIES[Math.max(SHAREABILITIES.indexOf(a), SHAREABILITIES.indexOf(b))]!;
const strongerDevice = (a: DeviceType, b: DeviceType): DeviceType => DEVICES[Math.min(DEVICES.indexOf(a), DEVICES.indexOf(b))]!;
const fewer = (a: Hints, b: Hints): Hints => ({
  readAllocate: a.readAllocate && b.readAllocate,
  writeAllocate: a.writeAllocate && b.writeAllocate,
  transient: a.transient || b.transient,
});
const strongerLevel = (a: Cacheability, b: Cacheability): Cacheability => level(CACHES[Math.min(CACHES.indexOf(a.cache), CACHES.indexOf(b.cache))]!, fewer(a, b));

export const combine = (a: Attributes, b: Attributes): Attributes => {
  if (a.type !== "Normal") return b.type === "Normal" ? a : device(strongerDevice(a.type, b.type));
  return b.type === "Normal" ? normal(strongerLevel(a.inner, b.inner), strongerLevel(a.outer, b.outer), stronger(a.shareability, b.shareability)) : b;
};

const orAllocates = (input: Cacheability): Hints => (input.cache === "non-cacheable" ? ALLOCATES : input);
/**
 * S2FWB (DDI 0487 tables D8-100, D8-101, J1.1 AArch64.S2ApplyFWBMemAttrs, whose reading of reserved values this is): stage 2
 * decides, or keeps what it is given. Device and non-cacheable memory come in as outer shareable, which D8.6.2 leaves open.
 */
const force = (input: Attributes, { memAttr, shareability }: Stage2Memory): Attributes => {
  const shared = stronger(input.shareability, shareabilityOf(shareability));
  if ((memAttr & 4) === 0) return combine(input, device(DEVICES[memAttr & 3]!));
  if ((memAttr & 3) === 2) {
    const [inner, outer] = input.type === "Normal" ? [orAllocates(input.inner), orAllocates(input.outer)] : [ALLOCATES, ALLOCATES];
    return normal(level("write-back", inner), level("write-back", outer), shared);
  }
  if (input.type !== "Normal") return input;
  if ((memAttr & 3) === 3) return { ...input, shareability: shared };
  return normal(level("non-cacheable", NO_HINTS), level("non-cacheable", NO_HINTS), shared);
};
/** What stage 2 makes of the attributes that it is given (section 13.4.3). */
export const afterStage2 = (input: Attributes, memory: Stage2Memory): Attributes => (memory.forced ? force(input, memory) : combine(input, memAttrAttributes(memory.memAttr, memory.shareability)));

const hinted = (input: Cacheability, leaf: Cacheability): Cacheability => (input.cache === "non-cacheable" ? leaf : level(leaf.cache, fewer(input, leaf)));
/** Stage 1 replaces everything but the hints of cacheable memory, level by level: those are combined (section 13.4.2). */
export const afterStage1 = (input: Attributes, { mair, shareability }: Stage1Memory): Attributes => {
  const leaf = mairAttributes(mair, shareability);
  if (leaf.type !== "Normal" || input.type !== "Normal") return leaf;
  return normal(hinted(input.inner, leaf.inner), hinted(input.outer, leaf.outer), leaf.shareability);
};

// Overrides of what a transaction comes with.

/** What replaces incoming attributes; what is absent is used as it came. */
export interface Replacement {
  readonly type?: Attributes;
  readonly hints?: Hints;
  readonly shareability?: Shareability;
}
const USE_INCOMING = 1;
/** Of a replacing MemAttr the reserved values are Device memory, not unpredictable (section 5.2 MemAttr). */
const replacingType = (memAttr: number): Attributes => ((memAttr & 3) === 0 ? device("Device-nGnRnE") : memAttrAttributes(memAttr, 0));
/**
 * The override fields of an STE or of GBPA. For PCIe streams the text leaves open whether they count: here they do for every
 * stream. It also leaves open whether ALLOCCFG counts with MTCFG=0 in an STE: here it does, as in GBPA.
 */
export const replacementOf = (fields: { readonly MTCFG: number; readonly MemAttr: number; readonly ALLOCCFG: number; readonly SHCFG: number }): Replacement => ({
  ...(fields.MTCFG === 0 ? {} : { type: replacingType(fields.MemAttr) }),
  ...((fields.ALLOCCFG & 8) === 0 ? {} : { hints: { ...allocation(fields.ALLOCCFG >> 1), transient: (fields.ALLOCCFG & 1) !== 0 } }),
  ...(fields.SHCFG === USE_INCOMING ? {} : { shareability: shareabilityOf(fields.SHCFG) }),
});

const retyped = (input: Attributes, { inner, outer }: Normal): Attributes => {
  const [innerHints, outerHints] = input.type === "Normal" ? [orAllocates(input.inner), orAllocates(input.outer)] : [ALLOCATES, ALLOCATES];
  return normal(level(inner.cache, innerHints), level(outer.cache, outerHints), input.shareability);
};
/** Replaces attributes (section 13.1.4). Hints are of cacheable memory alone, and shareability too. */
export const replaced = (incoming: Attributes, { type, hints, shareability }: Replacement): Attributes => {
  if (type !== undefined && type.type !== "Normal") return type;
  const input = type === undefined ? incoming : retyped(incoming, type);
  if (input.type !== "Normal") return input;
  return normal(level(input.inner.cache, hints ?? input.inner), level(input.outer.cache, hints ?? input.outer), shareability ?? input.shareability);
};
