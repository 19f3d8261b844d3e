/** The schema of what `cofferdam decode --json` prints, for programs that read it. */
import * as Schema from "effect/Schema";
import { type Decoding, DECODING_FORMAT, DECODING_VERSION } from "../audit/decoding.ts";

const documented = <S extends Schema.Top>(schema: S, description: string) => schema.annotate({ description });

const text = Schema.String;
const hex = Schema.String.check(Schema.isPattern(/^0x[0-9a-f]+$/));
const count = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0));
const words = documented(Schema.Array(hex), "64-bit words of the record");
const reserved = documented(Schema.Array(text), "RES0 bits that are set, as `dw1[5]`, and reserved values, as `S1Fmt=3`");
const field = Schema.Struct({ name: text, value: documented(hex, "an address whole, other fields as numbers"), is: Schema.optionalKey(documented(text, "name of the value")) });
const fields = Schema.Array(field);
const sidRange = Schema.Struct({ first: hex, last: documented(hex, "included") });
const sids = Schema.Array(sidRange);

const register = Schema.Struct({ name: text, offset: hex, value: hex, bits: Schema.Literals([32, 64]), fields, reserved });
const level1Entry = Schema.Struct({
  index: count,
  address: hex,
  value: hex,
  span: count,
  firstSid: hex,
  table: Schema.optionalKey(documented(hex, "second level, absent where the descriptor names none")),
  entries: count,
  why: Schema.optionalKey(text),
  reserved,
});
const streamTable = Schema.Struct({
  kind: Schema.Literals(["linear", "twoLevel"]),
  base: hex,
  log2Size: count,
  streams: count,
  split: Schema.optionalKey(count),
  level1: Schema.optionalKey(documented(Schema.Array(level1Entry), "level-1 descriptors that are not zero")),
  histogram: Schema.Array(Schema.Struct({ entry: text, streams: count })),
  withoutEntry: documented(count, "streams beyond what level 1 names"),
  unreadable: documented(sids, "streams whose entry no memory answers for"),
});

const contextDescriptor = Schema.Struct({
  ssid: count,
  ipa: Schema.optionalKey(hex),
  address: hex,
  words,
  class: Schema.Literals(["legal", "illegal", "unsupported"]),
  why: Schema.optionalKey(text),
  reserved,
  fields,
  addressSpace: Schema.optionalKey(documented(count, "id in addressSpaces")),
});
const contextTable = Schema.Struct({
  pointer: hex,
  shape: Schema.Literals(["one", "linear", "twoLevel4K", "twoLevel64K"]),
  log2Size: count,
  withoutSubstream: Schema.Literals(["terminated", "bypasses stage 1", "uses descriptor 0"]),
  descriptors: Schema.Array(contextDescriptor),
  invalid: documented(count, "descriptors with V=0 that are not zero"),
  problems: Schema.Array(text),
});
const entry = Schema.Struct({
  sids,
  streams: count,
  address: documented(hex, "of the first of these equal entries"),
  words,
  class: Schema.Literals(["abort", "bypass", "stage1", "stage2", "nested", "illegal", "unsupported"]),
  why: Schema.optionalKey(text),
  reserved,
  fields: Schema.optionalKey(fields),
  contexts: Schema.optionalKey(contextTable),
  addressSpace: Schema.optionalKey(count),
});

const part = Schema.Literals(["TTB0", "TTB1", "S2TTB"]);
const treeRoot = Schema.Struct({ part, root: hex, granule: Schema.Literals(["4K", "16K", "64K"]), startLevel: count, inputBits: count, outputBits: count });
const user = Schema.Struct({ sids, ssid: Schema.optionalKey(count), asid: Schema.optionalKey(count), vmid: count });
const stageAttributes = Schema.Struct({ memory: text, shareability: text, level: count, block: hex, flags: documented(Schema.Array(text), "of contiguous, nG, AF=0, DBM") });
const rights = documented(Schema.String.check(Schema.isPattern(/^[r-][w-][x-]$/)), "read, write, execute");
const addressRange = Schema.Struct({
  input: hex,
  size: hex,
  ipa: Schema.optionalKey(hex),
  output: Schema.optionalKey(hex),
  privileged: rights,
  unprivileged: rights,
  fault: Schema.optionalKey(documented(Schema.Struct({ type: text, stage: Schema.Literals([1, 2]) }), "every access meets it")),
  stage1: Schema.optionalKey(stageAttributes),
  stage2: Schema.optionalKey(stageAttributes),
});
const tableProblem = Schema.Struct({ part, what: text, fault: Schema.optionalKey(text), input: hex, level: count, address: hex, value: Schema.optionalKey(hex) });
const addressSpace = Schema.Struct({
  id: count,
  roots: Schema.Array(treeRoot),
  users: Schema.Array(user),
  leaves: count,
  reachable: documented(hex, "bytes"),
  ranges: documented(Schema.Array(addressRange), "[input, input+size) goes to [output, output+size)"),
  problems: Schema.Array(tableProblem),
});

const place = Schema.Struct({ index: count, wrap: count });
const queueRecord = Schema.Struct({ index: count, state: Schema.Literals(["pending", "old"]), words, name: text, fields, reserved, illegal: Schema.optionalKey(text) });
const queue = Schema.Struct({
  name: Schema.Literals(["CMDQ", "EVENTQ", "PRIQ"]),
  enabled: Schema.Boolean,
  base: hex,
  log2Size: count,
  entries: count,
  prod: place,
  cons: place,
  pending: count,
  errors: Schema.Array(text),
  counts: documented(Schema.Record(text, count), "records of each name in the ring, consumed ones too"),
  records: documented(Schema.Array(queueRecord), "in order of time"),
});

const its = Schema.Struct({
  enabled: Schema.Boolean,
  devices: Schema.Array(Schema.Struct({ deviceId: hex, table: hex, eventIdBits: count, events: Schema.Array(Schema.Struct({ eventId: count, intid: count, collection: count })) })),
  collections: Schema.Array(Schema.Struct({ collection: count, target: count })),
  commands: Schema.Array(Schema.Struct({ index: count, name: text, words, fields })),
  problems: Schema.Array(text),
});

export const decodingSchema = Schema.Struct({
  format: Schema.Literal(DECODING_FORMAT),
  version: Schema.Literal(DECODING_VERSION),
  summary: Schema.Struct({
    enabled: Schema.Boolean,
    whileDisabled: Schema.Literals(["abort", "bypass"]),
    streams: Schema.Struct({ abort: count, bypass: count, stage1: count, stage2: count, nested: count, illegal: count, unsupported: count, none: count }),
    pendingEvents: count,
    pendingCommands: count,
    pendingPageRequests: count,
    errors: Schema.Array(text),
  }),
  registers: Schema.Array(register),
  unknownRegisters: Schema.Array(Schema.Struct({ offset: hex, value: hex })),
  streamTable,
  entries: Schema.Array(entry),
  addressSpaces: Schema.Array(addressSpace),
  queues: Schema.Array(queue),
  its: Schema.optionalKey(its),
  notes: Schema.Array(text),
  cut: documented(Schema.Array(text), "what a limit left out, in words"),
});

/** Does not compile when the schema and the type part. */
export const asDecoded = (decoding: Decoding): typeof decodingSchema.Type => decoding;
export const asDecoding = (decoded: typeof decodingSchema.Type): Decoding => decoded;
