/** Checkpoints of a run, as its options ask for them: what it goes on from, and when it is written. */
import type { Diagnostic } from "../../base/diagnostic.ts";
import type { AskedProfile } from "../askedProfile.ts";
import type { Keeping } from "../search/breadth.ts";
import { type Kept, keptOf, readCheckpoint, subjectOf, writeCheckpoint } from "./checkpoint.ts";
import type { Model } from "../model.ts";
import { checkpointFault, objectionTo } from "./recordFile.ts";
import { Refusal } from "../refusal.ts";
import type { TraceModel } from "../traces/trace.ts";

export interface KeepingOptions {
  /** Keeps the run in a file: every so many seconds, and when it stops before its end. */
  readonly checkpoint?: { readonly file: string; readonly seconds: number };
  /** A file that an earlier run was kept in, to go on from. */
  readonly resume?: string;
  /** Hears that a checkpoint could not be written; the run goes on, and the file that was there stays. */
  readonly warn?: (diagnostic: Diagnostic) => void;
}

/** How a run of one thread is kept, and one of several. */
export interface KeepingInFile extends Keeping {
  readonly keepPieces: (kept: Kept) => void;
}

/** Refuses a file that can't be gone on from or written to, before anything is explored. */
export const keepingOf = (model: Model, head: TraceModel, traces: number, profile: AskedProfile, { checkpoint, resume, warn }: KeepingOptions): KeepingInFile | undefined => {
  if (checkpoint === undefined && resume === undefined) return undefined;
  const objection = checkpoint === undefined ? undefined : objectionTo(checkpoint.file);
  if (objection !== undefined) throw new Refusal(objection);
  const subject = subjectOf(model, head, traces);
  const resumed = resume === undefined ? undefined : readCheckpoint(resume, subject, model);
  profile.also(resumed?.asked ?? []);
  let last = performance.now();
  let warned = false;
  const keepPieces = (kept: Kept): void => {
    if (checkpoint === undefined) return;
    try {
      writeCheckpoint(checkpoint.file, subject, model, profile.asked(), kept);
      warned = false;
    } catch (error) {
      const why = (error as NodeJS.ErrnoException).code ?? String(error);
      if (!warned) warn?.({ ...checkpointFault(checkpoint.file, `no checkpoint could be written: ${why}`, "the run goes on, and tries again"), severity: "warning" });
      warned = true;
    }
    // A run spends its time on exploring, however long it takes to write.
    last = performance.now();
  };
  return {
    ...(resumed === undefined ? {} : { from: resumed.standing }),
    due: () => checkpoint !== undefined && performance.now() - last >= checkpoint.seconds * 1000,
    keep: (standing) => keepPieces(keptOf(standing, model)),
    keepPieces,
  };
};
