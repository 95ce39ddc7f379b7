/** Shapes of the HTTP API. Regenerated from docs/openapi.json by `npm run api`. */
export interface paths {
  '/api/v1/console': { get: { responses: { 200: { content: { 'application/json': components['schemas']['Console'] } } } } };
  '/api/v1/vhosts/': {
    get: {
      responses: { 200: { content: { 'application/json': { code: number; vhosts: components['schemas']['Vhost'][] } } } };
    };
  };
  '/api/v1/streams/': {
    get: {
      parameters: { query?: { start?: number; count?: number } };
      responses: { 200: { content: { 'application/json': { code: number; streams: components['schemas']['Stream'][] } } } };
    };
  };
  '/api/v1/clients/': {
    get: {
      parameters: { query?: { start?: number; count?: number } };
      responses: { 200: { content: { 'application/json': { code: number; clients: components['schemas']['Client'][] } } } };
    };
  };
  '/api/v1/clients/{id}': {
    get: {
      parameters: { path: { id: string } };
      responses: { 200: { content: { 'application/json': { code: number; client: components['schemas']['Client'] } } } };
    };
    delete: {
      parameters: { path: { id: string } };
      responses: { 200: { content: { 'application/json': { code: number } } } };
    };
  };
}

export interface components {
  schemas: {
    Console: {
      version: string;
      rtmp_port: number | null;
      http_port: number | null;
      https_port: number | null;
      api_port: number | null;
      hls_fragment_s: number;
    };
    Kbps: { recv_30s: number; send_30s: number };
    Vhost: { id: string; name: string; enabled: boolean; clients: number; streams: number };
    Video: { codec: string; profile: string; level: string; width: number; height: number };
    Audio: { codec: string; sample_rate: number; channel: number; profile: string };
    Stream: {
      id: string;
      name: string;
      vhost: string;
      app: string;
      tcUrl: string;
      url: string;
      live_ms: number;
      clients: number;
      frames: number;
      send_bytes: number;
      recv_bytes: number;
      kbps: components['schemas']['Kbps'];
      publish: { active: boolean; cid?: string };
      video: components['schemas']['Video'] | null;
      audio: components['schemas']['Audio'] | null;
    };
    Client: {
      id: string;
      vhost: string;
      stream: string;
      ip: string;
      pageUrl: string;
      swfUrl: string;
      tcUrl: string;
      url: string;
      name: string;
      type: string;
      publish: boolean;
      alive: number;
      send_bytes: number;
      recv_bytes: number;
      kbps: components['schemas']['Kbps'];
    };
  };
}
