/**
 * A trace as a Mermaid sequence diagram (https://mermaid.js.org/syntax/sequenceDiagram.html): who invokes what, which
 * stores and commands the kernel makes of it, and the transaction that shows the break.
 */
import { printable } from "../../base/diagnostic.ts";
import type { Trace, TraceStep } from "../traces/trace.ts";

/**
 * Text as it is, by Mermaid's `#code;` entities: everything is one that could be syntax, and so is the first letter of
 * `end`, which closes a block wherever it stands alone.
 */
const escaped = (text: string): string =>
  printable(text)
    .replace(/[^A-Za-z0-9 _.,/@()[\]=+-]/gu, (character) => `#${character.codePointAt(0)};`)
    .replace(/\bend\b/gi, (word) => `#${word.codePointAt(0)};${word.slice(1)}`);

const storeText = ({ kind, addr, size, old, new: value, command, what }: TraceStep["steps"][number]): string | undefined => {
  const named = what === undefined ? "" : `${what}: `;
  if (kind === "store") return `${named}[${addr}] ${old} to ${value}`;
  if (kind === "fill") return `${named}clear [${addr}, ${size} bytes]`;
  if (kind === "register") return `${named}register [${addr}] = ${value}`;
  if (kind === "command") return `${what ?? (command ?? []).join(" ")}`;
  return kind === "sync" ? "SYNC" : undefined;
};

/** Memory is written beside the kernel; commands, registers and SYNC are arrows to the SMMU. Neighbours share a note. */
const stepLines = (steps: TraceStep["steps"]): string[] => {
  const lines: string[] = [];
  let stores: string[] = [];
  const flush = () => {
    if (stores.length > 0) lines.push(`Note over kernel,smmu: ${stores.join("<br/>")}`);
    stores = [];
  };
  for (const step of steps) {
    const text = storeText(step);
    if (text === undefined) continue;
    if (step.kind === "store" || step.kind === "fill") {
      stores.push(escaped(text));
      continue;
    }
    flush();
    lines.push(`kernel->>smmu: ${escaped(text)}`);
  }
  flush();
  return lines;
};

const invocationLines = (step: TraceStep, actor: string): string[] => [
  `${actor}->>kernel: ${escaped(`${step.op}(${Object.entries(step.args).map(([name, value]) => `${name}=${value}`).join(", ")})`)}`,
  ...stepLines(step.steps),
  `kernel-->>${actor}: ${escaped(step.result)}`,
];

const witnessLines = ({ iova, op, pa, via }: Trace["witness"], message: string): string[] => [
  `device->>smmu: ${escaped(iova === undefined ? op : `${op} at IOVA ${iova}`)}`,
  ...(via.length === 0 ? [] : [`Note over smmu: ${via.map(({ what, addr, value }) => escaped(`${what} at ${addr} = ${value}`)).join("<br/>")}`]),
  ...(pa === undefined ? [] : [`smmu-->>device: ${escaped(`reaches ${pa}`)}`]),
  `Note over smmu,device: ${escaped(message)}`,
];

export const mermaidOf = ({ property, message, steps, witness }: Trace): string => {
  const actors = [...new Set(steps.map(({ actor }) => actor))];
  const idOf = (actor: string): string => `p${actors.indexOf(actor)}`;
  const device = witness.sid.startsWith("-") ? "any other stream" : `stream ${witness.sid}`;
  const lines = [
    ...actors.map((actor) => `participant ${idOf(actor)} as ${escaped(actor)}`),
    "participant kernel as kernel",
    `participant smmu as ${escaped(`SMMU ${witness.smmu}`)}`,
    `participant device as ${escaped(device)}`,
    `Note over ${actors.length === 0 ? "kernel" : "p0"},device: ${escaped(`${property} fails`)}`,
    ...steps.flatMap((step) => invocationLines(step, idOf(step.actor))),
    ...witnessLines(witness, message),
  ];
  return ["sequenceDiagram", ...lines.map((line) => `  ${line}`), ""].join("\n");
};
