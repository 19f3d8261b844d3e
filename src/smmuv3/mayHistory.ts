/**
 * A history before an SMMU that may have kept anything (design D6): each transaction gives every outcome that the
 * architecture allows. Whatever could have been fetched since the last completed invalidation that matches it may be used;
 * a command completes with the SYNC behind it, and what was fetched in between may survive.
 *
 * Only what the transactions of the history could meet is kept: their addresses, through every stream whose entry
 * translates, since streams that share a VMID and ASID share translations.
 */
import { Cr0, offsets } from "../../specs/smmuv3/registers.ts";
import type { Transaction } from "../base/transaction.ts";
import { everyWay } from "./choices.ts";
import { createDevice, type HistoryOutcome } from "./device.ts";
import type { History, HistoryStep } from "./history.ts";
import { nameOf } from "./invalidate.ts";
import { createMayHooks, type Run } from "./mayHooks.ts";
import { addTo, covers, type Kit, kitOf, type Leaves, leavesAfter, type MayKeep, streamsOf, wordsIn } from "./mayKept.ts";
import { type Read, readWords } from "./memory.ts";
import type { Quirks } from "./quirks.ts";
import { type RegisterFile, type Settings, settingsOf } from "./registers.ts";
import type { Retained } from "./retained.ts";
import type { Located, Structure } from "./streamTable.ts";
import { translate, type Translation } from "./transaction.ts";
import { translatingStreams } from "./translatingStreams.ts";

/** Outcomes of a step: each of one transaction that the architecture allows, or those of a command. */
export type MayOutcome = { readonly results: readonly Translation[] } | HistoryOutcome;

export interface MayOptions {
  readonly registers: RegisterFile;
  readonly read: Read;
  readonly quirks?: Quirks;
}

const MOST_ENTRIES = 1 << 17;
/** Look-ups of whole transactions that are tried at most: some ten seconds. */
const MOST_RUNS = 1 << 19;
const MOST_MIXTURES = 256;
/** What fetches between stores to a structure may have got: any mixture of the words it has had (design D5). */
const mixtures = (kept: readonly (readonly bigint[])[], before: readonly bigint[], now: readonly bigint[]): readonly (readonly bigint[])[] => {
  let seen = new Map([before, ...kept].map((words) => [words.join(","), words]));
  for (const [at, word] of now.entries()) {
    if (word === before[at]) continue;
    const mixed = [...seen.values()].map((words) => words.with(at, word));
    seen = new Map([...seen, ...mixed.map((words) => [words.join(","), words] as const)]);
    if (seen.size > MOST_MIXTURES) throw new RangeError(`a structure was changed so often without an invalidation that a fetch could give more than ${MOST_MIXTURES} mixtures of it`);
  }
  return [...seen.values()];
};

interface Probe {
  readonly transaction: Transaction;
  readonly read: Set<bigint>;
}
/** Bits of an address below an ignored top byte. */
const TAGLESS = (1n << 56n) - 1n;

/** A transaction that every leaf lets through: the SMMU fetches for itself, whatever the rights. */
const probeOf = (sid: Transaction["sid"], ssid: number | undefined, iova: Transaction["iova"]): Transaction & { readonly probe: true } => ({
  sid,
  ...(ssid === undefined ? {} : { ssid }),
  op: "read",
  iova,
  size: 1,
  priv: true,
  probe: true,
});

/** Equal while the same stream table is in use. */
const tableKey = ({ enabled, streamTable, log2Size, linear, split }: Settings): string => `${enabled} ${streamTable} ${log2Size} ${linear} ${split}`;

/** An outcome without its event: the event queue is off. */
const unrecorded = (result: Translation): Translation => {
  if (result.result !== "abort") return result;
  const { event: _, ...rest } = result;
  return rest;
};

