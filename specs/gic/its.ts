/**
 * The GICv3 Interrupt Translation Service: registers, the level-1 entry of its tables, and its commands.
 * Source: IHI 0069 "The Interrupt Translation Service", "ITS commands"; QEMU 10.0 hw/intc/gicv3_internal.h; Linux
 * irq-gic-v3-its.c.
 *
 * The architecture leaves the contents of the device table, the collection table and the interrupt translation tables
 * IMPLEMENTATION DEFINED: software gives the memory and uses commands. The entries named `Qemu…` are those of QEMU 10.0.
 */
import { layout } from "../../src/base/layout.ts";

const REGISTERS = 'IHI 0069 "The ITS register map"';
const COMMANDS = 'IHI 0069 "ITS commands"';
const QEMU = "QEMU 10.0 hw/intc/gicv3_internal.h";

/** Byte offsets from the ITS's base. All are 64 bits wide but CTLR, IIDR and TRANSLATER. */
export const offsets = {
  GITS_CTLR: 0x0000,
  GITS_IIDR: 0x0004,
  GITS_TYPER: 0x0008,
  GITS_CBASER: 0x0080,
  GITS_CWRITER: 0x0088,
  GITS_CREADR: 0x0090,
  /** Eight, one after another. */
  GITS_BASER: 0x0100,
  /** In the second 64 KiB frame, alone: the page that a device must reach to signal an interrupt. */
  GITS_TRANSLATER: 0x1_0040,
} as const;
export const GITS_BASERS = 8;
/** Bytes of a frame: the control registers, then the translation register. */
export const FRAME_BYTES = 0x1_0000n;
/** INTIDs from here on are LPIs. */
export const FIRST_LPI = 8192;

export const GitsCtlr = layout("GITS_CTLR", 1, REGISTERS, {
  Enabled: { at: [0, 0], doc: "commands are processed and writes to GITS_TRANSLATER are translated" },
  ImDe: { at: [1, 1], doc: "implementation defined" },
  ITS_Number: { at: [7, 4], doc: "number of this ITS (GICv4)" },
  Quiescent: { at: [31, 31], doc: "nothing is under way" },
});

/** Fields that only say which later extensions are there are left out: MPAM, virtual SGIs, reports of unmapped MSIs. */
export const GitsTyper = layout("GITS_TYPER", 1, REGISTERS, {
  Physical: { at: [0, 0], doc: "physical LPIs are there" },
  Virtual: { at: [1, 1], doc: "virtual LPIs are there (GICv4)" },
  ITT_entry_size: { at: [7, 4], doc: "bytes of an interrupt translation entry, minus one" },
  ID_bits: { at: [12, 8], doc: "bits of an EventID, minus one" },
  Devbits: { at: [17, 13], doc: "bits of a DeviceID, minus one" },
  SEIS: { at: [18, 18], doc: "command errors raise an SError" },
  PTA: { at: [19, 19], doc: "RDbase is a physical address, not a processor number" },
  HCC: { at: [31, 24], doc: "collections that need no table" },
  CIDbits: { at: [35, 32], doc: "bits of a collection's number, minus one, where CIL is set" },
  CIL: { at: [36, 36], doc: "CIDbits counts; else collections have 16 bits" },
  VMOVP: { at: [37, 37], doc: "VMOVP goes to one ITS" },
  VMAPP: { at: [40, 40], doc: "VMAPP carries the configuration (GICv4.1)" },
  SVPET: { at: [42, 41], doc: "shared vPE table" },
});

/** Where the command queue lies. Write and read indices are offsets of 32-byte commands from there. */
export const GitsCbaser = layout("GITS_CBASER", 1, REGISTERS, {
  Size: { at: [7, 0], doc: "4 KiB pages, minus one" },
  Shareability: { at: [11, 10], doc: "shareability of the queue" },
  Physical_Address: { at: [51, 12], unit: 4096, doc: "the queue, aligned to 64 KiB" },
  OuterCache: { at: [55, 53], doc: "outer cacheability" },
  InnerCache: { at: [61, 59], doc: "inner cacheability" },
  Valid: { at: [63, 63], doc: "memory is given" },
});

export const GitsCwriter = layout("GITS_CWRITER", 1, REGISTERS, {
  Retry: { at: [0, 0], doc: "go on after a stall" },
  Offset: { at: [19, 5], doc: "the command after the last, in commands" },
});

export const GitsCreadr = layout("GITS_CREADR", 1, REGISTERS, {
  Stalled: { at: [0, 0], doc: "a command error stopped the queue" },
  Offset: { at: [19, 5], doc: "the next command to be processed, in commands" },
});

export const GitsBaser = layout("GITS_BASER", 1, REGISTERS, {
  Size: { at: [7, 0], doc: "pages, minus one" },
  Page_Size: { at: [9, 8], doc: "page size; 3 is reserved", is: { "4K": 0, "16K": 1, "64K": 2 } },
  Shareability: { at: [11, 10], doc: "shareability of the table" },
  Physical_Address: { at: [47, 12], unit: 4096, doc: "the table; with 64 KiB pages bits 15:12 are address bits 51:48" },
  Entry_Size: { at: [52, 48], doc: "bytes of an entry, minus one; read-only" },
  OuterCache: { at: [55, 53], doc: "outer cacheability" },
  Type: { at: [58, 56], doc: "what the table holds; read-only", is: { unimplemented: 0, device: 1, vpe: 2, collection: 4 } },
  InnerCache: { at: [61, 59], doc: "inner cacheability" },
  Indirect: { at: [62, 62], doc: "two levels" },
  Valid: { at: [63, 63], doc: "memory is given" },
});

