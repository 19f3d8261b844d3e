/** Entry of a thread of a parallel exploration: see protocol.ts. It has a model and a store of its own. */
import { parentPort, workerData } from "node:worker_threads";
import { askedProfile } from "../askedProfile.ts";
import { bootAt } from "../check.ts";
import { createModel } from "../model.ts";
import { properties } from "../properties.ts";
import { StateStore, sumOf } from "../stateStore.ts";
import { control as places, type Enlistment, FAILED, type Marks, type Order, ownerOf, type Report, RING_ENTRIES } from "./protocol.ts";
import { ringOver } from "./ring.ts";
import { sharedMachineIds } from "./sharedMachineIds.ts";

const { layout, scope, profile, caches, unreduced, properties: names, member, members, words, machineIds, rings, control: shared, most } = workerData as Enlistment;
const control = new Int32Array(shared);
const asked = askedProfile(profile);
const model = createModel(bootAt(layout, asked.profile, { scope, unreduced }), properties.filter(({ name }) => names.includes(name)), caches, sharedMachineIds(machineIds));
const store = new StateStore(words);
const outgoing = rings[member]!.map((buffer, to) => (to === member ? undefined : ringOver(buffer, RING_ENTRIES, words)));
const incoming = rings.flatMap((row, from) => (from === member ? [] : [ringOver(row[member]!, RING_ENTRIES, words)]));
const say = (report: Report, transfer: ArrayBuffer[] = []): void => parentPort?.postMessage(report, transfer);

/** Where each level begins among this member's states. */
const levels = [0];
/** By property, of the last level: this member's states that violate it. */
const violating = new Map<number, number[]>();

const scratch = new Uint32Array(words);
const receive = (): void => {
  for (const ring of incoming)
    ring.drain((data, at, sum) => {
      for (let word = 0; word < words; word++) scratch[word] = data[at + word]!;
      if (store.add(scratch, sum) >= 0) Atomics.add(control, places.states, 1);
    });
};
const send = (state: Uint32Array, sum: number): void => {
  const owner = ownerOf(sum, members);
  if (owner === member) {
    if (store.add(state, sum) >= 0) Atomics.add(control, places.states, 1);
    return;
  }
  // While the other has no room, it may be waiting for room itself.
  while (!outgoing[owner]!.push(state, sum)) {
    if (Atomics.load(control, places.stop) === FAILED) throw new Error("another thread failed");
    receive();
  }
};

const begin = (): void => {
  const sum = sumOf(model.initial, 0, words);
  if (ownerOf(sum, members) === member) store.add(model.initial, sum);
  levels.push(store.count);
};

const RECEIVE_EVERY = 32;
const expand = (): Report => {
  const from = levels.at(-2)!;
  const until = levels.at(-1)!;
  let stopped = false;
  let edges = 0;
  for (let index = from; index < until && !stopped; index++) {
    model.expand(store.chunkOf(index), store.offsetOf(index), (successor, _, __, sum) => {
      edges += 1;
      send(successor, sum!);
    });
    if ((index - from) % RECEIVE_EVERY !== RECEIVE_EVERY - 1) continue;
    receive();
    Atomics.add(control, places.edges, edges);
    Atomics.add(control, places.expanded, RECEIVE_EVERY);
    edges = 0;
    stopped = Atomics.load(control, places.stop) !== 0 || Atomics.load(control, places.states) >= most;
  }
  Atomics.add(control, places.edges, edges);
  Atomics.add(control, places.expanded, (until - from) % RECEIVE_EVERY);
  Atomics.add(control, places.finished, 1);
  // When all have finished, nothing more is sent; what was is in the rings.
  while (Atomics.load(control, places.finished) < members) receive();
  receive();
  levels.push(store.count);
  return judged(stopped);
};

const judged = (stopped: boolean): Report => {
  violating.clear();
  let violated = 0;
  for (let index = levels.at(-2)!; index < store.count; index++) {
    const mask = model.judge(store.chunkOf(index), store.offsetOf(index));
    violated |= mask;
    for (let bit = 0; mask >>> bit !== 0; bit++) {
      if (((mask >>> bit) & 1) === 0) continue;
      const list = violating.get(bit);
      if (list === undefined) violating.set(bit, [index]);
      else list.push(index);
    }
  }
  return { report: "level", found: store.count - levels.at(-2)!, violated, stopped };
};

/** A list of marks under way. */
class MarkList {
  private readonly indices: number[] = [];
  private readonly steps: number[] = [];
  private readonly ordinals: number[] = [];
  private readonly next: number[] = [];

  add(index: number, steps: number, ordinal: number, next: number): void {
    this.indices.push(index);
    this.steps.push(steps);
    this.ordinals.push(ordinal);
    this.next.push(next);
  }
  marks(): Marks {
    const states = new Uint32Array(this.indices.length * words);
    for (const [at, index] of this.indices.entries()) states.set(store.chunkOf(index).subarray(store.offsetOf(index), store.offsetOf(index) + words), at * words);
    return { states, steps: Int32Array.from(this.steps), ordinals: Int32Array.from(this.ordinals), next: Int32Array.from(this.next) };
  }
}

const mark = (level: number, targets: Pick<Marks, "states" | "steps">): Marks => {
  const known = new StateStore(words);
  for (let at = 0; at < targets.steps.length; at++) known.add(targets.states.subarray(at * words, (at + 1) * words));
  const list = new MarkList();
  for (let index = levels[level]!; index < levels[level + 1]!; index++) {
    let best = Number.POSITIVE_INFINITY;
    let [first, next] = [-1, -1];
    model.expand(store.chunkOf(index), store.offsetOf(index), (successor, ordinal, steps, sum) => {
      const target = known.find(successor, sum!);
      if (target < 0 || steps + targets.steps[target]! >= best) return;
      best = steps + targets.steps[target]!;
      [first, next] = [ordinal, target];
    });
    if (first >= 0) list.add(index, best, first, next);
  }
  return list.marks();
};
const marksOf = (marks: Marks): void => say({ report: "marks", marks }, [marks.states, marks.steps, marks.ordinals, marks.next].map(({ buffer }) => buffer as ArrayBuffer));

const obey = (order: Order): void => {
  switch (order.order) {
    case "expand":
      return say(expand());
    case "violating": {
      const list = new MarkList();
      for (const index of violating.get(order.property) ?? []) list.add(index, 0, -1, -1);
      return marksOf(list.marks());
    }
    case "mark":
      return marksOf(mark(order.level, order.targets));
    default: {
      asked.stop();
      return say({ report: "coverage", reached: model.coverage.reached(layout.dma), asked: asked.asked() });
    }
  }
};

const guarded = (act: () => void): void => {
  try {
    act();
  } catch (error) {
    // Others must not wait for what will not come.
    Atomics.store(control, places.stop, FAILED);
    Atomics.add(control, places.finished, 1);
    say({ report: "failed", message: error instanceof Error ? `${error.name}: ${error.message}` : String(error), ...(error instanceof Error && error.stack !== undefined ? { stack: error.stack } : {}) });
  }
};
parentPort?.on("message", (order: Order) => guarded(() => obey(order)));
guarded(() => {
  begin();
  say(judged(false));
});
