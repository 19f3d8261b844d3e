/**
 * What seL4's capDL loader would make of the streams and context banks of a specification. capDL has no field for a
 * stream's number, and the bank's is lost on the way to the loader (capDL-tool/CapDL/PrintC.hs prints a contextbank
 * without it), so the loader counts (capdl-loader-app/src/main.c, `create_object` under CONFIG_ARM_SMMU).
 */

/** Of `MAX_STREAM_IDS` in capdl-loader-app/src/main.c. */
const MAX_STREAM_IDS = 60;

export interface SmmuObject {
  /** Object name in the specification. */
  readonly name: string;
  readonly type: "streamid" | "contextbank";
  readonly smmu: number;
  /** The board's StreamID, or the bank's number. */
  readonly number: number;
}

export interface LoaderRun {
  /** Every stream, in the order of creation, with the number that GetSID would be called with. */
  readonly streams: readonly { readonly object: SmmuObject; readonly issued: number }[];
  /** Objects at which the loader stops, in order. It gets no further than the first. */
  readonly stops: readonly { readonly object: SmmuObject; readonly why: string }[];
  /** Banks that would be created as bank 0 although the specification says otherwise. */
  readonly banks: readonly SmmuObject[];
}

/** By name in code-point order: streams and banks have no size and no address (capDL-tool/CapDL/PrintUtils.hs, `sortObjects`). */
const inCreationOrder = (objects: readonly SmmuObject[]): readonly SmmuObject[] => objects.toSorted((a, b) => (a.name < b.name ? -1 : 1));

export const runLoader = (objects: readonly SmmuObject[]): LoaderRun => {
  const streams: { object: SmmuObject; issued: number }[] = [];
  const stops: { object: SmmuObject; why: string }[] = [];
  const active = new Set<number>();
  let [next, banks] = [0, 0];
  for (const object of inCreationOrder(objects)) {
    if (object.type === "contextbank") {
      if (++banks > 1) stops.push({ object, why: "every context bank is created as bank 0, and GetCB(0) answers RevokeFirst the second time" });
      next = 0;
      continue;
    }
    if (active.has(next)) stops.push({ object, why: `stream ${next} is issued again after a context bank, so that GetSID(${next}) answers RevokeFirst` });
    active.add(next);
    streams.push({ object, issued: next++ });
    if (next > MAX_STREAM_IDS) stops.push({ object, why: `the loader issues at most ${MAX_STREAM_IDS} streams` });
  }
  return { streams, stops, banks: objects.filter(({ type, number }) => type === "contextbank" && number !== 0) };
};
