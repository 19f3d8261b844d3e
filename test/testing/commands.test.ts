import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { bootAt } from "../../src/check/check.ts";
import { createModel } from "../../src/check/model.ts";
import { mutants } from "../../src/check/mutants.ts";
import { properties } from "../../src/check/properties/properties.ts";
import { acceptedFor, exploredUnder, OMITTED } from "../../src/check/random.ts";
import { replay } from "../../src/check/traces/replay.ts";
import { sampleOrder } from "../../src/cli/commands/sample.ts";
import { readTrace } from "../../src/cli/traceFile.ts";
import { verdictText } from "../../src/cli/verdictText.ts";
import { cofferdam, mutantOf } from "../../src/kernel/profile.ts";
import { defaultScope } from "../../src/system/scale.ts";
import { checkRandomly } from "../../src/testing/checkRandomly.ts";
import { invocationCommands, walkOf } from "../../src/testing/commands.ts";
import { readReplayText, replayText } from "../../src/testing/replayText.ts";
import { ForeignWalk } from "../../src/testing/sample.ts";
import { layoutOf } from "../kernel/fixture.ts";

const RUNS = 400;
const SEED = 2;

describe("what random walks find", () => {
  for (const mutant of mutants.filter(({ length }) => length <= 6)) {
    it(`${mutant.without}, within ${RUNS} walks, and the trace and the string reproduce it`, async () => {
      const layout = layoutOf(mutant.system);
      const scope = { ...defaultScope, ...mutant.scope };
      const profile = mutantOf(cofferdam, mutant.without);
      const verdict = await checkRandomly(layout, { scope, profile, runs: RUNS, seed: SEED });
      expect(verdict).toMatchObject({ result: "violated", end: "violated" });
      const { drawn, replay: text } = verdict.sampled!.failed!;
      for (const { trace, length, property: name } of verdict.violations) {
        expect(length).toBeGreaterThanOrEqual(mutant.length);
        expect(length).toBeLessThanOrEqual(drawn);
        const read = readTrace(JSON.stringify(trace), "trace").value!;
        expect(read.seed).toBe(text);
        const property = properties.find((candidate) => candidate.name === name)!;
        expect(replay(bootAt(layout, profile, { scope }), property, read, read.final).result).toBe("violated");
        expect(replay(bootAt(layout, cofferdam, { scope }), property, read).result).not.toBe("violated");
      }
      const again = await checkRandomly(layout, { scope, profile, replay: readReplayText(text)! });
      expect(again.sampled).toMatchObject({ walks: 1, failed: { replay: text } });
      expect(again.violations).toEqual(verdict.violations);
    });
  }

  it("no walk violates a property of cofferdam, scaled or whole", async () => {
    const scaled = await checkRandomly(layoutOf("one-driver"), { runs: 60, seed: SEED });
    const whole = await checkRandomly(layoutOf("two-vms"), { runs: 20, seed: SEED, whole: true });
    for (const verdict of [scaled, whole]) expect(verdict).toMatchObject({ result: "inconclusive", end: "sampled", violations: [] });
    expect(verdictText(scaled)).toMatch(/^INCONCLUSIVE {2}one-driver: 60 random walk\(s\) met no violation\. A sample is no proof/);
    expect(verdictText(whole)).toContain("Scope: the whole layout, unscaled");
    expect(scaled.properties.map(({ result }) => result)).toEqual(properties.map(() => "undecided"));
    // Every walk is counted, and most of it is accepted.
    expect(scaled.coverage.reduce((sum, { performed }) => sum + performed, 0)).toBe(scaled.transitions);
    expect(scaled.coverage.reduce((sum, { refused }) => sum + refused.reduce((all, { count }) => all + count, 0), 0)).toBe(scaled.sampled!.refused);
    expect(scaled.transitions).toBeGreaterThan(3 * scaled.sampled!.refused);
    expect(scaled.sampled!.refused).toBeGreaterThan(0);
    expect(scaled.states).toBeLessThanOrEqual(scaled.transitions + 1);
    expect(whole.intendedPaths.unreached).toEqual([]);
  });

  it("a trace that was found on the whole layout says so and replays there", async () => {
    const layout = layoutOf("two-vms");
    const profile = mutantOf(cofferdam, "unbind-clears-ste");
    const { trace } = (await checkRandomly(layout, { profile, whole: true, seed: SEED })).violations[0]!;
    const read = readTrace(JSON.stringify(trace), "trace").value!;
    expect(read.model.whole).toBe(true);
    const property = properties.find(({ name }) => name === read.property)!;
    expect(replay(bootAt(layout, profile, read.model), property, read, read.final).result).toBe("violated");
  });

  it("the same seed gives the same verdict, and another seed other walks", async () => {
    const verdict = (seed: number) => checkRandomly(layoutOf("one-driver"), { runs: 25, seed });
    expect(await verdict(3)).toEqual(await verdict(3));
    expect((await verdict(3)).coverage).not.toEqual((await verdict(4)).coverage);
  });

  it("an interrupt keeps what was walked", async () => {
    const verdict = await checkRandomly(layoutOf("one-driver"), { runs: 100 }, ({ walks }) => walks < 10);
    expect(verdict).toMatchObject({ result: "inconclusive", end: "interrupted", sampled: { walks: 10, runs: 100 } });
  });
});

