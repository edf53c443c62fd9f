/// From a file's text to a Configuration, or to all its errors.
import Glibc
import Yams

extension Configuration {
    /// A larger file is no configuration.
    private static let fileBytesLimit = 1 << 20

    /// - Parameters:
    ///   - file: the name for errors.
    ///   - environment: for `${NAME}`.
    /// - Throws: every error of the file.
    package static func load(
        text: String, file: String, environment: [String: String]
    ) throws(ConfigurationErrors) -> Configuration {
        let collector = ErrorCollector(file: file, text: text, environment: environment)
        let configuration = compose(text, collector).map { root in
            Configuration(SectionReader(collector, path: "", node: root, mark: root.mark))
        }
        guard collector.errors.isEmpty, let configuration else { throw ConfigurationErrors(errors: collector.sorted) }
        return configuration
    }

    /// Reads the file at `path`.
    package static func load(
        path: String, environment: [String: String]
    ) throws(ConfigurationErrors) -> Configuration {
        try load(text: try contents(of: path), file: path, environment: environment)
    }

    /// Paths of the table that reading this text looked at.
    static func pathsRead(in text: String) -> Set<String> {
        let collector = ErrorCollector(file: "", text: text, environment: [:])
        if let root = compose(text, collector) {
            _ = Configuration(SectionReader(collector, path: "", node: root, mark: nil))
        }
        return collector.readPaths
    }

    private static func compose(_ text: String, _ collector: ErrorCollector) -> Node? {
        do {
            guard let root = try Yams.compose(yaml: text), root.mapping != nil else {
                collector.note(line: 1, column: 1, found: "no configuration", expected: "expected a mapping of keys")
                return nil
            }
            return root
        } catch let error as YamlError {
            note(error, collector)
        } catch {
            collector.note(nil, found: "\(error)", expected: "expected YAML")
        }
        return nil
    }

    private static func note(_ error: YamlError, _ collector: ErrorCollector) {
        switch error {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            collector.note(mark, found: problem, expected: "expected YAML")
        case .duplicatedKeysInMapping(let keys, let context):
            let names = keys.joined(separator: ", ")
            collector.note(context.mark, found: "the key \(names) twice in one mapping", expected: "expected it once")
        case .reader(let problem, _, _, _):
            collector.note(nil, found: problem, expected: "expected YAML in UTF-8")
        default:
            collector.note(nil, found: "\(error)", expected: "expected YAML")
        }
    }

    private static func contents(of path: String) throws(ConfigurationErrors) -> String {
        func failure(_ found: String, _ expected: String) -> ConfigurationErrors {
            ConfigurationErrors(errors: [
                ConfigurationError(file: path, line: 0, column: 0, found: found, expected: expected, lineText: nil)
            ])
        }
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw failure("can't be opened: \(unsafe String(cString: strerror(errno)))", "expected a readable file")
        }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var part = [UInt8](repeating: 0, count: 65536)
        while bytes.count <= fileBytesLimit {
            let count = unsafe part.withUnsafeMutableBytes { unsafe Glibc.read(descriptor, $0.baseAddress, $0.count) }
            if count == 0 { break }
            if count < 0 {
                if errno == EINTR { continue }
                throw failure("can't be read: \(unsafe String(cString: strerror(errno)))", "expected a readable file")
            }
            bytes.append(contentsOf: part[..<count])
        }
        guard bytes.count <= fileBytesLimit else { throw failure("more than 1 MiB", "expected a configuration file") }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw failure("bytes that are no UTF-8", "expected YAML in UTF-8")
        }
        return text
    }
}
