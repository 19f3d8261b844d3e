/** The progress line of long work: on a terminal one line that is rewritten, elsewhere a line every ten seconds. */
import type { BackgroundProgress } from "../check/background.ts";

const count = (number: number): string => number.toLocaleString("en-US");

export const progressText = ({ states, depth, frontier, seconds, memory }: BackgroundProgress): string =>
  `${count(states)} states, depth ${depth}, frontier ${count(frontier)}, ${count(Math.round(states / Math.max(seconds, 0.001)))} states/s, ${Math.round(memory / 2 ** 20)} MiB, ${seconds.toFixed(0)} s`;

export interface ProgressLine<P> {
  readonly show: (progress: P) => void;
  readonly end: () => void;
}

const QUIET_SECONDS = 10;

export const progressLine = <P extends { readonly seconds: number } = BackgroundProgress>(
  stream: NodeJS.WriteStream = process.stderr,
  textOf: (progress: P) => string = progressText as unknown as (progress: P) => string,
): ProgressLine<P> => {
  let shown = false;
  let last = 0;
  return {
    show: (progress) => {
      if (stream.isTTY) {
        stream.write(`\r\x1b[2K${textOf(progress)}`);
        shown = true;
      } else if (progress.seconds - last >= QUIET_SECONDS) {
        last = progress.seconds;
        stream.write(`${textOf(progress)}\n`);
      }
    },
    end: () => {
      if (shown) stream.write("\r\x1b[2K");
    },
  };
};
