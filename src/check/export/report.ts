/** What a report for other tools tells, whether it comes from a verdict or from a single trace. */
import { properties } from "../properties/properties.ts";
import { summaryOf } from "../traces/summary.ts";
import type { Trace } from "../traces/trace.ts";

export interface Finding {
  readonly property: string;
  readonly message: string;
  readonly trace?: Trace;
}
export interface Report {
  /** What was checked: the system's name where it is known. */
  readonly title: string;
  readonly properties: readonly { readonly name: string; readonly sentence: string; readonly result: "holds" | "violated" | "undecided" }[];
  readonly findings: readonly Finding[];
}

/** The part of a verdict that a report tells. */
export interface ReportedVerdict {
  readonly system: string;
  readonly properties: Report["properties"];
  readonly violations: readonly (Finding & { readonly sentence: string })[];
}

/** Properties that are judged over the whole exploration, such as intended paths, come after those of single states. */
export const reportOfVerdict = ({ system, properties: judged, violations }: ReportedVerdict): Report => {
  const others = new Map(violations.filter(({ property }) => !judged.some(({ name }) => name === property)).map(({ property, sentence }) => [property, sentence]));
  return { title: system, properties: [...judged, ...[...others].map(([name, sentence]) => ({ name, sentence, result: "violated" as const }))], findings: violations };
};

export const reportOfTrace = (trace: Trace): Report => {
  const { property, message, model } = trace;
  const sentence = properties.find(({ name }) => name === property)?.sentence ?? property;
  return { title: `profile ${model.profile}`, properties: [{ name: property, sentence, result: "violated" }], findings: [{ property, message, trace }] };
};

/** One sentence: from the trace where there is one. */
export const findingText = ({ message, trace }: Finding): string => `${trace === undefined ? message : summaryOf(trace)}.`;

/** One invocation on one line. */
export const invocationText = ({ actor, op, args, result }: Trace["steps"][number]): string =>
  `${actor}: ${op}(${Object.entries(args).map(([name, value]) => `${name}=${value}`).join(", ")}) -> ${result}`;
