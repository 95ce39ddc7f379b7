import { useSyncExternalStore } from 'react';
import { broadcast } from '.';
import type { BroadcastState } from './broadcast';
import type { CaptureState } from './capture';

/** How sending goes. */
export function useBroadcast(): BroadcastState {
  return useSyncExternalStore(broadcast.subscribe, broadcast.snapshot);
}

/** What is captured. */
export function useCapture(): CaptureState {
  return useSyncExternalStore(broadcast.capture.subscribe, broadcast.capture.snapshot);
}
