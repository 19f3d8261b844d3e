/**
 * Event records: four 64-bit words. Types whose fields lie where those of faults lie, and are others, have a layout of
 * their own. Left out: Overlay, AssuredOnly and DirtyBit of F_PERMISSION (permission indirection), and 0xe0 to 0xef, which
 * are implementation defined.
 * Source: IHI 0070 G.b section 7.3 "Event records"; Linux arm-smmu-v3.h EVTQ_*.
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
  F_VMS_FETCH: 0x25,
} as const;
export type EventName = keyof typeof eventTypes;

/**
 * A field, or a few that come together: `ssv` SSV, `iova` InputAddr, `s2` S2, `class` CLASS, `rnw` RnW, `pnu` PnU, `ind`
 * InD, `ttrnw` TTRnW, `nsipa` NSIPA, `ipa` IPA, `fetch` FetchAddr, `stall` STALL and STAG, `reason` Reason, `gpcf` GPCF,
 * `span` Span, `asked` the permissions that an ATS or page request asks for.
 */
export type EventField = "ssid" | "ssv" | "iova" | "s2" | "class" | "rnw" | "pnu" | "ind" | "ttrnw" | "nsipa" | "ipa" | "fetch" | "stall" | "reason" | "gpcf" | "span" | "asked";

const substream = ["ssid", "ssv"] as const;
/** What a transaction was, where a type says it in full. InD is 0 for a write; InD and PnU are what STE overrides left. */
const access = ["rnw", "pnu", "ind"] as const;
const fetch = [...substream, "fetch", "reason", "gpcf"] as const;
const fault = [...substream, "iova", "s2", "class", ...access, "nsipa", "ipa", "stall"] as const;

/**
 * Exactly the fields that a type defines besides type and stream. IPA is that of a stage-2 fault (S2=1), NSIPA that of a
 * Secure stream, TTRnW that of CLASS=TT; they are unknown otherwise.
 */
export const eventFields: Readonly<Partial<Record<EventName, readonly EventField[]>>> = {
  F_UUT: [...substream, "iova", ...access, "reason"],
  C_BAD_STREAMID: substream,
  F_STE_FETCH: fetch,
  C_BAD_STE: substream,
  F_BAD_ATS_TREQ: [...substream, "iova", "span", "asked"],
  F_STREAM_DISABLED: [],
  F_TRANSL_FORBIDDEN: ["iova", "rnw"],
  C_BAD_SUBSTREAMID: ["ssid"],
  F_CD_FETCH: fetch,
  C_BAD_CD: substream,
  F_WALK_EABT: [...substream, "iova", "s2", "class", ...access, "fetch", "reason", "gpcf"],
  F_TRANSLATION: fault,
  F_ADDR_SIZE: fault,
  F_ACCESS: fault,
  F_PERMISSION: [...fault, "ttrnw"],
  F_TLB_CONFLICT: [...substream, "iova", "s2", ...access, "nsipa", "ipa", "reason"],
  F_CFG_CONFLICT: [...substream, "reason"],
  E_PAGE_REQUEST: [...substream, "iova", "span", "asked"],
  F_VMS_FETCH: fetch,
};

const SOURCE = 'IHI 0070 "Event records"';
const header = {
  Type: { at: [7, 0], doc: "what happened", is: eventTypes },
  SSV: { at: [11, 11], doc: "SubstreamID is valid" },
  SSID: { at: [31, 12], doc: "SubstreamID" },
  SID: { at: [63, 32], doc: "StreamID" },
} as const;
const reason = { word: 1, at: [15, 0], doc: "implementation defined" } as const;
const granuleProtection = { word: 1, at: [16, 16], doc: "the fetch met a granule protection fault" } as const;
const attributes = {
  PnU: { word: 1, at: [33, 33], doc: "privileged" },
  InD: { word: 1, at: [34, 34], doc: "instruction" },
  RnW: { word: 1, at: [35, 35], doc: "read" },
} as const;
const stage2 = { word: 1, at: [39, 39], doc: "stage 2 faulted" } as const;
const faultClass = { word: 1, at: [41, 40], doc: "what was being translated", is: { CD: 0, TT: 1, IN: 2 } } as const;
const input = { word: 2, at: [63, 0], doc: "address of the transaction" } as const;
const page = { word: 2, at: [63, 12], unit: 4096, doc: "address that is asked for" } as const;
const fetched = { word: 3, at: [55, 3], unit: 8, doc: "physical address of the fetch that failed" } as const;

