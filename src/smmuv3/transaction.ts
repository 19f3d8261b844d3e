/**
 * One transaction: from the StreamID to a physical address or an event, in the architecture's order of checks (IHI 0070
 * section 7.3.22). Reads only the memory, registers and caches it is handed.
 */
import type { EventName } from "../../specs/smmuv3/event.ts";
import type { EventRecord, Outcome, Transaction } from "../base/transaction.ts";
import { pa } from "../base/words.ts";
import { type Caches, type Configured, type Kept, noCaches } from "./caches.ts";
import { type Configuration, configurationOf, overridesOf, type Overrides, rootBytes, type Stage1, type Stage2 } from "./configuration.ts";
import { belowL1, CD_WORDS, type Context, contextOf, contextPlace, type Half } from "./context.ts";
import { eventRecord, type FaultDetail } from "./event.ts";
import type { Quirks } from "./quirks.ts";
import type { Settings } from "./registers.ts";
import { entryOf, type Read, readWords, viaWords } from "./streamTable.ts";
import { halfFor, untagged, type Leaf1, type Leaf2, permits1, permits2, type Placed, type Update, type Via, walkStage1, walkStage2 } from "./walk.ts";

/**
 * An outcome and every word that led to it; or what this model does not do. `updates` are stores that hardware makes to
 * descriptors on the way. `raz`: the terminated transaction reads zero or is ignored instead of aborting (CD.A=0).
 */
export type Translation = (Outcome | { readonly result: "unsupported"; readonly why: string }) & {
  readonly via: readonly Via[];
  readonly updates?: readonly Update[];
};

/** How a refused transaction ends. */
type Refusal = Translation;
type Class = "CD" | "TT" | "IN";

const below = (bits: number): bigint => (1n << BigInt(bits)) - 1n;
const beyond = (address: bigint, bits: number): boolean => address >> BigInt(bits) !== 0n;

/** What a fault of translation does, by the stage's own A, R and S (IHI 0070 section 5.5). */
interface Behaviour {
  readonly recorded: boolean;
  readonly stalls: boolean;
  readonly aborts: boolean;
}
const ofStage2 = ({ recorded, stalls }: Stage2): Behaviour => ({ recorded, stalls, aborts: true });
const SILENT: Behaviour = { recorded: false, stalls: false, aborts: true };
const ALWAYS: Behaviour = { recorded: true, stalls: false, aborts: true };

/** Thrown on the way and caught at the end of the same transaction: the one who refuses is deep in a walk of a walk. */
class Refused {
  readonly refusal: Refusal;
  constructor(refusal: Refusal) {
    this.refusal = refusal;
  }
}

/** A transaction on its way. */
interface Journey {
  readonly read: Read;
  readonly settings: Settings;
  readonly quirks: Quirks;
  readonly caches: Caches;
  /** With its attributes as the STE overrides them. */
  transaction: Transaction;
  readonly via: Via[];
  readonly updates: Update[];
}

const refuse = (journey: Journey, event?: EventRecord, raz = false): never => {
  throw new Refused({ result: "abort", ...(event === undefined ? {} : { event }), ...(raz ? { raz: true } : {}), via: journey.via });
};
/** Any error but a fault of translation: recorded, and aborts. */
const fail = (journey: Journey, type: EventName, detail: FaultDetail = {}): never => refuse(journey, eventRecord(type, journey.transaction, detail, journey.quirks));
const unsupported = (journey: Journey, why: string): never => {
  throw new Refused({ result: "unsupported", why, via: journey.via });
};
const fault = (journey: Journey, type: EventName, detail: FaultDetail, { recorded, stalls, aborts }: Behaviour): never => {
  // The tag of a stalled transaction is the SMMU's to choose; whoever keeps it writes it in.
  if (stalls) throw new Refused({ result: "stall", event: eventRecord(type, journey.transaction, { ...detail, stag: 0 }, journey.quirks), via: journey.via });
  return refuse(journey, recorded ? eventRecord(type, journey.transaction, detail, journey.quirks) : undefined, !aborts);
};

