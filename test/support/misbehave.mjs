// Loaded into the processes of a server by a test: SIGUSR2 makes a worker do what SCPD_MISBEHAVE says. The supervisor is
// not a worker: it has no channel to a parent.
const memory = [];

function leak() {
  memory.push(Buffer.alloc(4 * 1024 * 1024, 1));
  setTimeout(leak, 100);
}

const deeds = {
  spin: () => {
    for (;;);
  },
  leak,
  throw: () => {
    throw new Error('on purpose');
  },
};

if (process.connected) {
  process.on('SIGUSR2', () => setImmediate(() => deeds[process.env.SCPD_MISBEHAVE]?.()));
}
