/**
 * Breadth-first search over a recipe model, level by level, on one thread or several. States, edges, depth, level widths,
 * verdict and traces are the same for any number of threads: a level is expanded whole before the next, a state is
 * judged in its level, and traces are found afterwards (traceback.ts). Only where a bound cuts a level short does the
 * number of states depend on timing.
 *
 * How the kernel model would be carried. A kernel state is hundreds of bits, and beside them two interned ids, image and
 * may-cache set. Its effect emits steps, and running them is a look-up (image, cache, step list) -> (image, cache, what
 * each stream reaches), filled on a miss. Three things change and the rest stays:
 * - An instance's block, which appends words to the batch, also appends the id of its interned step list, one word more
 *   (each recorded leaf has one list). A pass between expansion and insertion (`workOf` in chunks.ts, before
 *   `visited.insert`) looks up and replaces image, cache and list by the new ids; on a miss it runs the machine. The
 *   judged reach is a word of its own then, so properties over it stay small tests.
 * - Arguments depend on the state there (src/kernel/instances.ts), so instances are enumerated over the plan's domains and
 *   what the state does not offer is a refusal; instances whose recording is over budget stay on accessors.
 * - Interned ids must mean the same to all threads, as states are compared whole. Each thread could own a range of ids and
 *   publish contents in shared memory under a lock, keyed by content: a miss then locks, looks again, and appends. Misses
 *   are rare (thousands of images for millions of states), so the lock is cold and the hit path stays a private table in
 *   front of the shared one. A checkpoint must hold the interned contents too. Ids never reach a trace (design D6).
 */
import type { Shape } from "../../base/state.ts";
import { chunkFor, END, JUDGE_ONLY, margin, PAUSE, ROOM, type Shared, sharedFor, VIOLATED, type Work, workOf } from "./chunks.ts";
import { CheckpointRefused, readCheckpoint, writeCheckpoint } from "./checkpoint.ts";
import { type Accessors, accessorsOf, compile, type Compiled, link, type Linked } from "./compiled.ts";
import { createCrew, type Crew } from "./crew.ts";
import { place, unpack } from "./placement.ts";
import { type RecipeModel, recipeModelHash } from "./recipeModel.ts";
import { noBounds, type SearchBounds, type SearchOptions, type SearchProgress, type SearchResult } from "./searchOptions.ts";
import { Store } from "./store.ts";
import { leastPath } from "./traceback.ts";
import { CURSOR, type Memory, TAIL, type Visited, visitedFor } from "./visited.ts";

/** Explores the model; runs on the calling thread until it ends. */
export const explore = <S extends Shape>(model: RecipeModel<S>, options: SearchOptions = {}): SearchResult<S> => {
  const started = performance.now();
  const search = new Search(model, compile(model, options.compile), options, started);
  try {
    return search.run();
  } finally {
    search.close();
  }
};

type Stop = Exclude<SearchResult<Shape>["end"], "exhausted" | "violated" | "depth">;

/** Threads are called when a search has come to so many states: most searches of tests never do. */
const CREW_FROM = 30_000;
/** Expanded states of a checkpoint that are tried. */
const SAMPLES = 512;

class Search<S extends Shape> {
  private readonly model: RecipeModel<S>;
  private readonly compiled: Compiled;
  private readonly options: SearchOptions;
  private readonly bounds: SearchBounds;
  private readonly started: number;
  private readonly shared: Shared;
  private readonly control: Int32Array;
  private readonly accessors: Accessors;
  private readonly linked: Linked;
  private readonly visited: Visited;
  private readonly work: Work;
  private crew: Crew | undefined;
  private readonly store: Store;
  private handedOut: Memory | undefined;
  private depth = 0;
  /** Edges by operation when this level began. */
  private levelEdges: readonly number[];
  private watched = { at: 0, states: 0 };
  private saved: number;

  constructor(model: RecipeModel<S>, compiled: Compiled, options: SearchOptions, started: number) {
    this.model = model;
    this.compiled = compiled;
    this.options = options;
    this.started = started;
    this.saved = started;
    this.bounds = { ...noBounds, ...options.bounds };
    const threads = Math.max(1, options.threads ?? 1);
    const chunk = options.chunk ?? chunkFor(compiled);
    this.shared = sharedFor(compiled, threads, chunk);
    this.control = this.shared.control;
    this.accessors = accessorsOf(model);
    this.linked = link(compiled, this.accessors);
    this.visited = visitedFor(compiled.words, compiled.bits, threads > 1);
    this.work = workOf(compiled, this.linked, this.visited, this.shared, 0);
    this.store = new Store(compiled, this.shared, this.visited, margin(compiled, chunk, threads), this.bounds.memory, options.spill);
    this.levelEdges = compiled.operations.map(() => 0);
  }

