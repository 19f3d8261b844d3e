/**
 * The explorer's benchmark: SmmuCap at given sizes on one thread and on several, in rounds that alternate with SPIN's
 * breadth-first search on the same machine. Machines are shared and noisy, so what counts is the median of the rounds and
 * the ratio to SPIN in the same run. Counts that are not the known ones end the benchmark: a wrong explorer has no speed.
 *
 *     node tools/bench/explorer.ts M L --rounds 3 --threads 1,2 --json out/bench.json
 *
 * A size is a name, or components, streams, banks, VSpaces, frames and slots: `2,2,3,2,2,1`. What such a size counts is
 * not known before, so all engines are held to the first.
 */
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { explore } from "../../src/check/engine/search.ts";
import { promela } from "./promela.ts";
import { counts, type Size, type SizeName, sizeNamed, sizes, smmuCap } from "./smmuCap.ts";
import { buildVerifier } from "./spin.ts";

interface Sample {
  readonly engine: string;
  readonly seconds: number;
  readonly states: number;
  readonly edges: number;
  /** Ours only. */
  readonly depth?: number;
  /** Of table and queue (ours), of everything (SPIN). */
  readonly bytes: number;
  /** Peak resident set of the process, less what it had before the search; ours only. */
  readonly residentBytes?: number;
}
interface Row {
  readonly engine: string;
  readonly seconds: number;
  readonly range: readonly [number, number];
  readonly statesPerSecond: number;
  readonly edgesPerSecond: number;
  readonly bytesPerState: number;
  readonly residentBytesPerState?: number;
  /** How many times as fast as SPIN: the median over the rounds. */
  readonly timesSpin?: number;
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: "string", default: "3" },
    threads: { type: "string", default: "1,2" },
    json: { type: "string" },
    one: { type: "string" },
    /** Two searches of one thread at once: what two cores of this machine give when nothing is shared. */
    capacity: { type: "boolean", default: false },
  },
});

const sizeOf = (name: string): Size => {
  const size = sizeNamed(name);
  if (size !== undefined) return size;
  console.error(`${JSON.stringify(name)} is no size: give ${Object.keys(sizes).join(", ")}, or six numbers from 1 to 9 with commas between them: components, streams, banks, VSpaces, frames, slots`);
  return process.exit(2);
};
const median = (numbers: readonly number[]): number => {
  const sorted = numbers.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
};

/** In a process of its own, so that no search profits from the one before. */
const search = (size: string, threads: number): Sample => {
  const before = process.memoryUsage.rss();
  const { end, states, edges, depth, seconds, memory } = explore(smmuCap(sizeOf(size)), { threads });
  const known = Object.hasOwn(counts, size) ? counts[size as SizeName] : { states, edges, depth };
  if (end !== "exhausted" || states !== known.states || edges !== known.edges || depth !== known.depth)
    throw new Error(`${size} on ${threads} thread(s): ${states} states, ${edges} edges, depth ${depth}; known are ${JSON.stringify(known)}`);
  const residentBytes = process.resourceUsage().maxRSS * 1024 - before;
  return { engine: engineName(threads), seconds, states, edges, depth, bytes: memory.table + memory.queue, residentBytes };
};
const engineName = (threads: number): string => (threads === 1 ? "one thread" : `${threads} threads`);

const apart = async (size: string, threads: number): Promise<Sample> => {
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url), size, "--one", String(threads)], { stdio: ["ignore", "pipe", "inherit"] });
  let text = "";
  child.stdout.on("data", (part: Buffer) => (text += String(part)));
  const code = await new Promise((resolve) => child.once("close", resolve));
  if (code !== 0) throw new Error(`the search of ${size} on ${threads} thread(s) failed`);
  return JSON.parse(text) as Sample;
};

