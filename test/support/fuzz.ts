/** How long the seeded tests of parsers run: a short while in `make test`, a million inputs in `make fuzz`. */

/** How many inputs a property is tried on; FUZZ_PACKETS in the environment says otherwise. */
export function fuzzInputs(inShortRun: number): number {
  return Number(process.env['FUZZ_PACKETS'] ?? inShortRun);
}

/** The seed of the first input. Each value of FUZZ_SEED in the environment has ten million of its own. */
export function fuzzSeed(): number {
  return (Number(process.env['FUZZ_SEED'] ?? 1) - 1) * 10_000_000 + 1;
}
