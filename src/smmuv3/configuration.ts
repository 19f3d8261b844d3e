/**
 * What a stream table entry means: its legality (C_BAD_STE) and the translation it asks for. Fields of a stage that
 * Config turns off are ignored.
 * Source: IHI 0070 section 5.2 "Stream Table Entry" and section 5.2.2 "Validity of STE", whose SteIllegal() the checks follow.
 */
import { Ste } from "../../specs/smmuv3/ste.ts";
import { type Replacement, replacementOf } from "./attributes.ts";
import { type Granule, levelShift } from "./descriptor.ts";
import { addressBits, type Settings } from "./registers.ts";
import type { SteWords } from "./streamTable.ts";

/** A stage-2 translation regime, as the walker needs it. */
export interface Stage2 {
  readonly class: "stage2";
  readonly vmid: number;
  readonly granule: Granule;
  /** Physical address of the root table, aligned to its size; up to 16 tables side by side. */
  readonly root: bigint;
  /** S2TTB as it stands. */
  readonly base: bigint;
  readonly inputBits: number;
  readonly startLevel: number;
  /** The effective S2PS. */
  readonly outputBits: number;
  /** Output addresses of 52 bits are implemented (OAS): how 64 KiB descriptors are read, whatever S2PS says. */
  readonly wide: boolean;
  /** An access flag of 0 is no fault. */
  readonly ignoreAccessFlag: boolean;
  /** XN[1:0] tells privileged from unprivileged execution. */
  readonly executeByPrivilege: boolean;
  /** Faults are recorded (S2R). */
  readonly recorded: boolean;
  /** Faults stall (S2S). */
  readonly stalls: boolean;
  /** Stage-1 tables and CDs may not lie in Device memory (S2PTW). */
  readonly protectedWalk: boolean;
  /** Stage 2 decides about memory types instead of being combined (S2FWB). */
  readonly forcesWriteBack: boolean;
  /** MemAttr=4 is write-back memory (IDR3.MTEPERM); reserved otherwise. */
  readonly tagPermission: boolean;
  readonly bigEndian: boolean;
  /** Hardware sets the access flag, and the dirty state. */
  readonly setsAccessFlag: boolean;
  readonly setsDirtyState: boolean;
}

/** Whose translations a stream uses (STRW): tables of EL1 and EL0, of a hypervisor alone, or of a hypervisor with a host. */
export type StreamWorld = "EL1" | "EL2" | "EL2-E2H";

/** Where the context descriptors of a stream lie. */
export interface ContextTable {
  /** An IPA where stage 2 translates, too. */
  readonly pointer: bigint;
  /** 0 linear, 1 two levels with 64 CDs each, 2 two levels with 1024. */
  readonly format: 0 | 1 | 2;
  /** log2 of the number of CDs; 0 where there are no substreams. */
  readonly log2Size: number;
  /** Transactions without a SubstreamID: 0 terminate, 1 bypass stage 1, 2 use substream 0. */
  readonly withoutSubstream: 0 | 1 | 2;
  readonly stallDisabled: boolean;
  readonly world: StreamWorld;
}
/** Stage 1 translates, and stage 2 after it where `stage2` is there. */
export interface Stage1 {
  readonly class: "stage1";
  readonly vmid: number;
  readonly contexts: ContextTable;
  readonly stage2?: Stage2;
}

export type Configuration =
  | Stage2
  | Stage1
  | { readonly class: "abort" }
  | { readonly class: "bypass" }
  | { readonly class: "illegal"; readonly why: string }
  /** Legal, but this model does not translate it: said instead of guessed. */
  | { readonly class: "unsupported"; readonly why: string };

/** Field values as numbers; addresses stay bigint. */
type Values = ReturnType<typeof Ste.decode>;
const number = (ste: Values, field: "S1Fmt" | "S1DSS" | "EATS" | "STRW" | "S2TG" | "S2PS"): number => {
  const value = ste[field];
  const names: Readonly<Record<string, number>> = Ste.fields[field].is;
  return typeof value === "string" ? names[value]! : Number(value);
};

