/**
 * How fast the kernel model is explored: states a second and bytes a state on one thread, beside the same search with every
 * recipe run anew, in alternated rounds. `node tools/bench/kernel.ts [SYSTEM…] [--states N] [--rounds N] [--json FILE]`.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { parseArgs } from "node:util";
import { bootAt } from "../../src/check/check.ts";
import { breadthFirst, type Explorable } from "../../src/check/search/breadth.ts";
import { createModel, type Model } from "../../src/check/model.ts";
import { properties } from "../../src/check/properties/properties.ts";
import { openSystem } from "../../src/cli/system.ts";
import { cofferdam } from "../../src/kernel/profile.ts";
import { defaultScope } from "../../src/system/scale.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { states: { type: "string", default: "1000000" }, rounds: { type: "string", default: "3" }, json: { type: "string" } },
});
const most = Number(values.states);
const rounds = Number(values.rounds);
const systems = positionals.length > 0 ? positionals : ["two-vms", "one-driver"];

interface Timed {
  readonly states: number;
  readonly edges: number;
  readonly seconds: number;
  readonly startUp: number;
  readonly bytes: number;
}
const median = (numbers: readonly number[]): number => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)]!;

const explored = (make: () => Model, how: (model: Model) => Explorable, states: number): Timed => {
  const begun = performance.now();
  const model = make();
  const startUp = (performance.now() - begun) / 1000;
  globalThis.gc?.();
  const before = process.memoryUsage();
  const started = performance.now();
  const run = breadthFirst(how(model), { states, depth: 1000, seconds: 3600 });
  const seconds = (performance.now() - started) / 1000;
  const after = process.memoryUsage();
  return { states: run.states, edges: run.edges, seconds, startUp, bytes: (after.arrayBuffers + after.heapUsed - before.arrayBuffers - before.heapUsed) / run.states };
};

const report = systems.map((name) => {
  const system = openSystem(`specs/systems/${name}/system.yaml`);
  if (system === undefined) throw new Error(`${name} does not open`);
  const make = (): Model => createModel(bootAt(system.plan.layout, cofferdam, { scope: defaultScope }), properties);
  const known: Timed[] = [];
  const plain: Timed[] = [];
  // Running every recipe is an order of magnitude slower, so it gets fewer states.
  for (let round = 0; round < rounds; round++) {
    known.push(explored(make, ({ collapsed }) => collapsed, most));
    plain.push(explored(make, (model) => ({ ...model, expand: model.expandPlainly }), Math.ceil(most / 10)));
  }
  const rate = median(known.map(({ states, seconds }) => states / seconds));
  const ratio = median(known.map(({ states, seconds }, at) => states / seconds / (plain[at]!.states / plain[at]!.seconds)));
  const [first] = known;
  const model = make();
  process.stdout.write(
    `${name}: ${first!.states} states, ${first!.edges} transitions: ${Math.round(rate)} states a second (${ratio.toFixed(1)} times running every recipe), ` +
      `${Math.round(median(known.map(({ bytes }) => bytes)))} bytes a state (${model.words * 4} packed), start-up ${median(known.map(({ startUp }) => startUp)).toFixed(2)} s\n`,
  );
  return { name, rate, ratio, packedBytes: model.words * 4, rounds: known, plain };
});
if (values.json !== undefined) {
  mkdirSync(dirname(values.json), { recursive: true });
  writeFileSync(values.json, `${JSON.stringify({ format: "cofferdam-kernel-bench", version: 1, rounds, report }, undefined, 2)}\n`);
}
