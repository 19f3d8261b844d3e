/**
 * What a snapshot says, as one JSON-able document. Addresses, values of registers and fields, sizes in bytes and StreamIDs
 * are hex text; counts, levels, indices, SubstreamIDs, ASIDs and VMIDs are numbers.
 */
import type { Field } from "./fields.ts";

export const DECODING_FORMAT = "cofferdam-decoding";
export const DECODING_VERSION = 1;

export interface Register {
  readonly name: string;
  readonly offset: string;
  readonly value: string;
  readonly bits: 32 | 64;
  readonly fields: readonly Field[];
  /** RES0 bits that are set, and reserved values. */
  readonly reserved: readonly string[];
}
export interface UnknownRegister {
  readonly offset: string;
  readonly value: string;
}

/** Neighbouring streams, both ends included. */
export interface SidRange {
  readonly first: string;
  readonly last: string;
}

export interface Level1Entry {
  readonly index: number;
  readonly address: string;
  readonly value: string;
  readonly span: number;
  readonly firstSid: string;
  /** The second level; absent where the descriptor names none. */
  readonly table?: string;
  readonly entries: number;
  readonly why?: string;
  readonly reserved: readonly string[];
}
export interface StreamTable {
  readonly kind: "linear" | "twoLevel";
  readonly base: string;
  readonly log2Size: number;
  /** Number of streams that the registers allow for. */
  readonly streams: number;
  readonly split?: number;
  /** Level-1 descriptors that are not zero. */
  readonly level1?: readonly Level1Entry[];
  /** Streams by `V` and `Config` of their entries, those with an entry only. */
  readonly histogram: readonly { readonly entry: string; readonly streams: number }[];
  /** Streams without an entry: beyond what level 1 names. */
  readonly withoutEntry: number;
  /** Streams whose entry, or level-1 descriptor, no memory answers for. */
  readonly unreadable: readonly SidRange[];
}

export type EntryClass = "abort" | "bypass" | "stage1" | "stage2" | "nested" | "illegal" | "unsupported";

/** One context descriptor of a stream. */
export interface ContextDescriptor {
  readonly ssid: number;
  /** Where stage 2 translates, too: its intermediate physical address. */
  readonly ipa?: string;
  readonly address: string;
  readonly words: readonly string[];
  readonly class: "legal" | "illegal" | "unsupported";
  readonly why?: string;
  readonly reserved: readonly string[];
  readonly fields: readonly Field[];
  /** Which of `addressSpaces`. */
  readonly addressSpace?: number;
}
export interface ContextTable {
  readonly pointer: string;
  readonly shape: "one" | "linear" | "twoLevel4K" | "twoLevel64K";
  /** log2 of the number of descriptors. */
  readonly log2Size: number;
  /** What becomes of a transaction without a SubstreamID. */
  readonly withoutSubstream: "terminated" | "bypasses stage 1" | "uses descriptor 0";
  readonly descriptors: readonly ContextDescriptor[];
  /** Descriptors with V=0 that are not all zero. */
  readonly invalid: number;
  /** Parts of the table that cannot be read, and level-1 descriptors that are wrong. */
  readonly problems: readonly string[];
}

/** All streams whose entries are equal. */
export interface Entry {
  readonly sids: readonly SidRange[];
  readonly streams: number;
  /** Of the first one. */
  readonly address: string;
  readonly words: readonly string[];
  readonly class: EntryClass;
  /** Why it is illegal, or not decoded further. */
  readonly why?: string;
  readonly reserved: readonly string[];
  /** Of entries that do something: not those that abort and have nothing reserved. */
  readonly fields?: readonly Field[];
  readonly contexts?: ContextTable;
  /** Where stage 2 translates alone. */
  readonly addressSpace?: number;
}

export interface TreeRoot {
  readonly part: "TTB0" | "TTB1" | "S2TTB";
  /** An IPA of TTB0 and TTB1 where stage 2 translates, too. */
  readonly root: string;
  readonly granule: "4K" | "16K" | "64K";
  readonly startLevel: number;
  readonly inputBits: number;
  readonly outputBits: number;
}
/** Who uses an address space. */
export interface User {
  readonly sids: readonly SidRange[];
  readonly ssid?: number;
  readonly asid?: number;
  readonly vmid: number;
}
export interface StageAttributes {
  readonly memory: string;
  readonly shareability: string;
  readonly level: number;
  readonly block: string;
  readonly flags: readonly string[];
}
/**
 * Addresses [input, input+size) go to [output, output+size). `privileged` and `unprivileged` say `r`, `w`, `x` or `-`.
 * Without `output`, and where there is a `fault`, every access faults, at the stage that it names.
 */
