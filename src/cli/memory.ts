/** How much memory a run may take: a run that takes all there is is killed, and then says nothing. */
import { totalmem } from "node:os";

const MIB = 2 ** 20;
const SHARE = 0.75;
/** A bound on memory, from MiB; undefined: by what the machine, or what limits this process, has. */
export const bytesOf = (mebibytes: number | undefined): number => {
  if (mebibytes !== undefined) return mebibytes * MIB;
  const limit = process.constrainedMemory();
  return SHARE * (limit > 0 ? Math.min(limit, totalmem()) : totalmem());
};
