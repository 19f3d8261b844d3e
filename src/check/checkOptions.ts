/** What can be asked of a check, and the bounds of one that is asked for nothing. */
import type { Profile } from "../kernel/profile.ts";
import type { Reduction } from "../kernel/reductions.ts";
import type { Scope } from "../system/scale.ts";
import type { Bounds, Watch } from "./breadth.ts";
import type { KeepingOptions } from "./keeping.ts";
import type { Property } from "./properties.ts";

export interface CheckOptions extends KeepingOptions {
  readonly scope?: Scope;
  readonly bounds?: Partial<Bounds>;
  readonly profile?: Profile;
  readonly caches?: "may" | "none";
  readonly properties?: readonly Property[];
  /** Different traces to each property that is violated; 1 by default. */
  readonly traces?: number;
  /** Reductions to leave out; none when left out. */
  readonly unreduced?: readonly Reduction[];
  /** Threads that explore; 1 when left out. */
  readonly workers?: number;
  readonly watch?: Watch;
}

export const defaultBounds: Bounds = { states: 2_000_000, depth: 1000, seconds: 600 };
