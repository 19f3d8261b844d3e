/** Runs of several threads that stop, are kept, and go on with another number of threads, to the same end. */
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { breadthFirst, type Explorable, type Keeping, type Standing } from "../../../src/check/search/breadth.ts";
import { checkLayout } from "../../../src/check/check.ts";
import type { CheckOptions } from "../../../src/check/checkOptions.ts";
import type { Kept } from "../../../src/check/kept/checkpoint.ts";
import { Arrivals, ORIGIN_NUMBERS, Origins } from "../../../src/check/search/origins.ts";
import { checkInParallel } from "../../../src/check/parallel/checkInParallel.ts";
import { handedOut, ranksOf, Whole } from "../../../src/check/parallel/holdings.ts";
import { Refusal } from "../../../src/check/refusal.ts";
import { StateStore } from "../../../src/check/search/stateStore.ts";
import type { Verdict } from "../../../src/check/verdict.ts";
import { cofferdam, mutantOf } from "../../../src/kernel/profile.ts";
import { defaultScope } from "../../../src/system/scale.ts";
import { layoutOf } from "../../kernel/fixture.ts";

const folder = mkdtempSync(join(tmpdir(), "cofferdam-threads-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const path = (name: string): string => join(folder, name);

const layout = layoutOf("one-driver");
const scope = { ...defaultScope, slots: 0, children: 1 };
const kept = (file: string, seconds = 1e9) => ({ checkpoint: { file, seconds } });
const check = async (workers: number, options: CheckOptions): Promise<Verdict> => (workers === 1 ? checkLayout(layout, options) : checkInParallel(layout, { ...options, workers }));

describe("a run that goes on with another number of threads", () => {
  const whole = checkLayout(layout, { scope });

  it.each([
    [2, 1],
    [1, 3],
    [3, 2],
  ])("from %s to %s ends with the same verdict, from a bound on states or on depth", async (first, then) => {
    for (const bounds of [{ states: 3000 }, { depth: 5 }]) {
      const file = path(`from-${first}-to-${then}`);
      expect(await check(first, { scope, ...kept(file), bounds })).toMatchObject({ result: "inconclusive", end: Object.keys(bounds)[0] });
      expect(await check(then, { scope, resume: file })).toEqual(whole);
    }
  });

  it("again and again, from thread to threads and back, in one file", async () => {
    const file = path("relay");
    for (const [workers, states] of [[2, 1], [1, 200], [3, 1200], [2, 1201], [1, 4000], [3, 6800]] as const)
      expect(await check(workers, { scope, ...kept(file), ...(states === 1 ? {} : { resume: file }), bounds: { states } })).toMatchObject({ end: "states" });
    expect(await check(2, { scope, resume: file })).toEqual(whole);
    expect(await check(1, { scope, resume: file })).toEqual(whole);
  });

  it("finds the same traces, several of them", async () => {
    const several = { profile: mutantOf(cofferdam, "unbind-clears-ste"), traces: 8 };
    const direct = checkLayout(layout, several);
    for (const [first, then, share] of [[3, 1, 0.8], [1, 2, 0.9]] as const) {
      const file = path(`several-${first}`);
      expect(await check(first, { ...several, ...kept(file), bounds: { states: Math.floor(direct.states * share) } })).toMatchObject({ result: "violated" });
      expect(await check(then, { ...several, resume: file })).toEqual(direct);
    }
  });
});

describe("what threads hold", () => {
  const graph = fc.record({
    edges: fc.array(fc.array(fc.tuple(fc.nat(59), fc.nat(5)), { maxLength: 4 }), { minLength: 60, maxLength: 60 }),
    bad: fc.uniqueArray(fc.integer({ min: 1, max: 59 }), { maxLength: 5 }),
    traces: fc.integer({ min: 1, max: 4 }),
    stop: fc.integer({ min: 1, max: 60 }),
    members: fc.integer({ min: 1, max: 5 }),
  });
  const standingOf = ({ count, states, origins, keys, firstNew, ...rest }: Kept): Standing => {
    const store = new StateStore(1);
    for (const piece of states()) for (const word of piece) store.add(Uint32Array.of(word));
    const from = new Origins();
    let index = 0;
    for (const piece of origins()) for (let at = 0; at < piece.length; at += ORIGIN_NUMBERS) from.set(index++, piece[at]!, piece[at + 1]!, piece[at + 2]!);
    const arrivals = new Arrivals();
    arrivals.begin(firstNew);
    for (const [at, key] of keys().entries()) arrivals.set(firstNew + at, key);
    return { ...rest, firstNew, store, origins: from, arrivals, next: Array.from({ length: count - firstNew }, (_, at) => firstNew + at) };
  };

  it("handed out to any number of them and put together again, a search of any graph goes on to the same counts and paths", () => {
    let stopped = 0;
    fc.assert(
      fc.property(graph, ({ edges, bad, traces, stop, members }) => {
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
        const wanted = { traces, signature: (ordinals: readonly number[]) => ordinals.join(" ") };
        const search = (states: number, keeping?: Keeping) => {
          const { seconds: _, ...rest } = breadthFirst(model, { states, depth: 1000, seconds: 60 }, undefined, wanted, keeping);
          return rest;
        };
        let standing: Standing | undefined;
        search(stop, { due: () => false, keep: (now) => void (standing = now) });
        if (standing === undefined) return;
        stopped += 1;
        const { depth, found, signatures, expanded, edges: met } = standing;
        const held = new Whole(handedOut(standing, 1, members), 1);
        const from = standingOf(held.kept({ depth, found, signatures, expanded, edges: met, reached: { operations: [], paths: [], exercised: [] } }));
        const resumed = { ...search(1000, { from, due: () => false, keep: () => {} }), order };
        order = [];
        expect(resumed).toEqual({ ...search(1000), order });
      }),
      { seed: 11, numRuns: 1000 },
    );
    expect(stopped).toBeGreaterThan(250);
  });

  it("are ranked across threads", () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(1000)), fc.integer({ min: 1, max: 4 }), (keys, lists) => {
        const each = Array.from({ length: lists }, (_, list) => Float64Array.from(keys.filter((key) => key % lists === list).toSorted((a, b) => a - b)));
        const sorted = keys.toSorted((a, b) => a - b);
        expect(ranksOf(each)).toEqual(each.map((list) => Int32Array.from(list, (key) => sorted.indexOf(key))));
      }),
    );
  });
});

