import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Diagnostic } from "../../../src/base/diagnostic.ts";
import type { Explorable } from "../../../src/check/search/breadth.ts";
import { bootAt, checkLayout } from "../../../src/check/check.ts";
import { replay } from "../../../src/check/traces/replay.ts";
import { bestFirst } from "../../../src/check/strategies/bestFirst.ts";
import { type Goal, parseGoal } from "../../../src/check/strategies/goals.ts";
import { findWitnesses, goalNames, judgedByGoal, propertyOf, type WitnessOptions } from "../../../src/check/strategies/witness.ts";
import { cofferdam, mutantOf } from "../../../src/kernel/profile.ts";
import { planSystem } from "../../../src/system/plan.ts";
import { defaultScope } from "../../../src/system/scale.ts";

const root = join(import.meta.dirname, "../../..");
const layoutOf = (name: string) => {
  const file = join(root, `specs/systems/${name}/system.yaml`);
  return planSystem({ specText: readFileSync(file, "utf8"), specFile: file, readBoard: (board) => readFileSync(resolve(dirname(file), board)) }).value!.layout;
};
const layout = layoutOf("one-driver");
const small = { ...defaultScope, slots: 0, children: 1 };
const names = goalNames(layout, {});
const goalOf = (text: string, given = names): Goal => {
  const goal = parseGoal(text, given);
  if ("id" in goal) throw new Error(goal.message);
  return goal;
};
const faultOf = (text: string): Diagnostic => parseGoal(text, names) as Diagnostic;
const find = (texts: readonly string[], options: WitnessOptions = {}, of = layout) => findWitnesses(of, texts.map((text) => goalOf(text, goalNames(of, options))), options);

describe("best-first search", () => {
  /** A line of numbers with a jump; each wish wants one number. */
  const line = (size: number): Explorable => ({
    words: 1,
    initial: Uint32Array.of(0),
    expand: (states, at, visit) => {
      for (const [ordinal, to] of [states[at]! + 1, states[at]! + 10].entries()) if (to < size) visit(Uint32Array.of(to), ordinal, 1);
    },
    judge: () => 0,
  });
  const bounds = { states: 1e6, depth: 1e3, seconds: 60 };
  const wish = (number: number, guided = true) => ({ guided, distance: (states: Uint32Array, at: number) => Math.abs(states[at]! - number) });
  const walk = (ordinals: readonly number[] | undefined) => ordinals?.reduce((at, ordinal) => at + [1, 10][ordinal]!, 0);

  it("reaches every wish that can be reached, by a path that leads there, however misleading the distance", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(120), { minLength: 1, maxLength: 4 }), fc.boolean(), async (numbers, guided) => {
        const wrong = numbers.map((number) => ({ guided, distance: (states: Uint32Array, at: number) => (states[at] === number ? 0 : 200 - Math.abs(states[at]! - number)) }));
        const { end, paths } = await bestFirst(line(100), wrong, bounds);
        expect(paths.map(walk)).toEqual(numbers.map((number) => (number < 100 ? number : undefined)));
        expect(end).toBe(numbers.every((number) => number < 100) ? "reached" : "exhausted");
      }),
      { numRuns: 60 },
    );
  });

  it("gets there through fewer states with a distance than without, and names the bound that it hits", async () => {
    const grid: Explorable = {
      words: 2,
      initial: Uint32Array.of(0, 0),
      expand: (states, at, visit) => {
        visit(Uint32Array.of(states[at]! + 1, states[at + 1]!), 0, 1);
        visit(Uint32Array.of(states[at]!, states[at + 1]! + 1), 1, 1);
      },
      judge: () => 0,
    };
    const missing = (states: Uint32Array, at: number) => Math.abs(states[at]! - 40) + Math.abs(states[at + 1]! - 40);
    const guided = await bestFirst(grid, [{ guided: true, distance: missing }], bounds);
    const blind = await bestFirst(grid, [{ guided: true, distance: (states, at) => Number(missing(states, at) > 0) }], bounds);
    expect([guided.end, blind.end]).toEqual(["reached", "reached"]);
    expect(guided.states).toBeLessThan(blind.states / 5);
    expect((await bestFirst(line(2000), [wish(1500)], { ...bounds, states: 20 })).end).toBe("states");
    // Whatever is cut off by the depth was not looked at.
    expect((await bestFirst(line(2000), [wish(1500)], { ...bounds, depth: 20 })).end).toBe("depth");
    expect((await bestFirst(line(2000), [wish(1500)], bounds, () => false)).end).toBe("interrupted");
  });
});

