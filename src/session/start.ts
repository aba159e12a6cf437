/** The contract between `ssh/`, which knows who asked for what, and the sessions, which do it. */
import type { Login } from '../users/user.ts';
import type { Channel, SessionRequest } from './channel.ts';

/**
 * Runs one session to its end: all output, exit status and close are sent when the promise settles. Called at once when
 * the request was accepted. Never rejects.
 */
export type StartSession = (request: SessionRequest, channel: Channel, login: Login) => Promise<void>;
