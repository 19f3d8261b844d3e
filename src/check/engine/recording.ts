/**
 * Recording: a recipe is run on tables that know no values. An unknown read takes one value of its declared domain and
 * is taken again with the next one when that run is over, until every path was seen; what comes out is a decision program
 * (tree.ts) that does exactly what the recipe does in every state within the domains.
 *
 * Paths multiply, so `forEach`, `some`, `every`, `any` and `walk` are cut: each row's body is recorded by itself on what is
 * known there, once for each path that leads to the cut. A body of `forEach` that never writes must hand something to the
 * code after it, so it is run as an ordinary loop instead. Other bodies that do so (a flag, a count, the row that was
 * found) would be recorded wrongly. To notice them, every recipe is recorded twice: with bodies not run at all when their
 * cut is passed, and with every path of them rehearsed there. If that makes a difference, something was handed on, and the
 * instance runs on accessors, as it does past its budget. What keeps all this honest is the law test (every instance
 * against the plain recipe); a body that hands on what the code started with anyway escapes the rehearsal.
 */
import { impossible } from "../../base/diagnostic.ts";
import { meets, NONE, type Shape, type Table, type Tables } from "../../base/state.ts";
import type { AnyRow, Cell, Placement } from "./placement.ts";
import { Again, HandedOn, NotRepeated, OverBudget, RecipeForm } from "./recordingFault.ts";
import { Forest, type Node, resultsOf } from "./tree.ts";

const UNKNOWN = -(2 ** 53);
/** Reads in one run: past this the recipe is taken to loop for ever on a state that cannot be. */
const MOST_READS = 20_000;
const MOST_CHOICES = 4096;
/** Passes of one cut at which its bodies are rehearsed: a difference on the first paths is difference enough. */
const REHEARSALS = 2;

type Event =
  | { readonly kind: "write"; readonly cell: number; readonly value: number }
  | { readonly kind: "each"; readonly bodies: readonly Node[]; readonly written: ReadonlySet<number> }
  | { readonly kind: "loop" }
  | { readonly kind: "answer"; readonly answer: number }
  | { readonly kind: "fork"; readonly cell: number; readonly choices: readonly number[]; readonly kids: Node[]; readonly written: ReadonlySet<number>; readonly close: (kids: readonly Node[]) => Node };

/** One run of a program: what it knows, and the events that it repeats before it comes to new ones. */
interface Run {
  readonly known: number[];
  readonly events: Event[];
  readonly question: boolean;
  at: number;
  reads: number;
}
const NOTHING: ReadonlySet<number> = new Set();

export class Recorder<S extends Shape> {
  readonly tables: Tables<S>;
  readonly forest = new Forest();
  /** Runs of recipes and bodies, in all. */
  runs = 0;
  private left = 0;
  /** Rehearse bodies when their cut is passed. */
  private rehearses = false;
  private run: Run = { known: [], events: [], question: false, at: 0, reads: 0 };
  private readonly cells: number;

  constructor(placement: Placement<S>) {
    this.cells = placement.cells.length;
    this.tables = Object.fromEntries([...placement.cellOf].map(([name, rows]) => [name, this.table(rows.map((cells) => this.row(cells)))])) as unknown as Tables<S>;
  }

  /** The program of a recipe, which answers a number. `question`: it must not write. Throws OverBudget. */
  record(recipe: (tables: Tables<S>) => number, budget: number, question = false): Node {
    const whole = (rehearses: boolean): Node => {
      this.rehearses = rehearses;
      this.left = rehearses ? 8 * budget : budget;
      return this.program(() => recipe(this.tables), Array.from({ length: this.cells }, () => UNKNOWN), question);
    };
    try {
      const node = whole(false);
      if (!this.cut) return node;
      if (whole(true) === node) return node;
    } catch (error) {
      // Without a cut nothing was left out, so the recipe itself is not a function of the state.
      if (!(error instanceof NotRepeated) || !this.cut) throw error;
    } finally {
      this.cut = false;
    }
    throw new HandedOn("the body of a cut hands something on to the code after it");
  }
  /** True when the recipe being recorded has a cut. */
  private cut = false;

  /** After the event of a cut: a new one begins the run again, one that is repeated rehearses the bodies. */
  private passed(isNew: boolean, rows: readonly AnyRow[], body: (row: AnyRow, index: number) => unknown): void {
    this.cut = true;
    if (isNew) throw new Again();
    const event = this.run.events[this.run.at - 1]!;
    const times = this.rehearsals.get(event) ?? 0;
    if (!this.rehearses || times === REHEARSALS) return;
    this.rehearsals.set(event, times + 1);
    for (const [index, row] of rows.entries()) this.program(() => Number(body(row, index)), this.run.known, this.run.question);
  }
  private readonly rehearsals = new WeakMap<Event, number>();

