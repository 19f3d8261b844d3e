/**
 * The verdict: what was shown, for which scope, under which assumptions, and what was never reached. A run that hit a
 * bound says so in its result, so that it cannot be read as a proof.
 */
import { invocations } from "../kernel/invocations.ts";
import type { Profile } from "../kernel/profile.ts";
import type { Layout } from "../system/layout.ts";
import type { Scope } from "../system/scale.ts";
import type { OperationCoverage } from "./coverage.ts";
import type { Replay } from "./traces/replay.ts";
import type { Search } from "./strategies/search.ts";
import type { Trace, TraceModel } from "./traces/trace.ts";

export interface VerdictViolation {
  readonly property: string;
  readonly sentence: string;
  readonly message: string;
  /** Invocations on the trace. */
  readonly length?: number;
  /** False where the trace is short, and it is not shown that none is shorter. */
  readonly shortest?: false;
  readonly trace?: Trace;
  /** The same messages on the whole layout, not scaled. */
  readonly unscaled?: Replay;
}

/** What a run of random walks looked at; `states` of the verdict counts the distinct ones, `transitions` what was performed. */
export interface Sampled {
  readonly seed: number;
  /** Walks made, of `runs` asked for, each of at most `length` invocations. */
  readonly walks: number;
  readonly runs: number;
  readonly length: number;
  /** The whole layout was walked, not a scaled one. */
  readonly whole: boolean;
  /** Invocations that the kernel refused. */
  readonly refused: number;
  /** Different pairs of refusals that held of one invocation; the first of them is what the kernel answered. */
  readonly refusalPairs: number;
  /** Where a property failed: the invocations performed on the walk before it was shrunk, and the string that reproduces it. */
  readonly failed?: { readonly drawn: number; readonly replay: string };
}

/** A part of the system that was explored while the rest of it did nothing. */
export interface VerdictSlice {
  readonly components: readonly string[];
  readonly states: number;
  readonly transitions: number;
  readonly depth: number;
  /** As that of the verdict; `depth`: it was left where another one ended. */
  readonly end: string;
}

export interface Verdict {
  readonly format: "cofferdam-verdict";
  readonly version: 1;
  readonly system: string;
  readonly board: Layout["board"];
  readonly spec: Layout["spec"];
  readonly model: TraceModel;
  readonly scope: Scope;
  /**
   * `holds`: every state of this scope was explored and no property fails. `violated`: one fails. `inconclusive`: a bound
   * was hit before either, or states were only sampled; nothing was shown beyond the states that were seen.
   */
  readonly result: "holds" | "violated" | "inconclusive";
  /** Why exploration ended: `exhausted`, `violated`, `sampled`, or the bound that was hit. */
  readonly end: string;
  readonly states: number;
  readonly transitions: number;
  /** Invocations on the longest shortest path; where depth was searched first, on the longest path that was followed. */
  readonly depth: number;
  /** Left out where states were searched breadth first and kept whole. */
  readonly search?: Search;
  /** Present where there is more than one: then `states` and `transitions` are their sums, and `depth` the greatest. */
  readonly slices?: readonly VerdictSlice[];
  /** A bound came before it was certified that no slice influences another: what is said of one slice is said of it alone. */
  readonly uncertified?: true;
  /** Why components that share nothing in the first state were explored together. */
  readonly unsliced?: readonly string[];
  /** Present where random walks were made: what was not on one of them was not looked at. */
  readonly sampled?: Sampled;
  readonly adversaries: readonly string[];
  readonly trusted: readonly string[];
  readonly properties: readonly { readonly name: string; readonly sentence: string; readonly result: "holds" | "violated" | "undecided" }[];
  readonly violations: readonly VerdictViolation[];
  /** Properties that held of nothing: no state showed what each of them needs, in words. */
  readonly vacuous?: readonly { readonly property: string; readonly needs: string }[];
  readonly coverage: readonly OperationCoverage[];
  /** Invocations that exploring leaves out, by the reason. */
  readonly notTried: readonly { readonly why: string; readonly labels: readonly string[] }[];
  readonly unreachedOperations: readonly string[];
  readonly unreachedRefusals: readonly string[];
  /** DMA paths that the spec intends: those of untrusted owners are judged, those of trusted ones never open here. */
  readonly intendedPaths: { readonly judged: number; readonly ofTrusted: number; readonly unreached: readonly string[] };
  /** What exploration took for alike. */
  readonly reductions: readonly { readonly name: string; readonly says: string }[];
  /**
   * Present where things were taken for alike: in how many ways they can be exchanged, and how many states those that were
   * met stand for. `notAlike`: what else was tried and why it was given up.
   */
  readonly symmetry?: { readonly renamings: number; readonly states: number; readonly notAlike?: readonly string[] };
  readonly assumptions: readonly string[];
  /** Fields of the profile by whether a decision that reads the field was reached: the others could be anything. */
  readonly profileFields?: { readonly asked: readonly string[]; readonly never: readonly string[] };
}

const machineAssumption = {
  smmuv3: "The SMMU behaves as the model says (IHI 0070, stage 2); ATS is off, so no device claims to have translated already.",
  smmuv2: "The SMMU behaves as the model says (IHI 0062 D.c), which takes a bank with SCTLR.M=0 for one that passes everything untranslated.",
} as const;
const firmwareAssumption = {
  smmuv3: "Firmware leaves no DMA running before the kernel sets GBPA.ABORT, and the machine is reset physically in between.",
  smmuv2: "Firmware leaves no DMA running before the kernel clears CR0.CLIENTPD, and the machine is reset physically in between.",
} as const;

/** What every verdict rests on (design D13). */
export const assumptionsOf = ({ machine }: Profile): readonly string[] => [
  machineAssumption[machine],
  "Table walks are coherent with the kernel's stores.",
  firmwareAssumption[machine],
  "CPU accesses to device registers and PCI configuration space are outside the SMMU's reach: a guest that renumbers a bridge changes requester IDs.",
  "An invocation runs whole (coarse grain); the SMMU may fetch between its steps, but no device's DMA is judged there.",
  "Trusted components make no invocation after boot, and there is no communication between components.",
];

/** What exploring leaves out under a profile. */
export const notTriedUnder = (profile: Profile): Verdict["notTried"] => {
  const reasons = new Map<string, string[]>();
  for (const { label, unexplored, inProfile } of invocations) {
    if (unexplored === undefined || inProfile?.(profile) === false) continue;
    reasons.set(unexplored, [...(reasons.get(unexplored) ?? []), label]);
  }
  return [...reasons].map(([why, labels]) => ({ why, labels }));
};

/** In words: what an exhausted run covers and what it does not. */
export const scopeInWords = (scope: Scope): string =>
  `the first ${scope.pages} page(s) of each region, each of the size of its frames; ${scope.slots} free slot(s) in each CNode, and new capabilities go only there, not where one was deleted, and not two CNodes deep; at most ${scope.children} object(s) of 4 KiB at a time from each untyped; rights read-write and read-only; every IOVA mapped at boot and ${scope.addresses} more; any number of these invocations in any order`;
