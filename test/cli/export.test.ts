/** `export`, `replay --minimise` and `check --traces` as a user runs them, and trace files that nobody should trust. */
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseXml } from "@rgrove/parse-xml";
import { afterAll, describe, expect, it } from "vitest";
import { replayTrace } from "../../src/index.ts";
import { propertyNames } from "../../src/check/properties/properties.ts";
import type { Trace } from "../../src/check/traces/trace.ts";
import { diagnosticText } from "../../src/cli/diagnostics.ts";
import { readTrace } from "../../src/cli/traceFile.ts";

const root = join(import.meta.dirname, "../..");
const folder = mkdtempSync(join(tmpdir(), "cofferdam-export-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const node = (cwd: string, ...args: string[]) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8", cwd, env: { ...process.env, NO_COLOR: "1", CI: "true" } });
  return { status, stdout, stderr };
};
const run = (...args: string[]) => node(root, join(root, "src/cli/main.ts"), ...args);
const example = "specs/systems/one-driver/system.yaml";

/** A project of a user: the example with a vault that nobody trusts, which is a break of the spec and not of a mutant. */
const project = join(folder, "project");
cpSync(join(root, "specs/systems"), project, { recursive: true });
const spec = join(project, "one-driver/system.yaml");
const trusting = readFileSync(spec, "utf8");
const untrusting = trusting.replace("trusted: true", "trusted: false");
writeFileSync(spec, untrusting);
const out = join(folder, "out");
const found = run("check", spec, "--out", out);
const traceFile = join(out, "trace-dma-confinement.json");
const trace = JSON.parse(readFileSync(traceFile, "utf8")) as Trace;

describe("check", () => {
  it("tells a violation first in one sentence: who did what, and what a device then reaches", () => {
    expect(found.stdout.split("\n")[2]).toMatch(/^dma-confinement: vault does ARMPageMap \(.*\), then nic-driver does ARMCBAssignVspace \(.*\) and ARMSIDBindCB \(.*\); now a read by stream 0x10 of SMMU 0 at IOVA 0x\w+ reaches 0x\w+: .*secrets of vault/);
  });

  it("--traces gives each trace its file, and a later run leaves none of them", () => {
    const several = join(folder, "several");
    const first = run("check", example, "--mutant", "unbind-clears-ste", "--traces", "2", "--out", several);
    expect(first.status).toBe(1);
    expect(first.stdout.match(/Shortest trace/g)).toHaveLength(2);
    expect(first.stdout.match(/Another trace/g)).toHaveLength(2);
    const files = ["trace-fail-closed-2.json", "trace-fail-closed.json", "trace-refinement-2.json", "trace-refinement.json"];
    expect(readdirSync(several)).toEqual([...files, "verdict.json"]);
    for (const file of files) expect(run("replay", example, join(several, file)).stdout).toMatch(/^VIOLATED/);
    run("check", example, "--mutant", "unbind-clears-ste", "--out", several);
    expect(readdirSync(several)).toEqual(["trace-fail-closed.json", "trace-refinement.json", "verdict.json"]);
    for (const number of ["0", "101", "-1"]) expect(run("check", example, `--traces=${number}`).status, number).toBe(2);
  });
});

