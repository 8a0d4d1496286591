/** The one thing that a page does for the store: browsers ask nobody else. */

/** Ask the browser not to take the store away when space runs short; whether it has agreed. */
export async function askToPersist(): Promise<boolean> {
  const { navigator } = globalThis as { readonly navigator?: { readonly storage?: Partial<StorageManager> } };
  return (await navigator?.storage?.persist?.()) ?? false;
}
