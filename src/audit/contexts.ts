/** The context descriptors of a stream: one, a linear table, or a table of two levels (IHI 0070 sections 3.3.2, 5.3, 5.4). */
import { Cd, L1Cd } from "../../specs/smmuv3/cd.ts";
import { hex, PAGE_BYTES } from "../base/words.ts";
import { isDevice } from "../smmuv3/attributes.ts";
import type { Stage1, Stage2 } from "../smmuv3/configuration.ts";
import { belowL1, CD_BYTES, CD_WORDS, type Context, contextOf } from "../smmuv3/context.ts";
import type { Settings } from "../smmuv3/registers.ts";
import { walkStage2 } from "../smmuv3/walk.ts";
import type { ContextDescriptor, ContextTable } from "./decoding.ts";
import { fieldsOf, reservedIn } from "./fields.ts";
import { type Budget, type Cuts, limits } from "./limits.ts";
import type { Memory, Words } from "./memory.ts";
import type { Piece } from "./tables.ts";

/** Where a structure of stage 1 lies in physical memory, or the fault of stage 2 that its fetch meets. */
export const structureAt = (memory: Memory, stage2: Stage2 | undefined, address: bigint): bigint | { readonly fault: "F_TRANSLATION" | "F_ADDR_SIZE" | "F_ACCESS" | "F_PERMISSION" | "F_WALK_EABT" } => {
  if (stage2 === undefined) return address;
  const walked = walkStage2(memory.read, stage2, address, { op: "read", priv: true });
  if (walked.result === "external") return { fault: "F_WALK_EABT" };
  if (walked.result === "fault") return { fault: walked.fault };
  if (stage2.protectedWalk && isDevice(walked.leaf.memory)) return { fault: "F_PERMISSION" };
  return walked.leaf.pa + (address - walked.leaf.ipa);
};

/** Pieces of stage-1 structures as memory holds them, each page of IPAs translated once. */
export const pieces = (memory: Memory, stage2: Stage2 | undefined): Piece => {
  const known = new Map<bigint, ReturnType<typeof structureAt>>();
  const placed = (address: bigint): ReturnType<typeof structureAt> => {
    if (stage2 === undefined) return address;
    const offset = address % PAGE_BYTES;
    const page = known.get(address - offset) ?? structureAt(memory, stage2, address - offset);
    known.set(address - offset, page);
    return typeof page === "bigint" ? page + offset : page;
  };
  return (address, bytes) => {
    const at = placed(address);
    if (typeof at !== "bigint") return { what: `stage 2 does not let the SMMU read ${hex(address)}: ${at.fault}`, fault: at.fault };
    return memory.piece(at, bytes) ?? { what: `no memory answers at ${hex(at)}`, fault: "F_WALK_EABT" };
  };
};

/** A context descriptor that is decoded, and the regime it asks for where it is legal. */
export interface FoundContext {
  readonly descriptor: ContextDescriptor;
  readonly context?: Context;
}
export interface Contexts {
  readonly table: Omit<ContextTable, "descriptors">;
  readonly found: readonly FoundContext[];
}

interface Search {
  readonly memory: Memory;
  readonly configuration: Stage1;
  readonly settings: Settings;
  readonly piece: Piece;
  readonly budgets: { readonly pieces: Budget; readonly contexts: Budget };
  readonly cuts: Cuts;
  readonly found: FoundContext[];
  readonly problems: string[];
  invalid: number;
  /** No more descriptors are listed. */
  full: boolean;
}

const addContext = (search: Search, ssid: number, address: bigint, words: readonly bigint[]): void => {
  const { configuration, settings, memory, budgets, cuts } = search;
  if (budgets.contexts.left <= 0) {
    search.full = true;
    return cuts.say(`More than ${limits.contexts} context descriptors are there; the rest is not listed.`);
  }
  budgets.contexts.left--;
  const placed = structureAt(memory, configuration.stage2, address);
  const meaning = contextOf(words, configuration.contexts, settings)!;
  const descriptor: ContextDescriptor = {
    ssid,
    ...(configuration.stage2 === undefined ? {} : { ipa: hex(address) }),
    address: typeof placed === "bigint" ? hex(placed) : hex(address),
    words: words.map(hex),
    class: meaning.class === "context" ? "legal" : meaning.class,
    ...(meaning.class === "context" ? {} : { why: meaning.why }),
    reserved: reservedIn(Cd, words),
    fields: fieldsOf(Cd, words),
  };
  search.found.push({ descriptor, ...(meaning.class === "context" ? { context: meaning.context } : {}) });
};

