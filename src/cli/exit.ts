/** Exit codes, as the README promises them. */
export const OK = 0;
/** A property is violated, or two things differ. */
export const VIOLATED = 1;
/** The input or the command line is wrong; nothing was written. */
export const BAD_INPUT = 2;
/** A bound was hit before every state was seen. */
export const INCONCLUSIVE = 3;
/** A bug in this program. */
export const INTERNAL = 4;
/** Stopped by the user; what was found so far is kept. */
export const INTERRUPTED = 130;

/** The program goes on to its end (streams are flushed) and then exits with the code. */
export const exitWith = (code: number): void => {
  if (code !== OK) process.exitCode = code;
};
