/** What is wrong with one line of JSON, by its schema: the first finding, with the place in the line. */
import type * as Schema from "effect/Schema";
import { reportIssue } from "../system/issue.ts";

/** Findings are cut here: a line may be megabytes of one key. */
const SHOWN = 300;

export const wrongIn = ({ issue }: Schema.SchemaError): string => {
  let first: string | undefined;
  reportIssue(issue, [], (_id, path, message) => {
    first ??= `${path.length === 0 ? "" : `${path.join(".")}: `}${message}`;
  });
  return (first ?? "the line is not of the form that is expected").slice(0, SHOWN);
};
