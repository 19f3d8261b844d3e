/**
 * What a stream table entry means: its legality (C_BAD_STE) and the translation it asks for.
 * Source: IHI 0070 "Stream Table Entry" and "Validity of STE"; order as QEMU hw/arm/smmuv3.c `decode_ste`.
 */
import { Ste } from "../../specs/smmuv3/ste.ts";
import { addressBits, type Settings } from "./registers.ts";

/** A stage-2 translation regime, as the walker needs it. */
export interface Stage2 {
  readonly class: "stage2";
  readonly vmid: number;
  /** Physical address of the root table, aligned to its size. */
  readonly root: bigint;
  readonly inputBits: number;
  readonly startLevel: number;
  readonly outputBits: number;
  /** An access flag of 0 is no fault. */
  readonly ignoreAccessFlag: boolean;
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

const illegal = (why: string): Configuration => ({ class: "illegal", why });

/** T0SZ allowed for each start level at 4 KiB: beyond 16 concatenated root tables, or too small for the level, is illegal. */
const legalSizes: Readonly<Record<number, readonly [least: number, most: number]>> = { 2: [16, 24], 1: [21, 33], 0: [30, 39] };
const START_LEVEL = [2, 1, 0];

const stage2Of = (words: readonly bigint[], settings: Settings): Configuration => {
  const ste = Ste.decode(words);
  const number = (value: bigint | string, names: Readonly<Record<string, number>> = {}) => (typeof value === "string" ? names[value]! : Number(value));
  const t0sz = Number(ste.S2T0SZ);
  const sl0 = Number(ste.S2SL0);
  const outputBits = Math.min(addressBits(number(ste.S2PS, Ste.fields.S2PS.is)), settings.outputBits);
  if (!settings.stage2) return illegal("stage 2 is not implemented");
  if (ste.S2AA64 === 0n) return illegal("AArch32 stage-2 tables are not implemented");
  if (ste.S2S === 1n && settings.stallModel === 1) return illegal("S2S=1, but faults cannot stall here");
  if (ste.S2S === 0n && settings.stallModel === 2) return illegal("S2S=0, but faults must stall here");
  if (number(ste.S2TG, Ste.fields.S2TG.is) === 3) return illegal("reserved S2TG");
  if (ste.S2ENDI === 1n && settings.littleEndianOnly) return illegal("big-endian tables are not implemented");
  if ((ste.S2HA === 1n && settings.hardwareUpdate < 1) || (ste.S2HD === 1n && settings.hardwareUpdate < 2)) return illegal("hardware update of tables is not implemented");
  if (ste.S2VMID > 0xffn && !settings.vmid16) return illegal("the VMID has more than 8 bits");
  if (ste.S2TG !== "4K") return { class: "unsupported", why: `stage-2 granule ${String(ste.S2TG)}: only 4 KiB tables are walked` };
  const sizes = legalSizes[sl0];
  if (sizes === undefined) return illegal("reserved S2SL0");
  if (t0sz < Math.max(16, 64 - outputBits) || t0sz > 39) return illegal(`S2T0SZ=${t0sz} is out of range`);
  if (t0sz < sizes[0] || t0sz > sizes[1]) return illegal(`S2T0SZ=${t0sz} does not fit S2SL0=${sl0}`);
  if (ste.S2TTB >> BigInt(outputBits) !== 0n) return illegal("S2TTB is beyond the output size");
  const startLevel = START_LEVEL[sl0]!;
  const rootBytes = 8n << BigInt(64 - t0sz - (12 + 9 * (3 - startLevel)));
  return {
    class: "stage2",
    vmid: Number(ste.S2VMID),
    root: ste.S2TTB & ~((rootBytes > 4096n ? rootBytes : 4096n) - 1n),
    inputBits: 64 - t0sz,
    startLevel,
    outputBits,
    ignoreAccessFlag: ste.S2AFFD === 1n,
    recorded: ste.S2R === 1n,
  };
};

/** The meaning of eight words as a stream table entry. */
export const configurationOf = (words: readonly bigint[], settings: Settings): Configuration => {
  if (Ste.get(words, "V") === 0n) return illegal("V=0");
  const config = Ste.get(words, "Config");
  if (config === "bypass") return { class: "bypass" };
  if (config === "s2") return stage2Of(words, settings);
  if (config !== "s1" && config !== "nested") return { class: "abort" };
  if (!settings.stage1 || (config === "nested" && !settings.stage2)) return illegal(`Config=${config} is not implemented`);
  return { class: "unsupported", why: `Config=${config}: stage 1 is not modelled` };
};
