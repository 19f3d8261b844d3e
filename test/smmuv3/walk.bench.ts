/**
 * A warm translation by both walkers, on tables as Linux makes them: every run walks the 25 mapped pages forty times, so a
 * mean of 1 ms is 1 µs for each walk. Run by `vitest bench`.
 */
import { describe, expect, it } from "vitest";
import { laneMemory } from "../../src/smmuv3/laneMemory.ts";
import { compileRegime } from "../../src/smmuv3/laneRegime.ts";
import { ANSWER_LANES, TRANSLATED, walkLanes } from "../../src/smmuv3/laneWalk.ts";
import { bigintWalk } from "./bigintWalk.ts";
import { linuxMachine, linuxPages, type Stages } from "./linuxTables.ts";

const ROUNDS = 40;
const WALKS = ROUNDS * linuxPages.length;
const NAMES: Readonly<Record<Stages, string>> = { s1: "stage 1, four levels", s2: "stage 2, four levels", nested: "both stages, four levels each" };

/** One run of either walker; it counts what was translated. */
const walkers = (stages: Stages) => {
  const { image, regime } = linuxMachine(stages);
  const [memory, compiled, into] = [laneMemory({ image }), compileRegime(regime), new Int32Array(ANSWER_LANES)];
  const addresses = linuxPages.map(([iova]) => iova + 0x40n);
  const lows = Int32Array.from(addresses, (address) => Number(BigInt.asIntN(32, address)));
  const lanes = (): number => {
    let translated = 0;
    for (let round = 0; round < ROUNDS; round++) for (let at = 0; at < lows.length; at++) if (walkLanes(memory, compiled, 0, lows[at]!, 0, into) === TRANSLATED) translated++;
    return translated;
  };
  const bigints = (): number => {
    let translated = 0;
    for (let round = 0; round < ROUNDS; round++) for (const address of addresses) if (bigintWalk(image.read, regime, address, { op: "read" }).said.fault === TRANSLATED) translated++;
    return translated;
  };
  return { lanes, bigints };
};

describe(`${WALKS} warm walks`, () => {
  for (const stages of ["s1", "s2", "nested"] as const)
    it(NAMES[stages], async ({ bench }) => {
      const { lanes, bigints } = walkers(stages);
      expect([lanes(), bigints()]).toEqual([WALKS, WALKS]);
      const result = await bench.compare(
        bench("lanes", () => void lanes()),
        bench("bigints", () => void bigints()),
      );
      const each = (name: "lanes" | "bigints"): number => (result.get(name).latency.p50 * 1e6) / WALKS;
      console.log(`${NAMES[stages]}: ${each("lanes").toFixed(0)} ns on lanes, ${each("bigints").toFixed(0)} ns on bigints: ${(each("bigints") / each("lanes")).toFixed(0)} times`);
      expect(each("lanes")).toBeLessThan(1000);
    });
});
