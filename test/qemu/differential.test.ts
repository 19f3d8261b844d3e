/** The model against the SMMUv3 of QEMU 10: the same memory and registers, the same transactions, exact answers. */
import { execFileSync } from "node:child_process";
import { rmSync } from "node:fs";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { Event } from "../../specs/smmuv3/event.ts";
import { qemuVirtIdentification } from "../../specs/smmuv3/registers.ts";
import { Ste } from "../../specs/smmuv3/ste.ts";
import { hex } from "../../src/base/words.ts";
import { type Quirk, type Quirks, quirkSets } from "../../src/smmuv3/quirks.ts";
import { settingsOf } from "../../src/smmuv3/registers.ts";
import { reader } from "../../src/smmuv3/snapshot.ts";
import { translate, type Translation } from "../../src/smmuv3/transaction.ts";
import { outside } from "../outside.ts";
import { DATA, type Scene, scene } from "./configuration.ts";
import { keep, readKept, reproduce } from "./kept.ts";
import { modelLine, modelOf } from "./model.ts";
import { QemuDied } from "./qtest.ts";
import { quirkCases } from "./quirkCases.ts";
import { type Answer, type Asked, type MachineConfiguration, type QemuSmmu, RAM, SID, startSmmu } from "./smmu.ts";

const WANTED = Number(process.env["COFFERDAM_TRANSACTIONS"] ?? 6000);
const SEED = Number(process.env["COFFERDAM_SEED"] ?? Date.now() % 2 ** 31);
/** A run stops here with what it has. */
const MOST_MS = Math.max(60_000, WANTED * 5);

const qemu10 = quirkSets["qemu-10.0"];
/** QEMU's answer as the model's line. */
const qemuLine = ({ pa, events }: Answer): string => `${pa === undefined ? "abort" : `pa ${hex(pa)}`}${pa === undefined ? ` ${events.map((raw) => raw.map(hex).join(" ")).join(", ")}` : events.length > 0 ? " with events" : ""}`;

const isData = (pa: bigint): boolean => pa >= DATA.addr && pa < DATA.addr + DATA.size;
/** A transaction that is let through may go to data, or where nothing is; not to tables, flash or devices. */
const harmless = (pa: bigint): boolean => isData(pa) || (pa >= RAM.addr + RAM.size && !(pa >= 0x40_0000_0000n && pa < 0x100_0000_0000n));

const kindOf = (outcome: Translation): string => (outcome.result === "abort" ? (outcome.event?.type ?? "abort") : outcome.result);

interface Tally {
  transactions: number;
  /** Those whose data was seen to go where the outcome says. */
  moved: number;
  /** Scenes' transactions that the model does not answer, and those let through to tables or devices: not carried out. */
  unsupported: number;
  harmful: number;
  readonly kinds: Map<string, number>;
  readonly quirks: Map<string, number>;
}
const add = (counts: Map<string, number>, name: string): void => void counts.set(name, (counts.get(name) ?? 0) + 1);

const counted = (counts: Map<string, number>): string => [...counts].toSorted(([, a], [, b]) => b - a).map(([name, count]) => `${name} ${count}`).join(", ");
const told = ({ transactions, moved, unsupported, harmful, kinds, quirks: met }: Tally): string =>
  [
    `seed ${SEED}: ${transactions} transactions agree, data followed in ${moved}; not carried out: ${unsupported} not modelled, ${harmful} to tables or devices`,
    `outcomes: ${counted(kinds)}`,
    `quirks that decided: ${counted(met)}`,
  ].join("\n");

const program = outside("qemu-system-aarch64", "the model is held against the SMMUv3 of QEMU 10");
const major = program === undefined ? 0 : Number(/version (\d+)/.exec(execFileSync(program, ["--version"], { encoding: "utf8" }))?.[1]);

