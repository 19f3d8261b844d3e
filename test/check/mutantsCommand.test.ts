import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { mutantResult } from "../../src/check/mutantResult.ts";
import { type Mutant, mutants } from "../../src/check/mutants.ts";
import type { VerdictViolation } from "../../src/check/verdict.ts";

const root = join(import.meta.dirname, "../..");
const run = (...args: string[]) => spawnSync(process.execPath, [join(root, "src/cli/main.ts"), "check", ...args], { cwd: root, encoding: "utf8", env: { ...process.env, NO_COLOR: "1" } });

describe("what a check of a broken kernel came to", () => {
  const mutant: Mutant = mutants.find(({ without }) => without === "unbind-clears-ste")!;
  const broken = (property: string, length?: number): VerdictViolation => ({ property, sentence: "", message: "", ...(length === undefined ? {} : { length }) });
  const of = (...violations: readonly VerdictViolation[]) => mutantResult(mutant, { violations, end: "violated" }).result;

  it("is as expected, otherwise, or nothing", () => {
    expect(of(broken("fail-closed", 3), broken("refinement", 3))).toBe("as expected");
    expect(of(broken("fail-closed", 3))).toBe("caught otherwise");
    expect(of(broken("fail-closed", 4), broken("refinement", 4))).toBe("caught otherwise");
    expect(of()).toBe("missed");
    // A path that never opens is no property that caught the kernel.
    expect(of(broken("intended-dma"))).toBe("missed");
  });
});

describe("check --mutants", () => {
  it("runs every broken kernel of a system and says which property caught it, in how many invocations", () => {
    const { status, stdout } = run("--mutants", "--system", "shared-config", "--json");
    const expected = mutants.filter(({ system }) => system === "shared-config");
    expect(expected.length).toBeGreaterThan(1);
    expect(JSON.parse(stdout)).toEqual(expected.map(({ without, system, caughtBy, length }) => {
      const caught = caughtBy.map((property) => ({ property, length }));
      return { without, system, expected: caught, found: caught, result: "as expected", end: "violated" };
    }));
    expect(status).toBe(0);
    const text = run("--mutants", "--system", "two-spaces");
    expect(text).toMatchObject({ status: 0, stderr: "" });
    expect(text.stdout).toMatch(/^caught {2}ste-words-before-config on two-spaces: dma-integrity in 4, no-stale in 4\n/);
    expect(text.stdout).toContain("1 of 1 broken kernels were caught.");
  });

  it("takes no spec and no system without a broken kernel", () => {
    expect(run("specs/systems/one-driver/system.yaml", "--mutants")).toMatchObject({ status: 2, stdout: "" });
    expect(run("--mutants", "--system", "nowhere").stderr).toContain("one-driver, two-cards, shared-config, two-spaces, self-service, large-frames");
  });
});
