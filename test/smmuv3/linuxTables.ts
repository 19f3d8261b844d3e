/**
 * A machine as Linux leaves it after it has set up DMA for one network card behind an SMMUv3 of 44 bits: 25 pages below
 * 4 GiB, mapped by four levels of 4 KiB tables. As stage 1, as stage 2, or as stage 1 of a guest behind stage 2.
 */
import { Cd } from "../../specs/smmuv3/cd.ts";
import { offsets } from "../../specs/smmuv3/registers.ts";
import { Ste } from "../../specs/smmuv3/ste.ts";
import { configurationOf } from "../../src/smmuv3/configuration.ts";
import { contextOf } from "../../src/smmuv3/context.ts";
import type { Image } from "../../src/smmuv3/image.ts";
import { resetRegisters, type Settings, settingsOf, writeRegister } from "../../src/smmuv3/registers.ts";
import type { Regime } from "./bigintWalk.ts";
import { type Entry, imageOf, mapAddress, type Rooted, type Words } from "./laneTables.ts";

export const LINUX_SID = 0x10;
const STREAM_TABLE = 0x4ba6_0000n;
const CONTEXT = 0x4318_3000n;
const ROOT = 0x4318_2000n;
const ROOT_2 = 0x5000_0000n;
/** Page 0 of the message-signalled interrupts: execute-never, Device memory. */
const DOORBELL = 0x0809_0000n;

/** IOVAs and pages: 16 buffers side by side, eight pages here and there, and the interrupt controller's doorbell. */
export const linuxPages: readonly (readonly [iova: bigint, page: bigint])[] = [
  ...[0, 1, 2].map((at) => [0xfffe_0000n + BigInt(at) * 0x1000n, 0x432e_9000n + BigInt(at) * 0x1000n] as const),
  ...Array.from({ length: 13 }, (_, at) => [0xfffe_3000n + BigInt(at) * 0x1000n, 0x4801_0000n + BigInt(at) * 0x1000n] as const),
  ...[0, 1, 2, 3].map((at) => [0xffff_4000n + BigInt(at) * 0x1000n, 0x432e_5000n + BigInt(at) * 0x1000n] as const),
  [0xffff_b000n, 0x432d_e000n],
  [0xffff_c000n, 0x432d_d000n],
  [0xffff_d000n, 0x432c_2000n],
  [0xffff_e000n, 0x432c_1000n],
  [0xffff_f000n, DOORBELL],
];

/** Attributes that Linux writes: unprivileged read and write, AF, inner shareable, not global; the doorbell as Device memory. */
const STAGE_1 = 0xf44n;
const STAGE_1_DEVICE = 0x0060_0000_0000_0e48n;
const STAGE_2 = 0x7fcn;
const STAGE_2_DEVICE = 0x0040_0000_0000_07c4n;

const tablesFrom = (first: bigint): (() => bigint) => {
  let next = first;
  return () => (next += 0x1000n);
};
const page = (target: bigint, stage: 1 | 2, freshTable: () => bigint): Entry => {
  const device = target === DOORBELL;
  const leafBits = stage === 1 ? (device ? STAGE_1_DEVICE : STAGE_1) : device ? STAGE_2_DEVICE : STAGE_2;
  return { freshTable, tableBits: 0n, leafBits, leafLevel: 3, target };
};

const HALF: Rooted = { granule: 12, inputBits: 48, startLevel: 0, outputBits: 44, wide: false, root: ROOT };
const STAGE_2_TABLES: Rooted = { granule: 12, inputBits: 44, startLevel: 0, outputBits: 44, wide: false, root: ROOT_2 };
const cd = Cd.encode({ T0SZ: 16n, TG0: "4K", IR0: "writeBack", OR0: "writeBack", SH0: "inner", EPD1: 1n, V: 1n, IPS: "44", AA64: 1n, R: 1n, A: 1n, ASET: 1n, ASID: 1n, TTB0: ROOT });
const stage2Fields = { S2T0SZ: 20n, S2SL0: 2n, S2TG: "4K", S2PS: "44", S2AA64: 1n, S2R: 1n, S2VMID: 1n, S2TTB: ROOT_2 } as const;

export type Stages = "s1" | "s2" | "nested";
const steOf = (stages: Stages): bigint[] => Ste.encode({ V: 1n, Config: stages, ...(stages === "s2" ? {} : { S1ContextPtr: CONTEXT }), ...(stages === "s1" ? {} : stage2Fields) });
/** Where stage 2 puts a guest's memory; the doorbell stays. */
const hostPage = (ipa: bigint): bigint => (ipa === DOORBELL ? ipa : ipa + 0x4000_0000n);

const wordsOf = (stages: Stages): Words => {
  const words: Words = new Map(steOf(stages).map((value, at) => [STREAM_TABLE + BigInt(LINUX_SID * 64 + at * 8), value]));
  const [fresh1, fresh2] = [tablesFrom(0x4320_0000n), tablesFrom(ROOT_2)];
  const through = (ipa: bigint): bigint => {
    if (stages === "s1") return ipa;
    const at = ipa & ~0xfffn;
    return mapAddress(words, STAGE_2_TABLES, ipa, page(hostPage(at), 2, fresh2))!;
  };
  if (stages === "s2") {
    for (const [iova, to] of linuxPages) mapAddress(words, STAGE_2_TABLES, iova, page(to, 2, fresh2));
    return words;
  }
  for (const [at, value] of cd.entries()) words.set(through(CONTEXT + BigInt(at * 8)), value);
  for (const [iova, to] of linuxPages) through(mapAddress(words, HALF, iova, page(to, 1, fresh1), through)!);
  return words;
};

const registersOf = () => {
  const written: readonly (readonly [number, bigint, 4 | 8])[] = [
    [offsets.STRTAB_BASE, STREAM_TABLE, 8],
    [offsets.STRTAB_BASE_CFG, 8n, 4],
    [offsets.CR0, 1n, 4],
  ];
  return written.reduce((registers, [offset, value, size]) => writeRegister(registers, offset, value, size), resetRegisters());
};

/** The machine, and the regime of the card as its own words are read. */
export const linuxMachine = (stages: Stages): { readonly settings: Settings; readonly image: Image; readonly regime: Regime } => {
  const settings = settingsOf(registersOf());
  const image = imageOf(wordsOf(stages));
  const configuration = configurationOf(steOf(stages), settings);
  if (configuration.class === "stage2") return { settings, image, regime: { stage2: configuration } };
  if (configuration.class !== "stage1") throw new Error(`the entry is ${configuration.class}`);
  const { contexts, stage2 } = configuration;
  const meaning = contextOf(cd, contexts, settings);
  if (meaning?.class !== "context") throw new Error(`the descriptor is ${meaning?.class}`);
  return { settings, image, regime: { context: meaning.context, ...(stage2 === undefined ? {} : { stage2 }) } };
};
