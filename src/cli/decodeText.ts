/** A decoded snapshot in words: a first screen that tells what there is, then every part of it. */
import { Cd } from "../../specs/smmuv3/cd.ts";
import { Ste } from "../../specs/smmuv3/ste.ts";
import type {
  AddressRange,
  AddressSpace,
  ContextDescriptor,
  ContextTable,
  Decoding,
  Entry,
  EntryClass,
  Its,
  Queue,
  Register,
  SidRange,
  StageAttributes,
  StreamTable,
  TreeRoot,
  User,
} from "../audit/decoding.ts";
import type { Field } from "../audit/fields.ts";
import { registerLayout } from "../audit/registers.ts";
import { printable } from "../base/diagnostic.ts";
import type { Fields } from "../base/layout.ts";

/** What is printed of long lists; JSON has the rest. */
const SHOWN = { left: 8, ranges: 2000, records: 48, sids: 12, level1: 64, users: 24, entries: 256, its: 64, spaces: 16 } as const;

const amount = (number: number): string => number.toLocaleString("en-US");
const many = (number: number, one: string, several = `${one}s`): string => `${amount(number)} ${number === 1 ? one : several}`;
const UNITS = ["bytes", "KiB", "MiB", "GiB", "TiB", "PiB"] as const;
/** About so much: three digits are enough for people. */
const bytes = (size: string): string => {
  let [value, unit] = [Number(BigInt(size)), 0];
  for (; value >= 1024 && unit < UNITS.length - 1; unit++) value /= 1024;
  return `${Number(value.toPrecision(value < 1000 ? 3 : 4))} ${UNITS[unit]!}`;
};
/** The first items as lines, and how many more there are. */
const first = <T>(items: readonly T[], most: number, several: string, line: (item: T) => readonly string[], indent = "  "): string[] => [
  ...items.slice(0, most).flatMap(line),
  ...(items.length > most ? [`${indent}… and ${amount(items.length - most)} more ${several}; --json has them`] : []),
];
const title = (text: string): string[] => ["", text, "-".repeat(text.length)];
const sid = ({ first: from, last }: SidRange): string => (from === last ? from : `${from}-${last}`);
const sids = (ranges: readonly SidRange[]): string => `${ranges.slice(0, SHOWN.sids).map(sid).join(", ")}${ranges.length > SHOWN.sids ? ", …" : ""}`;

// Fields.

const worth = ({ value }: Field): boolean => value !== "0x0";
const fieldLines = (fields: readonly Field[], of: Fields | undefined, indent: string): string[] =>
  fields.filter(worth).map(({ name, value, is }) => `${indent}${name.padEnd(14)} ${value.padEnd(12)} ${is === undefined ? "" : `${is}: `}${of?.[name]?.doc ?? ""}`.trimEnd());
/** Told by the name of the record. */
const CODES = new Set(["Op", "Type"]);
/** A record in one line; a StreamID of 0 is one, too. */
const fieldList = (fields: readonly Field[], zeros = false): string =>
  fields
    .filter((field) => !CODES.has(field.name) && (zeros || worth(field) || field.name === "SID" || field.name === "DeviceID"))
    .map(({ name, value, is }) => `${name}=${is ?? value}`)
    .join(" ");
const flagged = (reserved: readonly string[], indent: string): string[] => (reserved.length === 0 ? [] : [`${indent}! reserved: ${reserved.join(", ")}`]);

// The first screen.

const DOES: Readonly<Record<EntryClass, string>> = {
  stage1: "translated by stage 1",
  stage2: "translated by stage 2",
  nested: "translated by both stages",
  bypass: "bypass translation",
  abort: "abort without an event",
  illegal: "abort with C_BAD_STE: their entry is illegal",
  unsupported: "have an entry that is legal, but not decoded further",
};
const streamLine = (streams: number, does: string): string[] => (streams === 0 ? [] : [`  ${many(streams, "stream").padEnd(16)} ${does}`]);
const streamLines = ({ summary: { streams }, streamTable: { withoutEntry } }: Decoding): string[] => [
  ...(Object.keys(DOES) as EntryClass[]).flatMap((kind) => streamLine(streams[kind], DOES[kind])),
  ...streamLine(withoutEntry, "abort with C_BAD_STREAMID: they have no entry"),
  ...streamLine(streams.none - withoutEntry, "without an entry that could be read: no memory answers (F_STE_FETCH), or a limit was met"),
];

