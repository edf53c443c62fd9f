/// What each worker has of its own. An array takes nothing that can't be copied.
struct PerWorker<Value: ~Copyable> {
    private final class Box {
        var value: Value
        init(_ value: consuming Value) { self.value = value }
    }

    private let boxes: [Box]

    init(_ count: Int, _ make: (Int) -> Value) { boxes = (0..<count).map { Box(make($0)) } }

    var indices: Range<Int> { boxes.indices }

    subscript(worker: Int) -> Value {
        _read { yield boxes[worker].value }
        nonmutating _modify { yield &boxes[worker].value }
    }
}
