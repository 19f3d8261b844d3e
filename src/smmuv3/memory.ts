/** Memory as an SMMU reads it, and what it read on a way, for people and for traces. */

/** The 64-bit word at an address, or undefined where memory does not answer. */
export type Read = (address: bigint) => bigint | undefined;

/** One word that was read on the way. */
export interface Via {
  readonly what: string;
  readonly addr: bigint;
  readonly value: bigint;
}

/** `count` words from `addr`, or undefined where memory does not answer. */
export const readWords = (read: Read, addr: bigint, count: number): bigint[] | undefined => {
  const words: bigint[] = [];
  for (let word = 0; word < count; word++) {
    const value = read(addr + BigInt(word * 8));
    if (value === undefined) return undefined;
    words.push(value);
  }
  return words;
};

/** The first four words of a structure as steps of a way: the rest says little. */
export const viaWords = (what: string, addr: bigint, words: readonly bigint[]): Via[] =>
  words.slice(0, 4).map((value, word) => ({ what: `${what} dw${word}`, addr: addr + BigInt(word * 8), value }));
