/** What a search is asked for, and what it answers. */
import type { Plain, Shape } from "../../base/state.ts";
import type { Compiled, CompileOptions } from "./compiled.ts";
import type { Spill } from "./levels.ts";
import type { Instance, ModelSource } from "./recipeModel.ts";

export interface SearchBounds {
  readonly states: number;
  readonly depth: number;
  readonly seconds: number;
  /** Bytes of table and queue. */
  readonly memory: number;
}
export const noBounds: SearchBounds = { states: Infinity, depth: Infinity, seconds: Infinity, memory: Infinity };

export interface SearchProgress {
  readonly states: number;
  readonly edges: number;
  readonly depth: number;
  /** States found but not yet taken to be expanded. */
  readonly frontier: number;
  readonly seconds: number;
  /** New states a second, since the progress before. */
  readonly rate: number;
  /** Share of the table's slots in use. */
  readonly load: number;
  /** Bytes of table and queue. */
  readonly memory: number;
  readonly threads: number;
}

export interface SearchOptions {
  readonly threads?: number;
  /** Needed when there are several threads and instances on accessors. */
  readonly source?: ModelSource;
  readonly bounds?: Partial<SearchBounds>;
  /** Answers true to go on. */
  readonly watch?: (progress: SearchProgress) => boolean;
  readonly watchMilliseconds?: number;
  /** First word not 0: stop. Another thread may set it. */
  readonly interrupt?: Int32Array;
  readonly compile?: CompileOptions;
  /** Written every so many seconds and when the search stops early. */
  readonly checkpoint?: { readonly file: string; readonly seconds: number };
  /** Go on from this checkpoint. */
  readonly resume?: string;
  readonly spill?: Spill;
  /** Start only when every thread runs: for measurements and tests. */
  readonly together?: boolean;
  /** States of a chunk, the unit of work of a thread. */
  readonly chunk?: number;
}

export interface SearchViolation<S extends Shape> {
  readonly property: string;
  readonly trace: readonly Instance[];
  readonly state: Plain<S>;
}

export interface SearchResult<S extends Shape> {
  /** `exhausted`: every reachable state was expanded. Otherwise the first bound that was hit. */
  readonly end: "exhausted" | "violated" | "states" | "depth" | "seconds" | "memory" | "interrupted";
  readonly states: number;
  readonly edges: number;
  readonly depth: number;
  readonly edgesByOperation: Readonly<Record<string, number>>;
  readonly widths: readonly number[];
  readonly violations: readonly SearchViolation<S>[];
  readonly seconds: number;
  readonly memory: { readonly table: number; readonly queue: number; readonly load: number };
  readonly compiled: Compiled;
}
