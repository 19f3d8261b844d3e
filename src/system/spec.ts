/**
 * The system spec as its author writes it: YAML text, decoded by the Schema below. Every problem is collected; names
 * are still names (resolve.ts looks them up). Each key is documented here once; `specJsonSchema` hands that to editors.
 */
import * as Result from "effect/Result";
import * as Schema from "effect/Schema";
import * as SchemaGetter from "effect/SchemaGetter";
import type { Checked } from "../base/diagnostic.ts";
import { createFindings } from "./findings.ts";
import { FRAME_SIZES } from "./frameSize.ts";
import { reportIssue } from "./issue.ts";
import type { Places } from "./place.ts";
import { readYaml } from "./yaml.ts";

const namePattern = /^[a-z][a-z0-9-]{0,47}$/u;
const name = Schema.String.check(Schema.isPattern(namePattern)).annotate({
  expected: "a name: a small letter, then at most 47 small letters, digits or `-`",
});
const reference = Schema.String.check(Schema.isPattern(/^[a-z][a-z0-9-]{0,47}(\.[a-z][a-z0-9-]{0,47})?$/u)).annotate({
  expected: "`component` or `component.device`",
});

const UNITS: Readonly<Record<string, bigint>> = { "": 1n, KiB: 1n << 10n, MiB: 1n << 20n, GiB: 1n << 30n, TiB: 1n << 40n };
const bytesPattern = /^(0x[0-9a-fA-F]{1,16}|[0-9]{1,20}) ?(KiB|MiB|GiB|TiB)?$/u;

/** Bytes meant by `4KiB`, `64 KiB`, `0x1000` or a plain integer that passed the pattern. */
const bytesOf = (written: string | number): bigint => {
  const match = bytesPattern.exec(String(written));
  return BigInt(match?.[1] ?? written) * UNITS[match?.[2] ?? ""]!;
};
/** A number of bytes; documented on the written side, which is what editors see. */
const bytes = (expected: string, description: string) =>
  Schema.Union([Schema.Int.check(Schema.isGreaterThanOrEqualTo(0)), Schema.String.check(Schema.isPattern(bytesPattern))])
    .annotate({ expected, description })
    .pipe(Schema.decodeTo(Schema.BigInt, { decode: SchemaGetter.transform(bytesOf), encode: SchemaGetter.transform((value: bigint) => `0x${value.toString(16)}`) }));
const size = (description: string) => bytes("a size in bytes such as `4KiB`, `2MiB` or `0x1000`", description);
const address = (description: string) => bytes("an address such as `0x48000000`", description);

const access = Schema.Literals(["r", "rw"]).annotate({ expected: "`r` or `rw`" });

const frameSize = Schema.Literals(FRAME_SIZES).annotate({ expected: "`4KiB`, `2MiB` or `1GiB`" });

