/** `node tools/sel4-interface/main.ts LIBSEL4`: writes specs/sel4/interface.ts, or compares with it; README.md says the rest. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { Interface } from "../../specs/sel4/method.ts";
import { definitionFindings, errorFindings, tableFindings } from "./compare.ts";
import { Failure, fail } from "./failure.ts";
import { filesAt } from "./files.ts";
import { printed } from "./print.ts";
import { interfaceOf } from "./table.ts";

const USAGE = `usage: node tools/sel4-interface/main.ts [--check] [--revision TEXT] LIBSEL4
       node tools/sel4-interface/main.ts [--check] [--revision TEXT] FILE FILE FILE FILE

LIBSEL4 is the folder of that name in seL4's source. The files are its object-api.xml, aarch64's
object-api-sel4-arch.xml, Arm's object-api-arch.xml, and errors.h.

  --check          writes nothing: compares the files with specs/sel4/interface.ts, and with src/kernel
  --revision TEXT  what the head of the written file says it is from, such as a commit
`;
const OUTPUT = join(import.meta.dirname, "../../specs/sel4/interface.ts");

const parsed = (args: readonly string[]) => {
  try {
    return parseArgs({ args: [...args], allowPositionals: true, options: { check: { type: "boolean" }, revision: { type: "string" }, help: { type: "boolean", short: "h" } } });
  } catch (error) {
    throw new Failure(`${error instanceof Error ? error.message : "bad arguments"}\n${USAGE}`);
  }
};

const say = (line: string): void => void process.stdout.write(`${line}\n`);

/** True when nothing differs. What it compares with is loaded here: writing the table must not need an old one. */
const check = async (given: Interface): Promise<boolean> => {
  const committed = await import("../../specs/sel4/interface.ts");
  const { errors } = await import("../../specs/sel4/error.ts");
  const { kinds } = await import("../../src/kernel/capability.ts");
  const { invocations } = await import("../../src/kernel/invocations.ts");
  const definitions = invocations.map((definition) => ({ ...definition, object: kinds[definition.object] ?? `kind ${definition.object}` }));
  const findings = [...tableFindings(committed, given), ...errorFindings(errors, given.errorNumbers), ...definitionFindings(definitions, given.methods)];
  const hashes = new Set(committed.sources.map(({ sha256 }) => sha256));
  for (const { path, sha256 } of given.sources) if (!hashes.has(sha256)) say(`note: ${path} has other bytes than the one that the table came from`);
  for (const finding of findings) say(finding);
  const verdict = findings.length === 0 ? "no difference that is not listed" : `${findings.length} difference(s)`;
  say(`${given.methods.length} methods, ${definitions.length} definitions: ${verdict}`);
  return findings.length === 0;
};

try {
  const { values, positionals } = parsed(process.argv.slice(2));
  if (values.help === true) process.stdout.write(USAGE);
  else {
    if (positionals.length === 0) fail(`seL4's files are wanted\n${USAGE}`);
    const files = filesAt(positionals);
    const given = interfaceOf(files);
    if (values.check === true) process.exitCode = (await check(given)) ? 0 : 1;
    else {
      writeFileSync(OUTPUT, printed(given, files, values.revision));
      say(`${given.methods.length} methods, ${given.leftOut.length} left out: specs/sel4/interface.ts`);
    }
  }
} catch (error) {
  if (!(error instanceof Failure)) throw error;
  process.stderr.write(`sel4-interface: ${error.message}\n`);
  process.exitCode = 2;
}
