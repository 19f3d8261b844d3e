/** Leads the threads of a parallel exploration, level by level: see protocol.ts. */
import { Worker } from "node:worker_threads";
import { beyond, type Bounds, type Exploration, type Progress, type Standing, type Wanted } from "../search/breadth.ts";
import type { Kept } from "../kept/checkpoint.ts";
import { Collected, type Violating } from "../search/collected.ts";
import { type Reached, reachedTogether } from "../coverage.ts";
import { NotAlike } from "../symmetry/orbits.ts";
import { PropertyFailed } from "../properties/property.ts";
import { endedByItself, Refusal } from "../refusal.ts";
import { handedOut, ranksOf, Whole } from "./holdings.ts";
import { control as places, type Enlistment, FAILED, type Order, PAUSED, type Report, STOPPED } from "./protocol.ts";
import { ringsFor } from "./ring.ts";

export interface CrewOptions extends Pick<Enlistment, "layout" | "scope" | "profile" | "caches" | "unreduced" | "properties" | "propertyFiles" | "answering" | "words" | "machineIds" | "values" | "symmetry"> {
  readonly members: number;
  /** How many states are on their way from one thread to another at most; a power of two. */
  readonly between?: number;
  readonly bounds: Bounds;
  /** Answers true to go on; asked several times a second. */
  readonly watch?: (progress: Progress) => boolean;
  readonly wanted?: Wanted;
  /** Where an earlier search stood; it is used up. */
  readonly from?: Standing;
  /** Is it time to keep? Asked as often as `watch` is. */
  readonly due: () => boolean;
  /** Called when it is due, and when the search stops before its end; with what was reached since `from`, and the fields of the profile that decided something. */
  readonly keep: (kept: Kept, asked: readonly string[]) => void;
}
export interface CrewExploration {
  readonly explored: Exploration;
  /** What was reached since `from`. */
  readonly reached: Reached;
  /** Fields of the profile that decided something in any of the threads. */
  readonly asked: readonly string[];
  /** How many states those that were met stand for. */
  readonly represented: number;
}

/** Who waits for a report. */
type Waiting = { readonly resolve: (report: Report) => void; readonly reject: (error: Error) => void };

/** A thread, and the report that it owes. */
class Member {
  private readonly worker: Worker;
  private readonly failed: () => void;
  private readonly reports: Report[] = [];
  private waiting: Waiting | undefined;
  private failure: Error | undefined;

