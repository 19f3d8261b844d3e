/**
 * The one string that reproduces a failed random walk: fast-check's seed, path and replayPath, with what else its walk
 * depends on, which is the length that walks may have and the guide that they were drawn with.
 */
import type { Guide } from "../check/random.ts";

export interface WalkReplay {
  readonly seed: number;
  readonly length: number;
  readonly guide: Guide;
  readonly path: string;
  readonly replayPath: string;
}

const LEVELS = "0123456789abcdefghijklmnopqrstuvwxyz";

export const replayText = ({ seed, length, guide, path, replayPath }: WalkReplay): string =>
  // Without a sign, so that a command line takes it for no flag.
  [seed >>> 0, length, guide.map((level) => LEVELS[Math.min(level, LEVELS.length - 1)]).join(""), path, replayPath].join(".");

/** Strictly what `replayText` writes; fast-check may still find that path and replayPath name nothing. */
export const readReplayText = (text: string): WalkReplay | undefined => {
  const match = /^(\d{1,10})\.(\d{1,3})\.([0-9a-z]{1,99})\.(\d(?::\d{1,5}){0,999})\.([A-Za-z0-9+/]{0,9999}:[A-Za-z0-9+/]{0,9999})$/.exec(text);
  if (match === null) return undefined;
  const [, seed, length, levels, path, replayPath] = match as unknown as readonly [string, string, string, string, string, string];
  return { seed: Number(seed) | 0, length: Number(length), guide: levels.split("").map((level) => LEVELS.indexOf(level)), path, replayPath };
};
