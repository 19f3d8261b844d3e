/** A snapshot folder: `regs.json` and `pages.bin.gz`. */
import { join } from "node:path";
import type { Diagnostic } from "../base/diagnostic.ts";
import { readSnapshot, type Snapshot } from "../smmuv3/snapshot.ts";
import { showDiagnostics } from "./diagnostics.ts";
import { readBytes, unreadable } from "./files.ts";

const REGISTERS = "regs.json";
const PAGES = "pages.bin.gz";

/** The place of a fault in a snapshot is one of its two files. */
const placed = (diagnostic: Diagnostic, folder: string): Diagnostic => {
  const path = diagnostic.place?.path;
  const file = join(folder, path === PAGES ? PAGES : REGISTERS);
  return { ...diagnostic, place: path === undefined || path === PAGES || path === REGISTERS ? { file } : { file, path } };
};

export interface OpenedSnapshot {
  readonly snapshot: Snapshot;
  /** The ITS registers of `regs.json` as they stand there, if it has any. */
  readonly its?: unknown;
}

/** The snapshot in a folder, or the first thing that is wrong with it. */
export const openSnapshotFolder = (folder: string): OpenedSnapshot | Diagnostic => {
  const regs = readBytes(join(folder, REGISTERS));
  if (regs === undefined) return unreadable(join(folder, REGISTERS), "the registers of the snapshot");
  const pages = readBytes(join(folder, PAGES));
  if (pages === undefined) return unreadable(join(folder, PAGES), "the pages of the snapshot");
  const text = new TextDecoder().decode(regs);
  const { value, diagnostics } = readSnapshot({ regs: text, pages });
  if (value === undefined) return placed(diagnostics[0]!, folder);
  if (diagnostics.length > 0) showDiagnostics(diagnostics.map((warning) => placed(warning, folder)));
  const { its } = JSON.parse(text) as { readonly its?: unknown };
  return { snapshot: value, ...(its === undefined ? {} : { its }) };
};
