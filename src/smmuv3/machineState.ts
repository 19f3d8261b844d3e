/** What a kernel's steps change: memory, and of each SMMU its registers, may-cache sets and commands on their way. */
import type { Image } from "./image.ts";
import type { MayCache } from "./mayCache.ts";
import type { RegisterFile, Settings } from "./registers.ts";

/** One SMMU's part of a machine state. */
export interface Smmu {
  readonly registers: RegisterFile;
  readonly settings: Settings;
  readonly cache: MayCache;
  /** Commands issued since the last SYNC. */
  readonly pending: readonly (readonly [bigint, bigint])[];
  /**
   * While commands are pending: the set if each took effect the moment it was issued. What was fetched again since then
   * survives the SYNC, because the command may have come first.
   */
  readonly early?: MayCache;
  /** Why the command queue stopped, if it did: nothing further is consumed. */
  readonly wedged?: string;
}
export interface MachineState {
  readonly id: number;
  /** Memory and registers. */
  readonly imageId: number;
  /** May-cache sets, pending commands, stopped queues. */
  readonly cacheId: number;
  readonly image: Image;
  readonly smmus: readonly Smmu[];
}
