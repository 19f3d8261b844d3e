/** Properties of the user's own, judged by several threads as by one. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { type BackgroundOptions, checkInBackground } from "../../../src/check/background.ts";
import { Refusal } from "../../../src/check/refusal.ts";
import type { Verdict } from "../../../src/check/verdict.ts";
import { defaultScope } from "../../../src/system/scale.ts";
import { layoutOf } from "../../kernel/fixture.ts";

const folder = mkdtempSync(join(tmpdir(), "cofferdam-threads-property-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const property = (name: string, violation: string): string => {
  const file = join(folder, `${name}.mjs`);
  writeFileSync(file, `export default { name: "${name}", sentence: "A sentence.", needs: { words: "a bound stream", met: ({ streams }) => streams.some(({ bank }) => bank !== undefined) }, violation: ${violation} };\n`);
  return file;
};
const layout = layoutOf("one-driver");
const scope = { ...defaultScope, slots: 0, children: 1 };
const outcome = async (workers: number, options: BackgroundOptions) => {
  try {
    return await checkInBackground(layout, { scope, ...options, workers }, () => {}).verdict;
  } catch (error) {
    if (error instanceof Refusal) return error.diagnostics;
    throw error;
  }
};
const alike = async (options: BackgroundOptions, workers = 2) => {
  const one = await outcome(1, options);
  expect(await outcome(workers, options)).toEqual(one);
  return one;
};

const idle = "({ streams, vspaces }) => (streams.some(({ bank }) => bank !== undefined) && vspaces.some(({ mappings }) => mappings.length === 0) ? 'bound to nothing' : undefined)";
const poor = "({ streams, capabilities }) => { if (streams[0].reaches.length > 0 && capabilities.filter(({ holder }) => holder === 'nic-driver').length < 5) throw new Error('no idea'); }";

describe("several threads", () => {
  it("judge them to the same verdict and traces", async () => {
    const holds = await alike({ propertyFiles: [property("nothing", "() => undefined")] });
    expect(holds).toMatchObject({ result: "holds", vacuous: [] });
    const broken = await alike({ propertyFiles: [property("idle", idle), property("unbound", "({ streams }) => (streams[0].bank === undefined ? undefined : 'bound')")], traces: 2 }, 3);
    expect(broken).toMatchObject({ result: "violated" });
    expect(new Set((broken as Verdict).violations.map((violation) => violation.property))).toEqual(new Set(["idle", "unbound"]));
  });

  it("tell the same state of one that does not judge", async () => {
    const refused = await alike({ propertyFiles: [property("throws", poor)] }, 3);
    expect(refused).toMatchObject([{ id: "property-failed", message: expect.stringMatching(/^the property `throws` threw Error: no idea \(throws\.mjs:\d+:\d+\), asked about the state after \d+ invocation/) as string, hint: expect.stringMatching(/^what leads there: 1\. nic-driver: /) as string }]);
    expect(await alike({ propertyFiles: [property("asks-first", "() => true")] })).toMatchObject([{ message: expect.stringMatching(/asked about the first state/) as string }]);
  });

  it("say so where one ends a thread, or cannot be loaded by it", async () => {
    expect(await alike({ propertyFiles: [property("exits", "({ streams }) => { if (streams[0].bank !== undefined) process.exit(0); }")] })).toMatchObject([{ id: "property-failed", message: expect.stringMatching(/ended, with exit code 0/) as string }]);
    const once = property("once", "() => undefined");
    writeFileSync(once, `import { threadId } from "node:worker_threads";\nif (process.env.COFFERDAM_TEST_THREAD !== undefined && process.env.COFFERDAM_TEST_THREAD !== String(threadId)) throw new Error("another thread");\nprocess.env.COFFERDAM_TEST_THREAD = String(threadId);\nexport default { name: "once", sentence: "A sentence.", violation: () => undefined };\n`);
    expect(await outcome(2, { propertyFiles: [once] })).toMatchObject([{ id: "bad-property", message: expect.stringMatching(/can't be loaded: Error: another thread/) as string }]);
  });
});
