/** Tables of any granule, written entry by entry as an operating system does: what the tests and benchmarks of walks share. */
import { createImages, type Image } from "../../src/smmuv3/image.ts";
import { type Form, type Granule, levelShift, shapeOf } from "../../src/smmuv3/descriptor.ts";
import { formOf } from "../../src/smmuv3/walk.ts";

/** What `Half` and `Stage2` have in common. */
export interface Rooted {
  readonly granule: Granule;
  readonly inputBits: number;
  readonly startLevel: number;
  readonly outputBits: number;
  readonly wide: boolean;
  readonly root: bigint;
}
export type Words = Map<bigint, bigint>;
/** Where an entry of a table lies in physical memory; undefined where that cannot be said. */
export type Where = (address: bigint) => bigint | undefined;
export const inPlace: Where = (address) => address;

export const below = (bits: number): bigint => (1n << BigInt(bits)) - 1n;

/** An address as a descriptor holds it. */
export const addressBitsOf = (address: bigint, { granule, wide }: Form): bigint => (wide && granule === 16 ? (address & below(48)) | (((address >> 48n) & 0xfn) << 12n) : address & below(48));

/** What is written on the way to an address, and where it ends. */
export interface Entry {
  /** Tables below the root are at these addresses. */
  readonly freshTable: () => bigint;
  /** Attributes of tables and of the leaf, without type and address. */
  readonly tableBits: bigint;
  readonly leafBits: bigint;
  readonly leafLevel: number;
  readonly target: bigint;
}

/** Writes what is missing for an address, down to a leaf at `leafLevel` or the first level below that may have one. Gives the output address. */
export const mapAddress = (words: Words, tables: Rooted, address: bigint, entry: Entry, where: Where = inPlace): bigint | undefined => {
  const { granule } = tables;
  const form = formOf(tables);
  const within = address & below(tables.inputBits);
  let table = tables.root;
  for (let level = tables.startLevel; level <= 3; level++) {
    const shift = levelShift(level, granule);
    const index = level === tables.startLevel ? within >> shift : (within >> shift) & below(granule - 3);
    const at = where(table + 8n * index);
    if (at === undefined) return undefined;
    let value = words.get(at);
    if (value === undefined) {
      const type = level === 3 ? 3n : 1n;
      const ends = level >= entry.leafLevel && shapeOf(type, level, form).is === "leaf";
      value = ends ? entry.leafBits | type | addressBitsOf(entry.target & ~below(Number(shift)), form) : entry.tableBits | 3n | addressBitsOf(entry.freshTable(), form);
      words.set(at, value);
    }
    const shape = shapeOf(value, level, form);
    if (shape.is === "invalid") return undefined;
    if (shape.is === "leaf") return shape.pa + (within & (shape.size - 1n));
    table = shape.next;
  }
  return undefined;
};

/** An image of some words. */
export const imageOf = (words: Words): Image => {
  const images = createImages();
  const pages = new Map<bigint, bigint[]>();
  for (const [at, value] of words) {
    const page = at & ~0xfffn;
    if (!pages.has(page)) pages.set(page, Array.from({ length: 512 }, () => 0n));
    pages.get(page)![Number((at & 0xfffn) >> 3n)] = value;
  }
  let image = images.empty;
  for (const [page, content] of pages) image = images.fill(image, page, 0x1000n, content);
  return image;
};
