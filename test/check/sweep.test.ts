import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { contains, scopesIn } from "../../src/check/sweep.ts";
import { parseSweep, type SweepRow } from "../../src/cli/commands/sweep.ts";
import { defaultScope, type Scope } from "../../src/system/scale.ts";

const root = join(import.meta.dirname, "../..");
const run = (...args: string[]) => spawnSync(process.execPath, [join(root, "src/cli/main.ts"), "check", ...args], { cwd: root, encoding: "utf8", env: { ...process.env, NO_COLOR: "1" } });
const example = "specs/systems/one-driver/system.yaml";

describe("the scopes of a sweep", () => {
  it("are all that the ranges give, smallest first, each no smaller than what it is said to contain", () => {
    const scopes = scopesIn({ pages: { first: 1, last: 3 }, slots: { first: 0, last: 2 } }, defaultScope);
    expect(scopes).toHaveLength(9);
    expect(new Set(scopes.map((scope) => JSON.stringify(scope))).size).toBe(9);
    expect(scopes[0]).toEqual({ ...defaultScope, pages: 1, slots: 0 });
    expect(scopes.at(-1)).toEqual({ ...defaultScope, pages: 3, slots: 2 });
    for (const [index, scope] of scopes.entries()) for (const later of scopes.slice(index + 1)) expect(contains(scope, later)).toBe(false);
  });

  it("are refused where they are none, empty or too many", () => {
    const of = (text: string) => parseSweep(text, defaultScope) as { readonly message: string };
    expect(parseSweep("slots=2", defaultScope)).toEqual([{ ...defaultScope, slots: 2 }]);
    expect(of("slots").message).toContain("is no range");
    expect(of("slots=1..").message).toContain("is no range");
    expect(of("slots=-1..2").message).toContain("is no range");
    expect(of("slts=1..2").message).toContain("no `slts`");
    expect(of("constructor=1..2").message).toContain("no `constructor`");
    expect(of("slots=2..1").message).toContain("empty range");
    expect(of("slots=1..2,slots=3").message).toContain("twice");
    expect(of("pages=0..2").message).toContain("pages=0");
    expect(of("pages=1..999,slots=0..999").message).toContain("too many");
  });
});

describe("check --sweep", () => {
  const rows = (text: string): readonly SweepRow[] => JSON.parse(text) as SweepRow[];
  const scopeOf = ({ slots, children }: Scope) => ({ slots, children });

  it("gives a row for each scope, tries nothing beyond one that met a bound, and exits 3", () => {
    const { status, stdout } = run(example, "--sweep", "slots=0..1,children=0..1", "--max-states", "20000", "--json");
    expect(status).toBe(3);
    const found = rows(stdout);
    expect(found.map(({ scope, result }) => ({ ...scopeOf(scope), result }))).toEqual([
      { slots: 0, children: 0, result: "holds" },
      { slots: 0, children: 1, result: "holds" },
      { slots: 1, children: 0, result: "inconclusive" },
      { slots: 1, children: 1, result: "not tried" },
    ]);
    expect(found[1]).toMatchObject({ states: 6976, transitions: 43_520, depth: 12, end: "exhausted" });
  });

  it("exits 0 where all hold and says what that is not, 1 where one is violated, 2 for what it cannot take", () => {
    const fine = run(example, "--sweep", "children=0..1", "--scope", "slots=0");
    expect(fine.status).toBe(0);
    expect(fine.stdout).toMatch(/^scope +states +transitions +depth +seconds +result\npages=1,slots=0,children=0,addresses=1 +6,976 +43,520 +12 +[\d.]+ +holds\n/);
    expect(fine.stdout).toContain("2 of 2 scopes were exhausted and hold.\nNot covered: every scope that is not in the table");
    const broken = run(example, "--sweep", "slots=0..1", "--mutant", "unbind-clears-ste", "--json", "--max-states", "2000");
    expect(broken.status).toBe(1);
    expect(rows(broken.stdout)[0]).toMatchObject({ result: "violated", violated: ["fail-closed", "refinement"], depth: 3 });
    for (const args of [["--sweep", "slots=x"], ["--sweep", "slots=0..1", "--out", "somewhere"], ["--sweep", "slots=0..1", "--max-states", "0"]]) expect(run(example, ...args)).toMatchObject({ status: 2, stdout: "" });
  });
});