const hasStage1 = (ste: Values): boolean => ste.Config === "s1" || ste.Config === "nested";
const hasStage2 = (ste: Values): boolean => ste.Config === "s2" || ste.Config === "nested";

const GRANULES: readonly (Granule | undefined)[] = [12, 16, 14, undefined];

/** STRW counts only where the stream could have another StreamWorld than EL1 (IgnoreSTESTRW). */
const worldUsed = (ste: Values, settings: Settings): boolean => ste.Config === "s1" && settings.hyp && settings.stage1;

/** Bytes of all root tables together; 0 where the input does not reach the start level. */
export const rootBytes = ({ inputBits, startLevel, granule }: Pick<Stage2, "inputBits" | "startLevel" | "granule">): bigint => {
  const bits = BigInt(inputBits) - levelShift(startLevel, granule) + 3n;
  return bits < 0n ? 0n : 1n << bits;
};

const stage1Fault = (ste: Values, settings: Settings): string | undefined => {
  const { quirks, substreamBits } = settings;
  if (quirks.stage1FieldsChecked && ste.S1CDMax !== 0n) return `S1CDMax=${ste.S1CDMax}: there is one CD`;
  if (quirks.stage1FieldsChecked && ste.S1STALLD === 1n && settings.stallModel !== 0) return "S1STALLD=1, but this SMMU does not choose whether to stall";
  if (!hasStage1(ste)) return undefined;
  if (ste.S1STALLD === 1n && settings.stallModel !== 0) return "S1STALLD=1, but this SMMU does not choose whether to stall";
  // Without substreams, S1CDMax, S1Fmt and S1DSS are ignored.
  if (substreamBits > 0 && ste.S1CDMax > BigInt(substreamBits)) return `S1CDMax=${ste.S1CDMax} is beyond SSIDSIZE=${substreamBits}`;
  const format = number(ste, "S1Fmt");
  if (substreamBits > 0 && ste.S1CDMax > 0n && (format === 1 || format === 2) && !settings.twoLevelCd) return `S1Fmt=${format}, but CD tables have one level here`;
  const reach = ste.Config === "nested" ? settings.intermediateBits : settings.outputBits;
  if (!quirks.contextPointerUnchecked && ste.S1ContextPtr >> BigInt(reach) !== 0n) return `S1ContextPtr=0x${ste.S1ContextPtr.toString(16)} is beyond ${reach} bits`;
  return undefined;
};

/** ATS, where it is implemented; EATS is ignored otherwise. */
const atsFault = (ste: Values, settings: Settings): string | undefined => {
  if (!settings.ats || ste.Config === "bypass") return undefined;
  const eats = number(ste, "EATS");
  if (eats === 2 && (ste.Config !== "nested" || !settings.splitAts || ste.S2S === 1n)) return "EATS=2 needs both stages, NS1ATS=0 and S2S=0";
  if (eats === 1 && ste.S2S === 1n && hasStage2(ste)) return "EATS=1 with S2S=1";
  return eats === 3 && settings.devicePermissionTable && worldUsed(ste, settings) && number(ste, "STRW") !== 0 ? "EATS=3 needs the EL1 StreamWorld" : undefined;
};

const startLevelOf = (ste: Values, granule: Granule): number => (granule === 12 ? 2 : 3) - Number(ste.S2SL0);

/** Tables of a level above these need this much output address (DDI 0487 section D8.2, AArch64.S2InvalidSL). */
const topLevelNeeds = (granule: Granule, startLevel: number): number => {
  if (granule === 12) return startLevel === 0 ? 44 : 0;
  return startLevel === 1 ? (granule === 14 ? 42 : 44) : 0;
};

