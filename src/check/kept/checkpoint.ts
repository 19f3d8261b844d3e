/**
 * Checkpoints of an exploration: every state with how it was reached, where the search stands, how each machine state
 * came about, and what was reached. A run that goes on from one ends with the same counts, verdict and traces as one
 * that never stopped. `recordFile.ts` says how the file is made; here is what is in it.
 *
 * What is read is held to the model: first by its hashes, then by making some of its states again.
 */
import { impossible } from "../../base/diagnostic.ts";
import type { Step } from "../../base/step.ts";
import type { Found, Standing } from "../search/breadth.ts";
import { canonicalJson, sha256 } from "../canonical.ts";
import type { Reached } from "../coverage.ts";
import { type Derivation, derive } from "../machineIds.ts";
import type { Model } from "../model.ts";
import { Arrivals, isPathKey, ORIGIN_NUMBERS, Origins } from "../search/origins.ts";
import { BYTE_ORDER, checkpointFault, damaged, RecordReader, RecordWriter } from "./recordFile.ts";
import { Refusal } from "../refusal.ts";
import { StateStore } from "../search/stateStore.ts";
import { stepOfValues, valuesOfStep } from "../traces/stepText.ts";
import type { TraceModel } from "../traces/trace.ts";

/** What a checkpoint and the run that goes on from it must have in common. Bounds and the number of threads may differ. */
export interface Subject {
  readonly spec: string;
  readonly layout: string;
  readonly model: TraceModel;
  readonly properties: readonly string[];
  readonly traces: number;
}
export const subjectOf = ({ booted, properties }: Model, model: TraceModel, traces: number): Subject => ({
  spec: booted.layout.spec.sha256,
  layout: sha256(canonicalJson(booted.layout)),
  model,
  properties: properties.map(({ name, sentence, source = "" }) => `${name}: ${sentence} ${source}`),
  traces,
});

interface Header {
  readonly subject: Subject;
  readonly byteOrder: string;
  readonly words: number;
  readonly states: number;
  readonly machines: number;
  readonly standing: Pick<Standing, "firstNew" | "improved" | "edges" | "depth" | "expanded" | "found" | "signatures">;
  readonly reached: Reached;
  /** Fields of the profile that were asked for. */
  readonly asked: readonly string[];
}

/** What is written: a standing, in pieces. */
export interface Kept extends Omit<Standing, "store" | "origins" | "arrivals" | "level" | "ranks" | "next"> {
  readonly count: number;
  readonly states: () => Iterable<Uint32Array>;
  readonly origins: () => Iterable<Int32Array>;
  /** Keys of the states from `firstNew` on. */
  readonly keys: () => Float64Array;
  readonly level: readonly number[];
  readonly ranks: readonly number[];
  readonly reached: Reached;
}
/** A standing of one thread. States of a search are collapsed; a file has whole ones, since numbers of parts are of one run. */
export const keptOf = ({ store, origins, arrivals, ...standing }: Standing, model: Model): Kept => ({
  ...standing,
  count: store.count,
  states: () => model.collapse.wholes(store.pieces()),
  origins: () => origins.pieces(store.count),
  keys: () => arrivals.until(store.count),
  reached: model.coverage.reached(model.booted.layout.dma),
});

/** Steps, lists of them, and derivations by number: most lists and steps are given again and again. */
const writeMachines = (writer: RecordWriter, derivations: readonly Derivation[]): void => {
  const steps = new Map<Step, number>();
  const lists = new Map<readonly Step[], number>();
  const numbersOfLists: number[] = [];
  const derived: number[] = [];
  for (const { from, steps: list } of derivations) {
    let number = lists.get(list);
    if (number === undefined) {
      lists.set(list, (number = lists.size));
      numbersOfLists.push(list.length);
      for (const step of list) {
        if (!steps.has(step)) steps.set(step, steps.size);
        numbersOfLists.push(steps.get(step)!);
      }
    }
    derived.push(from, number);
  }
  writer.json([...steps.keys()].map(valuesOfStep), "step");
  writer.numbers(Int32Array.from(numbersOfLists), "list");
  writer.numbers(Int32Array.from(derived), "from");
};

