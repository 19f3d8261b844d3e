import { existsSync, globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { mutants } from "../src/check/mutants.ts";
import { propertyNames } from "../src/check/properties/properties.ts";
import * as exit from "../src/cli/exit.ts";
import { rooms } from "../tools/rooms.ts";

const root = join(import.meta.dirname, "..");
const read = (file: string): string => readFileSync(join(root, file), "utf8");
const readme = read("README.md");

/** Everything that stands between single backquotes, or as a word in a fenced block. */
const quoted = (text: string): string[] => {
  const fences = [...text.matchAll(/```[a-z]*\n(.*?)```/gs)].flatMap((match) => match[1]!.split(/\s+/));
  const spans = [...text.replaceAll(/```[a-z]*\n.*?```/gs, "").matchAll(/`([^`\n]+)`/g)].map((match) => match[1]!);
  return [...spans, ...fences];
};

/** Paths of the tree: what starts with the name of one of its folders, and the files beside them. */
const paths = (text: string): string[] => quoted(text).filter((word) => /^((src|specs|test|tools|templates|\.ci)(\/[\w.-]+)*|LICENSE|[A-Z]+\.md)$/.test(word));

/** Rows of the table whose head starts with the given cells, each as its cells. */
const table = (...head: readonly string[]): string[][] => {
  const start = readme.indexOf(`\n| ${head.join(" | ")} |`);
  if (start < 0) throw new Error(`README.md has no table with the head ${head.join(", ")}`);
  const rows = readme.slice(start + 1).split("\n");
  const end = rows.findIndex((line) => !line.startsWith("|"));
  return rows.slice(2, end < 0 ? undefined : end).map((line) => line.slice(1, -1).split("|").map((cell) => cell.trim()));
};
const plain = (cell: string): string => cell.replaceAll("`", "");

describe("README.md", () => {
  it("names only files that exist", () => {
    const named = paths(readme);
    expect(named.length).toBeGreaterThan(50);
    expect(named.filter((path) => !existsSync(join(root, path)))).toEqual([]);
  });

  it("notices a file that is gone", () => {
    expect(paths("`src/kernel/gone.ts`, `--json`, ```\nnpx x specs/none.yaml\n``` and `LICENSE`")).toEqual(["src/kernel/gone.ts", "LICENSE", "specs/none.yaml"]);
  });

  it("gives each law in the words of its test", () => {
    const laws = table("subject", "law", "test");
    expect(laws.length).toBeGreaterThan(20);
    const without = laws.filter(([, law, file]) => !read(plain(file!)).includes(law!.replace(/ \([^)]*\)$/, "")));
    expect(without.map(([, law]) => law)).toEqual([]);
  });

  it("lists every room with its folder", () => {
    const listed = table("room", "what lives there").map(([room]) => plain(room!));
    const there = new Set(rooms.filter(({ path }) => !path.endsWith(".ts") && globSync(`${path}/**/*.ts`, { cwd: root }).length > 0).map(({ path }) => path));
    expect(new Set(listed)).toEqual(there);
  });

  it("lists every command, exit code, property and example", () => {
    const commands = [...read("src/cli/program.ts").matchAll(/Command\.make\(\s*"([a-z]+)"/g)].map((match) => match[1]!).filter((name) => name !== "cofferdam");
    expect(commands.length).toBeGreaterThan(3);
    expect(new Set(table("command", "what it does").map(([command]) => plain(command!).split(" ")[0]))).toEqual(new Set(commands));
    const codes = Object.values(exit).filter((value) => typeof value === "number");
    expect(table("exit", "meaning").map(([code]) => Number(code))).toEqual(codes.toSorted((a, b) => a - b));
    expect(table("property", "what must be so in every state").map(([name]) => plain(name!))).toEqual([...propertyNames]);
    expect(table("example", "what it adds").map(([file]) => plain(file!)).toSorted()).toEqual(globSync("specs/systems/*/system.yaml", { cwd: root }).toSorted());
  });

  it("counts the mutants", () => {
    const words = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen"];
    expect(readme).toContain(`: ${words[mutants.length] ?? mutants.length} such kernels`);
  });
});
