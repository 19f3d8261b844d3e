/** `cofferdam invoke SYSTEM`: an invocation list is run under a profile and answered line by line. */
import { printable } from "../../base/diagnostic.ts";
import type { Step } from "../../base/step.ts";
import { hex } from "../../base/words.ts";
import { type Answer, invoke as invokeOn } from "../../kernel/api.ts";
import { machineOf } from "../../check/machine.ts";
import { profiles } from "../../kernel/profile.ts";
import { boot } from "../../system/boot.ts";
import { decodeFirstState, isFirstState } from "../../system/firstState.ts";
import { openBooted, openFirstState, type OpenKernel } from "../../system/openKernel.ts";
import { unscaled } from "../../system/scale.ts";
import { showDiagnostics } from "../diagnostics.ts";
import { BAD_INPUT, exitWith } from "../exit.ts";
import { readBytes, unreadable } from "../files.ts";
import { readInvocations } from "../invocationList.ts";
import { openSystem } from "../system.ts";
import { stateJson } from "../stateJson.ts";

export interface InvokeOptions {
  readonly profile: string;
  readonly sequence: string;
  readonly state: boolean;
}

/** The text of a file, or undefined after saying why there is none. */
const textOf = (file: string, what: string): string | undefined => {
  const bytes = readBytes(file);
  if (bytes !== undefined) return new TextDecoder().decode(bytes);
  showDiagnostics([unreadable(file, what)]);
  exitWith(BAD_INPUT);
  return undefined;
};

/** A kernel, and what its boot gave the SMMU. */
interface Opened {
  readonly opened: OpenKernel;
  readonly bootSteps: readonly Step[];
}
const open = (file: string, profileName: string): Opened | undefined => {
  const profile = profiles.find(({ name }) => name === profileName)!;
  const text = textOf(file, "the system");
  if (text === undefined) return undefined;
  if (!isFirstState(text)) {
    const system = openSystem(file);
    if (system === undefined) return undefined;
    const booted = boot(unscaled(system.plan.layout, [], 0), profile);
    return { opened: openBooted(booted), bootSteps: booted.steps };
  }
  const { value: document, diagnostics } = decodeFirstState(text, file);
  const { value: opened, diagnostics: found } = document === undefined ? { value: undefined, diagnostics } : openFirstState(document, profile);
  showDiagnostics(found, () => text);
  if (opened !== undefined) return { opened, bootSteps: [...opened.kernel.driver.reset(), ...opened.kernel.driver.enable()] };
  exitWith(BAD_INPUT);
  return undefined;
};

const answerJson = ({ error, words, ...rest }: Answer): object => ({ error, words: words.map(hex), ...rest });

/** Runs the list; every answer is one JSON line. */
export const invoke = (system: string, { profile, sequence, state }: InvokeOptions): void => {
  const begun = open(system, profile);
  if (begun === undefined) return;
  const { opened, bootSteps } = begun;
  const { kernel } = opened;
  const text = textOf(sequence, "the invocation list");
  if (text === undefined) return;
  const actors = kernel.plan.subjects.map(({ name }) => name);
  const { value: lines, diagnostics } = readInvocations(text, printable(sequence), actors);
  if (lines === undefined) {
    showDiagnostics(diagnostics, () => text);
    return exitWith(BAD_INPUT);
  }
  for (const { actor, ...message } of lines) process.stdout.write(`${JSON.stringify(answerJson(invokeOn(kernel, actors.indexOf(actor), message)))}\n`);
  if (!state) return;
  const machine = machineOf(kernel.profile, kernel.plan, "may");
  const reach = machine.reach(machine.executeAll(machine.start, [...bootSteps, ...opened.takeSteps()]));
  process.stdout.write(`${JSON.stringify(stateJson(opened, reach), undefined, 2)}\n`);
};
