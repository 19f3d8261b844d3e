/**
 * Everything that a snapshot says, in one document. Nothing in it is trusted: whatever it holds, this ends, within the
 * limits of limits.ts, and says what it left out.
 */
import { offsets, StrtabBase, StrtabBaseCfg } from "../../specs/smmuv3/registers.ts";
import { Ste } from "../../specs/smmuv3/ste.ts";
import { hex } from "../base/words.ts";
import { type Configuration, configurationOf, type Stage1 } from "../smmuv3/configuration.ts";
import { register64, type RegisterFile, type Settings, settingsOf } from "../smmuv3/registers.ts";
import type { Snapshot } from "../smmuv3/snapshot.ts";
import { createSpaces, type Spaces } from "./addressSpaces.ts";
import { pieces, readContexts } from "./contexts.ts";
import { type ContextTable, type Decoding, DECODING_FORMAT, DECODING_VERSION, type Entry, type EntryClass, type Queue, type SidRange, type Summary } from "./decoding.ts";
import { fieldsOf, reservedIn } from "./fields.ts";
import { type Budget, createCuts, type Cuts, limits } from "./limits.ts";
import { readIts } from "./interrupts.ts";
import { type Memory, memoryOf } from "./memory.ts";
import { globalErrors, readQueues } from "./queues.ts";
import { missingRegisters, readRegisters, withPage1 } from "./registers.ts";
import { type Group, readStreams, sidRanges, type Streams } from "./streams.ts";

interface Decoder {
  readonly memory: Memory;
  readonly settings: Settings;
  readonly spaces: Spaces;
  readonly cuts: Cuts;
  readonly budgets: { readonly pieces: Budget; readonly contexts: Budget };
}

const classOf = (configuration: Configuration): EntryClass => (configuration.class === "stage1" && configuration.stage2 !== undefined ? "nested" : configuration.class);

const contextsOf = (decoder: Decoder, configuration: Stage1, sids: readonly SidRange[]): ContextTable => {
  const { memory, settings, spaces, cuts, budgets } = decoder;
  const { stage2, vmid, contexts } = configuration;
  const { table, found } = readContexts(memory, settings, configuration, pieces(memory, stage2), budgets, cuts);
  const second = stage2 === undefined ? {} : { stage2 };
  // Without a SubstreamID stage 1 may be skipped: stage 2 alone is an address space, too.
  if (stage2 !== undefined && contexts.log2Size > 0 && contexts.withoutSubstream === 1) spaces.use(second, { sids, vmid });
  const descriptors = found.map(({ descriptor, context }) => {
    if (context === undefined) return descriptor;
    const space = spaces.use({ stage1: context, ...second }, { sids, ...(contexts.log2Size === 0 ? {} : { ssid: descriptor.ssid }), asid: context.asid, vmid });
    return space === undefined ? descriptor : { ...descriptor, addressSpace: space };
  });
  return { ...table, descriptors };
};

/** What a live entry leads to. */
const followed = (decoder: Decoder, configuration: Configuration, sids: readonly SidRange[]): Pick<Entry, "contexts" | "addressSpace"> => {
  if (configuration.class === "stage1") return { contexts: contextsOf(decoder, configuration, sids) };
  if (configuration.class !== "stage2") return {};
  const space = decoder.spaces.use({ stage2: configuration }, { sids, vmid: configuration.vmid });
  return space === undefined ? {} : { addressSpace: space };
};

const isLive = (entryClass: EntryClass, reserved: readonly string[]): boolean => entryClass !== "abort" || reserved.length > 0;

const entryOf = (decoder: Decoder, { words, address, sids }: Group, detailed: boolean): Entry => {
  const configuration = configurationOf(words, decoder.settings);
  const ranges = sidRanges(sids);
  return {
    sids: ranges,
    streams: sids.count,
    address: hex(address),
    words: words.map(hex),
    class: classOf(configuration),
    ...("why" in configuration ? { why: configuration.why } : {}),
    reserved: reservedIn(Ste, words),
    ...(detailed ? { fields: fieldsOf(Ste, words), ...followed(decoder, configuration, ranges) } : {}),
  };
};

/** Which groups are told in full where there are too many: those that translate, then bypass, then the rest. */
const WEIGHT: Readonly<Record<EntryClass, number>> = { nested: 0, stage1: 0, stage2: 0, bypass: 1, unsupported: 1, illegal: 2, abort: 3 };
interface Classed {
  readonly group: Group;
  readonly entryClass: EntryClass;
  readonly live: boolean;
}
const classed = ({ groups }: Streams, settings: Settings): Classed[] =>
  groups.map((group) => {
    const entryClass = classOf(configurationOf(group.words, settings));
    return { group, entryClass, live: isLive(entryClass, reservedIn(Ste, group.words)) };
  });

const isValid = ({ group }: Classed): number => Number(group.words[0]! & 1n);
const entriesOf = (decoder: Decoder, all: readonly Classed[]): Entry[] => {
  const inOrder = all.toSorted((a, b) => WEIGHT[a.entryClass] - WEIGHT[b.entryClass] || isValid(b) - isValid(a));
  const listed = new Set(inOrder.slice(0, limits.groups));
  const live = inOrder.filter((one) => one.live);
  const detailed = new Set(live.slice(0, limits.liveGroups));
  if (all.length > limits.groups) decoder.cuts.say(`Of ${all.length} different stream table entries, ${limits.groups} are listed, those that translate first.`);
  if (live.length > limits.liveGroups) decoder.cuts.say(`Of ${live.length} different live stream table entries, ${limits.liveGroups} are decoded field by field, those that translate first.`);
  return all.filter((one) => listed.has(one)).map((one) => entryOf(decoder, one.group, detailed.has(one)));
};

