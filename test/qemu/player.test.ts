/** The player itself: what it refuses, what it takes back, and that a reset leaves nothing of a history. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { Ste } from "../../specs/smmuv3/ste.ts";
import type { History, HistoryStep } from "../../src/smmuv3/history.ts";
import { outside } from "../outside.ts";
import { outcomeLine } from "./outcomeLine.ts";
import { type Player, PLAYERS_OWN, SIDS, startPlayer } from "./player.ts";
import { bare, boot, bootWith, cfgiAll, command, DATA, enable, entry, leaf2, read, register, SID, stage2, store, STREAM_TABLE, sync, tables, VA, write } from "./scenarios/building.ts";

const program = outside("qemu-system-aarch64", "histories are played on the SMMUv3 of QEMU 10");

describe.runIf(program !== undefined)("the player", () => {
  let player: Player;
  beforeAll(async () => {
    player = await startPlayer(program!);
  });
  beforeEach(() => player.reset());
  afterAll(() => player.end());
  const lines = async (history: History): Promise<string[]> => (await player.play(history)).map(outcomeLine);

  it("has a device for each of four streams", async () => {
    const all = [...boot, ...SIDS.flatMap((sid) => entry({ Config: "s2", S2T0SZ: 25n, S2SL0: 1n, S2PS: "44", S2AA64: 1n, S2R: 1n, S2VMID: BigInt(sid), S2TTB: 0x4080_0000n + BigInt(sid) * 0x1_0000n }, sid))];
    const roots = SIDS.flatMap((sid) => tables(0x4080_0000n + BigInt(sid) * 0x1_0000n, [[VA, leaf2(DATA + BigInt(sid) * 0x1000n)]]));
    expect(await lines([...all, ...roots, ...SIDS.map((sid) => read(VA, sid)), ...SIDS.map((sid) => write(VA, sid)), ...SIDS.map((sid) => read(0n, sid))])).toEqual([
      ...SIDS.map((sid) => `pa 0x${(DATA + BigInt(sid) * 0x1000n).toString(16)}`),
      ...SIDS.map((sid) => `pa 0x${(DATA + BigInt(sid) * 0x1000n).toString(16)}`),
      ...SIDS.map((sid) => `F_TRANSLATION sid 0x${sid.toString(16)} read s2=1 IN 0x0 ipa 0x0`),
    ]);
  });

  it("takes back what a transaction wrote, whichever word it was in", async () => {
    const place = STREAM_TABLE + BigInt(SID * 64);
    const overTwoWords = [write(place + 6n), write(place), write(place + 4n)];
    expect(await lines([...boot, ...entry({ Config: "bypass" }), ...overTwoWords, cfgiAll, read(DATA)])).toEqual(["pa 0x42000606", "pa 0x42000600", "pa 0x42000604", "pa 0x41003000"]);
  });

  const refused: readonly (readonly [string, HistoryStep, RegExp])[] = [
    ["a store that is not aligned", store(0x4200_0004n, 0n), /not aligned/],
    ["a store outside RAM", store(0x905_0080n, 0n), /outside the memory/],
    ["a store into the player's own memory", store(PLAYERS_OWN.addr, 0n), /outside the memory/],
    ["a write to CMDQ_PROD", register("CMDQ_PROD", 1n), /belongs to the player/],
    ["a write to EVENTQ_CONS while events are drained", register("EVENTQ_CONS", 1n), /belongs to the player/],
    ["a write to EVENTQ_PROD through page 1", { kind: "register", offset: 0x1_00a8, value: 0n, size: 4 }, /belongs to the player/],
    ["a write beyond the SMMU", { kind: "register", offset: 0x2_0000, value: 0n, size: 4 }, /outside the SMMU/],
    ["a wide write that is not aligned", { kind: "register", offset: 0x84, value: 0n, size: 8 }, /not aligned/],
    ["a stream without a device", read(0n, 0x28), /no device of stream 0x28/],
    ["a transaction over two pages", read(0xffen), /within a page/],
  ];
  for (const [name, step, why] of refused)
    it(`refuses ${name}, and plays nothing of that history`, async () => {
      await expect(player.play([...boot, step])).rejects.toThrow(why);
      expect(await player.registers("CR0")).toEqual({ CR0: 0xcn });
    });

  it("refuses privileged accesses and SubstreamIDs, which the devices can't send", async () => {
    const plain = read(0n) as Extract<HistoryStep, { kind: "transaction" }>;
    for (const more of [{ priv: true }, { instr: true }, { ssid: 0 }]) await expect(player.play([{ ...plain, transaction: { ...plain.transaction, ...more } }])).rejects.toThrow(/no SubstreamID/);
  });

  it("says when a queue that stands still is full", async () => {
    await expect(player.play([command([0n]), ...Array.from({ length: 5000 }, () => sync)])).rejects.toThrow(/stands still/);
    await player.reset();
    expect(await lines([sync, command([0n])])).toEqual(["cerror 0x1"]);
  });

  it("goes around the command queue", async () => {
    expect(await lines([...Array.from({ length: 9000 }, () => sync), command([0n])])).toEqual(["cerror 0x1"]);
    expect(await player.registers("CMDQ_PROD")).toEqual({ CMDQ_PROD: 9001n % 8192n });
  });

  it("with CR0.CMDQEN=0 consumes nothing, and what waited is never executed", async () => {
    const warm = [...stage2(), read(VA), ...entry({ Config: "abort" })];
    expect(await lines([...warm, register("CR0", 5n), cfgiAll, enable, read(VA), cfgiAll, read(VA)])).toEqual(["pa 0x41003000", "not consumed", "pa 0x41003000", "abort"]);
  });

  it("drains events around the queue", async () => {
    expect(await lines([...boot, ...Array.from({ length: 100 }, () => read(0n))])).toEqual(Array.from({ length: 100 }, () => "C_BAD_STE sid 0x18"));
    expect(await player.registers("EVENTQ_PROD", "EVENTQ_CONS", "GERROR")).toEqual({ EVENTQ_PROD: 100n % 64n, EVENTQ_CONS: 100n % 64n, GERROR: 0n });
  });

  it("leaves no memory, cache, error or two-level table behind a reset", async () => {
    expect(await lines([...stage2(), read(VA), command([0n])])).toEqual(["pa 0x41003000", "cerror 0x1"]);
    await player.reset();
    expect(await player.registers("CR0", "GBPA", "GERROR", "GERRORN", "CMDQ_CONS", "EVENTQ_PROD")).toEqual({ CR0: 0xcn, GBPA: 0x1000n, GERROR: 0n, GERRORN: 0n, CMDQ_CONS: 0n, EVENTQ_PROD: 0n });
    expect(await lines([...boot, read(VA), command([0n]), register("GERRORN", 1n), sync, bare("TLBI_NSNH_ALL")])).toEqual(["C_BAD_STE sid 0x18", "cerror 0x1"]);
    await player.reset();
    const twoLevel = [...bootWith({ config: 0x1_0210n }), read(0n)];
    expect(await lines(twoLevel)).toEqual(["C_BAD_STREAMID sid 0x18"]);
    await player.reset();
    expect(await lines([...boot, ...entry({ Config: "bypass" }), store(STREAM_TABLE, Ste.encode({ V: 0n })[0]!), read(DATA)])).toEqual(["pa 0x41003000"]);
  });
});
