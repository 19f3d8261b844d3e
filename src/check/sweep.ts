/** Several scopes of one system, smallest first, and where a sweep over them stops. */
import { defaultScope, type Scope } from "../system/scale.ts";

export type ScopeName = keyof Scope;
/** Inclusive. */
export interface Range {
  readonly first: number;
  readonly last: number;
}
export const scopeNames = Object.keys(defaultScope) as ScopeName[];

/** Sum first, since a state space grows with each number; among equals in the order of the names. */
const byOf = (a: Scope, b: Scope): number => {
  const sum = (scope: Scope) => scopeNames.reduce((total, name) => total + scope[name], 0);
  return sum(a) - sum(b) || scopeNames.map((name) => a[name] - b[name]).find((difference) => difference !== 0) || 0;
};

/** Every scope in the ranges; what has none is as in `base`. */
export const scopesIn = (ranges: Readonly<Partial<Record<ScopeName, Range>>>, base: Scope): readonly Scope[] =>
  scopeNames
    .reduce<readonly Scope[]>((scopes, name) => {
      const { first, last } = ranges[name] ?? { first: base[name], last: base[name] };
      return scopes.flatMap((scope) => Array.from({ length: last - first + 1 }, (_, step) => ({ ...scope, [name]: first + step })));
    }, [base])
    .toSorted(byOf);

/** Is everything of the second scope in the first, too? */
export const contains = (larger: Scope, smaller: Scope): boolean => scopeNames.every((name) => larger[name] >= smaller[name]);
