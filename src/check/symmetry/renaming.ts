/**
 * A renaming: every thing of a system gets the name of one that is like it. It acts on packed states, on what an
 * invocation asks for, and on the facts that a recipe reads; the machine's number is no part of it (orbits.ts).
 */
import { impossible } from "../../base/diagnostic.ts";
import { NONE, placesOf, shiftOf, type TablePlace, wordOf } from "../../base/state.ts";
import { FRAME, PAGE_TABLE } from "../../kernel/capability.ts";
import { type Invocation, type Request, wordCount } from "../../kernel/invocation.ts";
import { resourceWord } from "../../kernel/issue.ts";
import { levelShift, type Plan } from "../../kernel/plan.ts";
import { ENTRY_INVALID } from "../../kernel/state.ts";
import type { Booted } from "../../system/boot.ts";
import { mixed } from "../search/stateStore.ts";
import type { Permutation } from "./automorphisms.ts";
import { type Sort, sortOfObject, sorts, type Things } from "./things.ts";

/** By sort: where each thing goes. */
export type Names = Readonly<Record<Sort, readonly number[]>>;
type Fields = Record<string, number>;

/** Fields that what a field means depends on. */
export const contextOf: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  slot: { object: ["kind"], address: ["kind", "asid"] },
  entry: { page: ["kind"] },
};
/** The sort of a table's rows, of those that are renamed. */
const rowSort: Readonly<Record<string, Sort | undefined>> = { slot: "slot", entry: "entry", sid: "sid", cb: "cb", vspace: "vspace", asid: "vspace" };

const optionalIn = (names: readonly number[], index: number): number => (index === NONE ? NONE : names[index]!);

/** The least address with its leaf table: what the capability of a page table is said to be mapped at. */
const leastBeside = (plan: Plan, address: number): number => {
  const prefix = plan.addresses[address]! >> levelShift(2);
  return plan.addresses.findIndex((other) => other >> levelShift(2) === prefix);
};
const addressIn = (plan: Plan, names: Names, kind: number, address: number): number => {
  if (kind === FRAME) return names.address[address]!;
  return kind === PAGE_TABLE ? leastBeside(plan, names.address[address]!) : address;
};

/** A row by its new names; fields that are absent are left out. */
const renamedFields = (plan: Plan, names: Names, table: string, fields: Fields): Fields => {
  const renamed = { ...fields };
  const set = (field: string, value: (old: number) => number): void => {
    if (fields[field] !== undefined) renamed[field] = value(fields[field]);
  };
  switch (table) {
    case "slot": {
      const sort = sortOfObject[fields["kind"] ?? NONE];
      if (sort !== undefined) set("object", (object) => names[sort][object]!);
      if (fields["asid"] !== NONE) set("address", (address) => addressIn(plan, names, fields["kind"] ?? NONE, address));
      set("asid", (asid) => optionalIn(names.vspace, asid));
      set("parent", (parent) => optionalIn(names.slot, parent));
      break;
    }
    case "entry":
      if (fields["kind"] !== ENTRY_INVALID) set("page", (page) => names.page[page]!);
      break;
    case "cb":
      // Where a profile keeps no such entry the field is nothing.
      if (plan.bankCounts > 1) set("asid", (asid) => optionalIn(names.vspace, asid));
      break;
    case "vspace":
      set("asid", (asid) => optionalIn(names.vspace, asid));
      break;
    case "asid":
      set("vspace", (vspace) => optionalIn(names.vspace, vspace));
      break;
    default:
  }
  return renamed;
};

const inverseOf = (permutation: readonly number[]): number[] => {
  const inverse: number[] = [];
  for (const [from, to] of permutation.entries()) inverse[to] = from;
  return inverse;
};
const namesOf = ({ first, count }: Things, permutation: Permutation): Names =>
  Object.fromEntries(sorts.map((sort) => [sort, Array.from({ length: count[sort] }, (_, index) => permutation[first[sort] + index]! - first[sort])])) as unknown as Names;

/** Rows of one table as bits, and as bits by their new names. */
type KnownRows = Map<number, number>;

/** Where the rows of a word lie, each with where it goes. */
interface RowMove {
  readonly place: TablePlace;
  readonly known: KnownRows;
  /** Ids of what is interned elsewhere are nobody's names. */
  readonly kept: boolean;
  readonly shift: number;
  readonly mask: number;
  readonly toWord: number;
  readonly toShift: number;
}

export class Renaming {
  readonly names: Names;
  private readonly back: Names;
  private readonly plan: Plan;
  /** By word of a state. */
  private readonly moves: readonly (readonly RowMove[])[];
  constructor({ plan, shape }: Booted, things: Things, permutation: Permutation) {
    this.plan = plan;
    this.names = namesOf(things, permutation);
    this.back = namesOf(things, inverseOf(permutation));
    const { tables, words } = placesOf(shape);
    const moves = Array.from({ length: words }, (): RowMove[] => []);
    for (const place of tables) {
      if (place.stride === 0) continue;
      const known: KnownRows = new Map();
      const kept = place.table.fields["id"]?.interned === true;
      const mask = place.rowBits === 32 ? 0xffffffff : 2 ** place.rowBits - 1;
      for (let row = 0; row < place.table.rows; row++) {
        const to = this.rowOf(place.name, row);
        moves[wordOf(place, row)]!.push({ place, known, kept, shift: shiftOf(place, row), mask, toWord: wordOf(place, to), toShift: shiftOf(place, to) });
      }
    }
    this.moves = moves;
  }

