/** `cofferdam generate SPEC --out DIR`: writes the layout in every form, or nothing. */
import { hasError } from "../../base/diagnostic.ts";
import { generate as generateFiles, type GeneratedFile } from "../../generate/generate.ts";
import { showDiagnostics } from "../diagnostics.ts";
import { BAD_INPUT, exitWith } from "../exit.ts";
import { writeFolder } from "../files.ts";
import { openSystem, type OpenSystem } from "../system.ts";

/** The files of a system, or undefined after the exit code was set. */
export const filesOf = ({ plan, diagnostics }: OpenSystem): readonly GeneratedFile[] | undefined => {
  const { files, diagnostics: found } = generateFiles(plan.layout, { warnings: diagnostics });
  showDiagnostics(found);
  if (!hasError(found)) return files;
  exitWith(BAD_INPUT);
  return undefined;
};

/** Writes files and says so on stderr; false after the exit code was set. */
export const write = (folder: string, files: readonly { readonly name: string; readonly text: string | Uint8Array }[]): boolean => {
  const problem = writeFolder(folder, files);
  if (problem !== undefined) {
    showDiagnostics([problem]);
    exitWith(BAD_INPUT);
    return false;
  }
  return true;
};

export const generate = (spec: string, out: string, json: boolean): void => {
  const system = openSystem(spec);
  if (system === undefined) return;
  const files = filesOf(system);
  if (files === undefined || !write(out, files)) return;
  if (json) process.stdout.write(`${JSON.stringify({ folder: out, files: files.map(({ name }) => name) })}\n`);
  else for (const { name } of files) process.stdout.write(`${out}/${name}\n`);
};