const tableSentence = ({ kind, base, streams, split }: StreamTable): string =>
  kind === "linear" ? `linear at ${base}, room for ${many(streams, "stream")}` : `two-level at ${base}, ${2 ** (split ?? 0)} entries a second level, room for ${many(streams, "stream")}`;

const attention = ({ entries, addressSpaces, registers }: Decoding): string[] => {
  const contexts = entries.flatMap(({ contexts: table }) => table?.descriptors ?? []);
  const illegal = contexts.filter((context) => context.class === "illegal").length;
  const reserved = [...entries, ...contexts, ...registers].filter((record) => record.reserved.length > 0).length;
  const problems = addressSpaces.reduce((sum, space) => sum + space.problems.length, 0);
  return [
    ...(illegal > 0 ? [`  ! ${many(illegal, "context descriptor")} illegal (C_BAD_CD)`] : []),
    ...(reserved > 0 ? [`  ! ${many(reserved, "register, entry or descriptor", "registers, entries or descriptors")} with reserved bits or values`] : []),
    ...(problems > 0 ? [`  ! ${many(problems, "fault")} in translation tables`] : []),
  ];
};

/** Names of the events that wait, as far as they are listed. */
const waiting = ({ queues }: Decoding): string => {
  const counts = new Map<string, number>();
  for (const { state, name } of queues.find(({ name: queue }) => queue === "EVENTQ")?.records ?? []) if (state === "pending") counts.set(name, (counts.get(name) ?? 0) + 1);
  return counts.size === 0 ? "" : ` (${[...counts].map(([name, count]) => `${amount(count)} ${name}`).join(", ")})`;
};

const userText = ({ sids: ranges, ssid, asid, vmid }: User): string => `stream ${sids(ranges)}${ssid === undefined ? "" : ` SubstreamID ${ssid}`}${asid === undefined ? "" : `, ASID ${asid}`}, VMID ${vmid}`;
/** Who uses an address space, in a line of the first screen. */
const spaceSentence = ({ id, users, reachable, leaves, problems }: AddressSpace): string[] => [
  `  ${id}: ${bytes(reachable)} in ${many(leaves, "page or block", "pages or blocks")}${problems.length === 0 ? "" : `, ! ${many(problems.length, "fault")} in its tables`}`,
  ...first(users, SHOWN.left, "users", (user) => [`     ${userText(user)}`], "     "),
];

const story = (decoding: Decoding): string[] => {
  const { summary, streamTable, addressSpaces, notes, cut } = decoding;
  const reach = addressSpaces.reduce((sum, { reachable }) => sum + BigInt(reachable), 0n);
  return [
    `SMMUv3: ${summary.enabled ? "enabled" : `disabled, every transaction ${summary.whileDisabled === "abort" ? "aborts" : "passes untranslated"}`}`,
    `Stream table: ${tableSentence(streamTable)}`,
    ...streamLines(decoding),
    `Address spaces: ${addressSpaces.length === 0 ? "none" : `${addressSpaces.length}, which reach ${bytes(`0x${reach.toString(16)}`)} in all`}`,
    ...first(addressSpaces, SHOWN.spaces, "address spaces", spaceSentence),
    `Pending: ${many(summary.pendingEvents, "event")}${waiting(decoding)}, ${many(summary.pendingCommands, "command")}, ${many(summary.pendingPageRequests, "page request")}`,
    `Errors of queues and interrupts: ${summary.errors.length === 0 ? "none" : ""}`.trimEnd(),
    ...summary.errors.map((error) => `  ! ${error}`),
    ...attention(decoding),
    ...notes.map((note) => `Note: ${note}`),
    ...first(cut, SHOWN.left, "parts left out", (sentence) => [`Left out: ${sentence}`], ""),
  ];
};

// Registers.

