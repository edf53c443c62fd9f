/// The figures of the pool's store, of a daemon that has one.
extension ServiceFigures {
    var storeFigures: [Figure] {
        guard let store else { return [] }
        return [
            Figure(
                key: "store.failing", metric: "pollhold_store_failing", kind: .gauge,
                prose: "Whether the pool could not be written at the last attempt, so that publishes are refused.",
                value: store.isFailing ? 1 : 0),
            Figure(
                key: "store.commits", metric: "pollhold_store_commits_total", kind: .counter,
                prose: "Transactions written to the pool's file.", value: store.commits),
            Figure(
                key: "store.failures", metric: "pollhold_store_failures_total", kind: .counter,
                prose: "Transactions that could not be written.", value: store.failures),
            Figure(
                key: "store.rows", metric: "pollhold_store_rows_total", kind: .counter,
                prose: "Rows written, changed or removed.", value: store.rows),
            Figure(
                key: "store.refused", metric: "pollhold_store_refused_total", kind: .counter,
                prose: "Changes refused because too many waited to be written.", value: store.refused),
            Figure(
                key: "store.unwritten", metric: "pollhold_store_rules_unwritten_total", kind: .counter,
                prose: "Publishes of rules that could not be written.", value: store.unwritten),
            Figure(
                key: "store.waiting", metric: "pollhold_store_waiting", kind: .gauge,
                prose: "Changes that wait to be written.", value: UInt64(store.waiting)),
            Figure(
                key: "store.bytes", metric: "pollhold_store_bytes", kind: .gauge,
                prose: "Size of the pool's file and its log.", value: UInt64(store.bytes)),
        ]
    }
}
