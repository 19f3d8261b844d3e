/**
 * Z3, compiled to WebAssembly (npm `z3-solver`), as a second engine. It is large and only a development dependency, so
 * it is loaded when it is asked for, and whoever asks hears when it is not there.
 */
import type { init } from "z3-solver";
import type { Exported } from "./smtlib.ts";

export type Answer = "unsat" | "sat" | "unknown";
export interface Answered extends Pick<Exported, "invocation" | "clause" | "file" | "expected"> {
  readonly answer: Answer;
}

/** For each obligation; Z3 gives up on one after this long. */
const MILLISECONDS = 10_000;

/** What is asked of the package; its Emscripten module has no types. */
interface Loaded {
  readonly Z3: Awaited<ReturnType<typeof init>>["Z3"];
  readonly em: { readonly PThread: { readonly terminateAllThreads: () => void } };
}

/** Undefined where the package is not installed. */
export const askZ3 = async (files: readonly Exported[], heard: (answered: Answered) => void): Promise<Answered[] | undefined> => {
  const package_ = await import("z3-solver").catch(() => undefined);
  if (package_ === undefined) return undefined;
  const { Z3, em: threads } = (await package_.init()) as Loaded;
  const answers: Answered[] = [];
  try {
    for (const { invocation, clause, file, expected, text } of files) {
      const context = Z3.mk_context(Z3.mk_config());
      const solver = Z3.mk_solver(context);
      Z3.solver_inc_ref(context, solver);
      const parameters = Z3.mk_params(context);
      Z3.params_set_uint(context, parameters, Z3.mk_string_symbol(context, "timeout"), MILLISECONDS);
      Z3.solver_set_params(context, solver, parameters);
      // As a whole text: a string that is handed to Z3's own thread may be gone before that reads it.
      Z3.solver_from_string(context, solver, text.replace("(check-sat)\n", ""));
      const result: number = await Z3.solver_check(context, solver);
      const answer: Answer = result === 1 ? "sat" : result === -1 ? "unsat" : "unknown";
      Z3.del_context(context);
      const answered = { invocation, clause, file, expected, answer };
      answers.push(answered);
      heard(answered);
    }
  } finally {
    threads.PThread.terminateAllThreads();
  }
  return answers;
};
