/** The command tree (effect/cli), and how its failures become exit codes. */
import { layer as nodeServices } from "@effect/platform-node/NodeServices";
import * as Argument from "effect/cli/Argument";
import * as CliOutput from "effect/cli/CliOutput";
import * as Command from "effect/cli/Command";
import * as Flag from "effect/cli/Flag";
import * as Console from "effect/Console";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as Option from "effect/Option";
import { defaultBounds } from "../check/checkOptions.ts";
import { exportFormats } from "../check/export/formats.ts";
import { profileNames, safeguards } from "../kernel/profile.ts";
import { reductionNames } from "../kernel/reductions.ts";
import { BAD_INPUT, exitWith, INTERNAL } from "./exit.ts";
import { programVersion } from "./system.ts";

const flag = (name: string, description: string) => Flag.Boolean(name).pipe(Flag.withDescription(description), Flag.withDefault(false));
const json = flag("json", "one JSON document on stdout instead of text");
const spec = Argument.String("spec").pipe(Argument.withDescription("system spec, a YAML file"));

const bug = (error: unknown): void => {
  const told = error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.stderr.write(`internal error: this is a bug in cofferdam, or in what was changed in its source, not in your input\n${told}\n`);
  exitWith(INTERNAL);
};
/**
 * A handler; a bug in it is told in one sentence with its stack, and exits 4. Whoever explores hears a signal itself
 * (interrupt.ts), and gives what it has; any other command is ended by it.
 */
const perform = (act: () => Promise<void> | void) =>
  Effect.promise(async () => {
    try {
      await act();
    } catch (error) {
      bug(error);
    }
  });

const topology = Command.make("topology", { boards: Argument.String("board").pipe(Argument.withDescription("device tree blob (.dtb)"), Argument.atLeast(1)), json }, ({ boards, json: asJson }) =>
  perform(async () => (await import("./commands/topology.ts")).topology(boards, asJson)),
).pipe(Command.withDescription("Which devices stand behind which SMMU, with which streams"));

const plan = Command.make("plan", { spec, json }, ({ spec: file, json: asJson }) => perform(async () => (await import("./commands/plan.ts")).plan(file, asJson))).pipe(
  Command.withDescription("What a spec hands out, without writing anything"),
);

const generate = Command.make(
  "generate",
  { spec, out: Flag.String("out").pipe(Flag.withAlias("o"), Flag.withDescription("folder to write into"), Flag.withDefault("out")), json },
  ({ spec: file, out, json: asJson }) => perform(async () => (await import("./commands/generate.ts")).generate(file, out, asJson)),
).pipe(Command.withDescription("Write capDL, C headers, bindings, layout and report"));