  close(): void {
    this.crew?.quit();
    this.store.levels.close();
  }

  private edges(): number[] {
    const { edges } = this.shared;
    const operations = this.compiled.operations.length;
    return this.compiled.operations.map((_, operation) => {
      let sum = 0;
      for (let at = operation; at < edges.length; at += operations) sum += edges[at]!;
      return sum;
    });
  }

  run(): SearchResult<S> {
    const { control, store, bounds } = this;
    if (this.options.resume === undefined) store.begin();
    else this.resume(this.options.resume);
    if (this.options.together === true) this.callCrew().gather();
    for (;;) {
      control[JUDGE_ONLY] = Number(this.depth >= bounds.depth);
      const stop = this.level();
      const levelEnd = control[END]! + store.levels.base;
      if (control[VIOLATED] !== 0) return this.result("violated", levelEnd, this.levelEdges);
      if (stop !== undefined) return this.stopped(stop, levelEnd);
      if (control[JUDGE_ONLY] !== 0) return this.result("depth", levelEnd, this.edges());
      if (control[TAIL] === control[END]) return this.result("exhausted", levelEnd, this.edges());
      this.depth += 1;
      store.levels.starts.push(levelEnd);
      this.levelEdges = this.edges();
      control[CURSOR] = control[END]!;
      control[END] = control[TAIL]!;
    }
  }

  /** What was found when a bound is hit is still judged: no state is counted that was not looked at. */
  private stopped(stop: Stop, levelEnd: number): SearchResult<S> {
    const { control, store } = this;
    this.save();
    const states = store.count();
    control[VIOLATED] = this.linked.judge(store.memory.queue, control[CURSOR]!, control[END]!);
    if (control[VIOLATED] !== 0) return this.result("violated", levelEnd, this.levelEdges);
    control[VIOLATED] = this.linked.judge(store.memory.queue, control[END]!, control[TAIL]!);
    if (control[VIOLATED] === 0) return this.result(stop, states, this.edges());
    store.levels.starts.push(levelEnd);
    this.depth += 1;
    return this.result("violated", states, this.edges());
  }

  private callCrew(): Crew {
    return (this.crew ??= createCrew(this.compiled, this.options.source, this.shared));
  }

  /** Expands the current level, from the cursor. Answers why it stopped, undefined when the level is done. */
  private level(): Stop | undefined {
    const { control, store } = this;
    let stop: Stop | undefined;
    control[VIOLATED] = 0;
    for (;;) {
      if (store.count() > CREW_FROM && this.shared.threads > 1) this.callCrew();
      if (this.handedOut !== store.memory) this.crew?.share((this.handedOut = store.memory));
      Atomics.store(control, PAUSE, 0);
      control[ROOM] = store.room();
      let due = false;
      const lead = (): void =>
        this.work(store.memory, () => {
          const now = performance.now();
          stop ??= this.wantsStop(now);
          due ||= this.saveDue(now);
          if (stop !== undefined || due || this.crew?.newcomers() === true) Atomics.store(control, PAUSE, 1);
        });
      if (this.crew === undefined) lead();
      else this.crew.round(lead);
      control[CURSOR] = Math.min(control[CURSOR]!, control[END]!);
      store.compact();
      // Threads that saw a violation only judge from then on, and what a pause left of the level is judged here.
      if (control[VIOLATED] !== 0) control[VIOLATED] |= this.linked.judge(store.memory.queue, control[CURSOR], control[END]!);
      if (control[VIOLATED] !== 0 || control[CURSOR] === control[END]) return undefined;
      if (stop !== undefined) return stop;
      if (due) this.save();
      if (!store.grow()) return "memory";
    }
  }

  private wantsStop(now: number): Stop | undefined {
    const { options, bounds, watched, store } = this;
    if (options.interrupt !== undefined && Atomics.load(options.interrupt, 0) !== 0) return "interrupted";
    if (this.control[TAIL]! + store.levels.base > bounds.states && store.count() >= bounds.states) return "states";
    if (now - this.started > bounds.seconds * 1000) return "seconds";
    if (options.watch === undefined || now - watched.at < (options.watchMilliseconds ?? 200)) return undefined;
    return options.watch(this.progress(now)) ? undefined : "interrupted";
  }

