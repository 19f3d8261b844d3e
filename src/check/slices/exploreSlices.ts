/**
 * Explores slices of a system side by side, level by level, so that the least depth at which any property fails is met
 * first, as one search over the whole system would meet it. Slices that turn out to touch each other are joined, and what
 * was joined begins anew.
 */
import type { Slice } from "../../kernel/plan.ts";
import type { Booted } from "../../system/boot.ts";
import { beyond, type Bounds, breadthFirst, type Exploration, type Found, type Progress, type Standing, type Watch } from "../search/breadth.ts";
import type { Model } from "../model.ts";
import { messagesOf } from "../traces/trace.ts";
import type { VerdictSlice } from "../verdict.ts";
import { obstaclesTo } from "./certificate.ts";
import { type Group, joined, slicesOf } from "./groups.ts";

/** A violation, by the slice that it was found in. */
export interface FoundIn {
  readonly model: Model;
  readonly found: Found;
}
export interface Sliced {
  readonly explored: Exploration;
  readonly found: readonly FoundIn[];
  readonly models: readonly Model[];
  readonly slices: readonly VerdictSlice[];
  /** A bound came before the certificate. */
  readonly uncertified: boolean;
  /** Why components that share nothing in the first state were explored together. */
  readonly joined: readonly string[];
}
/** Everything was joined: there is one search to be made. */
export interface AllJoined {
  readonly slices?: undefined;
  readonly joined: readonly string[];
}

/** The search of one slice, as far as it got. */
class Run {
  readonly group: Group;
  readonly model: Model;
  explored: Exploration = { states: 0, edges: 0, depth: 0, frontier: 0, seconds: 0, end: "depth", found: [] };
  level = -1;
  standing: Standing | undefined;

  constructor(slice: Slice, model: Model) {
    this.group = slice.subjects;
    this.model = model;
  }
  get names(): string[] {
    return this.group.map((subject) => this.model.booted.plan.subjects[subject]!.name);
  }
  get exhausted(): boolean {
    return this.explored.end === "exhausted";
  }
  /** Judges everything up to a depth. */
  advance(level: number, bounds: Omit<Bounds, "depth">, watch: Watch): void {
    const keep = (standing: Standing): void => void (this.standing = standing);
    this.explored = breadthFirst(this.model.collapsed, { ...bounds, depth: level }, watch, undefined, { ...(this.standing === undefined ? {} : { from: this.standing }), due: () => false, keep });
    this.level = level;
  }
}

const sum = (runs: readonly Run[], of: "states" | "edges" | "frontier"): number => runs.reduce((total, { explored }) => total + explored[of], 0);
const deepest = (runs: readonly Run[]): number => Math.max(...runs.map(({ explored }) => explored.depth));

/** Depths at which it pays to look whether the slices are any: what touches mostly does so early. */
const isMilestone = (level: number): boolean => level > 0 && (level & (level - 1)) === 0;

class Search {
  private readonly booted: Booted;
  private readonly make: (booted: Booted) => Model;
  private readonly bounds: Bounds;
  private readonly watch: Watch;
  private readonly started = performance.now();
  private readonly joined: string[] = [];
  private groups: readonly Group[];
  private runs: readonly Run[] = [];
  private stopped: Exploration["end"] | undefined;

  constructor(booted: Booted, groups: readonly Group[], make: (booted: Booted) => Model, bounds: Bounds, watch: Watch) {
    this.booted = booted;
    this.groups = groups;
    this.make = make;
    this.bounds = bounds;
    this.watch = watch;
    this.begin();
  }

  /** Runs of groups that stay are kept. */
  private begin(): void {
    const slices = slicesOf(this.booted, this.groups);
    this.runs = slices.map((slice) => {
      const kept = this.runs.find(({ group }) => String(group) === String(slice.subjects));
      return kept ?? new Run(slice, this.make({ ...this.booted, plan: { ...this.booted.plan, slice } }));
    });
  }
  private progress(own: Progress, run: Run): Progress {
    const others = this.runs.filter((other) => other !== run);
    return { states: own.states + sum(others, "states"), edges: own.edges + sum(others, "edges"), depth: Math.max(own.depth, ...others.map(({ explored }) => explored.depth)), frontier: own.frontier + sum(others, "frontier"), seconds: this.seconds };
  }
  private get seconds(): number {
    return (performance.now() - this.started) / 1000;
  }

