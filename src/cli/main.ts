/** Entry of the command line. Commands are loaded when they are called, so that `--help` stays quick. */
const MAJOR = 24;
if (Number(process.versions.node.split(".")[0]) < MAJOR) {
  process.stderr.write(`cofferdam needs Node ${MAJOR} or newer, and this is ${process.version}: run it through npm (\`npm start\`, \`npx cofferdam\`), or install Node ${MAJOR}.\n`);
  process.exit(2);
}
// A reader that went away is no error; a disk that is full is one, and neither may look like a verdict.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") process.stderr.write(`error [output] cannot write to stdout: ${error.code ?? error.message}\n`);
  process.exit(error.code === "EPIPE" ? 0 : 2);
});
// Node would exit with 1, which says that a property is violated. A file of --property may throw behind everybody's back.
process.on("uncaughtException", (error) => {
  process.stderr.write(`internal error: nobody caught this; it is a bug in cofferdam, or in a file that was given with --property\n${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  process.exit(4);
});
const { main } = await import("./program.ts");
main();

export {};
