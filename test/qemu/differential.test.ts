/** The model against a running QEMU 10: the same memory and registers, the same transactions and commands, exact answers. */
import { execFileSync } from "node:child_process";
import { rmSync } from "node:fs";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { qemuVirtIdentification } from "../../specs/smmuv3/registers.ts";
import { createDevice } from "../../src/smmuv3/device.ts";
import type { Quirk, Quirks } from "../../src/smmuv3/quirks.ts";
import { reader } from "../../src/smmuv3/snapshot.ts";
import { outside } from "../outside.ts";
import { lineOf, USUAL } from "./generator/answers.ts";
import { createRunning, differenceIn, playedLines, qemu10, shrink } from "./generator/comparing.ts";
import { keep, readKept, reproduce } from "./generator/kept.ts";
import { type Difference, type Run, runCold, runWarm, without } from "./generator/runs.ts";
import { told } from "./generator/tally.ts";
import { settle, warmScene } from "./generator/warm.ts";
import type { Readable } from "./player.ts";
import { type QuirkCase, quirkCases } from "./quirkCases.ts";
import { settled } from "./settled.ts";

/** Transactions of each of the two runs. */
const WANTED = Number(process.env["COFFERDAM_TRANSACTIONS"] ?? 6000);
const SEED = Number(process.env["COFFERDAM_SEED"] ?? Date.now() % 2 ** 31);
const MOST_MS = 120_000 + WANTED * 10;

/** Outcomes that a run may not be without, by how they begin. */
const met = ["ok", "abort", "C_BAD_STE", "C_BAD_CD", "F_WALK_EABT", "F_TRANSLATION s2=0 IN", "F_TRANSLATION s2=1 IN", "F_ACCESS", "F_PERMISSION"];
const metCold = [...met, "C_BAD_STREAMID", "F_STE_FETCH", "F_CD_FETCH", "F_TRANSLATION s2=1 CD", "F_ADDR_SIZE", "F_PERMISSION s2=0 IN", "F_PERMISSION s2=1 IN"];
const metWarm = [...met, "cerror", "not-consumed"];
/** What long runs meet, besides. */
const LONG = 50_000;
const classes = ["s2=0 IN", "s2=1 CD", "s2=1 TT", "s2=1 IN"];
const metLong = ["F_WALK_EABT s2=0 TT", "F_WALK_EABT s2=1 CD", "F_WALK_EABT s2=1 IN", ...["F_TRANSLATION", "F_ADDR_SIZE", "F_ACCESS", "F_PERMISSION"].flatMap((type) => classes.map((each) => `${type} ${each}`))];

const program = outside("qemu-system-aarch64", "the model is held against the SMMUv3 of QEMU 10");
const major = program === undefined ? 0 : Number(/version (\d+)/.exec(execFileSync(program, ["--version"], { encoding: "utf8" }))?.[1]);

it("kept histories answer the same when they are read back", () => {
  for (const { drafted, machine } of fc.sample(warmScene, { seed: SEED, numRuns: 10 })) {
    const { history, outcomes } = settle({ drafted, machine }, qemu10);
    const folder = keep(history, machine);
    const { snapshot, history: rest } = readKept(folder);
    rmSync(folder, { recursive: true });
    const device = createDevice({ registers: snapshot.registers, read: reader(snapshot), quirks: qemu10, caches: "qemu" });
    expect(device.play(rest).map(lineOf)).toEqual(outcomes.map(lineOf));
  }
});

describe.runIf(program !== undefined)("QEMU's SMMUv3", () => {
  const running = createRunning(program!);
  afterAll(running.end);

  it("is version 10 or newer, and identifies itself as the specs say", async () => {
    expect(major).toBeGreaterThanOrEqual(10);
    const read = await (await running.player()).registers("IDR0", "IDR1", "IDR3", "IDR5");
    const { AIDR: _, ...wanted } = qemuVirtIdentification;
    expect(Object.fromEntries(Object.entries(read).map(([name, value]) => [name, Number(value)]))).toEqual(wanted);
  });

  for (const [name, { history, quirky, qemu = quirky, eventQueue = 5, registers }] of Object.entries(quirkCases) as [Quirk, QuirkCase][])
    it(`has the quirk ${name}`, async () => {
      const lines = await playedLines(running, history, { log2: eventQueue, pileUp: true });
      expect(lines).toEqual(qemu === "dies" ? [expect.stringContaining("QEMU died")] : qemu);
      if (registers !== undefined) expect(await (await running.player()).registers(...(Object.keys(registers.quirky) as Readable[]))).toEqual(registers.quirky);
    });

  it.each(settled.map((each) => [each.name, each] as const))("answered so when the model did not: %s", async (_, { history, lines }) => {
    expect(await playedLines(running, history, { ...USUAL, pileUp: true })).toEqual(lines);
  });

  /** A difference made small, and left as files. */
  const small = async ({ what, scene, seed }: Difference, quirks: Quirks) => {
    const { machine, drafted } = await shrink(running, scene, quirks);
    const least = settle({ machine, drafted }, quirks);
    const folder = keep(least.history, machine);
    return { least, machine, folder, words: `${what}\nseed ${seed}; smaller: ${await differenceIn(running, least, machine)}\n${reproduce(folder)}` };
  };
  const expectAgreement = async ({ tally, difference }: Run, kinds: readonly string[]): Promise<void> => {
    if (difference !== undefined) throw new Error(`after ${tally.transactions} transactions, ${(await small(difference, qemu10)).words}`);
    console.log(`${told(tally, SEED)}\nQEMU was started ${running.starts()} times`);
    const all = [...tally.kinds.keys()];
    expect([...kinds, ...(WANTED < LONG ? [] : metLong)].filter((kind) => !all.some((each) => each.startsWith(kind)))).toEqual([]);
  };

  it("a model without one of the quirks is found out, and the difference made small", async () => {
    const quirks = without("faultAddressWhole");
    const { difference } = await runWarm(running, { transactions: 5000, seed: 1, quirks });
    const { least, machine, folder } = await small(difference!, quirks);
    expect(least.history.filter(({ kind }) => kind === "transaction")).toHaveLength(1);
    expect(least.history.length).toBeLessThan(20);
    expect(await differenceIn(running, least, machine)).toMatch(/the model says F_\w+ sid .* ipa 0x(?:0|\w+000), QEMU says/);
    rmSync(folder, { recursive: true });
  });

  it(`answers as the model does under its named quirks: cold transactions (${WANTED}, seed ${SEED})`, { timeout: MOST_MS }, async () => {
    await expectAgreement(await runCold(running, { transactions: WANTED, seed: SEED }), metCold);
  });

  it(`answers as the model does under its named quirks: histories with warm caches (${WANTED}, seed ${SEED})`, { timeout: MOST_MS }, async () => {
    const run = await runWarm(running, { transactions: WANTED, seed: SEED });
    await expectAgreement(run, metWarm);
    expect(run.tally.kept).toBeGreaterThan(WANTED / 100);
  });
});
