/** Files in and out. Output is complete or absent: it is written to a folder beside the target and moved into place. */
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import type { Diagnostic } from "../base/diagnostic.ts";

/** The largest input that is read; a device tree or spec is far smaller. */
const MOST_BYTES = 64 * 2 ** 20;

export const readBytes = (path: string): Uint8Array | undefined => {
  try {
    const bytes = readFileSync(path);
    return bytes.length > MOST_BYTES ? undefined : bytes;
  } catch {
    return undefined;
  }
};

export const unreadable = (path: string, what: string): Diagnostic => ({
  id: "file-not-readable",
  severity: "error",
  message: `cannot read ${what} \`${path}\``,
  place: { file: path },
  hint: "give the path of a file that exists and is at most 64 MiB",
});

/**
 * Writes files into a folder, replacing those of the same names. All are written beside the folder first, so a full disk
 * or a refused permission leaves what was there as it was.
 */
export const writeFolder = (folder: string, files: readonly { readonly name: string; readonly text: string | Uint8Array }[]): Diagnostic | undefined => {
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
    for (const { name } of files) {
      mkdirSync(dirname(join(target, name)), { recursive: true });
      renameSync(join(staging, name), join(target, name));
    }
    return undefined;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return { id: "file-not-writable", severity: "error", message: `cannot write into \`${folder}\`: ${why}`, place: { file: folder } };
  } finally {
    if (staging !== undefined) rmSync(staging, { recursive: true, force: true });
  }
};
