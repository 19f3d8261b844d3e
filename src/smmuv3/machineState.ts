/** What a kernel's steps change: memory, and of each SMMU its registers, may-cache sets and commands on their way. */
import type { Image } from "./image.ts";
import type { MayCache } from "./mayCache.ts";
import type { RegisterFile, Settings } from "./registers.ts";

/** A command between its issue and the SYNC that completes it. */
export interface Pending {
  readonly words: readonly [bigint, bigint];
  /**
   * What may be kept of what the command names if it took effect the moment it was issued: only what was fetched again
   * since then.
   */
  readonly early: MayCache;
}
/** One SMMU's part of a machine state. */
export interface Smmu {
  readonly registers: RegisterFile;
  readonly settings: Settings;
  readonly cache: MayCache;
  /** Commands issued since the last SYNC. */
  readonly pending: readonly Pending[];
  /** What was asked of it before a barrier stood behind the stores that came first: it may not have seen them then. */
  readonly overtook?: string;
  /** Why the command queue stopped, if it did: nothing further is consumed. */
  readonly wedged?: string;
}
export interface MachineState {
  readonly id: number;
  /** Memory and registers. */
  readonly imageId: number;
  /** May-cache sets, pending commands, stopped queues, stores without a barrier. */
  readonly cacheId: number;
  readonly image: Image;
  readonly smmus: readonly Smmu[];
  /** No barrier stands behind the last store yet. */
  readonly loose: boolean;
}
