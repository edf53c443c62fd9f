import Gateway
import Testing

struct HistogramTests {
    static let scales: [Histogram.Scale] = [.delay, .poll, .upstream]

    @Test(arguments: scales) func `a value counts at the first bound that it does not exceed`(_ scale: Histogram.Scale)
    {
        let bounds = scale.bounds
        for place in bounds.indices {
            for (microseconds, expected) in [(bounds[place], place), (bounds[place] + 1, place + 1)] {
                var histogram = Histogram()
                histogram.count(Int64(microseconds) * 1000, on: scale)
                #expect(histogram.cumulative.firstIndex(of: 1) == expected)
            }
            if place > 0 { #expect(bounds[place] > bounds[place - 1]) }
        }
    }

    @Test func `a clock that went back counts as nothing`() {
        var histogram = Histogram()
        histogram.count(-5_000_000, on: .delay)
        #expect(histogram.cumulative.first == 1)
        #expect(histogram.sum == 0)
    }

    @Test func `two add up`() {
        var one = Histogram()
        var other = Histogram()
        for microseconds: Int64 in [1, 300, 5000] { one.count(microseconds * 1000, on: .delay) }
        for microseconds: Int64 in [2, 99_000_000] { other.count(microseconds * 1000, on: .delay) }
        var sum = one
        sum.add(other)
        #expect(sum.count == 5)
        #expect(sum.sum == one.sum + other.sum)
        #expect(sum.cumulative == zip(one.cumulative, other.cumulative).map { $0 + $1 })
    }

    @Test func `a quantile is the bound within which it was`() {
        var histogram = Histogram()
        #expect(histogram.quantile(0.99, on: .delay) == 0)
        for _ in 0..<98 { histogram.count(200_000, on: .delay) }
        for _ in 0..<2 { histogram.count(20_000_000, on: .delay) }
        #expect(histogram.quantile(0.5, on: .delay) == 250)
        #expect(histogram.quantile(0.98, on: .delay) == 250)
        #expect(histogram.quantile(0.99, on: .delay) == 25_000)
        histogram.count(.max, on: .delay)
        #expect(histogram.quantile(1, on: .delay) == 10_000_000)
    }
}
