/** Entry of the worker thread that explores: see background.ts. */
import { parentPort, workerData } from "node:worker_threads";
import { heeded } from "./answering.ts";
import type { WorkOrder } from "./background.ts";
import { checkLayout } from "./check.ts";
import type { CheckOptions } from "./checkOptions.ts";
import { checkInParallel } from "./parallel/checkInParallel.ts";
import { properties } from "./properties/properties.ts";
import { Refusal } from "./refusal.ts";
import { checkByHash } from "./strategies/checkByHash.ts";
import { checkDepthFirst } from "./strategies/checkDepthFirst.ts";
import { loadProperties } from "./properties/userProperty.ts";

const { layout, options, stop, answering } = workerData as WorkOrder;
const flag = new Int32Array(stop);
let last = 0;
try {
  const { workers = 1, propertyFiles = [] } = options;
  const { strategy, visited } = options;
  const alone = strategy === "depth" ? checkDepthFirst : visited === "hashes" ? checkByHash : checkLayout;
  const heard: CheckOptions = {
    ...options,
    warn: (diagnostic) => parentPort?.postMessage({ kind: "warning", diagnostic }),
    watch: (progress) => {
      if (progress.seconds - last > 0.2) {
        last = progress.seconds;
        parentPort?.postMessage({ kind: "progress", progress: { ...progress, memory: process.memoryUsage.rss() } });
      }
      return Atomics.load(flag, 0) === 0;
    },
  };
  const verdict = workers > 1 ? await checkInParallel(layout, { ...heard, propertyFiles, answering }) : alone(layout, { ...heard, properties: [...properties, ...(await loadProperties(propertyFiles, heeded(answering)))] });
  parentPort?.postMessage({ kind: "verdict", verdict });
} catch (error) {
  if (error instanceof Refusal) parentPort?.postMessage({ kind: "refused", diagnostics: error.diagnostics });
  else parentPort?.postMessage({ kind: "failed", message: error instanceof Error ? `${error.name}: ${error.message}` : String(error), stack: error instanceof Error ? error.stack : undefined });
}
