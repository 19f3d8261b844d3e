/** SPIN, where it is installed (Debian packages `spin` and `gcc`): builds the verifier of a model and times breadth-first runs. */
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

export interface SpinRun {
  /** What the verifier says it took. */
  readonly seconds: number;
  readonly states: number;
  readonly edges: number;
  readonly errors: number;
  /** Edges on the longest shortest path, or on the path to the error. */
  readonly depth: number;
  /** What the verifier says it allocated. */
  readonly bytes: number;
}
export interface Verifier {
  readonly version: string;
  readonly run: () => SpinRun;
}

const said = (command: string, args: readonly string[], cwd?: string): string | undefined => {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: "utf8", ...(cwd === undefined ? {} : { cwd }) });
  return error === undefined && status === 0 ? stdout + stderr : undefined;
};

/** The first capture as a number. */
const number = (text: string, pattern: RegExp): number => {
  const found = pattern.exec(text)?.[1];
  if (found === undefined) throw new Error(`SPIN's report has no ${pattern.source}`);
  return Number(found);
};

/** Breadth-first verifier; `slotsLog` is the size of its hash table. Undefined where SPIN or a C compiler is missing. */
export const buildVerifier = (model: string, folder: string, slotsLog: number): Verifier | undefined => {
  const version = said("spin", ["-V"]);
  if (version === undefined) return undefined;
  writeFileSync(join(folder, "model.pml"), model);
  if (said("spin", ["-a", "model.pml"], folder) === undefined) throw new Error("SPIN refuses the model");
  if (said("cc", ["-O2", "-DBFS", "-DSAFETY", "-o", "pan", "pan.c"], folder) === undefined) return undefined;
  return {
    version: version.trim(),
    run: () => {
      const report = said("./pan", [`-w${slotsLog}`], folder) ?? "";
      return {
        // Very short runs have no line for the time.
        seconds: /elapsed time/.test(report) ? number(report, /elapsed time ([\d.e+-]+) seconds/) : 0,
        states: number(report, /([\d.e+]+) states, stored/),
        edges: number(report, /([\d.e+]+) transitions/) - 1,
        depth: number(report, /depth reached (\d+)/),
        errors: number(report, /errors: (\d+)/),
        bytes: number(report, /([\d.]+)\s+total actual memory usage/) * 2 ** 20,
      };
    },
  };
};
