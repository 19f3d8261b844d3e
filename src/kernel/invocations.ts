/** Every invocation, in declared order: the order of enumeration, of the manual, and of "least" among equal traces. */
import { AssignVspace, GetCB, TLBInvalidate, UnassignVspace } from "./contextBank.ts";
import { Copy, Delete, Mint, Move, Revoke } from "./cnode.ts";
import { PageMap, PageUnmap } from "./frame.ts";
import type { Invocation, Refusal, Request } from "./invocation.ts";
import type { Kernel } from "./kernel.ts";
import { PageTableMap, PageTableUnmap } from "./pageTable.ts";
import { BindCB, GetSID, UnbindCB } from "./sid.ts";
import { Retype } from "./untyped.ts";

export const invocations: readonly Invocation[] = [
  Retype,
  Revoke,
  Delete,
  Copy,
  Mint,
  Move,
  PageMap,
  PageUnmap,
  PageTableMap,
  PageTableUnmap,
  GetSID,
  BindCB,
  UnbindCB,
  GetCB,
  AssignVspace,
  UnassignVspace,
  TLBInvalidate,
];

/** What may be invoked on a capability of each kind. */
export const invocationsOf = (kind: number): readonly Invocation[] => byKind[kind] ?? [];
const byKind = Array.from({ length: 16 }, (_, kind) => invocations.filter(({ object }) => object === kind));

/** The first refusal that holds, in seL4's order. */
export const refusedBy = (kernel: Kernel, definition: Invocation, request: Request): { readonly index: number; readonly refusal: Refusal; readonly words: readonly bigint[] } | undefined => {
  for (let index = 0; index < definition.refusals.length; index++) {
    const candidate = definition.refusals[index]!;
    const words = candidate.words(kernel, request);
    if (words !== undefined) return { index, refusal: candidate, words };
  }
  return undefined;
};

