/** Asking the engine anew as things happen: at once, and then with pauses, so that it has time for its own work. */

const LEAST = 60; // milliseconds of a pause
const MOST = 500;
const SHARE = 3; // a pause is so many times as long as the asking was

/**
 * What to call when something has happened. `ask` is done soon, never twice at a time, and once for all that happened
 * meanwhile; where it fails, what happens next asks again.
 */
export function spaced(ask: () => Promise<void>): () => void {
  let isDue = false;
  let isAsking = false;
  const run = async (): Promise<void> => {
    isAsking = true;
    try {
      while (isDue) {
        isDue = false;
        const began = performance.now();
        await ask();
        const pause = Math.min(MOST, Math.max(LEAST, SHARE * (performance.now() - began)));
        await new Promise((resolve) => setTimeout(resolve, pause));
      }
    } catch {
      // The status says what is wrong.
    } finally {
      isAsking = false;
    }
  };
  return () => {
    isDue = true;
    if (!isAsking) void run();
  };
}
