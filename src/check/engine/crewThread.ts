/** Entry of a search thread (crew.ts): links the model's text, then sleeps and works as its word says. */
import { receiveMessageOnPort, workerData } from "node:worker_threads";
import { PAUSE, workOf } from "./chunks.ts";
import { accessorsOf, link, needsModel } from "./compiled.ts";
import { type CrewMessage, type CrewOrder, FAILED, PARKED, RUNNING, STARTING, stateWord } from "./crew.ts";
import type { RecipeModel } from "./recipeModel.ts";
import { type Memory, visitedFor } from "./visited.ts";

const { compiled, source, shared, thread, port } = workerData as CrewOrder;
const { control } = shared;
const word = stateWord(thread);

const accessorsHere = async () => {
  if (!needsModel(compiled)) return undefined;
  if (source === undefined) throw new Error("some instances run on accessors, so threads need to know where the model is made (source)");
  const made = (await import(source.module)) as Record<string, (...args: readonly unknown[]) => RecipeModel>;
  return accessorsOf(made[source.name]!(...source.args));
};

/** The newest memory that the leader has sent. */
const received = (before: Memory | undefined): Memory | undefined => {
  let memory = before;
  for (;;) {
    const said: { message: CrewMessage } | undefined = receiveMessageOnPort(port);
    if (said === undefined) return memory;
    if (said.message.kind === "memory") memory = said.message.memory;
  }
};

try {
  const work = workOf(compiled, link(compiled, await accessorsHere()), visitedFor(compiled.words, compiled.bits, true), shared, thread);
  let memory: Memory | undefined;
  Atomics.compareExchange(control, word, STARTING, PARKED);
  Atomics.notify(control, word);
  for (;;) {
    Atomics.wait(control, word, PARKED);
    if (Atomics.load(control, word) !== RUNNING) break;
    memory = received(memory);
    if (memory !== undefined) work(memory);
    Atomics.compareExchange(control, word, RUNNING, PARKED);
    Atomics.notify(control, word);
  }
} catch (error) {
  port.postMessage({ kind: "failed", message: error instanceof Error ? `${error.name}: ${error.message}` : String(error) } satisfies CrewMessage);
  Atomics.store(control, PAUSE, 1);
  Atomics.store(control, word, FAILED);
  Atomics.notify(control, word);
}
