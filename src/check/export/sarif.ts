/**
 * A report as SARIF 2.1.0 (OASIS standard, https://docs.oasis-open.org/sarif/sarif/v2.1.0/), for code scanning: a rule for
 * each property, a result for each trace, and the trace as a code flow.
 */
import { canonicalJson, sha256 } from "../canonical.ts";
import type { Trace } from "../traces/trace.ts";
import { type Finding, findingText, invocationText, type Report } from "./report.ts";

export interface SarifSource {
  /** The version of this program. */
  readonly version: string;
  /** The file that results point at, as a path relative to the repository: the system spec, or the file that was read. */
  readonly file: string;
}

/** A path as the URI reference that SARIF wants: `/` between segments, each percent-encoded. */
const uriOf = (path: string): string => {
  const segments = path.split(/[/\\]/).map((segment) => encodeURIComponent(segment.toWellFormed()));
  return `${path.startsWith("/") ? "file://" : ""}${segments.join("/")}`;
};

const flowLocation = (text: string, actor: string, index: number): object => ({
  executionOrder: index + 1,
  location: { message: { text }, logicalLocations: [{ fullyQualifiedName: actor }] },
});

const codeFlowOf = ({ steps, witness, message }: Trace): object => {
  const locations = steps.map((step, index) => flowLocation(invocationText(step), step.actor, index));
  return { threadFlows: [{ locations: [...locations, flowLocation(message, `stream ${witness.sid}`, steps.length)] }] };
};

/** The same for the same moves against the same property, whatever else changes. */
const fingerprint = ({ property, message, trace }: Finding): string =>
  sha256(canonicalJson({ property, by: trace === undefined ? message : trace.steps.map(({ actor, op, args }) => ({ actor, op, args })) }));

const resultOf = (finding: Finding, rules: Report["properties"], file: string): object => ({
  ruleId: finding.property,
  ruleIndex: rules.findIndex(({ name }) => name === finding.property),
  level: "error",
  message: { text: findingText(finding) },
  locations: [{ physicalLocation: { artifactLocation: { uri: uriOf(file) }, region: { startLine: 1 } } }],
  partialFingerprints: { "cofferdamMoves/v1": fingerprint(finding) },
  ...(finding.trace === undefined ? {} : { codeFlows: [codeFlowOf(finding.trace)] }),
});

export const sarifOf = ({ properties, findings }: Report, { version, file }: SarifSource): string => {
  const rules = properties.map(({ name, sentence }) => ({ id: name, shortDescription: { text: sentence }, defaultConfiguration: { level: "error" } }));
  const run = {
    tool: { driver: { name: "cofferdam", version, rules } },
    columnKind: "utf16CodeUnits",
    results: findings.map((finding) => resultOf(finding, properties, file)),
  };
  return `${JSON.stringify({ $schema: "https://json.schemastore.org/sarif-2.1.0.json", version: "2.1.0", runs: [run] }, undefined, 2)}\n`;
};
