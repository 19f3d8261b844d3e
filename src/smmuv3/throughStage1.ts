/** The stage-1 part of a transaction, and stage 2 of its result where both translate. */
import type { Configured, Kept } from "./caches.ts";
import { rootBytes, type Stage2 } from "./configuration.ts";
import type { Context, Half } from "./context.ts";
import { type Behaviour, fail, fault, type Journey } from "./journey.ts";
import { fault2, leaf2, throughStage2 } from "./throughStage2.ts";
import { halfFor, type Leaf1, type Leaf2, permits1, permits2, type Placed, untagged, walkStage1 } from "./walk.ts";

const below = (bits: number): bigint => (1n << BigInt(bits)) - 1n;

const ofContext = ({ recorded, stalls, aborts }: Context): Behaviour => ({ recorded, stalls, aborts });
export type Stage1Configured = Configured & { readonly class: "stage1" };

/** How entries of stage-1 tables are found. */
const placeTable = (journey: Journey, { configuration: { stage2 }, context }: Stage1Configured, half: Half) => {
  if (stage2 === undefined) return (addr: bigint): Placed<never> => ({ result: "at", addr });
  const told = journey.quirks.tableFaultAsStage1 ? { asStage1: ofContext(context), reach: half.outputBits } : {};
  return (address: bigint, op: "read" | "write"): Placed<never> => ({ result: "at", addr: throughStage2(journey, stage2, { address, op, class: "TT", ...told }) });
};

/** The root where it was translated with the configuration, cut to the output size and aligned. */
const knownRoot = ({ roots, context }: Stage1Configured, half: Half): bigint | undefined => {
  const root = roots?.[context.halves[1] === half ? 1 : 0];
  return root === undefined ? undefined : root & below(half.outputBits) & ~(rootBytes(half) - 1n);
};

const leaf1 = (journey: Journey, configured: Stage1Configured, half: Half | undefined, iova: bigint): Leaf1 => {
  const { context } = configured;
  const root = half === undefined ? undefined : knownRoot(configured, half);
  const tables = {
    read: journey.read,
    place: half === undefined ? (addr: bigint): Placed<never> => ({ result: "at", addr }) : placeTable(journey, configured, half),
    ...(root === undefined ? {} : { root }),
  };
  const walked = walkStage1(tables, context, iova, journey.transaction, journey.quirks);
  journey.via.push(...walked.via);
  if (walked.result === "external") return fail(journey, "F_WALK_EABT", { s2: false, class: "TT", fetch: walked.fetch });
  if (walked.result === "fault") return fault(journey, walked.fault, { s2: false, class: "IN" }, ofContext(context));
  if (walked.result === "refused") return walked.refusal;
  if (walked.update !== undefined) journey.updates.push(walked.update);
  return walked.leaf;
};

const hit1 = (journey: Journey, { context, configuration: { stage2 } }: Stage1Configured, kept: Kept, iova: bigint): bigint => {
  const { transaction, quirks } = journey;
  journey.via.push(...kept.via);
  if (!permits1(kept.stage1!.rights, kept.stage1!.regime, transaction, quirks)) return fault(journey, "F_PERMISSION", { s2: false, class: "IN" }, ofContext(context));
  const offset = iova - kept.input;
  if (kept.stage2 !== undefined && stage2 !== undefined && !permits2(kept.stage2.rights, kept.stage2.executeByPrivilege, transaction, quirks) && !(transaction.op === "read" && quirks.hitReadsUnchecked))
    return fault2(journey, stage2, "F_PERMISSION", { address: (kept.ipa ?? 0n) + offset, op: transaction.op, class: "IN" }, quirks.hitFaultWithoutAddress ? 0n : undefined);
  return kept.pa + offset;
};

/** A translation of stage 1, cut to the smaller leaf where stage 2 follows. */
const joined = (iova: bigint, leaf: Leaf1, context: Context, second: { readonly leaf: Leaf2; readonly regime: Stage2 } | undefined): Kept => {
  const stage1 = { rights: leaf.rights, regime: { world: context.world, writableNeverExecutes: context.writableNeverExecutes, privilegedNever: context.privilegedNever } };
  if (second === undefined) return { input: leaf.iova, size: leaf.size, pa: leaf.output, level: leaf.level, granule: leaf.granule, stage1, via: [leaf.via] };
  const { leaf: inner, regime } = second;
  const cut = inner.size < leaf.size;
  const size = cut ? inner.size : leaf.size;
  const input = iova & ~(size - 1n);
  const ipa = leaf.output + (input - leaf.iova);
  const stage2 = { rights: inner.rights, executeByPrivilege: regime.executeByPrivilege };
  const pieces = cut ? { level: inner.level, granule: regime.granule } : { level: leaf.level, granule: leaf.granule };
  return { input, size, pa: inner.pa + (ipa - inner.ipa), ipa, ...pieces, stage1, stage2, via: [leaf.via, inner.via] };
};

export const throughStage1 = (journey: Journey, configured: Stage1Configured): bigint => {
  const { caches, transaction } = journey;
  const { configuration, context } = configured;
  const half = halfFor(context, transaction.iova);
  const iova = journey.quirks.tagKept ? transaction.iova : untagged(context, transaction.iova);
  const tag = { vmid: configuration.vmid, asid: context.asid };
  const { stage2 } = configuration;
  const sought = half === undefined ? undefined : { granule: half.granule, inputBits: half.inputBits, ...(stage2 === undefined ? {} : { stage2Granule: stage2.granule }) };
  const kept = sought === undefined || journey.firstStageOnly ? undefined : caches.lookUp(tag, sought, iova);
  if (kept !== undefined) return hit1(journey, configured, kept, iova);
  const leaf = leaf1(journey, configured, half, iova);
  const kind = leaf.notGlobal || journey.quirks.globalsTagged ? tag : { ...tag, global: true as const };
  const ipa = leaf.output + (iova - leaf.iova);
  if (journey.firstStageOnly) return ipa;
  if (stage2 === undefined) {
    caches.keep(kind, joined(iova, leaf, context, undefined));
    return ipa;
  }
  const inner = leaf2(journey, stage2, { address: ipa, op: transaction.op, class: "IN" });
  caches.keep(kind, joined(iova, leaf, context, { leaf: inner, regime: stage2 }));
  return inner.pa + (ipa - inner.ipa);
};