/** The common words, the faults F_TRANSLATION, F_ADDR_SIZE, F_ACCESS and F_PERMISSION, and F_TRANSL_FORBIDDEN. */
export const Event = layout("Event record", 4, SOURCE, {
  ...header,
  STAG: { word: 1, at: [15, 0], doc: "stall tag" },
  STALL: { word: 1, at: [31, 31], doc: "the transaction waits" },
  ...attributes,
  NSIPA: { word: 1, at: [36, 36], doc: "Non-secure IPA" },
  S2: stage2,
  CLASS: faultClass,
  TTRnW: { word: 1, at: [44, 44], doc: "F_PERMISSION with CLASS=TT: the table access was a read" },
  InputAddr: input,
  IPA: { word: 3, at: [55, 3], unit: 8, doc: "IPA[55:12] of a stage-2 fault, its low bits 0; FetchAddr of the types with a fetch" },
});

export const EventUut = layout("F_UUT", 4, SOURCE, { ...header, Reason: reason, ...attributes, InputAddr: input });

/** F_STE_FETCH, F_CD_FETCH, F_VMS_FETCH. */
export const EventFetch = layout("F_STE_FETCH", 4, SOURCE, { ...header, Reason: reason, GPCF: granuleProtection, FetchAddr: fetched });

/** Never stalls, so there is no tag. S2=0 with CLASS=TT is a fetch of a stage-1 table. */
export const EventWalkAbort = layout("F_WALK_EABT", 4, SOURCE, {
  ...header,
  Reason: reason,
  GPCF: granuleProtection,
  ...attributes,
  S2: stage2,
  CLASS: faultClass,
  InputAddr: input,
  FetchAddr: fetched,
});

/** What the request asked for, before STE overrides; a request always asks to read. */
export const EventAtsRequest = layout("F_BAD_ATS_TREQ", 4, SOURCE, {
  ...header,
  Span: { word: 1, at: [3, 0], doc: "number of smallest translation units" },
  P: { word: 1, at: [28, 28], doc: "privileged" },
  X: { word: 1, at: [29, 29], doc: "execute" },
  W: { word: 1, at: [30, 30], doc: "write" },
  R: { word: 1, at: [31, 31], doc: "read" },
  InputAddr: page,
});

export const EventTlbConflict = layout("F_TLB_CONFLICT", 4, SOURCE, {
  ...header,
  Reason: reason,
  ...attributes,
  NSIPA: { word: 1, at: [36, 36], doc: "Non-secure IPA" },
  S2: stage2,
  InputAddr: input,
  IPA: { word: 3, at: [55, 12], unit: 4096, doc: "IPA, where S2 is 1" },
});

export const EventConfigurationConflict = layout("F_CFG_CONFLICT", 4, SOURCE, {
  ...header,
  Reason: { word: 1, at: [31, 0], doc: "implementation defined" },
});

/** A hint of a device that is to access an address soon: p privileged, u not; R, W and X. */
export const EventPageRequest = layout("E_PAGE_REQUEST", 4, SOURCE, {
  ...header,
  uX: { word: 1, at: [34, 34], doc: "unprivileged execution" },
  uW: { word: 1, at: [35, 35], doc: "unprivileged write" },
  uR: { word: 1, at: [36, 36], doc: "unprivileged read" },
  pX: { word: 1, at: [37, 37], doc: "privileged execution" },
  pW: { word: 1, at: [38, 38], doc: "privileged write" },
  pR: { word: 1, at: [39, 39], doc: "privileged read" },
  Span: { word: 1, at: [51, 44], doc: "number of pages of 4 KiB" },
  InputAddr: page,
});
