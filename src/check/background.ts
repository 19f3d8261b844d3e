/** Exploration off the main thread, so that an interrupt is heard and the partial result is kept. */
import { Worker } from "node:worker_threads";
import type { Diagnostic } from "../base/diagnostic.ts";
import type { Layout } from "../system/layout.ts";
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

/** Starts exploring a layout. The promise rejects with a Refusal, or on a bug of the model. */
export const checkInBackground = (layout: Layout, options: BackgroundOptions, onProgress: (progress: BackgroundProgress) => void, onWarning: (diagnostic: Diagnostic) => void = () => {}): Background => {
  const stop = new SharedArrayBuffer(4);
  const workerData: WorkOrder = { layout, options, stop };
  const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
  const worker = new Worker(new URL(`./worker.${extension}`, import.meta.url), { workerData });
  const verdict = new Promise<Verdict>((resolve, reject) => {
    worker.on("message", (message: Message) => {
      if (message.kind === "progress") onProgress(message.progress);
      else if (message.kind === "verdict") resolve(message.verdict);
      else if (message.kind === "warning") onWarning(message.diagnostic);
      else if (message.kind === "refused") reject(new Refusal(...message.diagnostics));
      else reject(Object.assign(new Error(message.message), message.stack === undefined ? {} : { stack: message.stack }));
    });
    worker.on("error", reject);
    // After a verdict this changes nothing.
    worker.on("exit", (code) => reject(endedByItself(code, options.propertyFiles ?? [])));
  });
  return { verdict, stop: () => void Atomics.store(new Int32Array(stop), 0, 1) };
};