const { states: MAX_STATES, depth: MAX_DEPTH, seconds: MAX_SECONDS } = defaultBounds;
const checkFlags = {
  spec: spec.pipe(Argument.optional),
  list: flag("list", "list the properties and the broken kernels that each catches"),
  scope: Flag.String("scope").pipe(Flag.withDescription("pages=1,slots=1,children=2,addresses=1"), Flag.withDefault("")),
  profile: Flag.Literals("profile", profileNames).pipe(Flag.withDescription("which kernel is checked"), Flag.withDefault("cofferdam")),
  mutant: Flag.Literals("mutant", Object.keys(safeguards)).pipe(Flag.withDescription("check a kernel with this safeguard removed"), Flag.optional),
  caches: Flag.Literals("caches", ["may", "none"]).pipe(Flag.withDescription("what the SMMU may keep: whatever it could have fetched, or nothing"), Flag.withDefault("may")),
  maxStates: Flag.Int("max-states").pipe(Flag.withDescription(`stop after this many states (${MAX_STATES})`), Flag.withDefault(MAX_STATES)),
  maxDepth: Flag.Int("max-depth").pipe(Flag.withDescription(`stop after this many invocations (${MAX_DEPTH})`), Flag.withDefault(MAX_DEPTH)),
  maxSeconds: Flag.Int("max-seconds").pipe(Flag.withDescription(`stop after this many seconds (${MAX_SECONDS})`), Flag.withDefault(MAX_SECONDS)),
  maxMemory: Flag.Int("max-memory").pipe(Flag.withDescription("stop at this many MiB; three quarters of the machine's when left out"), Flag.optional),
  traces: Flag.Int("traces").pipe(Flag.withDescription("this many different traces to each property that fails"), Flag.withDefault(1)),
  strategy: Flag.Literals("strategy", ["exhaustive", "depth", "random"]).pipe(Flag.withDescription("every state, shortest traces first; the same depth first; or random walks"), Flag.withDefault("exhaustive")),
  visited: Flag.Literals("visited", ["states", "hashes"]).pipe(Flag.withDescription("what is kept of states that were met: with hashes alone nothing is proved"), Flag.withDefault("states")),
  runs: Flag.Int("runs").pipe(Flag.withDescription("random: how many walks (400)"), Flag.optional),
  length: Flag.Int("length").pipe(Flag.withDescription("random: invocations of the longest walk (50)"), Flag.optional),
  seed: Flag.Int("seed").pipe(Flag.withDescription("random: the same seed gives the same walks (1)"), Flag.optional),
  whole: flag("whole", "random: walk the whole layout instead of the scaled one"),
  replay: Flag.String("replay").pipe(Flag.withDescription("random: one walk again, by the string that a failure prints"), Flag.optional),
  unreduced: Flag.Literals("unreduced", reductionNames).pipe(Flag.withDescription("leave out a reduction; may be given several times"), Flag.atLeast(0)),
  workers: Flag.Int("workers").pipe(Flag.withDescription("threads that explore; the verdict is the same for any number"), Flag.withDefault(1)),
  checkpoint: Flag.String("checkpoint").pipe(Flag.withDescription("file to keep the run in, at intervals and when it stops early"), Flag.optional),
  checkpointSeconds: Flag.Int("checkpoint-seconds").pipe(Flag.withDescription("how many seconds between checkpoints (60)"), Flag.optional),
  resume: Flag.String("resume").pipe(Flag.withDescription("go on with a run that --checkpoint kept"), Flag.optional),
  property: Flag.String("property").pipe(Flag.withDescription("file with properties of your own; may be given several times"), Flag.atLeast(0)),
  mutants: flag("mutants", "check every broken kernel of --list on the shipped systems, and say which property catches it"),
  system: Flag.String("system").pipe(Flag.withDescription("mutants: those of this shipped system only"), Flag.optional),
  sweep: Flag.String("sweep").pipe(Flag.withDescription("check at several scopes, smallest first: pages=1..3,slots=0..2"), Flag.optional),
  out: Flag.String("out").pipe(Flag.withAlias("o"), Flag.withDescription("folder for verdict.json and the traces"), Flag.optional),
  json,
  events: flag("events", "progress and verdict as JSON lines on stdout"),
  verbose: flag("verbose", "list every refusal that was never reached"),
};
/** Values that say nothing; a flag with any other was given. */
const standard: Readonly<Record<string, unknown>> = { scope: "", profile: "cofferdam", caches: "may", maxStates: MAX_STATES, maxDepth: MAX_DEPTH, maxSeconds: MAX_SECONDS, traces: 1, strategy: "exhaustive", visited: "states", workers: 1 };
const givenOf = (flags: Readonly<Record<string, unknown>>): Set<string> => {
  const isGiven = (name: string, value: unknown) => (Option.isOption(value) ? Option.isSome(value) : Array.isArray(value) ? value.length > 0 : value !== (standard[name] ?? false));
  const given = Object.keys(flags).filter((name) => name !== "spec" && isGiven(name, flags[name]));
  return new Set([...given.map((name) => name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)), ...(flags["strategy"] === "random" ? ["strategy=random"] : [])]);
};
const check = Command.make("check", checkFlags, (flags) =>
  perform(async () => {
    const commands = await import("./commands/check.ts");
    const odd = (await import("./commands/unheeded.ts")).unheeded(givenOf(flags));
    if (odd !== undefined) return commands.refuse(odd);
    if (flags.list) return commands.list(flags.json);
    if (flags.mutants) return (await import("./commands/mutants.ts")).checkMutants({ spec: Option.getOrUndefined(flags.spec), system: Option.getOrUndefined(flags.system), json: flags.json });
    if (Option.isNone(flags.spec)) {
      process.stderr.write("error [usage] check needs a system spec\n  hint: cofferdam check specs/systems/one-driver/system.yaml\n");
      return exitWith(BAD_INPUT);
    }
    const given = {
      ...flags,
      mutant: Option.getOrUndefined(flags.mutant),
      runs: Option.getOrUndefined(flags.runs),
      length: Option.getOrUndefined(flags.length),
      seed: Option.getOrUndefined(flags.seed),
      replay: Option.getOrUndefined(flags.replay),
      checkpoint: Option.getOrUndefined(flags.checkpoint),
      checkpointSeconds: Option.getOrElse(flags.checkpointSeconds, () => 60),
      resume: Option.getOrUndefined(flags.resume),
      out: Option.getOrUndefined(flags.out),
      states: flags.maxStates,
      depth: flags.maxDepth,
      seconds: flags.maxSeconds,
      memory: Option.getOrUndefined(flags.maxMemory),
    };
    if (Option.isSome(flags.sweep)) return (await import("./commands/sweep.ts")).sweep(flags.spec.value, flags.sweep.value, given);
    await commands.check(flags.spec.value, given);
  }),
).pipe(Command.withDescription("Explore everything that untrusted components can do, and give a verdict"));

