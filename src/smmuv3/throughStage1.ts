/** The stage-1 part of a transaction, and stage 2 of its result where both translate. */
import type { Configured, Kept, Tag } from "./caches.ts";
import { rootBytes } from "./configuration.ts";
import type { Context, Half } from "./context.ts";
import { type Behaviour, carry, fail, fault, type Journey } from "./journey.ts";
import { fault2, secondStage, throughStage2 } from "./throughStage2.ts";
import { halfFor, type Leaf1, permits1, permits2, type Placed, untagged, walkStage1 } from "./walk.ts";

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

const leaf1 = (journey: Journey, configured: Stage1Configured, half: Half | undefined, iova: bigint, tag: Tag): Leaf1 => {
  const { context } = configured;
  const trail = half === undefined ? undefined : journey.caches.trail?.({ stage: 1, tag, context, half }, iova);
  const root = half === undefined ? undefined : knownRoot(configured, half);
  const tables = {
    read: journey.read,
    place: half === undefined ? (addr: bigint): Placed<never> => ({ result: "at", addr }) : placeTable(journey, configured, half),
    ...(root === undefined ? {} : { root }),
  };
  const walked = walkStage1(tables, context, iova, journey.transaction, journey.quirks, trail);
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

/** What stage 1 alone gave. */
const keptLeaf = (leaf: Leaf1, { world, writableNeverExecutes, privilegedNever }: Context): Kept => ({
  input: leaf.iova,
  size: leaf.size,
  pa: leaf.output,
  level: leaf.level,
  granule: leaf.granule,
  stage1: { rights: leaf.rights, regime: { world, writableNeverExecutes, privilegedNever }, memory: leaf.memory },
  ...(leaf.notGlobal ? {} : { global: true }),
  via: [leaf.via],
});

/** Both stages as one translation, cut to the smaller of the two. */
const joined = (iova: bigint, first: Kept, second: Kept): Kept => {
  const cut = second.size < first.size;
  const size = cut ? second.size : first.size;
  const input = iova & ~(size - 1n);
  const ipa = first.pa + (input - first.input);
  const { level, granule } = cut ? second : first;
  return { ...first, ...(second.stage2 === undefined ? {} : { stage2: second.stage2 }), input, size, level, granule, ipa, pa: second.pa + (ipa - second.input), via: [...first.via, ...second.via] };
};

/** Stage 1 by a walk, kept by itself where it is the only stage, or where stages are kept apart. */
const firstStage = (journey: Journey, configured: Stage1Configured, half: Half | undefined, iova: bigint, tag: Tag): Kept => {
  const { caches } = journey;
  const first = keptLeaf(leaf1(journey, configured, half, iova, tag), configured.context);
  if ((configured.configuration.stage2 === undefined || caches.trail !== undefined) && !journey.firstStageOnly) caches.keep(tagOf(journey, tag, first), first);
  return first;
};
const tagOf = ({ quirks }: Journey, tag: Tag, { global }: Kept): Tag => (global && !quirks.globalsTagged ? { ...tag, global } : tag);

export const throughStage1 = (journey: Journey, configured: Stage1Configured): bigint => {
  const { caches, transaction } = journey;
  const { configuration, context } = configured;
  const half = halfFor(context, transaction.iova);
  const iova = journey.quirks.tagKept ? transaction.iova : untagged(context, transaction.iova);
  const tag: Tag = { vmid: configuration.vmid, asid: context.asid, ...(context.world === "EL1" ? {} : { world: context.world }) };
  const { stage2 } = configuration;
  const sought = half === undefined ? undefined : { granule: half.granule, inputBits: half.inputBits, ...(stage2 === undefined ? {} : { stage2Granule: stage2.granule }) };
  const kept = sought === undefined || journey.firstStageOnly ? undefined : caches.lookUp(tag, sought, iova);
  const hit = kept === undefined ? undefined : hit1(journey, configured, kept, iova);
  if (hit !== undefined && (stage2 === undefined || kept!.stage2 !== undefined || journey.quirks.stage1HitFinal)) {
    carry(journey, kept!);
    return hit;
  }
  const first = kept ?? firstStage(journey, configured, half, iova, tag);
  const ipa = first.pa + (iova - first.input);
  if (stage2 === undefined || journey.firstStageOnly) {
    carry(journey, first);
    return ipa;
  }
  const second = secondStage(journey, stage2, ipa);
  const both = joined(iova, first, second);
  caches.keep(tagOf(journey, tag, first), both);
  carry(journey, both);
  return second.pa + (ipa - second.input);
};
