/** What each of several threads holds of a search: read as a whole for paths and checkpoints, and made from a checkpoint. */
import type { Standing } from "../search/breadth.ts";
import type { Kept } from "../kept/checkpoint.ts";
import { ORIGIN_NUMBERS, Origins } from "../search/origins.ts";
import { shared, statesBetween, StateStore, sumOf } from "../search/stateStore.ts";
import { codeOf, indexOf, memberOf, ownerOf } from "./protocol.ts";

/** One thread's states, with the parent of each as a code (protocol.ts), and where it stands. */
export interface Holdings {
  /** Memory that threads share. */
  readonly states: readonly ArrayBufferLike[];
  readonly origins: readonly ArrayBufferLike[];
  readonly count: number;
  /** Where each level begins among its states; the last is the one that is being found. */
  readonly starts: readonly number[];
  /** What is left to expand of the level before that one, in path order, and how many of all threads come before each. */
  readonly todo: Int32Array;
  readonly ranks: Int32Array;
  /** Keys of the states of the last level. */
  readonly keys: Float64Array;
}

/** Merges lists of keys, each ascending: of each key in each list, how many of all are smaller. */
export const ranksOf = (lists: readonly Float64Array[]): Int32Array[] => {
  const ranks = lists.map(({ length }) => new Int32Array(length));
  const heads = lists.map(() => 0);
  const total = lists.reduce((sum, { length }) => sum + length, 0);
  for (let rank = 0; rank < total; rank++) {
    let least = -1;
    for (let list = 0; list < lists.length; list++)
      if (heads[list]! < lists[list]!.length && (least < 0 || lists[list]![heads[list]!]! < lists[least]![heads[least]!]!)) least = list;
    ranks[least]![heads[least]!] = rank;
    heads[least]! += 1;
  }
  return ranks;
};

/** All threads' states as one list: level by level, and in each level thread by thread. */
export class Whole {
  private readonly each: readonly Holdings[];
  private readonly words: number;
  private readonly origins: readonly Origins[];
  /** By level and thread: what is added to a thread's index of a state for its place in the list. */
  private readonly shifts: readonly (readonly number[])[];
  readonly count: number;
  readonly firstNew: number;

  constructor(each: readonly Holdings[], words: number) {
    this.each = each;
    this.words = words;
    this.origins = each.map(({ origins }) => {
      const known = new Origins(shared);
      known.adopt(origins);
      return known;
    });
    let at = 0;
    this.shifts = each[0]!.starts.map((_, level) =>
      each.map((holdings) => {
        const shift = at - holdings.starts[level]!;
        at += endOf(holdings, level) - holdings.starts[level]!;
        return shift;
      }),
    );
    this.count = at;
    this.firstNew = at - each.reduce((sum, holdings) => sum + holdings.count - holdings.starts.at(-1)!, 0);
  }

  /** The path to a state, by its owner. */
  path(member: number, index: number): number[] {
    const members = this.each.length;
    const ordinals: number[] = [];
    for (let [of, at] = [member, index]; ; ) {
      const parent = this.origins[of]!.parent(at);
      if (parent < 0) return ordinals.toReversed();
      ordinals.push(this.origins[of]!.ordinal(at));
      [of, at] = [memberOf(parent, members), indexOf(parent, members)];
    }
  }

