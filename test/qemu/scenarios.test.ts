/** Each scenario on a running QEMU 10: its outcomes and registers are QEMU's column, to the bit. */
import { afterAll, describe, expect, it } from "vitest";
import { outside } from "../outside.ts";
import { outcomeLine } from "./outcomeLine.ts";
import { type Player, type PlayerOptions, type Readable, startPlayer } from "./player.ts";
import { QemuDied } from "./qtest.ts";
import { scenarios } from "./scenarios/all.ts";
import { identificationOf, type Scenario } from "./scenarios/scenario.ts";

const program = outside("qemu-system-aarch64", "scenarios are played on the SMMUv3 of QEMU 10");

it("scenarios have names of their own", () => {
  expect(new Set(scenarios.map(({ name }) => name)).size).toBe(scenarios.length);
});

it("a scenario that differs says where", () => {
  const first = (outcome: Scenario["architecture"][number]): string => (typeof outcome === "string" ? outcome : outcome[0]);
  const told = scenarios.filter(({ qemu, architecture, registers }) => qemu === "dies" || qemu.join() !== architecture.map(first).join() || registers !== undefined);
  expect(told.length).toBeGreaterThan(40);
});

describe.runIf(program !== undefined)("QEMU", () => {
  /** One process for each machine, kept until the end. */
  const players = new Map<string, Promise<Player>>();
  const playerFor = ({ player = {} }: Scenario): Promise<Player> => {
    const key = JSON.stringify(player satisfies PlayerOptions);
    const known = players.get(key) ?? startPlayer(program!, player);
    players.set(key, known);
    return known;
  };
  afterAll(async () => {
    for (const player of players.values()) (await player).end();
  });

  it("identifies itself as each scenario's machine does", async () => {
    for (const stage of [undefined, "1", "2"] as const) {
      const scenario = scenarios.find(({ player }) => player?.stage === stage)!;
      const { IDR0, IDR1, IDR3, IDR5 } = await (await playerFor(scenario)).registers("IDR0", "IDR1", "IDR3", "IDR5");
      const { AIDR: _, ...wanted } = identificationOf(scenario);
      expect({ IDR0: Number(IDR0), IDR1: Number(IDR1), IDR3: Number(IDR3), IDR5: Number(IDR5) }).toEqual(wanted);
    }
  });

  for (const scenario of scenarios)
    it(scenario.name, async () => {
      if (scenario.qemu === "dies") {
        const player = await startPlayer(program!, scenario.player);
        try {
          await expect(player.play(scenario.history)).rejects.toThrow(QemuDied);
        } finally {
          player.end();
        }
        return;
      }
      const player = await playerFor(scenario);
      await player.reset(scenario.reset);
      expect((await player.play(scenario.history)).map(outcomeLine)).toEqual(scenario.qemu);
      if (scenario.registers === undefined) return;
      const wanted = scenario.registers.qemu;
      expect(await player.registers(...(Object.keys(wanted) as Readable[]))).toEqual(wanted);
    });
});
