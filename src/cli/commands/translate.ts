/** `cofferdam translate SNAPSHOT --transactions FILE`: what an SMMU answers to transactions, each judged cold. */
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
  readonly caches: "qemu" | "may" | "none";
  readonly quirks: keyof typeof quirkSets | undefined;
}

/** Text of a list, or undefined after saying why there is none. */
const textOf = (file: string, what: string): string | undefined => {
  const bytes = readBytes(file);
  if (bytes === undefined) refuse([unreadable(file, what)]);
  return bytes === undefined ? undefined : new TextDecoder().decode(bytes);
};

/** The transactions of a list, each judged cold. */
const judgeList = (snapshot: Snapshot, file: string, quirks: Quirks): HistoryOutcome[] | undefined => {
  const text = textOf(file, "the transaction list");
  if (text === undefined) return undefined;
  const { value: transactions, diagnostics } = readTransactions(text, file);
  if (transactions === undefined) return refuse(diagnostics);
  const read = reader(snapshot);
  const settings = settingsOf(snapshot.registers, quirks);
  return transactions.map((transaction) => judge(read, settings, transaction));
};

/** The steps of a history, each in the state that those before it left. */
const judgeHistory = (snapshot: Snapshot, file: string, quirks: Quirks, caches: TranslateOptions["caches"]): MayOutcome[] | undefined => {
  const text = textOf(file, "the history");
  if (text === undefined) return undefined;
  const { value: history, diagnostics } = readHistory(text, file);
  if (history === undefined) return refuse(diagnostics);
  const machine = { registers: snapshot.registers, read: reader(snapshot), quirks };
  if (caches !== "may") return createDevice({ ...machine, caches }).play(history);
  try {
    return playMay(machine, history);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return refuse([{ id: "too-many-outcomes", severity: "error", message: error.message, place: { file }, hint: "ask about fewer addresses, or use --caches qemu" }]);
  }
};

/** One line of output; all possible outcomes of a transaction without duplicates, sorted by their text. */
const line = (outcome: MayOutcome, detail: OutcomeDetail): string => {
  if (!("results" in outcome)) return JSON.stringify(outcomeJson(outcome, detail));
  const texts = new Set(outcome.results.map((result) => JSON.stringify(outcomeJson(result, detail))));
  return `{"results":[${[...texts].toSorted().join(",")}]}`;
};

/** Prints one outcome a line, in the order of the list; nothing when an input is wrong. */
export const translate = (folder: string, { transactions, history, caches, quirks, attributes }: TranslateOptions): void => {
  if ((transactions === undefined) === (history === undefined))
    return refuse([{ id: "usage", severity: "error", message: "translate takes either --transactions or --history", hint: "cofferdam translate SNAPSHOT --transactions list.jsonl" }]);
  const opened = openSnapshotFolder(folder);
  if ("id" in opened) return refuse([opened]);
  const { snapshot } = opened;
  const set: Quirks = quirks === undefined ? {} : quirkSets[quirks];
  const outcomes = history === undefined ? judgeList(snapshot, transactions!, set) : judgeHistory(snapshot, history, set, caches);
  if (outcomes === undefined) return;
  process.stdout.write(outcomes.map((outcome) => `${line(outcome, { attributes })}\n`).join(""));
  // Why a command stopped the queue is for people; the line of output has the code alone.
  for (const outcome of outcomes) if ("result" in outcome && outcome.result === "cerror") process.stderr.write(`the command queue stopped: ${printable(outcome.why)}\n`);
  const all = outcomes.flatMap((outcome): readonly HistoryOutcome[] => ("results" in outcome ? outcome.results : [outcome]));
  if (all.some(({ result }) => result === "unsupported")) exitWith(INCONCLUSIVE);
};