const exactlyOne = (keys: readonly string[]) =>
  Schema.makeFilter((value: object) =>
    keys.filter((key) => Object.hasOwn(value, key)).length === 1 ? undefined : `give exactly one of ${keys.map((key) => `\`${key}\``).join(", ")}`,
  );

const documented = <S extends Schema.Top>(schema: S, description: string) => schema.annotate({ description });

const share = Schema.Struct({
  with: documented(name, "The component that may access the region."),
  access: documented(access, "What it may do: read, or read and write."),
});

const region = Schema.Struct({
  size: size("Bytes, a multiple of 4 KiB, or of `frames`; an untyped region's size is a power of two."),
  owner: documented(name, "The component whose memory this is. Policy, not a capability: see `holds`."),
  kind: Schema.optionalKey(
    Schema.Literals(["memory", "untyped"]).annotate({
      description: "`memory` (default) becomes frames at boot; `untyped` is left for its holder to retype.",
      expected: "`memory` or `untyped`",
    }),
  ),
  frames: Schema.optionalKey(
    documented(frameSize, "Size of the frames that the region's memory is made of; `4KiB` unless given. `size` and `base` are multiples of it, and so is each IOVA where it is mapped."),
  ),
  base: Schema.optionalKey(address("Physical address; without it the region is placed in `memory`.")),
  share: Schema.optionalKey(documented(Schema.Array(share), "Who else may access it. Policy, not a capability.")),
}).check(Schema.makeFilter((value) => (value.frames === undefined || value.kind !== "untyped" ? undefined : "`frames` goes with `kind: memory`: an untyped has no frames yet")));

const device = Schema.Struct({
  pci: Schema.optionalKey(
    Schema.String.check(Schema.isPattern(/^[0-9a-fA-F]{2}:[01][0-9a-fA-F]\.[0-7]$/u)).annotate({
      description: "A PCI function under a host bridge: `bus:device.function` in hex, as lspci prints it.",
      expected: "`bus:device.function` such as `00:02.0`",
    }),
  ),
  bridge: Schema.optionalKey(Schema.String.annotate({ description: "Path or alias of the host bridge; needed when the board has several." })),
  path: Schema.optionalKey(
    Schema.String.check(Schema.isPattern(/^\//u)).annotate({ description: "Full path of the device's node in the device tree.", expected: "a path that starts with `/`" }),
  ),
  alias: Schema.optionalKey(Schema.String.annotate({ description: "The device's name in the board's /aliases." })),
  unprotected: Schema.optionalKey(
    Schema.String.check(Schema.isNonEmpty()).annotate({
      description: "Accept the device although no enabled SMMU stands before it, for this reason.",
      expected: "the reason, in words",
    }),
  ),
})
  .check(exactlyOne(["pci", "path", "alias"]))
  .check(Schema.makeFilter((value) => (value.bridge === undefined || value.pci !== undefined ? undefined : "`bridge` goes with `pci`")));

const holdKinds = ["region", "sid", "cb", "vspace"] as const;
const holdRecord = Schema.Struct({
  region: Schema.optionalKey(documented(name, "A region: its frames, or its untyped.")),
  access: Schema.optionalKey(documented(access, "Rights of the frame capabilities; `rw` unless given.")),
  iova: Schema.optionalKey(address("Where the holder's devices see the region; the next free address unless given.")),
  map: Schema.optionalKey(documented(Schema.Boolean, "`false`: hold the frames without mapping them.")),
  pages: Schema.optionalKey(
    documented(frameSize, "The size of page that the holder maps the region with, for its devices or itself; the size of the region's `frames` unless given, and no other size can be had."),
  ),
  sid: Schema.optionalKey(documented(reference, "Copies of the SID capabilities of `component.device`, or of all devices of `component`.")),
  cb: Schema.optionalKey(documented(reference, "Copies of the CB capabilities that `component`, or `component.device`, uses.")),
  vspace: Schema.optionalKey(documented(name, "A copy of that component's address-space capability.")),
})
  .check(exactlyOne(holdKinds))
  .check(
    Schema.makeFilter((value) =>
      value.region !== undefined || (value.access === undefined && value.iova === undefined && value.map === undefined && value.pages === undefined)
        ? undefined
        : "`access`, `iova`, `map` and `pages` go with `region`",
    ),
  )
  .check(Schema.makeFilter((value) => (value.iova === undefined || value.map !== false ? undefined : "`iova` contradicts `map: false`")));
const hold = Schema.Union([name, holdRecord]).annotate({
  expected: "a region's name, `sid-control`, `cb-control`, `tables`, or a record such as `{ region: ring, access: r }`",
});

const component = Schema.Struct({
  kind: Schema.Literals(["driver", "vm", "service"]).annotate({
    description: "What runs in it: a native driver, a guest, or a service.",
    expected: "`driver`, `vm` or `service`",
  }),
  trusted: Schema.optionalKey(
    documented(Schema.Boolean, "`true`: runs a fixed program. `false` (default): the adversary, which may make any invocation on what it holds."),
  ),
  devices: Schema.optionalKey(documented(Schema.Record(name, device), "The devices it owns, by a name of your choice.")),
  cb: Schema.optionalKey(
    Schema.Literals(["shared", "per-stream"]).annotate({
      description: "`shared` (default): one CB for each SMMU; `per-stream`: one CB for each stream.",
      expected: "`shared` or `per-stream`",
    }),
  ),
  holds: Schema.optionalKey(documented(Schema.Array(hold), "Capabilities given at boot, besides its own CNode and those of its own devices.")),
});

const specSchema = Schema.Struct({
  system: documented(name, "Name of the system."),
  board: Schema.String.check(Schema.isNonEmpty()).annotate({
    description: "The board's device tree blob (.dtb), relative to this file.",
    expected: "a file name",
  }),
  memory: Schema.optionalKey(
    Schema.Struct({
      base: address("First physical address, 4 KiB aligned."),
      size: size("Bytes, a multiple of 4 KiB."),
    }).annotate({
      description: "Where regions without a base and kernel objects go. Default: the upper half of the board's largest usable RAM range.",
    }),
  ),
  regions: Schema.optionalKey(documented(Schema.Record(name, region), "Pieces of physical memory, by name.")),
  components: documented(Schema.Record(name, component), "Programs and VMs, by name."),
}).annotate({ title: "Cofferdam system spec" });

export type Spec = typeof specSchema.Type;
export type SpecRegion = typeof region.Type;
export type SpecDevice = typeof device.Type;
export type SpecHold = typeof hold.Type;

/** A decoded spec and the way back to its text. */
export interface SpecDocument {
  readonly spec: Spec;
  readonly places: Places;
}

/** JSON Schema (draft 2020-12) of a spec, for editors: `# yaml-language-server: $schema=…`. */
export const specJsonSchema = (): object => {
  const { schema, definitions } = Schema.toJsonSchemaDocument(specSchema, { onExcessProperty: "error" });
  return { $schema: "https://json-schema.org/draft/2020-12/schema", ...schema, ...(Object.keys(definitions).length === 0 ? {} : { $defs: definitions }) };
};

/** First stage: YAML text to a decoded spec. `file` is only printed. */
export const decodeSpec = (text: string, file: string): Checked<SpecDocument> => {
  const { value: yaml, diagnostics } = readYaml(text, file);
  if (yaml === undefined) return { value: undefined, diagnostics };
  const { places } = yaml;
  const decoded = Schema.decodeUnknownResult(specSchema)(yaml.content, { errors: "all", onExcessProperty: "error", reportInput: true });
  if (Result.isSuccess(decoded)) return { value: { spec: decoded.success, places }, diagnostics: [] };
  const findings = createFindings(places);
  reportIssue(decoded.failure.issue, [], (id, path, message, hint, atKey) => (atKey === true ? findings.errorAtKey : findings.error)(id, path, message, hint));
  return { value: undefined, diagnostics: findings.list() };
};
