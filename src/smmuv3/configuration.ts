/**
 * What a stream table entry means: its legality (C_BAD_STE) and the translation it asks for. Fields of a stage that
 * Config turns off are ignored.
 * Source: IHI 0070 "Stream Table Entry" and "Validity of STE".
 */
import { Ste } from "../../specs/smmuv3/ste.ts";
import { addressBits, type Settings } from "./registers.ts";
import type { SteWords } from "./streamTable.ts";

/** A stage-2 translation regime, as the walker needs it. */
export interface Stage2 {
  readonly class: "stage2";
  readonly vmid: number;
  /** Physical address of the root table, aligned to its size; up to 16 tables side by side. */
  readonly root: bigint;
  readonly inputBits: number;
  readonly startLevel: number;
  readonly outputBits: number;
  /** An access flag of 0 is no fault. */
  readonly ignoreAccessFlag: boolean;
  /** XN[1:0] tells privileged from unprivileged execution. */
  readonly executeByPrivilege: boolean;
  /** Faults are recorded (S2R). */
  readonly recorded: boolean;
}
export type Configuration =
  | Stage2
  | { readonly class: "abort" }
  | { readonly class: "bypass" }
  | { readonly class: "illegal"; readonly why: string }
  /** Legal, but this model does not translate it: said instead of guessed. */
  | { readonly class: "unsupported"; readonly why: string };

/** Field values as numbers; addresses stay bigint. */
type Values = ReturnType<typeof Ste.decode>;
const number = (ste: Values, field: "S1Fmt" | "EATS" | "STRW" | "S2TG" | "S2PS"): number => {
  const value = ste[field];
  const names: Readonly<Record<string, number>> = Ste.fields[field].is;
  return typeof value === "string" ? names[value]! : Number(value);
};

/** Bits of the input that the root tables index, and bytes of all root tables together. */
const rootIndexBits = (inputBits: number, startLevel: number): number => inputBits - (12 + 9 * (3 - startLevel));

/** Why the stage-1 fields are illegal. Stage 1 itself is not modelled. */
const stage1Fault = (ste: Values, settings: Settings): string | undefined => {
  if (!settings.stage1) return "stage 1 is not implemented";
  if (ste.S1CDMax > BigInt(settings.substreamBits)) return `S1CDMax=${ste.S1CDMax} is beyond SSIDSIZE=${settings.substreamBits}`;
  if (ste.S1CDMax > 0n && (number(ste, "S1Fmt") === 3 || (number(ste, "S1Fmt") > 0 && !settings.twoLevelCd))) return `S1Fmt=${number(ste, "S1Fmt")} is not implemented`;
  if (ste.S1STALLD === 1n && settings.stallModel !== 0) return "S1STALLD=1, but this SMMU does not choose whether to stall";
  if (number(ste, "STRW") === 1 || (number(ste, "STRW") > 1 && !settings.hyp)) return `STRW=${number(ste, "STRW")} is not a Non-secure EL1 StreamWorld, and EL2 is not implemented`;
  return undefined;
};

/** ATS, where it is implemented; EATS is ignored otherwise. */
const atsFault = (ste: Values, settings: Settings): string | undefined => {
  if (!settings.ats) return undefined;
  if (number(ste, "EATS") === 3 && !settings.devicePermissionTable) return "EATS=3, but there are no device permission tables";
  return number(ste, "EATS") === 2 && (ste.Config !== "nested" || !settings.splitAts || ste.S2S === 1n) ? "EATS=2 needs both stages, NS1ATS=0 and S2S=0" : undefined;
};

const sizeFault = (ste: Values, outputBits: number): string | undefined => {
  const t0sz = Number(ste.S2T0SZ);
  const sl0 = Number(ste.S2SL0);
  if (sl0 === 3) return "reserved S2SL0=3";
  if (t0sz < Math.max(16, 64 - outputBits) || t0sz > 39) return `S2T0SZ=${t0sz} is outside ${Math.max(16, 64 - outputBits)}..39`;
  // At least two entries in the root, at most 16 tables of 512 side by side (DDI 0487 "Concatenated translation tables").
  const indexed = rootIndexBits(64 - t0sz, 2 - sl0);
  if (indexed < 1 || indexed > 13) return `S2T0SZ=${t0sz} does not fit S2SL0=${sl0}`;
  return undefined;
};