const registerLines = ({ name, offset, value, fields, reserved }: Register): string[] => [
  `  ${offset.padEnd(8)} ${name.padEnd(16)} ${value}`,
  ...fieldLines(fields, registerLayout(name.replace(" (page 1)", ""))?.fields, "             "),
  ...flagged(reserved, "             "),
];
const registersText = ({ registers, unknownRegisters }: Decoding): string[] => {
  const [zero, set] = [registers.filter(({ value }) => value === "0x0"), registers.filter(({ value }) => value !== "0x0")];
  const others = unknownRegisters.filter(({ value }) => value !== "0x0");
  return [
    ...title("Registers"),
    ...set.flatMap(registerLines),
    ...(zero.length === 0 ? [] : [`  zero: ${zero.map(({ name }) => name).join(", ")}`]),
    ...others.map(({ offset, value }) => `  ${offset.padEnd(8)} ${"unknown".padEnd(16)} ${value}`),
    ...(unknownRegisters.length > others.length ? [`  ${unknownRegisters.length - others.length} unknown offsets that read zero`] : []),
  ];
};

// The stream table.

const streamTableText = ({ streamTable: { level1 = [], histogram, withoutEntry, unreadable, kind } }: Decoding): string[] => [
  ...title("Stream table"),
  ...first(level1, SHOWN.level1, "level-1 descriptors", ({ index, value, span, table, entries, firstSid, why, reserved }) => [
    `  L1STD[${index}] = ${value}: Span ${span}, ${table === undefined ? (why ?? "") : `${entries} entries at ${table}, streams from ${firstSid}`}`,
    ...flagged(reserved, "    "),
  ]),
  ...histogram.map(({ entry, streams }) => `  ${many(streams, "stream").padEnd(16)} ${entry}`),
  ...(withoutEntry > 0 ? [`  ${many(withoutEntry, "stream").padEnd(16)} ${kind === "linear" ? "" : "without a second level"}`] : []),
  ...(unreadable.length > 0 ? [`  ! no memory answers for the entries of streams ${sids(unreadable)}: F_STE_FETCH`] : []),
];

const contextLines = ({ ssid, ipa, address, words, class: legality, why, reserved, fields, addressSpace }: ContextDescriptor, table: ContextTable): string[] => [
  `    CD${table.log2Size === 0 ? "" : ` of SubstreamID ${ssid}`} at ${address}${ipa === undefined ? "" : ` (IPA ${ipa})`}: ${words.join(" ")}`,
  ...(legality === "legal" ? [] : [`      ! ${legality}: ${why ?? ""}`]),
  ...flagged(reserved, "      "),
  ...(addressSpace === undefined ? [] : [`      address space ${addressSpace}`]),
  ...fieldLines(fields, Cd.fields, "      "),
];
const contextTableLines = (table: ContextTable): string[] => [
  `    context descriptors: ${table.shape === "one" ? "one" : `${table.shape}, 2^${table.log2Size}`} at ${table.pointer}; a transaction without a SubstreamID ${table.withoutSubstream === "terminated" ? "is terminated" : table.withoutSubstream}`,
  ...table.descriptors.flatMap((descriptor) => contextLines(descriptor, table)),
  ...(table.invalid > 0 ? [`    ${many(table.invalid, "descriptor")} with V=0 that are not zero`] : []),
  ...table.problems.map((problem) => `    ! ${problem}`),
];
const entryLines = ({ sids: ranges, streams, address, words, class: does, why, reserved, fields, contexts, addressSpace }: Entry): string[] => [
  `  ${streams === 1 ? "stream" : `${amount(streams)} streams`} ${sids(ranges)}: ${does}${addressSpace === undefined ? "" : `, address space ${addressSpace}`}`,
  `    STE at ${address}: ${words.join(" ")}`,
  ...(why === undefined ? [] : [`    ! ${does}: ${why}`]),
  ...flagged(reserved, "    "),
  ...fieldLines(fields ?? [], Ste.fields, "    "),
  ...(contexts === undefined ? [] : contextTableLines(contexts)),
];
const entriesText = ({ entries }: Decoding): string[] => [...title("Entries (fields that are 0 are left out)"), ...first(entries, SHOWN.entries, "entries", entryLines)];

// Address spaces.

const rootText = ({ part, root, granule, startLevel, inputBits, outputBits }: TreeRoot): string => `${part} ${root} (${granule}, from level ${startLevel}, ${inputBits} bits to ${outputBits})`;

const stageText = (stage: StageAttributes | undefined): string =>
  stage === undefined ? "" : `  ${stage.memory}, ${stage.shareability}, level ${stage.level}${stage.flags.length === 0 ? "" : `, ${stage.flags.join(" ")}`}`;
