/** Shapes of the HTTP API. Generated from docs/openapi.json by `npm run api`: do not edit. */
export interface paths {
    "/": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Where the parts of the API are */
        get: operations["rootIndex"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Versions of the API */
        get: operations["apiIndex"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What version 1 offers */
        get: operations["v1Index"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/authors": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Licence and authors */
        get: operations["authors"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/clients/": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Clients
         * @description Publishers and players, sorted by id. The filters are Headwater's own; several of them must all match.
         */
        get: operations["listClients"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/clients/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** One client */
        get: operations["client"];
        put?: never;
        post?: never;
        /**
         * End a client
         * @description Its connection ends soon after. Needs authentication (`http_api.auth`), or a request that is made on the server
         *     itself, by IP address or `localhost`, by no other web site.
         */
        delete: operations["endClient"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/clusters": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Whether this node publishes a stream */
        get: operations["clusters"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/console": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * What the web console needs
         * @description Ports for the addresses it shows. Without an envelope.
         */
        get: operations["console"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/features": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What this build can do */
        get: operations["features"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/meminfos": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Memory of the machine */
        get: operations["meminfos"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/raw": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The API's own configuration
         * @description `rpc=raw` tells it. `rpc=reload` and `rpc=reload-fetch` answer code 1061: configuration is not reloaded by the
         *     API yet.
         */
        get: operations["raw"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/rusages": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Resources used by the process */
        get: operations["rusages"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/self_proc_stats": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The process as the kernel sees it */
        get: operations["selfProcStats"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/streams/": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Streams
         * @description Sorted by id. The filters are Headwater's own; several of them must all match.
         */
        get: operations["listStreams"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/streams/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** One stream */
        get: operations["stream"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/summaries": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Process and machine at a glance */
        get: operations["summaries"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/system_proc_stats": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Processor time of the machine */
        get: operations["systemProcStats"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/tests/errors": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Always a failure */
        get: operations["testErrors"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/tests/redirects": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Always a redirect */
        get: operations["testRedirects"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/tests/requests": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What the server saw of the request */
        get: operations["testRequests"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/versions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Version of the server
         * @description `version` is the release of SRS whose interfaces are served, because clients compare it.
         */
        get: operations["versions"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/vhosts/": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** All virtual hosts */
        get: operations["listVhosts"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/vhosts/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** One virtual host */
        get: operations["vhost"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/metrics": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Metrics for Prometheus */
        get: operations["metrics"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /**
         * @description A failure; it comes with HTTP status 200, as in SRS. 2014: no such vhost; 2048: no such stream; 2049: no such
         *     client; 400: the client cannot be ended; 1060: unknown `rpc`; 1061: not allowed or not served; 1090: the exporter
         *     is off.
         * @example {
         *       "code": 2048
         *     }
         */
        ApiError: {
            /**
             * Format: int32
             * @description What failed.
             */
            code: number;
        };
        /** @description Versions of the API (`/api/`). */
        ApiIndex: components["schemas"]["Envelope"] & {
            /** @description Paths. */
            urls: components["schemas"]["ApiUrls"];
        };
        /** @description Paths below `/api/`. */
        ApiUrls: {
            /**
             * @description Version 1.
             * @example /api/v1/
             */
            v1: string;
        };
        /** @description Licence and authors. */
        Authors: {
            /** @description Who wrote it. */
            contributors: string;
            /**
             * @description SPDX expression.
             * @example MIT OR Apache-2.0
             */
            license: string;
        };
        /** @description A client: a publisher or a player. */
        Client: {
            /** @description Seconds since it began. */
            alive: components["schemas"]["Decimal"];
            /**
             * @description Its id; on every log line and callback of it.
             * @example a1b2c3d4
             */
            id: string;
            /**
             * @description Peer address.
             * @example 198.51.100.7
             */
            ip: string;
            /** @description Rates. */
            kbps: components["schemas"]["Kbps"];
            /**
             * @description Stream name as the client wrote it (`cam1.flv`).
             * @example cam1
             */
            name: string;
            /** @description Page, as sent. */
            pageUrl: string;
            /** @description Whether it publishes. */
            publish: boolean;
            /**
             * Format: int64
             * @description Bytes received from it.
             */
            recv_bytes: number;
            /**
             * Format: int64
             * @description Bytes sent to it.
             */
            send_bytes: number;
            /**
             * @description Id of its stream.
             * @example vid-77cc88d
             */
            stream: string;
            /** @description Flash player, as sent. */
            swfUrl: string;
            /**
             * @description Connect URL, as sent.
             * @example rtmp://h/live
             */
            tcUrl: string;
            /**
             * @description `rtmp-play`, `fmle-publish`, `flash-publish`, `haivision-publish`, `flv-play`, `hls-play`, …
             * @example fmle-publish
             */
            type: string;
            /**
             * @description Identity of its stream.
             * @example /live/cam1
             */
            url: string;
            /**
             * @description Id of its virtual host.
             * @example vid-11aa22b
             */
            vhost: string;
        };
        /** @description One client. */
        ClientFound: components["schemas"]["Envelope"] & {
            /** @description The client. */
            client: components["schemas"]["Client"];
        };
        /** @description Clients, one page of them. */
        ClientList: components["schemas"]["Envelope"] & {
            /** @description By id. */
            clients: components["schemas"]["Client"][];
            /**
             * Format: int64
             * @description Clients in all pages.
             */
            total: number;
        };
        /** @description A client, or code 2049. */
        ClientReply: components["schemas"]["ClientFound"] | components["schemas"]["ApiError"];
        /** @description The question and its answer. */
        ClusterData: {
            origin: components["schemas"]["ClusterOrigin"] | null;
            /** @description The question. */
            query: components["schemas"]["ClusterQuery"];
        };
        /** @description A node that publishes the stream. */
        ClusterOrigin: {
            /**
             * @description `host:port` of its API.
             * @example 198.51.100.5:1985
             */
            api: string;
            /**
             * @description Address for RTMP.
             * @example 198.51.100.5
             */
            ip: string;
            /**
             * Format: int32
             * @description RTMP port.
             * @example 1935
             */
            port: number;
            /** @description The same. */
            routers: string[];
            /**
             * @description Name of the publisher's virtual host.
             * @example __defaultVhost__
             */
            vhost: string;
        };
        /** @description The question, as understood. */
        ClusterQuery: {
            /** @description App. */
            app: string;
            /** @description Address of the client. */
            ip: string;
            /** @description Stream name. */
            stream: string;
            /** @description Virtual host. */
            vhost: string;
        };
        /** @description Whether this node publishes a stream, for the other nodes of an origin cluster. */
        Clusters: {
            /**
             * Format: int32
             * @description 0: success.
             */
            code: number;
            /** @description The answer. */
            data: components["schemas"]["ClusterData"];
        };
        /** @description What the web console needs to know of the server it is served by. Headwater's own; no envelope. */
        Console: {
            /**
             * Format: int32
             * @description Port of the API, if it has one of its own.
             * @example 1985
             */
            api_port: number | null;
            /**
             * Format: double
             * @description HLS segment length in seconds of the default virtual host.
             * @example 2
             */
            hls_fragment_s: number;
            /**
             * Format: int32
             * @description Port of HTTP streams, if there is one.
             * @example 8080
             */
            http_port: number | null;
            /**
             * Format: int32
             * @description Port of HTTPS streams, if there is one.
             * @example 8088
             */
            https_port: number | null;
            /**
             * Format: int32
             * @description RTMP port.
             * @example 1935
             */
            rtmp_port: number;
            /**
             * @description Headwater's version.
             * @example 0.1.0
             */
            version: string;
        };
        /** @description An envelope around `data`. */
        Data_Authors: {
            /**
             * Format: int32
             * @description 0: success.
             * @example 0
             */
            code: number;
            /** @description Licence and authors. */
            data: {
                /** @description Who wrote it. */
                contributors: string;
                /**
                 * @description SPDX expression.
                 * @example MIT OR Apache-2.0
                 */
                license: string;
            };
            /**
             * @description Process id, as text.
             * @example 812
             */
            pid: string;
            /**
             * @description Server id.
             * @example vid-0a1b2c3
             */
            server: string;
            /**
             * @description Service id.
             * @example k3j9d0q2
             */
            service: string;
        };
        /** @description An envelope around `data`. */
        Data_Features: {
            /**
             * Format: int32
             * @description 0: success.
             * @example 0
             */
            code: number;
            /** @description What this build can do. */
            data: {
                /**
                 * @description Date of the binary, `YYYY-MM-DD HH:MM:SS` UTC.
                 * @example 2026-01-31 12:00:00
                 */
                build: string;
                /**
                 * @description The same in Unix seconds, as text.
                 * @example 1769860800
                 */
                build2: string;
                /** @description What is served. */
                features: components["schemas"]["FeatureFlags"];
                /** @description How it was built. */
                options: string;
                /** @description The same. */
                options2: string;
            };
            /**
             * @description Process id, as text.
             * @example 812
             */
            pid: string;
            /**
             * @description Server id.
             * @example vid-0a1b2c3
             */
            server: string;
            /**
             * @description Service id.
             * @example k3j9d0q2
             */
            service: string;
        };
        /** @description An envelope around `data`. */
        Data_Meminfos: {
            /**
             * Format: int32
             * @description 0: success.
             * @example 0
             */
            code: number;
            /** @description Memory of the machine, in KiB. */
            data: {
                /** Format: int64 */
                Buffers: number;
                /** Format: int64 */
                Cached: number;
                /**
                 * Format: int64
                 * @description `MemTotal` less `MemFree`.
                 */
                MemActive: number;
                /** Format: int64 */
                MemFree: number;
                /** Format: int64 */
                MemTotal: number;
                /**
                 * Format: int64
                 * @description `MemTotal` less `RealInUse`.
                 */
                NotInUse: number;
                /**
                 * Format: int64
                 * @description `MemActive` less `Buffers` and `Cached`.
                 */
                RealInUse: number;
                /** Format: int64 */
                SwapFree: number;
                /** Format: int64 */
                SwapTotal: number;
                /** @description Whether it was sampled. */
                ok: boolean;
                /** @description `RealInUse` of `MemTotal`, 0 to 1. */
                percent_ram: components["schemas"]["Decimal"];
                /** @description Swap in use, 0 to 1. */
                percent_swap: components["schemas"]["Decimal"];
                /**
                 * Format: int64
                 * @description When, milliseconds since 1970.
                 */
                sample_time: number;
            };
            /**
             * @description Process id, as text.
             * @example 812
             */
            pid: string;
            /**
             * @description Server id.
             * @example vid-0a1b2c3
             */
            server: string;
            /**
             * @description Service id.
             * @example k3j9d0q2
             */
            service: string;
        };
        /** @description An envelope around `data`. */
        Data_Rusages: {
            /**
             * Format: int32
             * @description 0: success.
             * @example 0
             */
            code: number;
            /** @description Resources used by the process, as getrusage(2) tells. */
            data: {
                /** @description Whether it was sampled. */
                ok: boolean;
                /** Format: int64 */
                ru_idrss: number;
                /** Format: int64 */
                ru_inblock: number;
                /** Format: int64 */
                ru_isrss: number;
                /** Format: int64 */
                ru_ixrss: number;
                /** Format: int64 */
                ru_majflt: number;
                /**
                 * Format: int64
                 * @description Peak resident memory in KiB.
                 */
                ru_maxrss: number;
                /** Format: int64 */
                ru_minflt: number;
                /** Format: int64 */
                ru_msgrcv: number;
                /** Format: int64 */
                ru_msgsnd: number;
                /** Format: int64 */
                ru_nivcsw: number;
                /** Format: int64 */
                ru_nsignals: number;
                /** Format: int64 */
                ru_nswap: number;
                /** Format: int64 */
                ru_nvcsw: number;
                /** Format: int64 */
                ru_oublock: number;
                /**
                 * Format: int64
                 * @description Whole seconds.
                 */
                ru_stime: number;
                /**
                 * Format: int64
                 * @description Whole seconds.
                 */
                ru_utime: number;
                /**
                 * Format: int64
                 * @description When, milliseconds since 1970.
                 */
                sample_time: number;
            };
            /**
             * @description Process id, as text.
             * @example 812
             */
            pid: string;
            /**
             * @description Server id.
             * @example vid-0a1b2c3
             */
            server: string;
            /**
             * @description Service id.
             * @example k3j9d0q2
             */
            service: string;
        };
        /** @description An envelope around `data`. */
        Data_SelfProcStats: {
            /**
             * Format: int32
             * @description 0: success.
             * @example 0
             */
            code: number;
            /** @description `/proc/self/stat`, as proc(5) tells. */
            data: {
                /** Format: int64 */
                blocked: number;
                /** Format: int64 */
                cguest_time: number;
                /** Format: int64 */
                cmajflt: number;
                /** Format: int64 */
                cminflt: number;
                /** Format: int64 */
                cnswap: number;
                /**
                 * @description Program name in parentheses.
                 * @example (headwater)
                 */
                comm: string;
                /** Format: int64 */
                cstime: number;
                /** Format: int64 */
                cutime: number;
                /** Format: int64 */
                delayacct_blkio_ticks: number;
                /** Format: int64 */
                endcode: number;
                /** Format: int64 */
                exit_signal: number;
                /** Format: int64 */
                flags: number;
                /** Format: int64 */
                guest_time: number;
                /** Format: int64 */
                itrealvalue: number;
                /** Format: int64 */
                kstkeip: number;
                /** Format: int64 */
                kstkesp: number;
                /** Format: int64 */
                majflt: number;
                /** Format: int64 */
                minflt: number;
                /** Format: int64 */
                nice: number;
                /** Format: int64 */
                nswap: number;
                /** Format: int64 */
                num_threads: number;
                /** @description Whether it was sampled. */
                ok: boolean;
                /** @description Processor use; 1.00 is one core. */
                percent: components["schemas"]["Decimal"];
                /** Format: int64 */
                pgrp: number;
                /** Format: int64 */
                pid: number;
                /** Format: int64 */
                policy: number;
                /** Format: int64 */
                ppid: number;
                /** Format: int64 */
                priority: number;
                /** Format: int64 */
                processor: number;
                /** Format: int64 */
                rss: number;
                /** Format: int64 */
                rsslim: number;
                /** Format: int64 */
                rt_priority: number;
                /**
                 * Format: int64
                 * @description When, milliseconds since 1970.
                 */
                sample_time: number;
                /** Format: int64 */
                session: number;
                /** Format: int64 */
                sigcatch: number;
                /** Format: int64 */
                sigignore: number;
                /** Format: int64 */
                signal: number;
                /** Format: int64 */
                startcode: number;
                /** Format: int64 */
                startstack: number;
                /** Format: int64 */
                starttime: number;
                /**
                 * @description One letter.
                 * @example S
                 */
                state: string;
                /** Format: int64 */
                stime: number;
                /** Format: int64 */
                tpgid: number;
                /** Format: int64 */
                tty_nr: number;
                /** Format: int64 */
                utime: number;
                /** Format: int64 */
                vsize: number;
                /** Format: int64 */
                wchan: number;
            };
            /**
             * @description Process id, as text.
             * @example 812
             */
            pid: string;
            /**
             * @description Server id.
             * @example vid-0a1b2c3
             */
            server: string;
            /**
             * @description Service id.
             * @example k3j9d0q2
             */
            service: string;
        };
        /** @description An envelope around `data`. */
        Data_Summaries: {
            /**
             * Format: int32
             * @description 0: success.
             * @example 0
             */
            code: number;
            /** @description The process and the machine at a glance. */
            data: {
                /**
                 * Format: int64
                 * @description Now, in milliseconds since 1970.
                 * @example 1700000000123
                 */
                now_ms: number;
                /** @description Whether the samplers have run; the numbers are zero before. */
                ok: boolean;
                /** @description The server process. */
                self: components["schemas"]["SelfSummary"];
                /** @description The machine. */
                system: components["schemas"]["SystemSummary"];
            };
            /**
             * @description Process id, as text.
             * @example 812
             */
            pid: string;
            /**
             * @description Server id.
             * @example vid-0a1b2c3
             */
            server: string;
            /**
             * @description Service id.
             * @example k3j9d0q2
             */
            service: string;
        };
        /** @description An envelope around `data`. */
        Data_SystemProcStats: {
            /**
             * Format: int32
             * @description 0: success.
             * @example 0
             */
            code: number;
            /** @description Processor time of the machine from `/proc/stat`, in clock ticks. */
            data: {
                /** Format: int64 */
                guest: number;
                /** Format: int64 */
                idle: number;
                /** Format: int64 */
                iowait: number;
                /** Format: int64 */
                irq: number;
                /** Format: int64 */
                nice: number;
                /** @description Whether it was sampled. */
                ok: boolean;
                /** @description Processor use, 0 to 1. */
                percent: components["schemas"]["Decimal"];
                /**
                 * Format: int64
                 * @description When, milliseconds since 1970.
                 */
                sample_time: number;
                /** Format: int64 */
                softirq: number;
                /** Format: int64 */
                steal: number;
                /** Format: int64 */
                sys: number;
                /** Format: int64 */
                user: number;
            };
            /**
             * @description Process id, as text.
             * @example 812
             */
            pid: string;
            /**
             * @description Server id.
             * @example vid-0a1b2c3
             */
            server: string;
            /**
             * @description Service id.
             * @example k3j9d0q2
             */
            service: string;
        };
        /** @description An envelope around `data`. */
        Data_TestRequest: {
            /**
             * Format: int32
             * @description 0: success.
             * @example 0
             */
            code: number;
            /** @description What the server saw of a request. */
            data: {
                /**
                 * @description Method.
                 * @example GET
                 */
                METHOD: string;
                /** @description Facts on the server; not the request's headers. */
                headers: components["schemas"]["TestHeaders"];
                /**
                 * @description Path.
                 * @example /api/v1/tests/requests
                 */
                path: string;
                /**
                 * @description Scheme, host and path.
                 * @example http://127.0.0.1/api/v1/tests/requests
                 */
                uri: string;
            };
            /**
             * @description Process id, as text.
             * @example 812
             */
            pid: string;
            /**
             * @description Server id.
             * @example vid-0a1b2c3
             */
            server: string;
            /**
             * @description Service id.
             * @example k3j9d0q2
             */
            service: string;
        };
        /** @description An envelope around `data`. */
        Data_Versions: {
            /**
             * Format: int32
             * @description 0: success.
             * @example 0
             */
            code: number;
            /** @description Which release this is. */
            data: {
                /**
                 * @description Headwater's own version. Not in SRS.
                 * @example 0.1.0
                 */
                headwater: string;
                /**
                 * Format: int32
                 * @description The release of SRS whose interfaces are served: first number.
                 * @example 7
                 */
                major: number;
                /**
                 * Format: int32
                 * @description Second number.
                 * @example 0
                 */
                minor: number;
                /**
                 * Format: int32
                 * @description Third number.
                 * @example 143
                 */
                revision: number;
                /**
                 * @description The three together.
                 * @example 7.0.143
                 */
                version: string;
            };
            /**
             * @description Process id, as text.
             * @example 812
             */
            pid: string;
            /**
             * @description Server id.
             * @example vid-0a1b2c3
             */
            server: string;
            /**
             * @description Service id.
             * @example k3j9d0q2
             */
            service: string;
        };
        /**
         * Format: double
         * @description A number written with exactly two decimals (`12.30`).
         * @example 12.34
         */
        Decimal: number;
        /** @description Who answers. Every success begins with it. */
        Envelope: {
            /**
             * Format: int32
             * @description 0: success.
             * @example 0
             */
            code: number;
            /**
             * @description Process id, as text.
             * @example 812
             */
            pid: string;
            /**
             * @description Server id; kept over restarts.
             * @example vid-0a1b2c3
             */
            server: string;
            /**
             * @description Service id; new with every start.
             * @example k3j9d0q2
             */
            service: string;
        };
        /** @description What is served, by SRS's names. */
        FeatureFlags: {
            /** @description This API. */
            api: boolean;
            /** @description HTTP callbacks. */
            callback: boolean;
            /** @description Stream casters. */
            caster: boolean;
            /** @description Many messages in one system call. */
            complex_send: boolean;
            /** @description Recording. */
            dvr: boolean;
            /** @description HDS. */
            hds: boolean;
            /** @description HLS. */
            hls: boolean;
            /** @description The HTTP server for streams and files. */
            httpd: boolean;
            /** @description Ingest by FFmpeg. */
            ingest: boolean;
            /** @description Merged reads can be set. */
            mr: boolean;
            /** @description The socket send buffer can be set. */
            so_sendbuf: boolean;
            /** @description TLS: RTMPS and HTTPS. */
            ssl: boolean;
            /** @description Statistics. */
            stat: boolean;
            /** @description TCP_NODELAY can be set. */
            tcp_nodelay: boolean;
            /** @description Transcoding by FFmpeg. */
            transcode: boolean;
        };
        /** @description What this build can do. */
        Features: {
            /**
             * @description Date of the binary, `YYYY-MM-DD HH:MM:SS` UTC.
             * @example 2026-01-31 12:00:00
             */
            build: string;
            /**
             * @description The same in Unix seconds, as text.
             * @example 1769860800
             */
            build2: string;
            /** @description What is served. */
            features: components["schemas"]["FeatureFlags"];
            /** @description How it was built. */
            options: string;
            /** @description The same. */
            options2: string;
        };
        /** @description Average rate over the last 30 seconds (less for what is younger), in kbit/s; sampled every 3 seconds. */
        Kbps: {
            /**
             * Format: int64
             * @description Received.
             */
            recv_30s: number;
            /**
             * Format: int64
             * @description Sent.
             */
            send_30s: number;
        };
        /** @description The client was asked to leave, or code 2049. */
        KickReply: components["schemas"]["Envelope"] | components["schemas"]["ApiError"];
        /** @description Memory of the machine, in KiB. */
        Meminfos: {
            /** Format: int64 */
            Buffers: number;
            /** Format: int64 */
            Cached: number;
            /**
             * Format: int64
             * @description `MemTotal` less `MemFree`.
             */
            MemActive: number;
            /** Format: int64 */
            MemFree: number;
            /** Format: int64 */
            MemTotal: number;
            /**
             * Format: int64
             * @description `MemTotal` less `RealInUse`.
             */
            NotInUse: number;
            /**
             * Format: int64
             * @description `MemActive` less `Buffers` and `Cached`.
             */
            RealInUse: number;
            /** Format: int64 */
            SwapFree: number;
            /** Format: int64 */
            SwapTotal: number;
            /** @description Whether it was sampled. */
            ok: boolean;
            /** @description `RealInUse` of `MemTotal`, 0 to 1. */
            percent_ram: components["schemas"]["Decimal"];
            /** @description Swap in use, 0 to 1. */
            percent_swap: components["schemas"]["Decimal"];
            /**
             * Format: int64
             * @description When, milliseconds since 1970.
             */
            sample_time: number;
        };
        /** @description The section `raw_api`. */
        RawApi: {
            /** @description Always off. */
            allow_query: boolean;
            /** @description Whether it may reload. */
            allow_reload: boolean;
            /** @description Always off. */
            allow_update: boolean;
            /** @description Whether `rpc=reload` is enabled. */
            enabled: boolean;
        };
        /** @description The API's own configuration (`rpc=raw`). */
        RawConfig: {
            /**
             * Format: int32
             * @description 0: success.
             */
            code: number;
            /** @description The section `http_api`. */
            http_api: components["schemas"]["RawHttpApi"];
        };
        /** @description The section `http_api`. */
        RawHttpApi: {
            /** @description As configured. */
            crossdomain: boolean;
            /** @description Whether the API has a port of its own. */
            enabled: boolean;
            /**
             * @description As configured.
             * @example 1985
             */
            listen: string;
            /** @description The section `raw_api`. */
            raw_api: components["schemas"]["RawApi"];
        };
        /** @description The configuration, or code 1060 or 1061. */
        RawReply: components["schemas"]["RawConfig"] | components["schemas"]["ApiError"];
        /** @description A request that was refused, with HTTP status 401 or 403. Headwater's own: SRS would have obeyed. */
        Refused: {
            /**
             * Format: int32
             * @description The HTTP status again.
             * @example 401
             */
            code: number;
            /** @description What was refused, why, and what to change. */
            error: string;
        };
        /** @description Where the parts of the API are (`/`). */
        RootIndex: components["schemas"]["Envelope"] & {
            /** @description Paths. */
            urls: components["schemas"]["RootUrls"];
        };
        /** @description Paths below `/`. */
        RootUrls: {
            /**
             * @description The HTTP API.
             * @example /api/
             */
            api: string;
            /** @description WebRTC signalling. */
            rtc: components["schemas"]["RtcUrls"];
        };
        /** @description WebRTC signalling by version. */
        RtcUrls: {
            /** @description Version 1. */
            v1: components["schemas"]["RtcV1Urls"];
        };
        /** @description WebRTC signalling, version 1. */
        RtcV1Urls: {
            /** @description Simulated loss. */
            nack: string;
            /** @description Play. */
            play: string;
            /** @description Publish. */
            publish: string;
        };
        /** @description Resources used by the process, as getrusage(2) tells. */
        Rusages: {
            /** @description Whether it was sampled. */
            ok: boolean;
            /** Format: int64 */
            ru_idrss: number;
            /** Format: int64 */
            ru_inblock: number;
            /** Format: int64 */
            ru_isrss: number;
            /** Format: int64 */
            ru_ixrss: number;
            /** Format: int64 */
            ru_majflt: number;
            /**
             * Format: int64
             * @description Peak resident memory in KiB.
             */
            ru_maxrss: number;
            /** Format: int64 */
            ru_minflt: number;
            /** Format: int64 */
            ru_msgrcv: number;
            /** Format: int64 */
            ru_msgsnd: number;
            /** Format: int64 */
            ru_nivcsw: number;
            /** Format: int64 */
            ru_nsignals: number;
            /** Format: int64 */
            ru_nswap: number;
            /** Format: int64 */
            ru_nvcsw: number;
            /** Format: int64 */
            ru_oublock: number;
            /**
             * Format: int64
             * @description Whole seconds.
             */
            ru_stime: number;
            /**
             * Format: int64
             * @description Whole seconds.
             */
            ru_utime: number;
            /**
             * Format: int64
             * @description When, milliseconds since 1970.
             */
            sample_time: number;
        };
        /** @description `/proc/self/stat`, as proc(5) tells. */
        SelfProcStats: {
            /** Format: int64 */
            blocked: number;
            /** Format: int64 */
            cguest_time: number;
            /** Format: int64 */
            cmajflt: number;
            /** Format: int64 */
            cminflt: number;
            /** Format: int64 */
            cnswap: number;
            /**
             * @description Program name in parentheses.
             * @example (headwater)
             */
            comm: string;
            /** Format: int64 */
            cstime: number;
            /** Format: int64 */
            cutime: number;
            /** Format: int64 */
            delayacct_blkio_ticks: number;
            /** Format: int64 */
            endcode: number;
            /** Format: int64 */
            exit_signal: number;
            /** Format: int64 */
            flags: number;
            /** Format: int64 */
            guest_time: number;
            /** Format: int64 */
            itrealvalue: number;
            /** Format: int64 */
            kstkeip: number;
            /** Format: int64 */
            kstkesp: number;
            /** Format: int64 */
            majflt: number;
            /** Format: int64 */
            minflt: number;
            /** Format: int64 */
            nice: number;
            /** Format: int64 */
            nswap: number;
            /** Format: int64 */
            num_threads: number;
            /** @description Whether it was sampled. */
            ok: boolean;
            /** @description Processor use; 1.00 is one core. */
            percent: components["schemas"]["Decimal"];
            /** Format: int64 */
            pgrp: number;
            /** Format: int64 */
            pid: number;
            /** Format: int64 */
            policy: number;
            /** Format: int64 */
            ppid: number;
            /** Format: int64 */
            priority: number;
            /** Format: int64 */
            processor: number;
            /** Format: int64 */
            rss: number;
            /** Format: int64 */
            rsslim: number;
            /** Format: int64 */
            rt_priority: number;
            /**
             * Format: int64
             * @description When, milliseconds since 1970.
             */
            sample_time: number;
            /** Format: int64 */
            session: number;
            /** Format: int64 */
            sigcatch: number;
            /** Format: int64 */
            sigignore: number;
            /** Format: int64 */
            signal: number;
            /** Format: int64 */
            startcode: number;
            /** Format: int64 */
            startstack: number;
            /** Format: int64 */
            starttime: number;
            /**
             * @description One letter.
             * @example S
             */
            state: string;
            /** Format: int64 */
            stime: number;
            /** Format: int64 */
            tpgid: number;
            /** Format: int64 */
            tty_nr: number;
            /** Format: int64 */
            utime: number;
            /** Format: int64 */
            vsize: number;
            /** Format: int64 */
            wchan: number;
        };
        /** @description The server process at a glance. */
        SelfSummary: {
            /** @description Command line. */
            argv: string;
            /** @description Processor use; 1.00 is one core. */
            cpu_percent: components["schemas"]["Decimal"];
            /** @description Working directory. */
            cwd: string;
            /**
             * Format: int64
             * @description Peak resident memory in KiB.
             */
            mem_kbyte: number;
            /** @description Resident memory as a fraction of the machine's. */
            mem_percent: components["schemas"]["Decimal"];
            /**
             * Format: int32
             * @description Process id.
             */
            pid: number;
            /**
             * Format: int64
             * @description Parent process id.
             */
            ppid: number;
            /**
             * Format: int64
             * @description Seconds since start.
             */
            srs_uptime: number;
            /**
             * @description As in `versions`.
             * @example 7.0.143
             */
            version: string;
        };
        /** @description A stream; there is an entry while it has a publisher or a player. */
        Stream: {
            /**
             * @description App.
             * @example live
             */
            app: string;
            audio: components["schemas"]["StreamAudio"] | null;
            /**
             * Format: int64
             * @description Audio frames of them.
             */
            audio_frames: number;
            /**
             * Format: int64
             * @description Clients now, the publisher included.
             */
            clients: number;
            /**
             * Format: int64
             * @description Audio and video frames received since the stream began.
             */
            frames: number;
            /** @description What SRS does not tell. */
            headwater: components["schemas"]["StreamMore"];
            /**
             * @description Its id; new when the entry is.
             * @example vid-77cc88d
             */
            id: string;
            /** @description Rates. */
            kbps: components["schemas"]["Kbps"];
            /**
             * Format: int64
             * @description The present time in milliseconds since 1970, not a start: SRS's clients expect it. See `headwater.uptime_s`.
             */
            live_ms: number;
            /**
             * @description Stream name.
             * @example cam1
             */
            name: string;
            /** @description Its publisher. */
            publish: components["schemas"]["StreamPublish"];
            /**
             * Format: int64
             * @description Bytes received from clients since the entry appeared.
             */
            recv_bytes: number;
            /**
             * Format: int64
             * @description Bytes sent to clients since the entry appeared.
             */
            send_bytes: number;
            /**
             * @description Connect URL of the first client.
             * @example rtmp://h/live
             */
            tcUrl: string;
            /**
             * @description Its identity: `[vhost]/app/stream`.
             * @example /live/cam1
             */
            url: string;
            /**
             * @description Id of its virtual host.
             * @example vid-11aa22b
             */
            vhost: string;
            video: components["schemas"]["StreamVideo"] | null;
            /**
             * Format: int64
             * @description Video frames of them.
             */
            video_frames: number;
        };
        /** @description Audio of a stream. */
        StreamAudio: {
            /**
             * Format: int32
             * @description Channels, as the codec's own configuration says.
             * @example 2
             */
            channel: number;
            /**
             * @description `AAC`, `MP3`, `Opus`, `G.711 A-law`, `G.711 mu-law` or `Other`.
             * @example AAC
             */
            codec: string;
            /**
             * @description `LC`, `HE`, …; `Other` when unknown.
             * @example LC
             */
            profile: string;
            /**
             * Format: int32
             * @description Hz, as the codec's own configuration says (SRS rounds to FLV's table).
             * @example 48000
             */
            sample_rate: number;
        };
        /** @description One stream. */
        StreamFound: components["schemas"]["Envelope"] & {
            /** @description The stream. */
            stream: components["schemas"]["Stream"];
        };
        /** @description Streams, one page of them. */
        StreamList: components["schemas"]["Envelope"] & {
            /** @description By id. */
            streams: components["schemas"]["Stream"][];
            /**
             * Format: int64
             * @description Streams in all pages.
             */
            total: number;
        };
        /** @description What SRS does not tell of a stream. */
        StreamMore: {
            /**
             * Format: int64
             * @description Media bytes kept for newcomers.
             */
            cached_bytes: number;
            /**
             * Format: int64
             * @description Times that a player was too slow and was moved to the newest key frame.
             */
            jumps: number;
            /**
             * @description Client type of the publisher (`fmle-publish`, …); empty without one.
             * @example fmle-publish
             */
            publisher_type: string;
            /** @description Seconds that the present publisher has been live; 0.00 without one. */
            uptime_s: components["schemas"]["Decimal"];
            /**
             * Format: int64
             * @description Clients that watch.
             */
            viewers: number;
        };
        /** @description The publisher of a stream. */
        StreamPublish: {
            /** @description Whether somebody publishes now. */
            active: boolean;
            /**
             * @description Client id of the latest publisher; stays when it has left.
             * @example a1b2c3d4
             */
            cid?: string;
        };
        /** @description A stream, or code 2048. */
        StreamReply: components["schemas"]["StreamFound"] | components["schemas"]["ApiError"];
        /** @description Video of a stream. */
        StreamVideo: {
            /**
             * @description `H264`, `HEVC`, `AV1`, `VP9`, `VP8` or `Other`.
             * @example H264
             */
            codec: string;
            /**
             * Format: int32
             * @description Pixels; 0 when unknown.
             * @example 720
             */
            height: number;
            /**
             * @description `3.1`, …; `Other` when unknown.
             * @example 3.1
             */
            level: string;
            /**
             * @description `High`, `Main`, …; `Other` when unknown.
             * @example High
             */
            profile: string;
            /**
             * Format: int32
             * @description Pixels; 0 when unknown.
             * @example 1280
             */
            width: number;
        };
        /** @description The process and the machine at a glance. */
        Summaries: {
            /**
             * Format: int64
             * @description Now, in milliseconds since 1970.
             * @example 1700000000123
             */
            now_ms: number;
            /** @description Whether the samplers have run; the numbers are zero before. */
            ok: boolean;
            /** @description The server process. */
            self: components["schemas"]["SelfSummary"];
            /** @description The machine. */
            system: components["schemas"]["SystemSummary"];
        };
        /** @description Processor time of the machine from `/proc/stat`, in clock ticks. */
        SystemProcStats: {
            /** Format: int64 */
            guest: number;
            /** Format: int64 */
            idle: number;
            /** Format: int64 */
            iowait: number;
            /** Format: int64 */
            irq: number;
            /** Format: int64 */
            nice: number;
            /** @description Whether it was sampled. */
            ok: boolean;
            /** @description Processor use, 0 to 1. */
            percent: components["schemas"]["Decimal"];
            /**
             * Format: int64
             * @description When, milliseconds since 1970.
             */
            sample_time: number;
            /** Format: int64 */
            softirq: number;
            /** Format: int64 */
            steal: number;
            /** Format: int64 */
            sys: number;
            /** Format: int64 */
            user: number;
        };
        /** @description The machine at a glance. */
        SystemSummary: {
            /**
             * Format: int64
             * @description Clients of this server.
             */
            conn_srs: number;
            /**
             * Format: int64
             * @description TCP sockets of the machine.
             */
            conn_sys: number;
            /**
             * Format: int64
             * @description Of them established.
             */
            conn_sys_et: number;
            /**
             * Format: int64
             * @description In TIME_WAIT.
             */
            conn_sys_tw: number;
            /**
             * Format: int64
             * @description UDP sockets of the machine.
             */
            conn_sys_udp: number;
            /** @description Processor use, 0 to 1. */
            cpu_percent: components["schemas"]["Decimal"];
            /**
             * Format: int64
             * @description Processors configured.
             */
            cpus: number;
            /**
             * Format: int64
             * @description Processors online.
             */
            cpus_online: number;
            /** @description How busy the disks of `stats.disk` are, 0 to 1. */
            disk_busy_percent: components["schemas"]["Decimal"];
            /**
             * Format: int64
             * @description Read from disks, KiB/s.
             */
            disk_read_KBps: number;
            /**
             * Format: int64
             * @description Written to disks, KiB/s.
             */
            disk_write_KBps: number;
            /** @description Idle seconds since boot, summed over the processors (SRS's spelling). */
            ilde_time: components["schemas"]["Decimal"];
            /** @description Over fifteen minutes. */
            load_15m: components["schemas"]["Decimal"];
            /** @description Load average over one minute. */
            load_1m: components["schemas"]["Decimal"];
            /** @description Over five minutes. */
            load_5m: components["schemas"]["Decimal"];
            /**
             * Format: int64
             * @description Memory in KiB.
             */
            mem_ram_kbyte: number;
            /** @description Memory in use, 0 to 1. */
            mem_ram_percent: components["schemas"]["Decimal"];
            /**
             * Format: int64
             * @description Swap in KiB.
             */
            mem_swap_kbyte: number;
            /** @description Swap in use, 0 to 1. */
            mem_swap_percent: components["schemas"]["Decimal"];
            /**
             * Format: int64
             * @description Bytes received on interfaces with a public address.
             */
            net_recv_bytes: number;
            /**
             * Format: int64
             * @description Bytes received on the other interfaces; loopback is left out.
             */
            net_recvi_bytes: number;
            /**
             * Format: int64
             * @description When the network was sampled, milliseconds since 1970.
             */
            net_sample_time: number;
            /**
             * Format: int64
             * @description Bytes sent on them.
             */
            net_send_bytes: number;
            /**
             * Format: int64
             * @description Bytes sent on them.
             */
            net_sendi_bytes: number;
            /**
             * Format: int64
             * @description Bytes received from clients since start.
             */
            srs_recv_bytes: number;
            /**
             * Format: int64
             * @description When this server's own traffic was sampled, milliseconds since 1970.
             */
            srs_sample_time: number;
            /**
             * Format: int64
             * @description Bytes sent to clients since start.
             */
            srs_send_bytes: number;
            /** @description Seconds since boot. */
            uptime: components["schemas"]["Decimal"];
        };
        /** @description Facts on the server. */
        TestHeaders: {
            /** @description Home page. */
            link: string;
            /** @description Name of the server (SRS's spelling of the field). */
            sigature: string;
            /**
             * Format: int64
             * @description Microseconds since 1970.
             */
            time: number;
            /** @description As in `versions`. */
            version: string;
        };
        /** @description What the server saw of a request. */
        TestRequest: {
            /**
             * @description Method.
             * @example GET
             */
            METHOD: string;
            /** @description Facts on the server; not the request's headers. */
            headers: components["schemas"]["TestHeaders"];
            /**
             * @description Path.
             * @example /api/v1/tests/requests
             */
            path: string;
            /**
             * @description Scheme, host and path.
             * @example http://127.0.0.1/api/v1/tests/requests
             */
            uri: string;
        };
        /** @description What version 1 of the API offers (`/api/v1/`); each value says what the endpoint tells. */
        V1Index: components["schemas"]["Envelope"] & {
            /** @description Endpoints for testing clients. */
            tests: components["schemas"]["V1Tests"];
            /** @description Endpoints. */
            urls: components["schemas"]["V1Urls"];
        };
        /** @description Endpoints below `/api/v1/tests/`. */
        V1Tests: {
            "[vhost]": string;
            errors: string;
            redirects: string;
            requests: string;
        };
        /** @description Endpoints below `/api/v1/`. */
        V1Urls: {
            authors: string;
            clients: string;
            clusters: string;
            /** @description Headwater's own. */
            console: string;
            features: string;
            meminfos: string;
            perf: string;
            raw: string;
            requests: string;
            rusages: string;
            self_proc_stats: string;
            streams: string;
            summaries: string;
            system_proc_stats: string;
            tcmalloc: string;
            versions: string;
            vhosts: string;
        };
        /** @description Which release this is. */
        Versions: {
            /**
             * @description Headwater's own version. Not in SRS.
             * @example 0.1.0
             */
            headwater: string;
            /**
             * Format: int32
             * @description The release of SRS whose interfaces are served: first number.
             * @example 7
             */
            major: number;
            /**
             * Format: int32
             * @description Second number.
             * @example 0
             */
            minor: number;
            /**
             * Format: int32
             * @description Third number.
             * @example 143
             */
            revision: number;
            /**
             * @description The three together.
             * @example 7.0.143
             */
            version: string;
        };
        /** @description A virtual host; appears with its first use and stays. */
        Vhost: {
            /**
             * Format: int64
             * @description Clients now, publishers included.
             */
            clients: number;
            /** @description Whether the configuration enables it. */
            enabled: boolean;
            /** @description HLS. */
            hls: components["schemas"]["VhostHls"];
            /**
             * @description Its id.
             * @example vid-11aa22b
             */
            id: string;
            /** @description Rates. */
            kbps: components["schemas"]["Kbps"];
            /**
             * @description Its name.
             * @example __defaultVhost__
             */
            name: string;
            /**
             * Format: int64
             * @description Bytes received since start.
             */
            recv_bytes: number;
            /**
             * Format: int64
             * @description Bytes sent since start.
             */
            send_bytes: number;
            /**
             * Format: int64
             * @description Streams now.
             */
            streams: number;
        };
        /** @description One virtual host. */
        VhostFound: components["schemas"]["Envelope"] & {
            /** @description The virtual host. */
            vhost: components["schemas"]["Vhost"];
        };
        /** @description HLS of a virtual host. */
        VhostHls: {
            /** @description Whether it is on. */
            enabled: boolean;
            /** @description Segment length in seconds; only when on. */
            fragment?: components["schemas"]["Decimal"];
        };
        /** @description All virtual hosts. */
        VhostList: components["schemas"]["Envelope"] & {
            /** @description By id. */
            vhosts: components["schemas"]["Vhost"][];
        };
        /** @description A virtual host, or code 2014. */
        VhostReply: components["schemas"]["VhostFound"] | components["schemas"]["ApiError"];
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    rootIndex: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RootIndex"];
                };
            };
        };
    };
    apiIndex: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ApiIndex"];
                };
            };
        };
    };
    v1Index: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["V1Index"];
                };
            };
        };
    };
    authors: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Data_Authors"];
                };
            };
        };
    };
    listClients: {
        parameters: {
            query?: {
                /** @description Clients to skip; 0 by default */
                start?: number;
                /** @description Clients to give at most; 10 by default and at least */
                count?: number;
                /** @description Only of this virtual host, by name or id */
                vhost?: string;
                /** @description Only of this app */
                app?: string;
                /** @description Only of this stream, by name or id; `name` is the same */
                stream?: string;
                /**
                 * @description Only of this client type
                 * @example flv-play
                 */
                type?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ClientList"];
                };
            };
            /** @description Neither GET nor DELETE */
            405: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/plain": string;
                };
            };
        };
    };
    client: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description Id of the client
                 * @example a1b2c3d4
                 */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The client, or code 2049: no such one */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ClientReply"];
                };
            };
            /** @description Neither GET nor DELETE */
            405: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/plain": string;
                };
            };
        };
    };
    endClient: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description Id of the client
                 * @example a1b2c3d4
                 */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The client was asked to leave, or code 2049: no such one */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["KickReply"];
                };
            };
            /** @description From another machine without authentication */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refused"];
                };
            };
            /** @description By another web site, or under a name that anybody may own */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Refused"];
                };
            };
        };
    };
    clusters: {
        parameters: {
            query?: {
                /** @description Address of the client; only echoed */
                ip?: string;
                /** @description Virtual host */
                vhost?: string;
                /** @description App */
                app?: string;
                /** @description Stream name */
                stream?: string;
                /** @description `host[:port]` by which this node was asked */
                coworker?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Clusters"];
                };
            };
        };
    };
    console: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Console"];
                };
            };
        };
    };
    features: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Data_Features"];
                };
            };
        };
    };
    meminfos: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Data_Meminfos"];
                };
            };
        };
    };
    raw: {
        parameters: {
            query?: {
                /**
                 * @description `raw`, `reload` or `reload-fetch`
                 * @example raw
                 */
                rpc?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The configuration; or code 1060: unknown rpc; or code 1061: not allowed or not served */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RawReply"];
                };
            };
        };
    };
    rusages: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Data_Rusages"];
                };
            };
        };
    };
    selfProcStats: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Data_SelfProcStats"];
                };
            };
        };
    };
    listStreams: {
        parameters: {
            query?: {
                /** @description Streams to skip; 0 by default */
                start?: number;
                /** @description Streams to give at most; 10 by default and at least */
                count?: number;
                /** @description Only of this virtual host, by name or id */
                vhost?: string;
                /** @description Only of this app */
                app?: string;
                /** @description Only with this stream name or id; `name` is the same */
                stream?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["StreamList"];
                };
            };
            /** @description Not GET */
            405: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/plain": string;
                };
            };
        };
    };
    stream: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description Id of the stream
                 * @example vid-77cc88d
                 */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The stream, or code 2048: no such one */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["StreamReply"];
                };
            };
            /** @description Not GET */
            405: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/plain": string;
                };
            };
        };
    };
    summaries: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Data_Summaries"];
                };
            };
        };
    };
    systemProcStats: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Data_SystemProcStats"];
                };
            };
        };
    };
    testErrors: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Code 100 */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ApiError"];
                };
            };
        };
    };
    testRedirects: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description To `/api/v1/tests/errors` */
            301: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    testRequests: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Data_TestRequest"];
                };
            };
        };
    };
    versions: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Data_Versions"];
                };
            };
        };
    };
    listVhosts: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["VhostList"];
                };
            };
            /** @description Not GET */
            405: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/plain": string;
                };
            };
        };
    };
    vhost: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description Id of the virtual host
                 * @example vid-11aa22b
                 */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The virtual host, or code 2014: no such one */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["VhostReply"];
                };
            };
            /** @description Not GET */
            405: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/plain": string;
                };
            };
        };
    };
    metrics: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Prometheus text; or, with `exporter` off, the JSON `{"code":1090}` */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/plain": string;
                };
            };
        };
    };
}
