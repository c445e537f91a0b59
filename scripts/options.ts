/** Owns how a command reads its options: it tells of them on `--help`, and of those it does not know. */
import { type ParseArgsConfig, parseArgs } from 'node:util';

/**
 * The options this process was called with. Ends the process where there is nothing to go on with:
 * after `--help`, and with exit code 2 after an option that does not exist.
 *
 * @param usage how the command is called, in a line or more.
 */
export function readOptions<const Config extends ParseArgsConfig>(
  usage: string,
  config: Config,
): ReturnType<typeof parseArgs<Config>> {
  if (process.argv.includes('--help')) {
    console.log(usage);
    process.exit(0);
  }
  try {
    return parseArgs(config);
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n\n${usage}`);
    process.exit(2);
  }
}