/** Root tables that may lie side by side, log2. */
const MOST_CONCATENATED = 4;
const sizeFault = (ste: Values, granule: Granule, settings: Settings): string | undefined => {
  const { quirks, smallTables } = settings;
  const t0sz = Number(ste.S2T0SZ);
  const sl0 = Number(ste.S2SL0);
  const inputs = quirks.inputWithinOutput ? Math.min(addressBits(number(ste, "S2PS")), settings.outputBits) : settings.intermediateBits;
  const least = Math.max(granule === 16 ? 12 : 16, 64 - inputs);
  const most = smallTables ? (granule === 16 ? 47 : 48) : 39;
  if (sl0 === 3 && !(smallTables && granule === 12)) return "reserved S2SL0=3";
  if (t0sz < least || t0sz > most) return `S2T0SZ=${t0sz} is outside ${least}..${most}`;
  const startLevel = sl0 === 3 ? 3 : startLevelOf(ste, granule);
  if (!quirks.smallInputAccepted && settings.outputBits < topLevelNeeds(granule, startLevel)) return `S2SL0=${sl0} needs more than ${settings.outputBits} bits of address`;
  const indexed = 64 - t0sz - Number(levelShift(startLevel, granule));
  // At least two entries in the root, at most 16 tables side by side (DDI 0487 "Concatenated translation tables").
  if (indexed > granule - 3 + MOST_CONCATENATED || (indexed < 1 && !quirks.smallInputAccepted)) return `S2T0SZ=${t0sz} does not fit S2SL0=${sl0}`;
  return undefined;
};

const formatFault = (ste: Values, settings: Settings): string | undefined => {
  if (ste.S2AA64 === 0n) return "S2AA64=0, but AArch32 tables are not implemented";
  if (!settings.aarch64) return "S2AA64=1, but AArch64 tables are not implemented";
  if (ste.S2ENDI === 1n && settings.tableEndian === 2) return "S2ENDI=1, but tables are little-endian here";
  return ste.S2ENDI === 0n && settings.tableEndian === 3 ? "S2ENDI=0, but tables are big-endian here" : undefined;
};
const updateFault = (ste: Values, settings: Settings): string | undefined => {
  if (settings.quirks.hardwareUpdateIgnored) return undefined;
  if ((ste.S2HA === 1n || ste.S2HD === 1n) && settings.hardwareUpdate < 1) return "hardware update of tables is not implemented";
  if (ste.S2HAFT === 1n && ste.S2HA === 0n && settings.hardwareUpdate === 3) return "S2HAFT=1 needs S2HA=1";
  return ste.S2HD === 1n && settings.hardwareUpdate < 2 ? "hardware management of the dirty state is not implemented" : undefined;
};

const base2 = (ste: Values, settings: Settings): bigint => (settings.quirks.rootOf48Bits ? ste.S2TTB & ((1n << 48n) - 1n) : ste.S2TTB);
/** The effective S2PS: capped by OAS, and by 48 bits at the smaller granules. */
const outputBitsOf = (ste: Values, settings: Settings): number => {
  const capped = Math.min(addressBits(number(ste, "S2PS")), settings.outputBits);
  return GRANULES[number(ste, "S2TG")] === 16 ? capped : Math.min(capped, 48);
};

const stage2Fault = (ste: Values, settings: Settings): string | undefined => {
  if (ste.S2S === 1n && settings.stallModel === 1) return "S2S=1, but faults cannot stall here";
  if (ste.S2S === 0n && settings.stallModel === 2) return "S2S=0, but faults must stall here";
  const why = formatFault(ste, settings) ?? updateFault(ste, settings);
  if (why !== undefined) return why;
  const granule = GRANULES[number(ste, "S2TG")];
  if (granule === undefined || !settings.granules.has(granule)) return `S2TG=${number(ste, "S2TG")} is reserved or not implemented`;
  const base = base2(ste, settings);
  const outputBits = outputBitsOf(ste, settings);
  return base >> BigInt(outputBits) === 0n ? sizeFault(ste, granule, settings) : `S2TTB=0x${base.toString(16)} is beyond ${outputBits} bits`;
};

const vmidFault = (ste: Values, settings: Settings): string | undefined => {
  const ignored = !settings.stage2 || (worldUsed(ste, settings) && number(ste, "STRW") !== 0);
  return !ignored && !settings.vmid16 && ste.S2VMID > 0xffn ? `S2VMID=${ste.S2VMID} has more than 8 bits` : undefined;
};

