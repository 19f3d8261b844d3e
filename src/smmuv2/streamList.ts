/** Which streams are told one by one: all that some entry is for. The others are told as one, since they fare alike. */
import { Smr } from "../../specs/smmuv2/registers.ts";
import type { Identification } from "./identification.ts";
import { type RegisterFile, valueOf } from "./registerFile.ts";

/** Stands for every stream that is not listed by itself. */
export const OTHERS = -1;

/** OTHERS first, where there are any, then StreamIDs ascending. */
export const listStreams = (identification: Identification, file: RegisterFile): number[] => {
  const { matching, groups, streamBits } = identification;
  const count = 2 ** streamBits;
  if (!matching) return Array.from({ length: Math.min(count, groups) }, (_, sid) => sid);
  const named = new Set<number>();
  for (let group = 0; group < groups; group++) {
    const smr = valueOf(file, "SMR", group);
    if (smr === 0n) continue;
    const { VALID, MASK, ID } = Smr.decode([smr]);
    if (VALID === 0n) continue;
    const mask = Number(MASK) & (count - 1);
    // An ID with a bit beyond the StreamIDs of this SMMU, and no mask over it, matches nothing.
    if ((Number(ID) & ~Number(MASK)) >= count) continue;
    const base = Number(ID) & ~mask & (count - 1);
    // Every subset of the mask's bits.
    for (let free = mask; ; free = (free - 1) & mask) {
      named.add(base | free);
      if (free === 0) break;
    }
  }
  const listed = [...named].toSorted((a, b) => a - b);
  return listed.length < count ? [OTHERS, ...listed] : listed;
};
