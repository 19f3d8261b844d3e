/** `cofferdam check SPEC --strategy random`: walks at random through what untrusted components can do. */
import { setImmediate as turn } from "node:timers/promises";
import type { Diagnostic } from "../../base/diagnostic.ts";
import type { Verdict } from "../../check/verdict.ts";
import { mutantOf, profileNamed, type Safeguard } from "../../kernel/profile.ts";
import type { Layout } from "../../system/layout.ts";
import type { Scope } from "../../system/scale.ts";
import { checkRandomly, DEFAULT_RUNS, type RandomProgress } from "../../testing/checkRandomly.ts";
import { DEFAULT_LENGTH } from "../../testing/commands.ts";
import { readReplayText, type WalkReplay } from "../../testing/replayText.ts";
import { ForeignWalk } from "../../testing/sample.ts";
import { onInterrupt } from "../interrupt.ts";
import { progressLine } from "../progress.ts";

export interface RandomFlags {
  readonly strategy: "exhaustive" | "depth" | "random";
  readonly runs: number | undefined;
  readonly length: number | undefined;
  readonly seed: number | undefined;
  readonly whole: boolean;
  readonly replay: string | undefined;
}
export interface SampleOrder {
  readonly runs: number;
  readonly length: number;
  readonly seed: number;
  readonly whole: boolean;
  readonly replay?: WalkReplay;
}

const MOST_RUNS = 1_000_000;
const MOST_LENGTH = 999;
const usage = (message: string, hint: string): Diagnostic => ({ id: "usage", severity: "error", message, hint });
const within = (number: number, least: number, most: number): boolean => Number.isInteger(number) && number >= least && number <= most;

/** What the flags ask of random walks; undefined where they ask for every state. */
export const sampleOrder = ({ strategy, runs, length, seed, whole, replay: text }: RandomFlags): SampleOrder | Diagnostic | undefined => {
  if (strategy !== "random") {
    if (!whole && [runs, length, seed, text].every((given) => given === undefined)) return undefined;
    return usage("--runs, --length, --seed, --replay and --whole are for random walks", "give --strategy random, too");
  }
  const order = { runs: runs ?? DEFAULT_RUNS, length: length ?? DEFAULT_LENGTH, seed: seed ?? 1, whole };
  if (!within(order.runs, 1, MOST_RUNS)) return usage(`${order.runs} walks cannot be made`, `give --runs a number from 1 to ${MOST_RUNS}`);
  if (!within(order.length, 1, MOST_LENGTH)) return usage(`no walk has ${order.length} invocations`, `give --length a number from 1 to ${MOST_LENGTH}`);
  if (!within(order.seed, 0, 2 ** 31 - 1)) return usage(`${order.seed} is no seed`, "give --seed a number from 0 to 2147483647");
  if (text === undefined) return order;
  if ([runs, length, seed].some((given) => given !== undefined)) return usage("--replay walks one walk again, which has its own seed and length", "leave --runs, --length and --seed out");
  const read = readReplayText(text);
  return read === undefined ? foreign : { ...order, replay: read };
};
const foreign = usage("the string after --replay names no walk of this system", "give the string that check printed, with the same spec, scope, profile, mutant and --whole, and the same version");

const progressText = ({ walks, runs, invocations, states, seconds }: RandomProgress): string =>
  `${walks.toLocaleString("en-US")} of ${runs.toLocaleString("en-US")} walks, ${invocations.toLocaleString("en-US")} invocations, ${states.toLocaleString("en-US")} states, ${seconds.toFixed(0)} s`;

interface Flags {
  readonly profile: string;
  readonly mutant: string | undefined;
  readonly caches: "may" | "none";
  readonly seconds: number;
  readonly events: boolean;
}

/** Walks, with progress on stderr; an interrupt is heard between batches and keeps the partial verdict. */
export const sample = async (layout: Layout, scope: Scope, order: SampleOrder, { profile: name, mutant, caches, seconds, events }: Flags): Promise<Verdict | Diagnostic> => {
  const base = profileNamed(name)!;
  const profile = mutant === undefined ? base : mutantOf(base, mutant as Safeguard);
  const line = progressLine(process.stderr, progressText);
  let interrupted = false;
  const release = onInterrupt(() => void (interrupted = true));
  try {
    return await checkRandomly(layout, { scope, profile, caches, seconds, ...order }, async (progress) => {
      if (events) process.stdout.write(`${JSON.stringify({ t: progress.seconds, kind: "progress", ...progress })}\n`);
      else line.show(progress);
      await turn();
      return !interrupted;
    });
  } catch (error) {
    if (error instanceof ForeignWalk) return foreign;
    throw error;
  } finally {
    release();
    line.end();
  }
};