describe.runIf(program !== undefined)("QEMU's SMMUv3", () => {
  let machine: QemuSmmu | undefined;
  const running = async (): Promise<QemuSmmu> => (machine ??= await startSmmu(program!));
  const stop = (): void => {
    machine?.end();
    machine = undefined;
  };
  afterAll(stop);

  /** The first difference in a scene, in words, or undefined. */
  const differenceIn = async ({ configuration, transactions }: Scene, tally?: Tally): Promise<string | undefined> => {
    const model = modelOf(configuration, qemu10);
    const qemu = await running();
    await qemu.configure(configuration);
    for (const asked of transactions) {
      const outcome = model(asked);
      const [unsupported, harmful] = [outcome.result === "unsupported", outcome.result === "ok" && !harmless(outcome.pa)];
      if (tally !== undefined) {
        tally.unsupported += Number(unsupported);
        tally.harmful += Number(harmful);
      }
      if (unsupported || harmful) continue;
      const answer = await qemu.transact(asked, outcome.result === "ok" && isData(outcome.pa) ? outcome.pa : undefined);
      const about = `${asked.op} ${hex(asked.iova)}`;
      if (qemuLine(answer) !== modelLine(outcome)) return `${about}: the model says ${modelLine(outcome)}, QEMU says ${qemuLine(answer)}`;
      if (answer.moved === false) return `${about}: no data came through`;
      if (tally !== undefined) count(tally, configuration, asked, outcome, answer);
    }
    return undefined;
  };
  const count = (tally: Tally, configuration: MachineConfiguration, asked: Asked, outcome: Translation, { moved }: Answer): void => {
    tally.transactions++;
    tally.moved += Number(moved === true);
    add(tally.kinds, kindOf(outcome));
    for (const quirk of Object.keys(qemu10) as Quirk[]) {
      const { [quirk]: _, ...others } = qemu10 as Quirks;
      if (modelLine(modelOf(configuration, others)(asked)) !== modelLine(outcome)) add(tally.quirks, quirk);
    }
  };

  it("a kept scene answers the same when it is read back", () => {
    for (const each of fc.sample(scene, { seed: SEED, numRuns: 5 })) {
      const folder = keep(each);
      const { snapshot, transactions } = readKept(folder);
      rmSync(folder, { recursive: true });
      const settings = settingsOf(snapshot.registers, qemu10);
      expect(transactions.map((transaction) => modelLine(translate(reader(snapshot), settings, transaction)))).toEqual(each.transactions.map(modelOf(each.configuration, qemu10)).map(modelLine));
    }
  });

  it("is version 10 or newer, and identifies itself as the specs say", async () => {
    expect(major).toBeGreaterThanOrEqual(10);
    expect(await (await running()).identification()).toEqual(qemuVirtIdentification);
  });

  it("is told when QEMU dies, as of S2AA64=0, which no scene has; the next one is new", async () => {
    const { configuration, iova } = quirkCases.faultAddressWhole;
    const word = configuration.streamTable + BigInt(SID * 64 + 16);
    const stores = new Map(configuration.stores).set(word, configuration.stores.get(word)! & ~Ste.encode({ S2AA64: 1n })[2]!);
    const qemu = await running();
    await qemu.configure({ ...configuration, stores });
    await expect(qemu.transact({ op: "read", iova })).rejects.toThrow(QemuDied);
    stop();
    await (await running()).configure(configuration);
    expect((await (await running()).transact({ op: "read", iova })).events).toHaveLength(1);
  });

  for (const [name, { configuration, iova }] of Object.entries(quirkCases))
    it(`has the quirk ${name}`, async () => {
      const asked = { op: "read", iova } as const;
      const outcome = modelOf(configuration, qemu10)(asked);
      const qemu = await running();
      await qemu.configure(configuration);
      const answer = qemuLine(await qemu.transact(asked));
      expect(answer).not.toBe(modelLine(modelOf(configuration, {})(asked)));
      // Where stage 1 begins, the model has no answer yet: QEMU finds the blank CD invalid.
      expect(answer).toBe(outcome.result === "unsupported" ? `abort ${Event.encode({ Type: "C_BAD_CD", SID: BigInt(SID) }).map(hex).join(" ")}` : modelLine(outcome));
    });

  it(`answers as the model does under its named quirks (${WANTED} transactions, seed ${SEED})`, { timeout: MOST_MS + 60_000 }, async () => {
    const tally: Tally = { transactions: 0, moved: 0, unsupported: 0, harmful: 0, kinds: new Map(), quirks: new Map() };
    const property = fc.asyncProperty(scene, async (each) => {
      let difference: string | undefined;
      try {
        difference = await differenceIn(each, tally);
      } catch (error) {
        // A dead QEMU, or queues out of step, is a finding, too; the next scene gets a new process.
        stop();
        difference = String(error);
      }
      if (difference !== undefined) throw new Error(difference);
    });
    const run = await fc.check(property, { seed: SEED, numRuns: Math.ceil(WANTED / 1.7), interruptAfterTimeLimit: MOST_MS, markInterruptAsFailure: false });
    if (run.failed && run.counterexample !== null) {
      throw new Error(`${String(run.errorInstance)}\nseed ${SEED}, after ${tally.transactions} transactions; ${reproduce(keep(run.counterexample[0]))}`);
    }
    console.log(told(tally));
    expect(tally.transactions).toBeGreaterThan(Math.min(WANTED / 2, 1000));
    const kinds = ["ok", "abort", "C_BAD_STE", "C_BAD_STREAMID", "F_STE_FETCH", "F_WALK_EABT", "F_TRANSLATION", "F_ADDR_SIZE", "F_ACCESS", "F_PERMISSION"];
    expect(kinds.filter((kind) => !tally.kinds.has(kind))).toEqual([]);
  });
});
