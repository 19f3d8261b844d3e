/** How a verdict's states were gone through, and what that leaves open. */
import type { Exploration } from "../search/breadth.ts";
import { expectedOmissions } from "./hashTable.ts";

export interface Search {
  readonly strategy: "breadth" | "depth";
  /** What was kept of a state that was met: all of it, or 64 bits of its hash. */
  readonly visited: "states" | "hashes";
  /** Of everything that was kept of states at one time. */
  readonly bytesPerState: number;
  /** Of hashes: how many states are expected to have been taken for others, which is also the most that the probability of one can be. */
  readonly omissions?: number;
}

/** A search by hashes shows nothing, whatever it went through, so its end has a name that no verdict takes for a proof. */
export const searchOf = (strategy: Search["strategy"], visited: Search["visited"], end: Exploration["end"], states: number, bytes: number): { readonly end: string; readonly search: Search } => ({
  end: visited === "hashes" && end === "exhausted" ? "exhausted-by-hash" : end,
  search: { strategy, visited, bytesPerState: Math.round(bytes / states), ...(visited === "hashes" ? { omissions: expectedOmissions(states) } : {}) },
});
