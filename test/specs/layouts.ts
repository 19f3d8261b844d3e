/** Every record layout under specs/, found by looking, so that a new one cannot be left out of the laws. */
import { globSync } from "node:fs";
import { join } from "node:path";
import type { Fields, Layout } from "../../src/base/layout.ts";

const root = join(import.meta.dirname, "../..");
const isLayout = (value: unknown): value is Layout<Fields> => typeof value === "object" && value !== null && "masks" in value && "encode" in value && "draw" in value;

const modules: Record<string, unknown>[] = await Promise.all(globSync("specs/smmuv3/*.ts", { cwd: root }).toSorted().map((file) => import(join(root, file))));
export const allLayouts: readonly Layout<Fields>[] = modules.flatMap((module) => Object.values(module).filter(isLayout));
