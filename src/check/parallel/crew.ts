/** Leads the threads of a parallel exploration, level by level, and finds the way to what they meet: see protocol.ts. */
import { Worker } from "node:worker_threads";
import type { Bounds, Exploration, Found, Progress } from "../breadth.ts";
import type { Reached } from "../coverage.ts";
import { control as places, type Enlistment, type Marks, type Order, type Report, RING_ENTRIES, STOPPED } from "./protocol.ts";
import { ringBytes } from "./ring.ts";
import { sharedMachineIdsBuffer } from "./sharedMachineIds.ts";

export interface CrewOptions extends Pick<Enlistment, "layout" | "scope" | "profile" | "caches" | "unreduced" | "properties" | "words"> {
  readonly members: number;
  readonly bounds: Bounds;
  /** Answers true to go on; asked several times a second. */
  readonly watch?: (progress: Progress) => boolean;
}
export interface CrewExploration {
  readonly explored: Exploration;
  /** What each thread reached. */
  readonly reached: readonly Reached[];
  /** Fields of the profile that decided something in any of them. */
  readonly asked: ReadonlySet<string>;
}

/** Who waits for a report. */
type Waiting = { readonly resolve: (report: Report) => void; readonly reject: (error: Error) => void };

/** A thread, and the report that it owes. */
class Member {
  private readonly worker: Worker;
  private readonly reports: Report[] = [];
  private waiting: Waiting | undefined;
  private failure: Error | undefined;

  constructor(enlistment: Enlistment) {
    const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
    this.worker = new Worker(new URL(`./member.${extension}`, import.meta.url), { workerData: enlistment });
    this.worker.on("message", (report: Report) => (report.report === "failed" ? this.fail(Object.assign(new Error(report.message), report.stack === undefined ? {} : { stack: report.stack })) : this.hear(report)));
    this.worker.on("error", (error: Error) => this.fail(error));
  }
  private hear(report: Report): void {
    const { waiting } = this;
    this.waiting = undefined;
    if (waiting === undefined) this.reports.push(report);
    else waiting.resolve(report);
  }
  private fail(error: Error): void {
    this.failure ??= error;
    this.waiting?.reject(error);
    this.waiting = undefined;
  }
  tell(order: Order): void {
    this.worker.postMessage(order);
  }
  report(): Promise<Report> {
    return new Promise((resolve, reject) => {
      const known = this.reports.shift();
      if (this.failure !== undefined) reject(this.failure);
      else if (known === undefined) this.waiting = { resolve, reject };
      else resolve(known);
    });
  }
  dismiss(): Promise<number> {
    return this.worker.terminate();
  }
}

const concatenated = (lists: readonly Marks[]): Marks => {
  const states = new Uint32Array(lists.reduce((sum, list) => sum + list.states.length, 0));
  let at = 0;
  for (const list of lists) {
    states.set(list.states, at);
    at += list.states.length;
  }
  const joined = (field: "steps" | "ordinals" | "next"): Int32Array => Int32Array.from(lists.flatMap((list) => [...list[field]]));
  return { states, steps: joined("steps"), ordinals: joined("ordinals"), next: joined("next") };
};

class Crew {
  private readonly members: readonly Member[];
  private readonly control: Int32Array;
  private readonly started = performance.now();
  private readonly options: CrewOptions;
  private depth = 0;
  private end: Exploration["end"] | undefined;

  constructor(options: CrewOptions) {
    this.options = options;
    const { members, words, layout, scope, profile, caches, unreduced, properties, bounds } = options;
    const shared = new SharedArrayBuffer(places.words * 4);
    this.control = new Int32Array(shared);
    const machineIds = sharedMachineIdsBuffer();
    const each = Array.from({ length: members }, (_, member) => member);
    const rings = each.map((from) => each.map((to) => new SharedArrayBuffer(from === to ? 0 : ringBytes(RING_ENTRIES, words))));
    Atomics.store(this.control, places.states, 1);
    this.members = each.map((member) => new Member({ layout, scope, profile, caches, unreduced, properties, member, members, words, machineIds, rings, control: shared, most: bounds.states }));
  }