const partitionFault = (ste: Values, settings: Settings): string | undefined =>
  settings.mpam && ste.Config === "nested" && ste.S1MPAM === 1n && ste.VMSPtr >> BigInt(settings.outputBits) !== 0n ? `VMSPtr=0x${ste.VMSPtr.toString(16)} is beyond ${settings.outputBits} bits` : undefined;

const translatingFault = (ste: Values, settings: Settings): string | undefined => {
  if (hasStage1(ste) && !settings.stage1) return "stage 1 is not implemented";
  if (hasStage2(ste) && !settings.stage2) return "stage 2 is not implemented";
  if (worldUsed(ste, settings) && (number(ste, "STRW") & 1) === 1) return `reserved STRW=${number(ste, "STRW")}`;
  return atsFault(ste, settings) ?? stage1Fault(ste, settings) ?? (hasStage2(ste) ? stage2Fault(ste, settings) : undefined) ?? vmidFault(ste, settings) ?? partitionFault(ste, settings);
};

/** The root is aligned to its size, to 64 bytes at least with 52-bit addresses; lower bits are taken as 0. */
const alignedRoot = (base: bigint, bytes: bigint, outputBits: number): bigint => {
  if (bytes === 0n) return 0n;
  return base & ~((outputBits === 52 && bytes < 64n ? 64n : bytes) - 1n);
};

const stage2Of = (ste: Values, settings: Settings): Stage2 => {
  const granule = GRANULES[number(ste, "S2TG")]!;
  const inputBits = 64 - Number(ste.S2T0SZ);
  const startLevel = ste.S2SL0 === 3n ? 3 : startLevelOf(ste, granule);
  const outputBits = outputBitsOf(ste, settings);
  const base = base2(ste, settings);
  return {
    class: "stage2",
    vmid: Number(ste.S2VMID),
    granule,
    root: alignedRoot(base, rootBytes({ inputBits, startLevel, granule }), outputBits),
    base,
    inputBits,
    startLevel,
    outputBits,
    wide: settings.outputBits === 52,
    ignoreAccessFlag: ste.S2AFFD === 1n,
    executeByPrivilege: settings.executeByPrivilege,
    recorded: ste.S2R === 1n,
    stalls: ste.S2S === 1n,
    protectedWalk: ste.S2PTW === 1n && !settings.quirks.protectedWalkIgnored,
    forcesWriteBack: ste.S2FWB === 1n && settings.forcedWriteBack,
    tagPermission: settings.tagPermission,
    bigEndian: ste.S2ENDI === 1n,
    // Dirty state without the access flag is neither (IHI 0070 STE.S2HD).
    setsAccessFlag: ste.S2HA === 1n && settings.hardwareUpdate >= 1,
    setsDirtyState: ste.S2HA === 1n && ste.S2HD === 1n && settings.hardwareUpdate >= 2,
  };
};

const worldOf = (ste: Values, settings: Settings): StreamWorld => {
  if (!worldUsed(ste, settings) || number(ste, "STRW") !== 2) return "EL1";
  return settings.hypHost ? "EL2-E2H" : "EL2";
};
const POINTER_48 = (1n << 48n) - 1n;
const contextsOf = (ste: Values, settings: Settings): ContextTable => {
  const substreams = settings.substreamBits > 0 && ste.S1CDMax > 0n;
  const format = number(ste, "S1Fmt");
  const without = number(ste, "S1DSS");
  return {
    pointer: settings.quirks.rootOf48Bits ? ste.S1ContextPtr & POINTER_48 : ste.S1ContextPtr,
    // 3 is reserved, and behaves as 0, in both.
    format: substreams && (format === 1 || format === 2) ? format : 0,
    log2Size: substreams ? Number(ste.S1CDMax) : 0,
    withoutSubstream: without === 1 || without === 2 ? without : 0,
    stallDisabled: ste.S1STALLD === 1n,
    world: worldOf(ste, settings),
  };
};

