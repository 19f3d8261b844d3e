/**
 * The inductive step, by running the kernel: from every state of a small plan that the invariant allows, reachable or
 * not, each invocation of the core that is not refused is run by its own effect, its steps are executed by the machine,
 * and each clause is judged after it.
 *
 * Why a small plan speaks for any number of objects. Take a state with any number of rows in which the invariant holds,
 * an invocation in it, and rows for which a clause fails after it. Cut the state down to those rows and the rows that
 * the invocation reads or writes, with a witness for each fact that asks for one. Universal clauses hold of the cut, too.
 * The invocation does the same in it: beyond the rows that it names it only asks which rows have certain fields, and what
 * it does for each of them it does to that row (footprint.ts records which rows are read and written; more than is
 * declared fails). What is kept under a VMID was fetched for one stream at a time, so one of a bank's streams is enough, and another
 * stands for the rest. So the clause fails in a small plan, and every state of those is tried. Indices mean nothing to
 * the kernel but an order, so two rows of a kind stand for any two.
 *
 * This cut is an argument, not a computation. Two things try it: the SMT obligations, which speak of any number of rows
 * (smtlib.ts), and larger plans, by sampling.
 */
import type { Step } from "../../base/step.ts";
import { impossible } from "../../base/diagnostic.ts";
import { refusedBy } from "../../kernel/invocations.ts";
import type { Profile } from "../../kernel/profile.ts";
import type { MachineState } from "../../smmuv3/machineState.ts";
import { type ClauseName, clauseNames, type Judged, ofMachine, ofTables, witnessed } from "./clauses.ts";
import { type Core, coreKey, everyCore, isIdle, readCore, someCore, writeTables } from "./coreState.ts";
import { beyond, type Touched } from "./footprint.ts";
import { type CoreInvocation, coreInvocations, type Family, type Setting } from "./settings.ts";
import { type Size, sizeText } from "./smallPlan.ts";
import { createWorkshop, reachWrong, type Workshop } from "./workshop.ts";

/** A run of an invocation: what it began with, and what came of it. What it holds is valid during the call. */
export interface Run {
  readonly shop: Workshop;
  readonly setting: Setting;
  readonly before: Core;
  readonly after: Core;
  readonly machine: MachineState;
  readonly steps: readonly Step[];
  /** Nothing happened. */
  readonly refused: boolean;
}
/** A state and an invocation after which a clause fails. The state need not be reachable. */
export interface Counterexample {
  readonly size: string;
  readonly core: Core;
  readonly setting: Setting;
  readonly wrong: string;
  readonly steps: readonly Step[];
}
export interface Obligation {
  readonly invocation: string;
  readonly clause: ClauseName;
  /** How often it was judged, and how often it failed. */
  readonly judged: number;
  readonly failed: number;
  readonly counterexample?: Counterexample;
}
export interface FootprintJudged extends Touched {
  readonly invocation: string;
  /** What is read or written beyond what is declared. */
  readonly beyond: readonly string[];
}
export interface Induction {
  readonly obligations: readonly Obligation[];
  readonly footprints: readonly FootprintJudged[];
  /** What is wrong with what follows from the invariant in a state that it allows, or undefined. */
  readonly consequence: { readonly states: number; readonly wrong?: string };
  /** States of the core, by size of plan. */
  readonly plans: readonly { readonly size: string; readonly states: number }[];
  readonly runs: number;
  readonly refused: number;
}

export interface InductionOptions {
  readonly profile: Profile;
  /** Names of invocations; all when left out. */
  readonly only?: readonly string[];
  readonly watch?: (invocation: CoreInvocation, run: Run) => void;
}

const LARGER: Size = { streams: 3, banks: 3, spaces: 3, frames: 3, pages: 2 };
/** Numbers below a limit, the same for the same seed (mulberry32). */
const randomly = (seed: number): ((limit: number) => number) => {
  let state = seed;
  return (limit) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
  };
};

/** Judgements of one invocation, by clause. */
class Tally {
  private readonly clauses = new Map<ClauseName, { judged: number; failed: number; counterexample?: Counterexample }>();

