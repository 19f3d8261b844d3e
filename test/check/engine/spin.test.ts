/** The same model in Promela, checked by SPIN where it is installed: two programs that count alike did not err alike. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { promela } from "../../../tools/bench/promela.ts";
import { counts, type Mutant, type SizeName, sizes } from "../../../tools/bench/smmuCap.ts";
import { buildVerifier, type SpinRun } from "../../../tools/bench/spin.ts";
import { outside } from "../../outside.ts";

const verify = (size: SizeName, mutant?: Mutant): SpinRun | undefined => {
  const folder = mkdtempSync(join(tmpdir(), "cofferdam-spin-"));
  try {
    return buildVerifier(promela(sizes[size], mutant), folder, 18)?.run();
  } finally {
    rmSync(folder, { recursive: true });
  }
};
const spin = outside("spin", "the common benchmark counted by SPIN, a second program");

describe.runIf(spin !== undefined)("SPIN", () => {
  it("counts as the known counts say", () => {
    expect(verify("T")).toMatchObject({ ...counts.T, errors: 0 });
    expect(verify("T2")).toMatchObject({ ...counts.T2, errors: 0 });
  });

  it.each<[Mutant, number]>([
    ["M1", 6],
    ["M2", 8],
    ["M3", 3],
  ])("finds the mutant %s after %s invocations", (mutant, depth) => {
    expect(verify("T", mutant)).toMatchObject({ errors: 1, depth });
  });
});