const descriptorsIn = (words: Words): Map<number, bigint[]> => {
  const filled = new Map<number, bigint[]>();
  for (const [index, value] of words) {
    const descriptor = filled.get(index >> 3) ?? Array.from({ length: CD_WORDS }, () => 0n);
    descriptor[index & 7] = value;
    filled.set(index >> 3, descriptor);
  }
  return filled;
};

const PROBLEMS = 16;
const complain = ({ problems }: Search, sentence: string): void => {
  if (problems.length < PROBLEMS) problems.push(sentence);
  else if (problems.length === PROBLEMS) problems.push("and more of this kind");
};

/** The pieces of [address, address+bytes), each within a page, until a limit is met. */
const eachPiece = (search: Search, address: bigint, bytes: number, visit: (words: Words, offset: number) => void): void => {
  for (let offset = 0; offset < bytes; ) {
    if (search.budgets.pieces.left <= 0) return search.cuts.say(`Context descriptor tables of more than ${limits.contextPieces} pages were not looked at further.`);
    if (search.full) return;
    search.budgets.pieces.left--;
    const at = address + BigInt(offset);
    const size = Math.min(Number(PAGE_BYTES - (at % PAGE_BYTES)), bytes - offset);
    const words = search.piece(at, size);
    if ("what" in words) complain(search, words.what);
    else visit(words, offset);
    offset += size;
  }
};

/** Valid descriptors of a stretch of a table; `always` are listed even when they are not valid. */
const readDescriptors = (search: Search, address: bigint, count: number, ssid: number, always = false): void => {
  const size = Number(CD_BYTES);
  eachPiece(search, address, count * size, (words, offset) => {
    const descriptors = descriptorsIn(words);
    if (always && descriptors.size === 0) descriptors.set(0, Array.from({ length: CD_WORDS }, () => 0n));
    for (const [at, descriptor] of descriptors) {
      const index = offset / size + at;
      if (!always && Cd.get(descriptor, "V") === 0n) search.invalid++;
      else addContext(search, ssid + index, address + BigInt(index * size), descriptor);
    }
  });
};

const LEAF_BITS = { 1: 6, 2: 10 } as const;
const readTwoLevels = (search: Search, format: 1 | 2): void => {
  const { configuration, settings } = search;
  const { pointer, log2Size } = configuration.contexts;
  const leaf = 2 ** LEAF_BITS[format];
  const used = Math.min(leaf, 2 ** log2Size);
  eachPiece(search, pointer, 8 * Math.max(1, 2 ** log2Size / leaf), (words, offset) => {
    for (const [at, value] of words) {
      const index = offset / 8 + at;
      const reserved = reservedIn(L1Cd, [value]);
      if (reserved.length > 0) complain(search, `the level-1 descriptor of SubstreamIDs from ${index * leaf} on has reserved bits: ${reserved.join(", ")}`);
      const below = belowL1(value, 0, configuration, settings);
      if (below !== undefined) readDescriptors(search, below, used, index * leaf);
      else if (L1Cd.get([value], "V") === 1n) complain(search, `the level-1 descriptor of SubstreamIDs from ${index * leaf} on points beyond what there is: ${hex(value)}`);
    }
  });
};

const WITHOUT = ["terminated", "bypasses stage 1", "uses descriptor 0"] as const;
const SHAPES = ["linear", "twoLevel4K", "twoLevel64K"] as const;

/** Reads the table of one stream's configuration. */
export const readContexts = (memory: Memory, settings: Settings, configuration: Stage1, piece: Piece, budgets: Search["budgets"], cuts: Cuts): Contexts => {
  const search: Search = { memory, configuration, settings, piece, budgets, cuts, found: [], problems: [], invalid: 0, full: false };
  const { pointer, format, log2Size, withoutSubstream } = configuration.contexts;
  if (log2Size === 0) readDescriptors(search, pointer, 1, 0, true);
  else if (format === 0) readDescriptors(search, pointer, 2 ** log2Size, 0);
  else readTwoLevels(search, format);
  return {
    table: {
      pointer: hex(pointer),
      shape: log2Size === 0 ? "one" : SHAPES[format],
      log2Size,
      withoutSubstream: log2Size === 0 ? "uses descriptor 0" : WITHOUT[withoutSubstream],
      invalid: search.invalid,
      problems: search.problems,
    },
    found: search.found,
  };
};
