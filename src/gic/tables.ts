/**
 * An ITS read from the memory of a running machine: its registers, and its tables as QEMU 10.0 lays them out (the
 * architecture leaves that open). Untrusted: anything that does not fit is a diagnostic.
 */
import {
  COMMAND_WORDS,
  GITS_BASERS,
  GitsBaser,
  GitsCbaser,
  GitsCreadr,
  GitsCtlr,
  GitsTyper,
  Level1Entry,
  offsets,
  QEMU_CTE_BYTES,
  QEMU_DTE_BYTES,
  QEMU_ITE_BYTES,
  QemuCte,
  QemuDte,
  QemuIte,
} from "../../specs/gic/its.ts";
import { type Checked, type Diagnostic, hasError, printable } from "../base/diagnostic.ts";
import { hex } from "../base/words.ts";
import type { ItsCommand } from "./command.ts";
import { type Device, type ItsLimits, type ItsState, ittRange, type Mapping, overlappingTables, type Range, sharedInterrupts } from "./its.ts";

/** Registers as they read, by byte offset: 64-bit values, GITS_CTLR 32. */
export type ItsRegisters = ReadonlyMap<number, bigint>;
/** The 64-bit word at an 8-byte aligned address, or undefined where memory does not answer. */
export type Read = (address: bigint) => bigint | undefined;
export interface ItsMemory {
  readonly registers: ItsRegisters;
  readonly read: Read;
}

/** 64-bit words of tables that are read at most: 16 MiB. */
const MOST_WORDS = 2 ** 21;
const COMMAND_BYTES = COMMAND_WORDS * 8;

const say = (id: string, severity: Diagnostic["severity"], message: string, path = "its"): Diagnostic => ({ id, severity, message, place: { path } });
const fault = (message: string, path?: string): Diagnostic => say("bad-its-snapshot", "error", message, path);

const hexNumber = (text: unknown, bits: number): bigint | undefined => {
  if (typeof text !== "string" || !/^0x[0-9a-fA-F]{1,16}$/.test(text)) return undefined;
  const value = BigInt(text);
  return value >> BigInt(bits) === 0n ? value : undefined;
};

/** Registers from the `its` table of a snapshot's `regs.json`: `{"0x0": "0x…", "0x8": …}`. */
export const readItsRegisters = (json: unknown): Checked<ItsRegisters> => {
  if (typeof json !== "object" || json === null || Array.isArray(json)) return { value: undefined, diagnostics: [fault('there is no register table; expected "its": {"0x0": "0x…", …}')] };
  const registers = new Map<number, bigint>();
  const diagnostics: Diagnostic[] = [];
  for (const [name, text] of Object.entries(json)) {
    const offset = hexNumber(name, 17);
    const value = hexNumber(text, 64);
    if (offset === undefined || offset % 4n !== 0n) diagnostics.push(fault(`${printable(JSON.stringify(name).slice(0, 60))} is not the offset of a register`));
    else if (value === undefined) diagnostics.push(fault(`${hex(offset)} has no hex value below 2^64`));
    else if (registers.has(Number(offset))) diagnostics.push(fault(`register ${hex(offset)} is given twice`));
    else registers.set(Number(offset), value);
  }
  return { value: diagnostics.length > 0 ? undefined : registers, diagnostics };
};

class Unreadable extends Error {
  override readonly name = "Unreadable";
}
/** Reads words of tables and counts them: past MOST_WORDS, or where memory does not answer, it throws Unreadable. */
const counted = (read: Read): ((address: bigint) => bigint) => {
  let words = 0;
  return (address) => {
    if (++words > MOST_WORDS) throw new Unreadable(`the tables have more than ${MOST_WORDS} words; the rest is not read`);
    const word = read(address);
    if (word === undefined) throw new Unreadable(`no memory answers at ${hex(address)}, where a table of the ITS lies`);
    return word;
  };
};
type Words = ReturnType<typeof counted>;

const LOW = 0xffff_ffffn;
/** The 64 bits at an address that is a multiple of 4. */
const wordAt = (words: Words, address: bigint): bigint => (address % 8n === 0n ? words(address) : (words(address - 4n) >> 32n) | ((words(address + 4n) & LOW) << 32n));

const PAGE_SIZES: Readonly<Record<string, number>> = { "4K": 0x1000, "16K": 0x4000, "64K": 0x1_0000 };
interface Table {
  readonly base: bigint;
  readonly pageBytes: number;
  readonly bytes: number;
  readonly indirect: boolean;
  readonly entryBytes: number;
}
/** One GITS_BASER. The reserved page size reads as 64 KiB, as in QEMU. */
const tableOf = (baser: bigint): Table => {
  const { Size, Page_Size, Physical_Address, Indirect, Entry_Size } = GitsBaser.decode([baser]);
  const pageBytes = PAGE_SIZES[String(Page_Size)] ?? 0x1_0000;
  const base = pageBytes === 0x1_0000 ? (Physical_Address & ~0xf000n) | ((Physical_Address & 0xf000n) << 36n) : Physical_Address;
  return { base, pageBytes, bytes: (Number(Size) + 1) * pageBytes, indirect: Indirect === 1n, entryBytes: Number(Entry_Size) + 1 };
};

