/** The operator's log: readable lines on a terminal, JSON lines everywhere else. Always on standard error. */
import { createRequire } from 'node:module';
import { destination, pino, stdTimeFunctions, type Logger } from 'pino';
import type { LogLevel } from '../config/config.ts';

const standardError = 2;

/** Writes are synchronous, so that the last words before an exit are never lost. */
export function makeLogger(level: LogLevel): Logger {
  const options = { level, timestamp: stdTimeFunctions.isoTime };
  if (!process.stderr.isTTY) return pino(options, destination({ dest: standardError, sync: true }));
  const colorize = (process.env['NO_COLOR'] ?? '') === '';
  const translateTime = 'SYS:yyyy-mm-dd HH:MM:ss.l';
  // Whoever reads JSON starts without it.
  const { PinoPretty } = createRequire(import.meta.url)('pino-pretty') as typeof import('pino-pretty');
  return pino(
    options,
    PinoPretty({
      destination: standardError,
      sync: true,
      ignore: 'pid,hostname',
      colorize,
      translateTime,
      singleLine: true,
    }),
  );
}
