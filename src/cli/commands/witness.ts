/** `cofferdam witness SPEC --goal GOAL`: finds a way to something that should be possible, and shows it as a trace. */
import { setImmediate as turn } from "node:timers/promises";
import type { Diagnostic } from "../../base/diagnostic.ts";
import type { Bounds } from "../../check/search/breadth.ts";
import { properties } from "../../check/properties/properties.ts";
import { Refusal } from "../../check/refusal.ts";
import { type Goal, parseGoal } from "../../check/strategies/goals.ts";
import { findWitnesses, goalNames, type Witnesses, type WitnessOptions } from "../../check/strategies/witness.ts";
import { loadProperties } from "../../check/properties/userProperty.ts";
import { scopeInWords } from "../../check/verdict.ts";
import { mutantOf, profileNamed, type Safeguard } from "../../kernel/profile.ts";
import type { Layout } from "../../system/layout.ts";
import type { Scope } from "../../system/scale.ts";
import { showDiagnostics } from "../diagnostics.ts";
import { BAD_INPUT, exitWith, INCONCLUSIVE, INTERRUPTED, OK, VIOLATED } from "../exit.ts";
import { bytesOf } from "../memory.ts";
import { onInterrupt } from "../interrupt.ts";
import { progressLine } from "../progress.ts";
import { openSystem } from "../system.ts";
import { stepText } from "../verdictText.ts";
import { parseScope, usage } from "./check.ts";
import { write } from "./generate.ts";

export interface WitnessFlags {
  readonly goal: readonly string[];
  readonly scope: string;
  readonly profile: string;
  readonly mutant: string | undefined;
  readonly caches: "may" | "none";
  readonly bounds: Bounds;
  /** MiB; a share of what there is when undefined. */
  readonly memory: number | undefined;
  readonly property: readonly string[];
  readonly out: string | undefined;
  readonly json: boolean;
  readonly verbose: boolean;
}

const refuse = (...diagnostics: readonly Diagnostic[]): void => {
  showDiagnostics(diagnostics);
  exitWith(BAD_INPUT);
};

const count = (number: number): string => number.toLocaleString("en-US");

const reachedText = ({ goal, trace }: Witnesses["goals"][number], all: boolean): string[] => {
  if (trace === undefined) return [];
  const steps = trace.steps.flatMap((step, index) => (all ? stepText(step, index) : stepText(step, index).slice(0, 1)));
  return [`REACHED  ${goal}: ${trace.message}${trace.steps.length === 0 ? ", from boot on" : ""}.`, ...steps];
};
/** Goals that were not reached, under the sentence that says what this means. */
const openText = ({ goals }: Witnesses, wanted: "not reached" | "unreachable", says: string): string[] => {
  const names = goals.filter(({ result }) => result === wanted).map(({ goal }) => `  ${goal}`);
  return names.length === 0 ? [] : [says, ...names];
};
const witnessText = (witnesses: Witnesses, all: boolean): string => {
  const { goals, states, transitions, end, model } = witnesses;
  return [
    ...goals.flatMap((goal) => reachedText(goal, all)),
    ...openText(witnesses, "unreachable", `UNREACHABLE  at this scope: in none of its ${count(states)} states, with the arguments of the scope:`),
    ...openText(witnesses, "not reached", `NOT REACHED  in ${count(states)} states (${end}); what lies beyond them was not looked at:`),
    "",
    `${goals.filter(({ result }) => result === "reached").length} of ${goals.length} goal(s) reached, in ${count(states)} states and ${count(transitions)} transitions (${end}). Traces are minimised, and not claimed to be the shortest.`,
    `Scope: ${scopeInWords(model.scope)}.`,
    "",
  ].join("\n");
};

/** Those that are reached, by the number of the goal. */
const files = (witnesses: Witnesses): { name: string; text: string }[] => [
  { name: "witnesses.json", text: `${JSON.stringify(witnesses, undefined, 2)}\n` },
  ...witnesses.goals.flatMap(({ trace }, index) => (trace === undefined ? [] : [{ name: `witness-${index + 1}.json`, text: `${JSON.stringify(trace, undefined, 2)}\n` }])),
];

/** That something cannot happen is a finding, and outweighs what is open. */
export const witnessCode = ({ goals, end }: Witnesses): number => {
  if (end === "interrupted") return INTERRUPTED;
  if (goals.some(({ result }) => result === "unreachable")) return VIOLATED;
  return goals.every(({ result }) => result === "reached") ? OK : INCONCLUSIVE;
};

/** With progress on stderr; an interrupt is heard between expansions and keeps what was reached. */
const search = async (layout: Layout, goals: readonly (Goal | "unreached")[], options: WitnessOptions): Promise<Witnesses> => {
  const line = progressLine(process.stderr, ({ states, depth, seconds, open }: { readonly states: number; readonly depth: number; readonly seconds: number; readonly open: number }) => `${count(states)} states, depth ${depth}, ${open} goal(s) open, ${seconds.toFixed(0)} s`);
  let interrupted = false;
  const release = onInterrupt(() => void (interrupted = true));
  try {
    return await findWitnesses(layout, goals, {
      ...options,
      watch: async (progress) => {
        line.show(progress);
        await turn();
        return !interrupted;
      },
    });
  } finally {
    release();
    line.end();
  }
};

const run = async (spec: string, scope: Scope, flags: WitnessFlags): Promise<void> => {
  const system = openSystem(spec);
  if (system === undefined) return;
  const { layout } = system.plan;
  const base = profileNamed(flags.profile)!;
  const options = { scope, profile: flags.mutant === undefined ? base : mutantOf(base, flags.mutant as Safeguard), caches: flags.caches, bounds: { ...flags.bounds, memory: bytesOf(flags.memory) } };
  const names = goalNames(layout, options, [...properties, ...(await loadProperties(flags.property))]);
  const read = flags.goal.map((text) => (text.trim() === "unreached" ? ("unreached" as const) : parseGoal(text, names)));
  const wrong = read.flatMap((goal) => (typeof goal === "object" && "id" in goal ? [goal] : []));
  if (wrong.length > 0) return refuse(...wrong);
  const witnesses = await search(layout, read as readonly (Goal | "unreached")[], options);
  if (flags.out !== undefined && !write(flags.out, files(witnesses), Array.from({ length: MOST_STALE }, (_, index) => `witness-${index + 1}.json`).filter((name) => !files(witnesses).some((file) => file.name === name)))) return;
  process.stdout.write(flags.json ? `${JSON.stringify(witnesses)}\n` : witnessText(witnesses, flags.verbose));
  exitWith(witnessCode(witnesses));
};
/** Traces of an earlier search for as many goals are taken away. */
const MOST_STALE = 500;

export const witness = async (spec: string, flags: WitnessFlags): Promise<void> => {
  const scope = parseScope(flags.scope);
  if ("id" in scope) return refuse(scope);
  const { states, depth, seconds } = flags.bounds;
  if (!(states >= 1 && depth >= 0 && seconds >= 1 && (flags.memory ?? 1) >= 1)) return refuse(usage("a bound leaves nothing to explore", "give --max-states, --max-seconds and --max-memory at least 1, --max-depth at least 0"));
  try {
    await run(spec, scope, flags);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    refuse(...error.diagnostics);
  }
};
