/** The HTTP port for those who watch: `/healthz`, `/readyz`, `/metrics`. It reads nothing but the request line and changes nothing. */
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { Logger } from 'pino';
import { healthConnectionsMax, healthRequestMsMax } from '../limits.ts';

export interface HealthAddress {
  readonly host: string;
  readonly port: number;
}

export interface HealthSources {
  /** What is in the way of serving; nothing, if all is well. */
  readonly problems: () => Promise<readonly string[]>;
  readonly metrics: () => Promise<{ readonly contentType: string; readonly text: string }>;
  readonly log: Logger;
}

export interface HealthServer {
  readonly address: HealthAddress;
  close(): void;
}

/** Listens. Rejects if the address can't be had. */
export async function openHealth(address: HealthAddress, sources: HealthSources): Promise<HealthServer> {
  const server = createServer(
    {
      requestTimeout: healthRequestMsMax,
      headersTimeout: healthRequestMsMax,
      keepAliveTimeout: healthRequestMsMax,
    },
    (request, response) => {
      answer(request.method ?? '', request.url ?? '', { response, sources }).catch((error: unknown) => {
        sources.log.error({ err: error }, 'a question about health could not be answered');
        say(response, 500, 'internal error\n');
      });
    },
  );
  server.maxConnections = healthConnectionsMax;
  server.maxRequestsPerSocket = 1000;
  await listening(server, address);
  const bound = server.address();
  const port = typeof bound === 'object' && bound !== null ? bound.port : address.port;
  return {
    address: { host: address.host, port },
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

async function listening(server: Server, { host, port }: HealthAddress): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) =>
      reject(
        new Error(`cannot listen for health on ${host} port ${port}: ${error.message}`, { cause: error }),
      ),
    );
    server.listen(port, host, resolve);
  });
}

async function answer(
  method: string,
  url: string,
  { response, sources }: { readonly response: ServerResponse; readonly sources: HealthSources },
): Promise<void> {
  if (method !== 'GET' && method !== 'HEAD') return say(response, 405, 'only GET\n');
  switch (url.replace(/\?.*$/su, '')) {
    case '/healthz':
      return say(response, 200, 'alive\n');
    case '/readyz': {
      const problems = await sources.problems();
      if (problems.length === 0) return say(response, 200, 'ready\n');
      return say(response, 503, problems.map((problem) => `${problem}\n`).join(''));
    }
    case '/metrics': {
      const { contentType, text } = await sources.metrics();
      return say(response, 200, text, contentType);
    }
    default:
      return say(response, 404, 'there is /healthz, /readyz and /metrics\n');
  }
}

function say(
  response: ServerResponse,
  status: number,
  text: string,
  contentType = 'text/plain; charset=utf-8',
): void {
  if (response.headersSent) return void response.end();
  response.writeHead(status, { 'content-type': contentType, 'cache-control': 'no-store' });
  response.end(text);
}
