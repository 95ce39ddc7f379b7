import { screen, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { describe, expect, it, vi } from 'vitest';
import { open } from '../../../test/app';
import { json, more, serve, stream, vhost } from '../../../test/server';

describe('without streams', () => {
  it('tells a newcomer what to do in three steps', async () => {
    serve({});
    open('/');
    const section = await screen.findByRole('region', { name: 'Your first stream in three steps' });
    expect(within(section).getAllByRole('listitem')).toHaveLength(3);
    expect(await within(section).findByText('rtmp://localhost/live')).toBeVisible();
    expect(within(section).getByText('livestream')).toBeVisible();
    expect(within(section).getByRole('link')).toHaveAttribute('href', '/publish');
  });

  it('copies server and key', async () => {
    const user = userEvent.setup();
    serve({});
    open('/');
    await user.click(await screen.findByRole('button', { name: 'Copy Server' }));
    expect(await navigator.clipboard.readText()).toBe('rtmp://localhost/live');
  });
});

describe('with streams', () => {
  const streams = [
    stream(),
    stream({
      id: 'vid-s2',
      name: 'radio',
      vhost: 'vid-2',
      video: null,
      publish: { active: true, cid: 'pub2' },
      headwater: more(0, 60),
    }),
    stream({ id: 'vid-s3', name: 'tomorrow', publish: { active: false }, headwater: more(1, 0) }),
  ];

  it('says how it stands in one sentence', async () => {
    serve({ streams });
    open('/');
    expect(await screen.findByText('2 streams live, 3 viewers. 4.20 Mb/s in, 12.60 Mb/s out.')).toBeVisible();
  });

  it('shows each with its numbers and the reason of its dot', async () => {
    serve({
      streams,
      vhosts: [vhost('vid-1', '__defaultVhost__'), vhost('vid-2', 'studio.example.com')],
    });
    open('/');
    const [cam, radio, tomorrow] = await screen.findAllByRole('listitem');
    expect(cam).toHaveTextContent('H264 High');
    expect(cam).toHaveTextContent('1280 × 720');
    expect(cam).toHaveTextContent('AAC, 44.1 kHz');
    expect(cam).toHaveTextContent('2.10 Mb/s');
    expect(cam).toHaveTextContent('2 viewers');
    expect(cam).toHaveTextContent('Video and audio are arriving');
    expect(await screen.findByText('1:02:03')).toBeVisible();
    expect(tomorrow).toHaveTextContent('Nobody publishes');
    expect(radio).toHaveTextContent('studio.example.com');
    expect(within(cam as HTMLElement).getByRole('link', { name: 'cam1' })).toHaveAttribute(
      'href',
      '/streams/live/cam1',
    );
  });

  it('finds by words and says when there is nothing to find', async () => {
    const user = userEvent.setup();
    serve({ streams });
    open('/');
    await user.type(await screen.findByRole('searchbox'), 'rad');
    expect(screen.getAllByRole('listitem')).toHaveLength(1);
    await user.type(screen.getByRole('searchbox'), 'zzz');
    expect(screen.getByText('No stream matches “radzzz”.')).toBeVisible();
    await user.click(screen.getByRole('button', { name: 'Show all streams' }));
    expect(screen.getAllByRole('listitem')).toHaveLength(3);
  });

  it('sorts by what the address says', async () => {
    serve({ streams });
    open('/?sort=viewers&desc=true');
    const names = (await screen.findAllByRole('listitem')).map(
      (item) => within(item).getByRole('link').textContent,
    );
    expect(names[0]).toBe('cam1');
    expect(screen.getByRole('combobox', { name: 'Sort by' })).toHaveValue('viewers');
  });
});

describe('when the server fails', () => {
  it('says that it does not answer', async () => {
    vi.stubGlobal('fetch', () => Promise.reject(new TypeError('failed')));
    open('/');
    expect(await screen.findByText('The server does not answer')).toBeVisible();
  });

  it('asks who the reader is, and goes on after signing in', async () => {
    const user = userEvent.setup();
    vi.stubGlobal('fetch', async (request: Request) => {
      if (request.headers.get('Authorization') !== `Basic ${btoa('admin:secret')}`)
        return new Response('', { status: 401 });
      const path = new URL(request.url).pathname;
      if (path.includes('streams')) return json({ code: 0, streams: [stream()] });
      if (path.includes('vhosts')) return json({ code: 0, vhosts: [vhost('vid-1', '__defaultVhost__')] });
      return json({ code: 2049 });
    });
    open('/');
    await user.type(await screen.findByLabelText(/User name/), 'admin');
    await user.type(screen.getByLabelText(/Password/, { selector: 'input' }), 'secret');
    await user.click(screen.getByRole('button', { name: 'Sign in' }));
    expect(await screen.findByRole('link', { name: 'cam1' })).toBeVisible();
  });

  it('knows a proxy page from the API', async () => {
    vi.stubGlobal('fetch', async () => new Response('<html></html>', { status: 200 }));
    open('/');
    expect(await screen.findByText("Something else answered instead of the server's API")).toBeVisible();
  });
});
