/**
 * The shortest way into a hazard: breadth-first over every sequence of the scenario's moves, each state told apart by what
 * the kernel's tables and the SMMU say. Every sequence is run from the first state anew, on a kernel that makes room for
 * whatever it is asked.
 */
import { readFileSync } from "node:fs";
import { impossible } from "../../base/diagnostic.ts";
import { canonicalJson } from "../../check/canonical.ts";
import { type Machine, machineOf, type MachineState } from "../../check/machine.ts";
import { type Answer, invoke } from "../../kernel/api.ts";
import type { Profile } from "../../kernel/profile.ts";
import { decodeFirstState, type FirstStateDocument } from "../../system/firstState.ts";
import { openFirstState, type OpenKernel } from "../../system/openKernel.ts";
import type { Hazard, Line } from "./hazard.ts";

/** The first state of every hazard. */
const FILE = new URL("../../../specs/first-states/dma.yaml", import.meta.url);
export const FIRST_STATE = "specs/first-states/dma.yaml";

export interface Taken {
  readonly line: Line;
  readonly answer: Answer;
}
export interface Searched {
  /** The shortest sequence that ends in the hazard, and what is wrong there. */
  readonly found?: { readonly moves: readonly Taken[]; readonly wrong: string };
  /** States that were judged. */
  readonly states: number;
  /** Invocations of the longest sequence that was tried. */
  readonly length: number;
  /** Every sequence of any length leads to one of these states. */
  readonly exhausted: boolean;
}

let read: FirstStateDocument | undefined;
const document = (): FirstStateDocument => (read ??= decodeFirstState(readFileSync(FILE, "utf8"), FIRST_STATE).value ?? impossible(`${FIRST_STATE} does not decode`));

/** One run: a kernel, its SMMU, and what was answered. */
class Run {
  readonly opened: OpenKernel;
  state: MachineState;
  private readonly actors: readonly string[];

  constructor(profile: Profile, machine: Machine | undefined, hazard: Hazard) {
    this.opened = openFirstState(document(), profile).value ?? impossible(`${FIRST_STATE} does not open`);
    const { plan, driver } = this.opened.kernel;
    this.machine = machine ?? machineOf(profile, plan, "may");
    this.actors = plan.subjects.map(({ name }) => name);
    this.state = this.machine.executeAll(this.machine.start, [...(hazard.firmware ?? []), ...driver.reset(), ...driver.enable()]);
    for (const line of hazard.setup) {
      const { answer } = this.take(line);
      if (answer.error !== "seL4_NoError" && hazard.setupMayBeRefused !== true) impossible(`${hazard.name}: the set-up's ${line.label} is answered ${answer.error} under ${profile.name}`);
    }
  }
  readonly machine: Machine;

  take(line: Line): Taken {
    const answer = invoke(this.opened.kernel, this.actors.indexOf(line.actor), line);
    this.state = this.machine.executeAll(this.state, this.opened.takeSteps());
    return { line, answer };
  }
  key(): string {
    return `${canonicalJson(this.opened.state)} ${this.state.id}`;
  }
}

/** Searches until the hazard is found, every state was seen, or `most` states were. */
export const searchHazard = (hazard: Hazard, profile: Profile, most = 20_000): Searched => {
  let machine: Machine | undefined;
  const begin = (): Run => {
    const run = new Run(profile, machine, hazard);
    machine = run.machine;
    return run;
  };
  const judge = (run: Run, last?: Taken): string | undefined => hazard.wrong({ kernel: run.opened.kernel, reach: run.machine.reach(run.state), ...(last === undefined ? {} : { last }) });

  const first = begin();
  const wrongAtOnce = judge(first);
  if (wrongAtOnce !== undefined) return { found: { moves: [], wrong: wrongAtOnce }, states: 1, length: 0, exhausted: false };
  const known = new Set([first.key()]);
  let level: (readonly Line[])[] = [[]];
  for (let length = 1; level.length > 0; length++) {
    const next: (readonly Line[])[] = [];
    for (const before of level)
      for (const move of hazard.moves) {
        const run = begin();
        const taken = before.map((line) => run.take(line));
        taken.push(run.take(move));
        const wrong = judge(run, taken.at(-1));
        if (wrong !== undefined) return { found: { moves: taken, wrong }, states: known.size, length, exhausted: false };
        const key = run.key();
        if (known.has(key)) continue;
        known.add(key);
        next.push([...before, move]);
        if (known.size >= most) return { states: known.size, length, exhausted: false };
      }
    if (next.length === 0) return { states: known.size, length: length - 1, exhausted: true };
    level = next;
  }
  return { states: known.size, length: 0, exhausted: true };
};
