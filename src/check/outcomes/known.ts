/** What is known of instances: what each comes to, which there are, and what all of a subject come to. */
import type { Invocation, Request } from "../../kernel/invocation.ts";
import type { PartChange } from "../search/collapse.ts";
import type { Fact } from "./facts.ts";
import type { FactNode } from "./factTree.ts";
import type { StepList } from "./stepLists.ts";

/** What an instance comes to: a refusal, or words to change and steps to give. */
export interface Outcome {
  /** Index of the refusal that answers, or -1. */
  readonly refused: number;
  /** Word by word: which one, which of its bits stay, and the others. */
  readonly words: readonly number[];
  readonly keep: readonly number[];
  readonly bits: readonly number[];
  /** The same, for collapsed states. */
  readonly changes: readonly PartChange[];
  readonly given: StepList;
  /** Where it lies among what is performed, and where it ends; nowhere when it is refused. */
  readonly from: number;
  readonly to: number;
  /** How often this was what an instance came to. */
  times: number;
}
export interface KnownInstance {
  readonly definition: Invocation;
  readonly request: Request;
  readonly tree: FactNode<Outcome>;
}
export type Instances = readonly KnownInstance[];
/** An instance that may come to different things where there is its list, or to what is `always` performed. */
export interface Varying {
  readonly instance: KnownInstance;
  readonly ordinal: number;
  readonly always: Outcome | undefined;
}
/** All instances of a subject. */
export interface InstanceList {
  readonly instances: Instances;
  /** All but those of which the facts that led to the list say that they are refused. */
  varying: readonly Varying[] | undefined;
  /** What the facts that led to the list decide. */
  always: readonly Outcome[];
  /** How often that was so. */
  times: number;
}
/** What all instances of a subject come to, and of those that are not refused, which they are. */
export interface Together {
  readonly all: readonly Outcome[];
  readonly performed: readonly Outcome[];
  readonly ordinals: readonly number[];
  /** Where they lie among what is performed. */
  readonly from: number;
  readonly to: number;
  times: number;
}
/** What a run came to know: grows as it goes on. */
export interface Learnt {
  /** Everything that was asked of any state. */
  readonly asked: ReadonlySet<Fact>;
  /** Bits that some outcome writes, by word. */
  readonly written: Uint32Array;
  readonly given: () => Iterable<StepList>;
}
