/// A message's body as far as templates look into it: kept whole and bounded, checked once.
import ByteText
package import HTTP1
import JSONText
import Polling

package struct CapturedContent: Sendable {
    /// A body that is longer is not looked into (SECURITY M6).
    package static let bytesLimit = 65536

    package let bytes: [UInt8]
    /// The Content-Type field, as it was sent.
    package let contentType: [UInt8]?
    private let isJSON: Bool

    package init(_ bytes: [UInt8], contentType: [UInt8]?) {
        self.bytes = bytes
        self.contentType = contentType
        isJSON = Self.isValid(bytes.span)
    }

    package init(_ bytes: [UInt8], of fields: borrowing FieldLines) {
        self.init(bytes, contentType: fields.first(of: .contentType).map { fields.value(of: $0).array })
    }

    static func isValid(_ bytes: Span<UInt8>) -> Bool {
        do throws(JSONError) {
            try JSONValidator.validate(bytes)
            return true
        } catch {
            return false
        }
    }

    /// Values of a form's field, decoded, in order; empty if there is none. Nil if the encoding is broken.
    func formValues(_ name: String) -> [[UInt8]]? {
        let wanted = Array(name.utf8)
        if let multipart {
            return multipart.fields(of: bytes.span, limit: Self.formFieldsLimit)?
                .filter { $0.name == wanted }.map(\.value)
        }
        guard isForm else { return [] }
        return QueryItems.values(bytes.span, named: wanted.span)
    }

    private var multipart: MultipartForm? { contentType.flatMap { MultipartForm(contentType: $0.span) } }

    /// A form, or a body whose kind nobody named and that is no JSON: that is how old scripts send forms.
    var isForm: Bool {
        guard let contentType else { return !isJSON }
        return Self.mediaType(contentType).span.equalsIgnoringCase("application/x-www-form-urlencoded")
    }

    /// What stands at a pointer: a scalar's text, or that of each scalar of a list. Whether the body calls itself JSON
    /// does not matter, being JSON does.
    func jsonValues(_ pointer: String) -> [[UInt8]] {
        guard let value = jsonValue(pointer) else { return [] }
        guard value.kind == .array else { return value.scalarText(in: bytes.span).map { [$0] } ?? [] }
        var values: [[UInt8]] = []
        var elements = JSONElements(of: value)
        while let element = elements.next(in: bytes.span) {
            if let text = element.scalarText(in: bytes.span) { values.append(text) }
        }
        return values
    }

    func jsonValue(_ pointer: String) -> JSONSlice? {
        guard isJSON else { return nil }
        return JSONPointer(pointer)?.follow(in: bytes.span)
    }

    /// A Content-Type without its parameters.
    private static func mediaType(_ field: [UInt8]) -> [UInt8] {
        Array(field.prefix { $0 != 0x3B }.reversed().drop { $0 == 0x20 || $0 == 0x09 }.reversed())
    }

    /// As data of a message: JSON as it is, a form as an object of its fields, text as text, other bytes as bytes.
    func published() -> (payload: [UInt8], kind: Message.Kind, contentType: [UInt8]?) {
        if isJSON { return (bytes, .json, nil) }
        if contentType != nil, let fields = formFields, let object = Self.object(of: fields) {
            return (object, .json, nil)
        }
        return (bytes, bytes.span.isUTF8 ? .text : .binary, contentType)
    }

    /// All fields of a form, decoded; nil if it is none, or its encoding is broken.
    private var formFields: [MultipartForm.Field]? {
        if let multipart { return multipart.fields(of: bytes.span, limit: Self.formFieldsLimit) }
        guard isForm else { return nil }
        var fields: [MultipartForm.Field] = []
        var items = QueryItems(bytes.span)
        while let item = items.next() {
            guard let name = bytes.span.extracting(item.name).percentDecoded(plusIsSpace: true),
                let value = bytes.span.extracting(item.value).percentDecoded(plusIsSpace: true)
            else { return nil }
            fields.append((name, value))
        }
        return fields
    }

    /// `{"a":"1","b":["2","3"]}`, names in the order in which they first stand; nil if anything is no text.
    private static func object(of items: [MultipartForm.Field]) -> [UInt8]? {
        var fields: [(name: [UInt8], values: [[UInt8]])] = []
        for (name, value) in items {
            guard name.span.isUTF8, value.span.isUTF8 else { return nil }
            if let known = fields.firstIndex(where: { $0.name == name }) {
                fields[known].values.append(value)
            } else {
                guard fields.count < formFieldsLimit else { return nil }
                fields.append((name, [value]))
            }
        }
        var object: [UInt8] = []
        for (name, values) in fields {
            object.append(object.isEmpty ? "{" : ",")
            object.append(jsonEscaped: name.span)
            object.append(values.count > 1 ? ":[" : ":")
            for (index, value) in values.enumerated() {
                if index > 0 { object.append(",") }
                object.append(jsonEscaped: value.span)
            }
            if values.count > 1 { object.append("]") }
        }
        object.append(object.isEmpty ? "{}" : "}")
        return object
    }

    /// Names are compared one by one, which a form with thousands of them must not be able to make slow.
    private static let formFieldsLimit = 200
}
