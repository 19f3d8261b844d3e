/**
 * Where an implementation departs from the architecture, by name. A quirk changes one decision and nothing else; with
 * none, `translateWith` is `translate`. Sources: QEMU 10.0 hw/arm/smmuv3.c (decode_ste, smmu_find_ste,
 * smmuv3_translate) and hw/arm/smmu-common.c (smmu_ptw_64_s2); each is held against the running machine by test/qemu.
 */
import type { EventRecord, Transaction } from "../base/transaction.ts";
import { pa } from "../base/words.ts";
import { type Configuration, configurationOf, type Stage2 } from "./configuration.ts";
import { eventRecord } from "./event.ts";
import type { Settings } from "./registers.ts";
import { entryOf } from "./streamTable.ts";
import { translate, type Translation } from "./transaction.ts";
import { decodeDescriptor, levelShift, type Via, walk } from "./walk.ts";

/** What each quirk does, for people. */
export const quirks = {
  badStreamRecorded: "C_BAD_STREAMID is recorded whatever CR2.RECINVSID says",
  bypassUnchecked: "a bypassed address beyond OAS passes; the architecture has F_ADDR_SIZE",
  wideInputSilent: "a stage-2 input beyond OAS aborts without an event even with S2R=1",
  concatenationIgnored: "of concatenated stage-2 root tables only the first is walked; input bits above it are dropped",
  addressSizeLast: "only a leaf's address is held against S2PS, after its access flag and permissions; a table's is not",
  level0Block: "a block descriptor at level 0 maps 512 GiB",
  faultAddressWhole: "dword 3 of a stage-2 fault keeps the low 12 bits of the IPA",
} as const satisfies Readonly<Record<string, string>>;
export type Quirk = keyof typeof quirks;
export type Quirks = Readonly<Partial<Record<Quirk, true>>>;

/** The sets that can be asked for by name. */
export const quirkSets = {
  "qemu-10.0": {
    badStreamRecorded: true,
    bypassUnchecked: true,
    wideInputSilent: true,
    concatenationIgnored: true,
    addressSizeLast: true,
    level0Block: true,
    faultAddressWhole: true,
  },
} as const satisfies Readonly<Record<string, Quirks>>;

type Read = (address: bigint) => bigint | undefined;
type Walk = ReturnType<typeof walk>;

const below = (bits: bigint): bigint => (1n << bits) - 1n;
/** Wider than the address in any descriptor: the walk finds no address size fault. */
const UNCHECKED = 64;

/** The leaf that a block at level 0 is taken for; its rights lie where those of the level below do. */
const level0Walk = (read: Read, regime: Stage2, address: bigint, { op }: Transaction): Walk | undefined => {
  const at = regime.root + 8n * (address >> levelShift(0));
  const value = regime.startLevel === 0 ? read(at) : undefined;
  if (value === undefined || (value & 3n) !== 1n) return undefined;
  const leaf = decodeDescriptor(value, 1);
  if (leaf.is !== "leaf") return undefined;
  const via = [{ what: "stage-2 level 0 descriptor", addr: at, value }];
  if (!leaf.accessed && !regime.ignoreAccessFlag) return { result: "fault", fault: "F_ACCESS", via };
  if (!leaf[op]) return { result: "fault", fault: "F_PERMISSION", via };
  return { result: "ok", pa: (leaf.pa & ~below(levelShift(0))) | (address & below(levelShift(0))), via };
};

/** The walk under quirks: the regime is changed before the architecture's walk, or its answer after. */
const quirkyWalk = (set: Quirks, read: Read, regime: Stage2, transaction: Transaction): Walk => {
  const { iova } = transaction;
  if (iova >> BigInt(regime.inputBits) !== 0n) return walk(read, regime, iova, transaction);
  const inputBits = set.concatenationIgnored ? Math.min(regime.inputBits, Number(levelShift(regime.startLevel)) + 9) : regime.inputBits;
  const address = iova & below(BigInt(inputBits));
  const asked = { ...regime, inputBits, ...(set.addressSizeLast ? { outputBits: UNCHECKED } : {}) };
  const walked = (set.level0Block ? level0Walk(read, asked, address, transaction) : undefined) ?? walk(read, asked, address, transaction);
  return walked.result === "ok" && walked.pa >> BigInt(regime.outputBits) !== 0n ? { result: "fault", fault: "F_ADDR_SIZE", via: walked.via } : walked;
};

/** Dword 3 as the address that was asked for, not its page. */
const wholeAddress = (event: EventRecord, { iova }: Transaction): EventRecord =>
  event.ipa === undefined ? event : { ...event, ipa: iova, raw: [event.raw[0], event.raw[1], event.raw[2], iova] };

const abort = (via: readonly Via[], event?: EventRecord): Translation => ({ result: "abort", ...(event === undefined ? {} : { event }), via });

const throughStage2 = (set: Quirks, read: Read, regime: Stage2, transaction: Transaction, ste: readonly Via[]): Translation => {
  const { iova } = transaction;
  const walked = quirkyWalk(set, read, regime, transaction);
  const via = [...ste, ...walked.via];
  if (walked.result === "ok") return { result: "ok", pa: pa(walked.pa), via };
  if (walked.result === "external") return abort(via, eventRecord("F_WALK_EABT", transaction, { s2: true, class: "IN", fetch: walked.fetch }));
  if (!regime.recorded) return abort(via);
  const event = eventRecord(walked.fault, transaction, { s2: true, class: "IN", ipa: iova });
  return abort(via, set.faultAddressWhole ? wholeAddress(event, transaction) : event);
};

/** What the entry of a stream means under quirks, and its words; undefined where no entry is read. */
const configured = (read: Read, settings: Settings, transaction: Transaction): { readonly configuration: Configuration; readonly via: readonly Via[] } | undefined => {
  const entry = settings.enabled ? entryOf(read, settings, transaction.sid) : undefined;
  if (entry?.result !== "ok") return undefined;
  const via = entry.words.slice(0, 4).map((value, word) => ({ what: `STE dw${word}`, addr: entry.addr + BigInt(word * 8), value }));
  return { configuration: configurationOf(entry.words, settings), via };
};

/** `translate`, of an implementation with these quirks. */
export const translateWith = (set: Quirks, read: Read, given: Settings, transaction: Transaction): Translation => {
  const settings = set.badStreamRecorded ? { ...given, recordBadStream: true } : given;
  const entry = configured(read, settings, transaction);
  const tooWide = transaction.iova >> BigInt(settings.outputBits) !== 0n;
  if (entry?.configuration.class === "bypass" && tooWide && set.bypassUnchecked) return { result: "ok", pa: pa(transaction.iova), via: entry.via };
  if (entry?.configuration.class !== "stage2" || transaction.ssid !== undefined) return translate(read, settings, transaction);
  if (tooWide) return set.wideInputSilent ? abort(entry.via) : translate(read, settings, transaction);
  return throughStage2(set, read, entry.configuration, transaction, entry.via);
};
