import { spawn, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { parseScope } from "../../src/cli/commands/check.ts";
import { writeFolder } from "../../src/cli/files.ts";

const root = join(import.meta.dirname, "../..");
const folder = mkdtempSync(join(tmpdir(), "cofferdam-cli-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const run = (...args: string[]) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(root, "src/cli/main.ts"), ...args], { encoding: "utf8", cwd: root, env: { ...process.env, NO_COLOR: "1" } });
  return { status, stdout, stderr };
};
const example = "specs/systems/one-driver/system.yaml";
/** A copy of the example systems whose first spec is edited. */
const edited = (name: string, edit: (spec: string) => string): string => {
  const copy = join(folder, name);
  cpSync(join(root, "specs/systems"), copy, { recursive: true });
  const file = join(copy, "one-driver/system.yaml");
  writeFileSync(file, edit(readFileSync(file, "utf8")));
  return file;
};

describe("generate", () => {
  it("writes the same bytes twice", () => {
    const [a, b] = [join(folder, "a"), join(folder, "b")];
    expect(run("generate", example, "--out", a).status).toBe(0);
    expect(run("generate", example, "--out", b).status).toBe(0);
    const names = readdirSync(a, { recursive: true, withFileTypes: true }).flatMap((entry) => (entry.isFile() ? [join(relative(a, entry.parentPath), entry.name)] : []));
    expect(names).toEqual(expect.arrayContaining(["system.cdl", "smmu0/regs.json", "smmu0/pages.bin.gz"]));
    for (const name of names) expect(readFileSync(join(a, name)).equals(readFileSync(join(b, name))), name).toBe(true);
  });

  it("warns that the capDL does not boot as it stands, on stderr", () => {
    const { stdout, stderr } = run("generate", example, "--out", join(folder, "c"));
    expect(stderr).toContain("capdl-not-bootable");
    expect(stdout).not.toContain("capdl-not-bootable");
  });

  it("a refused file name or an unwritable folder leaves nothing behind", () => {
    expect(writeFolder(join(folder, "d"), [{ name: "../escape", text: "" }])?.id).toBe("file-not-writable");
    expect(existsSync(join(folder, "escape"))).toBe(false);
    expect(readdirSync(folder).filter((name) => name.startsWith(".d-"))).toEqual([]);
    writeFileSync(join(folder, "file"), "");
    expect(run("generate", example, "--out", join(folder, "file/under")).status).toBe(2);
    expect(run("generate", example, "--out", "").status).toBe(2);
    mkdirSync(join(folder, "blocked/layout.json"), { recursive: true });
    expect(run("generate", example, "--out", join(folder, "blocked")).status).toBe(2);
    expect(readdirSync(join(folder, "blocked"))).toEqual(["layout.json"]);
  });
});

describe("bad input: one diagnostic with its place, exit 2, no output files", () => {
  const out = join(folder, "none");
  const refused = (file: string) => {
    const { status, stdout, stderr } = run("generate", file, "--out", out);
    expect(status).toBe(2);
    expect(stdout).toBe("");
    expect(existsSync(out)).toBe(false);
    return stderr;
  };

  it("one stream given to two owners names both", () => {
    const stderr = refused(edited("two", (spec) => spec.replace("kind: service\n", 'kind: service\n    devices: { card: { pci: "00:02.0" } }\n')));
    expect(stderr).toContain("stream-two-owners");
    expect(stderr).toContain("nic-driver");
    expect(stderr).toContain("vault");
    expect(stderr).toMatch(/system\.yaml:\d+:\d+/);
  });

  it("a typo in a key gets a suggestion and a caret", () => {
    const stderr = refused(edited("typo", (spec) => spec.replace("trusted:", "trustd:")));
    expect(stderr).toMatch(/did you mean.*trusted/);
    expect(stderr).toContain("^^^");
  });

  it("an unknown device, an unreadable board, a truncated board, a missing spec", () => {
    expect(refused(edited("device", (spec) => spec.replace('{ pci: "00:02.0" }', "{ path: /nothing@0 }")))).toContain("unknown-device");
    expect(refused(edited("board", (spec) => spec.replace("board.dtb", "absent.dtb")))).toContain("board-not-found");
    const truncated = edited("short", (spec) => spec);
    const board = join(truncated, "../../qemu-virt/board.dtb");
    writeFileSync(board, readFileSync(board).subarray(0, 1000));
    expect(refused(truncated)).toMatch(/error \[fdt|error \[dtb/);
    expect(refused(join(folder, "absent.yaml"))).toContain("file-not-readable");
  });

  it("a device file or a pipe is refused, not waited for; text that is not UTF-8 is named", () => {
    expect(refused("/dev/zero")).toContain("file-not-readable");
    writeFileSync(join(folder, "latin.yaml"), Buffer.from([0x73, 0xe9, 0x0a]));
    expect(refused(join(folder, "latin.yaml"))).toContain("file-not-utf8");
  });

  it("a full disk under stdout is not a violation", () => {
    const full = spawnSync("sh", ["-c", `"${process.execPath}" src/cli/main.ts topology specs/systems/qemu-virt/board.dtb --json >/dev/full`], { cwd: root, encoding: "utf8" });
    expect(full.status).toBe(2);
    expect(full.stderr).toContain("ENOSPC");
  });

  it("a wrong command line is exit 2 with help on stderr only", () => {
    const { status, stdout, stderr } = run("check", "--bogus");
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    expect(stderr).toContain("--bogus");
    expect(run("check").status).toBe(2);
    expect(run("check", example, "--scope", "pges=1").stderr).toContain("pages");
  });

  it("no input text drives the terminal", () => {
    const { stderr } = run("plan", edited("escape", (spec) => spec.replace("vault:", '"\\e[31mvault":')));
    expect(stderr).not.toContain("\x1b");
  });
});

describe("check", () => {
  it("a violation exits 1, with the trace in words, and as JSON in the folder", () => {
    const out = join(folder, "violated");
    const { status, stdout } = run("check", edited("untrusted", (spec) => spec.replace("trusted: true", "trusted: false")), "--out", out);
    expect(status).toBe(1);
    expect(stdout).toMatch(/^VIOLATED/);
    expect(stdout).toContain("1. vault: ARMPageMap");
    const trace = JSON.parse(readFileSync(join(out, "trace-dma-confinement.json"), "utf8")) as { format: string; steps: unknown[] };
    expect(trace.format).toBe("cofferdam-trace");
    expect(trace.steps).toHaveLength(3);
  });

  it("a new verdict leaves no trace of an old one", () => {
    const out = join(folder, "stale");
    run("check", example, "--mutant", "unbind-clears-ste", "--out", out);
    expect(readdirSync(out)).toEqual(["trace-fail-closed.json", "trace-refinement.json", "verdict.json"]);
    run("check", example, "--scope", "slots=0", "--out", out);
    expect(readdirSync(out)).toEqual(["verdict.json"]);
    expect(run("check", example, "--max-states", "0").status).toBe(2);
  });

  it("a bound exits 3 and says that nothing is excluded", () => {
    const { status, stdout } = run("check", example, "--max-states", "200");
    expect(status).toBe(3);
    expect(stdout).toMatch(/^INCONCLUSIVE/);
    expect(stdout).toContain("none is excluded");
  });

  it("an exhausted scope exits 0; --json is one document", () => {
    const { status, stdout } = run("check", example, "--scope", "slots=0", "--json");
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ format: "cofferdam-verdict", result: "holds", end: "exhausted", scope: { slots: 0 } });
  });

  it.each(["SIGINT", "SIGTERM"] as const)("%s keeps the partial verdict and exits 130", async (signal) => {
    const out = join(folder, signal);
    const child = spawn(process.execPath, [join(root, "src/cli/main.ts"), "check", "specs/systems/two-vms/system.yaml", "--out", out, "--events"], { cwd: root });
    let told = "";
    child.stdout.on("data", (data: Buffer) => {
      if (told === "") child.kill(signal);
      told += data.toString();
    });
    const code = await new Promise<number | null>((resolve) => child.on("exit", resolve));
    expect(code).toBe(130);
    expect(JSON.parse(readFileSync(join(out, "verdict.json"), "utf8"))).toMatchObject({ result: "inconclusive", end: "interrupted" });
  });

  it("a signal ends a command that explores nothing", async () => {
    const child = spawn(process.execPath, [join(root, "src/cli/main.ts"), "prove", "--larger", "1000000"], { cwd: root, stdio: "ignore" });
    const gone = new Promise((resolve) => child.on("exit", (_, signal) => resolve(signal)));
    setTimeout(() => child.kill("SIGINT"), 1000);
    expect(await gone).toBe("SIGINT");
  });

  it("flags that are not heeded are refused", () => {
    for (const [args, told] of [
      [["--mutants", "--profile", "smmuv3-talk"], "--mutants does not heed --profile"],
      [["--list", "--scope", "slots=0"], "--list does not heed --scope"],
      [[example, "--system", "one-driver"], "check without --mutants does not heed --system"],
      [[example, "--strategy", "random", "--workers", "2", "--max-states", "5"], "--strategy random does not heed --max-states, --workers"],
      [[example, "--checkpoint-seconds", "5"], "--checkpoint-seconds says how often a run is kept, and not where"],
      [[example, "--json", "--events"], "--json and --events are two forms of one answer"],
    ] as const) {
      const { status, stdout, stderr } = run("check", ...args);
      expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
      expect(stderr).toContain(`error [usage] ${told}\n`);
    }
  });

  it("a verdict that can't be written is told, and exits 2", () => {
    const { status, stdout, stderr } = run("check", example, "--max-states", "200", "--out", join(example, "below-a-file"));
    expect(status).toBe(2);
    expect(stdout).toMatch(/^INCONCLUSIVE/);
    expect(stderr).toMatch(/^error \[file-not-writable\]/);
    expect(stderr).toContain("It stopped at --max-states 200: give more of them, or a smaller --scope.");
  });

  it("a mutant is named in the verdict", () => {
    const { status, stdout } = run("check", example, "--mutant", "unbind-clears-ste");
    expect(status).toBe(1);
    expect(stdout).toContain("MUTANT without unbind-clears-ste");
  });

  it("--events is one JSON document a line, the verdict last", () => {
    const lines = run("check", example, "--scope", "slots=0", "--events").stdout.trim().split("\n").map((line) => JSON.parse(line) as { kind: string });
    expect(lines.at(-1)!.kind).toBe("verdict");
  });

  it("--list gives each property with its mutants", () => {
    const listed = JSON.parse(run("check", "--list", "--json").stdout) as { name: string; mutants: unknown[] }[];
    expect(listed.map(({ name }) => name)).toEqual(["dma-confinement", "dma-integrity", "no-dangling", "fail-closed", "no-stale", "refinement", "authority-confinement", "derivation-tree", "counters", "kept-promises", "no-wedge"]);
    expect(listed.every(({ mutants }) => mutants.length > 0)).toBe(true);
  });

  it("scopes are read strictly", () => {
    expect(parseScope("pages=2,slots=0")).toEqual({ pages: 2, slots: 0, children: 2, addresses: 1 });
    for (const bad of ["pages", "pages=-1", "pages=1=2", "pages=1e9", "nothing=1", "pages=0", "pages=1,pages=2"]) expect(parseScope(bad)).toMatchObject({ id: "usage" });
  });
});

describe("replay", () => {
  const out = join(folder, "replayed");
  const trace = join(out, "trace-fail-closed.json");
  const found = run("check", example, "--mutant", "unbind-clears-ste", "--out", out);
  const changed = (name: string, edit: (text: string) => string) => {
    const file = join(out, name);
    writeFileSync(file, edit(readFileSync(trace, "utf8")));
    return run("replay", example, file);
  };

  it("the command that a failure prints reproduces it, scaled and whole", () => {
    expect(found.stdout).toContain(`Reproduce: npx cofferdam replay ${example} ${trace}`);
    for (const flags of [[], ["--whole"]]) {
      const { status, stdout } = run("replay", example, trace, ...flags);
      expect(status).toBe(1);
      expect(stdout).toMatch(/^VIOLATED {2}fail-closed/);
    }
  });

  it("another spec or model is refused; another answer or end is a divergence", () => {
    expect(changed("spec.json", (text) => text.replace(/("spec": \{\s*"hash": ")./, "$1x")).status).toBe(2);
    expect(changed("model.json", (text) => text.replace(/("model": \{\s*"hash": ")./, "$1x")).stderr).toContain("trace-mismatch");
    expect(changed("final.json", (text) => text.replace(/("final": ")./, "$1x")).stdout).toMatch(/^DIVERGED/);
    expect(changed("cptr.json", (text) => text.replace('"cptr": "0x3"', '"cptr": "0x9"'))).toMatchObject({ status: 1, stdout: expect.stringMatching(/^DIVERGED {2}step 1 answers/) as string });
  });

  it("garbage is one diagnostic", () => {
    for (const text of ["{", "[]", '{"format":"cofferdam-trace"}', "\u0000"]) {
      const { status, stderr, stdout } = changed("garbage.json", () => text);
      expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
      expect(stderr.match(/^error/gm)).toHaveLength(1);
    }
  });
});

describe("schema", () => {
  it("a spec and a trace have a JSON Schema that refuses unknown keys", () => {
    for (const name of ["spec", "trace"]) expect(JSON.parse(run("schema", name).stdout)).toMatchObject({ $schema: expect.stringContaining("2020-12") as string, additionalProperties: false });
  });
});

describe("topology", () => {
  const board = "specs/systems/qemu-virt/board.dtb";
  it("gives one JSON line a board, and goes on after one that cannot be read", () => {
    const bad = join(folder, "bad.dtb");
    mkdirSync(folder, { recursive: true });
    writeFileSync(bad, "no device tree");
    const { status, stdout } = run("topology", bad, board, "--json");
    const lines = stdout.trim().split("\n").map((line) => JSON.parse(line) as { board: string; error?: unknown; smmus?: unknown[] });
    expect(status).toBe(2);
    expect(lines.map((line) => line.board)).toEqual([bad, board]);
    expect(lines[0]!.error).toBeDefined();
    expect(lines[1]!.smmus).toHaveLength(1);
  });

  it("tells people the map of the PCI host bridge", () => {
    const { status, stdout } = run("topology", board);
    expect(status).toBe(0);
    expect(stdout).toContain("smmuv3 /smmuv3@9050000");
    expect(stdout).toMatch(/map \/pcie@10000000: RID 0x0 \+ 0x10000 -> SID 0x0/);
  });
});
