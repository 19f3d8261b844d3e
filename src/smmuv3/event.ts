/** Event records: which are recorded, with which fields, and their 32 bytes (IHI 0070 section 7.3 "Event records"). */
import type { EventRecord, Transaction } from "../base/transaction.ts";
import { Event, EventAtsRequest, type EventField, eventFields, type EventName } from "../../specs/smmuv3/event.ts";
import type { Quirks } from "./quirks.ts";

/** What a fault knows besides the transaction. */
export interface FaultDetail {
  readonly s2?: boolean;
  readonly class?: "CD" | "TT" | "IN";
  /** The address that stage 2 was given. */
  readonly ipa?: bigint;
  /** Physical address of a structure that could not be fetched. */
  readonly fetch?: bigint;
  /** Where an implementation tells something else than the transaction's own direction. */
  readonly rnw?: boolean;
  /** Tag of a stalled transaction. */
  readonly stag?: number;
  /** Of a stage-1 structure that stage 2 does not permit: it was read, not updated. */
  readonly tableRead?: boolean;
}

const PAGE_OF_IPA = ((1n << 56n) - 1n) & ~0xfffn;
const ALIGNED = ((1n << 56n) - 1n) & ~7n;

/** Privilege and instruction attributes as they are told; a write is data. */
const attributes = ({ op, priv, instr }: Transaction, quirks: Quirks): { readonly PnU: bigint; readonly InD: bigint } => ({
  PnU: BigInt(priv === true && quirks.privilegedDataOnly !== true),
  InD: BigInt(instr === true && op === "read" && quirks.privilegedDataOnly !== true),
});

/** Dword 3: the IPA of a stage-2 fault, by pages, or the address of a failed fetch. */
const lastWord = (type: EventName, detail: FaultDetail, quirks: Quirks): bigint => {
  const fields = eventFields[type] ?? [];
  if (fields.includes("fetch") && detail.fetch !== undefined) return type === "F_CD_FETCH" && quirks.contextFetchAddressMoved ? 0n : detail.fetch & (quirks.faultAddressWhole ? ~0n : ALIGNED);
  if (!fields.includes("ipa") || detail.ipa === undefined) return 0n;
  return quirks.faultAddressWhole ? detail.ipa : detail.ipa & PAGE_OF_IPA;
};

/** The fields of a record as numbers, for its words; only those that its type defines. */
const encoded = (type: EventName, transaction: Transaction, detail: FaultDetail, quirks: Quirks): readonly bigint[] => {
  const has = (field: EventField): boolean => eventFields[type]?.includes(field) === true;
  const { ssid, iova } = transaction;
  const moved = type === "F_CD_FETCH" && quirks.contextFetchAddressMoved === true;
  const { op, priv, instr } = transaction;
  // A request always asks to read.
  const asked = type === "F_BAD_ATS_TREQ" ? EventAtsRequest.encode({ R: 1n, W: BigInt(op === "write"), X: BigInt(instr === true), P: BigInt(priv === true), Span: 1n }) : [];
  const words = Event.encode({
    Type: type,
    SID: BigInt(transaction.sid),
    ...(ssid === undefined || !has("ssid") ? {} : { SSID: BigInt(ssid) }),
    ...(ssid === undefined || !has("ssv") ? {} : { SSV: 1n }),
    ...(detail.stag === undefined || !has("stall") ? {} : { STALL: 1n, STAG: BigInt(detail.stag) }),
    ...(has("pnu") ? attributes(transaction, quirks) : {}),
    ...(has("rnw") ? { RnW: BigInt(detail.rnw ?? transaction.op === "read") } : {}),
    ...(has("ttrnw") && detail.class === "TT" && !quirks.tableAccessUntold ? { TTRnW: BigInt(detail.tableRead !== false) } : {}),
    ...(has("s2") ? { S2: BigInt(detail.s2 === true) } : {}),
    ...(has("class") ? { CLASS: detail.class ?? "IN" } : {}),
    ...(has("iova") ? { InputAddr: has("span") ? iova & ~0xfffn : iova } : {}),
    ...(moved ? { InputAddr: detail.fetch ?? 0n } : {}),
  });
  return words.map((word, at) => word | (asked[at] ?? 0n));
};

/** The record of an event, with exactly the fields that its type defines. `transaction` has its attributes after the STE's overrides. */
export const eventRecord = (type: EventName, transaction: Transaction, detail: FaultDetail = {}, quirks: Quirks = {}): EventRecord => {
  const has = (field: EventField): boolean => eventFields[type]?.includes(field) === true;
  const last = lastWord(type, detail, quirks);
  const raw = encoded(type, transaction, detail, quirks);
  const s2 = detail.s2 === true;
  return {
    type,
    sid: transaction.sid,
    ...(transaction.ssid === undefined || !has("ssid") ? {} : { ssid: transaction.ssid }),
    ...(has("iova") ? { iova: transaction.iova } : {}),
    ...(has("rnw") ? { rnw: detail.rnw ?? transaction.op === "read" } : {}),
    ...(has("s2") ? { s2 } : {}),
    ...(has("class") ? { class: detail.class ?? "IN" } : {}),
    ...(has("ipa") && (s2 || last !== 0n) ? { ipa: last } : {}),
    ...(has("fetch") ? { fetch: last } : {}),
    ...(detail.stag === undefined || !has("stall") ? {} : { stag: detail.stag }),
    raw: [raw[0]!, raw[1]!, raw[2]!, last],
  };
};
