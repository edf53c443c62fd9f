/// How each server is started: its best configuration for what is measured, with one worker unless said otherwise.
/// Logs that are written per request are off everywhere; keep-alive has no limit; limits on connections are the
/// system's.
import Foundation

/// Where a server is to run.
struct PeerPlace {
    let directory: String
    let port: UInt16
    let secondPort: UInt16
    let originPort: UInt16
    let workers: Int
    let descriptors: Int
    /// Further lines of Pollhold's `pool`, indented.
    var pool = ""

    var socket: String { directory + "/control.sock" }
}

/// What is written and what is started, in order.
struct PeerLaunch {
    var files: [String: String] = [:]
    var commands: [[String]]
}

extension PeerKind {
    func launch(at place: PeerPlace) -> PeerLaunch {
        switch self {
        case .pollhold: pollhold(place)
        case .bareLoop: PeerLaunch(commands: [[program, "hold", "\(place.port)", place.socket]])
        case .nchan: nginx(place, head: "load_module \(Self.nchanModule);", servers: nchanServers(place))
        case .nginx: nginx(place, head: "", servers: proxyServer(place))
        case .pushpin: pushpin(place)
        case .haproxy: haproxy(place)
        }
    }

    private func pollhold(_ place: PeerPlace) -> PeerLaunch {
        let text = """
            listen: 127.0.0.1:\(place.port)
            upstream: http://127.0.0.1:\(place.originPort)
            workers: \(place.workers)
            control:
              socket: \(place.socket)
            pool:
              messages: 10
              memory: 1GiB
              channels: 200000
            \(place.pool)
            routes:
              - path: /poll
                hold: {channels: "{query.channel}", allow: ["**"], timeout: 10m, batch: {messages: 1}}
            forwarding: {send: x-forwarded}
            request_id: off
            log: {level: warning}
            """
        return PeerLaunch(
            files: ["pollhold.yaml": text],
            commands: [[program, "serve", "--config", place.directory + "/pollhold.yaml"]])
    }

    /// With fewer free connections than a sixteenth of all, nginx closes those that wait for their next request; so it
    /// gets more than there are descriptors.
    private func nginx(_ place: PeerPlace, head: String, servers: String) -> PeerLaunch {
        let user = getuid() == 0 ? "user root;" : ""
        let folder = place.directory
        let text = """
            \(head)
            daemon off; \(user) worker_processes \(place.workers); worker_rlimit_nofile \(place.descriptors);
            pid \(folder)/nginx.pid; error_log \(folder)/error.log crit;
            events { worker_connections \(place.descriptors * 2); use epoll; multi_accept on; }
            http {
                access_log off; tcp_nodelay on; keepalive_timeout 600; keepalive_requests 1000000000;
                client_body_temp_path \(folder)/body; proxy_temp_path \(folder)/proxy;
                fastcgi_temp_path \(folder)/f; uwsgi_temp_path \(folder)/u; scgi_temp_path \(folder)/s;
                client_max_body_size 8m; client_body_buffer_size 512k;
                \(servers)
            }
            """
        return PeerLaunch(
            files: ["nginx.conf": text], commands: [[program, "-p", folder, "-c", folder + "/nginx.conf"]])
    }

    private func nchanServers(_ place: PeerPlace) -> String {
        """
        nchan_shared_memory_size 2048m;
        nchan_message_buffer_length 10;
        server {
            listen 127.0.0.1:\(place.port) backlog=4096\(place.workers > 1 ? " reuseport" : "");
            location = /poll {
                nchan_subscriber longpoll;
                nchan_channel_id $arg_channel;
                nchan_subscriber_first_message newest;
                nchan_subscriber_timeout 600;
            }
        }
        server {
            listen unix:\(place.socket);
            location = /publish { nchan_publisher; nchan_channel_id $arg_channel; }
        }
        """
    }

    private func proxyServer(_ place: PeerPlace) -> String {
        """
        upstream app { server 127.0.0.1:\(place.originPort); keepalive 128; keepalive_requests 1000000000; }
        server {
            listen 127.0.0.1:\(place.port) backlog=4096\(place.workers > 1 ? " reuseport" : "");
            location / {
                proxy_pass http://app;
                proxy_http_version 1.1;
                proxy_set_header Connection "";
                proxy_set_header Host $http_host;
                proxy_set_header X-Forwarded-For $remote_addr;
                proxy_set_header X-Forwarded-Proto http;
                proxy_set_header X-Forwarded-Host $http_host;
                proxy_buffers 16 64k;
                proxy_buffer_size 64k;
                proxy_busy_buffers_size 128k;
                proxy_max_temp_file_size 0;
            }
        }
        """
    }

    private func haproxy(_ place: PeerPlace) -> PeerLaunch {
        let text = """
            global
                nbthread \(place.workers)
                maxconn \(place.descriptors / 4)
                tune.bufsize 65536
            defaults
                mode http
                timeout client 600s
                timeout server 600s
                timeout connect 5s
                timeout http-keep-alive 600s
                option http-keep-alive
                option splice-auto
                http-reuse always
            frontend clients
                bind 127.0.0.1:\(place.port) backlog 4096
                option forwardfor
                http-request set-header X-Forwarded-Proto http
                http-request set-header X-Forwarded-Host %[req.hdr(host)]
                default_backend app
            backend app
                server app 127.0.0.1:\(place.originPort)
            """
        return PeerLaunch(
            files: ["haproxy.cfg": text], commands: [[program, "-db", "-f", place.directory + "/haproxy.cfg"]])
    }

    /// Pushpin asks an app how to hold, through zurl, which is a daemon of its own.
    private func pushpin(_ place: PeerPlace) -> PeerLaunch {
        let folder = place.directory
        let zurl = """
            [General]
            in_spec=ipc://\(folder)/zurl-in
            in_stream_spec=ipc://\(folder)/zurl-in-stream
            out_spec=ipc://\(folder)/zurl-out
            in_req_spec=ipc://\(folder)/zurl-req
            defpolicy=allow
            max_open_requests=\(place.descriptors)
            buffer_size=200000
            timeout=600
            in_hwm=100000
            out_hwm=100000
            """
        let pushpin = """
            [global]
            include={libdir}/internal.conf
            rundir=\(folder)
            ipc_prefix=pushpin-
            [runner]
            services=condure,pushpin-proxy,pushpin-handler
            http_port=127.0.0.1:\(place.port)
            logdir=\(folder)
            log_level=1
            client_buffer_size=8192
            client_maxconn=\(place.descriptors - 64)
            [proxy]
            routesfile=\(folder)/routes
            zurl_out_specs=ipc://\(folder)/zurl-in
            zurl_out_stream_specs=ipc://\(folder)/zurl-in-stream
            zurl_in_specs=ipc://\(folder)/zurl-out
            [handler]
            push_in_http_addr=127.0.0.1
            push_in_http_port=\(place.secondPort)
            push_in_spec=ipc://\(folder)/push-in
            push_in_sub_specs=ipc://\(folder)/push-sub
            command_spec=ipc://\(folder)/command
            push_in_http_max_body_size=8000000
            message_rate=1000000
            message_hwm=1000000
            """
        return PeerLaunch(
            files: [
                "zurl.conf": zurl, "pushpin.conf": pushpin, "routes": "* 127.0.0.1:\(place.originPort)\n",
            ],
            commands: [
                [Self.find("zurl") ?? "zurl", "--config=\(folder)/zurl.conf"],
                [program, "--config=\(folder)/pushpin.conf"],
            ])
    }
}
