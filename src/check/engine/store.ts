/**
 * The states of a search: table and queue, how they grow, and how finished levels leave memory. Only the leader calls
 * this, and only between rounds, when no thread is at work.
 */
import { END, type Shared } from "./chunks.ts";
import type { Standing } from "./checkpoint.ts";
import type { Compiled } from "./compiled.ts";
import { Levels, type Spill } from "./levels.ts";
import { CURSOR, inSlot, type Memory, memoryFor, rehashSlots, slotsFor, TAIL, type Visited } from "./visited.ts";

const FEWEST_SLOTS = 16;
const MOST_SLOTS = 30;

export class Store {
  readonly levels: Levels;
  memory: Memory;
  private readonly compiled: Compiled;
  private readonly shared: Shared;
  private readonly visited: Visited;
  /** Places that threads may take beyond what they see as room. */
  private readonly reserve: number;
  private readonly bytes: number;
  private readonly spill: Spill | undefined;
  private readonly slotHolds: boolean;

  constructor(compiled: Compiled, shared: Shared, visited: Visited, reserve: number, bytes: number, spill: Spill | undefined) {
    this.compiled = compiled;
    this.shared = shared;
    this.visited = visited;
    this.reserve = reserve;
    this.bytes = bytes;
    this.slotHolds = compiled.words === 1 && inSlot(compiled.bits);
    this.spill = this.slotHolds ? spill : undefined;
    this.levels = new Levels(compiled.words, this.spill?.folder);
    this.memory = this.fresh(Math.max(FEWEST_SLOTS, slotsFor(2 * reserve)!));
  }

  private fresh(slotsLog: number, queueStates?: number): Memory {
    return memoryFor(slotsLog, this.compiled.words, this.shared.threads > 1, queueStates);
  }

  /** States found so far; may be asked while threads are at work. */
  count(): number {
    const { blocks, control } = this.shared;
    let open = 0;
    for (let at = 0; at < blocks.length; at += 2) open += blocks[at + 1]! - blocks[at]!;
    return this.levels.base + Atomics.load(control, TAIL) - open;
  }

  /** Places that may be handed out in this round. */
  room(): number {
    return Math.min(this.memory.limit - this.levels.base, this.memory.queue.length / this.compiled.words);
  }

  begin(): void {
    const { control } = this.shared;
    this.memory.queue.set(this.compiled.initial);
    this.visited.enter(this.memory.table, this.memory.slotsLog, this.memory.queue, 0, 1);
    control[TAIL] = 1;
    control[END] = 1;
  }

  /** Closes the gaps that threads left at the ends of their blocks, with states from the end of the queue. */
  compact(): void {
    const { memory } = this;
    const { blocks, control } = this.shared;
    const { words } = this.compiled;
    const gaps: [from: number, to: number][] = [];
    for (let at = 0; at < blocks.length; at += 2) if (blocks[at]! < blocks[at + 1]!) gaps.push([blocks[at]!, blocks[at + 1]!]);
    blocks.fill(0);
    gaps.sort(([a], [b]) => a - b);
    const isGap = (index: number): boolean => gaps.some(([from, to]) => index >= from && index < to);
    let last = control[TAIL]!;
    const end = last - gaps.reduce((sum, [from, to]) => sum + to - from, 0);
    for (const [from, to] of gaps)
      for (let index = from; index < Math.min(to, end); index++) {
        do last -= 1;
        while (isGap(last));
        memory.queue.copyWithin(index * words, last * words, (last + 1) * words);
        this.visited.moved(memory.table, memory.slotsLog, memory.queue, last, index);
      }
    control[TAIL] = end;
  }

  /** Makes room where there is too little, by writing out expanded states or by more memory; false where that is not possible. */
  grow(): boolean {
    const { levels, spill } = this;
    const { words } = this.compiled;
    const { control } = this.shared;
    if (control[TAIL]! + this.reserve <= this.room()) return true;
    const capacity = this.memory.queue.length / words;
    let queueStates = capacity;
    if (control[TAIL]! + this.reserve > capacity) {
      const expanded = control[CURSOR]!;
      if (spill !== undefined && capacity * 8 * words > spill.bytes && expanded > capacity / 4) this.drop(expanded);
      else queueStates = capacity * 2;
    }
    const full = levels.base + control[TAIL]! + this.reserve > this.memory.limit;
    const slotsLog = full ? this.memory.slotsLog + 1 : this.memory.slotsLog;
    if (full && spill === undefined) queueStates = Math.max(queueStates, 2 * this.memory.limit);
    if (!full && queueStates === capacity) return true;
    if (slotsLog > MOST_SLOTS || 4 * (2 ** slotsLog + queueStates * words) > this.bytes) return false;
    this.replace(this.fresh(slotsLog, queueStates));
    return true;
  }

  private replace(next: Memory): void {
    const { memory: old } = this;
    const count = this.shared.control[TAIL]!;
    next.queue.set(old.queue.subarray(0, count * this.compiled.words));
    if (next.slotsLog === old.slotsLog) next.table.set(old.table);
    else if (this.slotHolds) rehashSlots(this.visited, old, next);
    else this.visited.enter(next.table, next.slotsLog, next.queue, 0, count);
    this.memory = next;
  }

  private drop(count: number): void {
    const { control } = this.shared;
    this.levels.drop(this.memory.queue, count, control[TAIL]!);
    for (const word of [CURSOR, END, TAIL]) control[word]! -= count;
  }

  /** Takes over a checkpoint, in two parts: what it holds, then its states in order. */
  readonly restore = {
    begin: ({ states, cursor }: Standing): void => {
      this.expanded = this.spill === undefined ? 0 : cursor;
      this.placed = 0;
      this.memory = this.fresh(slotsFor(states + 2 * this.reserve) ?? MOST_SLOTS, this.spill === undefined ? undefined : states - cursor + 4 * this.reserve);
    },
    take: (piece: Int32Array, count: number): void => {
      const { table, slotsLog, queue } = this.memory;
      const { words } = this.compiled;
      const out = Math.min(count, this.expanded - this.levels.base);
      if (out > 0) {
        this.visited.enter(table, slotsLog, piece, 0, out);
        this.levels.append(piece, out);
      }
      queue.set(piece.subarray(out * words, count * words), this.placed * words);
      this.visited.enter(table, slotsLog, queue, this.placed, this.placed + count - out);
      this.placed += count - out;
    },
    end: ({ states, starts, cursor, levelEnd }: Standing): void => {
      const { control } = this.shared;
      this.levels.starts.splice(0, this.levels.starts.length, ...starts);
      control[CURSOR] = cursor - this.levels.base;
      control[END] = levelEnd - this.levels.base;
      control[TAIL] = states - this.levels.base;
    },
  };
  private expanded = 0;
  private placed = 0;
}
