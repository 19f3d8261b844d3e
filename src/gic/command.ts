/**
 * ITS commands (IHI 0069 "ITS commands"), executed one at a time and at once: before the SYNC behind it a command may or
 * may not have taken effect.
 *
 * A command error leaves the state as it was: of the behaviours that the architecture allows (stall, ignore, go on with
 * the parameter as if it were right) the model takes the one of QEMU and KVM. Errors are named as in IHI 0069 "ITS command
 * error encodings". Where software broke a rule, the answer is `unpredictable` and says what was chosen.
 */
import {
  Command,
  CommandEvent,
  CommandMapc,
  CommandMapd,
  CommandMapi,
  CommandMapti,
  CommandMovall,
  CommandInvall,
  type CommandName,
  opcodes,
} from "../../specs/gic/its.ts";
import { hex } from "../base/words.ts";
import { deliver, type Delivery, type Device, hasRoomFor, isLpi, type ItsState, ittRange, type Mapping, neighbourIn, overlap, type Signal, without } from "./its.ts";

export type ItsCommand = readonly bigint[];
export type CommandResult = { readonly state: ItsState } & (
  | { readonly result: "done"; /** What INT made of its signal. */ readonly interrupt?: Delivery }
  | { readonly result: "error"; readonly error: string; readonly why: string }
  | { readonly result: "unpredictable"; readonly why: string }
  | { readonly result: "unsupported"; readonly why: string }
  /** The ITS is not enabled: the command stays in the queue. */
  | { readonly result: "waiting" }
);

const names = new Map<number, CommandName>(Object.entries(opcodes).map(([name, { code }]) => [code, name as CommandName]));
/** The command that four words hold, or undefined. */
export const commandName = (words: ItsCommand): CommandName | undefined => names.get(Number(Command.get(words, "Op")));

const done = (state: ItsState): CommandResult => ({ state, result: "done" });
const error = (state: ItsState, name: string, why: string): CommandResult => ({ state, result: "error", error: name, why });
const unpredictable = (state: ItsState, why: string): CommandResult => ({ state, result: "unpredictable", why });

const withDevice = (state: ItsState, deviceId: number, device: Device | undefined): ItsState => {
  const devices = new Map(state.devices);
  if (device === undefined) devices.delete(deviceId);
  else devices.set(deviceId, device);
  return { ...state, devices };
};
const withMapping = (state: ItsState, { deviceId, eventId }: Signal, device: Device, mapping: Mapping | undefined): ItsState => {
  const events = new Map(device.events);
  if (mapping === undefined) events.delete(eventId);
  else events.set(eventId, mapping);
  return withDevice(state, deviceId, { ...device, events });
};

/** What is wrong with a command's device or EventID: the end of the error's name, and a sentence. */
type Objection = readonly [suffix: string, why: string];
const isObjection = (found: unknown): found is Objection => Array.isArray(found);
const deviceOf = (state: ItsState, { deviceId, eventId }: Signal): Device | Objection => {
  if (!hasRoomFor(state.limits, deviceId)) return ["DEVICE_OOR", `the device table has no room for DeviceID ${hex(deviceId)}`];
  const device = state.devices.get(deviceId);
  if (device === undefined) return ["UNMAPPED_DEVICE", `DeviceID ${hex(deviceId)} has no interrupt translation table`];
  return eventId < 2 ** device.eventIdBits ? device : ["ID_OOR", `EventID ${eventId} is beyond the ${2 ** device.eventIdBits} of DeviceID ${hex(deviceId)}`];
};
const mappedEvent = (state: ItsState, signal: Signal): { readonly device: Device; readonly mapping: Mapping } | Objection => {
  const device = deviceOf(state, signal);
  if (isObjection(device)) return device;
  const mapping = device.events.get(signal.eventId);
  return mapping === undefined ? ["UNMAPPED_INTERRUPT", `EventID ${signal.eventId} of DeviceID ${hex(signal.deviceId)} is not mapped`] : { device, mapping };
};
const noCollection = (icid: number): Objection => ["UNMAPPED_COLLECTION", `collection ${icid} has no Redistributor`];