const witnessFlags = {
  spec,
  goal: Flag.String("goal").pipe(Flag.withDescription("what to reach, as check names what it never did; may be given several times; unreached: all of that"), Flag.atLeast(1)),
  scope: checkFlags.scope,
  profile: checkFlags.profile,
  mutant: checkFlags.mutant,
  caches: checkFlags.caches,
  maxStates: Flag.Int("max-states").pipe(Flag.withDescription("stop after this many states (200000)"), Flag.withDefault(200_000)),
  maxDepth: checkFlags.maxDepth,
  maxSeconds: Flag.Int("max-seconds").pipe(Flag.withDescription("stop after this many seconds (120)"), Flag.withDefault(120)),
  maxMemory: checkFlags.maxMemory,
  property: checkFlags.property,
  out: Flag.String("out").pipe(Flag.withAlias("o"), Flag.withDescription("folder for witnesses.json and the traces"), Flag.optional),
  json,
  verbose: flag("verbose", "also tell the stores and commands of each invocation"),
};
const witness = Command.make("witness", witnessFlags, ({ spec: file, mutant, out, maxStates, maxDepth, maxSeconds, maxMemory, ...flags }) =>
  perform(async () =>
    (await import("./commands/witness.ts")).witness(file, { ...flags, mutant: Option.getOrUndefined(mutant), out: Option.getOrUndefined(out), bounds: { states: maxStates, depth: maxDepth, seconds: maxSeconds }, memory: Option.getOrUndefined(maxMemory) }),
  ),
).pipe(Command.withDescription("Find a way to something that should be possible: an invocation, a refusal, a DMA path"));

