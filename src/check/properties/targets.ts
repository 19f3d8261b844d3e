/** How a property looks at what devices reach: streams, targets and accesses in order, and the page of a target that fails. */
import type { Access } from "../../base/transaction.ts";
import { NONE } from "../../base/state.ts";
import { hex, PAGE_BYTES } from "../../base/words.ts";
import { boundBank, cbNode, sidNode } from "../../kernel/binding.ts";
import { VSPACE } from "../../kernel/capability.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { regionAt } from "./authority.ts";
import type { Reach, ReachStream, Target } from "../machine.ts";
import type { View, Violation, Witness } from "./property.ts";

const accesses = (target: Target): Access[] => [...(target.read ? (["read"] as const) : []), ...(target.write ? (["write"] as const) : [])];

/** The layout's stream behind a reach entry, or NONE for a stream that no component was given. */
export const sidOf = (view: View, stream: ReachStream): number =>
  view.kernel.plan.sids.findIndex(({ smmu, sid, mask }) => smmu === stream.smmu && (sid & ~mask) === (stream.sid & ~mask));
export const streamName = (view: View, stream: ReachStream): string => {
  const sid = sidOf(view, stream);
  return sid === NONE ? `stream ${hex(stream.sid)}` : `${view.kernel.plan.sids[sid]!.name} (stream ${hex(stream.sid)})`;
};
export const regionName = (view: View, address: bigint): string => regionAt(view.booted.layout, address)?.name ?? "memory of no region";
export const witness = (stream: ReachStream, op: Access, target?: Target): Witness => ({
  smmu: stream.smmu,
  sid: stream.sid,
  op,
  ...(target === undefined ? {} : { iova: target.iova, pa: target.pa }),
  via: target?.via ?? [],
});

/**
 * The first page of a target that fails a test whose answer changes only at `borders`, which are sorted. A target may be
 * a block of 2^18 pages; only its first one, and each behind a border, has to be asked. No border lies in a page.
 */
export const failingPage = ({ pa, size }: Target, borders: readonly bigint[], fails: (address: bigint) => boolean): bigint | undefined => {
  if (fails(pa)) return pa;
  return size <= PAGE_BYTES ? undefined : borders.find((at) => at > pa && at < pa + size && fails(at));
};
export const atPage = (target: Target, address: bigint): Target => ({ ...target, iova: target.iova + (address - target.pa), pa: address, size: PAGE_BYTES });

/** A device reaches something. */
export const reachesMemory = ({ streams }: Reach): boolean => streams.some(({ targets }) => targets.some(({ read, write }) => read || write));

/** First finding over every stream, target and access. */
export const firstTarget = (
  streams: readonly ReachStream[],
  find: (stream: ReachStream, target: Target, access: Access) => Violation | undefined,
): Violation | undefined => {
  for (const stream of streams)
    for (const target of stream.targets)
      for (const access of accesses(target)) {
        const found = find(stream, target, access);
        if (found !== undefined) return found;
      }
  return undefined;
};

/** The VSpace a stream sees by the kernel's bindings, or NONE. */
export const vspaceOf = (kernel: Kernel, sid: number): number => {
  const cb = boundBank(kernel, sidNode(kernel, sid));
  if (cb === NONE) return NONE;
  const node = kernel.tables.slot.at(cbNode(kernel, cb));
  return node.kind === VSPACE ? node.object : NONE;
};
