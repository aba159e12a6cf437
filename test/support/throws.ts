import { ScpdError, type ErrorCode } from '../../src/errors.ts';

/** The code with which `act` fails, or 'no error'. */
export async function codeOf(act: () => unknown): Promise<ErrorCode | 'no error'> {
  try {
    await act();
    return 'no error';
  } catch (error) {
    if (error instanceof ScpdError) return error.code;
    throw error;
  }
}
