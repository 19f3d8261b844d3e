/** What can be wrong in a state of a hazard's scenario. */
import { NONE } from "../../base/state.ts";
import { hex } from "../../base/words.ts";
import type { ReachStream, Target } from "../../check/machine.ts";
import { boundBank, cbNode, sidNode } from "../../kernel/binding.ts";
import { CB, FRAME, KERNEL_ONLY, READ_WRITE, SID, VSPACE } from "../../kernel/capability.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { ENTRY_PAGE } from "../../kernel/state.ts";
import type { Seen } from "./hazard.ts";

const streamName = ({ sid }: ReachStream): string => (sid < 0 ? "a stream that nobody was given" : `stream ${hex(sid)}`);
const what = ({ iova, pa, size, cached }: Target): string => `${hex(pa)} (${hex(size)} bytes from IOVA ${hex(iova)}${cached ? ", by what is cached" : ""})`;

const firstTarget = ({ reach }: Seen, says: (stream: ReachStream, target: Target) => string | undefined): string | undefined => {
  for (const stream of reach.streams)
    for (const target of stream.targets) {
      const found = says(stream, target);
      if (found !== undefined) return found;
    }
  return undefined;
};

/** The bank that a stream is bound to, or NONE. */
const bankOf = (kernel: Kernel, stream: ReachStream): number => {
  const sid = kernel.plan.sids.findIndex((candidate) => candidate.smmu === stream.smmu && (candidate.sid & ~candidate.mask) === (stream.sid & ~candidate.mask));
  return sid < 0 ? NONE : boundBank(kernel, sidNode(kernel, sid));
};

/** A page that a VSpace maps, by the kernel's own tables. */
interface Given {
  readonly iova: bigint;
  readonly pa: bigint;
  readonly size: bigint;
  readonly read: boolean;
  readonly write: boolean;
}
/** What a stream is meant to reach: what its bank's VSpace maps. */
const given = (kernel: Kernel, stream: ReachStream): Given[] => {
  const bank = bankOf(kernel, stream);
  if (bank === NONE) return [];
  const { plan, tables } = kernel;
  const space = tables.slot.at(cbNode(kernel, bank));
  if (space.kind !== VSPACE) return [];
  const pages: Given[] = [];
  for (const [row, { vspace, address }] of plan.entries.entries()) {
    const entry = tables.entry.at(row);
    if (vspace !== space.object || entry.kind !== ENTRY_PAGE) continue;
    const { pa, bits } = plan.pages[entry.page]!;
    pages.push({ iova: address, pa, size: 1n << BigInt(bits), read: entry.rights !== KERNEL_ONLY, write: entry.rights === READ_WRITE });
  }
  return pages;
};

/** A stream reaches what its bank's VSpace does not map, or more than its rights; an unbound stream reaches anything. */
export const beyondAssignment = (seen: Seen): string | undefined =>
  firstTarget(seen, (stream, target) => {
    const within = given(seen.kernel, stream).some(
      ({ iova, pa, size, read, write }) => target.iova >= iova && target.iova + target.size <= iova + size && target.pa - target.iova === pa - iova && (read || !target.read) && (write || !target.write),
    );
    return within ? undefined : `${streamName(stream)} reaches ${what(target)}, which no VSpace that it was given maps`;
  });

/** A stream reaches memory that no frame capability names: it is free, and may become anything. */
export const beyondCapabilities = (seen: Seen): string | undefined => {
  const { plan, tables } = seen.kernel;
  const held = plan.pages.filter((_, page) => tables.slot.some(({ kind, object }) => kind === FRAME && object === page));
  return firstTarget(seen, (stream, target) =>
    held.some(({ pa, bits }) => target.pa >= pa && target.pa + target.size <= pa + (1n << BigInt(bits))) ? undefined : `${streamName(stream)} reaches ${what(target)}, to which no capability is left`,
  );
};

/** A state without the streams that pass untranslated: where those are another hazard. */
export const translated = (seen: Seen): Seen => ({ ...seen, reach: { ...seen.reach, streams: seen.reach.streams.filter(({ configurations }) => configurations.every(({ class: is }) => is !== "bypass")) } });
/** A state with one stream alone. */
export const only = (seen: Seen, sid: number): Seen => ({ ...seen, reach: { ...seen.reach, streams: seen.reach.streams.filter((stream) => stream.sid === sid) } });

/** A state with the streams alone that are bound. */
export const bound = (seen: Seen): Seen => ({ ...seen, reach: { ...seen.reach, streams: seen.reach.streams.filter((stream) => bankOf(seen.kernel, stream) !== NONE) } });
/** A state with the targets at one IOVA alone. */
export const at = (seen: Seen, iova: bigint): Seen => ({ ...seen, reach: { ...seen.reach, streams: seen.reach.streams.map((stream) => ({ ...stream, targets: stream.targets.filter((target) => target.iova === iova) })) } });

/** A stream passes untranslated. */
export const bypass = ({ reach }: Seen): string | undefined => {
  const stream = reach.streams.find(({ configurations }) => configurations.some(({ class: is }) => is === "bypass"));
  return stream === undefined ? undefined : `${streamName(stream)} passes untranslated`;
};

/** The kernel has stopped. */
export const halted = ({ kernel, last }: Seen): string | undefined => (kernel.tables.processor.at(0).halted === 1 ? `the kernel stops in ${last!.line.label}, and nothing runs any more` : undefined);

/** Revoke said that it is done, and other capabilities to the same stream or bank are still held. */
export const revokeLeavesCopies = ({ kernel: { plan, tables }, last }: Seen): string | undefined => {
  if (last === undefined || last.line.label !== "CNodeRevoke" || last.answer.error !== "seL4_NoError") return undefined;
  const subject = plan.subjects.find(({ name }) => name === last.line.actor)!;
  const row = plan.slotRow(subject.cnode, Number(last.line.words[0]!));
  const { kind, object } = tables.slot.at(row);
  if (kind !== SID && kind !== CB) return undefined;
  const left = plan.slots.flatMap((place, holder) => {
    const slot = tables.slot.at(holder);
    return holder !== row && slot.kind === kind && slot.object === object ? [place] : [];
  });
  if (left.length === 0) return undefined;
  const holders = left.map((place) => (place.in === "cnode" ? (plan.subjects.find(({ cnode }) => cnode === place.cnode)?.name ?? "a CNode") : "the kernel"));
  return `Revoke answered seL4_NoError, and ${[...new Set(holders)].join(" and ")} still hold${holders.length === 1 ? "s" : ""} the ${kind === SID ? "stream" : "bank"}`;
};
