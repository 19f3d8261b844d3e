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
import type { Plain, Shape } from "../../base/state.ts";
import { chunkFor, END, JUDGE_ONLY, margin, PAUSE, ROOM, type Shared, sharedFor, VIOLATED, workOf } from "./chunks.ts";
import { readCheckpoint, type Standing, writeCheckpoint } from "./checkpoint.ts";
import { accessorsOf, compile, type Compiled, type CompileOptions, link } from "./compiled.ts";
import { createCrew } from "./crew.ts";
import { Levels, type Spill } from "./levels.ts";
import { place, unpack } from "./placement.ts";
import { type Instance, type ModelSource, type RecipeModel, recipeModelHash } from "./recipeModel.ts";
import { leastPath } from "./traceback.ts";
import { CURSOR, inSlot, type Memory, memoryFor, rehashSlots, slotsFor, TAIL, visitedFor } from "./visited.ts";

export interface SearchBounds {
  readonly states: number;
  readonly depth: number;
  readonly seconds: number;
  /** Bytes of table and queue. */
  readonly memory: number;
}
export const noBounds: SearchBounds = { states: Infinity, depth: Infinity, seconds: Infinity, memory: Infinity };

export interface SearchProgress {
  readonly states: number;
  readonly edges: number;
  readonly depth: number;
  /** States found but not yet taken to be expanded. */
  readonly frontier: number;
  readonly seconds: number;
  /** New states a second, since the progress before. */
  readonly rate: number;
  /** Share of the table's slots in use. */
  readonly load: number;
  /** Bytes of table and queue. */
  readonly memory: number;
  readonly threads: number;
}

export interface SearchOptions<S extends Shape = Shape> {
  readonly threads?: number;
  /** Needed when there are several threads and instances on accessors. */
  readonly source?: ModelSource;
  readonly bounds?: Partial<SearchBounds>;
  /** Answers true to go on. */
  readonly watch?: (progress: SearchProgress) => boolean;
  readonly watchMilliseconds?: number;
  /** First word not 0: stop. Another thread may set it. */
  readonly interrupt?: Int32Array;
  readonly compile?: CompileOptions;
  /** Written every so many seconds and when the search stops early. */
  readonly checkpoint?: { readonly file: string; readonly seconds: number };
  /** Go on from this checkpoint. */
  readonly resume?: string;
  readonly spill?: Spill;
  /** Start only when every thread runs: for measurements and tests. */
  readonly together?: boolean;
  readonly chunk?: number;
  readonly onCompiled?: (compiled: Compiled, model: RecipeModel<S>) => void;
}

export interface SearchViolation<S extends Shape> {
  readonly property: string;
  readonly trace: readonly Instance[];
  readonly state: Plain<S>;
}

export interface SearchResult<S extends Shape> {
  /** `exhausted`: every reachable state was expanded. Otherwise the first bound that was hit. */
  readonly end: "exhausted" | "violated" | "states" | "depth" | "seconds" | "memory" | "interrupted";
  readonly states: number;
  readonly edges: number;
  readonly depth: number;
  readonly edgesByOperation: Readonly<Record<string, number>>;
  readonly widths: readonly number[];
  readonly violations: readonly SearchViolation<S>[];
  readonly seconds: number;
  /** Of it, recording and emission. */
  readonly compileSeconds: number;
  readonly memory: { readonly table: number; readonly queue: number; readonly load: number };
  readonly compiled: Compiled;
}

/** Explores the model; runs on the calling thread until it ends. */
export const explore = <S extends Shape>(model: RecipeModel<S>, options: SearchOptions<S> = {}): SearchResult<S> => {
  const started = performance.now();
  const compiled = compile(model, options.compile);
  options.onCompiled?.(compiled, model);
  const search = new Search(model, compiled, options, started);
  try {
    return search.run((performance.now() - started) / 1000);
  } finally {
    search.close();
  }
};

type Stop = Exclude<SearchResult<Shape>["end"], "exhausted" | "violated" | "depth">;
const FEWEST_SLOTS = 16;

