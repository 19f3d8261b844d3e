/** What the tests of this folder build interrupts from: commands as software writes them, and memory. */
import { CommandEvent, CommandInvall, CommandMapc, CommandMapd, CommandMapi, CommandMapti, CommandMovall, CommandSync, type CommandName, opcodes } from "../../specs/gic/its.ts";
import { executeCommands, type ItsCommand } from "../../src/gic/command.ts";
import { deliver, type Delivery, emptyIts, type ItsLimits, type ItsState, qemuVirtLimits } from "../../src/gic/its.ts";
import type { Read } from "../../src/gic/tables.ts";

const op = (name: CommandName): bigint => BigInt(opcodes[name].code);
export const mapd = (deviceId: number, itt: bigint, eventIdBits: number, valid = true): ItsCommand =>
  CommandMapd.encode({ Op: op("MAPD"), DeviceID: BigInt(deviceId), Size: BigInt(eventIdBits - 1), ITT_addr: itt, V: BigInt(valid) });
export const mapc = (icid: number, target: number, valid = true): ItsCommand => CommandMapc.encode({ Op: op("MAPC"), ICID: BigInt(icid), RDbase: BigInt(target), V: BigInt(valid) });
export const mapti = (deviceId: number, eventId: number, intid: number, icid = 0): ItsCommand =>
  CommandMapti.encode({ Op: op("MAPTI"), DeviceID: BigInt(deviceId), EventID: BigInt(eventId), pINTID: BigInt(intid), ICID: BigInt(icid) });
export const mapi = (deviceId: number, eventId: number, icid = 0): ItsCommand => CommandMapi.encode({ Op: op("MAPI"), DeviceID: BigInt(deviceId), EventID: BigInt(eventId), ICID: BigInt(icid) });
export const movi = (deviceId: number, eventId: number, icid: number): ItsCommand => CommandMapi.encode({ Op: op("MOVI"), DeviceID: BigInt(deviceId), EventID: BigInt(eventId), ICID: BigInt(icid) });
export const event = (name: "INV" | "INT" | "CLEAR" | "DISCARD", deviceId: number, eventId: number): ItsCommand => CommandEvent.encode({ Op: op(name), DeviceID: BigInt(deviceId), EventID: BigInt(eventId) });
export const invall = (icid: number): ItsCommand => CommandInvall.encode({ Op: op("INVALL"), ICID: BigInt(icid) });
export const sync = (target = 0): ItsCommand => CommandSync.encode({ Op: op("SYNC"), RDbase: BigInt(target) });
export const movall = (from: number, to: number): ItsCommand => CommandMovall.encode({ Op: op("MOVALL"), RDbase1: BigInt(from), RDbase2: BigInt(to) });

/** Four Redistributors, so that collections can differ. */
export const limits: ItsLimits = { ...qemuVirtLimits, redistributors: 4 };
export const A = 0x10;
export const B = 0x20;
export const ITT_A = 0x4800_0000n;
export const ITT_B = 0x4800_1000n;

export const after = (commands: readonly ItsCommand[], start: ItsState = emptyIts(limits)): ItsState => executeCommands(start, commands).state;
/** What each command answered, in a word: the error's name, or the result. */
export const answers = (commands: readonly ItsCommand[], start: ItsState = emptyIts(limits)): string[] =>
  executeCommands(start, commands).results.map((result) => (result.result === "error" ? result.error : result.result));

export const brief = (delivery: Delivery): string => (delivery.result === "interrupt" ? `LPI ${delivery.intid} at ${delivery.target}` : delivery.result);
export const signal = (state: ItsState, deviceId: number, eventId: number): string => brief(deliver(state, { deviceId, eventId }));

/** Memory that reads 0 where nothing was put. */
export const memory = (stores: Readonly<Record<string, bigint>> | ReadonlyMap<bigint, bigint>): Read => {
  const words = stores instanceof Map ? (stores as ReadonlyMap<bigint, bigint>) : new Map(Object.entries(stores).map(([address, value]) => [BigInt(address), value]));
  return (address) => words.get(address) ?? 0n;
};