  /** Takes every slice to a depth; a bound that is met stops all of them. */
  private advance(level: number): void {
    for (const run of this.runs) {
      if (run.exhausted || run.level >= level) continue;
      // A search looks up only now and then, and most levels are shorter than that.
      this.stopped = this.watch(this.progress(run.explored, run)) ? beyond(this.bounds, this.seconds) : "interrupted";
      if (this.stopped !== undefined) return;
      const states = this.bounds.states - (sum(this.runs, "states") - run.explored.states);
      run.advance(level, { ...this.bounds, states, seconds: this.bounds.seconds - this.seconds }, (progress) => this.watch(this.progress(progress, run)));
      if (!["depth", "exhausted", "violated"].includes(run.explored.end)) {
        this.stopped = run.explored.end;
        return;
      }
    }
  }

  /** Looks whether the slices are any, and joins those that are not; true where some were. */
  private regroup(): boolean {
    // Where the first state is all there is, nothing acted.
    const shown = this.runs.flatMap(({ group, model, standing }) => (standing === undefined ? [] : [{ group, model, store: standing.store }]));
    const obstacles = obstaclesTo(shown);
    if (obstacles.length === 0) return false;
    const { subjects } = this.booted.plan;
    const reasons = obstacles.map(({ together, why }) => `${together.map((subject) => subjects[subject]!.name).join(" and ")}: ${why}`);
    this.joined.push(...new Set(reasons));
    this.groups = joined(this.groups, obstacles.map(({ together }) => together));
    this.begin();
    return true;
  }

  /** Of the violations at the least depth, for each property the one with the fewest steps, then the first in declared order. */
  private least(): readonly FoundIn[] {
    const all = this.runs.flatMap(({ model, explored }) => explored.found.map((found) => ({ model, found })));
    const depth = Math.min(...all.map(({ found }) => found.ordinals.length));
    const subjectOf = ({ model, found }: FoundIn): number => {
      const [first] = messagesOf(model, found.ordinals.slice(0, 1));
      return first === undefined ? 0 : this.booted.plan.subjects.findIndex(({ name }) => name === first.actor);
    };
    const sorted = all.filter(({ found }) => found.ordinals.length === depth).toSorted((a, b) => a.found.steps - b.found.steps || subjectOf(a) - subjectOf(b));
    return sorted.filter(({ found }, at) => sorted.findIndex((other) => other.found.violated === found.violated) === at);
  }

  run(): Sliced | AllJoined {
    for (let level = 0; ; level++) {
      this.advance(level);
      const broken = this.runs.some(({ explored }) => explored.found.length > 0);
      const over = broken || this.stopped !== undefined || level >= this.bounds.depth || this.runs.every(({ exhausted }) => exhausted);
      // A run that a bound stopped shows nothing, so nothing has to be certified; what it found is a violation all the same.
      if (this.stopped === undefined && (over || isMilestone(level)) && this.regroup()) {
        if (this.groups.length === 1) return { joined: this.joined };
        level = -1;
        continue;
      }
      if (over) return this.result(broken);
    }
  }

  private result(broken: boolean): Sliced {
    const end = broken ? "violated" : (this.stopped ?? (this.runs.every(({ exhausted }) => exhausted) ? "exhausted" : "depth"));
    const found = broken ? this.least() : [];
    return {
      explored: { states: sum(this.runs, "states"), edges: sum(this.runs, "edges"), depth: deepest(this.runs), frontier: sum(this.runs, "frontier"), seconds: this.seconds, end, found: found.map((one) => one.found) },
      found,
      models: this.runs.map(({ model }) => model),
      slices: this.runs.map(({ names, explored }) => ({ components: names, states: explored.states, transitions: explored.edges, depth: explored.depth, end: explored.end })),
      uncertified: this.stopped !== undefined,
      joined: this.joined,
    };
  }
}

/** `make` builds the model of a slice: of the booted system with `plan.slice`. `groups` are two or more. */
export const exploreSlices = (booted: Booted, groups: readonly Group[], make: (booted: Booted) => Model, bounds: Bounds, watch: Watch = () => true): Sliced | AllJoined =>
  new Search(booted, groups, make, bounds, watch).run();
