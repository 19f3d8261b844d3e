/** The ITS that turns MSIs into interrupts: its tables in QEMU's own layout (hw/intc/gicv3_internal.h), its commands (IHI 0069). */
import type { NotedMemory } from "./memory.ts";
import { bit, bits, number } from "./tables.ts";

export interface DeviceEntry {
  readonly device: number;
  readonly value: bigint;
  /** Valid interrupt translation entries, lowest event first. */
  readonly events: readonly { readonly event: number; readonly interrupt: number; readonly collection: number }[];
}
export interface ItsTable {
  readonly value: bigint;
  readonly type: number;
  readonly indirect: boolean;
  readonly base: bigint;
  /** Valid first-level entries of an indirect table. */
  readonly level1: readonly { readonly index: number; readonly value: bigint }[];
  /** Valid entries of a device table. */
  readonly devices: readonly DeviceEntry[];
}
export interface Its {
  readonly tables: readonly ItsTable[];
  readonly commandBase: bigint;
  readonly writer: bigint;
  /** Commands before the writer's place, four 64-bit words each. */
  readonly commands: readonly (readonly bigint[])[];
}
export type ItsRegisters = (offset: number) => bigint;

const BASERS = [0x100, 0x108, 0x110, 0x118] as const;
const DEVICES = 1;
const PAGES = [0x1000, 0x4000, 0x10000, 0x10000] as const;
const DTE_BYTES = 8;
const COMMAND_BYTES = 32;

const wordsOf = (bytes: Uint8Array): bigint[] => {
  const buffer = Buffer.from(bytes);
  return Array.from({ length: Math.floor(buffer.length / 8) }, (_, index) => buffer.readBigUInt64LE(index * 8));
};

/** Events of a device: entries of `ITT_entry_size` bytes, of which QEMU uses 12. */
const eventsOf = (memory: NotedMemory, dte: bigint, entryBytes: number): DeviceEntry["events"] => {
  const table = bits(dte, 49, 6) << 8n;
  const count = 2 ** Math.min(number(dte, 5, 1) + 1, 16);
  const content = Buffer.from(memory.range(table, count * entryBytes, "ITS-ITT"));
  return Array.from({ length: count }, (_, event) => ({ event, low: content.readBigUInt64LE(event * entryBytes) }))
    .filter(({ low }) => bit(low, 0))
    .map(({ event, low }) => ({ event, interrupt: number(low, 25, 2), collection: number(low, 47, 32) }));
};

const tableOf = (memory: NotedMemory, value: bigint, index: number, typer: bigint): ItsTable => {
  const page = PAGES[number(value, 9, 8)]!;
  const base = page === 0x10000 ? (bits(value, 47, 16) << 16n) | (bits(value, 15, 12) << 48n) : bits(value, 47, 12) << 12n;
  const type = number(value, 58, 56);
  const indirect = bit(value, 62);
  const own = wordsOf(memory.range(base, (number(value, 7, 0) + 1) * page, `ITS-BASER${index}`));
  const table = { value, type, indirect, base, level1: [], devices: [] };
  if (type !== DEVICES) return table;
  if (indirect) memory.range(base, (number(value, 7, 0) + 1) * page, "ITS-L1");
  const level1 = indirect ? own.flatMap((entry, at) => (bit(entry, 63) ? [{ index: at, value: entry }] : [])) : [];
  const perPage = page / DTE_BYTES;
  const entries = indirect
    ? level1.flatMap((upper) => wordsOf(memory.range(bits(upper.value, 51, 12) << 12n, page, "ITS-DT")).map((dte, at) => ({ device: upper.index * perPage + at, dte })))
    : own.map((dte, device) => ({ device, dte }));
  const entryBytes = Math.max(number(typer, 7, 4) + 1, 8);
  return { ...table, level1, devices: entries.filter(({ dte }) => bit(dte, 0)).map(({ device, dte }) => ({ device, value: dte, events: eventsOf(memory, dte, entryBytes) })) };
};

/** Reads tables and commands; notes the pages that they take. */
export const itsOf = (memory: NotedMemory, registers: ItsRegisters): Its => {
  const tables = BASERS.flatMap((offset, index) => (bit(registers(offset), 63) ? [tableOf(memory, registers(offset), index, registers(0x8))] : []));
  const commandBase = registers(0x80);
  const writer = registers(0x88);
  const pages = number(commandBase, 7, 0) + 1;
  const ring = bit(commandBase, 63) ? wordsOf(memory.range(bits(commandBase, 51, 12) << 12n, pages * 0x1000, "ITS-CMDQ")) : [];
  const count = Math.min(number(writer, 19, 5), (pages * 0x1000) / COMMAND_BYTES);
  return { tables, commandBase, writer, commands: Array.from({ length: count }, (_, index) => ring.slice(index * 4, index * 4 + 4)) };
};
