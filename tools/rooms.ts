/**
 * The rooms of the tree and who may import whom. `test/architecture.test.ts` walks every import against this table,
 * so a new arrow is a decision made here and not a line that slipped in.
 */
export interface Room {
  readonly name: string;
  /** Path prefix from the root; the longest matching prefix decides. */
  readonly path: string;
  readonly holds: string;
  /** Names of rooms it may import from, besides itself. */
  readonly imports: readonly string[];
  /** npm packages and `node:` modules its files may import. Prefixes; `effect/` allows every subpath. */
  readonly packages: readonly string[];
}

export const rooms: readonly Room[] = [
  { name: "base", path: "src/base", holds: "words, bit layouts, state tables, diagnostics, the types that cross rooms", imports: [], packages: ["immer"] },
  { name: "specs", path: "specs", holds: "what is given, not computed: record layouts, refusal codes, example systems", imports: ["base"], packages: [] },
  { name: "smmuv3", path: "src/smmuv3", holds: "the SMMU as the architecture describes it", imports: ["base", "specs"], packages: ["node:zlib"] },
  { name: "smmuv2", path: "src/smmuv2", holds: "the few registers of an SMMUv2 that upstream seL4's driver writes, behind the same port", imports: ["base", "specs"], packages: [] },
  { name: "gic", path: "src/gic", holds: "the interrupt side of an MSI: the ITS and its DeviceID checks", imports: ["base", "specs"], packages: [] },
  { name: "kernel", path: "src/kernel", holds: "capabilities, invocations, the driver that compiles decisions into steps; never the walker", imports: ["base", "specs"], packages: [] },
  { name: "kernel api", path: "src/kernel/api.ts", holds: "the three verbs a subject has", imports: ["kernel", "base", "specs"], packages: [] },
  { name: "user", path: "src/user", holds: "programs of components and managers: cptrs and words only", imports: ["base", "specs", "kernel api"], packages: [] },
  { name: "firmware", path: "src/firmware", holds: "device tree: bytes to tree, tree to topology", imports: ["base"], packages: [] },
  {
    name: "system",
    path: "src/system",
    holds: "spec to resolved to layout to first state to scaled first state",
    imports: ["base", "specs", "firmware", "kernel"],
    packages: ["effect/", "yaml", "fastest-levenshtein", "node:crypto"],
  },
  {
    name: "generate",
    path: "src/generate",
    holds: "view models and Handlebars rendering",
    imports: ["base", "specs", "firmware", "system"],
    packages: ["handlebars", "node:fs", "node:url", "node:path"],
  },
  {
    name: "check",
    path: "src/check",
    holds: "model, properties, strategies, traces",
    imports: ["base", "specs", "smmuv3", "smmuv2", "kernel", "kernel api", "user", "firmware", "system"],
    packages: ["z3-solver", "node:crypto", "node:v8", "node:worker_threads", "node:url", "node:fs", "node:os", "node:path", "immer"],
  },
  {
    name: "scenarios",
    path: "src/scenarios",
    holds: "hazards of kernel designs: programs over systems",
    imports: ["base", "specs", "kernel", "kernel api", "user", "system", "check"],
    packages: ["node:fs"],
  },
  { name: "audit", path: "src/audit", holds: "a snapshot of an SMMU told in words and ranges", imports: ["base", "specs", "smmuv3", "gic", "system"], packages: [] },
  {
    name: "testing",
    path: "src/testing",
    holds: "fast-check arbitraries derived from layouts and invocations, laws; what `cofferdam/testing` exports",
    imports: ["base", "specs", "smmuv3", "smmuv2", "gic", "kernel", "kernel api", "user", "firmware", "system", "generate", "check", "scenarios", "audit"],
    packages: ["fast-check"],
  },
  {
    name: "cli",
    path: "src/cli",
    holds: "commands and rendering; where Effect runs",
    imports: ["base", "specs", "smmuv3", "smmuv2", "gic", "kernel", "kernel api", "user", "firmware", "system", "generate", "check", "scenarios", "audit", "testing"],
    packages: ["effect/", "@effect/platform-node/", "@babel/code-frame", "node:"],
  },
  { name: "index", path: "src/index.ts", holds: "the library's face", imports: ["base", "system", "check", "cli"], packages: ["node:fs", "node:path"] },
];

/** The room a file belongs to, by the longest prefix. */
export const roomOf = (file: string): Room | undefined =>
  rooms
    .filter((room) => file === room.path || file.startsWith(`${room.path}/`))
    .toSorted((a, b) => b.path.length - a.path.length)[0];