  private program(body: () => number, start: readonly number[], question: boolean): Node {
    const events: Event[] = [];
    const outer = this.run;
    for (;;) {
      this.runs += 1;
      if (this.left-- <= 0) throw new OverBudget("more paths than the budget allows");
      const run: Run = { known: [...start], events, question, at: 0, reads: 0 };
      this.run = run;
      let node: Node;
      try {
        node = this.forest.leaf(body());
      } catch (error) {
        if (error instanceof Again) continue;
        if (error instanceof OverBudget || error instanceof RecipeForm) throw error;
        node = this.forest.stuck(error instanceof Error ? error.message : String(error));
      } finally {
        this.run = outer;
      }
      if (run.at !== events.length) throw new NotRepeated();
      const whole = this.fold(events, node);
      if (whole !== undefined) return whole;
    }
  }

  /** Takes events back from the end, building the program; stops at a fork that has a choice left. */
  private fold(events: Event[], last: Node): Node | undefined {
    let node = last;
    for (let event = events.pop(); event !== undefined; event = events.pop()) {
      switch (event.kind) {
        case "write":
          node = this.forest.write(event.cell, event.value, node);
          break;
        case "each":
          node = this.forest.each(event.bodies, node);
          break;
        case "loop":
        case "answer":
          break;
        case "fork":
          event.kids.push(node);
          if (event.kids.length < event.choices.length) {
            events.push(event);
            return undefined;
          }
          node = event.close(event.kids);
      }
    }
    return node;
  }

  /** The event that this run repeats here, or the new one that `make` gives. */
  private event(make: () => Event): Event {
    const { run } = this;
    if (run.at === run.events.length) {
      const made = make();
      run.events.push(made);
    }
    return run.events[run.at++]!;
  }

  private choose(event: Event): number {
    if (event.kind === "answer") return event.answer;
    if (event.kind !== "fork") throw new NotRepeated();
    const choice = event.choices[event.kids.length]!;
    if (event.cell >= 0) this.run.known[event.cell] = choice;
    for (const cell of event.written) this.run.known[cell] = UNKNOWN;
    return choice;
  }

  private read({ index, least, size }: Cell): number {
    if (this.run.reads++ > MOST_READS) throw new OverBudget("a run reads without end");
    if (size === 1) return least;
    const known = this.run.known[index]!;
    if (known !== UNKNOWN) return known;
    if (size > MOST_CHOICES) throw new OverBudget("a domain is too large to fork over");
    const event = this.event(() => {
      const choices = Array.from({ length: size }, (_, value) => least + value);
      return { kind: "fork", cell: index, choices, kids: [], written: NOTHING, close: (kids) => this.forest.test(index, choices, kids) };
    });
    if (event.kind !== "fork" || event.cell !== index) throw new NotRepeated();
    return this.choose(event);
  }

  private write({ index, field, least, size }: Cell, value: number): void {
    if (this.run.question) throw new RecipeForm(`a question writes ${field}`);
    if (!(value >= least && value < least + size)) impossible(`${field} = ${value} is outside its domain`);
    const event = this.event(() => ({ kind: "write", cell: index, value }));
    if (event.kind !== "write" || event.cell !== index || event.value !== value) throw new NotRepeated();
    this.run.known[index] = value;
  }

  private row(cells: Readonly<Record<string, Cell>>): AnyRow {
    const row = {};
    for (const [field, cell] of Object.entries(cells)) {
      const [get, set] = [() => this.read(cell), (value: number): void => this.write(cell, value)];
      Object.defineProperty(row, field, { get, set, enumerable: true });
    }
    return row;
  }

  private table(rows: readonly AnyRow[]): Table<AnyRow> {
    return {
      length: rows.length,
      at: (index) => rows[index] ?? impossible(`row ${index} of ${rows.length}`),
      forEach: (body) => this.forEach(rows, body),
      some: (holds) => this.ask(rows, holds, false),
      every: (holds) => this.ask(rows, holds, true),
      any: (match, except) => this.ask(rows, (row, index) => index !== except && meets(row, match), false),
      having: (match) => rows.flatMap((row, index) => (meets(row, match) ? [index] : [])),
      walk: (first, next) => this.walk(rows, first, next),
    };
  }

