/**
 * A report as JUnit XML, in the form that CI services agree on (https://github.com/testmoapp/junitxml): a test case for
 * each property, which fails if it is violated and is skipped, so that it does not count as passed, if it is undecided.
 */
import { printable } from "../../base/diagnostic.ts";
import { findingText, invocationText, type Report } from "./report.ts";

/** XML text and attribute values: what XML 1.0 cannot hold at all is written out by `printable` first. */
const escaped = (text: string): string =>
  printable(text).replace(/[<>&"']/g, (character) => `&#${character.codePointAt(0)};`);

const attributes = (values: Readonly<Record<string, string | number>>): string =>
  Object.entries(values)
    .map(([name, value]) => ` ${name}="${escaped(String(value))}"`)
    .join("");

const failureOf = (report: Report, name: string): string[] => {
  const found = report.findings.filter(({ property }) => property === name);
  const lines = found.flatMap((finding) => [findingText(finding), ...(finding.trace?.steps ?? []).map((step, index) => `  ${index + 1}. ${invocationText(step)}`)]);
  return [`      <failure${attributes({ message: found[0] === undefined ? "violated" : findingText(found[0]), type: name })}>`, ...lines.map(escaped), "      </failure>"];
};

const caseOf = (report: Report, { name, sentence, result }: Report["properties"][number]): string[] => {
  const open = `    <testcase${attributes({ name: `${name}: ${sentence}`, classname: `cofferdam.${report.title}` })}`;
  if (result === "holds") return [`${open}/>`];
  const inside = result === "violated" ? failureOf(report, name) : [`      <skipped${attributes({ message: "undecided: not every state was explored" })}/>`];
  return [`${open}>`, ...inside, "    </testcase>"];
};

export const junitOf = (report: Report): string => {
  const number = (result: string) => report.properties.filter((property) => property.result === result).length;
  const counts = { tests: report.properties.length, failures: number("violated"), errors: 0, skipped: number("undecided") };
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites${attributes({ name: "cofferdam", ...counts })}>`,
    `  <testsuite${attributes({ name: report.title, ...counts })}>`,
    ...report.properties.flatMap((property) => caseOf(report, property)),
    "  </testsuite>",
    "</testsuites>",
    "",
  ].join("\n");
};
