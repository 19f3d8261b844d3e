/**
 * PCIe ATS (IHI 0070 section 3.9.1): translation requests, and transactions that say they are translated already. The
 * second is the hazard: with CR0.ATSCHK=0 the SMMU believes any device, and with EATS=1 any that it once allowed ATS.
 */
import type { EventName } from "../../specs/smmuv3/event.ts";
import type { Completion } from "../base/transaction.ts";
import { CACHED_SHARED } from "./attributes.ts";
import { configurationOf, overridesOf } from "./configuration.ts";
import { eventRecord } from "./event.ts";
import { beyond, fail, type Journey, refuse, type Translation, unsupported } from "./journey.ts";
import { entryOf } from "./streamTable.ts";
import { throughStage2 } from "./throughStage2.ts";

const FULL = 1;
const SPLIT = 2;

/** Beyond OAS: terminated without an event, the choice of two that IHI 0070 section 3.9.1.1 leaves. */
const asItIs = (journey: Journey): bigint => {
  const { iova } = journey.transaction;
  return beyond(iova, journey.settings.outputBits) ? refuse(journey) : iova;
};
const forbidden = (journey: Journey): never => fail(journey, "F_TRANSL_FORBIDDEN");

/** A transaction whose address the device says is translated (section 3.9.1.3). */
export const travelTranslated = (journey: Journey): bigint => {
  const { read, settings, transaction } = journey;
  if (!settings.enabled) return forbidden(journey);
  journey.attributes = CACHED_SHARED;
  if (!settings.atsChecked) return asItIs(journey);
  const entry = entryOf(read, settings, transaction.sid, journey.caches.fetched);
  journey.via.push(...entry.via);
  // Errors of configuration abort without an event, unless CR2.REC_CFG_ATS asks for one; this model has it 0.
  if (entry.result !== "ok") return refuse(journey);
  const configuration = configurationOf(entry.words, settings);
  if (configuration.class === "unsupported") return unsupported(journey, configuration.why);
  if (configuration.class === "illegal" || configuration.class === "abort") return refuse(journey);
  const { ats } = overridesOf(entry.words, settings);
  if (ats === FULL) return asItIs(journey);
  if (ats !== SPLIT) return ats === 0 ? forbidden(journey) : unsupported(journey, "EATS=3: device permission tables are not modelled");
  // Split-stage: the address is an IPA, and stage 2 still stands before memory.
  const stage2 = configuration.class === "stage1" ? configuration.stage2 : undefined;
  return stage2 === undefined ? forbidden(journey) : throughStage2(journey, stage2, { address: transaction.iova, op: transaction.op, class: "IN" });
};

/** Faults that a request is answered with no access, or with less. */
const NO_ACCESS = new Set<string>(["F_TRANSLATION", "F_ADDR_SIZE", "F_ACCESS", "F_PERMISSION"]);

type Answer = Translation & Completion;
const ended = (journey: Journey, status: Completion["status"], type?: EventName): Answer => ({
  result: "completion",
  status,
  ...(type === undefined ? {} : { event: eventRecord(type, journey.transaction, {}, journey.quirks) }),
  via: journey.via,
});

/** The effective EATS of a stream; "abort" for Config=0xx, "error" where there is no legal entry. */
const atsOf = (journey: Journey): number | "abort" | "error" => {
  const { read, settings, transaction } = journey;
  const entry = entryOf(read, settings, transaction.sid, journey.caches.fetched);
  journey.via.push(...entry.via);
  if (entry.result !== "ok") return "error";
  const configuration = configurationOf(entry.words, settings);
  if (configuration.class === "illegal") return "error";
  return configuration.class === "abort" ? "abort" : overridesOf(entry.words, settings).ats;
};

/** One direction of a request: an address, no access, or an error of configuration. */
const direction = (journey: Journey, op: "read" | "write", split: boolean, judge: (journey: Journey) => Translation): bigint | "none" | "error" => {
  const { ats: _, ...transaction } = journey.transaction;
  const judged = judge({ ...journey, transaction: { ...transaction, op }, via: [], updates: [], firstStageOnly: split });
  if (judged.result === "ok") return judged.pa;
  const type = judged.result === "abort" || judged.result === "stall" ? judged.event?.type : undefined;
  // A fault that CD.R or STE.S2R keeps from being recorded is none of configuration.
  return type === undefined || NO_ACCESS.has(type) ? "none" : "error";
};

/** The answer to a translation request (section 3.9.1.2); no fault of translation is recorded. */
export const completion = (journey: Journey, judge: (journey: Journey) => Translation): Answer => {
  if (!journey.settings.enabled) return ended(journey, "unsupported-request", "F_BAD_ATS_TREQ");
  const ats = atsOf(journey);
  if (ats === "error") return ended(journey, "completer-abort");
  if (ats === "abort") return ended(journey, "unsupported-request");
  if (ats === 0) return ended(journey, "unsupported-request", "F_BAD_ATS_TREQ");
  const read = direction(journey, "read", ats === SPLIT, judge);
  const write = direction(journey, "write", ats === SPLIT, judge);
  if (read === "error" || write === "error") return ended(journey, "completer-abort");
  const address = read === "none" ? write : read;
  return { ...ended(journey, "success"), read: read !== "none", write: write !== "none", ...(address === "none" ? {} : { pa: address }) };
};