  add(clause: ClauseName, wrong: string | undefined, example: (wrong: string) => Counterexample): void {
    let count = this.clauses.get(clause);
    if (count === undefined) this.clauses.set(clause, (count = { judged: 0, failed: 0 }));
    count.judged += 1;
    if (wrong === undefined) return;
    count.failed += 1;
    count.counterexample ??= example(wrong);
  }
  obligations(invocation: string): Obligation[] {
    return clauseNames.flatMap((clause) => {
      const count = this.clauses.get(clause);
      return count === undefined ? [] : [{ invocation, clause, ...count }];
    });
  }
}

/** One invocation in one plan; judgements that many settings share are made once. */
class Trial {
  runs = 0;
  refused = 0;
  private readonly machineWrong = new Map<string, readonly (string | undefined)[]>();
  private readonly stepsWrong = new Map<string, string | undefined>();
  private readonly shop: Workshop;
  private readonly invocation: CoreInvocation;
  private readonly tally: Tally;
  private readonly watch: InductionOptions["watch"];

  constructor(shop: Workshop, invocation: CoreInvocation, tally: Tally, watch: InductionOptions["watch"]) {
    this.shop = shop;
    this.invocation = invocation;
    this.tally = tally;
    this.watch = watch;
  }

  try(core: Core, setting: Setting): void {
    const { small, reader, tables, kernel, given, footprint } = this.shop;
    const { definition } = this.invocation;
    const machine = this.shop.machineOf(core);
    writeTables(small, tables, core, setting.around);
    const facts = reader.facts(machine);
    if (ofTables.some((clause) => clause.wrong({ small, tables, core, facts }) !== undefined)) return;
    if (refusedBy({ ...kernel, tables }, definition, setting.request) !== undefined) {
      this.refused += 1;
      this.watch?.(this.invocation, { shop: this.shop, setting, before: core, after: core, machine, steps: [], refused: true });
      return;
    }
    this.runs += 1;
    const held = witnessed.map((clause) => Array.from({ length: clause.choices(small) }, (_, choice) => clause.holds({ small, tables, core }, choice)));
    given.length = 0;
    footprint.begin(setting.request, core, setting.around.unissued);
    definition.effect(kernel, setting.request);
    footprint.end();
    const after = readCore(small, tables);
    const steps = [...given];
    const end = small.machine.executeAll(machine, steps);
    const example = (wrong: string): Counterexample => ({ size: sizeText(small.size), core, setting, wrong, steps });
    this.judge({ small, tables, core: after, facts: reader.facts(end) }, `${end.id} ${coreKey(after)}`, held, example);
    this.tally.add("meanwhile", this.meanwhile(core, machine, after, steps), example);
    this.watch?.(this.invocation, { shop: this.shop, setting, before: core, after, machine: end, steps, refused: false });
  }

  private judge(judged: Judged, key: string, held: readonly (readonly boolean[])[], example: (wrong: string) => Counterexample): void {
    let wrong = this.machineWrong.get(key);
    if (wrong === undefined) this.machineWrong.set(key, (wrong = ofMachine.map((clause) => clause.wrong(judged))));
    for (const [index, clause] of ofMachine.entries()) this.tally.add(clause.name, wrong[index], example);
    for (const clause of ofTables) this.tally.add(clause.name, clause.wrong(judged), example);
    for (const [index, clause] of witnessed.entries())
      for (const [choice, before] of held[index]!.entries())
        if (before) this.tally.add(clause.name, clause.holds(judged, choice) ? undefined : `no capability accounts for ${clause.text(judged.small, choice)}`, example);
  }

  /** After each step: what devices reach is what they reached before, or will reach after. */
  private meanwhile(before: Core, machine: MachineState, after: Core, steps: readonly Step[]): string | undefined {
    if (steps.length === 0) return undefined;
    const key = `${coreKey(before)} ${coreKey(after)} ${steps.map((step) => this.numberOf(step)).join()}`;
    if (this.stepsWrong.has(key)) return this.stepsWrong.get(key);
    let at = machine;
    let found: string | undefined;
    for (const [index, step] of steps.entries()) {
      at = this.shop.small.machine.execute(at, step);
      const wrong = reachWrong(this.shop, at, [before, after]);
      if (wrong !== undefined) found ??= `after step ${index + 1} of ${steps.length}, ${wrong}`;
    }
    this.stepsWrong.set(key, found);
    return found;
  }
  /** Equal steps of a driver are the same object. */
  private readonly numbers = new Map<Step, number>();
  private numberOf(step: Step): number {
    let number = this.numbers.get(step);
    if (number === undefined) this.numbers.set(step, (number = this.numbers.size));
    return number;
  }
}