const replayFlags = {
  spec,
  trace: Argument.String("trace").pipe(Argument.withDescription("trace file that check wrote")),
  whole: flag("whole", "on the whole layout instead of the scaled one"),
  minimise: flag("minimise", "leave out what the break does not need, and put the rest in normal form"),
  out: Flag.String("out").pipe(Flag.withAlias("o"), Flag.withDescription("file for the minimised trace"), Flag.optional),
  property: Flag.String("property").pipe(Flag.withDescription("file with the property that the trace breaks, if it is your own"), Flag.atLeast(0)),
  json,
};
const replay = Command.make("replay", replayFlags, ({ spec: file, trace, whole, minimise, out, property, json: asJson }) =>
  perform(async () => (await import("./commands/replay.ts")).replay(file, trace, { whole, minimise, out: Option.getOrUndefined(out), property, json: asJson })),
).pipe(Command.withDescription("Run a trace again, in milliseconds"));

const exportFlags = {
  file: Argument.String("trace").pipe(Argument.withDescription("trace file that check wrote; for sarif and junit also verdict.json")),
  as: Flag.Literals("as", exportFormats).pipe(Flag.withDescription("the format")),
  spec: Flag.String("spec").pipe(Flag.withDescription("the system spec, which a vitest file reads and SARIF points at; default: system.yaml beside the output"), Flag.optional),
  out: Flag.String("out").pipe(Flag.withAlias("o"), Flag.withDescription("file to write; default: stdout"), Flag.optional),
};
const exportCommand = Command.make("export", exportFlags, ({ file, as, spec: system, out }) =>
  perform(async () => (await import("./commands/export.ts")).exportFile(file, { as, spec: Option.getOrUndefined(system), out: Option.getOrUndefined(out) })),
).pipe(Command.withDescription("Turn a counterexample into a test, a diagram, or a report for other tools"));

const invokeFlags = {
  system: Argument.String("system").pipe(Argument.withDescription("system spec, or first state, in YAML")),
  profile: Flag.Literals("profile", profileNames).pipe(Flag.withDescription("which kernel answers"), Flag.withDefault("cofferdam")),
  sequence: Flag.String("sequence").pipe(Flag.withDescription("invocation list, one JSON object a line, in order of time")),
  state: flag("state", "afterwards print bindings, bank counts and the derivation tree as JSON"),
};
const invoke = Command.make("invoke", invokeFlags, ({ system, profile, sequence, state }) =>
  perform(async () => (await import("./commands/invoke.ts")).invoke(system, { profile, sequence, state })),
).pipe(Command.withDescription("Run a list of invocations under a profile, and answer each as the kernel does"));

const proveFlags = {
  mutant: Flag.Literals("mutant", Object.keys(safeguards)).pipe(Flag.withDescription("a kernel with this safeguard removed"), Flag.optional),
  larger: Flag.Int("larger").pipe(Flag.withDescription("also try this many random settings of each invocation in a larger plan; then the exit code is 3 at best"), Flag.withDefault(0)),
  smt: Flag.String("smt").pipe(Flag.withDescription("folder for the obligations as SMT-LIB 2 files"), Flag.optional),
  z3: flag("z3", "ask Z3 about them, too"),
  json,
};
const prove = Command.make("prove", proveFlags, (flags) =>
  perform(async () => (await import("./commands/prove.ts")).prove({ ...flags, mutant: Option.getOrUndefined(flags.mutant), smt: Option.getOrUndefined(flags.smt) })),
).pipe(Command.withDescription("Show by induction that the core of the kernel keeps its invariant, for any number of objects"));

const hazards = Command.make(
  "hazards",
  {
    name: Argument.String("name").pipe(Argument.withDescription("one hazard, with its shortest trace"), Argument.optional),
    profile: Flag.Literals("profile", profileNames).pipe(Flag.withDescription("one kernel; every one when left out"), Flag.optional),
    json,
  },
  ({ name, profile, json: asJson }) => perform(async () => (await import("./commands/hazards.ts")).hazards(Option.getOrUndefined(name), { profile: Option.getOrUndefined(profile), json: asJson })),
).pipe(Command.withDescription("What kernel designs let happen: scenarios, run under each profile"));

