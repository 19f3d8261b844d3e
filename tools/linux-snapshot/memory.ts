/** Physical memory as the walker reads it, with a note of every page that it needed and what for. */
import { fail } from "./failure.ts";

export interface Memory {
  /** The 4096 bytes of a page, or undefined where there is no memory. The address is a multiple of 4096. */
  readonly page: (address: bigint) => Uint8Array | undefined;
}

/** What each page is, by its address; pages in the order in which they were met. */
export type PageTags = Map<bigint, Set<string>>;

export interface NotedMemory {
  /** The 64-bit little-endian word at a multiple of 8 (or 4), or undefined where there is no memory. */
  readonly word: (address: bigint, tag: string) => bigint | undefined;
  /** Bytes of a range that lies in memory; a page that holds only zeros is not noted. */
  readonly range: (first: bigint, length: number, tag: string) => Uint8Array;
  readonly tags: PageTags;
}

const PAGE = 0x1000n;
/** Some thirty times what a guest with 25 devices needs. Tables that point at themselves would be read for ever. */
const MOST_WORDS = 2 ** 23;

/** Notes pages as they are read. Reading throws Failure when the tables take more words than a real system's would. */
export const noted = ({ page }: Memory): NotedMemory => {
  const tags: PageTags = new Map();
  const kept = new Map<bigint, Buffer | undefined>();
  let words = 0;
  const spend = (count: number): void => {
    words += count;
    if (words > MOST_WORDS) fail(`the tables take more than ${MOST_WORDS} words to read: they point at themselves, or the registers are not those of an SMMU that is in use`);
  };
  const note = (address: bigint, tag: string): void => void tags.set(address, (tags.get(address) ?? new Set<string>()).add(tag));
  const pageAt = (address: bigint): Buffer | undefined => {
    if (!kept.has(address)) {
      const bytes = page(address);
      kept.set(address, bytes === undefined ? undefined : Buffer.from(bytes));
    }
    return kept.get(address);
  };
  return {
    tags,
    word: (address, tag) => {
      spend(1);
      const base = address - (address % PAGE);
      const bytes = pageAt(base);
      if (bytes === undefined) return undefined;
      note(base, tag);
      return bytes.readBigUInt64LE(Number(address - base));
    },
    range: (first, length, tag) => {
      spend(length / 8);
      const out = Buffer.alloc(length);
      for (let at = 0; at < length; ) {
        const address = first + BigInt(at);
        const offset = Number(address % PAGE);
        const size = Math.min(length - at, Number(PAGE) - offset);
        const bytes = pageAt(address - BigInt(offset));
        if (bytes !== undefined && bytes.some((byte) => byte !== 0)) {
          note(address - BigInt(offset), tag);
          bytes.copy(out, at, offset, offset + size);
        }
        at += size;
      }
      return out;
    },
  };
};
