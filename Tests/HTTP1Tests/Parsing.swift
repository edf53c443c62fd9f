/// Heads from text, for tests of what is done with them.
import HTTP1

func requestHead(_ text: String) throws(HTTPError) -> RequestHead {
    var head = RequestHead()
    let bytes = Array(text.utf8)
    try head.parse(bytes.span)
    return head
}

func responseHead(_ text: String) throws(ResponseError) -> ResponseHead {
    var head = ResponseHead()
    let bytes = Array(text.utf8)
    try head.parse(bytes.span, answering: .get)
    return head
}
