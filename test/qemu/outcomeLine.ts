/** Outcomes as one line each, equal for equal answers: nothing of a record's 32 bytes is left out. */
import { Event, eventFields, type EventName } from "../../specs/smmuv3/event.ts";
import { hex } from "../../src/base/words.ts";

export type EventWords = readonly [bigint, bigint, bigint, bigint];

/** The fields that the types of faults share. */
const fault = (words: EventWords): string => {
  const { PnU, InD, RnW, S2, CLASS, InputAddr } = Event.decode(words);
  const flags = `${PnU === 1n ? " privileged" : ""}${InD === 1n ? " instruction" : ""}`;
  return ` ${RnW === 1n ? "read" : "write"}${flags} s2=${S2} ${CLASS} ${hex(InputAddr)}`;
};

/** Bits of each word that a line shows by name, for a record with and without the fields of a fault. */
const shown = {
  plain: Event.encode({ Type: 0xffn, SID: 0xffff_ffffn }),
  fault: Event.encode({ Type: 0xffn, SID: 0xffff_ffffn, PnU: 1n, InD: 1n, RnW: 1n, S2: 1n, CLASS: 3n, TTRnW: 1n, InputAddr: (1n << 64n) - 1n }),
} as const;

/**
 * A record: its type and stream, then what the type defines (`ipa` and `fetch` are word 3 as recorded), and last, as
 * whole words, whatever bits the type does not define.
 */
export const eventLine = (words: EventWords): string => {
  const { Type, SID } = Event.decode(words);
  const fields = eventFields[Type as EventName] ?? [];
  const has = (field: (typeof fields)[number]): boolean => fields.includes(field);
  const ofFault = has("iova") && has("s2");
  const names = ofFault ? shown.fault : shown.plain;
  const third = has("fetch") ? ` fetch ${hex(words[3])}` : has("ipa") && (Event.get(words, "S2") === 1n || words[3] !== 0n) ? ` ipa ${hex(words[3])}` : "";
  const rest = words.map((word, at) => (at === 3 && third !== "" ? 0n : word & ~names[at]!));
  const others = rest.map((bits, at) => (bits === 0n ? "" : ` dw${at}=${hex(bits)}`)).join("");
  const ofTable = ofFault && Event.get(words, "TTRnW") === 1n ? " ttrnw" : "";
  return `${typeof Type === "string" ? Type : `type ${hex(Type)}`} sid ${hex(SID)}${ofFault ? fault(words) : ""}${third}${ofTable}${others}`;
};

/** What a transaction came to, or a command that was not accepted. */
export type LinedOutcome =
  | { readonly result: "ok"; readonly pa: bigint }
  | { readonly result: "abort"; readonly events: readonly EventWords[] }
  | { readonly result: "cerror"; readonly code: number }
  | { readonly result: "not-consumed" };

/** `pa 0x…`, `abort` with nothing recorded, the records joined by ` + `, `cerror 0x1`, `not consumed`. */
export const outcomeLine = (outcome: LinedOutcome): string => {
  switch (outcome.result) {
    case "ok":
      return `pa ${hex(outcome.pa)}`;
    case "abort":
      return outcome.events.length === 0 ? "abort" : outcome.events.map(eventLine).join(" + ");
    case "cerror":
      return `cerror ${hex(outcome.code)}`;
    case "not-consumed":
      return "not consumed";
  }
};
