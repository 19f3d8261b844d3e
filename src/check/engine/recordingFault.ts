/** Why a recording ends early: what is the recipe's fault, what is only too much, and what begins a run again. */

/** Too many paths: the instance stays on accessors. */
export class OverBudget extends Error {
  override readonly name = "OverBudget";
}

/** The body of a cut hands something on to the code after it: it can't be recorded by itself. */
export class HandedOn extends Error {
  override readonly name = "HandedOn";
}

/** The recipe breaks the form that src/base/state.ts asks for. */
export class RecipeForm extends Error {
  override readonly name = "RecipeForm";
}

export class NotRepeated extends RecipeForm {
  constructor() {
    super("a recipe did not repeat itself: it depends on more than the state");
  }
}

/** Begins the run again, so that code after a new cut is never run with what the recording of its body left behind. */
export class Again extends Error {}
