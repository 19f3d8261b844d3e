/**
 * The form of an invocation: one definition, from which decoding, dispatch, the manual, enumeration and coverage derive
 * (design D2). Refusals only read and stand in seL4's order; the effect is total; a refused invocation changes nothing.
 */
import type { ErrorName } from "../../specs/sel4/error.ts";
import type { Kernel } from "./kernel.ts";
import type { Profile } from "./profile.ts";

/** A decoded invocation: the slot that was invoked, the slots of the extra capabilities, the message words. */
export interface Request {
  readonly target: number;
  readonly caps: readonly number[];
  readonly words: readonly bigint[];
  /** The thread that invokes, where threads are part of the state. */
  readonly thread?: number;
}

export interface Refusal {
  readonly error: ErrorName;
  /** The condition, as a sentence without its subject's capital. */
  readonly when: string;
  /** The error's message words when the condition holds, else undefined. */
  readonly words: (kernel: Kernel, request: Request) => readonly bigint[] | undefined;
}
export const refusal = (error: ErrorName, when: string, words: Refusal["words"]): Refusal => ({ error, when, words });

/** What values a word may take in a scope; `instances.ts` turns each into a finite set. */
export type WordClass = "address" | "rights" | "guard" | "attributes" | "stream" | "bank" | "type" | "count" | "irq" | "priority" | "word";

/** A slot address takes two words, index and depth, in the CNode that is `root`: the target, or an extra capability. */
export type WordArgument =
  | { readonly name: string; readonly of: WordClass }
  | { readonly name: string; readonly of: "emptySlot" | "fullSlot" | "anySlot"; readonly root: "target" | number }
  /** Retype's destination: node_index, node_depth, node_offset. */
  | { readonly name: string; readonly of: "window"; readonly root: number };

export type CapClass = "cnode" | "cb" | "vspace" | "untyped" | "frame" | "thread" | "notification";

export interface Invocation {
  /** seL4's invocation label. */
  readonly label: string;
  /** The kind of capability it is invoked on (capability.ts). */
  readonly object: number;
  readonly says: string;
  /** Why the checker does not try it; absent for what it tries. */
  readonly unexplored?: string;
  /** Whether a kernel of this profile has the invocation; left out for what every kernel has. */
  readonly inProfile?: (profile: Profile) => boolean;
  readonly caps: readonly { readonly name: string; readonly of: CapClass }[];
  readonly words: readonly WordArgument[];
  readonly refusals: readonly Refusal[];
  /** The message words of the answer, where it has any. */
  readonly effect: (kernel: Kernel, request: Request) => readonly bigint[] | void;
}

export const wordCount = (argument: WordArgument): number => {
  if (argument.of === "window") return 3;
  return argument.of === "emptySlot" || argument.of === "fullSlot" || argument.of === "anySlot" ? 2 : 1;
};

/** Too few message words or extra capabilities. */
export const truncated = (words: number, caps: number): Refusal =>
  refusal("seL4_TruncatedMessage", `the message has fewer than ${words} word(s) and ${caps} capability(ies)`, (_, request) =>
    request.words.length < words || request.caps.length < caps ? [] : undefined,
  );

/** A kernel that lacks the invocation does not know its label, and decodes no further. */
const labelUnknown = (inProfile: (profile: Profile) => boolean): Refusal =>
  refusal("seL4_IllegalOperation", "a kernel of this profile has no such invocation", ({ profile }) => (inProfile(profile) ? undefined : []));

/** Completes a definition with the refusals that most decode functions begin with; CNode's ask for more as they go on. */
export const invocation = (definition: Invocation): Invocation => {
  const words = definition.words.reduce((sum, argument) => sum + wordCount(argument), 0);
  const asks = definition.refusals.some(({ error }) => error === "seL4_TruncatedMessage") || words + definition.caps.length === 0;
  const known = definition.inProfile === undefined ? [] : [labelUnknown(definition.inProfile)];
  if (asks && known.length === 0) return definition;
  return { ...definition, refusals: [...known, ...(asks ? [] : [truncated(words, definition.caps.length)]), ...definition.refusals] };
};