const streamsByClass = (all: readonly Classed[], none: number): Summary["streams"] => {
  const streams = { abort: 0, bypass: 0, stage1: 0, stage2: 0, nested: 0, illegal: 0, unsupported: 0, none };
  for (const { group, entryClass } of all) streams[entryClass] += group.sids.count;
  return streams;
};

const summaryOf = (settings: Settings, registers: RegisterFile, streams: Summary["streams"], queues: readonly Queue[]): Summary => {
  const pending = (name: Queue["name"]): number => queues.find((queue) => queue.name === name)?.pending ?? 0;
  return {
    enabled: settings.enabled,
    whileDisabled: settings.abortWhileDisabled ? "abort" : "bypass",
    streams,
    pendingEvents: pending("EVENTQ"),
    pendingCommands: pending("CMDQ"),
    pendingPageRequests: pending("PRIQ"),
    errors: [...globalErrors(registers), ...queues.flatMap(({ name, errors }) => errors.map((error) => `${name}: ${error}`))],
  };
};

const field = (registers: RegisterFile, offset: number): bigint => BigInt((registers.get(offset) ?? 0) >>> 0);
/** Where the registers say one shape of stream table and the SMMU takes another. */
const shapeNotes = (registers: RegisterFile, { linear, split, streamTable }: Settings): string[] => {
  const { SPLIT, FMT } = StrtabBaseCfg.decode([field(registers, offsets.STRTAB_BASE_CFG)]);
  const base = StrtabBase.get([register64(registers, offsets.STRTAB_BASE)], "ADDR");
  return [
    ...(typeof FMT === "bigint" ? [`STRTAB_BASE_CFG.FMT=${FMT} is reserved and behaves as 0, linear.`] : []),
    ...(FMT === "twoLevel" && linear ? ["STRTAB_BASE_CFG.FMT asks for two levels, which this SMMU does not have (IDR0.ST_LEVEL): linear counts."] : []),
    ...(!linear && BigInt(split) !== SPLIT ? [`STRTAB_BASE_CFG.SPLIT=${SPLIT} is reserved and behaves as ${split}.`] : []),
    ...(base === streamTable ? [] : [`STRTAB_BASE=${hex(base)} is not aligned to the size of the table: ${hex(streamTable)} counts.`]),
  ];
};
const notesOf = (registers: RegisterFile, settings: Settings): string[] => {
  const missing = missingRegisters(registers);
  const given = field(registers, offsets.STRTAB_BASE_CFG) & 0x3fn;
  return [
    ...(missing.length === 0 ? [] : [`The snapshot has no ${missing.join(", ")}: taken as 0.`]),
    ...(field(registers, offsets.CR0) === field(registers, offsets.CR0ACK) || !registers.has(offsets.CR0ACK) ? [] : ["CR0ACK differs from CR0: a change of CR0 has not taken effect yet. What CR0 asks for is told here."]),
    ...(settings.enabled ? [] : [`SMMUEN=0: the stream table is not used; every transaction ${settings.abortWhileDisabled ? "aborts" : "passes untranslated"} (GBPA).`]),
    ...(given > BigInt(settings.log2Size) ? [`STRTAB_BASE_CFG.LOG2SIZE=${given} is beyond SIDSIZE; ${settings.log2Size} counts.`] : []),
    ...shapeNotes(registers, settings),
    ...(settings.log2Size > 32 ? ["SIDSIZE is beyond 32 bits; StreamIDs of 32 bits are told."] : []),
  ];
};

/** Decodes a snapshot; `its` is the `its` table of its `regs.json`, where there is one. */
export const decodeSnapshot = (snapshot: Snapshot, its?: unknown): Decoding => {
  const registers = withPage1(snapshot.registers);
  const memory = memoryOf(snapshot);
  const settings = settingsOf(registers);
  const cuts = createCuts();
  const spaces = createSpaces(memory, cuts);
  const decoder: Decoder = { memory, settings, spaces, cuts, budgets: { pieces: { left: limits.contextPieces }, contexts: { left: limits.contexts } } };
  const { known, unknown } = readRegisters(snapshot.registers);
  const streams = readStreams(memory, settings, cuts);
  const all = classed(streams, settings);
  const entries = entriesOf(decoder, all);
  const queues = readQueues(memory, registers, settings, cuts);
  const addressSpaces = spaces.all();
  const interrupts = its === undefined ? {} : { its: readIts(memory, its, cuts) };
  return {
    format: DECODING_FORMAT,
    version: DECODING_VERSION,
    summary: summaryOf(settings, registers, streamsByClass(all, streams.none), queues),
    registers: known,
    unknownRegisters: unknown,
    streamTable: streams.table,
    entries,
    addressSpaces,
    queues,
    ...interrupts,
    notes: notesOf(registers, settings),
    cut: cuts.all(),
  };
};
