/** Every way through a program that asks `choose(n)` for a number below n (design D6: the adversary's choices). */
export type Choose = (options: number) => number;

/** Past this many ways nothing is enumerated. */
const MOST_WAYS = 1 << 16;

/** Runs the program once for each sequence of choices; it must ask the same after equal choices. Throws RangeError past 65536 ways. */
export const everyWay = <T>(run: (choose: Choose) => T): T[] => {
  const results: T[] = [];
  const taken: number[] = [];
  const widths: number[] = [];
  do {
    let at = 0;
    results.push(
      run((options) => {
        if (options <= 1) return 0;
        if (at === taken.length) taken.push(0);
        widths[at] = options;
        return taken[at++]!;
      }),
    );
    if (results.length > MOST_WAYS) throw new RangeError(`there are more than ${MOST_WAYS} ways in which caches could answer one transaction`);
    taken.length = at;
    while (taken.length > 0 && taken.at(-1)! + 1 >= widths[taken.length - 1]!) taken.pop();
    if (taken.length > 0) taken[taken.length - 1]!++;
  } while (taken.length > 0);
  return results;
};
