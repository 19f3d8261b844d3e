/** `cofferdam check SPEC`: explores everything that untrusted components can do, and gives a verdict. */
import { existsSync } from "node:fs";
import type { Diagnostic } from "../../base/diagnostic.ts";
import { type BackgroundOptions, type BackgroundProgress, checkInBackground } from "../../check/background.ts";
import { mutants } from "../../check/mutants.ts";
import { objectionToReplacing } from "../../check/kept/recordFile.ts";
import { properties } from "../../check/properties/properties.ts";
import { Refusal } from "../../check/refusal.ts";
import type { Trace } from "../../check/traces/trace.ts";
import { loadProperties } from "../../check/properties/userProperty.ts";
import type { Verdict } from "../../check/verdict.ts";
import { mutantOf, profileNamed, type Safeguard, safeguards } from "../../kernel/profile.ts";
import type { Reduction } from "../../kernel/reductions.ts";
import type { Layout } from "../../system/layout.ts";
import { defaultScope, type Scope } from "../../system/scale.ts";
import { showDiagnostics } from "../diagnostics.ts";
import { bytesOf } from "../memory.ts";
import { BAD_INPUT, exitWith, INCONCLUSIVE, INTERRUPTED, OK, VIOLATED } from "../exit.ts";
import { onInterrupt } from "../interrupt.ts";
import { progressLine } from "../progress.ts";
import { openSystem } from "../system.ts";
import { verdictText } from "../verdictText.ts";
import { write } from "./generate.ts";
import { type RandomFlags, sample, sampleOrder } from "./sample.ts";

export interface CheckFlags extends RandomFlags {
  readonly scope: string;
  readonly profile: string;
  readonly mutant: string | undefined;
  readonly caches: "may" | "none";
  readonly states: number;
  readonly depth: number;
  readonly seconds: number;
  /** MiB; a share of what there is when undefined. */
  readonly memory: number | undefined;
  /** Different traces to each property that fails. */
  readonly traces: number;
  readonly workers: number;
  readonly visited: "states" | "hashes";
  /** Names of reductions to leave out. */
  readonly unreduced: readonly string[];
  readonly checkpoint: string | undefined;
  readonly checkpointSeconds: number;
  readonly resume: string | undefined;
  /** Files with properties of the user's own. */
  readonly property: readonly string[];
  readonly out: string | undefined;
  readonly json: boolean;
  readonly events: boolean;
  readonly verbose: boolean;
}

export const usage = (message: string, hint: string): Diagnostic => ({ id: "usage", severity: "error", message, hint });

/** `pages=2,slots=1` over the default scope. */
export const parseScope = (text: string): Scope | Diagnostic => {
  const scope: Record<string, number> = { ...defaultScope };
  const given = new Set<string>();
  for (const part of text.split(",").filter((piece) => piece !== "")) {
    const [name, value, ...rest] = part.split("=");
    if (name === undefined || !(name in defaultScope)) return usage(`the scope has no \`${name ?? ""}\``, `use ${Object.keys(defaultScope).join(", ")}`);
    if (value === undefined || rest.length > 0 || !/^\d{1,3}$/.test(value)) return usage(`\`${part}\` is no scope`, "write name=number with a number from 0 to 999, such as pages=1,slots=1");
    if (given.has(name)) return usage(`the scope gives \`${name}\` twice`, "give each once");
    given.add(name);
    scope[name] = Number(value);
  }
  if (scope["pages"] === 0) return usage("pages=0 leaves no memory to protect", "give at least pages=1");
  return scope as unknown as Scope;
};

type Explored = Pick<CheckFlags, "profile" | "mutant" | "caches" | "states" | "depth" | "seconds" | "events"> & Partial<Pick<CheckFlags, "memory" | "strategy" | "visited" | "workers" | "unreduced" | "traces" | "checkpoint" | "checkpointSeconds" | "resume" | "property">>;

const backgroundOptions = (scope: Scope, flags: Explored): BackgroundOptions => {
  const base = profileNamed(flags.profile)!;
  return {
    scope,
    profile: flags.mutant === undefined ? base : mutantOf(base, flags.mutant as Safeguard),
    caches: flags.caches,
    bounds: { states: flags.states, depth: flags.depth, seconds: flags.seconds, memory: bytesOf(flags.memory) },
    traces: flags.traces ?? 1,
    workers: flags.workers ?? 1,
    strategy: flags.strategy === "depth" ? "depth" : "breadth",
    visited: flags.visited ?? "states",
    unreduced: (flags.unreduced ?? []) as readonly Reduction[],
    propertyFiles: flags.property ?? [],
    ...(flags.checkpoint === undefined ? {} : { checkpoint: { file: flags.checkpoint, seconds: flags.checkpointSeconds ?? 0 } }),
    ...(flags.resume === undefined ? {} : { resume: flags.resume }),
  };
};

