/** What a property is (design §5): a sentence for people and a predicate over one state, and what it sees of that state. */
import type { Access } from "../../base/transaction.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { Booted } from "../../system/boot.ts";
import type { LayoutDmaPath } from "../../system/layout.ts";
import type { MachineState, Reach, Via } from "../machine.ts";

/** What is wrong in a state, and the transaction that shows it. */
export interface Violation {
  readonly message: string;
  readonly witness: Witness;
}
export interface Witness {
  readonly smmu: number;
  readonly sid: number;
  readonly iova?: bigint;
  readonly op: Access;
  readonly pa?: bigint;
  readonly via: readonly Via[];
}

/** One state, as a property sees it. */
export interface View {
  readonly booted: Booted;
  readonly kernel: Kernel;
  readonly machine: MachineState;
  /** Through the bits and the may-cache set. */
  readonly reach: Reach;
  /** Through the bits alone. */
  readonly cold: Reach;
  readonly may: (sid: number, address: bigint, access: Access) => boolean;
  /** What stands in the page by the capabilities that exist; NULL when it is free. */
  readonly standing: (address: bigint) => number;
  /** The frame or table around an address. */
  readonly pageAround: (address: bigint) => number | undefined;
  /** Where the answers of `may` and `standing` may change: first addresses of pages, ascending. */
  readonly borders: readonly bigint[];
  /** Indices of streams that are not judged here, and not in `reach` and `cold`: another slice answers for them. */
  readonly foreign: ReadonlySet<number>;
  readonly reaches: (path: LayoutDmaPath) => boolean;
}

/** What has to hold of one row of the slot table, or of one object (outcomes/parts.ts). */
export interface Part {
  /** The row of the slot table that it is about, if it is about one. */
  readonly row?: number;
  /** What is wrong, in words. It reads nothing but the tables, the plan and the profile. */
  readonly wrong: (kernel: Kernel) => string | undefined;
}

export interface Property {
  readonly name: string;
  readonly sentence: string;
  /** The first violation in declared order, or undefined. */
  readonly violation: (view: View) => Violation | undefined;
  /** What some state must show, or the property held of nothing: in words, to follow "no state in which", and as a test. */
  readonly needs?: { readonly words: string; readonly met: (view: View) => boolean };
  /** Of a property about the kernel's tables alone: what has to hold, a row or an object at a time (capabilities/parts.ts). */
  readonly parts?: (booted: Booted) => readonly Part[];
  /** Judged in every state by itself: what it reads is not recorded (outcomes/facts.ts), so it may read anything. */
  readonly plain?: true;
  /** Of such a property: SHA-256 of its text, so that a run goes on with the same one only. */
  readonly source?: string;
}

/** A property of the user's own did not judge: it threw, or gave back what is no answer. */
export class PropertyFailed extends Error {
  override readonly name = "PropertyFailed";
  readonly property: string;
  /** The path to the state that it was asked about, once that is known. */
  ordinals: readonly number[] | undefined;

  constructor(property: string, why: string) {
    super(why);
    this.property = property;
  }
}