describe("invocations as commands", () => {
  const booted = bootAt(layoutOf("one-driver"), cofferdam, { scope: defaultScope });
  const model = createModel(booted, properties);

  it("nearly every command does something", () => {
    let commands = 0;
    let performed = 0;
    const walk = (list: Iterable<fc.Command<ReturnType<typeof walkOf>["model"], typeof model>>) => {
      const { model: state } = walkOf(model);
      fc.modelRun(() => ({ model: state, real: model }), list);
      performed += state.performed.length;
      commands += [...list].length;
    };
    fc.assert(fc.property(invocationCommands(booted, { refused: 0, length: 20 }), walk), { seed: SEED, numRuns: 40 });
    expect(performed / commands).toBeGreaterThan(0.95);
  });

  it("fast-check tells what a walk did when a property fails", () => {
    const broken = bootAt(layoutOf("one-driver"), mutantOf(cofferdam, "unbind-clears-ste"), { scope: defaultScope });
    const mutant = createModel(broken, properties);
    const run = () => fc.assert(fc.property(invocationCommands(broken), (list) => fc.modelRun(() => walkOf(mutant), list)), { seed: SEED, numRuns: 200 });
    expect(run).toThrow(/nic-driver ARMSIDBindCB[\s\S]*replayPath=/);
  });

  it("prefer what a guide says was performed least, and leave out what it omits", () => {
    const definitions = exploredUnder(cofferdam);
    const drawn = (guide: readonly number[]) =>
      Array.from({ length: 60 }, (_, number) => acceptedFor(model, guide, { actor: 0, kind: "any", number: number * 7919 }, model.initial, [])!.definition.label);
    const share = (labels: readonly string[]) => labels.filter((label) => label === "CNodeCopy").length;
    const even = drawn(definitions.map(() => 10));
    const least = drawn(definitions.map(({ label }) => (label === "CNodeCopy" ? 2 : 10)));
    const omitted = drawn(definitions.map(({ label }) => (label === "CNodeCopy" ? OMITTED : 10)));
    expect(share(least)).toBeGreaterThan(2 * share(even));
    expect(share(omitted)).toBe(0);
  });
});

describe("the string that reproduces a walk", () => {
  it("reads back what was written, and nothing else", () => {
    const walk = { seed: -5, length: 50, guide: [0, 7, OMITTED], path: "3:0:12", replayPath: "Bk:F" };
    expect(readReplayText(replayText(walk))).toEqual(walk);
    for (const bad of ["", "1.50", "1.50.0.99:1.B:F", "1.5000.0.1:1.B:F", "1.50.0.1:1.B", "x.50.0.1.B:F", `1.50.0.1${":1".repeat(1001)}.B:F`]) expect(readReplayText(bad)).toBeUndefined();
  });

  it("of another system is refused", async () => {
    const guide = exploredUnder(cofferdam).map(() => 0);
    const foreign = (walk: object) => checkRandomly(layoutOf("one-driver"), { replay: { seed: 1, length: 5, guide, path: "0:9:9:9", replayPath: ":", ...walk } });
    await expect(foreign({})).rejects.toThrow(ForeignWalk);
    await expect(foreign({ guide: [1] })).rejects.toThrow(ForeignWalk);
  });
});

describe("flags of random walks", () => {
  const flags = { strategy: "random", runs: undefined, length: undefined, seed: undefined, whole: false, replay: undefined } as const;
  it("are read strictly", () => {
    expect(sampleOrder(flags)).toEqual({ runs: 400, length: 50, seed: 1, whole: false });
    expect(sampleOrder({ ...flags, strategy: "exhaustive" })).toBeUndefined();
    const bad = [{ runs: 0 }, { length: 0 }, { length: 1000 }, { seed: -1 }, { replay: "x" }, { replay: "1.50.0.1:1.B:F", runs: 3 }, { strategy: "exhaustive", whole: true }, { strategy: "exhaustive", runs: 3 }] as const;
    for (const wrong of bad) expect(sampleOrder({ ...flags, ...wrong })).toMatchObject({ id: "usage" });
  });
});

describe("check --strategy random", () => {
  const root = join(import.meta.dirname, "../..");
  const folder = mkdtempSync(join(tmpdir(), "cofferdam-random-"));
  afterAll(() => rmSync(folder, { recursive: true }));
  const example = "specs/systems/one-driver/system.yaml";
  const run = (...words: string[]) => spawnSync(process.execPath, [join(root, "src/cli/main.ts"), ...words], { cwd: root, encoding: "utf8" });
  const random = (...words: string[]) => run("check", example, "--strategy", "random", ...words);

  it("exits 3 when nothing was found, and 2 for a string of another system", () => {
    const { status, stdout } = random("--runs", "5");
    expect({ status, head: stdout.slice(0, 12) }).toEqual({ status: 3, head: "INCONCLUSIVE" });
    expect(random("--replay", "1.5.0.0:1.B:F").status).toBe(2);
    expect(run("check", example, "--whole").status).toBe(2);
  });

  it("exits 1 with a shrunk trace, which replay takes, the same bytes every time and by its string", () => {
    const found = (out: string, ...words: string[]) => {
      const { status, stdout } = random("--mutant", "unbind-clears-ste", "--out", join(folder, out), ...words);
      return { status, stdout, trace: readFileSync(join(folder, out, "trace-fail-closed.json"), "utf8") };
    };
    const first = found("first");
    expect(first.status).toBe(1);
    expect(first.stdout).toContain("Shrunk trace");
    expect(found("second").trace).toBe(first.trace);
    const [, text] = /--replay (\S+)/.exec(first.stdout)!;
    expect(found("again", "--replay", text!).trace).toBe(first.trace);
    expect(run("replay", example, join(folder, "first/trace-fail-closed.json")).stdout).toMatch(/^VIOLATED {2}fail-closed/);
  });
});
