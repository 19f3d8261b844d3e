/** Interning: equal things get one number, and what depends on a key alone is computed once (design D6). */

/** Small numbers for texts, from 0 on in the order in which they are met. */
export const numbering = (): ((key: string) => number) => {
  const ids = new Map<string, number>();
  return (key) => {
    let id = ids.get(key);
    if (id === undefined) ids.set(key, (id = ids.size));
    return id;
  };
};

/** A function of one argument that is computed once for each key. */
export const remember = <A, K, V>(keyOf: (argument: A) => K, make: (argument: A) => V): ((argument: A) => V) => {
  const known = new Map<K, V>();
  return (argument) => {
    const key = keyOf(argument);
    let value = known.get(key);
    if (value === undefined) known.set(key, (value = make(argument)));
    return value;
  };
};