  /** Where a row goes. */
  rowOf(table: string, row: number): number {
    const sort = rowSort[table];
    return sort === undefined ? row : this.names[sort][row]!;
  }
  /** Which row comes here. */
  sourceOf(table: string, row: number): number {
    const sort = rowSort[table];
    return sort === undefined ? row : this.back[sort][row]!;
  }
  /** What fields of a row must say so that they are renamed to these. */
  sourceFields(table: string, fields: Fields): Fields {
    return renamedFields(this.plan, this.back, table, fields);
  }

  private renamed({ place, known, kept }: RowMove, bits: number): number {
    if (kept) return bits;
    let value = known.get(bits);
    if (value === undefined) known.set(bits, (value = this.rename(place, bits)));
    return value;
  }
  private rename({ name, table, places }: TablePlace, bits: number): number {
    const fields = Object.fromEntries(Object.entries(table.fields).map(([field, { least }]) => [field, ((bits >>> places[field]!.shift) & places[field]!.mask) + least]));
    const to = renamedFields(this.plan, this.names, name, fields);
    return Object.entries(table.fields).reduce((sum, [field, { least }]) => (sum | ((to[field]! - least) << places[field]!.shift)) >>> 0, 0);
  }

  /** Writes the renamed state; the machine's word is what it was. */
  state(words: Uint32Array, at: number, into: Uint32Array): void {
    into.fill(0);
    const { moves } = this;
    for (let word = 0; word < moves.length; word++) {
      const value = words[at + word]!;
      const rows = moves[word]!;
      for (let index = 0; index < rows.length; index++) {
        const move = rows[index]!;
        const { shift, mask, toWord, toShift } = move;
        into[toWord] = into[toWord]! | (this.renamed(move, ((value >>> shift) & mask) >>> 0) << toShift);
      }
    }
  }

  /**
   * Brings the image of a state up to date with a word that goes from `old` to `value`: pushes which words of the image
   * were what before, by turns, and answers how much its sum (stateStore.ts) grows.
   */
  change(word: number, old: number, value: number, image: Uint32Array, before: number[]): number {
    const differ = old ^ value;
    const rows = this.moves[word]!;
    let grown = 0;
    for (let index = 0; index < rows.length; index++) {
      const move = rows[index]!;
      const { shift, mask, toWord, toShift } = move;
      if (((differ >>> shift) & mask) === 0) continue;
      const was = image[toWord]!;
      before.push(toWord, was);
      image[toWord] = (was & ~(mask << toShift)) | (this.renamed(move, ((value >>> shift) & mask) >>> 0) << toShift);
      grown = (grown + mixed(toWord, image[toWord]) - mixed(toWord, was)) | 0;
    }
    return grown;
  }

  /** The same request by its new names; `cnodeOf` tells the CNode that a slot's capability names, or NONE. */
  request(definition: Invocation, { target, caps, words }: Request, cnodeOf: (row: number) => number): Request {
    const { slot } = this.names;
    const renamed = [...words];
    let at = 0;
    for (const argument of definition.words) {
      if (at < words.length) {
        if ("root" in argument) {
          const index = argument.of === "window" ? at + 2 : at;
          const root = argument.root === "target" ? target : caps[argument.root];
          if (root !== undefined && words[index] !== undefined) renamed[index] = this.slotIndex(cnodeOf(root), words[index]);
        } else renamed[at] = this.word(argument.of, words[at]!);
      }
      at += wordCount(argument);
    }
    return { target: slot[target]!, caps: caps.map((row) => slot[row]!), words: renamed };
  }
  private slotIndex(cnode: number, index: bigint): bigint {
    if (cnode === NONE) return index;
    const { firstRow, indices } = this.plan.cnodes[cnode]!;
    const position = indices.findIndex((candidate) => BigInt(candidate) === index);
    if (position < 0) return index;
    const place = this.plan.slots[this.names.slot[firstRow + position]!]!;
    return place.in === "cnode" ? BigInt(place.index) : impossible("a slot of a CNode is renamed to one that is none");
  }
  private word(of: string, word: bigint): bigint {
    const { plan, names } = this;
    if (of === "address") {
      const address = plan.addressOf(word);
      return address === NONE ? word : plan.addresses[names.address[address]!]!;
    }
    if (of === "stream") return renamedWord(plan.sids.map(({ smmu, sid }) => resourceWord(smmu, sid)), names.sid, word);
    return of === "bank" ? renamedWord(plan.cbs.map(({ smmu, number }) => resourceWord(smmu, number)), names.cb, word) : word;
  }
}

const renamedWord = (list: readonly bigint[], names: readonly number[], word: bigint): bigint => {
  const index = list.indexOf(word);
  return index < 0 ? word : list[names[index]!]!;
};
