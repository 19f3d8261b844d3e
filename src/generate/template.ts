/**
 * Handlebars with everything surprising turned off: no escaping for HTML, no field that is absent, no helper but ours.
 * View models are prepared in TypeScript; a template only prints.
 */
import { readFileSync } from "node:fs";
import Handlebars from "handlebars";
import { type Checked, printable } from "../base/diagnostic.ts";
import { hex } from "../base/words.ts";

export interface Template {
  /** File name, as diagnostics show it. */
  readonly file: string;
  readonly text: string;
}
export type TemplateName = "system.cdl" | "component.h" | "report.md";

const engine = Handlebars.create();
engine.registerHelper({ hex: (value: bigint | number) => hex(value) });
const OPTIONS = { strict: true, noEscape: true, knownHelpers: { hex: true }, knownHelpersOnly: true };

const compiled = new Map<string, (view: object) => string>();

/** The line in the template, which Handlebars gives as a property or only in its message. */
const lineOf = (error: unknown): number | undefined => {
  const { lineNumber, message } = error as { readonly lineNumber?: unknown; readonly message?: unknown };
  if (typeof lineNumber === "number") return lineNumber;
  const written = /(?:on line |- )(\d+)/.exec(String(message));
  return written === null ? undefined : Number(written[1]);
};

const failed = (template: Template, what: string, error: unknown): Checked<string> => {
  const line = lineOf(error);
  const reason = printable((error instanceof Error ? error.message : String(error)).split("\n")[0]!);
  const place = line === undefined ? { file: template.file } : { file: template.file, line };
  return {
    value: undefined,
    diagnostics: [
      {
        id: "template-failed",
        severity: "error",
        message: `template ${template.file} failed while rendering ${printable(what)}: ${reason}`,
        place,
        hint: "a template may only name fields that its view has; this is a fault of the template, not of the system",
      },
    ],
  };
};

/** The template's text for `view`; `what` says in a diagnostic what was being rendered. Never throws. */
export const renderTemplate = (template: Template, view: object, what: string): Checked<string> => {
  try {
    const known = compiled.get(template.text);
    const run = known ?? engine.compile<object>(template.text, OPTIONS);
    const value = run(view);
    compiled.set(template.text, run);
    return { value, diagnostics: [] };
  } catch (error) {
    return failed(template, what, error);
  }
};

const loaded = new Map<TemplateName, Template>();
const load = (name: TemplateName): Template => {
  const file = `templates/${name}.hbs`;
  const template = loaded.get(name) ?? { file, text: readFileSync(new URL(`../../${file}`, import.meta.url), "utf8") };
  loaded.set(name, template);
  return template;
};

/** As `renderTemplate`, with one of the project's own templates. */
export const render = (name: TemplateName, view: object, what: string): Checked<string> => {
  let template: Template;
  try {
    template = load(name);
  } catch {
    return failed({ file: `templates/${name}.hbs`, text: "" }, what, new Error("the file cannot be read; the installation is incomplete"));
  }
  return renderTemplate(template, view, what);
};
