/// What publish rules made of an exchange, put into the pool.
import Gateway
import Polling

extension Worker {
    func publish(_ publication: RulePublication) {
        figures.skippedRules += UInt64(publication.skipped)
        let now = now
        for item in publication.items {
            switch item {
            case .message(let item):
                do throws(PublishError) {
                    _ = try publish([item])
                    figures.rulePublishes += 1
                } catch {
                    figures.skippedRules += 1
                }
            case .signal(let name):
                publish { pool in ((), pool.signal(name, now: now).calls) }
                figures.rulePublishes += 1
            }
        }
    }
}
