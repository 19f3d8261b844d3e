/**
 * A second reading of translation tables, written apart from the project's own walker and importing nothing of it, so that
 * the two can be held against each other. It lists what a table maps instead of answering one address.
 * Sources: DDI 0487 "VMSAv8-64 translation table format descriptors"; IHI 0070 "Context Descriptor", "Stream Table Entry".
 */
import type { NotedMemory } from "./memory.ts";

export const bits = (word: bigint, high: number, low: number): bigint => (word >> BigInt(low)) & ((1n << BigInt(high - low + 1)) - 1n);
export const number = (word: bigint, high: number, low: number): number => Number(bits(word, high, low));
export const bit = (word: bigint, at: number): boolean => ((word >> BigInt(at)) & 1n) === 1n;

/** A page or block that a table maps, for unprivileged data accesses. */
export interface Leaf {
  readonly input: bigint;
  readonly output: bigint;
  /** Bytes mapped. */
  readonly size: bigint;
  readonly level: number;
  readonly descriptor: bigint;
  /** Why no access succeeds at all, or undefined. */
  readonly fault: "F_ACCESS" | "F_ADDR_SIZE" | undefined;
  readonly readable: boolean;
  readonly writable: boolean;
}

/** A whole table: where it starts and how its descriptors are to be read. */
export interface Table {
  readonly stage: 1 | 2;
  readonly root: bigint;
  /** 12, 14 or 16. */
  readonly granule: number;
  /** Bits of the input address. */
  readonly inputBits: number;
  readonly startLevel: number;
  /** Added to every input: the high ones of the upper half at stage 1, else 0. */
  readonly inputBase: bigint;
  /** Outputs at or above 2^this are F_ADDR_SIZE. */
  readonly outputBits: number;
  /** The Access flag is not looked at, or hardware sets it. */
  readonly accessFlagOff: boolean;
  /** APTable is not looked at (stage 1). */
  readonly hierarchyOff: boolean;
}

/** Output address sizes by IPS, S2PS and OAS; 7 is reserved. */
const SIZES = [32, 36, 40, 42, 44, 48, 52, 52] as const;
/** min(field, OAS of IDR5) in bits. */
export const outputBits = (field: number, idr5: number): number => Math.min(SIZES[field & 7]!, SIZES[idr5 & 7]!);

/** Granule bits by TG0 and S2TG, and by TG1; undefined where reserved. */
export const granules0 = [12, 16, 14, undefined] as const;
export const granules1 = [undefined, 14, 12, 16] as const;

const shiftOf = (granule: number, level: number): number => granule + (3 - level) * (granule - 3);

/** First level of stage 1: as few levels as hold the input bits. */
export const startLevel1 = (granule: number, inputBits: number): number => 4 - Math.ceil((inputBits - granule) / (granule - 3));
/** First level of stage 2 by SL0; undefined where it has none. */
export const startLevel2 = (granule: number, sl0: number): number | undefined => (granule === 12 ? [2, 1, 0] : [3, 2, 1])[sl0];

/** Blocks exist at these levels (without 52-bit addresses). */
const hasBlock = (granule: number, level: number): boolean => level === 2 || (granule === 12 && level === 1);

const entriesOf = ({ granule, inputBits, startLevel }: Table): number => 2 ** Math.max(0, inputBits - shiftOf(granule, startLevel));
/** A root is one table, or up to 16 of them in a row (stage 2); input sizes are those of an SMMU without 52-bit addresses. */
export const isSound = (table: Table): boolean =>
  table.inputBits >= 16 && table.inputBits <= 48 && table.startLevel >= 0 && table.startLevel <= 3 && entriesOf(table) <= 2 ** (table.granule - 3 + (table.stage === 2 ? 4 : 0));

interface Inherited {
  readonly readOnly: boolean;
  readonly privilegedOnly: boolean;
}

const addressIn = (descriptor: bigint, granule: number): bigint => {
  const low = bits(descriptor, 47, granule) << BigInt(granule);
  // With the 64 KiB granule, bits 15:12 carry address bits 51:48.
  return granule === 16 ? low | (bits(descriptor, 15, 12) << 48n) : low;
};

const leafOf = (table: Table, descriptor: bigint, level: number, input: bigint, inherited: Inherited): Leaf => {
  const size = 1n << BigInt(shiftOf(table.granule, level));
  const address = addressIn(descriptor, table.granule);
  const output = address - (address % size);
  const unprivileged = bit(descriptor, 6) && !inherited.privilegedOnly;
  const readable = table.stage === 1 ? unprivileged : bit(descriptor, 6);
  const writable = table.stage === 1 ? unprivileged && !bit(descriptor, 7) && !inherited.readOnly : bit(descriptor, 7);
  const tooLarge = output >> BigInt(table.outputBits) !== 0n;
  const fault = tooLarge ? "F_ADDR_SIZE" : !bit(descriptor, 10) && !table.accessFlagOff ? "F_ACCESS" : undefined;
  return { input: table.inputBase + input, output, size, level, descriptor, fault, readable, writable };
};

/** All leaves of a sound table in order of their input. Notes each table page as `S1-L0`, …. */
export const leavesOf = (memory: NotedMemory, table: Table): Leaf[] => {
  const leaves: Leaf[] = [];
  const visit = (base: bigint, level: number, entries: number, input: bigint, inherited: Inherited): void => {
    const shift = BigInt(shiftOf(table.granule, level));
    for (let index = 0; index < entries; index++) {
      const descriptor = memory.word(base + BigInt(index * 8), `S${table.stage}-L${level}`) ?? 0n;
      if (!bit(descriptor, 0)) continue;
      const at = input + (BigInt(index) << shift);
      if (level < 3 && bit(descriptor, 1)) {
        const limits = table.stage === 1 && !table.hierarchyOff;
        const below = { readOnly: inherited.readOnly || (limits && bit(descriptor, 62)), privilegedOnly: inherited.privilegedOnly || (limits && bit(descriptor, 61)) };
        visit(addressIn(descriptor, table.granule), level + 1, 2 ** (table.granule - 3), at, below);
      } else if (level === 3 ? bit(descriptor, 1) : hasBlock(table.granule, level)) leaves.push(leafOf(table, descriptor, level, at, inherited));
    }
  };
  visit(table.root, table.startLevel, entriesOf(table), 0n, { readOnly: false, privilegedOnly: false });
  return leaves;
};
