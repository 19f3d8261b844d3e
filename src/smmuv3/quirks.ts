/**
 * Where an implementation departs from the architecture, by name. A quirk changes one decision and nothing else; with
 * none, `translateWith` is `translate`. Source of what QEMU does: a running 10.0.2, held to each quirk by test/qemu; the
 * functions are those of its hw/arm/smmuv3.c and hw/arm/smmu-common.c. What the architecture says instead is `assumed`
 * (IHI 0070 not at hand) for rootOf48Bits, stage1FieldsChecked, streamWorldUnchecked, hardwareUpdateIgnored,
 * smallInputAccepted, smallRootUnaligned, and for LOG2SIZE beyond SIDSIZE in streamTableHalfAligned.
 */
import { offsets, StrtabBase, StrtabBaseCfg } from "../../specs/smmuv3/registers.ts";
import { Ste } from "../../specs/smmuv3/ste.ts";
import type { EventRecord, Transaction } from "../base/transaction.ts";
import { pa } from "../base/words.ts";
import { type Configuration, configurationOf, type Stage2 } from "./configuration.ts";
import { eventRecord } from "./event.ts";
import { type RegisterFile, type Settings, settingsOf } from "./registers.ts";
import { entryOf } from "./streamTable.ts";
import { translate, type Translation } from "./transaction.ts";
import { decodeDescriptor, levelShift, type Via, walk } from "./walk.ts";

/** What each quirk does, for people. */
export const quirks = {
  badStreamRecorded: "C_BAD_STREAMID is recorded whatever CR2.RECINVSID says",
  streamTableHalfAligned: "a linear stream table's base is aligned to half the size that LOG2SIZE says, even beyond SIDSIZE",
  bypassUnchecked: "a bypassed address beyond OAS passes; the architecture has F_ADDR_SIZE",
  wideInputSilent: "a stage-2 input beyond OAS aborts without an event even with S2R=1",
  rootOf48Bits: "bits 55:48 of S2TTB are ignored",
  stage1FieldsChecked: "S1CDMax above 0 and S1STALLD=1 are illegal even where stage 1 is off",
  streamWorldUnchecked: "STRW is ignored; StreamWorlds that are not implemented are illegal where stage 1 is on",
  hardwareUpdateIgnored: "S2HA and S2HD are ignored; without HTTU they are illegal",
  smallInputAccepted: "an S2T0SZ too large for S2SL0 is accepted: the root is one entry, at address 0 where there is less than one",
  smallRootUnaligned: "a stage-2 root of fewer than 8 entries is aligned to its size, not to 64 bytes",
  concatenationIgnored: "the index of a concatenated stage-2 root table is added to S2TTB before its alignment, which drops it: the first table is walked",
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
    streamTableHalfAligned: true,
    bypassUnchecked: true,
    wideInputSilent: true,
    rootOf48Bits: true,
    stage1FieldsChecked: true,
    streamWorldUnchecked: true,
    hardwareUpdateIgnored: true,
    smallInputAccepted: true,
    smallRootUnaligned: true,
    concatenationIgnored: true,
    addressSizeLast: true,
    level0Block: true,
    faultAddressWhole: true,
  },
} as const satisfies Readonly<Record<string, Quirks>>;

type Read = (address: bigint) => bigint | undefined;
type Walk = ReturnType<typeof walk>;

const below = (bits: bigint): bigint => (1n << bits) - 1n;
/** log2 of the bytes to which a root of any size is aligned. */
const LEAST_ALIGNMENT = 6;
/** Wider than the address in any descriptor: the walk finds no address size fault. */
const UNCHECKED = 64;

/** log2 of the bytes of all root tables; negative where the input does not reach the start level. */
const rootBits = ({ inputBits, startLevel }: Pick<Stage2, "inputBits" | "startLevel">): number => inputBits - Number(levelShift(startLevel)) + 3;

interface QuirkyStage2 {
  readonly regime: Stage2;
  /** S2TTB, as the entry has it. */
  readonly base: bigint;
}

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
const quirkyWalk = (set: Quirks, read: Read, { regime, base }: QuirkyStage2, transaction: Transaction): Walk => {
  const { iova } = transaction;
  if (iova >> BigInt(regime.inputBits) !== 0n) return walk(read, regime, iova, transaction);
  const oneTable = levelShift(regime.startLevel) + 9n;
  const joined = set.concatenationIgnored && regime.inputBits > oneTable;
  const address = joined ? iova & below(oneTable) : iova;
  // Aligned to all tables together, after the index was added.
  const root = joined ? (base + (iova >> oneTable) * 0x1000n) & ~below(BigInt(rootBits(regime))) : regime.root;
  const asked = { ...regime, root, ...(set.addressSizeLast ? { outputBits: UNCHECKED } : {}) };
  const walked = (set.level0Block ? level0Walk(read, asked, address, transaction) : undefined) ?? walk(read, asked, address, transaction);
  return walked.result === "ok" && walked.pa >> BigInt(regime.outputBits) !== 0n ? { result: "fault", fault: "F_ADDR_SIZE", via: walked.via } : walked;
};

/** Dword 3 as the address that was asked for, not its page. */
const wholeAddress = (event: EventRecord, { iova }: Transaction): EventRecord =>
  event.ipa === undefined ? event : { ...event, ipa: iova, raw: [event.raw[0], event.raw[1], event.raw[2], iova] };

const abort = (via: readonly Via[], event?: EventRecord): Translation => ({ result: "abort", ...(event === undefined ? {} : { event }), via });

