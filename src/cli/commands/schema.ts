/** `cofferdam schema NAME`: the JSON Schema of a file that people write or programs read. */
import * as Schema from "effect/Schema";
import { firstStateJsonSchema } from "../../system/firstState.ts";
import { specJsonSchema } from "../../system/spec.ts";
import { decodingSchema } from "../decodingSchema.ts";
import { traceSchema } from "../traceFile.ts";

const jsonSchemaOf = (of: Schema.Top): object => {
  const { schema, definitions } = Schema.toJsonSchemaDocument(of, { onExcessProperty: "error" });
  return { $schema: "https://json-schema.org/draft/2020-12/schema", ...schema, ...(Object.keys(definitions).length === 0 ? {} : { $defs: definitions }) };
};

type SchemaName = "spec" | "first-state" | "trace" | "decoding";
const schemas: Readonly<Record<SchemaName, () => object>> = {
  spec: specJsonSchema,
  "first-state": firstStateJsonSchema,
  trace: () => jsonSchemaOf(traceSchema),
  decoding: () => jsonSchemaOf(decodingSchema),
};

export const schema = (name: SchemaName): void => {
  process.stdout.write(`${JSON.stringify(schemas[name](), undefined, 2)}\n`);
};
