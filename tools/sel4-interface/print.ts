/** specs/sel4/interface.ts as text, from a table: one line a parameter and an error, so that a change reads well in a diff. */
import type { Interface, Method, Parameter } from "../../specs/sel4/method.ts";
import type { SourceFile } from "./table.ts";

const quoted = (text: string): string => JSON.stringify(text);
const list = (items: readonly string[]): string => `[${items.map(quoted).join(", ")}]`;

/** The copyright lines and licences that the sources state, once each. */
const notices = (files: readonly SourceFile[]): string[] => {
  const lines = files.flatMap(({ text }) => text.match(/Copyright [^\n]*|SPDX-License-Identifier: [^\n]*/g) ?? []);
  return [...new Set(lines.map((line) => line.trim()))];
};

const parameterText = (parameter: Parameter): string => {
  const start = `{ name: ${quoted(parameter.name)}, type: ${quoted(parameter.type)}`;
  if ("cap" in parameter) return `${start}, cap: ${parameter.cap} }`;
  const bits = parameter.bits === undefined ? "" : `, bits: [${parameter.bits.join(", ")}]`;
  const members = parameter.members === undefined ? "" : `, members: ${list(parameter.members)}`;
  return `${start}, word: ${parameter.word}${bits}${members} }`;
};

const block = (name: string, items: readonly string[]): string[] => (items.length === 0 ? [`    ${name}: [],`] : [`    ${name}: [`, ...items.map((item) => `      ${item},`), "    ],"]);

const methodLines = (method: Method): string[] => [
  "  {",
  `    label: ${quoted(method.label)},`,
  `    number: ${method.number},`,
  `    interface: ${quoted(method.interface)},`,
  `    method: ${quoted(method.method)},`,
  ...(method.condition === undefined ? [] : [`    condition: ${quoted(method.condition)},`]),
  ...block("in", method.in.map(parameterText)),
  ...block("out", method.out.map(parameterText)),
  ...block("errors", method.errors.map(({ error, when }) => `{ error: ${quoted(error)}, when: ${quoted(when)} }`)),
  "  },",
];

export const printed = (table: Interface, files: readonly SourceFile[], revision: string | undefined): string =>
  [
    "/**",
    " * seL4's invocations as its interface description has them: labels, where each parameter stands in the message, and what",
    " * the manual says of errors. The form is method.ts.",
    ` * Generated${revision === undefined ? "" : ` from seL4 at ${revision}`}: don't edit. \`npm run sel4-interface -- SEL4/libsel4\` writes it again.`,
    " * The descriptions are seL4's:",
    ...notices(files).map((line) => ` * ${line}`),
    " */",
    'import type { Interface, LeftOut, Method, Source } from "./method.ts";',
    "",
    "export const sources: readonly Source[] = [",
    ...table.sources.map(({ path, sha256 }) => `  { path: ${quoted(path)}, sha256: ${quoted(sha256)} },`),
    "];",
    "",
    'export const configuration: Interface["configuration"] = {',
    `  on: ${list(table.configuration.on)},`,
    `  off: ${list(table.configuration.off)},`,
    "};",
    "",
    "/** seL4_Error. */",
    "export const errorNumbers: Readonly<Record<string, number>> = {",
    ...Object.entries(table.errorNumbers).map(([name, number]) => `  ${name}: ${number},`),
    "};",
    "",
    "/** What this configuration has no label for. */",
    "export const leftOut: readonly LeftOut[] = [",
    ...table.leftOut.map(({ label, condition }) => `  { label: ${quoted(label)}, condition: ${quoted(condition)} },`),
    "];",
    "",
    "export const methods: readonly Method[] = [",
    ...table.methods.flatMap(methodLines),
    "];",
    "",
  ].join("\n");
