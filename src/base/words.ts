/**
 * Words that must not be mixed up. An address is a bigint in bytes; the brand says in which address space it lives.
 * The brands cost nothing at run time: they only keep an IOVA from being used where a physical address is meant.
 */
declare const brand: unique symbol;

/** The address a device puts on the bus: input of the SMMU. */
export type Iova = bigint & { readonly [brand]: "Iova" };
/** Intermediate physical address: output of stage 1, input of stage 2 (equal to the IOVA when stage 1 is off). */
export type Ipa = bigint & { readonly [brand]: "Ipa" };
/** Physical address: output of the SMMU, and where its tables live. */
export type Pa = bigint & { readonly [brand]: "Pa" };
/** StreamID: which device the SMMU takes a transaction to come from (IHI 0070, "StreamID"). */
export type StreamId = number & { readonly [brand]: "StreamId" };

export const iova = (value: bigint): Iova => value as Iova;
export const ipa = (value: bigint): Ipa => value as Ipa;
export const pa = (value: bigint): Pa => value as Pa;
export const streamId = (value: number): StreamId => value as StreamId;

/** Bytes of the smallest page and of every table page here: the 4 KiB granule. */
export const PAGE_BYTES = 0x1000n;
/** `address` with the bits below its 4 KiB page cleared. */
export const pageOf = <A extends bigint>(address: A): A => (address & ~(PAGE_BYTES - 1n)) as A;

/** A number as the interchange formats write it: lower-case hex with `0x`. */
export const hex = (value: bigint | number): string => `0x${value.toString(16)}`;