class Search<S extends Shape> {
  private readonly model: RecipeModel<S>;
  private readonly compiled: Compiled;
  private readonly options: SearchOptions<S>;
  private readonly bounds: SearchBounds;
  private readonly started: number;
  private readonly shared: Shared;
  private readonly control: Int32Array;
  private readonly accessors;
  private readonly linked;
  private readonly visited;
  private readonly work;
  private readonly crew;
  private readonly levels: Levels;
  private readonly reserve: number;
  private readonly slotHolds: boolean;
  private memory: Memory;
  private depth = 0;
  private levelEdges: number[];
  private watched = { at: 0, states: 0 };
  private saved: number;

  constructor(model: RecipeModel<S>, compiled: Compiled, options: SearchOptions<S>, started: number) {
    this.model = model;
    this.compiled = compiled;
    this.options = options;
    this.started = started;
    this.saved = started;
    this.bounds = { ...noBounds, ...options.bounds };
    const threads = Math.max(1, options.threads ?? 1);
    const { words, bits } = compiled;
    const chunk = options.chunk ?? chunkFor(compiled);
    this.shared = sharedFor(compiled, threads, chunk);
    this.control = this.shared.control;
    this.accessors = accessorsOf(model);
    this.linked = link(compiled, this.accessors);
    this.visited = visitedFor(words, bits, threads > 1);
    this.slotHolds = words === 1 && inSlot(bits);
    this.work = workOf(compiled, this.linked, this.visited, this.shared, 0);
    this.levels = new Levels(words, this.slotHolds ? options.spill?.folder : undefined);
    this.reserve = margin(compiled, chunk, threads);
    this.levelEdges = compiled.operations.map(() => 0);
    this.crew = createCrew(compiled, options.source, this.shared);
    this.memory = this.fresh(Math.max(FEWEST_SLOTS, slotsFor(2 * this.reserve)!));
  }

  close(): void {
    this.crew.quit();
    this.levels.close();
  }

  private fresh(slotsLog: number, queueStates?: number): Memory {
    return memoryFor(slotsLog, this.compiled.words, this.shared.threads > 1, queueStates);
  }

  private sum(from: ArrayLike<number>, operation: number): number {
    let sum = 0;
    for (let at = operation; at < from.length; at += this.compiled.operations.length) sum += from[at]!;
    return sum;
  }
  private edges(): number[] {
    return this.compiled.operations.map((_, operation) => this.sum(this.shared.edges, operation));
  }
  private taken(): number {
    let open = 0;
    for (let at = 0; at < this.shared.blocks.length; at += 2) open += this.shared.blocks[at + 1]! - this.shared.blocks[at]!;
    return this.levels.base + Atomics.load(this.control, TAIL) - open;
  }

  run(compileSeconds: number): SearchResult<S> {
    const { control, levels, bounds } = this;
    if (this.options.resume === undefined) this.begin();
    else this.resume(this.options.resume);
    this.crew.share(this.memory);
    if (this.options.together === true) this.crew.gather();

    for (;;) {
      control[JUDGE_ONLY] = Number(this.depth >= bounds.depth);
      const stop = this.level();
      const levelEnd = control[END]! + levels.base;
      let violated = control[VIOLATED]!;
      if (violated !== 0) return this.result("violated", levelEnd, this.levelEdges, violated, compileSeconds);
      if (stop !== undefined) {
        this.save();
        violated = this.linked.judge(this.memory.queue, control[CURSOR]!, control[END]!);
        if (violated !== 0) return this.result("violated", levelEnd, this.levelEdges, violated, compileSeconds);
        violated = this.linked.judge(this.memory.queue, control[END]!, control[TAIL]!);
        if (violated !== 0) {
          levels.starts.push(levelEnd);
          this.depth += 1;
        }
        return this.result(violated === 0 ? stop : "violated", this.taken(), this.edges(), violated, compileSeconds);
      }
      if (control[JUDGE_ONLY] !== 0) return this.result("depth", levelEnd, this.edges(), 0, compileSeconds);
      if (control[TAIL] === control[END]) return this.result("exhausted", levelEnd, this.edges(), 0, compileSeconds);
      this.depth += 1;
      levels.starts.push(levelEnd);
      this.levelEdges = this.edges();
      control[CURSOR] = control[END]!;
      control[END] = control[TAIL]!;
    }
  }

  private begin(): void {
    const { words, initial } = this.compiled;
    this.memory.queue.set(initial.subarray(0, words));
    this.visited.enter(this.memory.table, this.memory.slotsLog, this.memory.queue, 0, 1);
    this.control[TAIL] = 1;
    this.control[END] = 1;
  }

