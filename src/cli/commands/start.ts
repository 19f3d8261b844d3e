/** `npm start`: the main job on the first shipped example, with a summary for a newcomer. */
import { fileURLToPath } from "node:url";
import { defaultBounds } from "../../check/checkOptions.ts";
import { defaultScope } from "../../system/scale.ts";
import { exitWith } from "../exit.ts";
import { openSystem } from "../system.ts";
import { verdictText } from "../verdictText.ts";
import { explore, staleTraces, verdictCode, verdictFiles } from "./check.ts";
import { filesOf, write } from "./generate.ts";

const EXAMPLE = "specs/systems/one-driver/system.yaml";

export const start = async (out: string): Promise<void> => {
  const say = (text: string) => process.stdout.write(`${text}\n`);
  say(`Cofferdam: from a board's device tree and a system spec to capabilities, and a verdict on them.\n`);
  const system = openSystem(fileURLToPath(new URL(`../../../${EXAMPLE}`, import.meta.url)));
  if (system === undefined) return;
  const { layout } = system.plan;
  say(`1. Plan      ${EXAMPLE} on ${layout.board.model}: ${layout.sids.length} stream, ${layout.cbs.length} context bank, ${layout.components.length} components.`);
  const files = filesOf(system);
  if (files === undefined || !write(out, files)) return;
  say(`2. Generate  ${files.length} files in ${out}/: ${files.map(({ name }) => name).join(", ")}`);
  say(`3. Check     every order in which untrusted components can use their capabilities (takes some seconds)\n`);
  const verdict = await explore(layout, defaultScope, { ...defaultBounds, profile: "cofferdam", mutant: undefined, caches: "may", events: false });
  if (!write(out, verdictFiles(verdict), staleTraces(verdict))) return;
  say(verdictText(verdict));
  say(`Read ${out}/report.md for the physical map; try \`npx cofferdam check ${EXAMPLE} --mutant unmap-invalidates\` to see a broken kernel caught.`);
  exitWith(verdictCode(verdict));
};
