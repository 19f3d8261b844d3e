/**
 * One transaction: from the StreamID to a physical address or an event, in the architecture's order of checks (IHI 0070
 * section 7.3.22). Reads only the memory, registers and caches it is handed.
 */
import type { Transaction } from "../base/transaction.ts";
import { pa } from "../base/words.ts";
import { completion, travelTranslated } from "./ats.ts";
import { INCOMING, replaced } from "./attributes.ts";
import { type Caches, noCaches } from "./caches.ts";
import type { Overrides } from "./configuration.ts";
import { decodeConfiguration } from "./fetchConfiguration.ts";
import { ALWAYS, beyond, fault, type Journey, refuse, Refused, type Translation } from "./journey.ts";
import type { Read } from "./memory.ts";
import type { Settings } from "./registers.ts";
import { throughStage1 } from "./throughStage1.ts";
import { throughStage2 } from "./throughStage2.ts";
import type { Update } from "./walk.ts";

export type { Translation } from "./journey.ts";

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
  journey.attributes = replaced(INCOMING, settings.memoryWhileDisabled);
  return settings.abortWhileDisabled || tooWide ? refuse(journey) : transaction.iova;
};

const travel = (journey: Journey): bigint => {
  const { settings, caches, transaction } = journey;
  if (!settings.enabled) return whileDisabled(journey);
  const configured = caches.configured(transaction.sid, transaction.ssid, () => decodeConfiguration(journey))!;
  if (journey.via.length === 0) journey.via.push(...configured.via);
  if (configured.class === "abort") return refuse(journey);
  journey.transaction = overridden(transaction, configured.overrides);
  journey.attributes = replaced(INCOMING, configured.overrides.memory);
  if (configured.class === "bypass") return untranslated(journey);
  return configured.class === "stage2" ? throughStage2(journey, configured.stage2, { address: transaction.iova, op: transaction.op, class: "IN" }) : throughStage1(journey, configured);
};

/** What a journey comes to. */
const arrive = (journey: Journey, address: (journey: Journey) => bigint): Translation => {
  try {
    const output = address(journey);
    return { result: "ok", pa: pa(output), attributes: journey.attributes, via: journey.via, ...(journey.updates.length === 0 ? {} : { updates: journey.updates }) };
  } catch (error) {
    if (error instanceof Refused) return error.refusal;
    throw error;
  }
};

/**
 * `read` answers the 64-bit word at an address, or undefined where memory does not answer. Events are those of a queue
 * that is enabled and has room. The transaction does not cross a 4 KiB boundary.
 */
export const translate = (read: Read, settings: Settings, transaction: Transaction, caches: Caches = noCaches): Translation => {
  const updates: Update[] = [];
  // One transaction may update a descriptor twice: the second walk sees what the first one wrote.
  const updated: Read = (address) => updates.findLast(({ addr }) => addr === address)?.value ?? read(address);
  const journey: Journey = { read: settings.hardwareUpdate === 0 ? read : updated, settings, quirks: settings.quirks, caches, transaction, attributes: INCOMING, via: [], updates };
  if (transaction.ats === undefined) return arrive(journey, travel);
  return transaction.ats === "translated" ? arrive(journey, travelTranslated) : completion(journey, (each) => arrive(each, travel));
};
