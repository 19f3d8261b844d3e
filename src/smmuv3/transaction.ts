/**
 * One transaction, judged cold: from the StreamID to a physical address or an event, in the architecture's order of
 * checks (IHI 0070 "Transaction processing"). Reads only the memory and registers it is handed.
 */
import { pa } from "../base/words.ts";
import type { Outcome, Transaction } from "../base/transaction.ts";
import { configurationOf } from "./configuration.ts";
import { eventRecord } from "./event.ts";
import type { Settings } from "./registers.ts";
import { entryOf } from "./streamTable.ts";
import { type Via, walk } from "./walk.ts";

/** An outcome and every word that led to it; or what this model does not do. */
export type Translation = (Outcome | { readonly result: "unsupported"; readonly why: string }) & { readonly via: readonly Via[] };

/** `read` answers the 64-bit word at an address, or undefined where memory does not answer. */
export const translate = (read: (address: bigint) => bigint | undefined, settings: Settings, transaction: Transaction): Translation => {
  const { sid, iova, op } = transaction;
  const through = (via: readonly Via[]): Translation => ({ result: "ok", pa: pa(iova), via });
  if (!settings.enabled) return settings.abortWhileDisabled ? { result: "abort", via: [] } : through([]);
  const entry = entryOf(read, settings, sid);
  if (entry.result === "unsupported") return { ...entry, via: [] };
  if (entry.result === "bad stream") return { result: "abort", ...(settings.recordBadStream ? { event: eventRecord("C_BAD_STREAMID", transaction) } : {}), via: [] };
  if (entry.result === "external") return { result: "abort", event: eventRecord("F_STE_FETCH", transaction, { fetch: entry.fetch }), via: [] };
  const via: Via[] = entry.words.slice(0, 4).map((value, word) => ({ what: `STE dw${word}`, addr: entry.addr + BigInt(word * 8), value }));
  const configuration = configurationOf(entry.words, settings);
  switch (configuration.class) {
    case "unsupported":
      return { result: "unsupported", why: configuration.why, via };
    case "illegal":
      return { result: "abort", event: eventRecord("C_BAD_STE", transaction), via };
    case "abort":
      return { result: "abort", via };
    default:
  }
  // A SubstreamID needs stage 1 (IHI 0070 "Substreams").
  if (transaction.ssid !== undefined) return { result: "abort", event: eventRecord("C_BAD_SUBSTREAMID", transaction), via };
  // Stage 1 is off, so its output is the input, which must fit the output address size.
  if (iova >> BigInt(settings.outputBits) !== 0n) {
    const recorded = configuration.class === "bypass" || configuration.recorded;
    return { result: "abort", ...(recorded ? { event: eventRecord("F_ADDR_SIZE", transaction, { s2: false, class: "IN" }) } : {}), via };
  }
  if (configuration.class === "bypass") return through(via);
  const walked = walk(read, configuration, iova, op);
  const all = [...via, ...walked.via];
  if (walked.result === "ok") return { result: "ok", pa: pa(walked.pa), via: all };
  if (walked.result === "external") return { result: "abort", event: eventRecord("F_WALK_EABT", transaction, { s2: true, class: "IN", fetch: walked.fetch }), via: all };
  const event = eventRecord(walked.fault, transaction, { s2: true, class: "IN", ipa: iova });
  return { result: "abort", ...(configuration.recorded ? { event } : {}), via: all };
};
