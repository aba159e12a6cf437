/**
 * Tells systemd how the server is (sd_notify(3)). Node can't send to a Unix datagram socket, and packages that can must be
 * compiled; `systemd-notify` is there wherever systemd is. Without a service manager nothing happens.
 */
import { spawn } from 'node:child_process';

export type ServiceState = 'ready' | 'reloading' | 'stopping' | 'alive';

const messages: Readonly<Record<ServiceState, readonly string[]>> = {
  ready: ['READY=1', 'STATUS=serving'],
  reloading: ['STATUS=reloading'],
  stopping: ['STOPPING=1', 'STATUS=stopping'],
  alive: ['WATCHDOG=1'],
};

export interface ServiceManager {
  tell(state: ServiceState): void;
  /** From now on it hears as often as it wants that we are alive. */
  startWatchdog(): void;
}

/** @param environment of this process, as the service manager has made it */
export function serviceManager(
  environment: NodeJS.ProcessEnv,
  onProblem: (error: Error) => void,
): ServiceManager {
  const isManaged = (environment['NOTIFY_SOCKET'] ?? '') !== '';
  const watchdogMs = Number(environment['WATCHDOG_USEC'] ?? 0) / 1000;
  const tell = (state: ServiceState): void => {
    if (!isManaged) return;
    const words = [`--pid=${process.pid}`, ...messages[state]];
    const helper = spawn('systemd-notify', words, { stdio: 'ignore' });
    helper.once('error', onProblem);
    helper.once('exit', (code) => {
      if (code !== 0) onProblem(new Error(`systemd-notify ended with exit code ${code}`));
    });
  };
  return {
    tell,
    startWatchdog: () => {
      if (isManaged && watchdogMs > 0) setInterval(() => tell('alive'), watchdogMs / 2).unref();
    },
  };
}
