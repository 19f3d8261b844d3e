/**
 * Physical memory as the SMMU reads it: sparse, immutable, interned by content, so that two memories that say the same
 * are one value with one id. Only executed steps make new ones. Ids are private to a run (design D6).
 */
const PAGE = 4096n;
const pageAddress = (address: bigint): bigint => address & ~(PAGE - 1n);

/** A repeated pattern over a range, such as a stream table of abort entries; never materialised. */
interface Background {
  readonly addr: bigint;
  readonly size: bigint;
  readonly pattern: readonly bigint[];
}

export interface Image {
  readonly id: number;
  /** The 64-bit word at an 8-byte aligned address; 0 where nothing was stored. */
  readonly read: (address: bigint) => bigint;
  /** Words of a 4 KiB page that are not zero, as [index, value], ascending. */
  readonly wordsOf: (page: bigint) => readonly (readonly [number, bigint])[];
  /** Pages with words that differ from their background, ascending. */
  readonly pages: readonly bigint[];
  readonly backgrounds: readonly Background[];
}

interface Stored extends Image {
  readonly contents: ReadonlyMap<bigint, ReadonlyMap<number, bigint>>;
}

/** The interning table of one run. */
export interface Images {
  readonly empty: Image;
  readonly store: (image: Image, address: bigint, value: bigint) => Image;
  readonly fill: (image: Image, address: bigint, size: bigint, pattern: readonly bigint[]) => Image;
}

const backgroundAt = (backgrounds: readonly Background[], address: bigint): bigint => {
  const background = backgrounds.findLast(({ addr, size }) => address >= addr && address < addr + size);
  return background === undefined ? 0n : background.pattern[Number(((address - background.addr) / 8n) % BigInt(background.pattern.length))]!;
};

const keyOf = (contents: ReadonlyMap<bigint, ReadonlyMap<number, bigint>>, backgrounds: readonly Background[]): string => {
  const pages = [...contents].toSorted(([a], [b]) => (a < b ? -1 : 1));
  const words = pages.map(([page, stored]) => `${page}:${[...stored].toSorted(([a], [b]) => a - b).join(" ")}`);
  return `${words.join("|")}#${backgrounds.map(({ addr, size, pattern }) => `${addr} ${size} ${pattern.join(" ")}`).join("|")}`;
};

const makeImage = (id: number, contents: Stored["contents"], backgrounds: readonly Background[]): Stored => {
  const read = (address: bigint): bigint => contents.get(pageAddress(address))?.get(Number((address & (PAGE - 1n)) / 8n)) ?? backgroundAt(backgrounds, address);
  const known = new Map<bigint, readonly (readonly [number, bigint])[]>();
  return {
    id,
    contents,
    backgrounds,
    read,
    pages: [...contents.keys()].toSorted((a, b) => (a < b ? -1 : 1)),
    wordsOf: (page) => {
      let words = known.get(page);
      if (words === undefined) {
        const all = Array.from({ length: 512 }, (_, index) => [index, read(page + BigInt(index * 8))] as const);
        known.set(page, (words = all.filter(([, value]) => value !== 0n)));
      }
      return words;
    },
  };
};

export const createImages = (): Images => {
  const byKey = new Map<string, Stored>();
  const intern = (contents: Stored["contents"], backgrounds: readonly Background[]): Stored => {
    const key = keyOf(contents, backgrounds);
    let image = byKey.get(key);
    if (image === undefined) byKey.set(key, (image = makeImage(byKey.size, contents, backgrounds)));
    return image;
  };
  const store = (image: Image, address: bigint, value: bigint): Image => {
    if (image.read(address) === value) return image;
    const { contents, backgrounds } = image as Stored;
    const page = pageAddress(address);
    const words = new Map(contents.get(page));
    const index = Number((address - page) / 8n);
    if (backgroundAt(backgrounds, address) === value) words.delete(index);
    else words.set(index, value);
    const changed = new Map(contents);
    if (words.size === 0) changed.delete(page);
    else changed.set(page, words);
    return intern(changed, backgrounds);
  };
  return {
    empty: intern(new Map(), []),
    store,
    fill: (image, address, size, pattern) => {
      const whole = address % PAGE === 0n && size % PAGE === 0n;
      const { contents, backgrounds } = image as Stored;
      const overlaps = backgrounds.some((other) => address < other.addr + other.size && other.addr < address + size);
      if (!whole || (overlaps && size <= PAGE)) {
        let filled = image;
        for (let at = 0n; at < size; at += 8n) filled = store(filled, address + at, pattern[Number((at / 8n) % BigInt(pattern.length))]!);
        return filled;
      }
      const kept = new Map([...contents].filter(([page]) => page < address || page >= address + size));
      const zero = pattern.every((word) => word === 0n) && !overlaps;
      return intern(kept, zero ? backgrounds : [...backgrounds, { addr: address, size, pattern: [...pattern] }]);
    },
  };
};
