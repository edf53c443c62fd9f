import Foundation

/// nginx or HAProxy in front of an app, with the least configuration that makes it a proxy, in a directory of its own.
final class PeerProxy {
    enum Kind: String, CaseIterable, Sendable {
        case nginx, haproxy

        /// The version for which the tables in Cases are written, Debian 12's.
        var version: String {
            switch self {
            case .nginx: "1.22"
            case .haproxy: "2.6"
            }
        }

        var program: String? {
            let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
            return (path.split(separator: ":").map(String.init) + ["/usr/sbin", "/usr/local/sbin"])
                .map { $0 + "/" + rawValue }.first { access($0, X_OK) == 0 }
        }

        /// Why it can't be compared with; nil if it can.
        var absence: String? {
            guard let program else { return "\(rawValue) is not there" }
            guard let output = try? Command.run(["-v"], program: program) else { return "\(rawValue) does not start" }
            let words = (output.output + output.errors).split { $0 == " " || $0 == "/" || $0 == "\n" }
            guard words.contains(where: { $0.hasPrefix(version + ".") }) else {
                return "\(rawValue) is not of version \(version), for which the tables are written"
            }
            return nil
        }
    }

    let socketPath: String
    private let directory: TemporaryDirectory
    private let process = Process()

    /// Starts it and waits until it listens.
    init(_ kind: Kind, port: UInt16) throws {
        directory = try TemporaryDirectory()
        socketPath = directory.path + "/peer.sock"
        guard let program = kind.program else { throw TestFailure("\(kind) is not there") }
        let file = directory.path + "/peer.conf"
        try Self.configuration(kind, directory.path, socketPath, port)
            .write(toFile: file, atomically: true, encoding: .utf8)
        process.executableURL = URL(filePath: program)
        process.arguments = kind == .nginx ? ["-p", directory.path, "-c", file] : ["-db", "-f", file]
        process.standardInput = FileHandle.nullDevice
        let log = directory.path + "/peer.log"
        FileManager.default.createFile(atPath: log, contents: nil)
        process.standardError = FileHandle(forWritingAtPath: log)
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        do {
            try waitUntil("\(kind) listens") { (try? TestClient(unix: socketPath)) != nil }
        } catch {
            throw TestFailure("\(error): \((try? String(contentsOfFile: log, encoding: .utf8)) ?? "")")
        }
    }

    deinit {
        // It ends its own children with it.
        process.terminate()
        process.waitUntilExit()
    }

    private static func configuration(_ kind: Kind, _ directory: String, _ socket: String, _ port: UInt16) -> String {
        switch kind {
        case .nginx:
            """
            daemon off;
            worker_processes 1;
            \(getuid() == 0 ? "user root;" : "")
            pid \(directory)/nginx.pid;
            error_log stderr error;
            events { worker_connections 256; }
            http {
                access_log off;
                client_body_temp_path \(directory)/body;
                proxy_temp_path \(directory)/proxy;
                fastcgi_temp_path \(directory)/fastcgi;
                uwsgi_temp_path \(directory)/uwsgi;
                scgi_temp_path \(directory)/scgi;
                upstream app { server 127.0.0.1:\(port); keepalive 4; }
                server {
                    listen unix:\(socket);
                    location / {
                        proxy_pass http://app;
                        proxy_http_version 1.1;
                        proxy_request_buffering off;
                        proxy_set_header Host $http_host;
                        proxy_set_header Connection "";
                    }
                }
            }

            """
        case .haproxy:
            """
            global
                maxconn 256
            defaults
                mode http
                timeout connect 5s
                timeout client 10s
                timeout server 10s
            frontend clients
                bind unix@\(socket) proto h1
                default_backend app
            backend app
                server app 127.0.0.1:\(port)

            """
        }
    }
}
