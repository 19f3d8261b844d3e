/**
 * The inner loop, the same on every thread: take a chunk of the level, judge its states, expand it operation by operation
 * into a batch, insert the batch. What threads share is the table, the queue and a few control words.
 */
import type { Compiled, Linked } from "./compiled.ts";
import { BLOCK, CURSOR, type Memory, TAIL, type Visited } from "./visited.ts";

/** Control words. CURSOR and TAIL (visited.ts) count states of the level taken and places of the queue handed out. */
export const END = 1;
/** Places of the queue that may be handed out before memory must grow. */
export const ROOM = 2;
/** Not 0: threads stop before their next chunk. */
export const PAUSE = 3;
/** Properties violated in this level. */
export const VIOLATED = 4;
/** Not 0: judge the level, expand nothing. */
export const JUDGE_ONLY = 5;
/** One word a thread from here: what it is doing (crew.ts). */
export const STATES = 64;
export const controlWords = (threads: number): number => STATES + threads * 16;

export interface Shared {
  readonly control: Int32Array;
  /** Two words a thread: next place and end of its block of the queue. */
  readonly blocks: Int32Array;
  /** Edges by thread and operation. */
  readonly edges: Float64Array;
  readonly threads: number;
  readonly chunk: number;
}

export const chunkFor = ({ instances }: Compiled): number => Math.max(8, Math.min(64, Math.floor(2048 / instances.length)));
/** Places that all threads together may take beyond what they see as room. */
export const margin = (compiled: Compiled, chunk: number, threads: number): number => threads * (chunk * compiled.instances.length + BLOCK);

export const sharedFor = (compiled: Compiled, threads: number, chunk: number): Shared => {
  const make = (bytes: number) => (threads > 1 ? new SharedArrayBuffer(bytes) : new ArrayBuffer(bytes));
  return {
    control: new Int32Array(make(controlWords(threads) * 4)),
    blocks: new Int32Array(make(threads * 2 * 4)),
    edges: new Float64Array(make(threads * compiled.operations.length * 8)),
    threads,
    chunk,
  };
};

/** Works on the level until it is done or a pause is asked for. `between` runs after each chunk. */
export type Work = (memory: Memory, between?: () => void) => void;

export const workOf = (compiled: Compiled, linked: Linked, visited: Visited, shared: Shared, thread: number): Work => {
  const { control, chunk } = shared;
  const { words } = compiled;
  const operations = compiled.operations.length;
  const batch = new Int32Array(chunk * compiled.instances.length * words);
  const hashes = new Int32Array(2 * chunk * compiled.instances.length);
  const own = shared.blocks.subarray(thread * 2, thread * 2 + 2);
  const edges = shared.edges.subarray(thread * operations, (thread + 1) * operations);
  const parts = linked.parts.map((expand, index) => ({ expand, operation: compiled.parts[index]!.operation }));
  const reserve = margin(compiled, chunk, shared.threads);
  let sink = 0;
  return (memory, between) => {
    const { table, slotsLog, queue } = memory;
    const end = control[END]!;
    while (Atomics.load(control, PAUSE) === 0) {
      if (control[JUDGE_ONLY] === 0 && Atomics.load(control, TAIL) + reserve > control[ROOM]!) {
        Atomics.store(control, PAUSE, 1);
        break;
      }
      const from = Atomics.add(control, CURSOR, chunk);
      if (from >= end) break;
      const to = Math.min(from + chunk, end);
      const violated = linked.judge(queue, from, to);
      if (violated !== 0) Atomics.or(control, VIOLATED, violated);
      if (control[JUDGE_ONLY] === 0 && Atomics.load(control, VIOLATED) === 0) {
        let length = 0;
        for (const { expand, operation } of parts) {
          const longer = expand(queue, from, to, batch, length);
          edges[operation]! += (longer - length) / words;
          length = longer;
        }
        sink ^= visited.insert(table, slotsLog, batch, length / words, hashes, queue, own, control);
      }
      between?.();
    }
    // Keeps the loads of the first passes from being dropped as unused.
    if (sink === 0.5) Atomics.store(control, 0, sink);
  };
};
