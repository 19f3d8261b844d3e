/** Finds seL4's four files: named one by one, or a copy of its folder libsel4. */
import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { fail } from "./failure.ts";
import type { SourceFile } from "./table.ts";

/** Below libsel4. */
const inFolder = [
  "include/interfaces/object-api.xml",
  "sel4_arch_include/aarch64/interfaces/object-api-sel4-arch.xml",
  "arch_include/arm/interfaces/object-api-arch.xml",
  "include/sel4/errors.h",
] as const;

const isFolder = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;

/** The path in seL4's tree, so that the table does not say where somebody keeps it. */
const inTree = (path: string): string => {
  const known = inFolder.find((name) => path.replaceAll("\\", "/").endsWith(name));
  return `libsel4/${known ?? path.split(/[/\\]/).at(-1)!}`;
};

const read = (path: string): string => {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    return fail(`can't read ${path}: ${error instanceof Error ? error.message : "no reason given"}`);
  }
};

export const filesAt = (paths: readonly string[]): SourceFile[] => {
  const all = paths.flatMap((path) => {
    if (!isFolder(path)) return [path];
    const files = inFolder.map((name) => join(path, name));
    for (const file of files) if (!existsSync(file)) fail(`${path} is no libsel4 of seL4: ${file} is missing`);
    return files;
  });
  return all.map((path) => ({ path: inTree(path), text: read(path) }));
};