describe("a file that is none", () => {
  const file = path("good");
  const bytes = async (): Promise<Buffer> => {
    await check(2, { scope, ...kept(file), bounds: { states: 3000 } });
    return readFileSync(file);
  };
  /** A file whose sum is right again, as somebody else might write it; what it is refused with. */
  const refusal = async (content: Buffer): Promise<string> => {
    createHash("sha256").update(content.subarray(0, -40)).digest().copy(content, content.length - 32);
    writeFileSync(path("forged"), content);
    try {
      await check(2, { scope, resume: path("forged"), bounds: { states: 3001 } });
    } catch (error) {
      if (error instanceof Refusal) return `${error.diagnostics[0]!.id}: ${error.message}`;
      throw error;
    }
    return "";
  };

  it("is refused by several threads when it makes no sense, whatever its sum says", async () => {
    const good = await bytes();
    expect(await refusal(Buffer.from(good))).toBe("");
    const depth = /"depth":(\d)/.exec(good.toString("latin1"))!;
    const elsewhere = Buffer.from(good);
    elsewhere.write(String(Number(depth[1]) - 1), depth.index + '"depth":'.length);
    expect(await refusal(elsewhere)).toMatch(/^bad-checkpoint: the checkpoint is damaged: .*it stands at another level/);
    // The tag of a section; a word like "original" is none.
    const origins = /orig(?![a-z])/.exec(good.toString("latin1"))!.index + 8;
    const backwards = Buffer.from(good);
    // The parent of a state in the middle is the first one.
    backwards.writeInt32LE(0, origins + 12 * 1001);
    expect(await refusal(backwards)).toMatch(/^bad-checkpoint: the checkpoint is damaged: .*its states are not level by level/);
  });
});