/** A run of entries that lie one after another. */
interface Run extends Range<number> {
  readonly base: bigint;
}
/** Where the first `most` entries of a table are; level-1 entries that are not valid have none. */
const runsOf = (words: Words, { base, pageBytes, bytes, indirect, entryBytes }: Table, most: number): Run[] => {
  if (!indirect) return [{ first: 0, end: Math.min(Math.floor(bytes / entryBytes), most), base }];
  const perPage = Math.floor(pageBytes / entryBytes);
  const runs: Run[] = [];
  for (let at = 0; at < bytes / 8 && at * perPage < most; at++) {
    const { Valid, Physical_Address } = Level1Entry.decode([words(base + BigInt(at * 8))]);
    if (Valid === 1n) runs.push({ first: at * perPage, end: Math.min((at + 1) * perPage, most), base: Physical_Address & ~BigInt(pageBytes - 1) });
  }
  return runs;
};
/** The entries of 8 bytes that are valid in bit 0, by index. */
const validEntries = (words: Words, runs: readonly Run[]): [number, bigint][] => {
  const entries: [number, bigint][] = [];
  for (const { first, end, base } of runs)
    for (let index = first; index < end; index++) {
      const entry = words(base + BigInt((index - first) * 8));
      if ((entry & 1n) === 1n) entries.push([index, entry]);
    }
  return entries;
};

/** What an ITT maps, and how many of its entries are virtual interrupts. */
const mappingsOf = (words: Words, itt: bigint, eventIdBits: number): { readonly events: ReadonlyMap<number, Mapping>; readonly virtual: number } => {
  const events = new Map<number, Mapping>();
  let virtual = 0;
  for (let eventId = 0; eventId < 2 ** eventIdBits; eventId++) {
    const low = wordAt(words, itt + BigInt(eventId) * BigInt(QEMU_ITE_BYTES));
    if ((low & 1n) === 0n) continue;
    const { IntType, IntID, ICID } = QemuIte.decode([low, 0n]);
    if (IntType === "physical") events.set(eventId, { intid: Number(IntID), icid: Number(ICID) });
    else virtual++;
  }
  return { events, virtual };
};

/** What GITS_TYPER says, and the two tables; or why they are not QEMU's. */
interface Shape {
  readonly deviceIdBits: number;
  readonly eventIdBits: number;
  readonly collections: number;
  readonly deviceTable: Table;
  readonly collectionTable: Table;
}
const shapeOf = (registers: ItsRegisters, diagnostics: Diagnostic[]): Shape | undefined => {
  const typer = registers.get(offsets.GITS_TYPER);
  if (typer === undefined || !registers.has(offsets.GITS_CTLR)) return void diagnostics.push(fault("GITS_CTLR (0x0) and GITS_TYPER (0x8) are needed"));
  const { Devbits, ID_bits, CIL, CIDbits, PTA, ITT_entry_size } = GitsTyper.decode([typer]);
  if (PTA === 1n) diagnostics.push(fault("the ITS names Redistributors by address (GITS_TYPER.PTA=1), which is not modelled"));
  if (Number(ITT_entry_size) + 1 !== QEMU_ITE_BYTES) diagnostics.push(fault(`interrupt translation entries have ${ITT_entry_size + 1n} bytes, those of QEMU ${QEMU_ITE_BYTES}: tables of other implementations are not read`));
  const basers = Array.from({ length: GITS_BASERS }, (_, at) => registers.get(offsets.GITS_BASER + at * 8) ?? 0n);
  const table = (type: "device" | "collection", entryBytes: number): Table | undefined => {
    const baser = basers.find((value) => GitsBaser.get([value], "Type") === type && GitsBaser.get([value], "Valid") === 1n);
    if (baser === undefined) return void diagnostics.push(fault(`no GITS_BASER gives memory for the ${type} table`));
    if (tableOf(baser).entryBytes === entryBytes) return tableOf(baser);
    return void diagnostics.push(fault(`entries of the ${type} table have ${tableOf(baser).entryBytes} bytes, those of QEMU ${entryBytes}: tables of other implementations are not read`));
  };
  const [deviceTable, collectionTable] = [table("device", QEMU_DTE_BYTES), table("collection", QEMU_CTE_BYTES)];
  if (deviceTable === undefined || collectionTable === undefined || hasError(diagnostics)) return undefined;
  return { deviceIdBits: Number(Devbits) + 1, eventIdBits: Number(ID_bits) + 1, collections: 2 ** (CIL === 1n ? Number(CIDbits) + 1 : 16), deviceTable, collectionTable };
};