export const playMay = ({ registers, read: memory, quirks = {} }: MayOptions, history: History): MayOutcome[] => {
  let kit: Kit = kitOf([]);
  /** Each command since the last SYNC: what it leaves, and the kit if it took effect the moment it was given, and no other did. */
  const pending: { readonly leaves: Leaves; readonly early: Kit }[] = [];
  const kits = (): Kit[] => [kit, ...pending.map(({ early }) => early)];
  /** Structures that were fetched, and the words they had last. */
  const structures = new Map<string, { readonly structure: Structure; readonly addr: bigint; words: readonly bigint[] }>();
  let settings = settingsOf(registers, quirks);

  const run: Run = { from: kit, choose: () => 0, left: [] };
  /** Words that decided about something: a store elsewhere changes nothing. Those of the probe that runs are `its`. */
  let its = new Set<bigint>();
  const seeing: Read = (address) => {
    its.add(address);
    return device.read(address);
  };
  const fetching = (structure: Structure, { addr, words }: Located): void => {
    structures.set(`${structure.kind} ${structure.sid} ${structure.index} ${addr}`, { structure, addr, words });
  };
  const lookUps = createMayHooks({ run, quirks, settings: () => settings, read: seeing, fetching });
  const hooks: Retained = {
    ...lookUps,
    execute: (words, now) => {
      if (nameOf(words) === "SYNC") return complete();
      const leaves = leavesAfter(words, now);
      pending.push({ leaves, early: kitOf([...kit.entries.values()].filter(leaves)) });
      return undefined;
    },
  };
  /** What a command names is still there if it may have been fetched since the command was given. */
  const complete = (): void => {
    kit = kitOf([...kit.entries].filter(([key, entry]) => pending.every(({ leaves, early }) => leaves(entry) || early.entries.has(key))).map(([, entry]) => entry));
    pending.length = 0;
  };
  const device = createDevice({ registers, read: memory, quirks, caches: hooks });

  let runs = 0;
  const judge = (transaction: Transaction, from: Kit): Translation[] => {
    if (run.from !== from) lookUps.forget();
    run.from = from;
    return everyWay((choose) => {
      if (++runs > MOST_RUNS) throw new RangeError(`the history has more than ${MOST_RUNS} ways to be answered, which is where \`--caches may\` stops`);
      run.choose = choose;
      return translate(seeing, settings, transaction, hooks);
    });
  };

  const asked = history.flatMap((step) => (step.kind === "transaction" ? [step.transaction] : []));
  const addresses = [...new Map(asked.map((transaction) => [transaction.iova, transaction.iova])).values()];
  const substreams = [...new Set([undefined, ...asked.map(({ ssid }) => ssid)])];
  let scanned = translatingStreams(device.read, settings);
  /** Each address that is asked about, by each stream that may ask, and the words that its probe has read so far. */
  const probes = new Map<string, Probe>();
  const addProbes = (): void => {
    const sids = new Set([...asked.map(({ sid }) => sid), ...(scanned.sids as Transaction["sid"][])]);
    for (const sid of sids)
      for (const ssid of substreams)
        for (const iova of addresses) {
          const key = `${sid} ${ssid ?? ""} ${iova}`;
          if (!probes.has(key)) probes.set(key, { transaction: probeOf(sid, ssid, iova), read: new Set() });
        }
  };
  /** Probes that an entry can make a difference to; an entry of stage 2 or of configuration may to all. */
  const touchedBy = (entry: MayKeep): Probe[] => {
    if (entry.kind === "words" || entry.tag.asid === undefined) return [...probes.values()];
    const shape = entry.kind === "table" ? entry : entry.kept;
    return [...probes.values()].filter(({ transaction }) => covers(shape, transaction.iova & TAGLESS) || covers({ ...shape, input: shape.input & TAGLESS }, transaction.iova & TAGLESS));
  };
  /** Adds what could be fetched now, until nothing more can; only probes that something changed for are run. */
  const saturate = (target: Kit, changed: Iterable<Probe>): void => {
    for (let next = new Set(changed); next.size > 0; ) {
      const dirty = next;
      next = new Set();
      lookUps.forget();
      for (const probe of dirty) {
        run.left = [];
        its = probe.read;
        judge(probe.transaction, target);
        for (const entry of run.left) {
          if (!addTo(target, entry)) continue;
          for (const touched of touchedBy(entry)) next.add(touched);
        }
      }
      if (target.entries.size > MOST_ENTRIES) throw new RangeError(`the caches could hold more than ${MOST_ENTRIES} entries`);
    }
  };
  /** Structures whose memory changed: what they were, and mixtures, may have been fetched. */
  const keepOverwritten = (): void => {
    for (const record of structures.values()) {
      const { structure, addr, words: before } = record;
      const now = readWords(device.read, addr, before.length);
      if (now === undefined || now.join(",") === before.join(",")) continue;
      const [first, last] = streamsOf(structure, settings);
      for (const target of kits()) {
        const kept = wordsIn(target, structure).flatMap((entry) => (entry.addr === addr ? [entry.words] : []));
        for (const words of mixtures(kept, before, now)) addTo(target, { kind: "words", structure, first, last, addr, words });
      }
      record.words = now;
    }
  };
  const fill = (changed: readonly Probe[] = [...probes.values()]): void => {
    if (!settings.enabled) return;
    for (const target of kits()) saturate(target, changed);
  };

  const outcomesOf = (transaction: Transaction): MayOutcome => {
    run.left = [];
    its = new Set();
    lookUps.forget();
    const recorded = Cr0.get([BigInt(device.registers().get(offsets.CR0) ?? 0)], "EVENTQEN") === 1n;
    const results = judge(transaction, kit).map((result) => (recorded ? result : unrecorded(result)));
    const updating = results.find((result) => (result.updates?.length ?? 0) > 0);
    return { results: updating === undefined ? results : [{ result: "unsupported", why: "hardware updates of tables are not modelled where caches may hold anything", via: updating.via }] };
  };
  const step = (happens: HistoryStep): MayOutcome[] => {
    if (happens.kind === "transaction") return [outcomesOf(happens.transaction)];
    const before = settings;
    const outcomes = device.step(happens);
    settings = settingsOf(device.registers(), quirks);
    const touchesTable = tableKey(settings) !== tableKey(before) || (happens.kind === "store" && scanned.regions.some(([start, end]) => happens.addr >= start && happens.addr < end));
    if (touchesTable) {
      scanned = translatingStreams(device.read, settings);
      addProbes();
    }
    if (before.enabled) keepOverwritten();
    const all = [...probes.values()];
    fill(happens.kind === "store" && !touchesTable ? all.filter(({ read }) => read.has(happens.addr)) : all);
    return outcomes;
  };
  addProbes();
  fill();
  return history.flatMap(step);
};
