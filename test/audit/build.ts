/** Snapshots built word by word, for the tests of this folder. */
import { Cd } from "../../specs/smmuv3/cd.ts";
import { offsets, qemuVirtIdentification } from "../../specs/smmuv3/registers.ts";
import { Ste } from "../../specs/smmuv3/ste.ts";
import { createImages, type Image } from "../../src/smmuv3/image.ts";
import type { RegisterFile } from "../../src/smmuv3/registers.ts";
import type { MemoryRange, Snapshot } from "../../src/smmuv3/snapshot.ts";

export const STREAM_TABLE = 0x4800_0000n;
/** AF, inner shareable, read and write: a page of stage 1 for everybody, and of stage 2. */
export const PAGE_1 = 0x743n;
export const PAGE_2 = 0x7ffn;
export const BLOCK_2 = 0x7fdn;

export type Stores = Readonly<Record<string, bigint>> | readonly (readonly [bigint, bigint])[];

export const imageOf = (stores: readonly (readonly [bigint, bigint])[], fills: readonly (readonly [bigint, bigint, readonly bigint[]])[] = []): Image => {
  const images = createImages();
  let image = images.empty;
  for (const [at, size, pattern] of fills) image = images.fill(image, at, size, pattern);
  for (const [at, value] of stores) image = images.store(image, at, value);
  return image;
};
export const record = (at: bigint, words: readonly bigint[]): (readonly [bigint, bigint])[] => words.map((word, index) => [at + BigInt(index * 8), word] as const);
export const ste = (sid: number, fields: Parameters<typeof Ste.encode>[0]): (readonly [bigint, bigint])[] => record(STREAM_TABLE + BigInt(sid * 64), Ste.encode(fields));
export const cd = (at: bigint, fields: Parameters<typeof Cd.encode>[0]): (readonly [bigint, bigint])[] => record(at, Cd.encode(fields));

export const stage1Fields = { V: 1n, T0SZ: 25n, TG0: "4K", EPD1: 1n, IPS: "44", AA64: 1n, R: 1n, A: 1n, ASID: 1n } as const;
export const stage2Fields = { V: 1n, Config: "s2", S2VMID: 1n, S2T0SZ: 25n, S2SL0: 1n, S2TG: "4K", S2PS: "44", S2AA64: 1n, S2R: 1n } as const;

type Name = keyof typeof offsets;
/** QEMU's identification, a linear table of 16 streams at STREAM_TABLE, enabled; and what a test changes. */
export const registersOf = (changes: Readonly<Partial<Record<Name, number>>> = {}): RegisterFile =>
  new Map(Object.entries({ ...qemuVirtIdentification, CR0: 0xd, STRTAB_BASE: Number(STREAM_TABLE), STRTAB_BASE_CFG: 4, ...changes }).map(([name, value]) => [offsets[name as Name], value >>> 0]));

export const snapshotOf = (image: Image, registers: Readonly<Partial<Record<Name, number>>> = {}, ram?: readonly MemoryRange[]): Snapshot => ({ registers: registersOf(registers), image, ...(ram === undefined ? {} : { ram }) });
