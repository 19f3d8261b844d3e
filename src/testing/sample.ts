/**
 * Random walks until a property fails or there were as many as asked for. Walks are drawn in batches, each of them one
 * `fc.check` with a seed of its own; the guide of a batch is what all batches before it reached, and stays fixed within.
 */
import fc from "fast-check";
import type { Model } from "../check/model.ts";
import { exploredUnder, type Guide, mixed, OMITTED, type Performed } from "../check/random.ts";
import { invocationCommands, PropertyViolated, walkOf } from "./commands.ts";
import { replayText, type WalkReplay } from "./replayText.ts";
import type { Tally } from "./tally.ts";

/** A walk that a property fails behind, shrunk. */
export interface FailedWalk {
  readonly performed: readonly Performed[];
  /** How many accepted invocations the walk had before it was shrunk. */
  readonly drawn: number;
  readonly replay: string;
}
export interface Batch {
  readonly walks: number;
  readonly failed?: FailedWalk;
}

export const BATCH_WALKS = 5;
/** A replay string that names no walk here: of another system, scope, profile or version. */
export class ForeignWalk extends Error {
  override readonly name = "ForeignWalk";
}

const seedOf = (seed: number, batch: number): number => mixed(seed, batch) | 0;

/**
 * Swarm testing (Groce et al., ISSTA 2012): each batch but every third leaves out some definitions, a quarter or half of
 * them, since a walk that may delete anything has soon nothing left to do anything with.
 */
const swarmed = (guide: Guide, seed: number, batch: number): Guide => {
  const quarters = batch % 3;
  return guide.map((level, index) => (mixed(mixed(seed, batch), index) % 4 < quarters ? OMITTED : level));
};

type Commands = ReturnType<typeof invocationCommands> extends fc.Arbitrary<infer C> ? C : never;

/** fast-check keeps the replayPath in what it prints of a list of commands. */
const replayPathOf = (commands: Commands): string => /\/\*replayPath="([^"]*)"\*\/$/.exec((commands as { toString: () => string }).toString())?.[1] ?? ":";

/** Runs one list of commands: the violation behind its last one, if any. */
const walked = (model: Model, commands: Commands, tally: Tally | undefined): PropertyViolated | undefined => {
  try {
    fc.modelRun(() => walkOf(model, tally), commands);
    return undefined;
  } catch (error) {
    if (error instanceof PropertyViolated) return error;
    throw error;
  }
};

/** fast-check throws where path and replayPath do not fit what it generates. */
const replayed = <A>(isReplay: boolean, check: () => A): A => {
  try {
    return check();
  } catch (error) {
    throw isReplay ? new ForeignWalk(error instanceof Error ? error.message : String(error)) : error;
  }
};

interface Plan {
  readonly length: number;
  readonly walks: number;
  readonly from: Pick<WalkReplay, "seed" | "guide"> & Partial<WalkReplay>;
}

/** One `fc.check`. With a path it runs that walk only. */
const checked = (model: Model, { length, walks, from: { seed, guide, path, replayPath } }: Plan, tally: Tally | undefined): Batch => {
  let first: PropertyViolated | undefined;
  let last: PropertyViolated | undefined;
  let runs = 0;
  // A bug in the model is no violation: it is told as what it is, not shrunk.
  let broken: { readonly error: unknown } | undefined;
  const property = fc.property(invocationCommands(model.booted, { length, guide, ...(replayPath === undefined ? {} : { replayPath }) }), (commands) => {
    if (broken !== undefined || (path !== undefined && runs > 0)) return true;
    runs += 1;
    try {
      const violated = walked(model, commands, first === undefined ? tally : undefined);
      first ??= violated;
      last = violated ?? last;
      return violated === undefined;
    } catch (error) {
      broken = { error };
      return true;
    }
  });
  const details = replayed(path !== undefined, () => fc.check(property, { seed, numRuns: walks, ...(path === undefined ? {} : { path, endOnFailure: true }) }));
  if (broken !== undefined) throw broken.error;
  if (!details.failed || details.counterexample === null || last === undefined || first === undefined) return { walks };
  const found = { seed, length, guide, path: details.counterexamplePath ?? "0", replayPath: replayPathOf(details.counterexample[0]) };
  return { walks: path === undefined ? details.numRuns : 1, failed: { performed: last.walk.performed, drawn: first.walk.performed.length, replay: replayText(path === undefined ? found : { ...found, path, replayPath: replayPath ?? ":" }) } };
};

/** The next batch of walks: `done` of them were made before. */
export const nextBatch = (model: Model, tally: Tally, seed: number, length: number, done: number, runs: number): Batch =>
  checked(model, { length, walks: Math.min(BATCH_WALKS, runs - done), from: { seed: seedOf(seed, done / BATCH_WALKS), guide: swarmed(tally.guide(), seed, done / BATCH_WALKS) } }, tally);

/** The walk of a replay string, once. */
export const again = (model: Model, replay: WalkReplay, tally: Tally): Batch => {
  if (replay.guide.length !== exploredUnder(model.booted.profile).length) throw new ForeignWalk("the guide is for other invocations");
  return checked(model, { length: replay.length, walks: 1, from: replay }, tally);
};
