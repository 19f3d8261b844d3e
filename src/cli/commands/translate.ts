/** `cofferdam translate SNAPSHOT`: what an SMMU answers to transactions, each judged cold, or to a history. */
import { once } from "node:events";
import { type Diagnostic, printable } from "../../base/diagnostic.ts";
import { createDevice, type HistoryOutcome } from "../../smmuv3/device.ts";
import { type MayOutcome, playMay } from "../../smmuv3/mayHistory.ts";
import { type Quirks, quirkSets } from "../../smmuv3/quirks.ts";
import { settingsOf } from "../../smmuv3/registers.ts";
import { reader, type Snapshot } from "../../smmuv3/snapshot.ts";
import { translate as judge } from "../../smmuv3/transaction.ts";
import { showDiagnostics } from "../diagnostics.ts";
import { BAD_INPUT, exitWith, INCONCLUSIVE } from "../exit.ts";
import { readBytes, unreadable } from "../files.ts";
import { readHistory } from "../historyList.ts";
import { type OutcomeDetail, outcomeJson } from "../outcomeJson.ts";
import { openSnapshotFolder } from "../snapshotFolder.ts";
import { readTransactions } from "../transactionList.ts";

const refuse = (diagnostics: readonly Diagnostic[]): undefined => {
  showDiagnostics(diagnostics);
  exitWith(BAD_INPUT);
};

export interface TranslateOptions extends OutcomeDetail {
  readonly transactions: string | undefined;
  readonly history: string | undefined;
  /** `qemu` when left out. */
  readonly caches: "qemu" | "may" | "none" | undefined;
  readonly quirks: keyof typeof quirkSets | undefined;
}

/** Text of a list, or undefined after saying why there is none. */
const textOf = (file: string, what: string): string | undefined => {
  const bytes = readBytes(file);
  if (bytes === undefined) refuse([unreadable(file, what)]);
  return bytes === undefined ? undefined : new TextDecoder().decode(bytes);
};

type Line = MayOutcome;

/** The outcomes of a list, each judged cold when it is asked for. */
const judgeList = (snapshot: Snapshot, file: string, quirks: Quirks): Iterable<Line> | undefined => {
  const text = textOf(file, "the transaction list");
  if (text === undefined) return undefined;
  const { value: transactions, diagnostics } = readTransactions(text, file);
  if (transactions === undefined) return refuse(diagnostics);
  const read = reader(snapshot);
  const settings = settingsOf(snapshot.registers, quirks);
  return (function* () {
    for (const transaction of transactions) yield judge(read, settings, transaction);
  })();
};

/** The outcomes of a history, each in the state that what came before it left. */
const judgeHistory = (snapshot: Snapshot, file: string, quirks: Quirks, caches: "qemu" | "may" | "none"): Iterable<Line> | undefined => {
  const text = textOf(file, "the history");
  if (text === undefined) return undefined;
  const { value: history, diagnostics } = readHistory(text, file);
  if (history === undefined) return refuse(diagnostics);
  const machine = { registers: snapshot.registers, read: reader(snapshot), quirks };
  if (caches !== "may") {
    const { step } = createDevice({ ...machine, caches });
    return (function* () {
      for (const happens of history) yield* step(happens);
    })();
  }
  try {
    return playMay(machine, history);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    showDiagnostics([{ id: "too-many-outcomes", severity: "error", message: error.message, place: { file }, hint: "ask about fewer addresses, or use --caches qemu" }]);
    exitWith(INCONCLUSIVE);
    return undefined;
  }
};

/** One line of output; all possible outcomes of a transaction without duplicates, sorted by their text. */
const line = (outcome: Line, detail: OutcomeDetail): string => {
  if (!("results" in outcome)) return JSON.stringify(outcomeJson(outcome, detail));
  const texts = new Set(outcome.results.map((result) => JSON.stringify(outcomeJson(result, detail))));
  return `{"results":[${[...texts].toSorted().join(",")}]}`;
};

/** Lines are written by so many at once: a list may have millions. */
const CHUNK = 4096;
const write = async (text: string): Promise<void> => {
  if (!process.stdout.write(text)) await once(process.stdout, "drain");
};
/** Writes every outcome, and gives whether one needs what is not modelled. */
const tell = async (outcomes: Iterable<Line>, detail: OutcomeDetail): Promise<boolean> => {
  let [lines, beyondModel]: [string[], boolean] = [[], false];
  for (const outcome of outcomes) {
    lines.push(`${line(outcome, detail)}\n`);
    const all: readonly HistoryOutcome[] = "results" in outcome ? outcome.results : [outcome];
    beyondModel ||= all.some(({ result }) => result === "unsupported");
    // Why a command stopped the queue is for people; the line of output has the code alone.
    for (const each of all) if (each.result === "cerror") process.stderr.write(`the command queue stopped: ${printable(each.why)}\n`);
    if (lines.length < CHUNK) continue;
    await write(lines.join(""));
    lines = [];
  }
  await write(lines.join(""));
  return beyondModel;
};

/** Prints one outcome a line, in the order of the list; nothing when an input is wrong. */
export const translate = async (folder: string, { transactions, history, caches, quirks, attributes }: TranslateOptions): Promise<void> => {
  const usage = (message: string): undefined => refuse([{ id: "usage", severity: "error", message, hint: "cofferdam translate SNAPSHOT --transactions list.jsonl, or --history steps.jsonl with --caches" }]);
  if ((transactions === undefined) === (history === undefined)) return usage("translate takes either --transactions or --history");
  if (history === undefined && caches !== undefined) return usage("--caches is for a history; the transactions of a list are each judged cold");
  const opened = openSnapshotFolder(folder);
  if ("id" in opened) return refuse([opened]);
  const set: Quirks = quirks === undefined ? {} : quirkSets[quirks];
  const outcomes = history === undefined ? judgeList(opened.snapshot, transactions!, set) : judgeHistory(opened.snapshot, history, set, caches ?? "qemu");
  if (outcomes !== undefined && (await tell(outcomes, { attributes }))) exitWith(INCONCLUSIVE);
};