/** Explores, with progress on stderr; an interrupt keeps the partial verdict. Rejects with a Refusal where an input is none. */
export const explore = async (layout: Layout, scope: Scope, flags: Explored): Promise<Verdict> => {
  const line = progressLine();
  const show = (progress: BackgroundProgress) => {
    if (flags.events) process.stdout.write(`${JSON.stringify({ t: progress.seconds, kind: "progress", ...progress })}\n`);
    else line.show(progress);
  };
  const background = checkInBackground(layout, backgroundOptions(scope, flags), show, (warning) => showDiagnostics([warning]));
  const release = onInterrupt(background.stop);
  try {
    return await background.verdict;
  } finally {
    release();
    line.end();
  }
};

export const verdictCode = ({ result, end }: Verdict): number => {
  if (result === "violated") return VIOLATED;
  if (end === "interrupted") return INTERRUPTED;
  return result === "holds" ? OK : INCONCLUSIVE;
};

const MOST_TRACES = 100;
const MOST_WORKERS = 64;

/** The first trace of a property has no number. */
const traceFile = (property: string, number: number): string => `trace-${property}${number === 0 ? "" : `-${number + 1}`}.json`;

/** The violations that have a trace, each with the name of its file. */
const traceFiles = ({ violations }: Verdict): { name: string; trace: Trace }[] =>
  violations.flatMap(({ property, trace }, index) => (trace === undefined ? [] : [{ name: traceFile(property, violations.slice(0, index).filter((other) => other.property === property).length), trace }]));

/** verdict.json, and one file for each trace. */
export const verdictFiles = (verdict: Verdict): { name: string; text: string }[] => [
  { name: "verdict.json", text: `${JSON.stringify(verdict, undefined, 2)}\n` },
  ...traceFiles(verdict).map(({ name, trace }) => ({ name, text: `${JSON.stringify(trace, undefined, 2)}\n` })),
];

/** Names of trace files that an earlier verdict may have left. */
export const staleTraces = (verdict: Verdict): string[] => {
  const fresh = new Set(traceFiles(verdict).map(({ name }) => name));
  const names = new Set([...properties, ...verdict.properties].map(({ name }) => name));
  return [...names].flatMap((name) => Array.from({ length: MOST_TRACES }, (_, number) => traceFile(name, number))).filter((name) => !fresh.has(name));
};

/** The command that shows a failure again: the replay of its trace, or the same check. */
const reproduce = (spec: string, { scope, profile, mutant, unreduced, caches, traces, out, whole, property, strategy, visited }: CheckFlags, { violations, sampled }: Verdict): string => {
  const trace = violations.find((violation) => violation.trace !== undefined);
  if (trace === undefined) return "";
  const files = property.map((file) => ` --property ${file}`).join("");
  if (out !== undefined) return `Reproduce: npx cofferdam replay ${spec} ${out}/trace-${trace.property}.json${files}\n`;
  const options = [profile === "cofferdam" ? "" : ` --profile ${profile}`, scope === "" ? "" : ` --scope ${scope}`, mutant === undefined ? "" : ` --mutant ${mutant}`, ...unreduced.map((name) => ` --unreduced ${name}`), caches === "may" ? "" : ` --caches ${caches}`, traces === 1 ? "" : ` --traces ${traces}`, strategy === "depth" ? " --strategy depth" : "", visited === "hashes" ? " --visited hashes" : "", files, sampled === undefined ? "" : ` --strategy random${whole ? " --whole" : ""} --replay ${sampled.failed!.replay}`];
  return `Reproduce: npx cofferdam check ${spec}${options.join("")}\n`;
};

export const refuse = (...diagnostics: readonly Diagnostic[]): void => {
  showDiagnostics(diagnostics);
  exitWith(BAD_INPUT);
};