/** What an entry asks for that this model does not do; it is not judged any further then. */
const notModelled = (ste: Values, settings: Settings): string | undefined => {
  if (!hasStage2(ste)) return undefined;
  const { wideSmallGranules, indirection, hardwareUpdate, quirks } = settings;
  if (quirks.endsItself && settings.stage2 && ste.S2AA64 === 0n) return "S2AA64=0: QEMU 10.0 ends itself here";
  if (settings.aarch32 && ste.S2AA64 === 0n) return "S2AA64=0: AArch32 tables are not modelled";
  if (wideSmallGranules && ste.S2DS === 1n) return "S2DS=1: 52-bit addresses at 4 and 16 KiB are not modelled";
  if (indirection.stage2 && ste.S2PIE === 1n) return "S2PIE=1: permission indirection is not modelled";
  if (indirection.overlay && ste.S2POE === 1n) return "S2POE=1: permission overlays are not modelled";
  return hardwareUpdate === 3 && ste.S2HA === 1n && ste.S2HAFT === 1n ? "S2HAFT=1: hardware updates of table descriptors are not modelled" : undefined;
};

const translating = (words: readonly bigint[], settings: Settings): Configuration => {
  const ste = Ste.decode(words);
  const beyondModel = notModelled(ste, settings);
  if (beyondModel !== undefined) return { class: "unsupported", why: beyondModel };
  const why = translatingFault(ste, settings);
  if (why !== undefined) return { class: "illegal", why };
  const stage2 = hasStage2(ste) ? stage2Of(ste, settings) : undefined;
  if (!hasStage1(ste)) return stage2!;
  return { class: "stage1", vmid: settings.stage2 ? Number(ste.S2VMID) : 0, contexts: contextsOf(ste, settings), ...(stage2 === undefined ? {} : { stage2 }) };
};

/** The meaning of eight words as a stream table entry. */
export const configurationOf = (words: readonly bigint[], settings: Settings): Configuration => {
  if (Ste.get(words, "V") === 0n) return { class: "illegal", why: "V=0" };
  const config = Ste.get(words, "Config");
  if (config === "bypass") return { class: "bypass" };
  return config === "s1" || config === "s2" || config === "nested" ? translating(words, settings) : { class: "abort" };
};

/** Overrides of what a transaction says of itself, and how ATS is allowed. */
export interface Overrides {
  /** 0 as it came, 2 unprivileged, 3 privileged; 0 where overrides are not implemented. */
  readonly privilege: number;
  /** 0 as it came, 2 data, 3 instruction. */
  readonly instruction: number;
  /** Of memory attributes. */
  readonly memory: Replacement;
  /** The effective EATS: 0 refused, 1 full, 2 split, 3 by device permission table. */
  readonly ats: number;
}
/** `words` are those of a legal entry. */
export const overridesOf = (words: readonly bigint[], settings: Settings): Overrides => {
  const field = (name: "PRIVCFG" | "INSTCFG" | "EATS" | "MTCFG" | "MemAttr" | "ALLOCCFG" | "SHCFG"): number => {
    const { word, at: [hi, lo] } = Ste.fields[name];
    return Number(BigInt.asUintN(hi - lo + 1, words[word]! >> BigInt(lo)));
  };
  const eats = field("EATS");
  const effective = (eats === 2 && !settings.atsChecked) || (eats === 3 && !(settings.devicePermissionTable && settings.atsChecked)) ? 0 : eats;
  return {
    privilege: settings.permissionOverride ? field("PRIVCFG") : 0,
    instruction: settings.permissionOverride ? field("INSTCFG") : 0,
    memory: settings.typeOverride ? replacementOf({ MTCFG: field("MTCFG"), MemAttr: field("MemAttr"), ALLOCCFG: field("ALLOCCFG"), SHCFG: field("SHCFG") }) : {},
    ats: settings.ats && Ste.get(words, "Config") !== "bypass" ? effective : 0,
  };
};

const known = new WeakMap<Settings, Map<string, Configuration>>();
/** The same, decoded once for each content. */
export const meaningOf = (entry: SteWords, settings: Settings): Configuration => {
  let meanings = known.get(settings);
  if (meanings === undefined) known.set(settings, (meanings = new Map()));
  let meaning = meanings.get(entry.key);
  if (meaning === undefined) meanings.set(entry.key, (meaning = configurationOf(entry.words, settings)));
  return meaning;
};
