/** From a layout to the files that people and other tools read. Pure: equal layouts give equal bytes. */
import type { Checked, Diagnostic } from "../base/diagnostic.ts";
import type { Layout } from "../system/layout.ts";
import { bindingsJson } from "./bindings.ts";
import { capdlView } from "./capdl.ts";
import { headerView } from "./header.ts";
import { layoutJson } from "./layoutJson.ts";
import { namesOf } from "./names.ts";
import { reportView } from "./report.ts";
import { render } from "./template.ts";

export interface GeneratedFile {
  /** A plain file name, `[A-Za-z0-9_-]+.[a-z]+`: no folder, whatever the spec calls its components. */
  readonly name: string;
  readonly text: string;
}

export interface GenerateOptions {
  /** Warnings of the stages before, repeated in the report. */
  readonly warnings?: readonly Diagnostic[];
}

export interface Generated {
  readonly files: readonly GeneratedFile[];
  readonly diagnostics: readonly Diagnostic[];
}

/** The report finds grants without a share by itself. */
const toReport = (warnings: readonly Diagnostic[]): readonly Diagnostic[] => warnings.filter(({ id }) => id !== "unshared-grant");

/**
 * `system.cdl`, `smmu-bindings.json`, one `<component>.h` each, `layout.json` and `report.md`.
 * An error among the diagnostics (`template-failed`, `untyped-not-power-of-two`) means that the files are not to be written.
 */
export const generate = (layout: Layout, options: GenerateOptions = {}): Generated => {
  const names = namesOf(layout);
  const capdl = capdlView(layout, names);
  const rendered: readonly (readonly [string, Checked<string>])[] = [
    ["system.cdl", render("system.cdl", capdl.view, `the capDL of ${layout.name}`)],
    ...layout.components.map(({ name }, component) => [`${names.components[component]!}.h`, render("component.h", headerView(layout, names, component), `the header of ${name}`)] as const),
    ["report.md", render("report.md", reportView(layout, toReport([...(options.warnings ?? []), ...capdl.diagnostics])), `the report of ${layout.name}`)],
  ];
  const files = [
    { name: "layout.json", text: layoutJson(layout) },
    { name: "smmu-bindings.json", text: bindingsJson(layout, names) },
    ...rendered.flatMap(([name, { value }]) => (value === undefined ? [] : [{ name, text: value }])),
  ];
  return {
    files: files.toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    diagnostics: [...capdl.diagnostics, ...rendered.flatMap(([, { diagnostics }]) => diagnostics)],
  };
};
