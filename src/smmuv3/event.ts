/** Event records: which are recorded, with which fields, and their 32 bytes (IHI 0070 "Event records"). */
import type { EventRecord, Transaction } from "../base/transaction.ts";
import { Event, eventFields, type EventName } from "../../specs/smmuv3/event.ts";

/** What a fault knows besides the transaction. */
export interface FaultDetail {
  readonly s2?: boolean;
  readonly class?: "CD" | "TT" | "IN";
  readonly ipa?: bigint;
  readonly fetch?: bigint;
}

/** The record of an event, with exactly the fields that its type defines. */
export const eventRecord = (type: EventName, transaction: Transaction, detail: FaultDetail = {}): EventRecord => {
  const defines = (field: "iova" | "s2" | "class" | "rnw" | "ipa" | "fetch") => eventFields[type]?.includes(field) === true;
  const s2 = detail.s2 === true;
  // dword 3 is the IPA of a stage-2 fault, page-aligned, or the address of a failed fetch.
  const ipa = defines("ipa") && s2 && detail.ipa !== undefined ? detail.ipa & ~0xfffn & ((1n << 52n) - 1n) : undefined;
  const fetch = defines("fetch") ? (detail.fetch ?? 0n) & ~7n : undefined;
  const faulting = defines("iova");
  const raw = Event.encode({
    Type: type,
    SID: BigInt(transaction.sid),
    ...(transaction.ssid === undefined ? {} : { SSV: 1n, SSID: BigInt(transaction.ssid) }),
    ...(faulting
      ? {
          PnU: BigInt(transaction.priv === true),
          InD: BigInt(transaction.instr === true),
          RnW: BigInt(transaction.op === "read"),
          S2: BigInt(s2),
          CLASS: detail.class ?? "IN",
          InputAddr: transaction.iova,
        }
      : {}),
    IPA: ipa ?? fetch ?? 0n,
  });
  return {
    type,
    sid: transaction.sid,
    ...(transaction.ssid === undefined ? {} : { ssid: transaction.ssid }),
    ...(faulting ? { iova: transaction.iova, s2, class: detail.class ?? "IN", rnw: transaction.op === "read" } : {}),
    ...(ipa === undefined ? {} : { ipa }),
    ...(fetch === undefined ? {} : { fetch }),
    raw: [raw[0]!, raw[1]!, raw[2]!, raw[3]!],
  };
};
