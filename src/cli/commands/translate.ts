/** `cofferdam translate SNAPSHOT --transactions FILE`: what an SMMU answers to transactions, each judged cold. */
import { join } from "node:path";
import type { Diagnostic } from "../../base/diagnostic.ts";
import { quirkSets, settingsWith, translateWith } from "../../smmuv3/quirks.ts";
import { readSnapshot, reader, type Snapshot } from "../../smmuv3/snapshot.ts";
import { showDiagnostics } from "../diagnostics.ts";
import { BAD_INPUT, exitWith, INCONCLUSIVE } from "../exit.ts";
import { readBytes, unreadable } from "../files.ts";
import { outcomeJson } from "../outcomeJson.ts";
import { readTransactions } from "../transactionList.ts";

const REGISTERS = "regs.json";
const PAGES = "pages.bin.gz";

/** The place of a fault in a snapshot is one of its two files. */
const placed = (diagnostic: Diagnostic, folder: string): Diagnostic => {
  const path = diagnostic.place?.path;
  const file = join(folder, path === PAGES ? PAGES : REGISTERS);
  return { ...diagnostic, place: path === undefined || path === PAGES || path === REGISTERS ? { file } : { file, path } };
};

/** The snapshot in a folder, or the first thing that is wrong with it. */
const openSnapshot = (folder: string): Snapshot | Diagnostic => {
  const regs = readBytes(join(folder, REGISTERS));
  if (regs === undefined) return unreadable(join(folder, REGISTERS), "the registers of the snapshot");
  const pages = readBytes(join(folder, PAGES));
  if (pages === undefined) return unreadable(join(folder, PAGES), "the pages of the snapshot");
  const { value, diagnostics } = readSnapshot({ regs: new TextDecoder().decode(regs), pages });
  return value ?? placed(diagnostics[0]!, folder);
};

const refuse = (diagnostics: readonly Diagnostic[]): void => {
  showDiagnostics(diagnostics);
  exitWith(BAD_INPUT);
};

/** Prints one outcome a line, in the order of the list; nothing when an input is wrong. */
export const translate = (folder: string, list: string, quirks: keyof typeof quirkSets | undefined): void => {
  const snapshot = openSnapshot(folder);
  if ("id" in snapshot) return refuse([snapshot]);
  const bytes = readBytes(list);
  if (bytes === undefined) return refuse([unreadable(list, "the transaction list")]);
  const { value: transactions, diagnostics } = readTransactions(new TextDecoder().decode(bytes), list);
  if (transactions === undefined) return refuse(diagnostics);
  const read = reader(snapshot);
  const set = quirks === undefined ? {} : quirkSets[quirks];
  const settings = settingsWith(set, snapshot.registers);
  const outcomes = transactions.map((transaction) => translateWith(set, read, settings, transaction));
  process.stdout.write(outcomes.map((outcome) => `${JSON.stringify(outcomeJson(outcome))}\n`).join(""));
  if (outcomes.some(({ result }) => result === "unsupported")) exitWith(INCONCLUSIVE);
};
