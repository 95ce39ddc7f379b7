/** Fetches the code of a player when it is first wanted. */
import type { Player, Protocol } from './player';

export type { Player, PlayerProblem, PlayerStats, ProblemListener, Protocol } from './player';
export { NOTHING, PROTOCOLS } from './player';

export async function loadPlayer(protocol: Protocol): Promise<Player> {
  if (protocol === 'whep') return (await import('./whep')).createWhepPlayer();
  if (protocol !== 'hls') return (await import('./flv')).createFlvPlayer();
  const hls = await import('./hls');
  if (hls.supported()) return hls.createHlsPlayer();
  return (await import('./nativeHls')).createNativeHlsPlayer();
}
