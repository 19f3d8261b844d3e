/**
 * Context descriptors: where the one of a (stream, substream) lies, its legality (C_BAD_CD), and the stage-1 regime that
 * it asks for.
 * Source: IHI 0070 section 5.3 "Level 1 Context Descriptor", section 5.4 "Context Descriptor" and section 5.4.2, whose
 * CdIllegal() the checks follow.
 */
import { Cd, L1Cd } from "../../specs/smmuv3/cd.ts";
import type { ContextTable, Stage1, StreamWorld } from "./configuration.ts";
import { type Granule, levelShift } from "./descriptor.ts";
import { addressBits, type Settings } from "./registers.ts";

export const CD_BYTES = 64n;
export const CD_WORDS = 8;

/** One half of the addresses: those of TTB0, or those of TTB1. */
export interface Half {
  readonly granule: Granule;
  readonly inputBits: number;
  readonly startLevel: number;
  /** Address of the root table, aligned to its size; an IPA where stage 2 translates. */
  readonly root: bigint;
  /** TTB as it stands. */
  readonly base: bigint;
  readonly outputBits: number;
  /** Output addresses of 52 bits are implemented (OAS): how 64 KiB descriptors are read, whatever IPS says. */
  readonly wide: boolean;
  /** Table descriptors do not limit what is below them (HAD). */
  readonly hierarchyIgnored: boolean;
  /** Unprivileged accesses fault (E0PD). */
  readonly unprivilegedDenied: boolean;
}

/** A stage-1 translation regime, as the walker needs it. */
export interface Context {
  readonly asid: number;
  readonly world: StreamWorld;
  /** Of TTB0 and TTB1; undefined where walks are disabled (EPD). */
  readonly halves: readonly [Half | undefined, Half | undefined];
  /** The top byte of an address is ignored, by half (TBI). */
  readonly tagged: readonly [boolean, boolean];
  readonly ignoreAccessFlag: boolean;
  /** Writable is never executable (WXN). */
  readonly writableNeverExecutes: boolean;
  /** Privileged data accesses to what the unprivileged may access fault (PAN). */
  readonly privilegedNever: boolean;
  readonly recorded: boolean;
  readonly stalls: boolean;
  /** A terminated transaction aborts; otherwise it reads zero and ignores writes. */
  readonly aborts: boolean;
  readonly bigEndian: boolean;
  readonly setsAccessFlag: boolean;
  readonly setsDirtyState: boolean;
  /** Memory types by AttrIndx, and whether that has a fourth bit (AIE). */
  readonly memoryTypes: bigint;
  readonly wideIndex: boolean;
}
export type ContextMeaning =
  | { readonly class: "context"; readonly context: Context }
  | { readonly class: "illegal"; readonly why: string }
  | { readonly class: "unsupported"; readonly why: string };

type Values = ReturnType<typeof Cd.decode>;
const number = (cd: Values, field: "TG0" | "TG1" | "IPS"): number => {
  const value = cd[field];
  const names: Readonly<Record<string, number>> = Cd.fields[field].is;
  return typeof value === "string" ? names[value]! : Number(value);
};

/** The two granule fields are not encoded alike. */
const GRANULES: readonly (readonly (Granule | undefined)[])[] = [
  [12, 16, 14, undefined],
  [undefined, 14, 12, 16],
];
const granuleOf = (cd: Values, half: 0 | 1): Granule | undefined => GRANULES[half]![number(cd, half === 0 ? "TG0" : "TG1")];
/** EL2 without a host has one half, and EPD0 is ignored there. */
const walks = (cd: Values, world: StreamWorld, half: 0 | 1): boolean => (world === "EL2" ? half === 0 : (half === 0 ? cd.EPD0 : cd.EPD1) === 0n);

/** The effective IPS: capped by OAS, and by 48 bits at the smaller granules. */
const outputBitsOf = (cd: Values, granule: Granule, settings: Settings): number => {
  const capped = Math.min(addressBits(number(cd, "IPS")), settings.outputBits);
  return granule === 16 ? capped : Math.min(capped, 48);
};

const POINTER_51 = (1n << 51n) - 1n;
const baseOf = (cd: Values, half: 0 | 1, settings: Settings): bigint => {
  const base = half === 0 ? cd.TTB0 : cd.TTB1;
  return settings.quirks.rootOf48Bits ? base & POINTER_51 : base;
};
const inputBitsOf = (cd: Values, half: 0 | 1): number => 64 - Number(half === 0 ? cd.T0SZ : cd.T1SZ);