/** The level-1 entry of a two-level table: the one table entry whose format the architecture gives. */
export const Level1Entry = layout("ITS level-1 entry", 1, 'IHI 0069 "The ITS tables"', {
  Physical_Address: { at: [51, 12], unit: 4096, doc: "a page of the level-2 table, aligned to the page size" },
  Valid: { at: [63, 63], doc: "there is such a page" },
});

/** Opcodes, word 0 bits 7:0. `virtual`: GICv4. */
export const opcodes = {
  MOVI: { code: 0x01 },
  INT: { code: 0x03 },
  CLEAR: { code: 0x04 },
  SYNC: { code: 0x05 },
  MAPD: { code: 0x08 },
  MAPC: { code: 0x09 },
  MAPTI: { code: 0x0a },
  MAPI: { code: 0x0b },
  INV: { code: 0x0c },
  INVALL: { code: 0x0d },
  MOVALL: { code: 0x0e },
  DISCARD: { code: 0x0f },
  VMOVI: { code: 0x21, virtual: true },
  VMOVP: { code: 0x22, virtual: true },
  VSGI: { code: 0x23, virtual: true },
  VSYNC: { code: 0x25, virtual: true },
  VMAPP: { code: 0x29, virtual: true },
  VMAPTI: { code: 0x2a, virtual: true },
  VMAPI: { code: 0x2b, virtual: true },
  VINVALL: { code: 0x2d, virtual: true },
  INVDB: { code: 0x2e, virtual: true },
} as const satisfies Readonly<Record<string, { readonly code: number; readonly virtual?: true }>>;
export type CommandName = keyof typeof opcodes;

/** 64-bit words of a command. */
export const COMMAND_WORDS = 4;

const op = { at: [7, 0], doc: "opcode" } as const;
const deviceId = { at: [63, 32], doc: "DeviceID" } as const;
const eventId = { word: 1, at: [31, 0], doc: "EventID" } as const;
const icid = { word: 2, at: [15, 0], doc: "collection" } as const;
const rdbase = { word: 2, at: [51, 16], doc: "Redistributor: processor number, or address bits 51:16 where GITS_TYPER.PTA is set" } as const;
const valid = { word: 2, at: [63, 63], doc: "map; else unmap" } as const;

/** The word common to all commands. */
export const Command = layout("ITS command", COMMAND_WORDS, COMMANDS, { Op: op });

export const CommandMapd = layout("ITS MAPD", COMMAND_WORDS, COMMANDS, {
  Op: op,
  DeviceID: deviceId,
  Size: { word: 1, at: [4, 0], doc: "bits of the device's EventIDs, minus one" },
  ITT_addr: { word: 2, at: [51, 8], unit: 256, doc: "the device's interrupt translation table" },
  V: valid,
});

export const CommandMapc = layout("ITS MAPC", COMMAND_WORDS, COMMANDS, { Op: op, ICID: icid, RDbase: rdbase, V: valid });

export const CommandMapti = layout("ITS MAPTI", COMMAND_WORDS, COMMANDS, {
  Op: op,
  DeviceID: deviceId,
  EventID: eventId,
  pINTID: { word: 1, at: [63, 32], doc: "the LPI" },
  ICID: icid,
});

/** MAPI (the LPI is the EventID) and MOVI. */
export const CommandMapi = layout("ITS MAPI", COMMAND_WORDS, COMMANDS, { Op: op, DeviceID: deviceId, EventID: eventId, ICID: icid });

/** INV, INT, CLEAR, DISCARD. */
export const CommandEvent = layout("ITS INV", COMMAND_WORDS, COMMANDS, { Op: op, DeviceID: deviceId, EventID: eventId });

export const CommandInvall = layout("ITS INVALL", COMMAND_WORDS, COMMANDS, { Op: op, ICID: icid });

export const CommandSync = layout("ITS SYNC", COMMAND_WORDS, COMMANDS, { Op: op, RDbase: rdbase });

export const CommandMovall = layout("ITS MOVALL", COMMAND_WORDS, COMMANDS, {
  Op: op,
  RDbase1: rdbase,
  RDbase2: { word: 3, at: [51, 16], doc: "where pending LPIs go" },
});

/** Device table entry of QEMU: 8 bytes. */
export const QemuDte = layout("QEMU DTE", 1, QEMU, {
  Valid: { at: [0, 0], doc: "the device has an ITT" },
  Size: { at: [5, 1], doc: "bits of the device's EventIDs, minus one" },
  ITTAddr: { at: [49, 6], doc: "address of the ITT in units of 256 bytes" },
});

/** Collection table entry of QEMU: 8 bytes. */
export const QemuCte = layout("QEMU CTE", 1, QEMU, {
  Valid: { at: [0, 0], doc: "the collection has a Redistributor" },
  RDBase: { at: [16, 1], doc: "processor number" },
});

/** Interrupt translation entry of QEMU: 12 bytes, so the upper half of word 1 is the next entry's. */
export const QemuIte = layout("QEMU ITE", 2, QEMU, {
  Valid: { at: [0, 0], doc: "the EventID is mapped" },
  IntType: { at: [1, 1], doc: "kind of interrupt", is: { virtual: 0, physical: 1 } },
  IntID: { at: [25, 2], doc: "the LPI" },
  ICID: { at: [47, 32], doc: "collection" },
  VPEID: { at: [63, 48], doc: "vPE (virtual)" },
  Doorbell: { word: 1, at: [23, 0], doc: "doorbell LPI (virtual)" },
});
/** Bytes of the entries of QEMU. */
export const QEMU_DTE_BYTES = 8;
export const QEMU_CTE_BYTES = 8;
export const QEMU_ITE_BYTES = 12;
