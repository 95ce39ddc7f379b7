/** Every page of the console with its address. */
import { createRootRoute, createRoute, createRouter } from '@tanstack/react-router';
import { LivePage } from '../pages/Live/LivePage';
import { NotFoundPage } from '../pages/NotFound/NotFoundPage';
import { PublishPage } from '../pages/Publish/PublishPage';
import { StreamPage } from '../pages/Stream/StreamPage';
import { CrashPage } from './CrashPage';
import { Shell } from './Shell';
import { liveSearch, publishSearch, streamSearch } from './search';

const root = createRootRoute({
  component: Shell,
  notFoundComponent: NotFoundPage,
  errorComponent: CrashPage,
});

const live = createRoute({
  getParentRoute: () => root,
  path: '/',
  component: LivePage,
  validateSearch: liveSearch,
});

const stream = createRoute({
  getParentRoute: () => root,
  path: '/streams/$',
  component: StreamPage,
  validateSearch: streamSearch,
});

const publish = createRoute({
  getParentRoute: () => root,
  path: '/publish',
  component: PublishPage,
  validateSearch: publishSearch,
});

const routeTree = root.addChildren([live, stream, publish]);

export function createConsoleRouter() {
  return createRouter({ routeTree, scrollRestoration: true });
}

declare module '@tanstack/react-router' {
  interface Register {
    router: ReturnType<typeof createConsoleRouter>;
  }
}