  private *blocks(): Generator<{ readonly level: number; readonly member: number; readonly from: number; readonly until: number }> {
    for (const level of this.shifts.keys()) for (const [member, holdings] of this.each.entries()) yield { level, member, from: holdings.starts[level]!, until: endOf(holdings, level) };
  }
  private *states(): Generator<Uint32Array> {
    const chunks = this.each.map(({ states }) => states.map((buffer) => new Uint32Array(buffer)));
    for (const { member, from, until } of this.blocks()) yield* statesBetween(chunks[member]!, this.words, from, until);
  }
  private *parents(): Generator<Int32Array> {
    const members = this.each.length;
    for (const { level, member, from, until } of this.blocks()) {
      const origins = this.origins[member]!;
      const rows = new Int32Array(ORIGIN_NUMBERS * (until - from));
      for (let index = from; index < until; index++) {
        const code = origins.parent(index);
        const parent = code < 0 ? code : indexOf(code, members) + this.shifts[level - 1]![memberOf(code, members)]!;
        rows.set([parent, origins.ordinal(index), origins.steps(index)], ORIGIN_NUMBERS * (index - from));
      }
      yield rows;
    }
  }
  private keys(): Float64Array {
    const keys = new Float64Array(this.count - this.firstNew);
    let at = 0;
    for (const holdings of this.each) {
      keys.set(holdings.keys, at);
      at += holdings.keys.length;
    }
    return keys;
  }

  /** As a checkpoint has it. */
  kept(rest: Pick<Kept, "edges" | "depth" | "expanded" | "found" | "signatures" | "reached">): Kept {
    const shifts = this.shifts.at(-2) ?? [];
    const level = this.each.flatMap(({ todo, ranks }, member) => Array.from(todo, (index, at) => ({ index: index + shifts[member]!, rank: ranks[at]! }))).toSorted((a, b) => a.rank - b.rank);
    return {
      ...rest,
      count: this.count,
      states: () => this.states(),
      origins: () => this.parents(),
      keys: () => this.keys(),
      level: level.map(({ index }) => index),
      ranks: level.map(({ rank }) => rank),
      firstNew: this.firstNew,
      improved: true,
    };
  }
}
const endOf = ({ starts, count }: Holdings, level: number): number => starts[level + 1] ?? count;

/** Hands the states of a search out to so many threads. The standing is used up; throws where it makes no sense. */
export const handedOut = (standing: Standing, words: number, members: number): Holdings[] => {
  const { store, origins, arrivals, firstNew, level, ranks } = standing;
  const { count } = store;
  const each = Array.from({ length: members }, () => ({ store: new StateStore(words, shared), origins: new Origins(shared), starts: [] as number[], todo: [] as number[], ranks: [] as number[], keys: [] as number[] }));
  const codes = new Float64Array(count);
  const begin = (): void => each.forEach((holder) => holder.starts.push(holder.store.count));
  let [before, begun] = [-1, -1];
  let index = 0;
  const state = new Uint32Array(words);
  for (const piece of store.emptied())
    for (let at = 0; at < piece.length; at += words, index++) {
      const parent = origins.parent(index);
      const deeper = parent >= begun;
      if (parent < before || (index < firstNew ? false : deeper !== (index === firstNew))) throw new Error("its states are not level by level");
      if (deeper) {
        begin();
        [before, begun] = [begun, index];
      }
      state.set(piece.subarray(at, at + words));
      const sum = sumOf(state, 0, words);
      const member = ownerOf(sum, members);
      const holder = each[member]!;
      const own = holder.store.add(state, sum);
      holder.origins.set(own, parent < 0 ? -1 : codes[parent]!, origins.ordinal(index), origins.steps(index));
      if (index >= firstNew) holder.keys.push(arrivals.of(index));
      codes[index] = codeOf(member, own, members);
    }
  if (firstNew === count) begin();
  else begun = before;
  if (each[0]!.starts.length !== standing.depth + 2 || level.some((of) => of < begun)) throw new Error("it stands at another level");
  for (const [at, of] of level.entries()) {
    const holder = each[memberOf(codes[of]!, members)]!;
    holder.todo.push(indexOf(codes[of]!, members));
    holder.ranks.push(ranks[at]!);
  }
  return each.map((holder) => ({
    states: holder.store.buffers(),
    origins: holder.origins.buffers(),
    count: holder.store.count,
    starts: holder.starts,
    todo: Int32Array.from(holder.todo),
    ranks: Int32Array.from(holder.ranks),
    keys: Float64Array.from(holder.keys),
  }));
};
