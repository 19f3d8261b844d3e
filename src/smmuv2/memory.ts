/**
 * Physical memory as this machine needs it: immutable images that are interned by content, handed in from outside, and the
 * words that were read on a way. The machine makes no memory of its own, so that one memory can stand behind several.
 */

/** The words of a 4 KiB page that are not zero, as [index, value], ascending. Equal pages are the same object. */
export type PageWords = readonly (readonly [index: number, value: bigint])[];

export interface Image {
  /** The same for equal contents, and only for those. */
  readonly id: number;
  /** The 64-bit word at an 8-byte aligned address; 0 where nothing was stored. */
  readonly read: (address: bigint) => bigint;
  readonly wordsOf: (page: bigint) => PageWords;
}
/** How images come from one another. */
export interface Images<I extends Image = Image> {
  readonly empty: I;
  readonly store: (image: I, address: bigint, value: bigint) => I;
  /** Every word of [address, address+size) becomes the matching word of the repeated pattern. */
  readonly fill: (image: I, address: bigint, size: bigint, pattern: readonly bigint[]) => I;
}

/** One word that decided: of memory, or a register, whose `addr` is then its offset in the SMMU. */
export interface Via {
  readonly what: string;
  readonly addr: bigint;
  readonly value: bigint;
}