const SPIN = "SPIN breadth-first";
const rowsOf = (samples: readonly Sample[]): Row[] => {
  const spin = samples.filter(({ engine }) => engine === SPIN);
  return [...new Set(samples.map(({ engine }) => engine))].map((engine) => {
    const own = samples.filter((sample) => sample.engine === engine);
    const seconds = median(own.map((sample) => sample.seconds));
    const [{ states, edges }] = own as [Sample];
    const ratios = own.flatMap((sample, index) => (spin.length === 0 ? [] : [spin[Math.floor((index * spin.length) / own.length)]!.seconds / sample.seconds]));
    const resident = own.flatMap(({ residentBytes }) => residentBytes ?? []);
    return {
      engine,
      seconds,
      range: [Math.min(...own.map((sample) => sample.seconds)), Math.max(...own.map((sample) => sample.seconds))],
      statesPerSecond: states / seconds,
      edgesPerSecond: edges / seconds,
      bytesPerState: median(own.map(({ bytes }) => bytes)) / states,
      ...(resident.length === 0 ? {} : { residentBytesPerState: median(resident) / states }),
      ...(ratios.length === 0 || engine === SPIN ? {} : { timesSpin: median(ratios) }),
    };
  });
};

const shown = (row: Row): string =>
  [
    row.engine.padEnd(22),
    `${row.seconds.toFixed(3)} s (${row.range.map((seconds) => seconds.toFixed(2)).join(" to ")})`.padEnd(26),
    `${(row.statesPerSecond / 1e6).toFixed(2)} M states/s`.padEnd(18),
    `${(row.edgesPerSecond / 1e6).toFixed(1)} M edges/s`.padEnd(18),
    `${row.bytesPerState.toFixed(1)} B/state`.padEnd(14),
    row.residentBytesPerState === undefined ? "" : `(${row.residentBytesPerState.toFixed(1)} resident)`,
    row.timesSpin === undefined ? "" : ` ${row.timesSpin.toFixed(1)} times SPIN`,
  ].join(" ");

const bench = async (size: string, rounds: number, threads: readonly number[], folder: string) => {
  const parameters = sizeOf(size);
  const { states, edges, depth } = Object.hasOwn(counts, size) ? counts[size as SizeName] : await apart(size, 1);
  const verifier = buildVerifier(promela(parameters), folder, Math.max(16, Math.ceil(Math.log2(states))));
  console.log(`${size}: ${states} states, ${edges} edges, depth ${depth}, ${rounds} round(s)${verifier === undefined ? "; no SPIN here (Debian packages spin and gcc), so no ratio" : `, beside ${verifier.version}`}`);
  const samples: Sample[] = [];
  for (let round = 0; round < rounds; round++) {
    if (verifier !== undefined) {
      const run = verifier.run();
      // SPIN prints large numbers with eight digits.
      if (run.states !== states || Math.abs(run.edges - edges) > edges / 1e7) throw new Error(`SPIN finds ${run.states} states and ${run.edges} edges: the models differ`);
      samples.push({ engine: SPIN, ...run });
    }
    for (const count of threads) samples.push(await apart(size, count));
    const other = samples.find((sample) => sample.engine !== SPIN && (sample.states !== states || sample.edges !== edges || sample.depth !== depth));
    if (other !== undefined) throw new Error(`${other.engine} finds ${other.states} states, ${other.edges} edges, depth ${other.depth}`);
    if (values.capacity) samples.push(...(await Promise.all([apart(size, 1), apart(size, 1)])).map((sample) => ({ ...sample, engine: "each of two at once" })));
  }
  const rows = rowsOf(samples);
  for (const row of rows) console.log(`  ${shown(row)}`);
  return { size, parameters, states, edges, depth, rounds, spin: verifier?.version ?? null, rows, samples };
};

if (values.one === undefined) {
  const folder = mkdtempSync(join(tmpdir(), "cofferdam-bench-"));
  try {
    const results = [];
    for (const name of positionals.length === 0 ? ["M", "L"] : positionals) results.push(await bench(name, Number(values.rounds), values.threads.split(",").map(Number), folder));
    if (values.json !== undefined) {
      mkdirSync(dirname(values.json), { recursive: true });
      writeFileSync(values.json, `${JSON.stringify({ format: "cofferdam-bench", version: 1, node: process.version, cpu: cpus()[0]?.model, cores: cpus().length, results }, undefined, 2)}\n`);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
} else console.log(JSON.stringify(search(positionals[0] ?? "", Number(values.one))));
