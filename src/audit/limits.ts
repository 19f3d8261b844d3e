/**
 * How much of a snapshot is told at most, so that any snapshot ends in bounded time and memory, and what was left out for
 * that reason, in words.
 */

export const limits = {
  /** Level-1 stream table descriptors that are followed. */
  level1: 2 ** 14,
  /** Stream table entries that are read; a page that repeats counts once. */
  entries: 2 ** 18,
  /** Different stream table entries that are listed, and those that are listed field by field. */
  groups: 4096,
  liveGroups: 1024,
  /** Ranges of StreamIDs of one listing. */
  sidRanges: 1024,
  /** 4 KiB pieces of context descriptor tables that are looked at, and descriptors that are listed. */
  contextPieces: 2 ** 15,
  contexts: 4096,
  addressSpaces: 512,
  users: 1024,
  /** Table descriptors that are read for one address space, and for all. */
  descriptors: 2 ** 21,
  allDescriptors: 2 ** 22,
  /** Ranges of one address space, and of all. */
  ranges: 2 ** 16,
  allRanges: 2 ** 18,
  /** Faults of the tables of one address space that are told one by one. */
  problems: 64,
  /** Records of one queue that are listed. */
  records: 16_384,
} as const;

/** A number that is used up. */
export interface Budget {
  left: number;
}

/** What was left out, each sentence once. */
export interface Cuts {
  readonly say: (sentence: string) => void;
  readonly all: () => readonly string[];
}
export const createCuts = (): Cuts => {
  const sentences = new Set<string>();
  return { say: (sentence) => void sentences.add(sentence), all: () => [...sentences] };
};