const halfFault = (cd: Values, half: 0 | 1, settings: Settings): string | undefined => {
  const granule = granuleOf(cd, half);
  if (granule === undefined || !settings.granules.has(granule)) return `TG${half}=${number(cd, half === 0 ? "TG0" : "TG1")} is reserved or not implemented`;
  const size = 64 - inputBitsOf(cd, half);
  const least = settings.wideInput && granule === 16 ? 12 : 16;
  const most = settings.smallTables ? (granule === 16 ? 47 : 48) : 39;
  if (size < least || size > most) return `T${half}SZ=${size} is outside ${least}..${most}`;
  const outputBits = outputBitsOf(cd, granule, settings);
  const base = baseOf(cd, half, settings);
  return base >> BigInt(outputBits) === 0n ? undefined : `TTB${half}=0x${base.toString(16)} is beyond ${outputBits} bits`;
};

const endiannessFault = (cd: Values, settings: Settings): string | undefined => {
  if (cd.ENDI === 1n && settings.tableEndian === 2) return "ENDI=1, but tables are little-endian here";
  return cd.ENDI === 0n && settings.tableEndian === 3 ? "ENDI=0, but tables are big-endian here" : undefined;
};

const behaviourFault = (cd: Values, table: ContextTable, settings: Settings): string | undefined => {
  if (cd.S === 1n && table.stallDisabled) return "S=1, but the stream has S1STALLD=1";
  if (cd.A === 0n && settings.alwaysAborts) return "A=0, but a terminated transaction always aborts here";
  if (cd.S === 1n && settings.stallModel === 1) return "S=1, but faults cannot stall here";
  return cd.S === 0n && settings.stallModel === 2 ? "S=0, but faults must stall here" : undefined;
};
const formatFault = (cd: Values, table: ContextTable, settings: Settings): string | undefined => {
  if (cd.AA64 === 0n) return settings.aarch32 && table.world !== "EL2-E2H" ? undefined : "AA64=0, but AArch32 tables are not implemented";
  if (!settings.aarch64) return "AA64=1, but AArch64 tables are not implemented";
  if ((cd.HA === 1n || cd.HD === 1n) && settings.hardwareUpdate < 1) return "hardware update of tables is not implemented";
  if (cd.HAFT === 1n && cd.HA === 0n && settings.hardwareUpdate === 3) return "HAFT=1 needs HA=1";
  if (cd.HD === 1n && settings.hardwareUpdate < 2) return "hardware management of the dirty state is not implemented";
  return cd.ASID > 0xffn && !settings.asid16 && table.world !== "EL2" ? `ASID=${cd.ASID} has more than 8 bits` : undefined;
};

const startLevelOf = (inputBits: number, granule: Granule): number => 3 - Math.floor((inputBits - 1 - granule) / (granule - 3));
/** A root is aligned to its size, to 64 bytes at least with 52-bit addresses; lower bits are taken as 0. */
const rootOf = (base: bigint, inputBits: number, granule: Granule, outputBits: number): bigint => {
  const bytes = 8n << (BigInt(inputBits) - levelShift(startLevelOf(inputBits, granule), granule));
  return base & ~((outputBits === 52 && bytes < 64n ? 64n : bytes) - 1n);
};

const halfOf = (cd: Values, world: StreamWorld, half: 0 | 1, settings: Settings): Half => {
  const granule = granuleOf(cd, half)!;
  const inputBits = inputBitsOf(cd, half);
  const base = baseOf(cd, half, settings);
  const outputBits = outputBitsOf(cd, granule, settings);
  return {
    granule,
    inputBits,
    startLevel: startLevelOf(inputBits, granule),
    root: rootOf(base, inputBits, granule, outputBits),
    base,
    outputBits,
    wide: settings.outputBits === 52,
    hierarchyIgnored: settings.hierarchyOff && (half === 0 ? cd.HAD0 : cd.HAD1) === 1n,
    unprivilegedDenied: settings.unprivilegedDenied && world !== "EL2" && !settings.quirks.privilegedDataOnly && (half === 0 ? cd.E0PD0 : cd.E0PD1) === 1n,
  };
};

/** Why a descriptor is illegal, but for what lies in its halves. */
const contextFault = (cd: Values, table: ContextTable, settings: Settings): string | undefined => {
  if (cd.V === 0n) return "V=0";
  return behaviourFault(cd, table, settings) ?? formatFault(cd, table, settings);
};

/**
 * Asked between the checks of TTB0 and of TTB1: a quirk's implementation translates each root as soon as it has checked
 * it, so what is wrong with a root comes before what is wrong with the second half. True goes on.
 */
export type AfterHalf = (half: Half, which: 0 | 1) => boolean;

/** The largest CD.IPS that QEMU 10.0 knows. */
const MOST_IPS = 5;

