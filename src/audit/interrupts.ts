/** The ITS of a snapshot that has one: which device may signal which interrupt (IHI 0069; tables as QEMU lays them out). */
import {
  Command,
  CommandEvent,
  CommandInvall,
  CommandMapc,
  CommandMapd,
  CommandMapi,
  CommandMapti,
  CommandMovall,
  type CommandName,
  CommandSync,
} from "../../specs/gic/its.ts";
import type { Fields, Layout } from "../base/layout.ts";
import { hex } from "../base/words.ts";
import { commandName, type ItsCommand } from "../gic/command.ts";
import type { ItsState } from "../gic/its.ts";
import { consumedCommands, itsFromSnapshot, readItsRegisters } from "../gic/tables.ts";
import type { Its, ItsDevice } from "./decoding.ts";
import { fieldsOf } from "./fields.ts";
import { type Cuts, limits } from "./limits.ts";
import type { Memory } from "./memory.ts";

/** A snapshot does not say how many Redistributors there are, nor how wide an INTID is: nothing is left out for it. */
const ANY = { redistributors: 2 ** 16, intidBits: 24 } as const;
const MOST_EVENTS = 2 ** 16;
const MOST_DEVICES = 2 ** 14;

const of = (layout: unknown): Layout<Fields> => layout as Layout<Fields>;
const layouts: Readonly<Partial<Record<CommandName, Layout<Fields>>>> = {
  MOVI: of(CommandMapi),
  INT: of(CommandEvent),
  CLEAR: of(CommandEvent),
  SYNC: of(CommandSync),
  MAPD: of(CommandMapd),
  MAPC: of(CommandMapc),
  MAPTI: of(CommandMapti),
  MAPI: of(CommandMapi),
  INV: of(CommandEvent),
  INVALL: of(CommandInvall),
  MOVALL: of(CommandMovall),
  DISCARD: of(CommandEvent),
};
const commandAt = (words: ItsCommand, index: number): Its["commands"][number] => {
  const name = commandName(words);
  return { index, name: name ?? "unknown", words: words.map(hex), fields: fieldsOf((name === undefined ? undefined : layouts[name]) ?? of(Command), words) };
};

const devicesOf = ({ devices }: ItsState, cuts: Cuts): ItsDevice[] => {
  let left: number = MOST_EVENTS;
  if (devices.size > MOST_DEVICES) cuts.say(`Of ${devices.size} devices of the ITS, the first ${MOST_DEVICES} are listed.`);
  return [...devices]
    .toSorted(([a], [b]) => a - b)
    .slice(0, MOST_DEVICES)
    .map(([deviceId, { itt, eventIdBits, events }]) => {
      const listed = [...events].slice(0, Math.max(0, left));
      left -= events.size;
      if (listed.length < events.size) cuts.say(`Of the events that the ITS maps, the first ${MOST_EVENTS} are listed.`);
      return { deviceId: hex(deviceId), table: hex(itt), eventIdBits, events: listed.map(([eventId, { intid, icid }]) => ({ eventId, intid, collection: icid })) };
    });
};

/** `registers`: the `its` table of `regs.json`, as parsed. */
export const readIts = (memory: Memory, registers: unknown, cuts: Cuts): Its => {
  const read = readItsRegisters(registers);
  if (read.value === undefined) return { enabled: false, devices: [], collections: [], commands: [], problems: read.diagnostics.slice(0, limits.problems).map(({ message }) => message) };
  const its = { registers: read.value, read: memory.read };
  const { value: state, diagnostics } = itsFromSnapshot(its, ANY);
  const taken = consumedCommands(its);
  const found = [...diagnostics, ...taken.diagnostics];
  if (found.length > limits.problems) cuts.say(`Of ${found.length} problems of the ITS, ${limits.problems} are listed.`);
  const problems = found.slice(0, limits.problems).map(({ message }) => message);
  if ((taken.value?.length ?? 0) > limits.records) cuts.say(`Of the commands that the ITS has taken, the newest ${limits.records} are listed.`);
  return {
    enabled: state?.enabled ?? false,
    devices: state === undefined ? [] : devicesOf(state, cuts),
    collections: state === undefined ? [] : [...state.collections].slice(0, MOST_DEVICES).map(([collection, target]) => ({ collection, target })),
    commands: (taken.value ?? []).map(commandAt).slice(-limits.records),
    problems,
  };
};
