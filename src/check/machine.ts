/**
 * The SMMU that a profile drives, behind one port: states are immutable, interned and named by two ids, steps are executed
 * on them, and what every stream reaches is asked of them (design D6). The machines themselves are src/smmuv3 and
 * src/smmuv2.
 */
import { impossible } from "../base/diagnostic.ts";
import type { Step } from "../base/step.ts";
import type { Plan } from "../kernel/plan.ts";
import type { Profile } from "../kernel/profile.ts";
import { canonicalJson, sha256 } from "./canonical.ts";
import { createImages, type Image } from "../smmuv3/image.ts";
import { createMachine as createSmmuv3, type MachineRun as Smmuv3Run } from "../smmuv3/machine.ts";
import type { MachineState as Smmuv3State } from "../smmuv3/machineState.ts";
import type { Via } from "../smmuv3/memory.ts";
import type { Target } from "../smmuv3/reach.ts";
import { registersKey } from "../smmuv3/registers.ts";
import { createMachine as createSmmuv2, type MachineRun as Smmuv2Run } from "../smmuv2/machine.ts";
import type { MachineState as Smmuv2State } from "../smmuv2/machineState.ts";

export type { Target } from "../smmuv3/reach.ts";
export type { Via } from "../smmuv3/memory.ts";

/** How a stream may be configured now. */
export interface StreamConfiguration {
  readonly class: "abort" | "illegal" | "bypass" | "stage1" | "stage2" | "unsupported";
  readonly why?: string;
  /** Faults of this configuration leave a record. */
  readonly recorded: boolean;
  readonly cached: boolean;
  readonly via: readonly Via[];
}
export interface ReachStream {
  readonly smmu: number;
  /** -1 stands for every stream that is not listed by itself: they are all alike. */
  readonly sid: number;
  readonly configurations: readonly StreamConfiguration[];
  readonly targets: readonly Target[];
}
/** A page that the SMMU may read as a translation table. */
export interface ReachTable {
  readonly smmu: number;
  /** A stream that the SMMU may read it for. */
  readonly sid: number;
  readonly pa: bigint;
  readonly via: readonly Via[];
}
export interface Reach {
  readonly streams: readonly ReachStream[];
  readonly tables: readonly ReachTable[];
}

export type MachineState = Smmuv3State | Smmuv2State<Image>;

export interface Machine {
  readonly start: MachineState;
  readonly execute: (state: MachineState, step: Step) => MachineState;
  /** Remembered along the list by the identity of the step objects. */
  readonly executeAll: (state: MachineState, steps: readonly Step[]) => MachineState;
  /** What every stream reaches through memory, registers and the may-cache sets. */
  readonly reach: (state: MachineState) => Reach;
  /** The same without what may be cached. */
  readonly coldReach: (state: MachineState) => Reach;
  /** How many machine states this run has met. */
  readonly size: () => number;
  /** What is in a state, as plain values that are equal for equal contents. */
  readonly contents: (state: MachineState) => object;
  /** The same as text, with the SHA-256 of each page and each set in its place: those are remembered, so it is quick. */
  readonly digest: (state: MachineState) => string;
}

/** How a page of memory, or a set of what may be cached, is told: whole, or by its hash. */
type Telling = (part: object, whole: () => unknown) => unknown;
const whole: Telling = (_, tell) => tell();
const byHash = (): Telling => {
  const hashes = new WeakMap<object, string>();
  return (part, tell) => {
    let hash = hashes.get(part);
    if (hash === undefined) hashes.set(part, (hash = sha256(canonicalJson(tell()))));
    return hash;
  };
};

const memoryOf = ({ image }: MachineState, tell: Telling) => image.runs.map(({ first, end, page }) => [first, end, tell(page, () => page.words)]);

const contentsOfSmmuv3 = (state: Smmuv3State, tell: Telling): object => {
  const kept = (cache: { readonly entries: ReadonlyMap<string, object> }) => tell(cache, () => [...cache.entries.keys()].toSorted());
  return {
    memory: memoryOf(state, tell),
    caches: state.smmus.map(({ registers, cache, pending, wedged, overtook }) => [registersKey(registers), kept(cache), pending.map(({ words, early }) => [words, kept(early)]), wedged ?? null, overtook ?? null]),
    loose: state.loose,
  };
};
const contentsOfSmmuv2 = (state: Smmuv2State<Image>, tell: Telling): object => {
  // The entries as texts in order: a set has none.
  const kept = (cache: { readonly entries: ReadonlySet<object> }) => tell(cache, () => [...cache.entries].map(canonicalJson).toSorted());
  return {
    memory: memoryOf(state, tell),
    smmus: state.smmus.map(({ registers, cache, pending }) => [registers.key, kept(cache), pending.map(({ invalidation, scope, syncing, early }) => [invalidation, scope, syncing, kept(early)])]),
  };
};
const told = <S>(contents: (state: S, tell: Telling) => object) => {
  const short = byHash();
  return { contents: (state: S) => contents(state, whole), digest: (state: S) => canonicalJson(contents(state, short)) };
};

/** A machine takes its own states only; what comes back through this port is one of them. */
const overSmmuv3 = (run: Smmuv3Run): Machine => ({ ...run, ...told(contentsOfSmmuv3) }) as Machine;
const overSmmuv2 = (run: Smmuv2Run<Image>): Machine => ({ ...run, ...told(contentsOfSmmuv2) }) as Machine;

/** The machine of a profile, for the SMMUs of a plan. */
export const machineOf = (profile: Profile, plan: Plan, cacheMode: "may" | "none"): Machine => {
  switch (profile.machine) {
    case "smmuv3":
      return overSmmuv3(createSmmuv3({ smmus: plan.smmus.map(() => ({})), cacheMode, steFetch: "torn" }));
    case "smmuv2":
      return overSmmuv2(createSmmuv2({ smmus: plan.smmus.map(() => ({ matching: profile.streamMatching })), images: createImages(), cacheMode }));
    default:
      return impossible("a profile without a machine");
  }
};
