import Gateway
import Testing

struct HealthTests {
    @Test(arguments: [("/health", HealthQuestion.ready), ("/health/ready", .ready), ("/health/live", .live)])
    func `health is asked for by path`(path: String, question: HealthQuestion) {
        #expect(HealthQuestion(Array(path.utf8).span) == question)
    }

    @Test(arguments: ["/", "/health/", "/healthz", "/health/live/"]) func `no other path asks`(path: String) {
        #expect(HealthQuestion(Array(path.utf8).span) == nil)
    }

    @Test func `a daemon that leaves is live and not ready`() {
        let health = Health(isLeaving: true, stuckWorkers: 0)
        #expect(health.reason(against: .live) == nil)
        #expect(health.reason(against: .ready) == "draining")
    }

    @Test func `one with a stuck worker is neither`() {
        let health = Health(isLeaving: false, stuckWorkers: 1)
        #expect(health.reason(against: .live) == "1 of the workers make no progress")
        #expect(health.reason(against: .ready) == health.reason(against: .live))
    }

    @Test func `any other is both`() {
        let health = Health(isLeaving: false, stuckWorkers: 0)
        #expect(health.reason(against: .live) == nil)
        #expect(health.reason(against: .ready) == nil)
    }
}
