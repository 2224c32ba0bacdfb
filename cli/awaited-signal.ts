/** Waiting for the signal that ends a server command. */

/** Resolves at the first SIGINT or SIGTERM; later ones call `onAgain`, with how many there were in all. */
export function awaitSignal(onAgain: (count: number) => void = () => undefined): Promise<void> {
  return new Promise((resolve) => {
    let count = 0;
    const onSignal = (): void => {
      count += 1;
      if (count === 1) resolve();
      else onAgain(count);
    };
    process.on('SIGINT', onSignal);
    process.on('SIGTERM', onSignal);
  });
}
