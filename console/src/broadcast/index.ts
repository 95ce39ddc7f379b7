/** The console's one broadcast. It ends when the console is left; leaving by a slip is asked about. */
import { Broadcast } from './broadcast';

export const broadcast = new Broadcast();

window.addEventListener('pagehide', () => broadcast.release());

window.addEventListener('beforeunload', (event) => {
  if (broadcast.snapshot().phase !== 'off') event.preventDefault();
});