interface Plans {
  readonly of: (size: Size) => Workshop;
  readonly cores: (size: Size) => readonly Core[];
  readonly made: () => readonly { readonly size: string; readonly states: number; readonly shop: Workshop; readonly cores: readonly Core[] }[];
}
const createPlans = (profile: Profile): Plans => {
  const made = new Map<string, { readonly shop: Workshop; readonly cores: readonly Core[] }>();
  const get = (size: Size) => {
    let plan = made.get(sizeText(size));
    if (plan === undefined) {
      const shop = createWorkshop(size, profile);
      made.set(sizeText(size), (plan = { shop, cores: everyCore(shop.small) }));
    }
    return plan;
  };
  return { of: (size) => get(size).shop, cores: (size) => get(size).cores, made: () => [...made].map(([size, { shop, cores }]) => ({ size, states: cores.length, shop, cores })) };
};

/** In every state that the invariant allows, devices reach what their address spaces say, and nothing else. */
const consequenceIn = (plans: Plans): Induction["consequence"] => {
  let states = 0;
  for (const { shop, cores } of plans.made())
    for (const core of cores) {
      states += 1;
      const machine = shop.machineOf(core);
      const judged: Judged = { small: shop.small, tables: shop.tables, core, facts: shop.reader.facts(machine) };
      // The state must itself be one that the invariant allows, or nothing was shown from it.
      const own = ofMachine.map((clause) => clause.wrong(judged)).find((wrong) => wrong !== undefined);
      if (own !== undefined) impossible(`a state that the inductive check begins with breaks the invariant: ${own}`);
      const wrong = reachWrong(shop, machine, [core]);
      if (wrong !== undefined) return { states, wrong };
    }
  return { states };
};
export const consequence = "Where the invariant holds, a device reaches what its bank's address space maps, with those rights, by way of that space's tables, and nothing else; an unbound stream aborts.";

/** Every state and setting of the small plans. */
export const induction = ({ profile, only, watch }: InductionOptions): Induction => {
  const plans = createPlans(profile);
  const obligations: Obligation[] = [];
  const footprints: FootprintJudged[] = [];
  let [runs, refused] = [0, 0];
  for (const invocation of coreInvocations.filter(({ name }) => only === undefined || only.includes(name))) {
    const tally = new Tally();
    const touched = invocation.families.map((family: Family): Touched => {
      const shop = plans.of(family.size);
      const trial = new Trial(shop, invocation, tally, watch);
      const settings = family.settings(shop.small);
      shop.footprint.start();
      for (const core of plans.cores(family.size)) if (family.states === "every" || isIdle(core)) for (const setting of settings) trial.try(core, setting);
      runs += trial.runs;
      refused += trial.refused;
      return shop.footprint.finish();
    });
    obligations.push(...tally.obligations(invocation.name));
    footprints.push(...touched.map((each) => ({ invocation: invocation.name, ...each, beyond: beyond(invocation.footprint, each) })));
  }
  return { obligations, footprints, consequence: consequenceIn(plans), plans: plans.made().map(({ size, states }) => ({ size, states })), runs, refused };
};

/** Random states and settings of a larger plan: what is found here is found, and nothing is shown. */
export const sampled = ({ profile, only, watch }: InductionOptions, { settings: count, seed }: { readonly settings: number; readonly seed: number }): Pick<Induction, "obligations" | "footprints" | "runs" | "refused"> => {
  const shop = createWorkshop(LARGER, profile);
  const below = randomly(seed);
  const obligations: Obligation[] = [];
  const footprints: FootprintJudged[] = [];
  let [runs, refused] = [0, 0];
  for (const invocation of coreInvocations.filter(({ name }) => only === undefined || only.includes(name))) {
    const tally = new Tally();
    const trial = new Trial(shop, invocation, tally, watch);
    const settings = invocation.families.flatMap((family) => family.settings(shop.small));
    shop.footprint.start();
    for (let tried = 0; tried < count; tried++) trial.try(someCore(shop.small, below), settings[below(settings.length)]!);
    runs += trial.runs;
    refused += trial.refused;
    obligations.push(...tally.obligations(invocation.name));
    const touched = shop.footprint.finish();
    footprints.push({ invocation: invocation.name, ...touched, beyond: beyond(invocation.footprint, touched) });
  }
  return { obligations, footprints, runs, refused };
};
export const largerText = sizeText(LARGER);