const schema = Command.make("schema", { name: Argument.Literals("name", ["spec", "first-state", "trace", "decoding"]).pipe(Argument.withDescription("spec, first-state, trace or decoding")) }, ({ name }) =>
  perform(async () => (await import("./commands/schema.ts")).schema(name)),
).pipe(Command.withDescription("The JSON Schema of a system spec, a first state, a trace, or what decode prints"));

const translateFlags = {
  snapshot: Argument.String("snapshot").pipe(Argument.withDescription("folder with regs.json and pages.bin.gz")),
  transactions: Flag.String("transactions").pipe(Flag.withDescription("transaction list, one JSON object a line, each judged cold"), Flag.optional),
  history: Flag.String("history").pipe(Flag.withDescription("history: stores, commands, register writes and transactions, one JSON object a line, in order of time"), Flag.optional),
  caches: Flag.Literals("caches", ["qemu", "may", "none"]).pipe(
    Flag.withDescription("for a history, what the SMMU keeps: everything until it is invalidated (qemu, the default), whatever it may keep, or nothing"),
    Flag.optional,
  ),
  quirks: Flag.Literals("quirks", ["qemu-10.0"]).pipe(Flag.withDescription("answer as this implementation does where it departs from the architecture"), Flag.optional),
  attributes: flag("attributes", "also print the memory attributes with which a transaction leaves the SMMU"),
};
const translate = Command.make("translate", translateFlags, ({ snapshot, transactions, history, caches, quirks, attributes }) =>
  perform(async () =>
    (await import("./commands/translate.ts")).translate(snapshot, {
      transactions: Option.getOrUndefined(transactions),
      history: Option.getOrUndefined(history),
      caches: Option.getOrUndefined(caches),
      quirks: Option.getOrUndefined(quirks),
      attributes,
    }),
  ),
).pipe(Command.withDescription("What an SMMU in a snapshot answers to transactions, or to a history, as JSON lines"));

const decode = Command.make("decode", { snapshot: Argument.String("snapshot").pipe(Argument.withDescription("folder with regs.json and pages.bin.gz")), json }, ({ snapshot, json: asJson }) =>
  perform(async () => (await import("./commands/decode.ts")).decode(snapshot, asJson)),
).pipe(Command.withDescription("What the registers and memory of an SMMU say: streams, address spaces, queues"));

const start = Command.make(
  "start",
  { out: Flag.String("out").pipe(Flag.withAlias("o"), Flag.withDescription("folder to write into"), Flag.withDefault("out/one-driver")) },
  ({ out }) => perform(async () => (await import("./commands/start.ts")).start(out)),
).pipe(Command.withDescription("Plan, generate and check the first example"));

const cofferdam = Command.make("cofferdam").pipe(
  Command.withDescription("DMA containment with capabilities: plan a system, generate its layout, check its isolation"),
  Command.withSubcommands([topology, plan, generate, check, witness, replay, exportCommand, invoke, prove, hazards, decode, translate, schema, start]),
);

/** Help that was not asked for belongs to the error it comes with: stderr, so that a pipe never reads it. */
const presenter = CliOutput.layerPresenter({
  present: (event) =>
    event._tag === "InvalidInvocation"
      ? Effect.gen(function* () {
          const formatter = yield* CliOutput.Formatter;
          yield* Console.error(formatter.formatErrors(event.errors));
          yield* Console.error(`Run \`${event.commandPath.join(" ")} --help\` for what it takes.`);
        })
      : CliOutput.defaultPresenter.present(event),
});

export const main = (): void => {
  const program = Command.run(cofferdam, { version: programVersion() }).pipe(
    // A wrong command line is bad input: exit 2, after the presenter has said what is wrong.
    Effect.catchTag("ShowHelp", (help) => Effect.sync(() => exitWith(help.errors.length > 0 ? BAD_INPUT : 0))),
    Effect.provide(Layer.mergeAll(nodeServices, presenter)),
  );
  // Not runMain, which hears signals for all commands and then waits for them.
  Effect.runPromise(program as Effect.Effect<void>).catch(bug);
};
