/** The API that the console uses, over an invented scene. */

const ENVELOPE = { code: 0, server: 'vid-mock000', service: 'mock0000', pid: '1' };

export function createApi({ scene, media, rtmpPort, httpPort }) {
  return (request, response) => {
    const url = new URL(request.url, 'http://mock');
    if (scene.kind === 'down') return request.socket.destroy();
    if (url.pathname === '/api/v1/console') {
      return json(response, {
        version: '0.1.0',
        rtmp_port: rtmpPort,
        http_port: httpPort,
        https_port: null,
        api_port: 1985,
        hls_fragment_s: 2,
      });
    }
    if (scene.kind === 'locked' && request.headers.authorization !== `Basic ${btoa('admin:secret')}`) {
      response.writeHead(401).end();
      return;
    }
    answer(url, request.method, response);
  };

  function answer(url, method, response) {
    const id = url.pathname.match(/^\/api\/v1\/clients\/(.+)$/)?.[1];
    if (id && method === 'DELETE') return kick(id, response);
    if (id) return one(id, response);
    switch (url.pathname) {
      case '/api/v1/vhosts/':
        return json(response, { ...ENVELOPE, vhosts: vhosts() });
      case '/api/v1/streams/':
        return json(response, { ...ENVELOPE, streams: paged(streams(), url) });
      case '/api/v1/rtc/sessions/':
        return json(response, { ...ENVELOPE, sessions: [], failed: [] });
      case '/api/v1/clients/':
        return json(response, { ...ENVELOPE, clients: paged(clients(url.searchParams.get('stream')), url) });
      default:
        return json(response, { ...ENVELOPE, urls: {} });
    }
  }

  function kick(id, response) {
    if (id.startsWith('pub')) return void response.writeHead(401).end();
    for (const entry of scene.entries) {
      if (clientsOf(entry).some((client) => client.id === id)) {
        entry.kicked.add(id);
        return json(response, ENVELOPE);
      }
    }
    json(response, { code: 2049 });
  }

  function one(id, response) {
    const client = clients().find((each) => each.id === id);
    json(response, client ? { ...ENVELOPE, client } : { code: 2049 });
  }

  function vhosts() {
    const names = new Set(scene.entries.map((entry) => entry.vhost));
    return [...names].map((name) => ({
      id: vhostId(name),
      name,
      enabled: true,
      clients: 0,
      streams: 1,
      send_bytes: 0,
      recv_bytes: 0,
      kbps: { recv_30s: 0, send_30s: 0 },
      hls: { enabled: true, fragment: 2 },
    }));
  }

  function streams() {
    return scene.entries.map((entry) => ({
      id: entry.id,
      name: entry.name,
      vhost: vhostId(entry.vhost),
      app: entry.app,
      tcUrl: `rtmp://mock/${entry.app}`,
      url: `/${entry.app}/${entry.name}`,
      live_ms: Date.now(),
      clients: entry.viewers + (entry.publishing ? 1 : 0),
      headwater: {
        uptime_s: entry.publishing ? (Date.now() - entry.began) / 1_000 : 0,
        viewers: entry.viewers,
        jumps: 0,
        cached_bytes: 0,
        publisher_type: 'fmle-publish',
      },
      frames: 0,
      send_bytes: entry.received * entry.viewers,
      recv_bytes: media.received(entry.name) ?? entry.received,
      kbps: { recv_30s: entry.kbps, send_30s: entry.kbps * entry.viewers },
      publish: entry.publishing ? { active: true, cid: entry.cid } : { active: false },
      video: entry.video,
      audio: entry.audio,
    }));
  }

  function clients(stream) {
    return scene.entries.filter((entry) => !stream || entry.id === stream).flatMap(clientsOf);
  }
}

const PLAYER_TYPES = ['flv-play', 'hls-play', 'rtmp-play'];

function clientsOf(entry) {
  const players = Array.from({ length: Math.min(entry.viewers, 150) }, (_, index) =>
    client(
      entry,
      `${entry.id}-${index}`,
      PLAYER_TYPES[index % 3],
      `198.51.100.${(index * 7) % 250}`,
      entry.age / (index + 2),
    ),
  );
  const publisher = client(
    entry,
    entry.cid,
    'fmle-publish',
    '203.0.113.20',
    (Date.now() - entry.began) / 1_000,
  );
  return (entry.publishing ? [publisher, ...players] : players).filter(({ id }) => !entry.kicked.has(id));
}

function client(entry, id, type, ip, alive) {
  const publish = type.endsWith('publish');
  return {
    id,
    vhost: vhostId(entry.vhost),
    stream: entry.id,
    ip,
    pageUrl: '',
    swfUrl: '',
    tcUrl: '',
    url: `/${entry.app}/${entry.name}`,
    name: entry.name,
    type,
    publish,
    alive,
    send_bytes: 0,
    recv_bytes: 0,
    kbps: { recv_30s: publish ? entry.kbps : 0, send_30s: publish ? 0 : entry.kbps },
  };
}

function vhostId(name) {
  return `vid-${Buffer.from(name).toString('hex').slice(0, 7)}`;
}

function paged(items, url) {
  const start = Number(url.searchParams.get('start') ?? 0);
  return items.slice(start, start + Math.max(10, Number(url.searchParams.get('count') ?? 10)));
}

function json(response, body) {
  response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));
}
