/** Histories as files: what a difference leaves behind, and `cofferdam translate` takes. */
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hex } from "../../../src/base/words.ts";
import { readHistory } from "../../../src/cli/historyList.ts";
import type { History, HistoryStep } from "../../../src/smmuv3/history.ts";
import { createImages } from "../../../src/smmuv3/image.ts";
import { readSnapshot, type Snapshot, writeSnapshot } from "../../../src/smmuv3/snapshot.ts";
import { type Machine, registersWith } from "./answers.ts";
import { MEMORY } from "./places.ts";

const REGISTERS = "smmu/regs.json";
const PAGES = "smmu/pages.bin.gz";
const LIST = "history.jsonl";

const lineOf = (step: HistoryStep): Readonly<Record<string, unknown>> => {
  switch (step.kind) {
    case "store":
      return { store: { addr: hex(step.addr), value64: hex(step.value) } };
    case "command":
      return { command: step.words.map(hex) };
    case "register":
      return { register: { offset: hex(step.offset), value: hex(step.value), size: step.size } };
    case "transaction": {
      const { sid, op, iova, size } = step.transaction;
      return { transaction: { sid: hex(sid), op, iova: hex(iova), size } };
    }
    default:
      throw new RangeError(`no history of these tests has a ${step.kind}`);
  }
};

/** Writes a history into a new folder, and gives the folder: what it stores at first is the snapshot's memory. */
export const keep = (history: History, machine: Machine): string => {
  const folder = mkdtempSync(join(tmpdir(), "cofferdam-difference-"));
  const rest = history.findIndex(({ kind }) => kind !== "store");
  const images = createImages();
  let image = images.empty;
  for (const step of history.slice(0, rest < 0 ? history.length : rest)) if (step.kind === "store") image = images.store(image, step.addr, step.value);
  const { regs, pages } = writeSnapshot({ registers: registersWith(machine), image, ram: MEMORY });
  mkdirSync(join(folder, "smmu"));
  writeFileSync(join(folder, REGISTERS), regs);
  writeFileSync(join(folder, PAGES), pages);
  writeFileSync(join(folder, LIST), (rest < 0 ? [] : history.slice(rest)).map((step) => `${JSON.stringify(lineOf(step))}\n`).join(""));
  return folder;
};

/** Reads such a folder back, as the command does. */
export const readKept = (folder: string): { readonly snapshot: Snapshot; readonly history: History } => ({
  snapshot: readSnapshot({ regs: readFileSync(join(folder, REGISTERS), "utf8"), pages: readFileSync(join(folder, PAGES)) }).value!,
  history: readHistory(readFileSync(join(folder, LIST), "utf8"), LIST).value!,
});

/** How to see what the model says of it. */
export const reproduce = (folder: string): string => `kept in ${folder}\nnpx cofferdam translate ${folder}/smmu --history ${folder}/${LIST} --quirks qemu-10.0`;
