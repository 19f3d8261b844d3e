/** What a kernel's steps change: memory, and of each SMMU its registers, what its TLB could hold, and invalidations under way. */
import type { Identification } from "./identification.ts";
import type { Invalidation, Scope } from "./invalidate.ts";
import type { MayCache } from "./mayCache.ts";
import type { Image } from "./memory.ts";
import type { RegisterFile } from "./registerFile.ts";

/** An invalidation that was asked for and may not have taken effect yet. */
export interface Pending {
  readonly invalidation: Invalidation;
  /** Where it was accepted: a SYNC of that bank, or the global one, covers it. */
  readonly scope: Scope;
  /** A SYNC that covers it was asked for. */
  readonly syncing: boolean;
  /** What the TLB could hold if this one, and no other, took effect the moment it was asked for. */
  readonly early: MayCache;
}
export interface Smmu {
  readonly identification: Identification;
  readonly registers: RegisterFile;
  readonly cache: MayCache;
  readonly pending: readonly Pending[];
}
export interface MachineState<I extends Image = Image> {
  readonly id: number;
  /** Memory and registers. */
  readonly imageId: number;
  /** What TLBs could hold, and pending invalidations. */
  readonly cacheId: number;
  readonly image: I;
  readonly smmus: readonly Smmu[];
}
