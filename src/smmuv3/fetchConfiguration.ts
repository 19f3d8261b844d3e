/** The configuration of a transaction: its stream table entry and, where stage 1 translates, its context descriptor. */
import { eventRecord } from "./event.ts";
import type { Configured } from "./caches.ts";
import { type Configuration, meaningOf, overridesOf, type Overrides, type Stage1, type Stage2 } from "./configuration.ts";
import { belowL1, CD_WORDS, contextMeaning, contextOf, contextPlace, type Half } from "./context.ts";
import { fail, type Journey, refuse, unsupported } from "./journey.ts";
import { viaWords } from "./memory.ts";
import { entryOf, type Fetched, fetchNow, type Located, steWords, wordsAt } from "./streamTable.ts";
import { type Sought2, throughStage2 } from "./throughStage2.ts";

/** Physical address of a stage-1 structure. */
const structure = (journey: Journey, stage2: Stage2 | undefined, sought: Sought2): bigint => (stage2 === undefined ? sought.address : throughStage2(journey, stage2, sought));

/** Finds a descriptor and reads it; refuses where the way or the memory does not answer. */
const contextNow = (journey: Journey, configuration: Stage1, ssid: number, fetched: Fetched): Located => {
  const { read, settings, transaction } = journey;
  const { contexts, stage2 } = configuration;
  const located = (address: bigint): bigint => structure(journey, stage2, { address, op: "read", class: "CD" });
  const place = contextPlace(contexts, ssid);
  let { addr } = place;
  if (place.levels === 2) {
    const first = fetched({ kind: "L1CD", sid: transaction.sid, index: place.index }, () => {
      const at = located(place.addr);
      return wordsAt(read, at, 1) ?? fail(journey, "F_CD_FETCH", { fetch: at });
    })!;
    const value = first.words[0]!;
    journey.via.push({ what: "L1CD", addr: first.addr, value });
    addr = belowL1(value, place.indexInLeaf, configuration, settings) ?? fail(journey, "C_BAD_SUBSTREAMID");
  }
  const at = located(addr);
  return wordsAt(read, at, CD_WORDS) ?? fail(journey, "F_CD_FETCH", { fetch: at });
};

const fetchContext = (journey: Journey, configuration: Stage1, ssid: number): readonly bigint[] => {
  const fetched = journey.caches.fetched ?? fetchNow;
  // A kept descriptor is the stream's whatever stage 2 makes of its address now.
  const { addr, words } = fetched({ kind: "CD", sid: journey.transaction.sid, index: ssid }, () => contextNow(journey, configuration, ssid, fetched))!;
  journey.via.push(...viaWords("CD", addr, words));
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
  const translateRoot = (half: Half, which: 0 | 1): boolean => {
    roots[which] = throughStage2(journey, stage2!, { address: half.base, op: "read", class: "TT" });
    return true;
  };
  const meaning = eager ? contextOf(words, configuration.contexts, settings, translateRoot) : contextMeaning(words, configuration.contexts, settings);
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
export const decodeConfiguration = (journey: Journey): Configured => {
  const { read, settings, transaction } = journey;
  const entry = entryOf(read, settings, transaction.sid, journey.caches.fetched);
  journey.via.push(...entry.via);
  if (entry.result === "bad stream") return refuse(journey, settings.recordBadStream ? eventRecord("C_BAD_STREAMID", transaction) : undefined);
  if (entry.result === "bad entry") return fail(journey, "C_BAD_STE");
  if (entry.result === "external") return fail(journey, "F_STE_FETCH", { fetch: entry.fetch });
  return meaningConfigured(journey, meaningOf(steWords(entry.words), settings), overridesOf(entry.words, settings));
};