  /** Expands the current level, from the cursor. Answers why it stopped, undefined when the level is done. */
  private level(): Stop | undefined {
    const { control, levels } = this;
    let stop: Stop | undefined;
    control[VIOLATED] = 0;
    for (;;) {
      Atomics.store(control, PAUSE, 0);
      control[ROOM] = Math.min(this.memory.limit - levels.base, this.memory.queue.length / this.compiled.words);
      let due = false;
      this.crew.round(() =>
        this.work(this.memory, () => {
          const now = performance.now();
          stop ??= this.wantsStop(now);
          due ||= this.saveDue(now);
          if (stop !== undefined || due) Atomics.store(control, PAUSE, 1);
        }),
      );
      control[CURSOR] = Math.min(control[CURSOR]!, control[END]!);
      this.compact();
      if (control[CURSOR] === control[END] || control[VIOLATED] !== 0) {
        // Threads that saw the violation only judge, so what is left of the level is judged here.
        if (control[VIOLATED] !== 0) control[VIOLATED] |= this.linked.judge(this.memory.queue, control[CURSOR]!, control[END]!);
        return undefined;
      }
      if (stop !== undefined) return stop;
      if (due) this.save();
      if (control[TAIL]! + this.reserve > control[ROOM]! && !this.grow()) return "memory";
    }
  }

  private wantsStop(now: number): Stop | undefined {
    const { options, bounds, watched } = this;
    if (options.interrupt !== undefined && Atomics.load(options.interrupt, 0) !== 0) return "interrupted";
    if (this.control[TAIL]! + this.levels.base > bounds.states && this.taken() >= bounds.states) return "states";
    if (now - this.started > bounds.seconds * 1000) return "seconds";
    if (options.watch === undefined || now - watched.at < (options.watchMilliseconds ?? 200)) return undefined;
    const states = this.taken();
    const progress: SearchProgress = {
      states,
      edges: this.edges().reduce((sum, edges) => sum + edges, 0),
      depth: this.depth,
      frontier: states - this.levels.base - Math.min(this.control[CURSOR]!, this.control[END]!),
      seconds: (now - this.started) / 1000,
      rate: watched.at === 0 ? states / ((now - this.started) / 1000) : (states - watched.states) / ((now - watched.at) / 1000),
      load: states / 2 ** this.memory.slotsLog,
      memory: this.memory.table.byteLength + this.memory.queue.byteLength,
      threads: 1 + this.crew.started(),
    };
    this.watched = { at: now, states };
    return options.watch(progress) ? undefined : "interrupted";
  }

  /** Closes the gaps that threads left at the ends of their blocks, with states from the end of the queue. */
  private compact(): void {
    const { control, memory } = this;
    const { blocks } = this.shared;
    const { words } = this.compiled;
    const gaps: [from: number, to: number][] = [];
    for (let at = 0; at < blocks.length; at += 2) if (blocks[at]! < blocks[at + 1]!) gaps.push([blocks[at]!, blocks[at + 1]!]);
    blocks.fill(0);
    gaps.sort(([a], [b]) => a - b);
    const isGap = (place: number): boolean => gaps.some(([from, to]) => place >= from && place < to);
    const tail = control[TAIL]!;
    const end = tail - gaps.reduce((sum, [from, to]) => sum + to - from, 0);
    let last = tail;
    for (const [from, to] of gaps)
      for (let place = from; place < Math.min(to, end); place++) {
        do last -= 1;
        while (isGap(last));
        memory.queue.copyWithin(place * words, last * words, (last + 1) * words);
        this.visited.moved(memory.table, memory.slotsLog, memory.queue, last, place);
      }
    control[TAIL] = end;
  }