  private progress(): Progress {
    const [states, expanded] = [Atomics.load(this.control, places.states), Atomics.load(this.control, places.expanded)];
    return { states, edges: Atomics.load(this.control, places.edges), depth: this.depth, frontier: Math.max(0, states - expanded), seconds: (performance.now() - this.started) / 1000 };
  }
  private stop(why: Exploration["end"]): void {
    this.end ??= why;
    Atomics.store(this.control, places.stop, STOPPED);
  }
  private look(): void {
    const progress = this.progress();
    if (this.options.watch?.(progress) === false) this.stop("interrupted");
    else if (progress.seconds > this.options.bounds.seconds) this.stop("seconds");
  }
  private all(order?: Order): Promise<Report[]> {
    if (order !== undefined) for (const member of this.members) member.tell(order);
    return Promise.all(this.members.map((member) => member.report()));
  }
  private async marks(order: Order): Promise<Marks> {
    return concatenated((await this.all(order)).flatMap((report) => (report.report === "marks" ? [report.marks] : [])));
  }

  /** The least way to a state of the last level that violates a property. */
  private async way(property: number, level: number): Promise<Found> {
    let marks = await this.marks({ order: "violating", property });
    const path: Marks[] = [];
    for (let at = level - 1; at >= 0; at--) {
      marks = await this.marks({ order: "mark", level: at, targets: { states: marks.states, steps: marks.steps } });
      path.unshift(marks);
    }
    const ordinals: number[] = [];
    let here = 0;
    for (const { ordinals: first, next } of path) {
      ordinals.push(first[here]!);
      here = next[here]!;
    }
    return { violated: 1 << property, ordinals, steps: marks.steps[0] ?? 0 };
  }

  private async covered(): Promise<Pick<CrewExploration, "reached" | "asked">> {
    const reports = (await this.all({ order: "coverage" })).flatMap((report) => (report.report === "coverage" ? [report] : []));
    return { reached: reports.map(({ reached }) => reached), asked: new Set(reports.flatMap(({ asked }) => asked)) };
  }

  /** Level by level until something is violated, nothing new is found, or a bound is hit; the properties violated. */
  private async levels(): Promise<{ readonly violated: number; readonly level: number }> {
    for (let level = 0; ; level++) {
      if (level > 0) Atomics.store(this.control, places.finished, 0);
      const reports = (await this.all(level === 0 ? undefined : { order: "expand" })).flatMap((report) => (report.report === "level" ? [report] : []));
      const violated = reports.reduce((mask, report) => mask | report.violated, 0);
      const found = reports.reduce((sum, report) => sum + report.found, 0);
      // A bound that was hit on the way leaves a level that is not whole.
      if (reports.some(({ stopped }) => stopped)) this.end ??= "states";
      if (this.end === undefined && found > 0) this.depth = level;
      if (violated !== 0) this.end = "violated";
      else if (found === 0) this.end ??= "exhausted";
      else if (level >= this.options.bounds.depth) this.end ??= "depth";
      if (this.end !== undefined) return { violated, level };
    }
  }

  async explore(): Promise<CrewExploration> {
    const looking = setInterval(() => this.look(), 200);
    try {
      const { violated, level } = await this.levels();
      const progress = this.progress();
      // Coverage is asked for before the way back is searched, which expands states again.
      const covered = await this.covered();
      const found: Found[] = [];
      for (let bit = 0; violated >>> bit !== 0; bit++) if (((violated >>> bit) & 1) !== 0) found.push(await this.way(bit, level));
      return { explored: { ...progress, end: this.end!, found }, ...covered };
    } finally {
      clearInterval(looking);
      await Promise.all(this.members.map((member) => member.dismiss()));
    }
  }
}

/** Explores with several threads: the same counts, verdict and trace as with one. */
export const exploreWithCrew = (options: CrewOptions): Promise<CrewExploration> => new Crew(options).explore();
