/** Commands, events and page requests in names and fields (IHI 0070 chapter 4, section 7.3, chapter 8). */
import {
  Command,
  CommandAtcInv,
  CommandCfgi,
  CommandCfgiCd,
  CommandCfgiRange,
  type CommandName,
  CommandPrefetch,
  CommandPriResp,
  CommandResume,
  CommandSync,
  CommandTlbi,
} from "../../specs/smmuv3/command.ts";
import {
  Event,
  EventAtsRequest,
  EventConfigurationConflict,
  EventFetch,
  type EventField,
  eventFields,
  type EventName,
  EventPageRequest,
  EventTlbConflict,
  EventUut,
  EventWalkAbort,
} from "../../specs/smmuv3/event.ts";
import { PageRequest } from "../../specs/smmuv3/pri.ts";
import type { Fields, Layout } from "../base/layout.ts";
import { illegalCommand, nameOf } from "../smmuv3/invalidate.ts";
import type { Settings } from "../smmuv3/registers.ts";
import type { QueueRecord } from "./decoding.ts";
import { fieldsOf, reservedIn } from "./fields.ts";

export type Said = Pick<QueueRecord, "name" | "fields" | "reserved" | "illegal">;
type AnyLayout = Layout<Fields>;
const of = (layout: unknown): AnyLayout => layout as AnyLayout;

const STREAMS = of(CommandCfgi);
const byCommand: Readonly<Partial<Record<CommandName, AnyLayout>>> = {
  PREFETCH_CONFIG: of(CommandPrefetch),
  PREFETCH_ADDR: of(CommandPrefetch),
  CFGI_STE: STREAMS,
  CFGI_STE_RANGE: of(CommandCfgiRange),
  CFGI_CD: of(CommandCfgiCd),
  CFGI_CD_ALL: of(CommandCfgiCd),
  ATC_INV: of(CommandAtcInv),
  PRI_RESP: of(CommandPriResp),
  RESUME: of(CommandResume),
  STALL_TERM: of(CommandResume),
  SYNC: of(CommandSync),
};
const layoutOf = (name: CommandName): AnyLayout => byCommand[name] ?? of(name.startsWith("TLBI") ? CommandTlbi : Command);

const ALL_STREAMS = 31n;
/** The name of a command; CFGI_STE_RANGE over everything is what software calls CFGI_ALL. */
export const commandName = (words: readonly bigint[]): string => {
  const name = nameOf(words);
  if (name === "CFGI_STE_RANGE" && CommandCfgiRange.get(words, "Range") === ALL_STREAMS) return "CFGI_ALL";
  return name ?? "unknown";
};
export const commandOf = (words: readonly bigint[], settings: Settings): Said => {
  const name = nameOf(words);
  const layout = name === undefined ? of(Command) : layoutOf(name);
  const illegal = illegalCommand(words, settings);
  return { name: commandName(words), fields: fieldsOf(layout, words), reserved: name === undefined ? [] : reservedIn(layout, words), ...(illegal === undefined ? {} : { illegal }) };
};

const byEvent: Readonly<Partial<Record<EventName, AnyLayout>>> = {
  F_UUT: of(EventUut),
  F_STE_FETCH: of(EventFetch),
  F_CD_FETCH: of(EventFetch),
  F_VMS_FETCH: of(EventFetch),
  F_BAD_ATS_TREQ: of(EventAtsRequest),
  F_WALK_EABT: of(EventWalkAbort),
  F_TLB_CONFLICT: of(EventTlbConflict),
  F_CFG_CONFLICT: of(EventConfigurationConflict),
  E_PAGE_REQUEST: of(EventPageRequest),
};
const ASKED = ["P", "X", "W", "R", "uX", "uW", "uR", "pX", "pW", "pR"] as const;
/** Fields of a layout by the names that `eventFields` gives them. */
const NAMES: Readonly<Record<EventField, readonly string[]>> = {
  ssid: ["SSID"],
  ssv: ["SSV"],
  iova: ["InputAddr"],
  s2: ["S2"],
  class: ["CLASS"],
  rnw: ["RnW"],
  pnu: ["PnU"],
  ind: ["InD"],
  ttrnw: ["TTRnW"],
  nsipa: ["NSIPA"],
  ipa: ["IPA"],
  fetch: ["FetchAddr"],
  stall: ["STALL", "STAG"],
  reason: ["Reason"],
  gpcf: ["GPCF"],
  span: ["Span"],
  asked: ASKED,
};

export const eventName = (words: readonly bigint[]): string => {
  const name = Event.get(words, "Type");
  return typeof name === "string" ? name : "unknown";
};
/** An event with exactly the fields that its type defines; what else is set is not told: it is unknown, not reserved. */
export const eventOf = (words: readonly bigint[]): Said => {
  const name = Event.get(words, "Type");
  if (typeof name !== "string") return { name: "unknown", fields: fieldsOf(Event, words, (field) => field === "Type" || field === "SID"), reserved: [] };
  const defined = new Set(["Type", "SID", ...(eventFields[name] ?? []).flatMap((field) => NAMES[field])]);
  return { name, fields: fieldsOf(byEvent[name] ?? of(Event), words, (field) => defined.has(field)), reserved: [] };
};

/** A request that ends nothing and asks for nothing is a Stop marker. */
export const requestName = (words: readonly bigint[]): string => {
  const { SSV, Last, R, W } = PageRequest.decode(words);
  return SSV === 1n && Last === 1n && R === 0n && W === 0n ? "stop marker" : "page request";
};
export const requestOf = (words: readonly bigint[]): Said => ({ name: requestName(words), fields: fieldsOf(PageRequest, words), reserved: reservedIn(PageRequest, words) });
