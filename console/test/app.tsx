/** The whole console at an address, for tests of pages. */
import { render } from '@testing-library/react';
import { App } from '../src/app/App';

export function open(address: string) {
  window.history.replaceState(null, '', address);
  return render(<App />);
}