describe("export", () => {
  it("a vitest file fails in a user's project while the break is there, and passes when the spec is mended", () => {
    mkdirSync(join(project, "node_modules"));
    symlinkSync(root, join(project, "node_modules/cofferdam"));
    symlinkSync(join(root, "node_modules/vitest"), join(project, "node_modules/vitest"));
    writeFileSync(join(project, "package.json"), '{ "type": "module" }');
    const file = join(project, "test/confinement.test.ts");
    const mine = join(project, "one-driver/mine.yaml");
    writeFileSync(mine, untrusting);
    expect(run("export", traceFile, "--as", "vitest", "--spec", mine, "--out", file)).toEqual({ status: 0, stdout: "", stderr: "" });
    const vitest = () => node(project, join(root, "node_modules/vitest/vitest.mjs"), "run", "--root", project);
    const broken = vitest();
    expect(broken.stdout + broken.stderr).toContain("expected 'violated' not to be 'violated'");
    expect(broken.status).toBe(1);
    // Either mends it: a vault that is trusted, or one that does not hold the driver's address space.
    for (const mended of [trusting, untrusting.replace("      - vspace: nic-driver\n", "")]) {
      expect(mended).not.toBe(untrusting);
      writeFileSync(mine, mended);
      expect(vitest()).toMatchObject({ status: 0, stdout: expect.stringContaining("1 passed") as string });
    }
  });

  it("diagram and ITF go to stdout, or to a file", () => {
    const diagram = run("export", traceFile, "--as", "mermaid");
    expect(diagram).toMatchObject({ status: 0, stderr: "" });
    expect(diagram.stdout).toMatch(/^sequenceDiagram\n {2}participant p0 as vault\n {2}participant p1 as nic-driver\n/);
    const file = join(folder, "new/trace.itf.json");
    expect(run("export", traceFile, "--as", "itf", "--out", file).status).toBe(0);
    expect((JSON.parse(readFileSync(file, "utf8")) as { states: unknown[] }).states).toHaveLength(4);
  });

  it("SARIF and JUnit take a trace or a verdict; the others name what they need", () => {
    const results = (file: string) => (JSON.parse(run("export", file, "--as", "sarif", "--spec", example).stdout) as { runs: { results: { ruleId: string; locations: unknown[] }[] }[] }).runs[0]!.results;
    for (const file of [traceFile, join(out, "verdict.json")]) {
      expect(results(file)).toMatchObject([{ ruleId: "dma-confinement", locations: [{ physicalLocation: { artifactLocation: { uri: example } } }] }]);
    }
    const counts = (file: string) => parseXml(run("export", file, "--as", "junit").stdout).root!.attributes;
    expect(counts(traceFile)).toMatchObject({ tests: "1", failures: "1" });
    expect(counts(join(out, "verdict.json"))).toMatchObject({ tests: String(propertyNames.length), failures: "1", skipped: String(propertyNames.length - 1) });
    for (const format of ["vitest", "mermaid", "itf"]) {
      expect(run("export", join(out, "verdict.json"), "--as", format)).toMatchObject({ status: 2, stdout: "", stderr: expect.stringContaining("is a verdict") as string });
    }
  });

  it("what is no trace or verdict is one diagnostic and exit 2, and writes nothing", () => {
    const file = join(folder, "no.json");
    for (const text of ["{", "[]", "null", '{"format":"cofferdam-verdict"}', '{"format":"cofferdam-trace"}', '{"__proto__":{"format":"cofferdam-verdict"}}']) {
      writeFileSync(file, text);
      const { status, stdout, stderr } = run("export", file, "--as", "junit", "--out", join(folder, "none/report.xml"));
      expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
      expect(stderr.match(/^error/gm)).toHaveLength(1);
    }
    expect(readdirSync(folder)).not.toContain("none");
    expect(run("export", traceFile, "--as", "pdf").status).toBe(2);
    expect(run("export", join(folder, "absent.json"), "--as", "itf").stderr).toContain("file-not-readable");
  });
});

describe("replay --minimise", () => {
  const padded = join(folder, "padded.json");
  const unassign = { ...trace.steps[1]!, op: "ARMCBUnassignVspace", args: { cptr: trace.steps[1]!.args["cptr"]! } };
  writeFileSync(padded, JSON.stringify({ ...trace, steps: [trace.steps[0], trace.steps[1], unassign, trace.steps[1], trace.steps[2]] }));

  it("gives a trace that replays, with only what is needed", () => {
    const file = join(folder, "short.json");
    const { status, stdout } = run("replay", spec, padded, "--minimise", "--out", file);
    expect(status).toBe(1);
    expect(stdout).toContain("3 of 5 invocation(s) are needed:");
    expect((JSON.parse(readFileSync(file, "utf8")) as Trace).steps.map(({ op }) => op).toSorted()).toEqual(trace.steps.map(({ op }) => op).toSorted());
    expect(run("replay", spec, file).stdout).toMatch(/^VIOLATED {2}dma-confinement/);
    expect(run("replay", spec, padded, "--minimise", "--json").stdout).toBe(readFileSync(file, "utf8"));
  });

  it("says that a trace breaks nothing, and refuses flags that make no sense together", () => {
    writeFileSync(padded.replace("padded", "nothing"), JSON.stringify({ ...trace, steps: trace.steps.slice(0, 2) }));
    expect(run("replay", spec, join(folder, "nothing.json"), "--minimise")).toMatchObject({ status: 1, stdout: expect.stringMatching(/^DIVERGED/) as string });
    expect(run("replay", spec, padded, "--minimise", "--whole").status).toBe(2);
    expect(run("replay", spec, padded, "--out", join(folder, "x.json")).status).toBe(2);
  });
});

describe("traces of every profile", () => {
  it("replay as they were written", () => {
    for (const profile of ["smmuv3-talk", "sel4-smmuv2"]) {
      const written = join(folder, profile);
      expect(run("check", example, "--profile", profile, "--out", written).status).toBe(1);
      expect(run("replay", example, join(written, "trace-fail-closed.json")).stdout, profile).toMatch(/^VIOLATED/);
    }
  });
});

