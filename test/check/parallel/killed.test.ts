/** Runs of several threads that are killed or interrupted from outside, and go on. */
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pass } from "node:timers/promises";
import { afterAll, describe, expect, it } from "vitest";
import type { Verdict } from "../../../src/check/verdict.ts";

const root = join(import.meta.dirname, "../../..");
const folder = mkdtempSync(join(tmpdir(), "cofferdam-killed-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const path = (name: string): string => join(folder, name);

describe("the command", () => {
  const flags = ["check", "specs/systems/one-driver/system.yaml", "--scope", "children=0"];
  const main = join(root, "src/cli/main.ts");
  const run = (...args: string[]) => spawnSync(process.execPath, [main, ...flags, "--json", ...args], { cwd: root, encoding: "utf8" });
  /** Stopped some time after a first checkpoint was kept. */
  const stopped = async (file: string, workers: number, later: number, signal: NodeJS.Signals) => {
    const child = spawn(process.execPath, [main, ...flags, "--workers", String(workers), "--checkpoint", file, "--checkpoint-seconds", "0"], { cwd: root, stdio: "ignore" });
    const gone = new Promise<{ code: number | null; signal: string | null }>((resolve) => child.once("exit", (code, by) => resolve({ code, signal: by })));
    while (child.exitCode === null && !existsSync(file)) await pass(5);
    await pass(later);
    child.kill(signal);
    return gone;
  };
  const whole = JSON.parse(run().stdout) as Verdict;

  it.each([
    [2, 3, 60],
    [3, 1, 20],
    [1, 2, 0],
  ])("%s threads that are killed with -9 are gone on with by %s", async (first, then, later) => {
    const file = path(`killed-${first}`);
    expect(await stopped(file, first, later, "SIGKILL")).toMatchObject({ signal: "SIGKILL" });
    const resumed = run("--resume", file, "--workers", String(then));
    expect(resumed.status).toBe(0);
    expect(JSON.parse(resumed.stdout)).toEqual(whole);
  });

  it("an interrupt keeps the run of two threads, and exits 130", async () => {
    const file = path("interrupted");
    expect(await stopped(file, 2, 0, "SIGINT")).toEqual({ code: 130, signal: null });
    expect(statSync(file).size).toBeGreaterThan(1000);
  });
});