const rangeLine = ({ input, size, ipa, output, privileged, unprivileged, fault, stage1, stage2 }: AddressRange): string => {
  const end = BigInt(input) + BigInt(size) - 1n;
  const to = `${ipa === undefined ? "" : ` -> IPA ${ipa}`}${output === undefined ? "" : ` -> ${output}`}`;
  return `    ${input}-0x${end.toString(16)}${to} ${privileged}/${unprivileged}${fault === undefined ? "" : ` ! ${fault.type} of stage ${fault.stage}`}${stageText(stage1)}${stageText(stage2)}`;
};
const spaceLines = ({ id, roots, users, leaves, reachable, ranges, problems }: AddressSpace): string[] => [
  "",
  `  Address space ${id}: ${roots.map(rootText).join(", ") || "no tables: every access faults"}`,
  ...first(users, SHOWN.users, "users", (user) => [`    used by ${userText(user)}`], "    "),
  `    ${many(leaves, "page or block", "pages or blocks")}, ${many(ranges.length, "range")}, ${bytes(reachable)} reachable`,
  ...first(ranges, SHOWN.ranges, "ranges", (range) => [rangeLine(range)], "    "),
  ...problems.map(({ part, what, fault, input, level, address, value }) => `    ! ${part}: ${what}${fault === undefined ? "" : ` (${fault})`}; level ${level}, input ${input}, at ${address}${value === undefined ? "" : ` = ${value}`}`),
];
const spacesText = ({ addressSpaces }: Decoding): string[] =>
  addressSpaces.length === 0 ? [] : [...title("Address spaces (input -> output, privileged/unprivileged rights)"), ...addressSpaces.flatMap(spaceLines)];

// Queues, interrupts.

const queueLines = ({ name, enabled, base, entries, prod, cons, pending, errors, counts, records }: Queue): string[] => [
  "",
  `  ${name}: ${enabled ? "enabled" : "not enabled"}, ${many(entries, "entry", "entries")} at ${base}, PROD ${prod.index} (wrap ${prod.wrap}), CONS ${cons.index} (wrap ${cons.wrap}), ${amount(pending)} pending`,
  ...errors.map((error) => `    ! ${error}`),
  ...(Object.keys(counts).length === 0 ? [] : [`    in the ring: ${Object.entries(counts).map(([what, count]) => `${amount(count)} ${what}`).join(", ")}`]),
  ...(records.length > SHOWN.records ? [`    the newest ${SHOWN.records} of ${amount(records.length)}; --json has them`] : []),
  ...records
    .slice(-SHOWN.records)
    .flatMap(({ index, state, name: what, fields, reserved, illegal }) => [
      `    [${index}] ${state.padEnd(7)} ${what} ${fieldList(fields, name !== "CMDQ")}`.trimEnd(),
      ...(illegal === undefined ? [] : [`      ! illegal: ${illegal}`]),
      ...flagged(reserved, "      "),
    ]),
];

const itsText = ({ enabled, devices, collections, commands, problems }: Its): string[] => [
  ...title("Interrupt translation (ITS)"),
  `  ${enabled ? "enabled" : "GITS_CTLR says that it is not enabled"}; ${many(devices.length, "device")}, ${many(collections.length, "collection")}, ${many(commands.length, "command")} taken`,
  ...first(devices, SHOWN.its, "devices", ({ deviceId, table, eventIdBits, events }) => [
    `  DeviceID ${deviceId}: table at ${table}, ${2 ** eventIdBits} events, ${events.length} mapped`,
    ...first(events, SHOWN.its, "events", ({ eventId, intid, collection }) => [`    event ${eventId} -> LPI ${intid}, collection ${collection}`], "    "),
  ]),
  ...first(collections, SHOWN.its, "collections", ({ collection, target }) => [`  collection ${collection} -> processor ${target}`]),
  ...first(commands, SHOWN.its, "commands", ({ index, name, fields }) => [`  [${index}] ${name} ${fieldList(fields)}`.trimEnd()]),
  ...problems.map((problem) => `  ! ${problem}`),
];

/** Every line is printable, whatever the snapshot holds. */
export const decodeText = (decoding: Decoding): string =>
  [
    ...story(decoding),
    ...streamTableText(decoding),
    ...entriesText(decoding),
    ...spacesText(decoding),
    ...title("Queues"),
    ...decoding.queues.flatMap(queueLines),
    ...(decoding.its === undefined ? [] : itsText(decoding.its)),
    ...registersText(decoding),
  ]
    .map((line) => `${printable(line)}\n`)
    .join("");