/** What a descriptor asks for that this model does not do; what lies in its halves is not judged then. */
const notModelled = (cd: Values, { quirks, hardwareUpdate, wideSmallGranules, indirection }: Settings): string | undefined => {
  if (quirks.endsItself && number(cd, "IPS") > MOST_IPS) return `IPS=${number(cd, "IPS")}: QEMU 10.0 ends itself here`;
  if (cd.AA64 === 0n) return "AA64=0: AArch32 tables are not modelled";
  if (wideSmallGranules && cd.DS === 1n) return "DS=1: 52-bit addresses at 4 and 16 KiB are not modelled";
  if (indirection.stage1 && cd.PIE === 1n) return "PIE=1: permission indirection is not modelled";
  return hardwareUpdate === 3 && cd.HA === 1n && cd.HAFT === 1n ? "HAFT=1: hardware updates of table descriptors are not modelled" : undefined;
};

/** The meaning of eight words as a context descriptor of a stream; undefined where `afterHalf` stopped it. */
export const contextOf = (words: readonly bigint[], table: ContextTable, settings: Settings, afterHalf: AfterHalf = () => true): ContextMeaning | undefined => {
  const cd = Cd.decode(words);
  const why = contextFault(cd, table, settings);
  if (why !== undefined) return { class: "illegal", why };
  const beyondModel = notModelled(cd, settings);
  if (beyondModel !== undefined) return { class: "unsupported", why: beyondModel };
  const halves: (Half | undefined)[] = [];
  for (const which of [0, 1] as const) {
    if (!walks(cd, table.world, which)) {
      halves.push(undefined);
      continue;
    }
    const fault = endiannessFault(cd, settings) ?? halfFault(cd, which, settings);
    if (fault !== undefined) return { class: "illegal", why: fault };
    const half = halfOf(cd, table.world, which, settings);
    if (!afterHalf(half, which)) return undefined;
    halves.push(half);
  }
  const [tagged0, tagged1] = [cd.TBI0 === 1n, cd.TBI1 === 1n];
  return {
    class: "context",
    context: {
      asid: table.world === "EL2" ? 0 : Number(cd.ASID),
      world: table.world,
      halves: [halves[0], halves[1]],
      tagged: [tagged0, settings.quirks.upperTagFollowsLower ? tagged0 : tagged1],
      ignoreAccessFlag: cd.AFFD === 1n,
      writableNeverExecutes: cd.WXN === 1n,
      privilegedNever: cd.PAN === 1n && table.world !== "EL2",
      recorded: cd.R === 1n,
      stalls: cd.S === 1n,
      aborts: cd.A === 1n,
      bigEndian: cd.ENDI === 1n,
      setsAccessFlag: cd.HA === 1n && settings.hardwareUpdate >= 1,
      setsDirtyState: cd.HA === 1n && cd.HD === 1n && settings.hardwareUpdate >= 2,
      memoryTypes: words[3] ?? 0n,
      wideIndex: settings.attributeIndexExtension && cd.AIE === 1n,
    },
  };
};

const known = new WeakMap<Settings, Map<string, ContextMeaning>>();
/** The same, decoded once for each content. */
export const contextMeaning = (words: readonly bigint[], table: ContextTable, settings: Settings): ContextMeaning => {
  let meanings = known.get(settings);
  if (meanings === undefined) known.set(settings, (meanings = new Map()));
  const key = `${table.world} ${table.stallDisabled} ${words.join(" ")}`;
  let meaning = meanings.get(key);
  if (meaning === undefined) meanings.set(key, (meaning = contextOf(words, table, settings)!));
  return meaning;
};

/** Where the descriptor of a substream lies: directly, or behind an entry of a first level. */
export type ContextPlace =
  | { readonly levels: 1; readonly addr: bigint }
  | { readonly levels: 2; readonly addr: bigint; /** Into the first level. */ readonly index: number; readonly indexInLeaf: number };
/** CDs in a leaf table, by S1Fmt. */
const LEAF_BITS = [0, 6, 10] as const;
export const contextPlace = ({ pointer, format }: ContextTable, ssid: number): ContextPlace => {
  if (format === 0) return { levels: 1, addr: pointer + BigInt(ssid) * CD_BYTES };
  const leaf = 2 ** LEAF_BITS[format];
  const index = Math.floor(ssid / leaf);
  return { levels: 2, addr: pointer + 8n * BigInt(index), index, indexInLeaf: ssid % leaf };
};
/** Address of the descriptor below a first-level entry, or undefined where that is not valid or points beyond what there is. */
export const belowL1 = (word: bigint, indexInLeaf: number, { stage2 }: Stage1, settings: Settings): bigint | undefined => {
  if (L1Cd.get([word], "V") === 0n) return undefined;
  const leaf = L1Cd.get([word], "L2Ptr");
  const reach = stage2 === undefined ? settings.outputBits : settings.intermediateBits;
  return leaf >> BigInt(reach) === 0n ? leaf + BigInt(indexInLeaf) * CD_BYTES : undefined;
};
