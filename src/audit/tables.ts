/**
 * All leaves of a tree of translation tables, in the order of their input addresses (DDI 0487 "VMSAv8-64"). Nothing of the
 * tree is trusted: a table may be its own child, or lie where no memory answers. The walk goes four levels deep at most and
 * stops when a number of descriptors has been read.
 */
import { hex, PAGE_BYTES } from "../base/words.ts";
import { formOf, type WalkFault } from "../smmuv3/walk.ts";
import { byteSwapped, type Granule, type Hierarchy, hierarchyOf, levelShift, NO_HIERARCHY, shapeOf, under } from "../smmuv3/descriptor.ts";
import type { Budget } from "./limits.ts";
import type { Words } from "./memory.ts";

/** A tree: one half of a stage-1 regime, or stage 2. */
export interface Tree {
  readonly stage: 1 | 2;
  readonly granule: Granule;
  readonly startLevel: number;
  readonly inputBits: number;
  readonly outputBits: number;
  /** 52-bit output addresses are implemented. */
  readonly wide: boolean;
  readonly root: bigint;
  readonly bigEndian: boolean;
  /** First input address: 0, or for the upper half that with all bits above `inputBits` set. */
  readonly first: bigint;
  /** Table descriptors limit what is below them. */
  readonly hierarchical: boolean;
}

export interface Leaf {
  readonly input: bigint;
  readonly size: bigint;
  readonly output: bigint;
  readonly level: number;
  /** Of the descriptor, and the descriptor. */
  readonly address: bigint;
  readonly value: bigint;
  readonly above: Hierarchy;
}

/** Something wrong with a table, and the fault that a transaction meets there, if it is one. */
export interface Problem {
  readonly what: string;
  readonly fault?: WalkFault | "F_WALK_EABT";
  /** First input address that is concerned. */
  readonly input: bigint;
  readonly level: number;
  /** Address of the descriptor or table, and the descriptor. */
  readonly address: bigint;
  readonly value?: bigint;
}

/** The words of a piece of a table that lies in one 4 KiB page, or why there are none. */
export type Piece = (address: bigint, bytes: number) => Words | { readonly what: string; readonly fault: Problem["fault"] & string };

export interface Visitor {
  /** Leaves ascend. False stops. */
  readonly leaf: (leaf: Leaf) => boolean;
  readonly problem: (problem: Problem) => void;
}

interface Frame {
  readonly table: bigint;
  readonly level: number;
  readonly input: bigint;
  readonly words: Words;
  readonly above: Hierarchy;
  at: number;
}

const PAGE = Number(PAGE_BYTES);
const rootBytesOf = ({ inputBits, startLevel, granule }: Tree): number => Number(8n << (BigInt(inputBits) - levelShift(startLevel, granule)));

/** The descriptors of a whole table, piece by piece; pieces that cannot be read are problems. */
const wordsOf = (tree: Tree, piece: Piece, visitor: Visitor, table: bigint, bytes: number, level: number, input: bigint): Words => {
  const shift = levelShift(level, tree.granule);
  const read = (offset: number): Words => {
    const words = piece(table + BigInt(offset), Math.min(PAGE, bytes - offset));
    if (!("what" in words)) return words;
    visitor.problem({ ...words, input: input + (BigInt(offset / 8) << shift), level, address: table + BigInt(offset) });
    return [];
  };
  if (bytes <= PAGE) return read(0);
  const words: (readonly [number, bigint])[] = [];
  for (let offset = 0; offset < bytes; offset += PAGE) for (const [index, value] of read(offset)) words.push([offset / 8 + index, value]);
  return words;
};

/** Output address bits below the size of a block, but for nT, are RES0. */
const strayBits = (value: bigint, level: number, granule: Granule): bigint => {
  const low = level === 3 || granule === 16 ? BigInt(16) : BigInt(granule);
  return value & ((1n << levelShift(level, granule)) - 1n) & ~((1n << low) - 1n) & ~(1n << 16n);
};

/** Visits every leaf; the input address from where on nothing was looked at, or undefined when all was. */
export const visitLeaves = (tree: Tree, piece: Piece, budget: Budget, visitor: Visitor): bigint | undefined => {
  const { granule, bigEndian, outputBits } = tree;
  const form = formOf(tree);
  const frame = (table: bigint, bytes: number, level: number, input: bigint, above: Hierarchy): Frame => ({ table, level, input, words: wordsOf(tree, piece, visitor, table, bytes, level, input), above, at: 0 });
  const stack = [frame(tree.root, rootBytesOf(tree), tree.startLevel, tree.first, NO_HIERARCHY)];
  while (stack.length > 0) {
    const top = stack.at(-1)!;
    const entry = top.words[top.at++];
    if (entry === undefined) {
      stack.pop();
      continue;
    }
    const { level } = top;
    const value = bigEndian ? byteSwapped(entry[1]) : entry[1];
    const input = top.input + (BigInt(entry[0]) << levelShift(level, granule));
    if (budget.left <= 0) return input;
    budget.left--;
    const address = top.table + BigInt(entry[0] * 8);
    const problem = (what: string, fault?: Problem["fault"]): void => visitor.problem({ what, ...(fault === undefined ? {} : { fault }), input, level, address, value });
    const shape = shapeOf(value, level, form);
    if (shape.is === "invalid") {
      if ((value & 1n) === 1n) problem(level === 3 ? "a reserved descriptor: bits 1:0 are 1 at level 3" : `a block at level ${level}, where there is none at this granule`, "F_TRANSLATION");
      continue;
    }
    const target = shape.is === "table" ? shape.next : shape.pa;
    if (target >> BigInt(outputBits) !== 0n) {
      problem(`the ${shape.is === "table" ? "next table" : "output address"} ${hex(target)} is beyond ${outputBits} bits`, "F_ADDR_SIZE");
      continue;
    }
    if (shape.is === "leaf") {
      if (strayBits(value, level, granule) !== 0n) problem("address bits below the size of the block are set; they are reserved, and ignored");
      if (!visitor.leaf({ input, size: shape.size, output: shape.pa, level, address, value, above: top.above })) return input;
      continue;
    }
    if (stack.some(({ table }) => table === shape.next)) problem(`the next table ${hex(shape.next)} is one of those that lead to it: a cycle`);
    const above = tree.hierarchical ? under(top.above, hierarchyOf(value)) : NO_HIERARCHY;
    stack.push(frame(shape.next, 2 ** granule, level + 1, input, above));
  }
  return undefined;
};