// Stage 2.

/** What is looked up in stage 2: a transaction's address, or a structure of stage 1. */
interface Sought2 {
  readonly address: bigint;
  readonly op: "read" | "write";
  readonly class: Class;
  /** How faults are told where a quirk tells them as stage 1's, and the bits that the address may have then. */
  readonly asStage1?: Behaviour;
  readonly reach?: number;
}

const fault2 = (journey: Journey, regime: Stage2, type: EventName, sought: Sought2, ipa = sought.address): never => {
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

const DEVICE_MOST = 3;
/** A stage-1 structure in Device memory, where S2PTW forbids that. */
const deviceWalk = (regime: Stage2, leaf: Leaf2, what: Class): boolean => what !== "IN" && regime.protectedWalk && leaf.rights.memoryType <= DEVICE_MOST;

/** Walks stage 2 and gives its leaf. */
const leaf2 = (journey: Journey, regime: Stage2, sought: Sought2): Leaf2 => {
  const walked = walkStage2(journey.read, regime, sought.address, asked2(journey, sought), journey.quirks);
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
  return kept.pa + (sought.address - kept.input);
};

/** What goes into stage 2 is held against the intermediate address size first (IHI 0070 section 3.4). */
const checkReach = (journey: Journey, { address, class: what, asStage1, reach }: Sought2): void => {
  const { settings, quirks } = journey;
  // Where a device's own address is the input, stage 1 is off: an address size fault of stage 1, always recorded.
  if (what === "IN" && beyond(address, settings.intermediateBits)) fault(journey, "F_ADDR_SIZE", { s2: false, class: "IN" }, quirks.wideInputSilent ? SILENT : ALWAYS);
  if (what === "CD" && quirks.contextPointerUnchecked && beyond(address, settings.outputBits)) refuse(journey);
  if (asStage1 !== undefined && reach !== undefined && beyond(address, reach)) fault(journey, "F_ADDR_SIZE", { s2: false, class: what, ipa: address }, asStage1);
};

const throughStage2 = (journey: Journey, regime: Stage2, sought: Sought2): bigint => {
  const { caches } = journey;
  const tag = { vmid: regime.vmid, asid: undefined };
  const kept = caches.lookUp(tag, regime, sought.address);
  if (kept !== undefined) return hit2(journey, regime, kept, sought);
  checkReach(journey, sought);
  const leaf = leaf2(journey, regime, sought);
  const { executeByPrivilege, granule } = regime;
  caches.keep(tag, { input: leaf.ipa, size: leaf.size, pa: leaf.pa, level: leaf.level, granule, stage2: { rights: leaf.rights, executeByPrivilege }, via: [leaf.via] });
  return leaf.pa + (sought.address - leaf.ipa);
};

// Configuration: stream table entry, context descriptor.

/** Physical address of a stage-1 structure. */
const structure = (journey: Journey, stage2: Stage2 | undefined, sought: Sought2): bigint => (stage2 === undefined ? sought.address : throughStage2(journey, stage2, sought));

const fetchContext = (journey: Journey, configuration: Stage1, ssid: number): readonly bigint[] => {
  const { read, settings } = journey;
  const { contexts, stage2 } = configuration;
  const place = contextPlace(contexts, ssid);
  const located = (address: bigint): bigint => structure(journey, stage2, { address, op: "read", class: "CD" });
  let addr = place.addr;
  if (place.levels === 2) {
    const at = located(place.addr);
    const value = read(at) ?? fail(journey, "F_CD_FETCH", { fetch: at });
    journey.via.push({ what: "L1CD", addr: at, value });
    addr = belowL1(value, place.indexInLeaf, configuration, settings) ?? fail(journey, "C_BAD_SUBSTREAMID");
  }
  const at = located(addr);
  const words = readWords(read, at, CD_WORDS) ?? fail(journey, "F_CD_FETCH", { fetch: at });
  journey.via.push(...viaWords("CD", at, words));
  return words;
};

/** Which context descriptor a transaction uses, or "bypass" where it skips stage 1 (IHI 0070 sections 3.9, 5.2 S1DSS). */
const substreamOf = (journey: Journey, { contexts }: Stage1): number | "bypass" => {
  const { ssid } = journey.transaction;
  if (contexts.log2Size === 0) return ssid === undefined ? 0 : fail(journey, "C_BAD_SUBSTREAMID");
  if (ssid !== undefined) {
    if (ssid >= 2 ** contexts.log2Size) return fail(journey, "C_BAD_SUBSTREAMID");
    return ssid === 0 && contexts.withoutSubstream === 2 ? fail(journey, "F_STREAM_DISABLED") : ssid;
  }
  if (contexts.withoutSubstream === 0) return fail(journey, "F_STREAM_DISABLED");
  return contexts.withoutSubstream === 1 ? "bypass" : 0;
};

const stage1Configured = (journey: Journey, configuration: Stage1, ssid: number, overrides: Overrides): Configured => {
  const { settings, quirks } = journey;
  const { stage2 } = configuration;
  const words = fetchContext(journey, configuration, ssid);
  const roots: [bigint | undefined, bigint | undefined] = [undefined, undefined];
  const eager = stage2 !== undefined && quirks.rootsTranslatedAtConfiguration === true;
  const meaning = contextOf(words, configuration.contexts, settings, (half, which) => {
    if (eager) roots[which] = throughStage2(journey, stage2, { address: half.base, op: "read", class: "TT" });
    return true;
  });
  if (meaning === undefined || meaning.class === "illegal") return fail(journey, "C_BAD_CD");
  if (meaning.class === "unsupported") return unsupported(journey, meaning.why);
  return { class: "stage1", configuration, context: meaning.context, ...(eager ? { roots } : {}), via: [...journey.via], overrides };
};

const meaningConfigured = (journey: Journey, configuration: Configuration, overrides: Overrides): Configured => {
  const { ssid } = journey.transaction;
  switch (configuration.class) {
    case "unsupported":
      return unsupported(journey, configuration.why);
    case "illegal":
      return fail(journey, "C_BAD_STE");
    case "abort":
      return { class: "abort", via: [...journey.via] };
    case "bypass":
    case "stage2":
      // A SubstreamID needs stage 1 (IHI 0070 section 7.3.9).
      if (ssid !== undefined) return fail(journey, "C_BAD_SUBSTREAMID");
      return configuration.class === "bypass" ? { class: "bypass", via: [...journey.via], overrides } : { class: "stage2", stage2: configuration, via: [...journey.via], overrides };
    default: {
      const substream = substreamOf(journey, configuration);
      if (substream !== "bypass") return stage1Configured(journey, configuration, substream, overrides);
      const { stage2 } = configuration;
      return stage2 === undefined ? { class: "bypass", via: [...journey.via], overrides } : { class: "stage2", stage2, via: [...journey.via], overrides };
    }
  }
};

/** Decodes the entry of the stream and, where stage 1 translates, its context descriptor. */
const decodeConfiguration = (journey: Journey): Configured => {
  const { read, settings, transaction } = journey;
  const entry = entryOf(read, settings, transaction.sid);
  journey.via.push(...entry.via);
  if (entry.result === "bad stream") return refuse(journey, settings.recordBadStream ? eventRecord("C_BAD_STREAMID", transaction) : undefined);
  if (entry.result === "bad entry") return fail(journey, "C_BAD_STE");
  if (entry.result === "external") return fail(journey, "F_STE_FETCH", { fetch: entry.fetch });
  return meaningConfigured(journey, configurationOf(entry.words, settings), overridesOf(entry.words, settings));
};

// Stage 1.

const ofContext = ({ recorded, stalls, aborts }: Context): Behaviour => ({ recorded, stalls, aborts });
type Stage1Configured = Configured & { readonly class: "stage1" };

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

const throughStage1 = (journey: Journey, configured: Stage1Configured): bigint => {
  const { caches, transaction } = journey;
  const { configuration, context } = configured;
  const half = halfFor(context, transaction.iova);
  const iova = journey.quirks.tagKept ? transaction.iova : untagged(context, transaction.iova);
  const tag = { vmid: configuration.vmid, asid: context.asid };
  const { stage2 } = configuration;
  const sought = half === undefined ? undefined : { granule: half.granule, inputBits: half.inputBits, ...(stage2 === undefined ? {} : { stage2Granule: stage2.granule }) };
  const kept = sought === undefined ? undefined : caches.lookUp(tag, sought, iova);
  if (kept !== undefined) return hit1(journey, configured, kept, iova);
  const leaf = leaf1(journey, configured, half, iova);
  const kind = leaf.notGlobal || journey.quirks.globalsTagged ? tag : { ...tag, global: true as const };
  const ipa = leaf.output + (iova - leaf.iova);
  if (stage2 === undefined) {
    caches.keep(kind, joined(iova, leaf, context, undefined));
    return ipa;
  }
  const inner = leaf2(journey, stage2, { address: ipa, op: transaction.op, class: "IN" });
  caches.keep(kind, joined(iova, leaf, context, { leaf: inner, regime: stage2 }));
  return inner.pa + (ipa - inner.ipa);
};

/** Attributes of a transaction after the entry's overrides. */
const overridden = (transaction: Transaction, { privilege, instruction }: Overrides): Transaction => ({
  ...transaction,
  ...(privilege < 2 ? {} : { priv: privilege === 3 }),
  ...(instruction < 2 ? {} : { instr: instruction === 3 }),
});

const untranslated = (journey: Journey): bigint => {
  const { iova } = journey.transaction;
  // Bypassed or not translated by stage 1, an address beyond OAS is stage 1's address size fault (IHI 0070 section 3.4).
  return beyond(iova, journey.settings.outputBits) && !journey.quirks.bypassUnchecked ? fault(journey, "F_ADDR_SIZE", { s2: false, class: "IN" }, ALWAYS) : iova;
};
const whileDisabled = (journey: Journey): bigint => {
  const { settings, quirks, transaction } = journey;
  const tooWide = beyond(transaction.iova, settings.outputBits) && !quirks.bypassUnchecked;
  return settings.abortWhileDisabled || tooWide ? refuse(journey) : transaction.iova;
};

const travel = (journey: Journey): bigint => {
  const { settings, caches, transaction } = journey;
  if (!settings.enabled) return whileDisabled(journey);
  const configured = caches.configured(transaction.sid, transaction.ssid, () => decodeConfiguration(journey))!;
  if (journey.via.length === 0) journey.via.push(...configured.via);
  if (configured.class === "abort") return refuse(journey);
  journey.transaction = overridden(transaction, configured.overrides);
  if (configured.class === "bypass") return untranslated(journey);
  return configured.class === "stage2" ? throughStage2(journey, configured.stage2, { address: transaction.iova, op: transaction.op, class: "IN" }) : throughStage1(journey, configured);
};

/**
 * `read` answers the 64-bit word at an address, or undefined where memory does not answer. Events are those of a queue
 * that is enabled and has room. The transaction does not cross a 4 KiB boundary.
 */
export const translate = (read: Read, settings: Settings, transaction: Transaction, caches: Caches = noCaches): Translation => {
  const journey: Journey = { read, settings, quirks: settings.quirks, caches, transaction, via: [], updates: [] };
  try {
    const address = travel(journey);
    return { result: "ok", pa: pa(address), via: journey.via, ...(journey.updates.length === 0 ? {} : { updates: journey.updates }) };
  } catch (error) {
    if (error instanceof Refused) return error.refusal;
    throw error;
  }
};
