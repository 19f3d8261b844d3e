/** Outcomes as the interchange format writes them: one JSON object a transaction, numbers as hex text. */
import { cacheability } from "../audit/memoryType.ts";
import type { EventRecord } from "../base/transaction.ts";
import { hex } from "../base/words.ts";
import type { Attributes } from "../smmuv3/attributes.ts";
import type { HistoryOutcome } from "../smmuv3/device.ts";

const eventJson = ({ type, sid, ssid, iova, s2, class: what, rnw, ipa, fetch, stag, raw }: EventRecord): Readonly<Record<string, unknown>> => ({
  type,
  sid: hex(sid),
  ...(ssid === undefined ? {} : { ssid }),
  ...(iova === undefined ? {} : { iova: hex(iova) }),
  ...(s2 === undefined ? {} : { s2 }),
  ...(what === undefined ? {} : { class: what }),
  ...(rnw === undefined ? {} : { rnw }),
  ...(ipa === undefined ? {} : { ipa: hex(ipa) }),
  ...(fetch === undefined ? {} : { fetch: hex(fetch) }),
  ...(stag === undefined ? {} : { stag }),
  raw: raw.map(hex),
});

/** Levels of Normal memory in words, hints with them: `write-back read-write-allocate`. */
const attributesJson = (attributes: Attributes): Readonly<Record<string, string>> => ({
  type: attributes.type,
  ...(attributes.type === "Normal" ? { inner: cacheability(attributes.inner), outer: cacheability(attributes.outer) } : {}),
  shareability: attributes.shareability,
});

export interface OutcomeDetail {
  /** With the memory attributes of what leaves the SMMU. */
  readonly attributes: boolean;
}

/** One outcome; the words that led to it are left out. */
export const outcomeJson = (outcome: HistoryOutcome, { attributes }: OutcomeDetail): Readonly<Record<string, unknown>> => {
  const resumed = "resumed" in outcome ? { resumed: outcome.resumed } : {};
  switch (outcome.result) {
    case "cerror":
      return { result: "cerror", code: hex(outcome.code) };
    case "not-consumed":
      return { result: "not-consumed" };
    case "ok":
      return { result: "ok", pa: hex(outcome.pa), ...(attributes ? { attributes: attributesJson(outcome.attributes) } : {}), ...resumed };
    case "unsupported":
      return { result: "unsupported", why: outcome.why, ...resumed };
    case "completion": {
      const { status, pa, read, write, event } = outcome;
      return { result: "completion", status, ...(pa === undefined ? {} : { pa: hex(pa) }), ...(read === undefined ? {} : { read, write }), ...(event === undefined ? {} : { event: eventJson(event) }), ...resumed };
    }
    case "queued":
      return { result: "queued", raw: outcome.raw.map(hex) };
    case "auto-response":
      return { result: "auto-response", code: outcome.code };
    case "discarded":
      return { result: "discarded" };
    case "stall":
      return { result: "stall", event: eventJson(outcome.event), ...resumed };
    default:
      return { result: "abort", ...(outcome.raz ? { raz: true } : {}), ...(outcome.event === undefined ? {} : { event: eventJson(outcome.event) }), ...resumed };
  }
};
