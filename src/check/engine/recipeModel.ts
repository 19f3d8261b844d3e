/**
 * A model in the form that the explorer takes: a shape, a first state, operations in declared order and properties, all
 * of them plain recipes over tables (design D2, D4; src/base/state.ts says what form a recipe follows). Nothing in it
 * knows of words, bits or threads.
 */
import { createHash } from "node:crypto";
import type { Domain, Plain, Shape, Tables } from "../../base/state.ts";

export type Arguments<A extends string = string> = Readonly<Record<A, number>>;

/** A pure predicate: reads only. The first that holds refuses the operation, which then changes nothing. */
export interface RecipeRefusal<S extends Shape, A extends string = string> {
  readonly name: string;
  readonly when: (tables: Tables<S>, args: Arguments<A>) => boolean;
}

export interface Operation<S extends Shape, A extends string = string> {
  readonly label: string;
  /** The domain of each argument. Instances are enumerated with the last argument changing fastest. */
  readonly args: Readonly<Record<A, Domain>>;
  readonly refusals: readonly RecipeRefusal<S, A>[];
  /** Total once nothing refuses. */
  readonly effect: (tables: Tables<S>, args: Arguments<A>) => void;
}

export interface RecipeProperty<S extends Shape> {
  readonly name: string;
  readonly sentence: string;
  readonly holds: (tables: Tables<S>) => boolean;
}

export interface RecipeModel<S extends Shape = Shape> {
  readonly name: string;
  /** What the model was made from (sizes, mutant): part of its hash, since closures hide it. */
  readonly parameters: Readonly<Record<string, string | number>>;
  readonly shape: S;
  readonly initial: Plain<S>;
  readonly operations: readonly Operation<S>[];
  /** At most 31, so that what a state violates is one bit mask. */
  readonly properties: readonly RecipeProperty<S>[];
}

/** Where other threads find the model, which is no value that can be sent: `module` exports a function `name`. */
export interface ModelSource {
  readonly module: string;
  readonly name: string;
  readonly args: readonly unknown[];
}

/** Declares operations of one shape, with arguments typed by their own names. */
export const operationsOf =
  <S extends Shape>() =>
  <A extends string>(operation: Operation<S, A>): Operation<S> =>
    operation;

/** One operation with one choice of arguments. */
export interface Instance {
  readonly operation: number;
  readonly label: string;
  readonly args: Arguments;
}

/** Every instance in declared order: operations as listed, then arguments in ascending order. */
export const instancesOf = <S extends Shape>(model: RecipeModel<S>): readonly Instance[] =>
  model.operations.flatMap(({ label, args }, operation) => {
    let choices: Record<string, number>[] = [{}];
    for (const [name, { least, size }] of Object.entries(args))
      choices = choices.flatMap((chosen) => Array.from({ length: size }, (_, value) => ({ ...chosen, [name]: least + value })));
    return choices.map((chosen) => ({ operation, label, args: chosen }));
  });

/** Index of the refusal that answers, or -1 when the effect ran. */
export const perform = <S extends Shape>(operation: Operation<S>, tables: Tables<S>, args: Arguments): number => {
  for (let index = 0; index < operation.refusals.length; index++) if (operation.refusals[index]!.when(tables, args)) return index;
  operation.effect(tables, args);
  return PERFORMED;
};
export const PERFORMED = -1;

/**
 * SHA-256 of what is declared: parameters, tables, first state, operations with arguments and refusals, properties (design
 * §6). The text of recipes is no part: it depends on how the program was built.
 */
export const recipeModelHash = <S extends Shape>({ name, parameters, shape, initial, operations, properties }: RecipeModel<S>): string =>
  createHash("sha256")
    .update(
      JSON.stringify([
        name,
        parameters,
        shape,
        initial,
        operations.map(({ label, args, refusals }) => [label, args, refusals.map((refusal) => refusal.name)]),
        properties.map((property) => [property.name, property.sentence]),
      ]),
    )
    .digest("hex");
