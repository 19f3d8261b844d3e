/**
 * Names of a spec as identifiers of C and capDL. Both languages take `[A-Za-z][A-Za-z0-9_]*` (capDL's own
 * `identStart` and `identLetter` allow more: capDL-tool/CapDL/ParserUtils.hs), so one form serves both.
 */

/** Longer names are cut: file systems stop at 255 bytes, and a macro has a prefix too. */
const MAX_LENGTH = 63;
/** Names that a file may not have on Windows, with or without an extension. */
const DEVICE_NAME = /^(?:con|prn|aux|nul|com\d|lpt\d)$/i;

const sanitised = (name: string): string => {
  const letters = name.replace(/[^A-Za-z0-9_]/g, "_").slice(0, MAX_LENGTH);
  const started = /^[A-Za-z]/.test(letters) ? letters : `n${letters}`;
  return DEVICE_NAME.test(started) ? `${started}_` : started;
};

/**
 * An identifier for each name, in order. No two are equal even without regard to case, since macros are upper-case and
 * some file systems do not tell cases apart: a later one of two gets `_2`, `_3` and so on, skipping names in use.
 */
export const identifiers = (names: readonly string[]): readonly string[] => {
  const wanted = names.map(sanitised);
  // A name that needs no suffix keeps itself: `a-2` must not take away `a_2` from a later one.
  const exact = new Set(names.flatMap((name, index) => (name === wanted[index] ? [name.toLowerCase()] : [])));
  const taken = new Set<string>();
  return wanted.map((name, index) => {
    let unique = name;
    const free = (candidate: string): boolean => {
      const key = candidate.toLowerCase();
      return !taken.has(key) && (candidate === names[index] || !exact.has(key));
    };
    for (let suffix = 2; !free(unique); suffix++) unique = `${name}_${suffix}`;
    taken.add(unique.toLowerCase());
    return unique;
  });
};
