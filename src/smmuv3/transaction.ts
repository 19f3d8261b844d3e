/**
 * One transaction, judged cold: from the StreamID to a physical address or an event, in the architecture's order of
 * checks (IHI 0070 "Transaction processing"). Reads only the memory and registers it is handed.
 */
import { pa } from "../base/words.ts";
import type { EventRecord, Outcome, Transaction } from "../base/transaction.ts";
import { configurationOf, type Stage2 } from "./configuration.ts";
import { eventRecord } from "./event.ts";
import type { Settings } from "./registers.ts";
import { entryOf } from "./streamTable.ts";
import { type Via, walk } from "./walk.ts";

/** An outcome and every word that led to it; or what this model does not do. */
export type Translation = (Outcome | { readonly result: "unsupported"; readonly why: string }) & { readonly via: readonly Via[] };

type Read = (address: bigint) => bigint | undefined;

const abort = (via: readonly Via[], event?: EventRecord): Translation => ({ result: "abort", ...(event === undefined ? {} : { event }), via });

/** Stage 1 is off, so what the device sent must fit what follows it: an address size fault of stage 1 (IHI 0070). */
const tooWide = (transaction: Transaction, via: readonly Via[], recorded: boolean): Translation =>
  abort(via, recorded ? eventRecord("F_ADDR_SIZE", transaction, { s2: false, class: "IN" }) : undefined);

const throughStage2 = (read: Read, settings: Settings, regime: Stage2, transaction: Transaction, ste: readonly Via[]): Translation => {
  // A SubstreamID needs stage 1 (IHI 0070 "Substreams").
  if (transaction.ssid !== undefined) return abort(ste, eventRecord("C_BAD_SUBSTREAMID", transaction));
  const { iova } = transaction;
  const inputBits = settings.aarch32 ? Math.max(40, settings.outputBits) : settings.outputBits;
  if (iova >> BigInt(inputBits) !== 0n) return tooWide(transaction, ste, regime.recorded);
  const walked = walk(read, regime, iova, transaction);
  const via = [...ste, ...walked.via];
  if (walked.result === "ok") return { result: "ok", pa: pa(walked.pa), via };
  if (walked.result === "external") return abort(via, eventRecord("F_WALK_EABT", transaction, { s2: true, class: "IN", fetch: walked.fetch }));
  return abort(via, regime.recorded ? eventRecord(walked.fault, transaction, { s2: true, class: "IN", ipa: iova }) : undefined);
};

/**
 * `read` answers the 64-bit word at an address, or undefined where memory does not answer. Events are those of a queue
 * that is enabled and has room. The transaction does not cross a 4 KiB boundary.
 */
export const translate = (read: Read, settings: Settings, transaction: Transaction): Translation => {
  const { sid, iova } = transaction;
  const untranslated = (via: readonly Via[]): Translation => ({ result: "ok", pa: pa(iova), via });
  if (!settings.enabled) return settings.abortWhileDisabled ? abort([]) : untranslated([]);
  const entry = entryOf(read, settings, sid);
  if (entry.result === "unsupported") return { ...entry, via: [] };
  if (entry.result === "bad stream") return abort([], settings.recordBadStream ? eventRecord("C_BAD_STREAMID", transaction) : undefined);
  if (entry.result === "external") return abort([], eventRecord("F_STE_FETCH", transaction, { fetch: entry.fetch }));
  const via: Via[] = entry.words.slice(0, 4).map((value, word) => ({ what: `STE dw${word}`, addr: entry.addr + BigInt(word * 8), value }));
  const configuration = configurationOf(entry.words, settings);
  switch (configuration.class) {
    case "unsupported":
      return { result: "unsupported", why: configuration.why, via };
    case "illegal":
      return abort(via, eventRecord("C_BAD_STE", transaction));
    case "abort":
      return abort(via);
    case "bypass":
      return iova >> BigInt(settings.outputBits) === 0n ? untranslated(via) : tooWide(transaction, via, true);
    default:
      return throughStage2(read, settings, configuration, transaction, via);
  }
};
