/** What a snapshot holds, as text for people and for comparison: streams, mappings, queues, ITS. */
import { itsOf, type Its, type ItsRegisters } from "./its.ts";
import type { NotedMemory } from "./memory.ts";
import { ABORTS, BYPASS, commandQueue, eventQueue, type Queue, type Registers, STAGE1, STAGE2, type Stream, type StreamTable, streamOf, streamTable } from "./streams.ts";
import { bit, bits, type Leaf, number } from "./tables.ts";

export interface Findings {
  readonly table: StreamTable;
  /** Every stream that does not abort, lowest StreamID first. */
  readonly streams: readonly Stream[];
  readonly commands: Queue;
  readonly events: Queue;
  readonly its: Its | undefined;
}

/** Reads all that the registers lead to, and so notes every page of it. Throws Failure. */
export const findingsOf = (memory: NotedMemory, registers: Registers, its: ItsRegisters | undefined): Findings => {
  const table = streamTable(memory, registers);
  const streams = table.entries.filter(({ valid, config }) => valid && config >= BYPASS).map((entry) => streamOf(memory, entry, registers));
  return { table, streams, commands: commandQueue(memory, registers), events: eventQueue(memory, registers), its: its === undefined ? undefined : itsOf(memory, its) };
};

const hex = (value: bigint | number): string => `0x${value.toString(16)}`;
const row = (words: readonly bigint[]): string => words.map(hex).join(" ");
const SHOWN_COMMANDS = 24;

/** `NAME value` for named bit ranges of one word. */
const fields = (word: bigint, list: readonly (readonly [name: string, high: number, low: number])[]): string => list.map(([name, high, low]) => `${name} ${bits(word, high, low)}`).join(" ");
const CONTEXT = [["T0SZ", 5, 0], ["TG0", 7, 6], ["EPD0", 14, 14], ["EPD1", 30, 30], ["IPS", 34, 32], ["AA64", 41, 41], ["S", 44, 44], ["R", 45, 45], ["A", 46, 46], ["ASET", 47, 47], ["ASID", 63, 48]] as const;
const STAGE2_FIELDS = [["VMID", 15, 0], ["T0SZ", 37, 32], ["SL0", 39, 38], ["IR0", 41, 40], ["OR0", 43, 42], ["SH0", 45, 44], ["TG", 47, 46], ["PS", 50, 48], ["AA64", 51, 51], ["ENDI", 52, 52], ["AFFD", 53, 53], ["PTW", 54, 54], ["S", 57, 57], ["R", 58, 58]] as const;

const title = (valid: boolean, config: number): string => `V=${valid ? 1 : 0} Config=${config.toString(2)}`;
const leafLine = ({ input, descriptor, level }: Leaf): string => `    IOVA ${hex(input)} -> ${hex(descriptor)} L${level}`;

const streamLines = ({ entry, context, leaves, notes }: Stream): string[] => {
  const lines = [`STE sid=${hex(entry.sid)} @${hex(entry.at)}: ${row(entry.words)}  ${title(entry.valid, entry.config)}`];
  if (context !== undefined) {
    lines.push(`  CD @${hex(context.at)}: ${row(context.words)}`);
    lines.push(`  ${fields(context.words[0]!, CONTEXT)} TTB0 ${hex(bits(context.words[1]!, 51, 4) << 4n)} MAIR ${hex(context.words[3]!)}`);
  }
  if (entry.config === STAGE2) lines.push(`  S2 ${fields(entry.words[2]!, STAGE2_FIELDS)} TTB ${hex(bits(entry.words[3]!, 51, 4) << 4n)}`);
  lines.push(...leaves.map(leafLine), ...notes.map((note) => `   note: ${note}`));
  if (entry.config === STAGE1 || entry.config === STAGE2) lines.push(`   total leaf ${leaves.length}`);
  return lines;
};

const tally = (names: readonly string[]): string => {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return JSON.stringify(Object.fromEntries(counts));
};

const streamTableLines = ({ table, streams }: Findings): string[] => {
  const { base, twoLevel, split, log2size, level1, entries } = table;
  const lines = [`STRTAB_BASE ${hex(base)} fmt ${twoLevel ? 1 : 0} split ${split} log2size ${log2size}`];
  lines.push(...level1.map(({ index, value, span }) => `L1STD[${index}]=${hex(value)} span ${span}`));
  const aborting = entries.find(({ valid, config }) => valid && config === ABORTS);
  const shown = [...(aborting === undefined ? [] : [{ entry: aborting, leaves: [], notes: [] }]), ...streams].toSorted((a, b) => a.entry.sid - b.entry.sid);
  lines.push(...shown.flatMap(streamLines));
  lines.push(`STE histogram ${tally(entries.map(({ valid, config }) => title(valid, config)))}`);
  return lines;
};

const queueLines = ({ commands, events }: Findings): string[] => [
  `CMDQ base ${hex(commands.base)} entries ${2 ** commands.log2size} prod ${hex(commands.producer)} cons ${hex(commands.consumer)}`,
  ...commands.records.filter(({ index }) => index < SHOWN_COMMANDS).map(({ index, words }) => `  cmd ${index} ${row(words)}`),
  `cmd opcode counts ${tally(commands.records.map(({ words }) => hex(number(words[0]!, 7, 0))))}`,
  `EVTQ base ${hex(events.base)} prod ${hex(events.producer)} cons ${hex(events.consumer)}`,
  ...events.records.map(({ index, words }) => `  event ${index} ${row(words)}`),
];

const itsLines = ({ tables, commandBase, writer, commands }: Its): string[] => [
  ...tables.flatMap(({ value, type, indirect, base, level1, devices }) => [
    `ITS BASER ${hex(value)} type ${type} indirect ${indirect ? 1 : 0} pa ${hex(base)}`,
    ...level1.map((entry) => `  L1[${entry.index}]=${hex(entry.value)}`),
    ...devices.flatMap((entry) => [
      `   DTE[${hex(entry.device)}]=${hex(entry.value)}`,
      ...entry.events.map(({ event, interrupt, collection }) => `     event ${hex(event)} -> INTID ${interrupt} collection ${collection}`),
    ]),
  ]),
  ...(bit(commandBase, 63) ? [`ITS CBASER ${hex(commandBase)} CWRITER ${hex(writer)}`] : []),
  ...commands.map((words, index) => `  its cmd ${index} ${row(words)}`),
];

export const decodedText = (findings: Findings): string =>
  [...streamTableLines(findings), ...queueLines(findings), ...(findings.its === undefined ? [] : itsLines(findings.its))].map((line) => `${line}\n`).join("");
