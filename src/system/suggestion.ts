/** The name that was probably meant. */
import { distance } from "fastest-levenshtein";
import { printable } from "../base/diagnostic.ts";

/** Known names that are compared with an unknown one; a spec with more gets no better hint. */
const COMPARED_NAMES = 256;

/** ` (did you mean …?)` for a name that is close to a known one, else an empty string. */
export const didYouMean = (written: string, known: Iterable<string>): string => {
  const near = [...known]
    .slice(0, COMPARED_NAMES)
    .map((candidate) => ({ candidate, far: distance(written.slice(0, 64), candidate) }))
    .filter(({ far, candidate }) => far <= Math.max(2, Math.floor(candidate.length / 3)) && far < Math.min(written.length, candidate.length))
    .toSorted((a, b) => a.far - b.far)[0];
  return near === undefined ? "" : ` (did you mean \`${printable(near.candidate)}\`?)`;
};