  private forEach(rows: readonly AnyRow[], body: (row: AnyRow, index: number) => void): void {
    const { run } = this;
    const isNew = run.at === run.events.length;
    const event = this.event(() => {
      const known = [...run.known];
      const bodies: Node[] = [];
      const written = new Set<number>();
      for (const [index, row] of rows.entries()) {
        const node = this.bodyOf(() => body(row, index), known, run.question);
        if (node === undefined) return { kind: "loop" };
        if (node.kind === "leaf") continue;
        bodies.push(node);
        for (const cell of this.forest.written(node)) {
          known[cell] = UNKNOWN;
          written.add(cell);
        }
      }
      return bodies.length === 0 ? { kind: "loop" } : { kind: "each", bodies, written };
    });
    if (event.kind === "loop") {
      if (isNew) throw new Again();
      for (const [index, row] of rows.entries()) body(row, index);
    } else if (event.kind === "each") {
      this.passed(isNew, rows, body);
      for (const cell of event.written) run.known[cell] = UNKNOWN;
    } else throw new NotRepeated();
  }

  /** Undefined when the body does not repeat itself: it hands something on from path to path. */
  private bodyOf(body: () => void, known: readonly number[], question: boolean): Node | undefined {
    try {
      return this.program(() => (body(), 0), known, question);
    } catch (error) {
      if (error instanceof NotRepeated) return undefined;
      throw error;
    }
  }

  private ask(rows: readonly AnyRow[], holds: (row: AnyRow, index: number) => boolean, all: boolean): boolean {
    const { run } = this;
    const isNew = run.at === run.events.length;
    const event = this.event((): Event => {
      const [decisive, neutral] = all ? [0, 1] : [1, 0];
      const bodies: Node[] = [];
      let decided = false;
      for (const [index, row] of rows.entries()) {
        const node = this.program(() => Number(holds(row, index)), run.known, true);
        if (node.kind === "leaf" && node.result === neutral) continue;
        decided = node.kind === "leaf" && node.result === decisive;
        if (decided) break;
        bodies.push(node);
      }
      // Questions have no effect, so one that decides makes those before it idle, unless one of them may throw.
      if (bodies.length === 0 || (decided && !bodies.some((node) => this.forest.mayThrow(node)))) return { kind: "answer", answer: decided ? decisive : neutral };
      if (decided) bodies.push(this.forest.leaf(decisive));
      return { kind: "fork", cell: -1, choices: [1, 0], kids: [], written: NOTHING, close: ([yes, no]) => this.forest.ask(all, bodies, yes!, no!) };
    });
    this.passed(isNew, rows, holds);
    return this.choose(event) === 1;
  }

  private walk(rows: readonly AnyRow[], first: number, next: (row: AnyRow, index: number) => number): number {
    if (first === NONE) return NONE;
    const isNew = this.run.at === this.run.events.length;
    const event = this.event((): Event => {
      const bodies = this.steps(rows, first, next);
      const written = new Set(bodies.flatMap(([, node]) => [...this.forest.written(node)]));
      const choices = bodies.flatMap(([row, node]) => (resultsOf(node).has(NONE) ? [row] : []));
      return {
        kind: "fork",
        cell: -1,
        // A chain that can only go round for ever still has a path: the one that throws.
        choices: choices.length === 0 ? [NONE] : choices,
        kids: [],
        written,
        close: (kids) => this.forest.walk(first, bodies, rows.length, choices.map((row, at) => ({ values: [row], node: kids[at]! }))),
      };
    });
    this.passed(isNew, rows, next);
    return this.choose(event);
  }

  /** The body of every row that a walk can come to. Rows come in any order, so what any of them writes is unknown in all. */
  private steps(rows: readonly AnyRow[], first: number, next: (row: AnyRow, index: number) => number): readonly (readonly [number, Node])[] {
    const known = [...this.run.known];
    for (;;) {
      const bodies = new Map<number, Node>();
      const met = new Set([first]);
      for (const row of met) {
        const body = this.program(() => next(rows[row] ?? impossible(`row ${row} of ${rows.length}`), row), known, this.run.question);
        bodies.set(row, body);
        for (const result of resultsOf(body)) if (result !== NONE) met.add(result);
      }
      const spoiled = [...bodies.values()].flatMap((body) => [...this.forest.written(body)]).filter((cell) => known[cell] !== UNKNOWN);
      if (spoiled.length === 0) return [...bodies];
      for (const cell of spoiled) known[cell] = UNKNOWN;
    }
  }
}
