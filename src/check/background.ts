/** Exploration off the main thread, so that an interrupt is heard and the partial result is kept. */
import { Worker } from "node:worker_threads";
import type { Diagnostic } from "../base/diagnostic.ts";
import type { Layout } from "../system/layout.ts";
import { answeringBuffer, silence } from "./answering.ts";
import type { Progress } from "./search/breadth.ts";
import type { CheckOptions } from "./checkOptions.ts";
import { endedByItself, Refusal } from "./refusal.ts";
import type { Verdict } from "./verdict.ts";

export type BackgroundOptions = Omit<CheckOptions, "watch" | "properties" | "warn"> & {
  /** Files with properties to judge besides ours. */
  readonly propertyFiles?: readonly string[];
};
export interface WorkOrder {
  readonly layout: Layout;
  readonly options: BackgroundOptions;
  /** One Int32; 1 asks the exploration to stop. */
  readonly stop: SharedArrayBuffer;
  /** Where files of the user's own are judged by: see answering.ts. */
  readonly answering: SharedArrayBuffer | undefined;
}
/** `memory` is the resident set in bytes. */
export type BackgroundProgress = Progress & { readonly memory: number };
type Message =
  | { readonly kind: "progress"; readonly progress: BackgroundProgress }
  | { readonly kind: "verdict"; readonly verdict: Verdict }
  | { readonly kind: "warning"; readonly diagnostic: Diagnostic }
  | { readonly kind: "refused"; readonly diagnostics: readonly Diagnostic[] }
  | { readonly kind: "failed"; readonly message: string; readonly stack?: string };

export interface Background {
  readonly verdict: Promise<Verdict>;
  /** Asks for the partial verdict. */
  readonly stop: () => void;
}

/** How long a property may take about one state when the run is over, and how often that is looked at. */
const PATIENCE_MILLISECONDS = 3000;
const LOOK_MILLISECONDS = 500;

/** Calls `end` where a property of the user's own does not come back although the run should stop; answers how to leave off. */
const watchOver = (answering: SharedArrayBuffer | undefined, over: () => boolean, files: readonly string[], end: (why: Refusal) => void): (() => void) => {
  if (answering === undefined) return () => {};
  const silent = silence(answering);
  const timer = setInterval(() => {
    const silentFor = silent(performance.now());
    if (!over() || silentFor < PATIENCE_MILLISECONDS) return;
    const place = files.length === 1 ? { place: { file: files[0]! } } : {};
    end(new Refusal({ id: "property-failed", severity: "error", message: `the run was to stop, and a property of your own has been judging one state for ${Math.floor(silentFor / 1000)} seconds`, ...place, hint: "see whether it has a loop without an end; no verdict is given" }));
  }, LOOK_MILLISECONDS);
  return () => clearInterval(timer);
};

/** Starts exploring a layout. The promise rejects with a Refusal, or on a bug of the model. */
export const checkInBackground = (layout: Layout, options: BackgroundOptions, onProgress: (progress: BackgroundProgress) => void, onWarning: (diagnostic: Diagnostic) => void = () => {}): Background => {
  const stop = new SharedArrayBuffer(4);
  const { propertyFiles = [], bounds } = options;
  const answering = propertyFiles.length === 0 ? undefined : answeringBuffer();
  const workerData: WorkOrder = { layout, options, stop, answering };
  const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
  const worker = new Worker(new URL(`./worker.${extension}`, import.meta.url), { workerData });
  const flag = new Int32Array(stop);
  const begun = performance.now();
  const over = () => Atomics.load(flag, 0) !== 0 || performance.now() - begun > (bounds?.seconds ?? Infinity) * 1000;
  let leaveOff = () => {};
  const verdict = new Promise<Verdict>((resolve, reject) => {
    leaveOff = watchOver(answering, over, propertyFiles, (why) => {
      reject(why);
      void worker.terminate();
    });
    worker.on("message", (message: Message) => {
      if (message.kind === "progress") onProgress(message.progress);
      else if (message.kind === "verdict") resolve(message.verdict);
      else if (message.kind === "warning") onWarning(message.diagnostic);
      else if (message.kind === "refused") reject(new Refusal(...message.diagnostics));
      else reject(Object.assign(new Error(message.message), message.stack === undefined ? {} : { stack: message.stack }));
    });
    worker.on("error", reject);
    // After a verdict this changes nothing.
    worker.on("exit", (code) => reject(endedByItself(code, propertyFiles)));
  }).finally(leaveOff);
  return { verdict, stop: () => void Atomics.store(flag, 0, 1) };
};
