/** Scenes as files: what a difference leaves behind, and `cofferdam translate` takes. */
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Transaction } from "../../src/base/transaction.ts";
import { hex } from "../../src/base/words.ts";
import { readTransactions } from "../../src/cli/transactionList.ts";
import { createImages } from "../../src/smmuv3/image.ts";
import { readSnapshot, type Snapshot, writeSnapshot } from "../../src/smmuv3/snapshot.ts";
import type { Scene } from "./configuration.ts";
import { registersOf } from "./model.ts";
import { MEMORY, SID } from "./smmu.ts";

const REGISTERS = "smmu/regs.json";
const PAGES = "smmu/pages.bin.gz";
const LIST = "transactions.jsonl";

/** Writes a scene into a new folder, and gives the folder. */
export const keep = ({ configuration, transactions }: Scene): string => {
  const folder = mkdtempSync(join(tmpdir(), "cofferdam-difference-"));
  const images = createImages();
  let image = images.empty;
  for (const [address, value] of configuration.stores) image = images.store(image, address, value);
  const { regs, pages } = writeSnapshot({ registers: registersOf(configuration), image, ram: MEMORY });
  mkdirSync(join(folder, "smmu"));
  writeFileSync(join(folder, REGISTERS), regs);
  writeFileSync(join(folder, PAGES), pages);
  writeFileSync(join(folder, LIST), transactions.map(({ op, iova }) => `${JSON.stringify({ sid: hex(SID), op, iova: hex(iova), size: 4 })}\n`).join(""));
  return folder;
};

/** Reads such a folder back, as the command does. */
export const readKept = (folder: string): { readonly snapshot: Snapshot; readonly transactions: readonly Transaction[] } => ({
  snapshot: readSnapshot({ regs: readFileSync(join(folder, REGISTERS), "utf8"), pages: readFileSync(join(folder, PAGES)) }).value!,
  transactions: readTransactions(readFileSync(join(folder, LIST), "utf8"), LIST).value!,
});

/** How to see what the model says of it. */
export const reproduce = (folder: string): string => `kept in ${folder}\nnpx cofferdam translate ${folder}/smmu --transactions ${folder}/${LIST} --quirks qemu-10.0`;
