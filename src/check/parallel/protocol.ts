/**
 * How several threads explore one system. Each state belongs to one thread, by its hash; who finds a state that belongs to
 * another sends it there. Threads go level by level, so all agree on which states are how far away, whatever their number
 * and whoever is faster.
 *
 * Paths are not kept. Where a property is violated, the way there is found backwards: of every state of the level before,
 * the fewest steps to a violating state and the first instance that begins such a way; then of the level before that. So
 * the trace is the one with fewest invocations, then fewest steps, then least in declared order (design §6).
 */
import type { Layout } from "../../system/layout.ts";
import type { Scope } from "../../system/scale.ts";
import type { Profile } from "../../kernel/profile.ts";
import type { Reduction } from "../../kernel/reductions.ts";
import type { Reached } from "../coverage.ts";

/** What a thread is told when it begins. */
export interface Enlistment {
  readonly layout: Layout;
  readonly scope: Scope;
  readonly profile: Profile;
  readonly caches: "may" | "none";
  readonly unreduced: readonly Reduction[];
  readonly properties: readonly string[];
  readonly member: number;
  readonly members: number;
  readonly words: number;
  readonly machineIds: SharedArrayBuffer;
  /** `rings[from][to]`. */
  readonly rings: readonly (readonly SharedArrayBuffer[])[];
  readonly control: SharedArrayBuffer;
  /** A bound: a thread stops expanding when all have found so many states together. */
  readonly most: number;
}

/** Words of `control`. */
export const control = { stop: 0, finished: 1, states: 2, edges: 3, expanded: 4, words: 16 } as const;

/** Values of `control.stop`: a bound or an interrupt, or a bug. */
export const STOPPED = 1;
export const FAILED = 2;

/** Entries of a ring. */
export const RING_ENTRIES = 1 << 14;

/** Which member a state belongs to: by high bits of its sum, since the low ones place it in a table. */
export const ownerOf = (sum: number, members: number): number => ((sum >>> 20) * members) >>> 12;

/** States that some way leads on from, to a violation: whole states one after another, and of each how. */
export interface Marks {
  readonly states: Uint32Array;
  /** Steps from here to the violation. */
  readonly steps: Int32Array;
  /** The instance that begins the way; -1 in the violating states. */
  readonly ordinals: Int32Array;
  /** Where that leads: the position among the marks of the next level. */
  readonly next: Int32Array;
}
export type Order =
  | { readonly order: "expand" }
  /** The violating states of the last level, for one property. */
  | { readonly order: "violating"; readonly property: number }
  /** The states of a level from which an instance leads to one of the marked ones. */
  | { readonly order: "mark"; readonly level: number; readonly targets: Pick<Marks, "states" | "steps"> }
  | { readonly order: "coverage" };
export type Report =
  | { readonly report: "ready" }
  /** `violated`: bit mask of the properties that a state of the new level violates. */
  | { readonly report: "level"; readonly found: number; readonly violated: number; readonly stopped: boolean }
  | { readonly report: "marks"; readonly marks: Marks }
  /** `asked`: fields of the profile that decided something. */
  | { readonly report: "coverage"; readonly reached: Reached; readonly asked: readonly string[] }
  | { readonly report: "failed"; readonly message: string; readonly stack?: string };
