/** One transaction on its way, and the ways in which it can be refused (IHI 0070 section 5.5 "Fault configuration"). */
import type { EventName } from "../../specs/smmuv3/event.ts";
import type { Completion, EventRecord, Outcome, Transaction } from "../base/transaction.ts";
import { afterStage1, afterStage2, type Attributes } from "./attributes.ts";
import type { Caches, Kept } from "./caches.ts";
import { eventRecord, type FaultDetail } from "./event.ts";
import type { Read, Via } from "./memory.ts";
import type { Quirks } from "./quirks.ts";
import type { Settings } from "./registers.ts";
import type { Update } from "./walk.ts";

/** What leaves the SMMU, and with which memory attributes. */
type Passed = Extract<Outcome, { readonly result: "ok" }> & { readonly attributes: Attributes };

/**
 * An outcome and every word that led to it; or what this model does not do. `updates` are stores that hardware makes to
 * descriptors on the way. `raz`: the terminated transaction reads zero or is ignored instead of aborting (CD.A=0).
 */
export type Translation = (Passed | Exclude<Outcome, { readonly result: "ok" }> | Completion | { readonly result: "unsupported"; readonly why: string }) & {
  readonly via: readonly Via[];
  readonly updates?: readonly Update[];
};

/** What was being translated when stage 2 faulted: a CD's address, a stage-1 table's, or the transaction's own. */
export type Class = "CD" | "TT" | "IN";

export const beyond = (address: bigint, bits: number): boolean => address >> BigInt(bits) !== 0n;

/** What a fault of translation does, by the stage's own A, R and S (IHI 0070 section 5.5). */
export interface Behaviour {
  readonly recorded: boolean;
  readonly stalls: boolean;
  readonly aborts: boolean;
}
export const SILENT: Behaviour = { recorded: false, stalls: false, aborts: true };
export const ALWAYS: Behaviour = { recorded: true, stalls: false, aborts: true };

/** Thrown on the way and caught at the end of the same transaction: the one who refuses is deep in a walk of a walk. */
export class Refused extends Error {
  override readonly name = "Refused";
  readonly refusal: Translation;
  constructor(refusal: Translation) {
    super(refusal.result);
    this.refusal = refusal;
  }
}

/** A transaction on its way. */
export interface Journey {
  readonly read: Read;
  readonly settings: Settings;
  readonly quirks: Quirks;
  readonly caches: Caches;
  /** With its attributes as the STE overrides them. */
  transaction: Transaction;
  /** Memory attributes as far as the transaction has come. */
  attributes: Attributes;
  readonly via: Via[];
  readonly updates: Update[];
  /** Stage 1 only: a translation request under split-stage ATS. */
  readonly firstStageOnly?: boolean;
}

/** Takes memory attributes through the stages of a translation. */
export const carry = (journey: Journey, { stage1, stage2 }: Pick<Kept, "stage1" | "stage2">): void => {
  if (stage1 !== undefined) journey.attributes = afterStage1(journey.attributes, stage1.memory);
  if (stage2 !== undefined) journey.attributes = afterStage2(journey.attributes, stage2.memory);
};

export const refuse = (journey: Journey, event?: EventRecord, raz = false): never => {
  throw new Refused({ result: "abort", ...(event === undefined ? {} : { event }), ...(raz ? { raz: true } : {}), via: journey.via });
};
/** Any error but a fault of translation: recorded, and aborts. */
export const fail = (journey: Journey, type: EventName, detail: FaultDetail = {}): never => refuse(journey, eventRecord(type, journey.transaction, detail, journey.quirks));
export const unsupported = (journey: Journey, why: string): never => {
  throw new Refused({ result: "unsupported", why, via: journey.via });
};
export const fault = (journey: Journey, type: EventName, detail: FaultDetail, { recorded, stalls, aborts }: Behaviour): never => {
  // The tag of a stalled transaction is the SMMU's to choose; whoever keeps it writes it in.
  if (stalls) throw new Refused({ result: "stall", event: eventRecord(type, journey.transaction, { ...detail, stag: 0 }, journey.quirks), via: journey.via });
  return refuse(journey, recorded ? eventRecord(type, journey.transaction, detail, journey.quirks) : undefined, !aborts);
};
