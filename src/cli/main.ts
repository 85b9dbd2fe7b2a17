/** The coxswain command, run from its sources. As one file it is bundled.ts that begins. Read first: command.ts. */
import { run } from './command.ts';

await run();