export interface AddressRange {
  readonly input: string;
  readonly size: string;
  readonly ipa?: string;
  readonly output?: string;
  readonly privileged: string;
  readonly unprivileged: string;
  readonly fault?: { readonly type: string; readonly stage: 1 | 2 };
  readonly stage1?: StageAttributes;
  readonly stage2?: StageAttributes;
}
export interface TableProblem {
  readonly part: TreeRoot["part"];
  readonly what: string;
  readonly fault?: string;
  readonly input: string;
  readonly level: number;
  /** Of the descriptor; an IPA in a stage-1 table below stage 2. */
  readonly address: string;
  readonly value?: string;
}
export interface AddressSpace {
  readonly id: number;
  readonly roots: readonly TreeRoot[];
  readonly users: readonly User[];
  /** Pages and blocks of stage 1, or of stage 2 where it is alone. */
  readonly leaves: number;
  /** Bytes that can be reached. */
  readonly reachable: string;
  /** By input address, lower half first. */
  readonly ranges: readonly AddressRange[];
  readonly problems: readonly TableProblem[];
}

export interface QueueRecord {
  /** Place in the ring. */
  readonly index: number;
  readonly state: "pending" | "old";
  readonly words: readonly string[];
  /** Name of the command or event; `unknown` where the code has none. */
  readonly name: string;
  readonly fields: readonly Field[];
  readonly reserved: readonly string[];
  /** A command that the queue would stop at. */
  readonly illegal?: string;
}
export interface Queue {
  readonly name: "CMDQ" | "EVENTQ" | "PRIQ";
  readonly enabled: boolean;
  readonly base: string;
  readonly log2Size: number;
  readonly entries: number;
  readonly prod: { readonly index: number; readonly wrap: number };
  readonly cons: { readonly index: number; readonly wrap: number };
  readonly pending: number;
  readonly errors: readonly string[];
  /** Names of all records in the ring, old ones too, and how often each is there. */
  readonly counts: Readonly<Record<string, number>>;
  /** In order of time; the newest, where there are more than are listed. */
  readonly records: readonly QueueRecord[];
}

export interface ItsDevice {
  readonly deviceId: string;
  readonly table: string;
  readonly eventIdBits: number;
  readonly events: readonly { readonly eventId: number; readonly intid: number; readonly collection: number }[];
}
export interface Its {
  readonly enabled: boolean;
  readonly devices: readonly ItsDevice[];
  readonly collections: readonly { readonly collection: number; readonly target: number }[];
  /** Commands that it has taken, in order. */
  readonly commands: readonly { readonly index: number; readonly name: string; readonly words: readonly string[]; readonly fields: readonly Field[] }[];
  readonly problems: readonly string[];
}

export interface Summary {
  readonly enabled: boolean;
  /** What becomes of all transactions while it is not enabled. */
  readonly whileDisabled: "abort" | "bypass";
  /** Streams by what their entry does; those without an entry, or an unreadable one, are `none`. */
  readonly streams: Readonly<Record<EntryClass | "none", number>>;
  readonly pendingEvents: number;
  readonly pendingCommands: number;
  readonly pendingPageRequests: number;
  /** Active global errors, overflows, stopped queues. */
  readonly errors: readonly string[];
}

export interface Decoding {
  readonly format: typeof DECODING_FORMAT;
  readonly version: typeof DECODING_VERSION;
  readonly summary: Summary;
  readonly registers: readonly Register[];
  readonly unknownRegisters: readonly UnknownRegister[];
  readonly streamTable: StreamTable;
  readonly entries: readonly Entry[];
  readonly addressSpaces: readonly AddressSpace[];
  readonly queues: readonly Queue[];
  readonly its?: Its;
  /** What is odd about the snapshot as a whole. */
  readonly notes: readonly string[];
  /** What is left out because a limit was met. */
  readonly cut: readonly string[];
}
