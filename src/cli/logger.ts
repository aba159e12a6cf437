/** The operator's log: readable lines on a terminal, JSON lines everywhere else. Always on standard error. */
import { destination, pino, stdTimeFunctions, type Logger } from 'pino';
import { PinoPretty } from 'pino-pretty';
import type { LogLevel } from '../config/config.ts';

const standardError = 2;

/** Writes are synchronous, so that the last words before an exit are never lost. */
export function makeLogger(level: LogLevel): Logger {
  const options = { level, timestamp: stdTimeFunctions.isoTime };
  if (!process.stderr.isTTY) return pino(options, destination({ dest: standardError, sync: true }));
  const colorize = (process.env['NO_COLOR'] ?? '') === '';
  const translateTime = 'SYS:yyyy-mm-dd HH:MM:ss.l';
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