/** Why these flags ask for nothing that can be done, or undefined. */
export const objectionTo = (flags: CheckFlags): Diagnostic | undefined => {
  const { traces, workers, checkpoint, checkpointSeconds, resume, property, strategy, visited } = flags;
  const odd = strategy === "depth" || visited === "hashes";
  const kept = checkpoint !== undefined || resume !== undefined;
  if (!(traces >= 1 && traces <= MOST_TRACES)) return usage(`no ${traces} traces can be asked for`, `give --traces a number from 1 to ${MOST_TRACES}`);
  if (!(flags.states >= 1 && flags.depth >= 0 && flags.seconds >= 1 && (flags.memory ?? 1) >= 1)) return usage("a bound leaves nothing to explore", "give --max-states, --max-seconds and --max-memory at least 1, --max-depth at least 0");
  if (!(workers >= 1 && workers <= MOST_WORKERS)) return usage(`${workers} threads cannot explore`, `give --workers a number from 1 to ${MOST_WORKERS}`);
  if (!(checkpointSeconds >= 0)) return usage(`${checkpointSeconds} seconds cannot pass between checkpoints`, "give --checkpoint-seconds at least 0");
  if (strategy === "depth" && traces !== 1) return usage("depth-first search stops at the first state that violates a property", "leave --traces out, or --strategy");
  if (strategy === "random" && visited === "hashes") return usage("random walks keep no states", "leave --visited out, or --strategy");
  if (odd && (workers > 1 || kept)) return usage("several threads and checkpoints are for breadth-first search that keeps whole states", "leave --workers, --checkpoint and --resume out, or --strategy and --visited");
  if (kept && strategy === "random") return usage("only a run that explores every state can be kept and gone on with", "leave --checkpoint and --resume out, or --strategy");
  if (property.length > 0 && strategy === "random") return usage("properties of your own are judged where every state is explored", "leave --property out, or --strategy");
  return undefined;
};

/** What stopped a run short of its end, and what to do about it. */
const boundText = ({ states, depth, seconds }: CheckFlags, { end, sampled }: Verdict): string => {
  const met: Record<string, string> = {
    states: `--max-states ${states}: give more of them`,
    depth: `--max-depth ${depth}: give more`,
    seconds: `--max-seconds ${seconds}: give more`,
    memory: "--max-memory, or what this machine has: give more if there is",
  };
  return met[end] === undefined || sampled !== undefined ? "" : `It stopped at ${met[end]}, or a smaller --scope.\n`;
};

/** What a user can do with a run that stopped early. */
const keptText = ({ checkpoint }: CheckFlags, { end }: Verdict): string =>
  checkpoint === undefined || ["exhausted", "exhausted-by-hash", "violated"].includes(end)
    ? ""
    : existsSync(checkpoint)
      ? `The run is kept in ${checkpoint}: the same command with --resume ${checkpoint} goes on with it.\n`
      : `The run is not kept: ${checkpoint} could not be written.\n`;

const run = async (spec: string, scope: Scope, flags: CheckFlags): Promise<void> => {
  const order = sampleOrder(flags);
  if (order !== undefined && "id" in order) return refuse(order);
  if (order !== undefined && flags.traces !== 1) return refuse(usage("random walks stop at the first that fails", "leave --traces out, or give another --seed"));
  const system = openSystem(spec);
  if (system === undefined) return;
  const lost = flags.checkpoint === undefined ? undefined : objectionToReplacing(flags.checkpoint, flags.resume);
  if (lost !== undefined) return refuse(lost);
  // Here for what is wrong with a file; the thread that explores loads them again.
  await loadProperties(flags.property);
  const verdict = await (order === undefined ? explore(system.plan.layout, scope, flags) : sample(system.plan.layout, scope, order, flags));
  if ("id" in verdict) return refuse(verdict);
  // Where it can't be written, it is told at least.
  const written = flags.out === undefined || write(flags.out, verdictFiles(verdict), staleTraces(verdict));
  if (flags.events) process.stdout.write(`${JSON.stringify({ kind: "verdict", verdict })}\n`);
  else process.stdout.write(flags.json ? `${JSON.stringify(verdict)}\n` : `${verdictText(verdict, flags.verbose)}${reproduce(spec, flags, verdict)}`);
  process.stderr.write(boundText(flags, verdict) + keptText(flags, verdict));
  if (written) exitWith(verdictCode(verdict));
};

export const check = async (spec: string, flags: CheckFlags): Promise<void> => {
  const scope = parseScope(flags.scope);
  const objection = "id" in scope ? scope : objectionTo(flags);
  if (objection !== undefined) return refuse(objection);
  try {
    await run(spec, scope as Scope, flags);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    refuse(...error.diagnostics);
  }
};

/** `cofferdam check --list`: what is checked, and which broken kernels each property must catch. */
export const list = (json: boolean): void => {
  const all = properties.map(({ name, sentence }) => ({ name, sentence, mutants: mutants.filter(({ caughtBy }) => caughtBy.includes(name)).map(({ without, length, system, scope = {} }) => ({ without, forgets: safeguards[without], length, system, scope })) }));
  if (json) return void process.stdout.write(`${JSON.stringify(all)}\n`);
  for (const { name, sentence, mutants: caught } of all) {
    process.stdout.write(`${name}\n  ${sentence}\n`);
    for (const { without, forgets, length, system, scope } of caught) {
      const at = Object.entries(scope).map(([key, value]) => `${key}=${value}`);
      process.stdout.write(`  catches ${without} in ${length} invocations on ${system}${at.length === 0 ? "" : ` (--scope ${at.join(",")})`}: ${forgets}\n`);
    }
  }
};
