import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { explore } from "../../../src/check/engine/search.ts";
import type { SearchOptions } from "../../../src/check/engine/searchOptions.ts";
import { counts, sizes, smmuCap, type SmmuCapOptions } from "../../../tools/bench/smmuCap.ts";

const folder = mkdtempSync(join(tmpdir(), "cofferdam-test-"));
afterAll(() => rmSync(folder, { recursive: true }));
const path = (name: string): string => join(folder, name);

/** Stops size T2 when it has so many states, leaving a checkpoint. */
const stopAt = (file: string, states: number, options: SearchOptions = {}, model: SmmuCapOptions = {}) =>
  explore(smmuCap(sizes.T2, model), { chunk: 16, checkpoint: { file, seconds: 1e9 }, bounds: { states }, ...options });
const known = ({ end, states, edges, depth }: ReturnType<typeof explore>) => ({ end, states, edges, depth });

describe("a checkpoint", () => {
  const whole = explore(smmuCap(sizes.T2));

  it.each([1, 2, 300, 5000, 20_000, 54_000])("written at %s states leads to the same counts", (states) => {
    const file = path(`at-${states}`);
    expect(stopAt(file, states).end).toBe("states");
    for (const threads of [1, 2]) {
      const resumed = explore(smmuCap(sizes.T2), { resume: file, threads, together: threads > 1 });
      expect(known(resumed)).toEqual({ end: "exhausted", ...counts.T2 });
      expect(resumed.widths).toEqual(whole.widths);
      expect(resumed.edgesByOperation).toEqual(whole.edgesByOperation);
    }
  });

  it("can be continued again and again, also from two threads, with wide states and from file to file", () => {
    const model = { padding: 12 };
    let file = path("chain-0");
    stopAt(file, 1000, { threads: 2, together: true }, model);
    for (let round = 1; round < 6; round++) {
      const next = path(`chain-${round}`);
      stopAt(next, 1000 + round * 9000, { resume: file, threads: 1 + (round % 2), together: true }, model);
      file = next;
    }
    const resumed = explore(smmuCap(sizes.T2, model), { resume: file });
    expect(known(resumed)).toEqual({ end: "exhausted", ...counts.T2 });
    expect(resumed.widths).toEqual(whole.widths);
  });

  it("leads to the same violation and trace", () => {
    const file = path("mutant");
    // M2 needs 8 invocations; this stops before.
    expect(stopAt(file, 1000, {}, { mutant: "M2" }).end).toBe("states");
    const [resumed, direct] = [explore(smmuCap(sizes.T2, { mutant: "M2" }), { resume: file }), explore(smmuCap(sizes.T2, { mutant: "M2" }))];
    expect(known(resumed)).toEqual(known(direct));
    expect(resumed.violations).toEqual(direct.violations);
    expect(resumed.violations[0]!.trace).toHaveLength(8);
  });

  it("is refused when it is damaged, cut short, of another model, of another version, or something else", () => {
    const file = path("whole");
    stopAt(file, 5000);
    const bytes = readFileSync(file);
    const tried = (name: string, content: Uint8Array) => {
      writeFileSync(path(name), content);
      return () => explore(smmuCap(sizes.T2), { resume: path(name) });
    };
    const flipped = (at: number): Uint8Array => {
      const copy = Uint8Array.from(bytes);
      copy[at]! ^= 1;
      return copy;
    };
    expect(tried("flipped", flipped(bytes.length - 1000))).toThrow(/is damaged: its checksum is wrong/);
    expect(tried("sum", flipped(bytes.length - 1))).toThrow(/is damaged: its checksum is wrong/);
    expect(tried("header", flipped(40))).toThrow(/is damaged|of another model/);
    expect(tried("short", bytes.subarray(0, bytes.length - 100))).toThrow(/is damaged: it has \d+ bytes and should have/);
    expect(tried("shorter", bytes.subarray(0, 60))).toThrow(/is damaged: it ends in its header/);
    expect(tried("text", Buffer.from("hello, this is no checkpoint at all"))).toThrow(/is no checkpoint/);
    expect(tried("empty", new Uint8Array())).toThrow(/is no checkpoint/);
    expect(tried("version", Buffer.from(bytes.toString("latin1").replace("checkpoint 1 ", "checkpoint 2 "), "latin1"))).toThrow(/is a checkpoint of version 2/);
    expect(() => explore(smmuCap(sizes.T2), { resume: path("absent") })).toThrow(/can't be read/);
    expect(() => explore(smmuCap(sizes.T2, { mutant: "M1" }), { resume: file })).toThrow(/of another model/);
    expect(() => explore(smmuCap(sizes.T), { resume: file })).toThrow(/of another model/);
    // The same declarations with another recipe.
    const model = smmuCap(sizes.T2);
    const changed = { ...model, operations: model.operations.map((operation) => (operation.label === "UnbindCB" ? { ...operation, effect: model.operations[0]!.effect } : operation)) };
    expect(() => explore(changed as typeof model, { resume: file })).toThrow(/other recipes|outside its domain/);
  });

  it.each([1, 2])("survives kill -9 of a search on %s threads", async (threads) => {
    const file = path(`killed-${threads}`);
    const child = spawn(process.execPath, [join(import.meta.dirname, "interrupted.ts"), file, String(threads)], { stdio: ["ignore", "pipe", "inherit"] });
    const said = await new Promise<string>((resolve) => child.stdout.once("data", (text: Buffer) => resolve(String(text))));
    expect(said).toBe("far enough\n");
    const gone = new Promise((resolve) => child.once("exit", (_, signal) => resolve(signal)));
    child.kill("SIGKILL");
    expect(await gone).toBe("SIGKILL");
    const resumed = explore(smmuCap(sizes.S), { resume: file });
    expect(known(resumed)).toEqual({ end: "exhausted", ...counts.S });
  });
});

describe("levels on disk", () => {
  const spilling = (bytes: number, options: SearchOptions = {}, model: SmmuCapOptions = {}, size: "T2" | "S" = "S") =>
    explore(smmuCap(sizes[size], model), { spill: { folder, bytes }, ...options });

  it("keep the counts, take the queue out of memory, and leave nothing behind", () => {
    for (const threads of [1, 2]) {
      const result = spilling(400_000, { threads, together: threads > 1 });
      expect(known(result)).toEqual({ end: "exhausted", ...counts.S });
      expect(result.memory.queue).toBeLessThan(1_000_000);
    }
    expect(readdirSync(folder).filter((name) => name.startsWith("cofferdam-levels-"))).toEqual([]);
  });

  it("still give the trace", () => {
    const [spilled, direct] = [spilling(1, { chunk: 8 }, { mutant: "M2" }), explore(smmuCap(sizes.S, { mutant: "M2" }))];
    expect(spilled.violations).toEqual(direct.violations);
    expect(spilled.violations[0]!.trace).toHaveLength(8);
  });

  it("go into a checkpoint and come out of it, with and without a file of levels", () => {
    const file = path("spilled");
    spilling(1, { chunk: 8, checkpoint: { file, seconds: 1e9 }, bounds: { states: 300_000 } });
    expect(known(explore(smmuCap(sizes.S), { resume: file }))).toEqual({ end: "exhausted", ...counts.S });
    expect(known(spilling(1, { chunk: 8, resume: file }))).toEqual({ end: "exhausted", ...counts.S });
  });
});