/** Throws what the file system throws; the file that was there is then still there. */
export const writeCheckpoint = (file: string, subject: Subject, model: Model, asked: readonly string[], kept: Kept): void => {
  const { firstNew, improved, edges, depth, expanded, found, signatures, reached } = kept;
  const derivations = model.machineIds.derivations();
  const header: Header = {
    subject,
    byteOrder: BYTE_ORDER,
    words: model.words,
    states: kept.count,
    machines: derivations.length,
    standing: { firstNew, improved, edges, depth, expanded, found, signatures },
    reached,
    asked,
  };
  const writer = new RecordWriter(file);
  try {
    writer.json(header, "head");
    writeMachines(writer, derivations);
    for (const piece of kept.states()) writer.numbers(piece, "stat");
    for (const piece of kept.origins()) writer.numbers(piece, "orig");
    writer.numbers(kept.keys(), "keys");
    writer.numbers(Int32Array.from(kept.level), "levl");
    writer.numbers(Int32Array.from(kept.ranks), "rank");
    writer.finish();
  } catch (error) {
    writer.abandon();
    throw error;
  }
};

/** What differs, in words. */
const differences = (theirs: Subject, ours: Subject): string[] => {
  const scope = ({ model }: Subject) => Object.entries(model.scope).map(([name, value]) => `${name}=${value}`).join(",");
  const kernel = ({ model }: Subject) => `${model.profile}${model.mutant === undefined ? "" : ` without ${model.mutant}`}`;
  const told = (what: string, of: (subject: Subject) => string) => (of(theirs) === of(ours) ? [] : [`${what} ${of(theirs)} instead of ${of(ours)}`]);
  const hidden = (what: string, of: (subject: Subject) => unknown) => (canonicalJson(of(theirs)) === canonicalJson(of(ours)) ? [] : [what]);
  const named = [
    ...hidden("another spec", ({ spec }) => spec),
    ...told("the kernel", kernel),
    ...told("the scope", scope),
    ...told("--caches", ({ model }) => model.caches),
    ...told("--unreduced", ({ model }) => model.unreduced?.join(",") ?? "nothing"),
    ...told("--traces", ({ traces }) => String(traces)),
    ...hidden("other properties", ({ properties }) => properties),
  ];
  return named.length > 0 ? named : [...hidden("another board", ({ layout }) => layout), ...hidden("another version of the model", ({ model }) => model)];
};

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
const isList = (value: unknown, holds: (item: never) => boolean): boolean => Array.isArray(value) && value.every((item) => holds(item as never));

const isFound = ({ violated, ordinals, steps }: Found): boolean => isCount(violated) && isCount(steps) && isList(ordinals, isCount);
const isReached = ({ operations, paths, exercised }: Reached, { coverage, booted }: Model): boolean => {
  const known = coverage.operations();
  const likeOurs = (entry: Reached["operations"][number], index: number) => isCount(entry.performed) && entry.refused.length === known[index]!.refused.length && entry.refused.every(({ count }) => isCount(count));
  return operations.length === known.length && operations.every(likeOurs) && isList(paths, (path) => path in booted.layout.dma) && isList(exercised, (name) => typeof name === "string");
};

/** Every part of the header has the form that it was written in; a file that has not is damaged, whatever its sum says. */
const headerOf = (reader: RecordReader, subject: Subject, model: Model): Header => {
  const header = reader.json("head") as Header;
  try {
    const differ = differences(header.subject, subject);
    if (differ.length > 0) throw new Refusal(checkpointFault(reader.file, `the checkpoint is of another run: ${differ.join(", ")}`, "give the spec and the flags that it was written with; only bounds and --workers may differ"));
    if (header.byteOrder !== BYTE_ORDER) throw new Refusal(checkpointFault(reader.file, "the checkpoint comes from a machine of the other byte order", "go on with it on a machine like that one"));
    const { firstNew, edges, depth, expanded, improved, found, signatures } = header.standing;
    const counts = [header.states, header.machines, firstNew, edges, depth, expanded].every(isCount);
    const named = isList(signatures, ([bit, texts]: Standing["signatures"][number]) => isCount(bit) && isList(texts, (text) => typeof text === "string"));
    if (header.words === model.words && counts && typeof improved === "boolean" && firstNew <= header.states && isList(found, isFound) && named && isReached(header.reached, model) && isList(header.asked, (name) => typeof name === "string")) return header;
  } catch (error) {
    if (error instanceof Refusal) throw error;
  }
  throw damaged(reader.file, "its header is none");
};

const readMachines = (reader: RecordReader, model: Model, machines: number): void => {
  const { file } = reader;
  const texts = reader.json("step");
  if (!Array.isArray(texts)) throw damaged(file, "its steps are no list");
  const steps = texts.map((text) => stepOfValues(text) ?? impossible("no step"));
  const numbers = reader.integers("list");
  const lists: Step[][] = [];
  for (let at = 0; at < numbers.length; at += 1 + numbers[at]!) {
    if (numbers[at]! < 0 || at + numbers[at]! >= numbers.length) throw damaged(file, "a list of steps is too long");
    lists.push([...numbers.subarray(at + 1, at + 1 + numbers[at]!)].map((step) => steps[step] ?? impossible("no such step")));
  }
  const derived = reader.integers("from");
  if (derived.length !== 2 * machines) throw damaged(file, "machine states are missing");
  derive(
    model.machineIds,
    model.machine,
    Array.from({ length: machines }, (_, id) => ({ from: derived[2 * id]!, steps: lists[derived[2 * id + 1]!] ?? impossible("no such list") })),
  );
};