describe("a hostile trace file", () => {
  const file = join(folder, "hostile.json");
  const answer = (edited: unknown) => {
    writeFileSync(file, JSON.stringify(edited));
    return run("replay", spec, file);
  };
  const step = trace.steps[0]!;

  it("that breaks the format is refused with one diagnostic that drives no terminal", () => {
    const wrong: readonly unknown[] = [
      { ...trace, extra: 1 },
      { ...trace, steps: Array.from({ length: 10_001 }, () => step) },
      { ...trace, steps: [{ ...step, args: { cptr: `0x${"f".repeat(17)}` } }] },
      { ...trace, steps: [{ ...step, args: { cptr: -1 } }] },
      { ...trace, steps: [{ ...step, op: "x".repeat(401) }] },
      { ...trace, model: { ...trace.model, profile: "\u001b[31mnone" } },
      { ...trace, model: { ...trace.model, scope: { ...trace.model.scope, pages: 1e9 } } },
      { ...trace, witness: { ...trace.witness, sid: "0x1\n" } },
      `${"[".repeat(100_000)}${"]".repeat(100_000)}`,
    ];
    for (const edited of wrong) {
      const { value, diagnostics } = readTrace(typeof edited === "string" ? edited : JSON.stringify(edited), file);
      expect(value).toBeUndefined();
      expect(diagnostics).toMatchObject([{ id: "bad-trace", severity: "error" }]);
      expect(diagnosticText(diagnostics[0]!)).not.toMatch(/[^\n -~]/);
    }
    const { status, stdout, stderr } = answer(wrong[5]);
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    expect(stderr.match(/^error \[bad-trace\]/gm)).toHaveLength(1);
  });

  it("that names what this model does not have is refused, too", () => {
    const { model } = trace;
    for (const edited of [{ ...trace, property: "constructor" }, { ...trace, model: { ...model, mutant: "constructor" } }, { ...trace, model: { ...model, profile: "smmuv3-talk" } }, { ...trace, model: { ...model, hash: "0" } }]) {
      const { status, stdout, stderr } = answer(edited);
      expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
      expect(stderr).toContain("trace-mismatch");
    }
  });

  it("that is well-formed is a divergence at worst: no crash, whatever it invokes and at whatever scope", () => {
    const most = { pages: 999, slots: 999, children: 999, addresses: 999 };
    const odd = { cptr: "0x1", index: "0xffffffffffffffff", depth: "0xffffffffffffffff", num_objects: "0xffffffffffffffff", vaddr: "0xffffffffffffffff" };
    const edits: readonly Trace[] = [
      { ...trace, steps: [{ ...step, actor: "__proto__" }] },
      { ...trace, steps: [{ ...step, op: "toString" }] },
      { ...trace, steps: [{ ...step, args: {} }] },
      ...["CNodeDelete", "CNodeRevoke", "UntypedRetype", "ARMPageMap", "TCBSuspend"].map((op) => ({ ...trace, steps: [{ ...step, op, args: odd }] })),
      { ...trace, model: { ...trace.model, scope: { pages: 0, slots: 0, children: 0, addresses: 0 } } },
      { ...trace, steps: [] },
    ];
    for (const edited of edits) expect(replayTrace(spec, edited).result).not.toBe("violated");
    expect(answer(edits[1])).toMatchObject({ status: 1, stdout: expect.stringMatching(/^DIVERGED {2}step 1 answers no such actor or invocation/) as string });
    // A break does not need a small scope.
    expect(replayTrace(spec, { ...trace, model: { ...trace.model, scope: most } }).result).toBe("violated");
  });
});

describe("the package's entry", () => {
  it("replays a parsed trace on the spec as it is now", () => {
    expect(replayTrace(spec, trace)).toMatchObject({ result: "violated" });
    expect(replayTrace(spec, { ...trace, steps: trace.steps.slice(0, 2) })).toEqual({ result: "holds" });
    expect(replayTrace(join(root, example), trace)).toEqual({ result: "diverged", at: 0, answered: "nothing, as its actor is trusted" });
    expect(replayTrace(spec, { ...trace, steps: [trace.steps[1], trace.steps[2], trace.steps[2]] })).toMatchObject({ result: "diverged", at: 2 });
  });

  it("throws in words on what it cannot replay", () => {
    expect(() => replayTrace(spec, undefined)).toThrow("bad-trace");
    expect(() => replayTrace(spec, { ...trace, property: "none" })).toThrow("does not have");
    expect(() => replayTrace(join(root, "specs/broken/missing-key.yaml"), trace)).toThrow(/\[[a-z-]+\] /);
  });
});