/** Numbers of a command's fields. */
const signalOf = ({ DeviceID, EventID }: { readonly DeviceID: bigint; readonly EventID: bigint }): Signal => ({ deviceId: Number(DeviceID), eventId: Number(EventID) });

const unmapDevice = (state: ItsState, deviceId: number): CommandResult => {
  const left = state.devices.get(deviceId)?.events.size ?? 0;
  const after = withDevice(state, deviceId, undefined);
  return left === 0 ? done(after) : unpredictable(after, `DeviceID ${hex(deviceId)} was unmapped with ${left} EventIDs still mapped; all of them are gone`);
};

const mapd = (state: ItsState, words: ItsCommand): CommandResult => {
  const { DeviceID, Size, ITT_addr, V } = CommandMapd.decode(words);
  const [deviceId, eventIdBits] = [Number(DeviceID), Number(Size) + 1];
  if (!hasRoomFor(state.limits, deviceId)) return error(state, "MAPD_DEVICE_OOR", `the device table has no room for DeviceID ${hex(deviceId)}`);
  // QEMU looks at the size of an unmapping, too; KVM does not.
  if (eventIdBits > state.limits.eventIdBits) return error(state, "MAPD_ITTSIZE_OOR", `EventIDs have at most ${state.limits.eventIdBits} bits, not ${eventIdBits}`);
  if (V === 0n) return unmapDevice(state, deviceId);
  const range = ittRange(state.limits, { itt: ITT_addr, eventIdBits });
  const unclean = state.usedMemory.some((used) => overlap(used, range));
  const device: Device = { itt: ITT_addr, eventIdBits, events: new Map(), ...(unclean ? { unclean } : {}) };
  const after = { ...withDevice(state, deviceId, device), usedMemory: [...without(state.usedMemory, range), range] };
  const neighbour = neighbourIn(state, deviceId, range);
  if (neighbour !== undefined) return unpredictable(after, `the interrupt translation tables of DeviceIDs ${hex(deviceId)} and ${hex(neighbour)} overlap; neither is answered for`);
  return unclean ? unpredictable(after, `memory from ${hex(range.first)} was an interrupt translation table and was not zeroed; what it maps is not answered for`) : done(after);
};

const mapc = (state: ItsState, words: ItsCommand): CommandResult => {
  const { ICID, RDbase, V } = CommandMapc.decode(words);
  const icid = Number(ICID);
  const { limits } = state;
  if (icid >= limits.collections) return error(state, "MAPC_COLLECTION_OOR", `there are ${limits.collections} collections, so none is ${icid}`);
  if (V === 1n && RDbase >= BigInt(limits.redistributors)) return error(state, "MAPC_PROCNUM_OOR", `there are ${limits.redistributors} Redistributors, so none is ${RDbase}`);
  const collections = new Map(state.collections);
  if (V === 1n) collections.set(icid, Number(RDbase));
  else collections.delete(icid);
  const after = { ...state, collections };
  const used = V === 0n && [...state.devices.values()].some(({ events }) => [...events.values()].some((mapping) => mapping.icid === icid));
  // QEMU's mappings come back with the collection; KVM's do not.
  return used ? unpredictable(after, `collection ${icid} was unmapped with interrupts mapped to it; they come back when it is mapped again`) : done(after);
};

const map = (state: ItsState, name: "MAPTI" | "MAPI", words: ItsCommand): CommandResult => {
  const { pINTID, EventID, ICID, ...rest } = CommandMapti.decode(words);
  const signal = signalOf({ ...rest, EventID });
  const [intid, icid] = [Number(name === "MAPTI" ? pINTID : EventID), Number(ICID)];
  const { limits } = state;
  const device = deviceOf(state, signal);
  if (isObjection(device)) return error(state, `${name}_${device[0]}`, device[1]);
  if (icid >= limits.collections) return error(state, `${name}_COLLECTION_OOR`, `there are ${limits.collections} collections, so none is ${icid}`);
  if (!isLpi(limits, intid)) return error(state, `${name}_PHYSICALID_OOR`, `${intid} is not the INTID of an LPI`);
  const after = withMapping(state, signal, device, { intid, icid });
  // KVM keeps the old mapping.
  return device.events.has(signal.eventId) ? unpredictable(after, `EventID ${signal.eventId} of DeviceID ${hex(signal.deviceId)} was mapped already; the new mapping counts`) : done(after);
};

