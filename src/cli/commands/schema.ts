/** `cofferdam schema NAME`: the JSON Schema of a file that people write or programs read. */
import * as Schema from "effect/Schema";
import { specJsonSchema } from "../../system/spec.ts";
import { traceSchema } from "../traceFile.ts";

const traceJsonSchema = (): object => {
  const { schema, definitions } = Schema.toJsonSchemaDocument(traceSchema, { onExcessProperty: "error" });
  return { $schema: "https://json-schema.org/draft/2020-12/schema", ...schema, ...(Object.keys(definitions).length === 0 ? {} : { $defs: definitions }) };
};

export const schema = (name: "spec" | "trace"): void => {
  process.stdout.write(`${JSON.stringify(name === "spec" ? specJsonSchema() : traceJsonSchema(), undefined, 2)}\n`);
};