const throughStage2 = (set: Quirks, read: Read, stage2: QuirkyStage2, transaction: Transaction, ste: readonly Via[]): Translation => {
  const { iova } = transaction;
  const walked = quirkyWalk(set, read, stage2, transaction);
  const via = [...ste, ...walked.via];
  if (walked.result === "ok") return { result: "ok", pa: pa(walked.pa), via };
  if (walked.result === "external") return abort(via, eventRecord("F_WALK_EABT", transaction, { s2: true, class: "IN", fetch: walked.fetch }));
  if (!stage2.regime.recorded) return abort(via);
  const event = eventRecord(walked.fault, transaction, { s2: true, class: "IN", ipa: iova });
  return abort(via, set.faultAddressWhole ? wholeAddress(event, transaction) : event);
};

/** A legal start level for an input size of up to 39 bits. */
const fitting = (inputBits: number): bigint => (inputBits <= 34 ? 0n : 1n);

/** The regime of an entry that is illegal for nothing but an input too small for its start level. */
const smallInput = (words: readonly bigint[], settings: Settings): Configuration | undefined => {
  const { S2SL0, S2T0SZ } = Ste.decode(words);
  const [inputBits, startLevel] = [64 - Number(S2T0SZ), 2 - Number(S2SL0)];
  if (startLevel < 0 || inputBits > 39 || rootBits({ inputBits, startLevel }) > 3) return undefined;
  const at = BigInt(Ste.fields.S2SL0.at[1]);
  const fitted = configurationOf(words.with(2, (words[2]! & ~(3n << at)) | (fitting(inputBits) << at)), settings);
  return fitted.class === "stage2" ? { ...fitted, startLevel } : fitted;
};

/** Bits of an entry that a quirk overlooks. */
const overlooked = {
  streamWorldUnchecked: Ste.encode({ STRW: 3n }),
  hardwareUpdateIgnored: Ste.encode({ S2HA: 1n, S2HD: 1n }),
  rootOf48Bits: Ste.encode({ S2TTB: 0xff_0000_0000_0000n }),
} as const;
const ignored = (set: Quirks, word: number): bigint => Object.entries(overlooked).reduce((bits, [quirk, entry]) => bits | (set[quirk as Quirk] ? entry[word]! : 0n), 0n);

/** The meaning of an entry under quirks. */
const quirkyConfiguration = (set: Quirks, given: readonly bigint[], settings: Settings): Configuration => {
  const words = given.map((word, at) => word & ~ignored(set, at));
  const plain = configurationOf(words, settings);
  const configuration = (plain.class === "illegal" && set.smallInputAccepted ? smallInput(words, settings) : undefined) ?? plain;
  if (configuration.class !== "stage2") return configuration;
  if (set.stage1FieldsChecked && (Ste.get(words, "S1CDMax") !== 0n || Ste.get(words, "S1STALLD") === 1n)) return { class: "illegal", why: "a stage-1 field is set" };
  const bits = rootBits(configuration);
  if (bits < 0) return { ...configuration, root: 0n };
  const alignment = bits >= LEAST_ALIGNMENT || set.smallRootUnaligned ? bits : LEAST_ALIGNMENT;
  return { ...configuration, root: Ste.get(words, "S2TTB") & ~below(BigInt(alignment)) };
};

/** What the entry of a stream means under quirks, and its words; undefined where no entry is read. */
const configured = (set: Quirks, read: Read, settings: Settings, transaction: Transaction): { readonly configuration: Configuration; readonly base: bigint; readonly via: readonly Via[] } | undefined => {
  const entry = settings.enabled ? entryOf(read, settings, transaction.sid) : undefined;
  if (entry?.result !== "ok") return undefined;
  const via = entry.words.slice(0, 4).map((value, word) => ({ what: `STE dw${word}`, addr: entry.addr + BigInt(word * 8), value }));
  return { configuration: quirkyConfiguration(set, entry.words, settings), base: Ste.get(entry.words, "S2TTB") & (set.rootOf48Bits ? below(48n) : ~0n), via };
};

/** The base of a linear stream table, aligned to half its size. */
const halfAligned = (registers: RegisterFile): bigint => {
  const word = (offset: number): bigint => BigInt((registers.get(offset) ?? 0) >>> 0);
  const size = StrtabBaseCfg.get([word(offsets.STRTAB_BASE_CFG)], "LOG2SIZE");
  return StrtabBase.get([word(offsets.STRTAB_BASE) | (word(offsets.STRTAB_BASE + 4) << 32n)], "ADDR") & ~below(BigInt(size) + 5n);
};

/** `settingsOf`, of an implementation with these quirks. */
export const settingsWith = (set: Quirks, registers: RegisterFile): Settings => ({
  ...settingsOf(registers),
  ...(set.badStreamRecorded ? { recordBadStream: true } : {}),
  ...(set.streamTableHalfAligned ? { streamTable: halfAligned(registers) } : {}),
});

/** `translate`, of an implementation with these quirks; `settings` are those of `settingsWith`. */
export const translateWith = (set: Quirks, read: Read, settings: Settings, transaction: Transaction): Translation => {
  const entry = configured(set, read, settings, transaction);
  const tooWide = transaction.iova >> BigInt(settings.outputBits) !== 0n;
  if (entry?.configuration.class === "bypass" && tooWide && set.bypassUnchecked) return { result: "ok", pa: pa(transaction.iova), via: entry.via };
  if (entry?.configuration.class === "unsupported") return { result: "unsupported", why: entry.configuration.why, via: entry.via };
  if (entry?.configuration.class === "illegal") return abort(entry.via, eventRecord("C_BAD_STE", transaction));
  if (entry?.configuration.class !== "stage2" || transaction.ssid !== undefined) return translate(read, settings, transaction);
  if (tooWide) return set.wideInputSilent ? abort(entry.via) : translate(read, settings, transaction);
  return throughStage2(set, read, { regime: entry.configuration, base: entry.base }, transaction, entry.via);
};