describe("goals", () => {
  it("that cannot be read say what was meant, and what there is", () => {
    expect(faultOf("performd ARMSIDBindCB").message).toContain("did you mean `performed`");
    expect(faultOf("performed ARMSIDBindC").message).toContain("did you mean `ARMSIDBindCB`");
    expect(faultOf("performed ARMSIDGetFault").message).toContain("is not tried, since it changes nothing");
    expect(faultOf("refused CNodeCopy").hint).toContain("seL4_DeleteFirst");
    expect(faultOf("refused CNodeCopy seL4_DeleteFist").message).toContain("did you mean `seL4_DeleteFirst`");
    expect(faultOf("refused CNodeCopy seL4_FailedLookup: the source is green").hint).toContain("#1 the destination root is no CNode");
    expect(faultOf("refused CNodeCopy seL4_FailedLookup #99").hint).toContain("#1 ");
    expect(faultOf("path nic-driver.nc ring").message).toContain("did you mean `nic-driver.nic`");
    expect(faultOf("path nic-driver.nic rong").message).toContain("did you mean `ring`");
    expect(faultOf("path nic-driver.nic secrets").message).toContain("intends no such path");
    expect(faultOf("violates no-danglin").message).toContain("did you mean `no-dangling`");
    for (const text of ["", " ", "performed", "\u001b[2J"]) expect(faultOf(text)).toMatchObject({ id: "bad-goal" });
    expect(faultOf("\u001b[2J").message).not.toContain("\u001b");
    expect(goalOf("refused CNodeCopy seL4_FailedLookup #1").name).toBe("refused CNodeCopy seL4_FailedLookup: the destination root is no CNode");
  });

  it("have the words in which a verdict says what it never reached", () => {
    const { unreachedOperations, unreachedRefusals, intendedPaths } = checkLayout(layoutOf("two-vms"), { bounds: { states: 50 } });
    const two = goalNames(layoutOf("two-vms"), {});
    const texts = [...unreachedOperations.map((label) => `performed ${label}`), ...unreachedRefusals.map((line) => `refused ${line}`), ...intendedPaths.unreached.map((path) => `path ${path}`)];
    expect(texts.length).toBeGreaterThan(60);
    for (const text of texts) expect(goalOf(text, two).name).toBe(text);
  });

  it("of any text whatever are goals or one diagnostic", () => {
    fc.assert(fc.property(fc.oneof(fc.string(), fc.string().map((text) => `refused CNodeCopy ${text}`), fc.string().map((text) => `path ${text}`)), (text) => void parseGoal(text, names)));
  });
});

describe("witnesses", () => {
  const texts = [
    "performed ARMPageTableMap",
    "refused ARMSIDBindCB seL4_DeleteFirst",
    "refused ARMPageTableMap seL4_TruncatedMessage",
    "refused CNodeCopy seL4_RevokeFirst: an untyped with children cannot be copied",
    "path nic-driver.nic write ring",
    "performed ARMPageUnmap",
  ];

  it("are traces that replay to the goal, and to no other", async () => {
    const { goals, end } = await find(texts);
    expect({ end, results: goals.map(({ result }) => result) }).toEqual({ end: "reached", results: texts.map(() => "reached") });
    const scaled = bootAt(layout, cofferdam, { scope: defaultScope });
    for (const [index, { trace, goal }] of goals.entries()) {
      expect(trace!.property).toBe(goal);
      expect(replay(scaled, judgedByGoal(trace!, layout, cofferdam)!, trace!, trace!.final)).toMatchObject({ result: "violated" });
      const other = goalOf(texts[(index + 1) % texts.length]!);
      if (other.is !== "path") expect(replay(scaled, propertyOf(other, trace!.steps.at(-1)), trace!)).toEqual({ result: "holds" });
    }
    const [made, bound] = goals;
    expect(made!.trace!.steps.map(({ op }) => op)).toEqual(["UntypedRetype", "ARMPageTableMap"]);
    expect(bound!.trace!.steps.map(({ op, result }) => `${op} ${result}`)).toEqual(["ARMCBAssignVspace seL4_NoError", "ARMSIDBindCB seL4_NoError", "ARMSIDBindCB seL4_DeleteFirst"]);
    expect(goals[5]!.trace!.steps).toHaveLength(1);
  });

  it("to a violation are the same for the same input", async () => {
    const profile = mutantOf(cofferdam, "unmap-invalidates");
    const [one, other] = [await find(["violates no-dangling"], { profile }), await find(["violates no-dangling"], { profile })];
    expect(one).toEqual(other);
    expect(one.goals[0]).toMatchObject({ result: "reached", trace: { property: "no-dangling" } });
  });

  it("of what this scope has none say so only where all of it was looked at", async () => {
    // Without a free slot no table can be made, and the one at boot is mapped.
    const impossible = ["performed ARMPageTableMap", "performed ARMSIDBindCB"];
    const all = await find(impossible, { scope: small });
    expect(all.end).toBe("exhausted");
    expect(all.goals.map(({ result }) => result)).toEqual(["unreachable", "reached"]);
    expect(all.states).toBe(checkLayout(layout, { scope: small }).states);
    const some = await find(impossible, { scope: small, bounds: { states: 500 } });
    expect(some.goals.map(({ result }) => result)).toEqual(["not reached", "reached"]);
    expect((await find(impossible, { scope: small, bounds: { depth: 3 } })).goals[0]!.result).toBe("not reached");
  });

  it("`unreached` stands for what a short run does not reach", async () => {
    const { goals } = await findWitnesses(layout, ["unreached", goalOf("performed ARMSIDBindCB")], { scope: small, bounds: { states: 50 } });
    const { unreachedOperations, unreachedRefusals } = checkLayout(layout, { scope: small });
    const open = goals.map(({ goal }) => goal);
    // Those that no run reaches are among them, and what was given besides is no part of it.
    expect(open).toEqual(expect.arrayContaining([...unreachedOperations.map((label) => `performed ${label}`), ...unreachedRefusals.map((line) => `refused ${line}`)]));
    expect(goals.at(-1)).toMatchObject({ goal: "performed ARMSIDBindCB", result: "reached" });
  });

  it("open a path in a system of which a short run sees little", async () => {
    const { goals, states } = await find(["path vm-b.net write ram-b", "performed ARMPageTableUnmap"], {}, layoutOf("two-vms"));
    expect(goals.map(({ result }) => result)).toEqual(["reached", "reached"]);
    expect(states).toBeLessThan(2000);
  });
});

