/** What can be asked of a check, and the bounds of one that is asked for nothing. */
import type { Profile } from "../kernel/profile.ts";
import type { Reduction } from "../kernel/reductions.ts";
import type { Scope } from "../system/scale.ts";
import type { Bounds, Watch } from "./search/breadth.ts";
import type { KeepingOptions } from "./kept/keeping.ts";
import type { Property } from "./properties/property.ts";
import type { Search } from "./strategies/search.ts";

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
  /** Breadth first, so that traces are shortest, when left out: whoever runs a check looks at this and the next (worker.ts). */
  readonly strategy?: Search["strategy"];
  /** What is kept of a state that was met; all of it when left out. */
  readonly visited?: Search["visited"];
  /** Threads that explore; 1 when left out. */
  readonly workers?: number;
  readonly watch?: Watch;
}

export const defaultBounds: Bounds = { states: 2_000_000, depth: 1000, seconds: 600 };
