/**
 * Event records: four 64-bit words.
 * Source: IHI 0070 "Event queue"; Linux arm-smmu-v3.h EVTQ_*.
 */
import { layout } from "../../src/base/layout.ts";

export const eventTypes = {
  F_UUT: 0x01,
  C_BAD_STREAMID: 0x02,
  F_STE_FETCH: 0x03,
  C_BAD_STE: 0x04,
  F_BAD_ATS_TREQ: 0x05,
  F_STREAM_DISABLED: 0x06,
  F_TRANSL_FORBIDDEN: 0x07,
  C_BAD_SUBSTREAMID: 0x08,
  F_CD_FETCH: 0x09,
  C_BAD_CD: 0x0a,
  F_WALK_EABT: 0x0b,
  F_TRANSLATION: 0x10,
  F_ADDR_SIZE: 0x11,
  F_ACCESS: 0x12,
  F_PERMISSION: 0x13,
  F_TLB_CONFLICT: 0x20,
  F_CFG_CONFLICT: 0x21,
  E_PAGE_REQUEST: 0x24,
} as const;
export type EventName = keyof typeof eventTypes;

/** Which fields a type defines besides the stream, for the types that carry any. */
export const eventFields: Readonly<Partial<Record<EventName, readonly ("iova" | "s2" | "class" | "rnw" | "ipa" | "fetch")[]>>> = {
  F_STE_FETCH: ["fetch"],
  F_CD_FETCH: ["fetch"],
  F_WALK_EABT: ["iova", "s2", "class", "rnw", "fetch"],
  F_TRANSLATION: ["iova", "s2", "class", "rnw", "ipa"],
  F_ADDR_SIZE: ["iova", "s2", "class", "rnw", "ipa"],
  F_ACCESS: ["iova", "s2", "class", "rnw", "ipa"],
  F_PERMISSION: ["iova", "s2", "class", "rnw", "ipa"],
};

export const Event = layout("Event record", 4, 'IHI 0070 "Event records"', {
  Type: { at: [7, 0], doc: "what happened", is: eventTypes },
  SSV: { at: [11, 11], doc: "SubstreamID is valid" },
  SSID: { at: [31, 12], doc: "SubstreamID" },
  SID: { at: [63, 32], doc: "StreamID" },
  STAG: { word: 1, at: [15, 0], doc: "stall tag" },
  STALL: { word: 1, at: [31, 31], doc: "the transaction waits" },
  PnU: { word: 1, at: [33, 33], doc: "privileged" },
  InD: { word: 1, at: [34, 34], doc: "instruction" },
  RnW: { word: 1, at: [35, 35], doc: "read" },
  NSIPA: { word: 1, at: [36, 36], doc: "Non-secure IPA" },
  S2: { word: 1, at: [39, 39], doc: "stage 2 faulted" },
  CLASS: { word: 1, at: [41, 40], doc: "what was being translated", is: { CD: 0, TT: 1, IN: 2 } },
  InputAddr: { word: 2, at: [63, 0], doc: "address of the transaction" },
  IPA: { word: 3, at: [55, 3], unit: 8, doc: "IPA[51:12] of a stage-2 fault, or FetchAddr" },
});
