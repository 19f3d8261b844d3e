/**
 * What an SMMUv2 says of itself, and where its registers lie by that (IHI 0062 D.c section 9.6.1 "SMMU_IDR0-7", chapter 8
 * "SMMU Address Space"). Not there: nested translation (IDR0.NTS=0), AArch32 tables, hypervisor contexts, stalling,
 * hardware update of descriptors, 16-bit StreamIDs, a second Security state. An MMU-500 has NTS=1; seL4 never uses it.
 */
import { Idr0, Idr1, Idr2, Idr7, type RegisterName, type RegisterPlace, registers } from "../../specs/smmuv2/registers.ts";

export type AddressBits = 32 | 36 | 40 | 42 | 44 | 48;

export interface Identification {
  /** Streams are matched by SMRs (IDR0.SMS); otherwise a StreamID is the number of its S2CR. */
  readonly matching: boolean;
  /** Stream mapping register groups, at most 128. */
  readonly groups: number;
  /** Bits of a StreamID; at most 7 where it is an index. */
  readonly streamBits: number;
  /** Context banks, at most 128. Each can do stage 1 and stage 2. */
  readonly banks: number;
  /** Physical (IDR2.OAS) and intermediate (IDR2.IAS) addresses. */
  readonly outputBits: AddressBits;
  readonly intermediateBits: AddressBits;
  readonly vmid16: boolean;
  /** Walks see what caches hold (IDR0.CTTW). This model's always do. */
  readonly coherent: boolean;
  /** IDR1.PAGESIZE, and NUMPAGE of each half of the address space. */
  readonly pageBytes: 0x1000 | 0x10000;
  readonly pages: number;
}

/** The MMU-500 of the Tegra X2 as seL4's limits and comments have it; address sizes and VMIDs by IDR2 = 0x5555 (MMU-500). */
export const tegraX2: Identification = {
  matching: true,
  groups: 128,
  streamBits: 7,
  banks: 64,
  outputBits: 48,
  intermediateBits: 48,
  vmid16: false,
  coherent: true,
  pageBytes: 0x10000,
  pages: 64,
};

/** Registers of this SMMU with that name. */
export const countOf = ({ groups, banks }: Identification, name: RegisterName): number => {
  const { space, each }: RegisterPlace = registers[name];
  if (each === "group") return groups;
  return each === "bank" || space === "CB" ? banks : 1;
};

const pageOf = ({ pages }: Identification, space: RegisterPlace["space"], bank: number): number => {
  if (space === "GR0") return 0;
  return space === "GR1" ? 1 : pages + bank;
};
/** Bytes from the SMMU's base to register number `n` of that name. */
export const offsetOf = (identification: Identification, name: RegisterName, n = 0): number => {
  const { space, at, bytes, each }: RegisterPlace = registers[name];
  return pageOf(identification, space, n) * identification.pageBytes + at + (each === undefined ? 0 : n * bytes);
};

export interface Located {
  readonly name: RegisterName;
  readonly n: number;
  /** The upper half of a 64-bit register. */
  readonly upper: boolean;
}
const namesIn = Object.groupBy(Object.keys(registers) as RegisterName[], (name) => registers[name].space);

const inPage = (identification: Identification, space: RegisterPlace["space"], within: number, bank: number): Located | undefined => {
  for (const name of namesIn[space] ?? []) {
    const { at, bytes, each }: RegisterPlace = registers[name];
    const end = at + bytes * (each === undefined ? 1 : countOf(identification, name));
    if (within < at || within >= end) continue;
    const n = each === undefined ? bank : Math.floor((within - at) / bytes);
    return { name, n, upper: (within - at) % bytes === 4 };
  }
  return undefined;
};
/** The register at an offset; undefined where there is none that this model has. */
export const locate = (identification: Identification, offset: number): Located | undefined => {
  const { pageBytes, pages, banks } = identification;
  const page = Math.floor(offset / pageBytes);
  const within = offset % pageBytes;
  if (page === 0 || page === 1) return inPage(identification, page === 0 ? "GR0" : "GR1", within, 0);
  return page >= pages && page < pages + banks ? inPage(identification, "CB", within, page - pages) : undefined;
};

/** The identification registers, which the others are read beside. */
export const identificationValue = (identification: Identification, name: RegisterName): bigint | undefined => {
  const { matching, groups, streamBits, banks, outputBits, intermediateBits, vmid16, coherent, pageBytes, pages } = identification;
  switch (name) {
    case "IDR0":
      return Idr0.encode({ NUMSMRG: BigInt(groups), NUMSIDB: BigInt(streamBits), CTTW: BigInt(coherent), NUMIRPT: 1n, PTFS: "none", ATOSNS: 1n, SMS: BigInt(matching), S2TS: 1n, S1TS: 1n })[0]!;
    case "IDR1":
      return Idr1.encode({ NUMCB: BigInt(banks), SMCD: 1n, NUMPAGENDXB: BigInt(Math.log2(pages) - 1), PAGESIZE: pageBytes === 0x1000 ? "4K" : "64K" })[0]!;
    case "IDR2":
      return Idr2.encode({ IAS: `${intermediateBits}`, OAS: `${outputBits}`, UBS: "49", PTFSv8_4kB: 1n, PTFSv8_64kB: 1n, VMID16S: BigInt(vmid16) })[0]!;
    case "IDR7":
      return Idr7.encode({ MAJOR: 2n, MINOR: 1n })[0]!;
    default:
      return undefined;
  }
};
