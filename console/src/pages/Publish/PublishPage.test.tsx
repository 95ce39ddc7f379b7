import { screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { expect, it } from 'vitest';
import { open } from '../../../test/app';
import { serve } from '../../../test/server';

function code(text: string) {
  return screen.findAllByText((_, element) => element?.tagName === 'CODE' && element.textContent === text);
}

it('offers server and key for the address the reader came by', async () => {
  serve({});
  open('/publish');
  expect(await code('rtmp://localhost/live')).toHaveLength(1);
  expect(await code('livestream')).toHaveLength(1);
  expect(screen.getByText(/^Send a test picture/)).toBeVisible();
});

it('follows another address and name, and keeps them in the address', async () => {
  const user = userEvent.setup();
  serve({});
  open('/publish');
  const host = await screen.findByLabelText('Server address');
  await user.clear(host);
  await user.type(host, '203.0.113.5');
  const name = screen.getByLabelText('Stream name');
  await user.clear(name);
  await user.type(name, 'hall');
  expect(await code('rtmp://203.0.113.5/live')).toHaveLength(1);
  expect(await code('rtmp://203.0.113.5/live/hall')).not.toHaveLength(0);
  expect(window.location.search).toBe('?host=203.0.113.5&stream=hall');
});

it('shows a QR code on request', async () => {
  const user = userEvent.setup();
  serve({});
  open('/publish');
  await user.click(await screen.findByRole('button', { name: 'QR code of RTMP address' }));
  expect(await screen.findByRole('img', { name: 'QR code of RTMP address' })).toBeInTheDocument();
});

it('tells why a page over HTTP gets no camera, and two ways out', async () => {
  serve({});
  open('/publish?way=browser');
  expect(await screen.findByText('The browser keeps camera and microphone from this page')).toBeVisible();
  expect(await code('ssh -L 2022:127.0.0.1:2022 localhost')).toHaveLength(1);
  expect(screen.getByRole('button', { name: 'Camera' })).toBeDisabled();
  expect(screen.queryByLabelText('Server address')).toBeNull();
});

it('offers WHIP to programs', async () => {
  serve({});
  open('/publish');
  expect(await code('http://localhost:8080/rtc/v1/whip/?app=live&stream=livestream')).toHaveLength(1);
});
