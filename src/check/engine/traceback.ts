/**
 * The shortest trace, found afterwards: no state keeps its parent. From the violating states of the last level, backwards:
 * which states of the level before have a successor among them, and so on to the first state; then forwards, each time
 * by the first instance in declared order that stays on such a path. So the trace is the least in declared order of all
 * shortest ones (design §6), whatever order threads found states in. It costs one more expansion of each level, once.
 *
 * Where operations give steps to an SMMU, "fewest steps" comes before declared order: the sets of states become maps to
 * the least number of steps from there on, and the way forwards takes the instance with the least sum.
 */
import type { Accessors, Compiled, Linked } from "./compiled.ts";
import type { Levels } from "./levels.ts";
import type { Memory } from "./visited.ts";

/** A set of states with a small filter in front, since nearly all that is asked is not in it. */
class StateSet {
  private readonly words: number;
  private readonly states = new Set<number | string>();
  private readonly filter = new Uint8Array(1 << 16);

  constructor(words: number) {
    this.words = words;
  }

  get size(): number {
    return this.states.size;
  }

  private mark(q: Int32Array, at: number): number {
    let hash = 0;
    for (let word = 0; word < this.words; word++) hash = Math.imul(hash ^ q[at + word]!, 0x9e3779b1);
    return hash >>> 16;
  }
  private key(q: Int32Array, at: number): number | string {
    return this.words === 1 ? q[at]! : q.subarray(at, at + this.words).join();
  }

  add(q: Int32Array, at: number): void {
    this.filter[this.mark(q, at)] = 1;
    this.states.add(this.key(q, at));
  }
  has(q: Int32Array, at: number): boolean {
    return this.filter[this.mark(q, at)] === 1 && this.states.has(this.key(q, at));
  }
}

export interface Path {
  /** Indices of instances. */
  readonly instances: readonly number[];
  readonly state: Int32Array;
}

/** The least shortest path to a state of level `depth` that violates the property. */
export const leastPath = (compiled: Compiled, linked: Linked, accessors: Accessors, memory: Memory, levels: Levels, depth: number, end: number, property: number): Path => {
  const { words } = compiled;
  const batch = new Int32Array(compiled.instances.length * words);
  const boundary = (level: number): number => (level === depth + 1 ? end : levels.starts[level]!);
  const eachState = (level: number, visit: (q: Int32Array, index: number) => void): void =>
    levels.read(memory, boundary(level), boundary(level + 1), (q, first, last) => {
      for (let index = first; index < last; index++) visit(q, index);
    });

  let after = new StateSet(words);
  eachState(depth, (q, index) => {
    if ((linked.judge(q, index, index + 1) >>> property) & 1) after.add(q, index * words);
  });
  const ways: StateSet[] = [after];
  for (let level = depth - 1; level >= 0; level--) {
    const here = new StateSet(words);
    const target = after;
    eachState(level, (q, index) => {
      let length = 0;
      for (const part of linked.parts) length = part(q, index, index + 1, batch, length);
      for (let at = 0; at < length; at += words)
        if (target.has(batch, at)) {
          here.add(q, index * words);
          return;
        }
    });
    after = here;
    ways.unshift(here);
  }

  const state = Int32Array.from(compiled.initial);
  const instances: number[] = [];
  for (let level = 1; level <= depth; level++) {
    const index = compiled.instances.findIndex((_, instance) => accessors.run(instance, state, 0, batch, 0) > 0 && ways[level]!.has(batch, 0));
    if (index < 0) throw new Error("the path to a violation was lost: two executors of the model disagree");
    accessors.run(index, state, 0, batch, 0);
    state.set(batch.subarray(0, words));
    instances.push(index);
  }
  return { instances, state };
};