  constructor(enlistment: Enlistment, failed: () => void) {
    const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
    this.failed = failed;
    this.worker = new Worker(new URL(`./member.${extension}`, import.meta.url), { workerData: enlistment });
    this.worker.on("message", (report: Report) => this.hear(report));
    this.worker.on("error", (error: Error) => this.fail(error));
    this.worker.on("exit", (code) => this.fail(endedByItself(code, enlistment.propertyFiles)));
  }
  private hear(report: Report): void {
    if (report.report === "notAlike") return this.fail(new NotAlike(report.message));
    if (report.report === "refused") return this.fail(new Refusal(...report.diagnostics));
    if (report.report === "failed") return this.fail(Object.assign(new Error(report.message), report.stack === undefined ? {} : { stack: report.stack }));
    const { waiting } = this;
    this.waiting = undefined;
    if (waiting === undefined) this.reports.push(report);
    else waiting.resolve(report);
  }
  private fail(error: Error): void {
    this.failure ??= error;
    this.failed();
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

class Crew {
  private readonly members: Member[] = [];
  private readonly control = new Int32Array(new SharedArrayBuffer(places.words * 4));
  private readonly started = performance.now();
  private readonly options: CrewOptions;
  private readonly collected: Collected;
  private readonly base: Pick<Standing, "edges" | "expanded">;
  private depth: number;
  /** Why to stop, once that is known. */
  private end: Exploration["end"] | undefined;

  constructor(options: CrewOptions) {
    this.options = options;
    const { from, wanted } = options;
    this.collected = new Collected(wanted, from);
    const { edges, expanded, depth } = from ?? { edges: 0, expanded: 0, depth: 0 };
    this.base = { edges, expanded };
    this.depth = depth;
  }

  /** Those that began are known, and dismissed, also where one can't begin. */
  private hire(): void {
    const { members, words, layout, scope, profile, caches, unreduced, properties, propertyFiles, answering, machineIds, values, bounds, from, symmetry } = this.options;
    const rings = ringsFor(members, words, this.options.between);
    Atomics.store(this.control, places.states, from?.store.count ?? 1);
    const inherited = from === undefined ? undefined : handedOut(from, words, members);
    const enlisted = { layout, scope, profile, caches, unreduced, properties, propertyFiles, answering, members, words, machineIds, values, rings, control: this.control.buffer, most: bounds.states, symmetry };
    for (let member = 0; member < members; member++)
      this.members.push(new Member({ ...enlisted, member, inherited: inherited?.[member] }, () => void Atomics.store(this.control, places.stop, FAILED)));
  }

  private progress(): Progress {
    const states = Atomics.load(this.control, places.states);
    const expanded = this.expanded();
    const edges = this.base.edges + (Atomics.load(this.control, places.edges) >>> 0);
    return { states, edges, depth: this.depth, frontier: Math.max(0, states - expanded), seconds: this.seconds() };
  }
  private expanded(): number {
    return this.base.expanded + Atomics.load(this.control, places.expanded);
  }
  private seconds(): number {
    return (performance.now() - this.started) / 1000;
  }
  private readonly late = (): boolean => this.seconds() > this.options.bounds.seconds;
  private stop(why: Exploration["end"]): void {
    this.end ??= why;
    // A thread that failed stays so.
    if (Atomics.compareExchange(this.control, places.stop, 0, STOPPED) === PAUSED) Atomics.compareExchange(this.control, places.stop, PAUSED, STOPPED);
  }
  private look(): void {
    const spent = beyond(this.options.bounds, this.seconds());
    if (this.options.watch?.(this.progress()) === false) this.stop("interrupted");
    else if (spent !== undefined) this.stop(spent);
    else if (this.options.due()) Atomics.compareExchange(this.control, places.stop, 0, PAUSED);
  }

  /** The reports of all on one order, which may differ for each. */
  private async all<R extends Report["report"]>(report: R, order: (member: number) => Order): Promise<Extract<Report, { readonly report: R }>[]> {
    for (const [at, member] of this.members.entries()) member.tell(order(at));
    const reports = await Promise.all(this.members.map((member) => member.report()));
    return reports.flatMap((given) => (given.report === report ? [given as Extract<Report, { readonly report: R }>] : []));
  }
  private async told(): Promise<{ readonly whole: Whole; readonly reached: Reached; readonly asked: readonly string[]; readonly represented: number }> {
    const reports = await this.all("told", () => ({ order: "tell" }));
    return { whole: new Whole(reports.map(({ holdings }) => holdings), this.options.words), reached: reachedTogether(reports.map(({ reached }) => reached)), asked: reports.flatMap(({ asked }) => asked), represented: reports.reduce((sum, { represented }) => sum + represented, 0) };
  }

  private async keep(): Promise<void> {
    const { whole, reached, asked } = await this.told();
    const { edges, depth } = this.progress();
    this.options.keep(whole.kept({ edges, depth, expanded: this.expanded(), ...this.collected.standing(), reached }), asked);
  }

  /** What was found becomes the level, and is judged. */
  private async take(): Promise<void> {
    const sorted = await this.all("sorted", () => ({ order: "sort" }));
    const ranks = ranksOf(sorted.map(({ keys }) => keys));
    const judged = await this.all("judged", (member) => ({ order: "judge", ranks: ranks[member]! }));
    const [unjudged] = judged.flatMap((report, member) => (report.unjudged === undefined ? [] : [{ member, ...report.unjudged }])).toSorted((a, b) => a.rank - b.rank);
    const bad = judged.flatMap((report, member) => report.bad.map((state) => ({ member, ...state }))).toSorted((a, b) => a.rank - b.rank);
    if (unjudged === undefined && bad.length === 0) return;
    const { whole } = await this.told();
    if (unjudged !== undefined) throw Object.assign(new PropertyFailed(unjudged.property, unjudged.message), { ordinals: whole.path(unjudged.member, unjudged.index) });
    this.collected.take(
      bad.map(({ member, index, violated, steps }): Violating => ({ violated, steps, path: () => whole.path(member, index) })),
      this.late,
    );
  }

  /** Expands the level, with pauses for keeping. Something was found; or it was stopped, with some of the level left. */
  private async expand(): Promise<{ readonly found: boolean; readonly stopped: boolean }> {
    for (;;) {
      Atomics.store(this.control, places.finished, 0);
      const reports = await this.all("expanded", () => ({ order: "expand" }));
      const found = reports.some((report) => report.found > 0);
      const stopped = reports.some((report) => report.stopped);
      if (found && Atomics.load(this.control, places.states) >= this.options.bounds.states) this.stop("states");
      if (!stopped || this.end !== undefined) return { found, stopped };
      await this.keep();
      Atomics.compareExchange(this.control, places.stop, PAUSED, 0);
    }
  }

  /** As breadth.ts does. */
  private async search(): Promise<Exploration["end"]> {
    for (let resumed = this.options.from !== undefined; ; resumed = false) {
      if (!resumed) {
        await this.take();
        if (this.collected.enough()) return "violated";
      }
      if (this.depth >= this.options.bounds.depth) {
        await this.keep();
        return "depth";
      }
      const { found, stopped } = await this.expand();
      if (!found && !stopped) return "exhausted";
      if (this.end !== undefined) {
        // What was found is judged all the same; whoever goes on judges it again.
        await this.keep();
        await this.take();
        return this.end;
      }
      this.depth += 1;
    }
  }

  async explore(): Promise<CrewExploration> {
    const looking = setInterval(() => this.look(), 200);
    try {
      this.hire();
      const end = await this.search();
      const progress = this.progress();
      const { found } = this.collected;
      const { reached, asked, represented } = await this.told();
      return { explored: { ...progress, end: found.length > 0 ? "violated" : end, found }, reached, asked, represented };
    } finally {
      clearInterval(looking);
      // One after another: threads that end at the same time have made V8 stop the process (nodejs/node#64500).
      for (const member of this.members) await member.dismiss();
    }
  }
}

/** Explores with several threads: the same counts, verdict and traces as with one. */
export const exploreWithCrew = (options: CrewOptions): Promise<CrewExploration> => new Crew(options).explore();
