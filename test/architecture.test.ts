import { globSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { describe, expect, it } from "vitest";
import { roomOf, rooms } from "../tools/rooms.ts";

const root = join(import.meta.dirname, "..");
const files = globSync(["src/**/*.ts", "specs/**/*.ts"], { cwd: root }).toSorted();

/** Every module specifier of a file: static, type-only, re-export and dynamic with a literal. */
const specifiers = (text: string): string[] =>
  [...text.matchAll(/(?:^|\n)\s*(?:import|export)\b[^;'"]*?from\s*["']([^"']+)["']|(?:^|\n)\s*import\s*["']([^"']+)["']|\bimport\(\s*["']([^"']+)["']\s*\)/g)].map(
    (match) => (match[1] ?? match[2] ?? match[3])!,
  );

/** What is wrong with one import, or undefined. */
const objection = (file: string, specifier: string): string | undefined => {
  const from = roomOf(file);
  if (from === undefined) return `${file} is in no room`;
  if (!specifier.startsWith(".")) {
    return from.packages.some((allowed) => specifier === allowed || (/[/:]$/.test(allowed) && specifier.startsWith(allowed)))
      ? undefined
      : `${file}: room ${from.name} may not import the package ${specifier}`;
  }
  if (!specifier.endsWith(".ts")) return `${file}: ${specifier} must name its .ts file`;
  const target = normalize(join(dirname(file), specifier));
  const to = roomOf(target);
  if (to === undefined) return `${file}: ${target} is in no room`;
  return to === from || from.imports.includes(to.name) ? undefined : `${file}: room ${from.name} may not import ${to.name} (${target})`;
};

describe("the room table", () => {
  it("has a room for every source file, and every import is allowed by it", () => {
    expect(files.length).toBeGreaterThan(10);
    const objections = files.flatMap((file) =>
      specifiers(readFileSync(join(root, file), "utf8")).flatMap((specifier) => objection(file, specifier) ?? []),
    );
    expect(objections).toEqual([]);
  });

  it("names only rooms that exist", () => {
    const names = new Set(rooms.map((room) => room.name));
    expect(rooms.flatMap((room) => room.imports).filter((name) => !names.has(name))).toEqual([]);
  });

  it("notices a forbidden arrow", () => {
    expect(objection("src/kernel/driver.ts", "../smmuv3/walk.ts")).toMatch(/kernel may not import smmuv3/);
    expect(objection("src/user/driver.ts", "../kernel/state.ts")).toMatch(/user may not import kernel/);
    expect(objection("src/user/driver.ts", "../kernel/api.ts")).toBeUndefined();
    expect(objection("src/base/words.ts", "effect")).toMatch(/package effect/);
    expect(specifiers('import { a } from "./a.ts";\nexport type { B } from "./b.ts";\nconst c = await import("./c.ts");')).toEqual(["./a.ts", "./b.ts", "./c.ts"]);
  });
});
