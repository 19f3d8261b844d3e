/** Runs that stop, are kept, and go on: the verdict must be the one of a run that never stopped. */
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import type { Diagnostic } from "../../src/base/diagnostic.ts";
import { breadthFirst, type Explorable, type Keeping, type Standing } from "../../src/check/search/breadth.ts";
import { checkLayout } from "../../src/check/check.ts";
import type { CheckOptions } from "../../src/check/checkOptions.ts";
import { Refusal } from "../../src/check/refusal.ts";
import { stepOfValues, valuesOfStep } from "../../src/check/traces/stepText.ts";
import { cofferdam, mutantOf, sel4Smmuv2 } from "../../src/kernel/profile.ts";
import { defaultScope } from "../../src/system/scale.ts";
import { bootOf, layoutOf } from "../kernel/fixture.ts";

const root = join(import.meta.dirname, "../..");
const folder = mkdtempSync(join(tmpdir(), "cofferdam-checkpoint-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const path = (name: string): string => join(folder, name);

const layout = layoutOf("one-driver");
const scope = { ...defaultScope, slots: 0, children: 1 };
const smaller: CheckOptions = { scope };
const kept = (file: string, seconds = 1e9) => ({ checkpoint: { file, seconds } });

/** What a run is refused with. */
const refusal = (act: () => unknown): Diagnostic => {
  try {
    act();
  } catch (error) {
    if (error instanceof Refusal) return error.diagnostics[0]!;
    throw error;
  }
  throw new Error("it was not refused");
};

describe("a run that goes on", () => {
  const whole = checkLayout(layout, smaller);

  it.each([1, 14, 500, 3000, 6975])("from a bound at %s states ends with the same verdict", (states) => {
    const file = path(`at-${states}`);
    expect(checkLayout(layout, { ...smaller, ...kept(file), bounds: { states } })).toMatchObject({ result: "inconclusive", end: "states" });
    expect(checkLayout(layout, { ...smaller, resume: file })).toEqual(whole);
  });

  it.each([0, 1, 3, 11])("from a bound at depth %s does, too", (depth) => {
    const file = path(`depth-${depth}`);
    const bounded = checkLayout(layout, { ...smaller, ...kept(file), bounds: { depth } });
    expect(bounded).toMatchObject({ end: "depth", depth });
    // Nothing is left to do, so all that it says is what was kept.
    expect(checkLayout(layout, { ...smaller, resume: file, bounds: { depth } })).toEqual(bounded);
    expect(checkLayout(layout, { ...smaller, resume: file })).toEqual(whole);
  });

  it("interrupted whenever it is watched, and from file to file, it still gets to the same end", () => {
    let [file, rounds] = [path("chain"), 0];
    let verdict = checkLayout(layout, { ...smaller, ...kept(file), watch: () => false });
    for (; verdict.end === "interrupted"; rounds++) {
      // Into the same file, too.
      const next = rounds % 2 === 0 ? file : path(`chain-${rounds}`);
      verdict = checkLayout(layout, { ...smaller, resume: file, ...kept(next), watch: () => false });
      file = next;
    }
    expect(rounds).toBeGreaterThan(2);
    expect(verdict).toEqual(whole);
  });

  it("from what was kept at an interval, although more was explored after it", () => {
    const file = path("interval");
    let copy: Buffer | undefined;
    // Kept before each watch but the first; the copy is of the middle.
    checkLayout(layout, { ...smaller, ...kept(file, 0), watch: ({ states }) => ((copy ??= states > 4000 ? readFileSync(file) : undefined), true) });
    writeFileSync(file, copy!);
    expect(checkLayout(layout, { ...smaller, resume: file })).toEqual(whole);
  });

  it("finds the same shortest traces, several of them, on either machine", () => {
    const cases = [
      { system: "one-driver", profile: mutantOf(cofferdam, "table-delete-invalidates"), traces: 1 },
      { system: "one-driver", profile: mutantOf(cofferdam, "unbind-clears-ste"), traces: 2 },
      { system: "shared-config", profile: sel4Smmuv2, traces: 1 },
    ];
    for (const { system, profile, traces } of cases) {
      const [of, file] = [layoutOf(system), path(`mutant-${system}-${traces}`)];
      const direct = checkLayout(of, { profile, traces });
      expect(direct.result).toBe("violated");
      // A level before the traces end, and within the last one.
      for (const bounds of [{ depth: direct.depth - 1 }, { states: Math.floor(direct.states * 0.8) }]) {
        checkLayout(of, { profile, traces, bounds, ...kept(file) });
        expect(checkLayout(of, { profile, traces, resume: file })).toEqual(direct);
      }
    }
  });

  it("a violation met on the way is kept while more traces are looked for", () => {
    const [profile, file] = [mutantOf(cofferdam, "unbind-clears-ste"), path("several")];
    const several = { profile, traces: 8 };
    const direct = checkLayout(layout, several);
    expect(checkLayout(layout, { ...several, ...kept(file), bounds: { states: 12_000 } }).violations.length).toBeGreaterThan(0);
    expect(checkLayout(layout, { ...several, resume: file })).toEqual(direct);
  });
});

describe("a search", () => {
  /** Any graph: from each state to some others, each by an edge of so many steps; some states violate. */
  const graph = fc.record({
    edges: fc.array(fc.array(fc.tuple(fc.nat(59), fc.nat(5)), { maxLength: 4 }), { minLength: 60, maxLength: 60 }),
    bad: fc.uniqueArray(fc.integer({ min: 1, max: 59 }), { maxLength: 5 }),
    traces: fc.integer({ min: 1, max: 4 }),
    stop: fc.integer({ min: 1, max: 60 }),
  });

  it("stopped at any state of any graph, it goes on to the same counts and paths", () => {
    let stopped = 0;
    fc.assert(
      fc.property(graph, ({ edges, bad, traces, stop }) => {
        let order: number[] = [];
        const model: Explorable = {
          words: 1,
          initial: Uint32Array.of(0),
          expand: (states, at, visit) => {
            order.push(states[at]!);
            edges[states[at]!]!.forEach(([to, steps], ordinal) => visit(Uint32Array.of(to), ordinal, steps));
          },
          judge: (states, at) => (bad.includes(states[at]!) ? 1 + (states[at]! & 1) : 0),
        };
        const bounds = { states: 1000, depth: 1000, seconds: 60 };
        const wanted = { traces, signature: (ordinals: readonly number[]) => ordinals.join(" ") };
        const search = (most: number, keeping?: Keeping) => {
          const { seconds: _, ...rest } = breadthFirst(model, { ...bounds, states: most }, undefined, wanted, keeping);
          return rest;
        };
        let standing: Standing | undefined;
        search(stop, { due: () => false, keep: (now) => void (standing = now) });
        if (standing === undefined) return;
        stopped += 1;
        // In the same order, too, since that decides among paths.
        const resumed = { ...search(1000, { from: standing, due: () => false, keep: () => {} }), order };
        order = [];
        expect(resumed).toEqual({ ...search(1000), order });
      }),
      { seed: 7, numRuns: 2000 },
    );
    expect(stopped).toBeGreaterThan(500);
  });
});

describe("a file that is none", () => {
  const file = path("good");
  checkLayout(layout, { ...smaller, ...kept(file), bounds: { states: 3000 } });
  const bytes = readFileSync(file);
  const tried = (content: Uint8Array, options: CheckOptions = smaller): Diagnostic => {
    writeFileSync(path("tried"), content);
    return refusal(() => checkLayout(layout, { ...options, resume: path("tried") }));
  };
  const flipped = (at: number): Uint8Array => {
    const copy = Uint8Array.from(bytes);
    copy[at]! ^= 1;
    return copy;
  };
  /** A file whose sum is right again, as somebody else might write it. */
  const forged = (change: (copy: Buffer) => void): Uint8Array => {
    const copy = Buffer.from(bytes);
    change(copy);
    createHash("sha256").update(copy.subarray(0, -40)).digest().copy(copy, copy.length - 32);
    return copy;
  };

  it("is refused when it is damaged, cut short or something else", () => {
    for (const at of [30, 200, Math.floor(bytes.length / 2), bytes.length - 50, bytes.length - 1]) expect(tried(flipped(at))).toMatchObject({ id: "bad-checkpoint", message: "the checkpoint is damaged: its checksum is wrong" });
    for (const length of [bytes.length - 1, bytes.length - 40, Math.floor(bytes.length / 2), 70, 30]) expect(tried(bytes.subarray(0, length)).message).toMatch(/damaged: it ends early/);
    expect(tried(Buffer.concat([bytes, Buffer.alloc(8)])).message).toMatch(/damaged/);
    expect(tried(Buffer.from("hello, this is no checkpoint of anything")).message).toMatch(/no checkpoint/);
    expect(tried(new Uint8Array()).message).toMatch(/no checkpoint/);
    expect(tried(Buffer.from(bytes.toString("latin1").replace("exploration 2\n", "exploration 1\n"), "latin1")).message).toMatch(/of version 1/);
    expect(refusal(() => checkLayout(layout, { ...smaller, resume: path("absent") })).message).toMatch(/can't be read: ENOENT/);
    expect(refusal(() => checkLayout(layout, { ...smaller, resume: folder })).message).toMatch(/no regular file/);
    expect(refusal(() => checkLayout(layout, { ...smaller, resume: "/dev/zero" })).message).toMatch(/no regular file/);
  });

  it("is refused when it makes no sense, whatever its sum says", () => {
    expect(() => tried(forged(() => {}))).toThrow("it was not refused");
    // Any single word: some changes leave a file that says something else, and none may end in anything but a refusal or a verdict.
    let refused = 0;
    for (let at = 40; at < bytes.length - 40; at += 4001)
      try {
        expect(tried(forged((copy) => copy.writeUInt32LE(0xffff_fff0, at)), { ...smaller, bounds: { states: 3001 } }).id).toBe("bad-checkpoint");
        refused += 1;
      } catch (error) {
        expect((error as Error).message).toBe("it was not refused");
      }
    expect(refused).toBeGreaterThan(10);
  });

  it("is refused by a run of another spec, kernel, scope, cache, number of traces or set of properties", () => {
    const of = (options: CheckOptions, other = layout): string => refusal(() => checkLayout(other, { ...smaller, resume: file, ...options })).message;
    expect(of({}, layoutOf("one-driver", (spec) => `${spec}# edited\n`))).toMatch(/of another run: another spec/);
    expect(of({ profile: mutantOf(cofferdam, "unmap-invalidates") })).toMatch(/the kernel cofferdam instead of cofferdam without unmap-invalidates/);
    expect(of({ scope: defaultScope })).toMatch(/the scope pages=1,slots=0,children=1,addresses=1 instead of pages=1,slots=1,children=2,addresses=1/);
    expect(of({ caches: "none" })).toMatch(/--caches may instead of none/);
    expect(of({ traces: 3 })).toMatch(/--traces 1 instead of 3/);
    expect(of({ properties: [] })).toMatch(/other properties/);
    expect(of({}, { ...layout, smmus: layout.smmus.map((smmu) => ({ ...smmu, path: "/elsewhere" })) })).toMatch(/another board/);
    expect(of({ profile: { ...cofferdam, bindLimit: 3 } })).toMatch(/another version of the model/);
  });
});

describe("where a checkpoint goes", () => {
  it("nothing else is overwritten, and a folder that is not there is told before anything is explored", () => {
    writeFileSync(path("notes.txt"), "my notes");
    expect(refusal(() => checkLayout(layout, { ...smaller, ...kept(path("notes.txt")) })).message).toMatch(/something else than a checkpoint/);
    expect(readFileSync(path("notes.txt"), "utf8")).toBe("my notes");
    expect(refusal(() => checkLayout(layout, { ...smaller, ...kept(path("none/there")) })).message).toMatch(/no checkpoint can be written: ENOENT/);
    mkdirSync(path("a-folder"));
    expect(refusal(() => checkLayout(layout, { ...smaller, ...kept(path("a-folder")) })).message).toMatch(/something else/);
  });

  it("one that cannot be written later is told once, and the run goes on to its verdict", () => {
    const [within, warnings] = [path("goes-away"), [] as Diagnostic[]];
    mkdirSync(within);
    const verdict = checkLayout(layout, { ...smaller, ...kept(join(within, "file"), 0), warn: (warning) => warnings.push(warning), watch: () => (rmSync(within, { recursive: true, force: true }), true) });
    expect(verdict.result).toBe("holds");
    expect(warnings).toMatchObject([{ severity: "warning", id: "bad-checkpoint", message: "no checkpoint could be written: ENOENT" }]);
  });

  it("a run that ends needs no checkpoint and leaves no half of one", () => {
    mkdirSync(path("ends"));
    checkLayout(layout, { ...smaller, ...kept(join(path("ends"), "file")) });
    expect(readdirSync(path("ends"))).toEqual([]);
  });
});

describe("steps", () => {
  it("are the same after they were written down and read", () => {
    for (const { steps } of [bootOf("shared-config"), bootOf("shared-config", {}, sel4Smmuv2)]) {
      expect(steps.length).toBeGreaterThan(5);
      for (const step of steps) expect(stepOfValues(JSON.parse(JSON.stringify(valuesOfStep(step))))).toEqual(step);
    }
    for (const none of [undefined, "store", [], ["store"], ["store", "1", "0x1", "x"], ["fill", "0x0", "0x8", [], "x"], ["register", 0, -1, "0x0", 4], ["command", 0, "0x0"], ["sync", 0.5], ["jump"]]) expect(stepOfValues(none)).toBeUndefined();
  });
});

describe("the command", () => {
  const main = join(root, "src/cli/main.ts");
  const example = "specs/systems/one-driver/system.yaml";
  const run = (...args: string[]) => spawnSync(process.execPath, [main, "check", example, "--scope", "children=0", "--json", ...args], { cwd: root, encoding: "utf8" });
  /** Starts a check, and stops it by a signal once there is a checkpoint of so many bytes. */
  const stopped = async (file: string, bytes: number, signal: NodeJS.Signals) => {
    const child = spawn(process.execPath, [main, "check", example, "--scope", "children=0", "--checkpoint", file, "--checkpoint-seconds", "0"], { cwd: root, stdio: ["ignore", "ignore", "pipe"] });
    const gone = new Promise<{ code: number | null; signal: string | null }>((resolve) => child.once("exit", (code, by) => resolve({ code, signal: by })));
    let said = "";
    child.stderr.on("data", (text: Buffer) => void (said += String(text)));
    while (child.exitCode === null && !(existsSync(file) && statSync(file).size > bytes)) await new Promise((resolve) => setTimeout(resolve, 5));
    child.kill(signal);
    return { ...(await gone), said };
  };
  const whole = run();

  it.each([100_000, 4_000_000])("survives kill -9 when %s bytes were kept", async (bytes) => {
    const file = path(`killed-${bytes}`);
    expect(await stopped(file, bytes, "SIGKILL")).toMatchObject({ signal: "SIGKILL" });
    const resumed = run("--resume", file);
    expect(resumed.status).toBe(0);
    expect(JSON.parse(resumed.stdout)).toEqual(JSON.parse(whole.stdout));
  });

  it("an interrupt keeps the run, exits 130, and says how to go on", async () => {
    const file = path("interrupted");
    const { code, said } = await stopped(file, 1_000_000, "SIGINT");
    expect(code).toBe(130);
    expect(said).toContain(`the same command with --resume ${file} goes on with it`);
    expect(statSync(file).size).toBeGreaterThan(1_000_000);
  });

  it("does not replace the checkpoint of an earlier run, but for the run that goes on with it", () => {
    const file = path("replaced");
    expect(run("--checkpoint", file, "--max-states", "1000").status).toBe(3);
    const before = statSync(file).mtimeMs;
    const { status, stderr } = run("--checkpoint", file, "--max-states", "1000");
    expect(status).toBe(2);
    expect(stderr).toMatch(/^error \[bad-checkpoint\] there is the checkpoint of an earlier run, which would be lost/);
    expect(statSync(file).mtimeMs).toBe(before);
    expect(run("--checkpoint", file, "--resume", file, "--max-states", "2000").status).toBe(3);
  });

  it("exits 2 where a checkpoint cannot be used or asked for", () => {
    writeFileSync(path("other"), "something else");
    for (const args of [["--resume", path("other")], ["--checkpoint", path("other")], ["--checkpoint", path("x"), "--strategy", "random"]]) {
      const { status, stdout, stderr } = run(...args);
      expect({ args, status, stdout }).toEqual({ args, status: 2, stdout: "" });
      expect(stderr).toMatch(/^error \[(bad-checkpoint|usage)\] /);
    }
  });
});
