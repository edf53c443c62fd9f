/// What publish rules made of an exchange, put into the pool.
import Gateway
import Polling

extension Worker {
    func publish(_ publication: RulePublication) {
        figures.skippedRules += UInt64(publication.skipped)
        for item in publication.items {
            let isMade =
                switch item {
                case .message(let item): change(.publish([item]))
                case .signal(let name): change(.signal(name))
                }
            if isMade { figures.rulePublishes += 1 } else { figures.skippedRules += 1 }
        }
    }
}
