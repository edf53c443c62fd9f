/// The slow twin of JSONValidator: recursive, over characters, as obvious as can be.
package struct PlainValidator {
    private var rest: ArraySlice<Unicode.Scalar>

    package static func accepts(_ bytes: [UInt8]) -> Bool {
        guard let text = String(validating: bytes, as: UTF8.self) else { return false }
        var validator = PlainValidator(rest: ArraySlice(Array(text.unicodeScalars)))
        guard validator.value() else { return false }
        validator.space()
        return validator.rest.isEmpty
    }

    private mutating func space() {
        while let next = rest.first, " \t\r\n".unicodeScalars.contains(next) { rest.removeFirst() }
    }

    private mutating func take(_ text: String) -> Bool {
        let scalars = Array(text.unicodeScalars)
        guard rest.starts(with: scalars) else { return false }
        rest.removeFirst(scalars.count)
        return true
    }

    private mutating func value() -> Bool {
        space()
        if take("{") {
            return list(end: "}") {
                $0.space()
                guard $0.string() else { return false }
                $0.space()
                return $0.take(":") && $0.value()
            }
        }
        if take("[") { return list(end: "]") { $0.value() } }
        if rest.first == "\"" { return string() }
        return take("true") || take("false") || take("null") || number()
    }

    private mutating func list(end: String, _ element: (inout PlainValidator) -> Bool) -> Bool {
        space()
        if take(end) { return true }
        while true {
            guard element(&self) else { return false }
            space()
            if take(end) { return true }
            guard take(",") else { return false }
        }
    }

    private mutating func string() -> Bool {
        guard take("\"") else { return false }
        while let next = rest.popFirst() {
            if next == "\"" { return true }
            if next.value < 0x20 { return false }
            guard next == "\\" else { continue }
            guard let letter = rest.popFirst() else { return false }
            if letter == "u" {
                for _ in 0..<4 {
                    guard let digit = rest.popFirst(), digit.isASCII, digit.properties.isASCIIHexDigit else {
                        return false
                    }
                }
            } else if !"\"\\/bfnrt".unicodeScalars.contains(letter) {
                return false
            }
        }
        return false
    }

    private mutating func digits() -> Bool {
        var count = 0
        while let next = rest.first, ("0"..."9").contains(next) {
            rest.removeFirst()
            count += 1
        }
        return count > 0
    }

    private mutating func number() -> Bool {
        _ = take("-")
        if !take("0"), !digits() { return false }
        if take("."), !digits() { return false }
        if take("e") || take("E") {
            if !take("+") { _ = take("-") }
            return digits()
        }
        return true
    }
}

/// SplitMix64: one seed gives one run.
package struct Seeded: RandomNumberGenerator {
    package var state: UInt64

    package init(state: UInt64) { self.state = state }

    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
