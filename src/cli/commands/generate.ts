/** `cofferdam generate SPEC --out DIR`: writes the layout in every form, or nothing. */
import { hasError } from "../../base/diagnostic.ts";
import { generate as generateFiles } from "../../generate/generate.ts";
import { cofferdam } from "../../kernel/profile.ts";
import { createMachine } from "../../smmuv3/machine.ts";
import { writeSnapshot } from "../../smmuv3/snapshot.ts";
import { boot } from "../../system/boot.ts";
import type { Layout } from "../../system/layout.ts";
import { unscaled } from "../../system/scale.ts";
import { showDiagnostics } from "../diagnostics.ts";
import { BAD_INPUT, exitWith } from "../exit.ts";
import { writeFolder } from "../files.ts";
import { openSystem, type OpenSystem } from "../system.ts";

export interface OutputFile {
  readonly name: string;
  readonly text: string | Uint8Array;
}

/** What each SMMU's registers and memory hold when the components start, as snapshots that a trace's stores apply to. */
const bootSnapshots = (layout: Layout): OutputFile[] => {
  const { steps, plan } = boot(unscaled(layout, [], 0), cofferdam);
  const machine = createMachine({ smmus: plan.smmus.map(() => ({})), cacheMode: "none" });
  const { image, smmus } = machine.executeAll(machine.start, steps);
  return smmus.flatMap(({ registers }, smmu) => {
    const { regs, pages } = writeSnapshot({ registers, image });
    return [
      { name: `smmu${smmu}/regs.json`, text: regs },
      { name: `smmu${smmu}/pages.bin.gz`, text: pages },
    ];
  });
};

/** The files of a system, or undefined after the exit code was set. */
export const filesOf = ({ plan, diagnostics }: OpenSystem): readonly OutputFile[] | undefined => {
  const { files, diagnostics: found } = generateFiles(plan.layout, { warnings: diagnostics });
  showDiagnostics(found);
  if (!hasError(found)) return [...files, ...bootSnapshots(plan.layout)];
  exitWith(BAD_INPUT);
  return undefined;
};

/** Writes files and says so on stderr; false after the exit code was set. */
export const write = (folder: string, files: readonly OutputFile[], stale: readonly string[] = []): boolean => {
  const problem = writeFolder(folder, files, stale);
  if (problem !== undefined) {
    showDiagnostics([problem]);
    exitWith(BAD_INPUT);
    return false;
  }
  return true;
};

export const generate = (spec: string, out: string, json: boolean): void => {
  const system = openSystem(spec);
  if (system === undefined) return;
  const files = filesOf(system);
  if (files === undefined || !write(out, files)) return;
  if (json) process.stdout.write(`${JSON.stringify({ folder: out, files: files.map(({ name }) => name) })}\n`);
  else for (const { name } of files) process.stdout.write(`${out}/${name}\n`);
};
