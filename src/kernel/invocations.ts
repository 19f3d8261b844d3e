/** Every invocation, in declared order: the order of enumeration, of the manual, and of "least" among equal traces. */
import { MakePool, PoolAssign } from "./asid.ts";
import { pageMaintenance, vspaceMaintenance } from "./cacheMaintenance.ts";
import { AssignCDTable } from "./cdTable.ts";
import { AssignVspace, CBClearFault, CBGetFault, GetCB, TLBInvalidate, TLBInvalidateAll, UnassignVspace } from "./contextBank.ts";
import { Copy, Delete, Mint, Move, Mutate, Revoke, Rotate } from "./cnode.ts";
import { kinds } from "./capability.ts";
import { PageGetAddress, PageMap, PageUnmap } from "./frame.ts";
import { CancelBadgedSends } from "./endpoint.ts";
import { interrupts } from "./interrupt.ts";
import type { Invocation, Refusal, Request } from "./invocation.ts";
import { type Kernel, KernelHalt, Preempted } from "./kernel.ts";
import { PageTableMap, PageTableUnmap } from "./pageTable.ts";
import { BindCB, ClearFault, GetFault, GetSID, UnbindCB } from "./sid.ts";
import { SaveCaller } from "./reply.ts";
import { smmuControl } from "./smmuControl.ts";
import { IssueSGISignal } from "./sgi.ts";
import { threadControl } from "./tcb.ts";
import { registerAccess } from "./tcbRegisters.ts";
import { Retype } from "./untyped.ts";
import { virtualCpus } from "./vcpu.ts";

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
  Mutate,
  Rotate,
  PageGetAddress,
  ...pageMaintenance,
  ...vspaceMaintenance,
  MakePool,
  PoolAssign,
  GetFault,
  ClearFault,
  TLBInvalidateAll,
  CBGetFault,
  CBClearFault,
  CancelBadgedSends,
  SaveCaller,
  ...threadControl,
  ...registerAccess,
  ...interrupts,
  IssueSGISignal,
  ...virtualCpus,
  ...smmuControl,
  AssignCDTable,
];

/** What may be invoked on a capability of each kind. */
export const invocationsOf = (kind: number): readonly Invocation[] => byKind[kind] ?? [];
const byKind = Array.from({ length: kinds.length }, (_, kind) => invocations.filter(({ object }) => object === kind));

/** Those of them that the checker tries: the others say why not. */
export const exploredOn = (kind: number): readonly Invocation[] => exploredByKind[kind] ?? [];
const exploredByKind = byKind.map((definitions) => definitions.filter(({ unexplored }) => unexplored === undefined));

/** Does what is not refused, and gives the words of the answer. */
export const carryOut = (kernel: Kernel, definition: Invocation, request: Request): readonly bigint[] => {
  const watched = kernel.watch?.(definition, request);
  if (watched === undefined) return definition.effect(kernel, request) ?? [];
  try {
    const words = definition.effect(kernel, request) ?? [];
    watched.performed();
    return words;
  } catch (error) {
    if (error instanceof KernelHalt || error instanceof Preempted) throw error;
    watched.failed(error);
    return [];
  }
};

/** The first refusal that holds, in seL4's order. */
export const refusedBy = (kernel: Kernel, definition: Invocation, request: Request): { readonly index: number; readonly refusal: Refusal; readonly words: readonly bigint[] } | undefined => {
  for (let index = 0; index < definition.refusals.length; index++) {
    const candidate = definition.refusals[index]!;
    const words = candidate.words(kernel, request);
    if (words !== undefined) return { index, refusal: candidate, words };
  }
  return undefined;
};