  private progress(now: number): SearchProgress {
    const { watched, store } = this;
    const states = store.count();
    const since = watched.at === 0 ? this.started : watched.at;
    this.watched = { at: now, states };
    return {
      states,
      edges: this.edges().reduce((sum, edges) => sum + edges, 0),
      depth: this.depth,
      frontier: states - store.levels.base - Math.min(this.control[CURSOR]!, this.control[END]!),
      seconds: (now - this.started) / 1000,
      rate: (states - watched.states) / ((now - since) / 1000),
      load: states / 2 ** store.memory.slotsLog,
      memory: store.memory.table.byteLength + store.memory.queue.byteLength,
      threads: this.crew?.working() ?? 1,
    };
  }

  private saveDue(now: number): boolean {
    return this.options.checkpoint !== undefined && now - this.saved > this.options.checkpoint.seconds * 1000 && this.control[VIOLATED] === 0;
  }

  /** Between rounds: everything before the cursor is expanded and counted, nothing after it. */
  private save(): void {
    const { checkpoint } = this.options;
    if (checkpoint === undefined) return;
    const { control, store } = this;
    const { levels } = store;
    const standing = {
      states: store.count(),
      starts: levels.starts,
      cursor: levels.base + control[CURSOR]!,
      levelEnd: levels.base + control[END]!,
      edges: this.edges(),
      levelEdges: this.levelEdges,
    };
    writeCheckpoint(checkpoint.file, recipeModelHash(this.model), this.compiled.words, standing, levels, store.memory);
    this.saved = performance.now();
  }

  private resume(path: string): void {
    const { restore } = this.store;
    const standing = readCheckpoint(path, recipeModelHash(this.model), this.compiled.words, restore.begin, restore.take);
    restore.end(standing);
    if (!this.knowsSuccessors(standing.cursor)) throw new CheckpointRefused(`${path} was written with other recipes: a state that it calls expanded has a successor that it doesn't hold`);
    this.depth = standing.starts.length - 1;
    this.levelEdges = standing.levelEdges;
    this.shared.edges.set(standing.edges);
  }

  /** Looks at some expanded states: the hash of a model says nothing of its recipes. */
  private knowsSuccessors(expanded: number): boolean {
    const { compiled, linked, store } = this;
    const { memory, levels } = store;
    const [batch, hashes, own] = [new Int32Array(compiled.instances.length * compiled.words), new Int32Array(2 * compiled.instances.length), new Int32Array(2)];
    const before = this.control[TAIL]!;
    for (let sample = 0; sample < Math.min(SAMPLES, expanded); sample++) {
      const at = sample < SAMPLES / 2 ? sample : Math.floor((sample / SAMPLES) * expanded);
      levels.read(memory, at, at + 1, (states, first, last) => {
        let length = 0;
        for (const part of linked.parts) length = part(states, first, last, batch, length);
        this.visited.insert(memory.table, memory.slotsLog, batch, length / compiled.words, hashes, memory.queue, own, this.control);
      });
    }
    return this.control[TAIL] === before;
  }

  private result(end: SearchResult<S>["end"], states: number, edges: readonly number[]): SearchResult<S> {
    const { compiled, control } = this;
    const { memory, levels } = this.store;
    const placement = place(this.model.shape);
    const violations = compiled.properties.flatMap((property, bit) => {
      if (((control[VIOLATED]! >>> bit) & 1) === 0) return [];
      const { instances, state } = leastPath(compiled, this.linked, this.accessors, memory, levels, this.depth, states, bit);
      return [{ property, trace: instances.map((index) => compiled.instances[index]!), state: unpack(placement, state) }];
    });
    return {
      end,
      states,
      edges: edges.reduce((sum, count) => sum + count, 0),
      depth: this.depth,
      edgesByOperation: Object.fromEntries(compiled.operations.map((label, operation) => [label, edges[operation]!])),
      widths: levels.starts.map((start, level) => (levels.starts[level + 1] ?? states) - start),
      violations,
      seconds: (performance.now() - this.started) / 1000,
      memory: { table: memory.table.byteLength, queue: (states - levels.base) * compiled.words * 4, load: states / 2 ** memory.slotsLog },
      compiled,
    };
  }
}
