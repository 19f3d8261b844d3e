/**
 * How several threads explore one system. Each state belongs to one thread, by its hash; who finds a state that belongs to
 * another sends it there, with how it was found. Threads go level by level, so all agree on which states are how far away,
 * whatever their number and whoever is faster.
 *
 * Of all ways in which a state of the next level is found, its owner keeps the one with fewest steps, and among those the
 * one whose parent comes first in path order, then the first instance. When a level is whole its states are put in path
 * order across all threads, and each is told how many come before it. So paths are those of one thread (design §6):
 * fewest invocations, then fewest steps, then least in declared order.
 */
import type { Diagnostic } from "../../base/diagnostic.ts";
import type { Profile } from "../../kernel/profile.ts";
import type { Reduction } from "../../kernel/reductions.ts";
import type { Layout } from "../../system/layout.ts";
import type { Scope } from "../../system/scale.ts";
import type { Reached } from "../coverage.ts";
import type { Holdings } from "./holdings.ts";

/** What a thread is told when it begins. */
export interface Enlistment {
  readonly layout: Layout;
  readonly scope: Scope;
  readonly profile: Profile;
  readonly caches: "may" | "none";
  readonly unreduced: readonly Reduction[];
  /** Names of all properties, in order; those that are not ours come from the files. */
  readonly properties: readonly string[];
  readonly propertyFiles: readonly string[];
  /** Where it is told that code of those files is running: see answering.ts. */
  readonly answering?: SharedArrayBuffer | undefined;
  readonly member: number;
  readonly members: number;
  /** Of a collapsed state. */
  readonly words: number;
  readonly machineIds: SharedArrayBuffer;
  readonly values: SharedArrayBuffer;
  /** `rings[from][to]`. */
  readonly rings: readonly (readonly SharedArrayBuffer[])[];
  readonly control: SharedArrayBuffer;
  /** A bound: a thread stops expanding when all have found so many states together. */
  readonly most: number;
  /** What is taken for alike: how many times the group was made smaller, and where images of machine states are kept. */
  readonly symmetry?: { readonly smaller: number; readonly images: SharedArrayBuffer } | undefined;
  /** What an earlier run left to it. */
  readonly inherited: Holdings | undefined;
}

/** Words of `control`; nobody ever wakes those who wait for `nothing`. */
export const control = { stop: 0, finished: 1, states: 2, edges: 3, expanded: 4, nothing: 5, words: 16 } as const;

/** Values of `control.stop`: for a while, to be kept; by a bound or an interrupt; or since a thread failed. */
export const PAUSED = 1;
export const STOPPED = 2;
export const FAILED = 3;

/** Which member a state belongs to: by high bits of its sum, since the low ones place it in a table. */
export const ownerOf = (sum: number, members: number): number => ((sum >>> 20) * members) >>> 12;

/** A state by one number: its owner, and which of the owner's it is. */
export const codeOf = (member: number, index: number, members: number): number => index * members + member;
export const memberOf = (code: number, members: number): number => code % members;
export const indexOf = (code: number, members: number): number => Math.floor(code / members);

/** A state of the level that was judged, and the properties that it violates, as a bit mask. */
export interface JudgedBad {
  readonly index: number;
  readonly rank: number;
  readonly steps: number;
  readonly violated: number;
}
/** A property of the user's own that did not judge a state. */
export interface Unjudged {
  readonly index: number;
  readonly rank: number;
  readonly property: string;
  readonly message: string;
}

export type Order =
  /** Goes on expanding the level. */
  | { readonly order: "expand" }
  /** Puts what it found of the next level in path order. */
  | { readonly order: "sort" }
  /** Makes that the level, and judges it; of each state in that order, how many of all threads come before it. */
  | { readonly order: "judge"; readonly ranks: Int32Array }
  | { readonly order: "tell" };
export type Report =
  /** `found`: how many states of the next level it has; `stopped`: some of the level is left to expand. */
  | { readonly report: "expanded"; readonly found: number; readonly stopped: boolean }
  /** The keys (origins.ts) of what it found, ascending. */
  | { readonly report: "sorted"; readonly keys: Float64Array }
  | { readonly report: "judged"; readonly bad: readonly JudgedBad[]; readonly unjudged: Unjudged | undefined }
  /** `asked`: fields of the profile that decided something. `represented`: how many states those that it holds stand for. */
  | { readonly report: "told"; readonly holdings: Holdings; readonly reached: Reached; readonly asked: readonly string[]; readonly represented: number }
  | { readonly report: "notAlike"; readonly message: string }
  | { readonly report: "refused"; readonly diagnostics: readonly Diagnostic[] }
  | { readonly report: "failed"; readonly message: string; readonly stack?: string };
