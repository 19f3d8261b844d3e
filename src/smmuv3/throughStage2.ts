/** The stage-2 part of a transaction: of its own address, or of a stage-1 structure that lies behind stage 2. */
import { isDevice } from "./attributes.ts";
import type { Kept } from "./caches.ts";
import type { Stage2 } from "./configuration.ts";
import type { EventName } from "../../specs/smmuv3/event.ts";
import { ALWAYS, type Behaviour, beyond, carry, type Class, fail, fault, type Journey, refuse, SILENT } from "./journey.ts";
import { type Leaf2, permits2, walkStage2 } from "./walk.ts";

const ofStage2 = ({ recorded, stalls }: Stage2): Behaviour => ({ recorded, stalls, aborts: true });

/** What is looked up in stage 2: a transaction's address, or a structure of stage 1. */
export interface Sought2 {
  readonly address: bigint;
  readonly op: "read" | "write";
  readonly class: Class;
  /** How faults are told where a quirk tells them as stage 1's, and the bits that the address may have then. */
  readonly asStage1?: Behaviour;
  readonly reach?: number;
}

export const fault2 = (journey: Journey, regime: Stage2, type: EventName, sought: Sought2, ipa = sought.address): never => {
  if (sought.asStage1 !== undefined) return fault(journey, type, { s2: false, class: sought.class, ipa }, sought.asStage1);
  const rnw = sought.class !== "IN" && journey.quirks.tableFetchReads ? { rnw: true } : {};
  return fault(journey, type, { s2: true, class: sought.class, ipa, ...rnw, tableRead: sought.op === "read" }, ofStage2(regime));
};
const external2 = (journey: Journey, fetch: bigint, sought: Sought2): never => {
  if (sought.asStage1 !== undefined) return fail(journey, "F_WALK_EABT", { s2: false, class: sought.class, fetch: sought.address });
  const rnw = sought.class !== "IN" && journey.quirks.tableFetchReads ? { rnw: true } : {};
  return fail(journey, "F_WALK_EABT", { s2: true, class: sought.class, fetch, ...rnw });
};

/** Stage-1 structures are read as data, by the SMMU itself. */
const asked2 = (journey: Journey, { op, class: what }: Sought2) => (what === "IN" ? journey.transaction : { op, priv: true });

/** A stage-1 structure in Device memory, where S2PTW forbids that. */
const deviceWalk = (regime: Stage2, { memory }: Pick<Leaf2, "memory">, what: Class): boolean => what !== "IN" && regime.protectedWalk && isDevice(memory);

/** Walks stage 2 and gives its leaf. */
export const leaf2 = (journey: Journey, regime: Stage2, sought: Sought2): Leaf2 => {
  const trail = journey.caches.trail?.({ stage: 2, tag: { vmid: regime.vmid, asid: undefined }, regime }, sought.address);
  const walked = walkStage2(journey.read, regime, sought.address, asked2(journey, sought), journey.quirks, trail);
  journey.via.push(...walked.via);
  if (walked.result === "external") return external2(journey, walked.fetch, sought);
  if (walked.result === "fault") return fault2(journey, regime, walked.fault, sought);
  if (deviceWalk(regime, walked.leaf, sought.class)) return fault2(journey, regime, "F_PERMISSION", sought);
  if (walked.update !== undefined) journey.updates.push(walked.update);
  return walked.leaf;
};

/** A hit in the TLB of translations of stage 2 alone. */
const hit2 = (journey: Journey, regime: Stage2, kept: Kept, sought: Sought2): bigint => {
  const { quirks } = journey;
  const { rights, executeByPrivilege } = kept.stage2!;
  journey.via.push(...kept.via);
  const asked = asked2(journey, sought);
  if (!permits2(rights, executeByPrivilege, asked, quirks)) {
    if (asked.op === "write" && quirks.hitWritesAsStage1) return refuse(journey);
    if (asked.op === "write" || !quirks.hitReadsUnchecked) return fault2(journey, regime, "F_PERMISSION", sought);
    // Nothing looks at a table's rights then; a transaction is refused by what comes after the SMMU.
    if (sought.class === "IN") return refuse(journey);
  }
  if (deviceWalk(regime, kept.stage2!, sought.class)) return fault2(journey, regime, "F_PERMISSION", sought);
  return kept.pa + (sought.address - kept.input);
};

const keptLeaf = (leaf: Leaf2, { executeByPrivilege, granule }: Stage2): Kept => ({
  input: leaf.ipa,
  size: leaf.size,
  pa: leaf.pa,
  level: leaf.level,
  granule,
  stage2: { rights: leaf.rights, executeByPrivilege, memory: leaf.memory },
  via: [leaf.via],
});

/** Stage 2 of what stage 1 gave: looked up by itself only where translations are kept stage by stage. */
export const secondStage = (journey: Journey, regime: Stage2, ipa: bigint): Kept => {
  const { caches, transaction } = journey;
  const sought: Sought2 = { address: ipa, op: transaction.op, class: "IN" };
  const tag = { vmid: regime.vmid, asid: undefined };
  const known = caches.trail === undefined ? undefined : caches.lookUp(tag, regime, ipa);
  if (known !== undefined) {
    hit2(journey, regime, known, sought);
    return known;
  }
  const kept = keptLeaf(leaf2(journey, regime, sought), regime);
  if (caches.trail !== undefined) caches.keep(tag, kept);
  return kept;
};

/** What goes into stage 2 is held against the intermediate address size first (IHI 0070 section 3.4). */
const checkReach = (journey: Journey, { address, class: what, asStage1, reach }: Sought2): void => {
  const { settings, quirks } = journey;
  // Where a device's own address is the input, stage 1 is off: an address size fault of stage 1, always recorded.
  if (what === "IN" && beyond(address, settings.intermediateBits)) fault(journey, "F_ADDR_SIZE", { s2: false, class: "IN" }, quirks.wideInputSilent ? SILENT : ALWAYS);
  if (what === "CD" && quirks.contextPointerUnchecked && beyond(address, settings.outputBits)) refuse(journey);
  if (asStage1 !== undefined && reach !== undefined && beyond(address, reach)) fault(journey, "F_ADDR_SIZE", { s2: false, class: what, ipa: address }, asStage1);
};

export const throughStage2 = (journey: Journey, regime: Stage2, sought: Sought2): bigint => {
  const { caches } = journey;
  const tag = { vmid: regime.vmid, asid: undefined };
  const kept = caches.lookUp(tag, regime, sought.address);
  if (kept !== undefined) {
    const output = hit2(journey, regime, kept, sought);
    if (sought.class === "IN") carry(journey, kept);
    return output;
  }
  checkReach(journey, sought);
  const walked = keptLeaf(leaf2(journey, regime, sought), regime);
  caches.keep(tag, walked);
  if (sought.class === "IN") carry(journey, walked);
  return walked.pa + (sought.address - walked.input);
};