/** Why the stage-2 fields are illegal; `outputBits` is the effective S2PS. */
const stage2Fault = (ste: Values, settings: Settings, outputBits: number): string | undefined => {
  const granule = number(ste, "S2TG");
  if (!settings.stage2) return "stage 2 is not implemented";
  if (ste.S2VMID > 0xffn && !settings.vmid16) return `S2VMID=${ste.S2VMID} has more than 8 bits`;
  if (ste.S2S === 1n && settings.stallModel === 1) return "S2S=1, but faults cannot stall here";
  if (ste.S2S === 0n && settings.stallModel === 2) return "S2S=0, but faults must stall here";
  if (ste.S2AA64 === 0n) return settings.aarch32 ? undefined : "S2AA64=0, but AArch32 tables are not implemented";
  if (granule === 3 || !settings.granules[granule]!) return `S2TG=${granule} is reserved or not implemented`;
  if ((ste.S2ENDI === 1n && settings.tableEndian === 2) || (ste.S2ENDI === 0n && settings.tableEndian === 3)) return `S2ENDI=${ste.S2ENDI} is not implemented`;
  if ((ste.S2HA === 1n && settings.hardwareUpdate < 1) || (ste.S2HD === 1n && settings.hardwareUpdate < 2)) return "hardware update of tables is not implemented";
  const size = granule === 0 ? sizeFault(ste, outputBits) : undefined;
  if (size !== undefined) return size;
  return ste.S2TTB >> BigInt(outputBits) === 0n ? undefined : `S2TTB=0x${ste.S2TTB.toString(16)} is beyond ${outputBits} bits`;
};

/** What the architecture allows and this model does not do. */
const notModelled = (ste: Values): string | undefined => {
  if (ste.Config !== "s2") return `Config=${String(ste.Config)}: stage 1 is not modelled yet`;
  if (ste.S2AA64 === 0n) return "S2AA64=0: AArch32 tables are not modelled";
  if (ste.S2TG !== "4K") return `S2TG=${String(ste.S2TG)}: only 4 KiB tables are walked`;
  if (ste.S2ENDI === 1n) return "S2ENDI=1: big-endian tables are not modelled";
  if (ste.S2HA === 1n || ste.S2HD === 1n) return "S2HA, S2HD: hardware update of tables is not modelled";
  return ste.S2S === 1n ? "S2S=1: stalled transactions are not modelled" : undefined;
};

const translating = (words: readonly bigint[], settings: Settings): Configuration => {
  const ste = Ste.decode(words);
  const outputBits = Math.min(addressBits(number(ste, "S2PS")), settings.outputBits);
  const why =
    (ste.Config === "s2" ? undefined : stage1Fault(ste, settings)) ?? (ste.Config === "s1" ? undefined : stage2Fault(ste, settings, outputBits)) ?? atsFault(ste, settings);
  if (why !== undefined) return { class: "illegal", why };
  const beyondModel = notModelled(ste);
  if (beyondModel !== undefined) return { class: "unsupported", why: beyondModel };
  const inputBits = 64 - Number(ste.S2T0SZ);
  const startLevel = 2 - Number(ste.S2SL0);
  const rootBytes = 8n << BigInt(rootIndexBits(inputBits, startLevel));
  return {
    class: "stage2",
    vmid: Number(ste.S2VMID),
    // The root is aligned to its size, at least 64 bytes; lower bits are taken as 0.
    root: ste.S2TTB & ~((rootBytes > 64n ? rootBytes : 64n) - 1n),
    inputBits,
    startLevel,
    outputBits,
    ignoreAccessFlag: ste.S2AFFD === 1n,
    executeByPrivilege: settings.executeByPrivilege,
    recorded: ste.S2R === 1n,
  };
};

/** The meaning of eight words as a stream table entry. */
export const configurationOf = (words: readonly bigint[], settings: Settings): Configuration => {
  if (Ste.get(words, "V") === 0n) return { class: "illegal", why: "V=0" };
  const config = Ste.get(words, "Config");
  if (config === "bypass") return { class: "bypass" };
  return config === "s1" || config === "s2" || config === "nested" ? translating(words, settings) : { class: "abort" };
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
