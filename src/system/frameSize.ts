/**
 * Sizes of frames: what one leaf of a page table with a 4 KiB granule can map (DDI 0487 "VMSAv8-64 translation"; seL4
 * AArch64 seL4_PageBits, seL4_LargePageBits, seL4_HugePageBits). A frame is one object of one of them for as long as it
 * lives, and it is mapped whole, by one entry at the one level of its size.
 */

/** As a spec writes them, smallest first. */
export const FRAME_SIZES = ["4KiB", "2MiB", "1GiB"] as const;
export type FrameSize = (typeof FRAME_SIZES)[number];

const BITS: Readonly<Record<FrameSize, number>> = { "4KiB": 12, "2MiB": 21, "1GiB": 30 };
export const frameSizeBytes = (size: FrameSize): bigint => 1n << BigInt(BITS[size]);

/** log2 of a frame's bytes. */
export const frameBits = (bytes: bigint): number => bytes.toString(2).length - 1;

/** Level of the table whose entries map frames of this size: 3 for 4 KiB, 2 for 2 MiB, 1 for 1 GiB. */
export const frameLevel = (bytes: bigint): number => 3 - (frameBits(bytes) - BITS["4KiB"]) / 9;