describe("cofferdam witness", () => {
  const example = "specs/systems/one-driver/system.yaml";
  const run = (...args: readonly string[]) => spawnSync(process.execPath, ["src/cli/main.ts", ...args], { cwd: root, encoding: "utf8" });
  const out = mkdtempSync(join(tmpdir(), "witness-"));

  it("writes a trace that replay reaches the goal with, exit 0", () => {
    const found = run("witness", example, "--goal", "refused ARMPageTableMap seL4_TruncatedMessage", "--goal", "performed ARMSIDBindCB", "--out", out);
    expect(found).toMatchObject({ status: 0, stderr: "" });
    expect(found.stdout).toMatch(/^REACHED {2}refused ARMPageTableMap/);
    expect(readdirSync(out).toSorted()).toEqual(["witness-1.json", "witness-2.json", "witnesses.json"]);
    for (const flags of [[], ["--whole"]]) expect(run("replay", example, join(out, "witness-1.json"), ...flags)).toMatchObject({ status: 0, stdout: expect.stringMatching(/^REACHED {2}refused ARMPageTableMap/) as string });
    const changed = join(out, "changed.json");
    writeFileSync(changed, readFileSync(join(out, "witness-2.json"), "utf8").replace('"property": "performed ARMSIDBindCB"', '"property": "performed ARMPageMap"'));
    expect(run("replay", example, changed)).toMatchObject({ status: 1, stdout: expect.stringMatching(/^DIVERGED/) as string });
    expect(run("replay", example, join(out, "witness-1.json"), "--minimise").status).toBe(2);
    expect(run("export", join(out, "witness-1.json"), "--as", "sarif").status).toBe(2);
    expect(run("export", join(out, "witness-1.json"), "--as", "mermaid").status).toBe(0);
  });

  it("exits 1 for what cannot be at this scope, 3 for what a bound left open, 2 for a goal that is none", () => {
    const none = run("witness", example, "--scope", "slots=0,children=1", "--goal", "performed ARMPageTableMap");
    expect(none).toMatchObject({ status: 1, stdout: expect.stringMatching(/^UNREACHABLE {2}at this scope/) as string });
    const open = run("witness", example, "--goal", "performed ARMASIDPoolAssign", "--max-states", "100");
    expect(open).toMatchObject({ status: 3, stdout: expect.stringMatching(/^NOT REACHED/) as string });
    expect(open.stdout).not.toContain("UNREACHABLE");
    expect(run("witness", example, "--goal", "performed ARMSIDBindC", "--goal", "x")).toMatchObject({ status: 2, stdout: "", stderr: expect.stringMatching(/^error \[bad-goal\][^]*\nerror \[bad-goal\]/) as string });
    expect(run("witness", example).status).toBe(2);
  });
});