/** All states of the file, in order. */
const readStates = (reader: RecordReader, { words, collapsed, machineAt, collapse }: Model, states: number): StateStore => {
  const store = new StateStore(collapse.numbers);
  const numbers = new Uint32Array(collapse.numbers);
  for (const row of reader.rows("stat", words)) {
    const state = new Uint32Array(row.buffer, row.byteOffset, words);
    // Throws where a state names no machine state.
    machineAt(state, 0);
    collapse.collapse(state, 0, numbers);
    if (store.add(numbers) < 0) throw damaged(reader.file, "a state is there twice");
  }
  if (store.count !== states || states === 0) throw damaged(reader.file, "states are missing");
  if (!collapsed.initial.every((number, at) => number === store.chunkOf(0)[at])) throw damaged(reader.file, "its first state is another one");
  return store;
};

const readOrigins = (reader: RecordReader, states: number): Origins => {
  const origins = new Origins();
  let index = 0;
  for (const row of reader.rows("orig", ORIGIN_NUMBERS)) {
    const [parent, ordinal, steps] = row;
    if (index === 0 ? parent !== -1 : parent! < 0 || parent! >= index) throw damaged(reader.file, "a state comes from none before it");
    origins.set(index, parent!, ordinal!, steps!);
    index += 1;
  }
  if (index !== states) throw damaged(reader.file, "origins are missing");
  return origins;
};

const readIndices = (reader: RecordReader, name: string, states: number): number[] => {
  const indices = [...reader.integers(name)];
  if (indices.some((index) => index < 0 || index >= states)) throw damaged(reader.file, "a level names no state");
  return indices;
};

/** States that are made again by running what led to them. */
const PROBES = 64;
const probe = (file: string, model: Model, store: StateStore, origins: Origins): void => {
  const state = new Uint32Array(model.words);
  const before = new Uint32Array(model.words);
  const load = (index: number, into: Uint32Array): void => model.collapse.restore(store.chunkOf(index), store.offsetOf(index), into);
  for (let index = store.count - 1; index > 0; index -= Math.max(1, Math.floor(store.count / PROBES))) {
    load(index, state);
    load(origins.parent(index), before);
    let again = false;
    model.expandPlainly(before, 0, (successor, ordinal) => {
      if (ordinal === origins.ordinal(index)) again = successor.every((word, at) => word === state[at]);
    });
    if (!again) throw new Refusal(checkpointFault(file, "the checkpoint is of another version of the model: an invocation leads elsewhere now", "check the system from the start"));
  }
};

export interface Resumed {
  readonly standing: Standing;
  readonly asked: readonly string[];
}

/** Reads a checkpoint into a model that has done nothing yet; its coverage goes on, too. */
export const readCheckpoint = (file: string, subject: Subject, model: Model): Resumed => {
  const reader = new RecordReader(file);
  try {
    const header = headerOf(reader, subject, model);
    readMachines(reader, model, header.machines);
    const store = readStates(reader, model, header.states);
    const origins = readOrigins(reader, header.states);
    const arrivals = new Arrivals();
    const { firstNew } = header.standing;
    arrivals.begin(firstNew);
    const keys = reader.integers("keys");
    if (keys.length !== 2 * (header.states - firstNew)) throw damaged(file, "places in path order are missing");
    for (const [at, key] of new Float64Array(keys.buffer).entries()) {
      if (!isPathKey(key, firstNew)) throw damaged(file, "a place in path order is none");
      arrivals.set(firstNew + at, key);
    }
    const level = readIndices(reader, "levl", firstNew);
    const ranks = readIndices(reader, "rank", firstNew);
    if (ranks.length !== level.length) throw damaged(file, "a level is not in order");
    const next = Array.from({ length: header.states - firstNew }, (_, at) => firstNew + at);
    probe(file, model, store, origins);
    model.coverage.resume(header.reached, model.booted.layout.dma);
    return { standing: { ...header.standing, store, origins, arrivals, level, ranks, next }, asked: header.asked };
  } catch (error) {
    // Its sum is right and yet it makes no sense: somebody wrote it who is not this program.
    throw error instanceof Refusal ? error : damaged(file, error instanceof Error ? error.message : String(error));
  } finally {
    reader.close();
  }
};