  /** Makes room, by writing out expanded states or by more memory; false where a bound forbids it. */
  private grow(): boolean {
    const { control, levels, compiled, options } = this;
    const capacity = this.memory.queue.length / compiled.words;
    const tight = control[TAIL]! + this.reserve;
    let queueStates = capacity;
    if (tight > capacity) {
      if (levels.spills && capacity * 8 * compiled.words > options.spill!.bytes && control[CURSOR]! > capacity / 4) this.drop();
      else queueStates = capacity * 2;
    }
    const slotsLog = levels.base + control[TAIL]! + this.reserve > this.memory.limit ? this.memory.slotsLog + 1 : this.memory.slotsLog;
    if (slotsLog > this.memory.slotsLog && !levels.spills) queueStates = Math.max(queueStates, Math.floor(2 * this.memory.limit));
    if (slotsLog === this.memory.slotsLog && queueStates === capacity) return true;
    if (slotsLog > 30 || 4 * (2 ** slotsLog + queueStates * compiled.words) > this.bounds.memory) return false;
    const old = this.memory;
    const next = this.fresh(slotsLog, queueStates);
    next.queue.set(old.queue.subarray(0, control[TAIL]! * compiled.words));
    if (slotsLog === old.slotsLog) next.table.set(old.table);
    else if (this.slotHolds) rehashSlots(this.visited, old, next);
    else this.visited.enter(next.table, slotsLog, next.queue, 0, control[TAIL]!);
    this.memory = next;
    this.crew.share(next);
    return true;
  }

  private drop(): void {
    const { control, levels } = this;
    const count = control[CURSOR]!;
    levels.drop(this.memory.queue, count, control[TAIL]!);
    for (const word of [CURSOR, END, TAIL]) control[word]! -= count;
  }

  private saveDue(now: number): boolean {
    return this.options.checkpoint !== undefined && now - this.saved > this.options.checkpoint.seconds * 1000 && this.control[VIOLATED] === 0;
  }

  /** Between rounds only: everything before the cursor is expanded and counted, nothing after it. */
  private save(): void {
    const { checkpoint } = this.options;
    if (checkpoint === undefined) return;
    const { control, levels } = this;
    const standing: Standing = { states: this.taken(), starts: levels.starts, cursor: levels.base + control[CURSOR]!, levelEnd: levels.base + control[END]!, edges: this.edges(), levelEdges: this.levelEdges };
    writeCheckpoint(checkpoint.file, recipeModelHash(this.model), this.compiled.words, standing, levels, this.memory);
    this.saved = performance.now();
  }

  private resume(path: string): void {
    const { control, levels, compiled } = this;
    let place = 0;
    let expanded = 0;
    const standing = readCheckpoint(
      path,
      recipeModelHash(this.model),
      compiled.words,
      ({ states, cursor }) => {
        expanded = levels.spills ? cursor : 0;
        this.memory = this.fresh(slotsFor(Math.max(states, 1) + 2 * this.reserve) ?? 30, levels.spills ? states - cursor + 4 * this.reserve : undefined);
      },
      (piece, count) => {
        const { table, slotsLog, queue } = this.memory;
        const out = Math.min(count, Math.max(0, expanded - levels.base));
        if (out > 0) {
          this.visited.enter(table, slotsLog, piece, 0, out);
          levels.append(piece, out);
        }
        queue.set(piece.subarray(out * compiled.words, count * compiled.words), place * compiled.words);
        this.visited.enter(table, slotsLog, queue, place, place + count - out);
        place += count - out;
      },
    );
    levels.starts.splice(0, levels.starts.length, ...standing.starts);
    this.depth = standing.starts.length - 1;
    this.levelEdges = [...standing.levelEdges];
    this.shared.edges.fill(0);
    this.shared.edges.set(standing.edges);
    control[CURSOR] = standing.cursor - levels.base;
    control[TAIL] = standing.states - levels.base;
    control[END] = standing.levelEnd - levels.base;
  }

  private result(end: SearchResult<S>["end"], states: number, edges: readonly number[], violated: number, compileSeconds: number): SearchResult<S> {
    const { levels, compiled, memory } = this;
    const placement = place(this.model.shape);
    const violations = compiled.properties.flatMap((property, bit) => {
      if (((violated >>> bit) & 1) === 0) return [];
      const path = leastPath(compiled, this.linked, this.accessors, memory, levels, this.depth, states, bit);
      return [{ property, trace: path.instances.map((index) => compiled.instances[index]!), state: unpack(placement, path.state) }];
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
      compileSeconds,
      memory: { table: memory.table.byteLength, queue: (states - levels.base) * compiled.words * 4, load: states / 2 ** memory.slotsLog },
      compiled,
    };
  }
}

