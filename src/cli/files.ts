/** Files in and out. Output is complete or absent: it is written to a folder beside the target and moved into place. */
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import type { Diagnostic } from "../base/diagnostic.ts";

/** The largest input that is read; a device tree or spec is far smaller. */
const MOST_BYTES = 64 * 2 ** 20;

/** Regular files only: a pipe or a device may never end. */
export const readBytes = (path: string): Uint8Array | undefined => {
  try {
    const found = statSync(path);
    return found.isFile() && found.size <= MOST_BYTES ? readFileSync(path) : undefined;
  } catch {
    return undefined;
  }
};

export const unreadable = (path: string, what: string): Diagnostic => ({
  id: "file-not-readable",
  severity: "error",
  message: `cannot read ${what} \`${path}\``,
  place: { file: path },
  hint: "give the path of a regular file that exists and is at most 64 MiB",
});

/**
 * Writes files into a folder, replacing those of the same names. All are written beside the folder first, and what they
 * would replace is looked at, so a full disk, a refused permission or a folder in the way leaves what was there as it was.
 * `stale`: names of earlier outputs that must not stay beside the new ones.
 */
export const writeFolder = (folder: string, files: readonly { readonly name: string; readonly text: string | Uint8Array }[], stale: readonly string[] = []): Diagnostic | undefined => {
  if (folder === "") return { id: "usage", severity: "error", message: "the output folder has no name", hint: "give a folder to `--out`" };
  const target = resolve(folder);
  let staging: string | undefined;
  try {
    for (const { name } of files) if (name.includes("..") || name.startsWith("/")) throw new Error(`refused file name ${name}`);
    mkdirSync(dirname(target), { recursive: true });
    staging = mkdtempSync(join(dirname(target), `.${basename(target)}-`));
    for (const { name, text } of files) {
      mkdirSync(dirname(join(staging, name)), { recursive: true });
      writeFileSync(join(staging, name), text);
    }
    const blocked = files.find(({ name }) => statSync(join(target, name), { throwIfNoEntry: false })?.isFile() === false);
    if (blocked !== undefined) throw new Error(`${blocked.name} is there and is no file`);
    for (const name of stale) rmSync(join(target, name), { force: true });
    for (const { name } of files) {
      mkdirSync(dirname(join(target, name)), { recursive: true });
      renameSync(join(staging, name), join(target, name));
    }
    return undefined;
  } catch (error) {
    // The system's code, not its text: that names the staging folder.
    const why = error instanceof Error ? ((error as NodeJS.ErrnoException).code ?? error.message) : String(error);
    return { id: "file-not-writable", severity: "error", message: `cannot write into \`${folder}\`: ${why}`, place: { file: folder } };
  } finally {
    if (staging !== undefined) rmSync(staging, { recursive: true, force: true });
  }
};
