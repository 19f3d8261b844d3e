/** Outcomes as the interchange format writes them: one JSON object a transaction, numbers as hex text. */
import type { EventRecord } from "../base/transaction.ts";
import { hex } from "../base/words.ts";
import type { Translation } from "../smmuv3/transaction.ts";

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

/** One outcome; the words that led to it are left out. */
export const outcomeJson = (outcome: Translation): Readonly<Record<string, unknown>> => {
  switch (outcome.result) {
    case "ok":
      return { result: "ok", pa: hex(outcome.pa) };
    case "unsupported":
      return { result: "unsupported", why: outcome.why };
    default:
      return { result: "abort", ...(outcome.event === undefined ? {} : { event: eventJson(outcome.event) }) };
  }
};
