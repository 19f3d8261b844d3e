/** A history on both: QEMU's answers and registers beside the model's, and the least history that still differs. */
import { CmdqCons, offsets } from "../../../specs/smmuv3/registers.ts";
import { hex } from "../../../src/base/words.ts";
import type { History } from "../../../src/smmuv3/history.ts";
import { type Quirks, quirkSets } from "../../../src/smmuv3/quirks.ts";
import { outcomeLine } from "../outcomeLine.ts";
import { type Player, type PlayerOptions, startPlayer } from "../player.ts";
import { lineOf, type Machine } from "./answers.ts";
import { type Settled, settle, type WarmScene } from "./warm.ts";

export const qemu10: Quirks = quirkSets["qemu-10.0"];

type Stage = PlayerOptions["stage"];
/** Players, one for each kind of SMMU, that are started when they are asked for, and anew after they ended. */
export const createRunning = (program: string) => {
  const players = new Map<Stage, Player>();
  let starts = 0;
  return {
    player: async (stage?: Stage): Promise<Player> => {
      const known = players.get(stage);
      if (known !== undefined) return known;
      starts++;
      const player = await startPlayer(program, stage === undefined ? {} : { stage });
      players.set(stage, player);
      return player;
    },
    end: (): void => {
      for (const player of players.values()) player.end();
      players.clear();
    },
    starts: () => starts,
  };
};
export type Running = ReturnType<typeof createRunning>;

const attempt = async (running: Running, history: History, machine: Machine): Promise<string[] | Error> => {
  try {
    const player = await running.player(machine.stage);
    await player.reset({ pileUp: machine.pileUp, eventQueueLog2: machine.log2 });
    return (await player.play(history)).map(outcomeLine);
  } catch (error) {
    running.end();
    return error as Error;
  }
};
/**
 * What QEMU answers to a history, as lines; its death, and what the player can't make sense of, are an answer, too, where a
 * second QEMU comes to it again. Once in about a hundred thousand transactions QEMU's clock does not leap to the timer of a
 * device, which never finishes then.
 */
export const playedLines = async (running: Running, history: History, machine: Machine): Promise<string[]> => {
  const first = await attempt(running, history, machine);
  const last = first instanceof Error ? await attempt(running, history, machine) : first;
  return last instanceof Error ? [String(last)] : last;
};

const COMPARED = ["CR0", "CR0ACK", "GBPA", "GERROR", "GERRORN", "EVENTQ_PROD", "EVENTQ_CONS"] as const;
const valueOf = ({ device }: Settled, name: keyof typeof offsets): bigint => BigInt((device.registers().get(offsets[name]) ?? 0) >>> 0);
/** The registers in which both differ; of CMDQ_CONS its error alone: a history's commands pass by the queue in memory. */
const registersApart = async (running: Running, settled: Settled, machine: Machine): Promise<string[]> => {
  const { CMDQ_CONS, ...read } = await (await running.player(machine.stage)).registers(...COMPARED, "CMDQ_CONS");
  const apart = COMPARED.filter((name) => read[name] !== valueOf(settled, name)).map((name) => `${name}: the model has ${hex(valueOf(settled, name))}, QEMU ${hex(read[name])}`);
  const error = (consumer: bigint): string => String(CmdqCons.get([consumer], "ERR"));
  const [ours, theirs] = [error(valueOf(settled, "CMDQ_CONS")), error(CMDQ_CONS)];
  return ours === theirs ? apart : [...apart, `CMDQ_CONS.ERR: the model has ${ours}, QEMU ${theirs}`];
};

/** The first difference, in words, or undefined. */
export const differenceIn = async (running: Running, settled: Settled, machine: Machine): Promise<string | undefined> => {
  const ours = settled.outcomes.map(lineOf);
  const theirs = await playedLines(running, settled.history, { ...machine, pileUp: true });
  const at = Array.from({ length: Math.max(ours.length, theirs.length) }, (_, index) => index).find((index) => ours[index] !== theirs[index]);
  if (at !== undefined) return `outcome ${at + 1}: the model says ${ours[at] ?? "nothing"}, QEMU says ${theirs[at] ?? "nothing"}`;
  return (await registersApart(running, settled, machine))[0];
};

/** Rounds of leaving out steps end here. */
const MOST_TRIES = 3000;
/** Leaves out steps, half of them first and single ones last, while both still differ. */
export const shrink = async (running: Running, scene: WarmScene, quirks: Quirks = qemu10): Promise<WarmScene> => {
  let least = scene;
  let tries = 0;
  const stillDiffers = async (smaller: WarmScene): Promise<boolean> => (await differenceIn(running, settle(smaller, quirks), scene.machine)) !== undefined;
  for (let size = Math.ceil(scene.drafted.length / 2), again = true; size >= 1 && again; ) {
    let shorter = false;
    for (let from = 0; from < least.drafted.length && tries < MOST_TRIES; tries++) {
      const smaller = { ...least, drafted: least.drafted.toSpliced(from, size) };
      if (await stillDiffers(smaller)) {
        least = smaller;
        shorter = true;
      } else from += size;
    }
    // Single steps are tried until none can go.
    again = size > 1 || shorter;
    size = Math.max(1, Math.floor(size / 2));
  }
  return least;
};