const movi = (state: ItsState, words: ItsCommand): CommandResult => {
  const { ICID, ...rest } = CommandMapi.decode(words);
  const signal = signalOf(rest);
  const icid = Number(ICID);
  const found = mappedEvent(state, signal);
  if (isObjection(found)) return error(state, `MOVI_${found[0]}`, found[1]);
  const { device, mapping } = found;
  const missing = [mapping.icid, icid].find((collection) => !state.collections.has(collection));
  if (missing !== undefined) return error(state, `MOVI_${noCollection(missing)[0]}`, noCollection(missing)[1]);
  return done(withMapping(state, signal, device, { ...mapping, icid }));
};

/** INT, CLEAR, DISCARD: the mapping's collection must be mapped, too, as in QEMU and KVM. INV asks for the mapping alone. */
const event = (state: ItsState, name: "INT" | "CLEAR" | "DISCARD" | "INV", words: ItsCommand): CommandResult => {
  const signal = signalOf(CommandEvent.decode(words));
  const found = mappedEvent(state, signal);
  if (isObjection(found)) return error(state, `${name}_${found[0]}`, found[1]);
  const { device, mapping } = found;
  if (name === "INV") return done(state);
  if (!state.collections.has(mapping.icid)) return error(state, `${name}_UNMAPPED_INTERRUPT`, noCollection(mapping.icid)[1]);
  if (name === "INT") return { state, result: "done", interrupt: deliver(state, signal) };
  return done(name === "DISCARD" ? withMapping(state, signal, device, undefined) : state);
};

/** INVALL makes a collection's configuration be read again; it maps nothing. */
const invall = (state: ItsState, words: ItsCommand): CommandResult => {
  const icid = Number(CommandInvall.get(words, "ICID"));
  return state.collections.has(icid) ? done(state) : error(state, `INVALL_${noCollection(icid)[0]}`, noCollection(icid)[1]);
};

/** MOVALL moves what is pending; mappings and collections stay. */
const movall = (state: ItsState, words: ItsCommand): CommandResult => {
  const { RDbase1, RDbase2 } = CommandMovall.decode(words);
  const beyond = [RDbase1, RDbase2].find((target) => target >= BigInt(state.limits.redistributors));
  return beyond === undefined ? done(state) : error(state, "MOVALL_PROCNUM_OOR", `there are ${state.limits.redistributors} Redistributors, so none is ${beyond}`);
};

/** Executes one command of four 64-bit words. Only `done` and `unpredictable` change the state. */
export const executeCommand = (state: ItsState, words: ItsCommand): CommandResult => {
  if (!state.enabled) return { state, result: "waiting" };
  const name = commandName(words);
  switch (name) {
    case "MAPD":
      return mapd(state, words);
    case "MAPC":
      return mapc(state, words);
    case "MAPTI":
    case "MAPI":
      return map(state, name, words);
    case "MOVI":
      return movi(state, words);
    case "INT":
    case "CLEAR":
    case "DISCARD":
    case "INV":
      return event(state, name, words);
    case "INVALL":
      return invall(state, words);
    case "MOVALL":
      return movall(state, words);
    case "SYNC":
      return done(state);
    case undefined:
      return error(state, "UNKNOWN_COMMAND", `there is no command ${hex(Command.get(words, "Op"))}`);
    default:
      return { state, result: "unsupported", why: `${name} is a command of GICv4, whose virtual interrupts are not modelled` };
  }
};

/** The state after a list of commands, and what each of them answered. */
export const executeCommands = (start: ItsState, commands: readonly ItsCommand[]): { readonly state: ItsState; readonly results: readonly CommandResult[] } => {
  let state = start;
  const results = commands.map((words) => {
    const result = executeCommand(state, words);
    state = result.state;
    return result;
  });
  return { state, results };
};
