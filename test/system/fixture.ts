/** Specs for tests, planned against boards of the tree. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Checked } from "../../src/base/diagnostic.ts";
import type { Layout, LayoutCap, LayoutSlot } from "../../src/system/layout.ts";
import { planSystem, type Plan } from "../../src/system/plan.ts";

export const root = join(import.meta.dirname, "../..");
export const QEMU_VIRT = "specs/systems/qemu-virt/board.dtb";
export const AWKWARD = "specs/broken/boards/awkward.dtb";

/** Plans a spec file of the tree. */
export const planFile = (file: string): Checked<Plan> => {
  const path = join(root, file);
  const readBoard = (relative: string) => {
    const board = join(dirname(path), relative);
    return existsSync(board) ? readFileSync(board) : undefined;
  };
  return planSystem({ specText: readFileSync(path, "utf8"), specFile: path, readBoard });
};

/** Plans a spec text whose board is `bytes`, or the file of that name. */
export const planText = (body: string, board: string | Uint8Array = QEMU_VIRT): Checked<Plan> =>
  planSystem({
    specText: `system: test\nboard: board.dtb\n${body}`,
    specFile: "system.yaml",
    readBoard: () => (typeof board === "string" ? readFileSync(join(root, board)) : board),
  });

export const layoutOf = (checked: Checked<Plan>): Layout => {
  if (checked.value === undefined) throw new Error(checked.diagnostics.map((d) => `${d.id}: ${d.message}`).join("\n"));
  return checked.value.layout;
};

/** `id` of each finding. */
export const ids = (checked: Checked<unknown>): readonly string[] => checked.diagnostics.map((diagnostic) => diagnostic.id);

export const component = (layout: Layout, name: string): Layout["components"][number] => layout.components.find((candidate) => candidate.name === name)!;
export const slot = (layout: Layout, name: string, capName: string): LayoutSlot | undefined => component(layout, name).slots.find((candidate) => candidate.name === capName);
export const capsOf = <K extends LayoutCap["kind"]>(layout: Layout, name: string, kind: K): readonly Extract<LayoutCap, { kind: K }>[] =>
  component(layout, name).slots.flatMap(({ cap }) => (cap.kind === kind ? [cap as Extract<LayoutCap, { kind: K }>] : []));