const readDevices = (words: Words, runs: readonly Run[], diagnostics: Diagnostic[]): ReadonlyMap<number, Device> => {
  const devices = new Map<number, Device>();
  for (const [deviceId, entry] of validEntries(words, runs)) {
    const { Size, ITTAddr } = QemuDte.decode([entry]);
    const [itt, eventIdBits] = [ITTAddr << 8n, Number(Size) + 1];
    const { events, virtual } = mappingsOf(words, itt, eventIdBits);
    if (virtual > 0) diagnostics.push(say("virtual-interrupt", "warning", `DeviceID ${hex(deviceId)} maps ${virtual} virtual interrupts (GICv4), which are not modelled: they count as not mapped`));
    devices.set(deviceId, { itt, eventIdBits, events });
  }
  return devices;
};

/** Findings of one rule that are told one by one; then only how many more there are. */
const MOST_FINDINGS = 20;
const warnings = (id: string, messages: readonly string[]): Diagnostic[] => {
  const more = messages.length - MOST_FINDINGS;
  return [...messages.slice(0, MOST_FINDINGS), ...(more > 0 ? [`there are ${more} more`] : [])].map((message) => say(id, "warning", message));
};
/** What can be read but breaks a rule that software has to keep. */
const findings = (state: ItsState): Diagnostic[] => [
  ...warnings("overlapping-itts", overlappingTables(state).map(([a, b]) => `the interrupt translation tables of DeviceIDs ${hex(a)} and ${hex(b)} overlap: each can change what the other maps`)),
  ...warnings("shared-interrupt", [...sharedInterrupts(state)].map(([intid, by]) => `LPI ${intid} can be signalled by DeviceIDs ${by.map(hex).join(", ")}: each can pose as the other`)),
];

/**
 * The ITS of a machine whose tables are QEMU's. `redistributors` and `intidBits` (GICD_TYPER.IDbits + 1) are not in the
 * ITS's registers. Tables that can't be read whole give no value. Memory that reads zero maps nothing: a snapshot must
 * hold the device table, the collection table and every interrupt translation table.
 */
export const itsFromSnapshot = ({ registers, read }: ItsMemory, { redistributors, intidBits }: Pick<ItsLimits, "redistributors" | "intidBits">): Checked<ItsState> => {
  const diagnostics: Diagnostic[] = [];
  const shape = shapeOf(registers, diagnostics);
  if (shape === undefined) return { value: undefined, diagnostics };
  const words = counted(read);
  try {
    const deviceRuns = runsOf(words, shape.deviceTable, 2 ** shape.deviceIdBits);
    const collectionRuns = runsOf(words, shape.collectionTable, shape.collections);
    const devices = readDevices(words, deviceRuns, diagnostics);
    const collections = validEntries(words, collectionRuns).map(([icid, entry]) => [icid, Number(QemuCte.get([entry], "RDBase"))] as const);
    const limits: ItsLimits = {
      deviceIds: deviceRuns.map(({ first, end }) => ({ first, end })),
      eventIdBits: shape.eventIdBits,
      collections: Math.max(0, ...collectionRuns.map(({ end }) => end)),
      redistributors,
      intidBits,
      ittEntryBytes: QEMU_ITE_BYTES,
    };
    const enabled = GitsCtlr.get([registers.get(offsets.GITS_CTLR)!], "Enabled") === 1n;
    const usedMemory = [...devices.values()].map((device) => ittRange(limits, device));
    // QEMU drops what goes to a processor that is not there.
    const state: ItsState = { enabled, limits, devices, collections: new Map(collections.filter(([, target]) => target < redistributors)), usedMemory };
    return { value: state, diagnostics: [...diagnostics, ...findings(state)] };
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
    return { value: undefined, diagnostics: [...diagnostics, fault(error.message)] };
  }
};

/**
 * The commands that the ITS has taken from its queue: those before GITS_CREADR, in order. The whole history since the
 * queue was given, if it never wrapped; whether it did can't be seen.
 */
export const consumedCommands = ({ registers, read }: ItsMemory): Checked<readonly ItsCommand[]> => {
  const { Valid, Physical_Address, Size } = GitsCbaser.decode([registers.get(offsets.GITS_CBASER) ?? 0n]);
  const next = Number(GitsCreadr.get([registers.get(offsets.GITS_CREADR) ?? 0n], "Offset"));
  if (Valid === 0n) return { value: undefined, diagnostics: [fault("GITS_CBASER gives no memory for the command queue")] };
  if (next * COMMAND_BYTES >= (Number(Size) + 1) * 0x1000) return { value: undefined, diagnostics: [fault(`GITS_CREADR is at command ${next}, beyond the queue`)] };
  const words = counted(read);
  try {
    const command = (at: number): ItsCommand => Array.from({ length: COMMAND_WORDS }, (_, word) => words(Physical_Address + BigInt(at * COMMAND_BYTES + word * 8)));
    return { value: Array.from({ length: next }, (_, at) => command(at)), diagnostics: [] };
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
    return { value: undefined, diagnostics: [fault(error.message)] };
  }
};
