/**
 * A trace as a test for somebody's own project: it replays the moves on the system as its spec is now, by the package's
 * public entry, and fails as long as they still break the property. Whatever comes from the trace stands in JSON, which
 * is TypeScript as it is, and never in a comment or a string of ours.
 */
import { summaryOf } from "../traces/summary.ts";
import type { Trace } from "../traces/trace.ts";

/** `spec`: the path of the system spec relative to the test file, with `/`. */
export const vitestOf = (trace: Trace, spec: string): string => {
  const url = encodeURI(spec.toWellFormed()).replace(/[?#]/g, encodeURIComponent);
  return [
    "// Written by `cofferdam export --as vitest`. It fails while the moves below still break the property. It passes once",
    "// they are refused, or have no such end: then the system or the kernel has changed, and `cofferdam check` says whether",
    "// there is another way.",
    'import { fileURLToPath } from "node:url";',
    'import { replayTrace } from "cofferdam";',
    'import { expect, test } from "vitest";',
    "",
    `const spec = fileURLToPath(new URL(${JSON.stringify(url)}, import.meta.url));`,
    `const trace: unknown = ${JSON.stringify(trace, undefined, 2)};`,
    "",
    `test(${JSON.stringify(`${trace.property}: ${summaryOf(trace)}`)}, () => {`,
    '  expect(replayTrace(spec, trace).result).not.toBe("violated");',
    "});",
    "",
  ].join("\n");
};
